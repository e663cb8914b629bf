/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the parser share: the query being made, and the place in the body that is being read. */
#ifndef DESK_PARSE_H
#define DESK_PARSE_H

#include "desk/query.h"
#include "text/tree.h"

#define PARSE_DEPTH 32 /* brackets open at once in a body */

struct parse {
	const struct query_context *cx;
	struct arena *arena;
	struct query *q;
	size_t filter_nodes;
	size_t filter_values;
};

/* A node and the way to it from the root; links live on the stack. */
struct parse_place {
	const struct parse_place *up; /* NULL = the root */
	const struct tree_node *node;
	struct tally_str key; /* in an object; ptr NULL: in an array, at index */
	size_t index;
};

void parse_open(struct parse *ps, const struct query_context *cx, struct arena *a, struct query *q);

must_check int parse_filters(struct parse *ps, const struct parse_place *p, struct query_error *err);
must_check int parse_compare(struct query *q, struct tally_str word, struct query_error *err);

/* Adds the place to an error that has none yet; returns rc. */
int parse_at(const struct parse_place *p, int rc, struct query_error *err);
/* The same for the element err->index of a list; the list itself if there is none. */
int parse_at_element(const struct parse_place *p, int rc, struct query_error *err);
must_check int parse_expect(const struct parse_place *p, enum json_kind kind, struct query_error *err);
must_check int parse_bool(const struct parse_place *p, bool *out, struct query_error *err);
struct parse_place parse_step(const struct parse_place *up, const struct tree_node *node, size_t index);

#endif
