/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of POST /v1/query/funnel and /v1/query/retention:
 *
 *     {…, "steps": [step, step, …], "window": "1h"}            step = "purchase"                     events of that name
 *     {…, "period": "week", "first": step, "again": step}           | [filter, …]                    events that pass all
 *                                                                   | {"name": "bought", "filters": [filter, …]} */
#include <errno.h>

#include "desk/parse.h"

#define NAME_MAX 128

/* ---- steps ---- */

static int read_event_name(
	struct parse *ps, const struct parse_place *p, struct query_step *out, struct query_error *err)
{
	struct tally_str *value = arena_alloc(ps->arena, sizeof *value);
	if (p->node->text.len > NAME_MAX)
		return parse_at(p, query_fail(err, 400, "too_long", "a name is at most %d bytes", NAME_MAX), err);
	*value = arena_str(ps->arena, p->node->text);
	out->name = *value;
	ps->filter_values++;
	return parse_at(p,
		query_make_test(ps->q, ps->arena, STR("is"), STR("event:name"), value, 1, false, &out->filter, err),
		err);
}

static int read_named(struct parse *ps, const struct parse_place *p, struct query_step *out, struct query_error *err)
{
	static const char *const legal[] = { "name", "filters", NULL };
	for (const struct tree_node *t = p->node->first; t; t = t->next) {
		struct parse_place here = parse_member(p, t);
		int rc;
		if (str_eq(t->key, STR("filters"))) {
			rc = parse_filter_list(ps, &here, &out->filter, err);
		} else if (str_eq(t->key, STR("name"))) {
			rc = parse_expect(&here, JSON_STRING, err);
			if (rc == 0 && t->text.len > NAME_MAX)
				rc = parse_at(&here,
					query_fail(err, 400, "too_long", "a name is at most %d bytes", NAME_MAX), err);
			out->name = arena_str(ps->arena, t->text);
		} else {
			query_fail(err, 400, "unknown_name", "a step has no member of that name");
			err->legal = legal;
			rc = parse_at(&here, -EINVAL, err);
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int read_step(struct parse *ps, const struct parse_place *p, struct query_step *out, struct query_error *err)
{
	switch (p->node->kind) {
	case JSON_STRING:
		return read_event_name(ps, p, out, err);
	case JSON_ARRAY:
		return parse_filter_list(ps, p, &out->filter, err);
	case JSON_OBJECT:
		return read_named(ps, p, out, err);
	default:
		return parse_at(p,
			query_fail(err, 400, "bad_type",
				"a step is the name of an event, a list of filters, or {\"name\", \"filters\"}"),
			err);
	}
}

static int read_steps(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	struct query *q = ps->q;
	int rc = parse_expect(p, JSON_ARRAY, err);
	for (const struct tree_node *t = p->node->first; rc == 0 && t; t = t->next) {
		struct parse_place here = parse_step(p, t, q->nsteps);
		if (q->nsteps == QUERY_STEPS_MAX)
			return parse_at(&here,
				query_fail(err, 400, "too_many", "a funnel has at most %d steps", QUERY_STEPS_MAX),
				err);
		struct query_step *step = &q->steps[q->nsteps++];
		*step = (struct query_step){ 0 };
		rc = read_step(ps, &here, step, err);
		if (rc == 0 && step->name.len == 0)
			step->name = str_of(arena_printf(ps->arena, "step %zu", q->nsteps));
	}
	return rc;
}

static int read_first(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	return read_step(ps, p, &ps->q->steps[0], err);
}

static int read_again(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	return read_step(ps, p, &ps->q->steps[1], err);
}

/* ---- the other members ---- */

static int read_window(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	int64_t us = 0;
	if (p->node->kind == JSON_NULL)
		return 0;
	int rc = parse_expect(p, JSON_STRING, err);
	if (rc)
		return rc;
	char *text = arena_copy(ps->arena, p->node->text.ptr, p->node->text.len);
	if (strlen(text) != p->node->text.len || conf_parse_time(text, &us) || us <= 0 || us == INT64_MAX)
		return parse_at(p,
			query_fail(err, 400, "out_of_range",
				"a window is a time longer than nothing with its unit: \"90s\", \"30m\", \"24h\", \"7d\""),
			err);
	ps->q->window_us = us;
	return 0;
}

/* The cohorts are the buckets of a time dimension. */
static int read_period(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	static const char *const legal[] = { "day", "week", "month", NULL };
	static const enum zone_unit units[] = { ZONE_DAY, ZONE_WEEK, ZONE_MONTH };
	int rc = parse_expect(p, JSON_STRING, err);
	for (int i = 0; rc == 0 && legal[i]; i++) {
		if (!str_eq(p->node->text, str_of(legal[i])))
			continue;
		ps->q->dims[0].unit = units[i];
		return 0;
	}
	if (rc == 0) {
		query_fail(err, 400, "unknown_name", "there is no such period");
		err->legal = legal;
	}
	return parse_at(p, -EINVAL, err);
}

static const struct parse_rule funnel[] = {
	{ "site_id", parse_text },
	{ "timezone", parse_text },
	{ "date_range", parse_range },
	{ "filters", parse_filters },
	{ "steps", read_steps },
	{ "window", read_window },
	{ NULL, NULL },
};

static const struct parse_rule retention[] = {
	{ "site_id", parse_text },
	{ "timezone", parse_text },
	{ "date_range", parse_range },
	{ "filters", parse_filters },
	{ "period", read_period },
	{ "first", read_first },
	{ "again", read_again },
	{ NULL, NULL },
};

int query_parse_walk(const struct query_context *cx, struct arena *a, enum query_form form, struct tally_str body,
	struct query *q, struct query_error *err)
{
	struct parse ps;
	parse_open(&ps, cx, a, q);
	q->form = form;
	q->metrics[q->nmetrics++] = (struct query_metric){ .kind = QM_VISITORS, .text = STR("visitors") };
	if (form == QUERY_FUNNEL)
		return parse_body(&ps, funnel, body, err);
	q->nsteps = 2;
	q->dims[q->ndims++] = (struct query_dimension){ .is_time = true, .unit = ZONE_WEEK };
	q->time_dim = 0;
	return parse_body(&ps, retention, body, err);
}
