/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows of a rollup a question is about, where that can be told before they are read: by their keys, which are hashes
 * of their dimensions' values. Looking rows up by bucket and key costs their number, whatever else the rollup holds.
 *
 * Two questions can tell: one whose filter names the values of all dimensions, and a top list, whose rows are ranked
 * first (top.c) and read in full afterwards. [worker threads]; everything made lives in the arena. */
#ifndef DESK_PICK_H
#define DESK_PICK_H

#include "desk/run.h"

#define PICK_KEY 16
#define PICK_KEYS_MAX 4000
#define PICK_BUCKETS_MAX 4000
#define PICK_ROWS_MAX 20000 /* lookups beyond which reading all rows of the range is no worse */

struct pick {
	uint8_t (*keys)[PICK_KEY]; /* in ascending order, each once */
	size_t n;
};

/* The values that a filter pins each dimension of the plan's rollup to, NULL = it does not: tests that every row must
 * pass. npinned: of how many dimensions. */
struct pick_pins {
	const struct query_filter *of_dim[QUERY_FIELDS_MAX];
	size_t npinned;
	bool nothing_else; /* the filter is these tests and no more, one a dimension */
};

void pick_pins(const struct query *q, const struct plan *p, struct pick_pins *out);

/* The keys of all rows that the pins name, and of those that the same values may have been folded into. Dimension
 * `loose`, if not -1, is not pinned: of its values only "(other)" is named. False: too many. */
bool pick_named(const struct plan *p, const struct pick_pins *pins, int loose, struct arena *a, struct pick *out);

/* Sorts, and leaves each once. */
void pick_finish(struct pick *pk);

/* How many buckets the pieces of the rollup hold, at most PICK_BUCKETS_MAX + 1. */
size_t pick_buckets(const struct query *q, const struct plan *p);

/* The starts of a piece's buckets from *at on, at most max; *at moves on, to the piece's end behind the last. */
size_t pick_starts(const struct query *q, const struct plan_piece *p, int64_t *at, int64_t *out, size_t max);

struct top;

/* The keys of the rows that can be on the page, from the ranks of all. 1: out is filled. 0: the question is no top list, or
 * ranks do not tell enough: all rows are to be read. -errno with r->err. *narrower: if not NULL, fewer will do once the
 * pieces of months have been read; top_close() it. */
must_check int top_pick(struct run *r, struct pick *out, struct top **narrower);
/* Leaves out of pk, and of the groups, what months rule out. */
void top_narrow(struct top *t, struct pick *pk);
void top_close(struct top *t);

#endif
