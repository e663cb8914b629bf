/* SPDX-License-Identifier: Apache-2.0 */
/* Days from the civil date and back by the arithmetic of eras of 400 years that begin in March (H. Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms"): no tables, no loops, right for every year. */
#include "text/iso8601.h"

#include <errno.h>
#include <stdbool.h>

#define SECOND_US INT64_C(1000000)
#define DAY_S 86400

static int64_t days_from_civil(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = (y >= 0 ? y : y - 399) / 400;
	int year_of_era = y - era * 400;
	int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return (int64_t)era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int day_of_era = (int)(days - era * 146097);
	int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int shifted = (5 * day_of_year + 2) / 153;
	*day = day_of_year - (153 * shifted + 2) / 5 + 1;
	*month = shifted < 10 ? shifted + 3 : shifted - 9;
	*year = (int)(era * 400) + year_of_era + (*month <= 2);
}

static int days_in_month(int year, int month)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

/* Two digits at p, or a number above every limit. */
static int two(const char *p)
{
	unsigned tens = (unsigned)(p[0] - '0'), ones = (unsigned)(p[1] - '0');
	return tens < 10 && ones < 10 ? (int)(tens * 10 + ones) : 1000;
}

/*  YYYY-MM-DDThh:mm  */
#define DATE_TIME 16

static int take_date_time(const char *p, int64_t *seconds)
{
	int century = two(p), year = two(p + 2), month = two(p + 5), day = two(p + 8);
	int hour = two(p + 11), minute = two(p + 14);
	if (p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't' && p[10] != ' ') || p[13] != ':')
		return -EINVAL;
	if (century > 99 || year > 99 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59)
		return -EINVAL;
	year += century * 100;
	if (day > days_in_month(year, month))
		return -EINVAL;
	*seconds = days_from_civil(year, month, day) * DAY_S + hour * 3600 + minute * 60;
	return 0;
}

/*  [.,]ffffff…  p is behind the point. NULL: no digit. */
static const char *take_fraction(const char *p, const char *end, int64_t *us)
{
	int64_t unit = SECOND_US / 10;
	const char *begin = p;
	for (; p < end && (unsigned char)(*p - '0') < 10; p++) {
		*us += (*p - '0') * unit;
		unit /= 10;
	}
	return p == begin ? NULL : p;
}

/*  [:ss[.ffffff]]  */
static const char *take_seconds(const char *p, const char *end, int64_t *us)
{
	int seconds;
	if (p == end || *p != ':')
		return p;
	if (end - p < 3 || (seconds = two(p + 1)) > 60)
		return NULL;
	*us += seconds * SECOND_US;
	p += 3;
	if (p < end && (*p == '.' || *p == ','))
		return take_fraction(p + 1, end, us);
	return p;
}

/*  Z | z | ±hh | ±hhmm | ±hh:mm, and then the end  */
static int take_offset(const char *p, const char *end, int64_t *us)
{
	size_t left = (size_t)(end - p);
	int hours, minutes = 0;
	if (left == 1 && (*p == 'Z' || *p == 'z'))
		return 0;
	if ((left != 3 && left != 5 && left != 6) || (*p != '+' && *p != '-'))
		return -EINVAL;
	hours = two(p + 1);
	if (left == 5)
		minutes = two(p + 3);
	if (left == 6)
		minutes = p[3] == ':' ? two(p + 4) : 1000;
	if (hours > 23 || minutes > 59)
		return -EINVAL;
	*us -= (*p == '-' ? -1 : 1) * (hours * 3600 + minutes * 60) * SECOND_US;
	return 0;
}

int iso8601_parse(struct tally_str text, int64_t *out_us)
{
	int64_t seconds, us;
	const char *p = text.ptr, *end = text.ptr + text.len;
	if (text.len < DATE_TIME || take_date_time(p, &seconds))
		return -EINVAL;
	us = seconds * SECOND_US;
	p = take_seconds(p + DATE_TIME, end, &us);
	if (!p || take_offset(p, end, &us))
		return -EINVAL;
	*out_us = us;
	return 0;
}

static char *put_digits(char *p, int number, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		p[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return p + digits;
}

size_t iso8601_format(int64_t time_us, char out[ISO8601_TEXT])
{
	int year, month, day;
	int64_t second = time_us / SECOND_US - (time_us % SECOND_US < 0);
	int us = (int)(time_us - second * SECOND_US);
	int64_t days = second / DAY_S - (second % DAY_S < 0);
	int of_day = (int)(second - days * DAY_S);
	char *p = out;
	MUST(time_us >= ISO8601_MIN_US && time_us <= ISO8601_MAX_US);
	civil_from_days(days, &year, &month, &day);
	p = put_digits(p, year, 4);
	*p++ = '-';
	p = put_digits(p, month, 2);
	*p++ = '-';
	p = put_digits(p, day, 2);
	*p++ = 'T';
	p = put_digits(p, of_day / 3600, 2);
	*p++ = ':';
	p = put_digits(p, of_day / 60 % 60, 2);
	*p++ = ':';
	p = put_digits(p, of_day % 60, 2);
	if (us) {
		*p++ = '.';
		p = us % 1000 ? put_digits(p, us, 6) : put_digits(p, us / 1000, 3);
	}
	*p++ = 'Z';
	return (size_t)(p - out);
}
