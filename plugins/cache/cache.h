/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the cache share. All of a cache belongs to the desk's thread, but for `redis`, which has a lock of
 * its own, and what a job is given. */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include <stdbool.h>

#include "flight.h"
#include "redis.h"
#include "store.h"

struct cache {
	const struct tally_host *host;
	struct tally_instance *in;
	int64_t fresh_us, unasked_us, stale_us, negative_us;
	struct store *store;
	struct store_sums counted; /* as far as counters know of them */
	struct flights flights;
	char *key; /* scratch: key of the request in hand, 0, format */
	size_t key_cap;

	struct redis *redis; /* NULL = no shared level */
	const char *prefix;  /* of its keys */
	int64_t ttl_s;
	unsigned sharing; /* values on their way there */
	bool said_away;   /* that it cannot be reached was logged */
};

/* ---- cache.c ---- */

struct tally_answer cache_answer_of(const struct kept *k);
/* Keeps the answer; NULL = too large. */
struct kept *cache_keep(
	struct cache *c, const struct flight *f, const struct tally_answer *an, struct tally_str body, int64_t made_us);
/* To all who wait for a flight that has ended. */
void cache_answer_waiting(struct cache *c, const struct flight *f, const struct tally_answer *an);
/* Whether others may be given it, marked, while it is made anew. */
bool cache_may_be_stale(const struct cache *c, const struct kept *k, int64_t now_us);
int cache_answer_stale(struct cache *c, const struct kept *k, uint64_t request, int64_t now_us);

/* ---- look.c: is the answer known, here or in the shared level? ---- */

/* True: a job looks, and goes on with the flight. k: the entry in memory, NULL = none. */
bool look_begin(struct cache *c, struct flight *f, const struct kept *k);
/* Ends the flight with the entry, if that has this version. */
bool look_land(struct cache *c, struct flight *f, uint64_t version);
/* The planner is to answer the leader, or the next in line if that has gone. Its answer may come before this returns,
 * and end the flight. */
void look_go_on(struct cache *c, struct flight *f);

/* ---- share.c: the shared level ---- */

/* Sees to it that there is a connection, now or later. */
void share_tend(struct cache *c);
/* [worker] What it has for this flight into f->found; the version is checked by the caller. */
void share_find(struct flight *f);
void share_put(
	struct cache *c, const struct flight *f, const struct tally_answer *an, struct tally_str body, int64_t made_us);

#endif
