/* SPDX-License-Identifier: Apache-2.0 */
/* A bump allocator: one per request or batch, reset and not freed piece by piece.
 * An arena belongs to one thread at a time. Memory is aligned to 16 bytes and is not zeroed. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/check.h"
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *head; /* block in use; older ones hang behind it */
	struct arena_block *idle; /* of the usual size, for the use to come */
	size_t used;              /* bytes used in head */
	size_t block_bytes;       /* size of the blocks to come */
	size_t total_bytes;       /* held by all blocks */
};

/* The first block is allocated at the first use. block_bytes 0 = 16 KiB. */
void arena_init(struct arena *a, size_t block_bytes);

/* Never NULL: running out of memory for a bounded request is an abort, not a lost event. */
void *arena_alloc(struct arena *a, size_t bytes);

void *arena_zalloc(struct arena *a, size_t bytes);

/* Copies len bytes and adds a NUL behind them (not counted). */
char *arena_copy(struct arena *a, const void *bytes, size_t len);

struct tally_str arena_str(struct arena *a, struct tally_str s);

/* printf into the arena; the result is NUL-terminated and lives as long as the arena's content. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forgets everything allocated; keeps one block of the usual size for the next use. */
void arena_reset(struct arena *a);

/* The same for a use that comes again and again: keeps as many blocks of the usual size as this one took. */
void arena_recycle(struct arena *a);

/* Gives all memory back. The arena can be used again afterwards. */
void arena_free(struct arena *a);

#endif
