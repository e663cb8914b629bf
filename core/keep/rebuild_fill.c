/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the new table: from raw events through the plugin `rollup`, or as they stand in the old table. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "keep/rebuild_inner.h"
#include "line/line.h"
#include "text/tree.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define PROPS_DEPTH 4
#define PATIENCE 1200 /* times 50 ms: a store out of reach */

/* ---- rows ---- */

static struct tally_cell *add_row(struct rebuild *rb)
{
	if (rb->nrows == rb->rows_cap) {
		rb->rows_cap = rb->rows_cap ? 2 * rb->rows_cap : 4096;
		rb->rows = memory_grow(rb->rows, rb->rows_cap * sizeof *rb->rows);
		MUST(rb->rows != NULL);
	}
	return rb->rows[rb->nrows++] = arena_zalloc(&rb->page, rb->twin.ncolumns * sizeof(struct tally_cell));
}

static struct tally_str text_of(const struct tally_cell *c)
{
	return c->null ? STR("") : str_make(c->v.ptr, c->len);
}

static int by_key(const void *pa, const void *pb)
{
	const struct tally_cell *a = *(struct tally_cell *const *)pa, *b = *(struct tally_cell *const *)pb;
	int order = str_cmp(text_of(&a[RLC_SITE]), text_of(&b[RLC_SITE]));
	if (!order)
		order = (a[RLC_GRAIN].v.i > b[RLC_GRAIN].v.i) - (a[RLC_GRAIN].v.i < b[RLC_GRAIN].v.i);
	if (!order)
		order = (a[RLC_BUCKET].v.i > b[RLC_BUCKET].v.i) - (a[RLC_BUCKET].v.i < b[RLC_BUCKET].v.i);
	if (!order)
		order = str_cmp(text_of(&a[RLC_KEY]), text_of(&b[RLC_KEY]));
	return order ? order : (a[RLC_NODE].v.i > b[RLC_NODE].v.i) - (a[RLC_NODE].v.i < b[RLC_NODE].v.i);
}

struct tally_rows rebuild_rows(struct rebuild *rb)
{
	uint32_t n = rb->twin.ncolumns;
	struct tally_cell *cells = arena_alloc(&rb->page, (rb->nrows * n + 1) * sizeof *cells);
	if (rb->nrows)
		qsort(rb->rows, rb->nrows, sizeof *rb->rows, by_key);
	for (size_t i = 0; i < rb->nrows; i++)
		memcpy(cells + i * n, rb->rows[i], n * sizeof *cells);
	return (struct tally_rows){ &rb->twin, rb->nrows, cells };
}

int rebuild_write(struct rebuild *rb)
{
	struct tally_rows rows = rebuild_rows(rb);
	struct tally_guard guard = { ship_table(rb->opt->ship, SCHEMA_META), META_EPOCH, "horizon", rb->meta.epoch, 0,
		0 };
	struct tally_batch b = { .rows = &rows, .nrows = 1, .guard = &guard };
	int rc = TALLY_SINK_OK;
	if (rb->nrows)
		rc = ship_side_write(rb->opt->ship, &b, rb->result->words);
	for (int i = 0; i < PATIENCE && rc == TALLY_SINK_RETRY && !atomic_load(rb->opt->stop); i++) {
		nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
		rc = ship_side_write(rb->opt->ship, &b, rb->result->words);
	}
	atomic_fetch_add(&rb->progress->rows, (int64_t)rb->nrows);
	int sums = 0;
	for (size_t i = 0; i < rb->nrows && rc == TALLY_SINK_OK && sums == 0; i++)
		sums = rebuild_add_sums(rb, rb->rows[i]);
	rb->nrows = 0;
	arena_reset(&rb->page);
	return sums ? rebuild_fail(rb, -EIO, "a sketch in the rows made is damaged: nothing was changed")
		    : rebuild_moved(rb, rc);
}

/* ---- what the plugin asks and gives ---- */

static int64_t horizon(void *owner, const struct tally_rollup *r, enum tally_grain g, struct tally_str site)
{
	struct rebuild *rb = owner;
	return r->id == rb->sr->rollup->id ? meta_first_bucket(&rb->made, rb->opt->conf, r->id, g, site) : INT64_MAX;
}

static const struct zone *zone(void *owner, struct tally_str site)
{
	return rebuild_zone(owner, TALLY_DAY, site);
}

/* Does the bucket lie whole within the range that is made from raw events? */
static bool is_within(const struct rebuild *rb, uint32_t grain, struct tally_str site, int64_t bucket)
{
	static const enum zone_unit units[TALLY_GRAINS] = { ZONE_MINUTE, ZONE_QUARTER, ZONE_DAY, ZONE_MONTH };
	return bucket >= rb->from_us &&
	       (rb->to_us == INT64_MAX || zone_next(rebuild_zone(rb, grain, site), units[grain], bucket) <= rb->to_us);
}

static int take_row(void *owner, const struct tally_row *row)
{
	struct rebuild *rb = owner;
	if (row->rollup->id != rb->sr->rollup->id)
		return 0;
	if (rb->within && !is_within(rb, row->grain, row->site, row->bucket_us))
		return 0;
	struct tally_cell *cells = add_row(rb);
	line_rollup_cells(rb->sr, rb->meta.hash_key, arena_str(&rb->page, row->site), row, &rb->page, cells);
	cells[RLC_NODE] = (struct tally_cell){ .v.i = rb->writing };
	return 0;
}

int rebuild_open_chain(struct rebuild *rb)
{
	static const struct plug_taker taker = { horizon, take_row, zone };
	int rc = plug_chain_open_alone(
		rb->opt->plugins, rb->opt->conf, "rollup", &taker, rb, &rb->chain, rb->result->words);
	return rc ? -EINVAL : 0;
}

/* ---- raw events ---- */

enum raw {
	RAW_LSN,
	RAW_IDX,
	RAW_SITE,
	RAW_NAME,
	RAW_TIME,
	RAW_VISITOR,
	RAW_HOST,
	RAW_PAGE,
	RAW_REFERRER,
	RAW_VALUE,
	RAW_WEIGHT,
	RAW_PROPS,
	RAW_COLUMNS
};

static const uint32_t raw_types[RAW_COLUMNS] = { TALLY_T_INT, TALLY_T_INT, TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT,
	TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_REAL, TALLY_T_INT, TALLY_T_JSON };

struct page {
	struct rebuild *rb;
	struct rebuild_node *node;
	size_t n;
};

void rebuild_touch_day(struct rebuild *rb, struct tally_str site, int64_t time_us)
{
	int64_t day = time_us / DAY_US - (time_us % DAY_US < 0);
	char key[8 + 256];
	size_t n = site.len < 256 ? site.len : 256;
	memcpy(key, &day, 8);
	memcpy(key + 8, site.ptr, n);
	*table_place(&rb->days, str_make(key, 8 + n)) = rb;
}

static uint32_t prop_type(enum json_kind kind)
{
	return kind == JSON_NUMBER                       ? TALLY_PROP_NUMBER
	       : kind == JSON_TRUE || kind == JSON_FALSE ? TALLY_PROP_BOOL
							 : TALLY_PROP_STRING;
}

static void read_props(struct rebuild *rb, struct tally_str json, struct tally_event *ev)
{
	const struct tree_node *root;
	if (tree_parse(&rb->page, json, PROPS_DEPTH, &root, NULL) != 0 || root->kind != JSON_OBJECT || !root->count)
		return;
	struct tally_prop *props = arena_zalloc(&rb->page, root->count * sizeof *props);
	for (const struct tree_node *t = root->first; t; t = t->next) {
		struct tally_prop *p = &props[ev->nprops++];
		*p = (struct tally_prop){ .key = t->key, .text = t->text, .type = prop_type(t->kind) };
		if (p->type == TALLY_PROP_BOOL) {
			p->text = t->kind == JSON_TRUE ? STR("true") : STR("false");
			p->number = t->kind == JSON_TRUE;
		} else if (p->type == TALLY_PROP_NUMBER) {
			p->number = t->number;
		}
	}
	ev->props = props;
}

static struct tally_str kept(struct rebuild *rb, const struct tally_cell *c)
{
	return arena_str(&rb->page, text_of(c));
}

static int take_event(void *arg, const struct tally_cell *c)
{
	struct page *p = arg;
	struct rebuild *rb = p->rb;
	struct plug_verdict verdict;
	struct tally_event ev = { .lsn = (uint64_t)c[RAW_LSN].v.i,
		.idx = (uint32_t)c[RAW_IDX].v.i,
		.time_us = c[RAW_TIME].v.i,
		.site = kept(rb, &c[RAW_SITE]),
		.name = kept(rb, &c[RAW_NAME]),
		.visitor = kept(rb, &c[RAW_VISITOR]),
		.host = kept(rb, &c[RAW_HOST]),
		.page = kept(rb, &c[RAW_PAGE]),
		.referrer = kept(rb, &c[RAW_REFERRER]),
		.has_value = !c[RAW_VALUE].null,
		.value = c[RAW_VALUE].null ? 0 : c[RAW_VALUE].v.d,
		.weight = (uint32_t)c[RAW_WEIGHT].v.i };
	p->n++;
	p->node->lsn = c[RAW_LSN].v.i;
	p->node->idx = c[RAW_IDX].v.i;
	read_props(rb, kept(rb, &c[RAW_PROPS]), &ev);
	rebuild_touch_day(rb, ev.site, ev.time_us);
	return plug_event(rb->chain, &rb->page, &ev, &verdict) == TALLY_PASS ? 0 : 1;
}

const char *rebuild_times_sql(struct rebuild *rb)
{
	int64_t from = rb->within ? rb->from_us : rb->new_horizon_us, to = rb->within ? rb->to_us : INT64_MAX;
	const char *times = "";
	if (from != INT64_MIN)
		times = arena_printf(&rb->page, " AND `time` >= %" PRId64, from);
	if (to != INT64_MAX)
		times = arena_printf(&rb->page, "%s AND `time` < %" PRId64, times, to);
	return times;
}

static const char *page_sql(struct rebuild *rb, const struct rebuild_node *node, size_t most)
{
	return arena_printf(&rb->page,
		"SELECT `lsn`, `idx`, `site`, `name`, `time`, `visitor`, `host`, `page`, `referrer`, `value`, `weight`, "
		"`props` FROM `%stally_event` WHERE `node` = %" PRId64 " AND `lsn` >= %" PRId64 " AND (`lsn` > %" PRId64
		" OR `idx` > %" PRId64 ") AND `lsn` < %" PRId64 "%s ORDER BY `node`, `lsn`, `idx` LIMIT %zu",
		rb->opt->prefix, node->number, node->lsn, node->lsn, node->idx, node->to, rebuild_times_sql(rb), most);
}

static void show(struct rebuild *rb, size_t n)
{
	int64_t done = 0, all = 0;
	for (size_t i = 0; i < rb->nnodes; i++) {
		done += rb->nodes[i].lsn > 0 ? rb->nodes[i].lsn / 1024 : 0;
		all += rb->nodes[i].to / 1024;
	}
	atomic_fetch_add(&rb->progress->events, (int64_t)n);
	atomic_store(&rb->progress->permille, all ? done * 1000 / all : 1000);
}

static int read_page(struct rebuild *rb, struct rebuild_node *node, size_t most, size_t *n)
{
	struct page p = { .rb = rb, .node = node };
	rb->writing = node->number;
	*n = 0;
	if (!rb->events || node->to <= node->lsn)
		return 0;
	int rc = rebuild_begin(rb);
	if (rc)
		return rc;
	rc = rebuild_ask(rb, page_sql(rb, node, most), raw_types, RAW_COLUMNS, take_event, &p);
	rebuild_end(rb);
	if (rc > 0)
		rc = rebuild_fail(rb, -EIO, "the plugin rollup refused events of the node %s", node->uuid);
	if (rc == 0 && p.n < most) {
		node->lsn = node->to;
		node->idx = -1;
	}
	*n = p.n;
	show(rb, p.n);
	return rc;
}

int rebuild_next(struct rebuild *rb, struct rebuild_node *node, size_t most, size_t *events, size_t *changes)
{
	*changes = 0;
	int rc = read_page(rb, node, most, events);
	if (rc == 0)
		rc = rebuild_changes(rb, node, most, changes);
	return rebuild_flush(rb, node, rc);
}

int rebuild_flush(struct rebuild *rb, const struct rebuild_node *node, int rc)
{
	if (rc == 0 && plug_flush(rb->chain, &rb->page) == 0)
		return 0;
	plug_reset(rb->chain);
	return rc ? rc : rebuild_fail(rb, -EIO, "the plugin rollup refused what the node %s has", node->uuid);
}

/* ---- old rows ---- */

static int take_old(void *arg, const struct tally_cell *c)
{
	struct rebuild *rb = arg;
	uint32_t grain = (uint32_t)c[RLC_GRAIN].v.i;
	struct tally_str site = text_of(&c[RLC_SITE]);
	if (grain >= TALLY_GRAINS ||
		c[RLC_BUCKET].v.i < meta_first_bucket(&rb->meta, rb->opt->conf, rb->sr->rollup->id, grain, site) ||
		is_within(rb, grain, site, c[RLC_BUCKET].v.i))
		return 0;
	struct tally_cell *row = add_row(rb);
	for (uint32_t i = 0; i < rb->twin.ncolumns; i++) {
		row[i] = c[i];
		if (!c[i].null && rb->twin.columns[i].type >= TALLY_T_TEXT)
			row[i].v.ptr = arena_copy(&rb->page, c[i].len ? c[i].v.ptr : "", c[i].len);
	}
	rb->result->copied++;
	return rb->nrows < REBUILD_PAGE || rebuild_write(rb) == 0 ? 0 : 1;
}

int rebuild_copy(struct rebuild *rb)
{
	uint32_t *types = arena_alloc(&rb->arena, rb->twin.ncolumns * sizeof *types);
	const char *columns = "";
	for (uint32_t i = 0; i < rb->twin.ncolumns; i++) {
		types[i] = rb->twin.columns[i].type;
		columns = arena_printf(&rb->arena, "%s%s`%s`", columns, i ? ", " : "", rb->twin.columns[i].name);
	}
	const char *sql = arena_printf(&rb->arena, "SELECT %s FROM `%s%s`", columns, rb->opt->prefix, rb->old_table);
	int rc = rebuild_ask(rb, sql, types, rb->twin.ncolumns, take_old, rb);
	if (rc == 0)
		rc = rebuild_write(rb);
	return rc > 0 ? -EIO : rc;
}
