/* SPDX-License-Identifier: Apache-2.0 */
#include "main/client/records.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "text/csv.h"
#include "text/number.h"

#define CHUNK (256 * 1024)
#define RECORD_MAX (16u << 20)
#define CSV_COLUMNS 256

/* Bytes of the file: 0 .. at  consumed; at .. len  to be read. */
struct records {
	FILE *f;
	const char *name;
	record_fn fn;
	void *arg;
	char *why;
	char *buf;
	size_t at, len, cap;
	bool eof, in_array;
	uint64_t line, bytes;
	struct tally_str header[CSV_COLUMNS];
	size_t ncolumns;
	struct arena arena, header_arena;
};

static int fail(struct records *r, const char *what)
{
	snprintf(r->why, 256, "%s:%llu: %s", r->name, (unsigned long long)r->line, what);
	return -EINVAL;
}

static void give(struct records *r, struct tally_str json, uint64_t line)
{
	r->fn(r->arg, json, line, r->bytes - (r->len - r->at));
}

/* ---- bytes ---- */

static bool fill(struct records *r)
{
	if (r->eof)
		return false;
	memmove(r->buf, r->buf + r->at, r->len - r->at);
	r->len -= r->at;
	r->at = 0;
	if (r->cap - r->len < CHUNK) {
		r->cap = r->cap * 2 + CHUNK;
		r->buf = realloc(r->buf, r->cap);
		MUST(r->buf != NULL);
	}
	size_t n = fread(r->buf + r->len, 1, CHUNK, r->f);
	r->len += n;
	r->bytes += n;
	r->eof = n == 0;
	return n > 0;
}

/* The byte at offset i from the cursor, -1 at the end of the file. */
static int peek(struct records *r, size_t i)
{
	while (r->at + i >= r->len)
		if (!fill(r))
			return -1;
	return (unsigned char)r->buf[r->at + i];
}

static void skip(struct records *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->line += r->buf[r->at + i] == '\n';
	r->at += n;
}

static int skip_space(struct records *r)
{
	int c;
	while ((c = peek(r, 0)) == ' ' || c == '\t' || c == '\r' || c == '\n')
		skip(r, 1);
	return c;
}

/* ---- NDJSON ---- */

static int read_lines(struct records *r)
{
	while (skip_space(r) >= 0) {
		size_t n = 0;
		int c;
		while ((c = peek(r, n)) >= 0 && c != '\n')
			if (++n > RECORD_MAX)
				return fail(r, "a line of more than 16 MiB is no event");
		struct tally_str json = str_make(r->buf + r->at, n);
		r->at += n;
		give(r, json, r->line);
	}
	return 0;
}

/* ---- JSON: an array of objects, or objects one behind the other ---- */

/* Bytes of the object at the cursor: braces are matched outside of strings. 0 = it does not end. */
static size_t object_bytes(struct records *r)
{
	size_t n = 0, depth = 0;
	bool quoted = false;
	for (int c; (c = peek(r, n)) >= 0 && n < RECORD_MAX; n++) {
		if (quoted && c == '\\')
			n++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && --depth == 0)
			return n + 1;
	}
	return 0;
}

/* The next byte that begins an object, past the array's brackets and commas. */
static int skip_to_object(struct records *r)
{
	int c = skip_space(r);
	while (c == '[' || (r->in_array && (c == ',' || c == ']'))) {
		r->in_array = c != ']';
		skip(r, 1);
		c = skip_space(r);
	}
	return c;
}

static int read_objects(struct records *r)
{
	for (int c; (c = skip_to_object(r)) >= 0;) {
		if (c != '{')
			return fail(r, "expected an object");
		size_t n = object_bytes(r);
		if (!n)
			return fail(r, "this object does not end");
		uint64_t line = r->line;
		struct tally_str json = str_make(r->buf + r->at, n);
		skip(r, n);
		give(r, json, line);
	}
	return 0;
}

/* ---- CSV ---- */

/* A field that is a number as JSON writes it may stand bare; of long digits (ids) the text is kept. */
static bool is_number(struct tally_str s)
{
	double v;
	return s.len <= 15 && number_double(s, &v) == 0;
}

static int take_header(struct records *r, const struct tally_str *fields, size_t n)
{
	if (n > CSV_COLUMNS)
		return fail(r, "more than 256 columns");
	for (size_t i = 0; i < n; i++)
		r->header[i] = arena_str(&r->header_arena, fields[i]);
	r->ncolumns = n;
	return 0;
}

static int take_row(void *arg, size_t row, size_t line, const struct tally_str *fields, size_t n)
{
	struct records *r = arg;
	struct text_out o;
	r->line = line;
	if (row == 0)
		return take_header(r, fields, n);
	if (n != r->ncolumns)
		return fail(r, "this row has another number of fields than the header");
	arena_reset(&r->arena);
	text_open(&o, &r->arena, 512);
	text_json_begin(&o, '{');
	for (size_t i = 0; i < n; i++) {
		if (!fields[i].len)
			continue;
		text_json_key(&o, r->header[i]);
		if (is_number(fields[i]))
			text_json_raw(&o, fields[i]);
		else
			text_json_string(&o, fields[i]);
	}
	text_json_end(&o, '}');
	give(r, text_done(&o), line);
	return 0;
}

static int read_rows(struct records *r)
{
	struct csv_reader *csv = csv_open(',', (struct csv_limits){ RECORD_MAX, CSV_COLUMNS }, take_row, r);
	int rc = 0;
	while (!rc && peek(r, 0) >= 0) {
		struct tally_str chunk = str_make(r->buf + r->at, r->len - r->at);
		r->at = r->len;
		rc = csv_feed(csv, chunk);
	}
	if (!rc)
		rc = csv_end(csv);
	if (rc && !*r->why)
		snprintf(r->why, 256, "%s: %s", r->name, csv_problem(csv));
	csv_close(csv);
	return rc;
}

/* ---- */

static bool ends_with(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);
	return n >= m && strcasecmp(name + n - m, ending) == 0;
}

static enum record_form guess(struct records *r)
{
	if (ends_with(r->name, ".csv"))
		return RECORDS_CSV;
	int c = skip_space(r);
	if (c == '[' || ends_with(r->name, ".json"))
		return RECORDS_JSON;
	return c == '{' || c < 0 ? RECORDS_NDJSON : RECORDS_CSV;
}

int records_read(FILE *f, const char *name, enum record_form form, record_fn fn, void *arg, char why[256])
{
	struct records r = { .f = f, .name = name, .fn = fn, .arg = arg, .why = why, .line = 1 };
	why[0] = 0;
	arena_init(&r.arena, 0);
	arena_init(&r.header_arena, 0);
	if (form == RECORDS_AUTO)
		form = guess(&r);
	int rc = form == RECORDS_CSV ? read_rows(&r) : form == RECORDS_JSON ? read_objects(&r) : read_lines(&r);
	arena_free(&r.arena);
	arena_free(&r.header_arena);
	free(r.buf);
	return rc;
}
