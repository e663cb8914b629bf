/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds per operation of the sketches: `make tests/bench/bench_sketch && tests/bench/bench_sketch`. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sketch/hll.h"

#define ADDS 4000000

/* Time of this thread on a processor: others may run beside it. */
static int64_t cpu_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

struct sketch {
	uint8_t b[HLL_ROOM];
	size_t len;
};

static uint64_t spread(uint64_t x)
{
	x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 32;
}

static void fill(struct sketch *s, uint64_t from, uint64_t n)
{
	s->len = 0;
	for (uint64_t i = from; i < from + n; i++)
		if (hll_add(s->b, &s->len, sizeof s->b, spread(i * UINT64_C(0xd6e8feb86659fd93))) != 0)
			abort();
}

static void say(const char *what, int64_t start_us, double times)
{
	printf("%-36s %9.1f ns\n", what, (double)(cpu_us() - start_us) * 1000 / times);
}

static void time_fill(const char *what, uint64_t n)
{
	static struct sketch s;
	int64_t start = cpu_us();
	uint64_t rounds = ADDS / n;
	for (uint64_t i = 0; i < rounds; i++)
		fill(&s, i * n, n);
	say(what, start, (double)(rounds * n));
}

static void time_merge(const char *what, uint64_t n, uint64_t other_n)
{
	static struct sketch base, s, other;
	enum { TIMES = 20000 };
	fill(&base, 1, n);
	fill(&other, 1000000, other_n);
	int64_t start = cpu_us();
	for (int i = 0; i < TIMES; i++) {
		if (i % 100 == 0)
			s = base;
		if (hll_merge(s.b, &s.len, sizeof s.b, other.b, other.len) != 0)
			abort();
	}
	say(what, start, TIMES);
}

static void time_estimate(void)
{
	static struct sketch s;
	double sum = 0;
	fill(&s, 1, 100000);
	int64_t start = cpu_us();
	for (int i = 0; i < 20000; i++)
		sum += hll_estimate(s.b, s.len);
	say("estimate, dense", start, 20000);
	if (sum < 1)
		abort();
}

int main(void)
{
	time_fill("add, per value, to 500", 500);
	time_fill("add, per value, to 4000", 4000);
	time_fill("add, per value, to 4000000 (dense)", ADDS);
	time_merge("merge dense + dense", 100000, 100000);
	time_merge("merge dense + sparse (1000)", 100000, 1000);
	time_merge("merge dense + exact (100)", 100000, 100);
	time_merge("merge sparse (2000) + sparse (2000)", 2000, 2000);
	time_merge("merge exact (200) + exact (200)", 200, 200);
	time_estimate();
	return 0;
}
