/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a rollup. SQL adds what adds; sketches come row by row and are merged here. A row's columns:
 *
 *     [bucket, if there is a time dimension] [event:name, if pageviews are counted by it] a column a field of the
 *     query, then for each need one column (SUM: two, the sum and the count)
 *
 * Without sketches the statement groups by all but the needs; filters are made on the groups. */
#include <errno.h>

#include "desk/pick.h"

struct rollup_scan {
	struct run *run;
	const struct schema_rollup *rollup;
	bool by_bucket, by_name, sketches;
	struct tally_str fields[QUERY_FIELDS_MAX];
};

static const char *dim_column(const struct schema_rollup *r, unsigned dim)
{
	return r->table.columns[r->first_dim + dim].name;
}

static const char *metric_column(const struct rollup_scan *s, size_t need, uint32_t more)
{
	uint32_t first = s->rollup->metric_column[s->run->plan->column[need]];
	return s->rollup->table.columns[first + more].name;
}

const char *run_rollup_column(const struct run *r, unsigned field)
{
	return dim_column(r->plan->rollup, r->plan->dim_of_field[field]);
}

/* ---- the statement ---- */

static void put_need(struct rollup_scan *s, struct store_sql *sql, size_t i)
{
	static const char *const functions[] = { [TALLY_SUM] = "SUM(", [TALLY_MIN] = "MIN(", [TALLY_MAX] = "MAX(" };
	uint32_t kind = s->run->plan->needs.need[i].kind;
	const char *end = s->sketches ? "" : ")";
	if (group_is_sketch(kind)) {
		store_sql_column(sql, "", metric_column(s, i, 0), "", TALLY_T_BLOB);
	} else if (plan_is_count(kind)) {
		store_sql_column(sql, s->sketches ? "" : "SUM(", metric_column(s, i, 0), end, TALLY_T_INT);
	} else {
		store_sql_column(sql, s->sketches ? "" : functions[kind], metric_column(s, i, 0), end, TALLY_T_REAL);
		if (kind == TALLY_SUM)
			store_sql_column(sql, s->sketches ? "" : "SUM(", metric_column(s, i, 1), end, TALLY_T_INT);
	}
}

static void put_dims(struct rollup_scan *s, struct store_sql *sql)
{
	if (s->by_bucket)
		store_sql_column(sql, "", "bucket", "", TALLY_T_INT);
	if (s->by_name)
		store_sql_column(sql, "", dim_column(s->rollup, (unsigned)s->run->plan->name_dim), "", TALLY_T_TEXT);
	for (unsigned i = 0; i < s->run->q->nfields; i++)
		store_sql_column(sql, "", run_rollup_column(s->run, i), "", TALLY_T_TEXT);
}

/* Of the rows picked, those that one statement is about. */
struct chunk {
	const int64_t *starts; /* NULL = all of the piece */
	size_t nstarts;
	const uint8_t (*keys)[PICK_KEY];
	size_t nkeys;
};

static void put_picked(struct store_sql *sql, const struct chunk *c)
{
	for (size_t i = 0; i < c->nstarts; i++) {
		out_lit(&sql->text, i ? ", " : " AND `bucket` IN (");
		store_sql_int(sql, c->starts[i]);
	}
	for (size_t i = 0; i < c->nkeys; i++) {
		out_lit(&sql->text, i ? ", " : ") AND `key` IN (");
		store_sql_bytes(sql, c->keys[i], PICK_KEY);
	}
	out_lit(&sql->text, ")");
}

static void put_range(struct store_sql *sql, const struct plan_piece *p)
{
	out_lit(&sql->text, " AND `bucket` >= ");
	store_sql_int(sql, p->from_us);
	out_lit(&sql->text, " AND `bucket` < ");
	store_sql_int(sql, p->to_us);
}

static void put_where(struct rollup_scan *s, struct store_sql *sql, const struct plan_piece *p, const struct chunk *c)
{
	struct run *r = s->run;
	out_lit(&sql->text, " FROM ");
	store_sql_table(sql, store_of(r->reader), r->plan->table);
	out_lit(&sql->text, " WHERE `site` = ");
	store_sql_text(sql, r->q->site);
	out_lit(&sql->text, " AND `grain` = ");
	store_sql_int(sql, p->grain);
	if (c) {
		put_picked(sql, c);
		return;
	}
	put_range(sql, p);
	run_narrow(r, sql, run_rollup_column);
}

/* The columns in front, by number: `GROUP BY 1, 2` is SQL that every store takes. */
static void put_grouping(struct store_sql *sql, size_t n)
{
	for (size_t i = 1; i <= n; i++)
		text_printf(&sql->text, "%s%zu", i == 1 ? " GROUP BY " : ", ", i);
}

static void put_statement(
	struct rollup_scan *s, struct store_sql *sql, const struct plan_piece *p, const struct chunk *c)
{
	store_sql_open(sql, s->run->arena);
	out_lit(&sql->text, "SELECT ");
	put_dims(s, sql);
	size_t front = sql->ncolumns;
	for (size_t i = 0; i < s->run->plan->needs.n; i++)
		put_need(s, sql, i);
	put_where(s, sql, p, c);
	if (!s->sketches)
		put_grouping(sql, front);
}

/* ---- a row ---- */

static struct tally_str text_of(const struct tally_cell *c)
{
	return c->null ? (struct tally_str){ 0 } : str_make(c->v.ptr, c->len);
}

static int add_needs(struct rollup_scan *s, struct group *g, bool is_view, const struct tally_cell *c)
{
	const struct plan *p = s->run->plan;
	for (size_t i = 0; i < p->needs.n; i++) {
		uint32_t kind = p->needs.need[i].kind;
		struct group_amount *am = &g->amounts[i];
		int rc = 0;
		if (group_is_sketch(kind)) {
			rc = c->null ? 0 : group_add_sketch(&s->run->groups, am, kind, c->v.ptr, c->len);
		} else if (plan_is_count(kind)) {
			group_add_count(am, c->null || (p->from_name[i] && !is_view) ? 0 : c->v.i);
		} else if (kind == TALLY_SUM) {
			group_add_number(am, kind, c[0].null ? 0 : c[0].v.d, c[1].null ? 0 : c[1].v.i);
			c++;
		} else {
			group_add_number(am, kind, c->v.d, c->null ? 0 : 1);
		}
		if (rc)
			return rc;
		c++;
	}
	return 0;
}

static int refuse_sketch(struct run *r)
{
	query_fail(r->err, 503, "store_damaged", "a sketch in the rollup %.*s cannot be read; rebuild it",
		(int)r->plan->rollup->rollup->name.len, r->plan->rollup->rollup->name.ptr);
	return RUN_STOP;
}

static int take_row(void *arg, const struct tally_cell *cells)
{
	struct rollup_scan *s = arg;
	struct run *r = s->run;
	const struct tally_cell *c = cells;
	int64_t bucket = s->by_bucket ? c++->v.i : r->plan->range.from_us;
	struct tally_str name = s->by_name ? text_of(c++) : (struct tally_str){ 0 };
	bool folded = false;
	r->rows_read++;
	if (run_out_of_time(r))
		return RUN_STOP;
	for (size_t i = 0; i < r->q->nfields; i++) {
		s->fields[i] = text_of(c++);
		folded |= str_eq(s->fields[i], STR("(other)"));
	}
	r->folded |= folded;
	if (r->q->filter && !query_passes(r->q->filter, s->fields)) {
		r->missed |= folded;
		return 0;
	}
	struct group *g = groups_place(&r->groups, plan_axis_find(&r->plan->axis, bucket), s->fields);
	if (!g)
		return run_too_big(r);
	int rc = add_needs(s, g, str_eq(name, STR("view")) || str_eq(name, STR("pageview")), c);
	return rc == 0 ? 0 : rc == -E2BIG ? run_too_big(r) : refuse_sketch(r);
}

static int read_rows(struct rollup_scan *s, const struct plan_piece *p, const struct chunk *c)
{
	struct store_sql sql;
	put_statement(s, &sql, p, c);
	return run_statement(s->run, &sql, take_row, s);
}

/* ---- rows by their keys ---- */

#define STARTS_AT_ONCE 128
#define KEYS_AT_ONCE 256
#define ROWS_AT_ONCE 4096

static int read_picked(struct rollup_scan *s, const struct plan_piece *p)
{
	const struct pick *only = s->run->only;
	int64_t starts[STARTS_AT_ONCE], at = p->from_us;
	int rc = 0;
	for (size_t n; rc == 0 && (n = pick_starts(s->run->q, p, &at, starts, STARTS_AT_ONCE));) {
		size_t most = ROWS_AT_ONCE / n < KEYS_AT_ONCE ? ROWS_AT_ONCE / n : KEYS_AT_ONCE;
		for (size_t k = 0; rc == 0 && k < only->n; k += most) {
			size_t nkeys = only->n - k < most ? only->n - k : most;
			struct chunk c = { starts, n, (const uint8_t(*)[PICK_KEY])only->keys + k, nkeys };
			rc = read_rows(s, p, &c);
		}
	}
	return rc;
}

/* Rows that the filter names, or that a top list needs; more lookups than rows save nothing. */
static int pick(struct run *r, struct top **narrower)
{
	struct pick_pins pins;
	struct pick *pk = arena_zalloc(r->arena, sizeof *pk);
	r->only = r->plan->only;
	if (r->only || !r->plan->hash_key)
		return 0;
	pick_pins(r->q, r->plan, &pins);
	if (pins.npinned == r->plan->rollup->rollup->ndims && pins.npinned > 0) {
		if (pick_named(r->plan, &pins, -1, r->arena, pk) &&
			pick_buckets(r->q, r->plan) * pk->n <= PICK_ROWS_MAX)
			r->only = pk;
		return 0;
	}
	int rc = top_pick(r, pk, narrower);
	r->only = rc > 0 ? pk : NULL;
	return rc > 0 ? 0 : rc;
}

static int read_pieces(struct rollup_scan *s, bool months, bool others)
{
	struct run *r = s->run;
	int rc = 0;
	for (r->piece = 0; rc == 0 && r->piece < r->plan->npieces; r->piece++) {
		const struct plan_piece *p = &r->plan->pieces[r->piece];
		if (p->grain == TALLY_MONTH ? !months : !others)
			continue;
		if (p->grain == PLAN_EVENTS)
			rc = run_scan(r);
		else
			rc = r->only ? read_picked(s, p) : read_rows(s, p, NULL);
	}
	return rc;
}

int run_rollup(struct run *r)
{
	struct rollup_scan s = { .run = r, .rollup = r->plan->rollup, .by_bucket = r->q->time_dim >= 0 };
	for (size_t i = 0; i < r->plan->needs.n; i++) {
		s.sketches |= group_is_sketch(r->plan->needs.need[i].kind);
		s.by_name |= r->plan->from_name[i];
	}
	struct top *narrower = NULL;
	int rc = pick(r, &narrower);
	if (rc == 0 && narrower) {
		rc = read_pieces(&s, true, false);
		if (rc == 0)
			top_narrow(narrower, (struct pick *)(uintptr_t)r->only);
	}
	if (rc == 0)
		rc = read_pieces(&s, !narrower, true);
	if (narrower)
		top_close(narrower);
	return rc;
}
