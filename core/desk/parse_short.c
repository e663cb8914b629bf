/* SPDX-License-Identifier: Apache-2.0 */
/* The short forms: GET /v1/sites/{site}/totals|series|top|active?from&to&range&tz&metric&by&unit&limit&filter&compare&format.
 * A filter is written as JSON, as in the body, or as dimension, sign and values: event:page==/a|/b, with == != =@ !@ =~
 * !~ for is, is_not, contains, contains_not, matches, matches_not; several are ended by ";" or given again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "desk/params.h"
#include "desk/parse.h"
#include "text/utf8.h"

#define ACTIVE_US INT64_C(300000000)

static int here(const char *name, int rc, struct query_error *err)
{
	if (rc && err->pointer[0] == 0)
		snprintf(err->pointer, sizeof err->pointer, "?%s", name);
	return rc;
}

/* The text up to the next of `sign`, cut off the front of *rest; false at the end. */
static bool next_part(struct tally_str *rest, char sign, struct tally_str *out)
{
	if (!rest->ptr)
		return false;
	const char *end = rest->len ? memchr(rest->ptr, sign, rest->len) : NULL;
	*out = str_make(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
	*rest = end ? str_make(end + 1, rest->len - out->len - 1) : (struct tally_str){ 0 };
	return true;
}

static int each_part(struct parse *ps, struct tally_str list, struct query_error *err,
	int (*fn)(struct query *q, struct arena *a, struct tally_str text, struct query_error *err))
{
	struct tally_str part;
	int rc = 0;
	while (rc == 0 && next_part(&list, ',', &part))
		rc = fn(ps->q, ps->arena, part, err);
	return rc;
}

/* ---- filters ---- */

static const struct {
	const char *sign, *op;
} signs[] = { { "==", "is" }, { "!=", "is_not" }, { "=@", "contains" }, { "!@", "contains_not" }, { "=~", "matches" },
	{ "!~", "matches_not" } };

static int split_test(struct tally_str text, struct tally_str *dim, struct tally_str *op, struct tally_str *values)
{
	for (size_t i = 0; i + 1 < text.len; i++) {
		for (size_t s = 0; s < sizeof signs / sizeof signs[0]; s++) {
			if (memcmp(text.ptr + i, signs[s].sign, 2) != 0)
				continue;
			*dim = str_make(text.ptr, i);
			*op = str_of(signs[s].op);
			*values = str_make(text.ptr + i + 2, text.len - i - 2);
			return 0;
		}
	}
	return -EINVAL;
}

static int add_test(struct parse *ps, struct tally_str text, struct query_error *err)
{
	struct tally_str dim, op, list, part;
	struct query_filter *root = ps->q->filter;
	if (split_test(text, &dim, &op, &list))
		return query_fail(err, 400, "bad_filter",
			"a filter is dimension==value|value with one of == != =@ !@ =~ !~, or JSON as in the body of a query");
	if (root->nkids == QUERY_FILTER_NODES_MAX)
		return query_fail(err, 400, "too_many", "more than %d filters", QUERY_FILTER_NODES_MAX);
	struct tally_str *values = arena_alloc(ps->arena, (list.len + 1) * sizeof *values);
	size_t n = 0;
	while (next_part(&list, '|', &part))
		values[n++] = part;
	return query_make_test(ps->q, ps->arena, op, dim, values, n, false, &root->kids[root->nkids++], err);
}

static int add_json(struct parse *ps, struct tally_str text, struct query_error *err)
{
	const struct tree_node *tree;
	struct tree_error bad;
	if (tree_parse(ps->arena, text, PARSE_DEPTH, &tree, &bad))
		return query_fail(err, 400, "invalid_json", "the filter is not JSON: %s", bad.message);
	struct parse_place root = { .node = tree };
	return parse_filters(ps, &root, err);
}

static int read_filters(struct parse *ps, const struct params *pm, struct query_error *err)
{
	struct tally_str text, part;
	int rc = 0;
	for (size_t i = 0; rc == 0 && params_nth(pm, "filter", i, &text); i++) {
		if (text.len && text.ptr[0] == '[')
			return i ? query_fail(err, 400, "bad_filter", "a filter in JSON stands alone")
				 : add_json(ps, text, err);
		if (!ps->q->filter) {
			ps->q->filter = arena_zalloc(ps->arena, sizeof *ps->q->filter);
			ps->q->filter->kids =
				arena_zalloc(ps->arena, QUERY_FILTER_NODES_MAX * sizeof(struct query_filter *));
		}
		while (rc == 0 && next_part(&text, ';', &part))
			rc = add_test(ps, part, err);
	}
	return rc;
}

/* ---- the other parameters ---- */

static int read_range(struct parse *ps, const struct params *pm, struct query_error *err)
{
	struct tally_str from, to, range;
	bool has_from = params_get(pm, "from", &from), has_to = params_get(pm, "to", &to);
	if (!params_get(pm, "range", &range))
		range = STR("30d");
	int rc = query_range_named(ps->q, ps->cx, range, err);
	if (rc)
		return here("range", rc, err);
	if (!has_from && !has_to)
		return 0;
	if (!has_from)
		return here("from", query_fail(err, 400, "missing_field", "to needs a from"), err);
	ps->q->all = false;
	if (has_to) {
		rc = query_range_pair(ps->q, from, to, err);
		return here(rc && err->index == 1 ? "to" : "from", rc, err);
	}
	char now[40];
	size_t n = zone_format(ps->q->zone, ps->q->range.to_us, now); /* the end of today */
	return here("from", query_range_pair(ps->q, from, str_make(now, n), err), err);
}

/* The last five minutes, up to the end of the running one. */
static void set_active(struct query *q, int64_t now_us)
{
	int64_t second = now_us - now_us % 1000000; /* so that questions of one second are one question */
	q->range.from_us = second - ACTIVE_US;
	q->range.to_us = zone_next(zone_utc(), ZONE_MINUTE, zone_floor(zone_utc(), ZONE_MINUTE, now_us));
}

static int read_by(struct parse *ps, const struct params *pm, enum query_form form, struct query_error *err)
{
	struct tally_str unit, by;
	bool has_unit = params_get(pm, "unit", &unit);
	int rc = 0;
	if (form == QUERY_SERIES || has_unit) {
		struct text_out name;
		out_open(&name, ps->arena);
		out_lit(&name, "time:");
		text_put(&name, unit);
		rc = query_add_dimension(ps->q, ps->arena, has_unit ? out_text(&name) : STR("time"), err);
		if (rc)
			return here("unit", rc, err);
	}
	if (params_get(pm, "by", &by))
		return here("by", each_part(ps, by, err, query_add_dimension), err);
	if (form == QUERY_TOP)
		return here("by", query_fail(err, 400, "missing_field", "top needs by=, a dimension"), err);
	return 0;
}

static int read_limit(struct parse *ps, const struct params *pm, enum query_form form, struct query_error *err)
{
	struct tally_str text;
	if (form == QUERY_TOP)
		ps->q->limit = 10;
	if (!params_get(pm, "limit", &text))
		return 0;
	char *end;
	char *digits = arena_copy(ps->arena, text.ptr, text.len);
	unsigned long n = strtoul(digits, &end, 10);
	if (text.len == 0 || text.len > 5 || *end || digits[0] < '0' || digits[0] > '9' || n > QUERY_ROWS_MAX)
		return here("limit",
			query_fail(
				err, 400, "out_of_range", "a whole number from 0 to %d was expected", QUERY_ROWS_MAX),
			err);
	ps->q->limit = (uint32_t)n;
	return 0;
}

static const char *const comparisons[] = { "previous_period", "year_over_year", NULL };

const char *const *query_comparison_names(void)
{
	return comparisons;
}

int parse_compare(struct query *q, struct tally_str word, struct query_error *err)
{
	if (str_eq(word, str_of(comparisons[0])))
		q->compare = QUERY_PREVIOUS_PERIOD;
	else if (str_eq(word, str_of(comparisons[1])) || str_eq(word, STR("previous_year")))
		q->compare = QUERY_YEAR_OVER_YEAR;
	else {
		query_fail(err, 400, "unknown_name", "there is no such comparison");
		err->legal = comparisons;
		return -EINVAL;
	}
	return 0;
}

static int refuse_unknown(const struct params *pm, enum query_form form, struct query_error *err)
{
	static const char *const all[] = { "from", "to", "range", "tz", "metric", "by", "unit", "limit", "filter",
		"compare", "format", "explain", "key", NULL };
	static const char *const of_active[] = { "tz", "metric", "by", "limit", "filter", "format", "explain", "key",
		NULL };
	const char *const *legal = form == QUERY_ACTIVE ? of_active : all;
	const char *name = params_unknown(pm, legal);
	if (!name)
		return 0;
	query_fail(err, 400, "unknown_name", "there is no parameter of that name");
	err->legal = legal;
	return here(name, -EINVAL, err);
}

/* The parameter behind the member of a body that a check of the whole names. */
static int here_part(const struct params *pm, int rc, struct query_error *err)
{
	struct tally_str text;
	if (rc == 0 || !err->member)
		return rc;
	if (strcmp(err->member, "metrics") == 0)
		return here("metric", rc, err);
	if (strcmp(err->member, "dimensions") == 0)
		return here(params_get(pm, "unit", &text) ? "unit" : "by", rc, err);
	return here(err->member, rc, err);
}

int query_parse_short(const struct query_context *cx, struct arena *a, enum query_form form, struct tally_str site,
	struct tally_str query, struct query *q, struct query_error *err)
{
	struct parse ps;
	struct params pm;
	struct tally_str text;
	parse_open(&ps, cx, a, q);
	q->form = form;
	if (!utf8_valid(site) || params_read(&pm, a, query))
		return query_fail(err, 400, "bad_parameter",
			"the query string is not UTF-8, or has more than %d parameters", PARAMS_MAX);
	int rc = refuse_unknown(&pm, form, err);
	if (rc == 0)
		rc = here("tz",
			query_set_site(q, cx, site, params_get(&pm, "tz", &text) ? text : (struct tally_str){ 0 }, err),
			err);
	if (rc == 0)
		rc = here("metric",
			each_part(&ps,
				params_get(&pm, "metric", &text) ? text
				: form == QUERY_ACTIVE           ? STR("visitors")
								 : STR("visitors,events"),
				err, query_add_metric),
			err);
	if (form == QUERY_ACTIVE)
		set_active(q, cx->now_us);
	else if (rc == 0)
		rc = read_range(&ps, &pm, err);
	if (rc == 0)
		rc = read_by(&ps, &pm, form, err);
	if (rc == 0)
		rc = read_limit(&ps, &pm, form, err);
	if (rc == 0 && params_get(&pm, "compare", &text))
		rc = here("compare", parse_compare(q, text, err), err);
	if (rc == 0)
		rc = here("filter", read_filters(&ps, &pm, err), err);
	q->include.total_rows = q->include.other_row = form == QUERY_TOP;
	return rc ? rc : here_part(&pm, query_finish(q, a, err), err);
}
