/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/query, member by member: a table says what each may be. What is wrong is pointed at, by JSON
 * pointer and by byte. The short forms (parse_short.c) end in the same functions. */
#include "desk/parse.h"

#include <errno.h>
#include <math.h>

/* Calls fn for every string of an array. */
static int each_string(struct parse *ps, const struct parse_place *p, struct query_error *err,
	int (*fn)(struct query *q, struct arena *a, struct tally_str text, struct query_error *err))
{
	int rc = parse_expect(p, JSON_ARRAY, err);
	size_t i = 0;
	for (const struct tree_node *t = p->node->first; rc == 0 && t; t = t->next, i++) {
		struct parse_place here = parse_step(p, t, i);
		rc = parse_expect(&here, JSON_STRING, err);
		if (rc == 0)
			rc = parse_at(&here, fn(ps->q, ps->arena, t->text, err), err);
	}
	return rc;
}

/* ---- members ---- */

int parse_text(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	(void)ps;
	return parse_expect(p, JSON_STRING, err); /* site_id and timezone are set before all others */
}

static int read_metrics(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	return each_string(ps, p, err, query_add_metric);
}

static int read_dimensions(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	return each_string(ps, p, err, query_add_dimension);
}

int parse_range(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	const struct tree_node *t = p->node;
	if (t->kind == JSON_STRING)
		return parse_at(p, query_range_named(ps->q, ps->cx, t->text, err), err);
	if (t->kind != JSON_ARRAY || t->count != 2) {
		query_fail(err, 400, "bad_range", "a range is a word such as \"7d\" or a pair [from, to]");
		err->legal = query_range_names();
		return parse_at(p, -EINVAL, err);
	}
	struct parse_place from = parse_step(p, t->first, 0), to = parse_step(p, t->first->next, 1);
	int rc = parse_expect(&from, JSON_STRING, err);
	if (rc == 0)
		rc = parse_expect(&to, JSON_STRING, err);
	return rc ? rc : parse_at_element(p, query_range_pair(ps->q, from.node->text, to.node->text, err), err);
}

static int read_compare(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	if (p->node->kind == JSON_NULL)
		return 0;
	int rc = parse_expect(p, JSON_STRING, err);
	return rc ? rc : parse_at(p, parse_compare(ps->q, p->node->text, err), err);
}

static int find_order(const struct query *q, struct tally_str name, struct query_order *out)
{
	for (unsigned i = 0; i < q->nmetrics; i++)
		if (str_eq(q->metrics[i].text, name))
			return *out = (struct query_order){ .is_metric = true, .index = i }, 0;
	for (unsigned i = 0; i < q->ndims; i++)
		if (str_eq(q->dims[i].text, name))
			return *out = (struct query_order){ .index = i }, 0;
	return -ENOENT;
}

/* What this query may be ordered by. */
static const char *const *order_names(const struct parse *ps)
{
	const struct query *q = ps->q;
	const char **names = arena_alloc(ps->arena, (q->nmetrics + q->ndims + 1) * sizeof *names);
	size_t n = 0;
	for (size_t i = 0; i < q->nmetrics; i++)
		names[n++] = arena_copy(ps->arena, q->metrics[i].text.ptr, q->metrics[i].text.len);
	for (size_t i = 0; i < q->ndims; i++)
		names[n++] = arena_copy(ps->arena, q->dims[i].text.ptr, q->dims[i].text.len);
	names[n] = NULL;
	return names;
}

static int refuse_order(
	const struct parse_place *p, const char *words, const char *const *legal, struct query_error *err)
{
	query_fail(err, 400, "unknown_name", "%s", words);
	err->legal = legal;
	return parse_at(p, -EINVAL, err);
}

static int read_one_order(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	static const char *const ways[] = { "asc", "desc", NULL };
	struct query *q = ps->q;
	struct query_order by;
	const struct tree_node *t = p->node;
	if (t->kind != JSON_ARRAY || t->count != 2 || t->first->kind != JSON_STRING ||
		t->first->next->kind != JSON_STRING)
		return parse_at(p,
			query_fail(err, 400, "bad_type", "an order is [\"metric or dimension\", \"asc\" or \"desc\"]"),
			err);
	struct parse_place name = parse_step(p, t->first, 0), way = parse_step(p, t->first->next, 1);
	if (find_order(q, t->first->text, &by))
		return refuse_order(&name, "order_by names a metric or dimension of this query", order_names(ps), err);
	by.descending = str_eq(way.node->text, STR("desc"));
	if (!by.descending && !str_eq(way.node->text, STR("asc")))
		return refuse_order(&way, "the order is \"asc\" or \"desc\"", ways, err);
	for (size_t i = 0; i < q->norder; i++)
		if (q->order[i].is_metric == by.is_metric && q->order[i].index == by.index)
			return parse_at(&name, query_fail(err, 400, "repeated", "this order is there already"), err);
	q->order[q->norder++] = by;
	return 0;
}

static int read_order(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	int rc = parse_expect(p, JSON_ARRAY, err);
	size_t i = 0;
	for (const struct tree_node *t = p->node->first; rc == 0 && t; t = t->next, i++) {
		struct parse_place here = parse_step(p, t, i);
		rc = read_one_order(ps, &here, err);
	}
	return rc;
}

static int read_include(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	static const char *const legal[] = { "time_labels", "total_rows", "other_row", NULL };
	bool *const flags[] = { &ps->q->include.time_labels, &ps->q->include.total_rows, &ps->q->include.other_row };
	int rc = parse_expect(p, JSON_OBJECT, err);
	for (const struct tree_node *t = p->node->first; rc == 0 && t; t = t->next) {
		struct parse_place here = parse_member(p, t);
		bool flag = false;
		size_t i = 0;
		while (legal[i] && !str_eq(t->key, str_of(legal[i])))
			i++;
		bool imports =
			str_eq(t->key, STR("imports")); /* taken from clients that send it; there are none here */
		if (!legal[i] && !imports) {
			query_fail(err, 400, "unknown_name", "nothing of that name can be included");
			err->legal = legal;
			return parse_at(&here, -EINVAL, err);
		}
		rc = parse_bool(&here, &flag, err);
		if (rc == 0 && legal[i])
			*flags[i] = flag;
	}
	return rc;
}

static int read_count(const struct parse_place *p, double most, uint32_t *out, struct query_error *err)
{
	double n = p->node->number;
	int rc = parse_expect(p, JSON_NUMBER, err);
	if (rc)
		return rc;
	if (n < 0 || n > most || n != floor(n))
		return parse_at(p,
			query_fail(err, 400, "out_of_range", "a whole number from 0 to %.0f was expected", most), err);
	*out = (uint32_t)n;
	return 0;
}

static int read_pagination(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	static const char *const legal[] = { "limit", "offset", NULL };
	int rc = parse_expect(p, JSON_OBJECT, err);
	for (const struct tree_node *t = p->node->first; rc == 0 && t; t = t->next) {
		struct parse_place here = parse_member(p, t);
		if (str_eq(t->key, STR("limit"))) {
			rc = read_count(&here, QUERY_ROWS_MAX, &ps->q->limit, err);
		} else if (str_eq(t->key, STR("offset"))) {
			rc = read_count(&here, 1e9, &ps->q->offset, err);
		} else {
			query_fail(err, 400, "unknown_name", "pagination has no such member");
			err->legal = legal;
			return parse_at(&here, -EINVAL, err);
		}
	}
	return rc;
}

/* ---- the whole ---- */

static const struct parse_rule rules[] = {
	/* in the order in which they are read: later ones look at earlier ones */
	{ "site_id", parse_text },
	{ "timezone", parse_text },
	{ "metrics", read_metrics },
	{ "date_range", parse_range },
	{ "dimensions", read_dimensions },
	{ "filters", parse_filters },
	{ "order_by", read_order },
	{ "compare", read_compare },
	{ "include", read_include },
	{ "pagination", read_pagination },
	{ NULL, NULL },
};

static int refuse_unknown(
	struct parse *ps, const struct parse_rule *all, const struct parse_place *root, struct query_error *err)
{
	const char *legal[PARSE_RULES_MAX + 1] = { NULL };
	for (const struct tree_node *t = root->node->first; t; t = t->next) {
		size_t i = 0;
		for (; all[i].name && !str_eq(t->key, str_of(all[i].name)); i++)
			legal[i] = all[i].name;
		if (all[i].name)
			continue;
		struct parse_place here = parse_member(root, t);
		query_fail(err, 400, "unknown_name", "a query has no member of that name");
		err->legal = memcpy(arena_alloc(ps->arena, sizeof legal), legal, sizeof legal);
		return parse_at(&here, -EINVAL, err);
	}
	return 0;
}

/* The text of an optional member, empty if it is absent. */
static int optional_text(const struct parse_place *root, const char *name, struct parse_place *place,
	struct tally_str *out, struct query_error *err)
{
	const struct tree_node *node = tree_get(root->node, str_of(name));
	*out = (struct tally_str){ 0 };
	*place = *root;
	if (!node)
		return 0;
	*place = parse_member(root, node);
	*out = node->text;
	return parse_expect(place, JSON_STRING, err);
}

static int set_site(struct parse *ps, const struct parse_place *root, struct query_error *err)
{
	struct parse_place site_at, zone_at;
	struct tally_str site, zone;
	int rc = optional_text(root, "site_id", &site_at, &site, err);
	if (rc == 0)
		rc = optional_text(root, "timezone", &zone_at, &zone, err);
	if (rc)
		return rc;
	if (site.len == 0 && site_at.up == NULL)
		site = ps->cx->key_site;
	if (site.len == 0 && site_at.up == NULL)
		return parse_at(root, query_fail(err, 400, "missing_field", "site_id is missing"), err);
	rc = query_set_site(ps->q, ps->cx, arena_str(ps->arena, site), zone, err);
	bool about_zone = rc && strcmp(err->code, "unknown_timezone") == 0;
	return parse_at(about_zone ? &zone_at : &site_at, rc, err);
}

/* Where a check of the whole has found something. */
static int at_member(const struct parse_place *root, int rc, struct query_error *err)
{
	const struct tree_node *t = rc && err->member ? tree_get(root->node, str_of(err->member)) : NULL;
	if (!t)
		return parse_at(root, rc, err);
	struct parse_place here = parse_member(root, t);
	return parse_at_element(&here, rc, err);
}

static int read_members(
	struct parse *ps, const struct parse_rule *all, const struct parse_place *root, struct query_error *err)
{
	for (; all->name; all++) {
		const struct tree_node *t = tree_get(root->node, str_of(all->name));
		if (!t)
			continue;
		struct parse_place here = parse_member(root, t);
		int rc = all->read(ps, &here, err);
		if (rc)
			return rc;
	}
	if (!tree_get(root->node, STR("date_range")))
		return parse_at(root, query_fail(err, 400, "missing_field", "date_range is missing"), err);
	return at_member(root, query_finish(ps->q, ps->arena, err), err);
}

void parse_open(struct parse *ps, const struct query_context *cx, struct arena *a, struct query *q)
{
	*ps = (struct parse){ .cx = cx, .arena = a, .q = q };
	*q = (struct query){ .time_dim = -1, .limit = QUERY_ROWS_MAX, .format = cx->format, .explain = cx->explain };
}

int parse_body(struct parse *ps, const struct parse_rule *all, struct tally_str body, struct query_error *err)
{
	const struct tree_node *tree;
	struct tree_error bad;
	if (body.len > QUERY_BODY_MAX)
		return query_fail(err, 413, "too_large", "a query is at most %d bytes", QUERY_BODY_MAX);
	if (tree_parse(ps->arena, body, PARSE_DEPTH, &tree, &bad)) {
		query_fail(err, 400, "invalid_json", "the body is not JSON: %s", bad.message);
		err->offset = (int64_t)bad.offset;
		return -EINVAL;
	}
	struct parse_place root = { .node = tree };
	int rc = parse_expect(&root, JSON_OBJECT, err);
	if (rc == 0)
		rc = refuse_unknown(ps, all, &root, err);
	if (rc == 0)
		rc = set_site(ps, &root, err);
	return rc ? rc : read_members(ps, all, &root, err);
}

int query_parse(const struct query_context *cx, struct arena *a, struct tally_str body, struct query *q,
	struct query_error *err)
{
	struct parse ps;
	parse_open(&ps, cx, a, q);
	return parse_body(&ps, rules, body, err);
}
