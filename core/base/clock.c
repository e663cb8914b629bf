/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t test_wall_us = -1;
static _Atomic int64_t test_mono_us;

static int64_t read_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_wall_us(void)
{
	int64_t t = atomic_load_explicit(&test_wall_us, memory_order_relaxed);
	return t >= 0 ? t : read_ns(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_us(void)
{
	return clock_mono_ns() / 1000;
}

int64_t clock_mono_ns(void)
{
	if (atomic_load_explicit(&test_wall_us, memory_order_relaxed) >= 0)
		return atomic_load_explicit(&test_mono_us, memory_order_relaxed) * 1000;
	return read_ns(CLOCK_MONOTONIC);
}

void clock_set_test(int64_t wall_us, int64_t mono_us)
{
	atomic_store(&test_mono_us, mono_us);
	atomic_store(&test_wall_us, wall_us);
}
