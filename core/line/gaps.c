/* SPDX-License-Identifier: Apache-2.0 */
/* Events that were taken and that this line never gets: the store stood behind the oldest record kept, the line was
 * skipped forward by its own policy, the spool is damaged, or the line is younger than the events. They are counted in
 * the transaction that moves the position over the gap, each reason by itself. */
#include <stdio.h>

#include "base/log.h"
#include "base/seam.h"
#include "line/internal.h"
#include "line/taken.h"
#include "meter/meter.h"

static const char *const names[GAPS] = { "store_too_old", "skipped", "damaged", "before" };

const char *line_gap_name(enum line_gap gap)
{
	MUST((unsigned)gap < GAPS);
	return names[gap];
}

int gap_of(struct tally_str name)
{
	int g = 0;
	while (g < GAPS && !str_eq(name, str_of(names[g])))
		g++;
	return g;
}

int64_t gap_lost(const int64_t gaps[GAPS])
{
	return gaps[GAP_STORE_TOO_OLD] + gaps[GAP_SKIPPED] + gaps[GAP_DAMAGED];
}

/* ---- counting ---- */

static int64_t accounted(struct line *l, struct tally_str site)
{
	const struct site_terms *t = table_get(&l->terms, site);
	if (!t)
		return 0;
	return t->stored + t->thinned + t->dropped + t->dead + gap_lost(t->gaps) + t->gaps[GAP_BEFORE];
}

static void say(struct line *l, enum line_gap gap, int64_t n, uint64_t lsn)
{
	static const char *const words[GAPS] = { "the store is older than the spool",
		"skipped forward by when_spool_full: skip", "the spool is damaged", "the line is new" };
	const char *name = l->opt.sink->name;
	if (gap == GAP_BEFORE)
		log_info("line", "%s: %s: %lld events taken before lsn %llu, the oldest kept, are not in it", name,
			words[gap], (long long)n, (unsigned long long)lsn);
	else
		log_error("line", "%s: %s: %lld events taken before lsn %llu are lost to it (%s)", name, words[gap],
			(long long)n, (unsigned long long)lsn, names[gap]);
}

static void count(struct line *l, struct tally_str site, enum line_gap gap, int64_t n)
{
	batch_terms(l->filling, site)->gaps[gap] += n;
	if (!l->filling->dirty)
		stage_note_begin(l, l->filling);
}

/* The records are gone: what was taken before the oldest place kept and the store does not account for. A sink that
 * keeps no counts cannot say; it begins where it can. */
void gap_at_start(struct line *l, enum line_gap gap, uint64_t oldest)
{
	int64_t all = 0;
	size_t at = 0;
	if (!l->seen.counted || MUTANT("skip_uncounted"))
		return;
	for (const struct table_entry *e; (e = table_next(&l->taken, &at));) {
		int64_t n = (intptr_t)e->value - accounted(l, e->key);
		if (n <= 0)
			continue;
		count(l, e->key, gap, n);
		all += n;
	}
	if (all)
		say(l, gap, all, oldest);
}

/* A checkpoint behind damage tells what was taken in between. */
void gap_at_checkpoint(struct line *l, const struct spool_record *rec)
{
	struct table now = { 0 };
	int64_t all = 0;
	size_t at = 0;
	bool damaged = l->jumped;
	l->jumped = false;
	if (!damaged || MUTANT("damage_uncounted"))
		return;
	taken_add(&now, rec, 1);
	for (const struct table_entry *e; (e = table_next(&now, &at));) {
		int64_t n = (intptr_t)e->value - taken_of(&l->taken, e->key);
		for (int i = 0; i < 2; i++) {
			const struct site_terms *t = table_get(&l->batches[i].terms, e->key);
			n -= t ? t->taken : 0;
		}
		if (n <= 0)
			continue;
		count(l, e->key, GAP_DAMAGED, n);
		batch_terms(l->filling, e->key)->taken += n;
		all += n;
	}
	table_free(&now);
	if (all)
		say(l, GAP_DAMAGED, all, rec->lsn);
}

/* ---- rows ---- */

void gap_rows(struct line *l, struct batch *b)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&b->terms, &at));) {
		const struct site_terms *t = e->value;
		for (int g = 0; g < GAPS; g++)
			if (t->gaps[g] && !MUTANT("gap_unnamed"))
				batch_add_gap(l, b, e->key, names[g], t->gaps[g]);
	}
}

void gap_meter(struct line *l, const struct batch *b)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&b->terms, &at));) {
		const struct site_terms *t = e->value;
		for (int g = 0; g < GAP_BEFORE; g++)
			if (t->gaps[g])
				meter_add(meter_get(M_SINK_LOST, str_of(l->opt.sink->name), str_of(names[g]), STR("")),
					t->gaps[g]);
	}
}

/* ---- a store that is away while the spool goes on without it ---- */

/* The spool no longer holds what follows our cursor: these events are as good as skipped, and are shown as that. The
 * store decides when it is back. */
void gap_look(struct line *l)
{
	struct spool_stats st;
	if (!l->entry.skips || l->state != LINE_READING)
		return;
	spool_stats(ledger_spool(l->opt.ledger), &st);
	if (st.begin <= l->cursor || st.begin == l->lapped_at)
		return;
	struct table now = { 0 };
	taken_at(l, st.begin, &now);
	bool news = l->lapped_at <= l->cursor;
	pthread_mutex_lock(&l->lock);
	table_free(&l->lapped);
	l->lapped = now;
	l->lapped_at = st.begin;
	pthread_mutex_unlock(&l->lock);
	if (news)
		log_warn("line",
			"%s: is more than spool_max behind and its sink does not write: the oldest records go without it; "
			"/v1/ledger counts them as skipped",
			l->opt.sink->name);
}
