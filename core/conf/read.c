/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over tables that reads a mapping, and how refusals are worded. */
#include "conf/option.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 64 /* rows of one table */

void conf_enter(struct conf_reader *r, const char *name)
{
	MUST(r->depth < sizeof r->path / sizeof *r->path);
	r->path[r->depth++] = name;
}

void conf_leave(struct conf_reader *r)
{
	MUST(r->depth > 0);
	r->depth--;
}

/* ---- refusals ---- */

int conf_refuse(struct conf_reader *r, const struct conf_node *at, const char *fmt, ...)
{
	char message[sizeof r->err->text], path[256] = "";
	size_t n = 0;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	for (unsigned i = 0; i < r->depth && n < sizeof path; i++)
		n += (size_t)snprintf(path + n, sizeof path - n, "%s%.60s", i ? "." : "", r->path[i]);
	return conf_fail(r->err, at, "%s%s%s", path, *path ? ": " : "", message);
}

int conf_refuse_at(struct conf_error *err, const char *place, const char *fmt, ...)
{
	char message[sizeof err->text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	snprintf(err->text, sizeof err->text, "%.200s: %.300s", place, message);
	return -EINVAL;
}

int conf_unknown(struct conf_reader *r, const struct conf_node *at, const char *what, const char *word,
	const char *const *known, size_t n)
{
	const char *near = conf_nearest(word, known, n);
	if (near)
		return conf_refuse(r, at, "unknown %s '%.60s'; did you mean '%s'?", what, word, near);
	char all[300] = "";
	size_t len = 0;
	for (size_t i = 0; i < n && len < sizeof all; i++)
		len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", i ? ", " : "", known[i]);
	return conf_refuse(r, at, "unknown %s '%.60s'; known: %s", what, word, all);
}

const char *conf_read_text(struct conf_reader *r, const struct conf_node *value)
{
	if (value->shape == CONF_SCALAR)
		return value->text;
	conf_refuse(r, value, "one value is expected here, not %s",
		value->shape == CONF_NOTHING   ? "nothing"
		: value->shape == CONF_MAPPING ? "a mapping"
					       : "a list");
	return NULL;
}

/* ---- a table ---- */

static bool takes_rest(const struct conf_table *t)
{
	return t->n && !t->rows[t->n - 1].name;
}

static int check_keys(struct conf_reader *r, const struct conf_table *t, const struct conf_node *mapping)
{
	const char *names[NAMES_MAX];
	size_t n = 0;
	if (takes_rest(t))
		return 0;
	MUST(t->n <= NAMES_MAX);
	for (; n < t->n; n++)
		names[n] = t->rows[n].name;
	for (size_t i = 0; i < mapping->n; i++) {
		size_t k = 0;
		while (k < n && strcmp(names[k], mapping->keys[i]->text) != 0)
			k++;
		if (k == n)
			return conf_unknown(r, mapping->keys[i], "option", mapping->keys[i]->text, names, n);
	}
	return 0;
}

static bool is_structure(const struct conf_row *row)
{
	return row->table != NULL || row->kind == &conf_kind_later;
}

/* Defaults are our own text: one that cannot be read is a bug. Lists are YAML, all else is the text itself. */
static void read_fallback(struct conf_reader *r, const struct conf_row *row, void *base)
{
	struct conf_node *value = conf_tree_empty(r->arena, "default");
	if (*row->fallback && strchr("[{-", *row->fallback)) {
		MUST(conf_tree_parse(r->arena, "default", row->fallback, strlen(row->fallback), &value, r->err) == 0);
	} else {
		value->shape = CONF_SCALAR;
		value->text = row->fallback;
	}
	MUST(row->kind->read(r, row, value, base) == 0);
}

static int read_absent(struct conf_reader *r, const struct conf_row *row, const struct conf_node *mapping, void *base)
{
	if (row->required)
		return conf_refuse(r, mapping, "must be given%s%s", row->example ? ", as in: " : "",
			row->example ? row->example : "");
	if (r->keep)
		return 0;
	if (row->kind == &conf_kind_group || (row->table && row->table->inherit))
		return row->kind->read(r, row, conf_tree_empty(r->arena, mapping->file), base);
	if (row->fallback)
		read_fallback(r, row, base);
	return 0;
}

static int read_row(struct conf_reader *r, const struct conf_row *row, const struct conf_node *mapping, void *base)
{
	if (!row->name)
		return row->kind->read(r, row, mapping, base);
	const struct conf_node *value = conf_tree_get(mapping, row->name);
	conf_enter(r, row->name);
	int rc;
	if (!value || (value->shape == CONF_NOTHING && is_structure(row)))
		rc = read_absent(r, row, mapping, base);
	else
		rc = row->kind->read(r, row, value, base);
	conf_leave(r);
	return rc;
}

int conf_read_table(struct conf_reader *r, const struct conf_table *t, const struct conf_node *mapping, void *base)
{
	if (mapping->shape != CONF_MAPPING && mapping->shape != CONF_NOTHING)
		return conf_refuse(r, mapping, "a mapping (option: value) is expected here");
	int rc = check_keys(r, t, mapping);
	for (size_t i = 0; rc == 0 && i < t->n; i++)
		rc = read_row(r, &t->rows[i], mapping, base);
	if (rc == 0 && t->finish)
		rc = t->finish(r, mapping, base);
	return rc;
}
