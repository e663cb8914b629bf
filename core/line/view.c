/* SPDX-License-Identifier: Apache-2.0 */
/* What other threads may see of a line. The line's thread publishes under its lock at every step that changes it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/seam.h"
#include "line/internal.h"
#include "line/taken.h"

/* [line, lock held] */
static void add_in_hand(struct table *sum, const struct batch *b)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&b->terms, &at));) {
		const struct site_terms *t = e->value;
		void **place = table_place(sum, e->key);
		if (!*place)
			MUST((*place = calloc(1, sizeof(struct site_terms))) != NULL);
		struct site_terms *s = *place;
		if (!MUTANT("in_hand_hidden"))
			s->stored += t->stored + t->thinned + t->dropped + t->dead;
		s->taken += t->taken;
		for (int g = 0; g < GAPS; g++)
			s->gaps[g] += t->gaps[g];
	}
}

void view_publish(struct line *l, const struct batch *stored)
{
	pthread_mutex_lock(&l->lock);
	if (stored) {
		terms_commit(l, stored);
		letters_committed(l, stored);
	}
	terms_free_table(&l->in_hand);
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

/* What is shown as skipped while the store is away: taken between our cursor and the oldest record kept. */
static int64_t lapped_of(const struct line *l, struct tally_str site, int64_t passed)
{
	int64_t n = l->lapped_at > l->seen.cursor.lsn ? taken_of(&l->lapped, site) - passed : 0;
	return n > 0 ? n : 0;
}

static void fill_site(const struct line *l, struct line_site *out)
{
	const struct site_terms *t = table_get(&l->terms, out->site), *hand = table_get(&l->in_hand, out->site);
	out->passed = taken_of(&l->taken, out->site) + (hand ? hand->taken : 0);
	out->in_hand = hand ? hand->stored : 0;
	for (int g = 0; g < GAPS; g++)
		out->gaps[g] = (t ? t->gaps[g] : 0) + (hand ? hand->gaps[g] : 0);
	if (t) {
		out->stored = t->stored;
		out->thinned = t->thinned;
		out->dropped = t->dropped;
		out->dead = t->dead;
	}
	int64_t lapped = lapped_of(l, out->site, out->passed);
	out->gaps[GAP_SKIPPED] += lapped;
	out->passed += lapped;
}

static void take_names(struct arena *a, const struct table *t, struct table *known, struct line_site *sites, size_t *n)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(t, &at));) {
		void **place = table_place(known, e->key);
		if (!*place)
			sites[(*n)++].site = arena_str(a, e->key);
		*place = sites;
	}
}

static void fill_sites(struct line *l, struct arena *a, struct line_view *out)
{
	const struct table *const all[] = { &l->terms, &l->in_hand, &l->taken, &l->lapped };
	struct table known = { 0 };
	size_t most = 1;
	for (int i = 0; i < 4; i++)
		most += all[i]->count;
	struct line_site *sites = arena_zalloc(a, most * sizeof *sites);
	for (int i = 0; i < 4; i++)
		take_names(a, all[i], &known, sites, &out->nsites);
	table_free(&known);
	for (size_t i = 0; i < out->nsites; i++) {
		fill_site(l, &sites[i]);
		for (int g = 0; g < GAPS; g++)
			out->lost[g] += sites[i].gaps[g];
	}
	out->sites = sites;
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

struct ship *line_ship(struct line *l)
{
	return l->ship;
}

uint64_t line_changes(const struct line *l)
{
	return ship_changes(l->ship);
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
