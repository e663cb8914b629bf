/* SPDX-License-Identifier: Apache-2.0 */
/* Retention inside a batch's transaction. The sites are found by hopping from one to the next in the key or index that
 * begins with them, so a trim with nothing to do reads a few pages, not the table. What one second does not delete is
 * left for the next trim. */
#include "sqlite.h"

#include <string.h>
#include <time.h>

#define SLICE_ROWS 10000
#define TRIM_US 1000000

static bool has_column(const struct tally_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return true;
	return false;
}

static void append_key(sqlite3_str *out, const struct tally_table *t, const char *qualifier)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (t->columns[i].merge == TALLY_M_KEY || t->columns[i].merge == TALLY_M_NODE)
			sqlite3_str_appendf(out, "%s%s\"%w\"", i ? ", " : "", qualifier, t->columns[i].name);
}

/* ?1 grain, ?2 before, ?3 rows at most */
static char *trim_sql(struct sq *s, const struct tally_table *t)
{
	char *name = sq_quoted(s, t->name);
	bool grain = has_column(t, "grain");
	bool by_site = has_column(t, "site") && (grain || t->index);
	sqlite3_str *out = sqlite3_str_new(s->db);
	sqlite3_str_appendf(out, "DELETE FROM %s WHERE (", name);
	append_key(out, t, "");
	sqlite3_str_appendall(out, ") IN (");
	if (by_site)
		sqlite3_str_appendf(out,
			"WITH RECURSIVE hop(site) AS (SELECT min(site) FROM %s UNION ALL"
			" SELECT (SELECT min(u.site) FROM %s u WHERE u.site > hop.site) FROM hop WHERE hop.site IS NOT NULL) ",
			name, name);
	sqlite3_str_appendall(out, "SELECT ");
	append_key(out, t, "t.");
	sqlite3_str_appendf(out, " FROM %s%s t WHERE ", by_site ? "hop CROSS JOIN " : "", name);
	sqlite3_str_appendf(out, "%s%s LIMIT ?3)", by_site ? "t.site = hop.site AND " : "",
		grain ? "t.grain = ?1 AND t.bucket < ?2" : "t.time < ?2 AND ?1 IS NOT NULL");
	sqlite3_free(name);
	return sqlite3_str_finish(out);
}

static int64_t mono_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int delete_slices(struct sq *s, sqlite3_stmt *st)
{
	int64_t until = mono_us() + TRIM_US;
	do {
		sqlite3_reset(st);
		if (sqlite3_step(st) != SQLITE_DONE)
			return sq_fail(s, "trimming");
	} while (sqlite3_changes(s->db) == SLICE_ROWS && mono_us() < until);
	return TALLY_SINK_OK;
}

int sq_trim(struct sq *s, const struct tally_trim *t)
{
	char *sql = trim_sql(s, t->table);
	sqlite3_stmt *st = NULL;
	int rc;
	if (!sql || sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
		rc = sq_fail(s, "trimming");
	} else {
		sqlite3_bind_int64(st, 1, t->grain);
		sqlite3_bind_int64(st, 2, t->before_us);
		sqlite3_bind_int64(st, 3, SLICE_ROWS);
		rc = delete_slices(s, st);
	}
	sqlite3_finalize(st);
	sqlite3_free(sql);
	return rc;
}
