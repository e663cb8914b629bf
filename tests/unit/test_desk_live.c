/* SPDX-License-Identifier: Apache-2.0 */
/* What a live look reads, and what two of them make of each other. */
#include "desk/live.h"
#include "desk_kit.h"

#define MINUTE INT64_C(60000000)
#define NOW (KIT_NOW + 30 * INT64_C(1000000)) /* within a minute */

static const struct kit_event events[] = {
	{ .time_us = KIT_NOW - 31 * MINUTE, .name = "view", .visitor = "too early" },
	{ .time_us = KIT_NOW - 30 * MINUTE, .name = "view", .visitor = "first" },
	{ .time_us = KIT_NOW - 6 * MINUTE, .name = "click", .visitor = "gone" },
	{ .time_us = KIT_NOW - 5 * MINUTE, .name = "click", .visitor = "ann" },
	{ .time_us = KIT_NOW + 1, .name = "view", .visitor = "bob" },
	{ .time_us = KIT_NOW + 2, .name = "view", .visitor = "ann" },
	{ .time_us = KIT_NOW + 10 * MINUTE, .name = "view", .visitor = "a clock ahead" },
	{ .time_us = KIT_NOW + 11 * MINUTE, .name = "view", .visitor = "too late" },
};

static void a_look_counts_minutes_and_visitors(void **state)
{
	(void)state;
	struct kit *k = kit_open();
	struct live_look looks[2] = { { .site = STR("shop.example") }, { .site = STR("empty.example") } };
	int64_t sum = 0;
	kit_fill(k, events, sizeof events / sizeof *events);
	live_read(k->store, &k->conf, NOW, looks, 2);
	assert_true(looks[0].ok);
	const struct live_counts *c = &looks[0].counts;
	assert_int_equal(c->first_us, KIT_NOW - 30 * MINUTE);
	assert_int_equal(c->active, 2);
	for (int i = 0; i < LIVE_MINUTES; i++)
		sum += c->events[i];
	assert_int_equal(sum, 6);
	assert_int_equal(c->events[0], 1);
	assert_int_equal(c->events[LIVE_BACK], 2);
	assert_int_equal(c->events[LIVE_MINUTES - 1], 1);
	assert_true(c->has_pageviews); /* counted by name */
	assert_int_equal(c->pageviews[LIVE_BACK], 2);
	assert_int_equal(c->pageviews[LIVE_BACK - LIVE_ACTIVE], 0);
	assert_true(looks[1].ok);
	assert_int_equal(looks[1].counts.active, 0);
	kit_close(k);
}

static void without_minutes_it_says_what_would_do(void **state)
{
	(void)state;
	struct kit *k = kit_open();
	struct live_look look = { .site = STR("shop.example") };
	kit_fill(k, events, sizeof events / sizeof *events);
	kit_sql(k, "INSERT OR REPLACE INTO tally_meta (name, value, horizon) VALUES ('horizon/minute', '', %lld)",
		(long long)KIT_NOW);
	live_read(k->store, &k->conf, NOW, &look, 1);
	assert_false(look.ok);
	assert_string_equal(look.err.code, "not_covered");
	assert_non_null(strstr(look.err.detail, "retention.minute"));
	kit_close(k);
}

static void only_what_was_added_is_a_delta(void **state)
{
	(void)state;
	static struct live_counts before, now;
	before.first_us = 1000 * MINUTE;
	before.events[0] = 9; /* falls out of sight */
	before.events[30] = 5;
	before.events[40] = 1;
	before.pageviews[30] = 2;
	assert_int_equal(live_difference(&before, &before).events, 0);
	now.first_us = before.first_us + 2 * MINUTE;
	now.events[28] = 8;    /* 3 more */
	now.pageviews[28] = 4; /* 2 more */
	now.events[38] = 1;    /* as before */
	now.events[39] = 2;    /* 2: not in sight before */
	assert_int_equal(live_difference(&now, &before).events, 5);
	assert_int_equal(live_difference(&now, &before).pageviews, 2);
	/* a store that was put back: never less than nothing */
	now.events[28] = 1;
	assert_int_equal(live_difference(&now, &before).events, 2);
	now.first_us = before.first_us + 1000 * MINUTE;
	assert_int_equal(live_difference(&now, &before).events, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_counts_minutes_and_visitors),
		cmocka_unit_test(without_minutes_it_says_what_would_do),
		cmocka_unit_test(only_what_was_added_is_a_delta),
	};
	return RUN_TESTS("desk live", tests);
}
