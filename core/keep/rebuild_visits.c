/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over visits. A visit's row changes in place, so what was added up of it must be known to be taken away again. While a
 * rebuild is under way every line of the store therefore tells, in tally_visit_change and in the transaction that
 * changes the row, how a visit was and how it is: the very differences that it gives to its rollups. The rebuild adds up all
 * visits as of one snapshot, which has the positions they are as of, and then, node by node, the changes of later
 * batches.
 *
 * That all lines tell is sure before the snapshot is taken: the row that asks for it comes with another epoch, without
 * which no batch is stored (decision 041). */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "base/clock.h"
#include "keep/rebuild_inner.h"

#define PATIENCE 1200 /* times 50 ms: a store out of reach */
#define CLEARINGS 1000
#define FORM (VIC_COLUMNS - VIC_SITE)

/* ---- asking for it, and no more ---- */

static void meta_row(struct tally_cell *c, const char *name, const char *value, const int64_t *horizon)
{
	c[0] = (struct tally_cell){ .v.ptr = name, .len = (uint32_t)strlen(name) };
	c[1] = (struct tally_cell){ .v.ptr = value, .len = (uint32_t)strlen(value) };
	c[2] = horizon ? (struct tally_cell){ .v.i = *horizon } : (struct tally_cell){ .null = 1 };
}

static int side_write(struct rebuild *rb, struct tally_batch *b)
{
	int rc = ship_side_write(rb->opt->ship, b, rb->result->words);
	for (int i = 0; i < PATIENCE && rc == TALLY_SINK_RETRY && !atomic_load(rb->opt->stop); i++) {
		nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
		rc = ship_side_write(rb->opt->ship, b, rb->result->words);
	}
	return rc;
}

/* One row, and with it another epoch: "epoch" sorts before the names that are given here. */
static int write_with_epoch(struct rebuild *rb, int64_t epoch, const char *name, const char *value, int64_t horizon)
{
	const struct tally_table *meta = ship_table(rb->opt->ship, SCHEMA_META);
	struct tally_guard guard = { meta, META_EPOCH, "horizon", epoch, 1, 0 };
	struct tally_cell cells[6];
	struct tally_rows rows = { meta, 2, cells };
	struct tally_batch b = { .rows = &rows, .nrows = 1, .guard = &guard };
	meta_row(cells, META_EPOCH, "", &(int64_t){ epoch + 1 });
	meta_row(cells + 3, name, value, &horizon);
	return side_write(rb, &b);
}

/* Nobody is told anything as of that epoch: what stands there is of rebuilds that have ended. */
static int clear(struct rebuild *rb, int64_t epoch)
{
	const struct tally_table *table = ship_table(rb->opt->ship, SCHEMA_VISIT_CHANGE);
	struct tally_guard guard = { ship_table(rb->opt->ship, SCHEMA_META), META_EPOCH, "horizon", epoch, 0, 0 };
	struct tally_trim trim = { table, 0, INT64_MAX };
	struct tally_batch b = { .trim = &trim, .ntrim = 1, .guard = &guard };
	int64_t left = 1;
	int rc = TALLY_SINK_OK;
	for (int i = 0; i < CLEARINGS && rc == TALLY_SINK_OK && left; i++) {
		rc = side_write(rb, &b);
		if (rc == TALLY_SINK_OK)
			rc = rebuild_count(rb, table->name, &left);
	}
	return rc;
}

int rebuild_claim(struct rebuild *rb)
{
	const char *name = arena_printf(&rb->arena, META_MAKING "%s", rb->new_id);
	int64_t until_us, now_us = clock_wall_us();
	int rc;
	if (!rb->visits) {
		struct tally_cell cells[3];
		struct tally_rows rows = { ship_table(rb->opt->ship, SCHEMA_META), 1, cells };
		struct tally_batch b = { .rows = &rows, .nrows = 1 };
		meta_row(cells, name, rb->opt->node_uuid, &now_us);
		return side_write(rb, &b) == TALLY_SINK_OK ? 0 : -EIO;
	}
	if (!remember_watching(&rb->mem, NULL, &until_us) && (rc = clear(rb, rb->meta.epoch)) != TALLY_SINK_OK)
		return rebuild_moved(rb, rc);
	const char *value = arena_printf(&rb->arena, "%s" META_OF_VISITS, rb->opt->node_uuid);
	rc = write_with_epoch(rb, rb->meta.epoch, name, value, now_us);
	if (rc != TALLY_SINK_OK)
		return rebuild_moved(rb, rc);
	rb->meta.epoch++;
	return 0;
}

/* Whatever comes in the way: the lines go on telling for a while, and the next start or rebuild ends it. */
void rebuild_release(struct rebuild *rb)
{
	char words[sizeof rb->result->words]; /* of what went wrong, if anything did */
	int64_t until_us;
	if (!rb->visits)
		return;
	memcpy(words, rb->result->words, sizeof words);
	int rc = rebuild_remember(rb);
	int64_t epoch = remember_horizon(&rb->mem, META_EPOCH, 0);
	const char *made = arena_printf(&rb->arena, META_MADE "%s", rb->new_id);
	if (rc == 0 && !remember_find(&rb->mem, made) &&
		remember_find(&rb->mem, arena_printf(&rb->arena, META_MAKING "%s", rb->new_id))) {
		rc = write_with_epoch(rb, epoch, made, "", clock_wall_us());
		epoch++;
	}
	if (rc == 0 && !remember_watching(&rb->mem, rb->new_id, &until_us))
		(void)!clear(rb, epoch);
	memcpy(rb->result->words, words, sizeof words);
}

/* ---- a visit ---- */

/* What is selected of one, from VIC_SITE on. */
static const char *form_sql(struct rebuild *rb, uint32_t *types)
{
	const struct tally_column *columns = ship_table(rb->opt->ship, SCHEMA_VISIT)->columns;
	const char *sql = "";
	for (uint32_t i = VIC_SITE; i < VIC_COLUMNS; i++) {
		sql = arena_printf(&rb->page, "%s, `%s`", sql, columns[i].name);
		types[i - VIC_SITE] = columns[i].type;
	}
	return sql;
}

static struct tally_str kept(struct rebuild *rb, const struct tally_cell *c)
{
	return c->null ? STR("") : arena_str(&rb->page, str_make(c->v.ptr, c->len));
}

/* form[0] is VIC_SITE. now: it is added, else taken away. */
static int add_visit(struct rebuild *rb, int64_t lsn, int64_t idx, const struct tally_cell *form, bool now)
{
	struct tally_str *values = arena_alloc(&rb->page, TALLY_VISIT_VALUES * sizeof *values);
	for (uint32_t i = 0; i < TALLY_VISIT_VALUES; i++)
		values[i] = kept(rb, &form[VIC_VALUES + i - VIC_SITE]);
	struct tally_visit v = { .lsn = (uint64_t)lsn,
		.idx = (uint32_t)idx,
		.site = kept(rb, &form[0]),
		.begin_us = form[VIC_TIME - VIC_SITE].v.i,
		.visits = form[VIC_VISITS - VIC_SITE].v.i,
		.bounces = form[VIC_BOUNCES - VIC_SITE].v.i,
		.duration_us = form[VIC_DURATION - VIC_SITE].v.i,
		.views = form[VIC_VIEWS - VIC_SITE].v.i,
		.entry_page = kept(rb, &form[VIC_ENTRY - VIC_SITE]),
		.exit_page = kept(rb, &form[VIC_EXIT - VIC_SITE]),
		.referrer = kept(rb, &form[VIC_REFERRER - VIC_SITE]),
		.values = values,
		.nvalues = TALLY_VISIT_VALUES };
	struct tally_visit none = v;
	none.visits = none.bounces = none.duration_us = none.views = 0;
	rebuild_touch_day(rb, v.site, v.begin_us);
	return plug_visit(rb->chain, &rb->page, now ? NULL : &v, now ? &v : &none);
}

static int refused(struct rebuild *rb, const struct rebuild_node *node, int rc)
{
	return rc <= 0 ? rc : rebuild_fail(rb, -EIO, "the plugin rollup refused visits of the node %s", node->uuid);
}

/* ---- all of them, as of one moment ---- */

struct standing {
	struct rebuild *rb;
	int64_t lsn, idx;
	size_t n;
};

static int take_standing(void *arg, const struct tally_cell *c)
{
	struct standing *s = arg;
	s->lsn = c[0].v.i;
	s->idx = c[1].v.i;
	s->n++;
	return add_visit(s->rb, s->lsn, s->idx, c + 2, true) ? 1 : 0;
}

static int standing_of(struct rebuild *rb, const struct rebuild_node *node)
{
	struct standing s = { .rb = rb, .lsn = -1, .idx = -1 };
	uint32_t types[2 + FORM] = { TALLY_T_INT, TALLY_T_INT };
	int rc;
	rb->writing = node->number;
	do {
		s.n = 0;
		const char *form = form_sql(rb, types + 2);
		const char *sql = arena_printf(&rb->page,
			"SELECT `lsn`, `idx`%s FROM `%stally_visit` WHERE `node` = %" PRId64 " AND `lsn` >= %" PRId64
			" AND (`lsn` > %" PRId64 " OR `idx` > %" PRId64
			") AND `visits` > 0%s ORDER BY `node`, `lsn`, `idx` "
			"LIMIT %d",
			form, rb->opt->prefix, node->number, s.lsn, s.lsn, s.idx, rebuild_times_sql(rb), REBUILD_PAGE);
		rc = refused(rb, node, rebuild_ask(rb, sql, types, 2 + FORM, take_standing, &s));
		rc = rebuild_flush(rb, node, rc);
		if (rc == 0)
			rc = rebuild_write(rb);
		atomic_fetch_add(&rb->progress->events, (int64_t)s.n);
	} while (rc == 0 && s.n == REBUILD_PAGE);
	return rc;
}

int rebuild_visits(struct rebuild *rb)
{
	int rc = 0;
	for (size_t i = 0; i < rb->nnodes && rc == 0 && rb->visits; i++) {
		struct rebuild_node *n = &rb->nodes[i];
		rc = standing_of(rb, n);
		n->told = (struct rebuild_told){ n->to, INT64_MAX, INT64_MAX, 1 };
	}
	return rc;
}

/* ---- and what became of them ---- */

struct changes {
	struct rebuild *rb;
	struct rebuild_node *node;
	size_t n;
};

static int take_change(void *arg, const struct tally_cell *c)
{
	struct changes *s = arg;
	s->node->told = (struct rebuild_told){ c[0].v.i, c[1].v.i, c[2].v.i, c[3].v.i };
	s->n++;
	return add_visit(s->rb, c[1].v.i, c[2].v.i, c + 4, c[3].v.i != 0) ? 1 : 0;
}

int rebuild_changes(struct rebuild *rb, struct rebuild_node *node, size_t most, size_t *n)
{
	struct changes s = { rb, node, 0 };
	struct rebuild_told t = node->told;
	uint32_t types[4 + FORM] = { TALLY_T_INT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT };
	*n = 0;
	if (!rb->visits || node->to <= t.batch)
		return 0;
	int rc = rebuild_begin(rb);
	if (rc)
		return rc;
	rb->writing = node->number;
	const char *form = form_sql(rb, types + 4);
	const char *sql = arena_printf(&rb->page,
		"SELECT `batch`, `lsn`, `idx`, `now`%s FROM `%stally_visit_change` WHERE `node` = %" PRId64
		" AND `batch` >= %" PRId64 " AND `batch` <= %" PRId64 " AND (`batch` > %" PRId64 " OR `lsn` > %" PRId64
		" OR (`lsn` = %" PRId64 " AND (`idx` > %" PRId64 " OR (`idx` = %" PRId64 " AND `now` > %" PRId64
		")))) ORDER BY `node`, `batch`, `lsn`, `idx`, `now` LIMIT %zu",
		form, rb->opt->prefix, node->number, t.batch, node->to, t.batch, t.lsn, t.lsn, t.idx, t.idx, t.now,
		most);
	rc = rebuild_ask(rb, sql, types, 4 + FORM, take_change, &s);
	rebuild_end(rb);
	rc = refused(rb, node, rc);
	if (rc == 0 && s.n < most)
		node->told = (struct rebuild_told){ node->to, INT64_MAX, INT64_MAX, 1 };
	*n = s.n;
	return rc;
}
