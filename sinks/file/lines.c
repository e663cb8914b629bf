/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *room(struct fs_text *t, size_t more)
{
	if (t->failed)
		return NULL;
	if (t->len + more > t->cap) {
		size_t cap = t->cap ? t->cap : 65536;
		while (cap < t->len + more)
			cap *= 2;
		char *grown = realloc(t->ptr, cap);
		if (!grown) {
			t->failed = true;
			return NULL;
		}
		t->ptr = grown;
		t->cap = cap;
	}
	return t->ptr + t->len;
}

void fs_text_free(struct fs_text *t)
{
	free(t->ptr);
	*t = (struct fs_text){ 0 };
}

void fs_add(struct fs_text *t, const char *bytes, size_t len)
{
	char *to = room(t, len);
	if (!to || !len)
		return;
	memcpy(to, bytes, len);
	t->len += len;
}

/* Everything but quotes, backslashes and controls stands as it is. */
static void add_string(struct fs_text *t, const char *bytes, size_t len)
{
	fs_add(t, "\"", 1);
	for (size_t i = 0, plain = 0; i <= len; i++) {
		unsigned char c = i < len ? (unsigned char)bytes[i] : 0;
		bool end = i == len;
		if (!end && c >= 0x20 && c != '"' && c != '\\')
			continue;
		fs_add(t, bytes + plain, i - plain);
		plain = i + 1;
		if (end)
			break;
		char escape[8];
		int n = c == '"' || c == '\\' ? snprintf(escape, sizeof escape, "\\%c", c)
			: c == '\n'           ? snprintf(escape, sizeof escape, "\\n")
					      : snprintf(escape, sizeof escape, "\\u%04x", c);
		fs_add(t, escape, (size_t)n);
	}
	fs_add(t, "\"", 1);
}

/* The shortest of 15, 16 or 17 digits that reads back as the same number. */
static void add_real(struct fs_text *t, double d)
{
	char buf[40];
	int n = 0;
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(buf, sizeof buf, "%.*g", digits, d);
		if (strtod(buf, NULL) == d)
			break;
	}
	bool number = n > 0 && strpbrk(buf, "in") == NULL; /* no infinity in JSON */
	fs_add(t, number ? buf : "null", number ? (size_t)n : 4);
}

static void add_cell(struct fs_text *t, const struct tally_column *c, const struct tally_cell *cell, const char *node)
{
	char buf[24];
	if (c->merge == TALLY_M_NODE) {
		add_string(t, node, strlen(node));
	} else if (cell->null) {
		fs_add(t, "null", 4);
	} else if (c->type == TALLY_T_INT) {
		int n = snprintf(buf, sizeof buf, "%" PRId64, cell->v.i);
		fs_add(t, buf, (size_t)n);
	} else if (c->type == TALLY_T_REAL) {
		add_real(t, cell->v.d);
	} else if (c->type == TALLY_T_JSON && cell->len) {
		fs_add(t, cell->v.ptr, cell->len);
	} else {
		add_string(t, cell->v.ptr, cell->len);
	}
}

void fs_add_row(struct fs_text *out, const struct tally_table *t, const struct tally_cell *cells, const char *node)
{
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		fs_add(out, i ? "," : "{", 1);
		add_string(out, t->columns[i].name, strlen(t->columns[i].name));
		fs_add(out, ":", 1);
		add_cell(out, &t->columns[i], &cells[i], node);
	}
	fs_add(out, "}\n", 2);
}
