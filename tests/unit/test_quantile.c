/* SPDX-License-Identifier: Apache-2.0 */
/* Two oracles: the numbers themselves, sorted, for what a quantile is; and for the bytes a plain list of bins, found by
 * comparing powers. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sketch/quantile.h"
#include "unit.h"

#define MOST 200000
#define LN_G 0.02000066670666952403L /* ln(1.01 / 0.99) */

struct sketch {
	uint8_t b[QUANTILE_ROOM];
	size_t len;
};

static double numbers[MOST];
static uint64_t seed;

static uint64_t next(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* (0, 1) */
static double uniform(void)
{
	return ((double)(next() >> 11) + 0.5) * 0x1p-53;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static void add(struct sketch *s, double number)
{
	assert_int_equal(quantile_add(s->b, &s->len, sizeof s->b, number, 1), 0);
}

static void merge(struct sketch *s, const struct sketch *other)
{
	assert_int_equal(quantile_merge(s->b, &s->len, sizeof s->b, other->b, other->len), 0);
}

static void assert_same(const struct sketch *a, const struct sketch *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->b, b->b, a->len);
}

/* ---- the oracle of the bytes ---- */

/* The bin i with g^(i-1) < size <= g^i, looked for by long doubles. */
static int plain_key(double number)
{
	long double size = fabsl((long double)number);
	if (size < DBL_MIN)
		return 0;
	int i = (int)(logl(size) / LN_G) - 2;
	while (expl(i * LN_G) < size)
		i++;
	return number < 0 ? -(i + 36000) : i + 36000;
}

static int by_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}

static void plain_varint(struct sketch *s, uint64_t v)
{
	do {
		s->b[s->len++] = (uint8_t)(v % 128 + (v > 127 ? 128 : 0));
		v /= 128;
	} while (v);
}

static void plain_sketch(struct sketch *s, size_t n)
{
	static int keys[MOST];
	unsigned distinct = 0;
	for (size_t i = 0; i < n; i++)
		keys[i] = plain_key(numbers[i]);
	qsort(keys, n, sizeof *keys, by_int);
	for (size_t i = 0; i < n; i++)
		distinct += i == 0 || keys[i] != keys[i - 1];
	unsigned drop = distinct > 4096 ? distinct - 4096 : 0, bin = 0;
	size_t carried = 0;
	int last = 0;
	s->b[0] = 1;
	s->b[1] = 100;
	put_u16(s->b + 2, (uint16_t)(distinct - drop));
	s->len = n ? 4 : 0;
	for (size_t i = 0, same; i < n; i += same) {
		for (same = 1; i + same < n && keys[i + same] == keys[i];)
			same++;
		if (bin++ < drop) {
			carried += same;
			continue;
		}
		int key = keys[i];
		uint64_t zigzag = key < 0 ? (uint64_t)(-2 * key - 1) : (uint64_t)(2 * key);
		plain_varint(s, bin == drop + 1 ? zigzag : (uint64_t)(key - last - 1));
		plain_varint(s, same + carried);
		carried = 0;
		last = key;
	}
}

/* ---- shapes of data ---- */

static double of_uniform(size_t i)
{
	(void)i;
	return 1000 * uniform();
}

static double of_normal(size_t i)
{
	(void)i;
	return 3 + 50 * normal(); /* both signs */
}

static double of_lognormal(size_t i)
{
	(void)i;
	return exp(4 + 2.5 * normal());
}

static double of_pareto(size_t i)
{
	(void)i;
	return pow(uniform(), -1 / 0.7); /* no mean */
}

static double of_negative(size_t i)
{
	return -of_pareto(i) / 1000;
}

static double of_counts(size_t i)
{
	(void)i;
	return floor(-4 * log(uniform())); /* many zeros */
}

static double of_constant(size_t i)
{
	(void)i;
	return 19.99;
}

static double of_two_tails(size_t i)
{
	return i % 3 ? of_pareto(i) : -of_lognormal(i);
}

/* 600 powers of ten, both signs: far more bins than are kept */
static double of_everything(size_t i)
{
	(void)i;
	double size = exp(1400 * uniform() - 700);
	return next() & 1 ? size : -size;
}

static double of_extremes(size_t i)
{
	static const double ends[] = { DBL_MAX, -DBL_MAX, DBL_MIN, -DBL_MIN, 4.9e-324, -4.9e-324, 0, -0.0, 1, -1, 1e300,
		1e-300 };
	return ends[i % (sizeof ends / sizeof *ends)];
}

static const struct {
	const char *name;
	double (*of)(size_t i);
} shapes[] = { { "uniform", of_uniform }, { "normal", of_normal }, { "lognormal", of_lognormal },
	{ "pareto", of_pareto }, { "negative", of_negative }, { "counts", of_counts }, { "constant", of_constant },
	{ "two tails", of_two_tails }, { "extremes", of_extremes }, { "everything", of_everything } };
#define SHAPES (sizeof shapes / sizeof *shapes)
#define WIDE (SHAPES - 1)

static void make(size_t shape, size_t n)
{
	seed = 100 * shape + n;
	for (size_t i = 0; i < n; i++)
		numbers[i] = shapes[shape].of(i);
}

static void fill(struct sketch *s, size_t from, size_t to)
{
	s->len = 0;
	assert_int_equal(quantile_add_many(s->b, &s->len, sizeof s->b, numbers + from, to - from, 1), 0);
}

/* ---- tests ---- */

static const size_t sizes[] = { 0, 1, 2, 3, 255, 256, 257, 1000, 20000 };

static void bytes_are_as_the_header_says(void **state)
{
	(void)state;
	static struct sketch s, at_once, expected;
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			make(shape, sizes[k]);
			s.len = 0;
			for (size_t i = 0; i < sizes[k]; i++)
				add(&s, numbers[i]);
			fill(&at_once, 0, sizes[k]);
			plain_sketch(&expected, sizes[k]);
			assert_same(&s, &expected);
			assert_same(&at_once, &expected);
			assert_int_equal(quantile_check(s.b, s.len), 0);
			assert_int_equal(quantile_count(s.b, s.len), sizes[k]);
		}
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The nearest rank in integers. Assumes: numbers are sorted. */
static double exact(size_t n, unsigned percent)
{
	size_t rank = (n * percent + 99) / 100;
	return numbers[rank ? rank - 1 : 0];
}

static void assert_near(const char *what, double got, double want, unsigned percent)
{
	double most = 0.01 * fabs(want) * (1 + 1e-9) + DBL_MIN;
	if (!(fabs(got - want) <= most))
		fail_msg("%s: p%u is %g, not %g", what, percent, got, want);
}

static void every_quantile_is_within_one_percent(void **state)
{
	(void)state;
	static const size_t many[] = { 1, 2, 10, 99, 100, 101, 1000, MOST };
	static struct sketch s;
	for (size_t shape = 0; shape < WIDE; shape++)
		for (size_t k = 0; k < sizeof many / sizeof *many; k++) {
			make(shape, many[k]);
			fill(&s, 0, many[k]);
			qsort(numbers, many[k], sizeof *numbers, by_number);
			for (unsigned p = 0; p <= 100; p++)
				assert_near(shapes[shape].name, quantile_value(s.b, s.len, p), exact(many[k], p), p);
			if (many[k] == MOST)
				print_message("%-10s %6zu bytes\n", shapes[shape].name, s.len);
			assert_true(s.len < 4096 || shape == 7);
		}
}

/* Were the estimates the numbers themselves, the test above would test nothing. */
static void a_quantile_is_an_estimate(void **state)
{
	(void)state;
	static struct sketch s;
	double worst = 0;
	make(0, MOST);
	fill(&s, 0, MOST);
	qsort(numbers, MOST, sizeof *numbers, by_number);
	for (unsigned p = 1; p < 100; p++) {
		double off = fabs(quantile_value(s.b, s.len, p) / exact(MOST, p) - 1);
		worst = off > worst ? off : worst;
	}
	assert_true(worst > 0.001);
}

static void ranks_are_counted_from_one(void **state)
{
	(void)state;
	static struct sketch s;
	for (int i = 1; i <= 20; i++)
		add(&s, i);
	assert_near("20", quantile_value(s.b, s.len, 50), 10, 50); /* not 10.5, not 11 */
	assert_near("20", quantile_value(s.b, s.len, 90), 18, 90);
	assert_near("20", quantile_value(s.b, s.len, 95), 19, 95);
	assert_near("20", quantile_value(s.b, s.len, 96), 20, 96);
	assert_near("20", quantile_value(s.b, s.len, 0), 1, 0);
	assert_near("20", quantile_value(s.b, s.len, 100), 20, 100);
	assert_near("20", quantile_value(s.b, s.len, 1000), 20, 100);
	assert_true(quantile_value(s.b, 0, 50) == 0);
}

/* Parts of random sizes, merged in random order: a tree of merges that is another one for each seed. */
static void random_tree(struct sketch *out, size_t n)
{
	static struct sketch part[16];
	size_t parts = 2 + next() % 15, bounds[17] = { 0 };
	for (size_t i = 1; i < parts; i++)
		bounds[i] = bounds[i - 1] + next() % (n - bounds[i - 1] + 1);
	bounds[parts] = n;
	for (size_t i = 0; i < parts; i++)
		fill(&part[i], bounds[i], bounds[i + 1]);
	while (parts > 1) {
		size_t a = next() % parts, b = next() % parts;
		if (a == b)
			continue;
		merge(&part[a], &part[b]);
		part[b] = part[--parts];
	}
	*out = part[0];
}

static void any_tree_of_merges_gives_the_same_bytes(void **state)
{
	(void)state;
	static struct sketch whole, tree;
	for (size_t shape = 0; shape < SHAPES; shape++) {
		make(shape, 30000);
		fill(&whole, 0, 30000);
		for (int round = 0; round < 20; round++) {
			random_tree(&tree, 30000);
			assert_same(&tree, &whole);
		}
		for (size_t i = 30000; i > 1; i--) { /* and in another order of the numbers */
			size_t k = next() % i;
			double d = numbers[k];
			numbers[k] = numbers[i - 1];
			numbers[i - 1] = d;
		}
		fill(&tree, 0, 30000);
		assert_same(&tree, &whole);
	}
}

static void itself_once_more_doubles_the_counts(void **state)
{
	(void)state;
	static struct sketch s, twice;
	make(1, 5000);
	fill(&s, 0, 5000);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(quantile_add(twice.b, &twice.len, sizeof twice.b, numbers[i], 2), 0);
	assert_int_equal(quantile_merge(s.b, &s.len, sizeof s.b, s.b, s.len), 0);
	assert_same(&s, &twice);
	assert_int_equal(quantile_add(s.b, &s.len, sizeof s.b, 5, 0), 0);
	assert_int_equal(quantile_add_many(s.b, &s.len, sizeof s.b, numbers, 300, 0), 0);
	assert_same(&s, &twice);
	s.len = 0;
	assert_int_equal(quantile_add_many(s.b, &s.len, sizeof s.b, numbers, 5000, 2), 0);
	assert_same(&s, &twice);
}

/* More bins than are kept: the highest 4096 stay right, the sketch stays bounded, nothing is lost. */
static void the_lowest_bins_collapse(void **state)
{
	(void)state;
	static struct sketch s;
	make(WIDE, MOST);
	fill(&s, 0, MOST);
	qsort(numbers, MOST, sizeof *numbers, by_number);
	assert_int_equal(get_u16(s.b + 2), QUANTILE_BINS_MAX);
	assert_true(s.len <= QUANTILE_ROOM);
	assert_int_equal(quantile_count(s.b, s.len), MOST);
	unsigned right = 0;
	double lowest = quantile_value(s.b, s.len, 0);
	for (unsigned p = 0; p <= 100; p++) {
		double want = exact(MOST, p), got = quantile_value(s.b, s.len, p);
		if (got != lowest)
			assert_near("everything", got, want, p);
		else
			assert_true(want <= lowest * 1.0101);
		right += got != lowest;
	}
	print_message("of numbers over 600 powers of ten %u percentiles are kept\n", right);
	assert_in_range(right, 3, 10); /* 4096 of about 70000 bins */
}

static void counts_saturate(void **state)
{
	(void)state;
	static struct sketch s, before;
	assert_int_equal(quantile_add(s.b, &s.len, sizeof s.b, 7, UINT64_MAX), 0);
	before = s;
	add(&s, 7);
	merge(&s, &before);
	assert_same(&s, &before);
	add(&s, 9);
	assert_true(quantile_count(s.b, s.len) == INT64_MAX);
	assert_near("full", quantile_value(s.b, s.len, 100), 7, 100);
	assert_int_equal(quantile_check(s.b, s.len), 0);
}

static void a_small_buffer_is_refused_and_left_alone(void **state)
{
	(void)state;
	static struct sketch s, other, whole;
	make(2, 3000);
	fill(&s, 0, 1500);
	fill(&other, 1500, 3000);
	fill(&whole, 0, 3000);
	struct sketch before = s;
	for (size_t cap = s.len; cap < whole.len; cap++) {
		assert_int_equal(quantile_merge(s.b, &s.len, cap, other.b, other.len), -ENOSPC);
		assert_int_equal(quantile_add_many(s.b, &s.len, cap, numbers + 1500, 1500, 1), -ENOSPC);
		assert_same(&s, &before);
	}
	assert_int_equal(quantile_merge(s.b, &s.len, whole.len, other.b, other.len), 0);
	assert_same(&s, &whole);
	s.len = 0;
	assert_int_equal(quantile_add(s.b, &s.len, 7, 1, 1), -ENOSPC);
	assert_int_equal(s.len, 0);
}

static void only_finite_numbers_are_taken(void **state)
{
	(void)state;
	static const double wrong[] = { (double)INFINITY, (double)-INFINITY, (double)NAN };
	static struct sketch s;
	add(&s, 1);
	struct sketch before = s;
	for (size_t i = 0; i < 3; i++) {
		double some[300];
		for (size_t k = 0; k < 300; k++)
			some[k] = k == 290 ? wrong[i] : 2;
		assert_int_equal(quantile_add(s.b, &s.len, sizeof s.b, wrong[i], 1), -EINVAL);
		assert_int_equal(quantile_add_many(s.b, &s.len, sizeof s.b, some, 300, 1), -EINVAL);
		assert_same(&s, &before);
	}
}

static void assert_refused(const uint8_t *bytes, size_t len, const char *what)
{
	static struct sketch into;
	into.len = 0;
	add(&into, 3);
	struct sketch before = into;
	if (quantile_check(bytes, len) != -EBADMSG)
		fail_msg("not seen: %s", what);
	assert_int_equal(quantile_merge(into.b, &into.len, sizeof into.b, bytes, len), -EBADMSG);
	assert_same(&into, &before);
	into.len = 0;
	assert_int_equal(quantile_merge(into.b, &into.len, sizeof into.b, bytes, len), -EBADMSG);
	assert_int_equal(into.len, 0);
	assert_true(quantile_value(bytes, len, 50) == 0);
	assert_int_equal(quantile_count(bytes, len), 0);
}

static void malformed_bytes_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		uint8_t len, bytes[20];
	} wrong[] = {
		{ "version 2", 6, { 2, 100, 1, 0, 2, 1 } },
		{ "another error", 6, { 1, 50, 1, 0, 2, 1 } },
		{ "no bins", 4, { 1, 100, 0, 0 } },
		{ "no bins, and bytes", 6, { 1, 100, 0, 0, 2, 1 } },
		{ "more bins than bytes", 6, { 1, 100, 2, 0, 2, 1 } },
		{ "more bytes than bins", 8, { 1, 100, 1, 0, 2, 1, 2, 1 } },
		{ "a count of 0", 6, { 1, 100, 1, 0, 2, 0 } },
		{ "a key in too many bytes", 7, { 1, 100, 1, 0, 0x82, 0, 1 } },
		{ "a count in too many bytes", 7, { 1, 100, 1, 0, 2, 0x81, 0 } },
		{ "a key too high", 8, { 1, 100, 1, 0, 0x82, 0xe5, 0x08, 1 } },
		{ "a key too low", 8, { 1, 100, 1, 0, 0x83, 0xe5, 0x08, 1 } },
		{ "a gap too wide", 10, { 1, 100, 2, 0, 2, 1, 0x80, 0xe5, 0x7f, 1 } },
		{ "a count of 2^63", 15, { 1, 100, 1, 0, 2, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1 } },
		{ "a varint without end", 7, { 1, 100, 1, 0, 2, 128, 128 } },
		{ "half a head", 3, { 1, 100, 1 } },
		{ "too many bins", 8, { 1, 100, 1, 16, 2, 1, 0, 1 } },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_refused(wrong[i].bytes, wrong[i].len, wrong[i].what);
	static struct sketch s;
	make(1, 2000);
	fill(&s, 0, 2000);
	for (size_t len = 1; len < s.len; len++)
		assert_refused(s.b, len, "cut off");
}

/* Stored sketches of other nodes and releases are merged with new ones. */
static void the_bytes_never_change(void **state)
{
	(void)state;
	static const double some[] = { -500, -1, 0, 0.01, 1, 18, 199818 };
	static const uint8_t frozen[] = { 1, 0x64, 7, 0, 0xad, 0xb7, 4, 1, 0xb6, 2, 1, 0x9f, 0x99, 2, 1, 0xb9, 0x97, 2,
		1, 0xe5, 1, 1, 0x90, 1, 1, 0xd1, 3, 1 };
	static struct sketch s;
	assert_int_equal(quantile_add_many(s.b, &s.len, sizeof s.b, some, 7, 1), 0);
	assert_int_equal(s.len, sizeof frozen);
	assert_memory_equal(s.b, frozen, sizeof frozen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_as_the_header_says),
		cmocka_unit_test(every_quantile_is_within_one_percent),
		cmocka_unit_test(a_quantile_is_an_estimate),
		cmocka_unit_test(ranks_are_counted_from_one),
		cmocka_unit_test(any_tree_of_merges_gives_the_same_bytes),
		cmocka_unit_test(itself_once_more_doubles_the_counts),
		cmocka_unit_test(the_lowest_bins_collapse),
		cmocka_unit_test(counts_saturate),
		cmocka_unit_test(a_small_buffer_is_refused_and_left_alone),
		cmocka_unit_test(only_finite_numbers_are_taken),
		cmocka_unit_test(malformed_bytes_are_refused),
		cmocka_unit_test(the_bytes_never_change),
	};
	return RUN_TESTS("quantile", tests);
}
