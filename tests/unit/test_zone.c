/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of the calendar looked up by hand; the machine-made ones are in test_zone_oracle.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "zone/spans.h"

#define HOUR_US INT64_C(3600000000)

static int64_t at(const char *text)
{
	int64_t us;
	if (zone_parse(text, strlen(text), &us) != 0)
		fail_msg("cannot read %s", text);
	return us;
}

static const struct zone *zone(const char *name)
{
	const struct zone *z = zone_get(name);
	if (!z)
		fail_msg("no zone %s", name);
	return z;
}

static void assert_time(const struct zone *z, int64_t us, const char *expected)
{
	char text[40];
	size_t len = zone_format(z, us, text);
	assert_int_equal(len, strlen(text));
	assert_string_equal(text, expected);
}

/* The bucket that holds `moment` begins and ends there; all that is in it has the same start. */
static void bucket(const char *name, enum zone_unit unit, const char *moment, const char *start, const char *end)
{
	const struct zone *z = zone(name);
	int64_t t = at(moment), from = zone_floor(z, unit, t), to = zone_next(z, unit, from);
	assert_time(z, from, start);
	assert_time(z, to, end);
	assert_true(from <= t && t < to);
	assert_true(zone_floor(z, unit, from) == from);
	assert_true(zone_floor(z, unit, to - 1) == from);
	assert_true(zone_floor(z, unit, to) == to);
	assert_true(zone_floor(z, unit, from - 1) < from);
	assert_true(zone_next(z, unit, zone_floor(z, unit, from - 1)) == from);
}

static void berlin_has_days_of_23_and_25_hours(void **state)
{
	(void)state;
	const struct zone *z = zone("Europe/Berlin");
	bucket("Europe/Berlin", ZONE_DAY, "2026-03-29T12:00:00Z", "2026-03-29T00:00:00+01:00",
		"2026-03-30T00:00:00+02:00");
	bucket("Europe/Berlin", ZONE_DAY, "2026-10-25T12:00:00Z", "2026-10-25T00:00:00+02:00",
		"2026-10-26T00:00:00+01:00");
	int64_t short_day = at("2026-03-28T23:00:00Z"), long_day = at("2026-10-24T22:00:00Z");
	assert_true(zone_next(z, ZONE_DAY, short_day) - short_day == 23 * HOUR_US);
	assert_true(zone_next(z, ZONE_DAY, long_day) - long_day == 25 * HOUR_US);
	int hours = 0;
	for (int64_t t = long_day; t < zone_next(z, ZONE_DAY, long_day); t = zone_next(z, ZONE_HOUR, t))
		hours++;
	assert_int_equal(hours, 25);
}

static void a_repeated_hour_is_two_buckets(void **state)
{
	(void)state;
	bucket("Europe/Berlin", ZONE_HOUR, "2026-10-25T00:30:00Z", "2026-10-25T02:00:00+02:00",
		"2026-10-25T02:00:00+01:00");
	bucket("Europe/Berlin", ZONE_HOUR, "2026-10-25T01:30:00Z", "2026-10-25T02:00:00+01:00",
		"2026-10-25T03:00:00+01:00");
	/* and a skipped one is none */
	bucket("Europe/Berlin", ZONE_HOUR, "2026-03-29T00:59:59.999999Z", "2026-03-29T01:00:00+01:00",
		"2026-03-29T03:00:00+02:00");
}

static void half_hour_changes_make_half_hour_buckets(void **state)
{
	(void)state;
	const char *z = "Australia/Lord_Howe";
	/* 2026-04-05 02:00 +11:00 becomes 01:30 +10:30 */
	bucket(z, ZONE_HOUR, "2026-04-05T01:15:00+11:00", "2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30");
	bucket(z, ZONE_HOUR, "2026-04-05T01:45:00+10:30", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30");
	/* 2026-10-04 02:00 +10:30 becomes 02:30 +11:00 */
	bucket(z, ZONE_HOUR, "2026-10-04T01:59:00+10:30", "2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00");
	bucket(z, ZONE_HOUR, "2026-10-04T02:45:00+11:00", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00");
	bucket(z, ZONE_DAY, "2026-10-04T02:45:00+11:00", "2026-10-04T00:00:00+10:30", "2026-10-05T00:00:00+11:00");
}

static void hours_of_kolkata_begin_at_half_past_utc(void **state)
{
	(void)state;
	bucket("Asia/Kolkata", ZONE_HOUR, "2026-05-01T10:29:00Z", "2026-05-01T15:00:00+05:30",
		"2026-05-01T16:00:00+05:30");
	bucket("Asia/Kolkata", ZONE_HOUR, "2026-05-01T10:30:00Z", "2026-05-01T16:00:00+05:30",
		"2026-05-01T17:00:00+05:30");
	bucket("Asia/Kathmandu", ZONE_HOUR, "2026-05-01T10:15:00Z", "2026-05-01T16:00:00+05:45",
		"2026-05-01T17:00:00+05:45");
	assert_true(zone_floor(zone("Asia/Kolkata"), ZONE_QUARTER, at("2026-05-01T10:44:00Z")) ==
		    at("2026-05-01T10:30:00Z"));
	assert_true(zone_floor(zone("Asia/Kathmandu"), ZONE_MINUTE, at("2026-05-01T10:44:59Z")) ==
		    at("2026-05-01T10:44:00Z"));
	assert_true(zone_add(zone("Asia/Kolkata"), ZONE_QUARTER, at("2026-05-01T10:30:00Z"), -3) ==
		    at("2026-05-01T09:45:00Z"));
}

static void a_day_without_midnight_begins_later(void **state)
{
	(void)state;
	/* 2018-11-04 00:00 -03:00 becomes 01:00 -02:00 */
	bucket("America/Sao_Paulo", ZONE_DAY, "2018-11-04T12:00:00Z", "2018-11-04T01:00:00-02:00",
		"2018-11-05T00:00:00-02:00");
	bucket("America/Sao_Paulo", ZONE_WEEK, "2018-11-04T12:00:00Z", "2018-10-29T00:00:00-03:00",
		"2018-11-05T00:00:00-02:00");
	assert_true(zone_date(zone("America/Sao_Paulo"), 2018, 11, 4) == at("2018-11-04T03:00:00Z"));
}

static void a_date_skipped_whole_has_no_bucket(void **state)
{
	(void)state;
	const struct zone *z = zone("Pacific/Apia");
	bucket("Pacific/Apia", ZONE_DAY, "2011-12-29T12:00:00-10:00", "2011-12-29T00:00:00-10:00",
		"2011-12-31T00:00:00+14:00");
	assert_true(zone_date(z, 2011, 12, 30) == zone_date(z, 2011, 12, 31));
	assert_true(zone_add(z, ZONE_DAY, zone_date(z, 2012, 1, 3), -7) == zone_date(z, 2011, 12, 27));
}

/* 2006-10-29 00:01 -02:30 becomes 23:01 -03:30 of the day before: the 29th has begun, and goes on. */
static void a_date_begins_once(void **state)
{
	(void)state;
	const char *z = "America/St_Johns";
	bucket(z, ZONE_DAY, "2006-10-29T00:00:30-02:30", "2006-10-29T00:00:00-02:30", "2006-10-30T00:00:00-03:30");
	bucket(z, ZONE_DAY, "2006-10-28T23:30:00-03:30", "2006-10-29T00:00:00-02:30", "2006-10-30T00:00:00-03:30");
	bucket(z, ZONE_DAY, "2006-10-29T00:00:00-03:30", "2006-10-29T00:00:00-02:30", "2006-10-30T00:00:00-03:30");
	bucket(z, ZONE_HOUR, "2006-10-29T00:00:30-02:30", "2006-10-29T00:00:00-02:30", "2006-10-28T23:01:00-03:30");
	bucket(z, ZONE_HOUR, "2006-10-28T23:30:00-03:30", "2006-10-28T23:01:00-03:30", "2006-10-29T00:00:00-03:30");
}

/* No clock of the world did this: put back one hour a second after midnight, and another ten minutes later. */
static void a_date_shown_for_a_second_has_begun(void **state)
{
	(void)state;
	struct zone *z = zone_make("made", 3 * 3600);
	int64_t midnight = -3 * 3600;
	zone_span(z, midnight + 1, 2 * 3600);
	zone_span(z, midnight + 601, 1 * 3600);
	zone_seal(z);
	for (int64_t s = midnight; s < midnight + 26 * 3600; s += 300)
		assert_true(zone_floor(z, ZONE_DAY, s * 1000000) == midnight * 1000000);
	assert_true(zone_floor(z, ZONE_DAY, midnight * 1000000 - 1) == midnight * 1000000 - 24 * HOUR_US);
	assert_true(zone_next(z, ZONE_DAY, midnight * 1000000) == midnight * 1000000 + 26 * HOUR_US);
	zone_free(z);
}

static void weeks_months_and_years(void **state)
{
	(void)state;
	const struct zone *z = zone("Europe/Berlin");
	bucket("Europe/Berlin", ZONE_WEEK, "2026-01-01T00:00:00Z", "2025-12-29T00:00:00+01:00",
		"2026-01-05T00:00:00+01:00");
	bucket("Europe/Berlin", ZONE_WEEK, "2026-03-29T20:00:00Z", "2026-03-23T00:00:00+01:00",
		"2026-03-30T00:00:00+02:00");
	bucket("Europe/Berlin", ZONE_MONTH, "2024-02-29T23:30:00Z", "2024-03-01T00:00:00+01:00",
		"2024-04-01T00:00:00+02:00");
	bucket("Europe/Berlin", ZONE_YEAR, "2025-12-31T23:00:00Z", "2026-01-01T00:00:00+01:00",
		"2027-01-01T00:00:00+01:00");
	bucket("UTC", ZONE_MONTH, "1969-12-31T23:59:59Z", "1969-12-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00");
	int64_t march = zone_date(z, 2026, 3, 1);
	assert_true(zone_add(z, ZONE_MONTH, march, -13) == zone_date(z, 2025, 2, 1));
	assert_true(zone_add(z, ZONE_MONTH, march, 22) == zone_date(z, 2028, 1, 1));
	assert_true(zone_add(z, ZONE_YEAR, zone_date(z, 2026, 1, 1), -26) == zone_date(z, 2000, 1, 1));
	assert_true(zone_add(z, ZONE_DAY, march, 31) == zone_date(z, 2026, 4, 1));
	assert_true(zone_add(z, ZONE_HOUR, zone_date(z, 2026, 10, 25), 25) == zone_date(z, 2026, 10, 26));
	assert_true(zone_add(z, ZONE_HOUR, zone_date(z, 2026, 10, 26), -25) == zone_date(z, 2026, 10, 25));
	assert_true(zone_date(z, 2026, 14, 0) == zone_date(z, 2027, 1, 31));
	assert_true(zone_date(z, 2026, 1, -1) == zone_date(z, 2025, 12, 30));
}

static void the_rule_holds_after_the_table(void **state)
{
	(void)state;
	bucket("Europe/Berlin", ZONE_DAY, "2045-03-26T12:00:00Z", "2045-03-26T00:00:00+01:00",
		"2045-03-27T00:00:00+02:00");
	bucket("America/New_York", ZONE_HOUR, "2045-11-05T05:30:00Z", "2045-11-05T01:00:00-04:00",
		"2045-11-05T01:00:00-05:00");
	/* far behind what is written out: 2845 is 2045 twice 400 years on */
	bucket("Europe/Berlin", ZONE_DAY, "2845-03-26T12:00:00Z", "2845-03-26T00:00:00+01:00",
		"2845-03-27T00:00:00+02:00");
	bucket("Australia/Lord_Howe", ZONE_YEAR, "9999-06-01T00:00:00Z", "9999-01-01T00:00:00+11:00",
		"10000-01-01T00:00:00+11:00");
}

static void no_moment_is_too_far(void **state)
{
	(void)state;
	static const char *const names[] = { "UTC", "Europe/Berlin", "Pacific/Apia" };
	static const int64_t far[] = { INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX };
	struct zone_civil c;
	char text[40];
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < sizeof far / sizeof far[0]; k++)
			for (int unit = ZONE_MINUTE; unit <= ZONE_YEAR; unit++) {
				const struct zone *z = zone(names[i]);
				(void)zone_next(z, (enum zone_unit)unit, zone_floor(z, (enum zone_unit)unit, far[k]));
				(void)zone_add(z, (enum zone_unit)unit, far[k], unit == ZONE_HOUR ? -3 : INT32_MIN);
				(void)zone_add(z, (enum zone_unit)unit, far[k], unit == ZONE_HOUR ? 3 : INT32_MAX);
				zone_civil(z, far[k], &c);
				assert_in_range(zone_format(z, far[k], text), 25, 39);
			}
	(void)zone_date(zone("Europe/Berlin"), INT32_MAX, INT32_MAX, INT32_MAX);
	(void)zone_date(zone("Europe/Berlin"), INT32_MIN, INT32_MIN, INT32_MIN);
}

static void civil_fields(void **state)
{
	(void)state;
	struct zone_civil c;
	zone_civil(zone("Asia/Kolkata"), at("2026-02-28T20:15:30.000007Z"), &c);
	assert_int_equal(c.year, 2026);
	assert_int_equal(c.month, 3);
	assert_int_equal(c.day, 1);
	assert_int_equal(c.hour, 1);
	assert_int_equal(c.minute, 45);
	assert_int_equal(c.second, 30);
	assert_int_equal(c.usec, 7);
	assert_int_equal(c.weekday, 6); /* a Sunday */
	assert_int_equal(c.offset_s, 19800);
	assert_time(zone("Asia/Kolkata"), at("2026-02-28T20:15:30.000007Z"), "2026-03-01T01:45:30.000007+05:30");
	assert_time(zone("Europe/Berlin"), at("1890-01-01T00:00:00Z"), "1890-01-01T00:53:28+00:53:28");
	zone_civil(zone_utc(), -1, &c);
	assert_int_equal(c.year, 1969);
	assert_int_equal(c.second, 59);
	assert_int_equal(c.usec, 999999);
}

static void names_that_are_none(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "/etc/localtime", "../zoneinfo/UTC", "Europe/../Europe/Berlin", "Europe",
		"Europe/", "Nowhere/Town", "zone.tab", "tzdata.zi", "leap-seconds.list", "Europe/Berlin ",
		"right/UTC" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (zone_get(bad[i]))
			fail_msg("a zone: %s", bad[i]);
	assert_ptr_equal(zone_get("UTC"), zone_utc());
	assert_ptr_equal(zone_get("Europe/Berlin"), zone_get("Europe/Berlin"));
	assert_string_equal(zone_name(zone_get("Europe/Berlin")), "Europe/Berlin");
	setenv("TZDIR", "/nowhere", 1);
	assert_null(zone_get("Indian/Maldives"));
	assert_non_null(zone_get("Europe/Berlin")); /* loaded before */
	assert_non_null(zone_get("UTC"));
	unsetenv("TZDIR");
	assert_non_null(zone_get("Indian/Maldives"));
}

/* ---- text ---- */

static void iso_texts_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01 00:00Z", 0 },
		{ "1970-01-01T02:00:00+02:00", 0 },
		{ "1970-01-01T02:00:00+0200", 0 },
		{ "1970-01-01T02:00+02", 0 },
		{ "1969-12-31T18:30:00-05:30", 0 },
		{ "1970-01-01T00:53:28+00:53:28", 0 },
		{ "1970-01-01t00:00:00.5z", 500000 },
		{ "1970-01-01T00:00:00,000001Z", 1 },
		{ "1970-01-01T00:00:00.0000019999Z", 1 },
		{ "1969-12-31T23:59:59.999999Z", -1 },
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800000000) },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800000000) },
		{ "0000-01-01T00:00:00Z", INT64_C(-62167219200000000) },
		{ "9999-12-31T23:59:59-23:59", INT64_C(253402387139000000) },
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (at(good[i].text) != good[i].us)
			fail_msg("%s is not %lld", good[i].text, (long long)at(good[i].text));
}

static void iso_texts_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "1970", "1970-01-01", "1970-01-01T", "1970-01-01T00", "1970-01-01T00:00",
		"1970-01-01T00:00:00", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:Z", "1970-01-01T24:00:00Z",
		"1970-01-01T23:60:00Z", "1970-01-01T23:59:61Z", "1970-13-01T00:00:00Z", "1970-00-01T00:00:00Z",
		"1970-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "1970-04-31T00:00:00Z", "1970-01-00T00:00:00Z",
		"1970-1-01T00:00:00Z", "70-01-01T00:00:00Z", "+1970-01-01T00:00:00Z", "1970-01-01T00:00:00ZZ",
		"1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+01:60", "1970-01-01T00:00:00+1",
		"1970-01-01T00:00:00+01:", "1970-01-01T00:00:00+010", "1970-01-01T00:00:00+01000",
		"1970-01-01T00:00:00 Z", " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z ", "1970-01-01X00:00:00Z",
		"1970/01/01T00:00:00Z", "1970-01-01T0:00:00Z", "1970-01-01T00:00:00-", "1970-01-01T00:00:00+-1:00",
		"1970-01-01T00:00:00+01:00:", "1970-01-01TT0:00:00Z" };
	int64_t us;
	int date_only;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (zone_parse(bad[i], strlen(bad[i]), &us) != -EINVAL)
			fail_msg("read: %s", bad[i]);
	assert_int_equal(zone_parse("1970-01-01T00:00:00Z\0", 21, &us), -EINVAL);
	assert_int_equal(zone_parse_local(zone_utc(), "1970-01-01T", 11, &us, &date_only), -EINVAL);
	assert_int_equal(zone_parse_local(zone_utc(), "1970-01-01Z", 11, &us, &date_only), -EINVAL);
}

static void local_texts_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text, *moment;
		int date_only;
	} good[] = {
		{ "2026-07-01", "2026-06-30T22:00:00Z", 1 }, { "2026-07-01T12:30", "2026-07-01T10:30:00Z", 0 },
		{ "2026-07-01 12:30:05.25", "2026-07-01T10:30:05.25Z", 0 },
		{ "2026-07-01T12:30:00Z", "2026-07-01T12:30:00Z", 0 },
		{ "2026-10-25T02:30:00", "2026-10-25T00:30:00Z", 0 }, /* the first of two */
		{ "2026-03-29T02:30:00", "2026-03-29T01:00:00Z", 0 }, /* skipped */
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		int64_t us;
		int date_only = -1;
		assert_int_equal(
			zone_parse_local(zone("Europe/Berlin"), good[i].text, strlen(good[i].text), &us, &date_only),
			0);
		assert_true(us == at(good[i].moment));
		assert_int_equal(date_only, good[i].date_only);
	}
	int64_t us;
	int date_only;
	assert_int_equal(zone_parse_local(zone("America/Sao_Paulo"), "2018-11-04", 10, &us, &date_only), 0);
	assert_true(us == at("2018-11-04T03:00:00Z"));
}

/* ---- files ---- */

/* A zone with one rule and nothing else. */
static struct zone *ruled(const char *rule)
{
	struct zone *z = zone_make(rule, 0);
	if (zone_rule(z, ZONE_NEVER, rule, strlen(rule)) != 0) {
		zone_free(z);
		return NULL;
	}
	zone_seal(z);
	return z;
}

static void rules_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *rule, *moment, *local;
	} good[] = {
		{ "EST5", "2026-07-01T00:00:00Z", "2026-06-30T19:00:00-05:00" },
		{ "<+0545>-5:45", "2026-07-01T00:00:00Z", "2026-07-01T05:45:00+05:45" },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00" },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00" },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59+02:00" },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00+01:00" },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00+01:00" },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00+00:00" },
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", "2026-03-28T22:59:59-02:00" },
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", "2026-03-29T00:00:00-01:00" },
		{ "AAA0BBB,J60,J300", "2024-03-01T01:59:59Z", "2024-03-01T01:59:59+00:00" }, /* J60 is 1 March always */
		{ "AAA0BBB,J60,J300", "2024-03-01T02:00:00Z", "2024-03-01T03:00:00+01:00" },
		{ "AAA0BBB,J60,J300", "2025-03-01T02:00:00Z", "2025-03-01T03:00:00+01:00" },
		{ "AAA0BBB,59,299", "2024-02-29T02:00:00Z", "2024-02-29T03:00:00+01:00" },
		{ "AAA0BBB,59,299", "2025-03-01T02:00:00Z", "2025-03-01T03:00:00+01:00" },
		{ "XXX3EDT4,0/0,J365/23", "2026-01-01T03:00:00Z", "2025-12-31T23:00:00-04:00" }, /* all the year */
		{ "XXX3EDT4,0/0,J365/23", "2026-07-01T00:00:00Z", "2026-06-30T20:00:00-04:00" },
		{ "AAA0BBB-2,M4.1.4/167,M10.1.0", "2026-04-08T23:00:00Z", "2026-04-09T01:00:00+02:00" },
		{ "AAA0BBB-2,M4.1.4/167,M10.1.0", "2026-04-08T22:59:59Z", "2026-04-08T22:59:59+00:00" },
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct zone *z = ruled(good[i].rule);
		if (!z)
			fail_msg("cannot read %s", good[i].rule);
		assert_time(z, at(good[i].moment), good[i].local);
		zone_free(z);
	}
}

static void rules_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "5", "ES5", "EST", "EST+", "EST25", "EST5:60", "<EST5", "<E>5",
		"EST5EDT", "EST5EDT4", "EST5EDT,M3.2.0", "EST5EDT,M3.2.0,", "EST5EDT,M0.2.0,M11.1.0",
		"EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.0.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0",
		"EST5EDT,J0,J9", "EST5EDT,J366,J9", "EST5EDT,366,9", "EST5EDT,M3.2.0/168,M11.1.0",
		"EST5EDT,M3.2.0,M11.1.0 ", "EST5EDT,M3.2.0/,M11.1.0", "EST5 EDT,M3.2.0,M11.1.0",
		"EST99999999999999999999" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (ruled(bad[i]))
			fail_msg("read: %s", bad[i]);
}

/* One transition from +1 h to +2 h at second 1000, in version 1 and 2; the second with a rule behind it. */
#define TZIF_HEAD(version)                                                                                            \
	'T', 'Z', 'i', 'f', version, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
		0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4
#define TZIF_TYPES 1, 0, 0, 0x0e, 0x10, 0, 0, 0, 0, 0x1c, 0x20, 1, 0, 'A', 'B', 'C', 0
static const uint8_t version1[] = { TZIF_HEAD(0), 0, 0, 3, 0xe8, TZIF_TYPES };
static const uint8_t version2[] = { TZIF_HEAD('2'), 0, 0, 0, 0, TZIF_TYPES, TZIF_HEAD('2'), 0, 0, 0, 0, 0, 0, 3, 0xe8,
	TZIF_TYPES, '\n', 'A', 'B', 'C', '-', '2', '\n' };

static void both_versions_of_files_are_read(void **state)
{
	(void)state;
	struct zone *one = zone_of_tzif("one", version1, sizeof version1);
	struct zone *two = zone_of_tzif("two", version2, sizeof version2);
	assert_non_null(one);
	assert_non_null(two);
	for (int64_t s = 998; s < 1002; s++) {
		assert_int_equal(zone_offset_s(one, s * 1000000), s < 1000 ? 3600 : 7200);
		assert_int_equal(zone_offset_s(two, s * 1000000), s < 1000 ? 3600 : 7200);
	}
	assert_int_equal(zone_offset_s(one, 1000000000 - 1), 3600);
	zone_free(one);
	zone_free(two);
}

static void broken_files_are_refused(void **state)
{
	(void)state;
	uint8_t twice[sizeof version1 + 5] = { TZIF_HEAD(0), 0, 0, 3, 0xe8, 0, 0, 3, 0xe9, 0, TZIF_TYPES };
	twice[35] = 2; /* two transitions */
	struct zone *ascending = zone_of_tzif("ascending", twice, sizeof twice);
	assert_non_null(ascending);
	zone_free(ascending);
	twice[51] = 0xe8;
	assert_null(zone_of_tzif("not ascending", twice, sizeof twice));
	for (size_t n = 0; n < sizeof version2; n++) {
		uint8_t *cut = malloc(n + 1); /* its own block, so that reading past it is seen */
		memcpy(cut, version2, n);
		if (zone_of_tzif("cut", cut, n))
			fail_msg("read when cut at %zu", n);
		free(cut);
	}
	static const struct {
		size_t at;
		uint8_t byte;
	} wrong[] = {
		{ 0, 't' },                           /* magic */
		{ 31, 1 },                            /* a leap second */
		{ 39, 0 },                            /* no type */
		{ 48, 2 },                            /* a type that is not there */
		{ 49, 1 },                            /* an offset of 194 days */
		{ 35, 200 }, { 32, 200 }, { 40, 255 } /* more than there is */
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		uint8_t bad[sizeof version1];
		memcpy(bad, version1, sizeof bad);
		bad[wrong[i].at] = wrong[i].byte;
		if (zone_of_tzif("bad", bad, sizeof bad))
			fail_msg("wrong[%zu] was read", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(berlin_has_days_of_23_and_25_hours),
		cmocka_unit_test(a_repeated_hour_is_two_buckets),
		cmocka_unit_test(half_hour_changes_make_half_hour_buckets),
		cmocka_unit_test(hours_of_kolkata_begin_at_half_past_utc),
		cmocka_unit_test(a_day_without_midnight_begins_later),
		cmocka_unit_test(a_date_skipped_whole_has_no_bucket),
		cmocka_unit_test(a_date_begins_once),
		cmocka_unit_test(a_date_shown_for_a_second_has_begun),
		cmocka_unit_test(weeks_months_and_years),
		cmocka_unit_test(the_rule_holds_after_the_table),
		cmocka_unit_test(no_moment_is_too_far),
		cmocka_unit_test(civil_fields),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(iso_texts_are_read),
		cmocka_unit_test(iso_texts_are_refused),
		cmocka_unit_test(local_texts_are_read),
		cmocka_unit_test(rules_are_read),
		cmocka_unit_test(rules_are_refused),
		cmocka_unit_test(both_versions_of_files_are_read),
		cmocka_unit_test(broken_files_are_refused),
	};
	return RUN_TESTS("zone", tests);
}
