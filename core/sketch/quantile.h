/* SPDX-License-Identifier: Apache-2.0 */
/* DDSketch: quantiles of numbers with a relative error (Masson, Rim, Lee: "DDSketch: A fast and fully-mergeable quantile
 * sketch with relative-error guarantees", PVLDB 12, 2019). A number is counted in the bin of its logarithm: bin i holds
 * (g^(i-1), g^i] with g = (1 + a) / (1 - a), a = 0.01, and stands for (1 - a) g^i, which is within 1 % of every number in
 * it. Negative numbers have bins of their own, the same way; what lies below the least normal double (2.2e-308) is 0.
 *
 * Bounded: of more than QUANTILE_BINS_MAX bins the lowest (of the least numbers, the most negative first) are collapsed
 * into the lowest that is kept. A quantile is within 1 % as long as no more than that many bins lie at or above it:
 * numbers of one sign would have to spread over 35 powers of ten. Which bins are kept follows from the numbers alone,
 * so equal numbers are equal bytes, in whatever order and however they were added and merged.
 *
 *   u8 1 (version), u8 100 (1 / a), u16 n, then n times by ascending bin: varint of the key, varint of the count
 *   key:   of the first bin zigzag, of each later one how many bins lie between it and the one before
 *          (0 for the number 0, i + 36000 for bin i, the negative of that for numbers below 0)
 *   count: 1..2^63 - 1, saturating
 * A varint has 7 bits in a byte, the lowest first, the high bit set on all but the last one, and is as short as can be.
 *
 * Pure functions on bytes; the bytes are the format on disk, versioned by the first one. [any thread] */
#ifndef SKETCH_QUANTILE_H
#define SKETCH_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define QUANTILE_ERROR 0.01
#define QUANTILE_BINS_MAX 4096
#define QUANTILE_ROOM (4 + 12 * QUANTILE_BINS_MAX) /* no sketch is larger; one of real data has 1 or 2 KiB */

/* *len 0 is the empty sketch. -ENOSPC: cap is too small for the result; -EBADMSG: not a sketch of this version (whatever
 * the bytes are, nothing outside of them is touched); -EINVAL: a number that is not finite. After an error buf is as it
 * was. other may be buf itself; else they do not overlap. */
must_check int quantile_add(void *buf, size_t *len, size_t cap, double number, uint64_t times);
/* n numbers at once, each so many times: much faster than one by one. */
must_check int quantile_add_many(void *buf, size_t *len, size_t cap, const double *numbers, size_t n, uint64_t times);
must_check int quantile_merge(void *buf, size_t *len, size_t cap, const void *other, size_t other_len);

/* The number at rank ceil(percent / 100 * count), 1 being the least, give or take 1 %. percent: 0..100. 0 for the empty
 * sketch and for what is none. */
double quantile_value(const void *buf, size_t len, unsigned percent);
/* How many numbers were added; 0 for what is no sketch. */
uint64_t quantile_count(const void *buf, size_t len);
/* 0, or -EBADMSG if the bytes are not a well-formed sketch. */
must_check int quantile_check(const void *buf, size_t len);

#endif
