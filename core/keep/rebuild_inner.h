/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a rebuild share: rebuild.c has the order of things, rebuild_look.c what is to be done and may be,
 * rebuild_fill.c rows from events and old rows, rebuild_visits.c from visits, rebuild_sums.c whether they add up,
 * rebuild_swap.c the last transaction. */
#ifndef KEEP_REBUILD_INNER_H
#define KEEP_REBUILD_INNER_H

#include "base/table.h"
#include "keep/rebuild.h"
#include "ship/remember.h"
#include "zone/zone.h"

#define REBUILD_PAGE 2000  /* events or rows of one transaction between the line's batches */
#define REBUILD_LAST 5000  /* events, and changes of visits, of a node that the last transaction may read */
#define REBUILD_LITTLE 200 /* with so few of a node left it may begin */
#define REBUILD_ROUNDS 60  /* tries to catch up with what streams in */

/* The last row of tally_visit_change that is in the new rows. */
struct rebuild_told {
	int64_t batch, lsn, idx, now;
};

/* A node whose raw rows are read: those up to (lsn, idx) are in the new rows. */
struct rebuild_node {
	int64_t number;
	const char *uuid;
	int64_t lsn, idx; /* done; idx -1: nothing yet of the record that begins at lsn */
	int64_t to;       /* its position, as of the last look: the record that begins there is not stored */
	struct rebuild_told told;
};

struct rebuild {
	const struct rebuild_options *opt;
	struct rebuild_progress *progress;
	struct rebuild_result *result;
	struct arena arena; /* until the end */
	struct arena page;  /* of the rows in hand */
	void *reader;

	struct remember mem;
	struct meta meta; /* as a reader has it */
	const struct schema_rollup *sr;
	const char *old_id, *new_id, *old_table;
	struct meta made; /* what meta will be once the new rows are in use */
	int64_t raw_horizon_us, old_horizon_us, new_horizon_us;
	struct meta_zoned zoned; /* of the new rows */
	int64_t from_us, to_us;  /* made from raw events; the rest is copied, if `copies` */
	bool copies;
	bool events, visits; /* which of them it has sums over */
	struct rebuild_node *nodes;
	size_t nnodes;

	struct tally_table twin; /* the new table: node is a column like others */
	struct plug_chain *chain;
	bool within;     /* only buckets that lie within [from_us, to_us) are taken */
	int64_t writing; /* number of the node whose events are in hand */
	struct tally_cell **rows;
	size_t nrows, rows_cap;
	struct rebuild_sum *sums[TALLY_GRAINS]; /* of what was written: by grain, one a column of twin */
	struct table days;                      /* site and UTC day of which rows were made */
	bool unsure;                            /* the swap may have been committed */
};

int rebuild_fail(struct rebuild *rb, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* One statement within a snapshot. -EIO, said. */
int rebuild_ask(struct rebuild *rb, const char *sql, const uint32_t *types, size_t n, tally_row_fn fn, void *arg);
int rebuild_begin(struct rebuild *rb);
void rebuild_end(struct rebuild *rb);
const struct zone *rebuild_zone(const struct rebuild *rb, uint32_t grain, struct tally_str site);

/* How many rows a table has. */
int rebuild_count(struct rebuild *rb, const char *table, int64_t *n);
/* What a write that was not OK comes to: 0 or -errno, said. */
int rebuild_moved(struct rebuild *rb, int rc);

/* rebuild_look.c */
int rebuild_look(struct rebuild *rb);
/* What the store remembers, and the nodes, read anew into rb->mem. */
int rebuild_remember(struct rebuild *rb);
/* [in a snapshot] Nodes and their positions; new ones are added. */
int rebuild_nodes(struct rebuild *rb);
/* [in a snapshot] Are all events that were counted still there as raw rows? */
int rebuild_all_there(struct rebuild *rb);

/* rebuild_fill.c */
int rebuild_open_chain(struct rebuild *rb);
/* [in the snapshot of rebuild_nodes()] Old rows that are taken over. */
int rebuild_copy(struct rebuild *rb);
/* Events of a node up to its position and what became of its visits, `most` of each at most, into rb->rows: in one go, so
 * that no key comes twice. */
int rebuild_next(struct rebuild *rb, struct rebuild_node *node, size_t most, size_t *events, size_t *changes);
/* What the plugin has added up becomes rows; after rc != 0 it is forgotten, and rc is the result. */
int rebuild_flush(struct rebuild *rb, const struct rebuild_node *node, int rc);
/* " AND `time` …": raw rows that the buckets in question are made of. */
const char *rebuild_times_sql(struct rebuild *rb);
/* Rows of that day were made: what is remembered of it is of others. */
void rebuild_touch_day(struct rebuild *rb, struct tally_str site, int64_t time_us);
/* rb->rows as the sink takes them. */
struct tally_rows rebuild_rows(struct rebuild *rb);
/* Writes rb->rows and forgets them. */
int rebuild_write(struct rebuild *rb);

/* rebuild_visits.c */

/* The new number is ours; from here on all lines tell what becomes of visits, if it has sums over them. */
int rebuild_claim(struct rebuild *rb);
/* It has come to an end. */
void rebuild_release(struct rebuild *rb);
/* [in the snapshot of rebuild_nodes()] All visits as they stand, written. */
int rebuild_visits(struct rebuild *rb);
/* What became of them in batches up to the node's position, `most` changes at most, to the plugin. */
int rebuild_changes(struct rebuild *rb, struct rebuild_node *node, size_t most, size_t *n);

/* rebuild_sums.c */
int rebuild_add_sums(struct rebuild *rb, const struct tally_cell *row);
int rebuild_check_sums(struct rebuild *rb);

/* rebuild_swap.c */
/* -EAGAIN: too much has come since the last look. */
int rebuild_swap(struct rebuild *rb);

#endif
