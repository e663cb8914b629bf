/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be added up for the metrics asked, and the rollup that would hold it. */
#include "desk/out.h"
#include "desk/plan.h"

static const uint32_t need_kind[] = {
	[QM_EVENTS] = TALLY_EVENTS,
	[QM_PAGEVIEWS] = TALLY_PAGEVIEWS,
	[QM_VISITORS] = TALLY_VISITORS,
	[QM_SUM] = TALLY_SUM,
	[QM_AVG] = TALLY_SUM, /* its row counts the numbers too */
	[QM_MIN] = TALLY_MIN,
	[QM_MAX] = TALLY_MAX,
	[QM_PERCENTAGE] = TALLY_VISITORS,
	[QM_QUANTILE] = TALLY_QUANTILE, /* one sketch for all percents */
	[QM_CONVERSION] = TALLY_VISITORS,
	[QM_VISITS] = TALLY_VISITS,
	[QM_VIEWS_PER_VISIT] = TALLY_VIEWS,
	[QM_BOUNCE_RATE] = TALLY_BOUNCES,
	[QM_VISIT_DURATION] = TALLY_DURATION,
};

static bool same(const struct plan_need *n, uint32_t kind, const struct query_metric *m)
{
	return n->kind == kind && n->is_prop == m->is_prop && str_eq(n->field, m->field);
}

static unsigned place(struct plan_needs *out, uint32_t kind, const struct query_metric *m)
{
	unsigned at = 0;
	while (at < out->n && !same(&out->need[at], kind, m))
		at++;
	if (at == out->n)
		out->need[out->n++] = (struct plan_need){ kind, m->is_prop, m->field };
	return at;
}

void plan_needs(const struct query *q, struct plan_needs *out)
{
	*out = (struct plan_needs){ 0 };
	for (size_t i = 0; i < q->nmetrics; i++) {
		out->of_metric[i] = place(out, need_kind[q->metrics[i].kind], &q->metrics[i]);
		if (query_is_of_visits(&q->metrics[i]))
			out->visits = place(out, TALLY_VISITS, &q->metrics[i]);
	}
}

bool plan_needs_visits(const struct plan_needs *needs)
{
	for (size_t i = 0; i < needs->n; i++)
		if (plan_is_of_visits(needs->need[i].kind))
			return true;
	return false;
}

bool plan_needs_events(const struct plan_needs *needs)
{
	for (size_t i = 0; i < needs->n; i++)
		if (!plan_is_of_visits(needs->need[i].kind))
			return true;
	return false;
}

/* A rollup's name from its dimensions: letters and digits of "by_name_page". */
static void put_name(struct text_out *o, const struct query *q)
{
	out_lit(o, q->nfields ? "by" : "total_more");
	for (size_t i = 0; i < q->nfields; i++) {
		struct tally_str text = q->fields[i].text;
		const char *last = memrchr(text.ptr, ':', text.len);
		out_lit(o, "_");
		for (const char *p = last ? last + 1 : text.ptr; p < text.ptr + text.len; p++)
			if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9'))
				out_bytes(o, p, 1);
	}
}

static void put_metric(struct text_out *o, const struct plan_need *n)
{
	static const char *const words[] = { [TALLY_EVENTS] = "events",
		[TALLY_PAGEVIEWS] = "pageviews",
		[TALLY_VISITORS] = "visitors",
		[TALLY_SUM] = "sum:",
		[TALLY_MIN] = "min:",
		[TALLY_MAX] = "max:",
		[TALLY_VISITS] = "visits",
		[TALLY_BOUNCES] = "bounces",
		[TALLY_DURATION] = "duration",
		[TALLY_QUANTILE] = "p:",
		[TALLY_VIEWS] = "views" };
	struct text_out text;
	out_open(&text, o->arena);
	out_lit(&text, words[n->kind]);
	bool of_field = (n->kind >= TALLY_SUM && n->kind <= TALLY_MAX) || n->kind == TALLY_QUANTILE;
	if (of_field && n->is_prop) {
		out_lit(&text, "props.");
		text_put(&text, n->field);
	} else if (of_field) {
		out_lit(&text, "value");
	}
	out_json(o, out_text(&text)); /* a double-quoted YAML scalar too */
}

struct tally_str plan_declaration(const struct query *q, struct arena *a)
{
	struct plan_needs needs;
	struct text_out o;
	plan_needs(q, &needs);
	out_open(&o, a);
	out_lit(&o, "- { name: ");
	put_name(&o, q);
	out_lit(&o, ", by: [");
	for (size_t i = 0; i < q->nfields; i++) {
		out_lit(&o, i ? ", " : "");
		out_json(&o, q->fields[i].text);
	}
	out_lit(&o, "], metrics: [");
	for (size_t i = 0; i < needs.n; i++) {
		out_lit(&o, i ? ", " : "");
		put_metric(&o, &needs.need[i]);
	}
	out_lit(&o, "] }");
	return out_text(&o);
}
