/* SPDX-License-Identifier: Apache-2.0 */
/* Compares with Python's zoneinfo, by the lines that zone_oracle.py prints (there: what they mean). TALLY_LONG=1 asks
 * for many more moments, in all zones. Exit 77 = skipped: no python3 with zoneinfo. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zone/zone.h"

#define US INT64_C(1000000)

static unsigned long compared, wrong;

static void same(const char *zone, const char *what, int64_t s, int64_t got, int64_t expected)
{
	compared++;
	if (got == expected)
		return;
	if (wrong++ < 20)
		printf("%s at %lld: %s is %lld, zoneinfo says %lld\n", zone, (long long)s, what, (long long)got,
			(long long)expected);
}

static int check_line(const char *line)
{
	static const enum zone_unit units[] = { ZONE_HOUR, ZONE_DAY, ZONE_WEEK, ZONE_MONTH };
	static const char *const names[] = { "hour", "day", "week", "month" };
	char zone[64];
	long long s, offset, start[4], end[4];
	if (sscanf(line, "%63s %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld", zone, &s, &offset, &start[0],
		    &end[0], &start[1], &end[1], &start[2], &end[2], &start[3], &end[3]) != 11)
		return -1;
	const struct zone *z = zone_get(zone);
	if (!z)
		return -1;
	same(zone, "offset", s, zone_offset_s(z, s * US), offset);
	for (int i = 0; i < 4; i++) {
		char what[32];
		snprintf(what, sizeof what, "start of %s", names[i]);
		same(zone, what, s, zone_floor(z, units[i], s * US + 999999) / US, start[i]);
		snprintf(what, sizeof what, "end of %s", names[i]);
		same(zone, what, s, zone_next(z, units[i], start[i] * US) / US, end[i]);
	}
	return 0;
}

int main(void)
{
	char command[4096], line[512];
	const char *srcdir = getenv("srcdir");
	if (system("python3 -c 'import zoneinfo; zoneinfo.ZoneInfo(\"Europe/Berlin\")' >/dev/null 2>&1") != 0) {
		printf("skipped zone_oracle: no python3 with zoneinfo and tzdata\n");
		return 77;
	}
	snprintf(command, sizeof command, "python3 '%s/tests/unit/zone_oracle.py' %s", srcdir ? srcdir : ".",
		getenv("TALLY_LONG") ? "60 all" : "50");
	FILE *p = popen(command, "r");
	if (!p)
		return 1;
	unsigned long lines = 0;
	for (; fgets(line, sizeof line, p); lines++)
		if (check_line(line) != 0) {
			printf("cannot check: %s", line);
			wrong++;
		}
	int status = pclose(p);
	printf("%lu moments, %lu comparisons, %lu wrong\n", lines, compared, wrong);
	return status != 0 || lines < 1000 || wrong != 0;
}
