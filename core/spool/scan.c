/* SPDX-License-Identifier: Apache-2.0 */
#include "spool/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"

#define SECTOR 4096 /* what an unreadable place costs at least */

int scan_open(struct scan *s, const char *path, size_t ahead)
{
	uint8_t page[FORMAT_PAGE] = { 0 };
	int fd = file_open("spool.open", path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	/* by halves: the two copies of the head lie in different sectors */
	ssize_t n = file_read("spool.read", fd, page, FORMAT_PAGE / 2, 0);
	ssize_t m = file_read("spool.read", fd, page + FORMAT_PAGE / 2, FORMAT_PAGE / 2, FORMAT_PAGE / 2);
	int rc = format_get_segment(page, &s->head);
	if (rc < 0 && (n < 0 || m < 0))
		rc = -EIO;
	if (rc < 0) {
		file_close(fd);
		return rc;
	}
	s->fd = fd;
	s->ahead = ahead;
	s->have = 0;
	s->unreadable = false;
	return 0;
}

void scan_close(struct scan *s)
{
	if (s->fd >= 0)
		file_close(s->fd);
	free(s->buf);
	*s = (struct scan){ .fd = -1 };
}

void scan_forget(struct scan *s)
{
	s->have = 0;
}

uint64_t scan_top(const struct format_segment *head)
{
	return head->first + (head->size - FORMAT_PAGE);
}

static void window_grow(struct scan *s, size_t want)
{
	if (want <= s->cap)
		return;
	free(s->buf);
	s->buf = malloc(want);
	MUST(s->buf != NULL);
	s->cap = want;
	s->have = 0;
}

/* Gives the bytes [lsn, lsn + len), reading ahead up to limit. NULL: the file ends before or cannot be read (*rc). */
static const uint8_t *window(struct scan *s, uint64_t lsn, size_t len, uint64_t limit, int *rc)
{
	*rc = 0;
	if (lsn >= s->from && lsn - s->from <= s->have && len <= s->have - (lsn - s->from))
		return s->buf + (lsn - s->from);
	size_t want = len > s->ahead ? len : s->ahead;
	if (want > limit - lsn)
		want = (size_t)(limit - lsn);
	window_grow(s, want);
	ssize_t n = file_read("spool.read", s->fd, s->buf, want, FORMAT_PAGE + (lsn - s->head.first));
	if (n < 0 && want > len) /* a bad sector further on must not hide this one */
		n = file_read("spool.read", s->fd, s->buf, len, FORMAT_PAGE + (lsn - s->head.first));
	s->from = lsn;
	s->have = n > 0 ? (size_t)n : 0;
	if (n < 0) {
		*rc = -EIO;
		s->unreadable = true;
	}
	return s->have >= len ? s->buf : NULL;
}

int scan_head(struct scan *s, uint64_t lsn, uint64_t limit, struct format_record *r)
{
	int rc;
	if (limit < lsn || limit - lsn < FORMAT_HEAD)
		return 0;
	const uint8_t *p = window(s, lsn, FORMAT_HEAD, limit, &rc);
	if (!p)
		return rc;
	return format_get_record(p, s->head.salt, r) && r->lsn == lsn && format_size(r->len) <= limit - lsn;
}

int scan_record(struct scan *s, uint64_t lsn, uint64_t limit, struct spool_record *rec)
{
	struct format_record r;
	int rc = scan_head(s, lsn, limit, &r);
	if (rc <= 0)
		return rc;
	const uint8_t *p = window(s, lsn, FORMAT_HEAD + r.len, limit, &rc);
	if (!p)
		return rc;
	if (crc32c(0, p + FORMAT_HEAD, r.len) != r.crc)
		return 0;
	s->crc = r.crc;
	*rec = (struct spool_record){
		.lsn = lsn,
		.end = lsn + format_size(r.len),
		.mark = r.mark,
		.synced = r.synced,
		.time_us = r.time_us,
		.type = r.type,
		.payload = p + FORMAT_HEAD,
		.len = r.len,
	};
	return 1;
}

/* Looks through n readable bytes at p, which are those at lsn. Gives the offset of a head, or where to look on. */
static size_t resync_window(struct scan *s, const uint8_t *p, size_t n, uint64_t lsn, bool *found)
{
	struct format_record r;
	size_t at = 0;
	for (; at + FORMAT_HEAD <= n; at += 8)
		if (get_u64(p + at + 8) == lsn + at && format_get_record(p + at, s->head.salt, &r)) {
			*found = true;
			break;
		}
	return at;
}

uint64_t scan_resync(struct scan *s, uint64_t lsn, uint64_t limit)
{
	struct format_record r;
	int rc;
	while (lsn < limit && limit - lsn >= FORMAT_HEAD) {
		const uint8_t *p = window(s, lsn, FORMAT_HEAD, limit, &rc);
		bool found = false;
		if (!p && rc == 0)
			return limit; /* the file ends here */
		if (!p)
			lsn += SECTOR - (FORMAT_PAGE + (lsn - s->head.first)) % SECTOR;
		else
			lsn += resync_window(s, p, (size_t)(s->from + s->have - lsn), lsn, &found);
		if (found && scan_head(s, lsn, limit, &r) > 0)
			return lsn;
		if (found)
			lsn += 8; /* a head, but of a record that would reach beyond the limit */
	}
	return limit;
}

uint64_t scan_heads(struct scan *s, uint64_t lsn, uint64_t limit, uint64_t enough, uint64_t *synced)
{
	struct format_record r;
	uint64_t behind = lsn;
	for (uint64_t at = lsn; *synced <= enough && (at = scan_resync(s, at, limit)) < limit; at = behind) {
		if (scan_head(s, at, limit, &r) <= 0)
			break;
		if (r.synced > *synced)
			*synced = r.synced;
		behind = at + format_size(r.len);
	}
	return behind;
}

size_t scan_bytes(struct scan *s, uint64_t lsn, size_t len, const uint8_t **out)
{
	int rc;
	*out = window(s, lsn, len, lsn + len, &rc);
	if (!*out)
		*out = s->buf;
	return s->have < len ? s->have : len;
}
