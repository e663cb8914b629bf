/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and times with their units, both ways, and the nearest known name.
 * Units are one table each; printing takes the largest unit that divides the value, so that what was written as
 * 64MiB is shown as 64MiB. */
#include "conf/units.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "TiB", 1ull << 40 },
	{ "TB", 1000000000000ull },
	{ "GiB", 1ull << 30 },
	{ "GB", 1000000000ull },
	{ "MiB", 1ull << 20 },
	{ "MB", 1000000ull },
	{ "KiB", 1ull << 10 },
	{ "kB", 1000ull },
	{ "KB", 1000ull },
	{ "B", 1 },
};

static const struct unit time_units[] = {
	{ "w", 7 * 86400000000ull },
	{ "d", 86400000000ull },
	{ "h", 3600000000ull },
	{ "m", 60000000ull },
	{ "s", 1000000ull },
	{ "ms", 1000ull },
	{ "us", 1 },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Digits, one unit of the table, end. *bare: no unit was there. */
static int parse(const char *text, const struct unit *units, size_t n, uint64_t *out, bool *bare)
{
	uint64_t v = 0;
	const char *p = text;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (unsigned)(*p - '0'), &v))
			return -EINVAL;
	if (p == text)
		return -EINVAL;
	*bare = *p == 0;
	*out = v;
	if (*bare)
		return 0;
	while (*p == ' ')
		p++;
	for (size_t i = 0; i < n; i++)
		if (strcmp(p, units[i].name) == 0)
			return __builtin_mul_overflow(v, units[i].factor, out) ? -EINVAL : 0;
	return -EINVAL;
}

int conf_parse_size(const char *text, uint64_t *out)
{
	bool bare;
	return parse(text, size_units, COUNT(size_units), out, &bare);
}

int conf_parse_time(const char *text, int64_t *out_us)
{
	if (strcmp(text, "forever") == 0 || strcmp(text, "any") == 0) {
		*out_us = INT64_MAX;
		return 0;
	}
	bool bare;
	uint64_t v;
	if (parse(text, time_units, COUNT(time_units), &v, &bare) != 0 || v >= INT64_MAX || (bare && v != 0))
		return -EINVAL;
	*out_us = (int64_t)v;
	return 0;
}

int conf_parse_share(const char *text, double *out)
{
	size_t n = strspn(text, "0123456789.");
	if (n == 0 || n > 9 || *text == '.' || strcmp(text + n, "%") != 0)
		return -EINVAL;
	char *end;
	double v = strtod(text, &end);
	if (end != text + n || v > 100)
		return -EINVAL;
	*out = v / 100;
	return 0;
}

/* Binary units only, or "1000000" would come back as "1MB" beside "1MiB" and be misread. */
char *conf_print_size(struct arena *a, uint64_t v)
{
	for (size_t i = 0; i < COUNT(size_units); i++)
		if (size_units[i].name[1] == 'i' && v && v % size_units[i].factor == 0)
			return arena_printf(
				a, "%llu%s", (unsigned long long)(v / size_units[i].factor), size_units[i].name);
	return arena_printf(a, "%lluB", (unsigned long long)v);
}

/* Weeks are never printed: 14d says more than 2w. */
char *conf_print_time(struct arena *a, int64_t us, const char *endless)
{
	if (us == INT64_MAX)
		return arena_printf(a, "%s", endless);
	for (size_t i = 1; i < COUNT(time_units); i++)
		if (us && (uint64_t)us % time_units[i].factor == 0)
			return arena_printf(a, "%llu%s", (unsigned long long)((uint64_t)us / time_units[i].factor),
				time_units[i].name);
	return arena_printf(a, "%llds", (long long)us);
}

char *conf_print_share(struct arena *a, double share)
{
	return arena_printf(a, "%.9g%%", share * 100);
}

/* ---- nearest name ---- */

#define WORD_MAX 48

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

/* Edit distance with swaps of neighbours (optimal string alignment), case ignored. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
	for (unsigned k = 0; k <= nb; k++)
		last[k] = before[k] = k;
	for (size_t i = 1; i <= na; i++) {
		now[0] = (unsigned)i;
		for (size_t k = 1; k <= nb; k++) {
			unsigned differs = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[k - 1]);
			now[k] = least(last[k] + 1, now[k - 1] + 1, last[k - 1] + differs);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
				before[k - 2] + 1 < now[k])
				now[k] = before[k - 2] + 1;
		}
		unsigned *free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[nb];
}

const char *conf_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word);
	if (len > WORD_MAX)
		return NULL;
	const char *best = NULL;
	unsigned best_distance = UINT_MAX;
	for (size_t i = 0; i < n; i++) {
		size_t clen = strlen(candidates[i]);
		unsigned allowed = (unsigned)((len > clen ? len : clen) + 2) / 3;
		unsigned d = clen > WORD_MAX ? UINT_MAX : distance(word, len, candidates[i], clen);
		if (d <= allowed && d < best_distance) {
			best = candidates[i];
			best_distance = d;
		}
	}
	return best;
}
