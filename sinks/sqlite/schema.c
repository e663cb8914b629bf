/* SPDX-License-Identifier: Apache-2.0 */
/* Tables as described, and for each the one statement that writes a row: a plain INSERT, or an upsert whose SET list
 * follows from the merge of each column. Preparing it checks that every column is there. */
#include "sqlite.h"

#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = { [TALLY_T_INT] = "INTEGER",
	[TALLY_T_REAL] = "REAL",
	[TALLY_T_TEXT] = "TEXT",
	[TALLY_T_BLOB] = "BLOB",
	[TALLY_T_JSON] = "TEXT" };

/* %1$s in each: the column, quoted. Reals go to the largest number, not to infinity. */
static const char set_replace[] = "%s = excluded.%s";
static const char set_add_int[] = "%s = CASE WHEN excluded.%s > 0 AND %s > 9223372036854775807 - excluded.%s"
				  " THEN 9223372036854775807"
				  " WHEN excluded.%s < 0 AND %s < -9223372036854775807 - 1 - excluded.%s"
				  " THEN -9223372036854775807 - 1 ELSE %s + excluded.%s END";
static const char set_add_real[] = "%s = max(min(%s + excluded.%s, 1.7976931348623157e308), -1.7976931348623157e308)";
static const char set_min[] = "%s = CASE WHEN %s IS NULL OR excluded.%s < %s THEN excluded.%s ELSE %s END";
static const char set_max[] = "%s = CASE WHEN %s IS NULL OR excluded.%s > %s THEN excluded.%s ELSE %s END";
static const char set_hll[] = "%s = tally_union_hll(%s, excluded.%s)";
static const char set_quantile[] = "%s = tally_union_quantile(%s, excluded.%s)";

static bool is_key(const struct tally_column *c)
{
	return c->merge == TALLY_M_KEY || c->merge == TALLY_M_NODE;
}

char *sq_quoted(const struct sq *s, const char *name)
{
	return sqlite3_mprintf("\"%w%w\"", s->host->prefix(s->in), name);
}

/* Appends the template with every %s replaced by the quoted column. */
static void append_template(sqlite3_str *out, const char *template, const char *column)
{
	const char *at;
	while ((at = strstr(template, "%s")) != NULL) {
		sqlite3_str_append(out, template, (int)(at - template));
		sqlite3_str_appendf(out, "\"%w\"", column);
		template = at + 2;
	}
	sqlite3_str_appendall(out, template);
}

static const char *set_template(const struct tally_column *c)
{
	switch (c->merge) {
	case TALLY_M_SET:
		return set_replace;
	case TALLY_M_ADD:
		return c->type == TALLY_T_REAL ? set_add_real : set_add_int;
	case TALLY_M_MIN:
		return set_min;
	case TALLY_M_MAX:
		return set_max;
	case TALLY_M_HLL:
		return set_hll;
	case TALLY_M_QUANTILE:
		return set_quantile;
	default:
		return NULL; /* keys and FIRST stay */
	}
}

static void append_columns(sqlite3_str *out, const struct tally_table *t, bool keys_only)
{
	bool first = true;
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		if (keys_only && !is_key(&t->columns[i]))
			continue;
		sqlite3_str_appendf(out, "%s\"%w\"", first ? "" : ", ", t->columns[i].name);
		first = false;
	}
}

/* Of the sketch before an ESTIMATE. */
static const char *kind_before(const struct tally_table *t, uint32_t estimate)
{
	return t->columns[estimate - 1].merge == TALLY_M_QUANTILE ? "quantile" : "hll";
}

/* A cell of an ESTIMATE is made from the parameter of the sketch before it. */
static void append_values(sqlite3_str *out, const struct tally_table *t)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (t->columns[i].merge == TALLY_M_ESTIMATE)
			sqlite3_str_appendf(out, ", tally_estimate_%s(?%u)", kind_before(t, i), i);
		else
			sqlite3_str_appendf(out, "%s?%u", i ? ", " : "", i + 1);
}

static void append_upsert(sqlite3_str *out, const struct tally_table *t)
{
	sqlite3_str *set = sqlite3_str_new(NULL);
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		const struct tally_column *c = &t->columns[i];
		const char *template = set_template(c);
		const char *comma = sqlite3_str_length(set) ? ", " : "";
		if (template) {
			sqlite3_str_appendall(set, comma);
			append_template(set, template, c->name);
		} else if (c->merge == TALLY_M_ESTIMATE) {
			const char *sketch = t->columns[i - 1].name, *kind = kind_before(t, i);
			sqlite3_str_appendf(set,
				"%s\"%w\" = tally_estimate_%s(tally_union_%s(\"%w\", excluded.\"%w\"))", comma, c->name,
				kind, kind, sketch, sketch);
		}
	}
	char *list = sqlite3_str_finish(set);
	sqlite3_str_appendall(out, " ON CONFLICT (");
	append_columns(out, t, true);
	if (list)
		sqlite3_str_appendf(out, ") DO UPDATE SET %s", list);
	else
		sqlite3_str_appendall(out, ") DO NOTHING");
	sqlite3_free(list);
}

static char *put_sql(const struct sq *s, const struct tally_table *t)
{
	sqlite3_str *out = sqlite3_str_new(s->db);
	sqlite3_str_appendf(out, "INSERT INTO \"%w%w\" (", s->host->prefix(s->in), t->name);
	append_columns(out, t, false);
	sqlite3_str_appendall(out, ") VALUES (");
	append_values(out, t);
	sqlite3_str_appendall(out, ")");
	if (!t->insert_only)
		append_upsert(out, t);
	return sqlite3_str_finish(out);
}

/* What rows of before, and nodes of before, have in a column that came later. */
static const char *default_sql(const struct tally_column *c)
{
	if (c->nullable)
		return "";
	return c->type == TALLY_T_BLOB                             ? " DEFAULT x''"
	       : c->type == TALLY_T_INT || c->type == TALLY_T_REAL ? " DEFAULT 0"
								   : " DEFAULT ''";
}

static uint32_t since(const struct sq *s, const struct tally_table *t, uint32_t column)
{
	bool knows = s->host->size >= offsetof(struct tally_sink_host, since) + sizeof s->host->since;
	return knows ? s->host->since(s->in, t, column) : TALLY_SINCE_FIRST;
}

static void append_column(const struct sq *s, sqlite3_str *out, const struct tally_table *t, uint32_t i)
{
	const struct tally_column *c = &t->columns[i];
	sqlite3_str_appendf(out, "\"%w\" %s%s%s", c->name, type_names[c->type], c->nullable ? "" : " NOT NULL",
		since(s, t, i) == TALLY_SINCE_FIRST ? "" : default_sql(c));
}

/* WITHOUT ROWID: the table is its primary key's tree; rows come in key order or near it. */
static char *create_sql(const struct sq *s, const struct tally_table *t)
{
	const char *prefix = s->host->prefix(s->in);
	sqlite3_str *out = sqlite3_str_new(s->db);
	sqlite3_str_appendf(out, "CREATE TABLE IF NOT EXISTS \"%w%w\" (", prefix, t->name);
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		append_column(s, out, t, i);
		sqlite3_str_appendall(out, ", ");
	}
	sqlite3_str_appendall(out, "PRIMARY KEY (");
	append_columns(out, t, true);
	sqlite3_str_appendall(out, ")) STRICT, WITHOUT ROWID;");
	return sqlite3_str_finish(out);
}

static char *index_sql(const struct sq *s, const struct tally_table *t)
{
	const char *prefix = s->host->prefix(s->in);
	return sqlite3_mprintf("CREATE INDEX IF NOT EXISTS \"%w%w_index\" ON \"%w%w\" (%s)", prefix, t->name, prefix,
		t->name, t->index);
}

static int create_own(struct sq *s)
{
	const char *p = s->host->prefix(s->in);
	char *sql = sqlite3_mprintf(
		"CREATE TABLE IF NOT EXISTS \"%wtally_node\" (number INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE)"
		" STRICT;"
		"CREATE TABLE IF NOT EXISTS \"%wtally_position\" (node INTEGER NOT NULL, line TEXT NOT NULL,"
		" lsn INTEGER NOT NULL, mark INTEGER NOT NULL, committed INTEGER NOT NULL, PRIMARY KEY (node, line))"
		" STRICT, WITHOUT ROWID",
		p, p);
	int rc = sq_exec(s, sql);
	sqlite3_free(sql);
	return rc;
}

static int has_column(struct sq *s, const struct tally_table *t, uint32_t i, bool *out)
{
	sqlite3_stmt *st = NULL;
	char *sql = sqlite3_mprintf("SELECT 1 FROM pragma_table_info('%q%q') WHERE name = '%q'", s->host->prefix(s->in),
		t->name, t->columns[i].name);
	int code = sql ? sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) : SQLITE_NOMEM;
	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	*out = code == SQLITE_ROW;
	sqlite3_finalize(st);
	sqlite3_free(sql);
	return code == SQLITE_ROW || code == SQLITE_DONE ? TALLY_SINK_OK : sq_fail(s, "looking at the tables");
}

/* In a table of before. */
static int add_later(struct sq *s, const struct tally_table *t)
{
	int rc = TALLY_SINK_OK;
	for (uint32_t i = 0; i < t->ncolumns && rc == TALLY_SINK_OK; i++) {
		bool there = true;
		if (since(s, t, i) == TALLY_SINCE_LATER)
			rc = has_column(s, t, i, &there);
		if (rc != TALLY_SINK_OK || there)
			continue;
		sqlite3_str *out = sqlite3_str_new(s->db);
		sqlite3_str_appendf(out, "ALTER TABLE \"%w%w\" ADD COLUMN ", s->host->prefix(s->in), t->name);
		append_column(s, out, t, i);
		char *sql = sqlite3_str_finish(out);
		rc = sq_exec(s, sql);
		sqlite3_free(sql);
	}
	return rc;
}

/* Of tables that are as they were made; one of an earlier release may lack its index. */
static int create_indexes(struct sq *s)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	int rc = TALLY_SINK_OK;
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++) {
		if (!tables[i]->index)
			continue;
		char *sql = index_sql(s, tables[i]);
		rc = sq_exec(s, sql);
		sqlite3_free(sql);
	}
	return rc;
}

static int create_all(struct sq *s)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	int rc = create_own(s);
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++) {
		char *sql = create_sql(s, tables[i]);
		rc = sq_exec(s, sql);
		sqlite3_free(sql);
		if (rc == TALLY_SINK_OK)
			rc = add_later(s, tables[i]);
	}
	return rc;
}

static int prepare(struct sq *s, const char *sql, sqlite3_stmt **out)
{
	if (!sql || sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
		return sq_fail(s, "a table is not as it was made: restore it");
	return TALLY_SINK_OK;
}

static int prepare_all(struct sq *s)
{
	const struct tally_table *const *tables;
	s->ntables = s->host->tables(s->in, &tables);
	s->tables = calloc(s->ntables + 1, sizeof *s->tables);
	if (!s->tables)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, SQLITE_NOMEM, "out of memory");
	char *sql = sqlite3_mprintf("UPDATE \"%wtally_position\" SET lsn = ?1, mark = ?2, committed = ?3"
				    " WHERE node = ?4 AND line = ?5 AND lsn = ?6 AND mark = ?7",
		s->host->prefix(s->in));
	int rc = prepare(s, sql, &s->move);
	sqlite3_free(sql);
	for (size_t i = 0; i < s->ntables && rc == TALLY_SINK_OK; i++) {
		s->tables[i].table = tables[i];
		s->tables[i].name = sqlite3_mprintf("%s", tables[i]->name);
		sql = put_sql(s, tables[i]);
		rc = prepare(s, sql, &s->tables[i].put);
		sqlite3_free(sql);
	}
	return rc;
}

const char *sq_type(uint32_t type)
{
	return type_names[type];
}

static int check_all(struct sq *s)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	int rc = TALLY_SINK_OK;
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++)
		rc = sq_check(s, tables[i]);
	return rc;
}

int sq_schema(struct sq *s)
{
	int rc = sq_exec(s, "BEGIN IMMEDIATE");
	if (rc == TALLY_SINK_OK)
		rc = create_all(s);
	if (rc == TALLY_SINK_OK)
		rc = sq_exec(s, "COMMIT");
	if (rc == TALLY_SINK_OK)
		rc = check_all(s);
	if (rc == TALLY_SINK_OK)
		rc = create_indexes(s);
	return rc == TALLY_SINK_OK ? prepare_all(s) : rc;
}

struct sq_table *sq_table_of(struct sq *s, const struct tally_table *t)
{
	for (size_t i = 0; i < s->ntables; i++)
		if (s->tables[i].table == t)
			return &s->tables[i];
	return NULL;
}

bool sq_schema_is_current(struct sq *s)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	bool same = n == s->ntables;
	for (size_t i = 0; i < n && same; i++)
		same = s->tables[i].table == tables[i] && s->tables[i].name &&
		       strcmp(s->tables[i].name, tables[i]->name) == 0;
	return same;
}

void sq_schema_forget(struct sq *s)
{
	for (size_t i = 0; i < s->ntables; i++) {
		sqlite3_finalize(s->tables[i].put);
		sqlite3_free(s->tables[i].name);
	}
	sqlite3_finalize(s->move);
	free(s->tables);
	s->tables = NULL;
	s->ntables = 0;
	s->move = NULL;
}
