/* SPDX-License-Identifier: Apache-2.0 */
/* A statistics query, checked and resolved: what parse makes, what plan, run and shape read.
 *
 * Everything lives in the arena of its request; once made it is read-only, but for the range of "all", which only the
 * store can tell. One thread at a time. */
#ifndef DESK_QUERY_H
#define DESK_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"
#include "conf/conf.h"
#include "text/pattern.h"
#include "zone/zone.h"

#define QUERY_METRICS_MAX 32
#define QUERY_DIMENSIONS_MAX 8
#define QUERY_FIELDS_MAX 24       /* distinct event fields in dimensions and filters */
#define QUERY_FILTER_NODES_MAX 64 /* of and, or, not and the tests under them */
#define QUERY_FILTER_VALUES_MAX 1000
#define QUERY_FILTER_DEPTH_MAX 8
#define QUERY_VALUE_MAX 4096
#define QUERY_PATTERN_MAX 256
#define QUERY_PATTERN_STEPS_MAX 4000 /* of all patterns of a query */
#define QUERY_ROWS_MAX 10000         /* pagination.limit, and its default */
#define QUERY_BUCKETS_MAX 20000
#define QUERY_BODY_MAX 65536
#define QUERY_STEPS_MAX 16    /* of a funnel */
#define QUERY_PERIODS_MAX 400 /* of retention */

/* ---- what went wrong, for problem.c ---- */

struct query_error {
	int status;          /* 400, 403, 422, 501, 503 */
	const char *code;    /* short constant of [a-z_] */
	char detail[768];    /* what, and what to do */
	char pointer[256];   /* RFC 6901 into the body, or "?name" of a parameter; "" = none */
	int64_t offset;      /* byte of the body where that begins, -1 = none */
	const char *member;  /* member of the body that a check of the whole is about, NULL = none … */
	int index;           /* … and which of its elements, -1 = all of it */
	const char *declare; /* a line for `rollups:` that would have done, or NULL; lives in the request's arena */
	const char *const *legal; /* names that would have done, NULL-terminated, or NULL */
	unsigned retry_after_s;
};

/* Fills it; returns -EINVAL for `return`. */
int query_fail(struct query_error *err, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Says which part of the question it is about; returns -EINVAL. */
int query_fail_at(struct query_error *err, const char *member, int index);

/* ---- the parts ---- */

enum query_metric_kind {
	QM_EVENTS,
	QM_PAGEVIEWS,
	QM_VISITORS,
	QM_SUM,
	QM_AVG,
	QM_MIN,
	QM_MAX,
	QM_PERCENTAGE,
	QM_QUANTILE,
	QM_CONVERSION,
	QM_VISITS, /* this and the following: of visits */
	QM_VIEWS_PER_VISIT,
	QM_BOUNCE_RATE,
	QM_VISIT_DURATION
};

struct query_metric {
	enum query_metric_kind kind;
	uint32_t is_prop;
	unsigned percent;       /* QM_QUANTILE: 1..99 */
	struct tally_str field; /* key of the prop; empty for the event's value */
	struct tally_str text;  /* as asked: "sum:props.price" */
};

/* What of an event is looked at: one of its fields by enum tally_dimension_kind. */
struct query_field {
	uint32_t kind;
	struct tally_str key; /* TALLY_DIM_PROP */
	struct tally_str text;
};

struct query_dimension {
	bool is_time;
	enum zone_unit unit; /* is_time */
	unsigned field;      /* else: index into fields */
	struct tally_str text;
};

enum query_op { QF_AND, QF_OR, QF_NOT, QF_IS, QF_CONTAINS, QF_MATCHES };

struct query_filter {
	enum query_op op;
	bool negated; /* is_not, contains_not, matches_not */
	bool folded;  /* without regard to case: values are folded (text/fold.h), patterns compiled so */
	struct query_filter **kids;
	size_t nkids;
	unsigned field;
	struct tally_str *values; /* sorted, each once */
	size_t nvalues;
	const struct pattern **patterns; /* QF_MATCHES */
	size_t npatterns;
};

struct query_order {
	bool is_metric;
	bool descending;
	unsigned index; /* of metrics or dimensions */
};

/* Those from QUERY_FUNNEL on walk through the events of every visitor (walk.h). */
enum query_form { QUERY_FULL, QUERY_TOTALS, QUERY_SERIES, QUERY_TOP, QUERY_ACTIVE, QUERY_FUNNEL, QUERY_RETENTION };

/* A step of a funnel, or of retention: [0] what makes a visitor one of a cohort, [1] what counts as coming again. */
struct query_step {
	struct tally_str name;
	struct query_filter *filter; /* NULL = any event */
};

enum query_format { QUERY_JSON, QUERY_CSV, QUERY_NDJSON };
enum query_compare { QUERY_ALONE, QUERY_PREVIOUS_PERIOD, QUERY_YEAR_OVER_YEAR };

struct query_range {
	int64_t from_us, to_us; /* half-open */
};

struct query {
	struct tally_str site;
	const struct zone *zone;      /* of the question */
	const struct zone *site_zone; /* of the store's day and month rows */
	struct query_range range;
	bool all; /* from_us is not known yet */
	enum query_compare compare;
	struct query_range compared;

	struct query_metric metrics[QUERY_METRICS_MAX];
	size_t nmetrics;
	struct query_dimension dims[QUERY_DIMENSIONS_MAX];
	size_t ndims;
	int time_dim; /* index into dims, -1 = none */
	struct query_field fields[QUERY_FIELDS_MAX];
	size_t nfields;
	struct query_filter *filter; /* NULL = everything */
	size_t pattern_steps;        /* of its patterns */
	struct query_order order[QUERY_METRICS_MAX + QUERY_DIMENSIONS_MAX];
	size_t norder;
	struct {
		bool time_labels, total_rows, other_row;
	} include;
	uint32_t limit, offset;
	enum query_form form;
	struct query_step steps[QUERY_STEPS_MAX]; /* from QUERY_FUNNEL on */
	size_t nsteps;
	int64_t window_us; /* QUERY_FUNNEL: from the first step to the last, 0 = any */
	enum query_format format;
	bool explain;
	struct tally_str key; /* normal form: equal for equal questions */
};

/* What the question is asked against. */
struct query_context {
	const struct conf *conf;
	struct tally_str key_site; /* the only site this asker may see; empty = any */
	int64_t now_us;
	enum query_format format;
	bool explain;
};

/* ---- making one ---- */

/* Reads the body of POST /v1/query. query: the URL's query string (format, explain). 0 or -EINVAL with err. */
must_check int query_parse(const struct query_context *cx, struct arena *a, struct tally_str body, struct query *q,
	struct query_error *err);

/* Reads the body of POST /v1/query/funnel or /retention. */
must_check int query_parse_walk(const struct query_context *cx, struct arena *a, enum query_form form,
	struct tally_str body, struct query *q, struct query_error *err);

/* Reads a short form: GET /v1/sites/{site}/{form}?query. */
must_check int query_parse_short(const struct query_context *cx, struct arena *a, enum query_form form,
	struct tally_str site, struct tally_str query, struct query *q, struct query_error *err);

/* ---- parts of parsing, shared by both forms ---- */

static inline bool query_is_of_visits(const struct query_metric *m)
{
	return m->kind >= QM_VISITS && m->kind <= QM_VISIT_DURATION;
}

/* A metric or dimension by its name. 0 or -EINVAL with status 400 or 501. */
must_check int query_add_metric(struct query *q, struct arena *a, struct tally_str name, struct query_error *err);
must_check int query_add_dimension(struct query *q, struct arena *a, struct tally_str name, struct query_error *err);
/* The field for a name as in dimensions, without time; made if new. */
must_check int query_field(
	struct query *q, struct arena *a, struct tally_str name, unsigned *out, struct query_error *err);

/* A test on a field; values are sorted here and patterns compiled. folded: "case_sensitive": false. */
must_check int query_make_test(struct query *q, struct arena *a, struct tally_str op, struct tally_str dimension,
	struct tally_str *values, size_t n, bool folded, struct query_filter **out, struct query_error *err);

/* "7d", "month", "all" … */
must_check int query_range_named(
	struct query *q, const struct query_context *cx, struct tally_str name, struct query_error *err);
/* Two dates (inclusive) or datetimes (half-open). */
must_check int query_range_pair(struct query *q, struct tally_str from, struct tally_str to, struct query_error *err);
/* The range before, once range is known. */
void query_range_compared(struct query *q);
/* Site, its zone, and the question's zone; timezone empty = the site's. */
must_check int query_set_site(struct query *q, const struct query_context *cx, struct tally_str site,
	struct tally_str timezone, struct query_error *err);

/* Metrics of visits and fields of events do not go together, nor the reverse. */
must_check int query_check_pairs(const struct query *q, struct query_error *err);

/* Resolves "time", checks what only the whole shows, fills in the default order, brings filters into normal order and
 * makes q->key. */
must_check int query_finish(struct query *q, struct arena *a, struct query_error *err);

/* ---- conversion_rate: visitors who reach a goal among those who were there ---- */

/* Is the metric asked? */
bool query_asks(const struct query *q, enum query_metric_kind kind);
/* A goal is a filter or a dimension on event:name or event:props:X. */
bool query_has_goal(const struct query *q);
/* The question after the visitors that a conversion rate is a share of: the same range and time dimension, and of the
 * filters those that do not look at a goal. */
void query_base(const struct query *q, struct arena *a, struct query *out);

/* ---- reading one ---- */

/* The normal form as JSON; as "query" of an answer and, with the form and format before it, as the key. */
struct tally_str query_normal(const struct query *q, struct arena *a);

/* Do these values (one a field) pass the filter? */
bool query_passes(const struct query_filter *f, const struct tally_str *values);

/* NULL-terminated lists for messages and /v1/schema. */
const char *const *query_metric_names(void);
const char *const *query_dimension_names(void);
const char *const *query_visit_metric_names(void);
const char *const *query_visit_dimension_names(void);
const char *const *query_event_dimension_names(void);
const char *const *query_operator_names(void);
const char *const *query_range_names(void);
const char *const *query_comparison_names(void);

#endif
