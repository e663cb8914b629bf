/* SPDX-License-Identifier: Apache-2.0 */
#include "text/write.h"

#include <math.h>
#include <stdio.h>

#include "text/json_inner.h"
#include "text/number.h"

#define SMALL 64

void text_open(struct text_out *o, struct arena *a, size_t room)
{
	size_t cap = room ? room : SMALL;
	*o = (struct text_out){ .arena = a, .ptr = arena_alloc(a, cap), .cap = cap };
}

void text_reserve(struct text_out *o, size_t n)
{
	size_t cap = o->cap;
	if (cap - o->len >= n)
		return;
	while (cap - o->len < n)
		cap *= 2;
	char *bigger = arena_alloc(o->arena, cap);
	memcpy(bigger, o->ptr, o->len);
	o->ptr = bigger;
	o->cap = cap;
}

void text_vprintf(struct text_out *o, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(o->ptr + o->len, o->cap - o->len, fmt, ap);
	MUST(n >= 0);
	if ((size_t)n >= o->cap - o->len) {
		text_reserve(o, (size_t)n + 1);
		vsnprintf(o->ptr + o->len, o->cap - o->len, fmt, again);
	}
	va_end(again);
	o->len += (size_t)n;
}

void text_printf(struct text_out *o, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	text_vprintf(o, fmt, ap);
	va_end(ap);
}

void text_put_int(struct text_out *o, int64_t number)
{
	text_reserve(o, NUMBER_TEXT);
	o->len += number_format_int(number, o->ptr + o->len);
}

void text_put_double(struct text_out *o, double number)
{
	text_reserve(o, NUMBER_TEXT);
	o->len += number_format(number, o->ptr + o->len);
}

/* ---- JSON ---- */

static void before_value(struct text_out *o)
{
	if (o->comma)
		text_put_char(o, ',');
	o->comma = true;
}

void text_json_begin(struct text_out *o, char bracket)
{
	before_value(o);
	text_put_char(o, bracket);
	o->comma = false;
}

void text_json_end(struct text_out *o, char bracket)
{
	text_put_char(o, bracket);
	o->comma = true;
}

static void put_u_escape(struct text_out *o, unsigned unit)
{
	static const char hex[] = "0123456789abcdef";
	const char escape[6] = { '\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
		hex[unit & 15] };
	text_put(o, str_make(escape, sizeof escape));
}

/* Length of the character at p that must be escaped, 0 if it may stand as it is.
 *  00..1F 22 5C 7F   one byte      C2 80..9F   C1      E2 80 A8|A9   U+2028, U+2029 */
static unsigned escape_length(const unsigned char *p, size_t left)
{
	if (p[0] < 0x20 || p[0] == '"' || p[0] == '\\' || p[0] == 0x7f)
		return 1;
	if (p[0] == 0xc2 && left >= 2 && p[1] < 0xa0)
		return 2;
	if (p[0] == 0xe2 && left >= 3 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return 0;
}

static void put_escaped(struct text_out *o, const unsigned char *p, unsigned len)
{
	static const char short_forms[256] = {
		['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
	};
	char letter = len == 1 ? short_forms[p[0]] : 0;
	if (letter) {
		text_put_char(o, '\\');
		text_put_char(o, letter);
		return;
	}
	put_u_escape(o, len == 1 ? p[0] : len == 2 ? p[1] : 0x2000u + (p[2] & 0x3fu));
}

/* clang-format off */
static const bool is_plain[256] = {
	[' '] = 1, ['!'] = 1, ['#' ... '['] = 1, [']' ... '~'] = 1,
};
/* clang-format on */

/* Where, from i on, the first byte of s stands that may have to be escaped; s.len = nowhere. */
static size_t pass_plain(struct tally_str s, size_t i)
{
#ifdef __SSE2__
	for (; s.len - i >= 16; i += 16) {
		unsigned high, stops = json_stops(s.ptr + i, &high) | json_deletes(s.ptr + i);
		if (stops | high)
			return i + (unsigned)__builtin_ctz(stops | high);
	}
#endif
	while (i < s.len && is_plain[(unsigned char)s.ptr[i]])
		i++;
	return i;
}

static void put_quoted(struct text_out *o, struct tally_str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t done = 0;
	text_reserve(o, s.len + 2);
	text_put_char(o, '"');
	for (size_t i = 0; (i = pass_plain(s, i)) < s.len;) {
		unsigned len = escape_length(p + i, s.len - i);
		if (len == 0) {
			i++;
			continue;
		}
		text_put(o, str_make(s.ptr + done, i - done));
		put_escaped(o, p + i, len);
		i += len;
		done = i;
	}
	text_put(o, str_make(s.ptr + done, s.len - done));
	text_put_char(o, '"');
}

void text_json_key(struct text_out *o, struct tally_str key)
{
	before_value(o);
	put_quoted(o, key);
	text_put_char(o, ':');
	o->comma = false;
}

void text_json_string(struct text_out *o, struct tally_str s)
{
	before_value(o);
	put_quoted(o, s);
}

void text_json_int(struct text_out *o, int64_t number)
{
	before_value(o);
	text_put_int(o, number);
}

void text_json_uint(struct text_out *o, uint64_t number)
{
	before_value(o);
	text_printf(o, "%llu", (unsigned long long)number);
}

void text_json_double(struct text_out *o, double number)
{
	if (!isfinite(number)) {
		text_json_null(o);
		return;
	}
	before_value(o);
	text_put_double(o, number);
}

void text_json_bool(struct text_out *o, bool value)
{
	text_json_raw(o, value ? STR("true") : STR("false"));
}

void text_json_null(struct text_out *o)
{
	text_json_raw(o, STR("null"));
}

void text_json_raw(struct text_out *o, struct tally_str json)
{
	before_value(o);
	text_put(o, json);
}

/* Of a key that needs no escapes. */
static void put_plain_key(struct text_out *o, const char *key)
{
	size_t n = strlen(key);
	text_reserve(o, n + 4);
	char *at = o->ptr + o->len;
	if (o->comma)
		*at++ = ',';
	*at++ = '"';
	memcpy(at, key, n);
	memcpy(at + n, "\":", 2);
	o->len = (size_t)(at + n + 2 - o->ptr);
	o->comma = false;
}

void text_json_member_string(struct text_out *o, const char *key, struct tally_str s)
{
	put_plain_key(o, key);
	text_json_string(o, s);
}

void text_json_member_int(struct text_out *o, const char *key, int64_t number)
{
	put_plain_key(o, key);
	text_json_int(o, number);
}

void text_json_member_double(struct text_out *o, const char *key, double number)
{
	put_plain_key(o, key);
	text_json_double(o, number);
}

void text_json_member_bool(struct text_out *o, const char *key, bool value)
{
	put_plain_key(o, key);
	text_json_bool(o, value);
}
