/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for people: a JSON document as a table where it holds a list of rows, else as `name  value` lines; machines
 * get the text as it came. */
#include <stdio.h>

#include "main/client/client.h"
#include "text/tree.h"
#include "text/utf8.h"

#define COLUMNS 32
#define DEPTH 32
#define WIDTH_MAX 60

/* A rectangle of texts. */
struct grid {
	struct arena *arena;
	struct tally_str head[COLUMNS];
	size_t ncolumns;
	struct tally_str *cells; /* rows of ncolumns, one behind the other */
	size_t rows, cap;
};

/* ---- what stands in a cell ---- */

static struct tally_str cell_text(const struct tree_node *n)
{
	return n && n->kind != JSON_NULL ? n->text : STR("");
}

static size_t width_of(struct tally_str s)
{
	size_t w = 0;
	for (size_t i = 0; i < s.len; i++)
		w += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return w < WIDTH_MAX ? w : WIDTH_MAX;
}

static struct tally_str *new_row(struct grid *g)
{
	if (g->rows == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		struct tally_str *bigger = arena_zalloc(g->arena, g->cap * g->ncolumns * sizeof *bigger);
		if (g->rows)
			memcpy(bigger, g->cells, g->rows * g->ncolumns * sizeof *bigger);
		g->cells = bigger;
	}
	return g->cells + g->rows++ * g->ncolumns;
}

/* ---- grids ---- */

static void take_names(struct grid *g, const struct tree_node *list)
{
	for (const struct tree_node *n = list ? list->first : NULL; n && g->ncolumns < COLUMNS; n = n->next)
		g->head[g->ncolumns++] = cell_text(n);
}

static void take_cells(struct tally_str *row, size_t *at, size_t most, const struct tree_node *list)
{
	for (const struct tree_node *n = list ? list->first : NULL; n && *at < most; n = n->next)
		row[(*at)++] = cell_text(n);
}

/* A statistics answer: the names stand in its echo of the question. */
static bool grid_of_results(struct grid *g, const struct tree_node *doc)
{
	const struct tree_node *results = tree_get(doc, STR("results")), *query = tree_get(doc, STR("query"));
	if (!results || results->kind != JSON_ARRAY || !query)
		return false;
	take_names(g, tree_get(query, STR("dimensions")));
	take_names(g, tree_get(query, STR("metrics")));
	for (const struct tree_node *r = results->first; r && g->ncolumns; r = r->next) {
		struct tally_str *row = new_row(g);
		size_t at = 0;
		take_cells(row, &at, g->ncolumns, tree_get(r, STR("dimensions")));
		take_cells(row, &at, g->ncolumns, tree_get(r, STR("metrics")));
	}
	return g->ncolumns > 0;
}

/* An array of objects: the first one names the columns. */
static bool grid_of_objects(struct grid *g, const struct tree_node *list)
{
	if (!list || list->kind != JSON_ARRAY || !list->first || list->first->kind != JSON_OBJECT)
		return false;
	for (const struct tree_node *n = list->first->first; n && g->ncolumns < COLUMNS; n = n->next)
		g->head[g->ncolumns++] = n->key;
	for (const struct tree_node *o = list->first; o; o = o->next) {
		struct tally_str *row = new_row(g);
		for (size_t c = 0; c < g->ncolumns; c++)
			row[c] = cell_text(tree_get(o, g->head[c]));
	}
	return true;
}

static void print_row(const struct grid *g, const struct tally_str *row, const size_t *width)
{
	for (size_t c = 0; c < g->ncolumns; c++) {
		struct tally_str s = row[c];
		size_t shown = 0, bytes = 0;
		while (bytes < s.len && shown < WIDTH_MAX) {
			size_t n = utf8_step(s.ptr + bytes, s.ptr + s.len);
			bytes += n ? n : 1;
			shown++;
		}
		bool last = c + 1 == g->ncolumns;
		printf("%.*s%*s", (int)bytes, s.ptr ? s.ptr : "", last ? 0 : (int)(width[c] - shown + 2), "");
	}
	putchar('\n');
}

static void print_grid(const struct grid *g)
{
	size_t width[COLUMNS];
	for (size_t c = 0; c < g->ncolumns; c++) {
		width[c] = width_of(g->head[c]);
		for (size_t r = 0; r < g->rows; r++) {
			size_t w = width_of(g->cells[r * g->ncolumns + c]);
			width[c] = w > width[c] ? w : width[c];
		}
	}
	print_row(g, g->head, width);
	for (size_t r = 0; r < g->rows; r++)
		print_row(g, g->cells + r * g->ncolumns, width);
}

/* ---- documents ---- */

static void print_member(struct arena *a, const struct tree_node *n)
{
	struct grid g = { .arena = a };
	if (grid_of_objects(&g, n)) {
		printf("\n%.*s\n", (int)n->key.len, n->key.ptr);
		print_grid(&g);
		return;
	}
	printf("%-16.*s %.*s\n", (int)n->key.len, n->key.ptr, (int)n->text.len, n->text.ptr ? n->text.ptr : "");
}

static void print_members(struct arena *a, const struct tree_node *doc)
{
	for (const struct tree_node *n = doc->first; n; n = n->next)
		print_member(a, n);
}

static void print_raw(struct tally_str text)
{
	fwrite(text.ptr, 1, text.len, stdout);
	if (text.len && text.ptr[text.len - 1] != '\n')
		putchar('\n');
}

void print_answer(const struct client *c, struct tally_str json)
{
	struct arena a;
	struct grid g = { .arena = &a };
	const struct tree_node *doc;
	if (c->format != FORMAT_TABLE) {
		print_raw(json);
		return;
	}
	arena_init(&a, 0);
	if (tree_parse(&a, json, DEPTH, &doc, NULL))
		print_raw(json);
	else if (grid_of_results(&g, doc) || grid_of_objects(&g, doc))
		print_grid(&g);
	else if (doc->kind == JSON_OBJECT)
		print_members(&a, doc);
	else
		print_raw(json);
	arena_free(&a);
}

/* code: detail; the place where there is one */
void print_problem(const struct call_answer *an)
{
	struct arena a;
	const struct tree_node *doc;
	arena_init(&a, 0);
	if (tree_parse(&a, an->body, DEPTH, &doc, NULL) || !tree_get(doc, STR("code"))) {
		fprintf(stderr, "tally: %ld %.*s\n", an->status, (int)an->body.len, an->body.ptr ? an->body.ptr : "");
	} else {
		struct tally_str code = cell_text(tree_get(doc, STR("code")));
		struct tally_str detail = cell_text(tree_get(doc, STR("detail")));
		fprintf(stderr, "tally: %.*s: %.*s\n", (int)code.len, code.ptr, (int)detail.len,
			detail.ptr ? detail.ptr : "");
	}
	arena_free(&a);
}
