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
	return ro->host->sketch_add(TALLY_SKETCH_HLL, p->sketch, &p->sketch_len, ro->sketch_room, hash, 0);
}

/* Puts all hashes of the set into the sketch. */
static int pour(struct rollup *ro, struct people *p, const struct people *set)
{
	int rc = set->zero ? to_sketch(ro, p, 0) : 0;
	for (uint32_t i = 0; rc == 0 && i < set->cap; i++)
		if (set->slots[i])
			rc = to_sketch(ro, p, set->slots[i]);
	return rc;
}

/* From now on this is a sketch with room to grow. */
static int make_sketch(struct rollup *ro, struct people *p)
{
	struct people set = *p;
	*p = (struct people){ .sketch = ro->host->alloc(ro->in, ro->sketch_room) };
	return p->sketch ? pour(ro, p, &set) : -ENOMEM;
}

static void put(uint64_t *slots, uint32_t cap, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & (cap - 1);
	while (slots[at])
		at = (at + 1) & (cap - 1);
	slots[at] = hash;
}

static int grow(struct rollup *ro, struct people *p)
{
	uint32_t cap = p->cap ? p->cap * 2 : SET_FIRST;
	uint64_t *slots = ro->host->alloc(ro->in, cap * sizeof *slots);
	if (!slots)
		return -ENOMEM;
	memset(slots, 0, cap * sizeof *slots);
	for (uint32_t i = 0; i < p->cap; i++)
		if (p->slots[i])
			put(slots, cap, p->slots[i]);
	p->slots = slots;
	p->cap = cap;
	return 0;
}

static bool has(const struct people *p, uint64_t hash)
{
	if (hash == 0 || p->cap == 0)
		return p->zero && hash == 0;
	uint32_t at = (uint32_t)hash & (p->cap - 1);
	while (p->slots[at] && p->slots[at] != hash)
		at = (at + 1) & (p->cap - 1);
	return p->slots[at] == hash;
}

int people_add(struct rollup *ro, struct people *p, uint64_t hash)
{
	if (p->sketch)
		return to_sketch(ro, p, hash);
	if (has(p, hash))
		return 0;
	if (p->count >= SET_MAX) {
		int rc = make_sketch(ro, p);
		return rc ? rc : to_sketch(ro, p, hash);
	}
	if (hash == 0) {
		p->zero = true;
		return 0;
	}
	if (p->count * 4 >= p->cap * 3 && grow(ro, p) != 0)
		return -ENOMEM;
	put(p->slots, p->cap, hash);
	p->count++;
	return 0;
}

int people_merge(struct rollup *ro, struct people *into, const struct people *from)
{
	int rc = from->sketch && !into->sketch ? make_sketch(ro, into) : 0;
	if (rc == 0 && from->sketch)
		return ro->host->sketch_merge(TALLY_SKETCH_HLL, into->sketch, &into->sketch_len, ro->sketch_room,
			from->sketch, from->sketch_len);
	if (rc == 0 && from->zero)
		rc = people_add(ro, into, 0);
	for (uint32_t i = 0; rc == 0 && i < from->cap; i++)
		if (from->slots[i])
			rc = people_add(ro, into, from->slots[i]);
	return rc;
}

int people_copy(struct rollup *ro, struct people *into, const struct people *from)
{
	size_t bytes = from->sketch ? ro->sketch_room : from->cap * sizeof *from->slots;
	*into = *from;
	if (bytes == 0)
		return 0;
	void *copy = ro->host->alloc(ro->in, bytes);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, from->sketch ? from->sketch : from->slots, from->sketch ? from->sketch_len : bytes);
	if (from->sketch)
		into->sketch = copy;
	else
		into->slots = copy;
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
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->cap; i++)
		if (p->slots[i])
			p->slots[n++] = p->slots[i];
	if (n > 1)
		qsort(p->slots, n, sizeof *p->slots, by_value);
	p->cap = n;
}

int people_seal(struct rollup *ro, struct people *p)
{
	if (p->sketch || (p->count == 0 && !p->zero))
		return 0;
	sort_slots(p);
	struct people made = { .sketch = ro->sketch };
	int rc = pour(ro, &made, p);
	if (rc != 0)
		return rc;
	*p = (struct people){ .sketch = ro->host->alloc(ro->in, made.sketch_len), .sketch_len = made.sketch_len };
	if (!p->sketch)
		return -ENOMEM;
	memcpy(p->sketch, made.sketch, made.sketch_len);
	return 0;
}
