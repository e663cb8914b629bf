/* SPDX-License-Identifier: Apache-2.0 */
/* Name and value as written: the options of a plugin or sink, which only it can judge, and the renames of a source. */
#include <errno.h>
#include <string.h>

#include "conf/option.h"

/* ---- what no row of the table knows ---- */

static bool has_row(const struct conf_table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->rows[i].name && strcmp(t->rows[i].name, name) == 0)
			return true;
	return false;
}

/* A list becomes its elements joined by newlines, so an element cannot hold one. */
static const char *join(struct conf_reader *r, const struct conf_node *value)
{
	const char *all = "";
	if (value->shape != CONF_SEQUENCE)
		return conf_read_text(r, value);
	for (size_t i = 0; i < value->n; i++) {
		const char *text = conf_read_text(r, value->items[i]);
		if (!text)
			return NULL;
		if (strchr(text, '\n')) {
			conf_refuse(r, value->items[i], "an element of a list holds a line break");
			return NULL;
		}
		all = i ? arena_printf(r->arena, "%s\n%s", all, text) : text;
	}
	return all;
}

static int read_pair(
	struct conf_reader *r, const struct conf_node *name, const struct conf_node *value, struct conf_pair *out)
{
	conf_enter(r, name->text);
	*out = (struct conf_pair){ name->text, join(r, value), conf_tree_place(r->arena, name) };
	conf_leave(r);
	return out->value ? 0 : -EINVAL;
}

struct pairs {
	const struct conf_pair **list;
	size_t *n;
};

static struct pairs pairs_of(const struct conf_row *row, void *base)
{
	return (struct pairs){ (const struct conf_pair **)((char *)base + row->at),
		(size_t *)((char *)base + row->count_at) };
}

/* row->table: the table whose other rows are not ours. */
static int read_pairs(struct conf_reader *r, const struct conf_row *row, const struct conf_node *mapping, void *base)
{
	struct pairs out = pairs_of(row, base);
	if (mapping->n > 64)
		return conf_refuse(r, mapping, "%zu options are too many; 64 at most", mapping->n);
	struct conf_pair *list = arena_zalloc(r->arena, (mapping->n + 1) * sizeof *list);
	*out.n = 0;
	for (size_t i = 0; i < mapping->n; i++)
		if (!has_row(row->table, mapping->keys[i]->text) &&
			read_pair(r, mapping->keys[i], mapping->items[i], &list[(*out.n)++]) != 0)
			return -EINVAL;
	*out.list = list;
	return 0;
}

static void print_pair(struct conf_printer *p, const struct conf_pair *pair)
{
	const char *v = pair->value;
	bool list = strchr(v, '\n') != NULL;
	conf_print_line(p, "%s:%s", conf_quote(p->arena, pair->name), list ? " [" : " ");
	for (bool more = true; more;) {
		size_t len = list ? strcspn(v, "\n") : strlen(v);
		const char *one = arena_copy(p->arena, v, len);
		more = v[len] != 0;
		v += len + more;
		conf_print(p, "%s%s", conf_quote(p->arena, p->mask ? conf_mask(p->arena, pair->name, one) : one),
			more ? ", " : "");
	}
	conf_print(p, list ? "]\n" : "\n");
}

static void print_pairs(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	const struct conf_pair *list = *(const struct conf_pair *const *)((const char *)base + row->at);
	size_t n = *(const size_t *)((const char *)base + row->count_at);
	for (size_t i = 0; i < n; i++)
		print_pair(p, &list[i]);
}

const struct conf_kind conf_kind_pairs = { "options", read_pairs, print_pairs, NULL };

/* ---- map: { tally's field: the key it has in what is sent } ---- */

static int check_field(struct conf_reader *r, const struct conf_node *name)
{
	static const char *const fields[] = { "name", "site", "id", "time", "visitor", "user", "page", "url",
		"referrer", "value" };
	size_t n = sizeof fields / sizeof *fields, len = strlen(name->text);
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i], name->text) == 0)
			return 0;
	if (strncmp(name->text, "props.", 6) == 0 && len > 6 && len <= 6 + 64)
		return 0;
	return conf_unknown(r, name, "field (or props.KEY)", name->text, fields, n);
}

static int read_map(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	(void)row;
	struct conf_source *src = base;
	if (value->shape != CONF_MAPPING)
		return conf_refuse(r, value, "a mapping (field: key as sent) is expected here");
	struct conf_map *map = arena_zalloc(r->arena, (value->n + 1) * sizeof *map);
	for (size_t i = 0; i < value->n; i++) {
		map[i] = (struct conf_map){ value->keys[i]->text, conf_read_text(r, value->items[i]) };
		if (!map[i].key || check_field(r, value->keys[i]) != 0)
			return -EINVAL;
	}
	src->map = map;
	src->nmap = value->n;
	return 0;
}

static bool map_there(const struct conf_row *row, const void *base)
{
	(void)row;
	return ((const struct conf_source *)base)->nmap > 0;
}

static void print_map(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	(void)row;
	const struct conf_source *src = base;
	conf_print(p, "\n");
	p->indent += 2;
	for (size_t i = 0; i < src->nmap; i++)
		conf_print_line(
			p, "%s: %s\n", conf_quote(p->arena, src->map[i].field), conf_quote(p->arena, src->map[i].key));
	p->indent -= 2;
}

const struct conf_kind conf_kind_map = { "mapping", read_map, print_map, map_there };
