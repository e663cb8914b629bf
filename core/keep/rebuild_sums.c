/* SPDX-License-Identifier: Apache-2.0 */
/* Does the new table hold what was written into it? Of each grain and column: sums are equal, the least and the greatest
 * number, and the union of all sketches, by how many numbers it counts or by its estimate within what that may be off. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "keep/rebuild_inner.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

#define REAL_OFF 1e-9        /* of the sum of absolutes: reals are added in another order */
#define HLL_OFF (3 * 0.0081) /* three standard errors */

struct rebuild_sum {
	int64_t count;
	double number, size;
	bool some;
	char *sketch;
	size_t len;
};

static bool is_sketch(const struct tally_column *c)
{
	return c->merge == TALLY_M_HLL || c->merge == TALLY_M_QUANTILE;
}

static bool is_summed(const struct tally_column *c)
{
	return c->merge == TALLY_M_ADD || c->merge == TALLY_M_MIN || c->merge == TALLY_M_MAX || is_sketch(c);
}

static void add_number(struct rebuild_sum *s, const struct tally_column *c, double d)
{
	bool first = !s->some;
	s->some = true;
	if (c->merge == TALLY_M_ADD)
		s->number += d;
	else if (first || (c->merge == TALLY_M_MIN ? d < s->number : d > s->number))
		s->number = d;
	s->size += fabs(d);
}

static int add_sketch(
	struct rebuild *rb, struct rebuild_sum *s, const struct tally_column *c, const void *bytes, size_t len)
{
	if (!s->sketch)
		s->sketch = arena_alloc(&rb->arena, c->max_bytes);
	return c->merge == TALLY_M_HLL ? hll_merge(s->sketch, &s->len, c->max_bytes, bytes, len)
				       : quantile_merge(s->sketch, &s->len, c->max_bytes, bytes, len);
}

static int add_cell(
	struct rebuild *rb, struct rebuild_sum *s, const struct tally_column *c, const struct tally_cell *cell)
{
	if (cell->null)
		return 0;
	if (is_sketch(c))
		return cell->len ? add_sketch(rb, s, c, cell->v.ptr, cell->len) : 0;
	if (c->type == TALLY_T_INT)
		s->count += cell->v.i;
	else
		add_number(s, c, cell->v.d);
	return 0;
}

static struct rebuild_sum *new_sums(struct rebuild *rb)
{
	return arena_zalloc(&rb->arena, rb->twin.ncolumns * sizeof(struct rebuild_sum));
}

int rebuild_add_sums(struct rebuild *rb, const struct tally_cell *row)
{
	int64_t grain = row[RLC_GRAIN].v.i;
	int rc = 0;
	if (!rb->sums[grain])
		rb->sums[grain] = new_sums(rb);
	for (uint32_t i = RLC_FIXED; i < rb->twin.ncolumns && rc == 0; i++)
		if (is_summed(&rb->twin.columns[i]))
			rc = add_cell(rb, &rb->sums[grain][i], &rb->twin.columns[i], &row[i]);
	return rc;
}

/* ---- what the table has ---- */

struct table_sums {
	struct rebuild *rb;
	struct rebuild_sum *of[TALLY_GRAINS];
	const uint32_t *columns; /* of the statement, behind the grain */
	uint32_t n;
};

static int take_sums(void *arg, const struct tally_cell *c)
{
	struct table_sums *t = arg;
	int64_t grain = c[0].v.i;
	int rc = 0;
	for (uint32_t i = 0; i < t->n && rc == 0 && grain >= 0 && grain < TALLY_GRAINS; i++)
		rc = add_cell(t->rb, &t->of[grain][t->columns[i]], &t->rb->twin.columns[t->columns[i]], &c[1 + i]);
	return rc ? 1 : 0;
}

static const char *function_of(const struct tally_column *c)
{
	return c->merge == TALLY_M_MIN ? "MIN" : c->merge == TALLY_M_MAX ? "MAX" : "SUM";
}

/* SQL adds numbers up; sketches come row by row. */
static int read_columns(struct table_sums *t, bool sketches)
{
	struct rebuild *rb = t->rb;
	uint32_t *columns = arena_alloc(&rb->arena, rb->twin.ncolumns * sizeof *columns);
	uint32_t *types = arena_alloc(&rb->arena, (rb->twin.ncolumns + 1) * sizeof *types);
	const char *sql = "SELECT `grain`";
	t->columns = columns;
	t->n = 0;
	types[0] = TALLY_T_INT;
	for (uint32_t i = RLC_FIXED; i < rb->twin.ncolumns; i++) {
		const struct tally_column *c = &rb->twin.columns[i];
		if (!is_summed(c) || is_sketch(c) != sketches)
			continue;
		sql = sketches ? arena_printf(&rb->arena, "%s, `%s`", sql, c->name)
			       : arena_printf(&rb->arena, "%s, %s(`%s`)", sql, function_of(c), c->name);
		types[t->n + 1] = c->type;
		columns[t->n++] = i;
	}
	if (t->n == 0)
		return 0;
	sql = arena_printf(&rb->arena, "%s FROM `%s%s`%s", sql, rb->opt->prefix, rb->twin.name,
		sketches ? "" : " GROUP BY `grain`");
	int rc = rebuild_ask(rb, sql, types, t->n + 1, take_sums, t);
	return rc > 0 ? rebuild_fail(rb, -EIO, "a sketch in the new table is damaged: nothing was changed") : rc;
}

/* ---- are they the same? ---- */

static bool same(const struct tally_column *c, const struct rebuild_sum *a, const struct rebuild_sum *b)
{
	if (c->merge == TALLY_M_QUANTILE)
		return quantile_count(a->sketch, a->len) == quantile_count(b->sketch, b->len);
	if (c->merge == TALLY_M_HLL) {
		double x = hll_estimate(a->sketch, a->len), y = hll_estimate(b->sketch, b->len);
		return fabs(x - y) <= HLL_OFF * (x > y ? x : y);
	}
	if (c->type == TALLY_T_INT)
		return a->count == b->count;
	if (c->merge == TALLY_M_ADD)
		return fabs(a->number - b->number) <= REAL_OFF * (a->size + b->size);
	return a->some == b->some && a->number == b->number;
}

static double show(const struct tally_column *c, const struct rebuild_sum *s)
{
	return c->merge == TALLY_M_QUANTILE ? (double)quantile_count(s->sketch, s->len)
	       : c->merge == TALLY_M_HLL    ? hll_estimate(s->sketch, s->len)
	       : c->type == TALLY_T_INT     ? (double)s->count
					    : s->number;
}

static int compare(struct rebuild *rb, const struct table_sums *t)
{
	for (int g = 0; g < TALLY_GRAINS; g++)
		for (uint32_t i = RLC_FIXED; i < rb->twin.ncolumns; i++) {
			const struct tally_column *c = &rb->twin.columns[i];
			static const struct rebuild_sum nothing;
			const struct rebuild_sum *written = rb->sums[g] ? &rb->sums[g][i] : &nothing;
			if (is_summed(c) && !same(c, &t->of[g][i], written))
				return rebuild_fail(rb, -EIO,
					"the rows made do not add up (%s of grain %d: %.17g, %.17g were written): nothing was "
					"changed",
					c->name, g, show(c, &t->of[g][i]), show(c, written));
		}
	return 0;
}

int rebuild_check_sums(struct rebuild *rb)
{
	struct table_sums t = { .rb = rb };
	int rc = rebuild_begin(rb);
	if (rc)
		return rc;
	for (int g = 0; g < TALLY_GRAINS; g++)
		t.of[g] = new_sums(rb);
	rc = read_columns(&t, false);
	if (rc == 0)
		rc = read_columns(&t, true);
	rebuild_end(rb);
	return rc == 0 ? compare(rb, &t) : rc;
}
