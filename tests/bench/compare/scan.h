/* SPDX-License-Identifier: Apache-2.0 */
/* The least that an event's JSON can cost: one pass over an object, or an array of objects, in which the top-level
 * members are found as slices and nested values are skipped. Only structure is checked, nothing is copied. The yardstick
 * of what tally pays for all its rules (core/event); not for anything else. */
#ifndef BENCH_SCAN_H
#define BENCH_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct scan_slice {
	const char *p;
	size_t n;
};

struct scan_event {
	struct scan_slice id, name, time, visitor, page, target, props;
};

typedef void (*scan_fn)(void *arg, const struct scan_event *ev);

#define SCAN_ONES 0x0101010101010101ull
#define SCAN_HAS_ZERO(w) (((w)-SCAN_ONES) & ~(w) & (SCAN_ONES << 7))

/* p is behind the opening quote; what comes back is behind the closing one, NULL = there is none. */
static const char *scan_string(const char *p, const char *end, struct scan_slice *out)
{
	const char *begin = p;
	while (p < end) {
		if (end - p >= 8) { /* eight bytes at once, as long as no quote and no backslash is among them */
			uint64_t w;
			memcpy(&w, p, 8);
			uint64_t hit = SCAN_HAS_ZERO(w ^ SCAN_ONES * '"') | SCAN_HAS_ZERO(w ^ SCAN_ONES * '\\');
			if (!hit) {
				p += 8;
				continue;
			}
			p += __builtin_ctzll(hit) >> 3;
		}
		if (*p == '"') {
			*out = (struct scan_slice){ begin, (size_t)(p - begin) };
			return p + 1;
		}
		p += *p == '\\' ? 2 : 1;
	}
	return NULL;
}

static const char *scan_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* p is at [ or {. */
static const char *scan_nested(const char *p, const char *end)
{
	struct scan_slice skipped;
	int depth = 0;
	while (p && p < end) {
		char c = *p++;
		if (c == '"')
			p = scan_string(p, end, &skipped);
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return p;
	}
	return NULL;
}

static const char *scan_value(const char *p, const char *end, struct scan_slice *out)
{
	const char *begin = p;
	if (p >= end)
		return NULL;
	if (*p == '"')
		return scan_string(p + 1, end, out);
	if (*p == '{' || *p == '[')
		p = scan_nested(p, end);
	else
		while (p < end && *p != ',' && *p != '}' && *p != ']' && (unsigned char)*p > ' ')
			p++;
	if (!p || p == begin)
		return NULL;
	*out = (struct scan_slice){ begin, (size_t)(p - begin) };
	return p;
}

static bool scan_is(const struct scan_slice *key, const char *name)
{
	return memcmp(key->p, name, key->n) == 0;
}

static void scan_keep(struct scan_event *ev, const struct scan_slice *key, const struct scan_slice *value)
{
	struct scan_slice *to = NULL;
	switch (key->n) {
	case 2:
		to = scan_is(key, "id") ? &ev->id : NULL;
		break;
	case 4:
		to = scan_is(key, "name")   ? &ev->name
		     : scan_is(key, "time") ? &ev->time
		     : scan_is(key, "page") ? &ev->page
					    : NULL;
		break;
	case 5:
		to = scan_is(key, "props") ? &ev->props : NULL;
		break;
	case 6:
		to = scan_is(key, "target") ? &ev->target : NULL;
		break;
	case 7:
		to = scan_is(key, "visitor") ? &ev->visitor : NULL;
		break;
	}
	if (to)
		*to = *value;
}

/* p is at {; what comes back is behind its }. */
static const char *scan_object(const char *p, const char *end, struct scan_event *ev)
{
	memset(ev, 0, sizeof *ev);
	if (p >= end || *p != '{')
		return NULL;
	do {
		struct scan_slice key, value;
		p = scan_space(p + 1, end);
		if (p >= end || *p != '"' || !(p = scan_string(p + 1, end, &key)))
			return NULL;
		p = scan_space(p, end);
		if (p >= end || *p != ':' || !(p = scan_value(scan_space(p + 1, end), end, &value)))
			return NULL;
		scan_keep(ev, &key, &value);
		p = scan_space(p, end);
	} while (p < end && *p == ',');
	return p < end && *p == '}' ? p + 1 : NULL;
}

/* How many events, -1 = the text is none. */
static inline long scan_body(const char *p, size_t n, scan_fn fn, void *arg)
{
	const char *end = p + n;
	struct scan_event ev;
	long count = 0;
	p = scan_space(p, end);
	bool array = p < end && *p == '[';
	do {
		p = scan_object(array ? scan_space(p + 1, end) : p, end, &ev);
		if (!p)
			return -1;
		fn(arg, &ev);
		count++;
		p = scan_space(p, end);
	} while (array && p < end && *p == ',');
	return !array || (p < end && *p == ']') ? count : -1;
}

#endif
