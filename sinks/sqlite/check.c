/* SPDX-License-Identifier: Apache-2.0 */
/* Tables that were made anew by hand, without a type or the primary key, would take upserts for new rows or refuse
 * single rows of events that are well. Columns of the operator's own do no harm as long as they can be left out. */
#include "sqlite.h"

#include <string.h>

static int stop(struct sq *s, const struct tally_table *t, const char *column, const char *what)
{
	return s->host->fail(s->in, TALLY_SINK_STOP, SQLITE_SCHEMA, "%s: table %s%s: column %s %s: restore it", s->path,
		s->host->prefix(s->in), t->name, column, what);
}

static int key_place(const struct tally_table *t, uint32_t column)
{
	uint32_t merge = t->columns[column].merge;
	int n = 0;
	for (uint32_t i = 0; i <= column; i++)
		n += t->columns[i].merge == TALLY_M_KEY || t->columns[i].merge == TALLY_M_NODE;
	return merge == TALLY_M_KEY || merge == TALLY_M_NODE ? n : 0;
}

/* A row of table_info: name, type, notnull, dflt_value, pk. */
static int check_column(struct sq *s, const struct tally_table *t, uint32_t i, sqlite3_stmt *st)
{
	const char *type = (const char *)sqlite3_column_text(st, 1);
	if (!type || sqlite3_stricmp(type, sq_type(t->columns[i].type)) != 0)
		return stop(s, t, t->columns[i].name, "has another type");
	if (sqlite3_column_int(st, 4) != key_place(t, i))
		return stop(s, t, t->columns[i].name, "has another place in the primary key");
	return TALLY_SINK_OK;
}

static bool can_be_left_out(sqlite3_stmt *st)
{
	return !sqlite3_column_int(st, 2) || sqlite3_column_type(st, 3) != SQLITE_NULL;
}

static int check_columns(struct sq *s, const struct tally_table *t, sqlite3_stmt *st)
{
	bool seen[SQ_COLUMNS_MAX] = { false }, stranger = false;
	int code, rc = TALLY_SINK_OK;
	while (rc == TALLY_SINK_OK && (code = sqlite3_step(st)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(st, 0);
		uint32_t i = 0;
		while (i < t->ncolumns && strcmp(t->columns[i].name, name ? name : "") != 0)
			i++;
		if (i < t->ncolumns)
			rc = check_column(s, t, i, st);
		else
			stranger = stranger || !can_be_left_out(st);
		seen[i] = true;
	}
	if (rc == TALLY_SINK_OK && code != SQLITE_DONE)
		rc = sq_fail(s, "looking at the tables");
	for (uint32_t i = 0; i < t->ncolumns && rc == TALLY_SINK_OK; i++)
		if (!seen[i])
			rc = stop(s, t, t->columns[i].name, "is missing");
	if (rc == TALLY_SINK_OK && stranger)
		rc = stop(s, t, "of yours", "was added and has no default");
	return rc;
}

int sq_check(struct sq *s, const struct tally_table *t)
{
	sqlite3_stmt *st = NULL;
	char *sql = sqlite3_mprintf("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('%q%q')",
		s->host->prefix(s->in), t->name);
	int rc;
	if (!sql || t->ncolumns >= SQ_COLUMNS_MAX || sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		rc = sq_fail(s, "looking at the tables");
	else
		rc = check_columns(s, t, st);
	sqlite3_finalize(st);
	sqlite3_free(sql);
	return rc;
}
