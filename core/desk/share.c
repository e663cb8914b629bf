/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows of an answer are shares of, evaluated once and not for every row: an estimate costs thousands of steps. */
#include "desk/shape.h"

static int sum_all(struct groups *g, const struct group **out)
{
	struct group *sum = groups_spare(g);
	*out = sum;
	for (const struct group *at = g->first; at != sum; at = at->next) {
		int rc = group_merge(g, sum, at);
		if (rc)
			return rc;
	}
	group_seal(g, sum);
	return 0;
}

static int take_all(struct run *run, struct share *out)
{
	const struct group *all;
	if (!query_asks(run->q, QM_PERCENTAGE))
		return 0;
	int rc = sum_all(&run->groups, &all);
	if (rc)
		return rc;
	out->all = group_visitors(&run->plan->needs, all);
	out->exact &= group_is_exact(&run->plan->needs, all);
	return 0;
}

static int take_base(struct run *base, struct arena *a, struct share *out)
{
	const struct group *all;
	const struct plan_needs *needs = &base->plan->needs;
	out->of_bucket = arena_zalloc(a, (base->plan->axis.n + 1) * sizeof *out->of_bucket);
	for (const struct group *g = base->groups.first; g; g = g->next) {
		out->of_bucket[g->bucket] = group_visitors(needs, g);
		out->exact &= group_is_exact(needs, g);
	}
	int rc = sum_all(&base->groups, &all);
	if (rc)
		return rc;
	out->base = group_visitors(needs, all);
	out->exact &= group_is_exact(needs, all);
	return 0;
}

int share_make(struct run *run, struct run *base, struct arena *a, struct share *out)
{
	*out = (struct share){ .exact = true };
	int rc = take_all(run, out);
	return rc || !base ? rc : take_base(base, a, out);
}

int64_t share_whole(const struct share *s, enum query_metric_kind kind, const struct group *g, bool rest)
{
	if (kind == QM_PERCENTAGE)
		return s->all;
	if (kind != QM_CONVERSION)
		return 0;
	return rest ? s->base : s->of_bucket[g->bucket];
}

/* ---- of all that was read ---- */

static size_t runs_of(const struct shape_input *in, const struct run *out[4])
{
	size_t n = 0;
	out[n++] = in->now;
	if (in->before)
		out[n++] = in->before;
	if (in->base)
		out[n++] = in->base;
	if (in->base_before)
		out[n++] = in->base_before;
	return n;
}

uint64_t shape_rows_read(const struct shape_input *in)
{
	const struct run *runs[4];
	uint64_t rows = 0;
	for (size_t n = runs_of(in, runs); n; n--)
		rows += runs[n - 1]->rows_read;
	return rows;
}

bool shape_thinned(const struct shape_input *in)
{
	const struct run *runs[4];
	for (size_t n = runs_of(in, runs); n; n--)
		if (runs[n - 1]->thinned)
			return true;
	return false;
}

bool shape_folded(const struct shape_input *in)
{
	const struct run *runs[4];
	for (size_t n = runs_of(in, runs); n; n--)
		if (runs[n - 1]->folded && runs[n - 1]->q->nfields)
			return true;
	return false;
}
