/* SPDX-License-Identifier: Apache-2.0 */
/* Checking and estimating; nothing here changes a sketch. */
#include <errno.h>
#include <math.h>
#include <xxhash.h>

#include "sketch/hll_bytes.h"

#define HASH_SEED UINT64_C(0x74616c6c792d7631) /* "tally-v1"; stored sketches depend on it */

uint64_t hll_hash(const void *bytes, size_t len)
{
	return XXH3_64bits_withSeed(bytes, len, HASH_SEED);
}

/* ---- checking ---- */

static int exact_ok(const uint8_t *b)
{
	for (size_t i = 1, n = hll_count(b); i < n; i++)
		if (hll_exact_at(b, i - 1) >= hll_exact_at(b, i))
			return 0;
	return 1;
}

static int sparse_ok(const uint8_t *b)
{
	uint32_t least = 0;
	for (size_t i = 0, n = hll_count(b); i < n; i++) {
		uint32_t reg = hll_sparse_register(b, i);
		unsigned rank = hll_sparse_rank(b, i);
		if (reg < least || reg >= HLL_REGISTERS || rank < 1 || rank > HLL_RANK_MAX)
			return 0;
		least = reg + 1;
	}
	return 1;
}

/* No rank above the highest there is, and too many registers in use for the sparse form. */
static int dense_ok(const uint8_t *b)
{
	const uint64_t highest = HLL_HIGH / 64 * HLL_RANK_MAX;
	uint64_t fits = HLL_HIGH, used_even = 0, used_odd = 0; /* 12-bit lanes; each counts to 2048 */
	for (size_t at = HLL_HEAD; at < HLL_ROOM; at += HLL_STRIDE) {
		uint64_t w = hll_load8(b + at), even = w & HLL_EVEN, odd = w >> 6 & HLL_EVEN;
		fits &= ((highest | HLL_HIGH) - even) & ((highest | HLL_HIGH) - odd);
		used_even += (even + HLL_EVEN) >> 6 & HLL_HIGH / 64;
		used_odd += (odd + HLL_EVEN) >> 6 & HLL_HIGH / 64;
	}
	uint64_t used = 0;
	for (int i = 0; i < 4; i++)
		used += (used_even >> 12 * i & 0xfff) + (used_odd >> 12 * i & 0xfff);
	return fits == HLL_HIGH && used > HLL_SPARSE_MAX;
}

int hll_check(const void *buf, size_t len)
{
	switch (hll_form_of(buf, len)) {
	case HLL_EMPTY:
		return 0;
	case HLL_EXACT:
		return exact_ok(buf) ? 0 : -EBADMSG;
	case HLL_SPARSE:
		return sparse_ok(buf) ? 0 : -EBADMSG;
	case HLL_DENSE:
		return dense_ok(buf) ? 0 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

int hll_is_exact(const void *buf, size_t len)
{
	int form = hll_form_of(buf, len);
	return form == HLL_EMPTY || form == HLL_EXACT;
}

/* ---- Ertl 2017, section 2.5: the improved raw estimator ---- */

/* x + sum over k >= 1 of x^(2^k) 2^(k-1): what the registers still at 0 say. x = 1 (all of them) never gets here. */
static double sigma(double x)
{
	double y = 1, z = x, before;
	do {
		x *= x;
		before = z;
		z += x * y;
		y += y;
	} while (z != before);
	return z;
}

/* The same for registers at the highest rank. */
static double tau(double x)
{
	if (x <= 0 || x >= 1)
		return 0;
	double y = 1, z = 1 - x, before;
	do {
		x = sqrt(x);
		before = z;
		y *= 0.5;
		z -= (1 - x) * (1 - x) * y;
	} while (z != before);
	return z / 3;
}

/* count[k] = registers of rank k; they sum up to HLL_REGISTERS. */
static double estimate(const uint32_t count[64])
{
	const double m = HLL_REGISTERS;
	if (count[0] == HLL_REGISTERS)
		return 0;
	double z = m * tau(1 - count[HLL_RANK_MAX] / m);
	for (int k = HLL_BITS; k >= 1; k--)
		z = 0.5 * (z + count[k]);
	z += m * sigma(count[0] / m);
	return fmin(m * m / (2 * M_LN2) / z, 0x1p64); /* z = 0: every register at the highest rank */
}

/* Four tables, so that equal neighbours do not wait for each other. */
static void dense_count(const uint8_t *b, uint32_t count[64])
{
	uint32_t p0[64] = { 0 }, p1[64] = { 0 }, p2[64] = { 0 }, p3[64] = { 0 };
	for (size_t at = HLL_HEAD; at < HLL_ROOM; at += HLL_STRIDE) {
		uint64_t w = hll_load8(b + at);
		p0[w & 63]++;
		p1[w >> 6 & 63]++;
		p2[w >> 12 & 63]++;
		p3[w >> 18 & 63]++;
		p0[w >> 24 & 63]++;
		p1[w >> 30 & 63]++;
		p2[w >> 36 & 63]++;
		p3[w >> 42]++;
	}
	for (int r = 0; r < 64; r++)
		count[r] = p0[r] + p1[r] + p2[r] + p3[r];
}

double hll_estimate(const void *buf, size_t len)
{
	const uint8_t *b = buf;
	uint32_t count[64] = { 0 };
	int form = hll_form_of(b, len);
	if (form <= HLL_EMPTY)
		return 0;
	size_t n = hll_count(b);
	if (form == HLL_EXACT)
		return (double)n;
	if (form == HLL_DENSE) {
		dense_count(b, count);
		return estimate(count);
	}
	count[0] = (uint32_t)(HLL_REGISTERS - n);
	for (size_t i = 0; i < n; i++)
		count[hll_sparse_rank(b, i) & 63]++;
	return estimate(count);
}
