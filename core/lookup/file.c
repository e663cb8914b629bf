/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "text/number.h"
#include "text/utf8.h"

#define MAGIC "TALLYLKP"
#define FORM 1
#define PATH_BYTES 4400

enum { AT_FORM = 8, AT_CRC = 12, AT_BYTES = 16, AT_DEFINITION = 24, AT_TIME = 32, AT_VERSION = 40, AT_DATA = 168 };

static void path_of(const char *data_dir, const char *name, const char *end, char out[PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "%.4200s/lookups%s%.64s%s", data_dir, *name ? "/" : "", name, end);
}

/* ---- writing ---- */

static size_t size_of(const struct lookup_rows *r)
{
	const struct tally_str *names;
	size_t n = lookup_rows_columns(r, &names), rows = lookup_rows_count(r), bytes = AT_DATA + 8;
	for (size_t i = 0; i < n; i++)
		bytes += 4 + names[i].len;
	for (size_t k = 0; k < rows; k++)
		for (size_t i = 0; i < n; i++)
			bytes += 8 + lookup_rows_at(r, k)[i].text.len;
	return bytes;
}

static char *put_text(char *at, struct tally_str text)
{
	put_u32(at, (uint32_t)text.len);
	if (text.len)
		memcpy(at + 4, text.ptr, text.len);
	return at + 4 + text.len;
}

static void put_rows(char *at, const struct lookup_rows *r)
{
	const struct tally_str *names;
	size_t n = lookup_rows_columns(r, &names), rows = lookup_rows_count(r);
	put_u32(at, (uint32_t)n);
	put_u32(at + 4, (uint32_t)lookup_rows_key(r));
	at += 8;
	for (size_t i = 0; i < n; i++)
		at = put_text(at, names[i]);
	for (size_t k = 0; k < rows; k++)
		for (size_t i = 0; i < n; i++) {
			const struct lookup_value *v = &lookup_rows_at(r, k)[i];
			put_u32(at, v->type);
			at = put_text(at + 4, v->text);
		}
}

static char *encode(const struct lookup_rows *r, size_t *len)
{
	const struct lookup_origin *o = lookup_rows_origin(r);
	*len = size_of(r);
	char *h = memory_alloc(*len);
	memset(h, 0, AT_DATA);
	memcpy(h, MAGIC, 8);
	put_u32(h + AT_FORM, FORM);
	put_u64(h + AT_BYTES, *len - AT_BYTES);
	put_u64(h + AT_DEFINITION, o->definition);
	put_u64(h + AT_TIME, (uint64_t)o->read_us);
	memcpy(h + AT_VERSION, o->version, strlen(o->version));
	put_rows(h + AT_DATA, r);
	put_u32(h + AT_CRC, crc32c(0, h + AT_BYTES, *len - AT_BYTES));
	return h;
}

static int write_file(const char *path, char *bytes, size_t len)
{
	struct iovec iov = { bytes, len };
	int fd = file_open("lookup.open", path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (fd < 0)
		return fd;
	int rc = file_write("lookup.write", fd, &iov, 1, 0);
	if (rc >= 0)
		rc = file_sync("lookup.sync", fd);
	file_close(fd);
	return rc < 0 ? rc : 0;
}

int lookup_file_write(const char *data_dir, const char *name, const struct lookup_rows *r)
{
	char dir[PATH_BYTES], path[PATH_BYTES], fresh[PATH_BYTES];
	size_t len;
	path_of(data_dir, "", "", dir);
	path_of(data_dir, name, "", path);
	path_of(data_dir, name, ".new", fresh);
	int rc = mkdir(dir, 0750) == 0 ? file_sync_dir("lookup.dirsync", data_dir) : errno == EEXIST ? 0 : -errno;
	if (rc < 0)
		return rc;
	char *bytes = encode(r, &len);
	rc = write_file(fresh, bytes, len);
	if (rc >= 0)
		rc = file_rename("lookup.rename", fresh, path);
	if (rc >= 0)
		rc = file_sync_dir("lookup.dirsync", dir);
	else
		(void)!file_unlink("lookup.unlink", fresh);
	free(bytes);
	return rc < 0 ? rc : 0;
}

/* ---- reading ---- */

struct cursor {
	const char *at, *end;
	bool bad;
};

static uint32_t get_number(struct cursor *c)
{
	c->bad |= c->end - c->at < 4;
	if (c->bad)
		return 0;
	c->at += 4;
	return get_u32(c->at - 4);
}

static struct tally_str get_text(struct cursor *c)
{
	uint32_t len = get_number(c);
	c->bad |= (size_t)(c->end - c->at) < len;
	if (c->bad)
		return STR("");
	c->at += len;
	struct tally_str text = str_make(c->at - len, len);
	c->bad |= !utf8_valid(text);
	return text;
}

static struct lookup_value get_value(struct cursor *c)
{
	struct lookup_value v = { .type = get_number(c) };
	double number;
	v.text = get_text(c);
	c->bad |= v.type > LOOKUP_NUMBER || (v.type == LOOKUP_NULL && v.text.len);
	c->bad |= v.type == LOOKUP_NUMBER && number_double(v.text, &number) != 0;
	return v;
}

static int get_rows(struct cursor *c, const struct lookup_origin *origin, uint64_t memory, struct lookup_rows **out)
{
	struct tally_str names[LOOKUP_COLUMNS_MAX];
	struct lookup_value values[LOOKUP_COLUMNS_MAX];
	uint32_t n = get_number(c), key = get_number(c);
	if (c->bad || n == 0 || n > LOOKUP_COLUMNS_MAX || key >= n)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++)
		names[i] = get_text(c);
	struct lookup_rows *r = c->bad ? NULL : lookup_rows_make(origin, names, n, key, memory);
	int rc = 0;
	while (r && rc == 0 && c->at < c->end) {
		for (uint32_t i = 0; i < n; i++)
			values[i] = get_value(c);
		enum lookup_added added = c->bad ? LOOKUP_NO_KEY : lookup_rows_add(r, values);
		rc = added == LOOKUP_ADDED ? 0 : added == LOOKUP_NO_ROOM ? -E2BIG : -EBADMSG;
	}
	if (r && rc == 0) {
		lookup_rows_finish(r);
		*out = r;
		return 0;
	}
	lookup_rows_unref(r);
	return rc ? rc : -EBADMSG;
}

static int decode(const char *h, size_t len, uint64_t definition, uint64_t memory, struct lookup_rows **out)
{
	struct lookup_origin origin = { .definition = definition };
	struct cursor c = { h + AT_DATA, h + len, false };
	if (len < AT_DATA || memcmp(h, MAGIC, 8) != 0 || get_u32(h + AT_FORM) != FORM ||
		get_u64(h + AT_BYTES) != len - AT_BYTES ||
		get_u32(h + AT_CRC) != crc32c(0, h + AT_BYTES, len - AT_BYTES) || h[AT_DATA - 1] != 0)
		return -EBADMSG;
	if (get_u64(h + AT_DEFINITION) != definition)
		return -ENOENT;
	origin.read_us = (int64_t)get_u64(h + AT_TIME);
	memcpy(origin.version, h + AT_VERSION, LOOKUP_VERSION);
	return get_rows(&c, &origin, memory, out);
}

int lookup_file_read(
	const char *data_dir, const char *name, uint64_t definition, uint64_t memory, struct lookup_rows **out)
{
	char path[PATH_BYTES];
	struct stat st;
	path_of(data_dir, name, "", path);
	int fd = file_open("lookup.open", path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	char *bytes = NULL;
	ssize_t got = fstat(fd, &st) == 0 ? 0 : -errno;
	if (got == 0) {
		bytes = memory_alloc((size_t)st.st_size + 1);
		got = file_read("lookup.read", fd, bytes, (size_t)st.st_size, 0);
	}
	file_close(fd);
	int rc = got < 0 ? (int)got : decode(bytes, (size_t)got, definition, memory, out);
	free(bytes);
	return rc;
}

/* ---- what is no longer wanted ---- */

void lookup_file_tidy(const char *data_dir, bool (*keep)(void *arg, const char *name), void *arg)
{
	char dir[PATH_BYTES], path[PATH_BYTES];
	path_of(data_dir, "", "", dir);
	DIR *d = opendir(dir);
	for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (e->d_name[0] == '.' || keep(arg, e->d_name))
			continue;
		path_of(data_dir, e->d_name, "", path);
		(void)!file_unlink("lookup.unlink", path);
	}
	if (d)
		closedir(d);
}
