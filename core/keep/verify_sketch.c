/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches are read row by row, for SQL sees bytes: each must be well formed, and those of the event's value must have
 * counted as many numbers in a bucket as the raw rows have. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "keep/verify_inner.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

struct sketches {
	struct verify *v;
	const struct schema_rollup *rollup;
	const struct tally_metric *metric;
	struct table sums[TALLY_GRAINS]; /* numbers of a bucket, in counts[VS_COUNT_VALUE] */
};

static bool is_of_value(const struct tally_metric *m)
{
	return m->kind == TALLY_QUANTILE && !m->is_prop;
}

static void say_damaged(struct sketches *s, int64_t node, int64_t grain, int64_t bucket)
{
	struct verify *v = s->v;
	verify_say(v->out, v->result, v->opt->line, "rollup",
		arena_printf(&v->arena,
			"a sketch in %s of node %" PRId64 ", grain %" PRId64 ", bucket %" PRId64 " is damaged",
			meta_table(&v->meta, s->rollup), node, grain, bucket));
}

/* node, site, bucket, grain, sketch */
static int take_sketch(void *arg, const struct tally_cell *c)
{
	struct sketches *s = arg;
	const void *bytes = c[4].v.ptr;
	size_t len = c[4].null ? 0 : c[4].len;
	int64_t grain = c[3].v.i;
	if (grain < 0 || grain >= TALLY_GRAINS)
		return 0;
	if ((s->metric->kind == TALLY_QUANTILE ? quantile_check(bytes, len) : hll_check(bytes, len)) != 0) {
		say_damaged(s, c[0].v.i, grain, c[2].v.i);
		return 0;
	}
	if (!is_of_value(s->metric))
		return 0;
	struct tally_str site = c[1].null ? STR("") : str_make(c[1].v.ptr, c[1].len);
	struct verify_cell *sum = verify_cell_of(s->v, &s->sums[grain], c[0].v.i, site, c[2].v.i, true);
	sum->counts[VS_COUNT_VALUE] += (int64_t)quantile_count(bytes, len);
	return 0;
}

static void compare(struct sketches *s, int grain, const struct verify_cell *c, int64_t is, int64_t raw)
{
	if (is != raw && c->bucket_us >= verify_horizon_of(s->v, s->rollup, grain, c->site))
		verify_say_bucket(s->v, s->rollup, grain, c, "count of p:value", (double)is, (double)raw);
}

static void compare_counts(struct sketches *s, int grain)
{
	struct verify *v = s->v;
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&s->sums[grain], &at));) {
		const struct verify_cell *sum = e->value;
		const struct verify_cell *raw =
			verify_cell_of(v, &v->raw[grain], sum->node, sum->site, sum->bucket_us, false);
		compare(s, grain, sum, sum->counts[VS_COUNT_VALUE], raw ? raw->counts[VS_COUNT_VALUE] : 0);
	}
	at = 0;
	for (const struct table_entry *e; (e = table_next(&v->raw[grain], &at));) {
		const struct verify_cell *raw = e->value;
		if (!verify_cell_of(v, &s->sums[grain], raw->node, raw->site, raw->bucket_us, false))
			compare(s, grain, raw, 0, raw->counts[VS_COUNT_VALUE]);
	}
}

int verify_sketches(struct verify *v, const struct schema_rollup *r)
{
	int rc = 0;
	for (uint32_t i = 0; i < r->rollup->nmetrics && rc == 0; i++) {
		struct sketches s = { .v = v, .rollup = r, .metric = &r->rollup->metrics[i] };
		if (s.metric->kind != TALLY_VISITORS && s.metric->kind != TALLY_QUANTILE)
			continue;
		const char *column = r->table.columns[r->metric_column[i]].name;
		rc = verify_read_sketches(v, r, column, take_sketch, &s);
		for (int g = 0; g < TALLY_GRAINS; g++) {
			if (rc == 0 && is_of_value(s.metric))
				compare_counts(&s, g);
			table_free(&s.sums[g]);
		}
	}
	return rc;
}
