/* SPDX-License-Identifier: Apache-2.0 */
/* What the store says of itself: from when its rows are whole (tally_meta), and what was last written for a site and
 * day (tally_revision). */
#include <errno.h>
#include <stdlib.h>
#define XXH_STATIC_LINKING_ONLY /* the state on the stack */
#include <xxhash.h>

#include "base/bytes.h"
#include "desk/store.h"
#include "ship/zones.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define HOUR_US (INT64_C(3600) * 1000000)
#define VERSION_SEED 1

/* ---- horizons ---- */

static int take_meta(void *arg, const struct tally_cell *cells)
{
	remember_row(arg, cells);
	return 0;
}

static int take_node(void *arg, const struct tally_cell *cells)
{
	remember_node(arg, str_make(cells[0].v.ptr, cells[0].len), cells[1].v.i);
	return 0;
}

static int read_meta(struct store_reader *r, struct arena *a, struct remember *m, struct query_error *err)
{
	struct store_sql sql;
	store_sql_open(&sql, a);
	out_lit(&sql.text, "SELECT ");
	store_sql_column(&sql, "", "name", "", TALLY_T_TEXT);
	store_sql_column(&sql, "", "value", "", TALLY_T_TEXT);
	store_sql_column(&sql, "", "horizon", "", TALLY_T_INT);
	out_lit(&sql.text, " FROM ");
	store_sql_table(&sql, store_of(r), store_options(store_of(r))->schema->fixed[SCHEMA_META].name);
	return store_read(r, &sql, take_meta, m, err);
}

static int read_nodes(struct store_reader *r, struct arena *a, struct remember *m, struct query_error *err)
{
	struct store_sql sql;
	store_sql_open(&sql, a);
	out_lit(&sql.text, "SELECT ");
	store_sql_column(&sql, "n.", "uuid", "", TALLY_T_TEXT);
	store_sql_column(&sql, "p.", "lsn", "", TALLY_T_INT);
	out_lit(&sql.text, " FROM ");
	store_sql_table(&sql, store_of(r), "tally_node");
	out_lit(&sql.text, " n JOIN ");
	store_sql_table(&sql, store_of(r), "tally_position");
	out_lit(&sql.text, " p ON p.`node` = n.`number`");
	return store_read(r, &sql, take_node, m, err);
}

/* 32 hex digits. Without it no row's key can be told, and none is asked for by it. */
static bool read_hash_key(struct remember *m, uint8_t out[16])
{
	const struct remembered *row = remember_find(m, "hash_key");
	if (!row || strlen(row->value) != 32 || strspn(row->value, "0123456789abcdef") != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		const char digits[] = { row->value[2 * i], row->value[2 * i + 1], 0 };
		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

int store_state(struct store_reader *r, struct arena *a, struct store_state *out, struct query_error *err)
{
	struct remember m;
	remember_open(&m, a);
	*out = (struct store_state){ .raw_horizon_us = INT64_MIN };
	int rc = read_meta(r, a, &m, err);
	if (rc == 0)
		rc = read_nodes(r, a, &m, err);
	if (rc)
		return rc;
	remember_resolve(&m, store_options(store_of(r))->schema, true, &out->meta);
	out->raw_horizon_us = remember_horizon(&m, META_EVENTS, INT64_MIN);
	out->hash_key_known = read_hash_key(&m, out->meta.hash_key);
	return 0;
}

/* ---- versions ---- */

struct versions {
	XXH3_state_t *hash;
	uint64_t revision;
	int64_t node[STORE_NODES_MAX]; /* those met */
	unsigned nodes;                /* STORE_NODES_MAX + 1 = that many or more */
};

static void meet_node(struct versions *v, int64_t node)
{
	unsigned i = 0;
	while (i < v->nodes && i < STORE_NODES_MAX && v->node[i] != node)
		i++;
	if (i < v->nodes)
		return;
	if (i < STORE_NODES_MAX)
		v->node[i] = node;
	v->nodes = i + 1;
}

static int take_revision(void *arg, const struct tally_cell *cells)
{
	struct versions *v = arg;
	uint8_t bytes[32];
	for (int i = 0; i < 4; i++)
		put_u64(bytes + 8 * i, cells[i].null ? 0 : (uint64_t)cells[i].v.i);
	XXH3_64bits_update(v->hash, bytes, sizeof bytes);
	meet_node(v, cells[1].v.i);
	if (!cells[2].null && (uint64_t)cells[2].v.i > v->revision)
		v->revision = (uint64_t)cells[2].v.i;
	return 0;
}

static int64_t utc_day(int64_t t)
{
	int64_t into = t % DAY_US;
	return t - (into < 0 ? into + DAY_US : into);
}

static void put_days(struct store_sql *sql, struct query_range r)
{
	out_lit(&sql->text, "(`day` >= ");
	store_sql_int(sql, r.from_us < INT64_MIN + DAY_US ? INT64_MIN : utc_day(r.from_us));
	out_lit(&sql->text, " AND `day` < ");
	store_sql_int(sql, r.to_us);
	out_lit(&sql->text, ")");
}

static int read_revisions(
	struct store_reader *r, const struct query *q, struct arena *a, struct versions *v, struct query_error *err)
{
	struct store_sql sql;
	store_sql_open(&sql, a);
	out_lit(&sql.text, "SELECT ");
	store_sql_column(&sql, "", "day", "", TALLY_T_INT);
	store_sql_column(&sql, "", "node", "", TALLY_T_INT);
	store_sql_column(&sql, "", "lsn", "", TALLY_T_INT);
	store_sql_column(&sql, "", "generation", "", TALLY_T_INT);
	out_lit(&sql.text, " FROM ");
	store_sql_table(&sql, store_of(r), store_options(store_of(r))->schema->fixed[SCHEMA_REVISION].name);
	out_lit(&sql.text, " WHERE `site` = ");
	store_sql_text(&sql, q->site);
	out_lit(&sql.text, " AND (");
	put_days(&sql, q->range);
	if (q->compare != QUERY_ALONE) {
		out_lit(&sql.text, " OR ");
		put_days(&sql, q->compared);
	}
	out_lit(&sql.text, ") ORDER BY `day`, `node`");
	return store_read(r, &sql, take_revision, v, err);
}

struct identity {
	struct versions *v;
	const struct query *q;
	struct remember mem;
};

/* How far the horizon has come into that range, to the hour. Outside of it it does not matter. */
static void hash_horizon(struct versions *v, int64_t horizon_us, struct query_range r)
{
	int64_t at = horizon_us <= r.from_us ? INT64_MIN : horizon_us >= r.to_us ? INT64_MAX : horizon_us / HOUR_US;
	XXH3_64bits_update(v->hash, &at, sizeof at);
}

static int take_identity(void *arg, const struct tally_cell *cells)
{
	struct identity *id = arg;
	struct tally_str name = str_make(cells[0].v.ptr, cells[0].len);
	if (str_starts(name, STR(META_ZONE))) {
		remember_row(&id->mem, cells);
	} else if (str_eq(name, STR("hash_key")) && !cells[1].null) {
		XXH3_64bits_update(id->v->hash, cells[1].v.ptr, cells[1].len);
	} else if (!cells[2].null) {
		XXH3_64bits_update(id->v->hash, name.ptr, name.len);
		hash_horizon(id->v, cells[2].v.i, id->q->range);
		if (id->q->compare != QUERY_ALONE)
			hash_horizon(id->v, cells[2].v.i, id->q->compared);
	}
	return 0;
}

static void hash_zone(struct identity *id)
{
	struct meta m = { 0 };
	m.zones = zones_read(&id->mem, &m.nzones, &m.last_zone);
	const struct meta_zone *z = meta_zone_of(&m, id->q->site);
	if (z)
		XXH3_64bits_update(id->v->hash, &z->number, sizeof z->number);
}

/* Of tally_meta. hash_key: another store, or one that was made anew, counts its nodes and positions from 1 again, and
 * nothing remembered elsewhere of one may be taken for the other; every store drew its own. The horizons: what retention
 * has deleted is not answered any more. The zone of the site's days. */
static int read_identity(
	struct store_reader *r, const struct query *q, struct arena *a, struct versions *v, struct query_error *err)
{
	struct store_sql sql;
	struct identity id = { .v = v, .q = q };
	remember_open(&id.mem, a);
	store_sql_open(&sql, a);
	out_lit(&sql.text, "SELECT ");
	store_sql_column(&sql, "", "name", "", TALLY_T_TEXT);
	store_sql_column(&sql, "", "value", "", TALLY_T_TEXT);
	store_sql_column(&sql, "", "horizon", "", TALLY_T_INT);
	out_lit(&sql.text, " FROM ");
	store_sql_table(&sql, store_of(r), store_options(store_of(r))->schema->fixed[SCHEMA_META].name);
	out_lit(&sql.text, " WHERE `name` IN ('hash_key'");
	for (uint32_t g = 0; g < TALLY_GRAINS; g++)
		text_printf(&sql.text, ", '%s'", meta_grain_name(g));
	out_lit(&sql.text, ", '" META_EVENTS "') OR (`name` > '" META_ZONE "' AND `name` < '" META_ZONE_END "')"
			   " ORDER BY `name`");
	int rc = store_read(r, &sql, take_identity, &id, err);
	if (rc == 0)
		hash_zone(&id);
	return rc;
}

static int take_gap(void *arg, const struct tally_cell *cells)
{
	*(int64_t *)arg += cells[0].null ? 0 : cells[0].v.i;
	return 0;
}

static int read_gaps(
	struct store_reader *r, const struct query *q, struct arena *a, int64_t *lost, struct query_error *err)
{
	struct store_sql sql;
	store_sql_open(&sql, a);
	out_lit(&sql.text, "SELECT ");
	store_sql_column(&sql, "", "events", "", TALLY_T_INT);
	out_lit(&sql.text, " FROM ");
	store_sql_table(&sql, store_of(r), store_options(store_of(r))->schema->fixed[SCHEMA_GAP].name);
	out_lit(&sql.text, " WHERE `reason` <> 'before' AND `site` = ");
	store_sql_text(&sql, q->site);
	*lost = 0;
	return store_read(r, &sql, take_gap, lost, err);
}

int store_version(struct store_reader *r, const struct query *q, struct store_version *out, struct query_error *err)
{
	struct arena a;
	XXH3_state_t hash; /* not made by XXH3_createState(): that would have a failure of its own */
	struct versions v = { .hash = &hash };
	uint64_t config = store_config(r);
	arena_init(&a, 0);
	XXH3_64bits_reset_withSeed(v.hash, VERSION_SEED);
	XXH3_64bits_update(v.hash, &config, sizeof config);
	XXH3_64bits_update(v.hash, q->site.ptr, q->site.len);
	int rc = read_identity(r, q, &a, &v, err);
	if (rc == 0)
		rc = read_revisions(r, q, &a, &v, err);
	if (rc == 0)
		rc = read_gaps(r, q, &a, &out->lost, err);
	if (rc == 0 && out->lost)
		XXH3_64bits_update(v.hash, &out->lost, sizeof out->lost);
	out->hash = XXH3_64bits_digest(v.hash);
	out->hash += out->hash == 0;
	out->revision = v.revision;
	out->nodes = v.nodes;
	arena_free(&a);
	return rc;
}

/* ---- from where to where "all" goes ---- */

static int take_bound(void *arg, const struct tally_cell *cells)
{
	struct store_span *span = arg;
	if (cells[0].null)
		return 0;
	if (cells[0].v.i < span->first_us)
		span->first_us = cells[0].v.i;
	if (cells[0].v.i > span->last_us)
		span->last_us = cells[0].v.i;
	return 0;
}

/* function: "MIN(" or "MAX(", one a statement, since only then a store looks no further than the end of its index. */
static int bound_of(struct store_reader *r, const char *function, const char *column, const char *table,
	struct tally_str site, int grain, struct store_span *out, struct query_error *err)
{
	struct arena a;
	struct store_sql sql;
	arena_init(&a, 0);
	store_sql_open(&sql, &a);
	out_lit(&sql.text, "SELECT ");
	store_sql_column(&sql, function, column, ")", TALLY_T_INT);
	out_lit(&sql.text, " FROM ");
	store_sql_table(&sql, store_of(r), table);
	out_lit(&sql.text, " WHERE `site` = ");
	store_sql_text(&sql, site);
	if (grain >= 0) {
		out_lit(&sql.text, " AND `grain` = ");
		store_sql_int(&sql, grain);
	}
	int rc = store_read(r, &sql, take_bound, out, err);
	arena_free(&a);
	return rc;
}

static int span_of(struct store_reader *r, const char *column, const char *table, struct tally_str site, int grain,
	struct store_span *out, struct query_error *err)
{
	int rc = bound_of(r, "MIN(", column, table, site, grain, out, err);
	return rc ? rc : bound_of(r, "MAX(", column, table, site, grain, out, err);
}

int store_span(struct store_reader *r, const struct store_state *st, struct tally_str site, struct store_span *out,
	struct query_error *err)
{
	const struct schema *schema = store_options(store_of(r))->schema;
	struct store_span rows = { INT64_MAX, INT64_MIN };
	/* a finer grain tells the day in any zone, where all of it is kept */
	int grain = st->meta.grain_horizon_us[TALLY_QUARTER] == INT64_MIN ? TALLY_QUARTER : TALLY_DAY;
	int64_t length = grain == TALLY_DAY ? DAY_US : DAY_US / 96;
	*out = rows;
	int rc = span_of(r, "time", schema->fixed[SCHEMA_EVENT].name, site, -1, out, err);
	for (size_t i = 0; rc == 0 && i < schema->nrollups; i++)
		if (st->meta.rollup_horizon_us[schema->rollups[i].rollup->id] != INT64_MAX)
			rc = span_of(r, "bucket", meta_table(&st->meta, &schema->rollups[i]), site, grain, &rows, err);
	if (rows.first_us < out->first_us)
		out->first_us = rows.first_us;
	/* a row may hold anything up to its end */
	if (rows.last_us != INT64_MIN && rows.last_us + length - 1 > out->last_us)
		out->last_us = rows.last_us + length - 1;
	return rc;
}
