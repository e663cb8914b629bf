/* SPDX-License-Identifier: Apache-2.0 */
/* Space-Saving: the heaviest keys of a stream in bounded memory (Metwally, Agrawal, El Abbadi: "Efficient computation of
 * frequent and top-k elements in data streams", ICDT 2005). k keys are counted; a new one takes the place of the lightest
 * and inherits its count as its possible error. Chosen over Misra-Gries, which keeps the same keys in the same memory,
 * because it bounds each count from both sides. With N the weight of all that was added:
 *
 *     count - error <= what the key really has <= count
 *     error <= N / k,  and every key that has more than N / k is there
 *
 * The bounds hold for merges of equal k too (Agarwal et al., "Mergeable summaries", PODS 2012), with N the sum of both;
 * which keys are kept below them depends on the order.
 *
 * A key is 16 bytes that look random: a hash under a key that strangers do not know.
 *
 *   u8 1 (version), u8 16 (bytes of a key), u16 k, u16 n, u16 b, u64 N, u64 the most a key that is not there can have;
 *   then k entries, the first n a min-heap by count: key, u64 count, u64 error, u32 its place in the index, u32 0;
 *   then the index: 2^b u16, entry + 1, 0 = free
 *
 * Pure functions on bytes, versioned by the first one; counts saturate at 2^63 - 1. [any thread] */
#ifndef SKETCH_HEAVY_H
#define SKETCH_HEAVY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define HEAVY_KEY 16
#define HEAVY_MAX 16384 /* k */

struct heavy_entry {
	uint8_t key[HEAVY_KEY];
	uint64_t count, error;
};

/* Bytes of a summary of k keys, 1..HEAVY_MAX: 44 to 48 each. */
size_t heavy_room(unsigned k);
/* An empty one. buf has heavy_room(k) bytes. */
void heavy_init(void *buf, unsigned k);
/* 0, or -EBADMSG if the bytes are not a well-formed summary. The others trust their first argument. */
must_check int heavy_check(const void *buf, size_t len);

/* Counts a key; returns what it has at least by now (count - error). times 0 changes nothing. */
uint64_t heavy_add(void *buf, const uint8_t key[HEAVY_KEY], uint64_t times);
/* Into buf, which keeps its k; other may have another. -EBADMSG: other is no summary, buf is as it was. -ENOMEM. */
must_check int heavy_merge(void *buf, const void *other, size_t other_len);

bool heavy_find(const void *buf, const uint8_t key[HEAVY_KEY], struct heavy_entry *out);
/* The n heaviest by count downwards, ties by key; returns how many there were. */
unsigned heavy_top(const void *buf, struct heavy_entry *out, unsigned n);
/* The weight of all that was added. */
uint64_t heavy_total(const void *buf);
/* The most that a key can have which is not there. */
uint64_t heavy_floor(const void *buf);

#endif
