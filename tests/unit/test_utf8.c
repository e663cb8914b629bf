/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"
#include "unit.h"

/* The definition by itself: what encodes a scalar value, and is what utf8_put() gives for it. */
static bool is_one_by_definition(const unsigned char *p, size_t len)
{
	uint32_t cp;
	switch (len) {
	case 1:
		return p[0] < 0x80;
	case 2:
		cp = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		break;
	case 3:
		cp = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		break;
	default:
		cp = (p[0] & 0x7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
	}
	char again[4];
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return false;
	return utf8_put(cp, again) == len && memcmp(again, p, len) == 0;
}

static bool begins_with_one(const unsigned char *p, size_t len, size_t *n)
{
	for (*n = 1; *n <= 4 && *n <= len; ++*n)
		if (is_one_by_definition(p, *n))
			return true;
	return false;
}

static void check_sequence(const unsigned char *p, size_t len)
{
	size_t n = 0;
	bool valid = begins_with_one(p, len, &n);
	unsigned got = utf8_step((const char *)p, (const char *)p + len);
	if (got != (valid ? n : 0))
		fail_msg("%02x %02x %02x %02x (%zu): %u", p[0], p[1], p[2], p[3], len, got);
}

/* All of two bytes, and all leads with the tails at which the rules change. */
static void every_sequence_follows_the_definition(void **state)
{
	(void)state;
	static const unsigned char edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
	for (unsigned lead = 0; lead < 256; lead++)
		for (unsigned second = 0; second < 256; second++)
			for (size_t i = 0; i < sizeof edges * sizeof edges; i++) {
				unsigned char p[4] = { (unsigned char)lead, (unsigned char)second,
					edges[i / sizeof edges], edges[i % sizeof edges] };
				check_sequence(p, 4);
				if (i % sizeof edges == 0)
					check_sequence(p, 3);
				if (i == 0)
					check_sequence(p, 2), check_sequence(p, 1);
			}
}

static void every_character_is_put_and_read(void **state)
{
	(void)state;
	char out[4];
	for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		unsigned n = utf8_put(cp, out);
		if (utf8_step(out, out + n) != n || utf8_prefix(out, n) != n)
			fail_msg("U+%04X", (unsigned)cp);
	}
}

/* Whatever stands before it, and wherever the block ends. */
static void a_bad_byte_is_found_at_every_place(void **state)
{
	(void)state;
	for (size_t len = 1; len < 40; len++)
		for (size_t at = 0; at < len; at++) {
			char *p = malloc(len);
			memset(p, 'a', len);
			assert_int_equal(utf8_prefix(p, len), len);
			p[at] = '\xff';
			assert_int_equal(utf8_prefix(p, len), at);
			p[at] = '\xe2'; /* begins a sequence that what follows does not go on */
			assert_int_equal(utf8_prefix(p, len), at);
			free(p);
		}
	assert_true(utf8_valid(str_make(NULL, 0)));
}

static void control_characters_are_c0_del_and_c1(void **state)
{
	(void)state;
	char out[4];
	for (uint32_t cp = 0; cp < 0x3000; cp++) {
		bool want = cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
		if (utf8_has_control(str_make(out, utf8_put(cp, out))) != want)
			fail_msg("U+%04X", (unsigned)cp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence_follows_the_definition),
		cmocka_unit_test(every_character_is_put_and_read),
		cmocka_unit_test(a_bad_byte_is_found_at_every_place),
		cmocka_unit_test(control_characters_are_c0_del_and_c1),
	};
	return RUN_TESTS("utf8", tests);
}
