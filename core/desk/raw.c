/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/raw.h"

#define PROPS_DEPTH 4

static const enum schema_event_column field_columns[] = {
	[TALLY_DIM_NAME] = EVC_NAME,
	[TALLY_DIM_PAGE] = EVC_PAGE,
	[TALLY_DIM_HOST] = EVC_HOST,
	[TALLY_DIM_REFERRER] = EVC_REFERRER,
	[TALLY_DIM_PROP] = EVC_PROPS,
};

void raw_open(struct raw_scan *s, struct run *r)
{
	const struct store_options *opt = store_options(store_of(r->reader));
	*s = (struct raw_scan){
		.run = r, .columns = opt->schema->fixed[SCHEMA_EVENT].columns, .max_rows = opt->max_rows
	};
	for (int i = 0; i < EVC_COLUMNS; i++)
		s->at[i] = -1;
	arena_init(&s->row, 0);
}

void raw_close(struct raw_scan *s)
{
	arena_free(&s->row);
}

/* ---- the statement ---- */

void raw_want(struct raw_scan *s, struct store_sql *sql, enum schema_event_column c)
{
	if (s->at[c] >= 0)
		return;
	s->at[c] = (int)sql->ncolumns;
	store_sql_column(sql, "", s->columns[c].name, "", s->columns[c].type);
}

const char *raw_column(const struct run *r, unsigned field)
{
	const struct schema *schema = store_options(store_of(r->reader))->schema;
	uint32_t kind = r->q->fields[field].kind;
	return kind == TALLY_DIM_PROP ? NULL : schema->fixed[SCHEMA_EVENT].columns[field_columns[kind]].name;
}

void raw_sql_open(struct raw_scan *s, struct store_sql *sql)
{
	const struct query *q = s->run->q;
	store_sql_open(sql, s->run->arena);
	out_lit(&sql->text, "SELECT ");
	raw_want(s, sql, EVC_TIME);
	raw_want(s, sql, EVC_WEIGHT);
	for (size_t i = 0; i < q->nfields; i++)
		raw_want(s, sql, field_columns[q->fields[i].kind]);
}

void raw_put_source(struct raw_scan *s, struct store_sql *sql)
{
	run_put_source(s->run, sql, SCHEMA_EVENT, raw_column);
}

void raw_put_limit(struct raw_scan *s, struct store_sql *sql)
{
	out_lit(&sql->text, " LIMIT ");
	store_sql_int(sql, (int64_t)s->max_rows + 1);
}

/* ---- a row ---- */

struct tally_str raw_text(const struct raw_scan *s, const struct tally_cell *cells, enum schema_event_column c)
{
	const struct tally_cell *cell = &cells[s->at[c]];
	return cell->null ? (struct tally_str){ 0 } : str_make(cell->v.ptr, cell->len);
}

static struct tally_str prop_text(const struct tree_node *props, struct tally_str key)
{
	const struct tree_node *t = props ? tree_get(props, key) : NULL;
	if (!t || t->kind == JSON_NULL)
		return (struct tally_str){ 0 };
	return t->kind == JSON_TRUE ? STR("true") : t->kind == JSON_FALSE ? STR("false") : t->text;
}

void raw_read_fields(struct raw_scan *s, const struct tally_cell *cells, const struct tree_node *props)
{
	const struct query *q = s->run->q;
	for (size_t i = 0; i < q->nfields; i++)
		s->fields[i] = q->fields[i].kind == TALLY_DIM_PROP
				       ? prop_text(props, q->fields[i].key)
				       : raw_text(s, cells, field_columns[q->fields[i].kind]);
}

const struct tree_node *raw_props(struct raw_scan *s, const struct tally_cell *cells)
{
	const struct tree_node *props;
	if (s->at[EVC_PROPS] < 0)
		return NULL;
	arena_reset(&s->row);
	struct tally_str json = raw_text(s, cells, EVC_PROPS);
	return json.len && tree_parse(&s->row, json, PROPS_DEPTH, &props, NULL) == 0 ? props : NULL;
}

int raw_too_many(struct raw_scan *s)
{
	query_fail(s->run->err, 422, "too_expensive", "it would read more than %llu raw events",
		(unsigned long long)s->max_rows);
	return RUN_STOP;
}
