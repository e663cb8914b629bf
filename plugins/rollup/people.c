/* SPDX-License-Identifier: Apache-2.0 */
/* Most cells of a batch see a handful of visitors, and every cell is derived into three coarser ones: adding a hash to
 * a small set costs a few nanoseconds, adding it to a sketch ten times that. So sets are kept until the end of the
 * batch, unless one grows past the size of a sketch. */
#include <errno.h>
#include <stdlib.h>

#include "rollup.h"

#define SET_FIRST 4
#define SET_MAX 1024 /* hashes; a sketch of that many is about as large */

static int to_sketch(struct rollup *ro, struct people *p, uint64_t hash)
{
	size_t len = p->count;
	int rc = ro->host->sketch_add(TALLY_SKETCH_HLL, p->data, &len, ro->sketch_room, hash, 0);
	p->count = (uint32_t)len;
	return rc;
}

/* Puts all hashes of the set into the sketch. */
static int pour(struct rollup *ro, struct people *sketch, const struct people *set)
{
	const uint64_t *slots = set->data;
	int rc = set->cap == 0 && set->count ? to_sketch(ro, sketch, set->one) : 0;
	for (uint32_t i = 0; rc == 0 && i < set->cap; i++)
		if (slots[i])
			rc = to_sketch(ro, sketch, slots[i]);
	return rc;
}

/* From now on this is a sketch with room to grow. */
static int make_sketch(struct rollup *ro, struct people *p)
{
	struct people set = *p;
	*p = (struct people){ .data = ro->host->alloc(ro->in, ro->sketch_room), .cap = PEOPLE_SKETCH };
	return p->data ? pour(ro, p, &set) : -ENOMEM;
}

/* The slot of a hash, or the free one where it would go. Assumes: one is free. */
static uint64_t *slot_of(uint64_t *slots, uint32_t cap, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & (cap - 1);
	while (slots[at] && slots[at] != hash)
		at = (at + 1) & (cap - 1);
	return &slots[at];
}

static int grow(struct rollup *ro, struct people *p)
{
	uint32_t cap = p->cap ? p->cap * 2 : SET_FIRST;
	uint64_t *slots = ro->host->alloc(ro->in, cap * sizeof *slots);
	const uint64_t *before = p->data;
	if (!slots)
		return -ENOMEM;
	memset(slots, 0, cap * sizeof *slots);
	for (uint32_t i = 0; i < p->cap; i++)
		if (before[i])
			*slot_of(slots, cap, before[i]) = before[i];
	if (p->cap == 0)
		*slot_of(slots, cap, p->one) = p->one;
	p->data = slots;
	p->cap = cap;
	return 0;
}

static int add_to_set(struct rollup *ro, struct people *p, uint64_t hash)
{
	uint64_t *slot = slot_of(p->data, p->cap, hash);
	if (*slot)
		return 0;
	if (p->count >= SET_MAX) {
		int rc = make_sketch(ro, p);
		return rc ? rc : to_sketch(ro, p, hash);
	}
	if (p->count * 4 >= p->cap * 3) {
		if (grow(ro, p) != 0)
			return -ENOMEM;
		slot = slot_of(p->data, p->cap, hash);
	}
	*slot = hash;
	p->count++;
	return 0;
}

int people_add(struct rollup *ro, struct people *p, uint64_t hash)
{
	hash += hash == 0; /* marks a free slot */
	if (p->cap == PEOPLE_SKETCH)
		return to_sketch(ro, p, hash);
	if (p->cap)
		return add_to_set(ro, p, hash);
	if (p->count == 0) {
		p->one = hash;
		p->count = 1;
		return 0;
	}
	if (p->one == hash)
		return 0;
	return grow(ro, p) == 0 ? add_to_set(ro, p, hash) : -ENOMEM;
}

static int merge_sketch(struct rollup *ro, struct people *into, const struct people *from)
{
	int rc = into->cap == PEOPLE_SKETCH ? 0 : make_sketch(ro, into);
	if (rc != 0)
		return rc;
	size_t len = into->count;
	rc = ro->host->sketch_merge(TALLY_SKETCH_HLL, into->data, &len, ro->sketch_room, from->data, from->count);
	into->count = (uint32_t)len;
	return rc;
}

int people_merge(struct rollup *ro, struct people *into, const struct people *from)
{
	const uint64_t *slots = from->data;
	if (from->cap == PEOPLE_SKETCH)
		return merge_sketch(ro, into, from);
	int rc = from->cap == 0 && from->count ? people_add(ro, into, from->one) : 0;
	for (uint32_t i = 0; rc == 0 && i < from->cap; i++)
		if (slots[i])
			rc = people_add(ro, into, slots[i]);
	return rc;
}

int people_copy(struct rollup *ro, struct people *p)
{
	bool sketch = p->cap == PEOPLE_SKETCH;
	if (p->cap == 0)
		return 0;
	void *copy = ro->host->alloc(ro->in, sketch ? ro->sketch_room : p->cap * sizeof(uint64_t));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, p->data, sketch ? p->count : p->cap * sizeof(uint64_t));
	p->data = copy;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Ascending order appends to an exact sketch instead of inserting into it. The slots are of no further use as a set. */
static void sort_slots(struct people *p)
{
	uint64_t *slots = p->data;
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->cap; i++)
		if (slots[i])
			slots[n++] = slots[i];
	if (n > 1)
		qsort(slots, n, sizeof *slots, by_value);
	p->cap = n;
}

int people_seal(struct rollup *ro, struct people *p)
{
	if (p->cap == PEOPLE_SKETCH || p->count == 0)
		return 0;
	if (p->cap)
		sort_slots(p);
	struct people made = { .data = ro->sketch, .cap = PEOPLE_SKETCH };
	int rc = pour(ro, &made, p);
	if (rc != 0)
		return rc;
	p->data = ro->host->alloc(ro->in, made.count);
	if (!p->data)
		return -ENOMEM;
	memcpy(p->data, made.data, made.count);
	p->count = made.count;
	p->cap = PEOPLE_SKETCH;
	return 0;
}
