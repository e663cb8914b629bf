/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "event_fixture.h"
#include "unit.h"

static struct arena arena;
static struct event_context cx;
static struct tally_event ev;
static struct event_error err;

static int read_event(const char *json)
{
	return event_read_json(&cx, &arena, str_of(json), &ev, &err);
}

static void assert_str(struct tally_str got, const char *want)
{
	if (!str_eq(got, str_of(want)))
		fail_msg("'%.*s' is not '%s'", (int)got.len, got.ptr, want);
}

static void assert_taken(const char *json)
{
	if (read_event(json))
		fail_msg("%s: %s: %s", json, err.code, err.message);
}

static void assert_rejected(const char *json, const char *code, const char *field)
{
	if (!read_event(json))
		fail_msg("%s was taken", json);
	assert_string_equal(err.code, code);
	assert_string_equal(err.field, field);
	assert_true(strlen(err.message) > 10);
}

static void assert_props(const char *json, const char *want)
{
	assert_taken(json);
	assert_str(event_props_json(&ev, &arena), want);
}

static void assert_time(const char *time, int64_t want_us)
{
	char json[128];
	snprintf(json, sizeof json, "{\"name\":\"v\",\"site\":\"open\",\"time\":%s}", time);
	assert_taken(json);
	assert_true(ev.time_us == want_us);
}

static void every_field_has_its_place(void **state)
{
	(void)state;
	assert_taken("{\"name\":\"buy\",\"site\":\"shop.example\",\"id\":\"e1\",\"time\":\"2025-12-31T23:59:59.5Z\","
		     "\"visitor\":\"v1\",\"user\":\"u1\",\"page\":\"/a b\",\"referrer\":\"https://x.example/\","
		     "\"value\":-12.50,\"props\":{\"item\":\"shoe\",\"n\":1.50,\"new\":true,\"old\":false}}");
	assert_str(ev.name, "buy");
	assert_str(ev.site, "shop.example");
	assert_str(ev.id, "e1");
	assert_true(ev.time_us == FIXTURE_NOW - 500000);
	assert_true(ev.received_us == FIXTURE_NOW);
	assert_str(ev.visitor, "v1");
	assert_str(ev.user, "u1");
	assert_str(ev.page, "/a b");
	assert_str(ev.referrer, "https://x.example/");
	assert_int_equal(ev.has_value, 1);
	assert_true(ev.value == -12.5);
	assert_str(ev.value_text, "-12.50");
	assert_int_equal(ev.weight, 1);
	assert_str(event_props_json(&ev, &arena), "{\"item\":\"shoe\",\"n\":1.50,\"new\":true,\"old\":false}");
	assert_true(ev.props[1].number == 1.5 && ev.props[2].number == 1 && ev.props[3].number == 0);
	assert_str(ev.props[2].text, "true");
}

static void what_is_absent_gets_its_default(void **state)
{
	(void)state;
	assert_taken(
		"{\"name\":\"v\",\"site\":null,\"id\":null,\"time\":null,\"visitor\":\"\",\"value\":null,\"props\":null}");
	assert_str(ev.site, "default");
	assert_int_equal(ev.id.len, UUID_TEXT);
	assert_true(ev.time_us == FIXTURE_NOW);
	assert_str(ev.visitor, "v0");
	assert_int_equal(ev.user.len, 0);
	assert_int_equal(ev.has_value, 0);
	assert_int_equal(ev.nprops, 0);
}

static void type_is_an_alias_of_name(void **state)
{
	(void)state;
	assert_taken("{\"type\":\"view\"}");
	assert_str(ev.name, "view");
	assert_props("{\"type\":\"b\",\"name\":\"a\"}", "{\"type\":\"b\"}");
	assert_str(ev.name, "a");
	assert_props("{\"name\":null,\"type\":\"b\"}", "{}");
	assert_str(ev.name, "b");
}

static void other_fields_become_props(void **state)
{
	(void)state;
	assert_props("{\"item\":\"top\",\"n\":1.50e1,\"name\":\"v\",\"yes\":true,\"no\":null,\"host\":\"web1\",\"\":0}",
		"{\"item\":\"top\",\"n\":1.50e1,\"yes\":true,\"host\":\"web1\",\"\":0}");
	assert_props("{\"item\":\"top\",\"name\":\"v\",\"props\":{\"item\":\"own\",\"x\":null},\"x\":1}",
		"{\"item\":\"own\",\"x\":1}");
}

static void the_last_of_a_repeated_key_counts(void **state)
{
	(void)state;
	assert_taken("{\"name\":\"a\",\"name\":\"b\",\"value\":1,\"value\":2,\"visitor\":\"x\",\"visitor\":null}");
	assert_str(ev.name, "b");
	assert_true(ev.value == 2);
	assert_str(ev.visitor, "v0");
	assert_props("{\"name\":\"a\",\"props\":{\"x\":1},\"props\":{\"y\":1,\"y\":2}}", "{\"y\":2}");
	assert_props("{\"name\":\"a\",\"x\":1,\"y\":1,\"x\":null}", "{\"y\":1}");
	assert_props(
		"{\"name\":\"a\",\"props\":{\"x\":1,\"y\":2,\"x\":null,\"z\":3,\"y\":\"q\"}}", "{\"y\":\"q\",\"z\":3}");
}

static void times_come_in_four_units(void **state)
{
	(void)state;
	assert_time("1767225600", FIXTURE_NOW);
	assert_time("1767225600.25", FIXTURE_NOW + 250000);
	assert_time("1767225600.123456", FIXTURE_NOW + 123456);
	assert_time("1767225600123", FIXTURE_NOW + 123000);
	assert_time("1767225600123.5", FIXTURE_NOW + 123500);
	assert_time("1767225600123456", FIXTURE_NOW + 123456);
	assert_time("0", 0);
	assert_time("-1", -1000000);
	assert_time("99999999999", INT64_C(99999999999000000));
	assert_time("100000000000", INT64_C(100000000000000));
	assert_time("99999999999999", INT64_C(99999999999999000));
	assert_time("100000000000000", INT64_C(100000000000000));
	assert_time("1.7672256e9", FIXTURE_NOW);
	assert_time("\"2026-01-01T01:30:00.000001+01:30\"", FIXTURE_NOW + 1);
	assert_rejected("{\"name\":\"v\",\"time\":\"2026-01-01T00:00:00\"}", "invalid_time", "time");
	assert_rejected("{\"name\":\"v\",\"time\":\"\"}", "invalid_time", "time");
	assert_rejected("{\"name\":\"v\",\"time\":\"yesterday\"}", "invalid_time", "time");
	assert_rejected("{\"name\":\"v\",\"time\":true}", "invalid_type", "time");
	assert_rejected("{\"name\":\"v\",\"site\":\"open\",\"time\":1e300}", "time_out_of_range", "time");
	assert_rejected("{\"name\":\"v\",\"site\":\"open\",\"time\":1e999}", "time_out_of_range", "time");
	assert_rejected("{\"name\":\"v\",\"site\":\"open\",\"time\":253402300800000000}", "time_out_of_range", "time");
}

static void a_site_has_a_window(void **state)
{
	(void)state;
	assert_taken("{\"name\":\"v\",\"site\":\"strict\",\"time\":\"2025-12-31T23:00:00Z\"}");
	assert_rejected("{\"name\":\"v\",\"site\":\"strict\",\"time\":\"2025-12-31T22:59:59.999999Z\"}",
		"time_out_of_range", "time");
	assert_taken("{\"name\":\"v\",\"time\":\"1970-01-01T00:00:00Z\"}");
	assert_taken("{\"name\":\"v\",\"time\":\"2026-01-01T00:10:00Z\"}");
	assert_rejected("{\"name\":\"v\",\"time\":\"2026-01-01T00:10:00.000001Z\"}", "time_out_of_range", "time");
	assert_rejected(
		"{\"time\":\"1970-01-01T00:00:00Z\",\"name\":\"v\",\"site\":\"strict\"}", "time_out_of_range", "time");
}

static void ids_may_be_numbers_and_names_not(void **state)
{
	(void)state;
	assert_taken("{\"name\":\"v\",\"id\":12,\"visitor\":1.50,\"user\":-3e2}");
	assert_str(ev.id, "12");
	assert_str(ev.visitor, "1.50");
	assert_str(ev.user, "-3e2");
	assert_rejected("{\"name\":1}", "invalid_type", "name");
	assert_rejected("{\"name\":\"v\",\"site\":1}", "invalid_type", "site");
	assert_rejected("{\"name\":\"v\",\"page\":1}", "invalid_type", "page");
	assert_rejected("{\"name\":\"v\",\"visitor\":true}", "invalid_type", "visitor");
	assert_rejected("{\"name\":\"v\",\"value\":\"1\"}", "invalid_type", "value");
	assert_rejected("{\"name\":\"v\",\"props\":[1]}", "invalid_type", "props");
	assert_rejected("{\"name\":\"v\",\"props\":{\"a\":{}}}", "invalid_type", "props.a");
	assert_rejected("{\"name\":\"v\",\"extra\":[1]}", "invalid_type", "props.extra");
	assert_rejected("{\"name\":\"v\",\"value\":1e999}", "number_out_of_range", "value");
	assert_rejected("{\"name\":\"v\",\"x\":-1e999}", "number_out_of_range", "props.x");
}

static void urls_give_host_page_and_campaign(void **state)
{
	(void)state;
	assert_props("{\"name\":\"v\",\"url\":\"https://me:pw@Shop.Example:8443/b%20c?utm_source=a%20b+c&x=1"
		     "&utm_medium=%ff&utm_source=2&utm_term=#utm_id=1\"}",
		"{\"utm_source\":\"a b c\",\"utm_medium\":\"%ff\"}");
	assert_str(ev.host, "shop.example");
	assert_str(ev.page, "/b%20c");
	assert_props("{\"url\":\"http://h.example?utm_source=u\",\"utm_source\":\"top\",\"name\":\"v\",\"page\":\"P\"}",
		"{\"utm_source\":\"top\"}");
	assert_str(ev.host, "h.example");
	assert_str(ev.page, "P");
	assert_taken("{\"name\":\"v\",\"url\":\"http://[::1]:80\"}");
	assert_str(ev.host, "[::1]");
	assert_str(ev.page, "/");
	assert_taken("{\"name\":\"v\",\"url\":\"/only/path?q\"}");
	assert_str(ev.host, "");
	assert_str(ev.page, "/only/path");
	assert_taken("{\"name\":\"v\",\"url\":\"//h/\"}");
	assert_str(ev.host, "h");
	assert_taken("{\"name\":\"v\",\"page\":\"https://x.example/p?utm_source=a\"}");
	assert_str(ev.page, "https://x.example/p?utm_source=a");
	assert_str(ev.host, "");
	assert_int_equal(ev.nprops, 0);
}

static void fields_can_be_renamed_by_a_map(void **state)
{
	(void)state;
	const struct event_map map[] = { { STR("name"), STR("action") }, { STR("visitor"), STR("uid") },
		{ STR("time"), STR("ts") }, { STR("props.item"), STR("product_id") } };
	cx.map = map;
	cx.nmap = 4;
	assert_props(
		"{\"action\":\"buy\",\"uid\":7,\"ts\":1767225600123,\"product_id\":9,\"name\":\"Bob\",\"type\":\"t\","
		"\"page\":\"/p\"}",
		"{\"item\":9,\"name\":\"Bob\",\"type\":\"t\"}");
	assert_str(ev.name, "buy");
	assert_str(ev.visitor, "7");
	assert_str(ev.page, "/p");
	assert_true(ev.time_us == FIXTURE_NOW + 123000);
	assert_rejected("{\"name\":\"view\"}", "missing_name", "name");
	assert_props("{\"action\":\"a\",\"product_id\":1,\"props\":{\"item\":2}}", "{\"item\":2}");
	assert_true(event_map_field_known(STR("props.x")));
	assert_true(event_map_field_known(STR("referrer")));
	assert_false(event_map_field_known(STR("props.")));
	assert_false(event_map_field_known(STR("nam")));
}

static void limits_hold_to_the_byte(void **state)
{
	(void)state;
	static const struct {
		const char *before, *after, *field;
		int max;
	} rows[] = {
		{ "{\"name\":\"", "\"}", "name", 128 },
		{ "{\"name\":\"v\",\"site\":\"", "\"}", "site", 128 },
		{ "{\"name\":\"v\",\"id\":\"", "\"}", "id", 128 },
		{ "{\"name\":\"v\",\"visitor\":\"", "\"}", "visitor", 128 },
		{ "{\"name\":\"v\",\"user\":\"", "\"}", "user", 128 },
		{ "{\"name\":\"v\",\"page\":\"", "\"}", "page", 2048 },
		{ "{\"name\":\"v\",\"url\":\"", "\"}", "url", 2048 },
		{ "{\"name\":\"v\",\"referrer\":\"", "\"}", "referrer", 2048 },
		{ "{\"name\":\"v\",\"props\":{\"k\":\"", "\"}}", "props.k", 4096 },
		{ "{\"name\":\"v\",\"k\":\"", "\"}", "props.k", 4096 },
		{ "{\"name\":\"v\",\"value\":1", "}", "value", 4095 },
	};
	char text[4100];
	memset(text, '0', sizeof text);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *fits = arena_printf(&arena, "%s%.*s%s", rows[i].before, rows[i].max, text, rows[i].after);
		const char *over =
			arena_printf(&arena, "%s%.*s%s", rows[i].before, rows[i].max + 1, text, rows[i].after);
		if (strcmp(rows[i].field, "value") == 0)
			assert_rejected(fits, "number_out_of_range", "value");
		else
			assert_taken(fits);
		assert_rejected(over, "too_long", rows[i].field);
	}
}

static void props_are_counted(void **state)
{
	(void)state;
	char json[4096];
	int n = snprintf(json, sizeof json, "{\"name\":\"v\",\"props\":{");
	for (int i = 0; i < 64; i++)
		n += snprintf(json + n, sizeof json - (size_t)n, "%s\"key%d\":%d", i ? "," : "", i, i);
	const char *full = arena_printf(&arena, "%s},\"key5\":1}", json);
	assert_taken(full);
	assert_int_equal(ev.nprops, 64);
	assert_rejected(arena_printf(&arena, "%s,\"one\":1}}", json), "too_many_props", "props");
	assert_rejected(arena_printf(&arena, "%s},\"one\":1}", json), "too_many_props", "props");
	assert_taken(arena_printf(&arena, "%s},\"url\":\"http://h/?utm_source=a\"}", json));
	assert_int_equal(ev.nprops, 64);
	memset(json, 'k', 65);
	assert_taken(arena_printf(&arena, "{\"name\":\"v\",\"%.64s\":1}", json));
	assert_rejected(arena_printf(&arena, "{\"name\":\"v\",\"%.65s\":1}", json), "too_long",
		arena_printf(&arena, "props.%.64s", json));
}

static void what_is_no_event_is_rejected(void **state)
{
	(void)state;
	assert_rejected("{}", "missing_name", "name");
	assert_rejected("{\"name\":\"\"}", "missing_name", "name");
	assert_rejected("[]", "not_an_object", "");
	assert_rejected("\"v\"", "not_an_object", "");
	assert_rejected("", "invalid_json", "");
	assert_rejected("{\"name\":\"v\"", "invalid_json", "");
	assert_rejected("{\"name\":\"v\"} {}", "invalid_json", "");
	assert_rejected("{\"name\":\"a\\u0000\"}", "control_character", "name");
	assert_rejected("{\"name\":\"a\x7f\"}", "control_character", "name");
	assert_rejected("{\"name\":\"a\xc2\x85\"}", "control_character", "name");
	assert_taken("{\"name\":\"a\xc2\xa0 \"}");
	assert_rejected("{\"name\":\"\xff\"}", "invalid_utf8", "");
	assert_rejected("{\"name\":\"\\ud800\"}", "invalid_utf8", "");
	cx.limits.event_bytes = 20;
	assert_taken("{\"name\":\"012345678\"} ");
	assert_rejected("{\"name\":\"0123456789\"}", "event_too_large", "");
	cx.limits.depth = 1;
	assert_rejected("{\"name\":\"a\",\"props\":{}}", "too_deep", "");
}

static void cloud_events_bring_their_envelope(void **state)
{
	(void)state;
	assert_props("{\"specversion\":\"1.0\",\"id\":\"A-1\",\"source\":\"/shop\",\"type\":\"order.created\","
		     "\"data\":{\"visitor\":\"v9\",\"value\":2,\"id\":77,\"name\":\"Bob\",\"props\":{\"k\":\"v\"}},"
		     "\"time\":\"2025-12-31T00:00:00Z\",\"datacontenttype\":\"application/json\",\"subject\":\"s\"}",
		"{\"k\":\"v\",\"source\":\"/shop\",\"subject\":\"s\",\"id\":77,\"name\":\"Bob\"}");
	assert_str(ev.name, "order.created");
	assert_str(ev.id, "A-1");
	assert_str(ev.visitor, "v9");
	assert_true(ev.value == 2);
	assert_true(ev.time_us == FIXTURE_NOW - 24 * FIXTURE_HOUR);
	assert_rejected("{\"name\":\"v\",\"data\":{\"a\":1}}", "invalid_type", "data");
	assert_props("{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":\"text\"}", "{\"data\":\"text\"}");
	assert_rejected("{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":{\"x\":{}}}", "invalid_type", "props.x");
}

static void cloud_events_come_in_headers_too(void **state)
{
	(void)state;
	const struct event_attribute heads[] = { { STR("SpecVersion"), STR("1.0") },
		{ STR("Type"), STR("order%20placed%22") }, { STR("id"), STR("A-1") }, { STR("source"), STR("/s?a+b") },
		{ STR("data"), STR("x") } };
	assert_int_equal(event_read_cloud(&cx, &arena, heads, 5, STR(" {\"value\":3,\"k\":\"v\"} "), &ev, &err), 0);
	assert_str(ev.name, "order placed\"");
	assert_str(ev.id, "A-1");
	assert_true(ev.value == 3);
	assert_str(event_props_json(&ev, &arena), "{\"source\":\"/s?a+b\",\"k\":\"v\"}");
	assert_int_equal(event_read_cloud(&cx, &arena, heads, 5, STR("},{ \"x\""), &ev, &err), 0);
	assert_str(event_props_json(&ev, &arena), "{\"source\":\"/s?a+b\",\"data\":\"},{ \\\"x\\\"\"}");
	assert_int_equal(event_read_cloud(&cx, &arena, heads, 5, STR(""), &ev, &err), 0);
	assert_int_equal(event_read_cloud(&cx, &arena, heads, 5, STR("\xff"), &ev, &err), -EINVAL);
	assert_string_equal(err.code, "invalid_utf8");
	assert_int_equal(event_read_cloud(&cx, &arena, heads, 5, STR("[1]"), &ev, &err), -EINVAL);
	assert_string_equal(err.field, "props.data");
}

static void json_of_an_event_reads_as_that_event(void **state)
{
	(void)state;
	struct tally_event first;
	assert_taken(
		"{\"name\":\"b\\u2028\\u00e4\",\"id\":\"i\",\"time\":1767225600.000001,\"url\":\"https://H.example/p?utm_source=q\","
		"\"user\":\"\\\"\\\\\\n\",\"value\":1.0e2,\"n\":-0.0,\"t\":true}");
	first = ev;
	struct tally_str json = event_to_json(&first, &arena);
	assert_taken(arena_copy(&arena, json.ptr, json.len));
	assert_true(ev.time_us == first.time_us);
	assert_str(ev.host, "h.example");
	assert_str(event_to_json(&ev, &arena), arena_copy(&arena, json.ptr, json.len));
	assert_str(json, "{\"name\":\"b\\u2028\xc3\xa4\",\"site\":\"default\",\"id\":\"i\","
			 "\"time\":\"2026-01-01T00:00:00.000001Z\",\"visitor\":\"v0\",\"user\":\"\\\"\\\\\\n\","
			 "\"url\":\"//h.example\",\"page\":\"/p\",\"value\":1.0e2,"
			 "\"props\":{\"n\":-0.0,\"t\":true,\"utm_source\":\"q\"}}");
}

static void events_made_otherwise_meet_the_same_rules(void **state)
{
	(void)state;
	struct tally_prop prop = { .key = STR("k"), .text = STR("v") };
	ev = (struct tally_event){
		.name = STR("v"), .time_us = EVENT_NO_TIME, .props = &prop, .nprops = 1, .has_value = 1, .value = 2.5
	};
	assert_int_equal(event_check(&cx, &arena, &ev, &err), 0);
	assert_str(ev.site, "default");
	assert_str(ev.value_text, "2.5");
	assert_true(ev.time_us == FIXTURE_NOW);
	assert_int_equal(ev.weight, 1);
	ev.page = STR("\xff");
	assert_int_equal(event_check(&cx, &arena, &ev, &err), -EINVAL);
	assert_string_equal(err.field, "page");
	ev.page = STR("");
	prop.text = STR("\xc0\x80");
	assert_int_equal(event_check(&cx, &arena, &ev, &err), -EINVAL);
	assert_string_equal(err.code, "invalid_utf8");
	prop.text = STR("1x");
	prop.type = TALLY_PROP_NUMBER;
	assert_int_equal(event_check(&cx, &arena, &ev, &err), -EINVAL);
	assert_string_equal(err.field, "props.k");
}

static int set_up(void **state)
{
	(void)state;
	cx = fixture_context();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_field_has_its_place),
		TEST(what_is_absent_gets_its_default),
		TEST(type_is_an_alias_of_name),
		TEST(other_fields_become_props),
		TEST(the_last_of_a_repeated_key_counts),
		TEST(times_come_in_four_units),
		TEST(a_site_has_a_window),
		TEST(ids_may_be_numbers_and_names_not),
		TEST(urls_give_host_page_and_campaign),
		TEST(fields_can_be_renamed_by_a_map),
		TEST(limits_hold_to_the_byte),
		TEST(props_are_counted),
		TEST(what_is_no_event_is_rejected),
		TEST(cloud_events_bring_their_envelope),
		TEST(cloud_events_come_in_headers_too),
		TEST(json_of_an_event_reads_as_that_event),
		TEST(events_made_otherwise_meet_the_same_rules),
	};
	arena_init(&arena, 0);
	int failed = RUN_TESTS("event_read", tests);
	arena_free(&arena);
	return failed;
}
