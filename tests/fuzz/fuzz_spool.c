/* SPDX-License-Identifier: Apache-2.0 */
/* Segment files of any content are opened, read, appended to and opened again. What was told once must be told again,
 * followed by what was appended; nothing may crash or go on for ever.
 *
 * First byte of the input: bit 0 = the checksums of segment heads are put right, so that the fuzzer gets behind them;
 * bit 1 = those of record heads too; bit 2 = two files, cut at the middle. The rest is the file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/log.h"
#include "spool/format.h"
#include "spool/spool.h"

#define SEGMENT 16384
#define TOLD_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

struct told {
	uint64_t lsn[TOLD_MAX], mark[TOLD_MAX];
	size_t n;
	uint32_t sum;
};

static int tell(void *arg, const struct spool_record *rec)
{
	struct told *t = arg;
	t->sum = crc32c(t->sum, rec->payload, rec->len); /* touches every byte */
	MUST(t->n < TOLD_MAX);
	t->lsn[t->n] = rec->lsn;
	t->mark[t->n++] = rec->mark;
	return 0;
}

static void clear(const char *path)
{
	char name[400];
	DIR *d = opendir(path);
	const struct dirent *e;
	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%.120s/%.255s", path, e->d_name);
		if (unlink(name) < 0)
			clear(name);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static void drop_dir(void)
{
	clear(dir);
}

static void make_dir(void)
{
	if (dir[0])
		return;
	log_setup(LOG_ERROR + 1, LOG_KV);
	/* a runaway write must fail, not fill the machine */
	signal(SIGXFSZ, SIG_IGN);
	MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 16 * SEGMENT, 16 * SEGMENT }) == 0);
	snprintf(dir, sizeof dir, "%s/tally-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	MUST(mkdtemp(dir) != NULL);
	atexit(drop_dir);
}

static void right_segment(uint8_t *f)
{
	memcpy(f, "TALLYSEG", 8);
	put_u32(f + 8, FORMAT_VERSION);
	put_u32(f + 12, FORMAT_LIVE);
	memset(f + 16, 7, 16);
	/* at 2^62, the last lsn that a head may name, nothing can be appended; no log comes there */
	put_u64(f + 40, get_u64(f + 40) & ((UINT64_C(1) << 62) - 1) & ~UINT64_C(1 << 20));
	put_u64(f + 64, SEGMENT);
	put_u32(f + 124, crc32c(0, f, 124));
}

static void right_records(uint8_t *f, size_t len)
{
	uint64_t first = get_u64(f + 40), salt = get_u64(f + 56);
	for (size_t at = FORMAT_PAGE; at + FORMAT_HEAD <= len; at += 8) {
		uint32_t n = get_u32(f + at);
		if (get_u64(f + at + 8) != first + (at - FORMAT_PAGE) || n > len - at - FORMAT_HEAD)
			continue;
		struct format_record r = {
			.len = n,
			.type = get_u32(f + at + 4),
			.lsn = get_u64(f + at + 8),
			.time_us = (int64_t)get_u64(f + at + 16),
			.synced = get_u64(f + at + 24),
			.mark = get_u64(f + at + 32),
			.crc = crc32c(0, f + at + FORMAT_HEAD, n),
		};
		format_put_record(f + at, &r, salt);
	}
}

static void put_file(const char *name, const uint8_t *bytes, size_t len, int mode)
{
	static uint8_t f[SEGMENT];
	char path[400];
	if (len > sizeof f)
		len = sizeof f;
	memset(f, 0, sizeof f);
	memcpy(f, bytes, len);
	if (mode & 1)
		right_segment(f);
	if (mode & 2)
		right_records(f, len);
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	MUST(fd >= 0 && write(fd, f, len) == (ssize_t)len);
	close(fd);
}

static struct spool *open_spool(struct told *t)
{
	struct spool_options opt = {
		.dir = dir,
		.segment_bytes = SEGMENT,
		.max_bytes = 64 * SEGMENT,
		.no_helper = true,
	};
	struct spool *sp;
	char why[256];
	memset(opt.node, 7, sizeof opt.node);
	*t = (struct told){ 0 };
	int rc = spool_open(&opt, tell, t, &sp, why);
	if (rc)
		fprintf(stderr, "%s\n", why);
	MUST(rc == 0);
	return sp;
}

static void read_all(struct spool *sp, const struct told *t)
{
	struct spool_reader *r = spool_reader_open(sp);
	struct spool_record rec;
	MUST(spool_reader_seek(r, (struct tally_position){ 0, 0 }) == 0);
	for (size_t i = 0; i < t->n; i++) {
		MUST(spool_reader_next(r, &rec) == 1);
		MUST(rec.lsn == t->lsn[i] && rec.mark == t->mark[i]);
		if (i % 7 == 0)
			MUST(spool_reader_seek(r, (struct tally_position){ rec.end, rec.mark }) == 0);
	}
	MUST(spool_reader_next(r, &rec) == 0);
	spool_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct told before, after;
	struct spool_record rec;
	if (size < 1)
		return 0;
	int mode = data[0] & 7;
	data++;
	size--;
	make_dir();
	clear(dir);
	MUST(mkdir(dir, 0700) == 0);
	size_t half = mode & 4 ? size / 2 : size;
	put_file("a.seg", data, half, mode);
	if (mode & 4)
		put_file("b.seg", data + half, size - half, mode);

	struct spool *sp = open_spool(&before);
	read_all(sp, &before);
	MUST(spool_reserve(sp, 100, 1) == 0);
	char text[100] = "appended";
	spool_append(sp, SPOOL_EVENTS, 1, &(struct iovec){ text, sizeof text }, 1, &rec);
	MUST(spool_write(sp) == 0 && spool_sync(sp, rec.end) == 0);
	spool_close(sp);

	sp = open_spool(&after);
	MUST(after.n > before.n && after.lsn[after.n - 1] == rec.lsn && after.mark[after.n - 1] == rec.mark);
	for (size_t i = 0; i < before.n; i++)
		MUST(after.lsn[i] == before.lsn[i] && after.mark[i] == before.mark[i]);
	read_all(sp, &after);
	spool_close(sp);
	return 0;
}
