/* SPDX-License-Identifier: Apache-2.0 */
/* The range of a question: words such as "7d", pairs of dates, and the period to compare with. Days are those of the
 * question's zone; today belongs to every named range, whole. */
#include <errno.h>

#include "desk/query.h"

static const char *const names[] = { "day", "7d", "28d", "30d", "91d", "month", "6mo", "12mo", "year", "all", NULL };

const char *const *query_range_names(void)
{
	return names;
}

/* How a named range begins: so many days or months before today or this month. */
static const struct {
	const char *name;
	int days, months;
	bool year;
} named[] = {
	{ "day", 0, -1, false },
	{ "7d", 6, -1, false },
	{ "28d", 27, -1, false },
	{ "30d", 29, -1, false },
	{ "91d", 90, -1, false },
	{ "month", 0, 0, false },
	{ "6mo", 0, 5, false },
	{ "12mo", 0, 11, false },
	{ "year", 0, -1, true },
};

int query_range_named(struct query *q, const struct query_context *cx, struct tally_str name, struct query_error *err)
{
	int64_t today = zone_floor(q->zone, ZONE_DAY, cx->now_us);
	struct zone_civil c;
	zone_civil(q->zone, cx->now_us, &c);
	q->range.to_us = zone_next(q->zone, ZONE_DAY, today);
	if (str_eq(name, STR("all"))) {
		q->all = true;
		q->range.from_us = INT64_MIN;
		return 0;
	}
	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
		if (!str_eq(name, str_of(named[i].name)))
			continue;
		if (named[i].year)
			q->range.from_us = zone_date(q->zone, c.year, 1, 1);
		else if (named[i].months >= 0)
			q->range.from_us = zone_date(q->zone, c.year, c.month - named[i].months, 1);
		else
			q->range.from_us = zone_add(q->zone, ZONE_DAY, today, -named[i].days);
		return 0;
	}
	query_fail(err, 400, "bad_range",
		"there is no range \"%.*s\"; a pair [from, to] of dates or datetimes will do too",
		(int)(name.len < 64 ? name.len : 64), name.ptr);
	err->legal = names;
	return -EINVAL;
}

static int bound(
	const struct query *q, struct tally_str text, int index, int64_t *out, int *date_only, struct query_error *err)
{
	if (zone_parse_local(q->zone, text.ptr, text.len, out, date_only) == 0)
		return 0;
	query_fail(err, 400, "bad_range",
		"\"%.*s\" is neither a date (2026-10-25) nor an ISO 8601 time (2026-10-25T12:00:00+02:00)",
		(int)(text.len < 64 ? text.len : 64), text.ptr);
	return query_fail_at(err, "date_range", index);
}

int query_range_pair(struct query *q, struct tally_str from, struct tally_str to, struct query_error *err)
{
	int date_only = 0;
	int rc = bound(q, from, 0, &q->range.from_us, &date_only, err);
	if (rc == 0)
		rc = bound(q, to, 1, &q->range.to_us, &date_only, err);
	if (rc)
		return rc;
	if (date_only)
		q->range.to_us = zone_next(q->zone, ZONE_DAY, q->range.to_us);
	if (q->range.to_us <= q->range.from_us)
		return query_fail(err, 400, "bad_range",
			"the range ends before it begins (dates are inclusive, of two times the second is not)");
	return 0;
}

/* How many whole days of the zone the range is, 0 if it cuts one. */
static int whole_days(const struct zone *z, struct query_range r)
{
	int days = 0;
	int64_t at = r.from_us;
	if (zone_floor(z, ZONE_DAY, at) != at)
		return 0;
	for (; at < r.to_us; days++)
		at = zone_next(z, ZONE_DAY, at);
	return at == r.to_us ? days : 0;
}

/* A year without 29 February has the 28th in its place where a range begins, and 1 March where one ends, so that no day
 * of the year before is left out or comes twice. */
static int64_t year_before(const struct zone *z, int64_t t, bool is_end)
{
	struct zone_civil c;
	zone_civil(z, t, &c);
	int64_t day = zone_floor(z, ZONE_DAY, t);
	bool leap = c.month == 2 && c.day == 29;
	return zone_date(z, c.year - 1, c.month, leap && !is_end ? 28 : c.day) + (t - day);
}

void query_range_compared(struct query *q)
{
	if (q->compare == QUERY_YEAR_OVER_YEAR) {
		q->compared.from_us = year_before(q->zone, q->range.from_us, false);
		q->compared.to_us = year_before(q->zone, q->range.to_us, true);
		return;
	}
	int days = whole_days(q->zone, q->range);
	q->compared.to_us = q->range.from_us;
	q->compared.from_us = days ? zone_add(q->zone, ZONE_DAY, q->range.from_us, -days)
				   : q->range.from_us - (q->range.to_us - q->range.from_us);
}
