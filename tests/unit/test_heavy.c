/* SPDX-License-Identifier: Apache-2.0 */
/* Heavy hitters against exact counts. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sketch/heavy.h"
#include "unit.h"

#define KEYS 20000

static uint64_t seed, exact[KEYS], total;

static uint64_t next(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Number i in a coat that looks random; its number stands in the last bytes. */
static const uint8_t *key_of(uint64_t i)
{
	static uint8_t key[HEAVY_KEY];
	put_u64(key, (i + 1) * UINT64_C(0xd6e8feb86659fd93) ^ (i + 7) << 40);
	put_u64(key + 8, i);
	return key;
}

static size_t number_of(const struct heavy_entry *e)
{
	return (size_t)get_u64(e->key + 8);
}

static uint8_t *make(unsigned k)
{
	uint8_t *s = malloc(heavy_room(k));
	assert_non_null(s);
	heavy_init(s, k);
	return s;
}

static void begin(void)
{
	memset(exact, 0, sizeof exact);
	total = 0;
}

static void add(uint8_t *s, size_t i, uint64_t times)
{
	exact[i] += times;
	total += times;
	uint64_t least = heavy_add(s, key_of(i), times);
	assert_true(least <= exact[i]);
}

/* Zipf with this exponent over all keys, drawn by inversion. */
static size_t zipf(double exponent)
{
	static double cumulated[KEYS], of;
	if (of != exponent) {
		double sum = 0;
		for (size_t i = 0; i < KEYS; i++)
			cumulated[i] = sum += pow((double)i + 1, -exponent);
		of = exponent;
	}
	double x = (double)(next() >> 11) * 0x1p-53 * cumulated[KEYS - 1];
	size_t low = 0, high = KEYS - 1;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (cumulated[mid] < x)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* What the header promises. k: of the summaries that it was made of. */
static void assert_bounds(const uint8_t *s, unsigned k)
{
	static struct heavy_entry top[HEAVY_MAX];
	unsigned n = heavy_top(s, top, HEAVY_MAX);
	assert_int_equal(heavy_check(s, heavy_room(get_u16(s + 2))), 0);
	assert_int_equal(heavy_total(s), total);
	assert_true(heavy_floor(s) <= total / k);
	for (unsigned i = 0; i < n; i++) {
		uint64_t really = exact[number_of(&top[i])];
		assert_true(top[i].count - top[i].error <= really && really <= top[i].count);
		assert_true(top[i].error <= total / k);
		assert_true(i == 0 || top[i].count <= top[i - 1].count);
	}
	for (size_t i = 0; i < KEYS; i++) {
		struct heavy_entry e;
		if (!heavy_find(s, key_of(i), &e))
			assert_true(exact[i] <= heavy_floor(s));
	}
}

static const double exponents[] = { 0, 0.8, 1.1, 1.5, 2.5 };
#define EXPONENTS (sizeof exponents / sizeof *exponents)

static void counts_are_within_their_bounds(void **state)
{
	(void)state;
	static const unsigned ks[] = { 1, 2, 10, 100, 1000, HEAVY_MAX };
	for (size_t x = 0; x < EXPONENTS; x++)
		for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
			uint8_t *s = make(ks[k]);
			seed = 10 * x + k;
			begin();
			for (int i = 0; i < 200000; i++)
				add(s, zipf(exponents[x]), 1 + (i % 97 == 0) * 5);
			assert_bounds(s, ks[k]);
			free(s);
		}
}

/* Were all in it, bounds would say nothing: here most keys are not. The heaviest are, in their order. */
static void the_heaviest_of_a_zipf_are_found(void **state)
{
	(void)state;
	uint8_t *s = make(500);
	struct heavy_entry top[20];
	seed = 3;
	begin();
	for (int i = 0; i < 500000; i++)
		add(s, zipf(1.1), 1);
	assert_true(heavy_floor(s) > 0);
	assert_int_equal(heavy_top(s, top, 20), 20);
	for (size_t i = 0; i < 20; i++) {
		size_t rank = 0, me = number_of(&top[i]);
		for (size_t other = 0; other < KEYS; other++)
			rank += exact[other] > exact[me];
		assert_true(rank <= i);
	}
	free(s);
}

static void below_k_keys_all_is_exact(void **state)
{
	(void)state;
	uint8_t *s = make(1000);
	struct heavy_entry e;
	seed = 4;
	begin();
	for (int i = 0; i < 50000; i++)
		add(s, next() % 1000, next() % 3);
	assert_int_equal(heavy_floor(s), 0);
	for (size_t i = 0; i < 1000; i++) {
		assert_true(heavy_find(s, key_of(i), &e));
		assert_true(e.count == exact[i] && e.error == 0);
	}
	assert_true(heavy_add(s, key_of(1000), 0) == 0 && heavy_add(s, key_of(7), 0) == exact[7]);
	assert_false(heavy_find(s, key_of(1000), &e));
	free(s);
}

static void merges_keep_the_bounds(void **state)
{
	(void)state;
	for (size_t x = 0; x < EXPONENTS; x++)
		for (unsigned k = 1; k <= 1000; k *= 10) {
			uint8_t *part[5];
			seed = 50 + 10 * x + k;
			begin();
			for (size_t p = 0; p < 5; p++) {
				part[p] = make(k);
				for (size_t i = 0, n = 100 + next() % 30000; i < n; i++)
					add(part[p], (zipf(exponents[x]) + 37 * p) % KEYS, 1);
			}
			for (size_t p = 4; p > 0; p--) {
				assert_int_equal(heavy_merge(part[p - 1], part[p], heavy_room(k)), 0);
				free(part[p]);
			}
			assert_bounds(part[0], k);
			for (int i = 0; i < 5000; i++) /* and it goes on counting */
				add(part[0], zipf(exponents[x]), 1);
			assert_bounds(part[0], k);
			free(part[0]);
		}
}

/* A small full one leaves room in a large one; what it had dropped is not forgotten. */
static void a_merge_remembers_what_a_smaller_one_dropped(void **state)
{
	(void)state;
	uint8_t *large = make(1000), *small = make(10);
	seed = 8;
	begin();
	for (int i = 0; i < 1000; i++)
		add(small, (size_t)i % 100, 1);
	for (int i = 0; i < 50; i++)
		add(large, (size_t)i, 3);
	assert_int_equal(heavy_merge(large, small, heavy_room(10)), 0);
	assert_bounds(large, 10);
	add(large, 55, 1); /* dropped by the small one, never in the large one */
	add(large, 5000, 1);
	assert_bounds(large, 10);
	free(large);
	free(small);
}

static void counts_saturate(void **state)
{
	(void)state;
	uint8_t *s = make(1);
	heavy_add(s, key_of(1), UINT64_MAX);
	heavy_add(s, key_of(1), UINT64_MAX);
	heavy_add(s, key_of(2), 5);
	assert_true(heavy_total(s) == INT64_MAX && heavy_floor(s) == INT64_MAX);
	assert_int_equal(heavy_check(s, heavy_room(1)), 0);
	assert_int_equal(heavy_merge(s, s, heavy_room(1)), 0);
	assert_int_equal(heavy_check(s, heavy_room(1)), 0);
	free(s);
}

/* Whatever single byte is changed, it is seen, or what is read of it is still within its bytes. */
static void damage_is_seen(void **state)
{
	(void)state;
	size_t len = heavy_room(20), seen = 0;
	uint8_t *s = make(20), *into = make(20), *copy = malloc(len), *before = malloc(len);
	seed = 9;
	begin();
	for (int i = 0; i < 1000; i++)
		add(s, zipf(0.8), 1);
	for (size_t at = 0; at < len; at++) {
		memcpy(copy, s, len);
		memcpy(before, into, len);
		copy[at] ^= 0x11;
		int rc = heavy_check(copy, len);
		seen += rc != 0;
		assert_int_equal(heavy_merge(into, copy, len), rc);
		if (rc != 0)
			assert_memory_equal(into, before, len);
		heavy_init(into, 20);
	}
	assert_true(seen > len / 2); /* counts and errors may be any numbers */
	assert_int_equal(heavy_check(s, len - 1), -EBADMSG);
	assert_int_equal(heavy_check(s, 3), -EBADMSG);
	memcpy(copy, s, len);
	memcpy(copy + 24 + 40, copy + 24, HEAVY_KEY); /* a key twice */
	assert_int_equal(heavy_check(copy, len), -EBADMSG);
	free(s);
	free(into);
	free(copy);
	free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_within_their_bounds),
		cmocka_unit_test(the_heaviest_of_a_zipf_are_found),
		cmocka_unit_test(below_k_keys_all_is_exact),
		cmocka_unit_test(merges_keep_the_bounds),
		cmocka_unit_test(a_merge_remembers_what_a_smaller_one_dropped),
		cmocka_unit_test(counts_saturate),
		cmocka_unit_test(damage_is_seen),
	};
	return RUN_TESTS("heavy", tests);
}
