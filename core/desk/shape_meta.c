/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer says of itself. It never lies: how far the data goes, what is estimated, what was thinned, where it was
 * read and at what cost. The text `"cache":"miss"` is a promise: whoever remembers answers rewrites it. */
#include <stdio.h>

#include "desk/shape.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

#define HLL_ERROR 0.0081 /* 1.04 / sqrt(2^14) */

static void put_time(struct text_out *o, const struct zone *z, int64_t t)
{
	char text[40];
	out_json(o, str_make(text, zone_format(z, t, text)));
}

/* Complete up to the second: "Z" and not "+00:00", as the contract prints it. */
static void put_utc(struct text_out *o, int64_t t)
{
	struct zone_civil c;
	zone_civil(zone_utc(), t, &c);
	text_printf(o, "\"%04d-%02d-%02dT%02d:%02d:%02dZ\"", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

static void put_freshness(struct text_out *o, const struct shape_input *in)
{
	out_lit(o, "\"freshness\":{\"complete_through\":");
	if (in->freshness.known) {
		put_utc(o, in->freshness.complete_through_us);
		out_lit(o, ",\"lag_seconds\":");
		text_printf(o, "%.3g", in->freshness.lag_seconds);
	} else {
		out_lit(o, "null,\"lag_seconds\":null");
	}
	text_printf(o, ",\"revision\":%llu}", (unsigned long long)in->revision);
}

/* Are the visitors of every row given counted rather than estimated? */
static bool counted(const struct shape_input *in, const struct shape_rows *rows)
{
	const struct plan_needs *needs = &in->now->plan->needs;
	bool exact = true;
	for (size_t i = 0; i < rows->n && exact; i++) {
		const struct group *g = rows->rows[rows->first + i];
		exact = group_is_exact(needs, g) && (!in->before || group_is_exact(needs, shape_beside(in, g)));
	}
	exact = exact && rows->share.exact && (!in->before || rows->share_before.exact);
	return exact && (!rows->rest || group_is_exact(needs, rows->rest));
}

static void put_exactness(struct text_out *o, const struct shape_input *in, const struct shape_rows *rows)
{
	bool sampled = shape_thinned(in);
	bool exact = counted(in, rows);
	bool missed = in->now->missed || (in->before && in->before->missed);
	out_lit(o, ",\"exactness\":{");
	for (size_t i = 0; i < in->q->nmetrics; i++) {
		enum query_metric_kind kind = in->q->metrics[i].kind;
		bool sketch = kind == QM_VISITORS || kind == QM_PERCENTAGE || kind == QM_CONVERSION;
		out_lit(o, i ? "," : "");
		out_json(o, in->q->metrics[i].text);
		if (missed)
			out_lit(o, ":{\"kind\":\"at_least\"}");
		else if (sketch && !exact)
			text_printf(o, ":{\"kind\":\"hll\",\"rel_error\":%g}", HLL_ERROR);
		else if (in->q->metrics[i].kind == QM_QUANTILE && !sampled)
			text_printf(o, ":{\"kind\":\"ddsketch\",\"rel_error\":%g}", QUANTILE_ERROR);
		else
			out_lit(o, sampled && !query_is_of_visits(&in->q->metrics[i]) ? ":{\"kind\":\"sampled\"}"
										      : ":{\"kind\":\"exact\"}");
	}
	text_printf(o, "},\"sampling\":{\"applied\":%s}", sampled ? "true" : "false");
}

static void put_labels(struct text_out *o, const struct shape_input *in)
{
	const struct plan_axis *axis = &in->now->plan->axis;
	if (!in->q->include.time_labels || in->q->time_dim < 0)
		return;
	out_lit(o, ",\"time_labels\":[");
	for (size_t i = 0; i < axis->n; i++) {
		out_lit(o, i ? "," : "");
		put_time(o, in->q->zone, axis->starts[i]);
	}
	out_lit(o, "]");
}

static void put_source(struct text_out *o, const struct plan *p)
{
	struct text_out text;
	out_open(&text, o->arena);
	out_lit(&text, p->rollup ? "rollup:" : "raw");
	if (p->rollup)
		text_put(&text, p->rollup->rollup->name);
	out_json(o, out_text(&text));
}

static void warn(struct text_out *o, bool when, bool *some, const char *text)
{
	if (!when)
		return;
	out_lit(o, *some ? "," : "");
	out_json(o, str_of(text));
	*some = true;
}

static void put_warnings(struct text_out *o, const struct shape_input *in)
{
	bool some = false;
	out_lit(o, ",\"warnings\":[");
	warn(o, shape_thinned(in), &some,
		"raw events of this range were thinned out: counts and sums are scaled up, visitors are at least this many");
	warn(o, shape_folded(in), &some,
		"the rollup ran full: what came later stands under \"(other)\", so single values may be too low; one that became "
		"frequent afterwards has a row of its own from then on only");
	warn(o, in->many_nodes && plan_needs_visits(&in->now->plan->needs), &some,
		"more than one node wrote into this range: a visit counts once on each node that saw the visitor, so route a "
		"visitor's events to one");
	warn(o, in->now->missed || (in->before && in->before->missed), &some,
		"some of what stands under \"(other)\" may pass the filter and is left out");
	warn(o, in->unconfirmed, &some,
		"the server that is written to cannot be reached: this is from a replica, which may lack what was stored since "
		"complete_through");
	if (in->lost) {
		char text[160];
		snprintf(text, sizeof text,
			"%lld events of this site were taken and are not in the store: see lost in /v1/ledger",
			(long long)in->lost);
		warn(o, true, &some, text);
	}
	out_lit(o, "]");
}

void shape_meta(struct text_out *o, const struct shape_input *in, const struct shape_rows *rows)
{
	uint64_t read = shape_rows_read(in);
	out_lit(o, "{");
	if (in->q->include.total_rows)
		text_printf(o, "\"total_rows\":%zu,", rows->total);
	put_freshness(o, in);
	put_exactness(o, in, rows);
	put_labels(o, in);
	out_lit(o, ",\"cache\":\"miss\",\"source\":");
	put_source(o, in->now->plan);
	if (in->before) {
		out_lit(o, ",\"compared\":[");
		put_time(o, in->q->zone, in->q->compared.from_us);
		out_lit(o, ",");
		put_time(o, in->q->zone, in->q->compared.to_us);
		out_lit(o, "]");
	}
	text_printf(
		o, ",\"cost\":{\"rows_read\":%llu,\"ms\":%.1f}", (unsigned long long)read, (double)in->took_us / 1000);
	put_warnings(o, in);
	out_lit(o, "}");
}
