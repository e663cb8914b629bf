/* SPDX-License-Identifier: Apache-2.0 */
/* The last transaction: what no look has seen yet, and the rows that make the new number the one in use. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "keep/rebuild_inner.h"
#include "ship/zones.h"

#define TRIES 40
#define LOOKS 60
#define PAUSE_NS 500000000

/* ---- the rows of the swap ---- */

struct swap {
	struct rebuild *rb;
	struct tally_cell *cells; /* of tally_meta */
	size_t n;
	struct tally_rows rows[64];
	int rc;
};

static void want(struct swap *w, const char *name, const char *value, int64_t horizon)
{
	struct tally_cell *c = &w->cells[w->n++ * 3];
	c[0] = (struct tally_cell){ .v.ptr = name, .len = (uint32_t)strlen(name) };
	c[1] = (struct tally_cell){ .v.ptr = value, .len = (uint32_t)strlen(value) };
	c[2] = (struct tally_cell){ .v.i = horizon };
}

static int by_name(const void *a, const void *b)
{
	const struct tally_cell *x = a, *y = b;
	return strcmp(x->v.ptr, y->v.ptr);
}

/* Whoever wrote the old rows writes the new ones once it has looked again; of the others all that they stored is in. */
static struct tally_rows meta_rows(struct swap *w)
{
	struct rebuild *rb = w->rb;
	struct arena *a = &rb->arena;
	w->cells = arena_zalloc(a, (rb->nnodes + 6) * 3 * sizeof *w->cells);
	w->n = 0;
	want(w, arena_printf(a, META_ROLLUP "%s", rb->new_id), meta_definition(rb->sr->rollup, a), rb->new_horizon_us);
	want(w, META_EPOCH, "", rb->meta.epoch + 1);
	want(w, arena_printf(a, "table/%s", rb->twin.name), "", 0);
	w->cells[2 * 3 + 2] = (struct tally_cell){ .null = 1 };
	want(w, arena_printf(a, META_MADE "%s", rb->new_id), "", 1);
	want(w, arena_printf(a, META_ZONED "%s", rb->new_id), arena_printf(a, "%" PRId64, rb->zoned.number),
		rb->zoned.from_us);
	for (size_t i = 0; i < rb->nnodes; i++) {
		const struct rebuild_node *n = &rb->nodes[i];
		bool writes = remember_writes(&rb->mem, n->uuid, rb->old_id);
		want(w, meta_node_row(a, writes ? META_BEGAN : META_ENDED, n->uuid, rb->new_id), "",
			n->to > 1 ? n->to : 1);
	}
	qsort(w->cells, w->n, 3 * sizeof *w->cells, by_name);
	return (struct tally_rows){ ship_table(rb->opt->ship, SCHEMA_META), w->n, w->cells };
}

struct day {
	struct tally_str site;
	int64_t day;
};

static int by_day(const void *a, const void *b)
{
	const struct day *x = a, *y = b;
	int order = str_cmp(x->site, y->site);
	return order ? order : (x->day > y->day) - (x->day < y->day);
}

/* Answers that are remembered of these days are of other rows: each day gets another generation. */
static struct tally_rows revision_rows(struct rebuild *rb)
{
	enum { SITE, DAY, NODE, LSN, GENERATION, COLUMNS };
	size_t n = 0, at = 0;
	struct day *days = arena_alloc(&rb->arena, (rb->days.count + 1) * sizeof *days);
	for (const struct table_entry *e; (e = table_next(&rb->days, &at)); n++) {
		memcpy(&days[n].day, e->key.ptr, 8);
		days[n].site = arena_str(&rb->arena, str_make(e->key.ptr + 8, e->key.len - 8));
	}
	if (n)
		qsort(days, n, sizeof *days, by_day);
	struct tally_cell *cells = arena_zalloc(&rb->arena, (n * COLUMNS + 1) * sizeof *cells);
	for (size_t i = 0; i < n; i++) {
		struct tally_cell *c = &cells[i * COLUMNS];
		c[SITE] = (struct tally_cell){ .v.ptr = days[i].site.ptr, .len = (uint32_t)days[i].site.len };
		c[DAY].v.i = days[i].day * INT64_C(86400000000);
		c[GENERATION].v.i = 1;
	}
	return (struct tally_rows){ ship_table(rb->opt->ship, SCHEMA_REVISION), n, cells };
}

/* [the ship's thread, no line of the store can commit] All rows of all nodes up to here are there to be read. */
static int last_rows(struct swap *w, size_t *nrows)
{
	struct rebuild *rb = w->rb;
	size_t events, changes;
	int rc = rebuild_begin(rb);
	if (rc)
		return rc;
	rc = rebuild_nodes(rb);
	if (rc == 0)
		rc = rebuild_all_there(rb);
	rebuild_end(rb);
	for (size_t i = 0; i < rb->nnodes && rc == 0; i++) {
		rc = rebuild_next(rb, &rb->nodes[i], REBUILD_LAST, &events, &changes);
		if (rc == 0 && (events == REBUILD_LAST || changes == REBUILD_LAST))
			rc = rebuild_fail(rb, -EAGAIN, "more has streamed in than the last transaction is to hold");
	}
	w->rows[(*nrows)++] = rebuild_rows(rb);
	return rc;
}

static int fenced(void *arg, const struct tally_rows **rows, size_t *nrows)
{
	struct swap *w = arg;
	*nrows = 0;
	w->rc = last_rows(w, nrows);
	if (w->rc)
		return w->rc;
	w->rows[(*nrows)++] = meta_rows(w);
	w->rows[(*nrows)++] = revision_rows(w->rb);
	*rows = w->rows;
	return 0;
}

/* ---- one try ---- */

/* What a failed try has read is not in the new rows: from where the try began it is read again. */
static int try_swap(struct rebuild *rb)
{
	struct tally_guard guard = { ship_table(rb->opt->ship, SCHEMA_META), META_EPOCH, "horizon", rb->meta.epoch, 1,
		0 };
	struct swap w = { .rb = rb };
	struct tally_batch b = { .guard = &guard, .fenced = fenced, .fenced_arg = &w };
	size_t n = rb->nnodes;
	struct rebuild_node *before = arena_alloc(&rb->arena, (n + 1) * sizeof *before);
	memcpy(before, rb->nodes, n * sizeof *before);
	int64_t began_us = clock_mono_us();
	int rc = ship_side_write(rb->opt->ship, &b, rb->result->words);
	rb->result->locked_us = clock_mono_us() - began_us;
	rb->nrows = 0;
	arena_reset(&rb->page);
	if (rc != TALLY_SINK_OK)
		for (size_t i = 0; i < rb->nnodes; i++)
			rb->nodes[i] = i < n ? before[i]
					     : (struct rebuild_node){ .number = rb->nodes[i].number,
						       .uuid = rb->nodes[i].uuid,
						       .lsn = -1,
						       .idx = -1 };
	return w.rc ? w.rc : rc;
}

static int take_found(void *arg, const struct tally_cell *c)
{
	(void)c;
	*(bool *)arg = true;
	return 0;
}

/* The answer to COMMIT was lost: what the store says counts, once nothing of ours is under way there any more. That is
 * so when a write over the line's next connection was done: before it, position() has waited for our row. */
static int find_out(struct rebuild *rb)
{
	static const uint32_t type = TALLY_T_INT;
	bool found = false;
	int rc = -EIO;
	rb->unsure = true;
	for (int i = 0; i < LOOKS && rc != 0; i++) {
		struct tally_batch nothing = { 0 };
		nanosleep(&(struct timespec){ 0, PAUSE_NS }, NULL);
		rc = ship_side_write(rb->opt->ship, &nothing, rb->result->words);
	}
	if (rc == TALLY_SINK_OK)
		rc = rebuild_begin(rb);
	if (rc)
		return rc < 0 ? rc : -EIO;
	rc = rebuild_ask(rb,
		arena_printf(&rb->page, "SELECT 1 FROM `%stally_meta` WHERE `name` = '" META_ROLLUP "%s'",
			rb->opt->prefix, rb->new_id),
		&type, 1, take_found, &found);
	rebuild_end(rb);
	rb->unsure = rc != 0;
	return rc == 0 && !found ? -EIO : rc;
}

int rebuild_swap(struct rebuild *rb)
{
	int rc = TALLY_SINK_RETRY;
	for (int i = 0; i < TRIES && rc == TALLY_SINK_RETRY && !atomic_load(rb->opt->stop); i++) {
		if (i)
			nanosleep(&(struct timespec){ 0, PAUSE_NS / 10 }, NULL);
		rc = try_swap(rb);
	}
	if (rc == TALLY_SINK_OK || rc < 0)
		return rc;
	return rc == TALLY_SINK_MOVED || rc == TALLY_SINK_RETRY ? rebuild_moved(rb, rc) : find_out(rb);
}
