/* SPDX-License-Identifier: Apache-2.0 */
/* How old a replica is, from positions alone. */
#include <stdlib.h>

#include "unit.h"

#include "desk/lag.h"

#define SECOND 1000000

struct bench {
	struct lag_log log;
	struct lag_seen seen;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	lag_open(&b->log, 16 * SECOND);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	lag_close(&b->log);
	lag_seen_free(&b->seen);
	free(b);
	return 0;
}

static void add(struct bench *b, uint64_t who, uint64_t lsn, uint64_t mark, int64_t committed)
{
	b->seen.store = 7;
	lag_seen_add(&b->seen, (struct lag_row){ who, lsn, mark, committed });
}

/* The mark of a position follows from it, as in one history. */
static void two(struct bench *b, uint64_t first, uint64_t second)
{
	add(b, 1, first, first * 3, (int64_t)first);
	add(b, 2, second, second * 3, (int64_t)second);
}

static void note_seen(struct bench *b, int64_t at_us)
{
	lag_note(&b->log, at_us, (struct lag_freshness){ .known = true, .complete_through_us = at_us - 5 }, &b->seen);
}

static void note(struct bench *b, int64_t at_us, uint64_t first, uint64_t second)
{
	two(b, first, second);
	note_seen(b, at_us);
}

static struct lag_sight look_seen(struct bench *b)
{
	struct lag_sight sight = lag_look(&b->log, &b->seen);
	lag_seen_clear(&b->seen);
	return sight;
}

static struct lag_sight look(struct bench *b, uint64_t first, uint64_t second)
{
	two(b, first, second);
	return look_seen(b);
}

static void nothing_is_known_before_the_first_note(void **state)
{
	assert_int_equal(look(*state, 1, 1).standing, LAG_NOTHING);
	assert_true(lag_newest_us(&((struct bench *)*state)->log) == INT64_MIN);
}

static void a_replica_is_as_old_as_the_newest_note_that_it_has_reached(void **state)
{
	struct bench *b = *state;
	note(b, 10 * SECOND, 100, 10);
	note(b, 11 * SECOND, 110, 10);
	note(b, 12 * SECOND, 120, 11);
	struct lag_sight s = look(b, 115, 10);
	assert_int_equal(s.standing, LAG_REACHED);
	assert_int_equal(s.at_us, 11 * SECOND);
	assert_int_equal(s.fresh.complete_through_us, 11 * SECOND - 5);
	assert_false(s.newest);
	assert_false(s.same);
	s = look(b, 120, 10); /* one node's commits are there, the other's not */
	assert_int_equal(s.at_us, 11 * SECOND);
	s = look(b, 120, 11);
	assert_true(s.newest && s.same);
	s = look(b, 125, 12); /* newer than all that is noted */
	assert_true(s.newest && !s.same);
	assert_int_equal(s.at_us, 12 * SECOND);
	assert_int_equal(look(b, 99, 10).standing, LAG_FAR);
}

static void a_store_that_stands_still_does_not_age(void **state)
{
	struct bench *b = *state;
	for (int i = 0; i < 1000; i++)
		note(b, i * SECOND, 100, 10);
	assert_int_equal(look(b, 100, 10).at_us, 999 * SECOND);
	assert_int_equal(look(b, 100, 9).standing, LAG_FAR);
}

static void a_commit_that_moves_no_position_is_one_too(void **state)
{
	struct bench *b = *state;
	note(b, SECOND, 100, 10);
	add(b, 1, 100, 300, 500);
	add(b, 2, 10, 30, 10);
	note_seen(b, 2 * SECOND);
	assert_int_equal(look(b, 100, 10).at_us, SECOND);
}

/* However often it is noted, notes as old as the lag allowed are kept: 16 s, and no two nearer than a second. */
static void notes_reach_as_far_back_as_the_lag_allowed(void **state)
{
	struct bench *b = *state;
	for (uint64_t i = 0; i < 1000; i++)
		note(b, (int64_t)i * SECOND / 10, 100 + i, 10);
	for (uint64_t behind = 0; behind <= 160; behind += 7) {
		struct lag_sight s = look(b, 100 + 999 - behind, 10);
		int64_t true_us = (int64_t)(999 - behind) * SECOND / 10;
		assert_int_equal(s.standing, LAG_REACHED);
		assert_true(s.at_us <= true_us);                    /* never called younger than it is */
		assert_true(s.at_us >= true_us - 11 * SECOND / 10); /* nor much older */
	}
}

static void a_position_that_went_back_begins_a_new_era(void **state)
{
	struct bench *b = *state;
	note(b, SECOND, 100, 10);
	assert_int_equal(b->log.era, 1);
	note(b, 2 * SECOND, 90, 10);
	assert_int_equal(b->log.era, 2);
	struct lag_sight s = look(b, 100, 10);
	assert_true(s.standing == LAG_REACHED && !s.same); /* its lsn would do; it was never in step in this era */
	assert_true(look(b, 90, 10).same);
	note(b, 3 * SECOND, 91, 10);
	assert_int_equal(b->log.era, 2);
}

static void one_place_with_two_marks_is_another_history(void **state)
{
	struct bench *b = *state;
	note(b, SECOND, 100, 10);
	add(b, 1, 100, 301, 100);
	add(b, 2, 10, 30, 10);
	assert_int_equal(look_seen(b).standing, LAG_STRANGE);
	add(b, 1, 100, 301, 100);
	add(b, 2, 10, 30, 10);
	note_seen(b, 2 * SECOND); /* the store itself has another history now */
	assert_int_equal(b->log.era, 2);
}

static void another_store_is_strange(void **state)
{
	struct bench *b = *state;
	note(b, SECOND, 100, 10);
	two(b, 100, 10);
	b->seen.store = 8;
	assert_int_equal(look_seen(b).standing, LAG_STRANGE);
	add(b, 1, 100, 300, 100); /* a row that it has not: a node it has not heard of yet */
	assert_int_equal(look_seen(b).standing, LAG_FAR);
}

static void a_row_that_goes_begins_a_new_era(void **state)
{
	struct bench *b = *state;
	note(b, SECOND, 100, 10);
	add(b, 1, 100, 300, 100);
	note_seen(b, 2 * SECOND);
	assert_int_equal(b->log.era, 2);
	note(b, 3 * SECOND, 101, 11); /* one that comes does not */
	assert_int_equal(b->log.era, 2);
}

static bool is_behind(struct bench *b, uint64_t first, uint64_t second)
{
	two(b, first, second);
	bool yes = lag_is_behind(&b->log, &b->seen);
	lag_seen_clear(&b->seen);
	return yes;
}

static void a_replica_is_never_ahead(void **state)
{
	struct bench *b = *state;
	note(b, SECOND, 100, 10);
	assert_true(is_behind(b, 100, 10));
	assert_true(is_behind(b, 99, 10));
	assert_false(is_behind(b, 101, 10));
	assert_false(is_behind(b, 99, 11));
	two(b, 99, 9);
	add(b, 3, 1, 3, 1); /* a node that the store does not know */
	assert_false(lag_is_behind(&b->log, &b->seen));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_known_before_the_first_note),
		T(a_replica_is_as_old_as_the_newest_note_that_it_has_reached),
		T(a_store_that_stands_still_does_not_age),
		T(a_commit_that_moves_no_position_is_one_too),
		T(notes_reach_as_far_back_as_the_lag_allowed),
		T(a_position_that_went_back_begins_a_new_era),
		T(one_place_with_two_marks_is_another_history),
		T(another_store_is_strange),
		T(a_row_that_goes_begins_a_new_era),
		T(a_replica_is_never_ahead),
	};
	return RUN_TESTS("lag", tests);
}
