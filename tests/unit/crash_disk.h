/* SPDX-License-Identifier: Apache-2.0 */
/* A model of what a disk may hold after a power cut. It hears of all file calls in one folder (base/file.h), keeps them,
 * and makes images: for a chosen moment, any subset of the unsynced 512-byte sectors in any of the versions they had, the
 * last write torn at any byte, names made or removed there or not. A sync that failed leaves its sectors in doubt until
 * they are written and synced anew. */
#ifndef TESTS_CRASH_DISK_H
#define TESTS_CRASH_DISK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "unit.h"

#define DISK_SECTOR 512
#define DISK_FILES 256
#define DISK_FDS 1024

struct disk_act {
	enum file_op op;
	int file; /* -1: the folder */
	uint64_t off;
	uint8_t *bytes;
	size_t len;
};

struct disk_file {
	char name[64];
	uint8_t *base; /* what was durable at the beginning; NULL = not there */
	size_t base_len;
};

struct disk {
	char dir[128];
	struct disk_file files[DISK_FILES];
	int nfiles;
	int fds[DISK_FDS];
	struct disk_act *acts;
	size_t nacts, cap;
};

static inline uint64_t disk_random(uint64_t *s)
{
	*s += 0x9e3779b97f4a7c15u;
	uint64_t z = *s;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t disk_below(uint64_t *s, uint64_t n)
{
	return n ? disk_random(s) % n : 0;
}

/* The last file of that name, or -1. */
static inline int disk_find(const struct disk *d, const char *path)
{
	size_t n = strlen(d->dir);
	if (strncmp(path, d->dir, n) != 0 || path[n] != '/' || strchr(path + n + 1, '/'))
		return -1;
	for (int i = d->nfiles; i-- > 0;)
		if (strcmp(d->files[i].name, path + n + 1) == 0)
			return i;
	return -2;
}

static inline void disk_add(struct disk *d, enum file_op op, int file, const struct file_act *act)
{
	if (d->nacts == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 256;
		d->acts = realloc(d->acts, d->cap * sizeof *d->acts);
		assert_non_null(d->acts);
	}
	struct disk_act *a = &d->acts[d->nacts++];
	*a = (struct disk_act){ .op = op, .file = file };
	if (op != FILE_WRITTEN)
		return;
	a->off = act->off;
	a->len = act->len;
	a->bytes = malloc(act->len);
	assert_non_null(a->bytes);
	memcpy(a->bytes, act->bytes, act->len);
}

static inline int disk_new_file(struct disk *d, const char *name)
{
	assert_true(d->nfiles < DISK_FILES);
	struct disk_file *f = &d->files[d->nfiles];
	*f = (struct disk_file){ 0 };
	snprintf(f->name, sizeof f->name, "%.62s", name);
	return d->nfiles++;
}

/* A later file of that name is another one. */
static inline void disk_hide_name(struct disk_file *f)
{
	memmove(f->name + 1, f->name, strlen(f->name) + 1);
	f->name[0] = '/';
}

/* The hook for file_watch(). */
static inline void disk_hear(void *arg, const struct file_act *act)
{
	struct disk *d = arg;
	int file = act->fd >= 0 && act->op != FILE_OPENED ? d->fds[act->fd] : -1;
	switch (act->op) {
	case FILE_OPENED:
		assert_true(act->fd < DISK_FDS);
		file = disk_find(d, act->path);
		if (file == -2)
			file = disk_new_file(d, act->path + strlen(d->dir) + 1);
		d->fds[act->fd] = file;
		if (file >= 0)
			disk_add(d, FILE_OPENED, file, act);
		break;
	case FILE_CLOSED:
		d->fds[act->fd] = -1;
		break;
	case FILE_DIR_SYNCED:
		if (strcmp(act->path, d->dir) == 0)
			disk_add(d, FILE_DIR_SYNCED, -1, act);
		break;
	case FILE_RENAMED:
	case FILE_UNLINKED:
		file = disk_find(d, act->path);
		if (file >= 0) {
			disk_add(d, FILE_UNLINKED, file, act);
			disk_hide_name(&d->files[file]);
		}
		break;
	case FILE_WRITTEN:
	case FILE_SYNCED:
	case FILE_SYNC_FAILED:
		if (file >= 0)
			disk_add(d, act->op, file, act);
		break;
	}
}

/* Begins to record, from the files that lie in dir now and are taken for durable. */
void disk_begin(struct disk *d, const char *dir);

/* Begins to record where prev stood at that moment, after kill -9: what it had written is in the cache, what it had not
 * synced is in doubt, as if its sync had failed, until it is written and synced anew. */
void disk_continue(struct disk *d, const struct disk *prev, size_t moment, const char *dir);

static inline void disk_end(struct disk *d)
{
	for (int i = 0; i < d->nfiles; i++)
		free(d->files[i].base);
	for (size_t i = 0; i < d->nacts; i++)
		free(d->acts[i].bytes);
	free(d->acts);
	free(d);
}

/* Writes to the folder `to` what may be left if the power goes within the first `moment` acts. Gives a hash of it. */
uint64_t disk_image(const struct disk *d, size_t moment, uint64_t seed, const char *to);

/* Writes to the folder `to` what a killed process leaves: everything. Gives a hash of it. */
uint64_t disk_cached(const struct disk *d, size_t moment, const char *to);

#endif
