/* SPDX-License-Identifier: Apache-2.0 */
/* What is there must be as it was made: a column less, text that compares otherwise, a lost primary key would corrupt
 * counts without a word. A column wider than it was made, or one of the operator's own, does no harm. */
#include "mariadb.h"

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

/* What a column is there, by these columns of the answer. */
enum seen { SEEN_NAME, SEEN_TYPE, SEEN_FULL_TYPE, SEEN_COLLATION, SEEN_MAX, SEEN_NULLABLE, SEEN_DEFAULT, SEEN_ENGINE };

int md_look(struct md *s, const char *table, MYSQL_RES **out)
{
	struct md_text sql = { 0 }, name = { 0 };
	md_add(&name, "%s%s", s->host->prefix(s->in), table);
	md_add(&sql, "SELECT c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, c.COLLATION_NAME, c.CHARACTER_MAXIMUM_LENGTH,"
		     " c.IS_NULLABLE, c.COLUMN_DEFAULT, t.ENGINE FROM information_schema.COLUMNS c"
		     " JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)"
		     " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ");
	md_add_string(&sql, name.ptr ? name.ptr : "", name.len);
	int rc = store(s, &sql, out);
	md_text_free(&sql);
	md_text_free(&name);
	return rc;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

/* The type as it was made, or one of its kind that holds more. A limit in characters is never below one in bytes. */
static bool type_fits(const struct tally_column *c, MYSQL_ROW row)
{
	const char *type = row[SEEN_TYPE] ? row[SEEN_TYPE] : "";
	bool has_sign = row[SEEN_FULL_TYPE] && !strstr(row[SEEN_FULL_TYPE], "unsigned");
	bool room = row[SEEN_MAX] && strtoull(row[SEEN_MAX], NULL, 10) >= c->max_bytes;
	switch (c->type) {
	case TALLY_T_INT:
		if (c->merge == TALLY_M_NODE)
			return strcmp(type, "int") == 0 || strcmp(type, "bigint") == 0;
		return strcmp(type, "bigint") == 0 && has_sign;
	case TALLY_T_REAL:
		return strcmp(type, "double") == 0;
	case TALLY_T_BLOB:
		return (ends_with(type, "blob") || strcmp(type, "varbinary") == 0) && room;
	default:
		return (ends_with(type, "text") || strcmp(type, "varchar") == 0) && (room || c->type == TALLY_T_JSON);
	}
}

static int check_column(struct md *s, const struct tally_table *t, const struct tally_column *c, MYSQL_RES *res)
{
	const char *prefix = s->host->prefix(s->in);
	bool text = c->type == TALLY_T_TEXT || c->type == TALLY_T_JSON;
	char type[64];
	MYSQL_ROW row;
	mysql_data_seek(res, 0);
	while ((row = mysql_fetch_row(res)) != NULL && strcmp(row[SEEN_NAME], c->name) != 0)
		;
	if (!row)
		return s->host->fail(s->in, TALLY_SINK_STOP, ER_BAD_FIELD_ERROR,
			"table %s%s has no column %s: restore it", prefix, t->name, c->name);
	if (!type_fits(c, row))
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"column %s of %s%s is of type %s: ALTER it back to %.40s", c->name, prefix, t->name,
			row[SEEN_FULL_TYPE], md_type(t, c, type));
	if (text && (!row[SEEN_COLLATION] || strcmp(row[SEEN_COLLATION], "utf8mb4_nopad_bin") != 0))
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"column %s of %s%s must have the collation utf8mb4_nopad_bin, not %s: ALTER it back", c->name,
			prefix, t->name, row[SEEN_COLLATION] ? row[SEEN_COLLATION] : "none");
	if (!row[SEEN_ENGINE] || strcmp(row[SEEN_ENGINE], "InnoDB") != 0)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"table %s%s must be of the engine InnoDB, not %s: transactions need it", prefix, t->name,
			row[SEEN_ENGINE] ? row[SEEN_ENGINE] : "none");
	return TALLY_SINK_OK;
}

static bool is_ours(const struct tally_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return true;
	return false;
}

/* A column of the operator's own does no harm as long as it can be left out. */
static int check_strangers(struct md *s, const struct tally_table *t, MYSQL_RES *res)
{
	MYSQL_ROW row;
	mysql_data_seek(res, 0);
	while ((row = mysql_fetch_row(res)) != NULL)
		if (!is_ours(t, row[SEEN_NAME]) && strcmp(row[SEEN_NULLABLE], "NO") == 0 && !row[SEEN_DEFAULT])
			return s->host->fail(s->in, TALLY_SINK_STOP, ER_NO_DEFAULT_FOR_FIELD,
				"column %.64s of %s%s was added and has no default: give it one", row[SEEN_NAME],
				s->host->prefix(s->in), t->name);
	return TALLY_SINK_OK;
}

/* Rows: name of the index, its columns. */
static int look_at_keys(struct md *s, const char *table, MYSQL_RES **out)
{
	struct md_text sql = { 0 }, name = { 0 };
	md_add(&name, "%s%s", s->host->prefix(s->in), table);
	md_add(&sql, "SELECT INDEX_NAME, GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR ', ')"
		     " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ");
	md_add_string(&sql, name.ptr ? name.ptr : "", name.len);
	md_add(&sql, " GROUP BY INDEX_NAME");
	int rc = store(s, &sql, out);
	md_text_free(&sql);
	md_text_free(&name);
	return rc;
}

/* An index that finds nothing which the primary key does not: without it answers are slower, no more. */
bool md_only_ranks(const struct tally_table *t)
{
	size_t len = strlen(t->columns[0].name);
	return t->index && md_is_key(&t->columns[0]) && strncmp(t->index, t->columns[0].name, len) == 0 &&
	       t->index[len] == ',';
}

/* Is any index of these columns first? enum tally_sink_rc. */
int md_has_index(struct md *s, const char *table, const char *columns, bool *there)
{
	MYSQL_RES *res;
	MYSQL_ROW row = NULL;
	int rc = look_at_keys(s, table, &res);
	if (rc != TALLY_SINK_OK)
		return rc;
	size_t n = strlen(columns);
	while ((row = mysql_fetch_row(res)) != NULL)
		if (strncmp(row[1], columns, n) == 0 && (row[1][n] == 0 || row[1][n] == ','))
			break;
	*there = row != NULL;
	mysql_free_result(res);
	return TALLY_SINK_OK;
}

/* Without its primary key a table takes every upsert for a new row, and the position would be made twice. */
int md_check_key(struct md *s, const char *table, const char *columns, bool primary)
{
	MYSQL_RES *res;
	MYSQL_ROW row = NULL;
	int rc = look_at_keys(s, table, &res);
	if (rc != TALLY_SINK_OK)
		return rc;
	size_t n = strlen(columns);
	while ((row = mysql_fetch_row(res)) != NULL)
		if (primary ? strcmp(row[0], "PRIMARY") == 0 && strcmp(row[1], columns) == 0
			    : strncmp(row[1], columns, n) == 0 && (row[1][n] == 0 || row[1][n] == ','))
			break;
	bool there = row != NULL;
	mysql_free_result(res);
	if (there)
		return TALLY_SINK_OK;
	return s->host->fail(s->in, TALLY_SINK_STOP, 0, "table %s%s has lost its %s (%s): ALTER TABLE ... ADD it again",
		s->host->prefix(s->in), table, primary ? "primary key" : "index tally_index", columns);
}

static int check_keys(struct md *s, const struct tally_table *t)
{
	struct md_text columns = { 0 };
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (md_is_key(&t->columns[i]))
			md_add(&columns, "%s%s", columns.len ? ", " : "", t->columns[i].name);
	int rc = columns.failed ? s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory")
				: md_check_key(s, t->name, columns.ptr, true);
	md_text_free(&columns);
	if (rc == TALLY_SINK_OK && t->index && !md_only_ranks(t))
		rc = md_check_key(s, t->name, t->index, false);
	return rc;
}

int md_check_there(struct md *s, const struct tally_table *t, bool *missing)
{
	MYSQL_RES *res;
	int rc = md_look(s, t->name, &res);
	*missing = rc == TALLY_SINK_OK && mysql_num_rows(res) == 0;
	for (uint32_t i = 0; i < t->ncolumns && rc == TALLY_SINK_OK && !*missing; i++)
		rc = check_column(s, t, &t->columns[i], res);
	if (rc == TALLY_SINK_OK && !*missing)
		rc = check_strangers(s, t, res);
	mysql_free_result(res);
	return rc == TALLY_SINK_OK && !*missing ? check_keys(s, t) : rc;
}

int md_check_table(struct md *s, const struct tally_table *t)
{
	bool missing;
	int rc = md_check_there(s, t, &missing);
	if (rc == TALLY_SINK_OK && missing)
		rc = s->host->fail(s->in, TALLY_SINK_STOP, ER_NO_SUCH_TABLE, "table %s%s is gone: restore it",
			s->host->prefix(s->in), t->name);
	return rc;
}
