/* SPDX-License-Identifier: Apache-2.0 */
#include "line/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

#define MAGIC "TALLYSNP"
#define FORM 1
#define PATH_BYTES 4400
#define LSN_DIGITS 16

enum {
	AT_FORM = 8,
	AT_CRC = 12,
	AT_BYTES = 16,
	AT_LSN = 24,
	AT_MARK = 32,
	AT_TIME = 40,
	AT_NODE = 48,
	AT_LINE = 88,
	AT_PLUGIN = 160,
	AT_VERSION = 192,
	AT_END = 224,
	AT_HEAD_CRC = 252
};

static void dir_of(const struct snapshot_of *of, char out[PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "%.4200s/snapshots", of->data_dir);
}

static void path_of(const struct snapshot_of *of, uint64_t lsn, char out[PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "%.4200s/snapshots/%s.%s.%016llx", of->data_dir, of->line, of->plugin.name,
		(unsigned long long)lsn);
}

/* What a kill leaves of it is written over by the next one. */
static void new_path(const struct snapshot_of *of, char out[PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "%.4200s/snapshots/%s.%s.new", of->data_dir, of->line, of->plugin.name);
}

/* ---- writing ---- */

static void put_text(char *head, size_t at, size_t room, const char *text)
{
	size_t n = strlen(text);
	MUST(n < room);
	memcpy(head + at, text, n);
}

static void make_head(const struct snapshot_of *of, struct tally_position at, int64_t time_us, struct plug_bytes *b)
{
	char *h = b->ptr;
	size_t len = b->len - SNAPSHOT_HEAD;
	memset(h, 0, SNAPSHOT_HEAD);
	memcpy(h, MAGIC, 8);
	put_u32(h + AT_FORM, FORM);
	put_u32(h + AT_CRC, crc32c(0, h + SNAPSHOT_HEAD, len));
	put_u64(h + AT_BYTES, len);
	put_u64(h + AT_LSN, at.lsn);
	put_u64(h + AT_MARK, at.mark);
	put_u64(h + AT_TIME, (uint64_t)time_us);
	put_text(h, AT_NODE, AT_LINE - AT_NODE, of->node);
	put_text(h, AT_LINE, AT_PLUGIN - AT_LINE, of->line);
	put_text(h, AT_PLUGIN, AT_VERSION - AT_PLUGIN, of->plugin.name);
	put_text(h, AT_VERSION, AT_END - AT_VERSION, of->plugin.version);
	put_u32(h + AT_HEAD_CRC, crc32c(0, h, AT_HEAD_CRC));
}

static int write_file(const char *path, struct plug_bytes *b)
{
	struct iovec iov = { b->ptr, b->len };
	int fd = file_open("snapshot.open", path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (fd < 0)
		return fd;
	int rc = file_write("snapshot.write", fd, &iov, 1, 0);
	if (rc >= 0)
		rc = file_sync("snapshot.sync", fd);
	file_close(fd);
	return rc < 0 ? rc : 0;
}

int snapshot_write(const struct snapshot_of *of, struct tally_position at, int64_t time_us, struct plug_bytes *bytes,
	char words[256])
{
	char dir[PATH_BYTES], path[PATH_BYTES], fresh[PATH_BYTES];
	MUST(bytes->len >= SNAPSHOT_HEAD);
	dir_of(of, dir);
	path_of(of, at.lsn, path);
	new_path(of, fresh);
	make_head(of, at, time_us, bytes);
	int rc = mkdir(dir, 0750) == 0 ? file_sync_dir("snapshot.dirsync", of->data_dir) : errno == EEXIST ? 0 : -errno;
	if (rc >= 0)
		rc = write_file(fresh, bytes);
	if (rc >= 0)
		rc = file_rename("snapshot.rename", fresh, path);
	if (rc >= 0)
		rc = file_sync_dir("snapshot.dirsync", dir);
	if (rc >= 0)
		return 0;
	snprintf(words, 256, "the state of plugin %s cannot be kept in %.80s: %s", of->plugin.name, dir, strerror(-rc));
	(void)!file_unlink("snapshot.unlink", fresh);
	return rc;
}

/* ---- which there are ---- */

/* "LINE.PLUGIN." and 16 hex digits, and nothing else. */
static bool parse_name(const struct snapshot_of *of, const char *name, uint64_t *lsn)
{
	char before[160];
	int n = snprintf(before, sizeof before, "%s.%s.", of->line, of->plugin.name);
	const char *digits = name + n;
	if (strncmp(name, before, (size_t)n) != 0 || strlen(digits) != LSN_DIGITS ||
		strspn(digits, "0123456789abcdef") != LSN_DIGITS)
		return false;
	*lsn = strtoull(digits, NULL, 16);
	return true;
}

static int downward(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x < y) - (x > y);
}

size_t snapshot_list(const struct snapshot_of *of, uint64_t **out)
{
	char dir[PATH_BYTES];
	size_t n = 0, cap = 0;
	uint64_t *all = NULL, lsn;
	dir_of(of, dir);
	DIR *d = opendir(dir);
	for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (!parse_name(of, e->d_name, &lsn))
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 16;
			all = memory_grow(all, cap * sizeof *all);
		}
		all[n++] = lsn;
	}
	if (d)
		closedir(d);
	if (n > 1)
		qsort(all, n, sizeof *all, downward);
	*out = all;
	return n;
}

/* ---- reading ---- */

static bool has_text(const char *head, size_t at, size_t room, const char *text)
{
	return strnlen(head + at, room) < room && strcmp(head + at, text) == 0;
}

/* NULL = it is one of ours, as far as the head tells. */
static const char *judge_head(const struct snapshot_of *of, uint64_t lsn, const char *h, size_t len)
{
	if (len < SNAPSHOT_HEAD || memcmp(h, MAGIC, 8) != 0 || get_u32(h + AT_HEAD_CRC) != crc32c(0, h, AT_HEAD_CRC))
		return "is damaged";
	if (get_u32(h + AT_FORM) != FORM)
		return "was written by a later tally";
	if (!has_text(h, AT_NODE, AT_LINE - AT_NODE, of->node))
		return "belongs to another node";
	if (!has_text(h, AT_LINE, AT_PLUGIN - AT_LINE, of->line) ||
		!has_text(h, AT_PLUGIN, AT_VERSION - AT_PLUGIN, of->plugin.name) || get_u64(h + AT_LSN) != lsn)
		return "is not what its name says";
	if (get_u64(h + AT_BYTES) != len - SNAPSHOT_HEAD ||
		get_u32(h + AT_CRC) != crc32c(0, h + SNAPSHOT_HEAD, len - SNAPSHOT_HEAD))
		return "is damaged";
	if (strverscmp(h + AT_VERSION, of->plugin.version) > 0)
		return "was written by a later version of the plugin";
	return NULL;
}

static int read_file(const char *path, struct plug_bytes *out)
{
	struct stat st;
	int fd = file_open("snapshot.open", path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	ssize_t got = fstat(fd, &st) == 0 ? 0 : -errno;
	if (got == 0) {
		out->cap = (size_t)st.st_size + 1;
		out->ptr = memory_alloc(out->cap);
		got = file_read("snapshot.read", fd, out->ptr, (size_t)st.st_size, 0);
		out->len = got < 0 ? 0 : (size_t)got;
	}
	file_close(fd);
	return got < 0 ? (int)got : 0;
}

int snapshot_read(
	const struct snapshot_of *of, uint64_t lsn, struct plug_bytes *out, struct tally_position *at, char words[256])
{
	char path[PATH_BYTES];
	*out = (struct plug_bytes){ 0 };
	path_of(of, lsn, path);
	int rc = read_file(path, out);
	const char *bad = rc < 0 ? strerror(-rc) : judge_head(of, lsn, out->ptr, out->len);
	if (!bad) {
		*at = (struct tally_position){ lsn, get_u64(out->ptr + AT_MARK) };
		return 0;
	}
	snprintf(words, 256, "snapshot %.120s %s%s", path, rc < 0 ? "cannot be read: " : "", bad);
	free(out->ptr);
	*out = (struct plug_bytes){ 0 };
	return rc < 0 ? rc : -EBADMSG;
}

/* ---- letting go ---- */

void snapshot_drop(const struct snapshot_of *of, uint64_t lsn)
{
	char path[PATH_BYTES];
	path_of(of, lsn, path);
	(void)!file_unlink("snapshot.unlink", path);
}

/* ---- a line's new name ---- */

struct name_of {
	char plugin[64];
	uint64_t lsn;
};

/* "LINE.PLUGIN.LSN" of this line; no plugin has a dot in its name. */
static bool split_name(const char *line, const char *name, struct name_of *out)
{
	size_t n = strlen(line), len = strlen(name);
	if (strncmp(name, line, n) != 0 || name[n] != '.' || len < n + 3 + LSN_DIGITS)
		return false;
	size_t plugin = len - n - 2 - LSN_DIGITS;
	if (plugin >= sizeof out->plugin || memchr(name + n + 1, '.', plugin))
		return false;
	snprintf(out->plugin, sizeof out->plugin, "%.*s", (int)plugin, name + n + 1);
	struct snapshot_of of = { .line = line, .plugin = { out->plugin, "" } };
	return parse_name(&of, name, &out->lsn);
}

/* Each file of the line, until fn returns non-zero. */
static int each_of_line(
	const char *data_dir, const char *line, int (*fn)(void *arg, const struct name_of *name), void *arg)
{
	const struct snapshot_of of = { .data_dir = data_dir };
	char dir[PATH_BYTES];
	struct name_of *names = NULL;
	size_t n = 0, cap = 0;
	dir_of(&of, dir);
	DIR *d = opendir(dir);
	for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (n == cap) {
			cap = cap ? 2 * cap : 16;
			names = memory_grow(names, cap * sizeof *names);
		}
		n += split_name(line, e->d_name, &names[n]);
	}
	if (d)
		closedir(d);
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = fn(arg, &names[i]);
	free(names);
	return rc;
}

struct copying {
	const char *data_dir, *node, *from, *to;
	char *words;
};

/* One that cannot be used says still that the plugin was there: its state is not to begin empty. */
static void link_one(const struct copying *c, const struct name_of *name)
{
	struct snapshot_of from = { c->data_dir, c->node, c->from, { name->plugin, "" } },
			   to = { c->data_dir, c->node, c->to, { name->plugin, "" } };
	char was[PATH_BYTES], is[PATH_BYTES];
	path_of(&from, name->lsn, was);
	path_of(&to, name->lsn, is);
	(void)!link(was, is);
}

static int copy_one(void *arg, const struct name_of *name)
{
	struct copying *c = arg;
	struct snapshot_of from = { c->data_dir, c->node, c->from, { name->plugin, "\x7f" /* any version */ } };
	struct plug_bytes b;
	struct tally_position at;
	char version[AT_END - AT_VERSION], bad[256];
	if (snapshot_read(&from, name->lsn, &b, &at, bad) != 0) {
		link_one(c, name);
		return 0;
	}
	snprintf(version, sizeof version, "%s", b.ptr + AT_VERSION);
	struct snapshot_of to = { c->data_dir, c->node, c->to, { name->plugin, version } };
	int rc = snapshot_write(&to, at, (int64_t)get_u64(b.ptr + AT_TIME), &b, c->words);
	free(b.ptr);
	return rc;
}

int snapshot_copy_line(const char *data_dir, const char *node, const char *from, const char *to, char words[256])
{
	struct copying c = { data_dir, node, from, to, words };
	return each_of_line(data_dir, from, copy_one, &c);
}

static int drop_one(void *arg, const struct name_of *name)
{
	const struct copying *c = arg;
	struct snapshot_of of = { c->data_dir, c->node, c->from, { name->plugin, "" } },
			   other = { c->data_dir, c->node, c->to, { name->plugin, "" } };
	char path[PATH_BYTES];
	path_of(&other, name->lsn, path);
	if (access(path, F_OK) == 0)
		snapshot_drop(&of, name->lsn);
	return 0;
}

void snapshot_drop_copied(const char *data_dir, const char *node, const char *line, const char *as)
{
	struct copying c = { data_dir, node, line, as, NULL };
	(void)each_of_line(data_dir, line, drop_one, &c);
}

/* Of those whose distance from the newest has the same highest bit the oldest stays, until it has grown into the next. */
void snapshot_thin(const uint64_t *lsns, size_t n, uint64_t begin, bool *keep)
{
	uint64_t taken = 0;
	for (size_t i = n; i-- > 0;) {
		uint64_t distance = lsns[0] - lsns[i];
		uint64_t bit = distance ? UINT64_C(1) << (63 - __builtin_clzll(distance)) : 0;
		keep[i] = i < 2 || (lsns[i] >= begin && !(taken & bit));
		if (lsns[i] >= begin)
			taken |= bit;
	}
}
