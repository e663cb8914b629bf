/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds per operation of the sketches: `make bench-parts`. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sketch/hll.h"
#include "sketch/quantile.h"

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

/* ---- through the hash, as a visitor arrives ---- */

static void time_visitors(const char *what, uint64_t n)
{
	static struct sketch s;
	uint64_t rounds = ADDS / n;
	int64_t start = cpu_us();
	for (uint64_t i = 0; i < rounds * n; i++) {
		char id[24] = "visitor-";
		uint64_t number = i % n;
		for (int at = 8; at < 20; at++, number /= 10)
			id[at] = (char)('0' + number % 10);
		if (i % n == 0)
			s.len = 0;
		if (hll_add(s.b, &s.len, sizeof s.b, hll_hash(id, 20)) != 0)
			abort();
	}
	say(what, start, (double)(rounds * n));
}

/* ---- quantiles ---- */

#define NUMBERS 100000

static double numbers[NUMBERS];

struct quantiles {
	uint8_t b[QUANTILE_ROOM];
	size_t len;
};

/* Log-normal, as prices and load times are; both signs if asked. */
static void make_numbers(int both_signs)
{
	for (uint64_t i = 0; i < NUMBERS; i++) {
		double sum = 0;
		for (uint64_t k = 0; k < 12; k++)
			sum += (double)(spread(12 * i + k + 1) >> 11) * 0x1p-53;
		numbers[i] = exp(4 + (sum - 6)) * (both_signs && i % 2 ? -1 : 1);
	}
}

static void time_quantiles(const char *what, size_t at_once)
{
	static struct quantiles q;
	int64_t start = cpu_us();
	q.len = 0;
	for (size_t i = 0; i + at_once <= NUMBERS; i += at_once) {
		int rc = at_once == 1 ? quantile_add(q.b, &q.len, sizeof q.b, numbers[i], 1)
				      : quantile_add_many(q.b, &q.len, sizeof q.b, numbers + i, at_once, 1);
		if (rc != 0)
			abort();
	}
	say(what, start, NUMBERS);
	printf("%-36s %9zu bytes\n", "", q.len);
}

static void time_quantile_merge(const char *what, size_t n)
{
	static struct quantiles base, other;
	enum { TIMES = 20000 };
	base.len = other.len = 0;
	if (quantile_add_many(base.b, &base.len, sizeof base.b, numbers, NUMBERS / 2, 1) != 0 ||
		quantile_add_many(other.b, &other.len, sizeof other.b, numbers + NUMBERS / 2, n, 1) != 0)
		abort();
	int64_t start = cpu_us();
	for (int i = 0; i < TIMES; i++)
		if (quantile_merge(base.b, &base.len, sizeof base.b, other.b, other.len) != 0)
			abort();
	say(what, start, TIMES);
}

int main(void)
{
	time_fill("hll: add, per value, to 500", 500);
	time_fill("add, per value, to 4000", 4000);
	time_fill("add, per value, to 4000000 (dense)", ADDS);
	time_visitors("hash and add a visitor, to 500", 500);
	time_visitors("hash and add a visitor, to 100000", 100000);
	time_merge("merge dense + dense", 100000, 100000);
	time_merge("merge dense + sparse (1000)", 100000, 1000);
	time_merge("merge dense + exact (100)", 100000, 100);
	time_merge("merge sparse (2000) + sparse (2000)", 2000, 2000);
	time_merge("merge exact (200) + exact (200)", 200, 200);
	time_estimate();
	make_numbers(0);
	time_quantiles("quantile: add, one by one", 1);
	time_quantiles("add, 256 at once", 256);
	time_quantile_merge("merge with 5 numbers", 5);
	time_quantile_merge("merge with 50000 numbers", NUMBERS / 2);
	make_numbers(1);
	time_quantiles("both signs: add, one by one", 1);
	time_quantiles("both signs: add, 256 at once", 256);
	return 0;
}
