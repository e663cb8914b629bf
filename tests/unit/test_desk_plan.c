/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows a question is answered from, over hand-made horizons. A plan is written as its rollup and pieces, each with
 * the local time of its bounds: "total: quarter 10-24T22:15 .. 10-25T00:00". */
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "desk/out.h"
#include "desk/plan.h"

#define NOW INT64_C(1792929600000000) /* 2026-10-25T12:00:00Z */
#define NEVER INT64_MAX
#define ALWAYS INT64_MIN

static const struct conf_site sites[] = {
	{ .name = "default", .timezone = "UTC" },
	{ .name = "shop.example", .timezone = "Europe/Berlin" },
};
static const struct conf conf = { .sites = sites, .nsites = 2 };
static const struct query_context cx = { .conf = &conf, .now_us = NOW };

static const struct tally_dimension by_page[] = { { .kind = TALLY_DIM_NAME }, { .kind = TALLY_DIM_PAGE } };
static const struct tally_dimension by_key[] = { { .kind = TALLY_DIM_PROP, .key = { "a", 1 } } };
static const struct tally_metric counts[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITORS } };
static const struct tally_metric sums[] = { { .kind = TALLY_EVENTS },
	{ .kind = TALLY_SUM, .is_prop = 1, .field = { "value", 5 } } };

static const struct tally_rollup rollups[] = {
	{ .id = 0, .nmetrics = 2, .name = { "total", 5 }, .metrics = counts },
	{ .id = 1, .ndims = 2, .nmetrics = 2, .name = { "pages", 5 }, .dims = by_page, .metrics = counts },
	{ .id = 2, .ndims = 1, .nmetrics = 2, .name = { "keys", 4 }, .dims = by_key, .metrics = sums },
};

static struct arena arena;
static int64_t horizons[3];
static struct meta meta;
static struct plan_store store;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	for (int i = 0; i < 3; i++)
		horizons[i] = ALWAYS;
	for (int g = 0; g < TALLY_GRAINS; g++)
		meta.grain_horizon_us[g] = ALWAYS;
	meta.rollup_horizon_us = horizons;
	meta.nrollups = 3;
	store = (struct plan_store){ schema_make(&arena, rollups, 3), &meta, ALWAYS };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void put_local(struct text_out *o, const struct query *q, int64_t t)
{
	char text[40];
	zone_format(q->zone, t, text);
	text_put(o, str_make(text + 5, 11));
}

/* The plan as text, or the code of its refusal. */
static const char *plan_of(const char *rest)
{
	struct query *q = arena_alloc(&arena, sizeof *q);
	struct query_error err;
	struct plan p;
	struct text_out o;
	char *body = arena_printf(&arena, "{\"site_id\":\"shop.example\",%s}", rest);
	out_open(&o, &arena);
	if (query_parse(&cx, &arena, str_of(body), q, &err))
		fail_msg("%s: %s", body, err.detail);
	if (plan_make(q, q->range, &store, &arena, &p, NULL, &err))
		return err.code;
	out_lit(&o, p.rollup ? arena_copy(&arena, p.rollup->rollup->name.ptr, p.rollup->rollup->name.len) : "raw");
	for (size_t i = 0; p.rollup && i < p.npieces; i++) {
		text_printf(&o, "%s%s ", i ? ", " : ": ", plan_grain_name(p.pieces[i].grain));
		put_local(&o, q, p.pieces[i].from_us);
		out_lit(&o, " .. ");
		put_local(&o, q, p.pieces[i].to_us);
	}
	return arena_copy(&arena, o.ptr, o.len);
}

#define EVENTS "\"metrics\":[\"events\"],"

static void a_range_is_cut_into_the_largest_rows_that_fit(void **state)
{
	(void)state;
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-08-01\",\"2026-09-30\"]"),
		"total: month 08-01T00:00 .. 10-01T00:00");
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-07-30\",\"2026-09-02\"]"),
		"total: day 07-30T00:00 .. 08-01T00:00, month 08-01T00:00 .. 09-01T00:00, day 09-01T00:00 .. 09-03T00:00");
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-10-24T22:10:00\",\"2026-10-26T01:30:00\"]"),
		"total: minute 10-24T22:10 .. 10-24T22:15, quarter 10-24T22:15 .. 10-25T00:00, "
		"day 10-25T00:00 .. 10-26T00:00, quarter 10-26T00:00 .. 10-26T01:30");
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-10-25T23:58:30.5\",\"2026-10-26T00:30:01\"]"),
		"total: event 10-25T23:58 .. 10-25T23:59, minute 10-25T23:59 .. 10-26T00:00, "
		"quarter 10-26T00:00 .. 10-26T00:30, event 10-26T00:30 .. 10-26T00:30");
	/* nothing whole in between */
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-10-25T12:00:10\",\"2026-10-25T12:00:40\"]"), "raw");
}

static void labels_cut_rows_too(void **state)
{
	(void)state;
	assert_string_equal(
		plan_of(EVENTS "\"date_range\":[\"2026-08-01\",\"2026-09-30\"],\"dimensions\":[\"time:day\"]"),
		"total: day 08-01T00:00 .. 10-01T00:00");
	assert_string_equal(
		plan_of(EVENTS "\"date_range\":[\"2026-08-01\",\"2026-09-30\"],\"dimensions\":[\"time:week\"]"),
		"total: day 08-01T00:00 .. 10-01T00:00");
	assert_string_equal(
		plan_of(EVENTS "\"date_range\":[\"2026-08-01\",\"2026-09-30\"],\"dimensions\":[\"time:month\"]"),
		"total: month 08-01T00:00 .. 10-01T00:00");
	assert_string_equal(plan_of(EVENTS "\"date_range\":\"day\",\"dimensions\":[\"time:hour\"]"),
		"total: quarter 10-25T00:00 .. 10-26T00:00");
	assert_string_equal(plan_of(EVENTS "\"date_range\":\"day\",\"dimensions\":[\"time:minute\"]"),
		"total: minute 10-25T00:00 .. 10-26T00:00");
}

static void another_zone_has_other_days(void **state)
{
	(void)state;
	assert_string_equal(
		plan_of(EVENTS "\"date_range\":\"day\",\"timezone\":\"Asia/Kolkata\",\"dimensions\":[\"time:day\"]"),
		"total: quarter 10-25T00:00 .. 10-26T00:00");
	assert_string_equal(plan_of(EVENTS "\"date_range\":\"7d\",\"timezone\":\"Asia/Kolkata\""),
		"total: quarter 10-19T00:00 .. 10-19T03:30, day 10-19T03:30 .. 10-25T03:30, quarter 10-25T03:30 .. 10-26T00:00");
}

static void rows_before_a_horizon_are_left_alone(void **state)
{
	(void)state;
	meta.grain_horizon_us[TALLY_MINUTE] = NOW - INT64_C(3600000000);
	assert_string_equal(plan_of(EVENTS "\"date_range\":\"day\",\"dimensions\":[\"time:minute\"]"), "raw");
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-10-25T11:45:00\",\"2026-10-25T11:57:00\"]"), "raw");
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-10-25T12:00:00\",\"2026-10-25T13:07:00\"]"),
		"total: quarter 10-25T12:00 .. 10-25T13:00, minute 10-25T13:00 .. 10-25T13:07");
	/* only an end may be read from raw events, and less than a quarter of it */
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-10-24T22:10:00\",\"2026-10-24T22:45:00\"]"),
		"total: event 10-24T22:10 .. 10-24T22:15, quarter 10-24T22:15 .. 10-24T22:45");
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-10-24T22:10:00\",\"2026-10-24T22:45:00\"],"
					   "\"dimensions\":[\"time:minute\"]"),
		"raw");
	store.raw_horizon_us = NOW;
	assert_string_equal(
		plan_of(EVENTS "\"date_range\":[\"2026-10-24T22:10:00\",\"2026-10-24T22:45:00\"]"), "not_covered");
	store.raw_horizon_us = INT64_MIN;
	/* months kept from September on only: the days before answer */
	meta.grain_horizon_us[TALLY_MONTH] = zone_date(zone_get("Europe/Berlin"), 2026, 9, 1);
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-08-01\",\"2026-09-30\"]"),
		"total: day 08-01T00:00 .. 09-01T00:00, month 09-01T00:00 .. 10-01T00:00");
	/* a rollup that began at noon is whole from the next bucket on */
	horizons[0] = NOW + 1;
	assert_string_equal(plan_of(EVENTS "\"date_range\":\"day\""), "keys: day 10-25T00:00 .. 10-26T00:00");
	assert_string_equal(plan_of(EVENTS "\"date_range\":[\"2026-10-25T13:15:00\",\"2026-10-26T00:00:00\"]"),
		"total: quarter 10-25T13:15 .. 10-26T00:00");
	horizons[0] = horizons[2] = NEVER;
	assert_string_equal(plan_of(EVENTS "\"date_range\":\"day\""), "pages: day 10-25T00:00 .. 10-26T00:00");
}

static void the_rollup_must_hold_all_that_is_asked(void **state)
{
	(void)state;
	assert_string_equal(
		plan_of("\"metrics\":[\"visitors\"],\"date_range\":\"day\",\"dimensions\":[\"event:page\"]"),
		"pages: day 10-25T00:00 .. 10-26T00:00");
	assert_string_equal(
		plan_of("\"metrics\":[\"visitors\"],\"date_range\":\"day\",\"filters\":[[\"is\",\"event:name\",[\"a\"]]]"),
		"pages: day 10-25T00:00 .. 10-26T00:00");
	assert_string_equal(
		plan_of("\"metrics\":[\"visitors\"],\"date_range\":\"day\",\"dimensions\":[\"event:props:a\"]"), "raw");
	assert_string_equal(
		plan_of("\"metrics\":[\"events\"],\"date_range\":\"day\",\"dimensions\":[\"event:props:b\"]"), "raw");
	assert_string_equal(plan_of("\"metrics\":[\"avg:props.value\"],\"date_range\":\"day\""),
		"keys: day 10-25T00:00 .. 10-26T00:00");
	assert_string_equal(plan_of("\"metrics\":[\"avg:value\"],\"date_range\":\"day\""), "raw");
	assert_string_equal(plan_of("\"metrics\":[\"min:props.value\"],\"date_range\":\"day\""), "raw");
	assert_string_equal(
		plan_of("\"metrics\":[\"pageviews\"],\"date_range\":\"day\""), "pages: day 10-25T00:00 .. 10-26T00:00");
}

static void without_raw_events_it_is_refused(void **state)
{
	(void)state;
	store.raw_horizon_us = NOW - INT64_C(86400000000);
	assert_string_equal(plan_of("\"metrics\":[\"avg:value\"],\"date_range\":\"7d\""), "not_covered");
	assert_string_equal(plan_of("\"metrics\":[\"avg:value\"],\"date_range\":\"day\""), "raw");
}

static void the_declaration_is_yaml_that_would_do(void **state)
{
	(void)state;
	struct query q;
	struct query_error err;
	assert_int_equal(
		query_parse(&cx, &arena,
			STR("{\"site_id\":\"a\",\"date_range\":\"day\",\"metrics\":[\"percentage\",\"avg:props.x\",\"max:value\"],"
			    "\"dimensions\":[\"time:day\",\"event:props:size\"],\"filters\":[[\"is\",\"event:name\",[\"a\"]]]}"),
			&q, &err),
		0);
	struct tally_str line = plan_declaration(&q, &arena);
	assert_true(str_eq(
		line, STR("- { name: by_size_name, by: [\"event:props:size\", \"event:name\"], metrics: [\"visitors\", "
			  "\"sum:props.x\", \"max:value\"] }")));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_range_is_cut_into_the_largest_rows_that_fit),
		T(labels_cut_rows_too),
		T(another_zone_has_other_days),
		T(rows_before_a_horizon_are_left_alone),
		T(the_rollup_must_hold_all_that_is_asked),
		T(without_raw_events_it_is_refused),
		T(the_declaration_is_yaml_that_would_do),
	};
	return RUN_TESTS("desk plan", tests);
}
