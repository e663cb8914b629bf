/* SPDX-License-Identifier: Apache-2.0 */
/* Segments ahead of their use. A spare is zero-filled and synced, and so is its name in the directory: taking it into
 * use costs no more than its head, which is synced with the first records in it.
 *
 * A helper thread makes the next one once a quarter of the current is used, in small synced steps, so that neither the
 * ledger nor its fdatasync waits behind 64 MiB. Where there is no helper, or it lost the race, the ledger makes it. */
#include "spool/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define FILL_STEP (4 << 20)  /* zeros written between two syncs */
#define SPACE_AGE_US 1000000 /* how long a look at the file system counts */
#define NAME_TRIES 1000

/* keep_free, looked at once a second at most. [making] */
static int file_system_allows(struct spool *sp)
{
	int64_t now = clock_mono_us();
	if (sp->space_checked_us && now - sp->space_checked_us < SPACE_AGE_US && sp->space_verdict < 0)
		return sp->space_verdict;
	uint64_t total, available;
	sp->space_checked_us = now;
	sp->space_verdict = file_space("spool.space", sp->opt.dir, &total, &available);
	if (sp->space_verdict == 0 &&
		(double)available < (double)sp->opt.segment_bytes + sp->opt.keep_free * (double)total)
		sp->space_verdict = -ENOSPC;
	return sp->space_verdict;
}

/* [making] Claims the bytes, so that two makers cannot both fit under max. */
static int space_claim(struct spool *sp, bool limited)
{
	int rc = limited ? file_system_allows(sp) : 0;
	pthread_mutex_lock(&sp->lock);
	if (rc == 0 && limited && sp->disk_bytes + sp->opt.segment_bytes > sp->opt.max_bytes)
		rc = -ENOSPC;
	if (rc == 0)
		sp->disk_bytes += sp->opt.segment_bytes;
	sp->tight |= rc == -ENOSPC;
	pthread_mutex_unlock(&sp->lock);
	return rc;
}

/* A file with a name that none has. The name means nothing. */
static int file_make(struct spool *sp, struct segment **out)
{
	char name[32], path[PATH_MAX];
	int fd = -EEXIST;
	for (int i = 0; i < NAME_TRIES && fd == -EEXIST; i++) {
		snprintf(name, sizeof name, "%010llu.seg", (unsigned long long)++sp->file_seq);
		segment_path(sp, name, path);
		fd = file_open("spool.open", path, O_RDWR | O_CREAT | O_EXCL, 0600);
	}
	if (fd < 0)
		return fd;
	*out = segment_new(name);
	(*out)->fd = fd;
	(*out)->head.size = sp->opt.segment_bytes;
	return 0;
}

static bool stopping(struct spool *sp)
{
	pthread_mutex_lock(&sp->lock);
	bool stop = sp->helper_stop;
	pthread_mutex_unlock(&sp->lock);
	return stop;
}

static int file_fill(struct spool *sp, struct segment *seg)
{
	uint64_t size = sp->opt.segment_bytes, step;
	int rc = 0;
	for (uint64_t at = 0; rc == 0 && at < size; at += step) {
		step = size - at < FILL_STEP ? size - at : FILL_STEP;
		rc = stopping(sp) ? -ECANCELED : segment_zero(seg, "spool.fill", at, step);
		if (rc == 0)
			rc = file_sync("spool.fillsync", seg->fd);
	}
	if (rc < 0)
		return rc;
	seg->head = (struct format_segment){ .kind = FORMAT_SPARE, .size = size };
	memcpy(seg->head.node, sp->opt.node, sizeof seg->head.node);
	rc = segment_write_head(seg);
	if (rc == 0)
		rc = file_sync("spool.fillsync", seg->fd);
	return rc < 0 ? rc : file_sync_dir("spool.dirsync", sp->opt.dir);
}

/* [making] */
static int make_locked(struct spool *sp, bool limited)
{
	struct segment *seg = NULL;
	int rc = space_claim(sp, limited);
	if (rc < 0)
		return rc;
	rc = file_make(sp, &seg);
	if (rc == 0)
		rc = file_fill(sp, seg);
	if (rc < 0 && seg)
		segment_remove(sp, seg);
	pthread_mutex_lock(&sp->lock);
	if (rc == 0)
		spare_put(sp, seg);
	else if (!seg)
		sp->disk_bytes -= sp->opt.segment_bytes;
	sp->tight = rc == -ENOSPC || rc == -EDQUOT;
	pthread_mutex_unlock(&sp->lock);
	return rc;
}

static size_t spare_count(struct spool *sp)
{
	pthread_mutex_lock(&sp->lock);
	size_t n = sp->nspares;
	pthread_mutex_unlock(&sp->lock);
	return n;
}

/* At least count spares lie ready, or -ENOSPC or another -errno. limited: none is made beyond max and keep_free. */
int spare_need(struct spool *sp, size_t count, bool limited)
{
	int rc = 0;
	if (count > sizeof sp->spares / sizeof *sp->spares)
		return -EMSGSIZE;
	if (spare_count(sp) >= count)
		return 0;
	pthread_mutex_lock(&sp->making); /* the helper may be about to finish one */
	while (rc == 0 && spare_count(sp) < count)
		rc = make_locked(sp, limited);
	pthread_mutex_unlock(&sp->making);
	return rc;
}

/* [lock held] */
void spare_put(struct spool *sp, struct segment *seg)
{
	MUST(sp->nspares < sizeof sp->spares / sizeof *sp->spares);
	sp->spares[sp->nspares++] = seg;
}

/* [ledger] Never NULL: what was reserved is there, and a caller that reserved too little gets one made beyond the
 * limits. Only a disk that takes no file at all ends the process, before anything was promised. */
struct segment *spare_take(struct spool *sp)
{
	if (spare_count(sp) == 0)
		MUST(spare_need(sp, 1, false) == 0);
	pthread_mutex_lock(&sp->lock);
	struct segment *seg = sp->spares[--sp->nspares];
	pthread_mutex_unlock(&sp->lock);
	return seg;
}

/* ---- helper ---- */

static void helper_make(struct spool *sp)
{
	int rc = spare_need(sp, 1, true);
	if (rc < 0 && rc != -ENOSPC && rc != -ECANCELED)
		log_warn("spool", "cannot prepare the next segment in %s: %s", sp->opt.dir, strerror(-rc));
}

static void *helper_main(void *arg)
{
	struct spool *sp = arg;
	pthread_mutex_lock(&sp->lock);
	while (!sp->helper_stop) {
		if (!sp->helper_wanted) {
			pthread_cond_wait(&sp->helper_wake, &sp->lock);
			continue;
		}
		sp->helper_wanted = false;
		pthread_mutex_unlock(&sp->lock);
		helper_make(sp);
		pthread_mutex_lock(&sp->lock);
	}
	pthread_mutex_unlock(&sp->lock);
	return NULL;
}

void spare_helper_start(struct spool *sp)
{
	if (sp->opt.no_helper)
		return;
	sp->helper_runs = pthread_create(&sp->helper, NULL, helper_main, sp) == 0;
	if (!sp->helper_runs)
		log_warn("spool", "no thread to prepare segments ahead; the ledger will make them");
}

void spare_helper_stop(struct spool *sp)
{
	if (!sp->helper_runs)
		return;
	pthread_mutex_lock(&sp->lock);
	sp->helper_stop = true;
	pthread_cond_signal(&sp->helper_wake);
	pthread_mutex_unlock(&sp->lock);
	pthread_join(sp->helper, NULL);
	sp->helper_runs = false;
}

/* [lock held] */
void spare_helper_wake(struct spool *sp)
{
	if (!sp->helper_runs || sp->nspares || sp->helper_wanted)
		return;
	sp->helper_wanted = true;
	pthread_cond_signal(&sp->helper_wake);
}
