/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a chunked body: the first byte says in which pieces the others come. In place in pieces, and at once into
 * other memory, must give the same; a body is never longer than the bytes it came in. */
#include <stdlib.h>
#include <string.h>

#include "http/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum chunked_result in_pieces(const char *src, size_t len, size_t step, char *dst, size_t *eaten, size_t *made)
{
	struct chunked c = { 0 };
	enum chunked_result rc = CHUNKED_MORE;
	*eaten = *made = 0;
	while (*eaten < len && rc == CHUNKED_MORE) {
		size_t n = step < len - *eaten ? step : len - *eaten, got;
		char *piece = malloc(n);
		MUST(piece != NULL);
		memcpy(piece, src + *eaten, n);
		rc = chunked_feed(&c, piece, &n, piece, &got);
		memcpy(dst + *made, piece, got);
		*made += got;
		*eaten += n;
		free(piece);
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const char *src = (const char *)data + 1;
	size_t len = size - 1, eaten = len, made, eaten2, made2;
	struct chunked c = { 0 };
	char *one = malloc(len), *two = malloc(len);
	MUST(one != NULL && two != NULL);
	enum chunked_result rc = chunked_feed(&c, src, &eaten, one, &made);
	MUST(rc == in_pieces(src, len, data[0] % 61 + 1u, two, &eaten2, &made2));
	MUST(made <= len && eaten <= len);
	if (rc != CHUNKED_BAD)
		MUST(made == made2 && eaten == eaten2 && memcmp(one, two, made) == 0);
	if (rc == CHUNKED_DONE)
		MUST(eaten >= 5 && memcmp(src + eaten - 2, "\r\n", 2) == 0);
	free(one);
	free(two);
	return 0;
}
