/* SPDX-License-Identifier: Apache-2.0 */
/* The time of an event as senders write it: ISO 8601, or a number whose size tells its unit. */
#include <errno.h>
#include <math.h>

#include "event/event_inner.h"
#include "text/iso8601.h"
#include "text/number.h"

#define SECONDS_BELOW 1e11 /* year 5138 in seconds, 1973 in milliseconds */
#define MILLIS_BELOW 1e14  /* year 5138 in milliseconds, 1973 in microseconds */

static int fail_range(struct event_error *err)
{
	return event_fail(err, "time_out_of_range", "time", "time is not within the years 0000 to 9999");
}

int event_time_of_number(struct tally_str text, int64_t *out_us, struct event_error *err)
{
	int64_t whole;
	double d, unit;
	if (text.len > EVENT_PROP_TEXT_MAX)
		return fail_range(err);
	bool is_whole = number_int64(text, &whole) == 0;
	if (is_whole)
		d = (double)whole;
	else if (number_double(text, &d))
		return fail_range(err);
	unit = fabs(d) < SECONDS_BELOW ? 1e6 : fabs(d) < MILLIS_BELOW ? 1e3 : 1;
	if (fabs(d) * unit > (double)ISO8601_MAX_US)
		return fail_range(err);
	/* whole numbers stay whole; fractions are nearer to their microsecond than half of one up to the year 2242 */
	if (is_whole)
		*out_us = whole * (int64_t)unit;
	else
		*out_us = llround(d * unit);
	return 0;
}

int event_time_of_text(struct tally_str text, int64_t *out_us, struct event_error *err)
{
	if (iso8601_parse(text, out_us) == 0)
		return 0;
	return event_fail(err, "invalid_time", "time",
		"time is neither a number nor ISO 8601 with an offset, such as 2026-10-25T02:00:00+02:00");
}

int event_parse_time(struct tally_str text, int64_t *out_us, struct event_error *err)
{
	if (text.len && number_end(text.ptr, text.ptr + text.len) == text.ptr + text.len)
		return event_time_of_number(text, out_us, err);
	return event_time_of_text(text, out_us, err);
}
