/* SPDX-License-Identifier: Apache-2.0 */
/* Real events and the big list of naughty strings, from JSON to the spool and back. */
#include <jansson.h>

#include "data.h"
#include "event_fixture.h"
#include "text/utf8.h"
#include "text/write.h"
#include "unit.h"

#define STRINGS "suites/strings/blns.txt"
#define CHUNK (512 * 1024)

static struct arena arena;
static struct event_context cx;

static const struct event_site *any_time(void *arg, struct tally_str name)
{
	(void)name;
	return fixture_site(arg, STR("open"));
}

struct tally_of {
	size_t events, rejected;
	int64_t first_us, last_us;
	char first_problem[200];
};

static void assert_survives_the_spool(const struct tally_event *ev)
{
	size_t bytes = event_spool_bytes(ev);
	void *form = malloc(bytes);
	struct tally_event back;
	assert_int_equal(event_encode(ev, form), bytes);
	assert_int_equal(event_decode(form, bytes, &arena, &back), bytes);
	assert_true(str_eq(event_to_json(ev, &arena), event_to_json(&back, &arena)));
	free(form);
}

static int count(void *arg, size_t index, struct tally_event *ev, const struct event_error *err)
{
	struct tally_of *t = arg;
	t->events++;
	if (!ev) {
		t->rejected++;
		snprintf(t->first_problem, sizeof t->first_problem, "%zu: %s", index, err->message);
		return 0;
	}
	t->first_us = ev->time_us < t->first_us ? ev->time_us : t->first_us;
	t->last_us = ev->time_us > t->last_us ? ev->time_us : t->last_us;
	if (t->events % 37 == 0)
		assert_survives_the_spool(ev);
	return 0;
}

static void read_all(const char *bytes, size_t len, struct tally_of *t)
{
	struct event_error err;
	for (size_t at = 0; at < len;) {
		size_t n = len - at;
		if (n > CHUNK)
			for (n = CHUNK; bytes[at + n - 1] != '\n';)
				n--;
		assert_int_equal(event_read_body(&cx, &arena, str_make(bytes + at, n), count, t, &err), 0);
		arena_reset(&arena);
		at += n;
	}
}

static void check_file(const char *name, json_t *truth)
{
	struct tally_of t = { .first_us = INT64_MAX, .last_us = INT64_MIN };
	char path[64];
	size_t len = 0;
	snprintf(path, sizeof path, "%s.events.ndjson.zst", name);
	char *bytes = data_read_zst(data_path(path), &len);
	assert_non_null(bytes);
	read_all(bytes, len, &t);
	free(bytes);
	if (t.rejected)
		fail_msg("%s: %zu rejected, one at %s", name, t.rejected, t.first_problem);
	assert_int_equal(t.events, json_integer_value(json_object_get(truth, "events")));
	assert_int_equal(t.first_us / 1000, json_integer_value(json_object_get(truth, "first_ms")));
	assert_int_equal(t.last_us / 1000, json_integer_value(json_object_get(truth, "last_ms")));
}

/* The truth files come with the data, counted by others. */
static void real_events_are_all_taken(void **state)
{
	(void)state;
	static const char *const names[] = { "wikiticker", "rees46", "email_eu" };
	char path[64];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s.truth.json", names[i]);
		json_t *truth = json_load_file(data_path(path), 0, NULL);
		assert_non_null(truth);
		check_file(names[i], truth);
		json_decref(truth);
	}
}

static const char *const fields[] = { "name", "visitor", "page", "prop", "key" };

static struct tally_str json_with(const char *field, struct tally_str s)
{
	struct text_out o;
	text_open(&o, &arena, 64);
	text_json_begin(&o, '{');
	if (strcmp(field, "name") != 0)
		text_json_member_string(&o, "name", STR("view"));
	if (strcmp(field, "prop") == 0 || strcmp(field, "key") == 0) {
		bool is_key = strcmp(field, "key") == 0;
		text_json_key(&o, STR("props"));
		text_json_begin(&o, '{');
		text_json_key(&o, is_key ? s : STR("prop"));
		text_json_string(&o, is_key ? STR("x") : s);
		text_json_end(&o, '}');
	} else {
		text_json_member_string(&o, field, s);
	}
	text_json_end(&o, '}');
	return text_done(&o);
}

/* What jansson finds in the field of the JSON that came out. */
static void assert_holds(struct tally_str json, const char *field, struct tally_str want)
{
	json_t *j = json_loadb(json.ptr, json.len, JSON_ALLOW_NUL, NULL), *props = json_object_get(j, "props");
	struct tally_str got;
	assert_non_null(j);
	if (strcmp(field, "key") == 0) {
		got = str_of(json_object_iter_key(json_object_iter(props)));
	} else {
		json_t *v = json_object_get(strcmp(field, "prop") == 0 ? props : j, field);
		got = str_make(json_string_value(v), json_string_length(v));
	}
	if (!str_eq(got, want))
		fail_msg("%s: '%.*s' came back as '%.*s'", field, (int)want.len, want.ptr, (int)got.len, got.ptr);
	json_decref(j);
}

static void check_string(struct tally_str s, unsigned *taken, unsigned *refused)
{
	struct tally_event ev, back;
	struct event_error err;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (event_read_json(&cx, &arena, json_with(fields[i], s), &ev, &err)) {
			bool known = strcmp(err.code, "control_character") == 0 || strcmp(err.code, "too_long") == 0;
			if (!known)
				fail_msg("%s '%.*s': %s", fields[i], (int)s.len, s.ptr, err.message);
			++*refused;
			continue;
		}
		void *form = arena_alloc(&arena, event_spool_bytes(&ev));
		int64_t bytes = (int64_t)event_encode(&ev, form);
		assert_int_equal(event_decode(form, (size_t)bytes, &arena, &back), bytes);
		assert_holds(event_to_json(&back, &arena), fields[i], s);
		++*taken;
	}
	arena_reset(&arena);
}

static void naughty_strings_come_back_byte_for_byte(void **state)
{
	(void)state;
	size_t len = 0;
	unsigned taken = 0, refused = 0, not_utf8 = 0;
	char *bytes = data_read(data_path(STRINGS), &len), *end = bytes + len;
	assert_non_null(bytes);
	for (char *p = bytes; p < end;) {
		char *stop = memchr(p, '\n', (size_t)(end - p));
		struct tally_str s = str_make(p, (size_t)((stop ? stop : end) - p));
		p += s.len + 1;
		if (s.len == 0 || s.ptr[0] == '#')
			continue;
		if (utf8_valid(s))
			check_string(s, &taken, &refused);
		else
			not_utf8++;
	}
	free(bytes);
	print_message("%u taken, %u refused, %u lines are not UTF-8\n", taken, refused, not_utf8);
	assert_true(taken > 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_events_are_all_taken),
		cmocka_unit_test(naughty_strings_come_back_byte_for_byte),
	};
	if (data_missing("test_event_data", STRINGS))
		return TEST_SKIPPED;
	cx = fixture_context();
	cx.site = any_time;
	arena_init(&arena, 1 << 20);
	int failed = RUN_TESTS("event_data", tests);
	arena_free(&arena);
	return failed;
}
