/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys were admitted: a set of hashes for each rollup, site and UTC day that is written to. All of them together are
 * bounded; the set that was used longest ago makes room. */
#ifndef ROLLUP_KEYS_H
#define ROLLUP_KEYS_H

#include "rollup.h"

struct keyset {
	struct keyset *next;          /* of its bucket */
	struct keyset *older, *newer; /* by last use */
	uint64_t id;                  /* of rollup, site and day */
	uint64_t *slots;              /* 0 = free */
	size_t cap, count, extra;     /* extra: of count, admitted because they were frequent */
	void *heavy;                  /* NULL until a key was folded */
	size_t heavy_bytes;
	uint64_t folded; /* events */
};

/* Made if new, and used last from now on. Valid until the next call of any of these. NULL = out of memory. */
struct keyset *keyset_of(struct keys *k, uint64_t id);
bool keyset_has(const struct keyset *s, uint64_t hash);
/* hash: not 0, not there. False = out of memory. */
bool keyset_put(struct keys *k, struct keyset *s, uint64_t hash);
/* Zeroed memory for counting. False = out of memory. */
bool keyset_make_heavy(struct keys *k, struct keyset *s, size_t bytes);

#endif
