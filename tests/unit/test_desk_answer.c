/* SPDX-License-Identifier: Apache-2.0 */
/* Questions over a small hand-made day whose answers can be counted by eye. */
#include "desk_kit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* KIT_NOW is noon UTC of 2026-10-25, the day on which Berlin's clocks go back at 01:00 UTC. */
#define H(hours) (KIT_NOW + (hours)*KIT_HOUR)

static const struct kit_event day[] = {
	/* Berlin 2026-10-25: 02:30+02:00, 02:30+01:00, 09:00, 10:00, 10:20 */
	{ .time_us = H(-11.5), .name = "view", .visitor = "ann", .page = "/" },
	{ .time_us = H(-10.5), .name = "view", .visitor = "ann", .page = "/" },
	{ .time_us = H(-4), .name = "view", .visitor = "bob", .page = "/buy" },
	{ .time_us = H(-3),
		.name = "purchase",
		.visitor = "bob",
		.page = "/buy",
		.item = "pen",
		.has_value = true,
		.value = 2.5,
		.has_price = true,
		.price = 2.5 },
	{ .time_us = H(-3) + 1200000000,
		.name = "purchase",
		.visitor = "cid",
		.page = "/buy",
		.item = "ink",
		.has_value = true,
		.value = 10,
		.has_price = true,
		.price = 9.75 },
	/* the day before, 23:00+02:00 */
	{ .time_us = H(-15), .name = "view", .visitor = "dan", .page = "/" },
	/* another site */
	{ .time_us = H(-3), .site = "other.example", .name = "view", .visitor = "eve", .page = "/" },
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static int open_day(void **state)
{
	struct kit *k = kit_open();
	kit_fill(k, day, COUNT(day));
	*state = k;
	return 0;
}

static int close_day(void **state)
{
	kit_close(*state);
	return 0;
}

static void expect_results(json_t *root, const char *want)
{
	char *got = json_dumps(kit_at(root, "results"), JSON_COMPACT | JSON_REAL_PRECISION(15));
	if (strcmp(got, want) != 0)
		fail_msg("results are %s\n              not %s", got, want);
	free(got);
}

/* Asks, compares results and source, lets go. */
static void ask(struct kit *k, const char *body, const char *source, const char *results)
{
	json_t *root = kit_ask(k, 200, body);
	expect_results(root, results);
	assert_string_equal(kit_text_at(root, "meta.source"), source);
	json_decref(root);
}

#define Q(rest) "{\"site_id\":\"shop.example\",\"date_range\":\"day\"," rest "}"

static void totals_come_from_the_smallest_rollup(void **state)
{
	ask(*state, Q("\"metrics\":[\"events\",\"visitors\",\"sum:value\",\"avg:value\",\"min:value\",\"max:value\"]"),
		"rollup:total", "[{\"dimensions\":[],\"metrics\":[5,3,12.5,6.25,2.5,10]}]");
}

static void names_come_with_counts_and_merged_visitors(void **state)
{
	ask(*state, Q("\"metrics\":[\"visitors\",\"events\"],\"dimensions\":[\"event:name\"]"), "rollup:pages",
		"[{\"dimensions\":[\"purchase\"],\"metrics\":[2,2]},{\"dimensions\":[\"view\"],\"metrics\":[2,3]}]");
}

static void a_day_of_25_hours_has_its_hour_twice(void **state)
{
	ask(*state, Q("\"metrics\":[\"events\"],\"dimensions\":[\"time:hour\"]"), "rollup:total",
		"[{\"dimensions\":[\"2026-10-25T02:00:00+02:00\"],\"metrics\":[1]},"
		"{\"dimensions\":[\"2026-10-25T02:00:00+01:00\"],\"metrics\":[1]},"
		"{\"dimensions\":[\"2026-10-25T09:00:00+01:00\"],\"metrics\":[1]},"
		"{\"dimensions\":[\"2026-10-25T10:00:00+01:00\"],\"metrics\":[2]}]");
	json_t *root = kit_ask(*state, 200,
		Q("\"metrics\":[\"events\"],\"dimensions\":[\"time:hour\"],\"include\":{\"time_labels\":true}"));
	assert_int_equal(json_array_size(kit_at(root, "meta.time_labels")), 25);
	json_decref(root);
}

static void days_are_those_of_the_zone_asked(void **state)
{
	static const char body[] =
		"{\"site_id\":\"shop.example\",\"date_range\":[\"2026-10-24\",\"2026-10-25\"],\"metrics\":[\"events\"],"
		"\"dimensions\":[\"time:day\"],\"timezone\":\"%s\"}";
	char text[300];
	snprintf(text, sizeof text, body, "Europe/Berlin");
	ask(*state, text, "rollup:total",
		"[{\"dimensions\":[\"2026-10-24T00:00:00+02:00\"],\"metrics\":[1]},"
		"{\"dimensions\":[\"2026-10-25T00:00:00+02:00\"],\"metrics\":[5]}]");
	snprintf(text, sizeof text, body, "America/St_Johns");
	ask(*state, text, "rollup:total",
		"[{\"dimensions\":[\"2026-10-24T00:00:00-02:30\"],\"metrics\":[3]},"
		"{\"dimensions\":[\"2026-10-25T00:00:00-02:30\"],\"metrics\":[3]}]");
}

static void what_no_rollup_holds_is_counted_from_raw_events(void **state)
{
	ask(*state, Q("\"metrics\":[\"visitors\",\"sum:props.price\"],\"dimensions\":[\"event:props:item\"]"), "raw",
		"[{\"dimensions\":[\"\"],\"metrics\":[2,0]},{\"dimensions\":[\"ink\"],\"metrics\":[1,9.75]},"
		"{\"dimensions\":[\"pen\"],\"metrics\":[1,2.5]}]");
}

static void what_bounds_cut_off_a_row_is_counted_from_raw_events(void **state)
{
	ask(*state,
		"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],"
		"\"date_range\":[\"2026-10-25T10:00:00+01:00\",\"2026-10-25T10:20:00.000001+01:00\"]}",
		"rollup:total", "[{\"dimensions\":[],\"metrics\":[2]}]");
	ask(*state,
		"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],"
		"\"date_range\":[\"2026-10-25T10:00:00+01:00\",\"2026-10-25T10:20:00+01:00\"]}",
		"rollup:total", "[{\"dimensions\":[],\"metrics\":[1]}]");
}

static void pageviews_are_counted_by_name_where_they_are_not_kept(void **state)
{
	ask(*state, Q("\"metrics\":[\"pageviews\",\"events\"]"), "rollup:pages",
		"[{\"dimensions\":[],\"metrics\":[3,5]}]");
	ask(*state, Q("\"metrics\":[\"pageviews\"],\"dimensions\":[\"event:page\"]"), "rollup:pages",
		"[{\"dimensions\":[\"/\"],\"metrics\":[2]},{\"dimensions\":[\"/buy\"],\"metrics\":[1]}]");
	ask(*state, Q("\"metrics\":[\"pageviews\"],\"dimensions\":[\"event:hostname\"]"), "raw",
		"[{\"dimensions\":[\"\"],\"metrics\":[3]}]");
}

static void filters_pick_what_they_say(void **state)
{
	static const struct {
		const char *filters, *events;
	} rows[] = {
		{ "[\"is\",\"event:name\",[\"view\"]]", "3" },
		{ "[\"is_not\",\"event:name\",[\"view\"]]", "2" },
		{ "[\"is\",\"event:page\",[\"/buy\",\"/\"]]", "5" },
		{ "[\"contains\",\"event:page\",[\"uy\"]]", "3" },
		{ "[\"contains_not\",\"event:page\",[\"uy\",\"x\"]]", "2" },
		{ "[\"matches\",\"event:page\",[\"^/b(uy|ox)$\"]]", "3" },
		{ "[\"matches_not\",\"event:page\",[\"^/b\"]]", "2" },
		{ "[\"not\",[\"is\",\"event:page\",[\"/\"]]]", "3" },
		{ "[\"or\",[[\"is\",\"event:page\",[\"/\"]],[\"is\",\"event:name\",[\"purchase\"]]]]", "4" },
		{ "[\"and\",[[\"is\",\"event:page\",[\"/buy\"]],[\"is\",\"event:name\",[\"view\"]]]]", "1" },
		{ "[\"not\",[\"and\",[[\"is\",\"event:page\",[\"/buy\"]],[\"is\",\"event:name\",[\"view\"]]]]]", "4" },
		{ "[\"is\",\"event:page\",[\"/buy\"]],[\"is\",\"event:name\",[\"purchase\"]]", "2" },
		{ "[\"is\",\"event:props:item\",[\"pen\"]]", "1" },
		{ "[\"is\",\"event:props:item\",[\"PEN\"]]", "0" },
		{ "[\"is\",\"event:props:item\",[\"PEN\"],{\"case_sensitive\":false}]", "1" },
		{ "[\"is\",\"event:page\",[\"/BUY\"],{\"case_sensitive\":false}],[\"is\",\"event:name\",[\"view\"]]",
			"1" },
		{ "[\"is\",\"event:props:item\",[\"\"]]", "3" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char body[400], want[80];
		snprintf(body, sizeof body, Q("\"metrics\":[\"events\"],\"filters\":[%s]"), rows[i].filters);
		snprintf(want, sizeof want, "[{\"dimensions\":[],\"metrics\":[%s]}]", rows[i].events);
		json_t *root = kit_ask(*state, 200, body);
		expect_results(root, want);
		json_decref(root);
	}
}

static void order_page_and_rest(void **state)
{
	json_t *root = kit_ask(*state, 200,
		Q("\"metrics\":[\"events\",\"visitors\",\"percentage\"],\"dimensions\":[\"event:name\",\"event:page\"],"
		  "\"order_by\":[[\"events\",\"asc\"],[\"event:page\",\"desc\"]],\"pagination\":{\"limit\":1,\"offset\":1},"
		  "\"include\":{\"total_rows\":true,\"other_row\":true}"));
	expect_results(root, "[{\"dimensions\":[\"purchase\",\"/buy\"],\"metrics\":[2,2,66.7]}]");
	assert_int_equal(json_integer_value(kit_at(root, "meta.total_rows")), 3);
	assert_int_equal(json_integer_value(kit_at(root, "other_row.rows")), 2);
	assert_int_equal(json_integer_value(kit_at(root, "other_row.metrics.0")), 3);
	assert_int_equal(json_integer_value(kit_at(root, "other_row.metrics.1")), 2);
	json_decref(root);
}

static void ties_are_in_byte_order(void **state)
{
	ask(*state, Q("\"metrics\":[\"visitors\"],\"dimensions\":[\"event:name\"]"), "rollup:pages",
		"[{\"dimensions\":[\"purchase\"],\"metrics\":[2]},{\"dimensions\":[\"view\"],\"metrics\":[2]}]");
}

static void a_comparison_stands_beside_its_row(void **state)
{
	ask(*state,
		Q("\"metrics\":[\"events\",\"visitors\"],\"dimensions\":[\"event:page\"],\"compare\":\"previous_period\""),
		"rollup:pages",
		"[{\"dimensions\":[\"/buy\"],\"metrics\":[3,2],\"compare\":[0,0]},"
		"{\"dimensions\":[\"/\"],\"metrics\":[2,1],\"compare\":[1,1]}]");
	json_t *root = kit_ask(*state, 200, Q("\"metrics\":[\"events\",\"avg:value\"],\"compare\":\"previous_year\""));
	expect_results(root, "[{\"dimensions\":[],\"metrics\":[5,6.25],\"compare\":[0,null]}]");
	assert_string_equal(kit_text_at(root, "meta.compared.0"), "2025-10-25T00:00:00+02:00");
	json_decref(root);
}

static void nothing_is_zero_and_null(void **state)
{
	ask(*state,
		"{\"site_id\":\"nobody.example\",\"date_range\":\"7d\",\"metrics\":[\"events\",\"visitors\",\"sum:value\","
		"\"avg:value\",\"min:value\"]}",
		"rollup:total", "[{\"dimensions\":[],\"metrics\":[0,0,0,null,null]}]");
	ask(*state,
		"{\"site_id\":\"nobody.example\",\"date_range\":\"all\",\"metrics\":[\"events\"],\"dimensions\":[\"time:month\"]}",
		"rollup:total", "[]");
}

static void all_begins_with_the_first_day(void **state)
{
	json_t *root = kit_ask(*state, 200,
		"{\"site_id\":\"shop.example\",\"date_range\":\"all\",\"metrics\":[\"events\"],\"dimensions\":[\"time:day\"],"
		"\"include\":{\"time_labels\":true}}");
	expect_results(root, "[{\"dimensions\":[\"2026-10-24T00:00:00+02:00\"],\"metrics\":[1]},"
			     "{\"dimensions\":[\"2026-10-25T00:00:00+02:00\"],\"metrics\":[5]}]");
	assert_int_equal(json_array_size(kit_at(root, "meta.time_labels")), 2);
	json_decref(root);
}

/* ---- forms and formats ---- */

static void the_flat_formats_hold_the_same_rows(void **state)
{
	static const char body[] = Q("\"metrics\":[\"events\",\"max:value\"],\"dimensions\":[\"event:name\"],"
				     "\"compare\":\"previous_period\"");
	struct answer an = kit_answer(*state, "csv", body, NULL);
	assert_string_equal(an.type, "text/csv; charset=utf-8; header=present");
	assert_true(str_eq(an.body, STR("event:name,events,max:value,compare:events,compare:max:value\r\n"
					"view,3,,1,\r\npurchase,2,10,0,\r\n")));
	an = kit_answer(*state, "ndjson", body, NULL);
	assert_true(str_eq(an.body,
		STR("{\"event:name\":\"view\",\"events\":3,\"max:value\":null,\"compare\":{\"events\":1,\"max:value\":null}}\n"
		    "{\"event:name\":\"purchase\",\"events\":2,\"max:value\":10,\"compare\":{\"events\":0,\"max:value\":null}}\n")));
}

static void short_forms_are_the_same_engine(void **state)
{
	json_t *root = kit_short(*state, 200, QUERY_TOTALS, "from=2026-10-25&to=2026-10-25&metric=events,visitors");
	expect_results(root, "[{\"dimensions\":[],\"metrics\":[5,3]}]");
	json_decref(root);
	root = kit_short(*state, 200, QUERY_TOP,
		"from=2026-10-25&to=2026-10-25&by=event:page&metric=events&limit=1&filter=event:name%3D%3Dview%7Cpurchase");
	expect_results(root, "[{\"dimensions\":[\"/buy\"],\"metrics\":[3]}]");
	assert_int_equal(json_integer_value(kit_at(root, "other_row.metrics.0")), 2);
	json_decref(root);
	root = kit_short(
		*state, 200, QUERY_TOTALS, "range=day&metric=events&filter=[[\"contains\",\"event:page\",[\"b\"]]]");
	expect_results(root, "[{\"dimensions\":[],\"metrics\":[3]}]");
	json_decref(root);
}

static void a_series_has_its_empty_buckets(void **state)
{
	json_t *root =
		kit_short(*state, 200, QUERY_SERIES, "from=2026-10-23&to=2026-10-25&unit=day&metric=events,avg:value");
	expect_results(root, "[{\"dimensions\":[\"2026-10-23T00:00:00+02:00\"],\"metrics\":[0,null]},"
			     "{\"dimensions\":[\"2026-10-24T00:00:00+02:00\"],\"metrics\":[1,null]},"
			     "{\"dimensions\":[\"2026-10-25T00:00:00+02:00\"],\"metrics\":[5,6.25]}]");
	json_decref(root);
}

static void an_etag_holds_until_something_comes(void **state)
{
	static const char body[] = Q("\"metrics\":[\"events\"]");
	struct kit *k = *state;
	struct answer first = kit_answer(k, "", body, NULL);
	struct kit_event late = { .time_us = H(-2), .name = "view", .visitor = "fay", .page = "/" };
	struct kit_event old = { .time_us = H(-100), .name = "view", .visitor = "fay", .page = "/" };
	char *etag = arena_copy(&k->arena, first.etag.ptr, first.etag.len);
	char *several = arena_printf(&k->arena, "\"x\", %s", etag + 2);
	assert_int_equal(strncmp(etag, "W/\"", 3), 0);
	assert_int_equal(kit_answer(k, "", body, etag).status, 304);
	assert_int_equal(kit_answer(k, "", body, several).status, 304);
	assert_int_equal(kit_answer(k, "", Q("\"metrics\":[\"visitors\"]"), etag).status, 200);
	kit_fill(k, &old, 1);
	assert_int_equal(kit_answer(k, "", body, etag).status, 304);
	kit_fill(k, &late, 1);
	struct answer now = kit_answer(k, "", body, etag);
	assert_int_equal(now.status, 200);
	assert_true(now.version != first.version);
	kit_sql(k, "UPDATE tally_revision SET generation = generation + 1 WHERE site = 'shop.example'");
	assert_true(kit_answer(k, "", body, NULL).version != now.version);
}

static void explain_names_what_is_read(void **state)
{
	struct answer an = kit_answer(*state, "explain=1",
		"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"dimensions\":[\"event:page\"],"
		"\"date_range\":[\"2026-08-30T22:15:00+02:00\",\"2026-10-25T10:00:00+01:00\"]}",
		NULL);
	json_error_t error;
	json_t *root = json_loadb(an.body.ptr, an.body.len, 0, &error);
	assert_non_null(root);
	assert_string_equal(kit_text_at(root, "rollup"), "pages");
	static const char *const grains[] = { "quarter", "day", "month", "day", "quarter" };
	assert_int_equal(json_array_size(kit_at(root, "statements")), 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(kit_at(root, "statements"), i), "grain")),
			grains[i]);
	assert_non_null(strstr(kit_text_at(root, "statements.0.sql"), "`tally_rollup_pages`"));
	assert_string_equal(kit_text_at(root, "not_taken.total"), "does not hold event:page");
	json_decref(root);
}

#define P50_95 "\"metrics\":[\"p50:value\",\"p95:value\",\"events\"]"

/* Values of the day are 2.5 and 10; what no rollup holds comes from raw events, and is the same. */
static void percentiles_come_from_rollups_and_raw_events(void **state)
{
	static const double want[2] = { 2.5, 10 };
	static const char *const bodies[] = { Q(P50_95),
		Q(P50_95 ",\"filters\":[[\"is_not\",\"event:page\",[\"/none\"]]]"),
		Q(P50_95 ",\"compare\":\"previous_period\"") };
	for (size_t i = 0; i < COUNT(bodies); i++) {
		json_t *root = kit_ask(*state, 200, bodies[i]), *metrics = kit_at(root, "results.0.metrics");
		assert_string_equal(kit_text_at(root, "meta.source"), i == 1 ? "raw" : "rollup:total");
		for (size_t m = 0; m < 2; m++)
			assert_true(fabs(json_number_value(json_array_get(metrics, m)) / want[m] - 1) <= 0.01);
		json_t *exactness = kit_at(root, "meta.exactness"), *p = json_object_get(exactness, "p95:value");
		assert_string_equal(json_string_value(json_object_get(p, "kind")), "ddsketch");
		assert_true(json_number_value(json_object_get(p, "rel_error")) == 0.01);
		if (i == 2)
			assert_true(json_is_null(json_array_get(kit_at(root, "results.0.compare"), 0)));
		json_decref(root);
	}
}

static void percentiles_order_rows_and_fill_columns(void **state)
{
	struct answer an = kit_answer(*state, "csv",
		Q("\"metrics\":[\"p99:value\"],\"dimensions\":[\"event:props:item\"],\"order_by\":[[\"p99:value\",\"asc\"]]"),
		NULL);
	char csv[256];
	double pen, ink;
	int end = 0;
	snprintf(csv, sizeof csv, "%.*s", (int)an.body.len, an.body.ptr);
	if (sscanf(csv, "event:props:item,p99:value pen,%lf ink,%lf ,%n", &pen, &ink, &end) != 2 ||
		strcmp(csv + end, "\r\n") != 0) /* nothing known stands last, empty */
		fail_msg("%s", csv);
	assert_true(fabs(pen / 2.5 - 1) <= 0.01 && fabs(ink / 10 - 1) <= 0.01);
}

static void the_answer_says_what_it_is(void **state)
{
	json_t *root = kit_ask(*state, 200, Q("\"metrics\":[\"visitors\",\"events\"]"));
	struct answer an = kit_answer(*state, "", Q("\"metrics\":[\"events\"]"), NULL);
	assert_string_equal(kit_text_at(root, "meta.exactness.visitors.kind"), "exact");
	assert_string_equal(kit_text_at(root, "meta.cache"), "miss");
	assert_true(json_is_false(kit_at(root, "meta.sampling.applied")));
	assert_int_equal(json_integer_value(kit_at(root, "meta.freshness.revision")), 128);
	assert_string_equal(kit_text_at(root, "query.date_range.0"), "2026-10-25T00:00:00+02:00");
	assert_string_equal(kit_text_at(root, "query.date_range.1"), "2026-10-26T00:00:00+01:00");
	assert_non_null(memmem(an.body.ptr, an.body.len, "\"cache\":\"miss\"", 14));
	json_decref(root);
}

/* ---- limits ---- */

static void before_its_horizon_a_rollup_is_not_asked(void **state)
{
	struct kit *k = *state;
	static const char body[] =
		"{\"site_id\":\"shop.example\",\"date_range\":[\"2026-10-24\",\"2026-10-25\"],\"metrics\":[\"events\"]}";
	ask(k, body, "rollup:total", "[{\"dimensions\":[],\"metrics\":[6]}]");
	kit_sql(k, "UPDATE tally_meta SET horizon = %lld WHERE name = 'rollup/total'", (long long)H(-14));
	ask(k, body, "rollup:pages", "[{\"dimensions\":[],\"metrics\":[6]}]");
}

static void too_many_raw_rows_name_the_rollup_to_declare(void **state)
{
	struct kit *k = *state;
	struct store_options so = *store_options(k->store);
	store_close(k->store);
	so.max_rows = 4;
	k->store = store_open(&so);
	json_t *root = kit_ask(
		k, 422, Q("\"metrics\":[\"visitors\",\"max:props.price\"],\"dimensions\":[\"event:props:item\"]"));
	assert_string_equal(kit_text_at(root, "code"), "too_expensive");
	assert_non_null(strstr(kit_text_at(root, "detail"),
		"- { name: by_item, by: [\"event:props:item\"], metrics: [\"visitors\", \"max:props.price\"] }"));
	json_decref(root);
	kit_sql(k, "INSERT OR REPLACE INTO tally_meta (name, value, horizon) VALUES ('horizon/minute', '', %lld)",
		(long long)KIT_NOW + KIT_DAY);
	root = kit_ask(k, 422,
		Q("\"metrics\":[\"events\"],\"dimensions\":[\"time:minute\"],\"date_range\":[\"2026-10-25T00:00:00Z\",\"2026-10-25T12:00:00Z\"]"));
	assert_non_null(
		strstr(kit_text_at(root, "detail"), "the rollup total holds it, but the range or its buckets cut"));
	json_decref(root);
	so.max_rows = 5;
	store_close(k->store);
	k->store = store_open(&so);
	json_decref(kit_ask(k, 200, Q("\"metrics\":[\"visitors\"],\"dimensions\":[\"event:props:item\"]")));
}

static void thinned_rows_are_scaled_and_said(void **state)
{
	struct kit *k = *state;
	kit_sql(k, "UPDATE tally_event SET weight = 4 WHERE name = 'purchase'");
	json_t *root = kit_ask(k, 200, Q("\"metrics\":[\"events\",\"sum:value\"],\"dimensions\":[\"event:hostname\"]"));
	expect_results(root, "[{\"dimensions\":[\"\"],\"metrics\":[11,50]}]");
	assert_true(json_is_true(kit_at(root, "meta.sampling.applied")));
	assert_int_equal(json_array_size(kit_at(root, "meta.warnings")), 1);
	json_decref(root);
}

static void a_store_that_is_not_there_is_503(void **state)
{
	struct kit *k = *state;
	kit_sql(k, "DROP TABLE tally_revision");
	json_t *root = kit_ask(k, 503, Q("\"metrics\":[\"events\"]"));
	assert_string_equal(kit_text_at(root, "code"), "store_unavailable");
	json_decref(root);
}

#define WITH_DAY(name) cmocka_unit_test_setup_teardown(name, open_day, close_day)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DAY(totals_come_from_the_smallest_rollup),
		WITH_DAY(names_come_with_counts_and_merged_visitors),
		WITH_DAY(a_day_of_25_hours_has_its_hour_twice),
		WITH_DAY(days_are_those_of_the_zone_asked),
		WITH_DAY(what_no_rollup_holds_is_counted_from_raw_events),
		WITH_DAY(what_bounds_cut_off_a_row_is_counted_from_raw_events),
		WITH_DAY(pageviews_are_counted_by_name_where_they_are_not_kept),
		WITH_DAY(filters_pick_what_they_say),
		WITH_DAY(order_page_and_rest),
		WITH_DAY(ties_are_in_byte_order),
		WITH_DAY(a_comparison_stands_beside_its_row),
		WITH_DAY(nothing_is_zero_and_null),
		WITH_DAY(all_begins_with_the_first_day),
		WITH_DAY(the_flat_formats_hold_the_same_rows),
		WITH_DAY(short_forms_are_the_same_engine),
		WITH_DAY(a_series_has_its_empty_buckets),
		WITH_DAY(an_etag_holds_until_something_comes),
		WITH_DAY(explain_names_what_is_read),
		WITH_DAY(percentiles_come_from_rollups_and_raw_events),
		WITH_DAY(percentiles_order_rows_and_fill_columns),
		WITH_DAY(the_answer_says_what_it_is),
		WITH_DAY(before_its_horizon_a_rollup_is_not_asked),
		WITH_DAY(too_many_raw_rows_name_the_rollup_to_declare),
		WITH_DAY(thinned_rows_are_scaled_and_said),
		WITH_DAY(a_store_that_is_not_there_is_503),
	};
	return RUN_TESTS("desk answers", tests);
}
