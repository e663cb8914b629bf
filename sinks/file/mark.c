/* SPDX-License-Identifier: Apache-2.0 */
/* The position's file is one line of text, so that it can be read by eye:
 *     tally-position 1 NODE/LINE LSN MARK LENGTH NAME CHECK
 * numbers in decimal, CHECK 16 hex digits of FNV-1a over all before it. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define NO_NAME "-"

static uint64_t check_of(const char *bytes, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return h;
}

static int read_line(const char *path, char line[LINE_MAX_BYTES])
{
	FILE *f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 1 : -errno;
	char *got = fgets(line, LINE_MAX_BYTES, f);
	int rc = got ? 0 : ferror(f) ? -EIO : -EBADMSG;
	fclose(f);
	return rc;
}

int fs_mark_read(const char *path, const char *owner, struct fs_mark *out)
{
	char line[LINE_MAX_BYTES], who[256];
	uint64_t check;
	int begin = 0;
	int rc = read_line(path, line);
	if (rc != 0)
		return rc;
	*out = (struct fs_mark){ 0 };
	if (sscanf(line, "tally-position 1 %255s %" SCNu64 " %" SCNu64 " %" SCNu64 " %255s %n%" SCNx64, who,
		    &out->at.lsn, &out->at.mark, &out->length, out->name, &begin, &check) != 6)
		return -EBADMSG;
	if (check != check_of(line, (size_t)begin) || strcmp(who, owner) != 0)
		return -EBADMSG;
	if (strcmp(out->name, NO_NAME) == 0)
		out->name[0] = 0;
	return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_new(const char *path, const char *line, size_t len, int (*seam)(const char *name))
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int rc = write_all(fd, line, len);
	if (rc == 0)
		rc = seam("file.mark");
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int fs_mark_write(
	const char *path, int folder_fd, const char *owner, const struct fs_mark *m, int (*seam)(const char *name))
{
	char line[LINE_MAX_BYTES], fresh[4096];
	int n = snprintf(line, sizeof line, "tally-position 1 %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s ", owner,
		m->at.lsn, m->at.mark, m->length, *m->name ? m->name : NO_NAME);
	if (n < 0 || (size_t)n + 20 > sizeof line ||
		(size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
		return -ENAMETOOLONG;
	n += snprintf(line + n, sizeof line - (size_t)n, "%016" PRIx64 "\n", check_of(line, (size_t)n));
	int rc = write_new(fresh, line, (size_t)n, seam);
	if (rc == 0)
		rc = seam("file.commit");
	if (rc == 0 && rename(fresh, path) != 0)
		rc = -errno;
	if (rc == 0)
		rc = seam("file.renamed");
	if (rc == 0 && fsync(folder_fd) != 0)
		rc = -errno;
	return rc;
}
