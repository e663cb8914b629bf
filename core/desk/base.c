/* SPDX-License-Identifier: Apache-2.0 */
/* What a conversion rate is a share of: the same question asked without its goal. */
#include "desk/query.h"

static bool is_goal(const struct query_field *f)
{
	bool of_visit = str_starts(f->text, STR("visit:")); /* a prop as well, but no deed */
	return f->kind == TALLY_DIM_NAME || (f->kind == TALLY_DIM_PROP && !of_visit);
}

static bool looks_at_goal(const struct query *q, const struct query_filter *f)
{
	for (size_t i = 0; i < f->nkids; i++)
		if (looks_at_goal(q, f->kids[i]))
			return true;
	return f->op >= QF_IS && is_goal(&q->fields[f->field]);
}

bool query_asks(const struct query *q, enum query_metric_kind kind)
{
	for (size_t i = 0; i < q->nmetrics; i++)
		if (q->metrics[i].kind == kind)
			return true;
	return false;
}

bool query_has_goal(const struct query *q)
{
	for (size_t i = 0; i < q->ndims; i++)
		if (!q->dims[i].is_time && is_goal(&q->fields[q->dims[i].field]))
			return true;
	return q->filter && looks_at_goal(q, q->filter);
}

/* A copy of the filter whose fields are those of out, made there as they come. */
static struct query_filter *copy(
	const struct query *q, const struct query_filter *f, struct arena *a, struct query *out)
{
	struct query_filter *made = arena_alloc(a, sizeof *made);
	*made = *f;
	made->kids = arena_alloc(a, (f->nkids + 1) * sizeof *made->kids);
	for (size_t i = 0; i < f->nkids; i++)
		made->kids[i] = copy(q, f->kids[i], a, out);
	if (f->op < QF_IS)
		return made;
	for (made->field = 0; made->field < out->nfields; made->field++)
		if (str_eq(out->fields[made->field].text, q->fields[f->field].text))
			return made;
	out->fields[out->nfields++] = q->fields[f->field];
	return made;
}

/* The tests that all events must pass, but for those that look at a goal. */
static struct query_filter *copy_others(const struct query *q, struct arena *a, struct query *out)
{
	const struct query_filter *f = q->filter;
	if (!f || (f->op != QF_AND && looks_at_goal(q, f)))
		return NULL;
	if (f->op != QF_AND)
		return copy(q, f, a, out);
	struct query_filter *made = arena_zalloc(a, sizeof *made);
	made->op = QF_AND;
	made->kids = arena_alloc(a, f->nkids * sizeof *made->kids);
	for (size_t i = 0; i < f->nkids; i++)
		if (!looks_at_goal(q, f->kids[i]))
			made->kids[made->nkids++] = copy(q, f->kids[i], a, out);
	return made->nkids ? made : NULL;
}

void query_base(const struct query *q, struct arena *a, struct query *out)
{
	*out = *q;
	out->nmetrics = 1;
	out->metrics[0] = (struct query_metric){ .kind = QM_VISITORS, .text = STR("visitors") };
	out->ndims = out->nfields = 0;
	if (q->time_dim >= 0) {
		out->dims[out->ndims++] = q->dims[q->time_dim];
		out->time_dim = 0;
	}
	out->filter = copy_others(q, a, out);
}
