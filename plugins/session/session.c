/* SPDX-License-Identifier: Apache-2.0 */
/* session: makes visits of events. Each visit touched in a batch is given to the host at its end, as it was before and as
 * it is now; rollups and the table of visits follow from that. */
#include <errno.h>
#include <stdlib.h>

#include "session.h"

#define GAP_MOST_US (31 * INT64_C(86400) * 1000000)

static void session_close(void *self)
{
	visits_clear(self);
	free(self);
}

static int session_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	struct session *s = calloc(1, sizeof *s);
	if (!s)
		return host->fail(in, "out of memory");
	s->host = host;
	s->in = in;
	s->gap_us = host->option_int(in, "gap");
	s->late_us = host->option_int(in, "late");
	s->memory = (size_t)host->option_int(in, "memory");
	s->inherit = host->option_int(in, "inherit") != 0;
	if (s->gap_us <= 0 || s->gap_us > GAP_MOST_US || s->gap_us > s->late_us) {
		free(s);
		return host->fail(in,
			"gap must be more than nothing, at most 31 days and at most `late`; usual is gap: 30m, "
			"late: 48h");
	}
	visits_clear(s);
	*self = s;
	return 0;
}

/* Whom nobody can tell from others visits nothing. */
static int session_event(void *self, struct tally_event *ev)
{
	int rc = ev->visitor.len ? visits_event(self, ev) : 0;
	return rc ? rc : TALLY_PASS;
}

static int session_flush(void *self)
{
	return visits_flush(self);
}

static void session_reset(void *self)
{
	visits_clear(self);
}

static int session_save(void *self, int (*put)(void *to, const void *bytes, size_t len), void *to)
{
	return snapshot_save(self, put, to);
}

static int session_load(void *self, const void *bytes, size_t len)
{
	return snapshot_load(self, bytes, len);
}

static const struct tally_option options[] = {
	{ "gap", TALLY_OPT_TIME, 0, "30m", "more than this between two events of a visitor begins a new visit" },
	{ "late", TALLY_OPT_TIME, 0, "48h", "a visit to which nothing has come for this long is not changed any more" },
	{ "memory", TALLY_OPT_SIZE, 0, "256MiB",
		"most memory for visits; past it those touched longest ago are forgotten" },
	{ "inherit", TALLY_OPT_BOOL, 0, "true",
		"an event that does not say where it came from gets source, channel and tags of its visit, and so device, "
		"browser, system and country" },
	{ NULL, 0, 0, NULL, NULL },
};

const struct tally_plugin tally_plugin = {
	TALLY_PLUGIN_HEAD,
	"session",
	"0.2.0",
	"visits: their number, bounces, duration, entry and exit pages, what they came with",
	.options = options,
	.open = session_open,
	.close = session_close,
	.event = session_event,
	.flush = session_flush,
	.reset = session_reset,
	.save = session_save,
	.load = session_load,
	.gives = TALLY_GIVES_VISITS | TALLY_GIVES_VALUES,
};
