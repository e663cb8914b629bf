/* SPDX-License-Identifier: Apache-2.0 */
/* A whole JSON document as nodes in an arena, each with its place in the text, so that a refusal can point at it.
 * For questions, answers and the like; events are read without it. Nodes and their texts live as long as the arena
 * and the text parsed. [any thread] */
#ifndef TEXT_TREE_H
#define TEXT_TREE_H

#include "text/json.h"

struct tree_node {
	enum json_kind kind;
	struct tally_str text; /* STRING: unescaped; NUMBER: as sent; ARRAY, OBJECT: from bracket to bracket */
	double number;         /* NUMBER */
	size_t offset;         /* of its first byte in the text */
	struct tally_str key;  /* if it is a member of an object */
	size_t count;          /* ARRAY, OBJECT: of children */
	const struct tree_node *first, *next;
};

struct tree_error {
	const char *code;    /* as in struct json, or "number_out_of_range" */
	const char *message; /* static */
	size_t offset, line, column;
};

/* depth: of nested brackets, at most JSON_DEPTH_MAX. 0 or -EINVAL with err (which may be NULL). */
must_check int tree_parse(
	struct arena *a, struct tally_str text, unsigned depth, const struct tree_node **root, struct tree_error *err);

/* The member of that name (of a repeated one the last), or NULL; NULL too if node is NULL or no object. */
const struct tree_node *tree_get(const struct tree_node *node, struct tally_str key);

/* The element at that index, or NULL. */
const struct tree_node *tree_at(const struct tree_node *node, size_t index);

/* True if node is text and equals s. */
bool tree_is(const struct tree_node *node, struct tally_str s);

#endif
