/* SPDX-License-Identifier: Apache-2.0 */
/* A statement's text and parameters, put together. */
#include "desk/store.h"

void store_sql_open(struct store_sql *sql, struct arena *a)
{
	sql->nparams = sql->ncolumns = 0;
	sql->params = arena_alloc(a, STORE_PARAMS_MAX * sizeof *sql->params);
	sql->types = arena_alloc(a, STORE_PARAMS_MAX * sizeof *sql->types);
	out_open(&sql->text, a);
}

void store_sql_name(struct store_sql *sql, const char *name)
{
	text_printf(&sql->text, "`%s`", name);
}

void store_sql_table(struct store_sql *sql, const struct store *s, const char *name)
{
	text_printf(&sql->text, "`%s%s`", store_options(s)->prefix, name);
}

static struct tally_cell *param(struct store_sql *sql, uint32_t type)
{
	MUST(sql->nparams < STORE_PARAMS_MAX);
	sql->types[sql->nparams] = type;
	sql->params[sql->nparams] = (struct tally_cell){ 0 };
	out_lit(&sql->text, "?");
	return &sql->params[sql->nparams++];
}

void store_sql_int(struct store_sql *sql, int64_t value)
{
	param(sql, TALLY_T_INT)->v.i = value;
}

void store_sql_text(struct store_sql *sql, struct tally_str value)
{
	struct tally_cell *c = param(sql, TALLY_T_TEXT);
	c->v.ptr = value.ptr ? value.ptr : "";
	c->len = (uint32_t)value.len;
}

void store_sql_bytes(struct store_sql *sql, const void *bytes, size_t len)
{
	struct tally_cell *c = param(sql, TALLY_T_BLOB);
	c->v.ptr = bytes;
	c->len = (uint32_t)len;
}

void store_sql_column(struct store_sql *sql, const char *before, const char *name, const char *after, uint32_t type)
{
	MUST(sql->ncolumns < STORE_COLUMNS_MAX);
	text_printf(&sql->text, "%s%s`%s`%s", sql->ncolumns ? ", " : "", before, name, after);
	sql->columns[sql->ncolumns++] = type;
}
