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

/* One member of a body: its name, and who reads it. A table of them ends with a NULL name. */
struct parse_rule {
	const char *name;
	int (*read)(struct parse *ps, const struct parse_place *p, struct query_error *err);
};
#define PARSE_RULES_MAX 12

/* Reads a body by its table, after parse_open(). 0 or -EINVAL with err. */
must_check int parse_body(
	struct parse *ps, const struct parse_rule *all, struct tally_str body, struct query_error *err);

void parse_open(struct parse *ps, const struct query_context *cx, struct arena *a, struct query *q);

/* Members that several bodies have. */
must_check int parse_text(struct parse *ps, const struct parse_place *p, struct query_error *err);
must_check int parse_range(struct parse *ps, const struct parse_place *p, struct query_error *err);
must_check int parse_filters(struct parse *ps, const struct parse_place *p, struct query_error *err);

/* A list of filters as one, NULL if it is empty. */
must_check int parse_filter_list(
	struct parse *ps, const struct parse_place *p, struct query_filter **out, struct query_error *err);
must_check int parse_compare(struct query *q, struct tally_str word, struct query_error *err);

/* Adds the place to an error that has none yet; returns rc. */
int parse_at(const struct parse_place *p, int rc, struct query_error *err);
/* The same for the element err->index of a list; the list itself if there is none. */
int parse_at_element(const struct parse_place *p, int rc, struct query_error *err);
must_check int parse_expect(const struct parse_place *p, enum json_kind kind, struct query_error *err);
must_check int parse_bool(const struct parse_place *p, bool *out, struct query_error *err);
struct parse_place parse_member(const struct parse_place *up, const struct tree_node *node);
struct parse_place parse_step(const struct parse_place *up, const struct tree_node *node, size_t index);

#endif
