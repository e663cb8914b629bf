/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "tallyc1\n"
#define HEAD 52 /* bytes before the texts */
#define SUMMED 16

static void put(char *at, uint64_t n, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (char)(n >> 8 * i);
}

static uint64_t get(const char *at, int bytes)
{
	uint64_t n = 0;
	for (int i = 0; i < bytes; i++)
		n |= (uint64_t)(unsigned char)at[i] << 8 * i;
	return n;
}

char *wire_pack(const struct tally_host *host, struct tally_str key, const struct tally_answer *an,
	struct tally_str body, int64_t made_us, size_t *len)
{
	const struct tally_str texts[] = { key, an->type, an->etag, body };
	*len = HEAD;
	for (int i = 0; i < 4; i++) {
		if (texts[i].len > UINT32_MAX)
			return NULL;
		*len += texts[i].len;
	}
	char *out = malloc(*len), *at = out + HEAD;
	if (!out)
		return NULL;
	memcpy(out, MAGIC, 8);
	put(out + 16, an->version, 8);
	put(out + 24, (uint64_t)made_us, 8);
	put(out + 32, (uint32_t)an->status, 4);
	for (int i = 0; i < 4; i++) {
		put(out + 36 + 4 * i, texts[i].len, 4);
		if (texts[i].len)
			memcpy(at, texts[i].ptr, texts[i].len);
		at += texts[i].len;
	}
	put(out + 8, host->hash(out + SUMMED, *len - SUMMED), 8);
	return out;
}

int wire_unpack(const struct tally_host *host, const char *bytes, size_t len, struct tally_str key,
	struct tally_answer *an, int64_t *made_us)
{
	struct tally_str texts[4];
	if (len < HEAD || memcmp(bytes, MAGIC, 8) != 0 || get(bytes + 8, 8) != host->hash(bytes + SUMMED, len - SUMMED))
		return -EBADMSG;
	size_t at = HEAD;
	for (int i = 0; i < 4; i++) {
		texts[i] = (struct tally_str){ bytes + at, (size_t)get(bytes + 36 + 4 * i, 4) };
		if (texts[i].len > len - at)
			return -EBADMSG;
		at += texts[i].len;
	}
	if (at != len)
		return -EBADMSG;
	if (texts[0].len != key.len || memcmp(texts[0].ptr, key.ptr, key.len) != 0)
		return -ENOENT;
	*an = (struct tally_answer){ .status = (int32_t)get(bytes + 32, 4),
		.version = get(bytes + 16, 8),
		.type = texts[1],
		.etag = texts[2],
		.body = texts[3] };
	*made_us = (int64_t)get(bytes + 24, 8);
	return 0;
}
