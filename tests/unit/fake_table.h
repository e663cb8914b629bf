/* SPDX-License-Identifier: Apache-2.0 */
/* A store of one table for tests of lookups: a sink whose select() gives what the test has put here. Statements are told
 * apart by their beginning only. */
#ifndef TESTS_UNIT_FAKE_TABLE_H
#define TESTS_UNIT_FAKE_TABLE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <tally/sink.h>

#include "unit.h"

#define FAKE_COLUMNS 3

struct fake_cell {
	uint32_t type;
	int64_t i;
	double d;
	const char *text; /* TEXT, BLOB; NULL of any type = null */
};

static const char fake_some[] = ""; /* for numbers: not null */

static struct fake_table {
	const char *names[FAKE_COLUMNS];
	size_t ncolumns;
	const struct fake_cell *rows; /* n times ncolumns */
	size_t n;
	void (*make)(size_t row, struct fake_cell *out); /* in place of rows */
	int64_t version;
	_Atomic int begin_rc, select_rc;
	_Atomic unsigned opened, closed, begun, ended, versions, readings;
	char last[512]; /* statement */
} fake_table;

static int fake_reader_open(void *self, void **reader)
{
	(void)self;
	fake_table.opened++;
	*reader = &fake_table;
	return 0;
}

static void fake_reader_close(void *reader)
{
	(void)reader;
	fake_table.closed++;
}

static int fake_read_begin(void *reader)
{
	(void)reader;
	int rc = fake_table.begin_rc;
	fake_table.begun += rc == 0;
	return rc;
}

static void fake_read_end(void *reader)
{
	(void)reader;
	fake_table.ended++;
}

static const char *fake_reader_error(void *reader)
{
	(void)reader;
	return "the fake is away";
}

static void fake_cells(const struct fake_cell *row, size_t n, uint32_t *types, struct tally_cell *cells)
{
	for (size_t i = 0; i < n; i++) {
		types[i] = row[i].type;
		cells[i] = (struct tally_cell){ .null = row[i].text == NULL };
		if (row[i].type == TALLY_T_INT)
			cells[i].v.i = row[i].i;
		else if (row[i].type == TALLY_T_REAL)
			cells[i].v.d = row[i].d;
		else if (row[i].text) {
			cells[i].v.ptr = row[i].text;
			cells[i].len = (uint32_t)strlen(row[i].text);
		}
	}
}

static int fake_give_version(tally_found_fn fn, void *arg)
{
	const char *names[] = { "COUNT(*)", "MAX(v)" };
	struct fake_cell row[] = { { TALLY_T_INT, (int64_t)fake_table.n, 0, fake_some },
		{ TALLY_T_INT, fake_table.version, 0, fake_some } };
	uint32_t types[2];
	struct tally_cell cells[2];
	struct tally_found f = { 2, names, types, NULL };
	int rc = fn(arg, &f);
	fake_cells(row, 2, types, cells);
	f.cells = cells;
	fake_table.versions++;
	return rc ? rc : fn(arg, &f);
}

static int fake_select(void *reader, const char *sql, int64_t timeout_us, tally_found_fn fn, void *arg)
{
	struct fake_table *t = &fake_table;
	uint32_t types[FAKE_COLUMNS];
	struct tally_cell cells[FAKE_COLUMNS];
	struct fake_cell made[FAKE_COLUMNS];
	unsigned long long most = 0;
	(void)reader;
	assert_true(timeout_us > 0);
	snprintf(t->last, sizeof t->last, "%s", sql);
	if (t->select_rc)
		return t->select_rc;
	if (strncmp(sql, "SELECT COUNT(*), MAX(`", 22) == 0)
		return fake_give_version(fn, arg);
	const char *limit = strstr(sql, "LIMIT ");
	assert_non_null(limit);
	assert_int_equal(sscanf(limit, "LIMIT %llu", &most), 1);
	t->readings++;
	struct tally_found f = { t->ncolumns, t->names, types, NULL };
	int rc = fn(arg, &f);
	f.cells = cells;
	for (size_t i = 0; rc == 0 && i < t->n && i < most; i++) {
		if (t->make)
			t->make(i, made);
		fake_cells(t->make ? made : t->rows + i * t->ncolumns, t->ncolumns, types, cells);
		rc = fn(arg, &f);
	}
	return rc;
}

static const struct tally_sink fake_sink = {
	TALLY_SINK_HEAD,
	"fake",
	"1.0",
	"a table",
	.is_store = 1,
	.reader_open = fake_reader_open,
	.reader_close = fake_reader_close,
	.read_begin = fake_read_begin,
	.read_end = fake_read_end,
	.reader_error = fake_reader_error,
	.select = fake_select,
};

#endif
