/* SPDX-License-Identifier: Apache-2.0 */
/* A log that is made once, then broken in many ways: the master, what is known of its records and files, and what must
 * hold after each opening. */
#ifndef TESTS_SPOOL_MASTER_H
#define TESTS_SPOOL_MASTER_H

#include <fcntl.h>

#include "base/hash.h"
#include "spool/scan.h"
#include "spool_kit.h"

static struct kit k;
static char master[128]; /* the folder as it was before it was broken */

/* A record of the master, checkpoints too. */
struct item {
	uint64_t lsn, end, mark, synced;
	size_t len;
};

static struct item items[512];
static size_t nitems;

/* One file of the master. */
static struct {
	char name[64];
	struct format_segment head;
} files[32];
static size_t nfiles;

static inline struct spool_stats stats(void)
{
	struct spool_stats st;
	spool_stats(k.sp, &st);
	return st;
}

static int collect(void *arg, const struct spool_record *rec)
{
	(void)arg;
	items[nitems++] = (struct item){ rec->lsn, rec->end, rec->mark, rec->synced, rec->len };
	return 0;
}

static void list_files(void)
{
	DIR *d = opendir(master);
	const struct dirent *e;
	assert_non_null(d);
	nfiles = 0;
	while ((e = readdir(d)) != NULL) {
		char path[512];
		struct scan s = { .fd = -1 };
		snprintf(path, sizeof path, "%s/%.60s", master, e->d_name);
		if (!strstr(e->d_name, ".seg") || scan_open(&s, path, 0) < 0)
			continue;
		snprintf(files[nfiles].name, sizeof files->name, "%.60s", e->d_name);
		files[nfiles++].head = s.head;
		scan_close(&s);
	}
	closedir(d);
	for (size_t i = 0; i < nfiles; i++) /* oldest first */
		for (size_t j = i + 1; j < nfiles; j++)
			if (files[j].head.number < files[i].head.number) {
				__typeof__(files[0]) t = files[i];
				files[i] = files[j];
				files[j] = t;
			}
}

/* Closes the spool; what is on disk becomes the master. */
static void master_make(void)
{
	char why[256];
	spool_close(k.sp);
	k.sp = NULL;
	snprintf(master, sizeof master, "%.100s-m", k.dir);
	kit_copy(k.dir, master);
	list_files();
	nitems = 0;
	assert_int_equal(spool_open(&k.opt, collect, NULL, &k.sp, why), 0);
	spool_close(k.sp);
	k.sp = NULL;
}

static void master_drop(void)
{
	kit_teardown(&k);
	kit_clear(master);
}

static void restore(void)
{
	spool_close(k.sp);
	k.sp = NULL;
	kit_clear(k.dir);
	kit_copy(master, k.dir);
}

static inline const char *file_path(size_t i)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%.63s", k.dir, files[i].name);
	return path;
}

static size_t file_of(uint64_t lsn)
{
	size_t at = 0;
	for (size_t i = 0; i < nfiles; i++)
		if (files[i].head.first <= lsn)
			at = i;
	return at;
}

static off_t offset_of(uint64_t lsn)
{
	return (off_t)(FORMAT_PAGE + lsn - files[file_of(lsn)].head.first);
}

static void flip(size_t file, off_t at, uint8_t mask)
{
	uint8_t b;
	int fd = open(file_path(file), O_RDWR);
	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= mask;
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	close(fd);
}

static struct item seen[512];
static size_t nseen;

static int see(void *arg, const struct spool_record *rec)
{
	(void)arg;
	seen[nseen++] = (struct item){ rec->lsn, rec->end, rec->mark, rec->synced, rec->len };
	return kit_genuine(&k, rec) ? 0 : -EBADMSG;
}

static void open_and_see(void)
{
	char why[256];
	nseen = 0;
	assert_int_equal(spool_open(&k.opt, see, NULL, &k.sp, why), 0);
	spool_set_checkpoint(k.sp, kit_checkpoint, NULL);
}

/* Recalled are the items but for [lost, lost + count), and none at or behind stop. */
static void expect_items(size_t lost, size_t count, size_t stop)
{
	size_t n = 0;
	for (size_t i = 0; i < nitems && i < stop; i++) {
		if (i >= lost && i < lost + count)
			continue;
		assert_true(n < nseen);
		assert_true(seen[n].lsn == items[i].lsn && seen[n].mark == items[i].mark);
		n++;
	}
	assert_int_equal(n, nseen);
}

/* Readers see what recall saw. */
static void expect_readers_agree(void)
{
	struct spool_reader *r = spool_reader_open(k.sp);
	struct spool_record rec;
	size_t n = 0;
	int rc;
	assert_int_equal(spool_reader_seek(r, KIT_OLDEST), 0);
	while ((rc = spool_reader_next(r, &rec)) > 0 && n < nseen) {
		assert_true(rec.lsn == seen[n].lsn && rec.mark == seen[n].mark);
		n++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, nseen);
	spool_reader_close(r);
}

/* And it goes on: appends, and all of it is there at the next start, with no more loss than now. */
static void expect_it_goes_on(void)
{
	size_t before = nseen, n = k.n;
	uint64_t lost = stats().lost_bytes;
	expect_readers_agree();
	kit_group(&k, 5000, 2, 700, true);
	spool_close(k.sp);
	open_and_see();
	assert_true(nseen >= before + 2);
	assert_int_equal(stats().lost_bytes, lost);
	assert_int_equal(stats().cut_bytes, 0);
	expect_readers_agree();
	k.n = n;
}

static void build(size_t groups, size_t count, size_t len)
{
	kit_setup(&k, "recover");
	kit_open(&k);
	for (size_t i = 0; i < groups; i++)
		kit_group(&k, (uint32_t)(i * 10), count, len, true);
	master_make();
}

static size_t quarantine_files(void)
{
	char path[600];
	size_t n = 0;
	snprintf(path, sizeof path, "%s/quarantine", k.dir);
	DIR *d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 2 ? n - 2 : 0;
}

#endif
