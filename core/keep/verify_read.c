/* SPDX-License-Identifier: Apache-2.0 */
/* The questions of verify, in the common subset of SQL. */
#include <inttypes.h>
#include <stdio.h>

#include "keep/verify_inner.h"
#include "ship/remember.h"

#define TIMEOUT_US (INT64_C(3600) * 1000000)

static int ask(struct verify *v, const char *sql, const uint32_t *types, size_t n, tally_row_fn fn, void *arg)
{
	const struct tally_sink *sink = v->opt->sink;
	struct tally_statement st = { .sql = sql, .column_types = types, .ncolumns = n, .timeout_us = TIMEOUT_US };
	int rc = sink->read(v->reader, &st, fn, arg);
	if (rc != 0)
		snprintf(v->result->error, sizeof v->result->error, "sink %s: %.200s", v->opt->line,
			sink->reader_error(v->reader));
	return rc;
}

static struct tally_str text_of(const struct tally_cell *c)
{
	return c->null ? STR("") : str_make(c->v.ptr, c->len);
}

/* ---- horizons ---- */

static int take_meta(void *arg, const struct tally_cell *c)
{
	remember_row(arg, c);
	return 0;
}

static int take_node(void *arg, const struct tally_cell *c)
{
	remember_node(arg, text_of(&c[0]), c[1].v.i);
	return 0;
}

int verify_read_horizons(struct verify *v)
{
	static const uint32_t row[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT },
			      node[] = { TALLY_T_TEXT, TALLY_T_INT };
	const char *p = v->opt->prefix;
	struct remember m;
	remember_open(&m, &v->arena);
	int rc = ask(v, arena_printf(&v->arena, "SELECT `name`, `value`, `horizon` FROM `%stally_meta`", p), row, 3,
		take_meta, &m);
	if (rc == 0)
		rc = ask(v,
			arena_printf(&v->arena,
				"SELECT n.`uuid`, p.`lsn` FROM `%stally_node` n JOIN `%stally_position` p ON p.`node` = n.`number`",
				p, p),
			node, 2, take_node, &m);
	if (rc == 0)
		remember_resolve(&m, v->opt->schema, true, &v->meta);
	return rc;
}

/* ---- sums ---- */

struct taking {
	struct verify *v;
	const struct schema_rollup *rollup;
	int grain;
	verify_cell_fn fn;
};

/* node, site, bucket, and the sums; a rollup's grain behind them */
static int take_sums(void *arg, const struct tally_cell *c)
{
	struct taking *t = arg;
	struct verify_cell cell = { .node = c[0].v.i, .site = text_of(&c[1]), .bucket_us = c[2].v.i };
	for (int i = 0; i < VS_COUNTS; i++)
		cell.counts[i] = c[3 + i].null ? 0 : c[3 + i].v.i;
	c += 3 + VS_COUNTS;
	cell.value = c[0].null ? 0 : c[0].v.d;
	cell.size = c[1].null ? 0 : c[1].v.d;
	t->fn(t->v, &cell, t->rollup, t->rollup ? (int)c[2].v.i : t->grain);
	return 0;
}

static const uint32_t row_types[] = { TALLY_T_INT, TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT,
	TALLY_T_INT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT, TALLY_T_REAL, TALLY_T_REAL, TALLY_T_INT };
#define ROW_COLUMNS (3 + VS_COUNTS + 2)

/* sums: the seven counts, the sum and the sum of absolutes. */
static int read_raw(
	struct verify *v, const char *table, const char *sums, int64_t step_us, int64_t from_us, struct taking *t)
{
	/* the remainder of a negative time is negative in both stores */
	const char *bucket = arena_printf(
		&v->arena, "`time` - (`time` %% %" PRId64 " + %" PRId64 ") %% %" PRId64, step_us, step_us, step_us);
	bool all = from_us == INT64_MIN;
	const char *sql = arena_printf(&v->arena,
		"SELECT `node`, `site`, %s AS `bucket`, %s FROM `%s%s` WHERE `time` >= %s%" PRId64 "%s "
		"GROUP BY `node`, `site`, `bucket`",
		bucket, sums, v->opt->prefix, table, all ? "(" : "", all ? from_us + 1 : from_us, all ? ") - 1" : "");
	return ask(v, sql, row_types, ROW_COLUMNS, take_sums, t);
}

int verify_read_raw(struct verify *v, int64_t step_us, int64_t from_us, int grain, verify_cell_fn fn)
{
	struct taking t = { v, NULL, grain, fn };
	return read_raw(v, "tally_event",
		"SUM(`weight`), SUM(CASE WHEN `name` IN ('view', 'pageview') THEN `weight` ELSE 0 END), "
		"SUM(CASE WHEN `value` IS NULL THEN 0 ELSE `weight` END), 0, 0, 0, 0, SUM(`value` * `weight`), "
		"SUM(ABS(`value`) * `weight`)",
		step_us, from_us, &t);
}

int verify_read_visits(struct verify *v, int64_t step_us, int64_t from_us, int grain, verify_cell_fn fn)
{
	struct taking t = { v, NULL, grain, fn };
	return read_raw(v, "tally_visit",
		"0, 0, 0, SUM(`visits`), SUM(`bounces`), SUM(`duration`), SUM(`views`), 0.0, 0.0", step_us, from_us,
		&t);
}

static bool has_column(const struct tally_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return true;
	return false;
}

static const char *sum_of(struct verify *v, const struct tally_table *t, const char *before, const char *column,
	const char *after, const char *none)
{
	return has_column(t, column) ? arena_printf(&v->arena, "%s`%s`%s", before, column, after) : none;
}

int verify_read_rollup(struct verify *v, const struct schema_rollup *r, verify_cell_fn fn)
{
	struct taking t = { v, r, 0, fn };
	const struct tally_table *table = &r->table;
	static const char *const columns[VS_COUNTS] = { "events", "pageviews", "count_value", "visits", "bounces",
		"duration", "views" };
	const char *counts = "";
	for (int i = 0; i < VS_COUNTS; i++)
		counts = arena_printf(&v->arena, "%s%s, ", counts, sum_of(v, table, "SUM(", columns[i], ")", "0"));
	const char *sql = arena_printf(&v->arena,
		"SELECT `node`, `site`, `bucket`, %s%s, %s, `grain` FROM `%s%s` GROUP BY `node`, `site`, `grain`, `bucket`",
		counts, sum_of(v, table, "SUM(", "sum_value", ")", "0.0"),
		sum_of(v, table, "SUM(ABS(", "sum_value", "))", "0.0"), v->opt->prefix, meta_table(&v->meta, r));
	return ask(v, sql, row_types, ROW_COLUMNS + 1, take_sums, &t);
}

int verify_read_sketches(
	struct verify *v, const struct schema_rollup *r, const char *column, tally_row_fn fn, void *arg)
{
	static const uint32_t types[] = { TALLY_T_INT, TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT, TALLY_T_BLOB };
	const char *sql = arena_printf(&v->arena, "SELECT `node`, `site`, `bucket`, `grain`, `%s` FROM `%s%s`", column,
		v->opt->prefix, meta_table(&v->meta, r));
	return ask(v, sql, types, 5, fn, arg);
}

/* ---- counts ---- */

struct counting {
	struct verify *v;
	void (*counts)(struct verify *v, int64_t node, struct tally_str site, int64_t stored, int64_t dead);
	void (*dead)(struct verify *v, int64_t node, struct tally_str site, int64_t n);
	void (*position)(struct verify *v, int64_t node, struct tally_str uuid, struct tally_position at, int64_t last);
};

static int take_counts(void *arg, const struct tally_cell *c)
{
	struct counting *k = arg;
	k->counts(k->v, c[0].v.i, text_of(&c[1]), c[2].v.i, c[3].v.i);
	return 0;
}

int verify_read_counts(struct verify *v,
	void (*fn)(struct verify *v, int64_t node, struct tally_str site, int64_t stored, int64_t dead))
{
	static const uint32_t types[] = { TALLY_T_INT, TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT };
	struct counting k = { .v = v, .counts = fn };
	const char *sql = arena_printf(&v->arena,
		"SELECT `node`, `site`, SUM(`stored`), SUM(`dead`) FROM `%stally_ledger` GROUP BY `node`, `site`",
		v->opt->prefix);
	return ask(v, sql, types, 4, take_counts, &k);
}

static int take_dead(void *arg, const struct tally_cell *c)
{
	struct counting *k = arg;
	k->dead(k->v, c[0].v.i, text_of(&c[1]), c[2].v.i);
	return 0;
}

int verify_read_dead(struct verify *v, void (*fn)(struct verify *v, int64_t node, struct tally_str site, int64_t n))
{
	static const uint32_t types[] = { TALLY_T_INT, TALLY_T_TEXT, TALLY_T_INT };
	struct counting k = { .v = v, .dead = fn };
	const char *sql = arena_printf(&v->arena,
		"SELECT `node`, `site`, COUNT(*) FROM `%stally_dead` GROUP BY `node`, `site`", v->opt->prefix);
	return ask(v, sql, types, 3, take_dead, &k);
}

static int take_position(void *arg, const struct tally_cell *c)
{
	struct counting *k = arg;
	struct tally_position at = { (uint64_t)c[2].v.i, (uint64_t)c[3].v.i };
	int64_t event = c[4].null ? -1 : c[4].v.i, dead = c[5].null ? -1 : c[5].v.i;
	k->position(k->v, c[0].v.i, text_of(&c[1]), at, event > dead ? event : dead);
	return 0;
}

int verify_read_positions(struct verify *v,
	void (*fn)(struct verify *v, int64_t node, struct tally_str uuid, struct tally_position at, int64_t last))
{
	static const uint32_t types[] = { TALLY_T_INT, TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT,
		TALLY_T_INT };
	struct counting k = { .v = v, .position = fn };
	const char *p = v->opt->prefix;
	const char *sql = arena_printf(&v->arena,
		"SELECT n.`number`, n.`uuid`, p.`lsn`, p.`mark`, (SELECT MAX(e.`lsn`) FROM `%stally_event` e WHERE e.`node` "
		"= n.`number`), (SELECT MAX(d.`lsn`) FROM `%stally_dead` d WHERE d.`node` = n.`number`) FROM `%stally_node` n "
		"JOIN `%stally_position` p ON p.`node` = n.`number`",
		p, p, p, p);
	return ask(v, sql, types, 6, take_position, &k);
}
