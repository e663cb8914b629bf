/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds per bucket of a time: `make tests/bench/bench_zone && tests/bench/bench_zone`. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "zone/zone.h"

#define TIMES 4000000

/* Time of this thread on a processor: others may run beside it. */
static int64_t cpu_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static int64_t moments[4096];

static void time_floor(const char *name, const char *what, enum zone_unit unit)
{
	const struct zone *z = zone_get(name);
	int64_t sum = 0;
	if (!z)
		return;
	int64_t start = cpu_us();
	for (int i = 0; i < TIMES; i++)
		sum += zone_floor(z, unit, moments[i & 4095]);
	printf("%-18s floor to %-6s %6.1f ns%s\n", name, what, (double)(cpu_us() - start) * 1000 / TIMES,
		sum == 1 ? " " : "");
}

static void time_text(void)
{
	const struct zone *z = zone_get("Europe/Berlin");
	char text[40];
	int64_t us = 0, sum = 0;
	size_t len = 0;
	if (!z)
		return;
	int64_t start = cpu_us();
	for (int i = 0; i < TIMES / 10; i++)
		len += zone_format(z, moments[i & 4095], text);
	printf("format %6.1f ns\n", (double)(cpu_us() - start) * 10000 / TIMES);
	start = cpu_us();
	for (int i = 0; i < TIMES; i++) {
		if (zone_parse("2026-10-25T02:00:00.123+02:00", 29, &us) != 0)
			return;
		sum += us;
	}
	printf("parse  %6.1f ns%s\n", (double)(cpu_us() - start) * 1000 / TIMES, sum == 1 || len == 1 ? " " : "");
}

int main(void)
{
	static const char *const names[] = { "UTC", "Asia/Kolkata", "Europe/Berlin", "Africa/Casablanca" };
	for (int i = 0; i < 4096; i++) /* spread over the year 2026 */
		moments[i] = INT64_C(1767225600000000) + (int64_t)(i * 2654435761u % 4096) * 7700000000;
	for (int i = 0; i < 4; i++) {
		time_floor(names[i], "hour", ZONE_HOUR);
		time_floor(names[i], "day", ZONE_DAY);
		time_floor(names[i], "month", ZONE_MONTH);
	}
	time_text();
	return 0;
}
