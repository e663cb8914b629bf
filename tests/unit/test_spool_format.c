/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes on disk are a promise to later versions: these are the ones of version 1. */
#include <string.h>

#include "spool/format.h"
#include "unit.h"

static const struct format_segment seg = {
	.kind = FORMAT_LIVE,
	.node = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	.number = 0x1122334455667788,
	.first = 4096,
	.mark = 0xaabbccddeeff0011,
	.salt = 0x0123456789abcdef,
	.size = 64 << 20,
	.synced = 4000,
	.abandoned = 7,
	.cut = 4048,
};

static const struct format_record rec = {
	.len = 5,
	.type = 2,
	.lsn = 4096,
	.time_us = 1700000000000000,
	.synced = 4000,
	.mark = 0x1020304050607080,
	.crc = 0xdeadbeef,
};

/* The first 128 bytes of the page and the whole record head, as they are since version 1. */
static const uint8_t seg_bytes[128] = { 0x54, 0x41, 0x4c, 0x4c, 0x59, 0x53, 0x45, 0x47, 0x01, 0x00, 0x00, 0x00, 0x01,
	0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
	0x10, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x11,
	0x00, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, 0x00, 0x00, 0x00,
	0x04, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x0f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0xd0, 0x0f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0xb3, 0xd3, 0x17, 0x8a };
static const uint8_t rec_bytes[FORMAT_HEAD] = { 0x05, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x1e, 0x18, 0x24, 0x0a, 0x06, 0x00, 0xa0, 0x0f, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x80, 0x70, 0x60, 0x50, 0x40, 0x30, 0x20, 0x10, 0xef, 0xbe, 0xad, 0xde, 0xe5, 0x11, 0x85, 0x3a };

static void a_segment_head_has_these_bytes(void **state)
{
	(void)state;
	uint8_t page[FORMAT_PAGE];
	format_put_segment(page, &seg);
	assert_memory_equal(page, seg_bytes, sizeof seg_bytes);
	assert_memory_equal(page + 2048, seg_bytes, sizeof seg_bytes);
	for (size_t i = 128; i < FORMAT_PAGE; i++)
		assert_true(page[i] == 0 || (i >= 2048 && i < 2048 + 128));
}

static void a_record_head_has_these_bytes(void **state)
{
	(void)state;
	uint8_t head[FORMAT_HEAD];
	format_put_record(head, &rec, seg.salt);
	assert_memory_equal(head, rec_bytes, sizeof rec_bytes);
	assert_true(format_mark(1, 2, 3, 4) == 0xb387c5977ca37e16);
	assert_int_equal(format_size(0), 48);
	assert_int_equal(format_size(1), 56);
	assert_int_equal(format_size(8), 56);
}

static void what_was_put_is_got(void **state)
{
	(void)state;
	uint8_t page[FORMAT_PAGE] = { 0 };
	struct format_segment s;
	struct format_record r;
	assert_int_not_equal(format_get_segment(page, &s), 0);
	memcpy(page, seg_bytes, sizeof seg_bytes);
	assert_int_equal(format_get_segment(page, &s), 0);
	assert_int_equal(s.version, 1);
	s.version = 0;
	assert_memory_equal(&s, &seg, sizeof s);
	assert_true(format_get_record(rec_bytes, seg.salt, &r));
	assert_true(r.len == rec.len && r.type == rec.type && r.lsn == rec.lsn && r.time_us == rec.time_us);
	assert_true(r.synced == rec.synced && r.mark == rec.mark && r.crc == rec.crc);
}

static void no_flipped_bit_passes(void **state)
{
	(void)state;
	struct format_record r;
	struct format_segment s;
	for (size_t i = 0; i < 8 * FORMAT_HEAD; i++) {
		uint8_t head[FORMAT_HEAD];
		memcpy(head, rec_bytes, sizeof head);
		head[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(format_get_record(head, seg.salt, &r));
		assert_false(format_get_record(rec_bytes, seg.salt ^ (1ULL << i % 64), &r)); /* another life */
	}
	for (size_t i = 0; i < 8 * 128; i++) {
		uint8_t page[FORMAT_PAGE] = { 0 };
		memcpy(page, seg_bytes, 128);
		page[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(format_get_segment(page, &s), 0);
	}
}

static void of_two_heads_the_later_counts(void **state)
{
	(void)state;
	uint8_t a[FORMAT_PAGE], b[FORMAT_PAGE];
	struct format_segment later = seg, s;
	later.number++;
	format_put_segment(a, &seg);
	format_put_segment(b, &later);
	memcpy(a + 2048, b + 2048, 128);
	assert_int_equal(format_get_segment(a, &s), 0);
	assert_true(s.number == later.number);
	format_put_segment(a, &seg);
	memcpy(a, b, 128);
	assert_int_equal(format_get_segment(a, &s), 0);
	assert_true(s.number == later.number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_head_has_these_bytes),
		cmocka_unit_test(a_record_head_has_these_bytes),
		cmocka_unit_test(what_was_put_is_got),
		cmocka_unit_test(no_flipped_bit_passes),
		cmocka_unit_test(of_two_heads_the_later_counts),
	};
	return RUN_TESTS("spool_format", tests);
}
