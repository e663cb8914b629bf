/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/ledger_terms.h"
#include "unit.h"

static const struct tally_str none = { NULL, 0 };

struct sum {
	int64_t total;
	size_t entries;
};

static void sum_up(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t count)
{
	struct sum *s = arg;
	(void)site;
	(void)term;
	(void)reason;
	s->total += count;
	s->entries++;
}

static struct sum sum_of(struct terms *t)
{
	struct sum s = { 0 };
	terms_each(t, sum_up, &s);
	return s;
}

static void a_balanced_day(struct terms *t)
{
	terms_add(t, STR("shop"), TERM_RECEIVED, none, 10);
	terms_add(t, STR("shop"), TERM_TAKEN, none, 5);
	terms_add(t, STR("shop"), TERM_REFUSED, STR("spool_full"), 1);
	terms_add(t, STR("shop"), TERM_REJECTED, STR("invalid_time"), 1);
	terms_add(t, STR("shop"), TERM_DUPLICATES, none, 1);
	terms_add(t, STR("shop"), TERM_DROPPED, STR("quota/over"), 2);
}

static void taken_bytes_add_up_elsewhere(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 0);
	struct terms *delta = terms_open(), *total = terms_open();
	for (int i = 0; i < 3; i++) {
		a_balanced_day(delta);
		size_t expected = terms_bytes(delta);
		struct tally_str bytes = terms_take(delta, &a);
		assert_int_equal(bytes.len, expected);
		assert_int_equal(terms_merge(total, bytes.ptr, bytes.len), 0);
		assert_int_equal(terms_take(delta, &a).len, 0);
	}
	assert_int_equal(sum_of(delta).entries, 0);
	assert_int_equal(terms_get(total, STR("shop"), TERM_RECEIVED, none), 30);
	assert_int_equal(terms_get(total, STR("shop"), TERM_DROPPED, STR("quota/over")), 6);
	assert_int_equal(terms_get(total, STR("shop"), TERM_DROPPED, STR("quota/under")), 0);
	assert_int_equal(terms_get(total, STR("none"), TERM_RECEIVED, none), 0);
	assert_int_equal(terms_balance(total), 0);
	terms_add(total, STR("shop"), TERM_RECEIVED, none, 1);
	assert_int_equal(terms_balance(total), 1);
	/* a checkpoint is the totals themselves, and reading does not change them */
	struct tally_str all = terms_encode(total, &a), again = terms_encode(total, &a);
	assert_true(str_eq(all, again));
	terms_clear(total);
	assert_int_equal(terms_balance(total), 0);
	assert_int_equal(terms_merge(total, all.ptr, all.len), 0);
	assert_int_equal(terms_get(total, STR("shop"), TERM_RECEIVED, none), 31);
	terms_close(delta);
	terms_close(total);
	arena_free(&a);
}

static void counts_saturate(void **state)
{
	(void)state;
	struct terms *t = terms_open();
	terms_add(t, STR("s"), TERM_TAKEN, none, INT64_MAX - 1);
	terms_add(t, STR("s"), TERM_TAKEN, none, 100);
	assert_true(terms_get(t, STR("s"), TERM_TAKEN, none) == INT64_MAX);
	terms_add(t, STR("s"), TERM_REFUSED, STR("x"), INT64_MIN);
	terms_add(t, STR("s"), TERM_REFUSED, STR("x"), -1);
	assert_true(terms_get(t, STR("s"), TERM_REFUSED, STR("x")) == INT64_MIN);
	(void)terms_balance(t);
	terms_close(t);
}

static void sites_are_folded_as_a_whole(void **state)
{
	(void)state;
	struct terms *t = terms_open();
	char site[300];
	for (int i = 0; i < TERMS_SITES_MAX + 50; i++) {
		int n = snprintf(site, sizeof site, "site%d", i);
		terms_add(t, str_make(site, (size_t)n), TERM_RECEIVED, none, 1);
		terms_add(t, str_make(site, (size_t)n), TERM_REJECTED, STR("r"), 1);
	}
	assert_int_equal(terms_get(t, STR("(other)"), TERM_RECEIVED, none), 50);
	assert_int_equal(terms_get(t, STR("(other)"), TERM_REJECTED, STR("r")), 50);
	assert_int_equal(terms_get(t, STR("site4095"), TERM_RECEIVED, none), 1);
	assert_int_equal(terms_balance(t), 0);
	memset(site, 's', sizeof site);
	terms_add(t, str_make(site, sizeof site), TERM_RECEIVED, none, 1); /* longer than any site is */
	assert_int_equal(terms_get(t, STR("(other)"), TERM_RECEIVED, none), 51);
	terms_close(t);
}

static void reasons_are_folded_within_their_site(void **state)
{
	(void)state;
	struct terms *t = terms_open();
	char reason[16];
	for (int i = 0; i < TERMS_ENTRIES_MAX + 50; i++) {
		int n = snprintf(reason, sizeof reason, "r%d", i);
		terms_add(t, STR("shop"), TERM_RECEIVED, none, 1);
		terms_add(t, STR("shop"), TERM_REFUSED, str_make(reason, (size_t)n), 1);
	}
	assert_int_equal(terms_get(t, STR("shop"), TERM_REFUSED, STR("(other)")), 51); /* RECEIVED took one entry */
	terms_add(t, STR("late"), TERM_REFUSED, STR("new"), 1);
	terms_add(t, STR("late"), TERM_RECEIVED, none, 1);
	assert_int_equal(terms_get(t, STR("late"), TERM_REFUSED, STR("(other)")), 1);
	assert_int_equal(terms_get(t, STR("late"), TERM_RECEIVED, none), 1);
	assert_int_equal(terms_balance(t), 0);
	terms_close(t);
}

static void broken_bytes_add_nothing(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 0);
	struct terms *from = terms_open(), *to = terms_open();
	a_balanced_day(from);
	struct tally_str good = terms_encode(from, &a);
	for (size_t n = 1; n < good.len; n++) {
		char *cut = malloc(n); /* its own block, so that reading past it is seen */
		memcpy(cut, good.ptr, n);
		assert_int_equal(terms_merge(to, cut, n), -EBADMSG);
		free(cut);
	}
	static const struct {
		size_t at;
		char byte;
	} wrong[] = { { 0, 2 }, { 1, 1 }, { 4, 5 }, { 4, 7 }, { 8, TERMS }, { 9, 5 }, { 11, 1 } };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		char *bad = arena_copy(&a, good.ptr, good.len);
		bad[wrong[i].at] = wrong[i].byte;
		assert_int_equal(terms_merge(to, bad, good.len), -EBADMSG);
	}
	assert_int_equal(sum_of(to).entries, 0);
	assert_int_equal(terms_merge(to, NULL, 0), 0);
	assert_int_equal(terms_merge(to, good.ptr, good.len), 0);
	assert_int_equal(sum_of(to).entries, 6);
	assert_int_equal(sum_of(to).total, 20);
	terms_close(from);
	terms_close(to);
	arena_free(&a);
}

static void what_went_up_and_down_again_is_not_listed(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 0);
	struct terms *t = terms_open();
	terms_add(t, STR("s"), TERM_TAKEN, none, 5);
	terms_add(t, STR("s"), TERM_TAKEN, none, -5);
	assert_int_equal(terms_encode(t, &a).len, 0);
	assert_int_equal(sum_of(t).entries, 0);
	terms_add(t, STR("s"), TERM_TAKEN, none, 1);
	assert_int_equal(sum_of(t).entries, 1);
	terms_close(t);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_bytes_add_up_elsewhere),
		cmocka_unit_test(counts_saturate),
		cmocka_unit_test(sites_are_folded_as_a_whole),
		cmocka_unit_test(reasons_are_folded_within_their_site),
		cmocka_unit_test(broken_bytes_add_nothing),
		cmocka_unit_test(what_went_up_and_down_again_is_not_listed),
	};
	return RUN_TESTS("ledger_terms", tests);
}
