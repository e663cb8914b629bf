/* SPDX-License-Identifier: Apache-2.0 */
/* One pass: read all of tally_meta (it is small), list what is missing, write that with FIRST and MAX so that of two
 * nodes the first wins, read again. What is read back is what counts. */
#include "ship/meta.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "ship/host.h"

/* Without an index for it this may be a long look; the rest is small and has the store's own limit, which is how long a
 * server is waited for that says nothing. */
#define NUMBER_TIMEOUT_US (60 * INT64_C(1000000))
#define KEY_HEX 32

struct remembered {
	const char *name, *value;
	int64_t horizon;
	bool has_horizon;
	struct remembered *next;
};

struct reading {
	struct tally_sink_instance *in;
	struct arena *arena;
	void *reader;
	struct remembered *all;
	int64_t number; /* result of one_number() */
	bool number_null;
};

/* ---- reading ---- */

static int reader_failed(struct reading *rd, int rc)
{
	int class = rc == -ENOENT ? TALLY_SINK_STOP : TALLY_SINK_RECONNECT;
	return ship_host_fail(
		rd->in, class, -rc, "reading what the store remembers: %s", rd->in->sink->reader_error(rd->reader));
}

/* format has one %s for the prefix of the tables */
static int run(struct reading *rd, const char *format_head, const char *table, const char *format_tail,
	const uint32_t *types, size_t ncolumns, int64_t timeout_us, tally_row_fn fn)
{
	struct tally_statement st = {
		.sql = arena_printf(rd->arena, "%s`%s%s`%s", format_head, rd->in->prefix, table, format_tail),
		.column_types = types,
		.ncolumns = ncolumns,
		.timeout_us = timeout_us,
	};
	int rc = rd->in->sink->read(rd->reader, &st, fn, rd);
	return rc == 0 ? TALLY_SINK_OK : reader_failed(rd, rc);
}

static int keep_row(void *arg, const struct tally_cell *cells)
{
	struct reading *rd = arg;
	struct remembered *r = arena_zalloc(rd->arena, sizeof *r);
	r->name = arena_copy(rd->arena, cells[0].v.ptr, cells[0].null ? 0 : cells[0].len);
	r->value = arena_copy(rd->arena, cells[1].v.ptr, cells[1].null ? 0 : cells[1].len);
	r->has_horizon = !cells[2].null;
	r->horizon = cells[2].null ? INT64_MIN : cells[2].v.i;
	r->next = rd->all;
	rd->all = r;
	return 0;
}

static int read_all(struct reading *rd)
{
	static const uint32_t types[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT };
	rd->all = NULL;
	return run(rd, "SELECT `name`, `value`, `horizon` FROM ", "tally_meta", "", types, 3, 0, keep_row);
}

static const struct remembered *find(const struct reading *rd, const char *name)
{
	const struct remembered *r = rd->all;
	while (r && strcmp(r->name, name) != 0)
		r = r->next;
	return r;
}

static int keep_number(void *arg, const struct tally_cell *cells)
{
	struct reading *rd = arg;
	rd->number_null = cells[0].null;
	rd->number = cells[0].null ? 0 : cells[0].v.i;
	return 0;
}

static int one_number(struct reading *rd, const char *head, const char *table, const char *tail)
{
	static const uint32_t type = TALLY_T_INT;
	rd->number_null = true;
	rd->number = 0;
	return run(rd, head, table, tail, &type, 1, NUMBER_TIMEOUT_US, keep_number);
}

/* From which event time a rollup that begins now is whole. Rows that are gone (thinned, deleted) can have had any time
 * up to the present. */
static int first_horizon(struct reading *rd, int64_t now_us, int64_t *out)
{
	/* by site: so the index by site and time answers, at one look a site */
	int rc = one_number(rd, "SELECT MAX(`latest`) FROM (SELECT MAX(`time`) AS `latest` FROM ", "tally_event",
		" GROUP BY `site`) AS `by_site`");
	if (rc != TALLY_SINK_OK)
		return rc;
	bool none = rd->number_null;
	int64_t latest = rd->number;
	rc = one_number(rd, "SELECT COUNT(*) FROM ", "tally_ledger",
		none ? " WHERE `stored` > 0 OR `thinned` > 0" : " WHERE `thinned` > 0");
	if (rc != TALLY_SINK_OK)
		return rc;
	bool gone = rd->number > 0;
	if (none)
		*out = gone ? now_us : INT64_MIN;
	else
		*out = gone && latest < now_us ? now_us : latest + 1;
	return TALLY_SINK_OK;
}

/* ---- completing ---- */

struct wanted {
	struct reading *rd;
	struct tally_cell *cells; /* name, value, horizon */
	size_t n;
};

static struct tally_cell text_cell(const char *text)
{
	return (struct tally_cell){ .v.ptr = text, .len = (uint32_t)strlen(text) };
}

static void want(struct wanted *w, const char *name, const char *value, const int64_t *horizon)
{
	struct tally_cell *c = &w->cells[w->n++ * 3];
	c[0] = text_cell(name);
	c[1] = text_cell(value);
	c[2] = horizon ? (struct tally_cell){ .v.i = *horizon } : (struct tally_cell){ .null = 1 };
}

static int want_hash_key(struct wanted *w)
{
	uint8_t raw[16];
	char *hex = arena_alloc(w->rd->arena, KEY_HEX + 1);
	if (getrandom(raw, sizeof raw, 0) != sizeof raw)
		return ship_host_fail(w->rd->in, TALLY_SINK_RECONNECT, errno, "no random bytes for the hash key");
	for (size_t i = 0; i < sizeof raw; i++)
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	want(w, "hash_key", hex, NULL);
	return TALLY_SINK_OK;
}

static void want_grains(struct wanted *w, const int64_t retention_us[TALLY_GRAINS], int64_t now_us)
{
	static const int64_t unit_us[TALLY_GRAINS] = { 60000000, 900000000, 86400000000, 86400000000 };
	for (int g = 0; g < TALLY_GRAINS; g++) {
		if (retention_us[g] == INT64_MAX || find(w->rd, meta_grain_name(g)))
			continue;
		int64_t horizon = now_us - retention_us[g];
		horizon -= (horizon % unit_us[g] + unit_us[g]) % unit_us[g];
		want(w, meta_grain_name(g), "", &horizon);
	}
}

static int want_rollups(struct wanted *w, int64_t now_us)
{
	const struct schema *s = w->rd->in->schema;
	int64_t horizon = 0;
	bool known = false;
	for (size_t i = 0; i < s->nrollups; i++) {
		const struct tally_rollup *r = s->rollups[i].rollup;
		const char *name = meta_rollup_name(r, w->rd->arena);
		if (find(w->rd, name))
			continue;
		int rc = known ? TALLY_SINK_OK : first_horizon(w->rd, now_us, &horizon);
		if (rc != TALLY_SINK_OK)
			return rc;
		known = true;
		want(w, name, meta_definition(r, w->rd->arena), &horizon);
	}
	return TALLY_SINK_OK;
}

static int want_visits(struct wanted *w, int64_t now_us)
{
	int64_t horizon;
	if (!w->rd->in->visits || find(w->rd, META_VISITS))
		return TALLY_SINK_OK;
	int rc = first_horizon(w->rd, now_us, &horizon);
	if (rc == TALLY_SINK_OK)
		want(w, META_VISITS, "", &horizon);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct tally_cell *x = a, *y = b;
	return strcmp(x->v.ptr, y->v.ptr);
}

static void want_tables(struct wanted *w)
{
	const struct schema *s = w->rd->in->schema;
	for (size_t i = 0; i < s->ntables; i++) {
		const char *name = meta_table_name(s->tables[i], w->rd->arena);
		if (!find(w->rd, name))
			want(w, name, "", NULL);
	}
}

/* Batches are only written once the store remembers its key: a place in the log without one means that the rows have
 * gone, and another key would part every rollup row from itself. */
static int has_forgotten(struct wanted *w, struct tally_position at)
{
	if (find(w->rd, "hash_key") || (at.lsn == 0 && at.mark == 0))
		return TALLY_SINK_OK;
	return ship_host_fail(w->rd->in, TALLY_SINK_STOP, 0,
		"%stally_meta has lost its rows (hash_key and horizons): restore them from a backup",
		w->rd->in->prefix);
}

static int list_missing(
	struct wanted *w, struct tally_position at, const int64_t retention_us[TALLY_GRAINS], int64_t now_us)
{
	const struct schema *s = w->rd->in->schema;
	int rc = has_forgotten(w, at);
	if (rc != TALLY_SINK_OK)
		return rc;
	w->n = 0;
	w->cells = arena_zalloc(w->rd->arena, (3 + TALLY_GRAINS + s->nrollups + s->ntables) * 3 * sizeof *w->cells);
	if (!find(w->rd, "schema"))
		want(w, "schema", arena_printf(w->rd->arena, "%d", SCHEMA_VERSION), NULL);
	rc = find(w->rd, "hash_key") ? TALLY_SINK_OK : want_hash_key(w);
	if (rc != TALLY_SINK_OK)
		return rc;
	want_grains(w, retention_us, now_us);
	want_tables(w);
	rc = want_rollups(w, now_us);
	if (rc == TALLY_SINK_OK)
		rc = want_visits(w, now_us);
	qsort(w->cells, w->n, 3 * sizeof *w->cells, by_name);
	return rc;
}

static int write_missing(struct wanted *w, struct tally_position at)
{
	struct tally_sink_instance *in = w->rd->in;
	struct tally_rows rows = { .table = &in->schema->fixed[SCHEMA_META], .n = w->n, .cells = w->cells };
	struct tally_batch batch = { .from = at, .to = at, .rows = &rows, .nrows = 1 };
	return in->sink->write(in->self, &batch);
}

/* ---- what it comes to ---- */

static int check(struct reading *rd)
{
	const struct remembered *schema = find(rd, "schema");
	if (schema && atoi(schema->value) > SCHEMA_VERSION)
		return ship_host_fail(rd->in, TALLY_SINK_STOP, 0,
			"the store was made by a newer tally (schema %s, this one knows %d): upgrade this node",
			schema->value, SCHEMA_VERSION);
	for (size_t i = 0; i < rd->in->schema->nrollups; i++) {
		const struct tally_rollup *r = rd->in->schema->rollups[i].rollup;
		const struct remembered *m = find(rd, meta_rollup_name(r, rd->arena));
		const char *mine = meta_definition(r, rd->arena);
		if (m && strcmp(m->value, mine) != 0)
			return ship_host_fail(rd->in, TALLY_SINK_STOP, 0,
				"rollup %.*s was declared as %s and now is %s: a changed rollup needs a new name",
				(int)r->name.len, r->name.ptr, m->value, mine);
	}
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

static int conclude(struct reading *rd, const struct meta **out)
{
	const struct schema *s = rd->in->schema;
	struct meta *m = arena_zalloc(rd->arena, sizeof *m);
	int64_t *horizons = arena_zalloc(rd->arena, (s->nrollups + 1) * sizeof *horizons);
	const struct remembered *key = find(rd, "hash_key");
	if (!key || strlen(key->value) != KEY_HEX || parse_key(key->value, m->hash_key) != 0)
		return ship_host_fail(rd->in, TALLY_SINK_STOP, 0,
			"tally_meta has no usable hash_key (32 hex digits): restore the row from a backup");
	for (int g = 0; g < TALLY_GRAINS; g++) {
		const struct remembered *r = find(rd, meta_grain_name(g));
		m->grain_horizon_us[g] = r && r->has_horizon ? r->horizon : INT64_MIN;
	}
	for (size_t i = 0; i < s->nrollups; i++) {
		const struct remembered *r = find(rd, meta_rollup_name(s->rollups[i].rollup, rd->arena));
		horizons[i] = r && r->has_horizon ? r->horizon : INT64_MAX;
	}
	const struct remembered *visits = find(rd, META_VISITS);
	m->visits_horizon_us = visits && visits->has_horizon ? visits->horizon : INT64_MAX;
	m->rollup_horizon_us = horizons;
	m->nrollups = s->nrollups;
	*out = m;
	return TALLY_SINK_OK;
}

static int read_in_snapshot(struct reading *rd, struct wanted *w, struct tally_position at,
	const int64_t retention_us[TALLY_GRAINS], int64_t now_us)
{
	int rc = rd->in->sink->read_begin(rd->reader);
	if (rc != 0)
		return reader_failed(rd, rc);
	rc = read_all(rd);
	if (rc == TALLY_SINK_OK)
		rc = list_missing(w, at, retention_us, now_us);
	rd->in->sink->read_end(rd->reader);
	return rc;
}

static int complete(
	struct reading *rd, struct tally_position at, const int64_t retention_us[TALLY_GRAINS], int64_t now_us)
{
	struct wanted w = { .rd = rd };
	int rc = read_in_snapshot(rd, &w, at, retention_us, now_us);
	if (rc == TALLY_SINK_OK)
		rc = check(rd);
	if (rc != TALLY_SINK_OK || w.n == 0)
		return rc;
	rc = write_missing(&w, at);
	if (rc == TALLY_SINK_OK)
		rc = read_in_snapshot(rd, &w, at, retention_us, now_us);
	return rc == TALLY_SINK_OK ? check(rd) : rc;
}

static const struct meta *nothing_remembered(struct arena *a, size_t nrollups)
{
	struct meta *m = arena_zalloc(a, sizeof *m);
	int64_t *horizons = arena_zalloc(a, (nrollups + 1) * sizeof *horizons);
	for (size_t i = 0; i < nrollups; i++)
		horizons[i] = INT64_MIN;
	for (int g = 0; g < TALLY_GRAINS; g++)
		m->grain_horizon_us[g] = INT64_MIN;
	m->visits_horizon_us = INT64_MIN;
	m->rollup_horizon_us = horizons;
	m->nrollups = nrollups;
	return m;
}

int meta_complete(struct tally_sink_instance *in, struct tally_position at, const int64_t retention_us[TALLY_GRAINS],
	int64_t now_us, struct arena *a, const struct meta **out)
{
	if (!in->sink->is_store) {
		*out = nothing_remembered(a, in->schema->nrollups);
		return TALLY_SINK_OK;
	}
	struct reading rd = { .in = in, .arena = a };
	if (in->sink->reader_open(in->self, &rd.reader) != 0)
		return ship_host_fail(in, TALLY_SINK_RECONNECT, 0, "no reader for what the store remembers");
	int rc = complete(&rd, at, retention_us, now_us);
	if (rc == TALLY_SINK_OK)
		rc = conclude(&rd, out);
	in->sink->reader_close(rd.reader);
	return rc;
}
