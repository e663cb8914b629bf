/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves a table by its key, and what changes its line's name. Both are rare and small: plain statements. */
#include "mariadb.h"

#include <inttypes.h>
#include <string.h>

#define KEYS_A_STATEMENT 200

static void add_key_value(
	struct md_text *sql, struct md *s, const struct tally_column *c, const struct tally_cell *cell)
{
	if (c->merge == TALLY_M_NODE)
		md_add(sql, "%u", s->node);
	else if (c->type == TALLY_T_INT)
		md_add(sql, "%" PRId64, cell->v.i);
	else if (c->type == TALLY_T_BLOB)
		md_add_binary(sql, cell->v.ptr, cell->len);
	else
		md_add_string(sql, cell->v.ptr, cell->len);
}

static void add_condition(
	struct md_text *sql, struct md *s, const struct tally_table *t, const struct tally_cell *cells)
{
	for (uint32_t i = 0; i < t->ncolumns && md_is_key(&t->columns[i]); i++) {
		md_add(sql, i ? " AND " : "(");
		md_add_name(sql, "", t->columns[i].name);
		md_add(sql, " = ");
		add_key_value(sql, s, &t->columns[i], &cells[i]);
	}
	md_add(sql, ")");
}

static int delete_some(struct md *s, const struct tally_rows *rows, size_t first, size_t n)
{
	struct md_text sql = { 0 };
	md_add(&sql, "DELETE FROM ");
	md_add_name(&sql, s->host->prefix(s->in), rows->table->name);
	for (size_t i = 0; i < n; i++) {
		md_add(&sql, i ? " OR " : " WHERE ");
		add_condition(&sql, s, rows->table, rows->cells + (first + i) * rows->table->ncolumns);
	}
	return md_run(s, rows->table->name, &sql);
}

int md_gone(struct md *s, const struct tally_rows *rows)
{
	int rc = TALLY_SINK_OK;
	for (size_t at = 0; at < rows->n && rc == TALLY_SINK_OK; at += KEYS_A_STATEMENT) {
		size_t n = rows->n - at;
		rc = delete_some(s, rows, at, n < KEYS_A_STATEMENT ? n : KEYS_A_STATEMENT);
	}
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

static int rename_in(struct md *s, const char *table, const char *from)
{
	const char *line = s->host->line(s->in);
	struct md_text sql = { 0 };
	md_add(&sql, "UPDATE ");
	md_add_name(&sql, s->host->prefix(s->in), table);
	md_add(&sql, " SET `line` = ");
	md_add_string(&sql, line, strlen(line));
	md_add(&sql, " WHERE `node` = %u AND `line` = ", s->node);
	md_add_string(&sql, from, strlen(from));
	return md_run(s, "giving a line another name", &sql);
}

static int rename_all(struct md *s, const char *from)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	int rc = rename_in(s, "tally_position", from);
	if (rc == TALLY_SINK_OK && mysql_affected_rows(s->db) == 0)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0, "this node has no line %s in this database", from);
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++)
		if (has_line(tables[i]))
			rc = rename_in(s, tables[i]->name, from);
	return rc;
}

/* A line of the new name is in the way: the primary key of the position says so, and no class of row errors is meant. */
int md_adopt(void *self, const char *from)
{
	struct md *s = self;
	int rc = md_ready(s);
	if (rc == TALLY_SINK_OK)
		rc = md_exec(s, "giving a line another name", "START TRANSACTION");
	if (rc == TALLY_SINK_OK)
		rc = md_find_node(s);
	if (rc == TALLY_SINK_OK)
		rc = rename_all(s, from);
	if (rc == TALLY_SINK_OK)
		rc = md_exec(s, "giving a line another name", "COMMIT");
	if (rc != TALLY_SINK_OK)
		md_close(s);
	return rc == MD_BAD_ROW ? TALLY_SINK_STOP : rc;
}
