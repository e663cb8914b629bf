/* SPDX-License-Identifier: Apache-2.0 */
#include "ids.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 4096 /* entries */
#define SHARDS 256
#define SHARD_LEAST 16 /* slots */

struct entry {
	struct ids_key key;
	int64_t time_us; /* GONE = dropped before its time */
};

#define GONE INT64_MIN

/* tag: the low half of key.a, whose low bits are the home of the slot. low: the entry's number, 0 = a free slot; numbers
 * alive at one time differ in these bits, for there are never so many. */
struct slot {
	uint32_t tag, low;
};

struct shard {
	struct slot *slots;
	uint32_t cap, count; /* cap 0 or a power of two */
};

struct ids {
	struct entry **chunks; /* a ring of pointers: chunk n of all times lies at n & (nchunks - 1) */
	size_t nchunks;
	uint64_t first, next; /* entries [first, next) are kept; numbers begin at 1 */
	size_t max, count;
	uint64_t pushed_out;
	struct shard shards[SHARDS];
};

/* ---- entries ---- */

static struct entry *entry_of(const struct ids *ids, uint64_t number)
{
	return &ids->chunks[number / CHUNK & (ids->nchunks - 1)][number % CHUNK];
}

/* The full number of a kept entry from its low half; 0 is never one. */
static uint64_t number_of(const struct ids *ids, uint32_t low)
{
	return ids->first + (uint32_t)(low - (uint32_t)ids->first);
}

/* ---- the index ---- */

static struct shard *shard_of(const struct ids *ids, struct ids_key key)
{
	return (struct shard *)&ids->shards[key.a >> 56];
}

static bool is_free(struct slot s)
{
	return s.low == 0;
}

static void put(struct shard *sh, struct slot s)
{
	uint32_t at = s.tag & (sh->cap - 1);
	while (!is_free(sh->slots[at]))
		at = (at + 1) & (sh->cap - 1);
	sh->slots[at] = s;
}

static bool resize(struct shard *sh, uint32_t cap)
{
	struct shard made = { .slots = calloc(cap, sizeof(struct slot)), .cap = cap, .count = sh->count };
	if (!made.slots)
		return false;
	for (uint32_t i = 0; i < sh->cap; i++)
		if (!is_free(sh->slots[i]))
			put(&made, sh->slots[i]);
	free(sh->slots);
	*sh = made;
	return true;
}

static bool index_add(struct ids *ids, struct ids_key key, uint64_t number)
{
	struct shard *sh = shard_of(ids, key);
	if (sh->count * 4 >= sh->cap * 3 && !resize(sh, sh->cap ? sh->cap * 2 : SHARD_LEAST))
		return false;
	put(sh, (struct slot){ (uint32_t)key.a, (uint32_t)number });
	sh->count++;
	return true;
}

/* Closes the gap at `hole`: whatever stands behind it and may stand there moves up (Knuth 6.4, algorithm R). */
static void close_gap(struct shard *sh, uint32_t hole)
{
	uint32_t mask = sh->cap - 1;
	for (uint32_t at = (hole + 1) & mask; !is_free(sh->slots[at]); at = (at + 1) & mask) {
		uint32_t home = sh->slots[at].tag & mask;
		if (((at - home) & mask) < ((at - hole) & mask))
			continue; /* its home lies behind the hole */
		sh->slots[hole] = sh->slots[at];
		hole = at;
	}
	sh->slots[hole] = (struct slot){ 0, 0 };
}

static void index_remove(struct ids *ids, struct ids_key key, uint64_t number)
{
	struct shard *sh = shard_of(ids, key);
	uint32_t at = (uint32_t)key.a & (sh->cap - 1);
	while (sh->slots[at].low != (uint32_t)number)
		at = (at + 1) & (sh->cap - 1);
	close_gap(sh, at);
	sh->count--;
	if (sh->cap > SHARD_LEAST && sh->count * 8 < sh->cap)
		resize(sh, sh->cap / 2); /* if there is no memory for it the table stays as it is */
}

uint64_t ids_find(const struct ids *ids, struct ids_key key)
{
	const struct shard *sh = shard_of(ids, key);
	uint32_t tag = (uint32_t)key.a, mask = sh->cap - 1;
	if (sh->cap == 0)
		return 0;
	for (uint32_t at = tag & mask; !is_free(sh->slots[at]); at = (at + 1) & mask) {
		if (sh->slots[at].tag != tag)
			continue;
		uint64_t number = number_of(ids, sh->slots[at].low);
		const struct entry *e = entry_of(ids, number);
		if (e->key.a == key.a && e->key.b == key.b)
			return number;
	}
	return 0;
}

/* ---- coming and going ---- */

/* Makes the next entry's place: a chunk where a new one begins, more pointers when the ring of them is full. */
static bool make_place(struct ids *ids)
{
	if (ids->next % CHUNK != 0 && ids->nchunks > 0 && ids->chunks[ids->next / CHUNK & (ids->nchunks - 1)])
		return true;
	uint64_t oldest = ids->first / CHUNK, newest = ids->next / CHUNK;
	if (newest - oldest >= ids->nchunks) {
		size_t n = ids->nchunks ? ids->nchunks * 2 : 4;
		struct entry **ring = calloc(n, sizeof(struct entry *));
		if (!ring)
			return false;
		for (uint64_t c = oldest; c < newest; c++)
			ring[c & (n - 1)] = ids->chunks[c & (ids->nchunks - 1)];
		free(ids->chunks);
		ids->chunks = ring;
		ids->nchunks = n;
	}
	struct entry **place = &ids->chunks[newest & (ids->nchunks - 1)];
	if (!*place)
		*place = malloc(CHUNK * sizeof **place);
	return *place != NULL;
}

static void pop_oldest(struct ids *ids)
{
	struct entry *e = entry_of(ids, ids->first);
	if (e->time_us != GONE) {
		index_remove(ids, e->key, ids->first);
		ids->count--;
	}
	if (++ids->first % CHUNK != 0)
		return;
	struct entry **done = &ids->chunks[(ids->first - 1) / CHUNK & (ids->nchunks - 1)];
	free(*done);
	*done = NULL;
}

uint64_t ids_add(struct ids *ids, struct ids_key key, int64_t time_us)
{
	while (ids->next - ids->first >= ids->max) {
		ids->pushed_out += entry_of(ids, ids->first)->time_us != GONE;
		pop_oldest(ids);
	}
	if ((uint32_t)ids->next == 0) { /* its low half marks a free slot: a number nobody gets */
		if (!make_place(ids))
			return 0;
		entry_of(ids, ids->next)->time_us = GONE;
		ids->next++;
	}
	if (!make_place(ids) || !index_add(ids, key, ids->next))
		return 0;
	*entry_of(ids, ids->next) = (struct entry){ key, time_us };
	ids->count++;
	return ids->next++;
}

void ids_drop(struct ids *ids, uint64_t number)
{
	if (number < ids->first || number >= ids->next)
		return;
	struct entry *e = entry_of(ids, number);
	if (e->time_us == GONE)
		return;
	index_remove(ids, e->key, number);
	e->time_us = GONE;
	ids->count--;
}

void ids_expire(struct ids *ids, int64_t before_us, unsigned most)
{
	while (most-- > 0 && ids->first < ids->next && entry_of(ids, ids->first)->time_us < before_us)
		pop_oldest(ids);
}

/* ---- the rest ---- */

struct ids *ids_open(size_t max)
{
	struct ids *ids = calloc(1, sizeof *ids);
	if (!ids)
		return NULL;
	ids->first = ids->next = 1;
	ids->max = max;
	return ids;
}

void ids_close(struct ids *ids)
{
	for (size_t i = 0; i < ids->nchunks; i++)
		free(ids->chunks[i]);
	for (size_t i = 0; i < SHARDS; i++)
		free(ids->shards[i].slots);
	free(ids->chunks);
	free(ids);
}

int64_t ids_time(const struct ids *ids, uint64_t number)
{
	return entry_of(ids, number)->time_us;
}

size_t ids_count(const struct ids *ids)
{
	return ids->count;
}

uint64_t ids_pushed_out(const struct ids *ids)
{
	return ids->pushed_out;
}
