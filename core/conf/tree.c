/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's document to our tree. Everything a file can do to hurt is bounded here: size, depth, number of nodes
 * (an alias counts as often as it is used, so a "billion laughs" ends early), NUL bytes, foreign tags. */
#include "conf/tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/table.h"

/* One document on its way into the tree. */
struct making {
	struct arena *arena;
	struct conf_error *err;
	const char *file;
	yaml_document_t *doc;
	size_t nodes;
};

int conf_fail(struct conf_error *err, const struct conf_node *at, const char *fmt, ...)
{
	int n = snprintf(err->text, sizeof err->text, "%s:%u:%u: ", at->file, at->line, at->column);
	if (n < 0 || (size_t)n >= sizeof err->text)
		return -EINVAL;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->text + n, sizeof err->text - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

const char *conf_tree_place(struct arena *a, const struct conf_node *at)
{
	return arena_printf(a, "%s:%u:%u", at->file, at->line, at->column);
}

struct conf_node *conf_tree_empty(struct arena *a, const char *file)
{
	struct conf_node *n = arena_zalloc(a, sizeof *n);
	*n = (struct conf_node){ .shape = CONF_MAPPING, .file = file, .line = 1, .column = 1 };
	return n;
}

struct conf_node *conf_tree_get(const struct conf_node *mapping, const char *key)
{
	for (size_t i = 0; mapping->shape == CONF_MAPPING && i < mapping->n; i++)
		if (strcmp(mapping->keys[i]->text, key) == 0)
			return mapping->items[i];
	return NULL;
}

/* ---- from libyaml's nodes ---- */

static struct conf_node *node_at(struct making *m, const yaml_node_t *y)
{
	struct conf_node *n = arena_zalloc(m->arena, sizeof *n);
	n->file = m->file;
	n->line = (unsigned)y->start_mark.line + 1;
	n->column = (unsigned)y->start_mark.column + 1;
	return n;
}

static bool means_nothing(const yaml_node_t *y)
{
	const char *v = (const char *)y->data.scalar.value;
	return y->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (*v == 0 || strcmp(v, "~") == 0 || strcmp(v, "null") == 0);
}

static int make_scalar(struct making *m, const yaml_node_t *y, struct conf_node *n)
{
	const char *raw = (const char *)y->data.scalar.value;
	if (memchr(raw, 0, y->data.scalar.length))
		return conf_fail(m->err, n, "a NUL character cannot be part of a value");
	n->shape = means_nothing(y) ? CONF_NOTHING : CONF_SCALAR;
	const char *missing, *text = arena_copy(m->arena, raw, y->data.scalar.length);
	if (conf_expand(m->arena, text, &n->text, &missing) == 0)
		return 0;
	if (missing)
		return conf_fail(m->err, n, "the environment variable %s is not set; set it, or write ${%s:-default}",
			missing, missing);
	return conf_fail(m->err, n, "cannot read ${...}: write ${NAME} or ${NAME:-default}, or $${ for a plain ${");
}

static int make_node(struct making *m, int id, unsigned depth, struct conf_node **out);

static int make_sequence(struct making *m, const yaml_node_t *y, unsigned depth, struct conf_node *n)
{
	size_t count = (size_t)(y->data.sequence.items.top - y->data.sequence.items.start);
	n->shape = CONF_SEQUENCE;
	n->items = arena_alloc(m->arena, (count + 1) * sizeof *n->items);
	for (; n->n < count; n->n++) {
		int rc = make_node(m, y->data.sequence.items.start[n->n], depth + 1, &n->items[n->n]);
		if (rc)
			return rc;
	}
	return 0;
}

static int make_entry(struct making *m, const yaml_node_pair_t *pair, unsigned depth, struct table *seen,
	struct conf_node **key, struct conf_node **value)
{
	int rc = make_node(m, pair->key, depth + 1, key);
	if (rc)
		return rc;
	if ((*key)->shape == CONF_NOTHING && *(*key)->text)
		(*key)->shape =
			CONF_SCALAR; /* as a name, null is a word like any other: there is a sink of that name */
	if ((*key)->shape != CONF_SCALAR)
		return conf_fail(m->err, *key, "a name is expected before the colon");
	void **first = table_place(seen, str_of((*key)->text));
	if (*first)
		return conf_fail(m->err, *key, "'%s' is given twice, first in line %u; remove one of them",
			(*key)->text, ((const struct conf_node *)*first)->line);
	*first = *key;
	return make_node(m, pair->value, depth + 1, value);
}

static int make_mapping(struct making *m, const yaml_node_t *y, unsigned depth, struct conf_node *n)
{
	const yaml_node_pair_t *pairs = y->data.mapping.pairs.start;
	size_t count = (size_t)(y->data.mapping.pairs.top - pairs);
	struct conf_node **keys = arena_alloc(m->arena, (count + 1) * sizeof *keys);
	struct table seen = { 0 };
	int rc = 0;
	n->shape = CONF_MAPPING;
	n->keys = keys;
	n->items = arena_alloc(m->arena, (count + 1) * sizeof *n->items);
	for (; rc == 0 && n->n < count; n->n++)
		rc = make_entry(m, &pairs[n->n], depth, &seen, &keys[n->n], &n->items[n->n]);
	table_free(&seen);
	return rc;
}

static int make_node(struct making *m, int id, unsigned depth, struct conf_node **out)
{
	const yaml_node_t *y = yaml_document_get_node(m->doc, id);
	struct conf_node *n = *out = node_at(m, y);
	if (depth > CONF_DEPTH_MAX)
		return conf_fail(m->err, n, "nested more than %d deep", CONF_DEPTH_MAX);
	if (++m->nodes > CONF_NODES_MAX)
		return conf_fail(m->err, n, "more than %d values", CONF_NODES_MAX);
	if (y->tag && strncmp((const char *)y->tag, "tag:yaml.org,2002:", 18) != 0)
		return conf_fail(m->err, n, "the tag %.64s means nothing here; remove it", (const char *)y->tag);
	switch (y->type) {
	case YAML_SEQUENCE_NODE:
		return make_sequence(m, y, depth, n);
	case YAML_MAPPING_NODE:
		return make_mapping(m, y, depth, n);
	default:
		return make_scalar(m, y, n);
	}
}

/* ---- the document ---- */

/* A reader error (bad UTF-8, control characters) has no mark, only the offset of the byte. */
static int syntax_error(struct making *m, const yaml_parser_t *p, const char *bytes, size_t len)
{
	struct conf_node at = { .file = m->file, .line = 1, .column = 1 };
	const char *problem = p->problem ? p->problem : "not YAML";
	if (p->error != YAML_READER_ERROR) {
		at.line = (unsigned)p->problem_mark.line + 1;
		at.column = (unsigned)p->problem_mark.column + 1;
		return conf_fail(m->err, &at, "%s%s%s", problem, p->context ? " " : "", p->context ? p->context : "");
	}
	for (size_t i = 0; i < len && i < p->problem_offset; i++) {
		at.column = bytes[i] == '\n' ? 1 : at.column + 1;
		at.line += bytes[i] == '\n';
	}
	return conf_fail(m->err, &at, "%s; the file must be UTF-8 text", problem);
}

static int make_root(struct making *m, struct conf_node **out)
{
	if (!yaml_document_get_root_node(m->doc)) {
		*out = conf_tree_empty(m->arena, m->file);
		return 0;
	}
	return make_node(m, 1, 0, out);
}

/* Assumes: the first document was read. A second one would be silently ignored by others; here it is an error. */
static int refuse_more(struct making *m, yaml_parser_t *p, const char *bytes, size_t len)
{
	yaml_document_t doc;
	if (!yaml_parser_load(p, &doc))
		return syntax_error(m, p, bytes, len);
	struct conf_node at = { .file = m->file,
		.line = (unsigned)doc.start_mark.line + 1,
		.column = (unsigned)doc.start_mark.column + 1 };
	bool more = yaml_document_get_root_node(&doc) != NULL;
	yaml_document_delete(&doc);
	return more ? conf_fail(m->err, &at, "a second document begins; put everything into one") : 0;
}

int conf_tree_parse(struct arena *a, const char *name, const char *bytes, size_t len, struct conf_node **out,
	struct conf_error *err)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	struct making m = { .arena = a, .err = err, .file = name, .doc = &doc };
	MUST(yaml_parser_initialize(&parser));
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
	int rc;
	if (!yaml_parser_load(&parser, &doc)) {
		rc = syntax_error(&m, &parser, bytes, len);
		goto out;
	}
	rc = make_root(&m, out);
	bool empty = !yaml_document_get_root_node(&doc);
	yaml_document_delete(&doc);
	if (rc == 0 && !empty)
		rc = refuse_more(&m, &parser, bytes, len);
out:
	yaml_parser_delete(&parser);
	return rc;
}
