/* SPDX-License-Identifier: Apache-2.0 */
/* The bins of a quantile sketch, read from bytes and written to them; shared by quantile.c and quantile_read.c. Nobody
 * else includes this. */
#ifndef SKETCH_QUANTILE_BYTES_H
#define SKETCH_QUANTILE_BYTES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "sketch/quantile.h"

#define QUANTILE_VERSION 1
#define QUANTILE_ALPHA 100 /* 1 / 0.01 */
#define QUANTILE_HEAD 4
#define QUANTILE_LN_G 0.020000666706669543 /* ln((1 + a) / (1 - a)); stored sketches depend on it */
#define QUANTILE_KEY_ONE 36000             /* key of bin 0; all keys of positive numbers are positive */
#define QUANTILE_KEY_MAX (2 * QUANTILE_KEY_ONE)
#define QUANTILE_COUNT_MAX ((uint64_t)INT64_MAX)

/* A walk over the bins. left == 0 or bad: there is no bin in hand. */
struct bins {
	const uint8_t *at, *end;
	uint32_t left; /* this one and those behind it */
	bool bad, begun;
	int32_t key;
	uint64_t count;
	const uint8_t *count_at; /* where the count of this one lies */
};

/* 0 and the first bin, or -EBADMSG by head and length. The walk of the empty sketch is over at once. */
must_check int bins_open(struct bins *b, const void *buf, size_t len);
/* The next bin; sets bad where the bytes are no sketch. */
void bins_next(struct bins *b);

static inline bool bins_there(const struct bins *b)
{
	return b->left != 0 && !b->bad;
}

static inline uint64_t quantile_sum(uint64_t a, uint64_t b)
{
	return a > QUANTILE_COUNT_MAX - b ? QUANTILE_COUNT_MAX : a + b;
}

static inline unsigned varint_bytes(uint64_t v)
{
	unsigned n = 1;
	while (v >>= 7)
		n++;
	return n;
}

static inline uint8_t *varint_put(uint8_t *at, uint64_t v)
{
	for (; v > 127; v >>= 7)
		*at++ = (uint8_t)(v | 128);
	*at++ = (uint8_t)v;
	return at;
}

#endif
