/* SPDX-License-Identifier: Apache-2.0 */
/* Reading tally_event row by row: only the columns that a question needs, at most limits.query_rows rows. What is done
 * with a row is its caller's: run_raw.c adds up, walk.c follows each visitor. */
#ifndef DESK_RAW_H
#define DESK_RAW_H

#include "desk/run.h"
#include "text/tree.h"

struct raw_scan {
	struct run *run;
	const struct tally_column *columns; /* of tally_event */
	int at[EVC_COLUMNS];                /* place in the result, -1 = not read */
	struct arena row;                   /* props of the row in hand */
	uint64_t max_rows;
	struct tally_str fields[QUERY_FIELDS_MAX];
};

void raw_open(struct raw_scan *s, struct run *r);
void raw_close(struct raw_scan *s);

/* ---- the statement, in this order ---- */

/* SELECT time, weight, and what the fields of the question need. */
void raw_sql_open(struct raw_scan *s, struct store_sql *sql);
void raw_want(struct raw_scan *s, struct store_sql *sql, enum schema_event_column c);
/* FROM and WHERE: site, the piece under way, and the tests of the filter that SQL can make. */
void raw_put_source(struct raw_scan *s, struct store_sql *sql);
void raw_put_limit(struct raw_scan *s, struct store_sql *sql);
/* The column of a field, NULL = a prop. */
const char *raw_column(const struct run *r, unsigned field);

/* ---- a row ---- */

struct tally_str raw_text(const struct raw_scan *s, const struct tally_cell *cells, enum schema_event_column c);
/* The props, until the next row; NULL = not read, or none. */
const struct tree_node *raw_props(struct raw_scan *s, const struct tally_cell *cells);
/* Fills s->fields. */
void raw_read_fields(struct raw_scan *s, const struct tally_cell *cells, const struct tree_node *props);
/* For the row that is one too many: RUN_STOP with err. */
int raw_too_many(struct raw_scan *s);

#endif
