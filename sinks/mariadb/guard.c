/* SPDX-License-Identifier: Apache-2.0 */
/* The row that all writers look at: shared by batches, alone where something changes that all of them must learn of. And
 * tables that are not needed any more. */
#include "mariadb.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int md_guard(struct md *s, const struct tally_guard *g)
{
	struct md_text sql = { 0 };
	md_add(&sql, "SELECT ");
	md_add_name(&sql, "", g->column);
	md_add(&sql, " FROM ");
	md_add_name(&sql, s->host->prefix(s->in), g->table->name);
	md_add(&sql, " WHERE ");
	md_add_name(&sql, "", g->table->columns[0].name);
	md_add(&sql, " = ");
	md_add_string(&sql, g->key, strlen(g->key));
	md_add(&sql, g->alone ? " FOR UPDATE" : " LOCK IN SHARE MODE");
	int rc = md_run(s, g->table->name, &sql);
	if (rc != TALLY_SINK_OK)
		return rc;
	MYSQL_RES *res = mysql_store_result(s->db);
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	bool same = row && row[0] && strtoll(row[0], NULL, 10) == g->value;
	bool failed = !res;
	mysql_free_result(res);
	if (failed)
		return md_fail(s, g->table->name);
	return same ? TALLY_SINK_OK
		    : s->host->fail(s->in, TALLY_SINK_MOVED, 0, "%s in %s%s is not what it was: looking again", g->key,
			      s->host->prefix(s->in), g->table->name);
}

/* A reader that has looked at it in its transaction keeps it from going for a moment. */
int md_drop(void *self, const char *table)
{
	struct md *s = self;
	struct md_text sql = { 0 };
	if (!s->db)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0, "not connected");
	md_add(&sql, "DROP TABLE IF EXISTS ");
	md_add_name(&sql, s->host->prefix(s->in), table);
	int rc = md_run(s, "dropping a table", &sql);
	if (rc == TALLY_SINK_OK) {
		s->made_tables = true; /* that there is one less is our doing */
		rc = md_watch_note(s);
	}
	if (rc != TALLY_SINK_OK && rc != TALLY_SINK_RETRY)
		md_close(s);
	return rc;
}
