/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table from byte strings to pointers; open addressing, keyed by the process key, so strangers cannot
 * choose collisions. Keys are copied; values are the caller's. Belongs to one thread. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>

#include "base/str.h"

struct table_entry {
	struct tally_str key; /* owned by the table; key.ptr == NULL marks a free slot */
	void *value;
};

struct table {
	struct table_entry *slots;
	size_t cap; /* 0 or a power of two */
	size_t count;
};

/* A zeroed struct table is an empty table. */

/* NULL = absent. */
void *table_get(const struct table *t, struct tally_str key);

/* The place of the value of key, made (value NULL) if absent. Valid until the next table_place or table_remove. */
void **table_place(struct table *t, struct tally_str key);

/* Gives back the value that was there, or NULL. */
void *table_remove(struct table *t, struct tally_str key);

/* Walks: start with *at = 0; NULL at the end. Order is arbitrary. The table must not change meanwhile. */
const struct table_entry *table_next(const struct table *t, size_t *at);

/* Frees keys and slots; values are the caller's to free before. */
void table_free(struct table *t);

#endif
