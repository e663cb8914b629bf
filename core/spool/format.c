/* SPDX-License-Identifier: Apache-2.0 */
#include "spool/format.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/hash.h"

#define COPY_AT 2048   /* second copy of the segment head */
#define COPY_BYTES 128 /* of which the last four are its crc */

static const char magic[8] = "TALLYSEG";

static void put_copy(uint8_t *p, const struct format_segment *h)
{
	memcpy(p, magic, sizeof magic);
	put_u32(p + 8, FORMAT_VERSION);
	put_u32(p + 12, h->kind);
	memcpy(p + 16, h->node, 16);
	put_u64(p + 32, h->number);
	put_u64(p + 40, h->first);
	put_u64(p + 48, h->mark);
	put_u64(p + 56, h->salt);
	put_u64(p + 64, h->size);
	put_u64(p + 72, h->synced);
	put_u64(p + 80, h->abandoned);
	put_u64(p + 88, h->cut);
	put_u32(p + COPY_BYTES - 4, crc32c(0, p, COPY_BYTES - 4));
}

void format_put_segment(uint8_t page[FORMAT_PAGE], const struct format_segment *h)
{
	memset(page, 0, FORMAT_PAGE);
	put_copy(page, h);
	put_copy(page + COPY_AT, h);
}

static bool get_copy(const uint8_t *p, struct format_segment *h)
{
	if (memcmp(p, magic, sizeof magic) != 0 || get_u32(p + COPY_BYTES - 4) != crc32c(0, p, COPY_BYTES - 4))
		return false;
	*h = (struct format_segment){
		.version = get_u32(p + 8),
		.kind = get_u32(p + 12),
		.number = get_u64(p + 32),
		.first = get_u64(p + 40),
		.mark = get_u64(p + 48),
		.salt = get_u64(p + 56),
		.size = get_u64(p + 64),
		.synced = get_u64(p + 72),
		.abandoned = get_u64(p + 80),
		.cut = get_u64(p + 88),
	};
	memcpy(h->node, p + 16, 16);
	return true;
}

int format_get_segment(const uint8_t page[FORMAT_PAGE], struct format_segment *out)
{
	struct format_segment a, b;
	bool first = get_copy(page, &a), second = get_copy(page + COPY_AT, &b);
	if (!first && !second)
		return -EINVAL;
	*out = first && (!second || a.number >= b.number) ? a : b;
	return 0;
}

/* The salt comes first, so that no head of an earlier use of the file passes. */
static uint32_t head_crc(const uint8_t *p, uint64_t salt)
{
	uint8_t s[8];
	put_u64(s, salt);
	return crc32c(crc32c(0, s, sizeof s), p, FORMAT_HEAD - 4);
}

void format_put_record(uint8_t out[FORMAT_HEAD], const struct format_record *r, uint64_t salt)
{
	put_u32(out, r->len);
	put_u32(out + 4, r->type);
	put_u64(out + 8, r->lsn);
	put_u64(out + 16, (uint64_t)r->time_us);
	put_u64(out + 24, r->synced);
	put_u64(out + 32, r->mark);
	put_u32(out + 40, r->crc);
	put_u32(out + 44, head_crc(out, salt));
}

bool format_get_record(const uint8_t in[FORMAT_HEAD], uint64_t salt, struct format_record *out)
{
	*out = (struct format_record){
		.len = get_u32(in),
		.type = get_u32(in + 4),
		.lsn = get_u64(in + 8),
		.time_us = (int64_t)get_u64(in + 16),
		.synced = get_u64(in + 24),
		.mark = get_u64(in + 32),
		.crc = get_u32(in + 40),
	};
	return out->type != 0 && out->len <= FORMAT_PAYLOAD_MAX && get_u32(in + 44) == head_crc(in, salt);
}

uint64_t format_mark(uint64_t before, uint64_t lsn, uint32_t type, uint32_t payload_crc)
{
	uint8_t b[24];
	put_u64(b, before);
	put_u64(b + 8, lsn);
	put_u32(b + 16, type);
	put_u32(b + 20, payload_crc);
	return XXH3_64bits(b, sizeof b);
}
