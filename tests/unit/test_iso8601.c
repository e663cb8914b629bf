/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text/iso8601.h"
#include "unit.h"

static void assert_is(const char *text, int64_t want_us)
{
	int64_t us = 0;
	if (iso8601_parse(str_of(text), &us) || us != want_us)
		fail_msg("%s: %lld, not %lld", text, (long long)us, (long long)want_us);
}

static void moments_are_read(void **state)
{
	(void)state;
	assert_is("1970-01-01T00:00:00Z", 0);
	assert_is("1969-12-31T23:59:59.999999Z", -1);
	assert_is("2026-10-25T02:00:00+02:00", INT64_C(1792886400000000));
	assert_is("2026-10-25T02:00:00+0200", INT64_C(1792886400000000));
	assert_is("2026-10-25 02:00+02", INT64_C(1792886400000000));
	assert_is("2026-10-24t20:30:00.0-03:30", INT64_C(1792886400000000));
	assert_is("2026-10-25T00:00:00,25z", INT64_C(1792886400250000));
	assert_is("2026-10-25T00:00:00.1234567899Z", INT64_C(1792886400123456));
	assert_is("2016-12-31T23:59:60Z", INT64_C(1483228800000000)); /* a leap second is the next minute */
	assert_is("2000-02-29T00:00:00Z", INT64_C(951782400000000));
	assert_is("0000-01-01T00:00:00Z", ISO8601_MIN_US);
	assert_is("9999-12-31T23:59:59.999999Z", ISO8601_MAX_US);
}

static void everything_else_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "2026", "2026-10-25", "2026-10-25T00:00", "2026-10-25T00:00:00",
		"2026-13-01T00:00Z", "2026-00-01T00:00Z", "2026-02-29T00:00Z", "1900-02-29T00:00Z", "2026-04-31T00:00Z",
		"2026-01-00T00:00Z", "2026-01-01T24:00Z", "2026-01-01T00:60Z", "2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00.Z", "2026-01-01T00:00:0Z", "2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00+1", "2026-01-01T00:00:00+01:0",
		"2026-01-01T00:00:00+01-00", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00Z ", " 2026-01-01T00:00:00Z",
		"2026-1-01T00:00:00Z", "2026/01/01T00:00Z", "2026-01-01_00:00Z", "+026-01-01T00:00Z",
		"2026-01-01T00:00:00 Z", "2026-01-01T-1:00Z", "20260101T000000Z", "1767225600" };
	int64_t us;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (iso8601_parse(str_of(bad[i]), &us) != -EINVAL)
			fail_msg("%s", bad[i]);
}

static void assert_formats(int64_t us, const char *want)
{
	char out[ISO8601_TEXT];
	size_t len = iso8601_format(us, out);
	if (!str_eq(str_make(out, len), str_of(want)))
		fail_msg("%.*s, not %s", (int)len, out, want);
}

static void fractions_are_written_only_where_there_are_some(void **state)
{
	(void)state;
	assert_formats(0, "1970-01-01T00:00:00Z");
	assert_formats(-1, "1969-12-31T23:59:59.999999Z");
	assert_formats(INT64_C(1767225600250000), "2026-01-01T00:00:00.250Z");
	assert_formats(ISO8601_MIN_US, "0000-01-01T00:00:00Z");
	assert_formats(ISO8601_MAX_US, "9999-12-31T23:59:59.999999Z");
}

/* timegm and gmtime_r of the C library are the oracle: 21 moments in each of 10000 years. */
static void ten_thousand_years_agree_with_the_c_library(void **state)
{
	(void)state;
	char text[ISO8601_TEXT], want[ISO8601_TEXT + 64];
	for (int64_t day = ISO8601_MIN_US / 86400000000; day <= ISO8601_MAX_US / 86400000000; day += 17) {
		time_t t = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
		struct tm tm;
		gmtime_r(&t, &tm);
		snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
			tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		size_t len = iso8601_format((int64_t)t * 1000000, text);
		int64_t back = 0;
		if (!str_eq(str_make(text, len), str_of(want)) || iso8601_parse(str_make(text, len), &back) ||
			back != (int64_t)t * 1000000)
			fail_msg("%s: %.*s", want, (int)len, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_are_read),
		cmocka_unit_test(everything_else_is_refused),
		cmocka_unit_test(fractions_are_written_only_where_there_are_some),
		cmocka_unit_test(ten_thousand_years_agree_with_the_c_library),
	};
	return RUN_TESTS("iso8601", tests);
}
