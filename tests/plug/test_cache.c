/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/cache, its memory: one planner for many askers, versions, bounds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_desk.h"

static void the_second_answer_comes_from_memory(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	assert_int_equal(ask(1, "q", "json", 0), TALLY_PASS);
	assert_string_equal(d.cache[1], "miss");
	assert_int_equal(ask(2, "q", "json", 1), TALLY_HOLD);
	assert_int_equal(d.status[2], 0);
	assert_true(fake_work(&d.f));
	assert_int_equal(d.status[2], 200);
	assert_int_equal(d.planned, 1);
	/* the meta alone is changed, not the data that looks like it; the rest comes back as it was */
	assert_true(str_eq(d.f.last.body, STR(BODY_HIT)));
	assert_true(str_eq(d.f.last.etag, STR("W/\"1\"")));
	assert_true(str_eq(d.f.last.type, STR("application/json")));
	assert_int_equal(d.f.last.version, 7);
	assert_int_equal(d.f.last.fresh, 0);
	assert_int_equal(fake_counted(&d.f, "hits"), 1);
	assert_int_equal(fake_counted(&d.f, "misses"), 1);
	fake_close(&d.f);
}

static void other_questions_and_formats_are_other_answers(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	ask(1, "q", "json", 0);
	assert_int_equal(ask(2, "q", "csv", 0), TALLY_PASS);
	assert_int_equal(ask(3, "r", "json", 0), TALLY_PASS);
	assert_int_equal(ask(4, "qj", "son", 0), TALLY_PASS);
	assert_int_equal(d.planned, 4);
	/* what is no query, or must not be shared, is none of its business */
	struct tally_request rq = { .id = 9, .key = STR("q"), .accept = STR("json") };
	assert_int_equal(d.f.plugin->request(d.f.self, &rq), TALLY_PASS);
	assert_int_equal(ask(5, "", "json", 0), TALLY_PASS);
	assert_int_equal(ask(6, "", "json", 0), TALLY_PASS);
	fake_close(&d.f);
}

static void new_data_makes_a_new_answer(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	ask(1, "q", "json", 0);
	d.version = 8;
	assert_int_equal(ask(2, "q", "json", 1), TALLY_HOLD);
	fake_work(&d.f);
	assert_string_equal(d.cache[2], "miss");
	assert_int_equal(d.planned, 2);
	assert_int_equal(fake_counted(&d.f, "changed"), 1);
	ask(3, "q", "json", 2);
	fake_work(&d.f);
	assert_string_equal(d.cache[3], "hit");
	assert_int_equal(d.f.last.version, 8);
	fake_close(&d.f);
}

static void when_the_version_is_not_known_the_planner_answers(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	ask(1, "q", "json", 0);
	d.version_rc = -EIO;
	ask(2, "q", "json", 1);
	fake_work(&d.f);
	assert_string_equal(d.cache[2], "miss");
	d.f.work_rc = -ESHUTDOWN; /* and when it cannot even be asked for */
	assert_int_equal(ask(3, "q", "json", 2), TALLY_PASS);
	assert_string_equal(d.cache[3], "miss");
	fake_close(&d.f);
}

static void a_young_answer_is_given_unasked(void **state)
{
	(void)state;
	open_cache(1 << 20, 1000);
	ask(1, "q", "json", 0);
	d.version = 8;
	assert_int_equal(ask(2, "q", "json", 999), TALLY_ANSWERED);
	assert_string_equal(d.cache[2], "hit");
	assert_int_equal(d.versions_asked, 0);
	assert_int_equal(ask(3, "q", "json", 1000), TALLY_HOLD);
	fake_work(&d.f);
	assert_string_equal(d.cache[3], "miss");
	fake_close(&d.f);
}

static void unasked_until_this_node_commits_or_time_has_passed(void **state)
{
	(void)state;
	cache_options((struct cache_options){ .unasked_us = 1000 });
	open_cache(1 << 20, 0);
	cache_options((struct cache_options){ 0 });
	ask(1, "q", "json", 0);
	assert_int_equal(ask(2, "q", "json", 1), TALLY_HOLD); /* nobody says when something is committed */
	fake_work(&d.f);
	d.f.moment = 5;
	assert_int_equal(ask(3, "q", "json", 100), TALLY_HOLD); /* from now on it is known */
	fake_work(&d.f);
	assert_int_equal(d.versions_asked, 2);
	assert_int_equal(ask(4, "q", "json", 1099), TALLY_ANSWERED);
	assert_string_equal(d.cache[4], "hit");
	assert_int_equal(ask(5, "q", "json", 1100), TALLY_HOLD); /* others may have written by now */
	fake_work(&d.f);
	d.f.moment = 6;
	d.version = 8;
	assert_int_equal(ask(6, "q", "json", 1101), TALLY_HOLD); /* we have */
	fake_work(&d.f);
	assert_string_equal(d.cache[6], "miss");
	assert_int_equal(d.planned, 2);
	assert_int_equal(ask(7, "q", "json", 1102), TALLY_ANSWERED); /* made anew, at this moment */
	fake_close(&d.f);
}

/* The moment that counts is the one before the store was looked at. */
static void a_commit_while_it_is_made_is_not_overlooked(void **state)
{
	(void)state;
	cache_options((struct cache_options){ .unasked_us = 1000 });
	open_cache(1 << 20, 0);
	cache_options((struct cache_options){ 0 });
	d.f.moment = 5;
	d.planner_waits = true;
	ask(1, "q", "json", 0);
	d.f.moment = 6;
	planner_answers(1);
	d.version = 8;
	assert_int_equal(ask(2, "q", "json", 1), TALLY_HOLD);
	fake_work(&d.f);
	assert_int_equal(d.planned, 2);
	d.f.moment = 7; /* and while its version is asked for */
	planner_answers(2);
	d.f.moment = 8;
	assert_int_equal(ask(3, "q", "json", 2), TALLY_HOLD);
	d.f.moment = 9;
	fake_work(&d.f);
	assert_string_equal(d.cache[3], "hit");
	assert_int_equal(ask(4, "q", "json", 3), TALLY_HOLD);
	fake_work(&d.f);
	fake_close(&d.f);
}

static void errors_are_not_kept(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	d.planner_status = 422;
	ask(1, "q", "json", 0);
	d.error_version = 7; /* not even if it says what it was made from */
	ask(9, "q", "json", 0);
	assert_int_equal(d.planned, 2);
	d.planned = 0;
	d.planner_status = 200;
	d.version = 0; /* of no version: nothing to check it by */
	assert_int_equal(ask(2, "q", "json", 1), TALLY_PASS);
	assert_int_equal(ask(3, "q", "json", 2), TALLY_PASS);
	assert_int_equal(d.planned, 2);
	fake_close(&d.f);
}

static void equal_questions_wait_for_one_answer(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	d.planner_waits = true;
	assert_int_equal(ask(1, "q", "json", 0), TALLY_PASS);
	for (uint64_t id = 2; id < 1002; id++)
		assert_int_equal(ask(id, "q", "json", 0), TALLY_HOLD);
	assert_int_equal(d.planned, 1);
	assert_int_equal(ask(1002, "q", "json", 0), TALLY_PASS); /* a thousand may wait */
	assert_int_equal(fake_counted(&d.f, "bypassed"), 1);
	planner_answers(1);
	for (uint64_t id = 2; id < 1002; id++)
		assert_string_equal(d.cache[id], "hit");
	assert_int_equal(d.planned, 2);
	assert_int_equal(fake_counted(&d.f, "shared"), 1000);
	/* there is room again */
	assert_int_equal(ask(1003, "r", "json", 0), TALLY_PASS);
	assert_int_equal(ask(1004, "r", "json", 0), TALLY_HOLD);
	planner_answers(1003);
	assert_int_equal(d.status[1004], 200);
	fake_close(&d.f);
}

static void those_who_wait_share_an_error(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	d.planner_waits = true;
	ask(1, "q", "json", 0);
	ask(2, "q", "json", 0);
	d.planner_status = 422;
	planner_answers(1);
	assert_int_equal(d.status[2], 422);
	assert_int_equal(ask(3, "q", "json", 0), TALLY_PASS);
	fake_close(&d.f);
}

static void a_304_is_for_the_one_who_had_it(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	d.planner_waits = true;
	ask(1, "q", "json", 0);
	ask(2, "q", "json", 0);
	ask(3, "q", "json", 0);
	d.planner_status = 304;
	planner_answers(1);
	assert_int_equal(d.planner_has, 2); /* the next in line is planned */
	assert_int_equal(d.status[3], 0);
	d.planner_status = 200;
	planner_answers(2);
	assert_int_equal(d.status[3], 200);
	/* now there is an entry: others are answered with it although the leader got 304 */
	d.version_rc = -EIO;
	ask(4, "q", "json", 1);
	ask(5, "q", "json", 1);
	fake_work(&d.f);
	d.planner_status = 304;
	planner_answers(4);
	assert_int_equal(d.status[5], 200);
	assert_string_equal(d.cache[5], "hit");
	/* nobody waits: the flight is over */
	ask(6, "z", "json", 1);
	planner_answers(6);
	assert_int_equal(ask(7, "z", "json", 1), TALLY_PASS);
	fake_close(&d.f);
}

static void requests_that_end_otherwise_leave_no_trace(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	ask(1, "q", "json", 0);
	ask(2, "q", "json", 1); /* held, its version is asked for */
	ask(3, "q", "json", 1);
	ask(4, "q", "json", 1);
	const struct tally_answer gone = { .status = 503 };
	tell(2, &gone);
	tell(3, &gone);
	fake_work(&d.f);
	assert_int_equal(d.status[2], 503);
	assert_int_equal(d.status[3], 503);
	assert_string_equal(d.cache[4], "hit");
	/* the same, and the data has changed: the one who waits takes the lead */
	d.version = 9;
	ask(5, "q", "json", 2);
	ask(6, "q", "json", 2);
	tell(5, &gone);
	fake_work(&d.f);
	assert_string_equal(d.cache[6], "miss");
	/* and with nobody left */
	d.version = 10;
	ask(7, "q", "json", 3);
	tell(7, &gone);
	fake_work(&d.f);
	assert_int_equal(ask(8, "q", "json", 3), TALLY_HOLD);
	fake_work(&d.f);
	assert_string_equal(d.cache[8], "miss");
	fake_close(&d.f);
}

static void an_instance_closed_with_held_requests_frees_them(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	d.planner_waits = true;
	ask(1, "q", "json", 0);
	ask(2, "q", "json", 0);
	fake_close(&d.f); /* the sanitizers look on */
}

static void memory_is_bounded_and_the_oldest_use_goes_first(void **state)
{
	(void)state;
	open_cache(1 << 20, 0);
	enum { BIG = 100000 };
	char *big = malloc(BIG + 1), key[16];
	memset(big, 'x', BIG);
	big[BIG] = 0;
	d.body = big;
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(ask((uint64_t)i + 1, key, "json", 0), TALLY_PASS);
	}
	ask(20, "k0", "json", 1); /* used again: k1 is the oldest now */
	fake_work(&d.f);
	assert_int_equal(ask(21, "k10", "json", 1), TALLY_PASS);
	assert_int_equal(ask(22, "k0", "json", 1), TALLY_HOLD);
	fake_work(&d.f);
	assert_int_equal(ask(23, "k1", "json", 1), TALLY_PASS);
	/* one that is larger than its share is not kept, and puts nothing out */
	d.body = NULL;
	char *huge = malloc((1 << 17) + 2);
	memset(huge, 'y', (1 << 17) + 1);
	huge[(1 << 17) + 1] = 0;
	d.body = huge;
	assert_int_equal(ask(24, "huge", "json", 1), TALLY_PASS);
	assert_int_equal(ask(25, "huge", "json", 1), TALLY_PASS);
	assert_int_equal(fake_counted(&d.f, "too_large"), 2);
	assert_int_equal(fake_counted(&d.f, "evicted"), 2); /* for k10, and for k1 again */
	int64_t in_use = fake_counted(&d.f, "bytes_in") - fake_counted(&d.f, "bytes_out");
	assert_in_range(in_use, 10 * BIG, 1 << 20);
	assert_int_equal(ask(26, "k0", "json", 1), TALLY_HOLD);
	fake_work(&d.f);
	fake_close(&d.f);
	free(big);
	free(huge);
}

static void too_little_memory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(cache_try(1000, 0), -EINVAL);
	assert_non_null(strstr(d.f.said, "memory"));
	fake_close(&d.f);
}

static int no_options(void **state)
{
	(void)state;
	cache_options((struct cache_options){ 0 });
	return 0;
}

/* ---- stale ---- */

static void while_it_is_made_anew_others_get_the_old_one(void **state)
{
	(void)state;
	cache_options((struct cache_options){ .stale_us = 5 * SECOND });
	open_cache(1 << 20, 0);
	ask(1, "q", "json", 0);
	d.version = 8;
	d.planner_waits = true;
	assert_int_equal(ask(2, "q", "json", 1 * SECOND), TALLY_HOLD);
	assert_int_equal(ask(3, "q", "json", 1 * SECOND), TALLY_HOLD); /* it may still be true */
	fake_work(&d.f);
	assert_int_equal(d.status[2], 0); /* the one who asked first gets the new one */
	assert_string_equal(d.cache[3], "stale");
	assert_int_equal(ask(4, "q", "json", 4 * SECOND), TALLY_ANSWERED);
	assert_string_equal(d.cache[4], "stale");
	/* and it says how old it is: complete through 0 - 0.25 s, asked at 4 s */
	assert_non_null(memmem(d.f.last.body.ptr, d.f.last.body.len, "\"lag_seconds\":4.25,", 19));
	assert_int_equal(ask(5, "q", "json", 5 * SECOND), TALLY_HOLD); /* too long ago */
	assert_int_equal(fake_counted(&d.f, "stale"), 2);
	assert_int_equal(d.planned, 2);
	planner_answers(2);
	assert_string_equal(d.cache[2], "miss");
	assert_string_equal(d.cache[5], "hit");
	assert_int_equal(d.f.last.version, 8);
	/* the new one is nobody's old one: unchanged, it is a hit */
	assert_int_equal(ask(6, "q", "json", 6 * SECOND), TALLY_HOLD);
	fake_work(&d.f);
	assert_string_equal(d.cache[6], "hit");
	fake_close(&d.f);
}

static void an_answer_that_was_checked_is_stale_from_then_on(void **state)
{
	(void)state;
	cache_options((struct cache_options){ .stale_us = 5 * SECOND });
	open_cache(1 << 20, 0);
	ask(1, "q", "json", 0);
	ask(2, "q", "json", 10 * SECOND);
	fake_work(&d.f);
	assert_string_equal(d.cache[2], "hit");
	d.version = 8;
	d.planner_waits = true;
	ask(3, "q", "json", 11 * SECOND);
	fake_work(&d.f);
	assert_int_equal(ask(4, "q", "json", 12 * SECOND), TALLY_ANSWERED);
	assert_string_equal(d.cache[4], "stale");
	fake_close(&d.f);
}

static void what_cannot_say_that_it_is_stale_is_not_given(void **state)
{
	(void)state;
	cache_options((struct cache_options){ .stale_us = 5 * SECOND });
	open_cache(1 << 20, 0);
	d.body = "events\r\n2\r\n";
	ask(1, "q", "csv", 0);
	d.version = 8;
	d.planner_waits = true;
	ask(2, "q", "csv", 1);
	fake_work(&d.f);
	assert_int_equal(ask(3, "q", "csv", 2), TALLY_HOLD);
	planner_answers(2);
	assert_int_equal(d.status[3], 200);
	fake_close(&d.f);
}

static void the_leader_has_gone_and_the_next_one_leads(void **state)
{
	(void)state;
	cache_options((struct cache_options){ .stale_us = 5 * SECOND });
	open_cache(1 << 20, 0);
	ask(1, "q", "json", 0);
	d.version = 8;
	d.planner_waits = true;
	ask(2, "q", "json", 1);
	ask(3, "q", "json", 1);
	ask(4, "q", "json", 1);
	const struct tally_answer gone = { .status = 503 };
	tell(2, &gone);
	fake_work(&d.f);
	assert_int_equal(d.planner_has, 3);
	assert_string_equal(d.cache[4], "stale");
	planner_answers(3);
	assert_string_equal(d.cache[3], "miss");
	fake_close(&d.f);
}

/* ---- refusals and empty answers ---- */

static void a_refusal_is_given_again_for_a_while(void **state)
{
	(void)state;
	cache_options((struct cache_options){ .negative_us = SECOND });
	open_cache(1 << 20, 0);
	d.planner_status = 422;
	ask(1, "q", "json", 0);
	assert_int_equal(ask(2, "q", "json", SECOND - 1), TALLY_ANSWERED);
	assert_int_equal(d.status[2], 422);
	assert_int_equal(d.planned, 1);
	assert_int_equal(fake_counted(&d.f, "negative"), 1);
	assert_int_equal(ask(3, "q", "json", SECOND), TALLY_PASS);
	d.planner_status = 503; /* the store is away: that may be over at once */
	ask(4, "r", "json", 0);
	assert_int_equal(ask(5, "r", "json", 0), TALLY_PASS);
	fake_close(&d.f);
}

static void an_empty_answer_stays_for_a_while(void **state)
{
	(void)state;
	cache_options((struct cache_options){ .negative_us = SECOND });
	open_cache(1 << 20, 0);
	d.body = "{\"results\":[],\"meta\":{\"cache\":\"miss\"}}";
	ask(1, "q", "json", 0);
	assert_int_equal(ask(2, "q", "json", 1), TALLY_HOLD);
	fake_work(&d.f);
	assert_string_equal(d.cache[2], "hit");
	d.version = 8; /* it is not empty any more */
	ask(3, "q", "json", 2);
	fake_work(&d.f);
	assert_string_equal(d.cache[3], "miss");
	assert_int_equal(ask(4, "q", "json", SECOND + 2), TALLY_PASS);
	fake_close(&d.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_answer_comes_from_memory),
		cmocka_unit_test(other_questions_and_formats_are_other_answers),
		cmocka_unit_test(new_data_makes_a_new_answer),
		cmocka_unit_test(when_the_version_is_not_known_the_planner_answers),
		cmocka_unit_test(a_young_answer_is_given_unasked),
		cmocka_unit_test(unasked_until_this_node_commits_or_time_has_passed),
		cmocka_unit_test(a_commit_while_it_is_made_is_not_overlooked),
		cmocka_unit_test(errors_are_not_kept),
		cmocka_unit_test(equal_questions_wait_for_one_answer),
		cmocka_unit_test(those_who_wait_share_an_error),
		cmocka_unit_test(a_304_is_for_the_one_who_had_it),
		cmocka_unit_test(requests_that_end_otherwise_leave_no_trace),
		cmocka_unit_test(an_instance_closed_with_held_requests_frees_them),
		cmocka_unit_test(memory_is_bounded_and_the_oldest_use_goes_first),
		cmocka_unit_test(too_little_memory_is_refused),
		cmocka_unit_test_setup(while_it_is_made_anew_others_get_the_old_one, no_options),
		cmocka_unit_test_setup(an_answer_that_was_checked_is_stale_from_then_on, no_options),
		cmocka_unit_test_setup(what_cannot_say_that_it_is_stale_is_not_given, no_options),
		cmocka_unit_test_setup(the_leader_has_gone_and_the_next_one_leads, no_options),
		cmocka_unit_test_setup(a_refusal_is_given_again_for_a_while, no_options),
		cmocka_unit_test_setup(an_empty_answer_stays_for_a_while, no_options),
	};
	return RUN_TESTS("cache", tests);
}
