/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/cache with a desk of a few lines: a planner that counts how often it was asked. */
#ifndef TESTS_CACHE_DESK_H
#define TESTS_CACHE_DESK_H

#include "base/str.h"
#include "fake_host.h"
#include "unit.h"

#define HELD 1100
#define BODY \
	"{\"results\":[[\"\\\"cache\\\":\\\"miss\\\"\"]],\"meta\":{\"lag_seconds\":0.25,\"cache\":\"miss\",\"ms\":6}}"
#define BODY_HIT \
	"{\"results\":[[\"\\\"cache\\\":\\\"miss\\\"\"]],\"meta\":{\"lag_seconds\":0.25,\"cache\":\"hit\",\"ms\":6}}"
#define SECOND INT64_C(1000000)

/* The desk: requests by id, what became of them, and the planner behind. */
struct desk {
	struct fake f;
	struct tally_request rq[HELD];
	int verdict[HELD];
	int32_t status[HELD]; /* 0 = no answer yet */
	char cache[HELD][8];  /* what the body's meta says: "hit", "miss", …; "" = it has none */
	uint64_t version;     /* of the data */
	uint64_t error_version;
	int version_rc;
	int32_t planner_status;
	bool planner_waits; /* answers only when told to */
	uint64_t planner_has;
	unsigned planned, versions_asked;
	const char *body;
};

extern struct desk d;

/* What the next open_cache() gives the plugin beside its own two arguments; all back to none with cache_options(). */
struct cache_options {
	int64_t unasked_us, stale_us, negative_us, timeout_us;
	const char *redis; /* url; NULL = none */
};
void cache_options(struct cache_options opt);
int cache_try(int64_t memory, int64_t fresh_us); /* what open() says */
void open_cache(int64_t memory, int64_t fresh_us);

/* The verdict; a request that passed is planned. */
int ask(uint64_t id, const char *key, const char *accept, int64_t now_us);
void planner_answers(uint64_t id);
/* As the desk does with every answer that leaves. */
void tell(uint64_t id, const struct tally_answer *an);

#endif
