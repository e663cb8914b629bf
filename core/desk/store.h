/* SPDX-License-Identifier: Apache-2.0 */
/* The store, read: from the server that is written to or from replicas of it, by worker threads; and what every answer
 * looks up first: horizons and the version of the data.
 *
 * A reader is used by one worker at a time. store_begin() … store_end() is one snapshot: version and rows read between
 * them belong together. How many read at once is the business of who has the workers. [worker threads], but for open,
 * close and tick. */
#ifndef DESK_STORE_H
#define DESK_STORE_H

#include <tally/sink.h>

#include "desk/lag.h"
#include "desk/out.h"
#include "desk/plan.h"

struct store;
struct store_reader;

struct store_options {
	const struct tally_sink *sink; /* is_store */
	void *self;                    /* its instance */
	const char *prefix;            /* of its tables */
	const struct schema *schema;
	uint64_t config_hash; /* see store_set_config() */
	uint64_t max_rows;    /* raw rows of one statement */
	int64_t timeout_us;   /* of one question; the sink may have a shorter one */
	/* [any thread] As in desk_view; may be NULL. */
	bool (*freshness)(void *arg, int64_t *complete_through_us, double *lag_seconds);
	void *freshness_arg;
};

#define store_freshness lag_freshness

struct store *store_open(const struct store_options *opt);
/* Assumes: no reader is out. */
void store_close(struct store *s);
const struct store_options *store_options(const struct store *s);
/* [any thread] Part of every version from the next store_begin() on: other rollups or zones, other answers. */
void store_set_config(struct store *s, uint64_t hash);
uint64_t store_config(const struct store_reader *r);
const struct store *store_of(const struct store_reader *r);

/* [any thread] Called now and then: gives up what has not come back though its time is over. */
void store_tick(struct store *s);
/* [any thread] From now on every answer has what is committed by now. */
void store_read_behind_now(struct store *s);
/* [any thread] What operators should know of the replicas; "" = nothing. */
void store_note(struct store *s, char words[256]);

/* How a replica stands. */
struct store_replica_view {
	const char *name, *state; /* "asked", "new", "lag", "away", "strange", "error" */
	double lag_seconds;       /* at most, when it was last looked at */
	int64_t reads;
	char trouble[200]; /* "" = it is asked */
};
/* [any thread] */
bool store_has_replicas(const struct store *s);
/* [any thread] How many were written to out, at most n. */
size_t store_replicas(struct store *s, struct store_replica_view *out, size_t n);

/* One question: it may begin several snapshots, one behind the other. Zeroed at first. */
struct store_ask {
	bool newest;      /* set before: only the server that is written to */
	int64_t until_us; /* monotonic; its time runs from the first store_begin() on */
	uint32_t tried;   /* servers, by bit */
	bool failed;      /* the server's fault: another may answer */
};

/* Begins a snapshot: on a replica that is young enough, else where it is written to. -errno with err: nobody can be
 * reached. */
must_check int store_begin(struct store *s, struct store_ask *ask, struct store_reader **out, struct query_error *err);
void store_end(struct store_reader *r);
/* After a reading has failed: true = ask again from the beginning, by another store_begin(). */
bool store_again(const struct store *s, struct store_ask *ask);
/* Is it a replica's? Then how far its data goes, and whether that could not be confirmed, since the server that is
 * written to cannot be reached. */
bool store_is_replica(const struct store_reader *r, struct store_freshness *fresh, bool *unconfirmed);

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
