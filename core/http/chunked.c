/* SPDX-License-Identifier: Apache-2.0 */
/* One state for each place in
 *
 *     5 CR LF hello CR LF  0 CR LF  name: value CR LF  CR LF
 *     ^SIZE ^SIZE_LF   ^DATA_LF     ^TRAILER_NAME       ^LAST_LF
 *         ^     ^DATA  ^DATA_CR     ^TRAILER  ^_VALUE ^_LF
 *
 * and a single byte that may follow. */
#include "http/chunked.h"

#include <stdbool.h>
#include <string.h>

#include "http/chars.h"

#define SIZE_DIGITS_MAX 15 /* below 2^60: sums of sizes cannot overflow */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool step_size(struct chunked *c, char b)
{
	int digit = hex(b);
	if (digit >= 0 && ++c->size_digits <= SIZE_DIGITS_MAX) {
		c->left = c->left << 4 | (unsigned)digit;
		return true;
	}
	c->state = CHUNKED_SIZE_LF;
	return b == '\r' && c->size_digits > 0;
}

static bool step_size_lf(struct chunked *c, char b)
{
	c->size_digits = 0;
	c->state = c->left ? CHUNKED_DATA : CHUNKED_TRAILER;
	return b == '\n';
}

static bool step_trailer(struct chunked *c, char b)
{
	if (++c->trailer_bytes > CHUNKED_TRAILER_MAX)
		return false;
	switch (c->state) {
	case CHUNKED_TRAILER:
		c->state = b == '\r' ? CHUNKED_LAST_LF : CHUNKED_TRAILER_NAME;
		return b == '\r' || http_token_lower[(unsigned char)b];
	case CHUNKED_TRAILER_NAME:
		if (b == ':')
			c->state = CHUNKED_TRAILER_VALUE;
		return b == ':' || http_token_lower[(unsigned char)b];
	default:
		if (b == '\r')
			c->state = CHUNKED_TRAILER_LF;
		return b == '\r' || (http_class[(unsigned char)b] & HTTP_VALUE);
	}
}

/* One byte that is not data. */
static bool step(struct chunked *c, char b)
{
	switch (c->state) {
	case CHUNKED_SIZE:
		return step_size(c, b);
	case CHUNKED_SIZE_LF:
		return step_size_lf(c, b);
	case CHUNKED_DATA_CR:
		c->state = CHUNKED_DATA_LF;
		return b == '\r';
	case CHUNKED_DATA_LF:
		c->state = CHUNKED_SIZE;
		return b == '\n';
	case CHUNKED_TRAILER_LF:
		c->state = CHUNKED_TRAILER;
		return b == '\n';
	case CHUNKED_LAST_LF:
		c->state = CHUNKED_WHOLE;
		return b == '\n';
	default:
		return step_trailer(c, b);
	}
}

static size_t take_data(struct chunked *c, const char *src, size_t len, char *dst)
{
	size_t n = c->left < len ? (size_t)c->left : len;
	memmove(dst, src, n);
	c->left -= n;
	if (c->left == 0)
		c->state = CHUNKED_DATA_CR;
	return n;
}

enum chunked_result chunked_feed(struct chunked *c, const char *src, size_t *len, char *dst, size_t *made)
{
	size_t at = 0;
	*made = 0;
	while (at < *len && c->state != CHUNKED_WHOLE) {
		if (c->state == CHUNKED_DATA) {
			size_t n = take_data(c, src + at, *len - at, dst + *made);
			at += n;
			*made += n;
		} else if (!step(c, src[at++])) {
			return CHUNKED_BAD;
		}
	}
	*len = at;
	return c->state == CHUNKED_WHOLE ? CHUNKED_DONE : CHUNKED_MORE;
}
