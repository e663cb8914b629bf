/* SPDX-License-Identifier: Apache-2.0 */
#include "main/dead.h"

#include <stdio.h>

#include "base/clock.h"
#include "event/event.h"
#include "text/number.h"
#include "text/write.h"

#define LIMIT_MAX 1000
#define PARAMS_MAX 10

static const uint32_t types[DEAD_COLUMNS] = { TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT, TALLY_T_TEXT, TALLY_T_INT,
	TALLY_T_INT, TALLY_T_TEXT, TALLY_T_BLOB };

/* ---- which ones ---- */

static bool take_text(const struct admin_call *c, const char *name, struct tally_str *out)
{
	return http_query_get(c->http, name, out) && out->len;
}

/* False: it is there and no number. */
static bool take_int(struct admin_call *c, const char *name, int64_t *out, bool *there)
{
	struct tally_str text;
	*there = take_text(c, name, &text);
	if (!*there || number_int64(text, out) == 0)
		return true;
	admin_refuse(c, 400, "invalid_parameter", arena_printf(&c->arena, "%s is a number", name));
	return false;
}

/* "2h" back from now, or a time as events have it. */
static bool take_since(struct admin_call *c, int64_t *out)
{
	struct tally_str text;
	struct event_error err;
	int64_t back_us;
	if (!take_text(c, "since", &text))
		return true;
	if (event_parse_time(text, out, &err) == 0)
		return true;
	if (conf_parse_time(arena_printf(&c->arena, "%.*s", (int)text.len, text.ptr), &back_us) == 0) {
		*out = clock_wall_us() - back_us;
		return true;
	}
	admin_refuse(c, 400, "invalid_parameter", "since is a time (2026-10-25T12:00:00Z) or how long ago (2h)");
	return false;
}

static bool line_known(const struct daemon *d, struct tally_str name)
{
	for (size_t i = 0; i < d->nlines; i++)
		if (str_eq(name, str_of(line_name(d->lines[i]))))
			return true;
	return false;
}

bool dead_filter_take(struct admin_call *c, struct dead_filter *out)
{
	bool lsn, idx;
	*out = (struct dead_filter){ .since_us = INT64_MIN };
	take_text(c, "line", &out->line);
	take_text(c, "site", &out->site);
	if (!take_since(c, &out->since_us) || !take_int(c, "code", &out->code, &out->has_code) ||
		!take_int(c, "lsn", &out->lsn, &lsn) || !take_int(c, "idx", &out->idx, &idx))
		return false;
	if (out->line.len && !line_known(c->daemon, out->line)) {
		admin_refuse(c, 404, "unknown_line", "no sink of that name is configured; `tally status` lists them");
		return false;
	}
	out->one = lsn && idx && out->line.len;
	if ((lsn || idx) && !out->one) {
		admin_refuse(c, 400, "invalid_parameter", "one letter is named by line, lsn and idx together");
		return false;
	}
	return true;
}

bool dead_line_asked(const struct daemon *d, size_t line, const struct dead_filter *f)
{
	return line_sink(d->lines[line])->is_store &&
	       (!f->line.len || str_eq(f->line, str_of(line_name(d->lines[line]))));
}

/* ---- reading ---- */

struct params {
	struct tally_cell cells[PARAMS_MAX];
	uint32_t types[PARAMS_MAX];
	size_t n;
};

static void param_text(struct params *p, struct tally_str s)
{
	p->types[p->n] = TALLY_T_TEXT;
	p->cells[p->n++] = (struct tally_cell){ .v.ptr = s.ptr, .len = (uint32_t)s.len };
}

static void param_int(struct params *p, int64_t v)
{
	p->types[p->n] = TALLY_T_INT;
	p->cells[p->n++] = (struct tally_cell){ .v.i = v };
}

/* Conditions and their parameters, in one order. */
static const char *where(struct arena *a, const struct dead_filter *f, struct params *p)
{
	const char *text = "";
	if (f->site.len) {
		text = arena_printf(a, "%s AND d.`site` = ?", text);
		param_text(p, f->site);
	}
	if (f->since_us != INT64_MIN) {
		text = arena_printf(a, "%s AND d.`time` >= ?", text);
		param_int(p, f->since_us);
	}
	if (f->has_code) {
		text = arena_printf(a, "%s AND d.`code` = ?", text);
		param_int(p, f->code);
	}
	if (f->one) {
		text = arena_printf(a, "%s AND d.`lsn` = ? AND d.`idx` = ?", text);
		param_int(p, f->lsn);
		param_int(p, f->idx);
	} else if (f->ascending) {
		text = arena_printf(a, "%s AND d.`lsn` < ? AND (d.`lsn` > ? OR (d.`lsn` = ? AND d.`idx` > ?))", text);
		param_int(p, f->below);
		param_int(p, f->lsn);
		param_int(p, f->lsn);
		param_int(p, f->idx);
	}
	return text;
}

static int run(
	struct daemon *d, size_t line, const struct tally_statement *st, tally_row_fn fn, void *arg, char error[256])
{
	const struct tally_sink *sink = line_sink(d->lines[line]);
	const char *name = line_name(d->lines[line]);
	void *reader;
	if (sink->reader_open(line_sink_self(d->lines[line]), &reader)) {
		snprintf(error, 256, "sink %s cannot be read", name);
		return -1;
	}
	int rc = sink->read_begin(reader);
	if (!rc) {
		rc = sink->read(reader, st, fn, arg);
		sink->read_end(reader);
	}
	if (rc)
		snprintf(error, 256, "sink %s: %.200s", name, sink->reader_error(reader));
	sink->reader_close(reader);
	return rc;
}

int dead_read(struct daemon *d, size_t line, const struct dead_filter *f, tally_row_fn fn, void *arg, char error[256])
{
	const char *prefix = d->conf->sinks[line].prefix, *order = f->ascending ? "ASC" : "DESC";
	struct params p = { 0 };
	struct arena a;
	arena_init(&a, 0);
	param_text(&p, str_of(d->node.text));
	param_text(&p, str_of(line_name(d->lines[line])));
	const char *conditions = where(&a, f, &p);
	struct tally_statement st = { .params = p.cells,
		.param_types = p.types,
		.nparams = p.n,
		.column_types = types,
		.ncolumns = DEAD_COLUMNS };
	st.sql = arena_printf(&a,
		"SELECT d.`line`, d.`lsn`, d.`idx`, d.`site`, d.`time`, d.`code`, d.`error`, d.`raw` "
		"FROM `%stally_dead` d JOIN `%stally_node` n ON n.`number` = d.`node` WHERE n.`uuid` = ? AND d.`line` = ?%s "
		"ORDER BY d.`lsn` %s, d.`idx` %s LIMIT %lld",
		prefix, prefix, conditions, order, order, (long long)f->limit);
	int rc = run(d, line, &st, fn, arg, error);
	arena_free(&a);
	return rc;
}

/* ---- list and show ---- */

struct listing {
	struct text_out out;
	bool whole; /* with the event */
	int64_t skip, left;
	size_t n;
};

static struct tally_str text_of(const struct tally_cell *c)
{
	return c->null ? STR("") : str_make(c->v.ptr, c->len);
}

static int take_row(void *arg, const struct tally_cell *c)
{
	struct listing *l = arg;
	struct text_out *o = &l->out;
	if (l->skip-- > 0)
		return 0;
	l->left--;
	l->n++;
	text_json_begin(o, '{');
	text_json_member_string(o, "line", text_of(&c[DEAD_LINE]));
	text_json_member_int(o, "lsn", c[DEAD_LSN].v.i);
	text_json_member_int(o, "idx", c[DEAD_IDX].v.i);
	text_json_member_string(o, "site", text_of(&c[DEAD_SITE]));
	text_json_member_int(o, "time", c[DEAD_TIME].v.i);
	text_json_member_int(o, "code", c[DEAD_CODE].v.i);
	text_json_member_string(o, "error", text_of(&c[DEAD_ERROR]));
	if (l->whole) {
		text_json_key(o, STR("event"));
		text_json_raw(o, text_of(&c[DEAD_RAW]));
	}
	text_json_end(o, '}');
	return 0;
}

static bool take_page(struct admin_call *c, struct listing *l)
{
	bool limit, offset;
	l->left = 100;
	if (!take_int(c, "limit", &l->left, &limit) || !take_int(c, "offset", &l->skip, &offset))
		return false;
	if (l->left >= 1 && l->left <= LIMIT_MAX && l->skip >= 0)
		return true;
	admin_refuse(c, 400, "invalid_limit", "limit is 1 to 1000, offset 0 or more");
	return false;
}

/* Lines in the order of the configuration, each newest first; pages go through them as one list. */
void dead_command(struct admin_call *c)
{
	struct daemon *d = c->daemon;
	struct dead_filter f;
	struct listing l = { 0 };
	char error[256];
	if (!dead_filter_take(c, &f) || !take_page(c, &l))
		return;
	l.whole = f.one;
	text_open(&l.out, &c->arena, 1024);
	text_json_begin(&l.out, '[');
	for (size_t i = 0; i < d->nlines && l.left > 0; i++) {
		if (!dead_line_asked(d, i, &f))
			continue;
		l.skip = l.skip > 0 ? l.skip : 0;
		f.limit = l.left + l.skip;
		if (dead_read(d, i, &f, take_row, &l, error)) {
			admin_refuse(c, 503, "store_unreachable", error);
			return;
		}
	}
	text_json_end(&l.out, ']');
	if (f.one && !l.n) {
		admin_refuse(c, 404, "no_such_letter",
			"that line has no dead letter there; `tally dead list` shows what there is");
		return;
	}
	c->status = 200;
	c->body = text_done(&l.out);
}
