/* SPDX-License-Identifier: Apache-2.0 */
#include "ship/host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/seam.h"
#include "meter/meter.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

/* ---- options: asking for what is not in the sink's own table is a mistake in the sink, said at once ---- */

static const struct conf_value *option(const struct tally_sink_instance *in, const char *name)
{
	size_t i = 0;
	while (i < in->noptions && strcmp(in->options[i].name, name) != 0)
		i++;
	MUST(i < in->noptions);
	return &in->options[i];
}

static int64_t host_option_int(const struct tally_sink_instance *in, const char *name)
{
	const struct conf_value *o = option(in, name);
	MUST(o->type != TALLY_OPT_STRING && o->type != TALLY_OPT_FLOAT);
	return o->i;
}

static double host_option_float(const struct tally_sink_instance *in, const char *name)
{
	const struct conf_value *o = option(in, name);
	MUST(o->type == TALLY_OPT_FLOAT);
	return o->d;
}

static const char *host_option_str(const struct tally_sink_instance *in, const char *name)
{
	const struct conf_value *o = option(in, name);
	MUST(o->type == TALLY_OPT_STRING);
	return o->s;
}

/* ---- words ---- */

static void host_log(const struct tally_sink_instance *in, enum tally_log_level level, const char *fmt, ...)
{
	static const enum log_level levels[] = { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_line((unsigned)level < 4 ? levels[level] : LOG_ERROR, in->room, "%s", text);
}

/* A server's message may quote bytes of an event and be cut in the middle of a character. */
static void plain_ascii(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

static void say(struct tally_sink_instance *in, int rc, int code, const char *fmt, va_list ap)
{
	in->failure.rc = rc;
	in->failure.code = code;
	vsnprintf(in->failure.message, sizeof in->failure.message, fmt, ap);
	plain_ascii(in->failure.message);
}

__attribute__((format(printf, 4, 5))) static int host_fail(
	struct tally_sink_instance *in, int rc, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(in, rc, code, fmt, ap);
	va_end(ap);
	return rc;
}

int ship_host_fail(struct tally_sink_instance *in, int rc, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(in, rc, code, fmt, ap);
	va_end(ap);
	return rc;
}

/* False: no more of them. */
static bool add_refusal(struct tally_sink_instance *in)
{
	struct ship_refusals *r = &in->refusals;
	const struct ship_failure *f = &in->failure;
	if (r->n >= r->allowed) {
		r->too_many = true;
		return false;
	}
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->rows = realloc(r->rows, r->cap * sizeof *r->rows);
		MUST(r->rows != NULL);
	}
	struct ship_refused *row = &r->rows[r->n++];
	*row = (struct ship_refused){ .rows_index = f->rows_index, .row = f->row, .code = f->code };
	memcpy(row->message, f->message, sizeof row->message);
	return true;
}

__attribute__((format(printf, 5, 6))) static int host_bad_row(
	struct tally_sink_instance *in, size_t rows_index, size_t row, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(in, TALLY_SINK_BAD_ROW, code, fmt, ap);
	va_end(ap);
	in->failure.rows_index = rows_index;
	in->failure.row = row;
	return add_refusal(in) ? TALLY_SINK_BAD_ROW : TALLY_SINK_STOP;
}

/* ---- who and what ---- */

static const char *host_node(const struct tally_sink_instance *in)
{
	return in->node;
}

static const char *host_line(const struct tally_sink_instance *in)
{
	return in->name;
}

static const char *host_prefix(const struct tally_sink_instance *in)
{
	return in->prefix;
}

static const char *host_data_dir(const struct tally_sink_instance *in)
{
	return in->data_dir;
}

static size_t host_tables(const struct tally_sink_instance *in, const struct tally_table *const **first)
{
	*first = in->tables;
	return in->ntables;
}

static uint32_t host_since(const struct tally_sink_instance *in, const struct tally_table *table, uint32_t column)
{
	if (column < schema_columns_at_first(in->schema, table))
		return TALLY_SINCE_FIRST;
	return in->had_later ? TALLY_SINCE_HAD : TALLY_SINCE_LATER;
}

/* ---- sketches ---- */

static size_t host_sketch_room(enum tally_sketch_kind kind)
{
	return kind == TALLY_SKETCH_HLL ? HLL_ROOM : kind == TALLY_SKETCH_QUANTILE ? QUANTILE_ROOM : 0;
}

static int host_sketch_merge(
	enum tally_sketch_kind kind, void *buf, size_t *len, size_t cap, const void *other, size_t other_len)
{
	if (kind == TALLY_SKETCH_QUANTILE)
		return quantile_merge(buf, len, cap, other, other_len);
	if (kind != TALLY_SKETCH_HLL)
		return -ENOTSUP;
	return other_len ? hll_merge(buf, len, cap, other, other_len) : 0;
}

static double host_sketch_estimate(enum tally_sketch_kind kind, const void *buf, size_t len)
{
	if (kind == TALLY_SKETCH_QUANTILE)
		return quantile_value(buf, len, 50);
	return kind == TALLY_SKETCH_HLL && len ? hll_estimate(buf, len) : 0;
}

static int host_seam(const char *name)
{
	int rc = seam_pass(name);
	return rc < 0 ? rc : 0;
}

/* One such thing is kept at a time: the latest. */
static void host_state(struct tally_sink_instance *in, const char *name, double value, const char *words)
{
	meter_set(meter_get(M_SINK_STATE, str_of(in->name), str_of(name), STR("")), value);
	bool mine = strncmp(in->state_name, name, sizeof in->state_name - 1) == 0;
	if (!*words && !mine)
		return;
	bool news = strncmp(in->state_words, words, sizeof in->state_words - 1) != 0;
	snprintf(in->state_name, sizeof in->state_name, "%s", name);
	snprintf(in->state_words, sizeof in->state_words, "%s", words);
	plain_ascii(in->state_words);
	if (news)
		log_line(*words ? LOG_WARN : LOG_INFO, in->room, "%s: %s", name, *words ? words : "well again");
}

static const struct tally_sink_host table = {
	.size = sizeof(struct tally_sink_host),
	.abi = TALLY_SINK_ABI,
	.option_int = host_option_int,
	.option_float = host_option_float,
	.option_str = host_option_str,
	.log = host_log,
	.fail = host_fail,
	.bad_row = host_bad_row,
	.node = host_node,
	.line = host_line,
	.prefix = host_prefix,
	.data_dir = host_data_dir,
	.tables = host_tables,
	.sketch_room = host_sketch_room,
	.sketch_merge = host_sketch_merge,
	.sketch_estimate = host_sketch_estimate,
	.seam = host_seam,
	.state = host_state,
	.since = host_since,
};

/* ---- instances ---- */

void ship_host_clear(struct tally_sink_instance *in, size_t allowed)
{
	in->failure = (struct ship_failure){ 0 };
	in->refusals.n = 0;
	in->refusals.too_many = false;
	in->refusals.allowed = allowed;
}

/* One configuration's: replaced as a whole, so in memory of their own. */
bool ship_host_set_zones(struct tally_sink_instance *in, const struct conf *c)
{
	bool same = in->nzones == c->nsites;
	for (size_t i = 0; i < c->nsites && same; i++)
		same = strcmp(in->zones[i].site, c->sites[i].name) == 0 &&
		       strcmp(in->zones[i].zone, c->sites[i].timezone) == 0;
	if (same)
		return false;
	arena_reset(&in->zone_arena);
	in->nzones = c->nsites;
	in->zones = arena_alloc(&in->zone_arena, (c->nsites + 1) * sizeof *in->zones);
	for (size_t i = 0; i < c->nsites; i++)
		in->zones[i] = (struct ship_zone){ arena_printf(&in->zone_arena, "%s", c->sites[i].name),
			arena_printf(&in->zone_arena, "%s", c->sites[i].timezone) };
	return true;
}

static void destroy(struct tally_sink_instance *in)
{
	arena_free(&in->arena);
	arena_free(&in->zone_arena);
	free(in->refusals.rows);
	free(in);
}

/* A sink that is older than a kind of merge would leave its columns as they are, and say nothing. */
static bool knows_tables(
	const struct tally_sink *sink, const struct schema *schema, const struct conf_sink *cs, char why[512])
{
	uint32_t knows = sink->merges ? sink->merges : TALLY_M_FIRST;
	for (size_t i = 0; sink->is_store && i < schema->ntables; i++) {
		const struct tally_table *t = schema->tables[i];
		for (uint32_t c = 0; c < t->ncolumns; c++) {
			if (t->columns[c].merge <= knows)
				continue;
			snprintf(why, 512,
				"%s: sink %s: %s %s is older than columns like %s.%s: install one of this version, or take "
				"that metric out of the rollup",
				cs->place, cs->name, sink->name, sink->version, t->name, t->columns[c].name);
			return false;
		}
	}
	return true;
}

int ship_host_open(const struct tally_sink *sink, const struct conf_sink *cs, const struct conf *c,
	const struct schema *schema, const char *node_uuid, struct tally_sink_instance **out, char why[512])
{
	struct tally_sink_instance *in = calloc(1, sizeof *in);
	MUST(in != NULL);
	arena_init(&in->arena, 0);
	arena_init(&in->zone_arena, 0);
	ship_host_set_zones(in, c);
	in->sink = sink;
	in->schema = schema;
	in->tables = arena_alloc(&in->arena, (schema->ntables + 1) * sizeof *in->tables);
	memcpy(in->tables, schema->tables, schema->ntables * sizeof *in->tables);
	in->ntables = schema->ntables;
	in->name = arena_printf(&in->arena, "%s", cs->name);
	in->room = arena_printf(&in->arena, "sink %s", cs->name);
	in->prefix = arena_printf(&in->arena, "%s", cs->prefix ? cs->prefix : "");
	in->data_dir = arena_printf(&in->arena, "%s", c->data_dir);
	snprintf(in->node, sizeof in->node, "%s", node_uuid);
	if (!knows_tables(sink, schema, cs, why)) {
		destroy(in);
		return -EINVAL;
	}
	struct conf_value *options;
	const char *who = arena_printf(&in->arena, "sink %s", cs->plugin);
	int rc = conf_options_parse(
		sink->options, cs->options, cs->noptions, who, cs->place, &in->arena, &options, &in->noptions, why);
	in->options = rc == 0 ? options : NULL;
	if (rc == 0 && sink->open(&table, in, &in->self) != 0) {
		snprintf(why, 512, "%s: sink %s: %s", cs->place, cs->name,
			*in->failure.message ? in->failure.message : "cannot be opened, and does not say why");
		rc = -EINVAL;
	}
	if (rc != 0) {
		destroy(in);
		return rc;
	}
	*out = in;
	return 0;
}

void ship_host_close(struct tally_sink_instance *in)
{
	if (!in)
		return;
	in->sink->close(in->self);
	destroy(in);
}
