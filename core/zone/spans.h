/* SPDX-License-Identifier: Apache-2.0 */
/* A zone inside: a row of spans with one offset each. Shared within core/zone; nobody else includes this.
 *
 *   span:     0            1            2                     n-1
 *        ------------|------------|------------| ... |------------------>
 *        from[0]=-inf from[1]      from[2]
 *
 * All times here are whole seconds, of UTC or of the local clock. `high` of a span is the latest second that the local
 * clock showed before the span began: what is above it has not been shown yet, so a date begins once. The rule behind
 * the table of a file is written out as spans for 400 years and a bit; later moments are moved back by multiples of 400
 * years, in which the calendar repeats. */
#ifndef ZONE_SPANS_H
#define ZONE_SPANS_H

#include "zone/calendar.h"
#include "zone/zone.h"

#define ZONE_OFFSET_MAX (26 * 3600) /* no zone is further from UTC (RFC 8536) */
#define ZONE_NEVER INT64_MIN
#define ZONE_MOST_S INT64_C(9150000000000) /* of either sign: the years -287979 to 291918 */

struct zone {
	char *name;
	size_t n;         /* spans, at least 1 */
	int64_t *from;    /* ascending; from[0] = ZONE_NEVER */
	int64_t *high;    /* ascending or equal; high[0] = ZONE_NEVER */
	int32_t *offset;  /* seconds east of UTC; neighbours differ */
	int64_t fold_end; /* moments from here on are moved back; INT64_MAX = none */
};

/* First moment at which the local clock of z shows this second or a later one. */
int64_t zone_first(const struct zone *z, int64_t local_s);

/* ---- making one ---- */

/* Gives an empty zone; spans are added in ascending order, one that begins no later than the last one takes its place. */
struct zone *zone_make(const char *name, int32_t first_offset);
void zone_span(struct zone *z, int64_t from, int32_t offset);
/* Fills high; the zone is whole. */
void zone_seal(struct zone *z);
void zone_free(struct zone *z);

/* A TZif file image (RFC 8536, versions 1 to 4). NULL: not one, or one that counts leap seconds. */
struct zone *zone_of_tzif(const char *name, const uint8_t *bytes, size_t len);

/* Spans for a POSIX TZ string, which holds behind `after`, the last moment of a table (ZONE_NEVER: always). -EINVAL. */
must_check int zone_rule(struct zone *z, int64_t after, const char *text, size_t len);

#endif
