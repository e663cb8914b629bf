/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing of the whole, and what it tells about itself. */
#include "spool/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define SEGMENT_LEAST 16384
#define DIR_LONGEST 3000 /* names below it must fit PATH_MAX */

struct spool *spool_make(const struct spool_options *opt)
{
	struct spool *sp = calloc(1, sizeof *sp);
	MUST(sp != NULL);
	sp->opt = *opt;
	sp->opt.dir = strdup(opt->dir);
	MUST(sp->opt.dir != NULL);
	sp->lock_fd = -1;
	if (sp->opt.retain_max_bytes > opt->max_bytes / 2)
		sp->opt.retain_max_bytes = opt->max_bytes / 2; /* half of it stays free for what lines lag behind */
	uint64_t capacity = segment_capacity(sp) & ~(uint64_t)7;
	sp->payload_max = capacity / 2 - FORMAT_HEAD;
	if (sp->payload_max > FORMAT_PAYLOAD_MAX)
		sp->payload_max = FORMAT_PAYLOAD_MAX;
	sp->checkpoint_max = capacity / 4 < CHECKPOINT_MAX ? capacity / 4 : CHECKPOINT_MAX;
	sp->checkpoint_buf = malloc(sp->checkpoint_max);
	MUST(sp->checkpoint_buf != NULL);
	pthread_mutex_init(&sp->lock, NULL);
	pthread_mutex_init(&sp->making, NULL);
	pthread_cond_init(&sp->helper_wake, NULL);
	return sp;
}

static int dir_make(const char *dir, char why[256])
{
	char parent[DIR_LONGEST + 4];
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		int failed = -errno;
		snprintf(why, 256, "cannot make %.200s: %s", dir, strerror(-failed));
		return failed;
	}
	snprintf(parent, sizeof parent, "%.*s/..", DIR_LONGEST, dir);
	int rc = file_sync_dir("spool.dirsync", parent);
	if (rc < 0)
		snprintf(why, 256, "cannot sync the directory above %.180s: %s", dir, strerror(-rc));
	return rc;
}

/* Two daemons on one spool would tear it apart. The lock goes with the process, however it ends. */
static int dir_lock(struct spool *sp, char why[256])
{
	char path[PATH_MAX];
	segment_path(sp, "lock", path);
	sp->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (sp->lock_fd < 0) {
		int rc = -errno;
		snprintf(why, 256, "cannot open %.200s: %s", path, strerror(-rc));
		return rc;
	}
	if (flock(sp->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	snprintf(why, 256, "%.180s is in use by another tally; each needs its own data_dir", sp->opt.dir);
	return -EBUSY;
}

static int check_options(const struct spool_options *opt, char why[256])
{
	if (opt->segment_bytes < SEGMENT_LEAST || opt->segment_bytes % 4096) {
		snprintf(why, 256, "a segment of %llu bytes: it must be a multiple of 4096 and at least %d",
			(unsigned long long)opt->segment_bytes, SEGMENT_LEAST);
		return -EINVAL;
	}
	if (strlen(opt->dir) > DIR_LONGEST) {
		snprintf(why, 256, "the name of the spool's directory is too long");
		return -ENAMETOOLONG;
	}
	return 0;
}

int spool_open(const struct spool_options *opt, spool_recall_fn fn, void *arg, struct spool **out, char why[256])
{
	why[0] = 0;
	*out = NULL;
	int rc = check_options(opt, why);
	if (rc < 0)
		return rc;
	struct spool *sp = spool_make(opt);
	rc = dir_make(opt->dir, why);
	if (rc == 0)
		rc = dir_lock(sp, why);
	if (rc == 0)
		rc = collect_segments(sp, why);
	if (rc == 0)
		rc = recover_log(sp, fn, arg, why);
	if (rc < 0) {
		spool_close(sp);
		return rc;
	}
	spare_helper_start(sp);
	*out = sp;
	return 0;
}

void spool_close(struct spool *sp)
{
	if (!sp)
		return;
	MUST(sp->readers == NULL);
	spare_helper_stop(sp);
	if (sp->hand)
		write_take_back(sp, sp->hand);
	group_free_list(sp->unsynced);
	group_free_list(sp->idle);
	if (sp->stuck)
		for (size_t i = 0; i < sp->stuck->nparts; i++)
			if (sp->stuck->parts[i].fresh)
				segment_free(sp->stuck->parts[i].seg);
	group_free_list(sp->stuck);
	for (size_t i = 0; i < sp->nsegs; i++)
		segment_free(sp->segs[i]);
	for (size_t i = 0; i < sp->nspares; i++)
		segment_free(sp->spares[i]);
	if (sp->lock_fd >= 0)
		close(sp->lock_fd);
	pthread_mutex_destroy(&sp->lock);
	pthread_mutex_destroy(&sp->making);
	pthread_cond_destroy(&sp->helper_wake);
	free(sp->checkpoint_buf);
	free(sp->segs);
	free(sp->holes);
	free((char *)(uintptr_t)sp->opt.dir);
	free(sp);
}

void spool_set_checkpoint(struct spool *sp, size_t (*fn)(void *arg, void *buf, size_t cap), void *arg)
{
	sp->checkpoint_fn = fn;
	sp->checkpoint_arg = arg;
}

size_t spool_payload_max(const struct spool *sp)
{
	return sp->payload_max;
}

void spool_stats(const struct spool *csp, struct spool_stats *out)
{
	struct spool *sp = (struct spool *)(uintptr_t)csp;
	pthread_mutex_lock(&sp->lock);
	*out = (struct spool_stats){
		.begin = sp->nsegs ? sp->segs[0]->head.first : sp->written,
		.end = sp->written,
		.durable = atomic_load_explicit(&sp->durable, memory_order_relaxed),
		.bytes = sp->disk_bytes,
		.max_bytes = sp->opt.max_bytes,
		.oldest_us = sp->nsegs ? sp->segs[0]->first_us : 0,
		.cut_bytes = sp->cut_bytes,
		.lost_bytes = sp->lost_bytes,
		.segments = (unsigned)sp->nsegs,
		.quarantined = sp->quarantined,
	};
	pthread_mutex_unlock(&sp->lock);
}

uint64_t spool_floor(const struct spool *csp, uint64_t bytes)
{
	struct spool *sp = (struct spool *)(uintptr_t)csp;
	pthread_mutex_lock(&sp->lock);
	size_t at = sp->nsegs;
	for (uint64_t sum = 0; at > 0 && (at == sp->nsegs || sum + sp->segs[at - 1]->head.size <= bytes); at--)
		sum += sp->segs[at - 1]->head.size;
	uint64_t floor = at < sp->nsegs ? sp->segs[at]->head.first : sp->written;
	pthread_mutex_unlock(&sp->lock);
	return floor;
}

uint64_t spool_held(const struct spool *csp, uint64_t lsn)
{
	struct spool *sp = (struct spool *)(uintptr_t)csp;
	uint64_t sum = 0;
	pthread_mutex_lock(&sp->lock);
	for (size_t i = sp->nsegs; i > 0 && sp->segs[i - 1]->end > lsn; i--)
		sum += sp->segs[i - 1]->head.size;
	pthread_mutex_unlock(&sp->lock);
	return sum;
}
