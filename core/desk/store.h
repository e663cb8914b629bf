/* SPDX-License-Identifier: Apache-2.0 */
/* The store, read: a small pool of readers for worker threads, and what every answer looks up first: horizons and the
 * version of the data.
 *
 * A reader is used by one worker at a time. store_begin() … store_end() is one snapshot: version and rows read between
 * them belong together. [worker threads], but for open and close. */
#ifndef DESK_STORE_H
#define DESK_STORE_H

#include <tally/sink.h>

#include "desk/out.h"
#include "desk/plan.h"

#define STORE_READERS 3

struct store;
struct store_reader;

struct store_options {
	const struct tally_sink *sink; /* is_store */
	void *self;                    /* its instance */
	const char *prefix;            /* of its tables */
	const struct schema *schema;
	uint64_t config_hash; /* see store_set_config() */
	uint64_t max_rows;    /* raw rows of one statement */
	int64_t timeout_us;   /* of one question */
};

struct store *store_open(const struct store_options *opt);
/* Assumes: no reader is out. */
void store_close(struct store *s);
const struct store_options *store_options(const struct store *s);
/* [any thread] Part of every version from the next store_begin() on: other rollups or zones, other answers. */
void store_set_config(struct store *s, uint64_t hash);
uint64_t store_config(const struct store_reader *r);
const struct store *store_of(const struct store_reader *r);

/* Waits for a reader and begins a snapshot. -errno with err: the store cannot be reached. */
must_check int store_begin(struct store *s, struct store_reader **out, struct query_error *err);
void store_end(struct store_reader *r);

/* The part of the question's time that is left, microseconds; at least 1. */
int64_t store_time_left(const struct store_reader *r);

/* ---- statements ---- */

/* SQL and its parameters, put together piece by piece in an arena. */
#define STORE_PARAMS_MAX 1200
#define STORE_COLUMNS_MAX 96

struct store_sql {
	struct text_out text;
	struct tally_cell *params;
	uint32_t *types;
	size_t nparams;
	uint32_t columns[STORE_COLUMNS_MAX];
	size_t ncolumns;
};

void store_sql_open(struct store_sql *sql, struct arena *a);
/* `name`, with backticks */
void store_sql_name(struct store_sql *sql, const char *name);
void store_sql_table(struct store_sql *sql, const struct store *s, const char *name);
void store_sql_int(struct store_sql *sql, int64_t value);
void store_sql_text(struct store_sql *sql, struct tally_str value);
void store_sql_bytes(struct store_sql *sql, const void *bytes, size_t len);
/* One more result column: the text before and after its name, and its type. */
void store_sql_column(struct store_sql *sql, const char *before, const char *name, const char *after, uint32_t type);

/* 0, what fn returned, or -errno with err set: -ETIMEDOUT is status 422, a lost store 503. */
must_check int store_read(
	struct store_reader *r, const struct store_sql *sql, tally_row_fn fn, void *arg, struct query_error *err);

/* ---- what every answer looks up ---- */

struct store_state {
	struct meta meta; /* a rollup that is not in the store is whole from INT64_MAX */
	int64_t raw_horizon_us;
	bool hash_key_known; /* meta.hash_key is set */
};
must_check int store_state(struct store_reader *r, struct arena *a, struct store_state *out, struct query_error *err);

#define STORE_NODES_MAX 64

struct store_version {
	uint64_t hash;     /* never 0 */
	uint64_t revision; /* highest lsn that touched the range */
	unsigned nodes;    /* that wrote into the range; above STORE_NODES_MAX: so many or more */
	int64_t lost;      /* events of the site that a line never got */
};
/* Of the site's data in the ranges of the query. */
must_check int store_version(
	struct store_reader *r, const struct query *q, struct store_version *out, struct query_error *err);

/* The first and the last moment of which the store has anything of the site: of its events, or of the rows of its
 * rollups (whole quarters of an hour, or whole days where not all quarters are kept). first_us INT64_MAX and last_us
 * INT64_MIN: it has nothing. */
struct store_span {
	int64_t first_us, last_us;
};

must_check int store_span(struct store_reader *r, const struct store_state *st, struct tally_str site,
	struct store_span *out, struct query_error *err);

#endif
