/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "keys.h"

#define SLOTS_FIRST 64
#define BUCKETS_FIRST 64

struct keys {
	struct keyset **buckets;
	size_t nbuckets, nsets; /* the former a power of two */
	size_t bytes, max_bytes;
	struct keyset *oldest, *newest;
};

struct keys *keys_open(size_t max_bytes)
{
	struct keys *k = calloc(1, sizeof *k);
	if (!k || !(k->buckets = calloc(BUCKETS_FIRST, sizeof(struct keyset *)))) {
		free(k);
		return NULL;
	}
	k->nbuckets = BUCKETS_FIRST;
	k->max_bytes = max_bytes;
	return k;
}

static struct keyset **place_of(struct keys *k, uint64_t id)
{
	struct keyset **at = &k->buckets[id & (k->nbuckets - 1)];
	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void unlink_set(struct keys *k, struct keyset *s)
{
	*(s->older ? &s->older->newer : &k->oldest) = s->newer;
	*(s->newer ? &s->newer->older : &k->newest) = s->older;
}

static void link_newest(struct keys *k, struct keyset *s)
{
	s->older = k->newest;
	s->newer = NULL;
	*(k->newest ? &k->newest->newer : &k->oldest) = s;
	k->newest = s;
}

static void forget(struct keys *k, struct keyset *s)
{
	*place_of(k, s->id) = s->next;
	unlink_set(k, s);
	k->bytes -= sizeof *s + s->cap * sizeof *s->slots + s->heavy_bytes;
	k->nsets--;
	free(s->slots);
	free(s->heavy);
	free(s);
}

void keys_close(struct keys *k)
{
	while (k && k->oldest)
		forget(k, k->oldest);
	if (k)
		free(k->buckets);
	free(k);
}

/* The one in use is the newest and stays. */
static void count_bytes(struct keys *k, size_t more)
{
	k->bytes += more;
	while (k->bytes > k->max_bytes && k->oldest != k->newest)
		forget(k, k->oldest);
}

static void grow_buckets(struct keys *k)
{
	size_t n = 2 * k->nbuckets;
	struct keyset **more = calloc(n, sizeof(struct keyset *));
	if (!more)
		return; /* longer chains */
	free(k->buckets);
	k->buckets = more;
	k->nbuckets = n;
	for (struct keyset *s = k->oldest; s; s = s->newer) {
		s->next = more[s->id & (n - 1)];
		more[s->id & (n - 1)] = s;
	}
}

struct keyset *keyset_of(struct keys *k, uint64_t id)
{
	if (k->newest && k->newest->id == id)
		return k->newest;
	struct keyset **at = place_of(k, id), *s = *at;
	if (s) {
		unlink_set(k, s);
		link_newest(k, s);
		return s;
	}
	if (!(s = calloc(1, sizeof *s)))
		return NULL;
	s->id = id;
	*at = s;
	link_newest(k, s);
	count_bytes(k, sizeof *s);
	if (++k->nsets > k->nbuckets)
		grow_buckets(k);
	return s;
}

/* ---- one set ---- */

static uint64_t *slot_of(uint64_t *slots, size_t cap, uint64_t hash)
{
	size_t at = hash & (cap - 1);
	while (slots[at] && slots[at] != hash)
		at = (at + 1) & (cap - 1);
	return &slots[at];
}

static bool grow(struct keys *k, struct keyset *s)
{
	size_t cap = s->cap ? 2 * s->cap : SLOTS_FIRST;
	uint64_t *slots = calloc(cap, sizeof *slots);
	if (!slots)
		return false;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i])
			*slot_of(slots, cap, s->slots[i]) = s->slots[i];
	free(s->slots);
	size_t more = (cap - s->cap) * sizeof *slots;
	s->slots = slots;
	s->cap = cap;
	count_bytes(k, more);
	return true;
}

bool keyset_has(const struct keyset *s, uint64_t hash)
{
	return s->cap && *slot_of(s->slots, s->cap, hash);
}

bool keyset_put(struct keys *k, struct keyset *s, uint64_t hash)
{
	if (s->count * 2 >= s->cap && !grow(k, s))
		return false;
	*slot_of(s->slots, s->cap, hash) = hash;
	s->count++;
	return true;
}

bool keyset_make_heavy(struct keys *k, struct keyset *s, size_t bytes)
{
	if (bytes && (s->heavy = calloc(1, bytes)) != NULL) {
		s->heavy_bytes = bytes;
		count_bytes(k, bytes);
	}
	return s->heavy != NULL;
}
