/* SPDX-License-Identifier: Apache-2.0 */
#include "flight.h"

#include <stdlib.h>
#include <string.h>

struct flight *flight_find(const struct flights *fs, uint64_t hash, struct tally_str key)
{
	struct flight *f = fs->first;
	while (f && !(f->hash == hash && f->key.len == key.len && memcmp(f->key.ptr, key.ptr, key.len) == 0))
		f = f->next;
	return f;
}

struct flight *flight_led_by(const struct flights *fs, uint64_t request)
{
	struct flight *f = fs->first;
	while (f && f->leader != request)
		f = f->next;
	return f;
}

struct flight *flight_begin(struct flights *fs, uint64_t hash, struct tally_str key, uint64_t leader)
{
	struct flight *f = calloc(1, sizeof *f + key.len);
	if (!f)
		return NULL;
	memcpy(f + 1, key.ptr, key.len);
	f->hash = hash;
	f->key = (struct tally_str){ (const char *)(f + 1), key.len };
	f->leader = leader;
	f->next = fs->first;
	fs->first = f;
	return f;
}

bool flight_join(struct flights *fs, struct flight *f, uint64_t request)
{
	if (f->nwaiting == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 8;
		uint64_t *bigger = realloc(f->waiting, cap * sizeof *bigger);
		if (!bigger)
			return false;
		f->waiting = bigger;
		f->cap = cap;
	}
	f->waiting[f->nwaiting++] = request;
	fs->waiting++;
	return true;
}

static void take_out(struct flights *fs, struct flight *f, size_t i)
{
	memmove(f->waiting + i, f->waiting + i + 1, (--f->nwaiting - i) * sizeof *f->waiting);
	fs->waiting--;
}

void flight_leave(struct flights *fs, uint64_t request)
{
	for (struct flight *f = fs->first; f; f = f->next)
		for (size_t i = 0; i < f->nwaiting; i++)
			if (f->waiting[i] == request) {
				take_out(fs, f, i);
				return;
			}
}

uint64_t *flight_dismiss(struct flights *fs, struct flight *f, size_t *n)
{
	uint64_t *all = f->waiting;
	*n = f->nwaiting;
	fs->waiting -= f->nwaiting;
	f->waiting = NULL;
	f->nwaiting = f->cap = 0;
	return all;
}

bool flight_promote(struct flights *fs, struct flight *f)
{
	if (f->nwaiting == 0)
		return false;
	f->leader = f->waiting[0];
	take_out(fs, f, 0);
	return true;
}

void flight_end(struct flights *fs, struct flight *f)
{
	struct flight **at = &fs->first;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	fs->waiting -= f->nwaiting;
}

void flight_free(struct flight *f)
{
	free(f->waiting);
	free(f->found);
	free(f);
}
