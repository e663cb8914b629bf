/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/plan.h"

#include <errno.h>

#include "desk/out.h"

#define DAY_US (INT64_C(86400) * 1000000)

static const struct {
	const char *name;
	enum zone_unit unit;
	int64_t length_us; /* about, to compare costs */
} grains[TALLY_GRAINS + 1] = {
	[TALLY_MINUTE] = { "minute", ZONE_MINUTE, INT64_C(60) * 1000000 },
	[TALLY_QUARTER] = { "quarter", ZONE_QUARTER, INT64_C(900) * 1000000 },
	[TALLY_DAY] = { "day", ZONE_DAY, DAY_US },
	[TALLY_MONTH] = { "month", ZONE_MONTH, 30 * DAY_US },
	[PLAN_EVENTS] = { "event", ZONE_MINUTE, 100000 },
};

const char *plan_grain_name(uint32_t grain)
{
	return grains[grain].name;
}

enum zone_unit plan_grain_unit(uint32_t grain)
{
	return grains[grain].unit;
}

/* ---- the axis ---- */

int plan_axis(const struct query *q, struct query_range range, struct arena *a, struct plan_axis *out)
{
	size_t cap = 64;
	out->n = 1;
	out->starts = arena_alloc(a, cap * sizeof *out->starts);
	out->starts[0] = range.from_us;
	if (q->time_dim < 0)
		return 0;
	enum zone_unit unit = q->dims[q->time_dim].unit;
	int64_t at = zone_floor(q->zone, unit, range.from_us);
	for (out->n = 0; at < range.to_us; at = zone_next(q->zone, unit, at)) {
		if (out->n == QUERY_BUCKETS_MAX)
			return -E2BIG;
		if (out->n == cap) {
			int64_t *more = arena_alloc(a, 2 * cap * sizeof *more);
			memcpy(more, out->starts, cap * sizeof *more);
			out->starts = more;
			cap *= 2;
		}
		out->starts[out->n++] = at;
	}
	return 0;
}

size_t plan_axis_find(const struct plan_axis *axis, int64_t t)
{
	size_t low = 0, high = axis->n; /* starts[low] <= t < starts[high] */
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (axis->starts[mid] <= t)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* ---- covering a range with whole buckets ---- */

struct cover {
	const struct query *q;
	const struct plan_store *st;
	int64_t horizon_us; /* of the rollup */
	struct arena *arena;
	struct plan *plan;
	size_t cap;
	bool whole_rows; /* some piece is of the rollup */
};

/* From when on visits are whole, with what is asked of them. */
static int64_t visits_since(const struct query *q, const struct plan_store *st)
{
	int64_t since = st->meta->visits_horizon_us;
	for (size_t i = 0; i < q->nfields; i++)
		if (q->fields[i].kind == TALLY_DIM_PROP && st->meta->values_horizon_us > since)
			since = st->meta->values_horizon_us;
	return since;
}

static int64_t grain_ceil(const struct cover *c, uint32_t grain, int64_t t)
{
	int64_t start = zone_floor(c->q->site_zone, grains[grain].unit, t);
	return start == t ? t : zone_next(c->q->site_zone, grains[grain].unit, start);
}

static void add_piece(struct cover *c, int64_t from, int64_t to, uint32_t grain)
{
	struct plan *p = c->plan;
	c->whole_rows |= grain != PLAN_EVENTS;
	p->buckets += (double)(to - from) / (double)grains[grain].length_us;
	if (p->npieces && p->pieces[p->npieces - 1].grain == grain && p->pieces[p->npieces - 1].to_us == from) {
		p->pieces[p->npieces - 1].to_us = to;
		return;
	}
	if (p->npieces == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 8;
		struct plan_piece *more = arena_alloc(c->arena, cap * sizeof *more);
		if (p->npieces)
			memcpy(more, p->pieces, p->npieces * sizeof *more);
		p->pieces = more;
		c->cap = cap;
	}
	p->pieces[p->npieces++] = (struct plan_piece){ from, to, grain };
}

/* What no bucket holds without holding more: from raw events, if it is little and at an end of the range. */
static bool cover_end(struct cover *c, int64_t from, int64_t to)
{
	struct query_range r = c->plan->range;
	if ((from != r.from_us && to != r.to_us) || to - from >= grains[TALLY_QUARTER].length_us ||
		from < c->st->raw_horizon_us ||
		(plan_needs_visits(&c->plan->needs) && from < visits_since(c->q, c->st)))
		return false;
	add_piece(c, from, to, PLAN_EVENTS);
	return true;
}

/* The whole buckets of the grain inside [from, to), and the finer grains around them. False: bounds that even the
 * finest grain cuts in the middle, or that lie before what it has kept. */
static bool cover(struct cover *c, int64_t from, int64_t to, int grain)
{
	if (from >= to)
		return true;
	if (grain < 0)
		return cover_end(c, from, to);
	uint32_t g = (uint32_t)grain;
	int64_t kept = meta_whole_from(c->st->meta, c->plan->rollup->rollup->id, (enum tally_grain)g, c->q->site);
	int64_t whole = c->horizon_us > kept ? c->horizon_us : kept;
	if (whole >= to) /* also keeps INT64_MAX away from the calendar */
		return cover(c, from, to, grain - 1);
	int64_t low = grain_ceil(c, g, from > whole ? from : whole);
	int64_t high = zone_floor(c->q->site_zone, grains[g].unit, to);
	if (low >= high)
		return cover(c, from, to, grain - 1);
	if (!cover(c, from, low, grain - 1))
		return false;
	add_piece(c, low, high, g);
	return cover(c, high, to, grain - 1);
}

/* The range, cut at the bounds of the axis: a bucket must not lie in two labels. */
static bool cover_axis(struct cover *c)
{
	const struct plan_axis *axis = &c->plan->axis;
	struct query_range r = c->plan->range;
	for (size_t i = 0; i < axis->n; i++) {
		int64_t from = axis->starts[i] > r.from_us ? axis->starts[i] : r.from_us;
		int64_t to = i + 1 < axis->n ? axis->starts[i + 1] : r.to_us;
		if (!cover(c, from, to, TALLY_GRAINS - 1))
			return false;
	}
	return true;
}

/* ---- does a rollup hold what is asked? ---- */

static int find_dim(const struct tally_rollup *r, uint32_t kind, struct tally_str key)
{
	for (uint32_t i = 0; i < r->ndims; i++)
		if (r->dims[i].kind == kind && (kind != TALLY_DIM_PROP || str_eq(r->dims[i].key, key)))
			return (int)i;
	return -1;
}

static int find_metric(const struct tally_rollup *r, uint32_t kind, const struct plan_need *n)
{
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		const struct tally_metric *m = &r->metrics[i];
		if (m->kind != kind)
			continue;
		if (kind < TALLY_SUM || plan_is_of_visits(kind) ||
			(m->is_prop == n->is_prop && str_eq(m->field, n->field)))
			return (int)i;
	}
	return -1;
}

static bool map_fields(const struct query *q, const struct tally_rollup *r, struct plan *p, const char **why)
{
	for (size_t i = 0; i < q->nfields; i++) {
		int dim = find_dim(r, q->fields[i].kind, q->fields[i].key);
		if (dim < 0) {
			*why = q->fields[i].text.ptr;
			return false;
		}
		p->dim_of_field[i] = (unsigned)dim;
	}
	return true;
}

static bool map_needs(const struct query *q, const struct tally_rollup *r, struct plan *p, const char **why)
{
	p->name_dim = find_dim(r, TALLY_DIM_NAME, (struct tally_str){ 0 });
	for (size_t i = 0; i < p->needs.n; i++) {
		const struct plan_need *n = &p->needs.need[i];
		int at = find_metric(r, n->kind, n);
		p->from_name[i] = at < 0 && n->kind == TALLY_PAGEVIEWS && p->name_dim >= 0;
		if (p->from_name[i])
			at = find_metric(r, TALLY_EVENTS, n);
		if (at < 0) {
			size_t m = 0;
			while (m < q->nmetrics && p->needs.of_metric[m] != i)
				m++;
			*why = m < q->nmetrics ? q->metrics[m].text.ptr : "visits";
			return false;
		}
		p->column[i] = (unsigned)at;
	}
	return true;
}

/* ---- choosing ---- */

/* Rows to read, roughly: every dimension multiplies them by some number of values. */
static double score(const struct plan *p)
{
	double rows = p->buckets;
	for (uint32_t i = 0; i < p->rollup->rollup->ndims; i++)
		rows *= 16;
	return rows;
}

static void say(struct text_out *why, const struct tally_rollup *r, const char *fmt, const char *what)
{
	if (!why)
		return;
	out_lit(why, why->len ? "," : "{");
	out_json(why, r->name);
	out_lit(why, ":");
	struct text_out text;
	out_open(&text, why->arena);
	out_lit(&text, fmt);
	out_lit(&text, what);
	out_json(why, out_text(&text));
}

static const char *why_not(const struct query *q, const struct meta *m, const struct tally_rollup *r,
	const struct plan *p, struct arena *a)
{
	if (m->rollup_short_of && m->rollup_short_of[r->id])
		return arena_printf(a, "node %s stores events without it", m->rollup_short_of[r->id]);
	if (m->rollup_horizon_us[r->id] > p->range.from_us)
		return "is not whole from the beginning of the range";
	if (m->grain_horizon_us[TALLY_QUARTER] > p->range.from_us &&
		meta_zone_from(m, r->id, q->site) > p->range.from_us)
		return arena_printf(a,
			"the site's time zone was changed since: its days before are of another one, and no finer rows are "
			"kept (tally rebuild %.*s makes them anew from raw events)",
			(int)r->name.len, r->name.ptr);
	return "the range or its buckets cut the rows that are kept";
}

static bool try_rollup(const struct query *q, const struct plan_store *st, size_t i, struct arena *a, struct plan *p,
	struct text_out *why)
{
	const struct tally_rollup *r = st->schema->rollups[i].rollup;
	const char *missing = "";
	p->rollup = &st->schema->rollups[i];
	p->table = meta_table(st->meta, p->rollup);
	if (!map_fields(q, r, p, &missing) || !map_needs(q, r, p, &missing)) {
		say(why, r, "does not hold ", missing);
		return false;
	}
	struct cover c = { .q = q, .st = st, .horizon_us = st->meta->rollup_horizon_us[r->id], .arena = a, .plan = p };
	if (plan_needs_visits(&p->needs) && visits_since(q, st) > c.horizon_us)
		c.horizon_us = visits_since(q, st);
	if (cover_axis(&c) && c.whole_rows)
		return true;
	p->held = r;
	p->held_why = why_not(q, st->meta, r, p, a);
	say(why, r, p->held_why, "");
	return false;
}

/* Of the rollups that hold what is asked, but not over this range, the first is named should raw events not do. */
static void keep_reason(struct plan *best, const struct plan *tried)
{
	if (best->rollup || best->held)
		return;
	best->held = tried->held;
	best->held_why = tried->held_why;
}

static int refuse(const struct query *q, const struct plan_store *st, const struct plan *p, struct arena *a,
	struct query_error *err)
{
	char since[40];
	struct tally_str line = plan_declaration(q, a);
	since[zone_format(zone_utc(), st->raw_horizon_us, since)] = 0;
	if (p->held)
		return query_fail(err, 422, "not_covered",
			"the rollup %.*s holds this, but %s; raw events are kept only since %s", (int)p->held->name.len,
			p->held->name.ptr, p->held_why, since);
	query_fail(err, 422, "not_covered",
		"no rollup answers this over the whole range, and raw events are kept only since %s; bounds on the quarter "
		"hour and a rollup declared in time would do: %.*s",
		since, (int)line.len, line.ptr);
	err->declare = arena_copy(a, line.ptr, line.len);
	return -EINVAL;
}

/* Raw rows of visits begin where plugin session began. */
static int refuse_visits(
	const struct query *q, struct query_range range, const struct plan_store *st, struct query_error *err)
{
	char since[40];
	int64_t from = visits_since(q, st);
	bool plain = st->meta->visits_horizon_us <= range.from_us;
	if (from == INT64_MAX && plain)
		return query_fail(err, 422, "not_covered",
			"what visits came with is not known here: the plugin session is older than that; install the one of this "
			"version");
	if (from == INT64_MAX)
		return query_fail(err, 422, "not_covered",
			"visits are not counted here: name the plugin session in pipeline:, before rollup");
	since[zone_format(zone_utc(), from, since)] = 0;
	return query_fail(err, 422, "not_covered",
		plain ? "what visits came with is kept only since %s" : "visits are counted only since %s", since);
}

int plan_make(const struct query *q, struct query_range range, const struct plan_store *st, struct arena *a,
	struct plan *out, struct tally_str *why, struct query_error *err)
{
	struct plan blank = { .range = range, .name_dim = -1 };
	struct text_out reasons;
	double best = -1;
	out_open(&reasons, a);
	plan_needs(q, &blank.needs);
	if (plan_axis(q, range, a, &blank.axis))
		return query_fail(err, 400, "too_many_buckets",
			"the time dimension has more than %d buckets over this range", QUERY_BUCKETS_MAX);
	*out = blank;
	for (size_t i = 0; i < st->schema->nrollups; i++) {
		struct plan p = blank;
		if (!try_rollup(q, st, i, a, &p, why ? &reasons : NULL)) {
			keep_reason(out, &p);
			continue;
		}
		if (best < 0 || score(&p) < best) {
			best = score(&p);
			*out = p;
		}
	}
	if (why) {
		out_lit(&reasons, reasons.len ? "}" : "{}");
		*why = out_text(&reasons);
	}
	if (out->rollup)
		return 0;
	if (plan_needs_visits(&out->needs) && range.from_us < visits_since(q, st))
		return refuse_visits(q, range, st, err);
	if (range.from_us < st->raw_horizon_us)
		return refuse(q, st, out, a, err);
	out->pieces = arena_zalloc(a, sizeof *out->pieces);
	out->pieces[0] = (struct plan_piece){ range.from_us, range.to_us, PLAN_EVENTS };
	out->npieces = 1;
	return 0;
}

int plan_cost(const struct plan *p)
{
	if (p->rollup)
		return 0;
	return p->range.to_us - p->range.from_us > 7 * DAY_US ? 2 : 1;
}
