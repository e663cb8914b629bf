/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "rollup.h"

#define KEPT 32768 /* slots a table keeps from batch to batch */

static struct index_slot *free_slot(struct index *ix, uint64_t hash)
{
	size_t at = hash & (ix->cap - 1);
	while (ix->slots[at].thing)
		at = (at + 1) & (ix->cap - 1);
	return &ix->slots[at];
}

static bool grow(struct index *ix)
{
	struct index bigger = { .cap = ix->cap ? ix->cap * 2 : 256, .count = ix->count };
	bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < ix->cap; i++)
		if (ix->slots[i].thing)
			*free_slot(&bigger, ix->slots[i].hash) = ix->slots[i];
	free(ix->slots);
	*ix = bigger;
	return true;
}

struct index_slot *index_place(
	struct index *ix, uint64_t hash, bool (*same)(const struct indexed *thing, const void *key), const void *key)
{
	if (ix->count * 2 >= ix->cap && !grow(ix))
		return NULL;
	size_t at = hash & (ix->cap - 1);
	while (ix->slots[at].thing && !(ix->slots[at].hash == hash && same(ix->slots[at].thing, key)))
		at = (at + 1) & (ix->cap - 1);
	ix->slots[at].hash = hash;
	return &ix->slots[at];
}

struct indexed *index_fill(struct index *ix, struct index_slot *slot, void *thing)
{
	slot->thing = thing;
	ix->count += thing != NULL;
	return thing;
}

void index_clear(struct index *ix)
{
	if (ix->cap > KEPT)
		index_free(ix);
	else if (ix->count)
		memset(ix->slots, 0, ix->cap * sizeof *ix->slots);
	ix->count = 0;
}

void index_free(struct index *ix)
{
	free(ix->slots);
	*ix = (struct index){ 0 };
}
