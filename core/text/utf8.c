/* SPDX-License-Identifier: Apache-2.0 */
/* Nearly all text is ASCII, so runs of it are passed eight bytes at a time; the rest goes through the table of
 * well-formed sequences of the Unicode standard (table 3-7). */
#include "text/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/*  E0 A0..BF tail   no overlong          ED 80..9F tail   no surrogate
 *  F0 90..BF tail²  no overlong          F4 80..8F tail²  not above U+10FFFF */
static bool second_fits(unsigned char lead, unsigned char second)
{
	switch (lead) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

unsigned utf8_step(const char *p, const char *end)
{
	const unsigned char *s = (const unsigned char *)p;
	size_t left = (size_t)(end - p);
	unsigned n;
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (left < n || !is_tail(s[1]) || !second_fits(s[0], s[1]))
		return 0;
	for (unsigned i = 2; i < n; i++)
		if (!is_tail(s[i]))
			return 0;
	return n;
}

static const char *pass_ascii(const char *p, const char *end)
{
	uint64_t word;
	while (end - p >= 8) {
		memcpy(&word, p, 8);
		if (word & HIGH_BITS)
			break;
		p += 8;
	}
	while (p < end && (unsigned char)*p < 0x80)
		p++;
	return p;
}

size_t utf8_prefix(const char *p, size_t len)
{
	const char *begin = p, *end = p + len;
	while (p < end) {
		if ((unsigned char)*p < 0x80) {
			p = pass_ascii(p, end);
			continue;
		}
		unsigned n = utf8_step(p, end);
		if (n == 0)
			break;
		p += n;
	}
	return (size_t)(p - begin);
}

unsigned utf8_put(uint32_t cp, char out[4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

bool utf8_has_control(struct tally_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < s.len && (unsigned char)s.ptr[i + 1] < 0xa0)
			return true;
	}
	return false;
}
