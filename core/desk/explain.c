/* SPDX-License-Identifier: Apache-2.0 */
/* ?explain=1: which rollup or raw, in which grains, by which SQL, how many rows; and why no other rollup. */
#include "desk/shape.h"

static void put_bound(struct text_out *o, const char *name, const struct zone *z, int64_t t)
{
	char text[40];
	text_printf(o, ",\"%s\":", name);
	out_json(o, str_make(text, zone_format(z, t, text)));
}

static void put_statements(struct text_out *o, const struct shape_input *in, const struct run *r, bool *some)
{
	for (const struct run_statement *s = r->statements; s; s = s->next) {
		out_lit(o, *some ? ",{\"grain\":" : "{\"grain\":");
		*some = true;
		out_json(o, r->plan->rollup ? str_of(plan_grain_name(s->piece.grain)) : STR("event"));
		put_bound(o, "from", in->q->zone, s->piece.from_us);
		put_bound(o, "to", in->q->zone, s->piece.to_us);
		text_printf(o, ",\"rows\":%llu,\"sql\":", (unsigned long long)s->rows);
		out_json(o, s->sql);
		out_lit(o, "}");
	}
}

struct tally_str shape_explain(const struct shape_input *in, struct arena *a)
{
	const struct plan *p = in->now->plan;
	bool some = false;
	struct text_out o;
	out_open(&o, a);
	out_lit(&o, "{\"source\":");
	out_json(&o, p->rollup ? STR("rollup") : STR("raw"));
	out_lit(&o, ",\"rollup\":");
	if (p->rollup)
		out_json(&o, p->rollup->rollup->name);
	else
		out_lit(&o, "null");
	out_lit(&o, ",\"statements\":[");
	put_statements(&o, in, in->now, &some);
	if (in->before)
		put_statements(&o, in, in->before, &some);
	if (in->base)
		put_statements(&o, in, in->base, &some);
	if (in->base_before)
		put_statements(&o, in, in->base_before, &some);
	out_lit(&o, "],\"not_taken\":");
	text_put(&o, in->why);
	text_printf(&o, ",\"rows\":%llu,\"ms\":%.1f,\"query\":", (unsigned long long)shape_rows_read(in),
		(double)in->took_us / 1000);
	text_put(&o, query_normal(in->q, a));
	out_lit(&o, "}\n");
	return out_text(&o);
}
