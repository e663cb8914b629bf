/* SPDX-License-Identifier: Apache-2.0 */
/* Horizons: from which bucket on a rollup's rows are whole, and how retention moves that forward. A bucket is written
 * only if it is at or behind the horizon, so that what is read is never short. */
#include <stdlib.h>

#include "base/memory.h"
#include "line/internal.h"

#define STEP_US (3600 * (int64_t)1000000)      /* a retention horizon moves in steps of this */
#define EVENTS_STEP_US (60 * (int64_t)1000000) /* that of raw events, which are many: few at a time */
#define EVENTS TALLY_GRAINS

static const char *const grain_names[TALLY_GRAINS] = { "minute", "quarter", "day", "month" };

/* The store's, or what a batch since the last start has moved it to: whichever is later. */
static int64_t grain_horizon(const struct line *l, enum tally_grain g)
{
	int64_t stored = l->meta->grain_horizon_us[g], moved = l->moved_horizon_us[g];
	return moved > stored ? moved : stored;
}

int64_t horizon_of(const struct line *l, const struct tally_rollup *r, enum tally_grain g, struct tally_str site)
{
	if (!l->meta || r->id >= l->meta->nrollups)
		return INT64_MAX;
	struct meta now = *l->meta;
	now.grain_horizon_us[g] = grain_horizon(l, g);
	return meta_first_bucket(&now, l->opt.conf, r->id, g, site);
}

static int64_t retention_of(const struct conf *c, enum tally_grain g)
{
	const int64_t kept[TALLY_GRAINS] = { c->retention.minute_us, c->retention.quarter_us, c->retention.day_us,
		c->retention.month_us };
	return kept[g];
}

static void add_meta_row(struct line *l, struct batch *b, const char *name, int64_t horizon)
{
	struct row_list *list = &b->lists[SCHEMA_META];
	struct tally_cell *row = arena_zalloc(&b->arena, list->table->ncolumns * sizeof *row);
	(void)l;
	if (list->n == list->cap) {
		list->cap += 16;
		list->rows = memory_grow(list->rows, list->cap * sizeof *list->rows);
		MUST(list->rows != NULL);
	}
	list->rows[list->n++] = row;
	row[0] = (struct tally_cell){ .v.ptr = name, .len = (uint32_t)strlen(name) };
	row[1] = (struct tally_cell){ .v.ptr = "", .len = 0 };
	row[2] = (struct tally_cell){ .v.i = horizon };
}

static void add_trim(struct batch *b, const struct tally_table *t, int64_t grain, int64_t horizon)
{
	if (b->ntrim < sizeof b->trim / sizeof *b->trim)
		b->trim[b->ntrim++] = (struct tally_trim){ t, grain, horizon };
}

/* Raw events and visits: rollups, questions and rebuilds look at horizon/events. */
static void move_events(struct line *l, struct batch *b)
{
	int64_t kept = l->opt.conf->retention.events_us, stored = l->meta->events_horizon_us;
	if (kept == INT64_MAX || l->clock_us <= kept)
		return;
	int64_t h = (l->clock_us - kept) / EVENTS_STEP_US * EVENTS_STEP_US;
	if (h <= stored || h <= l->moved_horizon_us[EVENTS])
		return;
	add_meta_row(l, b, META_EVENTS, h);
	add_trim(b, &l->opt.schema->fixed[SCHEMA_EVENT], 0, h);
	add_trim(b, &l->opt.schema->fixed[SCHEMA_VISIT], 0, h);
	l->moved_horizon_us[EVENTS] = h;
}

/* The horizon moves in the transaction that deletes what lies before it. Rows between the old and the new one that this
 * very batch still brings are trimmed with it. */
void horizon_move(struct line *l, struct batch *b)
{
	if (ship_sink(l->ship)->is_store)
		move_events(l, b);
	for (int g = 0; g < TALLY_GRAINS; g++) {
		int64_t kept = retention_of(l->opt.conf, g);
		if (kept == INT64_MAX || l->clock_us <= kept)
			continue;
		int64_t h = (l->clock_us - kept) / STEP_US * STEP_US, stands = grain_horizon(l, g);
		if (h <= stands && l->moved_horizon_us[g] != INT64_MIN)
			continue;
		if (h > stands)
			add_meta_row(l, b, arena_printf(&b->arena, "horizon/%s", grain_names[g]), h);
		else
			h = stands; /* a store that has just got it, or was left in the middle: once after each start */
		for (size_t i = 0; i < l->opt.schema->nrollups; i++)
			add_trim(b, &l->opt.schema->rollups[i].table, g, h);
		l->moved_horizon_us[g] = h;
	}
}

const struct zone *line_plug_zone(void *line, struct tally_str site)
{
	const struct line *l = line;
	return meta_site_zone(l->meta, l->opt.conf, site);
}

int64_t line_plug_horizon(void *line, const struct tally_rollup *r, enum tally_grain g, struct tally_str site)
{
	return horizon_of(line, r, g, site);
}
