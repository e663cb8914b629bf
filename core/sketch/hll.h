/* SPDX-License-Identifier: Apache-2.0 */
/* HyperLogLog: how many distinct values were added (Flajolet et al. 2007), with the improved estimator of Ertl 2017
 * ("New cardinality estimation algorithms for HyperLogLog sketches"), precision p = 14: 16384 registers of 6 bits,
 * standard error 1.04 / sqrt(16384) = 0.81 %. Exact while at most 500 distinct hashes were seen: the 64-bit hashes
 * themselves are kept, sorted; then a list of the registers that are not 0 while that is smaller (the sparse form of
 * Heule, Nunkesser, Hall 2013, at the same precision). Pure functions on bytes; the bytes are the format on disk, versioned by the first one.
 *
 *   form 1 exact:  u8 1, u8 p, u16 n, n x u64 hashes ascending
 *   form 2 sparse: u8 2, u8 p, u16 n, n x (u16 register | u8 rank) ascending, while that is smaller than dense (n < 4096)
 *   form 3 dense:  u8 3, u8 p, u16 0, 12288 bytes of packed 6-bit registers
 * A merge of two forms is the same set of bytes in whatever order it was made. [any thread] */
#ifndef SKETCH_HLL_H
#define SKETCH_HLL_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define HLL_P 14
#define HLL_EXACT_MAX 500
#define HLL_ROOM (4 + 12288) /* no form is larger */

/* *len 0 is the empty sketch. -ENOSPC: cap is too small for the next form; -EBADMSG: not a sketch of this version.
 * After an error buf is as it was. Of buf only head and length are looked at (whoever read it from elsewhere calls
 * hll_check() first); other is checked whole. buf and other do not overlap, unless they are the same sketch. */
must_check int hll_add(void *buf, size_t *len, size_t cap, uint64_t hash);
must_check int hll_merge(void *buf, size_t *len, size_t cap, const void *other, size_t other_len);
/* 0 for what is not a sketch. */
double hll_estimate(const void *buf, size_t len);
/* 0, or -EBADMSG if the bytes are not a well-formed sketch. */
must_check int hll_check(const void *buf, size_t len);
/* 1 = the estimate is exact. */
int hll_is_exact(const void *buf, size_t len);

/* A union in the making, for many sketches into one: registers as in form 3, however few are used, so that adding to it is a
 * step a register and nothing moves. Between begin and end the bytes are no sketch, and take HLL_ROOM. What begins must
 * not be exact any more: a draft does not know hashes. */
void hll_draft_begin(void *buf, size_t *len);                             /* of a sketch that hll_check() has passed */
must_check int hll_draft_add(void *draft, const void *other, size_t len); /* as hll_merge(); other is checked whole */
void hll_draft_end(void *buf, size_t *len);

/* The hash that every node and release uses for a visitor: XXH3-64 with a fixed seed. */
uint64_t hll_hash(const void *bytes, size_t len);

#endif
