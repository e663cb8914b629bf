/* SPDX-License-Identifier: Apache-2.0 */
/* TZif files (RFC 8536): a block with 32-bit times, and from version 2 on a block with 64-bit times and a rule for the
 * time behind them. The first block is then only skipped.
 *
 *   header: "TZif" | u8 version | 15 x 0 | u32 isut, isstd, leap, time, type, char counts            (big-endian)
 *   block:  times | u8 type of each | types: i32 offset, u8 dst, u8 name | chars | leaps | isstd | isut
 *   behind the second block: '\n' rule '\n' */
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "zone/spans.h"

#define HEAD_BYTES 44

struct bytes {
	const uint8_t *p;
	size_t left;
};

struct block {
	char version;
	uint32_t isut, isstd, leaps, times, types, chars;
	size_t time_bytes; /* 4 or 8 */
	const uint8_t *at; /* times, then the rest as above */
};

static uint32_t get_be32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

static int64_t get_be64(const uint8_t *p)
{
	return (int64_t)((uint64_t)get_be32(p) << 32 | get_be32(p + 4));
}

/* Eats a header and its block. False: there is no such thing. */
static bool eat_block(struct bytes *in, size_t time_bytes, struct block *b)
{
	if (in->left < HEAD_BYTES || memcmp(in->p, "TZif", 4) != 0)
		return false;
	const uint8_t *counts = in->p + 20;
	*b = (struct block){ (char)in->p[4], get_be32(counts), get_be32(counts + 4), get_be32(counts + 8),
		get_be32(counts + 12), get_be32(counts + 16), get_be32(counts + 20), time_bytes, in->p + HEAD_BYTES };
	uint64_t bytes = (uint64_t)b->times * (time_bytes + 1) + (uint64_t)b->types * 6 + b->chars +
			 (uint64_t)b->leaps * (time_bytes + 4) + b->isstd + b->isut;
	if (bytes > in->left - HEAD_BYTES)
		return false;
	in->p += HEAD_BYTES + bytes;
	in->left -= HEAD_BYTES + (size_t)bytes;
	return true;
}

static int64_t time_of(const struct block *b, uint32_t i)
{
	const uint8_t *p = b->at + (size_t)i * b->time_bytes;
	return b->time_bytes == 8 ? get_be64(p) : (int32_t)get_be32(p);
}

/* False: there is no type of that number, or its offset is impossible. */
static bool offset_of(const struct block *b, uint32_t type, int32_t *offset)
{
	if (type >= b->types)
		return false;
	*offset = (int32_t)get_be32(b->at + (size_t)b->times * (b->time_bytes + 1) + (size_t)type * 6);
	return *offset >= -ZONE_OFFSET_MAX && *offset <= ZONE_OFFSET_MAX;
}

/* Moments out of our range (the "big bang" of some files) only set what holds from the start. */
static bool add_spans(struct zone *z, const struct block *b)
{
	const uint8_t *types = b->at + (size_t)b->times * b->time_bytes;
	for (uint32_t i = 0; i < b->times; i++) {
		int64_t from = time_of(b, i);
		int32_t offset;
		if (!offset_of(b, types[i], &offset) || (i && from <= time_of(b, i - 1)))
			return false;
		if (from > ZONE_MOST_S)
			break;
		if (from < -ZONE_MOST_S)
			z->offset[0] = offset;
		else
			zone_span(z, from, offset);
	}
	return true;
}

static bool add_rule(struct zone *z, const struct block *b, const struct bytes *rest)
{
	if (rest->left < 2 || rest->p[0] != '\n')
		return false;
	const uint8_t *rule = rest->p + 1, *end = memchr(rule, '\n', rest->left - 1);
	if (!end)
		return false;
	int64_t after = b->times ? time_of(b, b->times - 1) : ZONE_NEVER;
	if (end == rule || after > ZONE_MOST_S)
		return true;
	return zone_rule(z, after < -ZONE_MOST_S ? ZONE_NEVER : after, (const char *)rule, (size_t)(end - rule)) == 0;
}

struct zone *zone_of_tzif(const char *name, const uint8_t *bytes, size_t len)
{
	struct bytes in = { bytes, len };
	struct block b;
	if (!eat_block(&in, 4, &b))
		return NULL;
	if (b.version && !eat_block(&in, 8, &b))
		return NULL;
	int32_t first;
	if (b.leaps || !offset_of(&b, 0, &first))
		return NULL;
	struct zone *z = zone_make(name, first);
	if (!add_spans(z, &b) || (b.version && !add_rule(z, &b, &in))) {
		zone_free(z);
		return NULL;
	}
	zone_seal(z);
	return z;
}
