/* SPDX-License-Identifier: Apache-2.0 */
/* Where an answer is read from: the cheapest rollup whose rows cover the question and are whole over its range, cut
 * into pieces of one grain each; else raw events; else a refusal that says what to declare.
 *
 * A bucket of a rollup may be read only whole, so every bound of the range and of the time dimension must fall on a
 * bucket's bound: months and days of the site's zone inside, quarters and minutes at the edges. What a range cuts off a
 * bucket at its two ends is added from raw events. Pure functions of what
 * they are given; everything made lives in the arena. [any thread] */
#ifndef DESK_PLAN_H
#define DESK_PLAN_H

#include "desk/query.h"
#include "ship/meta.h"
#include "ship/schema.h"

/* An amount that has to be added up for the metrics asked: enum tally_metric_kind of a number of the event. */
struct plan_need {
	uint32_t kind;
	uint32_t is_prop;
	struct tally_str field;
};

#define PLAN_NEEDS_MAX (QUERY_METRICS_MAX + 1) /* the visits that a metric is divided by may be one more */

struct plan_needs {
	struct plan_need need[PLAN_NEEDS_MAX];
	size_t n;
	unsigned of_metric[QUERY_METRICS_MAX]; /* the need that answers each metric of the query */
	unsigned visits;                       /* the need that metrics per visit are divided by */
};

/* Is it a sum over visits? */
static inline bool plan_is_of_visits(uint32_t kind)
{
	return (kind >= TALLY_VISITS && kind <= TALLY_DURATION) || kind == TALLY_VIEWS;
}

/* Is it a count, which adds up? */
static inline bool plan_is_count(uint32_t kind)
{
	return kind == TALLY_EVENTS || kind == TALLY_PAGEVIEWS || plan_is_of_visits(kind);
}

/* Any need of that sort? */
bool plan_needs_visits(const struct plan_needs *needs);
bool plan_needs_events(const struct plan_needs *needs);

void plan_needs(const struct query *q, struct plan_needs *out);

/* The bounds of the time dimension's buckets over a range: the label of bucket i is starts[i]. Without a time
 * dimension one bucket is all of it. */
struct plan_axis {
	int64_t *starts;
	size_t n;
};

/* -E2BIG: more than QUERY_BUCKETS_MAX. */
must_check int plan_axis(const struct query *q, struct query_range range, struct arena *a, struct plan_axis *out);
/* Assumes: t lies in the range. */
size_t plan_axis_find(const struct plan_axis *axis, int64_t t);

/* The grain of a piece that is read from raw events: less than a quarter of an hour at an end of the range. */
#define PLAN_EVENTS TALLY_GRAINS

struct plan_piece {
	int64_t from_us, to_us; /* of bucket starts, half-open; of events for PLAN_EVENTS */
	uint32_t grain;         /* enum tally_grain, PLAN_EVENTS */
};

struct pick;

struct plan {
	const struct schema_rollup *rollup; /* NULL = raw events */
	const char *table;                  /* that has its rows */
	struct plan_piece *pieces;          /* raw: one, PLAN_EVENTS */
	size_t npieces;
	struct plan_needs needs;
	struct plan_axis axis;
	struct query_range range;
	double buckets;                  /* how many the pieces hold */
	unsigned column[PLAN_NEEDS_MAX]; /* rollup: the metric that holds each need */
	bool from_name[PLAN_NEEDS_MAX];  /* PAGEVIEWS counted as the events of rows named view or pageview */
	unsigned dim_of_field[QUERY_FIELDS_MAX];
	const struct tally_rollup *held; /* raw: one that holds all of it, but not over this range */
	const char *held_why;
	int name_dim; /* dimension that holds event:name, -1 = none */

	/* the caller's, for the run */
	const uint8_t *hash_key; /* of the store; NULL = not known */
	unsigned nodes;          /* that wrote into the range; 0 = not known, or no row may be left out by its rank */
	const struct pick *only; /* rows that the answer needs no more than; NULL = all */
};

struct plan_store {
	const struct schema *schema;
	const struct meta *meta; /* a rollup at INT64_MAX is not there */
	int64_t raw_horizon_us;  /* raw events before it may be gone */
};

/* A plan over one range of the query (its own or the compared one). 0, or -EINVAL with err: 422 not_covered.
 * why: if not NULL, gets a JSON object that says for each rollup why it was not taken. */
must_check int plan_make(const struct query *q, struct query_range range, const struct plan_store *st, struct arena *a,
	struct plan *out, struct tally_str *why, struct query_error *err);

/* 0 rollup, 1 raw, 2 raw over a long range; for tally_request.cost. */
int plan_cost(const struct plan *p);

/* The line to put under `rollups:` so that the question needs no raw events. */
struct tally_str plan_declaration(const struct query *q, struct arena *a);

const char *plan_grain_name(uint32_t grain);
enum zone_unit plan_grain_unit(uint32_t grain);

#endif
