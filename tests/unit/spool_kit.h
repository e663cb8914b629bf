/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the spool share: a folder of their own, records whose content tells what they are, and a check that
 * compares what is read with what was appended. */
#ifndef TESTS_SPOOL_KIT_H
#define TESTS_SPOOL_KIT_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/seam.h"
#include "spool/spool.h"
#include "unit.h"

#define KIT_SEGMENT 16384
#define KIT_MAX 4096

/* One record as the test knows it. */
struct kit_record {
	uint64_t lsn, end, mark, synced;
	uint32_t seed;
	size_t len;
	uint32_t type;    /* EVENTS, or REDIS and the RELEASE that names it */
	uint64_t subject; /* RELEASE: the lsn of its REDIS record */
	bool refused;     /* its write failed: it must not be seen again */
};

struct kit {
	char dir[128];
	struct spool_options opt;
	struct spool *sp;
	struct kit_record recs[KIT_MAX];
	size_t n;
	int64_t now_us;
	size_t recalled;
	bool strict; /* recall fails on what was never appended */
};

static inline void kit_payload(uint8_t *p, uint32_t seed, size_t len)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (uint8_t)x;
	}
	if (len >= 4)
		put_u32(p, seed);
}

/* The payload of a record as it must be on disk. */
static inline void kit_fill(const struct kit_record *r, uint8_t *p)
{
	kit_payload(p, r->seed, r->len);
	if (r->type == SPOOL_RELEASE)
		put_u64(p, r->subject);
}

static inline void kit_setup(struct kit *k, const char *name)
{
	memset(k, 0, sizeof *k);
	log_setup(getenv("KIT_LOG") ? LOG_INFO : LOG_ERROR + 1, LOG_KV);
	/* a runaway write must fail, not fill the machine */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 64 << 20, 64 << 20 }), 0);
	/* memory, if there is a file system of it: these tests sync thousands of times */
	const char *tmp = getenv("TMPDIR");
	if (!tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(k->dir, sizeof k->dir, "%s/tally-%s-XXXXXX", tmp, name);
	assert_non_null(mkdtemp(k->dir));
	k->opt = (struct spool_options){
		.dir = k->dir,
		.segment_bytes = KIT_SEGMENT,
		.max_bytes = 64 * KIT_SEGMENT,
		.no_helper = true,
	};
	memset(k->opt.node, 7, sizeof k->opt.node);
	k->now_us = 1000000;
}

/* Removes dir and the quarantine in it. */
static inline void kit_clear(const char *dir)
{
	char path[1024];
	DIR *d = opendir(dir);
	const struct dirent *e;
	while (d && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof path, "%.700s/%s", dir, e->d_name);
		if (unlink(path) < 0)
			kit_clear(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static inline void kit_teardown(struct kit *k)
{
	spool_close(k->sp);
	k->sp = NULL;
	kit_clear(k->dir);
}

/* The record with that lsn and mark, or NULL. */
static inline const struct kit_record *kit_find(const struct kit *k, uint64_t lsn, uint64_t mark)
{
	for (size_t i = k->n; i-- > 0;)
		if (k->recs[i].lsn == lsn && k->recs[i].mark == mark && !k->recs[i].refused)
			return &k->recs[i];
	return NULL;
}

/* A record is a CHECKPOINT of ours, or one that was appended, byte for byte. */
static inline bool kit_genuine(const struct kit *k, const struct spool_record *rec)
{
	static uint8_t want[1 << 20];
	if (rec->type == SPOOL_CHECKPOINT)
		return rec->len == 4 && memcmp(rec->payload, "chk!", 4) == 0;
	const struct kit_record *r = kit_find(k, rec->lsn, rec->mark);
	if (!r || r->len != rec->len || rec->end != r->end || rec->type != r->type)
		return false;
	kit_fill(r, want);
	return memcmp(want, rec->payload, r->len) == 0;
}

static inline int kit_recall(void *arg, const struct spool_record *rec)
{
	struct kit *k = arg;
	k->recalled++;
	if (k->strict && !kit_genuine(k, rec))
		return -EBADMSG;
	return 0;
}

static inline size_t kit_checkpoint(void *arg, void *buf, size_t cap)
{
	(void)arg;
	assert_true(cap >= 4);
	memcpy(buf, "chk!", 4);
	return 4;
}

static inline int kit_try_open(struct kit *k)
{
	char why[256];
	k->recalled = 0;
	int rc = spool_open(&k->opt, kit_recall, k, &k->sp, why);
	if (rc == 0)
		spool_set_checkpoint(k->sp, kit_checkpoint, NULL);
	return rc;
}

static inline void kit_open(struct kit *k)
{
	k->strict = true;
	assert_int_equal(kit_try_open(k), 0);
}

static inline void kit_reopen(struct kit *k)
{
	spool_close(k->sp);
	k->sp = NULL;
	kit_open(k);
}

/* Copies the plain files of one folder into another: what kill -9 at this moment would leave. */
static inline void kit_copy(const char *from, const char *to)
{
	char path[1024];
	static uint8_t buf[1 << 20];
	mkdir(to, 0700);
	DIR *d = opendir(from);
	const struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		struct stat st;
		snprintf(path, sizeof path, "%.700s/%s", from, e->d_name);
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		FILE *in = fopen(path, "r");
		snprintf(path, sizeof path, "%.700s/%s", to, e->d_name);
		FILE *out = fopen(path, "w");
		assert_true(in && out);
		size_t n;
		while ((n = fread(buf, 1, sizeof buf, in)) > 0)
			assert_int_equal(fwrite(buf, 1, n, out), n);
		fclose(in);
		assert_int_equal(fclose(out), 0);
	}
	closedir(d);
}

/* Leaves the spool as kill -9 would and opens what is on disk, in a folder of its own. */
static inline void kit_kill(struct kit *k)
{
	char next[sizeof k->dir];
	snprintf(next, sizeof next, "%.100s-k", k->dir);
	kit_copy(k->dir, next);
	spool_close(k->sp);
	kit_clear(k->dir);
	k->sp = NULL;
	memcpy(k->dir, next, sizeof next);
}

static inline void kit_append_type(struct kit *k, uint32_t type, uint64_t subject, uint32_t seed, size_t len)
{
	static uint8_t buf[1 << 20];
	struct spool_record rec;
	assert_true(len <= sizeof buf && k->n < KIT_MAX);
	struct kit_record *r = &k->recs[k->n++];
	*r = (struct kit_record){ .seed = seed, .len = len, .type = type, .subject = subject };
	kit_fill(r, buf);
	struct iovec iov[2] = { { buf, len / 3 }, { buf + len / 3, len - len / 3 } };
	spool_append(k->sp, (enum spool_type)type, k->now_us++, iov, 2, &rec);
	r->lsn = rec.lsn;
	r->end = rec.end;
	r->mark = rec.mark;
	r->synced = rec.synced;
}

static inline void kit_append(struct kit *k, uint32_t seed, size_t len)
{
	kit_append_type(k, SPOOL_EVENTS, 0, seed, len);
}

static inline uint64_t kit_end(const struct kit *k)
{
	return k->n ? k->recs[k->n - 1].end : 0;
}

/* Reserves, appends and writes one group of count records; then syncs it if asked to. */
static inline void kit_group(struct kit *k, uint32_t seed, size_t count, size_t len, bool sync)
{
	assert_int_equal(spool_reserve(k->sp, count * len, count), 0);
	for (size_t i = 0; i < count; i++)
		kit_append(k, seed + (uint32_t)i, len);
	assert_int_equal(spool_write(k->sp), 0);
	if (sync)
		assert_int_equal(spool_sync(k->sp, kit_end(k)), 0);
}

/* Reads from pos to the durable end: exactly the records [first, first + count) of the list, and checkpoints. */
static inline void kit_expect(struct kit *k, struct tally_position pos, size_t first, size_t count)
{
	struct spool_reader *r = spool_reader_open(k->sp);
	struct spool_record rec;
	size_t i = first;
	int rc;
	assert_int_equal(spool_reader_seek(r, pos), 0);
	while ((rc = spool_reader_next(r, &rec)) > 0) {
		assert_true(kit_genuine(k, &rec));
		if (rec.type == SPOOL_CHECKPOINT)
			continue;
		assert_true(i < first + count);
		assert_true(rec.lsn == k->recs[i].lsn);
		i++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(i, first + count);
	spool_reader_close(r);
}

#define KIT_OLDEST ((struct tally_position){ 0, 0 })

#endif
