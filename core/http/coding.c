/* SPDX-License-Identifier: Apache-2.0 */
#include "http/coding.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/memory.h"

#define ZSTD_WINDOW_LOG 23 /* 8 MiB: what RFC 8878 asks every decoder to take, and no more */
#define GZIP_WINDOW (15 + 16)

/* The output: grows by doubling up to the limit. */
struct sink {
	struct arena *arena;
	char *bytes;
	size_t len, cap, limit;
};

enum coding_kind coding_of(struct tally_str v)
{
	static const struct {
		const char *name;
		enum coding_kind kind;
	} names[] = {
		{ "gzip", CODING_GZIP },
		{ "x-gzip", CODING_GZIP },
		{ "zstd", CODING_ZSTD },
		{ "identity", CODING_NONE },
	};
	if (v.len == 0)
		return CODING_NONE;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (v.len == strlen(names[i].name) && strncasecmp(v.ptr, names[i].name, v.len) == 0)
			return names[i].kind;
	return CODING_UNKNOWN;
}

void coding_free(struct coding *c)
{
	if (c->gzip) {
		inflateEnd(c->gzip);
		free(c->gzip);
	}
	ZSTD_freeDCtx(c->zstd);
	*c = (struct coding){ 0 };
}

/* Makes room for more output. -EFBIG once the limit is used up. */
static int sink_grow(struct sink *s)
{
	if (s->len < s->cap)
		return 0;
	if (s->cap >= s->limit)
		return -EFBIG;
	size_t cap = s->cap * 2 < s->limit ? s->cap * 2 : s->limit;
	char *bytes = arena_alloc(s->arena, cap);
	memcpy(bytes, s->bytes, s->len);
	s->bytes = bytes;
	s->cap = cap;
	return 0;
}

static int gzip_open(struct coding *c)
{
	if (c->gzip)
		return inflateReset2(c->gzip, GZIP_WINDOW) == Z_OK ? 0 : -EBADMSG;
	c->gzip = memory_zalloc(1, sizeof *c->gzip);
	MUST(c->gzip != NULL);
	MUST(inflateInit2(c->gzip, GZIP_WINDOW) == Z_OK);
	return 0;
}

/* One step of zlib. 1 = the last member has ended with the input, 0 = go on. The limit counts one byte more than is
 * allowed, so that a body of exactly the limit is told from a larger one. */
static int gzip_step(z_stream *z, struct sink *s)
{
	z->next_out = (unsigned char *)s->bytes + s->len;
	z->avail_out = (unsigned)(s->cap - s->len);
	int rc = inflate(z, Z_NO_FLUSH);
	s->len = s->cap - z->avail_out;
	if (rc == Z_STREAM_END) {
		if (z->avail_in == 0)
			return 1;
		return inflateReset(z) == Z_OK ? 0 : -EBADMSG;
	}
	if (rc == Z_OK && (z->avail_in > 0 || z->avail_out == 0))
		return 0;
	return rc == Z_BUF_ERROR && z->avail_out == 0 ? 0 : -EBADMSG;
}

static int gzip_decode(struct coding *c, struct tally_str src, struct sink *s)
{
	int rc = gzip_open(c);
	c->gzip->next_in = (unsigned char *)src.ptr;
	c->gzip->avail_in = (unsigned)src.len;
	while (rc == 0) {
		rc = sink_grow(s);
		if (rc == 0)
			rc = gzip_step(c->gzip, s);
	}
	return rc < 0 ? rc : 0;
}

static void zstd_open(struct coding *c)
{
	if (!c->zstd) {
		c->zstd = ZSTD_createDCtx();
		MUST(c->zstd != NULL);
		ZSTD_DCtx_setParameter(c->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	}
	ZSTD_DCtx_reset(c->zstd, ZSTD_reset_session_only);
}

static int zstd_decode(struct coding *c, struct tally_str src, struct sink *s)
{
	zstd_open(c);
	ZSTD_inBuffer in = { src.ptr, src.len, 0 };
	for (;;) {
		int rc = sink_grow(s);
		if (rc < 0)
			return rc;
		ZSTD_outBuffer out = { s->bytes, s->cap, s->len };
		size_t before = in.pos, hint = ZSTD_decompressStream(c->zstd, &out, &in);
		bool moved = in.pos > before || out.pos > s->len;
		s->len = out.pos;
		if (ZSTD_isError(hint))
			return -EBADMSG;
		if (hint == 0 && in.pos == in.size)
			return 0; /* a frame has ended, and with it the input */
		if (!moved || (in.pos == in.size && out.pos < out.size))
			return -EBADMSG; /* it wants more than there is */
	}
}

/* What the coded bytes say of their size, to get the room at once; a lie costs a copy or some address space. */
static size_t size_hint(enum coding_kind kind, struct tally_str src)
{
	if (kind == CODING_GZIP)
		return src.len >= 4 ? get_u32(src.ptr + src.len - 4) : 0;
	unsigned long long n = ZSTD_getFrameContentSize(src.ptr, src.len);
	return n == ZSTD_CONTENTSIZE_UNKNOWN || n == ZSTD_CONTENTSIZE_ERROR ? 0 : (size_t)n;
}

static size_t output_limit(size_t src_bytes, size_t max_bytes, unsigned max_ratio)
{
	size_t by_ratio = max_ratio && src_bytes < SIZE_MAX / max_ratio ? src_bytes * max_ratio : SIZE_MAX;
	if (by_ratio < CODING_RATIO_FLOOR)
		by_ratio = CODING_RATIO_FLOOR;
	return by_ratio < max_bytes ? by_ratio : max_bytes;
}

int coding_decode(struct coding *c, enum coding_kind kind, struct tally_str src, size_t max_bytes, unsigned max_ratio,
	struct arena *arena, struct tally_str *out)
{
	MUST(kind == CODING_GZIP || kind == CODING_ZSTD);
	MUST(src.len < UINT32_MAX && max_bytes < UINT32_MAX);
	size_t limit = output_limit(src.len, max_bytes, max_ratio), want = size_hint(kind, src);
	if (want < src.len * 4)
		want = src.len * 4;
	if (want < 512)
		want = 512;
	if (want > limit)
		want = limit;
	struct sink s = { .arena = arena, .limit = limit + 1, .cap = want + 1 };
	s.bytes = arena_alloc(arena, s.cap);
	int rc = kind == CODING_GZIP ? gzip_decode(c, src, &s) : zstd_decode(c, src, &s);
	if (rc < 0)
		return rc;
	*out = str_make(s.bytes, s.len);
	return s.len > limit ? -EFBIG : 0;
}
