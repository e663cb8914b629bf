/* SPDX-License-Identifier: Apache-2.0 */
/* How long a ship waits, and when its breaker opens. Pure arithmetic on numbers given to it. */
#ifndef SHIP_PACE_H
#define SHIP_PACE_H

#include <stdint.h>

struct ship;

struct ship_pace {
	int64_t retry_min_us, retry_max_us; /* RETRY: at once, with this jitter */
	unsigned retry_limit;               /* then it counts as RECONNECT */
	int64_t first_us, cap_us;           /* RECONNECT: ceilings of the first and of every late wait */
	int64_t stop_first_us;              /* STOP and FULL: the first ceiling; same cap */
	unsigned breaker_after;             /* failures in a row */
};

extern const struct ship_pace ship_pace_default;

/* [before the first job] for tests */
void ship_set_pace(struct ship *s, const struct ship_pace *pace);

/* Full jitter under a ceiling that doubles from first_us and is capped before the jitter is drawn, so that many nodes
 * never march in step; never less than a twentieth of the ceiling. failures counts from 1. random: 64 random bits. */
int64_t pace_backoff_us(int64_t first_us, int64_t cap_us, unsigned failures, uint64_t random);

/* Evenly between min and max. */
int64_t pace_between_us(int64_t min_us, int64_t max_us, uint64_t random);

/* xorshift64*; state is never 0. */
uint64_t pace_random(uint64_t *state);

#endif
