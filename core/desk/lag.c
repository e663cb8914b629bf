/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/lag.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- positions ---- */

void lag_seen_clear(struct lag_seen *s)
{
	s->n = 0;
	s->store = 0;
}

void lag_seen_add(struct lag_seen *s, struct lag_row row)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->rows = memory_grow(s->rows, s->cap * sizeof *s->rows);
	}
	s->rows[s->n++] = row;
}

void lag_seen_free(struct lag_seen *s)
{
	free(s->rows);
	*s = (struct lag_seen){ 0 };
}

/* Rows come in one order from every server, so the row is mostly at `near`. */
static const struct lag_row *find(const struct lag_seen *s, uint64_t who, size_t near)
{
	if (near < s->n && s->rows[near].who == who)
		return &s->rows[near];
	for (size_t i = 0; i < s->n; i++)
		if (s->rows[i].who == who)
			return &s->rows[i];
	return NULL;
}

static bool same_row(const struct lag_row *a, const struct lag_row *b)
{
	return a->lsn == b->lsn && a->mark == b->mark && a->committed == b->committed;
}

static bool same(const struct lag_seen *a, const struct lag_seen *b)
{
	if (a->n != b->n || a->store != b->store)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct lag_row *other = find(b, a->rows[i].who, i);
		if (!other || !same_row(&a->rows[i], other))
			return false;
	}
	return true;
}

/* Is `now` at or behind `then` in one history? */
static bool follows(const struct lag_row *now, const struct lag_row *then)
{
	if (now->lsn != then->lsn)
		return now->lsn > then->lsn;
	return now->mark == then->mark && now->committed >= then->committed;
}

static bool reached(const struct lag_seen *seen, const struct lag_seen *then)
{
	for (size_t i = 0; i < then->n; i++) {
		const struct lag_row *now = find(seen, then->rows[i].who, i);
		if (!now || !follows(now, &then->rows[i]))
			return false;
	}
	return true;
}

/* One place, two histories. */
static bool contradicts(const struct lag_seen *seen, const struct lag_seen *then)
{
	for (size_t i = 0; i < then->n; i++) {
		const struct lag_row *now = find(seen, then->rows[i].who, i);
		if (now && now->lsn == then->rows[i].lsn && now->mark != then->rows[i].mark)
			return true;
	}
	return seen->store && then->store && seen->store != then->store;
}

/* ---- the log ---- */

static struct lag_note *at(const struct lag_log *log, size_t i)
{
	return (struct lag_note *)&log->notes[(log->first + i) % LAG_NOTES];
}

void lag_open(struct lag_log *log, int64_t max_lag_us)
{
	*log = (struct lag_log){ .spacing_us = max_lag_us * 2 / LAG_NOTES };
}

void lag_close(struct lag_log *log)
{
	for (size_t i = 0; i < LAG_NOTES; i++)
		lag_seen_free(&log->notes[i].seen);
}

int64_t lag_newest_us(const struct lag_log *log)
{
	return log->n ? at(log, log->n - 1)->at_us : INT64_MIN;
}

/* Positions went back, or a row is gone: another history from here on. */
static bool breaks(const struct lag_log *log, const struct lag_seen *seen)
{
	const struct lag_seen *last = &at(log, log->n - 1)->seen;
	return contradicts(seen, last) || !reached(seen, last);
}

/* The place for one more note: the last one's, if that is nearer than the spacing to the one before it. */
static struct lag_note *place(struct lag_log *log)
{
	if (log->n >= 2 && at(log, log->n - 1)->at_us - at(log, log->n - 2)->at_us < log->spacing_us)
		return at(log, log->n - 1);
	if (log->n == LAG_NOTES)
		log->first = (log->first + 1) % LAG_NOTES;
	else
		log->n++;
	return at(log, log->n - 1);
}

static void write_note(struct lag_note *note, int64_t at_us, struct lag_freshness fresh, struct lag_seen *seen)
{
	struct lag_seen old = note->seen;
	*note = (struct lag_note){ at_us, fresh, *seen };
	*seen = old;
	lag_seen_clear(seen);
}

void lag_note(struct lag_log *log, int64_t at_us, struct lag_freshness fresh, struct lag_seen *seen)
{
	if (log->n == 0 || breaks(log, seen)) {
		log->era++;
		log->n = 0;
	} else if (same(&at(log, log->n - 1)->seen, seen)) { /* it still stands so */
		write_note(at(log, log->n - 1), at_us, fresh, seen);
		return;
	}
	write_note(place(log), at_us, fresh, seen);
}

bool lag_is_behind(const struct lag_log *log, const struct lag_seen *seen)
{
	const struct lag_seen *newest = log->n ? &at(log, log->n - 1)->seen : NULL;
	return newest && !contradicts(newest, seen) && reached(newest, seen);
}

struct lag_sight lag_look(const struct lag_log *log, const struct lag_seen *seen)
{
	struct lag_sight sight = { .standing = log->n ? LAG_FAR : LAG_NOTHING };
	for (size_t i = log->n; i-- > 0;) {
		const struct lag_note *note = at(log, i);
		if (contradicts(seen, &note->seen)) {
			sight.standing = LAG_STRANGE;
			return sight;
		}
		if (sight.standing == LAG_FAR && reached(seen, &note->seen)) {
			sight.standing = LAG_REACHED;
			sight.newest = i == log->n - 1;
			sight.at_us = note->at_us;
			sight.fresh = note->fresh;
		}
		sight.same = sight.same || same(seen, &note->seen);
	}
	return sight;
}
