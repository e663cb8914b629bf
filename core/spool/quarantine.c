/* SPDX-License-Identifier: Apache-2.0 */
/* Bad bytes are kept for a look, never deleted: in dir/quarantine, under names that say what and where they were. All
 * of it is best effort. A copy that cannot be made (a full disk) is said and the start goes on. */
#include "spool/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"

#define NAME_TRIES 1000

static int room_open(struct spool *sp)
{
	char path[PATH_MAX];
	segment_path(sp, "quarantine", path);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static int copy_range(struct scan *s, int fd, uint64_t from, uint64_t to)
{
	int rc = 0;
	for (uint64_t at = from; rc == 0 && at < to;) {
		const uint8_t *p;
		size_t n = scan_bytes(s, at, to - at < RECOVERY_AHEAD ? (size_t)(to - at) : RECOVERY_AHEAD, &p);
		if (n == 0)
			break; /* the rest is unreadable or not there */
		struct iovec iov = { (void *)(uintptr_t)p, n };
		rc = file_write("spool.quarantine", fd, &iov, 1, at - from);
		at += n;
	}
	return rc;
}

/* Copies the bytes of [from, to) of the segment s to a file of their own. The same damage has the same name at every
 * start and is copied once. what: "cut" or "damage". */
void quarantine_bytes(struct spool *sp, struct scan *s, const char *what, uint64_t from, uint64_t to)
{
	char name[NAME_BYTES], path[PATH_MAX];
	if (sp->look) {
		look_note(sp, strcmp(what, "cut") == 0 ? SPOOL_TORN : SPOOL_DAMAGED, "", from, to, "");
		return;
	}
	snprintf(name, sizeof name, "quarantine/%s-%llu-%016llx-%llu-%llu.bin", what,
		(unsigned long long)s->head.number, (unsigned long long)s->head.salt, (unsigned long long)from,
		(unsigned long long)to);
	segment_path(sp, name, path);
	int rc = room_open(sp);
	sp->quarantined++;
	int fd = rc < 0 ? rc : file_open("spool.quarantine", path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -EEXIST)
		return;
	if (fd >= 0) {
		rc = copy_range(s, fd, from, to);
		file_close(fd);
	} else {
		rc = fd;
	}
	if (rc < 0)
		log_warn("spool", "cannot keep a copy in %s: %s", path, strerror(-rc));
}

/* Moves a whole file away. */
void quarantine_file(struct spool *sp, const char *name, const char *why)
{
	char from[PATH_MAX], to[PATH_MAX], moved[2 * NAME_BYTES];
	struct stat st;
	if (sp->look) {
		look_note(sp, SPOOL_STRANGE, name, 0, 0, why);
		return;
	}
	int rc = room_open(sp);
	segment_path(sp, name, from);
	snprintf(moved, sizeof moved, "quarantine/%s", name);
	segment_path(sp, moved, to);
	for (int i = 1; rc == 0 && i < NAME_TRIES && stat(to, &st) == 0; i++) {
		snprintf(moved, sizeof moved, "quarantine/%s.%d", name, i);
		segment_path(sp, moved, to);
	}
	if (rc == 0)
		rc = file_rename("spool.quarantine", from, to);
	sp->quarantined++;
	if (rc < 0)
		log_warn("spool", "%s: %s; cannot move it away: %s", from, why, strerror(-rc));
	else
		log_warn("spool", "%s: %s; moved to %s", from, why, to);
}
