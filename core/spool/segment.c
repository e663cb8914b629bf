/* SPDX-License-Identifier: Apache-2.0 */
/* One segment file: its descriptor, its head, zeros, and its place in the list. */
#include "spool/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#define ZERO_CHUNK (1 << 20)

struct segment *segment_new(const char *name)
{
	struct segment *seg = memory_zalloc(1, sizeof *seg);
	MUST(seg != NULL && strlen(name) < sizeof seg->name);
	memcpy(seg->name, name, strlen(name));
	seg->fd = -1;
	return seg;
}

void segment_free(struct segment *seg)
{
	if (seg && seg->fd >= 0)
		file_close(seg->fd);
	free(seg);
}

void segment_path(const struct spool *sp, const char *name, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/%s", sp->opt.dir, name);
	MUST(n > 0 && n < PATH_MAX); /* spool_open refused a dir that long */
}

int segment_open_fd(const struct spool *sp, struct segment *seg)
{
	char path[PATH_MAX];
	if (seg->fd >= 0)
		return 0;
	segment_path(sp, seg->name, path);
	int fd = file_open("spool.open", path, O_RDWR, 0);
	if (fd < 0)
		return fd;
	seg->fd = fd;
	return 0;
}

int segment_write_head(struct segment *seg)
{
	uint8_t page[FORMAT_PAGE];
	format_put_segment(page, &seg->head);
	struct iovec iov = { page, sizeof page };
	return file_write("spool.header", seg->fd, &iov, 1, 0);
}

int segment_zero(struct segment *seg, const char *seam, uint64_t at, uint64_t len)
{
	static uint8_t zeros[ZERO_CHUNK];
	int rc = 0;
	while (rc == 0 && len) {
		struct iovec iov = { zeros, len < sizeof zeros ? (size_t)len : sizeof zeros };
		uint64_t n = iov.iov_len;
		rc = file_write(seam, seg->fd, &iov, 1, at);
		at += n;
		len -= n;
	}
	return rc;
}

/* Syncs through a descriptor of its own: each has its own memory of write errors, so that the news of one is neither
 * taken from the syncer nor lost to it. */
int segment_sync_apart(const struct spool *sp, const struct segment *seg)
{
	char path[PATH_MAX];
	segment_path(sp, seg->name, path);
	int fd = file_open("spool.open", path, O_RDWR, 0);
	if (fd < 0)
		return fd;
	int rc = file_sync("spool.sync_apart", fd);
	file_close(fd);
	return rc;
}

/* Makes a spare of it, for good: the old head is gone when this returns 0. */
int segment_wipe(const struct spool *sp, struct segment *seg)
{
	int rc = segment_open_fd(sp, seg);
	if (rc < 0)
		return rc;
	struct format_segment old = seg->head;
	seg->head = (struct format_segment){ .kind = FORMAT_SPARE, .size = seg->head.size };
	memcpy(seg->head.node, sp->opt.node, sizeof seg->head.node);
	rc = segment_write_head(seg);
	if (rc < 0) {
		seg->head = old;
		return rc;
	}
	seg->end = 0;
	seg->first_us = seg->last_us = 0;
	return segment_sync_apart(sp, seg);
}

/* Unlinks and frees it; -errno: it is there as before. */
int segment_unlink(struct spool *sp, struct segment *seg)
{
	char path[PATH_MAX];
	segment_path(sp, seg->name, path);
	int rc = file_unlink("spool.unlink", path);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&sp->lock);
	sp->disk_bytes -= seg->head.size;
	pthread_mutex_unlock(&sp->lock);
	segment_free(seg);
	rc = file_sync_dir("spool.dirsync", sp->opt.dir);
	if (rc < 0)
		log_warn("spool", "cannot sync the removal of %s: %s", path, strerror(-rc));
	return 0;
}

/* Unlinks and frees it, or frees it only. What fails is said here: the file is of no use, and recovery deals with it if
 * it comes back. */
void segment_remove(struct spool *sp, struct segment *seg)
{
	int rc = segment_unlink(sp, seg);
	if (rc == 0)
		return;
	log_warn("spool", "cannot remove %s/%s: %s", sp->opt.dir, seg->name, strerror(-rc));
	pthread_mutex_lock(&sp->lock);
	sp->disk_bytes -= seg->head.size;
	pthread_mutex_unlock(&sp->lock);
	segment_free(seg);
}

uint64_t segment_capacity(const struct spool *sp)
{
	return sp->opt.segment_bytes - FORMAT_PAGE;
}

uint64_t segment_room(const struct segment *seg, uint64_t end)
{
	uint64_t used = FORMAT_PAGE + (end - seg->head.first);
	return used < seg->head.size ? seg->head.size - used : 0;
}

void segment_list_push(struct spool *sp, struct segment *seg)
{
	if (sp->nsegs == sp->segs_cap) {
		sp->segs_cap = sp->segs_cap ? 2 * sp->segs_cap : 16;
		sp->segs = memory_grow(sp->segs, sp->segs_cap * sizeof(struct segment *));
		MUST(sp->segs != NULL);
	}
	sp->segs[sp->nsegs++] = seg;
}

void segment_list_put_first(struct spool *sp, struct segment *seg)
{
	segment_list_push(sp, seg);
	memmove(&sp->segs[1], &sp->segs[0], (sp->nsegs - 1) * sizeof(struct segment *));
	sp->segs[0] = seg;
}

void segment_list_remove(struct spool *sp, size_t at)
{
	MUST(at < sp->nsegs);
	sp->nsegs--;
	memmove(&sp->segs[at], &sp->segs[at + 1], (sp->nsegs - at) * sizeof(struct segment *));
}
