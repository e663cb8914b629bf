/* SPDX-License-Identifier: Apache-2.0 */
/* Raw events, one by one: only the columns that the question needs, at most limits.query_rows of them. */
#include <errno.h>

#include "desk/run.h"
#include "text/tree.h"
#include "sketch/hll.h"

#define PROPS_DEPTH 4

struct raw_scan {
	struct run *run;
	const struct tally_column *columns; /* of tally_event */
	int at[EVC_COLUMNS];                /* place in the result, -1 = not read */
	struct arena row;                   /* props of the row in hand */
	uint64_t max_rows;
	struct tally_str fields[QUERY_FIELDS_MAX];
};

static const enum schema_event_column field_columns[] = {
	[TALLY_DIM_NAME] = EVC_NAME,
	[TALLY_DIM_PAGE] = EVC_PAGE,
	[TALLY_DIM_HOST] = EVC_HOST,
	[TALLY_DIM_REFERRER] = EVC_REFERRER,
	[TALLY_DIM_PROP] = EVC_PROPS,
};

/* ---- the statement ---- */

static enum schema_event_column need_column(const struct plan_need *n)
{
	switch (n->kind) {
	case TALLY_EVENTS:
		return EVC_WEIGHT;
	case TALLY_PAGEVIEWS:
		return EVC_NAME;
	case TALLY_VISITORS:
		return EVC_VISITOR;
	default:
		return n->is_prop ? EVC_PROPS : EVC_VALUE;
	}
}

static void want(struct raw_scan *s, struct store_sql *sql, enum schema_event_column c)
{
	if (s->at[c] >= 0)
		return;
	s->at[c] = (int)sql->ncolumns;
	store_sql_column(sql, "", s->columns[c].name, "", s->columns[c].type);
}

static const char *narrow_column(const struct run *r, unsigned field)
{
	const struct schema *schema = store_options(store_of(r->reader))->schema;
	uint32_t kind = r->q->fields[field].kind;
	return kind == TALLY_DIM_PROP ? NULL : schema->fixed[SCHEMA_EVENT].columns[field_columns[kind]].name;
}

static void put_statement(struct raw_scan *s, struct store_sql *sql)
{
	struct run *r = s->run;
	const struct plan_needs *needs = &r->plan->needs;
	store_sql_open(sql, r->arena);
	out_lit(&sql->text, "SELECT ");
	want(s, sql, EVC_TIME);
	want(s, sql, EVC_WEIGHT);
	for (size_t i = 0; i < r->q->nfields; i++)
		want(s, sql, field_columns[r->q->fields[i].kind]);
	for (size_t i = 0; i < needs->n; i++)
		want(s, sql, need_column(&needs->need[i]));
	out_lit(&sql->text, " FROM ");
	store_sql_table(sql, store_of(r->reader), store_options(store_of(r->reader))->schema->fixed[SCHEMA_EVENT].name);
	out_lit(&sql->text, " WHERE `site` = ");
	store_sql_text(sql, r->q->site);
	out_lit(&sql->text, " AND `time` >= ");
	store_sql_int(sql, r->plan->range.from_us);
	out_lit(&sql->text, " AND `time` < ");
	store_sql_int(sql, r->plan->range.to_us);
	run_narrow(r, sql, narrow_column);
	out_lit(&sql->text, " LIMIT ");
	store_sql_int(sql, (int64_t)s->max_rows + 1);
}

/* ---- a row ---- */

static struct tally_str text_at(const struct raw_scan *s, const struct tally_cell *cells, enum schema_event_column c)
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

static void read_fields(struct raw_scan *s, const struct tally_cell *cells, const struct tree_node *props)
{
	const struct query *q = s->run->q;
	for (size_t i = 0; i < q->nfields; i++)
		s->fields[i] = q->fields[i].kind == TALLY_DIM_PROP
				       ? prop_text(props, q->fields[i].key)
				       : text_at(s, cells, field_columns[q->fields[i].kind]);
}

/* The number a SUM, MIN, MAX or QUANTILE is about; false = this event has none. */
static bool read_number(const struct raw_scan *s, const struct plan_need *n, const struct tally_cell *cells,
	const struct tree_node *props, double *out)
{
	if (!n->is_prop) {
		const struct tally_cell *value = &cells[s->at[EVC_VALUE]];
		*out = value->v.d;
		return !value->null;
	}
	const struct tree_node *t = props ? tree_get(props, n->field) : NULL;
	if (!t || t->kind != JSON_NUMBER)
		return false;
	*out = t->number;
	return true;
}

static int add_visitor(struct raw_scan *s, struct group_amount *am, struct tally_str visitor)
{
	return visitor.len ? group_add_hash(&s->run->groups, am, hll_hash(visitor.ptr, visitor.len)) : 0;
}

static int add_needs(struct raw_scan *s, struct group *g, int64_t weight, const struct tally_cell *cells,
	const struct tree_node *props)
{
	const struct plan_needs *needs = &s->run->plan->needs;
	for (size_t i = 0; i < needs->n; i++) {
		const struct plan_need *n = &needs->need[i];
		struct group_amount *am = &g->amounts[i];
		double number;
		int rc = 0;
		if (n->kind == TALLY_EVENTS) {
			group_add_count(am, weight);
		} else if (n->kind == TALLY_PAGEVIEWS) {
			struct tally_str name = text_at(s, cells, EVC_NAME);
			group_add_count(am, str_eq(name, STR("view")) || str_eq(name, STR("pageview")) ? weight : 0);
		} else if (n->kind == TALLY_VISITORS) {
			rc = add_visitor(s, am, text_at(s, cells, EVC_VISITOR));
		} else if (!read_number(s, n, cells, props, &number)) {
			continue;
		} else if (n->kind == TALLY_QUANTILE) {
			rc = group_add_value(&s->run->groups, am, number, (uint64_t)weight);
		} else {
			group_add_number(am, n->kind, n->kind == TALLY_SUM ? number * (double)weight : number, weight);
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int too_expensive(struct raw_scan *s)
{
	query_fail(s->run->err, 422, "too_expensive", "it would read more than %llu raw events",
		(unsigned long long)s->max_rows);
	return RUN_STOP;
}

/* What would have done. */
static void add_advice(struct run *r)
{
	const struct plan *p = r->plan;
	struct query_error was = *r->err;
	struct tally_str line = plan_declaration(r->q, r->arena);
	if (p->held)
		query_fail(r->err, was.status, was.code, "%s; the rollup %.*s holds it, but %s", was.detail,
			(int)p->held->name.len, p->held->name.ptr, p->held_why);
	else
		query_fail(r->err, was.status, was.code, "%s; ask for a shorter range, or declare a rollup: %.*s",
			was.detail, (int)line.len, line.ptr);
	r->err->declare = p->held ? NULL : arena_copy(r->arena, line.ptr, line.len);
}

static const struct tree_node *parse_props(struct raw_scan *s, const struct tally_cell *cells)
{
	const struct tree_node *props;
	if (s->at[EVC_PROPS] < 0)
		return NULL;
	arena_reset(&s->row);
	struct tally_str json = text_at(s, cells, EVC_PROPS);
	return json.len && tree_parse(&s->row, json, PROPS_DEPTH, &props, NULL) == 0 ? props : NULL;
}

static int take_row(void *arg, const struct tally_cell *cells)
{
	struct raw_scan *s = arg;
	struct run *r = s->run;
	int64_t time = cells[s->at[EVC_TIME]].v.i, weight = cells[s->at[EVC_WEIGHT]].v.i;
	if (++r->rows_read > s->max_rows)
		return too_expensive(s);
	if (run_out_of_time(r))
		return RUN_STOP;
	const struct tree_node *props = parse_props(s, cells);
	read_fields(s, cells, props);
	if (r->q->filter && !query_passes(r->q->filter, s->fields))
		return 0;
	r->thinned |= weight > 1;
	struct group *g = groups_place(&r->groups, plan_axis_find(&r->plan->axis, time), s->fields);
	if (!g || add_needs(s, g, weight, cells, props))
		return run_too_big(r);
	return 0;
}

int run_raw(struct run *r)
{
	const struct store_options *opt = store_options(store_of(r->reader));
	struct raw_scan s = {
		.run = r, .columns = opt->schema->fixed[SCHEMA_EVENT].columns, .max_rows = opt->max_rows
	};
	struct store_sql sql;
	for (int i = 0; i < EVC_COLUMNS; i++)
		s.at[i] = -1;
	arena_init(&s.row, 0);
	put_statement(&s, &sql);
	r->piece = 0;
	int rc = run_statement(r, &sql, take_row, &s);
	arena_free(&s.row);
	if (rc == -EINVAL && strcmp(r->err->code, "too_expensive") == 0)
		add_advice(r);
	return rc;
}
