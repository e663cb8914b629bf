/* SPDX-License-Identifier: Apache-2.0 */
/* The tables as text for people: conf/tally.yaml and the man page's section.
 *
 * conf/tally.yaml is a configuration that can be run: every option stands there with its default. What has none, or one
 * that depends on how tally was built, stands as an example behind a `#` without a space. */
#include <string.h>

#include "conf/option.h"

/* Each line of text, printed with what comes before it. */
static void print_lines(struct conf_printer *p, const char *before, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		conf_print_line(p, "%s%.*s\n", before, (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static bool has_entries(const struct conf_row *row)
{
	return row->table && row->kind != &conf_kind_group;
}

static const char *default_of(const struct conf_row *row)
{
	if (row->required)
		return "must be given";
	if (!row->fallback)
		return "optional";
	return *row->fallback ? row->fallback : "empty";
}

/* What one entry of a list may say, as comments. */
static void document_entry(struct conf_printer *p, const struct conf_table *t, const char *above)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct conf_row *row = &t->rows[i];
		const char *name = arena_printf(p->arena, "%s%s", above, row->name ? row->name : "");
		if (!row->name)
			continue;
		if (row->kind == &conf_kind_group)
			document_entry(p, row->table, arena_printf(p->arena, "%s.", name));
		else
			conf_print_line(p, "#   %s (%s, %s): %s\n", name, row->kind->name, default_of(row), row->help);
	}
}

static void document_value(struct conf_printer *p, const struct conf_row *row)
{
	bool lines = has_entries(row);
	if (row->example && lines) {
		conf_print_line(p, "#%s:\n", row->name);
		print_lines(p, "#  ", row->example);
	} else if (row->example) {
		conf_print_line(p, "#%s: %s\n", row->name, row->example);
	} else if (lines && strcmp(row->fallback, "[]") != 0) {
		conf_print_line(p, "%s:\n", row->name);
		print_lines(p, "  ", row->fallback);
	} else if (row->fallback) {
		conf_print_line(p, "%s: %s\n", row->name, *row->fallback ? row->fallback : "\"\"");
	}
}

static void document_table(struct conf_printer *p, const struct conf_table *t);

static void document_row(struct conf_printer *p, const struct conf_row *row)
{
	print_lines(p, "# ", row->help);
	if (row->kind == &conf_kind_group) {
		conf_print_line(p, "%s:\n", row->name);
		p->indent += 2;
		document_table(p, row->table);
		p->indent -= 2;
		return;
	}
	if (has_entries(row))
		document_entry(p, row->table, "");
	if (row->kind != &conf_kind_later)
		document_value(p, row);
}

static void document_table(struct conf_printer *p, const struct conf_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (p->indent == 0)
			conf_print(p, "\n");
		document_row(p, &t->rows[i]);
	}
}

struct tally_str conf_document(struct arena *a)
{
	struct conf_printer p = { .arena = a };
	conf_print(&p,
		"# Every option of tally, with its default. Made from the program's own tables; `tallyd -T` shows what is in force.\n"
		"#\n"
		"# ${NAME} and ${NAME:-default} take a value from the environment, $${ is a plain ${. Sizes are written with\n"
		"# B, KiB, MiB, GiB or TiB (kB, MB, GB, TB: powers of 1000), times with us, ms, s, m, h, d or w.\n"
		"# `include: FILE`, or a list of files beside this one: they are read first, then this file is laid over them;\n"
		"# mappings merge, lists follow one another, a single value here wins. A reload (tally reload, or HUP) changes\n"
		"# ack, log, trusted_proxies, redirects, sites, lookups and retention; the rest needs a restart.\n");
	document_table(&p, &conf_top);
	return str_make(p.bytes, p.len);
}

/* ---- the man page ---- */

/* A backslash, and a dot or quote that begins a line, mean something to troff. */
static void print_troff(struct conf_printer *p, const char *text)
{
	for (bool begins = true; *text; begins = *text++ == '\n') {
		if (begins && (*text == '.' || *text == '\''))
			conf_print(p, "\\&");
		conf_print(p, *text == '\\' ? "\\e" : *text == '-' ? "\\-" : "%c", *text);
	}
}

static void manual_table(struct conf_printer *p, const struct conf_table *t, const char *above)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct conf_row *row = &t->rows[i];
		if (!row->name || row->kind == &conf_kind_later)
			continue;
		const char *name = arena_printf(p->arena, "%s%s", above, row->name);
		conf_print(p, ".TP\n.B %s\n", name);
		print_troff(p, row->help);
		if (row->fallback && !row->example && !row->table) {
			conf_print(p, "\n(%s, default ", row->kind->name);
			print_troff(p, *row->fallback ? row->fallback : "empty");
			conf_print(p, ")\n");
		} else {
			conf_print(p, "\n(%s)\n", row->kind->name);
		}
		if (row->table)
			manual_table(p, row->table, arena_printf(p->arena, "%s.", name));
	}
}

struct tally_str conf_manual(struct arena *a)
{
	struct conf_printer p = { .arena = a };
	manual_table(&p, &conf_top, "");
	return str_make(p.bytes, p.len);
}
