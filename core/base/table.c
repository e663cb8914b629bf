/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"

static size_t slot_of(struct tally_str key, size_t cap)
{
	return (size_t)hash_table(key.ptr, key.len) & (cap - 1);
}

/* Index of the key, or of the free slot where it would go. Assumes: at least one slot is free. */
static size_t find(const struct table *t, struct tally_str key)
{
	size_t i = slot_of(key, t->cap);
	while (t->slots[i].key.ptr && !str_eq(t->slots[i].key, key))
		i = (i + 1) & (t->cap - 1);
	return i;
}

static void grow(struct table *t)
{
	struct table old = *t;
	t->cap = old.cap ? old.cap * 2 : 16;
	t->slots = memory_zalloc(t->cap, sizeof *t->slots);
	MUST(t->slots != NULL);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].key.ptr)
			t->slots[find(t, old.slots[i].key)] = old.slots[i];
	free(old.slots);
}

void *table_get(const struct table *t, struct tally_str key)
{
	return t->cap ? t->slots[find(t, key)].value : NULL;
}

void **table_place(struct table *t, struct tally_str key)
{
	if (t->count * 4 >= t->cap * 3)
		grow(t);
	struct table_entry *e = &t->slots[find(t, key)];
	if (!e->key.ptr) {
		char *copy = memory_alloc(key.len + 1);
		MUST(copy != NULL);
		if (key.len)
			memcpy(copy, key.ptr, key.len);
		copy[key.len] = 0;
		e->key = str_make(copy, key.len);
		t->count++;
	}
	return &e->value;
}

void *table_remove(struct table *t, struct tally_str key)
{
	if (!t->cap)
		return NULL;
	size_t i = find(t, key);
	if (!t->slots[i].key.ptr)
		return NULL;
	void *value = t->slots[i].value;
	free((char *)t->slots[i].key.ptr);
	t->slots[i] = (struct table_entry){ 0 };
	t->count--;
	/* Close the gap: every entry of the run behind it is placed anew. */
	for (size_t k = (i + 1) & (t->cap - 1); t->slots[k].key.ptr; k = (k + 1) & (t->cap - 1)) {
		struct table_entry e = t->slots[k];
		t->slots[k] = (struct table_entry){ 0 };
		t->slots[find(t, e.key)] = e;
	}
	return value;
}

const struct table_entry *table_next(const struct table *t, size_t *at)
{
	while (*at < t->cap) {
		const struct table_entry *e = &t->slots[(*at)++];
		if (e->key.ptr)
			return e;
	}
	return NULL;
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->cap; i++)
		free((char *)t->slots[i].key.ptr);
	free(t->slots);
	*t = (struct table){ 0 };
}
