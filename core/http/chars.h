/* SPDX-License-Identifier: Apache-2.0 */
/* Which characters may stand where in a request head (RFC 9110 §5, RFC 9112 §3, RFC 3986). */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A token's character in lower case; 0 = not a token's character. */
extern const unsigned char http_token_lower[256];

/* Bits of http_class[]. */
#define HTTP_VALUE 1 /* field value: TAB, SP, visible, obs-text */
#define HTTP_TARGET \
	2           /* request target: visible ASCII but '#' (wider than RFC 3986: browsers send | { } ^ as they are) */
#define HTTP_HOST 4 /* Host: reg-name, IP literal and port, without ',' */
extern const unsigned char http_class[256];

static inline bool http_all_of(const char *p, size_t len, unsigned bit)
{
	for (size_t i = 0; i < len; i++)
		if (!(http_class[(unsigned char)p[i]] & bit))
			return false;
	return true;
}

/* Whether this may stand in a field value. Eight bytes at once; a TAB, DEL or control character among them sends the rest
 * to the table. */
static inline bool http_is_clean(const char *p, size_t len)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	size_t i = 0;
	for (; i + 8 <= len; i += 8) {
		uint64_t v;
		memcpy(&v, p + i, 8);
		uint64_t del = v ^ (ones * 0x7f);
		uint64_t below_space = (v - ones * 0x20) & ~v & high;
		if (below_space | ((del - ones) & ~del & high))
			break;
	}
	return http_all_of(p + i, len - i, HTTP_VALUE);
}

#endif
