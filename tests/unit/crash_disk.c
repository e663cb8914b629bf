/* SPDX-License-Identifier: Apache-2.0 */
#include "crash_disk.h"

#include <dirent.h>
#include <sys/stat.h>
#include <xxhash.h>

/* A sector and what it held since it was durable last. */
struct sector {
	uint8_t durable[DISK_SECTOR];
	uint8_t (*versions)[DISK_SECTOR];
	size_t n;
	size_t doubtful; /* of these a sync failed: it cannot be had by another */
	bool present;    /* within the durable length */
};

struct inode {
	struct sector *sectors;
	size_t n;
	bool named, named_durable;
};

static void inode_grow(struct inode *f, size_t sectors)
{
	if (sectors <= f->n)
		return;
	f->sectors = realloc(f->sectors, sectors * sizeof *f->sectors);
	assert_non_null(f->sectors);
	memset(f->sectors + f->n, 0, (sectors - f->n) * sizeof *f->sectors);
	f->n = sectors;
}

static void inode_write(struct inode *f, uint64_t off, const uint8_t *bytes, size_t len)
{
	inode_grow(f, (off + len + DISK_SECTOR - 1) / DISK_SECTOR);
	while (len) {
		struct sector *s = &f->sectors[off / DISK_SECTOR];
		size_t at = off % DISK_SECTOR, n = DISK_SECTOR - at < len ? DISK_SECTOR - at : len;
		s->versions = realloc(s->versions, (s->n + 1) * DISK_SECTOR);
		assert_non_null(s->versions);
		memcpy(s->versions[s->n], s->n ? s->versions[s->n - 1] : s->durable, DISK_SECTOR);
		memcpy(s->versions[s->n] + at, bytes, n);
		s->n++;
		off += n;
		bytes += n;
		len -= n;
	}
}

static void inode_sync(struct inode *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct sector *s = &f->sectors[i];
		s->present = true;
		if (s->n == s->doubtful)
			continue;
		memcpy(s->durable, s->versions[s->n - 1], DISK_SECTOR);
		s->n = s->doubtful = 0;
	}
}

static void inode_doubt(struct inode *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->sectors[i].doubtful = f->sectors[i].n;
}

static void act_apply(struct inode *all, int nfiles, const struct disk_act *a, size_t len)
{
	switch (a->op) {
	case FILE_OPENED:
		all[a->file].named = true;
		break;
	case FILE_WRITTEN:
		inode_write(&all[a->file], a->off, a->bytes, len);
		break;
	case FILE_SYNCED:
		inode_sync(&all[a->file]);
		break;
	case FILE_SYNC_FAILED:
		inode_doubt(&all[a->file]);
		break;
	case FILE_UNLINKED:
		all[a->file].named = false;
		break;
	case FILE_DIR_SYNCED:
		for (int i = 0; i < nfiles; i++)
			all[i].named_durable = all[i].named;
		break;
	default:
		break;
	}
}

enum luck { LUCK_ALL, LUCK_NONE, LUCK_HALF, LUCK_MOST, LUCK_FEW, LUCK_EARLY, LUCKS };

static size_t choose(const struct sector *s, enum luck luck, uint64_t *seed)
{
	uint64_t dice = disk_below(seed, 16);
	switch (luck) {
	case LUCK_ALL:
		return s->n;
	case LUCK_NONE:
		return 0;
	case LUCK_EARLY: /* flushed after its first write and not again */
		return s->n ? 1 : 0;
	case LUCK_MOST:
		return dice ? s->n : disk_below(seed, s->n + 1);
	case LUCK_FEW:
		return dice ? 0 : disk_below(seed, s->n + 1);
	default:
		return disk_below(seed, s->n + 1);
	}
}

static uint64_t inode_put(const struct inode *f, const char *path, enum luck luck, uint64_t *seed)
{
	uint64_t hash = 0;
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	for (size_t i = 0; i < f->n; i++) {
		const struct sector *s = &f->sectors[i];
		size_t v = choose(s, luck, seed);
		if (!s->present && v == 0)
			continue; /* a hole, or behind the end */
		assert_int_equal(fseek(out, (long)(i * DISK_SECTOR), SEEK_SET), 0);
		const uint8_t *bytes = v ? s->versions[v - 1] : s->durable;
		assert_int_equal(fwrite(bytes, DISK_SECTOR, 1, out), 1);
		hash = XXH3_64bits_withSeed(bytes, DISK_SECTOR, hash + i);
	}
	assert_int_equal(fclose(out), 0);
	return hash;
}

/* tear: NULL = every act is whole. */
static struct inode *replay(const struct disk *d, size_t moment, uint64_t *tear)
{
	struct inode *all = calloc((size_t)d->nfiles + 1, sizeof *all);
	assert_non_null(all);
	for (int i = 0; i < d->nfiles; i++) {
		if (!d->files[i].base)
			continue;
		all[i].named = all[i].named_durable = true;
		inode_write(&all[i], 0, d->files[i].base, d->files[i].base_len);
		inode_sync(&all[i]);
	}
	for (size_t i = 0; i < moment; i++) {
		const struct disk_act *a = &d->acts[i];
		size_t len = a->len;
		if (tear && i + 1 == moment && disk_below(tear, 2))
			len = disk_below(tear, len + 1);
		act_apply(all, d->nfiles, a, len);
	}
	return all;
}

static uint64_t put_all(const struct disk *d, struct inode *all, enum luck luck, uint64_t seed, const char *to)
{
	uint64_t hash = 0;
	mkdir(to, 0700);
	for (int i = 0; i < d->nfiles; i++) {
		char path[512];
		const char *name = d->files[i].name;
		bool now = luck == LUCK_ALL || disk_below(&seed, 2);
		bool there = now ? all[i].named : all[i].named_durable;
		snprintf(path, sizeof path, "%.200s/%s", to, name[0] == '/' ? name + 1 : name);
		if (there)
			hash = hash * 31 + inode_put(&all[i], path, luck, &seed);
		for (size_t s = 0; s < all[i].n; s++)
			free(all[i].sectors[s].versions);
		free(all[i].sectors);
	}
	free(all);
	return hash;
}

uint64_t disk_image(const struct disk *d, size_t moment, uint64_t seed, const char *to)
{
	enum luck luck = (enum luck)disk_below(&seed, LUCKS);
	return put_all(d, replay(d, moment, &seed), luck, seed, to);
}

uint64_t disk_cached(const struct disk *d, size_t moment, const char *to)
{
	return put_all(d, replay(d, moment, NULL), LUCK_ALL, 0, to);
}

static void *copy_of(const void *bytes, size_t len)
{
	void *p = bytes ? malloc(len + 1) : NULL;
	assert_true(p || !bytes);
	return p ? memcpy(p, bytes, len) : NULL;
}

static bool was_opened(const struct disk *d, size_t moment, int file)
{
	for (size_t i = 0; i < moment; i++)
		if (d->acts[i].op == FILE_OPENED && d->acts[i].file == file)
			return true;
	return false;
}

void disk_continue(struct disk *d, const struct disk *prev, size_t moment, const char *dir)
{
	static const struct file_act none;
	*d = *prev;
	d->acts = NULL;
	d->nacts = d->cap = 0;
	snprintf(d->dir, sizeof d->dir, "%s", dir);
	for (int i = 0; i < d->nfiles; i++)
		d->files[i].base = copy_of(prev->files[i].base, prev->files[i].base_len);
	/* which of the names are taken at that moment */
	for (int i = 0; i < d->nfiles; i++)
		if (d->files[i].name[0] == '/')
			memmove(d->files[i].name, d->files[i].name + 1, strlen(d->files[i].name));
	for (size_t i = 0; i < moment; i++) {
		const struct disk_act *a = &prev->acts[i];
		struct file_act act = { .off = a->off, .bytes = a->bytes, .len = a->len };
		disk_add(d, a->op, a->file, &act);
		if (a->op == FILE_UNLINKED)
			disk_hide_name(&d->files[a->file]);
	}
	for (int i = 0; i < d->nfiles; i++) {
		disk_add(d, FILE_SYNC_FAILED, i, &none);
		if (!d->files[i].base && !was_opened(prev, moment, i))
			disk_hide_name(&d->files[i]); /* made later, in a future that is no more */
	}
	for (int i = 0; i < DISK_FDS; i++)
		d->fds[i] = -1;
	file_watch(disk_hear, d);
}

void disk_begin(struct disk *d, const char *dir)
{
	snprintf(d->dir, sizeof d->dir, "%s", dir);
	for (int i = 0; i < DISK_FDS; i++)
		d->fds[i] = -1;
	DIR *folder = opendir(dir);
	const struct dirent *e;
	assert_non_null(folder);
	while ((e = readdir(folder)) != NULL) {
		char path[512];
		struct stat st;
		snprintf(path, sizeof path, "%s/%.60s", dir, e->d_name);
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || strcmp(e->d_name, "lock") == 0)
			continue;
		struct disk_file *f = &d->files[disk_new_file(d, e->d_name)];
		f->base_len = (size_t)st.st_size;
		f->base = malloc(f->base_len + 1);
		assert_non_null(f->base);
		FILE *in = fopen(path, "r");
		assert_int_equal(fread(f->base, 1, f->base_len, in), f->base_len);
		fclose(in);
	}
	closedir(folder);
	file_watch(disk_hear, d);
}
