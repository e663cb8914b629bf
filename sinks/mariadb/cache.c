/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches as the store has them, so that most unions need no question to the server.
 *
 * Invariant: an entry is what the last committed transaction left. What a transaction makes new is staged beside and
 * takes the entries' place only behind its COMMIT; any other end empties everything. The oldest go when the limit is
 * reached (by use). */
#include "mariadb.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 4096 /* a power of two */
#define BLOCK_BYTES (256 * 1024)

struct entry {
	struct entry *next;          /* in its bucket */
	struct entry *newer, *older; /* by use */
	uint64_t hash;
	struct md_bytes value;
	size_t key_len;
	char key[];
};

struct staged {
	struct staged *next;
	struct md_bytes value;
	size_t key_len;
	char key[];
};

struct block {
	struct block *next;
	size_t used, cap;
	_Alignas(16) char bytes[];
};

struct md_cache {
	struct entry **buckets; /* at least as many as entries */
	size_t nbuckets, n;
	struct entry *use; /* the head of a ring by use: ->older is the newest, ->newer the oldest */
	size_t bytes, max_bytes;
	struct staged *staged;
	struct block *blocks;
};

struct md_cache *md_cache_open(size_t max_bytes)
{
	struct md_cache *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->use = calloc(1, sizeof *c->use);
	c->buckets = calloc(FIRST_BUCKETS, sizeof *c->buckets);
	if (!c->use || !c->buckets) {
		free(c->use);
		free(c->buckets);
		free(c);
		return NULL;
	}
	c->nbuckets = FIRST_BUCKETS;
	c->use->newer = c->use->older = c->use;
	c->max_bytes = max_bytes;
	return c;
}

void md_cache_close(struct md_cache *c)
{
	if (!c)
		return;
	md_cache_forget(c);
	free(c->buckets);
	free(c->use);
	free(c);
}

/* FNV-1a: keys hold a keyed hash already, so nobody can choose collisions. */
static uint64_t hash_of(const char *key, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

static void unlink_use(struct entry *e)
{
	e->newer->older = e->older;
	e->older->newer = e->newer;
}

static void link_newest(struct md_cache *c, struct entry *e)
{
	e->newer = c->use;
	e->older = c->use->older;
	c->use->older->newer = e;
	c->use->older = e;
}

static struct entry **place(struct md_cache *c, const char *key, size_t len, uint64_t hash)
{
	struct entry **at = &c->buckets[hash & (c->nbuckets - 1)];
	while (*at && ((*at)->hash != hash || (*at)->key_len != len || memcmp((*at)->key, key, len) != 0))
		at = &(*at)->next;
	return at;
}

static void drop(struct md_cache *c, struct entry **at)
{
	struct entry *e = *at;
	*at = e->next;
	unlink_use(e);
	c->n--;
	c->bytes -= sizeof *e + e->key_len + e->value.len;
	free(e->value.ptr);
	free(e);
}

const struct md_bytes *md_cache_find(struct md_cache *c, const char *key, size_t key_len)
{
	struct entry *e = *place(c, key, key_len, hash_of(key, key_len));
	if (!e)
		return NULL;
	unlink_use(e);
	link_newest(c, e);
	return &e->value;
}

void *md_cache_alloc(struct md_cache *c, size_t bytes)
{
	struct block *b = c->blocks;
	bytes = (bytes + 15) & ~(size_t)15;
	if (!b || b->cap - b->used < bytes) {
		size_t cap = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
		b = malloc(sizeof *b + cap);
		if (!b)
			return NULL;
		b->next = c->blocks;
		b->used = 0;
		b->cap = cap;
		c->blocks = b;
	}
	b->used += bytes;
	return b->bytes + b->used - bytes;
}

int md_cache_stage(struct md_cache *c, const char *key, size_t key_len, const struct md_bytes *value)
{
	struct staged *st = md_cache_alloc(c, sizeof *st + key_len);
	if (!st)
		return -1;
	st->next = c->staged;
	st->value = *value;
	st->key_len = key_len;
	memcpy(st->key, key, key_len);
	c->staged = st;
	return 0;
}

static void end_transaction(struct md_cache *c)
{
	while (c->blocks) {
		struct block *next = c->blocks->next;
		free(c->blocks);
		c->blocks = next;
	}
	c->staged = NULL;
}

/* Most sketches are small: 64 MiB hold hundreds of thousands. Out of memory: chains are longer, no more. */
static void grow(struct md_cache *c)
{
	struct entry **more = calloc(2 * c->nbuckets, sizeof *more);
	if (!more)
		return;
	for (size_t i = 0; i < c->nbuckets; i++)
		for (struct entry *e = c->buckets[i], *next; e; e = next) {
			struct entry **at = &more[e->hash & (2 * c->nbuckets - 1)];
			next = e->next;
			e->next = *at;
			*at = e;
		}
	free(c->buckets);
	c->buckets = more;
	c->nbuckets *= 2;
}

/* Out of memory: the entry is simply not kept. */
static void keep(struct md_cache *c, const struct staged *st)
{
	uint64_t hash = hash_of(st->key, st->key_len);
	if (c->n >= c->nbuckets)
		grow(c);
	struct entry **at = place(c, st->key, st->key_len, hash);
	if (*at)
		drop(c, at);
	struct entry *e = malloc(sizeof *e + st->key_len);
	char *value = malloc(st->value.len + 1);
	if (!e || !value) {
		free(e);
		free(value);
		return;
	}
	memcpy(e->key, st->key, st->key_len);
	e->key_len = st->key_len;
	e->hash = hash;
	e->value = (struct md_bytes){ memcpy(value, st->value.ptr, st->value.len), st->value.len };
	e->next = *at;
	*at = e;
	link_newest(c, e);
	c->n++;
	c->bytes += sizeof *e + e->key_len + e->value.len;
}

void md_cache_commit(struct md_cache *c)
{
	for (const struct staged *st = c->staged; st; st = st->next)
		keep(c, st);
	while (c->bytes > c->max_bytes) {
		struct entry *oldest = c->use->newer;
		drop(c, place(c, oldest->key, oldest->key_len, oldest->hash));
	}
	end_transaction(c);
}

void md_cache_forget(struct md_cache *c)
{
	while (c->use->newer != c->use) {
		struct entry *e = c->use->newer;
		drop(c, place(c, e->key, e->key_len, e->hash));
	}
	end_transaction(c);
}
