/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the events this line was given, by site: read from the store at the start of the line, then added up
 * with every commit, since nobody else writes those rows. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "line/internal.h"

static struct site_terms *place(struct table *t, struct tally_str site)
{
	void **at = table_place(t, site);
	if (!*at) {
		*at = memory_zalloc(1, sizeof(struct site_terms));
		MUST(*at != NULL);
	}
	return *at;
}

void terms_free_table(struct table *t)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(t, &at));)
		free(e->value);
	table_free(t);
}

/* ---- from the store ---- */

static int take_row(void *arg, const struct tally_cell *c)
{
	struct site_terms *t = place(arg, str_make(c[0].v.ptr, c[0].len));
	*t = (struct site_terms){ .stored = c[1].v.i, .dead = c[2].v.i, .thinned = c[3].v.i, .dropped = c[5].v.i };
	t->gaps[GAP_STORE_TOO_OLD] = c[4].v.i; /* until the rows of tally_gap say otherwise: they are younger */
	return 0;
}

static int take_gap(void *arg, const struct tally_cell *c)
{
	struct site_terms *t = place(arg, str_make(c[0].v.ptr, c[0].len));
	int gap = gap_of(str_make(c[1].v.ptr, c[1].len));
	if (gap == GAPS)
		return 0;
	if (gap != GAP_BEFORE && gap != GAP_STORE_TOO_OLD)
		t->gaps[GAP_STORE_TOO_OLD] -= c[2].v.i;
	if (gap != GAP_STORE_TOO_OLD)
		t->gaps[gap] += c[2].v.i;
	return 0;
}

static int ask(struct line *l, void *reader, const char *select, const char *table, const uint32_t *columns,
	size_t ncolumns, tally_row_fn fn, struct table *out)
{
	static const uint32_t params[] = { TALLY_T_TEXT, TALLY_T_TEXT };
	const char *prefix = l->opt.sink->prefix;
	char sql[640];
	snprintf(sql, sizeof sql,
		"SELECT %s FROM `%s%s` l JOIN `%stally_node` n ON n.`number` = l.`node` WHERE n.`uuid` = ? AND l.`line` = ?",
		select, prefix, table, prefix);
	const struct tally_cell values[] = {
		{ .v.ptr = l->opt.node_uuid, .len = (uint32_t)strlen(l->opt.node_uuid) },
		{ .v.ptr = l->opt.sink->name, .len = (uint32_t)strlen(l->opt.sink->name) },
	};
	struct tally_statement st = { .sql = sql,
		.params = values,
		.param_types = params,
		.nparams = 2,
		.column_types = columns,
		.ncolumns = ncolumns };
	return ship_sink(l->ship)->read(reader, &st, fn, out);
}

static int read_store(struct line *l, struct table *out)
{
	static const uint32_t six[] = { TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT };
	static const uint32_t three[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT };
	const struct tally_sink *sink = ship_sink(l->ship);
	void *reader;
	int rc = sink->reader_open(ship_sink_self(l->ship), &reader);
	if (rc)
		return rc;
	rc = sink->read_begin(reader);
	if (!rc) {
		rc = ask(l, reader, "l.`site`, l.`stored`, l.`dead`, l.`thinned`, l.`lost`, l.`dropped`",
			"tally_ledger", six, 6, take_row, out);
		if (!rc)
			rc = ask(l, reader, "l.`site`, l.`reason`, l.`events`", "tally_gap", three, 3, take_gap, out);
		sink->read_end(reader);
	}
	if (rc)
		log_warn("line", "%s: the counts of the store cannot be read: %s", l->opt.sink->name,
			sink->reader_error(reader));
	sink->reader_close(reader);
	return rc;
}

/* A row of tally_ledger as a sink keeps it that is no store. */
static int take_kept(void *arg, const struct tally_cell *c)
{
	struct site_terms *t = place(arg, str_make(c[LC_SITE].v.ptr, c[LC_SITE].len));
	*t = (struct site_terms){ .stored = c[LC_STORED].v.i,
		.dead = c[LC_DEAD].v.i,
		.thinned = c[LC_THINNED].v.i,
		.gaps[GAP_STORE_TOO_OLD] = c[LC_LOST].v.i,
		.dropped = c[LC_DROPPED].v.i };
	return 0;
}

/* And of tally_gap: from the site on as read_store() asks for them. */
static int take_kept_gap(void *arg, const struct tally_cell *c)
{
	return take_gap(arg, c + GC_SITE);
}

static int read_any(struct line *l, struct table *out)
{
	const struct tally_sink *sink = ship_sink(l->ship);
	if (sink->is_store)
		return read_store(l, out);
	int rc = sink->kept ? sink->kept(ship_sink_self(l->ship), take_kept, out) : -ENODATA;
	return rc == 0 && sink->kept_gaps ? sink->kept_gaps(ship_sink_self(l->ship), take_kept_gap, out) : rc;
}

int terms_load(struct line *l)
{
	struct table fresh = { 0 };
	int rc = read_any(l, &fresh);
	pthread_mutex_lock(&l->lock);
	l->seen.counted = l->seen.counted || rc == 0;
	if (rc == 0) {
		terms_free_table(&l->terms);
		l->terms = fresh;
		fresh = (struct table){ 0 };
	}
	pthread_mutex_unlock(&l->lock);
	terms_free_table(&fresh);
	return ship_sink(l->ship)->is_store ? rc : 0;
}

/* A counter at its end stays there. */
static void add(int64_t *to, int64_t n)
{
	if (__builtin_add_overflow(*to, n, to))
		*to = n > 0 ? INT64_MAX : INT64_MIN;
}

void terms_commit(struct line *l, const struct batch *b)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&b->terms, &at));) {
		const struct site_terms *more = e->value;
		struct site_terms *t = place(&l->terms, e->key);
		add(&t->stored, more->stored);
		add(&t->thinned, more->thinned);
		add(&t->dropped, more->dropped);
		add(&t->dead, more->dead);
		for (int g = 0; g < GAPS; g++)
			add(&t->gaps[g], more->gaps[g]);
		if (more->taken)
			*(intptr_t *)table_place(&l->taken, e->key) += (intptr_t)more->taken;
	}
}
