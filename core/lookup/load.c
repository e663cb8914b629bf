/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup/load.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "base/clock.h"
#include "text/utf8.h"
#include "text/write.h"

/* Results of a row function, which are positive. */
enum { STOP_MANY = 1, STOP_MEMORY, STOP_SHAPE };

struct load {
	const struct lookup_ask *ask;
	struct arena arena;   /* of statements */
	struct arena scratch; /* of one row */
	struct lookup_origin origin;
	struct lookup_rows *rows;
	uint64_t seen;
	struct lookup_oddities *odd;
	char *words;
};

__attribute__((format(printf, 2, 3))) static int say(struct load *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(l->words, LOOKUP_WORDS, fmt, ap);
	va_end(ap);
	return STOP_SHAPE;
}

/* ---- values ---- */

static struct lookup_value number(struct arena *a, const struct tally_cell *c, uint32_t type)
{
	struct text_out o;
	if (type == TALLY_T_REAL && !isfinite(c->v.d))
		return (struct lookup_value){ .type = LOOKUP_NULL };
	text_open(&o, a, 32);
	if (type == TALLY_T_INT)
		text_put_int(&o, c->v.i);
	else
		text_put_double(&o, c->v.d);
	return (struct lookup_value){ text_done(&o), LOOKUP_NUMBER };
}

static struct lookup_value value_of(struct load *l, const struct tally_cell *c, uint32_t type)
{
	if (c->null)
		return (struct lookup_value){ .type = LOOKUP_NULL };
	if (type == TALLY_T_INT || type == TALLY_T_REAL)
		return number(&l->scratch, c, type);
	struct tally_str text = str_make(c->len ? c->v.ptr : "", c->len);
	if (utf8_valid(text))
		return (struct lookup_value){ text, LOOKUP_TEXT };
	l->odd->no_text++;
	return (struct lookup_value){ .type = LOOKUP_NULL };
}

/* ---- has anything changed? ---- */

static int take_version(void *arg, const struct tally_found *f)
{
	struct load *l = arg;
	if (!f->cells)
		return f->ncolumns == 2 ? 0 : say(l, "the store counts rows in a way of its own");
	struct lookup_value count = value_of(l, &f->cells[0], f->types[0]);
	struct lookup_value most = value_of(l, &f->cells[1], f->types[1]);
	char *to = l->origin.version;
	if (most.text.len <= LOOKUP_VERSION / 2)
		snprintf(to, LOOKUP_VERSION, "%.*s/%.*s", (int)count.text.len, count.text.ptr ? count.text.ptr : "",
			(int)most.text.len, most.text.ptr ? most.text.ptr : "");
	else
		snprintf(to, LOOKUP_VERSION, "%.*s/#%016llx", (int)count.text.len, count.text.ptr,
			(unsigned long long)XXH3_64bits(most.text.ptr, most.text.len));
	return 0;
}

/* The text in brackets stands on lines of its own: it may end in a comment. */
static int read_version(struct load *l)
{
	const struct lookup_ask *ask = l->ask;
	if (!ask->version)
		return 0;
	const char *sql = arena_printf(
		&l->arena, "SELECT COUNT(*), MAX(`%s`) FROM (\n%s\n) AS tally_lookup", ask->version, ask->sql);
	return ask->sink->select(ask->reader, sql, ask->timeout_us, take_version, l);
}

static bool is_unchanged(const struct load *l, const struct lookup_rows *before)
{
	const struct lookup_origin *was = before ? lookup_rows_origin(before) : NULL;
	return was && *l->origin.version && was->definition == l->origin.definition &&
	       strcmp(was->version, l->origin.version) == 0;
}

/* ---- rows ---- */

static const char *list(struct arena *a, const struct tally_found *f)
{
	struct text_out o;
	text_open(&o, a, 128);
	for (size_t i = 0; i < f->ncolumns && i < 8; i++)
		text_printf(&o, "%s%.64s", i ? ", " : "", f->names[i]);
	text_put(&o, f->ncolumns > 8 ? STR(", …") : STR(""));
	text_put_char(&o, 0);
	return o.ptr;
}

static int take_columns(struct load *l, const struct tally_found *f)
{
	struct tally_str names[LOOKUP_COLUMNS_MAX];
	size_t key = f->ncolumns;
	if (f->ncolumns > LOOKUP_COLUMNS_MAX)
		return say(l, "sql gives %zu columns; %d are the most", f->ncolumns, LOOKUP_COLUMNS_MAX);
	for (size_t i = 0; i < f->ncolumns; i++) {
		names[i] = str_of(f->names[i]);
		if (!utf8_valid(names[i]))
			return say(l, "sql gives a column whose name is no UTF-8; give it another with AS");
		if (strcmp(f->names[i], l->ask->key) == 0)
			key = i;
	}
	if (key == f->ncolumns)
		return say(
			l, "sql gives no column `%s`, which key names; it gives %s", l->ask->key, list(&l->arena, f));
	l->rows = lookup_rows_make(&l->origin, names, f->ncolumns, key, l->ask->memory);
	return 0;
}

static int take_row(void *arg, const struct tally_found *f)
{
	struct load *l = arg;
	struct lookup_value values[LOOKUP_COLUMNS_MAX];
	if (!f->cells)
		return take_columns(l, f);
	if (++l->seen > l->ask->max_rows)
		return STOP_MANY;
	arena_reset(&l->scratch);
	for (size_t i = 0; i < f->ncolumns; i++)
		values[i] = value_of(l, &f->cells[i], f->types[i]);
	switch (lookup_rows_add(l->rows, values)) {
	case LOOKUP_NO_ROOM:
		return STOP_MEMORY;
	case LOOKUP_NO_KEY:
		l->odd->no_key++;
		break;
	case LOOKUP_TWICE:
		l->odd->twice++;
		break;
	case LOOKUP_ADDED:
		break;
	}
	return 0;
}

static int read_rows(struct load *l)
{
	const struct lookup_ask *ask = l->ask;
	const char *sql = arena_printf(&l->arena, "SELECT * FROM (\n%s\n) AS tally_lookup LIMIT %llu", ask->sql,
		(unsigned long long)ask->max_rows + 1);
	int rc = ask->sink->select(ask->reader, sql, ask->timeout_us, take_row, l);
	if (rc == STOP_MANY)
		say(l, "more than %llu rows; raise max_rows, or select fewer", (unsigned long long)ask->max_rows);
	if (rc == STOP_MEMORY)
		say(l, "more than memory (%llu bytes) holds after %zu rows; raise it, or select less",
			(unsigned long long)ask->memory, lookup_rows_count(l->rows));
	return rc;
}

/* ---- all of it ---- */

static enum lookup_result failed(struct load *l, int rc)
{
	const char *words = l->ask->sink->reader_error(l->ask->reader);
	snprintf(l->words, LOOKUP_WORDS, "%.*s", LOOKUP_WORDS - 1, words && *words ? words : strerror(-rc));
	return rc == -EINVAL ? LOOKUP_REFUSED : LOOKUP_FAILED;
}

static enum lookup_result in_snapshot(struct load *l, const struct lookup_rows *before)
{
	int rc = read_version(l);
	if (rc == 0 && is_unchanged(l, before))
		return LOOKUP_UNCHANGED;
	if (rc == 0)
		rc = read_rows(l);
	return rc == 0 ? LOOKUP_LOADED : rc > 0 ? LOOKUP_REFUSED : failed(l, rc);
}

enum lookup_result lookup_load(const struct lookup_ask *ask, const struct lookup_rows *before, struct lookup_rows **out,
	struct lookup_oddities *odd, char words[LOOKUP_WORDS])
{
	struct load l = { .ask = ask, .odd = odd, .words = words };
	*odd = (struct lookup_oddities){ 0 };
	*words = 0;
	arena_init(&l.arena, 0);
	arena_init(&l.scratch, 0);
	l.origin = (struct lookup_origin){ .definition = ask->definition, .read_us = clock_wall_us() };
	int rc = ask->sink->read_begin(ask->reader);
	enum lookup_result result = rc ? failed(&l, rc) : in_snapshot(&l, before);
	if (rc == 0)
		ask->sink->read_end(ask->reader);
	if (result == LOOKUP_LOADED) {
		lookup_rows_finish(l.rows);
		*out = l.rows;
	} else {
		lookup_rows_unref(l.rows);
	}
	arena_free(&l.arena);
	arena_free(&l.scratch);
	return result;
}
