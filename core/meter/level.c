/* SPDX-License-Identifier: Apache-2.0 */
/* The degradation level and its signals: one owner writes, everyone reads. */
#include "meter/meter.h"

#include "base/check.h"

static _Atomic int level;
static _Atomic double signals[TALLY_SIGNALS];

int meter_level(void)
{
	return atomic_load_explicit(&level, memory_order_relaxed);
}

void meter_level_set(int to)
{
	static const struct tally_str none = { NULL, 0 };
	MUST(to >= 0 && to <= 6);
	atomic_store_explicit(&level, to, memory_order_relaxed);
	meter_set(meter_get(M_LEVEL, none, none, none), to);
}

double meter_signal(enum tally_signal which)
{
	return (unsigned)which < TALLY_SIGNALS ? atomic_load_explicit(&signals[which], memory_order_relaxed) : 0;
}

void meter_signal_set(enum tally_signal which, double share)
{
	MUST((unsigned)which < TALLY_SIGNALS);
	double clamped = share > 0 ? share < 1 ? share : 1 : 0; /* NaN becomes 0 */
	atomic_store_explicit(&signals[which], clamped, memory_order_relaxed);
}
