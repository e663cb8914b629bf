/* SPDX-License-Identifier: Apache-2.0 */
/* A machine of four states fed byte runs. The bytes of the row in hand lie in one buffer, the fields as their ends in
 * it, so that the buffer may move while the row grows. */
#include "text/csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MARK "\xef\xbb\xbf" /* U+FEFF, the byte order mark */

enum csv_state {
	AT_START, /* of a field */
	IN_PLAIN,
	IN_QUOTES,
	BEHIND_QUOTE /* a quote was seen inside quotes: doubled, or the end of the field */
};

struct csv_reader {
	csv_row_fn fn;
	void *arg;
	struct csv_limits limits;
	char separator;
	enum csv_state state;
	bool failed;
	bool cr;          /* a CR stands before the byte to come, outside quotes */
	bool quoted;      /* the row in hand has a field in quotes: it is no empty line */
	unsigned mark;    /* bytes of a byte order mark seen at the very beginning; 3 = past it */
	size_t row, line; /* row in hand; line of the byte in hand */
	size_t row_line;  /* where the row in hand began */
	char *bytes;      /* limits.row_bytes */
	size_t len;
	size_t *ends; /* limits.fields: end of each finished field in bytes */
	struct tally_str *fields;
	size_t nfields;
	char problem[128];
};

struct csv_reader *csv_open(char separator, struct csv_limits limits, csv_row_fn fn, void *arg)
{
	struct csv_reader *r = calloc(1, sizeof *r);
	MUST(r != NULL && limits.fields > 0 && limits.row_bytes > 0);
	r->fn = fn;
	r->arg = arg;
	r->limits = limits;
	r->separator = separator;
	r->line = r->row_line = 1;
	r->bytes = malloc(limits.row_bytes);
	r->ends = calloc(limits.fields, sizeof *r->ends);
	r->fields = calloc(limits.fields, sizeof *r->fields);
	MUST(r->bytes && r->ends && r->fields);
	return r;
}

void csv_close(struct csv_reader *r)
{
	if (!r)
		return;
	free(r->bytes);
	free(r->ends);
	free(r->fields);
	free(r);
}

const char *csv_problem(const struct csv_reader *r)
{
	return r->problem;
}

static int fail(struct csv_reader *r, const char *why)
{
	snprintf(r->problem, sizeof r->problem, "line %zu: %s", r->line, why);
	r->failed = true;
	return -EINVAL;
}

static int add(struct csv_reader *r, const char *p, size_t n)
{
	if (r->limits.row_bytes - r->len < n)
		return fail(r, "the row is too long");
	memcpy(r->bytes + r->len, p, n);
	r->len += n;
	return 0;
}

static int end_field(struct csv_reader *r)
{
	if (r->nfields == r->limits.fields)
		return fail(r, "the row has too many fields");
	r->ends[r->nfields++] = r->len;
	r->state = AT_START;
	return 0;
}

static int end_row(struct csv_reader *r)
{
	int rc = end_field(r);
	size_t begin = 0;
	bool empty = r->nfields == 1 && r->len == 0 && !r->quoted;
	if (rc)
		return rc;
	for (size_t i = 0; i < r->nfields; i++) {
		r->fields[i] = str_make(r->bytes + begin, r->ends[i] - begin);
		begin = r->ends[i];
	}
	if (!empty)
		rc = r->fn(r->arg, r->row++, r->row_line, r->fields, r->nfields);
	r->failed = rc != 0;
	r->nfields = r->len = 0;
	r->quoted = false;
	r->row_line = r->line + 1;
	return rc;
}

/* The run of bytes at p that are only text in the present state. */
static size_t text_run(const struct csv_reader *r, const char *p, const char *end)
{
	const char *begin = p;
	if (r->state == IN_QUOTES) {
		const char *quote = memchr(p, '"', (size_t)(end - p));
		return (size_t)((quote ? quote : end) - p);
	}
	while (p < end && *p != r->separator && *p != '\n' && *p != '\r' && *p != '"')
		p++;
	return (size_t)(p - begin);
}

static size_t count_lines(const char *p, size_t n)
{
	size_t lines = 0;
	for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		lines++;
	return lines;
}

static int take_text(struct csv_reader *r, const char *p, size_t n)
{
	if (r->state == BEHIND_QUOTE)
		return fail(r, "text stands behind a closing quote");
	if (r->state == AT_START)
		r->state = IN_PLAIN;
	if (r->state == IN_QUOTES)
		r->line += count_lines(p, n);
	return add(r, p, n);
}

static int take_quote(struct csv_reader *r)
{
	switch (r->state) {
	case AT_START:
		r->state = IN_QUOTES;
		r->quoted = true;
		return 0;
	case IN_QUOTES:
		r->state = BEHIND_QUOTE;
		return 0;
	case BEHIND_QUOTE:
		r->state = IN_QUOTES;
		return add(r, "\"", 1);
	default:
		return fail(r, "a quote stands inside a field that does not begin with one");
	}
}

/* Assumes: not IN_QUOTES, where only a quote ends a run. */
static int take_mark(struct csv_reader *r, char c)
{
	int rc = 0;
	if (c == '"')
		return take_quote(r);
	if (c == r->separator)
		return end_field(r);
	if (c == '\r') {
		r->cr = true;
		return 0;
	}
	rc = end_row(r);
	r->line++;
	return rc;
}

static int take_chunk(struct csv_reader *r, const char *p, const char *end)
{
	int rc = 0;
	while (p < end && rc == 0) {
		if (r->cr && *p != '\n')
			return fail(r, "a carriage return stands alone");
		r->cr = false;
		size_t n = text_run(r, p, end);
		rc = n ? take_text(r, p, n) : r->state == IN_QUOTES ? take_quote(r) : take_mark(r, *p);
		p += n ? n : 1;
	}
	return rc;
}

/* EF BB BF at the very beginning is passed over, wherever chunks cut it; a part of it is text after all. */
static int pass_mark(struct csv_reader *r, const char **p, const char *end)
{
	while (r->mark < 3 && *p < end) {
		if (**p != MARK[r->mark]) {
			unsigned seen = r->mark;
			r->mark = 3;
			return seen ? take_text(r, MARK, seen) : 0;
		}
		r->mark++;
		*p += 1;
	}
	return 0;
}

int csv_feed(struct csv_reader *r, struct tally_str chunk)
{
	const char *p = chunk.ptr, *end = p + chunk.len;
	MUST(!r->failed);
	if (chunk.len == 0)
		return 0;
	int rc = pass_mark(r, &p, end);
	if (rc == 0)
		rc = take_chunk(r, p, end);
	r->failed = rc != 0;
	return rc;
}

int csv_end(struct csv_reader *r)
{
	MUST(!r->failed);
	if (r->mark > 0 && r->mark < 3 && take_text(r, MARK, r->mark)) /* a file of half a mark: text after all */
		return -EINVAL;
	if (r->state == IN_QUOTES)
		return fail(r, "the file ends inside quotes");
	if (r->cr)
		return fail(r, "a carriage return stands alone");
	if (r->state == AT_START && r->nfields == 0 && !r->quoted)
		return 0;
	return end_row(r);
}

void csv_put_field(struct text_out *o, struct tally_str field)
{
	bool quotes = str_starts(field, STR(MARK)); /* at the beginning of a file it would be taken for one */
	for (size_t i = 0; i < field.len && !quotes; i++)
		quotes = field.ptr[i] == ',' || field.ptr[i] == '"' || field.ptr[i] == '\n' || field.ptr[i] == '\r';
	if (!quotes) {
		text_put(o, field);
		return;
	}
	text_put_char(o, '"');
	for (size_t i = 0; i < field.len; i++) {
		if (field.ptr[i] == '"')
			text_put_char(o, '"');
		text_put_char(o, field.ptr[i]);
	}
	text_put_char(o, '"');
}
