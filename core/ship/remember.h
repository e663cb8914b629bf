/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of tally_meta, read once, and what they come to for the rollups that are declared. Nothing here asks a store:
 * the ship, the desk and verify each read the rows in a snapshot of theirs and hand them over.
 *
 * A rollup's rows are kept under a number of its name: NAME is number 1, NAME/2 the next. A number has one definition for
 * ever; a changed definition gets the next free number, and with it a table and a horizon of its own. Of several numbers
 * with the declared definition the highest is the one in use: that is how a rebuilt one takes its place.
 *
 * Each node says which numbers it writes: began/UUID/ID and ended/UUID/ID hold a place in its own log. It writes ID while
 * began > ended. One that does not write ID, and has stored something since it ended, makes ID short: it is not read.
 * Belongs to one thread; everything lives in the arena. */
#ifndef SHIP_REMEMBER_H
#define SHIP_REMEMBER_H

#include "ship/meta.h"
#include "ship/schema.h"

struct remembered {
	const char *name, *value;
	int64_t horizon;
	bool has_horizon;
};

/* A node of this store, and how far its log is in it. */
struct remembered_node {
	const char *uuid;
	int64_t lsn;
};

struct remember {
	struct arena *arena;
	struct remembered *rows; /* sorted by name once looked at */
	size_t nrows, rows_cap;
	bool sorted;
	struct remembered_node *nodes;
	size_t nnodes, nodes_cap;
};

void remember_open(struct remember *m, struct arena *a);
void remember_row(struct remember *m, const struct tally_cell *cells); /* name, value, horizon */
void remember_node(struct remember *m, struct tally_str uuid, int64_t lsn);

const struct remembered *remember_find(struct remember *m, const char *name);
/* The first row whose name begins so; the others follow it up to m->rows + m->nrows. NULL = none. */
const struct remembered *remember_first(struct remember *m, const char *head);
int64_t remember_horizon(struct remember *m, const char *name, int64_t otherwise);

/* Under which number the rollup's rows are kept, 0 = none yet. */
unsigned remember_number(struct remember *m, const struct tally_rollup *r);
/* One that nothing of that name has had. */
unsigned remember_free_number(struct remember *m, const struct tally_rollup *r);

/* NULL, or the ID whose rebuild is told of changed visits; that of `except` does not count (may be NULL). */
const char *remember_watching(struct remember *m, const char *except, int64_t *until_us);

bool remember_writes(struct remember *m, const char *uuid, const char *id);
/* NULL, or the node that makes these rows short. */
const char *remember_short_of(struct remember *m, const char *id);

/* Horizons and tables of the declared rollups. One that is not in the store begins at INT64_MAX, and for whoever reads
 * also one that is short; a line goes on writing it. */
void remember_resolve(struct remember *m, const struct schema *s, bool reading, struct meta *out);

#endif
