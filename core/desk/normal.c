/* SPDX-License-Identifier: Apache-2.0 */
/* The normal form: equal questions have equal text, whatever order their filters were written in. It is the "query" of
 * every answer, and with form and format the key under which answers are remembered. */
#include <errno.h>
#include <stdlib.h>

#include "desk/out.h"
#include "desk/query.h"

#define MINUTE_US INT64_C(60000000)
#define DAY_US (24 * 60 * MINUTE_US)

static const char *const op_names[][2] = {
	[QF_AND] = { "and", "and" },
	[QF_OR] = { "or", "or" },
	[QF_NOT] = { "not", "not" },
	[QF_IS] = { "is", "is_not" },
	[QF_CONTAINS] = { "contains", "contains_not" },
	[QF_MATCHES] = { "matches", "matches_not" },
};

/* ---- filters ---- */

static void put_filter(struct text_out *o, const struct query *q, const struct query_filter *f);

static void put_kids(struct text_out *o, const struct query *q, const struct query_filter *f)
{
	out_lit(o, "[");
	for (size_t i = 0; i < f->nkids; i++) {
		out_lit(o, i ? "," : "");
		put_filter(o, q, f->kids[i]);
	}
	out_lit(o, "]");
}

static void put_filter(struct text_out *o, const struct query *q, const struct query_filter *f)
{
	text_printf(o, "[\"%s\",", op_names[f->op][f->negated]);
	if (f->op == QF_AND || f->op == QF_OR) {
		put_kids(o, q, f);
	} else if (f->op == QF_NOT) {
		put_filter(o, q, f->kids[0]);
	} else {
		out_json(o, q->fields[f->field].text);
		for (size_t i = 0; i < f->nvalues; i++) {
			out_lit(o, i ? "," : ",[");
			out_json(o, f->values[i]);
		}
		out_lit(o, f->folded ? "],{\"case_sensitive\":false}" : "]");
	}
	out_lit(o, "]");
}

struct child {
	struct tally_str text;
	struct query_filter *filter;
};

static int by_text(const void *a, const void *b)
{
	return str_cmp(((const struct child *)a)->text, ((const struct child *)b)->text);
}

/* How many children f has once those of the same kind are taken in. */
static size_t flat_count(const struct query_filter *f)
{
	size_t n = 0;
	for (size_t i = 0; i < f->nkids; i++)
		n += f->kids[i]->op == f->op ? f->kids[i]->nkids : 1;
	return n;
}

/* Takes in nested filters of the same kind, sorts, and drops repetitions. */
static void sort_kids(const struct query *q, struct arena *a, struct query_filter *f)
{
	size_t n = flat_count(f), at = 0, kept = 0;
	struct child *kids = arena_alloc(a, (n + 1) * sizeof *kids);
	for (size_t i = 0; i < f->nkids; i++) {
		struct query_filter *kid = f->kids[i];
		bool same = kid->op == f->op;
		for (size_t j = 0; j < (same ? kid->nkids : 1); j++)
			kids[at++].filter = same ? kid->kids[j] : kid;
	}
	for (size_t i = 0; i < n; i++) {
		struct text_out o;
		out_open(&o, a);
		put_filter(&o, q, kids[i].filter);
		kids[i].text = out_text(&o);
	}
	qsort(kids, n, sizeof *kids, by_text);
	f->kids = arena_alloc(a, (n + 1) * sizeof *f->kids);
	for (size_t i = 0; i < n; i++) {
		if (kept && str_eq(kids[i].text, kids[kept - 1].text))
			continue;
		kids[kept] = kids[i];
		f->kids[kept++] = kids[i].filter;
	}
	f->nkids = kept;
}

static struct query_filter *normalise(const struct query *q, struct arena *a, struct query_filter *f)
{
	for (size_t i = 0; i < f->nkids; i++)
		f->kids[i] = normalise(q, a, f->kids[i]);
	if (f->op == QF_NOT) {
		struct query_filter *kid = f->kids[0];
		if (kid->op == QF_NOT)
			return kid->kids[0];
		if (kid->op >= QF_IS) {
			kid->negated = !kid->negated;
			return kid;
		}
		return f;
	}
	if (f->op != QF_AND && f->op != QF_OR)
		return f;
	sort_kids(q, a, f);
	return f->nkids == 1 ? f->kids[0] : f;
}

/* ---- the whole ---- */

static void put_names(struct text_out *o, const struct query *q)
{
	out_lit(o, ",\"metrics\":[");
	for (size_t i = 0; i < q->nmetrics; i++) {
		out_lit(o, i ? "," : "");
		out_json(o, q->metrics[i].text);
	}
	out_lit(o, "],\"dimensions\":[");
	for (size_t i = 0; i < q->ndims; i++) {
		out_lit(o, i ? "," : "");
		out_json(o, q->dims[i].text);
	}
	out_lit(o, "]");
}

static void put_range(struct text_out *o, const struct query *q)
{
	char from[40], to[40];
	if (q->all) {
		out_lit(o, ",\"date_range\":\"all\"");
	} else {
		from[zone_format(q->zone, q->range.from_us, from)] = 0;
		to[zone_format(q->zone, q->range.to_us, to)] = 0;
		text_printf(o, ",\"date_range\":[\"%s\",\"%s\"]", from, to);
	}
	out_lit(o, ",\"timezone\":");
	out_json(o, str_of(zone_name(q->zone)));
	if (q->compare != QUERY_ALONE)
		text_printf(o, ",\"compare\":\"%s\"",
			q->compare == QUERY_YEAR_OVER_YEAR ? "year_over_year" : "previous_period");
}

static void put_filters(struct text_out *o, const struct query *q, const struct query_filter *f)
{
	out_lit(o, "\"filters\":");
	if (!f)
		out_lit(o, "[]");
	else if (f->op == QF_AND)
		put_kids(o, q, f);
	else {
		out_lit(o, "[");
		put_filter(o, q, f);
		out_lit(o, "]");
	}
}

static void put_steps(struct text_out *o, const struct query *q)
{
	static const char *const units[] = { [ZONE_DAY] = "day", [ZONE_WEEK] = "week", [ZONE_MONTH] = "month" };
	static const char *const names[] = { "first", "again" };
	bool funnel = q->form == QUERY_FUNNEL;
	if (funnel)
		out_lit(o, ",\"steps\":[");
	else
		text_printf(o, ",\"period\":\"%s\"", units[q->dims[0].unit]);
	for (size_t i = 0; i < q->nsteps; i++) {
		if (funnel)
			out_lit(o, i ? ",{" : "{");
		else
			text_printf(o, ",\"%s\":{", names[i]);
		if (funnel || q->steps[i].name.len) {
			out_lit(o, "\"name\":");
			out_json(o, q->steps[i].name);
			out_lit(o, ",");
		}
		put_filters(o, q, q->steps[i].filter);
		out_lit(o, "}");
	}
	if (funnel)
		out_lit(o, "]");
	if (q->window_us % 1000000)
		text_printf(o, ",\"window\":\"%lldus\"", (long long)q->window_us);
	else if (q->window_us)
		text_printf(o, ",\"window\":\"%llds\"", (long long)q->window_us / 1000000);
}

static struct tally_str walk_normal(const struct query *q, struct text_out *o)
{
	put_range(o, q);
	out_lit(o, ",");
	put_filters(o, q, q->filter);
	put_steps(o, q);
	out_lit(o, "}");
	return out_text(o);
}

static void put_order(struct text_out *o, const struct query *q)
{
	out_lit(o, ",\"order_by\":[");
	for (size_t i = 0; i < q->norder; i++) {
		const struct query_order *by = &q->order[i];
		out_lit(o, i ? ",[" : "[");
		out_json(o, by->is_metric ? q->metrics[by->index].text : q->dims[by->index].text);
		out_lit(o, by->descending ? ",\"desc\"]" : ",\"asc\"]");
	}
	out_lit(o, "]");
}

struct tally_str query_normal(const struct query *q, struct arena *a)
{
	struct text_out o;
	out_open(&o, a);
	out_lit(&o, "{\"site_id\":");
	out_json(&o, q->site);
	if (q->form >= QUERY_FUNNEL)
		return walk_normal(q, &o);
	put_names(&o, q);
	put_range(&o, q);
	out_lit(&o, ",");
	put_filters(&o, q, q->filter);
	put_order(&o, q);
	text_printf(&o,
		",\"include\":{\"time_labels\":%s,\"total_rows\":%s,\"other_row\":%s},\"pagination\":{\"limit\":%u,\"offset\":%u}}",
		q->include.time_labels ? "true" : "false", q->include.total_rows ? "true" : "false",
		q->include.other_row ? "true" : "false", q->limit, q->offset);
	return out_text(&o);
}

/* ---- finishing ---- */

/* "time" alone: the unit that gives a curve of a readable number of points. */
static void resolve_time(struct query *q)
{
	struct query_dimension *d = &q->dims[q->time_dim];
	int64_t length = q->all ? INT64_MAX : q->range.to_us - q->range.from_us;
	if (!str_eq(d->text, STR("time")))
		return;
	d->unit = length <= 2 * DAY_US + 60 * MINUTE_US ? ZONE_HOUR
		  : length <= 40 * DAY_US               ? ZONE_DAY
		  : length <= 366 * DAY_US              ? ZONE_WEEK
							: ZONE_MONTH;
	d->text = d->unit == ZONE_HOUR   ? STR("time:hour")
		  : d->unit == ZONE_DAY  ? STR("time:day")
		  : d->unit == ZONE_WEEK ? STR("time:week")
					 : STR("time:month");
}

/* More buckets than could be listed? Counted by the shortest a unit can be, so that nobody waits for the count. */
static int check_buckets(const struct query *q, int most, struct query_error *err)
{
	static const int64_t least[] = { [ZONE_MINUTE] = MINUTE_US,
		[ZONE_QUARTER] = 15 * MINUTE_US,
		[ZONE_HOUR] = 60 * MINUTE_US,
		[ZONE_DAY] = DAY_US,
		[ZONE_WEEK] = 7 * DAY_US,
		[ZONE_MONTH] = 28 * DAY_US };
	if (q->time_dim < 0 || q->all)
		return 0;
	int64_t length = q->range.to_us - q->range.from_us;
	if (length / least[q->dims[q->time_dim].unit] <= most)
		return 0;
	query_fail(err, 400, "too_many_buckets",
		"%s over this range has more than %d buckets: ask for a longer unit or a shorter range",
		q->form >= QUERY_FUNNEL ? "the period" : q->dims[q->time_dim].text.ptr, most);
	return query_fail_at(err, "dimensions", q->time_dim);
}

/* A share of everything says nothing. */
static int check_shares(const struct query *q, struct query_error *err)
{
	for (size_t i = 0; i < q->nmetrics; i++) {
		if (q->metrics[i].kind == QM_PERCENTAGE && q->ndims == 0)
			query_fail(err, 400, "bad_pair",
				"percentage is the share of a row: it needs at least one dimension");
		else if (q->metrics[i].kind == QM_CONVERSION && !query_has_goal(q))
			query_fail(err, 400, "bad_pair",
				"conversion_rate needs a goal: a filter or a dimension on event:name or event:props:X");
		else
			continue;
		return query_fail_at(err, "metrics", (int)i);
	}
	return 0;
}

static void default_order(struct query *q)
{
	if (q->norder)
		return;
	if (q->time_dim >= 0)
		q->order[q->norder++] = (struct query_order){ .index = (unsigned)q->time_dim };
	q->order[q->norder++] = (struct query_order){ .is_metric = true, .descending = true };
}

static void make_key(struct query *q, struct arena *a)
{
	static const char *const forms[] = { "query", "totals", "series", "top", "active", "funnel", "retention" };
	static const char *const formats[] = { "json", "csv", "ndjson" };
	struct text_out o;
	out_open(&o, a);
	text_printf(&o, "%s %s ", forms[q->form], formats[q->format]);
	text_put(&o, query_normal(q, a));
	q->key = out_text(&o);
}

/* Of a funnel or of retention. */
static int finish_walk(struct query *q, struct arena *a, struct query_error *err)
{
	if (q->nsteps == 0) {
		query_fail(err, 400, "missing_field", "a funnel has at least one step");
		return query_fail_at(err, "steps", -1);
	}
	if (query_check_pairs(q, err))
		return -EINVAL;
	if (q->time_dim >= 0 && check_buckets(q, QUERY_PERIODS_MAX, err))
		return query_fail_at(err, "period", -1);
	if (q->filter)
		q->filter = normalise(q, a, q->filter);
	for (size_t i = 0; i < q->nsteps; i++)
		if (q->steps[i].filter)
			q->steps[i].filter = normalise(q, a, q->steps[i].filter);
	make_key(q, a);
	return 0;
}

int query_finish(struct query *q, struct arena *a, struct query_error *err)
{
	if (q->form >= QUERY_FUNNEL)
		return finish_walk(q, a, err);
	if (q->nmetrics == 0) {
		query_fail(err, 400, "missing_field", "a query names at least one metric");
		err->legal = query_metric_names();
		return query_fail_at(err, "metrics", -1);
	}
	if (check_shares(q, err) || query_check_pairs(q, err))
		return -EINVAL;
	if (q->all && q->compare != QUERY_ALONE) {
		query_fail(err, 400, "bad_pair", "nothing comes before \"all\": it cannot be compared");
		return query_fail_at(err, "compare", -1);
	}
	if (q->time_dim >= 0)
		resolve_time(q);
	if (q->compare != QUERY_ALONE)
		query_range_compared(q);
	if (q->filter)
		q->filter = normalise(q, a, q->filter);
	default_order(q);
	make_key(q, a);
	return check_buckets(q, QUERY_BUCKETS_MAX, err);
}
