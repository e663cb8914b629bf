/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event_fixture.h"
#include "text/write.h"
#include "unit.h"

static struct arena arena;
static struct event_context cx;
static struct event_error err;
static struct text_out seen; /* name of each event, or !code of each refused */

static int keep(void *arg, size_t index, struct tally_event *ev, const struct event_error *why)
{
	size_t *n = arg;
	assert_int_equal(index, (*n)++);
	assert_true((ev == NULL) != (why == NULL));
	if (ev)
		text_put(&seen, ev->name);
	else
		text_printf(&seen, "!%s", why->code);
	text_put_char(&seen, ' ');
	return ev && str_eq(ev->name, STR("stop")) ? 7 : 0;
}

static int read_body(struct tally_str body)
{
	size_t n = 0;
	char *exact = malloc(body.len ? body.len : 1);
	memcpy(exact, body.ptr, body.len);
	text_open(&seen, &arena, 64);
	int rc = event_read_body(&cx, &arena, str_make(exact, body.len), keep, &n, &err);
	free(exact);
	return rc;
}

static void assert_body(const char *body, const char *want)
{
	int rc = read_body(str_of(body));
	if (rc || !str_eq(text_done(&seen), str_of(want)))
		fail_msg("%s: %d (%s), %.*s, not %s", body, rc, err.message, (int)seen.len, seen.ptr, want);
}

static void assert_broken(const char *body, const char *code)
{
	int rc = read_body(str_of(body));
	if (rc != -EINVAL)
		fail_msg("%s: %d, %.*s", body, rc, (int)seen.len, seen.ptr);
	assert_string_equal(err.code, code);
	assert_true(err.message[0] != 0);
}

#define A "{\"name\":\"a\"}"
#define B "{\"name\":\"b\"}"

static void one_object_is_one_event(void **state)
{
	(void)state;
	assert_body(A, "a ");
	assert_body("  \r\n" A "\n\n", "a ");
	assert_body("\xef\xbb\xbf" A, "a ");
	assert_body("{\n  \"name\": \"a\",\n  \"props\": {\n    \"x\": 1\n  }\n}\n", "a ");
	assert_body("{\"props\":\n{\n\"x\":\n1},\n\"name\":\"a\"}", "a ");
	assert_body("{}", "!missing_name ");
	assert_body("12", "!not_an_object ");
	assert_body("{\"name\":\"\xff\"}", "!invalid_utf8 ");
}

static void an_array_holds_events(void **state)
{
	(void)state;
	assert_body("[]", "");
	assert_body(" [ " A " , " B " ] ", "a b ");
	assert_body("[\n" A ",\n" B "\n]\n", "a b ");
	assert_body("[1,\"x\"," A ",[" A "],null," B "]",
		"!not_an_object !not_an_object a !not_an_object !not_an_object b ");
}

/* Refused in the middle of the event, with brackets open and text to come. */
static void a_refused_event_does_not_spoil_its_neighbours(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "{\"name\":1,\"props\":{\"]\":[{}]}}", "!invalid_type" },
		{ "{\"props\":{\"a\":1,\"b\":{\"c\":[1,2]}},\"name\":\"x\"}", "!invalid_type" },
		{ "{\"name\":\"\\ud800\",\"x\":[]}", "!invalid_utf8" },
		{ "{\"name\":\"\xc0\x80\",\"x\":{}}", "!invalid_utf8" },
		{ "{\"\xff\":1}", "!invalid_utf8" },
		{ "{\"name\":\"x\",\"data\":{\"a\":[[[[[[]]]]]]}}", "!too_deep" },
		{ "{\"name\":\"x\",\"value\":1e999,\"y\":{}}", "!number_out_of_range" },
		{ "{\"name\":\"x\",\"time\":\"soon\",\"data\":{}}", "!invalid_time" },
		{ "{\"name\":\"x\",\"data\":{\"a\":{\"b\":1}}}", "!invalid_type" },
		{ "{\"visitor\":\"a long enough text to break the limit of the event here\",\"name\":\"x\"}",
			"!event_too_large" },
		{ "{}", "!missing_name" },
	};
	cx.limits.depth = 4;
	cx.limits.event_bytes = 60;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *want = arena_printf(&arena, "a %s b ", rows[i][1]);
		assert_body(arena_printf(&arena, "[" A ",%s," B "]", rows[i][0]), want);
		assert_body(arena_printf(&arena, A "\n%s\n" B, rows[i][0]), want);
	}
}

static void lines_stand_for_themselves(void **state)
{
	(void)state;
	assert_body(A "\n" B "\n", "a b ");
	assert_body(A "\r\n\r\n  \r\n" B, "a b ");
	assert_body(A "\n  " B, "a b ");
	assert_body(A "\n{\"name\":\n" B "\n", "a !invalid_json b ");
	assert_body("{\"name\":\"x\n" B "\n", "!invalid_json b ");
	assert_body("garbage\n" B "\n", "!invalid_json b ");
	assert_body(A " " A "\n" B, "!invalid_json b ");
	assert_body(A "\n[" B "]\nnull", "a !not_an_object !not_an_object ");
	assert_body("{}\n" B, "!missing_name b ");
}

static void broken_bodies_are_no_events(void **state)
{
	(void)state;
	assert_broken("", "invalid_json");
	assert_broken(" \n", "invalid_json");
	assert_broken("garbage", "invalid_json");
	assert_broken("garbage\nmore\n", "invalid_json");
	assert_broken("{\"name\":\"a\"", "invalid_json");
	assert_broken("{\n  \"name\": \"a\",\n}", "invalid_json");
	assert_broken(A B, "invalid_json");
	assert_broken("[" A, "invalid_json");
	assert_broken("[" A ",]", "invalid_json");
	assert_broken("[" A " " B "]", "invalid_json");
	assert_broken("[" A "]" A, "invalid_json");
	assert_broken("[{\"name\":1,}]", "invalid_json");
	assert_broken("[{\"name\":\"\xff\"]", "invalid_json");
	char deep[2200];
	memset(deep, '[', sizeof deep - 1);
	deep[sizeof deep - 1] = 0;
	assert_broken(deep, "too_deep");
}

static void errors_name_the_byte_in_the_body(void **state)
{
	(void)state;
	assert_broken("[" A ",{\"name\":1, oops}]", "invalid_json");
	assert_non_null(strstr(err.message, "byte 26)"));
}

static void events_are_counted_and_may_be_too_many(void **state)
{
	(void)state;
	cx.limits.max_events = 2;
	assert_body("[" A "," B "]", "a b ");
	assert_int_equal(read_body(STR("[" A "," B "," B "]")), -E2BIG);
	assert_string_equal(err.code, "too_many_events");
	assert_body(A "\n" B "\n\n", "a b ");
	assert_int_equal(read_body(STR(A "\n" B "\n{}")), -E2BIG);
	cx.limits.max_events = 0;
	assert_int_equal(read_body(STR(A)), -E2BIG);
}

static void the_caller_can_stop(void **state)
{
	(void)state;
	assert_int_equal(read_body(STR("[" A ",{\"name\":\"stop\"}," B "]")), 7);
	assert_true(str_eq(text_done(&seen), STR("a stop ")));
	assert_int_equal(read_body(STR(A "\n{\"name\":\"stop\"}\n" B)), 7);
	assert_int_equal(read_body(STR("{\"name\":\"stop\"}")), 7);
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
		TEST(one_object_is_one_event),
		TEST(an_array_holds_events),
		TEST(a_refused_event_does_not_spoil_its_neighbours),
		TEST(lines_stand_for_themselves),
		TEST(broken_bodies_are_no_events),
		TEST(errors_name_the_byte_in_the_body),
		TEST(events_are_counted_and_may_be_too_many),
		TEST(the_caller_can_stop),
	};
	arena_init(&arena, 0);
	int failed = RUN_TESTS("event_body", tests);
	arena_free(&arena);
	return failed;
}
