/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file as a tree that knows where each of its nodes stands. Between libyaml and the option tables:
 * here are includes, ${ENV}, duplicates and bounds; here is nothing of what an option means.
 * A tree lives in its arena and does not change once it is made. */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"

#define CONF_FILE_MAX (1024 * 1024) /* bytes of one file */
#define CONF_NODES_MAX 100000       /* of all files together, aliases counted each time */
#define CONF_DEPTH_MAX 32
#define CONF_INCLUDES_MAX 64 /* files included, all together */

enum conf_shape { CONF_NOTHING, CONF_SCALAR, CONF_SEQUENCE, CONF_MAPPING };

struct conf_node {
	enum conf_shape shape;
	const char *file;
	unsigned line, column;         /* from 1 */
	const char *text;              /* SCALAR, expanded */
	struct conf_node **items;      /* SEQUENCE: elements; MAPPING: values */
	struct conf_node *const *keys; /* MAPPING: scalars, beside items */
	size_t n;
};

/* Reads a file and what it includes. 0, -ENOENT (that file is not there) or -EINVAL; err says. An empty file is an
 * empty mapping. Includes: `include: FILE` or a list of them at the top, relative to the file that names them. What is
 * included comes first; then mappings merge, lists follow one another, and a scalar of the including file wins. */
must_check int conf_tree_read(struct arena *a, const char *path, struct conf_node **out, struct conf_error *err);

/* The same from memory, without includes; any shape. Assumes: name lives as long as the arena. */
must_check int conf_tree_parse(struct arena *a, const char *name, const char *bytes, size_t len, struct conf_node **out,
	struct conf_error *err);

/* The value of a key of a mapping, NULL if absent. */
struct conf_node *conf_tree_get(const struct conf_node *mapping, const char *key);

/* An empty mapping that stands at the beginning of `file`. */
struct conf_node *conf_tree_empty(struct arena *a, const char *file);

/* "file:line:column" */
const char *conf_tree_place(struct arena *a, const struct conf_node *at);

/* Writes "file:line:column: message" and returns -EINVAL. */
int conf_fail(struct conf_error *err, const struct conf_node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ${NAME} and ${NAME:-default} replaced, `$${` is a plain `${`. 0 or -EINVAL with the name in *missing (NULL: the
 * braces do not close or the name is none). */
must_check int conf_expand(struct arena *a, const char *text, const char **out, const char **missing);

#endif
