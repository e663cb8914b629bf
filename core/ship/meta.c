/* SPDX-License-Identifier: Apache-2.0 */
/* One pass: read all of tally_meta (it is small), list what is missing, write that with FIRST and MAX so that of two
 * nodes the first wins, read again. What is read back is what counts. */
#include "ship/meta.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ship/meta_inner.h"

/* Without an index for it this may be a long look; the rest is small and has the store's own limit, which is how long a
 * server is waited for that says nothing. */
#define NUMBER_TIMEOUT_US (60 * INT64_C(1000000))
#define KEY_HEX 32

/* ---- reading ---- */

static int reader_failed(struct reading *rd, int rc)
{
	int class = rc == -ENOENT ? TALLY_SINK_STOP : TALLY_SINK_RECONNECT;
	return ship_host_fail(
		rd->in, class, -rc, "reading what the store remembers: %s", rd->in->sink->reader_error(rd->reader));
}

static int ask(struct reading *rd, const char *sql, const uint32_t *types, size_t ncolumns, int64_t timeout_us,
	tally_row_fn fn)
{
	struct tally_statement st = {
		.sql = sql, .column_types = types, .ncolumns = ncolumns, .timeout_us = timeout_us
	};
	int rc = rd->in->sink->read(rd->reader, &st, fn, rd);
	return rc == 0 ? TALLY_SINK_OK : reader_failed(rd, rc);
}

static int keep_row(void *arg, const struct tally_cell *cells)
{
	remember_row(&((struct reading *)arg)->mem, cells);
	return 0;
}

static int keep_node(void *arg, const struct tally_cell *cells)
{
	remember_node(&((struct reading *)arg)->mem, str_make(cells[0].v.ptr, cells[0].len), cells[1].v.i);
	return 0;
}

int reading_all(struct reading *rd)
{
	static const uint32_t row[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT };
	static const uint32_t node[] = { TALLY_T_TEXT, TALLY_T_INT };
	const char *p = rd->in->prefix;
	remember_open(&rd->mem, rd->arena);
	int rc = ask(rd, arena_printf(rd->arena, "SELECT `name`, `value`, `horizon` FROM `%stally_meta`", p), row, 3, 0,
		keep_row);
	if (rc != TALLY_SINK_OK)
		return rc;
	const char *sql = arena_printf(rd->arena,
		"SELECT n.`uuid`, p.`lsn` FROM `%stally_node` n JOIN `%stally_position` p ON p.`node` = n.`number`", p,
		p);
	return ask(rd, sql, node, 2, 0, keep_node);
}

static int keep_number(void *arg, const struct tally_cell *cells)
{
	struct reading *rd = arg;
	rd->number_null = cells[0].null;
	rd->number = cells[0].null ? 0 : cells[0].v.i;
	return 0;
}

int reading_number(struct reading *rd, const char *head, const char *table, const char *tail)
{
	static const uint32_t type = TALLY_T_INT;
	rd->number_null = true;
	rd->number = 0;
	return ask(rd, arena_printf(rd->arena, "%s`%s%s`%s", head, rd->in->prefix, table, tail), &type, 1,
		NUMBER_TIMEOUT_US, keep_number);
}

/* ---- what it comes to ---- */

static int check(struct reading *rd)
{
	const struct remembered *schema = remember_find(&rd->mem, "schema");
	if (schema && atoi(schema->value) > SCHEMA_VERSION)
		return ship_host_fail(rd->in, TALLY_SINK_STOP, 0,
			"the store was made by a newer tally (schema %s, this one knows %d): upgrade this node",
			schema->value, SCHEMA_VERSION);
	return TALLY_SINK_OK;
}

static int parse_key(const char *hex, uint8_t out[16])
{
	for (size_t i = 0; i < 16; i++) {
		unsigned byte;
		int used = 0;
		if (sscanf(hex + 2 * i, "%2x%n", &byte, &used) != 1 || used != 2)
			return -EINVAL;
		out[i] = (uint8_t)byte;
	}
	return 0;
}

/* Another node has given a number to another definition in the same moment: ours is to take the next. */
static int all_numbered(struct reading *rd)
{
	const struct schema *s = rd->in->schema;
	for (size_t i = 0; i < s->nrollups; i++)
		if (!remember_number(&rd->mem, s->rollups[i].rollup))
			return ship_host_fail(rd->in, TALLY_SINK_RETRY, 0,
				"another node declared rollup %.*s otherwise at the same time: the tables are looked at again",
				(int)s->rollups[i].rollup->name.len, s->rollups[i].rollup->name.ptr);
	return TALLY_SINK_OK;
}

static int conclude(struct reading *rd, const struct meta **out)
{
	struct meta *m = arena_zalloc(rd->arena, sizeof *m);
	const struct remembered *key = remember_find(&rd->mem, "hash_key");
	if (!key || strlen(key->value) != KEY_HEX || parse_key(key->value, m->hash_key) != 0)
		return ship_host_fail(rd->in, TALLY_SINK_STOP, 0,
			"tally_meta has no usable hash_key (32 hex digits): restore the row from a backup");
	remember_resolve(&rd->mem, rd->in->schema, false, m);
	*out = m;
	return all_numbered(rd);
}

/* ---- completing ---- */

static int read_in_snapshot(struct reading *rd, struct wanted *w)
{
	int rc = rd->in->sink->read_begin(rd->reader);
	if (rc != 0)
		return reader_failed(rd, rc);
	rc = reading_all(rd);
	if (rc == TALLY_SINK_OK)
		rc = check(rd);
	if (rc == TALLY_SINK_OK)
		rc = list_missing(w);
	rd->in->sink->read_end(rd->reader);
	return rc;
}

static int write_missing(struct wanted *w)
{
	struct tally_sink_instance *in = w->rd->in;
	struct tally_position at = w->moment->at;
	struct tally_rows rows = { .table = &in->schema->fixed[SCHEMA_META], .n = w->n, .cells = w->cells };
	struct tally_batch batch = { .from = at, .to = at, .rows = &rows, .nrows = 1 };
	return in->sink->write(in->self, &batch);
}

static int complete(struct reading *rd, const struct moment *moment)
{
	struct wanted w = { .rd = rd, .moment = moment };
	int rc = read_in_snapshot(rd, &w);
	if (rc != TALLY_SINK_OK || w.n == 0)
		return rc;
	rc = write_missing(&w);
	return rc == TALLY_SINK_OK ? read_in_snapshot(rd, &w) : rc;
}

/* After it: its guard needs the epoch. */
static int complete_zones(struct reading *rd, const struct moment *moment)
{
	struct wanted w = { .rd = rd, .moment = moment };
	bool changed;
	int rc = zones_complete(rd, moment, &changed);
	return rc == TALLY_SINK_OK && changed ? read_in_snapshot(rd, &w) : rc;
}

static const struct meta *nothing_remembered(struct arena *a, size_t nrollups)
{
	struct meta *m = arena_zalloc(a, sizeof *m);
	int64_t *horizons = arena_zalloc(a, (nrollups + 1) * sizeof *horizons);
	for (size_t i = 0; i < nrollups; i++)
		horizons[i] = INT64_MIN;
	for (int g = 0; g < TALLY_GRAINS; g++)
		m->grain_horizon_us[g] = INT64_MIN;
	m->visits_horizon_us = m->values_horizon_us = m->events_horizon_us = INT64_MIN;
	m->watched_until_us = INT64_MIN;
	m->rollup_horizon_us = horizons;
	m->nrollups = nrollups;
	return m;
}

int meta_complete(struct tally_sink_instance *in, struct tally_position at, const int64_t retention_us[TALLY_GRAINS],
	int64_t now_us, struct arena *a, const struct meta **out)
{
	struct moment moment = { at, retention_us, now_us };
	if (!in->sink->is_store) {
		*out = nothing_remembered(a, in->schema->nrollups);
		return TALLY_SINK_OK;
	}
	struct reading rd = { .in = in, .arena = a };
	if (in->sink->reader_open(in->self, &rd.reader) != 0)
		return ship_host_fail(in, TALLY_SINK_RECONNECT, 0, "no reader for what the store remembers");
	int rc = complete(&rd, &moment);
	if (rc == TALLY_SINK_OK)
		rc = complete_zones(&rd, &moment);
	if (rc == TALLY_SINK_OK)
		rc = conclude(&rd, out);
	in->sink->reader_close(rd.reader);
	return rc;
}
