/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows, in which order: by what order_by says, ties by dimension values in byte order; then the page, and the sum
 * of what is not on it. */
#include <errno.h>
#include <stdlib.h>

#include "desk/shape.h"

/* Metrics of all rows are evaluated once, before sorting: an estimate costs thousands of steps. */
struct ranked {
	struct group *group;
	const struct group_value *values; /* one a metric */
};

static int compare_values(struct group_value a, struct group_value b, bool descending)
{
	if (a.type == GROUP_NULL || b.type == GROUP_NULL) /* nothing known comes last either way */
		return (a.type == GROUP_NULL) - (b.type == GROUP_NULL);
	int c = a.type == GROUP_INT ? (a.i > b.i) - (a.i < b.i) : (a.d > b.d) - (a.d < b.d);
	return descending ? -c : c;
}

static int compare_dimension(const struct query *q, const struct group *a, const struct group *b, unsigned dim)
{
	if (q->dims[dim].is_time)
		return (a->bucket > b->bucket) - (a->bucket < b->bucket);
	return str_cmp(a->values[dim], b->values[dim]);
}

static int by_order(const void *x, const void *y, void *arg)
{
	const struct query *q = arg;
	const struct ranked *a = x, *b = y;
	for (size_t i = 0; i < q->norder; i++) {
		const struct query_order *by = &q->order[i];
		int c;
		if (by->is_metric) {
			c = compare_values(a->values[by->index], b->values[by->index], by->descending);
		} else {
			c = compare_dimension(q, a->group, b->group, by->index);
			c = by->descending ? -c : c;
		}
		if (c)
			return c;
	}
	for (unsigned i = 0; i < q->ndims; i++) {
		int c = compare_dimension(q, a->group, b->group, i);
		if (c)
			return c;
	}
	return 0;
}

/* A question without dimensions has one row, and a series all its buckets, even over nothing. */
static int fill(const struct shape_input *in, struct groups *g)
{
	const struct query *q = in->q;
	struct tally_str none[QUERY_FIELDS_MAX] = { { 0 } };
	bool series = q->form == QUERY_SERIES && q->ndims == 1 && q->time_dim == 0;
	size_t n = q->ndims == 0 ? 1 : series ? in->now->plan->axis.n : 0;
	for (size_t i = 0; i < n; i++)
		if (!groups_place(g, i, none))
			return -E2BIG;
	return 0;
}

static void rank(const struct shape_input *in, struct groups *g, struct arena *a, struct shape_rows *out, size_t n)
{
	struct ranked *ranked = arena_alloc(a, (n + 1) * sizeof *ranked);
	size_t at = 0;
	for (struct group *row = g->first; at < n; row = row->next, at++) {
		struct group_value *values = arena_alloc(a, in->q->nmetrics * sizeof *values);
		for (size_t m = 0; m < in->q->nmetrics; m++)
			values[m] = shape_metric(in, out, m, row, false);
		ranked[at] = (struct ranked){ row, values };
	}
	qsort_r(ranked, n, sizeof *ranked, by_order, (void *)in->q);
	out->rows = arena_alloc(a, (n + 1) * sizeof(struct group *));
	for (size_t i = 0; i < n; i++)
		out->rows[i] = ranked[i].group;
}

static void take_page(const struct query *q, struct shape_rows *out)
{
	out->first = q->offset < out->total ? q->offset : out->total;
	out->n = out->total - out->first < q->limit ? out->total - out->first : q->limit;
}

static int sum_rest(const struct shape_input *in, struct shape_rows *out)
{
	struct groups *g = &in->now->groups;
	struct groups *b = in->before ? &in->before->groups : NULL;
	if (out->n == out->total)
		return 0;
	out->rest = groups_spare(g);
	if (b)
		out->rest_before = groups_spare(b);
	for (size_t i = 0; i < out->total; i++) {
		if (i >= out->first && i < out->first + out->n)
			continue;
		int rc = group_merge(g, out->rest, out->rows[i]);
		const struct group *beside = b ? groups_find(b, out->rows[i]) : NULL;
		if (rc == 0 && beside)
			rc = group_merge(b, out->rest_before, beside);
		if (rc)
			return rc;
	}
	group_seal(g, out->rest);
	if (b)
		group_seal(b, out->rest_before);
	return 0;
}

int shape_order(const struct shape_input *in, struct arena *a, struct shape_rows *out)
{
	struct groups *g = &in->now->groups;
	*out = (struct shape_rows){ 0 };
	int rc = fill(in, g);
	out->total = g->n;
	if (rc == 0)
		rc = share_make(in->now, in->base, a, &out->share);
	if (rc == 0 && in->before)
		rc = share_make(in->before, in->base_before, a, &out->share_before);
	if (rc)
		return rc;
	rank(in, g, a, out, out->total);
	take_page(in->q, out);
	return in->q->include.other_row ? sum_rest(in, out) : 0;
}
