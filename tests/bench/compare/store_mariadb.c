/* SPDX-License-Identifier: Apache-2.0 */
/* What MariaDB takes from a C program that has nothing else to do: the rows of a table are read into memory, then written
 * to a table made alike, by array binding, a transaction an execute.
 *
 *     store_mariadb SOCKET FROM TO TABLE insert|upsert ROWS [CHUNK 5000]
 *
 * FROM and TO are databases. insert: ROWS is at most what the table has. upsert: the rows are gone through as often as it
 * takes, and numbers that are no key are added up. Only the writing is timed. */
#include <mysql.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/clock.h"

#define COLUMNS 64

enum kind { INTEGER, REAL, BYTES };

struct cell {
	union {
		long long i;
		double d;
		char *p;
	} v;
	unsigned long len;
	bool null;
};

static MYSQL *db;
static struct {
	char name[128];
	enum kind kind;
	bool key;
} columns[COLUMNS];
static unsigned ncolumns;
static struct cell *cells; /* row by row */
static unsigned long nrows;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "store_mariadb: %s: %s\n", what, why);
	exit(1);
}

static void must_query(const char *sql)
{
	if (mysql_query(db, sql))
		die(sql, mysql_error(db));
}

static void take_columns(MYSQL_RES *res)
{
	ncolumns = mysql_num_fields(res);
	MUST(ncolumns <= COLUMNS);
	for (unsigned i = 0; i < ncolumns; i++) {
		const MYSQL_FIELD *f = mysql_fetch_field_direct(res, i);
		snprintf(columns[i].name, sizeof columns[i].name, "%s", f->name);
		columns[i].key = f->flags & PRI_KEY_FLAG;
		columns[i].kind = f->type == MYSQL_TYPE_DOUBLE ? REAL : f->flags & NUM_FLAG ? INTEGER : BYTES;
	}
}

static void take_row(struct cell *to, MYSQL_ROW row, const unsigned long *lens)
{
	for (unsigned i = 0; i < ncolumns; i++, to++) {
		to->null = !row[i];
		to->len = row[i] ? lens[i] : 0;
		if (!row[i])
			continue;
		if (columns[i].kind == INTEGER)
			to->v.i = strtoll(row[i], NULL, 10);
		else if (columns[i].kind == REAL)
			to->v.d = strtod(row[i], NULL);
		else {
			to->v.p = malloc(lens[i] + 1);
			MUST(to->v.p);
			memcpy(to->v.p, row[i], lens[i]);
		}
	}
}

static void read_table(const char *from, const char *table)
{
	char sql[512];
	snprintf(sql, sizeof sql, "SELECT * FROM `%s`.`%s`", from, table);
	must_query(sql);
	MYSQL_RES *res = mysql_store_result(db);
	if (!res)
		die(sql, mysql_error(db));
	take_columns(res);
	nrows = (unsigned long)mysql_num_rows(res);
	cells = calloc(nrows * ncolumns + 1, sizeof *cells);
	MUST(cells);
	for (unsigned long r = 0; r < nrows; r++) {
		MYSQL_ROW row = mysql_fetch_row(res);
		take_row(cells + r * ncolumns, row, mysql_fetch_lengths(res));
	}
	mysql_free_result(res);
}

static void make_table(const char *from, const char *to, const char *table)
{
	char sql[512];
	snprintf(sql, sizeof sql, "CREATE DATABASE IF NOT EXISTS `%s`", to);
	must_query(sql);
	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS `%s`.`%s`", to, table);
	must_query(sql);
	snprintf(sql, sizeof sql, "CREATE TABLE `%s`.`%s` LIKE `%s`.`%s`", to, table, from, table);
	must_query(sql);
}

static MYSQL_STMT *prepare(const char *to, const char *table, bool upsert)
{
	char sql[16384];
	int n = snprintf(sql, sizeof sql, "INSERT INTO `%s`.`%s` VALUES (", to, table);
	for (unsigned i = 0; i < ncolumns; i++)
		n += snprintf(sql + n, sizeof sql - (size_t)n, i ? ",?" : "?");
	n += snprintf(sql + n, sizeof sql - (size_t)n, upsert ? ") ON DUPLICATE KEY UPDATE " : ")");
	for (unsigned i = 0, k = 0; upsert && i < ncolumns; i++)
		if (!columns[i].key && columns[i].kind != BYTES)
			n += snprintf(sql + n, sizeof sql - (size_t)n, "%s`%s`=`%s`+VALUES(`%s`)", k++ ? "," : "",
				columns[i].name, columns[i].name, columns[i].name);
	MYSQL_STMT *st = mysql_stmt_init(db);
	if (!st || mysql_stmt_prepare(st, sql, (unsigned long)n))
		die(sql, st ? mysql_stmt_error(st) : mysql_error(db));
	return st;
}

/* One column of an execute: places of its values, their lengths, and which are NULL. */
struct array {
	void **at;
	unsigned long *len;
	char *state;
};

static void make_arrays(struct array *a, MYSQL_BIND *b, unsigned long chunk)
{
	for (unsigned i = 0; i < ncolumns; i++) {
		a[i] = (struct array){ calloc(chunk, sizeof(void *)), calloc(chunk, sizeof(long)), calloc(chunk, 1) };
		MUST(a[i].at && a[i].len && a[i].state);
		b[i].buffer_type = columns[i].kind == INTEGER ? MYSQL_TYPE_LONGLONG
				   : columns[i].kind == REAL  ? MYSQL_TYPE_DOUBLE
							      : MYSQL_TYPE_STRING;
		b[i].buffer = columns[i].kind == BYTES ? (void *)a[i].at : calloc(chunk, 8);
		b[i].length = columns[i].kind == BYTES ? a[i].len : NULL;
		b[i].u.indicator = a[i].state;
	}
}

static void fill_arrays(struct array *a, MYSQL_BIND *b, unsigned long first, unsigned long n)
{
	for (unsigned i = 0; i < ncolumns; i++)
		for (unsigned long r = 0; r < n; r++) {
			const struct cell *c = &cells[(first + r) % nrows * ncolumns + i];
			a[i].state[r] = c->null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
			if (columns[i].kind == BYTES) {
				a[i].at[r] = c->v.p;
				a[i].len[r] = c->len;
			} else
				memcpy((char *)b[i].buffer + r * 8, &c->v, 8);
		}
}

static void write_rows(MYSQL_STMT *st, unsigned long rows, unsigned long chunk)
{
	struct array a[COLUMNS];
	MYSQL_BIND b[COLUMNS] = { 0 };
	make_arrays(a, b, chunk);
	for (unsigned long done = 0; done < rows;) {
		unsigned n = (unsigned)(rows - done < chunk ? rows - done : chunk);
		fill_arrays(a, b, done, n);
		mysql_stmt_attr_set(st, STMT_ATTR_ARRAY_SIZE, &n);
		if (mysql_stmt_bind_param(st, b) || mysql_stmt_execute(st))
			die("execute", mysql_stmt_error(st));
		done += n;
	}
}

int main(int argc, char **argv)
{
	if (argc < 7)
		return 2;
	const char *from = argv[2], *to = argv[3], *table = argv[4];
	bool upsert = strcmp(argv[5], "upsert") == 0;
	unsigned long rows = strtoul(argv[6], NULL, 10), chunk = argc > 7 ? strtoul(argv[7], NULL, 10) : 5000;
	db = mysql_init(NULL);
	if (!mysql_real_connect(db, NULL, "root", NULL, NULL, 0, argv[1], 0))
		die(argv[1], mysql_error(db));
	must_query("SET SESSION sql_mode='STRICT_ALL_TABLES', tx_isolation='READ-COMMITTED'");
	make_table(from, to, table);
	read_table(from, table);
	if (!nrows || (!upsert && rows > nrows))
		die(table, "has fewer rows");
	MYSQL_STMT *st = prepare(to, table, upsert);
	int64_t began_us = clock_mono_us();
	write_rows(st, rows, chunk);
	int64_t took_us = clock_mono_us() - began_us;
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("{\"rows\":%lu,\"us\":%lld,\"per_second\":%.1f,\"rss_kb\":%ld}\n", rows, (long long)took_us,
		(double)rows * 1e6 / (double)took_us, u.ru_maxrss);
	mysql_close(db);
	return 0;
}
