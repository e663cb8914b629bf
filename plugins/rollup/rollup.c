/* SPDX-License-Identifier: Apache-2.0 */
/* rollup: adds events up into the rollups that the configuration declares. */
#include <errno.h>
#include <stdlib.h>

#include "rollup.h"

#define MINUTE_US (60 * INT64_C(1000000))
#define QUARTER_US (15 * MINUTE_US)

static void rollup_close(void *self)
{
	struct rollup *ro = self;
	index_free(&ro->site_index);
	index_free(&ro->dims_index);
	index_free(&ro->leaf_index);
	index_free(&ro->group_index);
	free(ro->last_group);
	free(ro->dims);
	free(ro->sketch);
	free(ro->key);
	keys_close(ro->keys);
	free(ro);
}

static int rollup_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	struct rollup *ro = calloc(1, sizeof *ro);
	if (!ro)
		return -ENOMEM;
	ro->host = host;
	ro->in = in;
	ro->nrollups = host->rollups(in, &ro->rollups);
	ro->sketch_room = host->sketch_room(TALLY_SKETCH_HLL);
	ro->sketch = malloc(ro->sketch_room);
	ro->dims = calloc(ro->nrollups + 1, sizeof(struct dims *));
	ro->last_group = calloc(ro->nrollups + 1, sizeof(struct group *));
	ro->minute_us = ro->quarter_us = INT64_MIN;
	ro->keys = keys_open((size_t)host->option_int(in, "key_memory"));
	if (!ro->sketch || !ro->dims || !ro->last_group || !ro->keys) {
		rollup_close(ro);
		return -ENOMEM;
	}
	*self = ro;
	return 0;
}

/* Minutes and quarter hours are the same for every site, and events come mostly in the order of time. */
static int64_t bucket_near(
	struct rollup *ro, uint32_t grain, int64_t unit_us, const struct tally_event *ev, int64_t last)
{
	if (last != INT64_MIN && ev->time_us >= last && ev->time_us - last < unit_us)
		return last;
	return ro->host->bucket(ro->in, grain, ev->site, ev->time_us);
}

static int add_event(struct rollup *ro, const struct tally_rollup *r, struct site *s, const struct tally_event *ev,
	const uint64_t *visitor)
{
	bool minutes = ro->minute_us >= s->horizons[r->id][TALLY_MINUTE];
	struct group *g = minutes ? group_of(ro, r, s, TALLY_MINUTE, ro->minute_us)
				  : group_of(ro, r, s, TALLY_QUARTER, ro->quarter_us);
	struct dims *d = dims_of(ro, r, ev);
	d = d ? keys_fold(ro, d, s, ev->time_us, !amounts_of_visits(r)) : NULL;
	struct cell *c = g && d ? leaf_of(ro, d, g) : NULL;
	if (!c)
		return -ENOMEM;
	return amounts_add(ro, r, c->amounts, ev, visitor);
}

static int rollup_event(void *self, struct tally_event *ev)
{
	struct rollup *ro = self;
	struct site *s = site_of(ro, ev->site);
	if (!s)
		return -ENOMEM;
	ro->minute_us = bucket_near(ro, TALLY_MINUTE, MINUTE_US, ev, ro->minute_us);
	ro->quarter_us = bucket_near(ro, TALLY_QUARTER, QUARTER_US, ev, ro->quarter_us);
	uint64_t hash = ev->visitor.len ? ro->host->hash(ev->visitor.ptr, ev->visitor.len) : 0;
	for (size_t r = 0; r < ro->nrollups; r++) {
		if (!amounts_of_events(&ro->rollups[r]))
			continue;
		int rc = add_event(ro, &ro->rollups[r], s, ev, ev->visitor.len ? &hash : NULL);
		if (rc != 0)
			return rc;
	}
	return TALLY_PASS;
}

/* A visit counts in the bucket in which it began. */
static int add_visit(struct rollup *ro, const struct tally_rollup *r, const struct tally_visit *v, int sign)
{
	struct site *s = site_of(ro, v->site);
	if (!s)
		return -ENOMEM;
	int64_t minute = ro->host->bucket(ro->in, TALLY_MINUTE, v->site, v->begin_us);
	bool minutes = minute >= s->horizons[r->id][TALLY_MINUTE];
	struct group *g = minutes ? group_of(ro, r, s, TALLY_MINUTE, minute)
				  : group_of(ro, r, s, TALLY_QUARTER,
					    ro->host->bucket(ro->in, TALLY_QUARTER, v->site, v->begin_us));
	struct dims *d = dims_of_visit(ro, r, v);
	d = d ? keys_fold(ro, d, s, v->begin_us, false) : NULL;
	struct cell *c = g && d ? leaf_of(ro, d, g) : NULL;
	if (!c)
		return -ENOMEM;
	amounts_add_visit(r, c->amounts, v, sign);
	return 0;
}

static int rollup_visit(void *self, const struct tally_visit *before, const struct tally_visit *now)
{
	struct rollup *ro = self;
	int rc = 0;
	for (size_t r = 0; rc == 0 && r < ro->nrollups; r++) {
		if (!amounts_of_visits(&ro->rollups[r]))
			continue;
		rc = before ? add_visit(ro, &ro->rollups[r], before, -1) : 0;
		if (rc == 0 && now->visits)
			rc = add_visit(ro, &ro->rollups[r], now, 1);
	}
	return rc;
}

static int flush(void *self)
{
	int rc = rollup_flush(self);
	cells_clear(self);
	return rc;
}

static void reset(void *self)
{
	cells_clear(self);
}

static const struct tally_option options[] = {
	{ "key_memory", TALLY_OPT_SIZE, 0, "64MiB",
		"for remembering which keys a day has; the days used longest ago make room (see rollups: keys)" },
	{ NULL, 0, 0, NULL, NULL },
};

const struct tally_plugin tally_plugin = {
	TALLY_PLUGIN_HEAD,
	"rollup",
	"0.1.0",
	"adds events up into the declared rollups: minute, quarter hour, day, month",
	.options = options,
	.open = rollup_open,
	.close = rollup_close,
	.event = rollup_event,
	.flush = flush,
	.reset = reset,
	.visit = rollup_visit,
};
