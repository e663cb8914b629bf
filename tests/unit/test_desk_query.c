/* SPDX-License-Identifier: Apache-2.0 */
/* Questions read and refused: what is wrong, where, and what would have done; and the normal form. */
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "desk/plan.h"
#include "desk/query.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define NOW INT64_C(1792929600000000) /* 2026-10-25T12:00:00Z, a Sunday */

static struct arena arena;

static const struct conf_site sites[] = {
	{ .name = "default", .timezone = "UTC" },
	{ .name = "shop.example", .timezone = "Europe/Berlin" },
};
static const struct conf conf = { .sites = sites, .nsites = 2 };
static struct query_context cx = { .conf = &conf, .now_us = NOW };

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct query *must_parse(const char *body)
{
	struct query *q = arena_alloc(&arena, sizeof *q);
	struct query_error err;
	if (query_parse(&cx, &arena, str_of(body), q, &err))
		fail_msg("%s: %s at %s (%lld)", body, err.detail, err.pointer, (long long)err.offset);
	return q;
}

/* ---- refusals ---- */

#define Q(rest) "{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"date_range\":\"7d\"," rest "}"

static const struct {
	const char *body;
	int status;
	const char *code, *pointer, *at; /* at: the text of the body where the offset points */
} refusals[] = {
	{ "", 400, "invalid_json", "", "" },
	{ "{\"site_id\":\"shop.example\",}", 400, "invalid_json", "", "}" },
	{ "[]", 400, "bad_type", "", "[]" },
	{ "{}", 400, "missing_field", "", "{}" },
	{ "{\"site_id\":\"shop.example\",\"metrics\":[\"events\"]}", 400, "missing_field", "", "{" },
	{ "{\"site_id\":\"shop.example\",\"date_range\":\"day\"}", 400, "missing_field", "", "{" },
	{ "{\"site_id\":7}", 400, "bad_type", "/site_id", "7" },
	{ Q("\"timezone\":\"Mars/Olympus\""), 400, "unknown_timezone", "/timezone", "\"Mars" },
	{ Q("\"timezone\":\"../etc/passwd\""), 400, "unknown_timezone", "/timezone", "\".." },
	{ Q("\"colour\":1"), 400, "unknown_name", "/colour", "1}" },
	{ Q("\"dimensions\":[\"event:colour\"]"), 400, "unknown_name", "/dimensions/0", "\"event:colour" },
	{ Q("\"dimensions\":[\"event:name\",\"time:fortnight\"]"), 400, "unknown_name", "/dimensions/1", "\"time:f" },
	{ Q("\"dimensions\":[\"event:props:\"]"), 400, "unknown_name", "/dimensions/0", "\"event:props" },
	{ Q("\"dimensions\":[\"event:name\",\"event:name\"]"), 400, "repeated", "/dimensions/1", "\"event:name\"]" },
	{ Q("\"dimensions\":[\"time:day\",\"time:hour\"]"), 400, "repeated", "/dimensions/1", "\"time:hour" },
	{ Q("\"dimensions\":\"event:name\""), 400, "bad_type", "/dimensions", "\"event:name\"}" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events\",\"clicks\"],\"date_range\":\"day\"}", 400, "unknown_name",
		"/metrics/1", "\"clicks" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"sum\"],\"date_range\":\"day\"}", 400, "unknown_name", "/metrics/0",
		"\"sum" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events:value\"],\"date_range\":\"day\"}", 400, "unknown_name",
		"/metrics/0", "\"events:" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"sum:price\"],\"date_range\":\"day\"}", 400, "unknown_name", "/metrics/0",
		"\"sum:" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"p95\"],\"date_range\":\"day\"}", 400, "unknown_name", "/metrics/0",
		"\"p95" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"p95:price\"],\"date_range\":\"day\"}", 400, "unknown_name", "/metrics/0",
		"\"p95:" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"p100:value\"],\"date_range\":\"day\"}", 400, "unknown_name", "/metrics/0",
		"\"p100" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"p05:value\"],\"date_range\":\"day\"}", 400, "unknown_name", "/metrics/0",
		"\"p05" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"p0:value\"],\"date_range\":\"day\"}", 400, "unknown_name", "/metrics/0",
		"\"p0" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"p9x:value\"],\"date_range\":\"day\"}", 400, "unknown_name", "/metrics/0",
		"\"p9x" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"percentage\"],\"date_range\":\"day\"}", 400, "bad_pair", "/metrics/0",
		"\"perc" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"conversion_rate\"],\"date_range\":\"day\"}", 400, "bad_pair", "/metrics/0",
		"\"conv" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"visits\"],\"date_range\":\"day\",\"dimensions\":[\"event:page\"]}", 400,
		"bad_pair", "/metrics/0", "\"visits" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"visits\"],\"date_range\":\"day\",\"dimensions\":[\"event:props:utm_term\"]}",
		400, "bad_pair", "/metrics/0", "\"visits" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"bounce_rate\"],\"date_range\":\"day\",\"filters\":[[\"is\",\"event:name\",[\"x\"]]]}",
		400, "bad_pair", "/metrics/0", "\"bounce" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"visits\",\"events\"],\"date_range\":\"day\",\"dimensions\":[\"visit:exit_page\"]}",
		400, "bad_pair", "/metrics/1", "\"events" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"conversion_rate\"],\"date_range\":\"day\",\"dimensions\":[\"visit:browser\"]}",
		400, "bad_pair", "/metrics/0", "\"conv" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":\"8d\"}", 400, "bad_range", "/date_range",
		"\"8d" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":[\"2026-10-25\"]}", 400, "bad_range",
		"/date_range", "[\"2026" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":[\"2026-02-30\",\"2026-03-01\"]}", 400,
		"bad_range", "/date_range/0", "\"2026-02" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":[\"2026-10-25\",\"2026-10-24\"]}", 400,
		"bad_range", "/date_range", "[\"2026" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":[\"2026-10-25T10:00:00Z\",\"2026-10-25T10:00:00Z\"]}",
		400, "bad_range", "/date_range", "[\"2026" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":\"all\",\"compare\":\"previous_period\"}", 400,
		"bad_pair", "/compare", "\"prev" },
	{ "{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":\"year\",\"dimensions\":[\"time:minute\"]}", 400,
		"too_many_buckets", "/dimensions/0", "\"time" },
	{ Q("\"compare\":\"last_year\""), 400, "unknown_name", "/compare", "\"last" },
	{ Q("\"filters\":[[\"is\",\"event:name\"]]"), 400, "bad_filter", "/filters/0", "[\"is" },
	{ Q("\"filters\":[\"is\"]"), 400, "bad_filter", "/filters/0", "\"is" },
	{ Q("\"filters\":[[\"like\",\"event:name\",[\"a\"]]]"), 400, "unknown_name", "/filters/0/0", "\"like" },
	{ Q("\"filters\":[[\"is\",\"event:nam\",[\"a\"]]]"), 400, "unknown_name", "/filters/0/1", "\"event:nam" },
	{ Q("\"filters\":[[\"is\",\"time:day\",[\"a\"]]]"), 400, "unknown_name", "/filters/0/1", "\"time" },
	{ Q("\"filters\":[[\"is\",\"event:name\",[]]]"), 400, "bad_filter", "/filters/0/2", "[]" },
	{ Q("\"filters\":[[\"is\",\"event:name\",[\"a\",null]]]"), 400, "bad_type", "/filters/0/2/1", "null" },
	{ Q("\"filters\":[[\"and\",[]]]"), 400, "bad_filter", "/filters/0", "[\"and" },
	{ Q("\"filters\":[[\"not\",[\"is\",\"event:name\",[\"a\"]],1]]"), 400, "bad_filter", "/filters/0", "[\"not" },
	{ Q("\"filters\":[[\"or\",[[\"is\",\"event:name\",[\"a\"]],[\"is\",\"x\",[\"a\"]]]]]"), 400, "unknown_name",
		"/filters/0/1/1/1", "\"x" },
	{ Q("\"filters\":[[\"matches\",\"event:name\",[\"a(\"]]]"), 400, "bad_pattern", "/filters/0/2/0", "\"a(" },
	{ Q("\"filters\":[[\"matches\",\"event:name\",[\"(a)\\\\1\"]]]"), 400, "bad_pattern", "/filters/0/2/0",
		"\"(a" },
	{ Q("\"filters\":[[\"matches\",\"event:name\",[\"((a{1,99}){1,99}){1,99}\"]]]"), 400, "bad_pattern",
		"/filters/0/2/0", "\"((" },
	{ Q("\"filters\":[[\"is\",\"event:name\",[\"a\"],{\"case_sensitive\":0}]]"), 400, "bad_filter", "/filters/0/3",
		"{\"case" },
	{ Q("\"order_by\":[[\"visitors\",\"desc\"]]"), 400, "unknown_name", "/order_by/0/0", "\"visitors" },
	{ Q("\"order_by\":[[\"events\",\"down\"]]"), 400, "unknown_name", "/order_by/0/1", "\"down" },
	{ Q("\"order_by\":[[\"events\",\"asc\"],[\"events\",\"desc\"]]"), 400, "repeated", "/order_by/1/0",
		"\"events\",\"desc" },
	{ Q("\"order_by\":[\"events\"]"), 400, "bad_type", "/order_by/0", "\"events\"]" },
	{ Q("\"include\":{\"time_labels\":1}"), 400, "bad_type", "/include/time_labels", "1}" },
	{ Q("\"include\":{\"everything\":true}"), 400, "unknown_name", "/include/everything", "true" },
	{ Q("\"pagination\":{\"limit\":10001}"), 400, "out_of_range", "/pagination/limit", "10001" },
	{ Q("\"pagination\":{\"limit\":1.5}"), 400, "out_of_range", "/pagination/limit", "1.5" },
	{ Q("\"pagination\":{\"offset\":-1}"), 400, "out_of_range", "/pagination/offset", "-1" },
};

static void a_refusal_points_at_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct query q;
		struct query_error err;
		const char *body = refusals[i].body;
		if (query_parse(&cx, &arena, str_of(body), &q, &err) == 0)
			fail_msg("taken: %s", body);
		if (err.status != refusals[i].status || strcmp(err.code, refusals[i].code) ||
			strcmp(err.pointer, refusals[i].pointer) || err.offset < 0 ||
			strncmp(body + err.offset, refusals[i].at, strlen(refusals[i].at)))
			fail_msg("%s: %d %s \"%s\" %lld: %s", body, err.status, err.code, err.pointer,
				(long long)err.offset, err.detail);
		if (strcmp(err.code, "unknown_name") == 0 && !strstr(err.pointer, "order_by"))
			assert_non_null(err.legal);
	}
}

static void a_key_sees_its_own_site_only(void **state)
{
	(void)state;
	struct query q;
	struct query_error err;
	struct query_context own = cx;
	own.key_site = STR("shop.example");
	assert_int_equal(
		query_parse(&own, &arena,
			STR("{\"site_id\":\"other\",\"metrics\":[\"events\"],\"date_range\":\"day\"}"), &q, &err),
		-22);
	assert_int_equal(err.status, 403);
	assert_int_equal(
		query_parse(&own, &arena, STR("{\"metrics\":[\"events\"],\"date_range\":\"day\"}"), &q, &err), 0);
	assert_true(str_eq(q.site, STR("shop.example")));
}

static void limits_hold(void **state)
{
	(void)state;
	struct query q;
	struct query_error err;
	char *deep = arena_alloc(&arena, 4096), *many = arena_alloc(&arena, 70000);
	strcpy(deep, "{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":\"day\",\"filters\":[");
	for (int i = 0; i < 9; i++)
		strcat(deep, "[\"not\",");
	strcat(deep, "[\"is\",\"event:name\",[\"a\"]]");
	for (int i = 0; i < 9; i++)
		strcat(deep, "]");
	strcat(deep, "]}");
	assert_true(query_parse(&cx, &arena, str_of(deep), &q, &err) < 0);
	assert_string_equal(err.code, "too_many");
	strcpy(many,
		"{\"site_id\":\"a\",\"metrics\":[\"events\"],\"date_range\":\"day\",\"filters\":[[\"is\",\"event:name\",[");
	size_t n = strlen(many);
	for (int i = 0; i < 1001; i++)
		n += (size_t)sprintf(many + n, "%s\"%d\"", i ? "," : "", i);
	strcpy(many + n, "]]]}");
	assert_true(query_parse(&cx, &arena, str_of(many), &q, &err) < 0);
	assert_string_equal(err.code, "too_many");
	memset(many, ' ', 69000);
	many[69000] = 0;
	assert_true(query_parse(&cx, &arena, str_of(many), &q, &err) < 0);
	assert_int_equal(err.status, 413);
}

/* ---- ranges ---- */

static void named_ranges_are_whole_days_of_the_zone(void **state)
{
	(void)state;
	static const struct {
		const char *name, *from, *to;
	} rows[] = {
		{ "day", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00" },
		{ "7d", "2026-10-19T00:00:00+02:00", "2026-10-26T00:00:00+01:00" },
		{ "28d", "2026-09-28T00:00:00+02:00", "2026-10-26T00:00:00+01:00" },
		{ "30d", "2026-09-26T00:00:00+02:00", "2026-10-26T00:00:00+01:00" },
		{ "91d", "2026-07-27T00:00:00+02:00", "2026-10-26T00:00:00+01:00" },
		{ "month", "2026-10-01T00:00:00+02:00", "2026-10-26T00:00:00+01:00" },
		{ "6mo", "2026-05-01T00:00:00+02:00", "2026-10-26T00:00:00+01:00" },
		{ "12mo", "2025-11-01T00:00:00+01:00", "2026-10-26T00:00:00+01:00" },
		{ "year", "2026-01-01T00:00:00+01:00", "2026-10-26T00:00:00+01:00" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char body[200], want[200];
		sprintf(body, "{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"date_range\":\"%s\"}",
			rows[i].name);
		sprintf(want, "\"date_range\":[\"%s\",\"%s\"]", rows[i].from, rows[i].to);
		struct tally_str text = query_normal(must_parse(body), &arena);
		if (!memmem(text.ptr, text.len, want, strlen(want)))
			fail_msg("%s: %.*s", rows[i].name, (int)text.len, text.ptr);
	}
}

static void pairs_are_inclusive_dates_or_half_open_times(void **state)
{
	(void)state;
	struct query *q = must_parse(
		"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"date_range\":[\"2026-10-24\",\"2026-10-25\"]}");
	assert_int_equal(q->range.to_us - q->range.from_us, INT64_C(49) * 3600 * 1000000);
	q = must_parse(
		"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"date_range\":[\"2026-10-25T02:30:00+02:00\","
		"\"2026-10-25T02:30:00+01:00\"]}");
	assert_int_equal(q->range.to_us - q->range.from_us, INT64_C(3600) * 1000000);
	q = must_parse(
		"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"timezone\":\"Asia/Kolkata\",\"date_range\":"
		"[\"2026-10-25\",\"2026-10-25T06:00:00\"]}");
	assert_int_equal(q->range.from_us, INT64_C(1792866600) * 1000000);
	assert_int_equal(q->range.to_us - q->range.from_us, INT64_C(6) * 3600 * 1000000);
}

static void the_period_before_has_as_many_days(void **state)
{
	(void)state;
	char text[40];
	struct query *q = must_parse("{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"date_range\":"
				     "[\"2026-10-25\",\"2026-10-26\"],\"compare\":\"previous_period\"}");
	text[zone_format(q->zone, q->compared.from_us, text)] = 0;
	assert_string_equal(text, "2026-10-23T00:00:00+02:00");
	assert_int_equal(q->compared.to_us, q->range.from_us);
	q = must_parse("{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"date_range\":"
		       "[\"2026-10-25T12:00:00Z\",\"2026-10-25T13:30:00Z\"],\"compare\":\"previous_period\"}");
	assert_int_equal(q->compared.to_us - q->compared.from_us, INT64_C(5400) * 1000000);
}

static void time_alone_picks_a_unit(void **state)
{
	(void)state;
	static const struct {
		const char *range, *unit;
	} rows[] = { { "day", "time:hour" }, { "30d", "time:day" }, { "91d", "time:week" }, { "12mo", "time:week" },
		{ "all", "time:month" } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		char body[200];
		sprintf(body,
			"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"date_range\":\"%s\",\"dimensions\":[\"time\"]}",
			rows[i].range);
		struct query *q = must_parse(body);
		assert_true(str_eq(q->dims[0].text, str_of(rows[i].unit)));
	}
}

/* ---- the normal form ---- */

static void equal_questions_have_equal_keys(void **state)
{
	(void)state;
	static const char *const equal[][2] = {
		{ Q("\"filters\":[[\"is\",\"event:name\",[\"b\",\"a\",\"b\"]]]"),
			Q("\"filters\":[[\"is\",\"event:name\",[\"a\",\"b\"]]]") },
		{ Q("\"filters\":[[\"is\",\"event:name\",[\"a\"]],[\"is\",\"event:page\",[\"b\"]]]"),
			Q("\"filters\":[[\"and\",[[\"is\",\"event:page\",[\"b\"]],[\"is\",\"event:name\",[\"a\"]]]]]") },
		{ Q("\"filters\":[[\"not\",[\"is\",\"event:name\",[\"a\"]]]]"),
			Q("\"filters\":[[\"is_not\",\"event:name\",[\"a\"]]]") },
		{ Q("\"filters\":[[\"not\",[\"not\",[\"contains\",\"event:name\",[\"a\"]]]]]"),
			Q("\"filters\":[[\"contains\",\"event:name\",[\"a\"]]]") },
		{ Q("\"filters\":[[\"or\",[[\"is\",\"event:name\",[\"a\"]]]]]"),
			Q("\"filters\":[[\"is\",\"event:name\",[\"a\"]]]") },
		{ Q("\"filters\":[[\"matches\",\"event:name\",[\"a\"]],[\"matches\",\"event:name\",[\"a\"]]]"),
			Q("\"filters\":[[\"matches\",\"event:name\",[\"a\"]]]") },
		{ Q("\"filters\":[[\"is\",\"event:name\",[\"A\",\"a\",\"B\"],{\"case_sensitive\":false}]]"),
			Q("\"filters\":[[\"is\",\"event:name\",[\"b\",\"a\"],{\"case_sensitive\":false}]]") },
		{ Q("\"filters\":[[\"is\",\"event:name\",[\"a\"],{\"case_sensitive\":true}]]"),
			Q("\"filters\":[[\"is\",\"event:name\",[\"a\"],{}]]") },
		{ Q("\"filters\":[]"),
			Q("\"dimensions\":[],\"order_by\":[[\"events\",\"desc\"]],\"pagination\":{\"limit\":10000}") },
		{ Q("\"timezone\":\"Europe/Berlin\""), Q("\"date_range\":[\"2026-10-19\",\"2026-10-25\"]") },
	};
	for (size_t i = 0; i < COUNT(equal); i++) {
		struct query *a = must_parse(equal[i][0]), *b = must_parse(equal[i][1]);
		if (!str_eq(a->key, b->key))
			fail_msg("%.*s\nis not %.*s", (int)a->key.len, a->key.ptr, (int)b->key.len, b->key.ptr);
	}
}

static void different_questions_have_different_keys(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		Q("\"filters\":[]"),
		Q("\"filters\":[[\"is\",\"event:name\",[\"a\"]]]"),
		Q("\"filters\":[[\"is_not\",\"event:name\",[\"a\"]]]"),
		Q("\"filters\":[[\"is\",\"event:name\",[\"a\\\",\\\"b\"]]]"),
		Q("\"filters\":[[\"is\",\"event:name\",[\"a\",\"b\"]]]"),
		Q("\"filters\":[[\"is\",\"event:page\",[\"a\"]]]"),
		Q("\"filters\":[[\"is\",\"event:page\",[\"a\"],{\"case_sensitive\":false}]]"),
		Q("\"filters\":[[\"matches\",\"event:page\",[\"a\"],{\"case_sensitive\":false}]]"),
		Q("\"filters\":[[\"matches\",\"event:page\",[\"a\"]]]"),
		Q("\"dimensions\":[\"event:name\"]"),
		Q("\"dimensions\":[\"event:name\",\"event:page\"]"),
		Q("\"dimensions\":[\"event:page\",\"event:name\"]"),
		Q("\"timezone\":\"UTC\""),
		Q("\"compare\":\"previous_period\""),
		Q("\"compare\":\"previous_year\""),
		Q("\"pagination\":{\"limit\":1}"),
		Q("\"pagination\":{\"offset\":1}"),
		Q("\"include\":{\"total_rows\":true}"),
		Q("\"order_by\":[[\"events\",\"asc\"]]"),
		"{\"site_id\":\"shop.example\",\"metrics\":[\"visitors\"],\"date_range\":\"7d\"}",
		"{\"site_id\":\"other.example\",\"timezone\":\"Europe/Berlin\",\"metrics\":[\"events\"],\"date_range\":\"7d\"}",
		"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"date_range\":\"all\"}",
	};
	for (size_t i = 0; i < COUNT(bodies); i++)
		for (size_t j = 0; j < i; j++)
			assert_false(str_eq(must_parse(bodies[i])->key, must_parse(bodies[j])->key));
}

/* ---- short forms ---- */

static void short_forms_are_refused_by_parameter(void **state)
{
	(void)state;
	static const struct {
		enum query_form form;
		const char *query, *pointer;
	} rows[] = {
		{ QUERY_TOTALS, "color=1", "?color" },
		{ QUERY_TOTALS, "metric=clicks", "?metric" },
		{ QUERY_TOTALS, "from=yesterday", "?from" },
		{ QUERY_TOTALS, "to=2026-10-25", "?from" },
		{ QUERY_TOTALS, "tz=Nowhere", "?tz" },
		{ QUERY_TOP, "metric=events", "?by" },
		{ QUERY_TOP, "by=event:nam", "?by" },
		{ QUERY_TOP, "by=event:name&limit=1e3", "?limit" },
		{ QUERY_TOP, "by=event:name&limit=", "?limit" },
		{ QUERY_TOP, "by=event:name&filter=x", "?filter" },
		{ QUERY_TOP, "by=event:name&filter=[[]]", "/0" },
		{ QUERY_SERIES, "unit=fortnight", "?unit" },
		{ QUERY_SERIES, "compare=tomorrow", "?compare" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct query q;
		struct query_error err;
		if (query_parse_short(
			    &cx, &arena, rows[i].form, STR("shop.example"), str_of(rows[i].query), &q, &err) == 0)
			fail_msg("taken: %s", rows[i].query);
		if (strcmp(err.pointer, rows[i].pointer))
			fail_msg("%s: %s %s", rows[i].query, err.pointer, err.detail);
	}
}

static void short_filters_mean_the_same_as_long_ones(void **state)
{
	(void)state;
	struct query q;
	struct query_error err;
	static const char query[] =
		"range=7d&metric=events&filter=event:page!%3D/a|/b%26c;event:name%3D~^v&filter=event:props:k%3D%40+x";
	assert_int_equal(query_parse_short(&cx, &arena, QUERY_TOTALS, STR("shop.example"), str_of(query), &q, &err), 0);
	struct query *want = must_parse(
		Q("\"filters\":[[\"is_not\",\"event:page\",[\"/a\",\"/b&c\"]],[\"matches\",\"event:name\",[\"^v\"]],"
		  "[\"contains\",\"event:props:k\",[\" x\"]]]"));
	struct tally_str a = query_normal(&q, &arena), b = query_normal(want, &arena);
	if (!str_eq(a, b))
		fail_msg("%.*s\n%.*s", (int)a.len, a.ptr, (int)b.len, b.ptr);
	assert_false(str_eq(q.key, want->key)); /* another form, another shape */
}

/* ---- patterns ---- */

static void a_pattern_sees_the_whole_value_and_no_more(void **state)
{
	(void)state;
	struct query *q = must_parse(Q("\"filters\":[[\"matches\",\"event:page\",[\"^a.c$\"]]]"));
	struct tally_str yes = str_make("abcd", 3), no = str_make("abcd", 4), nul = str_make("a\0c", 3);
	assert_true(query_passes(q->filter, &yes));
	assert_false(query_passes(q->filter, &no));
	(void)query_passes(q->filter, &nul);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_refusal_points_at_what_is_wrong),
		T(a_key_sees_its_own_site_only),
		T(limits_hold),
		T(named_ranges_are_whole_days_of_the_zone),
		T(pairs_are_inclusive_dates_or_half_open_times),
		T(the_period_before_has_as_many_days),
		T(time_alone_picks_a_unit),
		T(equal_questions_have_equal_keys),
		T(different_questions_have_different_keys),
		T(short_forms_are_refused_by_parameter),
		T(short_filters_mean_the_same_as_long_ones),
		T(a_pattern_sees_the_whole_value_and_no_more),
	};
	return RUN_TESTS("desk query", tests);
}
