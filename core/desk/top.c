/* SPDX-License-Identifier: Apache-2.0 */
/* Top lists in two steps. The first reads, of every bucket, only the rows with the most events: bucket, key and two
 * numbers, by an index that has them in that order (tally_rank), so that what is not on a page costs nothing. What was not
 * read of a bucket has at most as many events as the last row that was: its floor. So each key lies between bounds:
 *
 *     events      from what was seen to that plus the floors of the buckets it was not seen in
 *     visitors    from the largest estimate of one bucket to the sum of all, plus the floors: nobody is a visitor without
 *                 an event. Visitors of buckets overlap, so their sum only bounds those of all
 *
 * A key can be on the page if its upper bound reaches the lower bound of the page's last place. The rows of those
 * keys, all of them, are read by the second step (run_rollup.c), which adds them up as ever; nothing of the first step is
 * in the answer. Where floors are too high to tell, more is read of each bucket, and in the end everything.
 *
 * By visitors many keys are left, since sums of days say little. So the sketches of whole months are read first: their union
 * is a better bound from below, and with the days' sums from above, and fewer keys need their days read.
 *
 * Estimates err: 0.81 % (standard error). Bounds of visitors are drawn wider by SLACK, seven of those: that a row is
 * missed for it happens once in 10^11 rows at the edge of the page.
 *
 * Folded rows ("(other)") that the filter may or may not mean are in no list: they take no place on the page. Which there
 * may be is told by keys alone, as long as the dimension that is listed is the rollup's last. */
#include <stdlib.h>

#include "desk/pick.h"
#include "sketch/hll.h"

#define WANTED_MAX 1000 /* limit and offset */
#define BUCKETS_MAX 400
#define CANDIDATES_MAX PICK_KEYS_MAX
#define SEEN_MAX 100000 /* keys: with so many there is no saving */
#define ROUNDS 3
#define SLACK 0.06

struct list { /* one bucket */
	size_t piece, depth;
	bool month;
	int64_t start_us;
	double floor; /* events of a row that was not read are at most so many */
	size_t read;
};

struct seen { /* one key */
	struct seen *next;
	uint8_t key[PICK_KEY];
	double events, visitors, most; /* sums, and the largest visitors of one row */
	double floors;                 /* of the buckets it was seen in, once a row */
	double rest, rest_floors;      /* visitors and floors of those that are no months */
	bool out;
};

struct top {
	struct run *run;
	const struct schema_rollup *rollup;
	struct pick_pins pins;
	bool by_visitors;
	size_t wanted, depth, nodes; /* depth: of a day's list; others by the root of their length */
	int loose;
	struct list *lists, *list; /* list: the one under way */
	size_t nlists;
	struct seen **in_list; /* its rows */
	struct table index;
	struct seen *first;
	size_t nseen;
	double floors,
		rest_floors; /* of all lists, for as many rows of a key as there are nodes; of those that are no months */
};

/* ---- which questions ---- */

static int find_metric(const struct tally_rollup *r, uint32_t kind)
{
	for (uint32_t i = 0; i < r->nmetrics; i++)
		if (r->metrics[i].kind == kind)
			return (int)i;
	return -1;
}

/* The rows are those of the last dimension, all others being pinned to one value: then a key is a row. -1 = they are not.
 * Behind one that is not the last, rows of any of its values may be folded. */
static int loose_dim(const struct top *t)
{
	const struct query *q = t->run->q;
	int loose = -1;
	if (q->ndims != 1 || q->dims[0].is_time || !t->pins.nothing_else)
		return -1;
	for (uint32_t i = 0; i < t->rollup->rollup->ndims; i++) {
		const struct query_filter *f = t->pins.of_dim[i];
		if (f && f->nvalues == 1)
			continue;
		if (f || loose >= 0 || t->run->plan->dim_of_field[q->dims[0].field] != i)
			return -1;
		loose = (int)i;
	}
	return loose == (int)t->rollup->rollup->ndims - 1 ? loose : -1;
}

static bool is_top_list(struct top *t)
{
	const struct query *q = t->run->q;
	const struct plan *p = t->run->plan;
	const struct query_order *by = &q->order[0];
	if (q->include.total_rows || q->include.other_row || query_asks(q, QM_PERCENTAGE) ||
		query_asks(q, QM_CONVERSION) || q->norder == 0 || !by->is_metric || !by->descending)
		return false;
	t->by_visitors = q->metrics[by->index].kind == QM_VISITORS;
	if ((!t->by_visitors && q->metrics[by->index].kind != QM_EVENTS) || plan_needs_visits(&p->needs))
		return false;
	for (size_t i = 0; i < p->npieces; i++)
		if (p->pieces[i].grain == PLAN_EVENTS)
			return false;
	t->wanted = (size_t)q->limit + q->offset;
	return p->nodes > 0 && find_metric(t->rollup->rollup, TALLY_EVENTS) >= 0 && t->wanted <= WANTED_MAX &&
	       pick_buckets(q, p) <= BUCKETS_MAX;
}

/* ---- reading the lists ---- */

static void make_lists(struct top *t)
{
	const struct plan *p = t->run->plan;
	t->lists = arena_zalloc(t->run->arena, (BUCKETS_MAX + 1) * sizeof *t->lists);
	for (size_t i = 0; i < p->npieces; i++) {
		int64_t at = p->pieces[i].from_us, start;
		while (pick_starts(t->run->q, &p->pieces[i], &at, &start, 1))
			t->lists[t->nlists++] = (struct list){
				.piece = i, .month = p->pieces[i].grain == TALLY_MONTH, .start_us = start
			};
	}
}

static struct seen *see(struct top *t, const struct tally_cell *key)
{
	void **place = table_place(&t->index, str_make(key->v.ptr, key->len));
	if (*place)
		return *place;
	struct seen *s = arena_zalloc(t->run->arena, sizeof *s);
	memcpy(s->key, key->v.ptr, PICK_KEY);
	s->next = t->first;
	t->first = s;
	t->nseen++;
	return *place = s;
}

/* [key] [events] [visitors], most events first */
static int take_row(void *arg, const struct tally_cell *c)
{
	struct top *t = arg;
	struct run *r = t->run;
	r->rows_read++;
	if (run_out_of_time(r))
		return RUN_STOP;
	if (c[0].null || c[0].len != PICK_KEY || c[1].null)
		return 0;
	struct seen *s = t->in_list[t->list->read] = see(t, &c[0]);
	double visitors = t->by_visitors && !c[2].null ? (double)c[2].v.i : 0;
	t->list->read++;
	t->list->floor = (double)c[1].v.i;
	s->events += (double)c[1].v.i;
	s->visitors += visitors;
	s->rest += t->list->month ? 0 : visitors;
	if (visitors > s->most)
		s->most = visitors;
	return 0;
}

static const char *column(const struct top *t, uint32_t kind, uint32_t more)
{
	uint32_t first = t->rollup->metric_column[find_metric(t->rollup->rollup, kind)];
	return t->rollup->table.columns[first + more].name;
}

static void put_list(struct top *t, const struct list *l, struct store_sql *sql)
{
	struct run *r = t->run;
	store_sql_open(sql, r->arena);
	out_lit(&sql->text, "SELECT ");
	store_sql_column(sql, "", t->rollup->table.columns[RLC_KEY].name, "", TALLY_T_BLOB);
	store_sql_column(sql, "", column(t, TALLY_EVENTS, 0), "", TALLY_T_INT);
	if (t->by_visitors)
		store_sql_column(sql, "", column(t, TALLY_VISITORS, 1), "", TALLY_T_INT);
	out_lit(&sql->text, " FROM ");
	store_sql_table(sql, store_of(r->reader), r->plan->table);
	out_lit(&sql->text, " WHERE `site` = ");
	store_sql_text(sql, r->q->site);
	out_lit(&sql->text, " AND `grain` = ");
	store_sql_int(sql, r->plan->pieces[l->piece].grain);
	out_lit(&sql->text, " AND `bucket` = ");
	store_sql_int(sql, l->start_us);
	for (uint32_t i = 0; i < t->rollup->rollup->ndims; i++)
		if (t->pins.of_dim[i])
			MUST(run_narrow_by(sql, t->pins.of_dim[i], run_rollup_column(r, t->pins.of_dim[i]->field)));
	out_lit(&sql->text, " ORDER BY ");
	store_sql_name(sql, column(t, TALLY_EVENTS, 0));
	out_lit(&sql->text, " DESC LIMIT ");
	store_sql_int(sql, (int64_t)l->depth);
}

/* With heavy tails floors fall as one by the depth, so the sum of floors is least for its cost where depths are as the roots
 * of what the buckets hold. */
static size_t depth_of(const struct top *t, const struct list *l)
{
	switch (t->run->plan->pieces[l->piece].grain) {
	case TALLY_MONTH:
		return t->depth * 5;
	case TALLY_DAY:
		return t->depth;
	default:
		return t->depth / 8 + 1;
	}
}

static void take_floor(struct top *t, struct list *l)
{
	if (l->read < l->depth) /* all of it */
		l->floor = 0;
	t->floors += (double)t->nodes * l->floor;
	t->rest_floors += l->month ? 0 : (double)t->nodes * l->floor;
	for (size_t k = 0; k < l->read; k++) {
		t->in_list[k]->floors += l->floor;
		t->in_list[k]->rest_floors += l->month ? 0 : l->floor;
	}
}

/* 1 = they hold too many keys. */
static int read_lists(struct top *t)
{
	table_free(&t->index);
	t->first = NULL;
	t->nseen = 0;
	t->floors = t->rest_floors = 0;
	t->in_list = arena_alloc(t->run->arena, (t->depth * 5 + 1) * sizeof(struct seen *));
	for (size_t i = 0; i < t->nlists; i++) {
		struct list *l = t->list = &t->lists[i];
		struct store_sql sql;
		l->read = 0;
		l->depth = depth_of(t, l);
		t->run->piece = l->piece;
		put_list(t, l, &sql);
		int rc = run_statement(t->run, &sql, take_row, t);
		if (rc || t->nseen > SEEN_MAX)
			return rc ? rc : 1;
		take_floor(t, l);
	}
	return 0;
}

/* ---- bounds ---- */

static double lower(const struct top *t, const struct seen *s)
{
	return t->by_visitors ? s->most * (1 - SLACK) : s->events;
}

static double upper(const struct top *t, const struct seen *s)
{
	double rest = t->floors - s->floors;
	return t->by_visitors ? (s->visitors + rest) * (1 + SLACK) : s->events + rest;
}

static int highest_first(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x < y) - (x > y);
}

/* What the last place of the page has at least, of the lower bounds of n keys; below 0 = there are not so many rows. */
static double last_place(const struct top *t, double *bounds, size_t n)
{
	qsort(bounds, n, sizeof *bounds, highest_first);
	return n < t->wanted ? -1 : bounds[t->wanted - 1];
}

/* False: a row that was not seen could be on the page, or too many could. */
static bool choose(struct top *t, struct pick *out)
{
	double *bounds = arena_alloc(t->run->arena, (t->nseen + 1) * sizeof *bounds);
	size_t n = 0;
	for (const struct seen *s = t->first; s; s = s->next)
		bounds[n++] = lower(t, s);
	double least = last_place(t, bounds, n), unseen = t->by_visitors ? t->floors * (1 + SLACK) : t->floors;
	if (unseen > 0 && unseen >= least)
		return false;
	for (struct seen *s = t->first; s; s = s->next) {
		s->out = upper(t, s) < least;
		if (s->out)
			continue;
		if (out->n >= CANDIDATES_MAX)
			return false;
		memcpy(out->keys[out->n++], s->key, PICK_KEY);
	}
	pick_finish(out);
	return true;
}

static int pick_rows(struct top *t, struct pick *out)
{
	for (int round = 0; round < ROUNDS; round++, t->depth *= 4) {
		int rc = read_lists(t);
		if (rc)
			return rc < 0 ? rc : 0;
		if (!pick_named(t->run->plan, &t->pins, t->loose, t->run->arena, out))
			return 0;
		if (choose(t, out))
			return 1;
	}
	return 0;
}

/* ---- narrowing, once months are read ---- */

static bool can_narrow(const struct top *t, const struct pick *pk)
{
	bool months = false, others = false;
	for (size_t i = 0; i < t->nlists; i++) {
		months |= t->lists[i].month;
		others |= !t->lists[i].month;
	}
	return t->by_visitors && months && others && pk->n > t->wanted + t->wanted / 8;
}

static struct seen *seen_of(const struct top *t, struct tally_str value)
{
	struct tally_str values[QUERY_FIELDS_MAX];
	uint8_t key[PICK_KEY];
	for (uint32_t i = 0; i < t->rollup->rollup->ndims; i++)
		values[i] = (int)i == t->loose ? value : t->pins.of_dim[i]->values[0];
	schema_rollup_key(t->run->plan->hash_key, values, t->rollup->rollup->ndims, key);
	return table_get(&t->index, str_make((char *)key, PICK_KEY));
}

/* The estimate so far replaces what the months' lists said, also where it is more: of a month that has a key further down
 * they said nothing. */
static void draw_in(struct top *t)
{
	const struct run *r = t->run;
	unsigned need = r->plan->needs.of_metric[r->q->order[0].index];
	for (const struct group *g = r->groups.first; g; g = g->next) {
		struct seen *s = seen_of(t, g->values[0]);
		double here = hll_estimate(g->amounts[need].sketch, g->amounts[need].len);
		if (!s)
			continue;
		if (here > s->most)
			s->most = here;
		s->visitors = here + s->rest;
		s->floors = t->floors - t->rest_floors + s->rest_floors; /* months have nothing unseen any more */
	}
}

static bool stays(void *arg, const struct group *g)
{
	const struct seen *s = seen_of(arg, g->values[0]);
	return !s || !s->out;
}

void top_narrow(struct top *t, struct pick *pk)
{
	double *bounds = arena_alloc(t->run->arena, (pk->n + 1) * sizeof *bounds);
	size_t n = 0, kept = 0;
	draw_in(t);
	for (size_t i = 0; i < pk->n; i++) {
		const struct seen *s = table_get(&t->index, str_make((char *)pk->keys[i], PICK_KEY));
		if (s)
			bounds[n++] = lower(t, s);
	}
	const struct seen *other = seen_of(t, STR("(other)")); /* read in any case: that it is there is to be said */
	double least = last_place(t, bounds, n);
	for (size_t i = 0; i < pk->n; i++) {
		struct seen *s = table_get(&t->index, str_make((char *)pk->keys[i], PICK_KEY));
		if (s && (s->out = s != other && upper(t, s) < least))
			continue;
		memmove(pk->keys[kept++], pk->keys[i], PICK_KEY);
	}
	pk->n = kept;
	groups_keep(&t->run->groups, stays, t);
}

void top_close(struct top *t)
{
	table_free(&t->index);
}

int top_pick(struct run *r, struct pick *out, struct top **narrower)
{
	struct top *t = arena_zalloc(r->arena, sizeof *t);
	*narrower = NULL;
	*t = (struct top){ .run = r, .rollup = r->plan->rollup, .nodes = r->plan->nodes };
	pick_pins(r->q, r->plan, &t->pins);
	t->loose = loose_dim(t);
	if (t->loose < 0 || !is_top_list(t))
		return 0;
	t->depth = (t->by_visitors ? 3 : 1) * t->wanted + t->wanted / 4 + 10;
	make_lists(t);
	int rc = pick_rows(t, out);
	if (rc > 0 && can_narrow(t, out))
		*narrower = t;
	else
		top_close(t);
	return rc;
}
