/* SPDX-License-Identifier: Apache-2.0 */
/* What other threads may see of a line. The line's thread publishes under its lock at every step that changes it. */
#include <stdlib.h>

#include "base/clock.h"
#include "line/internal.h"

/* [line, lock held] */
static void add_in_hand(struct table *sum, const struct batch *b)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&b->terms, &at));) {
		const struct site_terms *t = e->value;
		int64_t n = t->stored + t->thinned + t->dropped + t->dead;
		*(intptr_t *)table_place(sum, e->key) += (intptr_t)n;
	}
}

void view_publish(struct line *l, const struct batch *stored)
{
	pthread_mutex_lock(&l->lock);
	if (stored) {
		terms_commit(l, stored);
		letters_committed(l, stored);
	}
	table_free(&l->in_hand);
	if (l->state == LINE_READING) {
		add_in_hand(&l->in_hand, l->filling);
		if (l->flying)
			add_in_hand(&l->in_hand, l->flying);
	}
	l->seen.position = l->position;
	l->seen.cursor = l->state == LINE_READING ? l->filling->to : l->position;
	l->seen.known |= l->state == LINE_READING;
	l->seen.done = atomic_load(&l->entry.done);
	l->seen.oldest_us = l->flying ? l->flying->oldest_us : l->filling->dirty ? l->filling->oldest_us : 0;
	pthread_mutex_unlock(&l->lock);
}

static double lag_of(const struct line *l)
{
	if (!l->seen.oldest_us)
		return 0;
	int64_t lag = clock_wall_us() - l->seen.oldest_us;
	return lag > 0 ? (double)lag / 1e6 : 0;
}

static void fill_sites(struct line *l, struct arena *a, struct line_view *out)
{
	struct line_site *sites = arena_zalloc(a, (l->terms.count + l->in_hand.count + 1) * sizeof *sites);
	size_t at = 0, n = 0;
	for (const struct table_entry *e; (e = table_next(&l->terms, &at));) {
		const struct site_terms *t = e->value;
		sites[n++] = (struct line_site){ .site = arena_str(a, e->key),
			.stored = t->stored,
			.thinned = t->thinned,
			.dropped = t->dropped,
			.dead = t->dead,
			.lost = t->lost,
			.in_flight = (intptr_t)table_get(&l->in_hand, e->key) };
	}
	at = 0;
	for (const struct table_entry *e; (e = table_next(&l->in_hand, &at));)
		if (!table_get(&l->terms, e->key))
			sites[n++] =
				(struct line_site){ .site = arena_str(a, e->key), .in_flight = (intptr_t)e->value };
	out->sites = sites;
	out->nsites = n;
}

void line_view(struct line *l, struct arena *a, struct line_view *out)
{
	*out = (struct line_view){ .name = l->opt.sink->name, .sink = l->opt.sink->plugin };
	ship_stats(l->ship, &out->ship);
	pthread_mutex_lock(&l->lock);
	out->position = l->seen.position;
	out->cursor = l->seen.cursor;
	out->done = l->seen.done;
	out->known = l->seen.known;
	out->counted = l->seen.counted;
	out->lag_seconds = lag_of(l);
	out->trouble = *l->trouble ? arena_printf(a, "%s", l->trouble) : NULL;
	fill_sites(l, a, out);
	pthread_mutex_unlock(&l->lock);
	if (!out->trouble && (out->ship.stopped || out->ship.breaker_open))
		out->trouble = arena_printf(a, "%s", out->ship.error);
}

bool line_meta(struct line *l, struct arena *a, struct meta *out)
{
	pthread_mutex_lock(&l->lock);
	bool known = l->meta_known;
	if (known) {
		*out = l->seen_meta;
		out->rollup_horizon_us = memcpy(arena_alloc(a, out->nrollups * sizeof(int64_t) + 1),
			l->seen_meta.rollup_horizon_us, out->nrollups * sizeof(int64_t));
	}
	pthread_mutex_unlock(&l->lock);
	return known;
}

const struct tally_sink *line_sink(const struct line *l)
{
	return ship_sink(l->ship);
}

void *line_sink_self(const struct line *l)
{
	return ship_sink_self(l->ship);
}

const char *line_name(const struct line *l)
{
	return l->opt.sink->name;
}
