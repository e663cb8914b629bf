/* SPDX-License-Identifier: Apache-2.0 */
/* dedup: an event whose id its site has sent before, within the window, is a duplicate.
 *
 * What is remembered is rebuilt from the spool at every start, so it needs no file of its own and its hashes may be
 * keyed for this process alone. For the same reason the window may not be longer than the spool keeps what it took. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tally/plugin.h>

#include "ids.h"
#include "pending.h"

#ifndef MUTANT /* a bug planted on purpose, in the dedup of tests/fault only */
#define MUTANT(name) false
#endif

#define EXPIRE_AT_ONCE 4 /* for each new one: always ahead of what comes, never a long pause */
#define MEMORY_LEAST (1 << 20)

struct dedup {
	const struct tally_host *host;
	struct tally_instance *in;
	int64_t window_us;
	int64_t now_us, received_us; /* the clock of the window; the log's clock at the event before */
	struct ids *ids;
	struct pending pending;
	uint64_t told; /* of ids pushed out, how many are counted */
};

/* Site and id under one hash; the length keeps "a" + "bc" apart from "ab" + "c". */
static struct ids_key key_of(const struct dedup *d, const struct tally_event *ev)
{
	char bytes[4 + 256];
	uint32_t site = (uint32_t)ev->site.len;
	uint64_t two[2];
	if (sizeof site + ev->site.len + ev->id.len >
		sizeof bytes) { /* past the limits of an event: told apart by hashes */
		two[0] = d->host->hash_keyed(ev->site.ptr, ev->site.len);
		two[1] = d->host->hash_keyed(ev->id.ptr, ev->id.len);
		return (struct ids_key){ two[0], two[1] };
	}
	memcpy(bytes, &site, sizeof site);
	memcpy(bytes + sizeof site, ev->site.ptr, site);
	memcpy(bytes + sizeof site + site, ev->id.ptr, ev->id.len);
	d->host->hash_keyed128(bytes, sizeof site + site + ev->id.len, two);
	return (struct ids_key){ two[0], two[1] };
}

/* The window's clock goes with the log's, but one step of it counts for at most this share of a window: a wall clock that
 * is set right by an hour must not make an id forgotten that came a second ago. */
#define STEPS_LEAST 10

static int64_t tick(struct dedup *d, int64_t received_us)
{
	int64_t step = received_us - d->received_us, most = d->window_us / STEPS_LEAST + 1;
	if (MUTANT("step_uncapped"))
		most = step;
	d->received_us = received_us;
	if (step > 0)
		d->now_us += step < most ? step : most;
	return d->now_us;
}

/* The number under which this key is known and still within the window, else 0. */
static uint64_t known(struct dedup *d, struct ids_key key, int64_t now_us)
{
	uint64_t number = ids_find(d->ids, key);
	if (number == 0 || now_us - ids_time(d->ids, number) < d->window_us)
		return number;
	ids_drop(d->ids, number);
	return 0;
}

static void tell_pushed_out(struct dedup *d)
{
	uint64_t out = ids_pushed_out(d->ids);
	if (out == d->told)
		return;
	if (d->told == 0)
		d->host->log(d->in, TALLY_LOG_WARN,
			"memory is full with %zu ids: the oldest are forgotten before the window ends; raise "
			"`memory` or shorten `window` (said once; counted as forgotten_early)",
			ids_count(d->ids));
	d->host->count(d->in, "forgotten_early", (int64_t)(out - d->told));
	d->told = out;
}

static uint64_t remember(struct dedup *d, struct ids_key key, int64_t now_us)
{
	ids_expire(d->ids, now_us - d->window_us + 1, EXPIRE_AT_ONCE);
	uint64_t number = ids_add(d->ids, key, now_us);
	tell_pushed_out(d);
	return number;
}

static int admit(void *self, uint64_t ticket, const struct tally_event *ev)
{
	struct dedup *d = self;
	struct ids_key key = key_of(d, ev);
	int64_t now_us = tick(d, ev->received_us);
	if (known(d, key, now_us))
		return TALLY_DUPLICATE;
	uint64_t number = remember(d, key, now_us);
	if (number && !pending_add(&d->pending, ticket, number)) {
		ids_drop(d->ids, number); /* what could not be forgotten again is not remembered */
		number = 0;
	}
	if (!number)
		d->host->count(d->in, "out_of_memory", 1);
	return TALLY_PASS;
}

static void forget(void *self, uint64_t ticket, const struct tally_event *ev)
{
	struct dedup *d = self;
	(void)ticket; /* its run keeps the number; dropping it twice does no harm */
	ids_drop(d->ids, ids_find(d->ids, key_of(d, ev)));
}

static void settle(void *self, uint64_t ticket, int kept)
{
	struct dedup *d = self;
	struct run run;
	while (pending_take(&d->pending, ticket, &run))
		for (uint32_t i = 0; !kept && i < run.count; i++)
			ids_drop(d->ids, run.first + i);
}

static void recall(void *self, const struct tally_event *ev)
{
	struct dedup *d = self;
	struct ids_key key = key_of(d, ev);
	int64_t now_us = tick(d, ev->received_us);
	if (!known(d, key, now_us))
		remember(d, key, now_us);
}

static void dedup_close(void *self)
{
	struct dedup *d = self;
	if (d->ids)
		ids_close(d->ids);
	pending_free(&d->pending);
	free(d);
}

static int check_options(const struct tally_host *host, struct tally_instance *in, int64_t window_us, int64_t memory)
{
	int64_t retain_us = host->spool_retain_us();
	if (window_us <= 0)
		return host->fail(in, "`window` must be longer than nothing; leave dedup out of the pipeline instead");
	if (window_us > retain_us)
		return host->fail(in,
			"`window` of %lld s is longer than spool.retain of %lld s: ids older than that would be "
			"unknown after a restart; raise spool.retain or shorten `window`",
			(long long)(window_us / 1000000), (long long)(retain_us / 1000000));
	if (memory < MEMORY_LEAST)
		return host->fail(in, "`memory` must be at least 1MiB");
	return 0;
}

static int dedup_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	int64_t window_us = host->option_int(in, "window"), memory = host->option_int(in, "memory");
	int rc = check_options(host, in, window_us, memory);
	if (rc != 0)
		return rc;
	struct dedup *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	*d = (struct dedup){ .host = host, .in = in, .window_us = window_us };
	d->ids = ids_open((size_t)memory / IDS_ENTRY_BYTES);
	if (!d->ids) {
		dedup_close(d);
		return -ENOMEM;
	}
	*self = d;
	return 0;
}

static const struct tally_option options[] = {
	{ "window", TALLY_OPT_TIME, 0, "10m", "how long after an event another one with its id is a duplicate" },
	{ "memory", TALLY_OPT_SIZE, 0, "256MiB",
		"most memory for ids (46 bytes each); past it the oldest are forgotten" },
	{ NULL, 0, 0, NULL, NULL },
};

const struct tally_plugin tally_plugin = {
	TALLY_PLUGIN_HEAD,
	"dedup",
	"0.1.0",
	"an event whose id its site has sent before is a duplicate",
	options,
	.open = dedup_open,
	.close = dedup_close,
	.admit = admit,
	.forget = forget,
	.settle = settle,
	.recall = recall,
};
