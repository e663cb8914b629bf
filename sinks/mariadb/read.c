/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of a reader: prepared, their results fetched row by row into buffers that grow to the longest value met. */
#include "mariadb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUFFER 256

/* One result column. */
struct md_slot {
	union {
		int64_t i;
		double d;
	} number;
	char *buf; /* text and bytes */
	unsigned long cap, len;
	my_bool null, cut;
};

void md_reader_free_slots(struct md_reader *r)
{
	for (size_t i = 0; i < r->nslots; i++)
		free(r->slots[i].buf);
	free(r->slots);
}

static int failed(struct md_reader *r, unsigned code, const char *words)
{
	return md_reader_failed(r, code, words);
}

/* While rows are fetched the library leaves an error with the connection, not the statement. */
static int failed_statement(struct md_reader *r, MYSQL_STMT *st)
{
	if (mysql_stmt_errno(st))
		return failed(r, mysql_stmt_errno(st), mysql_stmt_error(st));
	return failed(r, mysql_errno(r->db), mysql_error(r->db));
}

static int need_slots(struct md_reader *r, size_t n)
{
	if (n <= r->nslots)
		return 0;
	struct md_slot *grown = realloc(r->slots, n * sizeof *grown);
	if (!grown)
		return failed(r, CR_OUT_OF_MEMORY, "out of memory");
	memset(grown + r->nslots, 0, (n - r->nslots) * sizeof *grown);
	r->slots = grown;
	r->nslots = n;
	return 0;
}

static enum enum_field_types wire_type(uint32_t type)
{
	return type == TALLY_T_INT    ? MYSQL_TYPE_LONGLONG
	       : type == TALLY_T_REAL ? MYSQL_TYPE_DOUBLE
	       : type == TALLY_T_BLOB ? MYSQL_TYPE_BLOB
				      : MYSQL_TYPE_STRING;
}

static int bind_params(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q)
{
	MYSQL_BIND *binds = calloc(q->nparams + 1, sizeof *binds);
	if (!binds)
		return failed(r, CR_OUT_OF_MEMORY, "out of memory");
	for (size_t i = 0; i < q->nparams; i++) {
		const struct tally_cell *c = &q->params[i];
		bool number = q->param_types[i] == TALLY_T_INT || q->param_types[i] == TALLY_T_REAL;
		binds[i].buffer_type = c->null ? MYSQL_TYPE_NULL : wire_type(q->param_types[i]);
		binds[i].buffer = number ? (void *)(uintptr_t)&c->v : (void *)(uintptr_t)(c->len ? c->v.ptr : "");
		binds[i].buffer_length = c->len;
	}
	int rc = mysql_stmt_bind_param(st, binds) == 0 ? 0 : failed_statement(r, st);
	if (rc == 0 && mysql_stmt_execute(st) != 0)
		rc = failed_statement(r, st);
	free(binds);
	return rc;
}

static int bind_results(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q)
{
	MYSQL_BIND *binds = calloc(q->ncolumns + 1, sizeof *binds);
	if (!binds)
		return failed(r, CR_OUT_OF_MEMORY, "out of memory");
	for (size_t i = 0; i < q->ncolumns; i++) {
		struct md_slot *slot = &r->slots[i];
		bool number = q->column_types[i] == TALLY_T_INT || q->column_types[i] == TALLY_T_REAL;
		if (!number && !slot->buf && (slot->buf = malloc(FIRST_BUFFER)) != NULL)
			slot->cap = FIRST_BUFFER;
		binds[i].buffer_type = wire_type(q->column_types[i]);
		binds[i].buffer = number ? (void *)&slot->number : slot->buf;
		binds[i].buffer_length = number ? sizeof slot->number : slot->cap;
		binds[i].length = &slot->len;
		binds[i].is_null = &slot->null;
		binds[i].error = &slot->cut;
	}
	int rc = mysql_stmt_bind_result(st, binds) == 0 ? 0 : failed_statement(r, st);
	free(binds);
	return rc;
}

/* Values longer than their buffer: a larger one, and the column once more. */
static int fetch_long(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q)
{
	bool grown = false;
	for (size_t i = 0; i < q->ncolumns; i++) {
		struct md_slot *slot = &r->slots[i];
		if (q->column_types[i] == TALLY_T_INT || q->column_types[i] == TALLY_T_REAL || slot->len <= slot->cap)
			continue;
		unsigned long cap = slot->len * 2;
		char *buf = realloc(slot->buf, cap);
		if (!buf)
			return failed(r, CR_OUT_OF_MEMORY, "out of memory");
		slot->buf = buf;
		slot->cap = cap;
		MYSQL_BIND b = { .buffer_type = wire_type(q->column_types[i]),
			.buffer = buf,
			.buffer_length = cap,
			.length = &slot->len,
			.is_null = &slot->null,
			.error = &slot->cut };
		if (mysql_stmt_fetch_column(st, &b, (unsigned)i, 0) != 0)
			return failed_statement(r, st);
		grown = true;
	}
	return grown ? bind_results(r, st, q) : 0;
}

static void cells_of(const struct md_reader *r, const struct tally_statement *q, struct tally_cell *cells)
{
	for (size_t i = 0; i < q->ncolumns; i++) {
		const struct md_slot *slot = &r->slots[i];
		cells[i] = (struct tally_cell){ .null = slot->null != 0 };
		if (slot->null)
			continue;
		if (q->column_types[i] == TALLY_T_INT)
			cells[i].v.i = slot->number.i;
		else if (q->column_types[i] == TALLY_T_REAL)
			cells[i].v.d = slot->number.d;
		else {
			cells[i].v.ptr = slot->buf;
			cells[i].len = (uint32_t)slot->len;
		}
	}
}

static int fetch_rows(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q, tally_row_fn fn, void *arg)
{
	struct tally_cell *cells = calloc(q->ncolumns + 1, sizeof *cells);
	int rc = cells ? bind_results(r, st, q) : failed(r, CR_OUT_OF_MEMORY, "out of memory");
	while (rc == 0) {
		int got = mysql_stmt_fetch(st);
		if (got == MYSQL_NO_DATA)
			break;
		if (got == 1)
			rc = failed_statement(r, st);
		else if (got == MYSQL_DATA_TRUNCATED)
			rc = fetch_long(r, st, q);
		if (rc != 0)
			break;
		cells_of(r, q, cells);
		rc = fn(arg, cells);
	}
	free(cells);
	return rc;
}

static int check_shape(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q)
{
	if (mysql_stmt_param_count(st) == q->nparams && mysql_stmt_field_count(st) == q->ncolumns)
		return 0;
	snprintf(r->error, sizeof r->error, "parameters or columns are not as announced: %.150s", q->sql);
	return -EINVAL;
}

/* ---- prepared statements ---- */

static MYSQL_STMT *prepare(struct md_reader *r, const struct tally_statement *q, int *rc)
{
	MYSQL_STMT *st = mysql_stmt_init(r->db);
	*rc = st ? 0 : failed(r, CR_OUT_OF_MEMORY, "out of memory");
	if (st && mysql_stmt_prepare(st, q->sql, strlen(q->sql)) != 0)
		*rc = failed_statement(r, st);
	else if (st)
		*rc = check_shape(r, st, q);
	if (*rc == 0)
		return st;
	if (st)
		mysql_stmt_close(st);
	return NULL;
}

/* NULL with *rc < 0: it cannot be prepared; NULL with 0: it is not one to keep. */
static struct md_kept *keep(struct md_reader *r, const struct tally_statement *q, int *rc)
{
	*rc = 0;
	struct md_kept *k = md_kept_place(&r->kept, q->sql);
	if (!k || k->st)
		return k;
	k->st = prepare(r, q, rc);
	if (k->st)
		return k;
	md_kept_let_go(k);
	return NULL;
}

static int run(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q, tally_row_fn fn, void *arg)
{
	int rc = bind_params(r, st, q);
	return rc == 0 ? fetch_rows(r, st, q, fn, arg) : rc;
}

/* A statement that did not go to its end is not used again: rows of it may still be under way. */
int md_read(void *reader, const struct tally_statement *q, tally_row_fn fn, void *arg)
{
	struct md_reader *r = reader;
	int rc = md_reader_limit(r, q->timeout_us);
	if (rc == 0)
		rc = need_slots(r, q->ncolumns);
	struct md_kept *k = rc == 0 ? keep(r, q, &rc) : NULL;
	if (rc != 0)
		return rc;
	if (k) {
		rc = run(r, k->st, q, fn, arg);
		if (rc != 0 || mysql_stmt_free_result(k->st) != 0)
			md_kept_let_go(k);
		return rc;
	}
	MYSQL_STMT *st = prepare(r, q, &rc);
	if (!st)
		return rc;
	rc = run(r, st, q, fn, arg);
	mysql_stmt_close(st);
	return rc;
}
