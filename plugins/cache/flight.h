/* SPDX-License-Identifier: Apache-2.0 */
/* Questions under way. Of equal ones only the first, the leader, is followed up; the others are held and get its
 * answer. */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include <stdbool.h>
#include <tally/plugin.h>

struct flight {
	uint64_t hash;
	struct tally_str key; /* own copy */
	uint64_t leader;      /* request id; 0 = gone while its version was checked */
	bool checking;        /* a job looks whether it is known; the flight lives at least until its done() */
	bool refreshing;      /* what was known is no longer true: the planner is at work */
	int64_t began_us;
	uint64_t moment; /* the store's, when it began */
	uint64_t *waiting;
	size_t nwaiting, cap;
	struct flight *next;

	/* the job's, while checking */
	struct cache *cache;
	uint64_t asked_for;     /* request id: the leader when it began */
	bool has_entry, shared; /* there is an entry in memory; the shared level is asked */
	uint64_t entry_version;
	uint64_t version; /* of the data, if rc is 0 */
	int rc;
	char *found; /* bytes from the shared level that answer is in; NULL = nothing usable there */
	struct tally_answer answer;
	int64_t made_us;
};

struct flights { /* zeroed = none */
	struct flight *first;
	size_t waiting; /* of all */
};

struct flight *flight_find(const struct flights *fs, uint64_t hash, struct tally_str key);
struct flight *flight_led_by(const struct flights *fs, uint64_t request);

/* NULL = out of memory. */
struct flight *flight_begin(struct flights *fs, uint64_t hash, struct tally_str key, uint64_t leader);

/* false = out of memory. */
bool flight_join(struct flights *fs, struct flight *f, uint64_t request);
/* A held request has ended otherwise. */
void flight_leave(struct flights *fs, uint64_t request);
/* Nobody waits any more; the caller answers those that did. free(). NULL = nobody did. */
uint64_t *flight_dismiss(struct flights *fs, struct flight *f, size_t *n);
/* The first of the waiting takes the lead; false = there is none. */
bool flight_promote(struct flights *fs, struct flight *f);

/* Takes it out of the list: from now on it is the caller's, to be freed with flight_free(). */
void flight_end(struct flights *fs, struct flight *f);
void flight_free(struct flight *f);

#endif
