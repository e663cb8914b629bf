/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves a table by its key, and what changes its line's name. */
#include "sqlite.h"

#include <string.h>

static bool is_key(const struct tally_column *c)
{
	return c->merge == TALLY_M_KEY || c->merge == TALLY_M_NODE;
}

/* The parameter of a key column is its place in the table. */
static char *delete_sql(struct sq *s, const struct tally_table *t)
{
	char *name = sq_quoted(s, t->name);
	sqlite3_str *out = sqlite3_str_new(s->db);
	sqlite3_str_appendf(out, "DELETE FROM %s WHERE ", name);
	for (uint32_t i = 0; i < t->ncolumns && is_key(&t->columns[i]); i++)
		sqlite3_str_appendf(out, "%s\"%w\" = ?%u", i ? " AND " : "", t->columns[i].name, i + 1);
	sqlite3_free(name);
	return sqlite3_str_finish(out);
}

static int delete_row(struct sq *s, sqlite3_stmt *st, const struct tally_table *t, const struct tally_cell *cells)
{
	sqlite3_reset(st);
	for (uint32_t i = 0; i < t->ncolumns && is_key(&t->columns[i]); i++)
		if (sq_bind(s, st, (int)i + 1, &t->columns[i], &cells[i]) != SQLITE_OK)
			return sq_fail(s, t->name);
	return sqlite3_step(st) == SQLITE_DONE ? TALLY_SINK_OK : sq_fail(s, t->name);
}

int sq_gone(struct sq *s, const struct tally_rows *rows)
{
	char *sql = delete_sql(s, rows->table);
	sqlite3_stmt *st = NULL;
	int rc = TALLY_SINK_OK;
	if (!sql || sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		rc = sq_fail(s, rows->table->name);
	for (size_t i = 0; i < rows->n && rc == TALLY_SINK_OK; i++)
		rc = delete_row(s, st, rows->table, rows->cells + i * rows->table->ncolumns);
	sqlite3_finalize(st);
	sqlite3_free(sql);
	return rc;
}

/* ---- another name ---- */

static bool has_line(const struct tally_table *t)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (t->columns[i].merge == TALLY_M_KEY && strcmp(t->columns[i].name, "line") == 0)
			return true;
	return false;
}

static int rename_in(struct sq *s, const char *table, const char *from)
{
	char *name = sq_quoted(s, table);
	char *sql = sqlite3_mprintf(
		"UPDATE %s SET line = %Q WHERE node = %lld AND line = %Q", name, s->host->line(s->in), s->node, from);
	int rc = sq_exec(s, sql);
	sqlite3_free(sql);
	sqlite3_free(name);
	return rc;
}

static int rename_all(struct sq *s, const char *from)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	int rc = rename_in(s, "tally_position", from);
	if (rc == TALLY_SINK_OK && sqlite3_changes(s->db) == 0)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0, "this node has no line %s in %s", from, s->path);
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++)
		if (has_line(tables[i]) && !MUTANT("adopt_counts_left"))
			rc = rename_in(s, tables[i]->name, from);
	return rc;
}

/* A line of the new name is in the way: the primary key of the position says so. */
int sq_adopt(void *self, const char *from)
{
	struct sq *s = self;
	int rc = sq_ready(s);
	if (rc == TALLY_SINK_OK)
		rc = sq_exec(s, "BEGIN IMMEDIATE");
	if (rc == TALLY_SINK_OK)
		rc = sq_find_node(s);
	if (rc == TALLY_SINK_OK)
		rc = rename_all(s, from);
	if (rc == TALLY_SINK_OK)
		rc = sq_exec(s, "COMMIT");
	if (rc != TALLY_SINK_OK)
		sq_disconnect(s);
	return rc;
}
