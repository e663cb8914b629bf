/* SPDX-License-Identifier: Apache-2.0 */
/* Files of time zones: whatever zone they describe, buckets of it lie end to end. */
#include "base/check.h"
#include "zone/spans.h"

#define US INT64_C(1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bucket(const struct zone *z, enum zone_unit unit, int64_t t)
{
	int64_t start = zone_floor(z, unit, t), end = zone_next(z, unit, start);
	MUST(start <= t && t < end);
	MUST(zone_floor(z, unit, start) == start);
	MUST(zone_floor(z, unit, end - 1) == start);
	MUST(zone_floor(z, unit, end) == end);
}

static void check_moment(const struct zone *z, int64_t s)
{
	struct zone_civil c;
	char text[40];
	if (s < -ZONE_MOST_S / 2 || s > ZONE_MOST_S / 2)
		return;
	for (int unit = ZONE_MINUTE; unit <= ZONE_YEAR; unit++)
		check_bucket(z, (enum zone_unit)unit, s * US + 7);
	zone_civil(z, s * US, &c);
	MUST(c.offset_s == zone_offset_s(z, s * US));
	MUST(c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= 31);
	int64_t day = zone_date(z, c.year, c.month, c.day);
	MUST(day <= s * US && zone_floor(z, ZONE_DAY, day) == day);
	MUST(zone_format(z, s * US, text) < sizeof text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zone *z = zone_of_tzif("fuzz", data, size);
	if (!z)
		return 0;
	size_t step = 1 + z->n / 16;
	for (size_t i = 1; i < z->n; i += step) {
		MUST(z->from[i] > z->from[i - 1] && z->high[i] >= z->high[i - 1]);
		check_moment(z, z->from[i] - 1);
		check_moment(z, z->from[i]);
		check_moment(z, z->from[i] + 3599);
	}
	check_moment(z, 0);
	check_moment(z, z->fold_end - 1);
	check_moment(z, z->fold_end);
	check_moment(z, INT64_C(1000000000000));
	zone_free(z);
	return 0;
}
