/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/shape.h"

void shape_value(struct text_out *o, struct group_value v)
{
	if (v.type == GROUP_NULL)
		out_lit(o, "null");
	else if (v.type == GROUP_INT)
		text_printf(o, "%lld", (long long)v.i);
	else
		out_number(o, v.d);
}

static struct tally_str label(const struct shape_input *in, int64_t start, struct arena *a)
{
	char text[40];
	return arena_str(a, str_make(text, zone_format(in->q->zone, start, text)));
}

struct tally_str shape_dimension(const struct shape_input *in, const struct group *g, size_t dim, struct arena *a)
{
	if (in->q->dims[dim].is_time)
		return label(in, in->now->plan->axis.starts[g->bucket], a);
	return g->values[dim];
}

const struct group *shape_beside(const struct shape_input *in, const struct group *g)
{
	static const struct group_amount nothing[PLAN_NEEDS_MAX];
	static const struct group empty = { .amounts = (struct group_amount *)nothing };
	const struct group *found = groups_find(&in->before->groups, g);
	return found ? found : &empty;
}

struct group_value shape_metric(
	const struct shape_input *in, const struct shape_rows *rows, size_t metric, const struct group *g, bool before)
{
	bool rest = g == rows->rest || g == rows->rest_before;
	int64_t whole = share_whole(before ? &rows->share_before : &rows->share, in->q->metrics[metric].kind, g, rest);
	return group_metric(in->q, &in->now->plan->needs, metric, g, whole);
}

static void put_metrics(struct text_out *o, const struct shape_input *in, const struct shape_rows *rows,
	const struct group *g, bool before)
{
	out_lit(o, before ? ",\"compare\":[" : "\"metrics\":[");
	for (size_t i = 0; i < in->q->nmetrics; i++) {
		out_lit(o, i ? "," : "");
		shape_value(o, shape_metric(in, rows, i, g, before));
	}
	out_lit(o, "]");
}

/* The row of what a rollup that ran full has folded. */
static bool is_folded(const struct shape_input *in, const struct group *g)
{
	bool folded = false;
	for (size_t i = 0; i < in->q->ndims && in->now->folded; i++)
		folded |= !in->q->dims[i].is_time && str_eq(g->values[i], STR("(other)"));
	return folded;
}

static void put_row(struct text_out *o, const struct shape_input *in, const struct shape_rows *rows,
	const struct group *g, struct arena *a)
{
	out_lit(o, "{\"dimensions\":[");
	for (size_t i = 0; i < in->q->ndims; i++) {
		out_lit(o, i ? "," : "");
		out_json(o, shape_dimension(in, g, i, a));
	}
	out_lit(o, "],");
	put_metrics(o, in, rows, g, false);
	if (in->before)
		put_metrics(o, in, rows, shape_beside(in, g), true);
	if (is_folded(in, g))
		out_lit(o, ",\"other\":true");
	out_lit(o, "}");
}

/* What the other rows come to together: visitors are merged, never added. */
static void put_rest(struct text_out *o, const struct shape_input *in, const struct shape_rows *rows)
{
	if (!in->q->include.other_row)
		return;
	if (!rows->rest) {
		out_lit(o, ",\"other_row\":null");
		return;
	}
	out_lit(o, ",\"other_row\":{");
	put_metrics(o, in, rows, rows->rest, false);
	if (rows->rest_before)
		put_metrics(o, in, rows, rows->rest_before, true);
	text_printf(o, ",\"rows\":%zu}", rows->total - rows->n);
}

static struct tally_str as_json(const struct shape_input *in, const struct shape_rows *rows, struct arena *a)
{
	struct text_out o;
	out_open(&o, a);
	out_lit(&o, "{\"results\":[");
	for (size_t i = 0; i < rows->n; i++) {
		out_lit(&o, i ? "," : "");
		put_row(&o, in, rows, rows->rows[rows->first + i], a);
	}
	out_lit(&o, "]");
	put_rest(&o, in, rows);
	out_lit(&o, ",\"meta\":");
	shape_meta(&o, in, rows);
	out_lit(&o, ",\"query\":");
	text_put(&o, query_normal(in->q, a));
	out_lit(&o, "}\n");
	return out_text(&o);
}

struct tally_str shape_answer(const struct shape_input *in, const struct shape_rows *rows, struct arena *a)
{
	switch (in->q->format) {
	case QUERY_CSV:
		return shape_csv(in, rows, a);
	case QUERY_NDJSON:
		return shape_ndjson(in, rows, a);
	case QUERY_JSON:
		break;
	}
	return as_json(in, rows, a);
}

const char *shape_type(enum query_format format)
{
	static const char *const types[] = { [QUERY_JSON] = "application/json",
		[QUERY_CSV] = "text/csv; charset=utf-8; header=present",
		[QUERY_NDJSON] = "application/x-ndjson" };
	return types[format];
}
