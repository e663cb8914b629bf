/* SPDX-License-Identifier: Apache-2.0 */
/* A reader's SELECT of tables that are not tally's. The text protocol: what a column is shows only when the statement has
 * run, and rows are taken from the wire one by one. */
#include "mariadb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINARY 63       /* the character set that is none */
#define DOUBLE_EXACT 15 /* decimal digits that a double keeps */

struct found {
	MYSQL_RES *res;
	const MYSQL_FIELD *fields;
	unsigned n;
	const char **names;
	uint32_t *types;
	struct tally_cell *cells;
};

/* ---- one value ---- */

/* What is more than an int64 holds (BIGINT UNSIGNED) stays as it is written. */
static uint32_t take_int(const char *text, unsigned long len, struct tally_cell *c)
{
	char *end;
	errno = 0;
	c->v.i = strtoll(text, &end, 10);
	if (errno == 0 && *end == 0)
		return TALLY_T_INT;
	*c = (struct tally_cell){ .v.ptr = text, .len = (uint32_t)len };
	return TALLY_T_TEXT;
}

/* A DECIMAL of more digits than a double keeps stays as it is written. */
static uint32_t take_decimal(const char *text, unsigned long len, struct tally_cell *c)
{
	unsigned digits = 0;
	for (unsigned long i = 0; i < len; i++)
		digits += text[i] >= '0' && text[i] <= '9';
	if (digits > DOUBLE_EXACT) {
		*c = (struct tally_cell){ .v.ptr = text, .len = (uint32_t)len };
		return TALLY_T_TEXT;
	}
	c->v.d = strtod(text, NULL);
	return TALLY_T_REAL;
}

/* BIT(n): its bytes, the highest first. */
static uint32_t take_bits(const char *bytes, unsigned long len, struct tally_cell *c)
{
	uint64_t bits = 0;
	for (unsigned long i = 0; i < len; i++)
		bits = bits << 8 | (unsigned char)bytes[i];
	if (bits > INT64_MAX) {
		*c = (struct tally_cell){ .v.ptr = bytes, .len = (uint32_t)len };
		return TALLY_T_BLOB;
	}
	c->v.i = (int64_t)bits;
	return TALLY_T_INT;
}

static uint32_t take(const MYSQL_FIELD *f, const char *text, unsigned long len, struct tally_cell *c)
{
	*c = (struct tally_cell){ .null = text == NULL };
	if (!text)
		return TALLY_T_TEXT;
	switch (f->type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONGLONG:
	case MYSQL_TYPE_YEAR:
		return take_int(text, len, c);
	case MYSQL_TYPE_FLOAT:
	case MYSQL_TYPE_DOUBLE:
		c->v.d = strtod(text, NULL);
		return TALLY_T_REAL;
	case MYSQL_TYPE_DECIMAL:
	case MYSQL_TYPE_NEWDECIMAL:
		return take_decimal(text, len, c);
	case MYSQL_TYPE_BIT:
		return take_bits(text, len, c);
	case MYSQL_TYPE_DATE:
	case MYSQL_TYPE_NEWDATE:
	case MYSQL_TYPE_TIME:
	case MYSQL_TYPE_DATETIME:
	case MYSQL_TYPE_TIMESTAMP:
		c->v.ptr = text;
		c->len = (uint32_t)len;
		return TALLY_T_TEXT;
	default: /* text and bytes of every length */
		c->v.ptr = text;
		c->len = (uint32_t)len;
		return f->charsetnr == BINARY ? TALLY_T_BLOB : TALLY_T_TEXT;
	}
}

/* ---- the statement ---- */

static int failed(void *reader, MYSQL *db)
{
	switch (mysql_errno(db)) {
	case ER_PARSE_ERROR:
	case ER_BAD_FIELD_ERROR:
	case ER_DUP_FIELDNAME:
	case ER_NON_UNIQ_ERROR:
	case ER_SP_DOES_NOT_EXIST:
		(void)md_reader_failed(reader, mysql_errno(db), mysql_error(db));
		return -EINVAL;
	default:
		return md_reader_failed(reader, mysql_errno(db), mysql_error(db));
	}
}

static void close_found(struct found *f)
{
	if (f->res)
		mysql_free_result(f->res); /* what was not fetched is read off the wire */
	free(f->names);
	free(f->types);
	free(f->cells);
}

static int open_found(void *reader, MYSQL *db, struct found *f)
{
	*f = (struct found){ .res = mysql_use_result(db) };
	if (!f->res)
		return failed(reader, db);
	f->n = mysql_num_fields(f->res);
	f->fields = mysql_fetch_fields(f->res);
	f->names = calloc(f->n + 1, sizeof *f->names);
	f->types = calloc(f->n + 1, sizeof *f->types);
	f->cells = calloc(f->n + 1, sizeof *f->cells);
	if (!f->names || !f->types || !f->cells)
		return md_reader_failed(reader, CR_OUT_OF_MEMORY, "out of memory");
	for (unsigned i = 0; i < f->n; i++)
		f->names[i] = f->fields[i].name;
	return 0;
}

static int give_rows(void *reader, MYSQL *db, struct found *f, tally_found_fn fn, void *arg)
{
	struct tally_found out = { f->n, f->names, f->types, NULL };
	int rc = fn(arg, &out);
	out.cells = f->cells;
	while (rc == 0) {
		MYSQL_ROW row = mysql_fetch_row(f->res);
		if (!row)
			return mysql_errno(db) ? failed(reader, db) : 0;
		const unsigned long *lengths = mysql_fetch_lengths(f->res);
		for (unsigned i = 0; i < f->n; i++)
			f->types[i] = take(&f->fields[i], row[i], lengths[i], &f->cells[i]);
		rc = fn(arg, &out);
	}
	return rc;
}

int md_select(void *reader, const char *sql, int64_t timeout_us, tally_found_fn fn, void *arg)
{
	MYSQL *db;
	struct found f = { 0 };
	int rc = md_reader_ready(reader, timeout_us, &db);
	if (rc == 0 && mysql_query(db, sql) != 0)
		rc = failed(reader, db);
	if (rc == 0)
		rc = open_found(reader, db, &f);
	if (rc == 0)
		rc = give_rows(reader, db, &f, fn, arg);
	close_found(&f);
	return rc;
}
