/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of JSON. Most hold neither escapes nor bytes above ASCII: one pass of 16 bytes at a time finds the end and
 * tells so. Text with escapes is measured and checked first, then written once into the arena: unescaping never makes
 * it longer. */
#include <errno.h>
#include <stdint.h>

#include "text/json_inner.h"
#include "text/utf8.h"

/* First byte at or behind p that is a quote, a backslash or a control character, or end. *high: a byte above ASCII was
 * passed. Never reads behind end. */
static const char *pass_plain(const char *p, const char *end, unsigned *high)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		unsigned highs, stops = json_stops(p, &highs);
		if (stops) {
			*high |= highs & (stops ^ (stops - 1));
			return p + __builtin_ctz(stops);
		}
		*high |= highs;
	}
#endif
	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\' || c < 0x20)
			break;
		*high |= c & 0x80;
	}
	return p;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits, or -1. */
static int32_t hex4(const char *p, const char *end)
{
	int32_t value = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(p[i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

#define NO_ESCAPE (-1)
#define LONE_SURROGATE (-2)

/*  \uXXXX, or \uD8XX\uDCXX for one character above U+FFFF. p is behind the 'u'. */
static int32_t read_u_escape(const char *p, const char *end, const char **behind)
{
	int32_t first = hex4(p, end), second;
	if (first < 0)
		return NO_ESCAPE;
	*behind = p + 4;
	if (first < 0xd800 || first > 0xdfff)
		return first;
	if (first > 0xdbff || end - p < 10 || p[4] != '\\' || p[5] != 'u')
		return LONE_SURROGATE;
	second = hex4(p + 6, end);
	if (second < 0xdc00 || second > 0xdfff)
		return LONE_SURROGATE;
	*behind = p + 10;
	return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

/* The character of the escape whose backslash stands at p; *behind is set unless it is NO_ESCAPE. */
static int32_t read_escape(const char *p, const char *end, const char **behind)
{
	static const char plain[256] = { ['"'] = '"',
		['\\'] = '\\',
		['/'] = '/',
		['b'] = '\b',
		['f'] = '\f',
		['n'] = '\n',
		['r'] = '\r',
		['t'] = '\t' };
	char c;
	if (end - p < 2)
		return NO_ESCAPE;
	if (p[1] == 'u')
		return read_u_escape(p + 2, end, behind);
	c = plain[(unsigned char)p[1]];
	*behind = p + 2;
	return c ? c : NO_ESCAPE;
}

static int check_utf8(struct json *j, const char *begin, const char *end)
{
	size_t len = (size_t)(end - begin), valid;
	if (j->lenient)
		return 0;
	valid = utf8_prefix(begin, len);
	if (valid == len)
		return 0;
	return json_fail(j, "invalid_utf8", begin + valid, "the text is not UTF-8");
}

static int fail_at_stop(struct json *j, const char *p)
{
	if (p == j->end)
		return json_fail(j, "invalid_json", p, "it ends inside a text");
	return json_fail(j, "invalid_json", p, "control characters in text must be escaped");
}

static int check_escape(struct json *j, const char *p, const char **behind)
{
	int32_t cp = read_escape(p, j->end, behind);
	if (cp == NO_ESCAPE)
		return json_fail(j, "invalid_json", p, "this is no escape that JSON knows");
	if (cp == LONE_SURROGATE && !j->lenient)
		return json_fail(j, "invalid_utf8", p, "a lone surrogate is no character");
	return 0;
}

/* Ensures: every escape up to the closing quote is a whole one, the rest is UTF-8. The quote, or NULL. */
static const char *find_end(struct json *j, const char *p)
{
	unsigned high = 0;
	const char *begin = j->at;
	for (;;) {
		p = pass_plain(p, j->end, &high);
		if (p == j->end || (unsigned char)*p < 0x20) {
			fail_at_stop(j, p);
			return NULL;
		}
		if (*p == '"')
			break;
		if (check_escape(j, p, &p))
			return NULL;
	}
	/* all of it: what was passed before the first escape may have held high bytes that `high` has not seen */
	return check_utf8(j, begin, p) ? NULL : p;
}

/* Assumes: find_end() has passed all of it. */
static struct tally_str unescape(struct arena *a, const char *p, const char *end)
{
	char *out = arena_alloc(a, (size_t)(end - p)), *to = out;
	while (p < end) {
		const char *stop = memchr(p, '\\', (size_t)(end - p));
		size_t run = (size_t)((stop ? stop : end) - p);
		memcpy(to, p, run);
		to += run;
		p += run;
		if (stop)
			to += utf8_put((uint32_t)read_escape(stop, end, &p), to);
	}
	return str_make(out, (size_t)(to - out));
}

static int string_with_escapes(struct json *j, const char *first_escape, struct tally_str *out)
{
	const char *begin = j->at, *end = find_end(j, first_escape);
	if (!end)
		return -EINVAL;
	j->at = end + 1;
	*out = j->skipping || j->lenient ? str_make(begin, (size_t)(end - begin)) : unescape(j->arena, begin, end);
	return 0;
}

int json_take_string(struct json *j, struct tally_str *out)
{
	unsigned high = 0;
	const char *begin = j->at, *end = pass_plain(begin, j->end, &high);
	if (end == j->end || (unsigned char)*end < 0x20)
		return fail_at_stop(j, end);
	if (*end == '\\')
		return string_with_escapes(j, end, out);
	if (high && check_utf8(j, begin, end))
		return -EINVAL;
	*out = str_make(begin, (size_t)(end - begin));
	j->at = end + 1;
	return 0;
}
