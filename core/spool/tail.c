/* SPDX-License-Identifier: Apache-2.0 */
/* Last step of recovery: makes the end of the log a clean place to append to, before the first append.
 *
 * - Whatever stands behind the end is copied to quarantine and removed for good, so that no later write can make it
 *   look like a continuation.
 * - The good records that nobody called synced are written once more, byte for byte, and synced, and so are the heads of
 *   their segments. Reading them proves nothing: they may be in the page cache only, and after a write error the kernel
 *   holds such pages for clean.
 * - The folder is synced: whoever made the files may have been killed before doing so. */
#include "spool/inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"

int tail_copy_cut(struct spool *sp, const struct segment *seg, uint64_t from)
{
	char path[PATH_MAX];
	struct scan s = { .fd = -1 };
	const uint8_t *p;
	uint64_t top = scan_top(&seg->head), ignored = 0;
	segment_path(sp, seg->name, path);
	if (scan_open(&s, path, RECOVERY_AHEAD) < 0)
		return -EIO;
	uint64_t behind = scan_heads(&s, from, top, UINT64_MAX, &ignored);
	if (behind == from && top - from >= FORMAT_HEAD && scan_bytes(&s, from, FORMAT_HEAD, &p) == FORMAT_HEAD &&
		get_u64(p + 8) == from && get_u32(p + 4) != 0)
		behind = from + FORMAT_HEAD; /* not even its head is whole */
	if (behind > from) {
		sp->cut_bytes += behind - from;
		quarantine_bytes(sp, &s, "cut", from, behind);
	}
	if (behind > from && !sp->look)
		log_warn("spool", "cut %llu bytes at lsn %llu that were never durable; a copy is in quarantine",
			(unsigned long long)(behind - from), (unsigned long long)from);
	int rc = s.unreadable ? -EIO : behind > from;
	scan_close(&s);
	return rc;
}

/* Newest first: whatever a crash leaves of them is found, and cut, again. */
static void retire_behind(struct spool *sp, size_t keep)
{
	while (sp->nsegs > keep) {
		struct segment *seg = sp->segs[--sp->nsegs];
		if (tail_copy_cut(sp, seg, seg->head.first) >= 0) {
			trim_retire(sp, seg);
			continue;
		}
		quarantine_file(sp, seg->name, "it cannot be read and is not part of the log");
		sp->disk_bytes -= seg->head.size;
		segment_free(seg);
	}
}

/* Zeros from the end of the log to the end of the file, also where the file is too short. What cannot be read is not
 * overwritten, since it may be readable tomorrow: the log goes on in a fresh segment then, whose head voids it; so it
 * does where the disk refuses the zeros. */
static int zero_rest(struct spool *sp, struct segment *seg)
{
	struct stat st;
	uint64_t at = FORMAT_PAGE + (sp->end - seg->head.first);
	int torn = tail_copy_cut(sp, seg, sp->end);
	if (torn < 0) {
		log_error("spool", "%s cannot be read behind lsn %llu; it is left as it is", seg->name,
			(unsigned long long)sp->end);
		sp->quarantined++;
		sp->cur = NULL;
		return 0;
	}
	if (fstat(seg->fd, &st) < 0)
		return -errno;
	if (!torn && (uint64_t)st.st_size >= seg->head.size)
		return 0;
	int rc = segment_zero(seg, "spool.recover", at, seg->head.size - at);
	if (rc < 0) {
		log_error("spool", "%s cannot be cleared behind lsn %llu: %s", seg->name, (unsigned long long)sp->end,
			strerror(-rc));
		sp->cur = NULL;
	}
	return 0;
}

/* Writes the bytes of [from, to) again. */
static int rewrite(struct segment *seg, uint64_t from, uint64_t to)
{
	uint8_t *buf = malloc(RECOVERY_AHEAD);
	MUST(buf != NULL);
	int rc = 0;
	while (rc == 0 && from < to) {
		uint64_t at = FORMAT_PAGE + (from - seg->head.first);
		size_t want = to - from < RECOVERY_AHEAD ? (size_t)(to - from) : RECOVERY_AHEAD;
		ssize_t n = file_read("spool.read", seg->fd, buf, want, at);
		struct iovec iov = { buf, want };
		if (n >= 0 && (size_t)n < want) /* a file cut within the last record's padding */
			memset(buf + n, 0, want - (size_t)n);
		rc = n < 0 ? (int)n : file_write("spool.recover", seg->fd, &iov, 1, at);
		from += want;
	}
	free(buf);
	return rc;
}

static int settle_segment(struct spool *sp, struct segment *seg, uint64_t sure, bool last)
{
	uint64_t from = sure > seg->head.first ? sure : seg->head.first;
	if (!last && from >= seg->end)
		return 0;
	int rc = segment_open_fd(sp, seg);
	if (rc == 0 && sure <= seg->head.first) /* the head was synced with the first records, if at all */
		rc = segment_write_head(seg);
	if (rc == 0 && from < seg->end)
		rc = rewrite(seg, from, seg->end);
	if (rc == 0 && last)
		rc = zero_rest(sp, seg);
	if (rc == 0)
		rc = file_sync("spool.recoversync", seg->fd);
	if (!last && seg->fd >= 0) {
		file_close(seg->fd);
		seg->fd = -1;
	}
	return rc;
}

/* keep: segments of the log; sure: all before this lsn is known to be on disk. Where damage lies at the very end, the log
 * does not end in a segment: the next append begins a fresh one behind the damage. */
int tail_settle(struct spool *sp, size_t keep, uint64_t sure, char why[256])
{
	int rc = 0;
	retire_behind(sp, keep);
	sp->cur = keep && sp->segs[keep - 1]->end == sp->end ? sp->segs[keep - 1] : NULL;
	rc = file_sync_dir("spool.dirsync", sp->opt.dir);
	if (rc < 0)
		snprintf(why, 256, "cannot sync %.200s: %s", sp->opt.dir, strerror(-rc));
	for (size_t i = 0; rc == 0 && i < keep; i++) {
		rc = settle_segment(sp, sp->segs[i], sure, sp->segs[i] == sp->cur);
		if (rc < 0)
			snprintf(why, 256, "cannot write to %.120s/%.64s: %s", sp->opt.dir, sp->segs[i]->name,
				strerror(-rc));
	}
	return rc;
}
