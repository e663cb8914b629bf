/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/run.h"

#include <errno.h>

#define NARROW_VALUES_MAX 200

int run_too_big(struct run *r)
{
	query_fail(r->err, 422, "too_expensive",
		"the answer has too many rows to be added up (%zu so far): ask for fewer dimensions or a shorter range",
		r->groups.n);
	return RUN_STOP;
}

#define LOOK_EVERY 64 /* rows */

bool run_out_of_time(struct run *r)
{
	if (r->rows_read % LOOK_EVERY || store_time_left(r->reader) > 1)
		return false;
	query_fail(r->err, 422, "too_expensive", "it was not done within %.1f s, with %llu rows read",
		(double)store_options(store_of(r->reader))->timeout_us / 1e6, (unsigned long long)r->rows_read);
	return true;
}

/* One that is asked again and again, for other rows of the piece, is noted once. */
static struct run_statement *note(struct run *r, struct tally_str sql)
{
	const struct plan_piece *piece = &r->plan->pieces[r->piece];
	struct run_statement *s = r->last;
	if (s && str_eq(s->sql, sql) && s->piece.from_us == piece->from_us)
		return s;
	s = arena_zalloc(r->arena, sizeof *s);
	s->sql = sql;
	s->piece = *piece;
	if (r->last)
		r->last->next = s;
	else
		r->statements = s;
	r->last = s;
	return s;
}

int run_statement(struct run *r, const struct store_sql *sql, tally_row_fn fn, void *arg)
{
	uint64_t before = r->rows_read;
	struct run_statement *s = note(r, out_text(&sql->text));
	int rc = store_read(r->reader, sql, fn, arg, r->err);
	s->rows += r->rows_read - before;
	return rc > 0 ? -EINVAL : rc;
}

/* folds: rows of any value may stand under "(other)"; that they are there is to be known. */
static bool narrow_by(struct store_sql *sql, const struct query_filter *f, const char *column, bool folds)
{
	if (!column || f->op != QF_IS || f->negated || f->folded || f->nvalues > NARROW_VALUES_MAX ||
		sql->nparams + f->nvalues + 8 > STORE_PARAMS_MAX)
		return false;
	out_lit(&sql->text, " AND ");
	store_sql_name(sql, column);
	for (size_t i = 0; i < f->nvalues; i++) {
		out_lit(&sql->text, i ? ", " : " IN (");
		store_sql_text(sql, f->values[i]);
	}
	out_lit(&sql->text, folds ? ", '(other)')" : ")");
	return true;
}

bool run_narrow_by(struct store_sql *sql, const struct query_filter *f, const char *column)
{
	return narrow_by(sql, f, column, false);
}

void run_narrow(struct run *r, struct store_sql *sql, const char *(*column_of)(const struct run *r, unsigned field))
{
	const struct query_filter *f = r->q->filter;
	if (!f)
		return;
	if (f->op == QF_IS)
		narrow_by(sql, f, column_of(r, f->field), r->plan->rollup != NULL);
	for (size_t i = 0; f->op == QF_AND && i < f->nkids; i++)
		if (f->kids[i]->op == QF_IS)
			narrow_by(sql, f->kids[i], column_of(r, f->kids[i]->field), r->plan->rollup != NULL);
}

int run_scan(struct run *r)
{
	int rc = plan_needs_events(&r->plan->needs) ? run_raw(r) : 0;
	return rc == 0 && plan_needs_visits(&r->plan->needs) ? run_visits(r) : rc;
}

int run_plan(struct run *r, const struct query *q, const struct plan *plan, struct store_reader *reader,
	struct arena *a, struct query_error *err)
{
	*r = (struct run){ .q = q, .plan = plan, .reader = reader, .arena = a, .err = err };
	groups_open(&r->groups, q, &plan->needs, a);
	int rc = plan->rollup ? run_rollup(r) : run_scan(r);
	groups_seal(&r->groups);
	/* a series, and a question without dimensions, get their rows whatever is in them */
	if (rc == 0 && plan_needs_visits(&plan->needs) && q->ndims && q->form != QUERY_SERIES)
		groups_drop_nothing(&r->groups);
	return rc;
}

void run_put_source(struct run *r, struct store_sql *sql, unsigned table,
	const char *(*column_of)(const struct run *r, unsigned field))
{
	out_lit(&sql->text, " FROM ");
	store_sql_table(sql, store_of(r->reader), store_options(store_of(r->reader))->schema->fixed[table].name);
	out_lit(&sql->text, " WHERE `site` = ");
	store_sql_text(sql, r->q->site);
	out_lit(&sql->text, " AND `time` >= ");
	store_sql_int(sql, r->plan->pieces[r->piece].from_us);
	out_lit(&sql->text, " AND `time` < ");
	store_sql_int(sql, r->plan->pieces[r->piece].to_us);
	run_narrow(r, sql, column_of);
}
