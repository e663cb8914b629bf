/* SPDX-License-Identifier: Apache-2.0 */
/* Rows go to the server column-wise, thousands in one statement (array binding). */
#include "mariadb.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	struct md_united **united; /* of the rows united last; NULL for columns that never were a sketch */
};

struct md_arrays *md_arrays_open(void)
{
	return calloc(1, sizeof(struct md_arrays));
}

void md_arrays_close(struct md_arrays *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->ncolumns; i++)
		free(a->united[i]);
	free(a->united);
	free(a->columns);
	free(a->binds);
	free(a);
}

bool md_arrays_widen(struct md_arrays *a, size_t ncolumns)
{
	if (ncolumns <= a->ncolumns)
		return true;
	struct column *columns = malloc(ncolumns * sizeof *columns);
	MYSQL_BIND *binds = calloc(ncolumns, sizeof *binds);
	struct md_united **united = realloc(a->united, ncolumns * sizeof *united);
	a->united = united ? united : a->united;
	if (!columns || !binds || !united) {
		free(columns);
		free(binds);
		return false;
	}
	memset(united + a->ncolumns, 0, (ncolumns - a->ncolumns) * sizeof *united);
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

static void fill_sketches(struct column *to, const struct md_bytes *sketch, size_t n)
{
	for (size_t r = 0; r < n; r++) {
		to->values[r].ptr = sketch[r].len ? sketch[r].ptr : "";
		to->lengths[r] = sketch[r].len;
	}
}

/* Of the rows from `first` on. */
static void fill_estimates(
	struct column *to, const struct tally_column *c, const struct md_united *of, size_t first, size_t n)
{
	for (size_t r = 0; r < n; r++) {
		bool null = c->nullable && of->sketch[first + r].len == 0;
		if (c->type == TALLY_T_REAL)
			to->values[r].d = of->estimate[first + r];
		else
			to->values[r].i = llround(of->estimate[first + r]);
		to->nulls[r] = null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
		to->any_null |= null;
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

static void fill_column(
	struct md *s, const struct md_table *m, uint32_t at, const struct tally_cell *cells, size_t n, size_t united)
{
	const struct tally_column *c = &m->table->columns[at];
	struct column *to = &s->arrays->columns[at];
	to->any_null = false;
	if (md_is_sketch(c))
		fill_sketches(to, s->arrays->united[at]->sketch + united, n);
	else if (c->merge == TALLY_M_ESTIMATE)
		fill_estimates(to, c, s->arrays->united[at - 1], united, n);
	else if (c->type == TALLY_T_INT || c->type == TALLY_T_REAL)
		fill_numbers(to, m->table, at, cells, n, s->node);
	else
		fill_bytes(to, m->table, at, cells, n);
	bind_column(s->arrays, c, at);
}

int md_arrays_unite(struct md *s, const struct md_table *t, const struct tally_cell *cells, size_t n)
{
	struct md_united **united = s->arrays->united;
	for (uint32_t i = 0; i < t->table->ncolumns; i++) {
		if (!md_is_sketch(&t->table->columns[i]) || united[i])
			continue;
		united[i] = malloc(sizeof *united[i]);
		if (!united[i])
			return s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	}
	return md_unite(s, t, cells, n, united);
}

size_t md_arrays_sketch_bytes(const struct md_arrays *a, uint32_t column, size_t row)
{
	return a->united[column]->sketch[row].len;
}

unsigned md_execute(struct md *s, const struct md_table *t, const struct tally_cell *cells, size_t n, size_t united,
	char words[MD_WORDS])
{
	MYSQL_STMT *st = t->put;
	unsigned size = (unsigned)n;
	for (uint32_t i = 0; i < t->table->ncolumns; i++)
		fill_column(s, t, i, cells, n, united);
	if (mysql_stmt_attr_set(st, STMT_ATTR_ARRAY_SIZE, &size) == 0 &&
		mysql_stmt_bind_param(st, s->arrays->binds) == 0 && mysql_stmt_execute(st) == 0)
		return 0;
	snprintf(words, MD_WORDS, "%s", mysql_stmt_error(st));
	return mysql_stmt_errno(st) ? mysql_stmt_errno(st) : CR_UNKNOWN_ERROR;
}
