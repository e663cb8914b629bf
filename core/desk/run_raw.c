/* SPDX-License-Identifier: Apache-2.0 */
/* Raw events, one by one: only the columns that the question needs, at most limits.query_rows of them. */
#include <errno.h>

#include "desk/raw.h"
#include "text/tree.h"
#include "sketch/hll.h"

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

static void put_statement(struct raw_scan *s, struct store_sql *sql)
{
	const struct plan_needs *needs = &s->run->plan->needs;
	raw_sql_open(s, sql);
	for (size_t i = 0; i < needs->n; i++)
		if (!plan_is_of_visits(needs->need[i].kind))
			raw_want(s, sql, need_column(&needs->need[i]));
	raw_put_source(s, sql);
	raw_put_limit(s, sql);
}

/* ---- a row ---- */

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
		if (plan_is_of_visits(n->kind))
			continue; /* run_visits.c */
		if (n->kind == TALLY_EVENTS) {
			group_add_count(am, weight);
		} else if (n->kind == TALLY_PAGEVIEWS) {
			struct tally_str name = raw_text(s, cells, EVC_NAME);
			group_add_count(am, str_eq(name, STR("view")) || str_eq(name, STR("pageview")) ? weight : 0);
		} else if (n->kind == TALLY_VISITORS) {
			rc = add_visitor(s, am, raw_text(s, cells, EVC_VISITOR));
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

/* What would have done. */
void run_add_advice(struct run *r)
{
	const struct plan *p = r->plan;
	struct query_error was = *r->err;
	struct tally_str line = plan_declaration(r->q, r->arena);
	if (p->rollup)
		query_fail(r->err, was.status, was.code,
			"%s to answer for bounds that cut rows of the rollup %.*s: let the "
			"range begin and end on the quarter hour",
			was.detail, (int)p->rollup->rollup->name.len, p->rollup->rollup->name.ptr);
	else if (p->held)
		query_fail(r->err, was.status, was.code, "%s; the rollup %.*s holds it, but %s", was.detail,
			(int)p->held->name.len, p->held->name.ptr, p->held_why);
	else
		query_fail(r->err, was.status, was.code, "%s; ask for a shorter range, or declare a rollup: %.*s",
			was.detail, (int)line.len, line.ptr);
	r->err->declare = p->held || p->rollup ? NULL : arena_copy(r->arena, line.ptr, line.len);
}

static int take_row(void *arg, const struct tally_cell *cells)
{
	struct raw_scan *s = arg;
	struct run *r = s->run;
	int64_t time = cells[s->at[EVC_TIME]].v.i, weight = cells[s->at[EVC_WEIGHT]].v.i;
	if (++r->rows_read > s->max_rows)
		return raw_too_many(s);
	if (run_out_of_time(r))
		return RUN_STOP;
	const struct tree_node *props = raw_props(s, cells);
	raw_read_fields(s, cells, props);
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
	struct raw_scan s;
	struct store_sql sql;
	raw_open(&s, r);
	put_statement(&s, &sql);
	int rc = run_statement(r, &sql, take_row, &s);
	raw_close(&s);
	if (rc == -EINVAL && strcmp(r->err->code, "too_expensive") == 0)
		run_add_advice(r);
	return rc;
}
