/* SPDX-License-Identifier: Apache-2.0 */
/* The position's file is text, so that it can be read by eye:
 *     tally-position 3 NODE/LINE LSN MARK LENGTH NAME SITES GAPS
 *     STORED DEAD THINNED LOST DROPPED SITE        one line a site
 *     EVENTS LAST 0 0 0 REASON%0aSITE              one line a gap
 *     CHECK
 * numbers in decimal, CHECK 16 hex digits of FNV-1a over all before it. Version 2 has no gaps: they are counted from
 * then on. Version 1 has no counts and CHECK at the end of its only line; it stays so, since nobody knows what was
 * counted before. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES ((size_t)256 << 20)
#define CHECK_DIGITS 16
#define NO_NAME "-"

static uint64_t check_of(const char *bytes, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* ---- reading ---- */

static int read_all(const char *path, struct fs_text *out)
{
	char buf[65536];
	size_t n;
	FILE *f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 1 : -errno;
	while ((n = fread(buf, 1, sizeof buf, f)) > 0 && out->len < MOST_BYTES)
		fs_add(out, buf, n);
	int rc = ferror(f) ? -EIO : 0;
	fclose(f);
	fs_add(out, "", 1);
	return out->failed ? -ENOMEM : rc;
}

/* The digits at the end are those of all before them. */
static bool is_whole(const char *text, size_t len)
{
	uint64_t check;
	return len > CHECK_DIGITS + 1 && text[len - 1] == '\n' &&
	       sscanf(text + len - CHECK_DIGITS - 1, "%16" SCNx64, &check) == 1 &&
	       check == check_of(text, len - CHECK_DIGITS - 1);
}

static int read_counts(char **p, unsigned long rows, struct fs_counts *out)
{
	int rc = 0;
	for (unsigned long i = 0; i < rows && rc == 0; i++) {
		char *line = strsep(p, "\n");
		rc = line && *p ? fs_counts_read(out, line) : -EBADMSG;
	}
	return rc;
}

static int parse(char *text, const char *owner, struct fs_mark *out, struct fs_counts *counts, struct fs_counts *gaps)
{
	char who[256], *end = strchr(text, '\n');
	unsigned version;
	unsigned long sites = 0, ngaps = 0;
	int used = 0;
	if (sscanf(text, "tally-position %u %255s %" SCNu64 " %" SCNu64 " %" SCNu64 " %255s %n", &version, who,
		    &out->at.lsn, &out->at.mark, &out->length, out->name, &used) != 6 ||
		!used || strcmp(who, owner) != 0)
		return -EBADMSG;
	if (strcmp(out->name, NO_NAME) == 0)
		out->name[0] = 0;
	out->counted = version > 1;
	if (version == 1)
		return 0;
	if (version > 3 || sscanf(text + used, version == 2 ? "%lu" : "%lu %lu", &sites, &ngaps) != (int)version - 1)
		return -EBADMSG;
	char *p = end + 1;
	int rc = read_counts(&p, sites, counts);
	return rc == 0 ? read_counts(&p, ngaps, gaps) : rc;
}

int fs_mark_read(
	const char *path, const char *owner, struct fs_mark *out, struct fs_counts *counts, struct fs_counts *gaps)
{
	struct fs_text text = { 0 };
	*out = (struct fs_mark){ 0 };
	int rc = read_all(path, &text);
	if (rc == 0)
		rc = is_whole(text.ptr, text.len - 1) ? parse(text.ptr, owner, out, counts, gaps) : -EBADMSG;
	fs_text_free(&text);
	return rc;
}

/* ---- replacing ---- */

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

static int write_new(const char *path, const struct fs_text *text, int (*seam)(const char *name))
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int rc = write_all(fd, text->ptr, text->len);
	if (rc == 0)
		rc = seam("file.mark");
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

static int make_text(struct fs_text *out, const char *owner, const struct fs_mark *m, const struct fs_counts *counts,
	const struct fs_counts *gaps)
{
	char line[1024];
	int n = snprintf(line, sizeof line, "tally-position %d %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s ",
		m->counted ? 3 : 1, owner, m->at.lsn, m->at.mark, m->length, *m->name ? m->name : NO_NAME);
	if (n < 0 || (size_t)n >= sizeof line)
		return -ENAMETOOLONG;
	fs_add(out, line, (size_t)n);
	if (m->counted) {
		n = snprintf(line, sizeof line, "%zu %zu\n", counts->n, gaps->n);
		fs_add(out, line, (size_t)n);
		fs_counts_write(counts, out);
		fs_counts_write(gaps, out);
	}
	if (out->failed)
		return -ENOMEM;
	n = snprintf(line, sizeof line, "%016" PRIx64 "\n", check_of(out->ptr, out->len));
	fs_add(out, line, (size_t)n);
	return out->failed ? -ENOMEM : 0;
}

int fs_mark_write(const char *path, int folder_fd, const char *owner, const struct fs_mark *m,
	const struct fs_counts *counts, const struct fs_counts *gaps, int (*seam)(const char *name))
{
	char fresh[4096];
	struct fs_text text = { 0 };
	if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
		return -ENAMETOOLONG;
	int rc = make_text(&text, owner, m, counts, gaps);
	if (rc == 0)
		rc = write_new(fresh, &text, seam);
	fs_text_free(&text);
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
