/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as text: ISO 8601 as far as RFC 3339 uses it.
 *
 *   2026-10-25T02:00:00.123456+02:00     date 'T' hour ':' minute [':' second ['.' fraction]] offset */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "zone/spans.h"

#define US 1000000

/* ---- writing ---- */

/* v in exactly n digits, then c. */
static char *put(char *p, unsigned v, int n, char c)
{
	p[n] = c;
	for (int i = n - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + n + 1;
}

static char *put_offset(char *p, int seconds)
{
	unsigned off = (unsigned)(seconds < 0 ? -seconds : seconds);
	*p++ = seconds < 0 ? '-' : '+';
	p = put(p, off / 3600, 2, ':');
	p = put(p, off / 60 % 60, 2, off % 60 ? ':' : 0);
	return off % 60 ? put(p, off % 60, 2, 0) : p;
}

size_t zone_format(const struct zone *z, int64_t time_us, char out[40])
{
	struct zone_civil c;
	char *p = out;
	zone_civil(z, time_us, &c);
	if (c.year >= 0 && c.year <= 9999)
		p = put(p, (unsigned)c.year, 4, '-');
	else
		p += snprintf(p, 10, "%d-", c.year); /* at most "-287979-" */
	p = put(p, (unsigned)c.month, 2, '-');
	p = put(p, (unsigned)c.day, 2, 'T');
	p = put(p, (unsigned)c.hour, 2, ':');
	p = put(p, (unsigned)c.minute, 2, ':');
	p = put(p, (unsigned)c.second, 2, '.');
	if (c.usec)
		p = put(p, (unsigned)c.usec, 6, 0);
	p = put_offset(p - 1, c.offset_s);
	return (size_t)(p - 1 - out);
}

/* ---- reading ---- */

struct text {
	const char *p, *end;
};

static bool eat(struct text *t, const char *any)
{
	if (t->p == t->end)
		return false;
	for (; *any; any++)
		if (*t->p == *any) {
			t->p++;
			return true;
		}
	return false;
}

/* Exactly so many digits, least to most in value. */
static bool digits(struct text *t, int n, int least, int most, int *out)
{
	int v = 0;
	for (; n; n--, t->p++) {
		if (t->p == t->end || *t->p < '0' || *t->p > '9')
			return false;
		v = v * 10 + (*t->p - '0');
	}
	*out = v;
	return v >= least && v <= most;
}

/* yyyy-mm-dd; *out are seconds since 1970 */
static bool date(struct text *t, int64_t *out)
{
	int year, month, day;
	if (!digits(t, 4, 0, 9999, &year) || !eat(t, "-") || !digits(t, 2, 1, 12, &month) || !eat(t, "-") ||
		!digits(t, 2, 1, days_in_month(year, month), &day))
		return false;
	*out = days_of_date(year, month, day) * DAY_S;
	return true;
}

/* At least one digit; those past microseconds are cut. */
static bool fraction(struct text *t, int *usec)
{
	int unit = US / 10, n = 0;
	for (; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++, n++, unit /= 10)
		*usec += (*t->p - '0') * unit;
	return n > 0;
}

/* hh:mm[:ss[.f]]; a leap second counts as the second behind it. */
static bool clock(struct text *t, int *seconds, int *usec)
{
	int h, m, s = 0;
	*usec = 0;
	if (!digits(t, 2, 0, 23, &h) || !eat(t, ":") || !digits(t, 2, 0, 59, &m))
		return false;
	if (eat(t, ":") && (!digits(t, 2, 0, 60, &s) || (eat(t, ".,") && !fraction(t, usec))))
		return false;
	*seconds = (h * 60 + m) * 60 + s;
	return true;
}

/* Z, +hh, +hhmm, +hh:mm or +hh:mm:ss, to the end of the text */
static bool offset(struct text *t, int *seconds)
{
	int h, m = 0, s = 0;
	*seconds = 0;
	if (eat(t, "Zz"))
		return t->p == t->end;
	bool minus = eat(t, "-");
	if ((!minus && !eat(t, "+")) || !digits(t, 2, 0, 23, &h))
		return false;
	bool colon = eat(t, ":");
	if ((colon || t->p < t->end) && !digits(t, 2, 0, 59, &m))
		return false;
	if (colon && eat(t, ":") && !digits(t, 2, 0, 59, &s))
		return false;
	*seconds = (minus ? -1 : 1) * ((h * 60 + m) * 60 + s);
	return t->p == t->end;
}

int zone_parse_local(const struct zone *z, const char *text, size_t len, int64_t *out_us, int *date_only)
{
	struct text t = { text, text + len };
	int64_t day;
	int seconds = 0, usec = 0, east;
	if (!len || !date(&t, &day))
		return -EINVAL;
	*date_only = t.p == t.end;
	if (!*date_only && (!eat(&t, "Tt ") || !clock(&t, &seconds, &usec)))
		return -EINVAL;
	if (t.p == t.end) {
		if (!z)
			return -EINVAL;
		*out_us = zone_first(z, day + seconds) * US + usec;
		return 0;
	}
	if (!offset(&t, &east))
		return -EINVAL;
	*out_us = (day + seconds - east) * US + usec;
	return 0;
}

int zone_parse(const char *text, size_t len, int64_t *out_us)
{
	int date_only;
	return zone_parse_local(NULL, text, len, out_us, &date_only);
}
