/* SPDX-License-Identifier: Apache-2.0 */
/* Answers about ways: a row a step of a funnel, a row a cohort of retention; as JSON, CSV or NDJSON. */
#include "desk/walk.h"

struct writer {
	const struct shape_input *in;
	const struct walk_result *res;
	struct arena *arena;
	struct text_out out;
};

/* A share in percent, of nothing 0. */
static double percent(int64_t part, int64_t whole)
{
	return whole ? round(1000.0 * (double)part / (double)whole) / 10 : 0;
}

static struct tally_str cohort_label(const struct writer *w, size_t i)
{
	char text[40];
	size_t n = zone_format(w->in->q->zone, w->in->now->plan->axis.starts[i], text);
	return arena_str(w->arena, str_make(text, n));
}

/* ---- JSON and NDJSON: the same objects ---- */

static void step_object(struct writer *w, size_t k)
{
	const int64_t *reached = w->res->reached;
	text_printf(&w->out, "{\"step\":%zu,\"name\":", k + 1);
	out_json(&w->out, w->in->q->steps[k].name);
	text_printf(&w->out, ",\"visitors\":%lld,\"conversion_rate\":", (long long)reached[k]);
	out_number(&w->out, percent(reached[k], reached[0]));
	out_lit(&w->out, ",\"step_rate\":");
	out_number(&w->out, percent(reached[k], reached[k ? k - 1 : 0]));
	out_lit(&w->out, "}");
}

static void cohort_object(struct writer *w, size_t i)
{
	const int64_t *row = w->res->cells + i * w->res->periods;
	out_lit(&w->out, "{\"cohort\":");
	out_json(&w->out, cohort_label(w, i));
	text_printf(&w->out, ",\"visitors\":%lld,\"returned\":[", (long long)row[0]);
	for (size_t k = 0; k < w->res->periods - i; k++)
		text_printf(&w->out, k ? ",%lld" : "%lld", (long long)row[k]);
	out_lit(&w->out, "],\"rates\":[");
	for (size_t k = 0; k < w->res->periods - i; k++) {
		out_lit(&w->out, k ? "," : "");
		out_number(&w->out, percent(row[k], row[0]));
	}
	out_lit(&w->out, "]}");
}

static size_t rows_of(const struct writer *w)
{
	return w->in->q->form == QUERY_FUNNEL ? w->in->q->nsteps : w->res->periods;
}

static void put_object(struct writer *w, size_t i)
{
	if (w->in->q->form == QUERY_FUNNEL)
		step_object(w, i);
	else
		cohort_object(w, i);
}

static void as_json(struct writer *w)
{
	struct shape_rows none = { .share.exact = true };
	out_lit(&w->out, "{\"results\":[");
	for (size_t i = 0; i < rows_of(w); i++) {
		out_lit(&w->out, i ? "," : "");
		put_object(w, i);
	}
	out_lit(&w->out, "],\"meta\":");
	shape_meta(&w->out, w->in, &none);
	out_lit(&w->out, ",\"query\":");
	text_put(&w->out, query_normal(w->in->q, w->arena));
	out_lit(&w->out, "}\n");
}

static void as_ndjson(struct writer *w)
{
	for (size_t i = 0; i < rows_of(w); i++) {
		put_object(w, i);
		out_lit(&w->out, "\n");
	}
}

/* ---- CSV ---- */

static void funnel_csv(struct writer *w)
{
	const int64_t *reached = w->res->reached;
	out_lit(&w->out, "step,name,visitors,conversion_rate,step_rate\r\n");
	for (size_t k = 0; k < w->in->q->nsteps; k++) {
		text_printf(&w->out, "%zu,", k + 1);
		csv_put_field(&w->out, w->in->q->steps[k].name);
		text_printf(&w->out, ",%lld,", (long long)reached[k]);
		out_number(&w->out, percent(reached[k], reached[0]));
		out_lit(&w->out, ",");
		out_number(&w->out, percent(reached[k], reached[k ? k - 1 : 0]));
		out_lit(&w->out, "\r\n");
	}
}

/* A column for each number of periods later; one that has not come yet is empty. */
static void retention_csv(struct writer *w)
{
	size_t n = w->res->periods;
	out_lit(&w->out, "cohort,visitors");
	for (size_t k = 0; k < n; k++)
		text_printf(&w->out, ",%zu", k);
	out_lit(&w->out, "\r\n");
	for (size_t i = 0; i < n; i++) {
		const int64_t *row = w->res->cells + i * n;
		csv_put_field(&w->out, cohort_label(w, i));
		text_printf(&w->out, ",%lld", (long long)row[0]);
		for (size_t k = 0; k < n; k++) {
			out_lit(&w->out, ",");
			if (k < n - i)
				text_printf(&w->out, "%lld", (long long)row[k]);
		}
		out_lit(&w->out, "\r\n");
	}
}

struct tally_str walk_shape(const struct shape_input *in, const struct walk_result *res, struct arena *a)
{
	struct writer w = { .in = in, .res = res, .arena = a };
	out_open(&w.out, a);
	if (in->q->format == QUERY_NDJSON)
		as_ndjson(&w);
	else if (in->q->format == QUERY_JSON)
		as_json(&w);
	else if (in->q->form == QUERY_FUNNEL)
		funnel_csv(&w);
	else
		retention_csv(&w);
	return out_text(&w.out);
}
