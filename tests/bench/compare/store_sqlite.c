/* SPDX-License-Identifier: Apache-2.0 */
/* What SQLite takes from a C program that has nothing else to do: the rows of a table are read into memory, then written
 * to a table made alike, by a prepared statement, in WAL with synchronous=FULL.
 *
 *     store_sqlite FROM TO TABLE insert|upsert ROWS [ROWS_A_TRANSACTION 10000]
 *
 * FROM and TO are files; TO is made anew. insert: ROWS is at most what the table has. upsert: the rows are gone through as
 * often as it takes, and numbers that are no key are added up. Only the writing is timed. */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

#define COLUMNS 64

static sqlite3 *db;
static struct {
	char name[128];
	bool key, number;
} columns[COLUMNS];
static int ncolumns;
static sqlite3_value **cells; /* row by row */
static unsigned long nrows;

static void die(const char *what)
{
	fprintf(stderr, "store_sqlite: %s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static void must_exec(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sql);
}

static sqlite3_stmt *must_prepare(const char *sql)
{
	sqlite3_stmt *st;
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		die(sql);
	return st;
}

static void take_columns(const char *table)
{
	char sql[256];
	snprintf(sql, sizeof sql, "PRAGMA old.table_info('%s')", table);
	sqlite3_stmt *st = must_prepare(sql);
	while (sqlite3_step(st) == SQLITE_ROW) {
		MUST(ncolumns < COLUMNS);
		const char *type = (const char *)sqlite3_column_text(st, 2);
		snprintf(
			columns[ncolumns].name, sizeof columns[0].name, "%s", (const char *)sqlite3_column_text(st, 1));
		columns[ncolumns].number = strcmp(type, "INTEGER") == 0 || strcmp(type, "REAL") == 0;
		columns[ncolumns++].key = sqlite3_column_int(st, 5) > 0;
	}
	sqlite3_finalize(st);
	if (!ncolumns)
		die(table);
}

static void read_table(const char *table)
{
	char sql[256];
	unsigned long cap = 0;
	snprintf(sql, sizeof sql, "SELECT * FROM old.\"%s\"", table);
	sqlite3_stmt *st = must_prepare(sql);
	while (sqlite3_step(st) == SQLITE_ROW) {
		if (nrows == cap) {
			cap = cap ? cap * 2 : 1024;
			cells = realloc(cells, cap * (size_t)ncolumns * sizeof(void *));
			MUST(cells);
		}
		for (int i = 0; i < ncolumns; i++)
			cells[nrows * (size_t)ncolumns + (size_t)i] = sqlite3_value_dup(sqlite3_column_value(st, i));
		nrows++;
	}
	sqlite3_finalize(st);
}

/* The table and its indexes, by the words they were made with. */
static void make_table(const char *table)
{
	char *made[16];
	int n = 0;
	sqlite3_stmt *st = must_prepare(
		"SELECT sql FROM old.sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'table' DESC");
	sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
	while (n < 16 && sqlite3_step(st) == SQLITE_ROW)
		made[n++] = strdup((const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	for (int i = 0; i < n; i++) {
		must_exec(made[i]);
		free(made[i]);
	}
}

static sqlite3_stmt *prepare_write(const char *table, bool upsert)
{
	char sql[16384];
	int n = snprintf(sql, sizeof sql, "INSERT INTO main.\"%s\" VALUES (", table);
	for (int i = 0; i < ncolumns; i++)
		n += snprintf(sql + n, sizeof sql - (size_t)n, i ? ",?" : "?");
	n += snprintf(sql + n, sizeof sql - (size_t)n, upsert ? ") ON CONFLICT DO UPDATE SET " : ")");
	for (int i = 0, k = 0; upsert && i < ncolumns; i++)
		if (!columns[i].key && columns[i].number)
			n += snprintf(sql + n, sizeof sql - (size_t)n, "%s\"%s\"=\"%s\"+excluded.\"%s\"",
				k++ ? "," : "", columns[i].name, columns[i].name, columns[i].name);
	return must_prepare(sql);
}

static void write_rows(sqlite3_stmt *st, unsigned long rows, unsigned long a_transaction)
{
	for (unsigned long r = 0; r < rows; r++) {
		if (r % a_transaction == 0)
			must_exec("BEGIN IMMEDIATE");
		for (int i = 0; i < ncolumns; i++)
			sqlite3_bind_value(st, i + 1, cells[r % nrows * (size_t)ncolumns + (size_t)i]);
		if (sqlite3_step(st) != SQLITE_DONE)
			die("insert");
		sqlite3_reset(st);
		if (r % a_transaction == a_transaction - 1 || r == rows - 1)
			must_exec("COMMIT");
	}
}

int main(int argc, char **argv)
{
	char sql[4200];
	if (argc < 6)
		return 2;
	bool upsert = strcmp(argv[4], "upsert") == 0;
	unsigned long rows = strtoul(argv[5], NULL, 10), a_transaction = argc > 6 ? strtoul(argv[6], NULL, 10) : 10000;
	unlink(argv[2]);
	if (sqlite3_open(argv[2], &db) != SQLITE_OK)
		die(argv[2]);
	must_exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536");
	snprintf(sql, sizeof sql, "ATTACH '%s' AS old", argv[1]);
	must_exec(sql);
	take_columns(argv[3]);
	make_table(argv[3]);
	read_table(argv[3]);
	must_exec("DETACH old");
	if (!nrows || (!upsert && rows > nrows)) {
		fprintf(stderr, "store_sqlite: %s: has fewer rows\n", argv[3]);
		return 1;
	}
	sqlite3_stmt *st = prepare_write(argv[3], upsert);
	int64_t began_us = clock_mono_us();
	write_rows(st, rows, a_transaction);
	int64_t took_us = clock_mono_us() - began_us;
	printf("{\"rows\":%lu,\"us\":%lld,\"per_second\":%.1f}\n", rows, (long long)took_us,
		(double)rows * 1e6 / (double)took_us);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return 0;
}
