/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX TZ strings as TZif files end with: what holds after the last transition of the table.
 *
 *   CET-1CEST,M3.5.0,M10.5.0/3     <-02>2<-01>,M3.5.0/-1,M10.5.0/0     <+0545>-5:45
 *   std offset [dst [offset] , start [/time] , end [/time]]
 *
 * Offsets count west of UTC. A day is Mmonth.week.weekday (week 5 = the last), Jn (1..365, never the leap day) or n
 * (0..365); a time is -167..167 hours (RFC 8536, 3.3.1), 02:00 if absent. */
#include <errno.h>
#include <stdbool.h>

#include "zone/spans.h"

#define FIRST_YEAR 1900 /* of a rule without a table before it */

struct rule_day {
	char kind; /* 'M', 'J' or 'n' */
	int month, week, weekday;
	int day;
	int time_s;
};

struct rule {
	int32_t std_s, dst_s;
	bool has_dst;
	struct rule_day start, end; /* of daylight saving time */
};

/* ---- reading ---- */

struct text {
	const char *p, *end;
};

static bool eat(struct text *t, char c)
{
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

static bool at_digit(const struct text *t)
{
	return t->p < t->end && *t->p >= '0' && *t->p <= '9';
}

static bool number(struct text *t, int most, int *out)
{
	if (!at_digit(t))
		return false;
	*out = 0;
	for (; at_digit(t); t->p++) {
		*out = *out * 10 + (*t->p - '0');
		if (*out > most)
			return false;
	}
	return true;
}

static bool is_name_char(char c, bool quoted)
{
	bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	return alpha || (quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
}

static bool name(struct text *t)
{
	bool quoted = eat(t, '<');
	const char *start = t->p;
	while (t->p < t->end && is_name_char(*t->p, quoted))
		t->p++;
	return t->p - start >= 3 && (!quoted || eat(t, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool clock_time(struct text *t, int most_hours, int *out)
{
	bool minus = eat(t, '-');
	int h, m = 0, s = 0;
	if (!minus)
		eat(t, '+');
	if (!number(t, most_hours, &h))
		return false;
	if (eat(t, ':') && (!number(t, 59, &m) || (eat(t, ':') && !number(t, 59, &s))))
		return false;
	*out = (h * 60 + m) * 60 + s;
	*out = minus ? -*out : *out;
	return true;
}

static bool month_day(struct text *t, struct rule_day *d)
{
	d->kind = 'M';
	return number(t, 12, &d->month) && d->month >= 1 && eat(t, '.') && number(t, 5, &d->week) && d->week >= 1 &&
	       eat(t, '.') && number(t, 6, &d->weekday);
}

static bool day(struct text *t, struct rule_day *d)
{
	d->time_s = 2 * 3600;
	if (eat(t, 'M')) {
		if (!month_day(t, d))
			return false;
	} else {
		d->kind = eat(t, 'J') ? 'J' : 'n';
		if (!number(t, 365, &d->day) || (d->kind == 'J' && d->day < 1))
			return false;
	}
	return !eat(t, '/') || clock_time(t, 167, &d->time_s);
}

static bool rule_read(struct rule *r, struct text t)
{
	int west;
	if (!name(&t) || !clock_time(&t, 24, &west))
		return false;
	r->std_s = -west;
	r->has_dst = t.p < t.end;
	if (!r->has_dst)
		return true;
	if (!name(&t))
		return false;
	r->dst_s = r->std_s + 3600;
	if (t.p < t.end && *t.p != ',') {
		if (!clock_time(&t, 24, &west))
			return false;
		r->dst_s = -west;
	}
	return eat(&t, ',') && day(&t, &r->start) && eat(&t, ',') && day(&t, &r->end) && t.p == t.end;
}

/* ---- writing out ---- */

/* The day, as days since 1970. */
static int64_t day_in(const struct rule_day *d, int64_t year)
{
	if (d->kind == 'J')
		return days_of_date(year, 1, 1) + d->day - 1 + (is_leap(year) && d->day > 59);
	if (d->kind == 'n')
		return days_of_date(year, 1, 1) + d->day;
	int64_t first = days_of_date(year, d->month, 1);
	int wanted = (d->weekday + 6) % 7; /* POSIX counts from Sunday */
	int ahead = (wanted - weekday_of_days(first) + 7) % 7 + (d->week - 1) * 7;
	while (ahead >= days_in_month(year, d->month))
		ahead -= 7;
	return first + ahead;
}

static void span_after(struct zone *z, int64_t after, int64_t from, int32_t offset)
{
	if (from > after)
		zone_span(z, from, offset);
}

/* 400 years, and before them enough that even the year bucket of a moment moved back is the rule's alone. */
static void write_out(struct zone *z, int64_t after, const struct rule *r)
{
	int64_t year = after == ZONE_NEVER ? FIRST_YEAR : date_of_days(floor_div(after, DAY_S)).year;
	int64_t last = year + 403;
	for (; year <= last; year++) {
		int64_t start = day_in(&r->start, year) * DAY_S + r->start.time_s - r->std_s;
		int64_t end = day_in(&r->end, year) * DAY_S + r->end.time_s - r->dst_s;
		if (start < end)
			span_after(z, after, start, r->dst_s);
		span_after(z, after, end, r->std_s);
		if (start >= end)
			span_after(z, after, start, r->dst_s);
	}
	z->fold_end = days_of_date(last, 1, 1) * DAY_S;
}

int zone_rule(struct zone *z, int64_t after, const char *text, size_t len)
{
	struct rule r = { 0 };
	if (!rule_read(&r, (struct text){ text, text + len }))
		return -EINVAL;
	if (r.has_dst)
		write_out(z, after, &r);
	else if (after == ZONE_NEVER)
		z->offset[0] = r.std_s;
	return 0;
}
