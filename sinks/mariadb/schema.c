/* SPDX-License-Identifier: Apache-2.0 */
/* Tables are made only where they are missing (a user with no right to CREATE is enough for the rest), outside of any
 * transaction (DDL would commit the position), and waiting at most two seconds for others' locks. What is there must
 * be as it was made: a column less, or text that compares otherwise, would corrupt counts without a word. */
#include "mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int store(struct md *s, struct md_text *sql, MYSQL_RES **out)
{
	*out = NULL;
	if (sql->failed)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	if (mysql_real_query(s->db, sql->ptr, sql->len) != 0 || !(*out = mysql_store_result(s->db)))
		return md_fail(s, "looking at the tables");
	return TALLY_SINK_OK;
}

/* ---- what is there ---- */

/* Rows: column, type, collation or NULL, engine. */
static int look(struct md *s, const char *table, MYSQL_RES **out)
{
	struct md_text sql = { 0 }, name = { 0 };
	md_add(&name, "%s%s", s->host->prefix(s->in), table);
	md_add(&sql, "SELECT c.COLUMN_NAME, c.DATA_TYPE, c.COLLATION_NAME, t.ENGINE FROM information_schema.COLUMNS c"
		     " JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)"
		     " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ");
	md_add_string(&sql, name.ptr ? name.ptr : "", name.len);
	int rc = store(s, &sql, out);
	md_text_free(&sql);
	md_text_free(&name);
	return rc;
}

static int check_column(struct md *s, const struct tally_table *t, const struct tally_column *c, MYSQL_RES *res)
{
	const char *prefix = s->host->prefix(s->in);
	bool text = c->type == TALLY_T_TEXT || c->type == TALLY_T_JSON;
	MYSQL_ROW row;
	mysql_data_seek(res, 0);
	while ((row = mysql_fetch_row(res)) != NULL && strcmp(row[0], c->name) != 0)
		;
	if (!row)
		return s->host->fail(s->in, TALLY_SINK_STOP, ER_BAD_FIELD_ERROR,
			"table %s%s has no column %s: restore it (a changed rollup needs a new name)", prefix, t->name,
			c->name);
	if (text && (!row[2] || strcmp(row[2], "utf8mb4_nopad_bin") != 0))
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"column %s of %s%s must have the collation utf8mb4_nopad_bin, not %s: ALTER it back", c->name,
			prefix, t->name, row[2] ? row[2] : "none");
	if (!row[3] || strcmp(row[3], "InnoDB") != 0)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"table %s%s must be of the engine InnoDB, not %s: transactions need it", prefix, t->name,
			row[3] ? row[3] : "none");
	return TALLY_SINK_OK;
}

static int check_table(struct md *s, const struct tally_table *t, bool *missing)
{
	MYSQL_RES *res;
	int rc = look(s, t->name, &res);
	*missing = rc == TALLY_SINK_OK && mysql_num_rows(res) == 0;
	for (uint32_t i = 0; i < t->ncolumns && rc == TALLY_SINK_OK && !*missing; i++)
		rc = check_column(s, t, &t->columns[i], res);
	mysql_free_result(res);
	return rc;
}

/* ---- making ---- */

static int run_ddl(struct md *s, struct md_text *sql)
{
	int rc = md_exec(s, "preparing to make tables", "SET SESSION lock_wait_timeout = 2");
	if (rc == TALLY_SINK_OK)
		rc = md_run(s, "making a table", sql);
	else
		md_text_free(sql);
	if (rc == TALLY_SINK_OK)
		rc = md_exec(s, "having made a table", "SET SESSION lock_wait_timeout = 5");
	return rc;
}

static int make_table(struct md *s, const struct tally_table *t)
{
	struct md_text sql = { 0 };
	md_sql_create(&sql, s->host->prefix(s->in), t);
	return run_ddl(s, &sql);
}

/* The two tables that are the sink's own. */
static const struct {
	const char *name, *columns;
} own_tables[] = {
	{ "tally_node", "number INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,"
			" uuid CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE" },
	{ "tally_position", "node INT UNSIGNED NOT NULL, line VARCHAR(64) NOT NULL, lsn BIGINT UNSIGNED NOT NULL,"
			    " mark BIGINT UNSIGNED NOT NULL, committed BIGINT NOT NULL, PRIMARY KEY (node, line)" },
};

static int make_own(struct md *s, size_t i)
{
	MYSQL_RES *res;
	struct md_text sql = { 0 };
	int rc = look(s, own_tables[i].name, &res);
	bool there = rc == TALLY_SINK_OK && mysql_num_rows(res) > 0;
	mysql_free_result(res);
	if (rc != TALLY_SINK_OK || there)
		return rc;
	md_add(&sql, "CREATE TABLE IF NOT EXISTS ");
	md_add_name(&sql, s->host->prefix(s->in), own_tables[i].name);
	md_add(&sql, " (%s) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
		own_tables[i].columns);
	return run_ddl(s, &sql);
}

static int ready_table(struct md *s, const struct tally_table *t)
{
	bool missing;
	int rc = check_table(s, t, &missing);
	if (rc != TALLY_SINK_OK || !missing)
		return rc;
	rc = make_table(s, t);
	if (rc == TALLY_SINK_OK)
		rc = check_table(s, t, &missing); /* another node may have made it, otherwise than we would */
	return rc;
}

/* ---- statements ---- */

static int find_sketch(const struct tally_table *t)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (t->columns[i].merge == TALLY_M_HLL)
			return (int)i;
	return -1;
}

static int prepare(struct md *s, struct md_table *m)
{
	struct md_text sql = { 0 };
	int rc = TALLY_SINK_OK;
	md_sql_put(&sql, s->host->prefix(s->in), m->table);
	m->sketch = find_sketch(m->table);
	m->put = sql.failed ? NULL : mysql_stmt_init(s->db);
	if (!m->put)
		rc = s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	else if (mysql_stmt_prepare(m->put, sql.ptr, sql.len) != 0)
		rc = md_fail_code(s, m->table->name, mysql_stmt_errno(m->put), mysql_stmt_error(m->put));
	md_text_free(&sql);
	return rc;
}

int md_schema(struct md *s)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	int rc = TALLY_SINK_OK;
	for (size_t i = 0; i < sizeof own_tables / sizeof *own_tables && rc == TALLY_SINK_OK; i++)
		rc = make_own(s, i);
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++)
		rc = ready_table(s, tables[i]);
	if (rc != TALLY_SINK_OK)
		return rc;
	s->tables = calloc(n + 1, sizeof *s->tables);
	if (!s->tables)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	s->ntables = n;
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++) {
		s->tables[i].table = tables[i];
		rc = prepare(s, &s->tables[i]);
	}
	return rc;
}
