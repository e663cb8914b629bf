/* SPDX-License-Identifier: Apache-2.0 */
/* The cap on the keys of a rollup. Pages, props and referrers are chosen by strangers: without a cap a rollup grows as they
 * like. A rollup's `keys` is how many distinct rows one site and UTC day may get; later ones fold: the last dimension
 * becomes "(other)", and where even those are too many the one before it too, down to a row of nothing but "(other)".
 * Nothing is left out, so sums over the rows stay exact.
 *
 * What was admitted is remembered as 64-bit hashes under the key of this process, a set for each rollup, site and day that
 * is written to; sets that have not been used for longest make room when all of them together reach their limit. A
 * set forgotten, or a restart, counts from nothing: then a day may get that many more rows, never a wrong sum. */
#include <stdlib.h>

#include "rollup.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define SET_FIRST 64

struct keyset {
	uint64_t id;     /* of rollup, site and day; 0 = free */
	uint64_t used;   /* when it was asked last */
	uint64_t *slots; /* 0 = free */
	size_t cap, count;
};

struct keys {
	struct keyset *sets; /* a list: few days are written to at a time */
	size_t nsets, cap;
	size_t bytes, max_bytes;
	uint64_t clock;
	struct keyset *last;
};

struct keys *keys_open(size_t max_bytes)
{
	struct keys *k = calloc(1, sizeof *k);
	if (k)
		k->max_bytes = max_bytes;
	return k;
}

void keys_close(struct keys *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->nsets; i++)
		free(k->sets[i].slots);
	free(k->sets);
	free(k);
}

size_t keys_bytes(const struct keys *k)
{
	return k->bytes;
}

/* ---- sets ---- */

static void empty(struct keys *k, struct keyset *s)
{
	k->bytes -= s->cap * sizeof *s->slots;
	free(s->slots);
	*s = (struct keyset){ 0 };
}

/* The set used longest ago but not this one. */
static bool forget_one(struct keys *k, const struct keyset *but)
{
	struct keyset *oldest = NULL;
	for (size_t i = 0; i < k->nsets; i++) {
		struct keyset *s = &k->sets[i];
		if (s->id && s != but && (!oldest || s->used < oldest->used))
			oldest = s;
	}
	if (oldest)
		empty(k, oldest);
	return oldest != NULL;
}

static struct keyset *free_set(struct keys *k)
{
	for (size_t i = 0; i < k->nsets; i++)
		if (!k->sets[i].id)
			return &k->sets[i];
	if (k->nsets == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 16;
		struct keyset *more = realloc(k->sets, cap * sizeof *more);
		if (!more)
			return NULL;
		k->sets = more;
		k->cap = cap;
	}
	k->sets[k->nsets] = (struct keyset){ 0 };
	return &k->sets[k->nsets++];
}

static struct keyset *set_of(struct keys *k, uint64_t id)
{
	if (k->last && k->last->id == id)
		return k->last;
	k->last = NULL;
	for (size_t i = 0; i < k->nsets && !k->last; i++)
		if (k->sets[i].id == id)
			k->last = &k->sets[i];
	if (!k->last && (k->last = free_set(k)) != NULL)
		k->last->id = id;
	return k->last;
}

static uint64_t *slot_of(uint64_t *slots, size_t cap, uint64_t hash)
{
	size_t at = hash & (cap - 1);
	while (slots[at] && slots[at] != hash)
		at = (at + 1) & (cap - 1);
	return &slots[at];
}

static bool grow(struct keys *k, struct keyset *s)
{
	size_t cap = s->cap ? 2 * s->cap : SET_FIRST;
	uint64_t *slots = calloc(cap, sizeof *slots);
	if (!slots)
		return false;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i])
			*slot_of(slots, cap, s->slots[i]) = s->slots[i];
	free(s->slots);
	k->bytes += (cap - s->cap) * sizeof *slots;
	s->slots = slots;
	s->cap = cap;
	while (k->bytes > k->max_bytes && forget_one(k, s))
		;
	return true;
}

/* True: it is there, or there was room for it. Out of memory = no room. */
static bool admit(struct keys *k, struct keyset *s, uint64_t hash, size_t most)
{
	hash += hash == 0;
	if (s->cap && *slot_of(s->slots, s->cap, hash))
		return true;
	if (s->count >= most || (s->count * 2 >= s->cap && !grow(k, s)))
		return false;
	*slot_of(s->slots, s->cap, hash) = hash;
	s->count++;
	return true;
}

/* ---- folding ---- */

static int64_t day_of(int64_t time_us)
{
	return time_us / DAY_US - (time_us % DAY_US < 0);
}

struct dims *keys_fold(struct rollup *ro, struct dims *d, const struct site *s, int64_t time_us)
{
	const struct tally_rollup *r = d->rollup;
	int64_t day = day_of(time_us);
	if (!r->keys || !r->ndims || (d->admitted && d->admitted_site == s && d->admitted_day == day))
		return d->admitted && r->keys ? d->admitted : d;
	uint64_t words[3] = { s->ix.hash, (uint64_t)day, r->id };
	uint64_t id = ro->host->hash_keyed(words, sizeof words);
	struct keyset *set = set_of(ro->keys, id + (id == 0));
	struct dims *as = d;
	if (!set)
		return NULL;
	set->used = ++ro->keys->clock;
	for (uint32_t folded = 0; as && folded < r->ndims; folded++) {
		size_t most = r->keys + (size_t)folded * (r->keys / 8 + 1);
		if (admit(ro->keys, set, as->ix.hash, most))
			break;
		as = dims_folded(ro, d, folded + 1);
	}
	if (as && as != d)
		ro->host->count(ro->in, "folded", 1);
	d->admitted = as;
	d->admitted_site = s;
	d->admitted_day = day;
	return as;
}
