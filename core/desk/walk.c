/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/walk.h"

#include <errno.h>

#include "base/table.h"
#include "desk/raw.h"

#define ENTRY_BYTES 96 /* of a visitor, beside key and state: place in the table, allocations */

struct walk {
	struct raw_scan raw;
	struct table visitors;
	struct walk_result *out;
	int64_t *cells;
	size_t bytes;
};

/* ---- the plan ---- */

int walk_plan(
	const struct query *q, const struct plan_store *st, struct arena *a, struct plan *out, struct query_error *err)
{
	char since[40];
	*out = (struct plan){ .range = q->range, .npieces = 1, .name_dim = -1 };
	out->pieces = arena_zalloc(a, sizeof *out->pieces);
	out->pieces[0] = (struct plan_piece){ q->range.from_us, q->range.to_us, PLAN_EVENTS };
	if (plan_axis(q, q->range, a, &out->axis) || out->axis.n > QUERY_PERIODS_MAX) {
		query_fail(err, 400, "too_many_buckets",
			"the range has more than %d periods: ask for longer ones or a shorter range",
			QUERY_PERIODS_MAX);
		return query_fail_at(err, "period", -1);
	}
	if (q->range.from_us >= st->raw_horizon_us)
		return 0;
	since[zone_format(zone_utc(), st->raw_horizon_us, since)] = 0;
	return query_fail(err, 422, "not_covered",
		"this is answered from raw events, which are kept only since %s: begin the range there", since);
}

/* ---- the statement ---- */

/* The test on this field that every event of the step passes, NULL = there is none. */
static const struct query_filter *test_on(const struct query_step *step, unsigned field)
{
	const struct query_filter *f = step->filter;
	if (!f)
		return NULL;
	if (f->op == QF_IS && !f->negated && !f->folded && f->field == field)
		return f;
	for (size_t i = 0; f->op == QF_AND && i < f->nkids; i++) {
		const struct query_filter *kid = f->kids[i];
		if (kid->op == QF_IS && !kid->negated && !kid->folded && kid->field == field)
			return kid;
	}
	return NULL;
}

/* What no step looks at need not be read: if all of them name values of one field, only events with one of those. */
static bool narrow_by_field(struct run *r, struct store_sql *sql, unsigned field)
{
	struct query_filter all = { .op = QF_IS, .field = field };
	const struct query *q = r->q;
	for (size_t i = 0; i < q->nsteps; i++) {
		const struct query_filter *f = test_on(&q->steps[i], field);
		if (!f)
			return false;
		all.nvalues += f->nvalues;
	}
	all.values = arena_alloc(r->arena, (all.nvalues + 1) * sizeof *all.values);
	size_t n = 0;
	for (size_t i = 0; i < q->nsteps; i++) {
		const struct query_filter *f = test_on(&q->steps[i], field);
		memcpy(all.values + n, f->values, f->nvalues * sizeof *all.values);
		n += f->nvalues;
	}
	return run_narrow_by(sql, &all, raw_column(r, field));
}

static void put_statement(struct walk *w, struct store_sql *sql)
{
	struct raw_scan *s = &w->raw;
	raw_sql_open(s, sql);
	raw_want(s, sql, EVC_VISITOR);
	raw_put_source(s, sql);
	for (unsigned i = 0; i < s->run->q->nfields; i++)
		if (narrow_by_field(s->run, sql, i))
			break;
	out_lit(&sql->text, " ORDER BY `time`, `node`, `lsn`, `idx`"); /* as the index has them */
	raw_put_limit(s, sql);
}

/* ---- a row ---- */

static void *state_of(struct walk *w, struct tally_str visitor)
{
	struct run *r = w->raw.run;
	bool funnel = r->q->form == QUERY_FUNNEL;
	void **place = table_place(&w->visitors, visitor);
	if (*place)
		return *place;
	size_t bytes = funnel ? r->q->nsteps * sizeof(int64_t) : sizeof(struct retention_state);
	w->bytes += ENTRY_BYTES + bytes + visitor.len;
	*place = arena_zalloc(r->arena, bytes);
	if (funnel)
		funnel_begin(*place, r->q->nsteps);
	else
		((struct retention_state *)*place)->cohort = -1;
	return *place;
}

static int too_many_visitors(struct run *r, const struct walk *w)
{
	query_fail(r->err, 422, "too_expensive",
		"more than %zu visitors would have to be followed: ask for a shorter range or narrower filters",
		w->visitors.count);
	return RUN_STOP;
}

/* Which steps the event in hand is one of; false = none. */
static bool find_steps(struct walk *w, bool step[QUERY_STEPS_MAX])
{
	const struct query *q = w->raw.run->q;
	bool some = false;
	for (size_t i = 0; i < q->nsteps; i++) {
		step[i] = !q->steps[i].filter || query_passes(q->steps[i].filter, w->raw.fields);
		some |= step[i];
	}
	return some;
}

static int take_row(void *arg, const struct tally_cell *cells)
{
	struct walk *w = arg;
	struct raw_scan *s = &w->raw;
	struct run *r = s->run;
	const struct query *q = r->q;
	bool step[QUERY_STEPS_MAX];
	int64_t time = cells[s->at[EVC_TIME]].v.i;
	if (++r->rows_read > s->max_rows)
		return raw_too_many(s);
	if (run_out_of_time(r))
		return RUN_STOP;
	struct tally_str visitor = raw_text(s, cells, EVC_VISITOR);
	raw_read_fields(s, cells, raw_props(s, cells));
	if (visitor.len == 0 || (q->filter && !query_passes(q->filter, s->fields)) || !find_steps(w, step))
		return 0;
	r->thinned |= cells[s->at[EVC_WEIGHT]].v.i > 1;
	void *state = state_of(w, visitor);
	if (w->bytes > GROUPS_BYTES_MAX)
		return too_many_visitors(r, w);
	if (q->form == QUERY_FUNNEL)
		funnel_take(state, q->nsteps, q->window_us, time, step, w->out->reached);
	else
		retention_take(state, w->out->periods, plan_axis_find(&r->plan->axis, time), step, w->cells);
	return 0;
}

static void add_advice(struct run *r)
{
	struct query_error was = *r->err;
	query_fail(r->err, was.status, was.code,
		"%s; no rollup knows what a visitor did one after the other: ask for a shorter range or narrower filters",
		was.detail);
}

int walk_run(struct run *r, const struct query *q, const struct plan *plan, struct store_reader *reader,
	struct arena *a, struct walk_result *out, struct query_error *err)
{
	struct walk w = { .out = out };
	struct store_sql sql;
	*r = (struct run){ .q = q, .plan = plan, .reader = reader, .arena = a, .err = err };
	groups_open(&r->groups, q, &plan->needs, a);
	*out = (struct walk_result){ .periods = plan->axis.n };
	out->cells = w.cells = arena_zalloc(a, (plan->axis.n * plan->axis.n + 1) * sizeof *w.cells);
	raw_open(&w.raw, r);
	put_statement(&w, &sql);
	int rc = run_statement(r, &sql, take_row, &w);
	if (rc == -EINVAL && strcmp(err->code, "too_expensive") == 0 && w.bytes <= GROUPS_BYTES_MAX)
		add_advice(r);
	raw_close(&w.raw);
	table_free(&w.visitors);
	return rc;
}
