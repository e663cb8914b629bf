/* SPDX-License-Identifier: Apache-2.0 */
#include "ship/pace.h"

const struct ship_pace ship_pace_default = {
	.retry_min_us = 5000,
	.retry_max_us = 50000,
	.retry_limit = 20,
	.first_us = 200000,
	.cap_us = 30000000,
	.stop_first_us = 1000000,
	.breaker_after = 5,
};

uint64_t pace_random(uint64_t *state)
{
	uint64_t x = *state ? *state : 0x9E3779B97F4A7C15u;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545F4914F6CDD1Du;
}

int64_t pace_between_us(int64_t min_us, int64_t max_us, uint64_t random)
{
	return max_us > min_us ? min_us + (int64_t)(random % (uint64_t)(max_us - min_us + 1)) : min_us;
}

int64_t pace_backoff_us(int64_t first_us, int64_t cap_us, unsigned failures, uint64_t random)
{
	int64_t ceiling = first_us;
	for (unsigned i = 1; i < failures && ceiling < cap_us; i++)
		ceiling *= 2;
	if (ceiling > cap_us)
		ceiling = cap_us;
	return pace_between_us(ceiling / 20, ceiling, random);
}
