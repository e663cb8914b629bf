/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN 16
#define DEFAULT_BLOCK (16 * 1024)

struct arena_block {
	struct arena_block *older;
	size_t bytes; /* of data[] */
	_Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a, size_t block_bytes)
{
	*a = (struct arena){ .block_bytes = block_bytes ? block_bytes : DEFAULT_BLOCK };
}

static struct arena_block *make_block(struct arena *a, size_t bytes)
{
	struct arena_block *b = memory_alloc(sizeof *b + bytes);
	MUST(b != NULL);
	b->bytes = bytes;
	a->total_bytes += bytes;
	return b;
}

static void free_blocks(struct arena *a, struct arena_block *b)
{
	while (b) {
		struct arena_block *older = b->older;
		a->total_bytes -= b->bytes;
		free(b);
		b = older;
	}
}

static void add_block(struct arena *a, size_t bytes)
{
	struct arena_block *b = bytes <= a->block_bytes ? a->idle : NULL;
	if (b)
		a->idle = b->older;
	else
		b = make_block(a, bytes > a->block_bytes ? bytes : a->block_bytes);
	b->older = a->head;
	a->head = b;
	a->used = 0;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	MUST(bytes <= ((size_t)1 << 40));
	bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!a->head || a->head->bytes - a->used < bytes)
		add_block(a, bytes);
	void *p = a->head->data + a->used;
	a->used += bytes;
	return p;
}

void *arena_zalloc(struct arena *a, size_t bytes)
{
	return memset(arena_alloc(a, bytes), 0, bytes);
}

char *arena_copy(struct arena *a, const void *bytes, size_t len)
{
	char *p = arena_alloc(a, len + 1);
	if (len)
		memcpy(p, bytes, len);
	p[len] = 0;
	return p;
}

struct tally_str arena_str(struct arena *a, struct tally_str s)
{
	return (struct tally_str){ arena_copy(a, s.ptr, s.len), s.len };
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	MUST(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

/* Of the blocks in use those of the usual size become idle, the others go. */
static void retire(struct arena *a)
{
	struct arena_block *large = NULL;
	for (struct arena_block *b = a->head, *older; b; b = older) {
		older = b->older;
		struct arena_block **to = b->bytes > a->block_bytes ? &large : &a->idle;
		b->older = *to;
		*to = b;
	}
	free_blocks(a, large);
	a->head = NULL;
	a->used = 0;
}

void arena_recycle(struct arena *a)
{
	struct arena_block *unused = a->idle;
	a->idle = NULL;
	free_blocks(a, unused);
	retire(a);
}

void arena_reset(struct arena *a)
{
	retire(a);
	if (!a->idle)
		return;
	free_blocks(a, a->idle->older);
	a->idle->older = NULL;
}

void arena_free(struct arena *a)
{
	free_blocks(a, a->head);
	free_blocks(a, a->idle);
	arena_init(a, a->block_bytes);
}
