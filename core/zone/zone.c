/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets of time in a zone. An hour is cut from one span: it begins where the local clock shows :00, or where the span
 * begins. Longer buckets begin where the local clock first reaches a date, whatever it does afterwards. */
#include "zone/zone.h"

#include <stdbool.h>

#include "zone/spans.h"

#define US INT64_C(1000000)

/* Where a second lies: span i holds it once it is moved back by `back`. */
struct place {
	int64_t s, back;
	size_t i;
};

static size_t span_of(const struct zone *z, int64_t s)
{
	const int64_t *base = z->from;
	for (size_t n = z->n; n > 1;) {
		size_t half = n / 2;
		base = base[half] <= s ? base + half : base;
		n -= half;
	}
	return (size_t)(base - z->from);
}

static int64_t back_of(const struct zone *z, int64_t s)
{
	return s < z->fold_end ? 0 : ((s - z->fold_end) / PERIOD_S + 1) * PERIOD_S;
}

static struct place place_of_s(const struct zone *z, int64_t s)
{
	struct place p = { .back = back_of(z, s) };
	p.s = s - p.back;
	p.i = span_of(z, p.s);
	return p;
}

static int64_t seconds_of(int64_t time_us)
{
	int64_t s = floor_div(time_us, US);
	return s > ZONE_MOST_S ? ZONE_MOST_S : s < -ZONE_MOST_S ? -ZONE_MOST_S : s;
}

static struct place place_of(const struct zone *z, int64_t time_us)
{
	return place_of_s(z, seconds_of(time_us));
}

/* The moment when the local clock first shows `local` or later, given a span that begins no earlier than that moment's. */
static int64_t first_from(const struct zone *z, size_t i, int64_t local)
{
	while (local <= z->high[i])
		i--;
	int64_t s = local - z->offset[i];
	return s > z->from[i] ? s : z->from[i];
}

int64_t zone_first(const struct zone *z, int64_t local_s)
{
	struct place p = place_of_s(z, local_s);
	return first_from(z, span_of(z, p.s + ZONE_OFFSET_MAX), p.s) + p.back;
}

/* The latest second the local clock has shown up to here: the same as what it shows, except after it was put back. */
static int64_t latest_local(const struct zone *z, const struct place *p)
{
	int64_t local = p->s + z->offset[p->i];
	return local > z->high[p->i] ? local : z->high[p->i];
}

/* ---- the calendar ---- */

static int64_t clamp(int64_t v, int64_t most)
{
	return v > most ? most : v < -most ? -most : v;
}

/* Months are counted from January of year 0; any number of them is a date. */
static int64_t days_of_month(int64_t months)
{
	int64_t year = floor_div(months, 12);
	return days_of_date(year, (int)(months - year * 12) + 1, 1);
}

/* The first day of the unit that holds the day. */
static int64_t calendar_floor(enum zone_unit unit, int64_t days)
{
	if (unit == ZONE_DAY)
		return days;
	if (unit == ZONE_WEEK)
		return days - weekday_of_days(days);
	struct date d = date_of_days(days);
	return unit == ZONE_MONTH ? days - d.day + 1 : days_of_date(d.year, 1, 1);
}

/* The first day n units on. Assumes: days is the first of one. */
static int64_t calendar_add(enum zone_unit unit, int64_t days, int64_t n)
{
	if (unit == ZONE_DAY || unit == ZONE_WEEK)
		return days + n * (unit == ZONE_WEEK ? 7 : 1);
	struct date d = date_of_days(days);
	return days_of_month(d.year * 12 + d.month - 1 + n * (unit == ZONE_YEAR ? 12 : 1));
}

static int64_t first_of_days(const struct zone *z, int64_t days)
{
	return zone_first(z, clamp(days, ZONE_MOST_S / DAY_S) * DAY_S);
}

/* ---- buckets ---- */

static int64_t fixed_length_s(enum zone_unit unit)
{
	return unit == ZONE_MINUTE ? 60 : unit == ZONE_QUARTER ? 900 : 0;
}

static int64_t hour_floor(const struct zone *z, const struct place *p)
{
	int64_t offset = z->offset[p->i], s = floor_to(p->s + offset, 3600) - offset;
	return (s > z->from[p->i] ? s : z->from[p->i]) + p->back;
}

static int64_t hour_next(const struct zone *z, const struct place *p)
{
	int64_t offset = z->offset[p->i], s = floor_to(p->s + offset, 3600) + 3600 - offset;
	bool cut = p->i + 1 < z->n && z->from[p->i + 1] < s;
	return (cut ? z->from[p->i + 1] : s) + p->back;
}

int64_t zone_floor(const struct zone *z, enum zone_unit unit, int64_t time_us)
{
	int64_t fixed = fixed_length_s(unit);
	if (fixed)
		return floor_to(seconds_of(time_us), fixed) * US;
	struct place p = place_of(z, time_us);
	if (unit == ZONE_HOUR)
		return hour_floor(z, &p) * US;
	int64_t days = calendar_floor(unit, floor_div(latest_local(z, &p), DAY_S));
	return (first_from(z, p.i, days * DAY_S) + p.back) * US;
}

int64_t zone_next(const struct zone *z, enum zone_unit unit, int64_t start_us)
{
	return zone_add(z, unit, start_us, 1);
}

static int64_t add_hours(const struct zone *z, int64_t start_us, int n)
{
	for (; n > 0; n--) {
		struct place p = place_of(z, start_us);
		start_us = hour_next(z, &p) * US;
	}
	for (; n < 0; n++)
		start_us = zone_floor(z, ZONE_HOUR, start_us - 1);
	return start_us;
}

int64_t zone_add(const struct zone *z, enum zone_unit unit, int64_t start_us, int n)
{
	int64_t fixed = fixed_length_s(unit);
	if (fixed)
		return clamp(seconds_of(start_us) + fixed * n, ZONE_MOST_S) * US;
	if (unit == ZONE_HOUR)
		return add_hours(z, start_us, n);
	struct place p = place_of(z, start_us);
	int64_t days = calendar_floor(unit, floor_div(latest_local(z, &p) + p.back, DAY_S));
	return first_of_days(z, calendar_add(unit, days, n)) * US;
}

int64_t zone_date(const struct zone *z, int year, int month, int day)
{
	return first_of_days(z, days_of_month((int64_t)year * 12 + month - 1) + day - 1) * US;
}

/* ---- reading a moment ---- */

int zone_offset_s(const struct zone *z, int64_t time_us)
{
	return z->offset[place_of(z, time_us).i];
}

void zone_civil(const struct zone *z, int64_t time_us, struct zone_civil *out)
{
	int64_t s = seconds_of(time_us);
	int offset = z->offset[place_of_s(z, s).i];
	int64_t local = s + offset, days = floor_div(local, DAY_S), clock = local - days * DAY_S;
	struct date d = date_of_days(days);
	*out = (struct zone_civil){
		.year = (int)d.year,
		.month = d.month,
		.day = d.day,
		.hour = (int)(clock / 3600),
		.minute = (int)(clock / 60 % 60),
		.second = (int)(clock % 60),
		.usec = (int)(time_us - floor_to(time_us, US)),
		.weekday = weekday_of_days(days),
		.offset_s = offset,
	};
}

const char *zone_name(const struct zone *z)
{
	return z->name;
}
