/* SPDX-License-Identifier: Apache-2.0 */
/* The row that all writers look at, and tables that are not needed any more. */
#include "sqlite.h"

#include <string.h>

int sq_guard(struct sq *s, const struct tally_guard *g)
{
	sqlite3_stmt *st = NULL;
	char *name = sq_quoted(s, g->table->name);
	char *sql = sqlite3_mprintf(
		"SELECT 1 FROM %s WHERE \"%w\" = ?1 AND \"%w\" = ?2", name, g->table->columns[0].name, g->column);
	int code = SQLITE_ERROR, rc = TALLY_SINK_OK;
	if (name && sql && sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_text(st, 1, g->key, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, g->value);
		code = sqlite3_step(st);
	}
	if (code == SQLITE_DONE)
		rc = s->host->fail(s->in, TALLY_SINK_MOVED, 0, "%s in %s is not what it was: looking again", g->key,
			g->table->name);
	else if (code != SQLITE_ROW)
		rc = sq_fail(s, g->table->name);
	sqlite3_finalize(st);
	sqlite3_free(sql);
	sqlite3_free(name);
	return rc;
}

int sq_drop(void *self, const char *table)
{
	struct sq *s = self;
	if (!s->db)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0, "%s is not open", s->path);
	if (!sq_is_ours(s))
		return sq_let_go(s);
	char *name = sq_quoted(s, table);
	char *sql = sqlite3_mprintf("DROP TABLE IF EXISTS %s", name);
	int rc = sq_exec(s, sql);
	sqlite3_free(sql);
	sqlite3_free(name);
	return rc;
}
