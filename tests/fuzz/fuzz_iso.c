/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 8601 texts: what is read, is read again as the same moment from what is written of it. */
#include "base/check.h"
#include "zone/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct zone *z, int64_t us)
{
	char text[40];
	struct zone_civil c;
	int64_t again;
	zone_civil(z, us, &c);
	if (c.year < 0 || c.year > 9999)
		return;
	size_t len = zone_format(z, us, text);
	MUST(zone_parse(text, len, &again) == 0);
	MUST(again == us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const struct zone *berlin = zone_get("Europe/Berlin");
	int64_t us, local_us;
	int date_only;
	int whole = zone_parse(text, size, &us);
	int local = zone_parse_local(berlin ? berlin : zone_utc(), text, size, &local_us, &date_only);
	if (whole == 0) {
		MUST(local == 0 && local_us == us && !date_only);
		round_trip(zone_utc(), us);
	}
	if (local == 0)
		round_trip(berlin ? berlin : zone_utc(), local_us);
	return 0;
}
