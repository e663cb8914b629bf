/* SPDX-License-Identifier: Apache-2.0 */
/* The two flat formats: CSV (RFC 4180, one header line) and NDJSON (one object a row, named by dimension and metric).
 * Columns of a comparison are called compare:METRIC. Neither carries meta. */
#include "desk/shape.h"

struct flat {
	const struct shape_input *in;
	const struct shape_rows *rows;
	struct arena *arena;
	struct text_out out;
};

static void header(struct flat *f)
{
	const struct query *q = f->in->q;
	for (size_t i = 0; i < q->ndims; i++) {
		out_lit(&f->out, i ? "," : "");
		csv_put_field(&f->out, q->dims[i].text);
	}
	for (int before = 0; before <= (f->in->before != NULL); before++) {
		for (size_t i = 0; i < q->nmetrics; i++) {
			struct text_out name;
			out_open(&name, f->arena);
			out_lit(&name, before ? "compare:" : "");
			text_put(&name, q->metrics[i].text);
			out_lit(&f->out, i || before || q->ndims ? "," : "");
			csv_put_field(&f->out, out_text(&name));
		}
	}
	out_lit(&f->out, "\r\n");
}

/* An unknown value is an empty field. */
static void csv_metrics(struct flat *f, const struct group *g, bool before)
{
	for (size_t i = 0; i < f->in->q->nmetrics; i++) {
		struct group_value v = shape_metric(f->in, f->rows, i, g, before);
		out_lit(&f->out, i || before || f->in->q->ndims ? "," : "");
		if (v.type != GROUP_NULL)
			shape_value(&f->out, v);
	}
}

struct tally_str shape_csv(const struct shape_input *in, const struct shape_rows *rows, struct arena *a)
{
	struct flat f = { .in = in, .rows = rows, .arena = a };
	out_open(&f.out, a);
	header(&f);
	for (size_t r = 0; r < rows->n; r++) {
		const struct group *g = rows->rows[rows->first + r];
		for (size_t i = 0; i < in->q->ndims; i++) {
			out_lit(&f.out, i ? "," : "");
			csv_put_field(&f.out, shape_dimension(in, g, i, a));
		}
		csv_metrics(&f, g, false);
		if (in->before)
			csv_metrics(&f, shape_beside(in, g), true);
		out_lit(&f.out, "\r\n");
	}
	return out_text(&f.out);
}

static void named_metrics(struct flat *f, const struct group *g, bool before, bool first)
{
	for (size_t i = 0; i < f->in->q->nmetrics; i++) {
		out_lit(&f->out, i || !first ? "," : "");
		out_json(&f->out, f->in->q->metrics[i].text);
		out_lit(&f->out, ":");
		shape_value(&f->out, shape_metric(f->in, f->rows, i, g, before));
	}
}

struct tally_str shape_ndjson(const struct shape_input *in, const struct shape_rows *rows, struct arena *a)
{
	struct flat f = { .in = in, .rows = rows, .arena = a };
	out_open(&f.out, a);
	for (size_t r = 0; r < rows->n; r++) {
		const struct group *g = rows->rows[rows->first + r];
		out_lit(&f.out, "{");
		for (size_t i = 0; i < in->q->ndims; i++) {
			out_lit(&f.out, i ? "," : "");
			out_json(&f.out, in->q->dims[i].text);
			out_lit(&f.out, ":");
			out_json(&f.out, shape_dimension(in, g, i, a));
		}
		named_metrics(&f, g, false, in->q->ndims == 0);
		if (in->before) {
			out_lit(&f.out, ",\"compare\":{");
			named_metrics(&f, shape_beside(in, g), true, true);
			out_lit(&f.out, "}");
		}
		out_lit(&f.out, "}\n");
	}
	return out_text(&f.out);
}
