/* SPDX-License-Identifier: Apache-2.0 */
/* Ids seen, in the order in which they came, found by a 128-bit keyed hash.
 *
 * Entries lie in chunks, oldest first; a chunk is given back when its last entry has gone. An index finds them: 256
 * shards, each an open-addressing table that doubles and halves by itself, so no single id ever waits for millions to
 * be moved. About 24 bytes an entry and 11 to 21 for its place in the index: ENTRY_BYTES is the worst case. */
#ifndef DEDUP_IDS_H
#define DEDUP_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_ENTRY_BYTES 46

struct ids_key {
	uint64_t a, b;
};

struct ids;

/* NULL = out of memory. Never holds more than max entries. */
struct ids *ids_open(size_t max);
void ids_close(struct ids *ids);

/* Numbers count from 1 in the order of ids_add(). 0 = not there. */
uint64_t ids_find(const struct ids *ids, struct ids_key key);
int64_t ids_time(const struct ids *ids, uint64_t number);

/* Assumes: the key is not there, time_us is not before that of the entry added last. A full table forgets its oldest
 * first. 0 = out of memory. */
uint64_t ids_add(struct ids *ids, struct ids_key key, int64_t time_us);

/* Nothing happens if it has gone already. */
void ids_drop(struct ids *ids, uint64_t number);

/* Forgets entries from before this time, oldest first, at most so many. */
void ids_expire(struct ids *ids, int64_t before_us, unsigned most);

size_t ids_count(const struct ids *ids);
/* How many were forgotten because the table was full. */
uint64_t ids_pushed_out(const struct ids *ids);

#endif
