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

static void add_block(struct arena *a, size_t bytes)
{
	size_t want = bytes > a->block_bytes ? bytes : a->block_bytes;
	struct arena_block *b = memory_alloc(sizeof *b + want);
	MUST(b != NULL);
	b->older = a->head;
	b->bytes = want;
	a->head = b;
	a->used = 0;
	a->total_bytes += want;
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

void arena_reset(struct arena *a)
{
	struct arena_block *b = a->head;
	while (b && (b->older || b->bytes > a->block_bytes)) {
		struct arena_block *older = b->older;
		a->total_bytes -= b->bytes;
		free(b);
		b = older;
	}
	a->head = b;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	size_t block_bytes = a->block_bytes;
	for (struct arena_block *b = a->head; b;) {
		struct arena_block *older = b->older;
		free(b);
		b = older;
	}
	arena_init(a, block_bytes);
}
