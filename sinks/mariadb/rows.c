/* SPDX-License-Identifier: Apache-2.0 */
/* Rows go to the server column-wise, thousands in one statement (array binding).
 *
 * A statement that fails leaves nothing of itself: it stands behind a savepoint. If the server refused a value, the
 * row is found by halving: what precedes it is written, so the last refusal was about the first bad row of all, and
 * the search costs at most log2(rows) more statements. */
#include "mariadb.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_OVERHEAD 64

struct column {
	union {
		int64_t i;
		double d;
		const char *ptr;
	} values[MD_ROWS_MAX];
	unsigned long lengths[MD_ROWS_MAX];
	char nulls[MD_ROWS_MAX];
	bool any_null;
};

struct md_arrays {
	struct column *columns; /* ncolumns of them */
	MYSQL_BIND *binds;
	size_t ncolumns;
	struct md_bytes sketch[MD_ROWS_MAX];
	int64_t estimate[MD_ROWS_MAX];
};

/* Where a refused row is searched; and what for. */
struct put {
	struct md *s;
	struct md_table *t;
	const struct tally_cell *cells; /* of the first row of the batch's rows */
	unsigned code;                  /* of the last failed statement */
	char words[MD_WORDS];
};

struct md_arrays *md_arrays_open(void)
{
	return calloc(1, sizeof(struct md_arrays));
}

void md_arrays_close(struct md_arrays *a)
{
	if (!a)
		return;
	free(a->columns);
	free(a->binds);
	free(a);
}

static bool widen(struct md_arrays *a, size_t ncolumns)
{
	if (ncolumns <= a->ncolumns)
		return true;
	struct column *columns = malloc(ncolumns * sizeof *columns);
	MYSQL_BIND *binds = calloc(ncolumns, sizeof *binds);
	if (!columns || !binds) {
		free(columns);
		free(binds);
		return false;
	}
	free(a->columns);
	free(a->binds);
	a->columns = columns;
	a->binds = binds;
	a->ncolumns = ncolumns;
	return true;
}

/* ---- cells to columns ---- */

static double clamped(double d)
{
	return d > DBL_MAX ? DBL_MAX : d < -DBL_MAX ? -DBL_MAX : d;
}

static void fill_numbers(struct column *to, const struct tally_table *t, uint32_t at, const struct tally_cell *cells,
	size_t n, uint32_t node)
{
	const struct tally_column *c = &t->columns[at];
	bool is_node = c->merge == TALLY_M_NODE;
	for (size_t r = 0; r < n; r++) {
		const struct tally_cell *cell = &cells[r * t->ncolumns + at];
		bool null = cell->null && !is_node;
		if (c->type == TALLY_T_REAL)
			to->values[r].d = null ? 0 : clamped(cell->v.d);
		else
			to->values[r].i = is_node ? node : null ? 0 : cell->v.i;
		to->nulls[r] = null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
		to->any_null |= null;
	}
}

static void fill_bytes(
	struct column *to, const struct tally_table *t, uint32_t at, const struct tally_cell *cells, size_t n)
{
	for (size_t r = 0; r < n; r++) {
		const struct tally_cell *cell = &cells[r * t->ncolumns + at];
		bool null = cell->null;
		to->values[r].ptr = null || cell->len == 0 ? "" : cell->v.ptr;
		to->lengths[r] = null ? 0 : cell->len;
		to->nulls[r] = null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
		to->any_null |= null;
	}
}

static void fill_sketches(struct md_arrays *a, uint32_t at, size_t n)
{
	struct column *sketch = &a->columns[at];
	for (size_t r = 0; r < n; r++) {
		sketch->values[r].ptr = a->sketch[r].len ? a->sketch[r].ptr : "";
		sketch->lengths[r] = a->sketch[r].len;
	}
}

static void bind_column(struct md_arrays *a, const struct tally_column *c, uint32_t at)
{
	struct column *from = &a->columns[at];
	MYSQL_BIND *b = &a->binds[at];
	*b = (MYSQL_BIND){ .buffer = from->values };
	b->u.indicator = from->any_null ? from->nulls : NULL;
	switch (c->type) {
	case TALLY_T_INT:
		b->buffer_type = MYSQL_TYPE_LONGLONG;
		break;
	case TALLY_T_REAL:
		b->buffer_type = MYSQL_TYPE_DOUBLE;
		break;
	case TALLY_T_BLOB:
		b->buffer_type = MYSQL_TYPE_BLOB;
		b->length = from->lengths;
		break;
	default:
		b->buffer_type = MYSQL_TYPE_STRING;
		b->length = from->lengths;
	}
}

static void fill_column(struct md *s, const struct md_table *m, uint32_t at, const struct tally_cell *cells, size_t n)
{
	const struct tally_column *c = &m->table->columns[at];
	struct column *to = &s->arrays->columns[at];
	to->any_null = false;
	if (c->merge == TALLY_M_HLL)
		fill_sketches(s->arrays, at, n);
	else if (c->merge == TALLY_M_ESTIMATE)
		for (size_t r = 0; r < n; r++)
			to->values[r].i = s->arrays->estimate[r];
	else if (c->type == TALLY_T_INT || c->type == TALLY_T_REAL)
		fill_numbers(to, m->table, at, cells, n, s->node);
	else
		fill_bytes(to, m->table, at, cells, n);
	bind_column(s->arrays, c, at);
}

/* ---- one statement ---- */

/* 0, or the server's code with its words in p. */
static unsigned execute(struct put *p, size_t first, size_t n)
{
	struct md *s = p->s;
	MYSQL_STMT *st = p->t->put;
	const struct tally_cell *cells = p->cells + first * p->t->table->ncolumns;
	unsigned size = (unsigned)n;
	for (uint32_t i = 0; i < p->t->table->ncolumns; i++)
		fill_column(s, p->t, i, cells, n);
	if (mysql_stmt_attr_set(st, STMT_ATTR_ARRAY_SIZE, &size) == 0 &&
		mysql_stmt_bind_param(st, s->arrays->binds) == 0 && mysql_stmt_execute(st) == 0)
		return 0;
	p->code = mysql_stmt_errno(st) ? mysql_stmt_errno(st) : CR_UNKNOWN_ERROR;
	snprintf(p->words, sizeof p->words, "%s", mysql_stmt_error(st));
	return p->code;
}

/* Unites the sketches of these rows first: they are of one statement, and of its halves. enum tally_sink_rc; on a
 * refusal nothing of the rows is left in the transaction. */
static int try_rows(struct put *p, size_t first, size_t n)
{
	struct md *s = p->s;
	const struct tally_cell *cells = p->cells + first * p->t->table->ncolumns;
	int rc = md_exec(s, "savepoint", "SAVEPOINT tally_rows");
	if (rc == TALLY_SINK_OK && p->t->sketch >= 0)
		rc = md_unite(s, p->t, cells, n, s->arrays->sketch, s->arrays->estimate);
	if (rc == TALLY_SINK_OK)
		rc = md_seam(s, "mariadb.send");
	if (rc != TALLY_SINK_OK || execute(p, first, n) == 0)
		return rc;
	if (md_class(p->code) != MD_BAD_ROW)
		return md_fail_code(s, p->t->table->name, p->code, p->words);
	rc = md_exec(s, "rolling back to a savepoint", "ROLLBACK TO SAVEPOINT tally_rows");
	return rc == TALLY_SINK_OK ? MD_BAD_ROW : rc;
}

/* Assumes: [first, first + n) was refused, and all before it is written. */
static int find_bad_row(struct put *p, size_t rows_index, size_t first, size_t n)
{
	while (n > 1) {
		size_t half = (n + 1) / 2;
		int rc = try_rows(p, first, half);
		if (rc == TALLY_SINK_OK) {
			first += half;
			n -= half;
		} else if (rc == MD_BAD_ROW) {
			n = half;
		} else {
			return rc;
		}
	}
	return p->s->host->bad_row(
		p->s->in, rows_index, first, (int)p->code, "%s: %s (%u)", p->t->table->name, p->words, p->code);
}

/* ---- cutting rows into statements ---- */

static size_t row_bytes(const struct tally_table *t, const struct tally_cell *cells)
{
	size_t bytes = ROW_OVERHEAD;
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		uint32_t type = t->columns[i].type;
		bool fixed = type == TALLY_T_INT || type == TALLY_T_REAL || cells[i].null;
		bytes += 9 + (fixed ? 0 : cells[i].len);
	}
	return bytes;
}

/* How many rows from first on fit one statement: MD_ROWS_MAX, and half of what the server takes at once. At least 1. */
static size_t rows_that_fit(const struct md *s, const struct tally_rows *rows, size_t first)
{
	size_t bytes = 0, n = 0;
	while (first + n < rows->n && n < MD_ROWS_MAX) {
		bytes += row_bytes(rows->table, rows->cells + (first + n) * rows->table->ncolumns);
		if (n > 0 && bytes > s->packet_bytes / 2)
			break;
		n++;
	}
	return n;
}

static struct md_table *table_of(struct md *s, const struct tally_table *t)
{
	for (size_t i = 0; i < s->ntables; i++)
		if (s->tables[i].table == t)
			return &s->tables[i];
	return NULL;
}

/* One row that the server would not even read. */
static bool too_long(const struct md *s, const struct tally_rows *rows, size_t row)
{
	return row_bytes(rows->table, rows->cells + row * rows->table->ncolumns) + 1024 > s->packet_bytes;
}

int md_put_rows(struct md *s, const struct tally_batch *b, size_t index)
{
	const struct tally_rows *rows = &b->rows[index];
	struct put p = { .s = s, .t = table_of(s, rows->table), .cells = rows->cells };
	if (!p.t || !widen(s->arrays, rows->table->ncolumns))
		return s->host->fail(s->in, TALLY_SINK_STOP, 0, "table %s was not announced", rows->table->name);
	for (size_t first = 0, n; first < rows->n; first += n) {
		n = rows_that_fit(s, rows, first);
		if (n == 1 && too_long(s, rows, first))
			return s->host->bad_row(s->in, index, first, ER_NET_PACKET_TOO_LARGE,
				"%s: the row is longer than max_allowed_packet (%zu)", rows->table->name,
				s->packet_bytes);
		int rc = try_rows(&p, first, n);
		if (rc == MD_BAD_ROW)
			return find_bad_row(&p, index, first, n);
		if (rc != TALLY_SINK_OK)
			return rc;
	}
	return TALLY_SINK_OK;
}
