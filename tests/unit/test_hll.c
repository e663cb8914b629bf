/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle of the bytes is a plain one: sort the distinct hashes, and write what hll.h says. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sketch/hll.h"
#include "unit.h"

struct sketch {
	uint8_t b[HLL_ROOM];
	size_t len;
};

static uint64_t seed;

/* splitmix64: every state gives another value, so a run of it is distinct hashes. */
static uint64_t next_hash(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void add(struct sketch *s, uint64_t hash)
{
	assert_int_equal(hll_add(s->b, &s->len, sizeof s->b, hash), 0);
}

static void merge(struct sketch *s, const struct sketch *other)
{
	assert_int_equal(hll_merge(s->b, &s->len, sizeof s->b, other->b, other->len), 0);
}

static void assert_same(const struct sketch *a, const struct sketch *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->b, b->b, a->len);
}

/* ---- the oracle ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static unsigned plain_rank(uint64_t hash)
{
	unsigned rank = 1;
	for (int bit = 49; bit >= 0 && !(hash >> bit & 1); bit--)
		rank++;
	return rank;
}

static void plain_head(struct sketch *s, int form, size_t n, size_t len)
{
	memset(s->b, 0, sizeof s->b);
	s->b[0] = (uint8_t)form;
	s->b[1] = 14;
	put_u16(s->b + 2, (uint16_t)n);
	s->len = len;
}

static void plain_registers(struct sketch *s, const uint8_t reg[16384], size_t used)
{
	size_t k = 0;
	if (4 + 3 * used < HLL_ROOM) {
		plain_head(s, 2, used, 4 + 3 * used);
		for (unsigned r = 0; r < 16384; r++) {
			if (!reg[r])
				continue;
			put_u16(s->b + 4 + 3 * k, (uint16_t)r);
			s->b[4 + 3 * k++ + 2] = reg[r];
		}
		return;
	}
	plain_head(s, 3, 0, HLL_ROOM);
	for (size_t bit = 0; bit < (size_t)16384 * 6; bit++)
		if (reg[bit / 6] >> bit % 6 & 1)
			s->b[4 + bit / 8] |= (uint8_t)(1 << bit % 8);
}

/* hashes are sorted by it. */
static void plain_sketch(struct sketch *s, uint64_t *hashes, size_t n)
{
	static uint8_t reg[16384];
	size_t distinct = 0, used = 0;
	qsort(hashes, n, sizeof *hashes, by_value);
	memset(reg, 0, sizeof reg);
	for (size_t i = 0; i < n; i++) {
		if (i && hashes[i] == hashes[i - 1])
			continue;
		hashes[distinct++] = hashes[i];
		uint8_t *r = &reg[hashes[i] >> 50];
		used += !*r;
		*r = plain_rank(hashes[i]) > *r ? (uint8_t)plain_rank(hashes[i]) : *r;
	}
	if (distinct > 500) {
		plain_registers(s, reg, used);
		return;
	}
	plain_head(s, 1, distinct, distinct ? 4 + 8 * distinct : 0);
	for (size_t i = 0; i < distinct; i++)
		put_u64(s->b + 4 + 8 * i, hashes[i]);
}

/* ---- tests ---- */

static const size_t sizes[] = { 0, 1, 2, 255, 499, 500, 501, 502, 1000, 4000, 4600, 4700, 4800, 4900, 6000, 20000 };
#define SIZES (sizeof sizes / sizeof sizes[0])

static void bytes_are_as_the_header_says(void **state)
{
	(void)state;
	static uint64_t hashes[20000 + 1];
	static struct sketch s, expected;
	for (size_t k = 0; k < SIZES; k++) {
		seed = k;
		s.len = 0;
		for (size_t i = 0; i < sizes[k]; i++)
			add(&s, hashes[i] = next_hash());
		plain_sketch(&expected, hashes, sizes[k]);
		assert_same(&s, &expected);
		assert_int_equal(hll_check(s.b, s.len), 0);
		assert_int_equal(hll_is_exact(s.b, s.len), sizes[k] <= 500);
		for (size_t i = 0; i < sizes[k]; i += 7) /* again, in another order: nothing changes */
			add(&s, hashes[i]);
		assert_same(&s, &expected);
	}
}

/* Register by register from well below to well above the size at which dense is no larger. */
static void sparse_ends_where_dense_is_no_larger(void **state)
{
	(void)state;
	static uint64_t hashes[5000];
	static struct sketch s, expected;
	size_t longest = 0, n = 0;
	seed = 21;
	s.len = 0;
	while (n < 4400)
		add(&s, hashes[n++] = next_hash());
	for (; s.b[0] != 3; n++) {
		assert_true(n < 5000);
		longest = s.len;
		add(&s, hashes[n] = next_hash());
	}
	plain_sketch(&expected, hashes, n);
	assert_same(&s, &expected);
	assert_int_equal(longest, 4 + 3 * 4095);
}

static void rare_hashes_have_their_rank(void **state)
{
	(void)state;
	static uint64_t hashes[700];
	static struct sketch s, expected;
	size_t n = 0;
	s.len = 0;
	for (uint64_t reg = 0; reg < 16384; reg += 16383) {
		hashes[n++] = reg << 50;     /* nothing behind the register: 51 */
		hashes[n++] = reg << 50 | 1; /* 50 */
		hashes[n++] = reg << 50 | UINT64_C(1) << 49;
	}
	seed = 3;
	while (n < 700)
		hashes[n++] = next_hash();
	for (size_t i = 0; i < n; i++)
		add(&s, hashes[i]);
	plain_sketch(&expected, hashes, n);
	assert_same(&s, &expected);
	assert_int_equal(get_u16(s.b + 4), 0);
	assert_int_equal(s.b[6], 51);
	assert_int_equal(get_u16(s.b + s.len - 3), 16383);
	assert_int_equal(s.b[s.len - 1], 51);
}

/* Cuts one set of hashes, some of them twice, into random parts, adds those in random order and merges them as a random
 * tree: always the bytes of adding everything. */
static void any_tree_of_merges_gives_the_same_bytes(void **state)
{
	(void)state;
	enum { PARTS = 6, MOST = 9000 };
	static uint64_t hashes[MOST];
	static struct sketch part[PARTS], expected;
	for (int round = 0; round < 150; round++) {
		seed = 1000 + (uint64_t)round;
		size_t n = next_hash() % (round % 3 == 0 ? 700 : MOST), parts = 2 + next_hash() % (PARTS - 1);
		for (size_t p = 0; p < parts; p++)
			part[p].len = 0;
		for (size_t i = 0; i < n; i++) {
			hashes[i] = i && next_hash() % 8 == 0 ? hashes[next_hash() % i] : next_hash();
			size_t p = next_hash() % parts;
			add(&part[next_hash() % 2 ? p : p / 2], hashes[i]); /* the first parts get more */
		}
		for (size_t left = parts; left > 1; left--) {
			size_t to = next_hash() % left, from = next_hash() % (left - 1);
			from += from >= to;
			merge(&part[to], &part[from]);
			part[from] = part[left - 1]; /* if that was `to`, it lives on as `from` */
		}
		plain_sketch(&expected, hashes, n);
		assert_same(&part[0], &expected);
	}
}

static void merging_commutes_associates_and_repeats(void **state)
{
	(void)state;
	static struct sketch base[SIZES], ab, ba, x, y;
	for (size_t k = 0; k < SIZES; k++) {
		seed = 77 * (k / 2); /* pairs share their first hashes */
		base[k].len = 0;
		for (size_t i = 0; i < sizes[k]; i++)
			add(&base[k], next_hash());
	}
	for (size_t i = 0; i < SIZES; i++)
		for (size_t k = 0; k < SIZES; k++) {
			ab = base[i];
			merge(&ab, &base[k]);
			ba = base[k];
			merge(&ba, &base[i]);
			assert_same(&ab, &ba);
			x = ab;
			merge(&x, &base[i]); /* what is in it already */
			merge(&x, &x);
			assert_same(&x, &ab);
			size_t c = (i * 7 + k) % SIZES;
			merge(&x, &base[c]); /* (i + k) + c */
			y = base[k];
			merge(&y, &base[c]); /* i + (k + c) */
			ba = base[i];
			merge(&ba, &y);
			assert_same(&ba, &x);
		}
}

/* A draft that any sketches were added to ends as the bytes that merging them one by one gives. */
static void a_draft_ends_as_the_merge(void **state)
{
	static const unsigned counts[] = { 1, 3, 400, 500, 501, 700, 3000, 4500, 6000, 20000 };
	(void)state;
	seed = 77;
	for (unsigned first = 4; first < 10; first++)
		for (unsigned more = 0; more < 40; more++) {
			struct sketch plain = { .len = 0 }, draft = { .len = 0 };
			for (unsigned i = 0; i < counts[first]; i++)
				add(&plain, next_hash());
			draft = plain;
			hll_draft_begin(draft.b, &draft.len);
			assert_int_equal(draft.len, HLL_ROOM);
			for (unsigned k = 0; k < 1 + more % 4; k++) {
				struct sketch other = { .len = 0 };
				for (unsigned i = 0; i < counts[(more + k) % 10]; i++)
					add(&other, next_hash());
				merge(&plain, &other);
				assert_int_equal(hll_draft_add(draft.b, other.b, other.len), 0);
			}
			assert_int_equal(hll_draft_add(draft.b, "\2", 1), -EBADMSG);
			hll_draft_end(draft.b, &draft.len);
			assert_same(&draft, &plain);
		}
}

static void a_small_buffer_is_refused_and_left_alone(void **state)
{
	(void)state;
	static struct sketch s, before, other;
	seed = 5;
	s.len = other.len = 0;
	size_t cap = 0, refused = 0;
	for (int i = 0; i < 7000; i++) {
		uint64_t h = next_hash();
		before = s;
		int r = hll_add(s.b, &s.len, cap, h);
		if (r == -ENOSPC) {
			assert_same(&s, &before);
			refused++;
			cap = s.len < 4096 ? s.len + 16 : HLL_ROOM;
			r = hll_add(s.b, &s.len, cap, h);
		}
		assert_int_equal(r, 0);
		assert_true(s.len <= cap);
	}
	assert_true(refused > 100);
	for (int i = 0; i < 600; i++) {
		add(&other, next_hash());
		before = other;
		assert_int_equal(hll_merge(other.b, &other.len, HLL_ROOM - 1, s.b, s.len), -ENOSPC);
		assert_same(&other, &before);
	}
	struct sketch empty = { .len = 0 };
	assert_int_equal(hll_merge(empty.b, &empty.len, other.len - 1, other.b, other.len), -ENOSPC);
	assert_int_equal(empty.len, 0);
}

struct wrong {
	size_t size; /* of the good sketch it is made from */
	size_t at;
	uint8_t byte;
};

static void malformed_bytes_are_refused(void **state)
{
	(void)state;
	static const struct wrong wrong[] = {
		{ 10, 0, 0 },
		{ 10, 0, 2 },
		{ 10, 0, 4 },
		{ 10, 1, 13 },
		{ 10, 2, 9 },
		{ 10, 3, 1 },        /* head */
		{ 10, 4 + 7, 0xff }, /* not ascending */
		{ 1000, 0, 1 },
		{ 1000, 2, 0 },
		{ 1000, 4 + 2, 0 },
		{ 1000, 4 + 2, 52 }, /* no such rank */
		{ 1000, 4 + 1, 0x40 },
		{ 1000, 4 + 1, 0x3f }, /* no such register; order */
		{ 9000, 0, 2 },
		{ 9000, 2, 1 },
		{ 9000, 4, 0xff },
		{ 9000, 4, 52 },
		{ 9000, HLL_ROOM - 1, 52 << 2 },
	};
	static struct sketch s, into;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		seed = 11;
		s.len = into.len = 0;
		for (size_t k = 0; k < wrong[i].size; k++)
			add(&s, next_hash());
		add(&into, 1);
		struct sketch before = into;
		s.b[wrong[i].at] = wrong[i].byte;
		if (hll_check(s.b, s.len) != -EBADMSG)
			fail_msg("wrong[%zu] was not seen", i);
		assert_int_equal(hll_merge(into.b, &into.len, HLL_ROOM, s.b, s.len), -EBADMSG);
		assert_same(&into, &before);
	}
	for (size_t n = 1; n < 200; n++) {
		seed = 11;
		s.len = 0;
		for (size_t k = 0; k < n; k++)
			add(&s, next_hash());
		assert_int_equal(hll_check(s.b, s.len - 1), -EBADMSG);
		assert_int_equal(hll_check(s.b, s.len + 1), -EBADMSG);
	}
	static const struct {
		size_t size, width; /* of an entry's key */
	} twice[] = { { 10, 8 }, { 1000, 2 } };
	for (size_t i = 0; i < 2; i++) { /* the second entry is the first one again */
		s.len = 0;
		for (size_t k = 0; k < twice[i].size; k++)
			add(&s, next_hash());
		memcpy(s.b + 4 + (twice[i].width == 8 ? 8 : 3), s.b + 4, twice[i].width);
		assert_int_equal(hll_check(s.b, s.len), -EBADMSG);
	}
	/* a dense sketch with so few registers in use is a sparse one in disguise */
	memset(&s, 0, sizeof s);
	s.b[0] = 3;
	s.b[1] = 14;
	s.len = HLL_ROOM;
	assert_int_equal(hll_check(s.b, s.len), -EBADMSG);
	assert_true(hll_estimate(s.b, s.len) == 0);
}

static double one_estimate(size_t n)
{
	static struct sketch s;
	s.len = 0;
	for (size_t i = 0; i < n; i++)
		if (hll_add(s.b, &s.len, sizeof s.b, next_hash()) != 0)
			fail();
	return hll_estimate(s.b, s.len);
}

static void up_to_500_is_exact(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 500; n += n < 10 ? 1 : 49) {
		seed = n;
		assert_true(one_estimate(n) == (double)n);
	}
}

/* n distinct inputs of one round, through the hash that every node uses: its seed is a constant, so it is the inputs
 * that differ from round to round. */
static double estimate_of_round(size_t round, size_t n)
{
	static struct sketch s;
	s.len = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t input[2] = { round, i };
		if (hll_add(s.b, &s.len, sizeof s.b, hll_hash(input, sizeof input)) != 0)
			fail();
	}
	return hll_estimate(s.b, s.len);
}

/* The standard error is 0.81 %; it is smaller while most registers are 0. The rms over 100 rounds is itself uncertain by
 * a share of 1 / sqrt(200), so 0.9 % is no more than what chance explains. TALLY_LONG=1 tries 2000 rounds. */
static void estimates_are_within_their_error(void **state)
{
	(void)state;
	static const size_t sizes_tried[] = { 501, 1000, 4700, 10000, 40000, 100000, 1000000 };
	size_t rounds = getenv("TALLY_LONG") ? 2000 : 100;
	for (size_t t = 0; t < sizeof sizes_tried / sizeof *sizes_tried; t++) {
		double squares = 0, sum = 0;
		size_t n = sizes_tried[t];
		for (size_t round = 0; round < rounds; round++) {
			double error = estimate_of_round(round, n) / (double)n - 1;
			squares += error * error;
			sum += error;
		}
		double rms = sqrt(squares / (double)rounds);
		print_message("%8zu distinct: rms error %.3f %%, mean %+.3f %%, %zu rounds\n", n, 100 * rms,
			100 * sum / (double)rounds, rounds);
		assert_true(rms <= 0.009);
		assert_true(fabs(sum / (double)rounds) <= 0.0025); /* no bias: three times 0.81 % / sqrt(100) */
		assert_true(rms > 0.001); /* it is an estimate; were it exact, the test would test itself */
	}
}

static void texts_hash_as_well_as_random_numbers(void **state)
{
	(void)state;
	static struct sketch s;
	s.len = 0;
	char id[32];
	for (int i = 0; i < 50000; i++) {
		int n = snprintf(id, sizeof id, "visitor-%d", i);
		add(&s, hll_hash(id, (size_t)n));
	}
	assert_true(fabs(hll_estimate(s.b, s.len) / 50000 - 1) < 0.025);
}

/* Frozen: stored sketches of other nodes and releases are merged with new ones. */
static void the_hash_never_changes(void **state)
{
	(void)state;
	assert_true(hll_hash("", 0) == UINT64_C(0xbc0d374e5ac6bef0));
	assert_true(hll_hash("visitor", 7) == UINT64_C(0xebab3b7ff55ed3f7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_as_the_header_says),
		cmocka_unit_test(sparse_ends_where_dense_is_no_larger),
		cmocka_unit_test(rare_hashes_have_their_rank),
		cmocka_unit_test(any_tree_of_merges_gives_the_same_bytes),
		cmocka_unit_test(merging_commutes_associates_and_repeats),
		cmocka_unit_test(a_draft_ends_as_the_merge),
		cmocka_unit_test(a_small_buffer_is_refused_and_left_alone),
		cmocka_unit_test(malformed_bytes_are_refused),
		cmocka_unit_test(up_to_500_is_exact),
		cmocka_unit_test(estimates_are_within_their_error),
		cmocka_unit_test(texts_hash_as_well_as_random_numbers),
		cmocka_unit_test(the_hash_never_changes),
	};
	return RUN_TESTS("hll", tests);
}
