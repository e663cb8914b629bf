/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "text/utf8.h"
#include "text/write.h"
#include "unit.h"

static struct arena arena;
static struct text_out o;

static void assert_written(const char *want)
{
	struct tally_str got = text_done(&o);
	if (!str_eq(got, str_of(want)))
		fail_msg("%.*s, not %s", (int)got.len, got.ptr, want);
}

static void commas_stand_where_json_wants_them(void **state)
{
	(void)state;
	text_json_begin(&o, '{');
	text_json_member_string(&o, "a", STR("x"));
	text_json_key(&o, STR("b"));
	text_json_begin(&o, '[');
	text_json_begin(&o, '{');
	text_json_end(&o, '}');
	text_json_begin(&o, '[');
	text_json_end(&o, ']');
	text_json_int(&o, -5);
	text_json_uint(&o, UINT64_MAX);
	text_json_double(&o, 0.5);
	text_json_double(&o, NAN);
	text_json_double(&o, INFINITY);
	text_json_bool(&o, true);
	text_json_null(&o);
	text_json_raw(&o, STR("1.50"));
	text_json_end(&o, ']');
	text_json_member_int(&o, "c", 1);
	text_json_member_bool(&o, "d", false);
	text_json_member_double(&o, "e", 2);
	text_json_end(&o, '}');
	assert_written("{\"a\":\"x\",\"b\":[{},[],-5,18446744073709551615,0.5,null,null,true,null,1.50],"
		       "\"c\":1,\"d\":false,\"e\":2}");
}

static void what_breaks_json_logs_or_scripts_is_escaped(void **state)
{
	(void)state;
	text_json_string(&o, STR("a\"b\\c/\b\f\n\r\t\0\x1f\x7f"));
	text_json_string(&o, STR("\xc2\x80\xc2\x9f\xc2\xa0\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"));
	assert_written("\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\","
		       "\"\\u0080\\u009f\xc2\xa0\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"");
}

/* jansson reads back what was written, for every character there is. */
static void every_character_reads_back(void **state)
{
	(void)state;
	char text[64 * 4];
	for (uint32_t cp = 0; cp < 0x110000; cp += 64) {
		size_t n = 0;
		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		for (uint32_t i = 0; i < 64; i++)
			n += utf8_put(cp + i, text + n);
		text_open(&o, &arena, 1);
		text_json_string(&o, str_make(text, n));
		json_t *read = json_loadb(o.ptr, o.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_non_null(read);
		assert_int_equal(json_string_length(read), n);
		assert_memory_equal(json_string_value(read), text, n);
		json_decref(read);
		arena_reset(&arena);
	}
}

static void the_buffer_grows_as_needed(void **state)
{
	(void)state;
	char want[3000];
	text_open(&o, &arena, 1);
	for (int i = 0; i < 1000; i++) {
		text_put_char(&o, 'a');
		text_printf(&o, "%s", i % 2 ? "bb" : "");
		text_put(&o, i % 2 ? STR("") : STR("cc"));
		memcpy(want + 3 * i, i % 2 ? "abb" : "acc", 3);
	}
	assert_int_equal(o.len, sizeof want);
	assert_memory_equal(o.ptr, want, sizeof want);
	text_open(&o, &arena, 4);
	text_printf(&o, "%0500d", 7);
	assert_int_equal(o.len, 500);
	assert_int_equal(o.ptr[499], '7');
}

static int set_up(void **state)
{
	(void)state;
	text_open(&o, &arena, 0);
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
		TEST(commas_stand_where_json_wants_them),
		TEST(what_breaks_json_logs_or_scripts_is_escaped),
		TEST(every_character_reads_back),
		TEST(the_buffer_grows_as_needed),
	};
	arena_init(&arena, 0);
	int failed = RUN_TESTS("write", tests);
	arena_free(&arena);
	return failed;
}
