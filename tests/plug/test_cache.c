/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/cache with a desk of a few lines: a planner that counts how often it was asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fake_host.h"
#include "unit.h"

#define HELD 1100
#define BODY "{\"results\":[[\"\\\"cache\\\":\\\"miss\\\"\"]],\"meta\":{\"cache\":\"miss\",\"ms\":6}}"
#define BODY_HIT "{\"results\":[[\"\\\"cache\\\":\\\"miss\\\"\"]],\"meta\":{\"cache\":\"hit\",\"ms\":6}}"

/* The desk: requests by id, what became of them, and the planner behind. */
static struct desk {
	struct fake f;
	struct tally_request rq[HELD];
	int verdict[HELD];
	int32_t status[HELD]; /* 0 = no answer yet */
	char cache[HELD][8];  /* "hit", "miss" or "" as the body says */
	uint64_t version;     /* of the data */
	uint64_t error_version;
	int version_rc;
	int32_t planner_status;
	bool planner_waits; /* answers only when told to */
	uint64_t planner_has;
	unsigned planned, versions_asked;
	const char *body;
} d;

static void tell(uint64_t id, const struct tally_answer *an)
{
	d.status[id] = an->status;
	d.cache[id][0] = 0;
	if (an->body.len && memmem(an->body.ptr, an->body.len, "\"cache\":\"hit\"", 13))
		strcpy(d.cache[id], "hit");
	else if (an->body.len && memmem(an->body.ptr, an->body.len, "\"cache\":\"miss\"", 14))
		strcpy(d.cache[id], "miss");
	d.f.plugin->answered(d.f.self, &d.rq[id], an);
}

static void planner_answers(uint64_t id)
{
	struct tally_answer an = { .status = d.planner_status,
		.fresh = 1,
		.type = STR("application/json"),
		.body = str_of(d.body),
		.version = d.planner_status == 200 || d.planner_status == 304 ? d.version : d.error_version,
		.etag = STR("W/\"1\"") };
	if (d.planner_status == 304)
		an.body = STR("");
	d.planner_has = 0;
	tell(id, &an);
}

static void plan(uint64_t id)
{
	d.planned++;
	d.planner_has = id;
	if (!d.planner_waits)
		planner_answers(id);
}

static int ask_version(uint64_t request, uint64_t *version)
{
	(void)request;
	d.versions_asked++;
	*version = d.version;
	return d.version_rc;
}

static void on_answer(void *arg, uint64_t request, const struct tally_answer *an)
{
	(void)arg;
	tell(request, an);
}

static void on_resume(void *arg, uint64_t request)
{
	(void)arg;
	plan(request);
}

static int ask(uint64_t id, const char *key, const char *accept, int64_t now_us)
{
	d.rq[id] = (struct tally_request){
		.id = id, .key = str_of(key), .accept = str_of(accept), .is_query = 1, .received_us = now_us
	};
	d.status[id] = 0;
	d.verdict[id] = d.f.plugin->request(d.f.self, &d.rq[id]);
	if (d.verdict[id] == TALLY_PASS)
		plan(id);
	return d.verdict[id];
}

static void open_cache(int64_t memory, int64_t fresh_us)
{
	static struct fake_option options[3];
	options[0] = (struct fake_option){ .name = "memory", .i = memory };
	options[1] = (struct fake_option){ .name = "fresh", .i = fresh_us };
	memset(&d, 0, sizeof d);
	fake_load(&d.f, "cache");
	d.f.options = options;
	d.f.station = TALLY_DESK;
	d.f.version = ask_version;
	d.f.on_answer = on_answer;
	d.f.on_resume = on_resume;
	d.version = 7;
	d.planner_status = 200;
	d.body = BODY;
	assert_int_equal(fake_open(&d.f), 0);
}

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
	assert_int_equal(fake_counted(&d.f, "stale"), 1);
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
	assert_int_equal(ask(26, "k0", "json", 1), TALLY_HOLD);
	fake_work(&d.f);
	fake_close(&d.f);
	free(big);
	free(huge);
}

static void too_little_memory_is_refused(void **state)
{
	(void)state;
	struct fake f;
	static const struct fake_option options[] = { { .name = "memory", .i = 1000 }, { .name = "fresh" },
		{ .name = NULL } };
	fake_load(&f, "cache");
	f.options = options;
	assert_int_equal(fake_open(&f), -EINVAL);
	assert_non_null(strstr(f.said, "memory"));
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_answer_comes_from_memory),
		cmocka_unit_test(other_questions_and_formats_are_other_answers),
		cmocka_unit_test(new_data_makes_a_new_answer),
		cmocka_unit_test(when_the_version_is_not_known_the_planner_answers),
		cmocka_unit_test(a_young_answer_is_given_unasked),
		cmocka_unit_test(errors_are_not_kept),
		cmocka_unit_test(equal_questions_wait_for_one_answer),
		cmocka_unit_test(those_who_wait_share_an_error),
		cmocka_unit_test(a_304_is_for_the_one_who_had_it),
		cmocka_unit_test(requests_that_end_otherwise_leave_no_trace),
		cmocka_unit_test(an_instance_closed_with_held_requests_frees_them),
		cmocka_unit_test(memory_is_bounded_and_the_oldest_use_goes_first),
		cmocka_unit_test(too_little_memory_is_refused),
	};
	return RUN_TESTS("cache", tests);
}
