/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the query language: metrics and dimensions by name, those of later versions, and the lists for errors. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "desk/query.h"

#define PROP_KEY_MAX 64

static const struct {
	const char *name;
	enum query_metric_kind kind;
	bool has_field;
} metrics[] = {
	{ "events", QM_EVENTS, false },
	{ "pageviews", QM_PAGEVIEWS, false },
	{ "visitors", QM_VISITORS, false },
	{ "percentage", QM_PERCENTAGE, false },
	{ "conversion_rate", QM_CONVERSION, false },
	{ "sum", QM_SUM, true },
	{ "avg", QM_AVG, true },
	{ "min", QM_MIN, true },
	{ "max", QM_MAX, true },
	{ "visits", QM_VISITS, false },
	{ "views_per_visit", QM_VIEWS_PER_VISIT, false },
	{ "bounce_rate", QM_BOUNCE_RATE, false },
	{ "visit_duration", QM_VISIT_DURATION, false },
};

static const char *const metric_names[] = { "events", "pageviews", "visitors", "percentage", "conversion_rate", "sum:F",
	"avg:F", "min:F", "max:F", "p50:F", "p90:F", "p95:F", "p99:F", "visits", "views_per_visit", "bounce_rate",
	"visit_duration", NULL };

static const struct {
	const char *name;
	enum tally_dimension_kind kind;
} fields[] = {
	{ "event:name", TALLY_DIM_NAME },
	{ "event:page", TALLY_DIM_PAGE },
	{ "event:hostname", TALLY_DIM_HOST },
	{ "visit:referrer", TALLY_DIM_REFERRER },
	{ "visit:entry_page", TALLY_DIM_ENTRY_PAGE },
	{ "visit:exit_page", TALLY_DIM_EXIT_PAGE },
};

static const struct {
	const char *name;
	enum zone_unit unit;
} times[] = {
	{ "time", ZONE_DAY }, /* resolved by the length of the range in query_finish() */
	{ "time:minute", ZONE_MINUTE },
	{ "time:quarter", ZONE_QUARTER },
	{ "time:hour", ZONE_HOUR },
	{ "time:day", ZONE_DAY },
	{ "time:week", ZONE_WEEK },
	{ "time:month", ZONE_MONTH },
};

/* What an event has of its visit; what else it has; what only a visit has; and what a question may look at. */
#define SHARED_FIELDS                                                                                         \
	"visit:referrer", "visit:source", "visit:channel", "visit:utm_source", "visit:utm_medium",            \
		"visit:utm_campaign", "visit:utm_content", "visit:utm_term", "visit:device", "visit:browser", \
		"visit:os", "visit:country"
#define EVENT_FIELDS "event:name", "event:page", "event:hostname", "event:props:X", SHARED_FIELDS
#define PAGES_OF_VISIT "visit:entry_page", "visit:exit_page"
#define FIELD_NAMES EVENT_FIELDS, PAGES_OF_VISIT

static const char *const dimension_names[] = { "time", "time:minute", "time:quarter", "time:hour", "time:day",
	"time:week", "time:month", FIELD_NAMES, NULL };
static const char *const field_names[] = { FIELD_NAMES, NULL };

static const char *const operator_names[] = { "is", "is_not", "contains", "contains_not", "matches", "matches_not",
	"and", "or", "not", NULL };

int query_fail(struct query_error *err, int status, const char *code, const char *fmt, ...)
{
	va_list ap;
	*err = (struct query_error){ .status = status, .code = code, .offset = -1, .index = -1 };
	va_start(ap, fmt);
	vsnprintf(err->detail, sizeof err->detail, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int query_fail_at(struct query_error *err, const char *member, int index)
{
	err->member = member;
	err->index = index;
	return -EINVAL;
}

const char *const *query_metric_names(void)
{
	return metric_names;
}

const char *const *query_dimension_names(void)
{
	return dimension_names;
}

const char *const *query_operator_names(void)
{
	return operator_names;
}

static int unknown(struct query_error *err, const char *what, struct tally_str name, const char *const *legal)
{
	query_fail(err, 400, "unknown_name", "there is no %s \"%.*s\"", what, (int)(name.len < 128 ? name.len : 128),
		name.ptr);
	err->legal = legal;
	return -EINVAL;
}

/* The 95 of "p95"; 0 = no such word. */
static unsigned percent_of(struct tally_str s)
{
	unsigned percent = 0;
	if (s.len < 2 || s.len > 3 || s.ptr[0] != 'p' || s.ptr[1] == '0')
		return 0;
	for (size_t i = 1; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return 0;
		percent = percent * 10 + (unsigned)(s.ptr[i] - '0');
	}
	return percent;
}

/* The F of "sum:F": "value", or "props.KEY". */
static int metric_field(struct query_metric *m, struct tally_str f, struct query_error *err)
{
	struct tally_str props = STR("props.");
	if (str_eq(f, STR("value")))
		return 0;
	if (str_starts(f, props) && f.len > props.len && f.len - props.len <= PROP_KEY_MAX) {
		m->is_prop = 1;
		m->field = str_make(f.ptr + props.len, f.len - props.len);
		return 0;
	}
	static const char *const legal[] = { "value", "props.X", NULL };
	query_fail(err, 400, "unknown_name",
		"\"%.*s\" needs a number behind the colon: value, or props.X with a key "
		"of at most %d bytes",
		(int)(m->text.len < 128 ? m->text.len : 128), m->text.ptr, PROP_KEY_MAX);
	err->legal = legal;
	return -EINVAL;
}

static int metric_of(struct tally_str name, struct query_metric *m, struct query_error *err)
{
	const char *colon = name.len ? memchr(name.ptr, ':', name.len) : NULL;
	struct tally_str word = str_make(name.ptr, colon ? (size_t)(colon - name.ptr) : name.len);
	*m = (struct query_metric){ .text = name };
	for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
		if (!str_eq(word, str_of(metrics[i].name)) || metrics[i].has_field != (colon != NULL))
			continue;
		m->kind = metrics[i].kind;
		return colon ? metric_field(m, str_make(colon + 1, name.len - word.len - 1), err) : 0;
	}
	m->percent = colon ? percent_of(word) : 0;
	if (m->percent) {
		m->kind = QM_QUANTILE;
		return metric_field(m, str_make(colon + 1, name.len - word.len - 1), err);
	}
	return unknown(err, "metric", name, metric_names);
}

int query_add_metric(struct query *q, struct arena *a, struct tally_str name, struct query_error *err)
{
	if (q->nmetrics == QUERY_METRICS_MAX)
		return query_fail(err, 400, "too_many", "a query has at most %d metrics", QUERY_METRICS_MAX);
	for (size_t i = 0; i < q->nmetrics; i++)
		if (str_eq(q->metrics[i].text, name))
			return query_fail(
				err, 400, "repeated", "the metric \"%.*s\" is there already", (int)name.len, name.ptr);
	int rc = metric_of(arena_str(a, name), &q->metrics[q->nmetrics], err);
	q->nmetrics += rc == 0;
	return rc;
}

static int field_of(struct tally_str name, struct query_field *f, struct query_error *err)
{
	struct tally_str props = STR("event:props:");
	*f = (struct query_field){ .text = name };
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (str_eq(name, str_of(fields[i].name))) {
			f->kind = fields[i].kind;
			return 0;
		}
	}
	const char *key = conf_visit_key(name);
	if (key) {
		f->kind = TALLY_DIM_PROP;
		f->key = str_of(key);
		return 0;
	}
	if (str_starts(name, props) && name.len > props.len && name.len - props.len <= PROP_KEY_MAX) {
		f->kind = TALLY_DIM_PROP;
		f->key = str_make(name.ptr + props.len, name.len - props.len);
		return 0;
	}
	return unknown(err, "dimension", name, dimension_names);
}

int query_field(struct query *q, struct arena *a, struct tally_str name, unsigned *out, struct query_error *err)
{
	for (unsigned i = 0; i < q->nfields; i++) {
		if (str_eq(q->fields[i].text, name)) {
			*out = i;
			return 0;
		}
	}
	if (q->nfields == QUERY_FIELDS_MAX)
		return query_fail(
			err, 400, "too_many", "a query looks at no more than %d different fields", QUERY_FIELDS_MAX);
	if (str_starts(name, STR("time"))) {
		unknown(err, "dimension to filter by", name, field_names);
		return -EINVAL;
	}
	int rc = field_of(arena_str(a, name), &q->fields[q->nfields], err);
	*out = (unsigned)q->nfields;
	q->nfields += rc == 0;
	return rc;
}

static int add_time(struct query *q, struct query_dimension *d, size_t row, struct query_error *err)
{
	if (q->time_dim >= 0)
		return query_fail(err, 400, "repeated", "a query has at most one time dimension");
	d->is_time = true;
	d->unit = times[row].unit;
	d->text = str_of(times[row].name);
	q->time_dim = (int)q->ndims++;
	return 0;
}

int query_add_dimension(struct query *q, struct arena *a, struct tally_str name, struct query_error *err)
{
	if (q->ndims == QUERY_DIMENSIONS_MAX)
		return query_fail(err, 400, "too_many", "a query has at most %d dimensions", QUERY_DIMENSIONS_MAX);
	struct query_dimension *d = &q->dims[q->ndims];
	*d = (struct query_dimension){ 0 };
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		if (str_eq(name, str_of(times[i].name)))
			return add_time(q, d, i, err);
	if (str_starts(name, STR("time")))
		return unknown(err, "dimension", name, dimension_names);
	int rc = query_field(q, a, name, &d->field, err);
	if (rc)
		return rc;
	d->text = q->fields[d->field].text;
	for (size_t i = 0; i < q->ndims; i++)
		if (str_eq(q->dims[i].text, d->text))
			return query_fail(err, 400, "repeated", "the dimension \"%.*s\" is there already",
				(int)name.len, name.ptr);
	q->ndims++;
	return 0;
}

/* ---- which go together ---- */

static const char *const of_visits[] = { "time", "time:minute", "time:quarter", "time:hour", "time:day", "time:week",
	"time:month", SHARED_FIELDS, PAGES_OF_VISIT, NULL };
static const char *const of_events[] = { "time", "time:minute", "time:quarter", "time:hour", "time:day", "time:week",
	"time:month", EVENT_FIELDS, NULL };
static const char *const metrics_of_visits[] = { "visits", "views_per_visit", "bounce_rate", "visit_duration", NULL };

const char *const *query_visit_metric_names(void)
{
	return metrics_of_visits;
}

const char *const *query_visit_dimension_names(void)
{
	return of_visits;
}

const char *const *query_event_dimension_names(void)
{
	return of_events;
}

static int metric_of_visits(const struct query *q, bool wanted)
{
	for (size_t i = 0; i < q->nmetrics; i++)
		if (query_is_of_visits(&q->metrics[i]) == wanted)
			return (int)i;
	return -1;
}

static bool is_page_of_visit(const struct query_field *f)
{
	return f->kind == TALLY_DIM_ENTRY_PAGE || f->kind == TALLY_DIM_EXIT_PAGE;
}

/* "event:props:utm_source" is the same prop as "visit:utm_source", but asks for that of each event. */
static bool is_of_visit(const struct query_field *f)
{
	return is_page_of_visit(f) || f->kind == TALLY_DIM_REFERRER ||
	       (f->kind == TALLY_DIM_PROP && str_starts(f->text, STR("visit:")));
}

/* field is not to be had with metric number `at`, -1 = with what is no question about metrics. */
static int bad_pair(const struct query *q, int at, const struct query_field *f, const char *why,
	const char *const *legal, struct query_error *err)
{
	struct tally_str what = at < 0 ? STR("it") : q->metrics[at].text;
	query_fail(err, 400, "bad_pair", "\"%.*s\" is counted by %s", (int)what.len, what.ptr,
		at < 0                                ? "events"
		: query_is_of_visits(&q->metrics[at]) ? "visits"
						      : "events");
	size_t n = strlen(err->detail);
	snprintf(err->detail + n, sizeof err->detail - n, ", which have no \"%.*s\": %s", (int)f->text.len, f->text.ptr,
		why);
	err->legal = legal;
	return at < 0 ? -EINVAL : query_fail_at(err, "metrics", at);
}

int query_check_pairs(const struct query *q, struct query_error *err)
{
	int visits = metric_of_visits(q, true), events = metric_of_visits(q, false);
	bool asks_events = events >= 0 || q->form >= QUERY_FUNNEL;
	for (size_t i = 0; i < q->nfields; i++) {
		const struct query_field *f = &q->fields[i];
		if (visits >= 0 && !is_of_visit(f))
			return bad_pair(q, visits, f, "it goes with time and visit:*", of_visits, err);
		if (asks_events && is_page_of_visit(f))
			return bad_pair(q, events, f, "that goes with metrics of visits", metrics_of_visits, err);
	}
	return 0;
}
