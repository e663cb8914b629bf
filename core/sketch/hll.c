/* SPDX-License-Identifier: Apache-2.0 */
/* Adding and merging. Which form a sketch has depends on nothing but what was added: exact up to HLL_EXACT_MAX distinct
 * hashes, then sparse up to HLL_SPARSE_MAX registers that are not 0, then dense; both only ever grow. So equal sets are
 * equal bytes, whatever the way they came together. */
#include "sketch/hll.h"

#include <errno.h>

#include "sketch/hll_bytes.h"

/* ---- registers of the dense form ---- */

/* Raises one register to at least rank. The four bytes loaded begin one before its group of three, which is the head's
 * last one for the first group, so nothing outside the sketch is touched. */
static void dense_raise(uint8_t *b, uint32_t reg, unsigned rank)
{
	uint8_t *p = b + HLL_HEAD - 1 + 3 * (size_t)(reg / 4);
	unsigned shift = 8 + 6 * (reg & 3);
	uint32_t word = get_u32(p);
	if ((word >> shift & 63) < rank)
		put_u32(p, (word & ~((uint32_t)63 << shift)) | (uint32_t)rank << shift);
}

static uint64_t max_even(uint64_t a, uint64_t b)
{
	uint64_t not_less = ((a | HLL_HIGH) - b) & HLL_HIGH;
	uint64_t mask = not_less - (not_less >> 6);
	return (a & mask) | (b & ~mask);
}

static uint64_t max48(uint64_t a, uint64_t b)
{
	return max_even(a & HLL_EVEN, b & HLL_EVEN) | max_even(a >> 6 & HLL_EVEN, b >> 6 & HLL_EVEN) << 6;
}

static void dense_max(uint8_t *b, const uint8_t *other)
{
	for (size_t at = HLL_HEAD; at < HLL_ROOM; at += HLL_STRIDE)
		hll_store8(b + at, max48(hll_load8(b + at), hll_load8(other + at)));
}

/* ---- walking the small forms ---- */

/* Registers of an exact or sparse sketch in ascending order. Hashes in ascending order come by ascending register. */
struct walk {
	const uint8_t *b;
	size_t i, n;
	int exact;
	uint32_t reg; /* HLL_REGISTERS = the end */
	unsigned rank;
};

static void walk_next(struct walk *w)
{
	w->reg = HLL_REGISTERS;
	if (w->i >= w->n)
		return;
	if (!w->exact) {
		w->reg = hll_sparse_register(w->b, w->i) & (HLL_REGISTERS - 1);
		w->rank = hll_sparse_rank(w->b, w->i++) & 63;
		return;
	}
	w->reg = hll_register(hll_exact_at(w->b, w->i));
	w->rank = 0;
	for (; w->i < w->n && hll_register(hll_exact_at(w->b, w->i)) == w->reg; w->i++) {
		unsigned rank = hll_rank(hll_exact_at(w->b, w->i));
		w->rank = rank > w->rank ? rank : w->rank;
	}
}

static struct walk walk_start(const uint8_t *b)
{
	struct walk w = { .b = b, .n = hll_count(b), .exact = b[0] == HLL_EXACT };
	walk_next(&w);
	return w;
}

/* The next register of both walks together; 0 at the end. */
static int walk_both(struct walk *a, struct walk *b, uint32_t *reg, unsigned *rank)
{
	*reg = a->reg < b->reg ? a->reg : b->reg;
	*rank = 0;
	if (*reg == HLL_REGISTERS)
		return 0;
	if (a->reg == *reg) {
		*rank = a->rank;
		walk_next(a);
	}
	if (b->reg == *reg) {
		*rank = b->rank > *rank ? b->rank : *rank;
		walk_next(b);
	}
	return 1;
}

static void dense_raise_all(uint8_t *b, const uint8_t *small)
{
	for (struct walk w = walk_start(small); w.reg < HLL_REGISTERS; walk_next(&w))
		dense_raise(b, w.reg, w.rank);
}

static void sparse_put(uint8_t *b, size_t i, uint32_t reg, unsigned rank)
{
	put_u16(b + HLL_HEAD + 3 * i, (uint16_t)reg);
	b[HLL_HEAD + 3 * i + 2] = (uint8_t)rank;
}

static int give(void *buf, size_t *len, size_t cap, const uint8_t *from, size_t from_len)
{
	if (from_len > cap)
		return -ENOSPC;
	memcpy(buf, from, from_len);
	*len = from_len;
	return 0;
}

static int unite_dense(void *buf, size_t *len, size_t cap, const uint8_t *x, const uint8_t *y)
{
	uint8_t out[HLL_ROOM] = { 0 };
	hll_head_put(out, HLL_DENSE, 0);
	dense_raise_all(out, x);
	dense_raise_all(out, y);
	return give(buf, len, cap, out, sizeof out);
}

/* buf becomes the sparse or dense sketch of the registers of two small ones, which may lie in it. */
static int unite(void *buf, size_t *len, size_t cap, const uint8_t *x, const uint8_t *y)
{
	uint8_t out[HLL_HEAD + 3 * HLL_SPARSE_MAX];
	uint32_t reg;
	unsigned rank;
	size_t n = 0;
	for (struct walk wx = walk_start(x), wy = walk_start(y); walk_both(&wx, &wy, &reg, &rank); n++) {
		if (n == HLL_SPARSE_MAX)
			return unite_dense(buf, len, cap, x, y);
		sparse_put(out, n, reg, rank);
	}
	hll_head_put(out, HLL_SPARSE, n);
	return give(buf, len, cap, out, HLL_HEAD + 3 * n);
}

/* ---- adding ---- */

/* Where the hash is, or would go. */
static size_t exact_find(const uint8_t *b, size_t n, uint64_t hash)
{
	size_t low = 0;
	while (n) {
		size_t half = n / 2;
		if (hll_exact_at(b, low + half) < hash) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

/* The sketch of one hash. */
struct single {
	uint8_t b[HLL_HEAD + 8];
};

static struct single single(uint64_t hash)
{
	struct single s;
	hll_head_put(s.b, HLL_EXACT, 1);
	put_u64(s.b + HLL_HEAD, hash);
	return s;
}

static int exact_add(uint8_t *b, size_t *len, size_t cap, uint64_t hash)
{
	size_t n = hll_count(b), i = exact_find(b, n, hash);
	if (i < n && hll_exact_at(b, i) == hash)
		return 0;
	if (n == HLL_EXACT_MAX)
		return unite(b, len, cap, b, single(hash).b);
	if (*len + 8 > cap)
		return -ENOSPC;
	uint8_t *p = b + HLL_HEAD + 8 * i;
	memmove(p + 8, p, 8 * (n - i));
	put_u64(p, hash);
	hll_head_put(b, HLL_EXACT, n + 1);
	*len += 8;
	return 0;
}

static size_t sparse_find(const uint8_t *b, size_t n, uint32_t reg)
{
	size_t low = 0;
	while (n) {
		size_t half = n / 2;
		if (hll_sparse_register(b, low + half) < reg) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static int sparse_add(uint8_t *b, size_t *len, size_t cap, uint64_t hash)
{
	uint32_t reg = hll_register(hash);
	unsigned rank = hll_rank(hash);
	size_t n = hll_count(b), i = sparse_find(b, n, reg);
	uint8_t *p = b + HLL_HEAD + 3 * i;
	if (i < n && hll_sparse_register(b, i) == reg) {
		p[2] = rank > p[2] ? (uint8_t)rank : p[2];
		return 0;
	}
	if (n == HLL_SPARSE_MAX)
		return unite(b, len, cap, b, single(hash).b);
	if (*len + 3 > cap)
		return -ENOSPC;
	memmove(p + 3, p, 3 * (n - i));
	sparse_put(b, i, reg, rank);
	hll_head_put(b, HLL_SPARSE, n + 1);
	*len += 3;
	return 0;
}

int hll_add(void *buf, size_t *len, size_t cap, uint64_t hash)
{
	switch (hll_form_of(buf, *len)) {
	case HLL_DENSE:
		dense_raise(buf, hll_register(hash), hll_rank(hash));
		return 0;
	case HLL_SPARSE:
		return sparse_add(buf, len, cap, hash);
	case HLL_EXACT:
		return exact_add(buf, len, cap, hash);
	case HLL_EMPTY:
		return give(buf, len, cap, single(hash).b, sizeof(struct single));
	default:
		return -EBADMSG;
	}
}

/* ---- merging ---- */

/* The union of two exact sketches, which is exact unless it has too many hashes. */
static int unite_exact(void *buf, size_t *len, size_t cap, const uint8_t *x, const uint8_t *y)
{
	uint8_t out[HLL_HEAD + 8 * HLL_EXACT_MAX];
	size_t nx = hll_count(x), ny = hll_count(y), i = 0, k = 0, n = 0;
	while (i < nx || k < ny) {
		uint64_t hx = i < nx ? hll_exact_at(x, i) : UINT64_MAX, hy = k < ny ? hll_exact_at(y, k) : UINT64_MAX;
		uint64_t least = hx < hy ? hx : hy;
		if (n == HLL_EXACT_MAX)
			return unite(buf, len, cap, x, y);
		put_u64(out + HLL_HEAD + 8 * n++, least);
		i += i < nx && hx == least;
		k += k < ny && hy == least;
	}
	hll_head_put(out, HLL_EXACT, n);
	return give(buf, len, cap, out, HLL_HEAD + 8 * n);
}

/* A small sketch in buf, a dense one to merge into it. */
static int become_dense(void *buf, size_t *len, size_t cap, const uint8_t *dense)
{
	uint8_t out[HLL_ROOM];
	memcpy(out, dense, sizeof out);
	dense_raise_all(out, buf);
	return give(buf, len, cap, out, sizeof out);
}

int hll_merge(void *buf, size_t *len, size_t cap, const void *other, size_t other_len)
{
	int mine = hll_form_of(buf, *len);
	if (mine < 0 || hll_check(other, other_len) != 0)
		return -EBADMSG;
	int theirs = hll_form_of(other, other_len);
	if (theirs == HLL_EMPTY)
		return 0;
	if (mine == HLL_EMPTY)
		return give(buf, len, cap, other, other_len);
	if (mine != HLL_DENSE && theirs == HLL_DENSE)
		return become_dense(buf, len, cap, other);
	if (mine == HLL_EXACT && theirs == HLL_EXACT)
		return unite_exact(buf, len, cap, buf, other);
	if (mine != HLL_DENSE)
		return unite(buf, len, cap, buf, other);
	if (theirs == HLL_DENSE)
		dense_max(buf, other);
	else
		dense_raise_all(buf, other);
	return 0;
}
