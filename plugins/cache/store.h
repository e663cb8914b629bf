/* SPDX-License-Identifier: Apache-2.0 */
/* Answers kept in memory, bounded in bytes; the one used longest ago goes first. */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include <tally/plugin.h>

struct kept { /* one answer; everything in one allocation */
	uint64_t hash, version;
	int64_t made_us;
	int64_t true_us;    /* when it was last known to be what the store would answer … */
	uint64_t moment;    /* … and the store's moment then, 0 = not known */
	int64_t expires_us; /* INT64_MAX = only its version ends it */
	int32_t status;
	uint32_t reserved;
	struct tally_str key, type, etag, body;
	size_t bytes;
	struct kept *chain;         /* in its bucket */
	struct kept *newer, *older; /* by use */
};

struct store;

/* NULL = out of memory. */
struct store *store_open(size_t max_bytes);
void store_close(struct store *st);

/* NULL = not there. The answer found is now the one used last; it lives until the next store_put(). */
struct kept *store_get(struct store *st, uint64_t hash, struct tally_str key);

/* Copies the answer, in place of the one with this key. NULL: larger than its share of the store, or no memory; then
 * there is none with this key. */
struct kept *store_put(struct store *st, uint64_t hash, struct tally_str key, const struct tally_answer *an,
	struct tally_str body, int64_t made_us);

struct store_sums {                  /* since it was opened */
	int64_t bytes_in, bytes_out; /* their difference is in use */
	int64_t evicted;             /* answers that went because there was no room */
};
struct store_sums store_sums(const struct store *st);

#endif
