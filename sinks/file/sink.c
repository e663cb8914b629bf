/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLICE_BYTES ((size_t)1 << 20)
#define PATH_BYTES 4096

struct fs {
	const struct tally_sink_host *host;
	struct tally_sink_instance *in;
	char folder[PATH_BYTES], pattern[FS_NAME_MAX];
	char mark_path[PATH_BYTES + FS_NAME_MAX];
	char owner[128];
	int folder_fd, fd; /* -1 = not open */
	struct fs_mark mark;
	struct fs_counts counts, gaps; /* as the mark has them, and what the batch in hand adds */
	struct fs_text text;
};

static const struct tally_option options[] = {
	{ "path", TALLY_OPT_STRING, 0, "events-%Y%m%d.ndjson",
		"the file; its name may hold strftime's % (UTC), a relative path is under data_dir" },
	{ NULL, 0, 0, NULL, NULL },
};

/* ---- open, close ---- */

static int split_path(struct fs *s, const char *path)
{
	const char *slash = strrchr(path, '/');
	int folder_len = slash ? (int)(slash - path) : 0;
	const char *before = *path == '/' ? "" : s->host->data_dir(s->in);
	int n = snprintf(
		s->folder, sizeof s->folder, "%s%s%.*s", before, *path != '/' && slash ? "/" : "", folder_len, path);
	int p = snprintf(s->pattern, sizeof s->pattern, "%s", slash ? slash + 1 : path);
	if (n < 0 || (size_t)n >= sizeof s->folder || p <= 0 || (size_t)p >= sizeof s->pattern)
		return -1;
	if (!*s->folder)
		memcpy(s->folder, "/", 2);
	return strchr(s->folder, '%') || strpbrk(s->pattern, " \t\n") ? -1 : 0;
}

static int sink_open(const struct tally_sink_host *host, struct tally_sink_instance *in, void **self)
{
	struct fs *s = calloc(1, sizeof *s);
	if (!s)
		return host->fail(in, TALLY_SINK_STOP, 0, "out of memory");
	s->host = host;
	s->in = in;
	s->folder_fd = s->fd = -1;
	if (split_path(s, host->option_str(in, "path")) != 0) {
		free(s);
		return host->fail(in, TALLY_SINK_STOP, 0,
			"path must name a file; only its last part may hold %%, and that no blanks");
	}
	snprintf(s->owner, sizeof s->owner, "%s/%.80s", host->node(in), host->line(in));
	for (char *c = s->owner; *c; c++)
		if (*c == ' ')
			*c = '_';
	snprintf(s->mark_path, sizeof s->mark_path, "%s/.%.80s.position", s->folder, host->line(in));
	*self = s;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void sink_close(void *self)
{
	struct fs *s = self;
	close_fd(&s->fd);
	close_fd(&s->folder_fd);
	fs_text_free(&s->text);
	fs_counts_free(&s->counts);
	fs_counts_free(&s->gaps);
	free(s);
}

/* ---- errors ---- */

static int class_of(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
		return TALLY_SINK_FULL;
	case -ENOENT:
	case -ENOTDIR:
	case -EACCES:
	case -EPERM:
	case -EROFS:
	case -EISDIR:
	case -ENAMETOOLONG:
		return TALLY_SINK_STOP;
	default:
		return TALLY_SINK_RECONNECT;
	}
}

static int failed(struct fs *s, const char *doing, const char *what, int error)
{
	close_fd(&s->fd);
	return s->host->fail(s->in, class_of(error), -error, "%s %s/%s: %s", doing, s->folder, what, strerror(-error));
}

/* ---- files ---- */

static int open_file(struct fs *s, const char *name, uint64_t *length)
{
	struct stat st;
	close_fd(&s->fd);
	s->fd = openat(s->folder_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (s->fd < 0 || fstat(s->fd, &st) != 0)
		return failed(s, "opening", name, -errno);
	*length = (uint64_t)st.st_size;
	return TALLY_SINK_OK;
}

static int replace_mark(struct fs *s, const struct fs_mark *m)
{
	int rc = fs_mark_write(s->mark_path, s->folder_fd, s->owner, m, &s->counts, &s->gaps, s->host->seam);
	if (rc != 0)
		return failed(s, "replacing the position beside", m->name, rc);
	s->mark = *m;
	return TALLY_SINK_OK;
}

static void name_now(const struct fs *s, char name[FS_NAME_MAX])
{
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the operator's own pattern */
	size_t len = strftime(name, FS_NAME_MAX, s->pattern, &tm);
#pragma GCC diagnostic pop
	if (len == 0 || strpbrk(name, " \t\n/"))
		snprintf(name, FS_NAME_MAX, "%s", "events.ndjson");
}

/* The file that we have open is no longer the one behind the name: somebody moved it away. */
static bool was_moved(const struct fs *s)
{
	struct stat open, there;
	return s->fd < 0 || fstat(s->fd, &open) != 0 || fstatat(s->folder_fd, s->mark.name, &there, 0) != 0 ||
	       open.st_dev != there.st_dev || open.st_ino != there.st_ino;
}

/* Ensures: the file of this moment is open, and the position on disk names it with its length. */
static int turn_to_file(struct fs *s)
{
	struct fs_mark m = s->mark;
	name_now(s, m.name);
	if (strcmp(m.name, s->mark.name) == 0 && !was_moved(s))
		return TALLY_SINK_OK;
	int rc = open_file(s, m.name, &m.length);
	if (rc == TALLY_SINK_OK && fsync(s->folder_fd) != 0)
		rc = failed(s, "syncing the folder of", m.name, -errno);
	return rc == TALLY_SINK_OK ? replace_mark(s, &m) : rc;
}

/* ---- position ---- */

/* What lies behind the committed length was never committed. */
static int cut(struct fs *s)
{
	uint64_t length;
	int rc = open_file(s, s->mark.name, &length);
	if (rc != TALLY_SINK_OK)
		return rc;
	if (length < s->mark.length) {
		s->host->log(s->in, TALLY_LOG_WARN, "%s/%s is shorter than what was written to it; going on at its end",
			s->folder, s->mark.name);
		struct fs_mark shorter = s->mark;
		shorter.length = length;
		return replace_mark(s, &shorter);
	}
	if (length > s->mark.length && ftruncate(s->fd, (off_t)s->mark.length) != 0)
		return failed(s, "cutting", s->mark.name, -errno);
	return fsync(s->fd) == 0 ? TALLY_SINK_OK : failed(s, "syncing", s->mark.name, -errno);
}

static int sink_position(void *self, struct tally_position *out)
{
	struct fs *s = self;
	close_fd(&s->folder_fd);
	s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->folder_fd < 0)
		return failed(s, "opening the folder of", s->pattern, -errno);
	fs_counts_free(&s->counts);
	fs_counts_free(&s->gaps);
	int rc = fs_mark_read(s->mark_path, s->owner, &s->mark, &s->counts, &s->gaps);
	if (rc == -EBADMSG)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"%s is not this node's and line's: move it and its files away, or set another path",
			s->mark_path);
	if (rc < 0)
		return failed(s, "reading the position beside", s->pattern, rc);
	if (rc == 1) {
		s->mark = (struct fs_mark){ .counted = true };
		rc = replace_mark(s, &s->mark);
	} else {
		rc = *s->mark.name ? cut(s) : TALLY_SINK_OK;
	}
	*out = s->mark.at;
	return rc;
}

/* ---- write ---- */

static int write_text(struct fs *s)
{
	size_t at = 0;
	while (at < s->text.len) {
		int seam = s->host->seam("file.write");
		ssize_t n = seam ? -1 : write(s->fd, s->text.ptr + at, s->text.len - at);
		int error = seam ? seam : -errno;
		if (n < 0 && error == -EINTR)
			continue;
		if (n <= 0)
			return failed(s, "writing", s->mark.name, n < 0 ? error : -EIO);
		at += (size_t)n;
	}
	s->text.len = 0;
	return TALLY_SINK_OK;
}

static int write_rows(struct fs *s, const struct tally_rows *rows, uint64_t *bytes)
{
	int rc = TALLY_SINK_OK;
	for (size_t i = 0; i < rows->n && rc == TALLY_SINK_OK; i++) {
		size_t before = s->text.len;
		fs_add_row(&s->text, rows->table, rows->cells + i * rows->table->ncolumns, s->host->node(s->in));
		if (s->text.failed)
			return failed(s, "writing", s->mark.name, -ENOMEM);
		*bytes += s->text.len - before;
		if (s->text.len >= SLICE_BYTES)
			rc = write_text(s);
	}
	return rc == TALLY_SINK_OK ? write_text(s) : rc;
}

static int sync_file(struct fs *s)
{
	int seam = s->host->seam("file.sync");
	if (seam || fdatasync(s->fd) != 0)
		return failed(s, "syncing", s->mark.name, seam ? seam : -errno);
	return TALLY_SINK_OK;
}

/* Only events are written: the rows of tables in which every row is new. A batch without any makes no file. */
static int append(struct fs *s, const struct tally_batch *b, uint64_t *bytes)
{
	int rc = TALLY_SINK_OK;
	*bytes = 0;
	s->text.len = 0;
	for (size_t i = 0; i < b->nrows && rc == TALLY_SINK_OK; i++) {
		if (!b->rows[i].table->insert_only || b->rows[i].n == 0)
			continue;
		rc = turn_to_file(s);
		if (rc == TALLY_SINK_OK)
			rc = write_rows(s, &b->rows[i], bytes);
	}
	return rc == TALLY_SINK_OK && *bytes ? sync_file(s) : rc;
}

static int add_counts(struct fs *s, const struct tally_batch *b)
{
	int rc = 0;
	for (size_t i = 0; i < b->nrows && rc == 0 && s->mark.counted; i++)
		if (fs_counts_are_of(b->rows[i].table))
			rc = fs_counts_add(&s->counts, &b->rows[i]);
		else if (fs_gaps_are_of(b->rows[i].table))
			rc = fs_gaps_add(&s->gaps, &b->rows[i]);
	return rc == 0 ? TALLY_SINK_OK : failed(s, "counting for", s->mark.name, rc);
}

static int sink_kept(void *self, tally_row_fn fn, void *arg)
{
	struct fs *s = self;
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	if (!s->mark.counted)
		return -ENODATA;
	for (size_t i = 0; i < n; i++)
		if (fs_counts_are_of(tables[i]))
			return fs_counts_give(&s->counts, tables[i], s->host->line(s->in), fn, arg);
	return -ENODATA;
}

static int sink_kept_gaps(void *self, tally_row_fn fn, void *arg)
{
	struct fs *s = self;
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	for (size_t i = 0; i < n && s->mark.counted; i++)
		if (fs_gaps_are_of(tables[i]))
			return fs_gaps_give(&s->gaps, tables[i], s->host->line(s->in), fn, arg);
	return -ENODATA;
}

static int sink_write(void *self, const struct tally_batch *b)
{
	struct fs *s = self;
	struct fs_mark m;
	uint64_t bytes = 0;
	if (b->from.lsn != s->mark.at.lsn || b->from.mark != s->mark.at.mark)
		return s->host->fail(s->in, TALLY_SINK_MOVED, 0, "the position is not where this batch begins");
	int seam = s->host->seam("file.begin");
	int rc = seam ? failed(s, "beginning a batch of", s->mark.name, seam) : append(s, b, &bytes);
	if (rc != TALLY_SINK_OK)
		return rc;
	m = s->mark;
	m.at = b->to;
	m.length += bytes;
	rc = add_counts(s, b);
	if (rc == TALLY_SINK_OK)
		rc = replace_mark(s, &m);
	seam = rc == TALLY_SINK_OK ? s->host->seam("file.committed") : 0;
	return seam ? failed(s, "having replaced the position beside", m.name, seam) : rc;
}

const struct tally_sink tally_sink = {
	TALLY_SINK_HEAD,
	.name = "file",
	.version = "1.0",
	.summary = "events as lines of JSON in files named by the date",
	.options = options,
	.open = sink_open,
	.close = sink_close,
	.position = sink_position,
	.write = sink_write,
	.kept = sink_kept,
	.kept_gaps = sink_kept_gaps,
};
