/* SPDX-License-Identifier: Apache-2.0 */
#include "keep/rebuild.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "keep/rebuild_inner.h"

#define SWAPS 10
#define TIMEOUT_US (INT64_C(3600) * 1000000)

int rebuild_fail(struct rebuild *rb, int rc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(rb->result->words, sizeof rb->result->words, fmt, ap);
	va_end(ap);
	return rc;
}

/* ---- reading ---- */

int rebuild_begin(struct rebuild *rb)
{
	const struct tally_sink *sink = rb->opt->sink;
	if (atomic_load(rb->opt->stop))
		return rebuild_fail(rb, -ESHUTDOWN, "the daemon ends");
	int rc = rb->reader ? 0 : sink->reader_open(rb->opt->self, &rb->reader);
	if (rc == 0)
		rc = sink->read_begin(rb->reader);
	if (rc == 0)
		return 0;
	return rebuild_fail(rb, -EIO, "sink %s cannot be read: %.200s", rb->opt->line,
		rb->reader ? sink->reader_error(rb->reader) : strerror(-rc));
}

void rebuild_end(struct rebuild *rb)
{
	rb->opt->sink->read_end(rb->reader);
}

/* A positive result of fn stops the statement and is no failure of the store's. */
int rebuild_ask(struct rebuild *rb, const char *sql, const uint32_t *types, size_t n, tally_row_fn fn, void *arg)
{
	struct tally_statement st = { .sql = sql, .column_types = types, .ncolumns = n, .timeout_us = TIMEOUT_US };
	int rc = rb->opt->sink->read(rb->reader, &st, fn, arg);
	if (rc >= 0)
		return rc;
	return rebuild_fail(
		rb, -EIO, "sink %s cannot be read: %.200s", rb->opt->line, rb->opt->sink->reader_error(rb->reader));
}

const struct zone *rebuild_zone(const struct rebuild *rb, uint32_t grain, struct tally_str site)
{
	return grain < TALLY_DAY ? zone_utc() : meta_site_zone(&rb->meta, rb->opt->conf, site);
}

static int take_count(void *arg, const struct tally_cell *c)
{
	*(int64_t *)arg = c[0].null ? 0 : c[0].v.i;
	return 0;
}

int rebuild_count(struct rebuild *rb, const char *table, int64_t *n)
{
	static const uint32_t type = TALLY_T_INT;
	int rc = rebuild_begin(rb);
	if (rc)
		return rc;
	rc = rebuild_ask(rb, arena_printf(&rb->page, "SELECT COUNT(*) FROM `%s%s`", rb->opt->prefix, table), &type, 1,
		take_count, n);
	rebuild_end(rb);
	return rc;
}

int rebuild_moved(struct rebuild *rb, int rc)
{
	if (rc == TALLY_SINK_MOVED)
		return rebuild_fail(rb, -EIO,
			"a rollup was swapped or a zone changed meanwhile, so nothing was changed here: rebuild again");
	return rc <= 0 ? rc : -EIO;
}

/* ---- the order of things ---- */

/* All nodes up to their positions as of the last look. */
static int fill(struct rebuild *rb, size_t *most)
{
	int rc = 0;
	*most = 0;
	for (size_t i = 0; i < rb->nnodes && rc == 0; i++) {
		size_t events, changes, all = 0;
		do {
			rc = rebuild_next(rb, &rb->nodes[i], REBUILD_PAGE, &events, &changes);
			if (rc == 0)
				rc = rebuild_write(rb);
			all += rc == 0 ? events + changes : 0;
		} while (rc == 0 && (events == REBUILD_PAGE || changes == REBUILD_PAGE));
		*most = all > *most ? all : *most;
	}
	return rc;
}

static int look_at_nodes(struct rebuild *rb)
{
	int rc = rebuild_begin(rb);
	if (rc)
		return rc;
	rc = rebuild_nodes(rb);
	if (rc == 0)
		rc = rebuild_all_there(rb);
	rebuild_end(rb);
	return rc;
}

/* What has come since the look before: less with every round, until it is little enough for one transaction that others
 * wait for, or does not become less any more. */
static int catch_up(struct rebuild *rb)
{
	size_t most = SIZE_MAX, before = SIZE_MAX;
	int rc = 0;
	rb->within = false;
	for (int i = 0; i < REBUILD_ROUNDS && rc == 0; i++) {
		rb->result->rounds++;
		rc = look_at_nodes(rb);
		if (rc == 0)
			rc = fill(rb, &most);
		if (most <= REBUILD_LITTLE || (most < REBUILD_LAST / 2 && most >= before / 2))
			return rc;
		before = most;
	}
	if (rc == 0 && most >= REBUILD_LAST)
		return rebuild_fail(
			rb, -EIO, "more events stream in than can be added up beside: try at a quieter time");
	return rc;
}

static int first_round(struct rebuild *rb)
{
	size_t most;
	atomic_store(&rb->progress->phase, rb->copies ? REBUILD_COPYING : REBUILD_FILLING);
	int rc = rebuild_begin(rb);
	if (rc)
		return rc;
	rc = rebuild_nodes(rb);
	if (rc == 0 && rb->copies)
		rc = rebuild_copy(rb);
	atomic_store(&rb->progress->phase, REBUILD_FILLING);
	rb->within = rb->copies;
	if (rc == 0)
		rc = rebuild_visits(rb);
	rebuild_end(rb);
	return rc == 0 ? fill(rb, &most) : rc;
}

static int drop(struct rebuild *rb, const char *table)
{
	char words[512] = "";
	int rc = ship_side_drop(rb->opt->ship, table, words);
	for (int i = 0; i < 20 && rc == TALLY_SINK_RETRY && !atomic_load(rb->opt->stop); i++)
		rc = ship_side_drop(rb->opt->ship, table, words);
	if (rc != TALLY_SINK_OK)
		log_warn("rebuild", "table %s%s is not needed any more and could not be removed: %s", rb->opt->prefix,
			table, words);
	return rc;
}

/* Tables of this rollup that nobody reads: of rebuilds that did not come to an end, or could not remove the old one. */
static void drop_leavings(struct rebuild *rb)
{
	static const char *const heads[] = { META_MAKING, META_ROLLUP };
	const char *definition = meta_definition(rb->sr->rollup, &rb->arena);
	unsigned live = remember_number(&rb->mem, rb->sr->rollup);
	for (unsigned n = 1; n < remember_free_number(&rb->mem, rb->sr->rollup); n++) {
		const char *id = meta_rollup_id(rb->sr->rollup, n, &rb->arena);
		const struct remembered *made = remember_find(&rb->mem, arena_printf(&rb->arena, "%s%s", heads[1], id));
		bool making = remember_find(&rb->mem, arena_printf(&rb->arena, "%s%s", heads[0], id)) != NULL;
		bool old = made && n != live && strcmp(made->value, definition) == 0;
		if (old || (making && !made))
			(void)drop(rb, schema_rollup_table(&rb->arena, rb->sr->rollup, n));
	}
}

static int make_rows(struct rebuild *rb)
{
	int rc = rebuild_claim(rb);
	if (rc == 0 && ship_side_open(rb->opt->ship, &rb->twin, rb->result->words) != TALLY_SINK_OK)
		rc = -EIO;
	if (rc)
		return rc;
	rc = first_round(rb);
	for (int i = 0; rc == 0 && i < SWAPS; i++) {
		rc = catch_up(rb);
		if (rc == 0)
			rc = rebuild_check_sums(rb);
		atomic_store(&rb->progress->phase, REBUILD_SWAPPING);
		if (rc == 0 && (rc = rebuild_swap(rb)) != -EAGAIN)
			break;
		rc = rc == -EAGAIN && i + 1 < SWAPS ? 0 : rc;
	}
	ship_side_close(rb->opt->ship, &rb->twin);
	if (!rb->unsure)
		(void)!drop(rb, rc == 0 ? rb->old_table : rb->twin.name);
	return rc;
}

static void close_all(struct rebuild *rb)
{
	if (rb->chain)
		plug_chain_close(rb->chain);
	if (rb->reader)
		rb->opt->sink->reader_close(rb->reader);
	table_free(&rb->days);
	free(rb->rows);
	arena_free(&rb->page);
	arena_free(&rb->arena);
}

int rebuild_run(const struct rebuild_options *opt, struct rebuild_progress *progress, struct rebuild_result *result)
{
	struct rebuild rb = { .opt = opt, .progress = progress, .result = result };
	arena_init(&rb.arena, 0);
	arena_init(&rb.page, 1 << 20);
	int rc = rebuild_look(&rb);
	if (rc == 0)
		rc = rebuild_open_chain(&rb);
	if (rc == 0) {
		drop_leavings(&rb);
		rc = make_rows(&rb);
		rebuild_release(&rb);
	}
	if (rc == 0) {
		snprintf(result->table, sizeof result->table, "%s", rb.twin.name);
		result->whole_from_us = rb.new_horizon_us;
		atomic_store(&progress->phase, REBUILD_DONE);
	}
	close_all(&rb);
	return rc;
}
