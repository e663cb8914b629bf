/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a plan names and adds it up. [worker threads]; everything made lives in the arena and the groups. */
#ifndef DESK_RUN_H
#define DESK_RUN_H

#include "desk/group.h"
#include "desk/store.h"

/* One statement that was run, for explain. */
struct run_statement {
	struct tally_str sql;
	struct plan_piece piece;
	uint64_t rows;
	struct run_statement *next;
};

struct pick;

struct run {
	const struct query *q;
	const struct plan *plan;
	struct store_reader *reader;
	struct arena *arena;
	struct groups groups;
	uint64_t rows_read;
	bool thinned; /* raw rows that stand for more than themselves */
	bool folded;  /* a rollup's "(other)" row was met */
	bool missed;  /* one that the filter may or may not mean: it is left out */
	struct run_statement *statements, *last;
	struct query_error *err;
	size_t piece;            /* of the statement under way */
	const struct pick *only; /* rollup: the rows to read; NULL = all */
};

/* Opens the groups of r and fills them. 0 or -errno with err. groups_close() is the caller's in both cases. */
must_check int run_plan(struct run *r, const struct query *q, const struct plan *plan, struct store_reader *reader,
	struct arena *a, struct query_error *err);

/* ---- the two sources; a positive result of a row function stops the statement ---- */

#define RUN_STOP 1 /* err is set */

must_check int run_rollup(struct run *r);
/* The column of a field in the plan's rollup. */
const char *run_rollup_column(const struct run *r, unsigned field);
/* The piece under way, row by row: events, visits, whatever is needed of them. */
must_check int run_scan(struct run *r);
must_check int run_raw(struct run *r);    /* rows of tally_event */
must_check int run_visits(struct run *r); /* rows of tally_visit */
/* Adds to err, which says that it would read too many rows, what would have done. */
void run_add_advice(struct run *r);

/* Runs one statement and remembers it. */
must_check int run_statement(struct run *r, const struct store_sql *sql, tally_row_fn fn, void *arg);

/* " AND `column` IN (…)" for the tests of the filter that every row must pass and that SQL can make; the rest is made
 * on each row. column_of: the name of a field's column, NULL = not a column. */
void run_narrow(struct run *r, struct store_sql *sql, const char *(*column_of)(const struct run *r, unsigned field));

/* " FROM table WHERE …": the rows of the site in the piece's time, narrowed. table: SCHEMA_EVENT or another fixed one with
 * columns `site` and `time`. */
void run_put_source(struct run *r, struct store_sql *sql, unsigned table,
	const char *(*column_of)(const struct run *r, unsigned field));

/* One such test; false = SQL cannot make it, or has too many values already. */
bool run_narrow_by(struct store_sql *sql, const struct query_filter *f, const char *column);

/* Called for every row: true, with err set, once the question's time is over. The store's own limit does not count the
 * time that filters and sketches take here. */
bool run_out_of_time(struct run *r);

/* err for -E2BIG of a group: too many rows in the answer. */
int run_too_big(struct run *r);

#endif
