/* SPDX-License-Identifier: Apache-2.0 */
/* Chunked bodies and content codings as pure functions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "http/chunked.h"
#include "http/coding.h"
#include "unit.h"

/* ---- chunked ---- */

struct chunked_row {
	const char *what, *wire;
	size_t len;       /* 0 = strlen(wire) */
	const char *data; /* NULL = refused */
	size_t rest;      /* bytes behind the end */
};

/* clang-format off */
static const struct chunked_row rows[] = {
	{ "empty", "0\r\n\r\n", 0, "", 0 },
	{ "one", "5\r\nhello\r\n0\r\n\r\n", 0, "hello", 0 },
	{ "two", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 0, "hello world", 0 },
	{ "hexadecimal, both cases", "00a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n", 0, "01234567890123456789", 0 },
	{ "data that looks like the end", "9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", 0, "\r\n0\r\n\r\n\r\n", 0 },
	{ "the next request behind it", "1\r\na\r\n0\r\n\r\nGET /", 0, "a", 5 },
	{ "trailers", "1\r\na\r\n0\r\nX-Sum: 1\r\nY:\tz \r\n\r\n", 0, "a", 0 },
	{ "a forbidden trailer is ignored", "0\r\nContent-Length: 5\r\n\r\n", 0, "", 0 },

	{ "extension", "5;a=b\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "empty extension", "5;\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "extension with a LF", "5;\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "extension on the last chunk", "0;x\r\n\r\n", 0, NULL, 0 },
	{ "space behind the size", "5 \r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "space before the size", " 5\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "no size", "\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "0x", "0x5\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "sign", "+5\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "negative", "-1\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "underscore", "1_0\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "size past 60 bits", "1000000000000005\r\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "size that wraps", "10000000000000000\r\n\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "bare LF behind the size", "5\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "two LF behind the size", "5\n\nhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "bare CR behind the size", "5\rhello\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "bare LF behind the data", "5\r\nhello\n0\r\n\r\n", 0, NULL, 0 },
	{ "bare CR behind the data", "5\r\nhello\r0\r\n\r\n", 0, NULL, 0 },
	{ "data longer than its size", "5\r\nhelloo\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "data shorter than its size", "5\r\nhell\r\n0\r\n\r\n", 0, NULL, 0 },
	{ "bare LF behind the last chunk", "0\n\r\n", 0, NULL, 0 },
	{ "bare LF at the end", "0\r\n\n", 0, NULL, 0 },
	{ "NUL in the size", "5\0\r\nhello\r\n0\r\n\r\n", 16, NULL, 0 },
	{ "trailer without a colon", "0\r\nX\r\n\r\n", 0, NULL, 0 },
	{ "trailer with a space before the colon", "0\r\nX : y\r\n\r\n", 0, NULL, 0 },
	{ "folded trailer", "0\r\nX: y\r\n z\r\n\r\n", 0, NULL, 0 },
	{ "trailer with a bare LF", "0\r\nX: y\n\r\n", 0, NULL, 0 },
	{ "trailer with a bare CR", "0\r\nX: y\rz\r\n\r\n", 0, NULL, 0 },
	{ "trailer with a control character", "0\r\nX: \x01\r\n\r\n", 0, NULL, 0 },
	{ "trailer with no name", "0\r\n: y\r\n\r\n", 0, NULL, 0 },
};
/* clang-format on */

/* In pieces of `step`, each decoded in place. */
static enum chunked_result decode(
	const char *wire, size_t len, size_t step, char *data, size_t *data_len, size_t *eaten)
{
	struct chunked c = { 0 };
	enum chunked_result rc = CHUNKED_MORE;
	*data_len = *eaten = 0;
	while (*eaten < len && rc == CHUNKED_MORE) {
		size_t n = step < len - *eaten ? step : len - *eaten, made;
		char *piece = malloc(n);
		assert_non_null(piece);
		memcpy(piece, wire + *eaten, n);
		rc = chunked_feed(&c, piece, &n, piece, &made);
		memcpy(data + *data_len, piece, made);
		*data_len += made;
		*eaten += n;
		free(piece);
	}
	return rc;
}

static void each_row_in_pieces_of_every_size(void **state)
{
	(void)state;
	char data[256];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct chunked_row *row = &rows[i];
		size_t len = row->len ? row->len : strlen(row->wire), data_len, eaten;
		for (size_t step = 1; step <= len; step++) {
			enum chunked_result rc = decode(row->wire, len, step, data, &data_len, &eaten);
			if (rc != (row->data ? CHUNKED_DONE : CHUNKED_BAD))
				fail_msg("%s: %d in steps of %zu", row->what, rc, step);
			if (!row->data)
				continue;
			assert_int_equal(data_len, strlen(row->data));
			assert_memory_equal(data, row->data, data_len);
			assert_int_equal(eaten, len - row->rest);
		}
	}
}

static void trailers_are_bounded(void **state)
{
	(void)state;
	struct chunked c = { 0 };
	char dst[8];
	size_t made, n = 3;
	assert_int_equal(chunked_feed(&c, "0\r\n", &n, dst, &made), CHUNKED_MORE);
	for (size_t i = 0; i < CHUNKED_TRAILER_MAX; i++) {
		n = 1;
		assert_int_equal(chunked_feed(&c,
					 i % 8 == 0   ? "x"
					 : i % 8 == 1 ? ":"
					 : i % 8 == 6 ? "\r"
					 : i % 8 == 7 ? "\n"
						      : "v",
					 &n, dst, &made),
			CHUNKED_MORE);
	}
	for (n = 1; n == 1 && c.trailer_bytes <= CHUNKED_TRAILER_MAX;) {
		enum chunked_result rc = chunked_feed(&c, "x", &n, dst, &made);
		assert_true(rc == CHUNKED_MORE || c.trailer_bytes > CHUNKED_TRAILER_MAX);
	}
}

/* ---- codings ---- */

struct bytes {
	char *ptr;
	size_t len;
};

static struct bytes gzip(const void *plain, size_t len)
{
	z_stream z = { 0 };
	struct bytes b = { malloc(len + 1000), 0 };
	assert_non_null(b.ptr);
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)plain;
	z.avail_in = (unsigned)len;
	z.next_out = (unsigned char *)b.ptr;
	z.avail_out = (unsigned)(len + 1000);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b.len = len + 1000 - z.avail_out;
	deflateEnd(&z);
	return b;
}

static struct bytes zstd(const void *plain, size_t len)
{
	struct bytes b = { malloc(ZSTD_compressBound(len)), 0 };
	assert_non_null(b.ptr);
	b.len = ZSTD_compress(b.ptr, ZSTD_compressBound(len), plain, len, 3);
	assert_false(ZSTD_isError(b.len));
	return b;
}

static const struct {
	enum coding_kind kind;
	struct bytes (*pack)(const void *plain, size_t len);
} kinds[] = { { CODING_GZIP, gzip }, { CODING_ZSTD, zstd } };

static struct coding coding;
static struct arena arena;

static int unpack(enum coding_kind kind, struct tally_str src, size_t max, unsigned ratio, struct tally_str *out)
{
	arena_free(&arena);
	return coding_decode(&coding, kind, src, max, ratio, &arena, out);
}

static char *noise(size_t len)
{
	char *p = malloc(len);
	assert_non_null(p);
	uint32_t x = 1;
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (char)(x >> 24);
	}
	return p;
}

static void what_was_packed_comes_back(void **state)
{
	(void)state;
	char *plain = noise(300000);
	static const size_t sizes[] = { 0, 1, 511, 512, 513, 70000, 300000 };
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			struct bytes b = kinds[k].pack(plain, sizes[i]);
			struct tally_str out;
			assert_int_equal(unpack(kinds[k].kind, str_make(b.ptr, b.len), 300000, 100, &out), 0);
			assert_int_equal(out.len, sizes[i]);
			assert_memory_equal(out.ptr, plain, out.len);
			free(b.ptr);
		}
	free(plain);
}

static void several_members_are_one_body(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct bytes a = kinds[k].pack("hello ", 6), b = kinds[k].pack("", 0), c = kinds[k].pack("world", 5);
		char all[256];
		memcpy(all, a.ptr, a.len);
		memcpy(all + a.len, b.ptr, b.len);
		memcpy(all + a.len + b.len, c.ptr, c.len);
		struct tally_str out;
		assert_int_equal(unpack(kinds[k].kind, str_make(all, a.len + b.len + c.len), 1000, 100, &out), 0);
		assert_true(str_eq(out, STR("hello world")));
		free(a.ptr);
		free(b.ptr);
		free(c.ptr);
	}
}

static void what_is_cut_short_or_followed_by_more_is_refused(void **state)
{
	(void)state;
	char *plain = noise(2000);
	for (size_t k = 0; k < 2; k++) {
		struct bytes b = kinds[k].pack(plain, 2000);
		struct tally_str out;
		for (size_t n = 0; n < b.len; n++)
			if (unpack(kinds[k].kind, str_make(b.ptr, n), 10000, 100, &out) != -EBADMSG)
				fail_msg("kind %zu cut at %zu", k, n);
		b.ptr = realloc(b.ptr, b.len + 1);
		b.ptr[b.len] = 'x';
		assert_int_equal(unpack(kinds[k].kind, str_make(b.ptr, b.len + 1), 10000, 100, &out), -EBADMSG);
		b.ptr[b.len / 2] ^= 1;
		int rc = unpack(kinds[k].kind, str_make(b.ptr, b.len), 10000, 100, &out);
		assert_true(rc == -EBADMSG || k == 1); /* a zstd frame need not have a checksum */
		free(b.ptr);
	}
	free(plain);
}

static void bombs_stop_at_the_limit(void **state)
{
	(void)state;
	size_t big = 32 << 20;
	char *zeros = calloc(1, big);
	assert_non_null(zeros);
	for (size_t k = 0; k < 2; k++) {
		struct bytes b = kinds[k].pack(zeros, big);
		struct tally_str out, src = str_make(b.ptr, b.len);
		assert_int_equal(unpack(kinds[k].kind, src, 8 << 20, 1000000, &out), -EFBIG);
		assert_true(arena.total_bytes <= 17u << 20);
		assert_int_equal(unpack(kinds[k].kind, src, 64 << 20, 100, &out), -EFBIG);
		assert_true(arena.total_bytes <= 2 * (100 * b.len + CODING_RATIO_FLOOR));
		assert_int_equal(unpack(kinds[k].kind, src, big, 1000000, &out), 0);
		assert_int_equal(out.len, big);
		assert_int_equal(unpack(kinds[k].kind, src, big - 1, 1000000, &out), -EFBIG);
		free(b.ptr);
	}
	free(zeros);
}

/* A gzip whose last four bytes lie about its size, and one that says nothing of use. */
static void a_wrong_size_hint_costs_nothing(void **state)
{
	(void)state;
	char *plain = calloc(1, 50000);
	struct bytes b = gzip(plain, 50000);
	struct tally_str out;
	memset(b.ptr + b.len - 4, 0xff, 4);
	assert_int_equal(unpack(CODING_GZIP, str_make(b.ptr, b.len), 8 << 20, 100, &out), -EBADMSG);
	assert_true(arena.total_bytes <= 2 * CODING_RATIO_FLOOR);
	free(b.ptr);
	free(plain);
}

static void names_are_known_or_not(void **state)
{
	(void)state;
	assert_int_equal(coding_of(STR("")), CODING_NONE);
	assert_int_equal(coding_of(STR("identity")), CODING_NONE);
	assert_int_equal(coding_of(STR("GZip")), CODING_GZIP);
	assert_int_equal(coding_of(STR("x-gzip")), CODING_GZIP);
	assert_int_equal(coding_of(STR("zstd")), CODING_ZSTD);
	assert_int_equal(coding_of(STR("gzip, gzip")), CODING_UNKNOWN);
	assert_int_equal(coding_of(STR("deflate")), CODING_UNKNOWN);
	assert_int_equal(coding_of(STR("gzi")), CODING_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_in_pieces_of_every_size),
		cmocka_unit_test(trailers_are_bounded),
		cmocka_unit_test(what_was_packed_comes_back),
		cmocka_unit_test(several_members_are_one_body),
		cmocka_unit_test(what_is_cut_short_or_followed_by_more_is_refused),
		cmocka_unit_test(bombs_stop_at_the_limit),
		cmocka_unit_test(a_wrong_size_hint_costs_nothing),
		cmocka_unit_test(names_are_known_or_not),
	};
	int failed = RUN_TESTS("http body", tests);
	coding_free(&coding);
	arena_free(&arena);
	return failed;
}
