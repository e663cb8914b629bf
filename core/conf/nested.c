/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that hold other options: a group of the same struct, and arrays of structs written as a mapping by name
 * (sites), as a list of mappings (rollups) or as a list of tagged entries (pipeline, sinks, sources).
 *
 *     sites:                rollups:                 sinks:
 *       shop.example: {…}     - { name: total, … }     - sqlite: { … }
 *                                                      - null                                                     */
#include <errno.h>
#include <string.h>

#include "conf/option.h"

struct array {
	char *bytes;
	size_t n;
};

static const char **text_in(void *entry, size_t at)
{
	return (const char **)((char *)entry + at);
}

static const char *text_of(const void *entry, size_t at)
{
	return *(const char *const *)((const char *)entry + at);
}

static void keep_array(const struct conf_row *row, void *base, const struct array *list)
{
	*(void **)((char *)base + row->at) = list->bytes;
	*(size_t *)((char *)base + row->count_at) = list->n;
}

static struct array array_of(const struct conf_row *row, const void *base)
{
	return (struct array){ *(char *const *)((const char *)base + row->at),
		*(const size_t *)((const char *)base + row->count_at) };
}

static int make_array(
	struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, size_t n, struct array *out)
{
	if (n > row->table->max)
		return conf_refuse(r, value, "%zu entries are too many; %zu at most", n, row->table->max);
	out->bytes = arena_zalloc(r->arena, (n + 1) * row->table->bytes);
	out->n = 0;
	return 0;
}

/* ---- group ---- */

static int read_group(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	return conf_read_table(r, row->table, value, base);
}

static bool group_there(const struct conf_row *row, const void *base)
{
	for (size_t i = 0; i < row->table->n; i++) {
		const struct conf_row *inner = &row->table->rows[i];
		if (!inner->kind->there || inner->kind->there(inner, base))
			return true;
	}
	return false;
}

static void print_group(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	conf_print(p, "\n");
	p->indent += 2;
	conf_print_table(p, row->table, base);
	p->indent -= 2;
}

const struct conf_kind conf_kind_group = { "options", read_group, print_group, group_there };

/* ---- entries ---- */

/* One entry of an array; `at` is where it stands, name what it is called in messages. */
static int read_entry(struct conf_reader *r, const struct conf_row *row, const struct conf_node *at, const char *name,
	const struct conf_node *value, void *entry)
{
	*text_in(entry, row->table->place_at) = conf_tree_place(r->arena, at);
	if (name)
		conf_enter(r, name);
	int rc = conf_read_table(r, row->table, value, entry);
	if (name)
		conf_leave(r);
	return rc;
}

static int take_name(struct conf_reader *r, const struct conf_row *row, const struct conf_node *name, void *entry)
{
	if (row->words) {
		size_t n = 0, known = 0;
		while (row->words[n])
			known |= (size_t)(strcmp(row->words[n++], name->text) == 0);
		return known ? 0 : conf_unknown(r, name, "entry", name->text, row->words, n);
	}
	const char *why = row->judge ? row->judge(name->text) : NULL;
	if (why)
		return conf_refuse(r, name, "'%.80s' %s", name->text, why);
	*text_in(entry, row->name_at) = name->text;
	return 0;
}

/* ---- a mapping by name ---- */

static int read_one_named(struct conf_reader *r, const struct conf_row *row, const struct conf_node *name,
	const struct conf_node *value, void *entry)
{
	int rc = take_name(r, row, name, entry);
	return rc ? rc : read_entry(r, row, name, name->text, value, entry);
}

/* The entry the others begin as: first in the array, whether given or not. */
static int read_parent(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *entry)
{
	struct conf_node *empty = conf_tree_empty(r->arena, value->file);
	struct conf_node name = *empty, *key = &name;
	name.shape = CONF_SCALAR;
	name.text = row->table->inherit;
	for (size_t i = 0; i < value->n; i++)
		if (strcmp(value->keys[i]->text, row->table->inherit) == 0)
			return read_one_named(r, row, value->keys[i], value->items[i], entry);
	return read_one_named(r, row, key, empty, entry);
}

/* No entry is like another. Of a repeated name the last would win in YAML; here it is refused by its check. */
static int read_each_named(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	struct array list = { NULL, 0 };
	int rc = make_array(r, row, value, value->n, &list);
	for (; rc == 0 && list.n < value->n; list.n++)
		rc = read_one_named(
			r, row, value->keys[list.n], value->items[list.n], list.bytes + list.n * row->table->bytes);
	keep_array(row, base, &list);
	return rc;
}

static int read_named(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	const struct conf_table *t = row->table;
	struct array list = { NULL, 0 };
	if (value->shape != CONF_MAPPING)
		return conf_refuse(r, value, "a mapping (name: { options }) is expected here");
	if (!t->inherit)
		return read_each_named(r, row, value, base);
	if (make_array(r, row, value, value->n + 1, &list) != 0 || read_parent(r, row, value, list.bytes) != 0)
		return -EINVAL;
	int rc = 0;
	r->keep = true;
	for (size_t i = 0; rc == 0 && i < value->n; i++) {
		if (strcmp(value->keys[i]->text, t->inherit) == 0)
			continue;
		char *entry = list.bytes + ++list.n * t->bytes;
		memcpy(entry, list.bytes, t->bytes);
		rc = read_one_named(r, row, value->keys[i], value->items[i], entry);
	}
	r->keep = false;
	list.n++;
	keep_array(row, base, &list);
	return rc;
}

static void print_named(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	struct array list = array_of(row, base);
	conf_print(p, list.n ? "\n" : " {}\n");
	for (size_t i = 0; i < list.n; i++) {
		const char *entry = list.bytes + i * row->table->bytes;
		p->indent += 2;
		conf_print_line(p, "%s:\n", conf_quote(p->arena, text_of(entry, row->name_at)));
		p->indent += 2;
		conf_print_table(p, row->table, entry);
		p->indent -= 4;
	}
}

const struct conf_kind conf_kind_named = { "mapping by name", read_named, print_named, NULL };

/* ---- a list of mappings ---- */

static int read_list(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	struct array list = { NULL, 0 };
	if (value->shape != CONF_SEQUENCE)
		return conf_refuse(r, value, "a list is expected here, each entry beginning with '- '");
	if (make_array(r, row, value, value->n, &list) != 0)
		return -EINVAL;
	int rc = 0;
	for (; rc == 0 && list.n < value->n; list.n++)
		rc = read_entry(r, row, value->items[list.n], NULL, value->items[list.n],
			list.bytes + list.n * row->table->bytes);
	keep_array(row, base, &list);
	return rc;
}

static void print_list(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	struct array list = array_of(row, base);
	conf_print(p, list.n ? "\n" : " []\n");
	p->indent += 4;
	for (size_t i = 0; i < list.n; i++) {
		p->dash = true;
		conf_print_table(p, row->table, list.bytes + i * row->table->bytes);
	}
	p->indent -= 4;
}

const struct conf_kind conf_kind_list = { "list of mappings", read_list, print_list, NULL };

/* ---- a list of names, each with options or without ---- */

/* "- name" or "- name: { options }" */
static int read_one_tagged(struct conf_reader *r, const struct conf_row *row, const struct conf_node *item, void *entry)
{
	const struct conf_node *name = item, *options = conf_tree_empty(r->arena, item->file);
	if (item->shape == CONF_MAPPING && item->n == 1) {
		name = item->keys[0];
		options = item->items[0];
	} else if (item->shape == CONF_MAPPING && item->n > 1) {
		return conf_refuse(r, item->keys[1],
			"'%.60s' stands beside '%.60s'; options belong under the name, indented further or in { }",
			item->keys[1]->text, item->keys[0]->text);
	} else if (item->shape != CONF_SCALAR && !(item->shape == CONF_NOTHING && *item->text)) {
		return conf_refuse(r, item, "a name is expected, as in '- name: { options }'");
	}
	if (options->shape == CONF_MAPPING && options->n == 0) {
		/* so that what is missing in it is named where it stands */
		struct conf_node *bare = conf_tree_empty(r->arena, name->file);
		bare->line = name->line;
		bare->column = name->column;
		options = bare;
	}
	int rc = take_name(r, row, name, entry);
	return rc ? rc : read_entry(r, row, name, name->text, options, entry);
}

static int read_tagged(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	struct array list = { NULL, 0 };
	if (value->shape != CONF_SEQUENCE)
		return conf_refuse(r, value, "a list is expected here, each entry as in '- name: { options }'");
	if (make_array(r, row, value, value->n, &list) != 0)
		return -EINVAL;
	int rc = 0;
	for (; rc == 0 && list.n < value->n; list.n++)
		rc = read_one_tagged(r, row, value->items[list.n], list.bytes + list.n * row->table->bytes);
	keep_array(row, base, &list);
	return rc;
}

static void print_tagged(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	struct array list = array_of(row, base);
	conf_print(p, list.n ? "\n" : " []\n");
	for (size_t i = 0; i < list.n; i++) {
		const char *entry = list.bytes + i * row->table->bytes;
		const char *name = row->words ? row->words[0] : text_of(entry, row->name_at);
		p->indent += 4;
		p->dash = true;
		conf_print_line(p, "%s:\n", conf_quote(p->arena, name));
		p->indent += 2;
		conf_print_table(p, row->table, entry);
		p->indent -= 6;
	}
}

const struct conf_kind conf_kind_tagged = { "list of names with options", read_tagged, print_tagged, NULL };
