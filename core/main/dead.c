/* SPDX-License-Identifier: Apache-2.0 */
#include "main/dead.h"

#include <stdio.h>

#include "text/number.h"
#include "text/write.h"

#define LIMIT_MAX 1000

enum column { C_LINE, C_LSN, C_IDX, C_SITE, C_TIME, C_CODE, C_ERROR, C_RAW, COLUMNS };

static const uint32_t types[COLUMNS] = { TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT, TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT,
	TALLY_T_TEXT, TALLY_T_BLOB };

struct asking {
	struct text_out out;
	bool whole; /* with the event */
	int64_t lsn, idx;
	int64_t limit;
	char error[256];
};

static struct tally_str text_of(const struct tally_cell *c)
{
	return c->null ? STR("") : str_make(c->v.ptr, c->len);
}

static int take_row(void *arg, const struct tally_cell *c)
{
	struct asking *ask = arg;
	struct text_out *o = &ask->out;
	text_json_begin(o, '{');
	text_json_member_string(o, "line", text_of(&c[C_LINE]));
	text_json_member_int(o, "lsn", c[C_LSN].v.i);
	text_json_member_int(o, "idx", c[C_IDX].v.i);
	text_json_member_string(o, "site", text_of(&c[C_SITE]));
	text_json_member_int(o, "time", c[C_TIME].v.i);
	text_json_member_int(o, "code", c[C_CODE].v.i);
	text_json_member_string(o, "error", text_of(&c[C_ERROR]));
	if (ask->whole) {
		text_json_key(o, STR("event"));
		text_json_raw(o, text_of(&c[C_RAW]));
	}
	text_json_end(o, '}');
	return 0;
}

static int read_line(struct daemon *d, size_t line, struct asking *ask)
{
	const struct tally_sink *sink = line_sink(d->lines[line]);
	const char *name = line_name(d->lines[line]);
	char sql[640];
	snprintf(sql, sizeof sql,
		"SELECT d.`line`, d.`lsn`, d.`idx`, d.`site`, d.`time`, d.`code`, d.`error`, d.`raw` FROM `%stally_dead` d "
		"JOIN `%stally_node` n ON n.`number` = d.`node` WHERE n.`uuid` = ? AND d.`line` = ? %s "
		"ORDER BY d.`lsn` DESC, d.`idx` DESC LIMIT %lld",
		d->conf->sinks[line].prefix, d->conf->sinks[line].prefix,
		ask->whole ? "AND d.`lsn` = ? AND d.`idx` = ?" : "", (long long)ask->limit);
	const struct tally_cell params[] = { { .v.ptr = d->node.text, .len = 36 },
		{ .v.ptr = name, .len = (uint32_t)strlen(name) }, { .v.i = ask->lsn }, { .v.i = ask->idx } };
	static const uint32_t param_types[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT };
	struct tally_statement st = { .sql = sql,
		.params = params,
		.param_types = param_types,
		.nparams = ask->whole ? 4 : 2,
		.column_types = types,
		.ncolumns = COLUMNS };
	void *reader;
	if (sink->reader_open(line_sink_self(d->lines[line]), &reader)) {
		snprintf(ask->error, sizeof ask->error, "sink %s cannot be read", name);
		return -1;
	}
	int rc = sink->read_begin(reader);
	if (!rc) {
		rc = sink->read(reader, &st, take_row, ask);
		sink->read_end(reader);
	}
	if (rc)
		snprintf(ask->error, sizeof ask->error, "sink %s: %s", name, sink->reader_error(reader));
	sink->reader_close(reader);
	return rc;
}

static bool take_int(const struct http_request *rq, const char *name, int64_t *out)
{
	struct tally_str text;
	return http_query_get(rq, name, &text) && number_int64(text, out) == 0;
}

static void refuse(struct admin_call *c, int status, const char *code, const char *detail)
{
	struct text_out o;
	text_open(&o, &c->arena, 256);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "code", str_of(code));
	text_json_member_string(&o, "detail", str_of(detail));
	text_json_end(&o, '}');
	c->status = status;
	c->body = text_done(&o);
}

void dead_command(struct admin_call *c)
{
	struct asking ask = { .limit = 100 };
	struct tally_str line = STR("");
	struct daemon *d = c->daemon;
	ask.whole = take_int(c->http, "lsn", &ask.lsn) && take_int(c->http, "idx", &ask.idx) &&
		    http_query_get(c->http, "line", &line);
	if (!ask.whole && take_int(c->http, "limit", &ask.limit) && (ask.limit < 1 || ask.limit > LIMIT_MAX)) {
		refuse(c, 400, "invalid_limit", "limit is 1 to 1000");
		return;
	}
	text_open(&ask.out, &c->arena, 1024);
	text_json_begin(&ask.out, '[');
	for (size_t i = 0; i < d->nlines; i++) {
		bool asked = !line.len || str_eq(line, str_of(line_name(d->lines[i])));
		if (!asked || !line_sink(d->lines[i])->is_store)
			continue;
		if (read_line(d, i, &ask)) {
			refuse(c, 503, "store_unreachable", ask.error);
			return;
		}
	}
	text_json_end(&ask.out, ']');
	c->status = 200;
	c->body = text_done(&ask.out);
}
