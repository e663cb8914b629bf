/* SPDX-License-Identifier: Apache-2.0 */
/* How old is what a replica has? Told from tally_position alone, which every commit moves and replication carries.
 *
 * Now and then the positions of the store that is written to are noted, with the time just before they were read: all
 * that was committed before that time is in them. A replica whose positions are at or behind all of a note has
 * everything that was committed before its time. The newest note that it has reached says how old it is at most. A store
 * that nobody writes to stands still, so a replica of it is up to date however long ago the last commit was.
 *
 * A position that goes back (a restore, a failover that lost commits), or a row that goes, begins a new era: what was
 * noted before means nothing, and a replica is believed only once it was seen to stand exactly as a note of this era
 * says. That also finds out a server that is no replica of this store.
 *
 * One thread at a time; the caller has the lock. */
#ifndef DESK_LAG_H
#define DESK_LAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define LAG_NOTES 32

struct lag_row {
	uint64_t who; /* hash of node and line */
	uint64_t lsn, mark;
	int64_t committed; /* wall time of the node's last commit: moved also by commits that move no position */
};

/* The positions of one snapshot. Zeroed = none. */
struct lag_seen {
	uint64_t store; /* hash of what tells the store from any other; 0 = not known, and like any */
	struct lag_row *rows;
	size_t n, cap;
};

void lag_seen_clear(struct lag_seen *s);
void lag_seen_add(struct lag_seen *s, struct lag_row row);
void lag_seen_free(struct lag_seen *s);

/* Everything received up to complete_through_us is in the store; lag_seconds: how long ago that is. */
struct lag_freshness {
	bool known;
	int64_t complete_through_us;
	double lag_seconds;
};

struct lag_note {
	int64_t at_us; /* monotonic, before the positions were read */
	struct lag_freshness fresh;
	struct lag_seen seen;
};

struct lag_log {
	int64_t spacing_us; /* notes nearer than that are one, so that LAG_NOTES reach far enough back */
	uint64_t era;       /* 0 = nothing noted yet */
	size_t first, n;
	struct lag_note notes[LAG_NOTES];
};

/* Zeroes it; spacing for notes as old as the lag allowed. */
void lag_open(struct lag_log *log, int64_t max_lag_us);
void lag_close(struct lag_log *log);
/* Takes what was seen (it is empty afterwards). */
void lag_note(struct lag_log *log, int64_t at_us, struct lag_freshness fresh, struct lag_seen *seen);

enum lag_standing {
	LAG_NOTHING, /* nothing is noted yet */
	LAG_STRANGE, /* another store, or another history of this one */
	LAG_FAR,     /* behind the oldest note */
	LAG_REACHED
};

struct lag_sight {
	enum lag_standing standing;
	bool newest;   /* REACHED: the newest note, so nothing is known that it has not */
	bool same;     /* REACHED: exactly as some note says */
	int64_t at_us; /* REACHED: it has all that was committed before */
	struct lag_freshness fresh;
};

/* What was seen of a replica before the newest note was taken: is it at or behind that note? If not, others write there. */
bool lag_is_behind(const struct lag_log *log, const struct lag_seen *seen);

struct lag_sight lag_look(const struct lag_log *log, const struct lag_seen *seen);
/* When the newest note was taken; INT64_MIN = none. */
int64_t lag_newest_us(const struct lag_log *log);

#endif
