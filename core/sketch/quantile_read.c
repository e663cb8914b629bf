/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: bins from bytes that may be anything, and numbers from bins; nothing here changes a sketch. */
#include <errno.h>
#include <float.h>
#include <math.h>

#include "sketch/quantile_bytes.h"

/* ---- bins ---- */

/* A varint of at most 63 bits, in its shortest form. */
static bool take_varint(struct bins *b, uint64_t *out)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 63 && b->at < b->end; shift += 7) {
		uint8_t byte = *b->at++;
		v |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) {
			*out = v;
			return byte != 0 || shift == 0;
		}
	}
	return false;
}

static bool take_key(struct bins *b)
{
	uint64_t v;
	if (!take_varint(b, &v) || v > 4 * QUANTILE_KEY_MAX)
		return false;
	if (b->begun)
		b->key += (int32_t)v + 1;
	else
		b->key = (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
	b->begun = true;
	return b->key >= -QUANTILE_KEY_MAX && b->key <= QUANTILE_KEY_MAX;
}

static void take_bin(struct bins *b)
{
	b->bad = !take_key(b);
	b->count_at = b->at;
	b->bad = b->bad || !take_varint(b, &b->count) || b->count == 0;
	if (b->left == 1 && b->at != b->end)
		b->bad = true;
}

int bins_open(struct bins *b, const void *buf, size_t len)
{
	const uint8_t *head = buf;
	*b = (struct bins){ 0 };
	if (len == 0)
		return 0;
	if (len < QUANTILE_HEAD || head[0] != QUANTILE_VERSION || head[1] != QUANTILE_ALPHA)
		return -EBADMSG;
	b->left = get_u16(head + 2);
	if (b->left == 0 || b->left > QUANTILE_BINS_MAX)
		return -EBADMSG;
	b->at = head + QUANTILE_HEAD;
	b->end = head + len;
	take_bin(b);
	return b->bad ? -EBADMSG : 0;
}

void bins_next(struct bins *b)
{
	if (--b->left)
		take_bin(b);
}

int quantile_check(const void *buf, size_t len)
{
	struct bins b;
	if (bins_open(&b, buf, len) != 0)
		return -EBADMSG;
	while (bins_there(&b))
		bins_next(&b);
	return b.bad ? -EBADMSG : 0;
}

uint64_t quantile_count(const void *buf, size_t len)
{
	struct bins b;
	uint64_t n = 0;
	if (bins_open(&b, buf, len) != 0)
		return 0;
	for (; bins_there(&b); bins_next(&b))
		n = quantile_sum(n, b.count);
	return b.bad ? 0 : n;
}

/* ---- numbers ---- */

static double number_of(int32_t key)
{
	if (key == 0)
		return 0;
	int32_t bin = (key < 0 ? -key : key) - QUANTILE_KEY_ONE;
	double size = fmin((1 - QUANTILE_ERROR) * exp(bin * QUANTILE_LN_G), DBL_MAX);
	return key < 0 ? -size : size;
}

/* ceil(count * percent / 100), at least 1, without leaving 64 bits */
static uint64_t rank_of(uint64_t count, unsigned percent)
{
	uint64_t rank = count / 100 * percent + (count % 100 * percent + 99) / 100;
	return rank ? rank : 1;
}

double quantile_value(const void *buf, size_t len, unsigned percent)
{
	struct bins b;
	uint64_t count = quantile_count(buf, len), below = 0;
	if (count == 0 || bins_open(&b, buf, len) != 0)
		return 0;
	uint64_t rank = rank_of(count, percent < 100 ? percent : 100);
	int32_t key = b.key;
	for (; bins_there(&b) && below < rank; bins_next(&b)) {
		below = quantile_sum(below, b.count);
		key = b.key;
	}
	return number_of(key);
}
