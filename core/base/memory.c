/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"

#define PIECE ((size_t)1 << 20)
#define PIECES 4

/* In pieces, so that one request that fails does not use up all of it. */
static _Atomic(void *) reserve[PIECES];
static _Atomic bool is_short;

/* The log's own way may allocate; this one does not. */
static void say(const char *text, size_t len)
{
	ssize_t unheeded = write(STDERR_FILENO, text, len);
	(void)unheeded;
}

static bool give_up_piece(void)
{
	static const char words[] = "tally: out of memory: finishing what is under way out of the reserve\n";
	for (int i = 0; i < PIECES; i++) {
		void *piece = atomic_exchange(&reserve[i], (void *)NULL);
		if (!piece)
			continue;
		if (!atomic_exchange(&is_short, true))
			say(words, sizeof words - 1);
		free(piece);
		return true;
	}
	return false;
}

static _Noreturn void end(size_t bytes)
{
	static const char words[] = "tally: out of memory, and the reserve is used up: ending as a kill would\n";
	(void)bytes;
	say(words, sizeof words - 1);
	signal(SIGABRT, SIG_DFL); /* the plugin that asked last is not to blame: no note of a crash is made */
	abort();
}

void *memory_alloc(size_t bytes)
{
	void *p;
	while (!(p = malloc(bytes ? bytes : 1)))
		if (!give_up_piece())
			end(bytes);
	return p;
}

void *memory_zalloc(size_t n, size_t size)
{
	void *p;
	while (!(p = calloc(n ? n : 1, size ? size : 1)))
		if (!give_up_piece())
			end(n);
	return p;
}

void *memory_grow(void *p, size_t bytes)
{
	void *grown;
	while (!(grown = realloc(p, bytes ? bytes : 1)))
		if (!give_up_piece())
			end(bytes);
	return grown;
}

void memory_keep_reserve(void)
{
	bool whole = true;
	for (int i = 0; i < PIECES; i++) {
		if (atomic_load(&reserve[i]))
			continue;
		void *none = NULL, *piece = malloc(PIECE);
		if (piece && !atomic_compare_exchange_strong(&reserve[i], &none, piece))
			free(piece);
		whole &= piece != NULL;
	}
	if (whole)
		atomic_store(&is_short, false);
}

bool memory_is_short(void)
{
	return atomic_load_explicit(&is_short, memory_order_relaxed);
}
