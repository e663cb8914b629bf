/* SPDX-License-Identifier: Apache-2.0 */
/* ["is", "event:page", ["/a", "/b"]] · ["and", [f, …]] · ["or", [f, …]] · ["not", f]; a list of filters is their "and". */
#include <errno.h>

#include "desk/parse.h"

static int read_filter(
	struct parse *ps, const struct parse_place *p, int depth, struct query_filter **out, struct query_error *err);

static int bad(const struct parse_place *p, struct query_error *err)
{
	query_fail(err, 400, "bad_filter",
		"a filter is [operator, dimension, [values]], [\"and\" or \"or\", [filters]] or [\"not\", filter]");
	return parse_at(p, -EINVAL, err);
}

static struct query_filter *make_node(struct parse *ps, enum query_op op, size_t nkids)
{
	struct query_filter *f = arena_zalloc(ps->arena, sizeof *f);
	f->op = op;
	f->kids = arena_zalloc(ps->arena, (nkids + 1) * sizeof(struct query_filter *));
	return f;
}

static int read_list(
	struct parse *ps, const struct parse_place *p, int depth, struct query_filter *f, struct query_error *err)
{
	for (const struct tree_node *t = p->node->first; t; t = t->next) {
		struct parse_place here = parse_step(p, t, f->nkids);
		int rc = read_filter(ps, &here, depth + 1, &f->kids[f->nkids++], err);
		if (rc)
			return rc;
	}
	return 0;
}

/* Behind "and", "or", "not". */
static int read_logic(struct parse *ps, const struct parse_place *p, enum query_op op, int depth,
	struct query_filter **out, struct query_error *err)
{
	const struct tree_node *second = p->node->first->next;
	if (p->node->count != 2 || second->kind != JSON_ARRAY || (op != QF_NOT && second->count == 0))
		return bad(p, err);
	struct parse_place here = parse_step(p, second, 1);
	*out = make_node(ps, op, op == QF_NOT ? 1 : second->count);
	if (op != QF_NOT)
		return read_list(ps, &here, depth, *out, err);
	(*out)->nkids = 1;
	return read_filter(ps, &here, depth + 1, &(*out)->kids[0], err);
}

/* Numbers and bools are compared as their text. */
static struct tally_str filter_text(const struct tree_node *t)
{
	return t->kind == JSON_TRUE ? STR("true") : t->kind == JSON_FALSE ? STR("false") : t->text;
}

static int read_values(struct parse *ps, const struct parse_place *p, struct tally_str *values, struct query_error *err)
{
	size_t i = 0;
	int rc = 0;
	ps->filter_values += p->node->count;
	if (ps->filter_values > QUERY_FILTER_VALUES_MAX)
		return parse_at(p,
			query_fail(err, 400, "too_many", "the filters compare with more than %d values",
				QUERY_FILTER_VALUES_MAX),
			err);
	for (const struct tree_node *t = p->node->first; t; t = t->next, i++) {
		struct parse_place here = parse_step(p, t, i);
		values[i] = arena_str(ps->arena, filter_text(t));
		if (t->kind != JSON_TRUE && t->kind != JSON_FALSE && t->kind != JSON_NUMBER)
			rc = parse_expect(&here, JSON_STRING, err);
		if (rc)
			return rc;
		if (t->text.len > QUERY_VALUE_MAX)
			return parse_at(&here,
				query_fail(err, 400, "too_long", "a value is at most %d bytes", QUERY_VALUE_MAX), err);
	}
	return 0;
}

/* The fourth element: {"case_sensitive": false} compares folded text; true is the default. */
static int read_modifiers(const struct parse_place *p, bool *folded, struct query_error *err)
{
	int rc = parse_expect(p, JSON_OBJECT, err);
	if (rc)
		return rc;
	const struct tree_node *flag = tree_get(p->node, STR("case_sensitive"));
	*folded = flag && flag->kind == JSON_FALSE;
	if (p->node->count == (flag != NULL) && (!flag || *folded || flag->kind == JSON_TRUE))
		return 0;
	return parse_at(p,
		query_fail(err, 400, "bad_filter",
			"the fourth element of a filter is {\"case_sensitive\": true} or false, and nothing else"),
		err);
}

static int read_test(struct parse *ps, const struct parse_place *p, struct query_filter **out, struct query_error *err)
{
	const struct tree_node *op = p->node->first, *dim = op->next, *list = dim ? dim->next : NULL;
	if (p->node->count < 3 || p->node->count > 4 || dim->kind != JSON_STRING || list->kind != JSON_ARRAY)
		return bad(p, err);
	struct parse_place values_at = parse_step(p, list, 2), dim_at = parse_step(p, dim, 1);
	struct tally_str *values = arena_alloc(ps->arena, (list->count + 1) * sizeof *values);
	bool folded = false;
	int rc = read_values(ps, &values_at, values, err);
	if (rc == 0 && list->next) {
		struct parse_place modifiers = parse_step(p, list->next, 3);
		rc = read_modifiers(&modifiers, &folded, err);
	}
	if (rc)
		return rc;
	rc = query_make_test(ps->q, ps->arena, op->text, dim->text, values, list->count, folded, out, err);
	if (rc == 0)
		return 0;
	bool operator= err->legal == query_operator_names();
	struct parse_place op_at = parse_step(p, op, 0);
	bool value = strcmp(err->code, "bad_pattern") == 0 || strcmp(err->code, "bad_filter") == 0;
	if (value)
		return parse_at_element(&values_at, rc, err);
	return parse_at(operator? &op_at : & dim_at, rc, err);
}

static int read_filter(
	struct parse *ps, const struct parse_place *p, int depth, struct query_filter **out, struct query_error *err)
{
	static const struct {
		const char *name;
		enum query_op op;
	} logic[] = { { "and", QF_AND }, { "or", QF_OR }, { "not", QF_NOT } };
	const struct tree_node *t = p->node;
	if (++ps->filter_nodes > QUERY_FILTER_NODES_MAX || depth > QUERY_FILTER_DEPTH_MAX)
		return parse_at(p,
			query_fail(err, 400, "too_many", "filters have at most %d parts and %d levels",
				QUERY_FILTER_NODES_MAX, QUERY_FILTER_DEPTH_MAX),
			err);
	if (t->kind != JSON_ARRAY || t->count < 2 || t->first->kind != JSON_STRING)
		return bad(p, err);
	for (size_t i = 0; i < sizeof logic / sizeof logic[0]; i++)
		if (str_eq(t->first->text, str_of(logic[i].name)))
			return read_logic(ps, p, logic[i].op, depth, out, err);
	return read_test(ps, p, out, err);
}

int parse_filter_list(struct parse *ps, const struct parse_place *p, struct query_filter **out, struct query_error *err)
{
	int rc = parse_expect(p, JSON_ARRAY, err);
	if (rc || p->node->count == 0)
		return rc;
	*out = make_node(ps, QF_AND, p->node->count);
	return read_list(ps, p, 0, *out, err);
}

int parse_filters(struct parse *ps, const struct parse_place *p, struct query_error *err)
{
	return parse_filter_list(ps, p, &ps->q->filter, err);
}
