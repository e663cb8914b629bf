/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "event_fixture.h"
#include "unit.h"

static struct arena arena;
static struct tally_event ev;
static char *form; /* exactly the encoded bytes */
static size_t form_bytes;

static const char *json = "{\"name\":\"buy\",\"site\":\"s\",\"id\":\"e1\",\"time\":\"2025-12-31T23:59:59.5Z\","
			  "\"visitor\":\"v1\",\"user\":\"u1\",\"url\":\"http://h.example/a\",\"referrer\":\"r\","
			  "\"value\":-12.50,\"props\":{\"item\":\"shoe\",\"n\":1.50,\"new\":true,\"e\":\"\"}}";

static void encode(void)
{
	form_bytes = event_spool_bytes(&ev);
	form = malloc(form_bytes);
	assert_int_equal(event_encode(&ev, form), form_bytes);
}

static int set_up(void **state)
{
	(void)state;
	struct event_context cx = fixture_context();
	struct event_error err;
	assert_int_equal(event_read_json(&cx, &arena, str_of(json), &ev, &err), 0);
	encode();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(form);
	arena_reset(&arena);
	return 0;
}

static void decoding_gives_the_event_back_in_place(void **state)
{
	(void)state;
	struct tally_event back;
	assert_int_equal(form_bytes % 8, 0);
	assert_int_equal(event_spool_skip(form, form_bytes), form_bytes);
	assert_int_equal(event_decode(form, form_bytes, &arena, &back), form_bytes);
	assert_true(str_eq(event_to_json(&back, &arena), event_to_json(&ev, &arena)));
	assert_true(back.value == ev.value && back.time_us == ev.time_us && back.weight == 1);
	assert_true(back.props[1].number == 1.5 && back.props[2].number == 1);
	assert_true(back.page.ptr > form && back.page.ptr < form + form_bytes);
	assert_int_equal(back.lsn, 0);
}

/* The first record ever written in this form; a reader must understand it for ever. */
static void form_1_stays_as_it_is(void **state)
{
	(void)state;
	static const unsigned char want[80] = { 80, 0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf8,
		0x3f, 2, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 'n', 's', 'i', 'p', '1', '.', '5', 'k', 't', 0, 0, 0, 0, 0, 0, 0 };
	struct tally_prop prop = { .key = STR("k"), .text = STR("t") };
	free(form);
	ev = (struct tally_event){ .name = STR("n"),
		.site = STR("s"),
		.id = STR("i"),
		.page = STR("p"),
		.time_us = 1,
		.has_value = 1,
		.value = 1.5,
		.value_text = STR("1.5"),
		.weight = 2,
		.props = &prop,
		.nprops = 1 };
	encode();
	assert_int_equal(form_bytes, sizeof want);
	assert_memory_equal(form, want, sizeof want);
	assert_int_equal(event_decode(want, sizeof want, &arena, &ev), sizeof want);
	assert_true(str_eq(ev.props[0].text, STR("t")));
}

static void cut_records_are_refused(void **state)
{
	(void)state;
	struct tally_event back;
	for (size_t len = 0; len < form_bytes; len++) {
		char *cut = malloc(len ? len : 1);
		memcpy(cut, form, len);
		assert_int_equal(event_decode(cut, len, &arena, &back), -EBADMSG);
		assert_int_equal(event_spool_skip(cut, len), -EBADMSG);
		free(cut);
	}
}

static void contradicting_lengths_are_refused(void **state)
{
	(void)state;
	struct tally_event back;
	for (size_t at = 0; at < 8; at++) { /* size, form, nprops; the flags carry no length */
		if (at == 5)
			continue;
		form[at] = (char)(form[at] ^ 0x10);
		assert_int_equal(event_decode(form, form_bytes, &arena, &back), -EBADMSG);
		form[at] = (char)(form[at] ^ 0x10);
	}
	form[0] = (char)(form[0] - 4); /* no multiple of 8: what follows would be read from the wrong place */
	assert_int_equal(event_spool_skip(form, form_bytes), -EBADMSG);
	form[0] = (char)(form[0] + 4);
	for (size_t at = 28; at < 46; at++) {
		form[at] = (char)(form[at] ^ 0x40);
		assert_int_equal(event_decode(form, form_bytes, &arena, &back), -EBADMSG);
		form[at] = (char)(form[at] ^ 0x40);
	}
	put_u32(form + 48 + 4, 3); /* a type that is none */
	assert_int_equal(event_decode(form, form_bytes, &arena, &back), -EBADMSG);
}

/* A record whose lengths agree, made by hand, of an event that no rule allows. */
static void more_props_than_allowed_are_refused(void **state)
{
	(void)state;
	char record[1096] = "";
	struct tally_event back;
	put_u32(record, 1088);
	record[4] = 1;
	put_u16(record + 28, 1);
	put_u16(record + 30, 1);
	put_u16(record + 6, 64);
	assert_int_equal(event_decode(record, sizeof record, &arena, &back), -EBADMSG); /* 48 + 64 * 16 + 2 is 1080 */
	put_u32(record, 1080);
	assert_int_equal(event_decode(record, sizeof record, &arena, &back), 1080);
	put_u32(record, 1096);
	put_u16(record + 6, 65);
	assert_int_equal(event_decode(record, sizeof record, &arena, &back), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(decoding_gives_the_event_back_in_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(form_1_stays_as_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cut_records_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(contradicting_lengths_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_props_than_allowed_are_refused, set_up, tear_down),
	};
	arena_init(&arena, 0);
	int failed = RUN_TESTS("spool_form", tests);
	arena_free(&arena);
	return failed;
}
