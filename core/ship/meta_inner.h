/* SPDX-License-Identifier: Apache-2.0 */
/* What meta.c, missing.c, rezone.c and lookback.c share: tally_meta read in a snapshot, and the rows that are to be added. */
#ifndef SHIP_META_INNER_H
#define SHIP_META_INNER_H

#include "ship/host.h"
#include "ship/remember.h"

struct reading {
	struct tally_sink_instance *in;
	struct arena *arena;
	void *reader;
	struct remember mem;
	int64_t number; /* result of reading_number() */
	bool number_null;
};

/* ---- meta.c: each returns enum tally_sink_rc, said ---- */

/* One number; head, table, tail: SQL around the table's name. */
int reading_number(struct reading *rd, const char *head, const char *table, const char *tail);
/* tally_meta and the nodes into rd->mem. Assumes: within a snapshot. */
int reading_all(struct reading *rd);

/* ---- missing.c ---- */

struct moment { /* of meta_complete() */
	struct tally_position at;
	const int64_t *retention_us; /* by grain */
	int64_t now_us;
};

struct wanted {
	struct reading *rd;
	const struct moment *moment;
	struct tally_cell *cells; /* name, value, horizon; sorted by name */
	size_t n, cap;
	int64_t first_horizon_us; /* where a rollup that begins now is whole, if known */
	bool first_known;
};

/* What the store does not remember and is to. Assumes: within the snapshot of reading_all(). */
int list_missing(struct wanted *w);

/* ---- rezone.c ---- */

/* [ship] The configuration's zones become the store's, as far as this node may (ship/zones.h). Assumes: rd->mem was just
 * read, and no snapshot is open. *changed: it is to be read again. in->zone_words: what differs, "" = nothing. enum
 * tally_sink_rc, said. */
must_check int zones_complete(struct reading *rd, const struct moment *moment, bool *changed);

/* ---- orphans.c ---- */

/* [ship] Behind a position() that was OK, before anything else is done with the store. */
void orphans_drop(struct tally_sink_instance *in, struct tally_position at, struct arena *a);

#endif
