/* SPDX-License-Identifier: Apache-2.0 */
/* Unions of many sketches: one buffer of registers that all are added to, given its proper form once, at the end. */
#include <errno.h>

#include "sketch/hll_bytes.h"

/* As in hll.c: the four bytes loaded begin one before the register's group of three. */
static inline void raise_to(uint8_t *b, uint32_t reg, unsigned rank)
{
	uint8_t *p = b + HLL_HEAD - 1 + 3 * (size_t)(reg / 4);
	unsigned shift = 8 + 6 * (reg & 3);
	uint32_t word = get_u32(p);
	if ((word >> shift & 63) < rank)
		put_u32(p, (word & ~((uint32_t)63 << shift)) | (uint32_t)rank << shift);
}

static void add_exact(uint8_t *b, const uint8_t *other)
{
	for (size_t i = 0, n = hll_count(other); i < n; i++) {
		uint64_t hash = hll_exact_at(other, i);
		raise_to(b, hll_register(hash), hll_rank(hash));
	}
}

static void add_sparse(uint8_t *b, const uint8_t *other)
{
	for (size_t i = 0, n = hll_count(other); i < n; i++)
		raise_to(b, hll_sparse_register(other, i), hll_sparse_rank(other, i));
}

static uint64_t max_even(uint64_t a, uint64_t b)
{
	uint64_t not_less = ((a | HLL_HIGH) - b) & HLL_HIGH;
	uint64_t mask = not_less - (not_less >> 6);
	return (a & mask) | (b & ~mask);
}

static void add_dense(uint8_t *b, const uint8_t *other)
{
	for (size_t at = HLL_HEAD; at < HLL_ROOM; at += HLL_STRIDE) {
		uint64_t x = hll_load8(b + at), y = hll_load8(other + at);
		uint64_t odd = max_even(x >> 6 & HLL_EVEN, y >> 6 & HLL_EVEN);
		hll_store8(b + at, max_even(x & HLL_EVEN, y & HLL_EVEN) | odd << 6);
	}
}

static void add(uint8_t *b, const uint8_t *other, int form)
{
	if (form == HLL_EXACT)
		add_exact(b, other);
	else if (form == HLL_SPARSE)
		add_sparse(b, other);
	else if (form == HLL_DENSE)
		add_dense(b, other);
}

void hll_draft_begin(void *buf, size_t *len)
{
	uint8_t out[HLL_ROOM] = { 0 };
	hll_head_put(out, HLL_DENSE, 0);
	add(out, buf, hll_form_of(buf, *len));
	memcpy(buf, out, sizeof out);
	*len = HLL_ROOM;
}

int hll_draft_add(void *draft, const void *other, size_t len)
{
	if (hll_check(other, len) != 0)
		return -EBADMSG;
	add(draft, other, hll_form_of(other, len));
	return 0;
}

void hll_draft_end(void *buf, size_t *len)
{
	const uint8_t *b = buf;
	uint8_t out[HLL_HEAD + 3 * HLL_SPARSE_MAX];
	size_t n = 0;
	for (uint32_t reg = 0; reg < HLL_REGISTERS; reg++) {
		unsigned rank = get_u32(b + HLL_HEAD - 1 + 3 * (size_t)(reg / 4)) >> (8 + 6 * (reg & 3)) & 63;
		if (!rank)
			continue;
		if (n == HLL_SPARSE_MAX)
			return; /* dense it is */
		put_u16(out + HLL_HEAD + 3 * n, (uint16_t)reg);
		out[HLL_HEAD + 3 * n++ + 2] = (uint8_t)rank;
	}
	hll_head_put(out, HLL_SPARSE, n);
	*len = n ? HLL_HEAD + 3 * n : 0;
	memcpy(buf, out, *len);
}
