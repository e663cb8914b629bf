/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define SHARE 8 /* no answer may take more than this part of the store */

struct store {
	struct kept *buckets[BUCKETS];
	struct kept *newest, *oldest;
	size_t bytes, max_bytes;
	struct store_sums sums;
};

static struct kept **place_of(struct store *st, uint64_t hash, struct tally_str key)
{
	struct kept **at = &st->buckets[hash % BUCKETS];
	while (*at &&
		!((*at)->hash == hash && (*at)->key.len == key.len && memcmp((*at)->key.ptr, key.ptr, key.len) == 0))
		at = &(*at)->chain;
	return at;
}

static void unlink_use(struct store *st, struct kept *k)
{
	*(k->newer ? &k->newer->older : &st->newest) = k->older;
	*(k->older ? &k->older->newer : &st->oldest) = k->newer;
}

static void link_newest(struct store *st, struct kept *k)
{
	k->newer = NULL;
	k->older = st->newest;
	*(k->older ? &k->older->newer : &st->oldest) = k;
	st->newest = k;
}

static void drop(struct store *st, struct kept **at)
{
	struct kept *k = *at;
	*at = k->chain;
	unlink_use(st, k);
	st->bytes -= k->bytes;
	st->sums.bytes_out += (int64_t)k->bytes;
	free(k);
}

struct kept *store_get(struct store *st, uint64_t hash, struct tally_str key)
{
	struct kept *k = *place_of(st, hash, key);
	if (k) {
		unlink_use(st, k);
		link_newest(st, k);
	}
	return k;
}

static struct tally_str pack(char **at, struct tally_str s)
{
	struct tally_str out = { *at, s.len };
	if (s.len)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return out;
}

struct kept *store_put(struct store *st, uint64_t hash, struct tally_str key, const struct tally_answer *an,
	struct tally_str body, int64_t made_us)
{
	struct kept **at = place_of(st, hash, key);
	if (*at)
		drop(st, at);
	size_t bytes = sizeof(struct kept) + key.len + an->type.len + an->etag.len + body.len;
	struct kept *k = bytes <= st->max_bytes / SHARE ? malloc(bytes) : NULL;
	if (!k)
		return NULL;
	while (st->bytes + bytes > st->max_bytes) {
		drop(st, place_of(st, st->oldest->hash, st->oldest->key));
		st->sums.evicted++;
	}
	char *rest = (char *)(k + 1);
	*k = (struct kept){ .hash = hash,
		.version = an->version,
		.made_us = made_us,
		.true_us = made_us,
		.expires_us = INT64_MAX,
		.status = an->status,
		.key = pack(&rest, key),
		.type = pack(&rest, an->type),
		.etag = pack(&rest, an->etag),
		.body = pack(&rest, body),
		.bytes = bytes };
	at = place_of(st, hash, key);
	*at = k;
	link_newest(st, k);
	st->bytes += bytes;
	st->sums.bytes_in += (int64_t)bytes;
	return k;
}

struct store_sums store_sums(const struct store *st)
{
	return st->sums;
}

struct store *store_open(size_t max_bytes)
{
	struct store *st = calloc(1, sizeof *st);
	if (st)
		st->max_bytes = max_bytes;
	return st;
}

void store_close(struct store *st)
{
	while (st->oldest)
		drop(st, place_of(st, st->oldest->hash, st->oldest->key));
	free(st);
}
