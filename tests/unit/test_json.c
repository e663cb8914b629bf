/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/json.h"
#include "unit.h"

static struct arena arena;
static struct json reader;

/* 0 if the text is one JSON value nested at most 32 deep. */
static int check(struct tally_str text)
{
	json_open(&reader, &arena, text, 32);
	if (json_skip(&reader))
		return -EINVAL;
	return json_end(&reader);
}

/* The one string in the text, read in a buffer of exactly its size, so that reading past it is caught. */
static struct tally_str read_string(struct tally_str text)
{
	char *exact = malloc(text.len ? text.len : 1);
	struct json_value v;
	memcpy(exact, text.ptr, text.len);
	json_open(&reader, &arena, str_make(exact, text.len), 1);
	if (json_value(&reader, &v) || json_end(&reader))
		v.text = str_make(NULL, 0);
	v.text = v.text.ptr ? arena_str(&arena, v.text) : v.text;
	free(exact);
	return v.text;
}

static void assert_reads(const char *json, struct tally_str want)
{
	struct tally_str got = read_string(str_of(json));
	if (!got.ptr || !str_eq(got, want))
		fail_msg("%s reads as '%.*s'", json, (int)got.len, got.ptr ? got.ptr : "(refused)");
}

static void assert_refused(const char *json, const char *code, size_t offset)
{
	assert_int_equal(check(str_of(json)), -EINVAL);
	assert_string_equal(reader.code, code);
	if (reader.offset != offset)
		fail_msg("%s: refused at %zu, not %zu", json, reader.offset, offset);
}

static void strings_are_slices_unless_escaped(void **state)
{
	(void)state;
	struct json_value v;
	struct tally_str text = STR("\"plain and long enough for a whole vector\"");
	json_open(&reader, &arena, text, 1);
	assert_int_equal(json_value(&reader, &v), 0);
	assert_ptr_equal(v.text.ptr, text.ptr + 1);
	assert_reads("\"\"", STR(""));
	assert_reads("\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"", STR("a\"b\\c/d\b\f\n\r\t"));
	assert_reads("\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\\uD83D\\uDE00\"",
		STR("A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf0\x9f\x98\x80"));
	assert_reads("\"\\u0000\"", STR("\0"));
	assert_reads("\"grün, дa, 日本, 😀 and then some more\"", STR("grün, дa, 日本, 😀 and then some more"));
}

/* Whatever the place of the byte in a vector of 16, before or behind it. */
static void a_quote_ends_the_string_at_every_place(void **state)
{
	(void)state;
	char json[80], want[80];
	for (int n = 0; n < 50; n++) {
		snprintf(json, sizeof json, "\"%.*s\"", n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
		snprintf(want, sizeof want, "%.*s", n, json + 1);
		assert_reads(json, str_of(want));
		json[1 + n / 2] = '\x1f';
		if (n > 0)
			assert_null(read_string(str_of(json)).ptr);
		json[1 + n / 2] = '\xff';
		if (n > 0)
			assert_null(read_string(str_of(json)).ptr);
	}
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
	(void)state;
	assert_refused("", "invalid_json", 0);
	assert_refused("[1,]", "invalid_json", 3);
	assert_refused("[1 2]", "invalid_json", 3);
	assert_refused("{\"a\" 1}", "invalid_json", 5);
	assert_refused("{\"a\":1,}", "invalid_json", 7);
	assert_refused("{a:1}", "invalid_json", 1);
	assert_refused("[01]", "invalid_json", 2);
	assert_refused("[1.]", "invalid_json", 1);
	assert_refused("tru", "invalid_json", 0);
	assert_refused("\"a\nb\"", "invalid_json", 2);
	assert_refused("\"a", "invalid_json", 2);
	assert_refused("\"a\\x\"", "invalid_json", 2);
	assert_refused("\"a\\u12g4\"", "invalid_json", 2);
	assert_refused("[1] 2", "invalid_json", 4);
	assert_refused("\"ab\xc0\x80\"", "invalid_utf8", 3);
	assert_refused("\"\\ud800\"", "invalid_utf8", 1);
	assert_refused("\"\\udc00\\ud800\"", "invalid_utf8", 1);
	assert_refused("\"\\ud800\\u0041\"", "invalid_utf8", 1);
	assert_refused("\"\\ud800\\ud800\"", "invalid_utf8", 1);
	assert_refused("{\"\xed\xa0\x80\":1}", "invalid_utf8", 2);
}

static void depth_is_bounded_in_all_ways(void **state)
{
	(void)state;
	char deep[2 * 2000 + 1] = "";
	memset(deep, '[', 33);
	assert_int_equal(check(str_make(deep, 33)), -EINVAL);
	assert_string_equal(reader.code, "too_deep");
	assert_int_equal(reader.offset, 32);
	memset(deep + 32, ']', 32);
	assert_int_equal(check(str_make(deep, 64)), 0);
	memset(deep, '[', 2000);
	memset(deep + 2000, ']', 2000);
	json_open_lenient(&reader, str_make(deep, 4000));
	assert_int_equal(json_skip(&reader), -EINVAL);
	assert_string_equal(reader.code, "too_deep");
	json_open_lenient(&reader, str_make(deep + 2000 - JSON_DEPTH_MAX, 2 * JSON_DEPTH_MAX));
	assert_int_equal(json_skip(&reader), 0);
	assert_int_equal(json_end(&reader), 0);
}

static void brackets_of_both_kinds_are_skipped(void **state)
{
	(void)state;
	assert_int_equal(check(STR("[{\"a\":{}},[[1],{\"b\":[{}]},[2]],{\"c\":[]},[{},[]]]")), 0);
	assert_int_equal(check(STR("{\"a\":{\"b\":1},\"c\":[1,2],\"d\":{\"e\":[[],{}]}}")), 0);
	assert_int_equal(check(STR("{\"a\":{\"b\":1},\"c\":[1,\"d\":2]}")), -EINVAL);
	assert_int_equal(check(STR("[{\"a\":1],2}")), -EINVAL);
	assert_int_equal(check(STR("[[{},{\"a\"}]]")), -EINVAL);
}

static void lenient_readers_find_the_end_all_the_same(void **state)
{
	(void)state;
	struct tally_str text = STR("{\"a\":\"\xff\\ud800\"} rest");
	json_open_lenient(&reader, text);
	assert_int_equal(json_skip(&reader), 0);
	assert_ptr_equal(reader.at, text.ptr + text.len - 5);
	json_open_lenient(&reader, STR("\"\\x\""));
	assert_int_equal(json_skip(&reader), -EINVAL);
}

static void members_and_elements_come_in_order(void **state)
{
	(void)state;
	struct tally_str key;
	struct json_value v;
	json_open(&reader, &arena, STR(" { \"a\" : [ 1 , [ ] , {} ] , \"b\\u0063\" : -1.5e3 } "), 3);
	assert_int_equal(json_value(&reader, &v), 0);
	assert_int_equal(v.kind, JSON_OBJECT);
	assert_int_equal(json_member(&reader, &key), 1);
	assert_true(str_eq(key, STR("a")));
	assert_int_equal(json_value(&reader, &v), 0);
	assert_int_equal(v.kind, JSON_ARRAY);
	assert_int_equal(v.offset, 9);
	assert_int_equal(json_element(&reader), 1);
	assert_int_equal(json_value(&reader, &v), 0);
	assert_true(str_eq(v.text, STR("1")));
	assert_int_equal(json_element(&reader), 1);
	assert_int_equal(json_skip(&reader), 0);
	assert_int_equal(json_leave(&reader, JSON_ARRAY), 0);
	assert_int_equal(json_member(&reader, &key), 1);
	assert_true(str_eq(key, STR("bc")));
	assert_int_equal(json_value(&reader, &v), 0);
	assert_int_equal(v.kind, JSON_NUMBER);
	assert_true(str_eq(v.text, STR("-1.5e3")));
	assert_int_equal(json_member(&reader, &key), 0);
	assert_int_equal(json_end(&reader), 0);
}

static void a_failed_reader_stays_failed(void **state)
{
	(void)state;
	struct tally_str key;
	struct json_value v;
	json_open(&reader, &arena, STR("{\"a\":\x01, \"b\":2}"), 3);
	assert_int_equal(json_value(&reader, &v), 0);
	assert_int_equal(json_member(&reader, &key), 1);
	assert_int_equal(json_value(&reader, &v), -EINVAL);
	assert_int_equal(json_member(&reader, &key), -EINVAL);
	assert_int_equal(json_element(&reader), -EINVAL);
	assert_int_equal(json_skip(&reader), -EINVAL);
	assert_int_equal(json_end(&reader), -EINVAL);
	assert_int_equal(reader.offset, 5);
}

static int tear_down(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(strings_are_slices_unless_escaped, tear_down),
		cmocka_unit_test_teardown(a_quote_ends_the_string_at_every_place, tear_down),
		cmocka_unit_test_teardown(what_is_wrong_is_named_with_its_place, tear_down),
		cmocka_unit_test_teardown(depth_is_bounded_in_all_ways, tear_down),
		cmocka_unit_test_teardown(brackets_of_both_kinds_are_skipped, tear_down),
		cmocka_unit_test_teardown(lenient_readers_find_the_end_all_the_same, tear_down),
		cmocka_unit_test_teardown(members_and_elements_come_in_order, tear_down),
		cmocka_unit_test_teardown(a_failed_reader_stays_failed, tear_down),
	};
	arena_init(&arena, 0);
	int failed = RUN_TESTS("json", tests);
	arena_free(&arena);
	return failed;
}
