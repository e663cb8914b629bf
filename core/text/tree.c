/* SPDX-License-Identifier: Apache-2.0 */
/* Recursion is bounded by the reader's depth, at most JSON_DEPTH_MAX frames of about 200 bytes. */
#include "text/tree.h"

#include <errno.h>

#include "text/number.h"

static int fill_node(struct json *j, const struct json_value *v, struct tree_node *node);

static struct tree_node *add_child(
	struct json *j, struct tree_node *parent, struct tree_node *last, const struct tally_str *key)
{
	struct tree_node *child = arena_zalloc(j->arena, sizeof *child);
	if (key)
		child->key = *key;
	if (last)
		last->next = child;
	else
		parent->first = child;
	parent->count++;
	return child;
}

static int fill_children(struct json *j, struct tree_node *node)
{
	struct tree_node *last = NULL;
	struct tally_str key;
	struct json_value v;
	bool object = node->kind == JSON_OBJECT;
	int rc;
	while ((rc = object ? json_member(j, &key) : json_element(j)) > 0) {
		if (json_value(j, &v))
			return -EINVAL;
		last = add_child(j, node, last, object ? &key : NULL);
		if (fill_node(j, &v, last))
			return -EINVAL;
	}
	node->text = str_make(j->begin + node->offset, (size_t)(j->at - j->begin) - node->offset);
	return rc;
}

static int fill_node(struct json *j, const struct json_value *v, struct tree_node *node)
{
	node->kind = v->kind;
	node->text = v->text;
	node->offset = v->offset;
	if (v->kind >= JSON_ARRAY)
		return fill_children(j, node);
	if (v->kind != JSON_NUMBER || number_double(v->text, &node->number) == 0)
		return 0;
	if (!j->code) {
		j->code = "number_out_of_range";
		j->message = "the number is larger than any double";
		j->offset = v->offset;
	}
	return -EINVAL;
}

int tree_parse(
	struct arena *a, struct tally_str text, unsigned depth, const struct tree_node **root, struct tree_error *err)
{
	struct json j;
	struct json_value v;
	struct tree_node *node = arena_zalloc(a, sizeof *node);
	json_open(&j, a, text, depth);
	if (json_value(&j, &v) == 0 && fill_node(&j, &v, node) == 0 && json_end(&j) == 0) {
		*root = node;
		return 0;
	}
	if (err) {
		*err = (struct tree_error){ .code = j.code, .message = j.message, .offset = j.offset };
		json_place(text, j.offset, &err->line, &err->column);
	}
	return -EINVAL;
}

const struct tree_node *tree_get(const struct tree_node *node, struct tally_str key)
{
	const struct tree_node *found = NULL;
	if (!node || node->kind != JSON_OBJECT)
		return NULL;
	for (const struct tree_node *n = node->first; n; n = n->next)
		if (str_eq(n->key, key))
			found = n;
	return found;
}

const struct tree_node *tree_at(const struct tree_node *node, size_t index)
{
	if (!node || node->kind < JSON_ARRAY)
		return NULL;
	const struct tree_node *n = node->first;
	while (n && index--)
		n = n->next;
	return n;
}

bool tree_is(const struct tree_node *node, struct tally_str s)
{
	return node && node->kind == JSON_STRING && str_eq(node->text, s);
}
