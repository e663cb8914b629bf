/* SPDX-License-Identifier: Apache-2.0 */
/* Tables are made only where they are missing (a user with no right to CREATE is enough for the rest), outside of any
 * transaction (DDL would commit the position), and waiting at most two seconds for others' locks. */
#include "mariadb.h"

#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

static int run_ddl(struct md *s, struct md_text *sql)
{
	s->made_tables = true;
	int rc = md_exec(s, "preparing to make tables", "SET SESSION lock_wait_timeout = 2");
	if (rc == TALLY_SINK_OK)
		rc = md_run(s, "making a table", sql);
	else
		md_text_free(sql);
	if (rc == TALLY_SINK_OK)
		rc = md_exec(s, "having made a table", "SET SESSION lock_wait_timeout = 5");
	return rc;
}

static uint32_t since(const struct md *s, const struct tally_table *t, uint32_t column)
{
	bool knows = s->host->size >= offsetof(struct tally_sink_host, since) + sizeof s->host->since;
	return knows ? s->host->since(s->in, t, column) : TALLY_SINCE_FIRST;
}

/* How many columns the table had at first. */
static uint32_t first_columns(const struct md *s, const struct tally_table *t)
{
	uint32_t n = t->ncolumns;
	while (n > 0 && since(s, t, n - 1) != TALLY_SINCE_FIRST)
		n--;
	return n;
}

static int make_table(struct md *s, const struct tally_table *t)
{
	struct md_text sql = { 0 };
	md_sql_create(&sql, s->host->prefix(s->in), t, first_columns(s, t));
	return run_ddl(s, &sql);
}

static bool has_column(MYSQL_RES *res, const char *name)
{
	MYSQL_ROW row;
	mysql_data_seek(res, 0);
	while ((row = mysql_fetch_row(res)) != NULL)
		if (strcmp(row[0], name) == 0)
			return true;
	return false;
}

/* In a table of before, all at once; another node may do the same at this moment. */
static int add_later(struct md *s, const struct tally_table *t)
{
	MYSQL_RES *res;
	struct md_text sql = { 0 };
	uint32_t i = first_columns(s, t), missing = 0;
	if (i == t->ncolumns || since(s, t, i) != TALLY_SINCE_LATER)
		return TALLY_SINK_OK;
	int rc = md_look(s, t->name, &res);
	bool there = rc == TALLY_SINK_OK && mysql_num_rows(res) > 0;
	md_add(&sql, "ALTER TABLE ");
	md_add_name(&sql, s->host->prefix(s->in), t->name);
	for (; there && i < t->ncolumns; i++) {
		if (has_column(res, t->columns[i].name))
			continue;
		md_add(&sql, "%s ADD COLUMN IF NOT EXISTS ", missing++ ? "," : "");
		md_sql_column(&sql, t, i, true);
	}
	mysql_free_result(res);
	if (rc == TALLY_SINK_OK && missing)
		return run_ddl(s, &sql);
	md_text_free(&sql);
	return rc;
}

/* The two tables that are the sink's own. */
static const struct {
	const char *name, *key, *columns;
} own_tables[] = {
	{ "tally_node", "number",
		"number INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,"
		" uuid CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE" },
	{ "tally_position", "node, line",
		"node INT UNSIGNED NOT NULL, line VARCHAR(64) NOT NULL, lsn BIGINT UNSIGNED NOT NULL,"
		" mark BIGINT UNSIGNED NOT NULL, committed BIGINT NOT NULL, PRIMARY KEY (node, line)" },
};

static int make_own(struct md *s, size_t i)
{
	MYSQL_RES *res;
	struct md_text sql = { 0 };
	int rc = md_look(s, own_tables[i].name, &res);
	bool there = rc == TALLY_SINK_OK && mysql_num_rows(res) > 0;
	mysql_free_result(res);
	if (there)
		return md_check_key(s, own_tables[i].name, own_tables[i].key, true);
	if (rc != TALLY_SINK_OK)
		return rc;
	md_add(&sql, "CREATE TABLE IF NOT EXISTS ");
	md_add_name(&sql, s->host->prefix(s->in), own_tables[i].name);
	md_add(&sql, " (%s) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
		own_tables[i].columns);
	return run_ddl(s, &sql);
}

/* A table of an earlier release has it not yet. Making it may take minutes, but holds up nobody else; where it cannot be
 * made (another node is at it, we have no right to) the table does without. */
static int add_ranks(struct md *s, const struct tally_table *t)
{
	struct md_text sql = { 0 };
	bool there;
	int rc = md_has_index(s, t->name, t->index, &there);
	if (rc != TALLY_SINK_OK || there)
		return rc;
	md_add(&sql, "CREATE INDEX IF NOT EXISTS `tally_index` ON ");
	md_add_name(&sql, s->host->prefix(s->in), t->name);
	md_add(&sql, " (%s) ALGORITHM = INPLACE LOCK = NONE", t->index);
	s->made_tables = true; /* to whoever looks, it is another table then */
	rc = md_exec(s, "preparing to make an index", "SET SESSION lock_wait_timeout = 2");
	if (rc == TALLY_SINK_OK && sql.failed)
		rc = s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	if (rc == TALLY_SINK_OK && mysql_real_query(s->db, sql.ptr, sql.len) != 0) {
		if (md_class(mysql_errno(s->db)) == TALLY_SINK_RECONNECT)
			rc = md_fail(s, "making an index");
		else
			s->host->log(s->in, TALLY_LOG_WARN, "top lists of %s%s are slow: it has no index on (%s): %s",
				s->host->prefix(s->in), t->name, t->index, mysql_error(s->db));
	}
	md_text_free(&sql);
	return rc == TALLY_SINK_OK ? md_exec(s, "having made an index", "SET SESSION lock_wait_timeout = 5") : rc;
}

static int ready_table(struct md *s, const struct tally_table *t)
{
	bool missing;
	int rc = add_later(s, t);
	if (rc == TALLY_SINK_OK)
		rc = md_check_there(s, t, &missing);
	if (rc == TALLY_SINK_OK && !missing && md_only_ranks(t))
		return add_ranks(s, t);
	if (rc != TALLY_SINK_OK || !missing)
		return rc;
	rc = make_table(s, t);
	if (rc == TALLY_SINK_OK)
		rc = md_check_there(s, t, &missing); /* another node may have made it, otherwise than we would */
	return rc;
}

/* ---- statements ---- */

static bool has_sketch(const struct tally_table *t)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (md_is_sketch(&t->columns[i]))
			return true;
	return false;
}

static int prepare(struct md *s, struct md_table *m)
{
	struct md_text sql = { 0 };
	int rc = TALLY_SINK_OK;
	md_sql_put(&sql, s->host->prefix(s->in), m->table);
	m->has_sketch = has_sketch(m->table);
	m->put = sql.failed ? NULL : mysql_stmt_init(s->db);
	if (!m->put)
		rc = s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	else if (mysql_stmt_prepare(m->put, sql.ptr, sql.len) != 0)
		rc = md_fail_code(s, m->table->name, mysql_stmt_errno(m->put), mysql_stmt_error(m->put));
	md_text_free(&sql);
	return rc;
}

/* See md_watch_same(): the position's row is moved by plain text. */
static int prepare_probe(struct md *s)
{
	struct md_text sql = { 0 };
	int rc = TALLY_SINK_OK;
	md_add(&sql, "UPDATE ");
	md_add_name(&sql, s->host->prefix(s->in), "tally_position");
	md_add(&sql, " SET lsn = lsn WHERE 1 = 0");
	s->probe = sql.failed ? NULL : mysql_stmt_init(s->db);
	if (!s->probe)
		rc = s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	else if (mysql_stmt_prepare(s->probe, sql.ptr, sql.len) != 0)
		rc = md_fail_code(s, "tally_position", mysql_stmt_errno(s->probe), mysql_stmt_error(s->probe));
	md_text_free(&sql);
	return rc;
}

bool md_schema_is_current(struct md *s)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	bool same = s->tables && n == s->ntables;
	for (size_t i = 0; i < n && same; i++)
		same = s->tables[i].table == tables[i] && s->tables[i].name &&
		       strcmp(s->tables[i].name, tables[i]->name) == 0;
	return same;
}

void md_schema_forget(struct md *s)
{
	for (size_t i = 0; i < s->ntables; i++) {
		if (s->tables[i].put)
			mysql_stmt_close(s->tables[i].put);
		free(s->tables[i].name);
	}
	free(s->tables);
	s->tables = NULL;
	s->ntables = 0;
	if (s->probe)
		mysql_stmt_close(s->probe);
	s->probe = NULL;
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
	rc = prepare_probe(s);
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++) {
		s->tables[i].table = tables[i];
		s->tables[i].name = strdup(tables[i]->name);
		rc = prepare(s, &s->tables[i]);
	}
	return rc;
}
