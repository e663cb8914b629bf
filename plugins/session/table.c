/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "session.h"

struct entry *table_find(
	const struct table *t, uint64_t hash, bool (*same)(const struct entry *e, const void *key), const void *key)
{
	struct entry *e = t->cap ? t->slots[hash & (t->cap - 1)] : NULL;
	while (e && !(e->hash == hash && same(e, key)))
		e = e->next;
	return e;
}

static int grow(struct table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 256;
	struct entry **slots = calloc(cap, sizeof *slots);
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++)
		for (struct entry *e = t->slots[i], *next; e; e = next) {
			next = e->next;
			e->next = slots[e->hash & (cap - 1)];
			slots[e->hash & (cap - 1)] = e;
		}
	free(t->slots);
	t->slots = slots;
	t->cap = cap;
	return 0;
}

int table_add(struct table *t, struct entry *e)
{
	if (t->n >= t->cap && grow(t) != 0)
		return -ENOMEM;
	struct entry **slot = &t->slots[e->hash & (t->cap - 1)];
	e->next = *slot;
	*slot = e;
	t->n++;
	return 0;
}

void table_remove(struct table *t, struct entry *e)
{
	struct entry **at = &t->slots[e->hash & (t->cap - 1)];
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	t->n--;
}

void table_clear(struct table *t, void (*fn)(struct entry *e))
{
	for (size_t i = 0; i < t->cap; i++)
		for (struct entry *e = t->slots[i], *next; e; e = next) {
			next = e->next;
			fn(e);
		}
	free(t->slots);
	*t = (struct table){ 0 };
}
