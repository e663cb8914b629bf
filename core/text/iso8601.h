/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as ISO 8601 text with an offset: what events carry. (What needs a time zone is core/zone's.) The calendar is
 * the proleptic Gregorian one, years 0000 to 9999. [any thread] */
#ifndef TEXT_ISO8601_H
#define TEXT_ISO8601_H

#include <stdint.h>

#include "base/check.h"
#include "base/str.h"

#define ISO8601_TEXT 32                            /* enough for every iso8601_format */
#define ISO8601_MIN_US (-62167219200000000)        /* 0000-01-01T00:00:00Z */
#define ISO8601_MAX_US INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */

/* "2026-10-25T02:00:00.25+02:00": 'T', 't' or a space between; seconds and their fraction may be missing, digits past
 * microseconds are cut; the offset is Z, z, +hh, +hhmm or +hh:mm and must be there. A second 60 is the next minute.
 * The whole text or -EINVAL. */
must_check int iso8601_parse(struct tally_str text, int64_t *out_us);

/* "2026-10-25T00:00:00Z", with 3 or 6 digits of fraction only if needed. Returns the length. Assumes: within
 * ISO8601_MIN_US to ISO8601_MAX_US. */
size_t iso8601_format(int64_t time_us, char out[ISO8601_TEXT]);

#endif
