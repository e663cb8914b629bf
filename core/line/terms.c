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

static int take_row(void *arg, const struct tally_cell *c)
{
	struct site_terms *t = place(arg, str_make(c[0].v.ptr, c[0].len));
	*t = (struct site_terms){
		.stored = c[1].v.i, .dead = c[2].v.i, .thinned = c[3].v.i, .lost = c[4].v.i, .dropped = c[5].v.i
	};
	return 0;
}

static int read_store(struct line *l, struct table *out)
{
	static const uint32_t columns[] = { TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT, TALLY_T_INT,
		TALLY_T_INT };
	static const uint32_t params[] = { TALLY_T_TEXT, TALLY_T_TEXT };
	const struct tally_sink *sink = ship_sink(l->ship);
	const char *prefix = l->opt.sink->prefix;
	char sql[640];
	snprintf(sql, sizeof sql,
		"SELECT l.`site`, l.`stored`, l.`dead`, l.`thinned`, l.`lost`, l.`dropped` FROM `%stally_ledger` l "
		"JOIN `%stally_node` n ON n.`number` = l.`node` WHERE n.`uuid` = ? AND l.`line` = ?",
		prefix, prefix);
	const struct tally_cell values[] = {
		{ .v.ptr = l->opt.node_uuid, .len = (uint32_t)strlen(l->opt.node_uuid) },
		{ .v.ptr = l->opt.sink->name, .len = (uint32_t)strlen(l->opt.sink->name) },
	};
	struct tally_statement st = { .sql = sql,
		.params = values,
		.param_types = params,
		.nparams = 2,
		.column_types = columns,
		.ncolumns = 6 };
	void *reader;
	int rc = sink->reader_open(ship_sink_self(l->ship), &reader);
	if (rc)
		return rc;
	rc = sink->read_begin(reader);
	if (!rc) {
		rc = sink->read(reader, &st, take_row, out);
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
		.lost = c[LC_LOST].v.i,
		.dropped = c[LC_DROPPED].v.i };
	return 0;
}

static int read_any(struct line *l, struct table *out)
{
	const struct tally_sink *sink = ship_sink(l->ship);
	if (sink->is_store)
		return read_store(l, out);
	return sink->kept ? sink->kept(ship_sink_self(l->ship), take_kept, out) : -ENODATA;
}

void terms_load(struct line *l)
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
		add(&t->lost, more->lost);
	}
}

/* The store stands before the oldest record kept. That segment begins with a checkpoint of what was taken before it;
 * what the store does not account for is lost to it, and is counted with the next batch. */
struct gap {
	struct line *l;
	int64_t lost;
};

static void count_gap(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t n)
{
	(void)reason;
	struct gap *gap = arg;
	if (term != TERM_TAKEN)
		return;
	const struct site_terms *t = place(&gap->l->terms, site);
	int64_t lost = n - t->stored - t->thinned - t->dropped - t->dead - t->lost;
	if (lost <= 0)
		return;
	batch_terms(gap->l->filling, site)->lost += lost;
	gap->l->filling->dirty = true;
	gap->lost += lost;
}

void terms_lost(struct line *l, const struct spool_record *checkpoint)
{
	struct terms *taken = terms_open();
	struct gap gap = { .l = l };
	if (terms_merge(taken, checkpoint->payload, checkpoint->len) == 0)
		terms_each(taken, count_gap, &gap);
	terms_close(taken);
	log_error("line",
		"%s: the store is older than the spool: %lld events taken before lsn %llu are lost to it "
		"(store_too_old)",
		l->opt.sink->name, (long long)gap.lost, (unsigned long long)checkpoint->lsn);
}
