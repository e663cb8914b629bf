/* SPDX-License-Identifier: Apache-2.0 */
/* degrade: says no early and clearly when tally is near its limits, so that what was accepted is safe.
 *
 * Policy only: what the level is, and what the signals behind it are, the host says. Events are refused as a whole
 * (the sender comes back), queries by what they would cost. */
#include <errno.h>
#include <stdlib.h>
#include <tally/plugin.h>

struct degrade {
	const struct tally_host *host;
	struct tally_instance *in;
	int64_t refuse_level, scan_level, raw_level;
	double spool, disk;
	uint32_t retry_after_s;
};

static int refuse(const struct degrade *d, const char *reason)
{
	d->host->reason(d->in, reason, d->retry_after_s);
	return TALLY_REFUSE;
}

static int admit(void *self, uint64_t ticket, const struct tally_event *ev)
{
	const struct degrade *d = self;
	(void)ticket;
	(void)ev;
	if (d->host->signal(TALLY_SIGNAL_SPOOL) >= d->spool || d->host->signal(TALLY_SIGNAL_DISK) >= d->disk)
		return refuse(d, "spool_full");
	if (d->host->level() >= d->refuse_level)
		return refuse(d, "overload");
	return TALLY_PASS;
}

static int request(void *self, const struct tally_request *rq)
{
	const struct degrade *d = self;
	int level = d->host->level();
	if (!rq->is_query)
		return TALLY_PASS;
	if ((rq->cost >= 2 && level >= d->scan_level) || (rq->cost >= 1 && level >= d->raw_level))
		return refuse(d, "degraded");
	return TALLY_PASS;
}

static int check_options(const struct degrade *d)
{
	const int64_t levels[] = { d->refuse_level, d->scan_level, d->raw_level };
	for (int i = 0; i < 3; i++)
		if (levels[i] < 1 || levels[i] > 7)
			return d->host->fail(
				d->in, "levels go from 1 to 6, and 7 means never; not %lld", (long long)levels[i]);
	/* written so that a NaN is refused */
	if (!(d->spool > 0 && d->spool <= 1 && d->disk > 0 && d->disk <= 1))
		return d->host->fail(d->in, "`spool` and `disk` are shares above 0 and up to 1.0, the limit itself");
	return 0;
}

/* Rounded up, at most a day. */
static uint32_t whole_seconds(int64_t us)
{
	return us > 86400 * INT64_C(1000000) ? 86400 : (uint32_t)((us + 999999) / 1000000);
}

static int degrade_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	struct degrade *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->host = host;
	d->in = in;
	d->refuse_level = host->option_int(in, "refuse_level");
	d->scan_level = host->option_int(in, "scan_level");
	d->raw_level = host->option_int(in, "raw_level");
	d->spool = host->option_float(in, "spool");
	d->disk = host->option_float(in, "disk");
	d->retry_after_s = whole_seconds(host->option_int(in, "retry_after"));
	int rc = check_options(d);
	if (rc != 0) {
		free(d);
		return rc;
	}
	*self = d;
	return 0;
}

static const struct tally_option options[] = {
	{ "refuse_level", TALLY_OPT_INT, 0, "5", "degradation level from which events are refused" },
	{ "spool", TALLY_OPT_FLOAT, 0, "1.0", "share of spool.max in use from which events are refused" },
	{ "disk", TALLY_OPT_FLOAT, 0, "1.0", "share of the usable disk from which events are refused" },
	{ "scan_level", TALLY_OPT_INT, 0, "1", "level from which queries near the limit of a raw scan are refused" },
	{ "raw_level", TALLY_OPT_INT, 0, "2", "level from which all queries on raw events are refused" },
	{ "retry_after", TALLY_OPT_TIME, 0, "0s", "Retry-After of what is refused; 0 = tally's own, with jitter" },
	{ NULL, 0, 0, NULL, NULL },
};

const struct tally_plugin tally_plugin = {
	TALLY_PLUGIN_HEAD,
	"degrade",
	"0.1.0",
	"refuses events and costly queries before limits are reached",
	options,
	.open = degrade_open,
	.close = free,
	.admit = admit,
	.request = request,
};
