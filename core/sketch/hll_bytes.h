/* SPDX-License-Identifier: Apache-2.0 */
/* The three forms of a HyperLogLog as bytes; shared by hll.c (writes) and hll_read.c (reads). Nobody else includes this.
 *
 *   dense registers, 4 in 3 bytes, little-endian:   |  byte 0  |  byte 1  |  byte 2  |
 *                                                   |aaaaaa bb bbbb cccc cc dddddd|     (low bits first)
 * Words of them are worked on 8 registers (48 bits) at a time, the even and the odd ones apart, so that each register
 * has 6 spare bits above itself for carries. */
#ifndef SKETCH_HLL_BYTES_H
#define SKETCH_HLL_BYTES_H

#include "base/bytes.h"
#include "sketch/hll.h"

enum hll_form { HLL_EMPTY = 0, HLL_EXACT = 1, HLL_SPARSE = 2, HLL_DENSE = 3 };

#define HLL_REGISTERS (1 << HLL_P)
#define HLL_BITS (64 - HLL_P)       /* of a hash behind its register */
#define HLL_RANK_MAX (HLL_BITS + 1) /* all of them 0 */
#define HLL_HEAD 4
#define HLL_SPARSE_MAX 4095 /* one more takes as many bytes as dense */
#define HLL_STRIDE 6        /* bytes of 8 registers */

#define HLL_EVEN UINT64_C(0x03f03f03f03f) /* registers 0, 2, 4, 6 of 48 bits */
#define HLL_HIGH UINT64_C(0x040040040040) /* the spare bit above each of them */

static inline uint32_t hll_register(uint64_t hash)
{
	return (uint32_t)(hash >> HLL_BITS);
}

/* 1 + the number of 0 bits before the first 1 behind the register's bits. */
static inline unsigned hll_rank(uint64_t hash)
{
	uint64_t rest = hash << HLL_P;
	return rest ? (unsigned)__builtin_clzll(rest) + 1 : HLL_RANK_MAX;
}

static inline uint64_t hll_exact_at(const uint8_t *b, size_t i)
{
	return get_u64(b + HLL_HEAD + 8 * i);
}

static inline uint32_t hll_sparse_register(const uint8_t *b, size_t i)
{
	return get_u16(b + HLL_HEAD + 3 * i);
}

static inline unsigned hll_sparse_rank(const uint8_t *b, size_t i)
{
	return b[HLL_HEAD + 3 * i + 2];
}

static inline void hll_head_put(uint8_t *b, enum hll_form form, size_t n)
{
	b[0] = (uint8_t)form;
	b[1] = HLL_P;
	put_u16(b + 2, (uint16_t)n);
}

static inline size_t hll_count(const uint8_t *b)
{
	return get_u16(b + 2);
}

/* The form by head and length; -1 if they do not fit each other. */
static inline int hll_form_of(const uint8_t *b, size_t len)
{
	if (len == 0)
		return HLL_EMPTY;
	if (len < HLL_HEAD || b[1] != HLL_P)
		return -1;
	size_t n = hll_count(b);
	switch (b[0]) {
	case HLL_DENSE:
		return n == 0 && len == HLL_ROOM ? HLL_DENSE : -1;
	case HLL_SPARSE:
		return n >= 1 && n <= HLL_SPARSE_MAX && len == HLL_HEAD + 3 * n ? HLL_SPARSE : -1;
	case HLL_EXACT:
		return n >= 1 && n <= HLL_EXACT_MAX && len == HLL_HEAD + 8 * n ? HLL_EXACT : -1;
	default:
		return -1;
	}
}

/* 8 registers as 48 bits, from 6 bytes and back. */
static inline uint64_t hll_load8(const uint8_t *p)
{
	return get_u32(p) | (uint64_t)get_u16(p + 4) << 32;
}

static inline void hll_store8(uint8_t *p, uint64_t w)
{
	put_u32(p, (uint32_t)w);
	put_u16(p + 4, (uint16_t)(w >> 32));
}

#endif
