/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones from tzdata's TZif files (RFC 8536), and the calendar in them: what hour, day, week or month of a zone a
 * moment falls into, and when that begins. Handles half-hour zones, both DST changes, days of 23 and 25 hours.
 * A zone is immutable once loaded; zone_get() caches for ever. [any thread] */
#ifndef ZONE_ZONE_H
#define ZONE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct zone;

enum zone_unit { ZONE_MINUTE, ZONE_QUARTER, ZONE_HOUR, ZONE_DAY, ZONE_WEEK, ZONE_MONTH, ZONE_YEAR };

/* "Europe/Berlin", "UTC". NULL: no such zone (a name that is not letters, digits, '_', '+', '-' with '/' between; no file
 * of it in $TZDIR or /usr/share/zoneinfo; or one that counts leap seconds). "UTC" needs no file. */
const struct zone *zone_get(const char *name);
const struct zone *zone_utc(void);
const char *zone_name(const struct zone *z);

/* Seconds east of UTC at that moment. */
int zone_offset_s(const struct zone *z, int64_t time_us);

/* Start of the bucket that holds the moment. Minutes and quarters are UTC ones (the same in every zone on earth). Hours
 * begin when the local clock shows :00, and at every change of the offset: each passing of a repeated hour is a bucket of
 * its own, and where clocks change by half an hour the buckets beside the change last 30 minutes. Weeks start on Monday.
 * A day begins at the first moment of its date (00:00, or later where a DST change skips it); one that the clock, put
 * back, leaves again has begun all the same; one that is skipped whole (Apia, 2011-12-30) has no bucket. */
int64_t zone_floor(const struct zone *z, enum zone_unit unit, int64_t time_us);

/* Start of the next bucket. Assumes: start is one. */
int64_t zone_next(const struct zone *z, enum zone_unit unit, int64_t start_us);

/* Start of the bucket n buckets away (n may be negative). Assumes: start is one. Days and longer units go by the calendar:
 * a skipped date counts. Hours go one by one. */
int64_t zone_add(const struct zone *z, enum zone_unit unit, int64_t start_us, int n);

/* First moment of a local date; month and day may be out of range and are carried. */
int64_t zone_date(const struct zone *z, int year, int month, int day);

/* Local calendar fields of a moment. weekday 0 = Monday. */
struct zone_civil {
	int year, month, day, hour, minute, second, usec, weekday, offset_s;
};
void zone_civil(const struct zone *z, int64_t time_us, struct zone_civil *out);

/* "2026-10-25T02:00:00+02:00" into out; microseconds only if not 0, seconds of the offset only if it has some. */
size_t zone_format(const struct zone *z, int64_t time_us, char out[40]);

/* ISO 8601 with offset ("Z", "+02:00", "+0200", "+02", "+00:53:28"), date and time separated by 'T' or ' ', seconds and a
 * fraction optional; fraction digits past microseconds are cut; second 60 is the one behind it. Years 0000 to 9999. Whole
 * text or -EINVAL. */
must_check int zone_parse(const char *text, size_t len, int64_t *out_us);

/* As zone_parse, but an offset may be missing: then the local time of z; one that is repeated is the first passing, one
 * that is skipped is the moment of the change. A date alone is its first moment; *date_only tells. */
must_check int zone_parse_local(const struct zone *z, const char *text, size_t len, int64_t *out_us, int *date_only);

#endif
