/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked transfer coding (RFC 9112 §7.1), decoded as it comes. Pure: bytes in, bytes out. Chunk extensions are
 * refused, trailers are checked, bounded and forgotten. */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define CHUNKED_TRAILER_MAX 4096

enum chunked_state {
	CHUNKED_SIZE,
	CHUNKED_SIZE_LF,
	CHUNKED_DATA,
	CHUNKED_DATA_CR,
	CHUNKED_DATA_LF,
	CHUNKED_TRAILER, /* start of a trailer line, or of the empty line at the end */
	CHUNKED_TRAILER_NAME,
	CHUNKED_TRAILER_VALUE,
	CHUNKED_TRAILER_LF,
	CHUNKED_LAST_LF,
	CHUNKED_WHOLE,
};

struct chunked {
	uint64_t left;        /* data bytes to come of this chunk; while its size is read, the size so far */
	unsigned size_digits; /* of the size in work */
	unsigned trailer_bytes;
	enum chunked_state state;
};
/* A zeroed struct chunked is ready to decode. */

enum chunked_result { CHUNKED_MORE, CHUNKED_DONE, CHUNKED_BAD };

/* Eats *len bytes of src, or fewer once it is DONE (*len tells how many), and writes the data in them to dst, *made
 * bytes. dst may be src or lie before it in the same buffer. */
must_check enum chunked_result chunked_feed(struct chunked *c, const char *src, size_t *len, char *dst, size_t *made);

#endif
