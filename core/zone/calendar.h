/* SPDX-License-Identifier: Apache-2.0 */
/* The proleptic Gregorian calendar on whole numbers: days since 1970-01-01 and seconds of a clock without a zone. */
#ifndef ZONE_CALENDAR_H
#define ZONE_CALENDAR_H

#include <stdint.h>

#define DAY_S 86400
#define PERIOD_S INT64_C(12622780800) /* 400 years: dates and weekdays repeat */

static inline int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static inline int64_t floor_to(int64_t a, int64_t b)
{
	return floor_div(a, b) * b;
}

/* Months count from March here, so that the leap day is the last of its year. */
static inline int64_t days_of_date(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = floor_div(year, 400);
	uint32_t yoe = (uint32_t)(year - era * 400);
	int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

struct date {
	int64_t year;
	int month, day;
};

static inline struct date date_of_days(int64_t days)
{
	days += 719468;
	int64_t era = floor_div(days, 146097);
	uint32_t doe = (uint32_t)(days - era * 146097);
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	struct date d = { .month = (int)(mp < 10 ? mp + 3 : mp - 9), .day = (int)(doy - (153 * mp + 2) / 5 + 1) };
	d.year = yoe + era * 400 + (d.month <= 2);
	return d;
}

/* 0 = Monday */
static inline int weekday_of_days(int64_t days)
{
	return (int)(days + 3 - floor_to(days + 3, 7));
}

static inline int is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static inline int days_in_month(int64_t year, int month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return days[month - 1] + (month == 2 && is_leap(year));
}

#endif
