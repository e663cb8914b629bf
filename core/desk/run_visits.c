/* SPDX-License-Identifier: Apache-2.0 */
/* Visits one by one, from the table that has a row of each: at most limits.query_rows of them. A visit counts where it
 * began. */
#include <errno.h>

#include "desk/run.h"

struct visit_scan {
	struct run *run;
	const struct tally_column *columns; /* of tally_visit */
	int at[VIC_COLUMNS];                /* place in the result, -1 = not read */
	uint64_t max_rows;
	struct tally_str fields[QUERY_FIELDS_MAX];
};

/* Assumes: query_check_pairs() let it through. */
static enum schema_visit_column field_column(const struct query_field *f)
{
	int value = f->kind == TALLY_DIM_PROP ? conf_visit_value(f->key) : -1;
	if (value >= 0)
		return VIC_VALUES + (unsigned)value;
	return f->kind == TALLY_DIM_ENTRY_PAGE ? VIC_ENTRY : f->kind == TALLY_DIM_EXIT_PAGE ? VIC_EXIT : VIC_REFERRER;
}

static enum schema_visit_column need_column(uint32_t kind)
{
	static const enum schema_visit_column columns[] = { [TALLY_VISITS] = VIC_VISITS,
		[TALLY_BOUNCES] = VIC_BOUNCES,
		[TALLY_DURATION] = VIC_DURATION,
		[TALLY_VIEWS] = VIC_VIEWS };
	return columns[kind];
}

static void want(struct visit_scan *s, struct store_sql *sql, enum schema_visit_column c)
{
	if (s->at[c] >= 0)
		return;
	s->at[c] = (int)sql->ncolumns;
	store_sql_column(sql, "", s->columns[c].name, "", s->columns[c].type);
}

static const char *narrow_column(const struct run *r, unsigned field)
{
	const struct schema *schema = store_options(store_of(r->reader))->schema;
	return schema->fixed[SCHEMA_VISIT].columns[field_column(&r->q->fields[field])].name;
}

static void put_statement(struct visit_scan *s, struct store_sql *sql)
{
	struct run *r = s->run;
	const struct plan_needs *needs = &r->plan->needs;
	store_sql_open(sql, r->arena);
	out_lit(&sql->text, "SELECT ");
	want(s, sql, VIC_TIME);
	for (size_t i = 0; i < r->q->nfields; i++)
		want(s, sql, field_column(&r->q->fields[i]));
	for (size_t i = 0; i < needs->n; i++)
		if (plan_is_of_visits(needs->need[i].kind))
			want(s, sql, need_column(needs->need[i].kind));
	run_put_source(r, sql, SCHEMA_VISIT, narrow_column);
	out_lit(&sql->text, " LIMIT ");
	store_sql_int(sql, (int64_t)s->max_rows + 1);
}

static int take_row(void *arg, const struct tally_cell *cells)
{
	struct visit_scan *s = arg;
	struct run *r = s->run;
	const struct plan_needs *needs = &r->plan->needs;
	if (++r->rows_read > s->max_rows) {
		query_fail(r->err, 422, "too_expensive", "it would read more than %llu rows of visits and events",
			(unsigned long long)s->max_rows);
		return RUN_STOP;
	}
	if (run_out_of_time(r))
		return RUN_STOP;
	for (size_t i = 0; i < r->q->nfields; i++) {
		const struct tally_cell *c = &cells[s->at[field_column(&r->q->fields[i])]];
		s->fields[i] = c->null ? (struct tally_str){ 0 } : str_make(c->v.ptr, c->len);
	}
	if (r->q->filter && !query_passes(r->q->filter, s->fields))
		return 0;
	size_t bucket = plan_axis_find(&r->plan->axis, cells[s->at[VIC_TIME]].v.i);
	struct group *g = groups_place(&r->groups, bucket, s->fields);
	if (!g)
		return run_too_big(r);
	for (size_t i = 0; i < needs->n; i++)
		if (plan_is_of_visits(needs->need[i].kind))
			group_add_count(&g->amounts[i], cells[s->at[need_column(needs->need[i].kind)]].v.i);
	return 0;
}

int run_visits(struct run *r)
{
	const struct store_options *opt = store_options(store_of(r->reader));
	struct visit_scan s = {
		.run = r, .columns = opt->schema->fixed[SCHEMA_VISIT].columns, .max_rows = opt->max_rows
	};
	struct store_sql sql;
	for (int i = 0; i < VIC_COLUMNS; i++)
		s.at[i] = -1;
	put_statement(&s, &sql);
	int rc = run_statement(r, &sql, take_row, &s);
	if (rc == -EINVAL && strcmp(r->err->code, "too_expensive") == 0)
		run_add_advice(r);
	return rc;
}
