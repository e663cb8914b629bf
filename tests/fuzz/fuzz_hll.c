/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches as they come from a store: [u16 length of the first | first | second]. Bad bytes are refused, good ones merge
 * both ways to the same well-formed bytes; even unchecked ones never make hll_add() or hll_estimate() leave the buffer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sketch/hll.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sketch in a block of its own of HLL_ROOM bytes. */
struct own {
	uint8_t *b;
	size_t len;
};

static struct own own(const uint8_t *bytes, size_t len)
{
	struct own o = { malloc(HLL_ROOM), len < HLL_ROOM ? len : HLL_ROOM };
	MUST(o.b != NULL);
	if (o.len)
		memcpy(o.b, bytes, o.len);
	return o;
}

static void use_unchecked(const uint8_t *bytes, size_t len)
{
	struct own o = own(bytes, len);
	double d = hll_estimate(o.b, o.len);
	MUST(d >= 0);
	for (uint64_t h = 1; h < 4; h++) {
		int r = hll_add(o.b, &o.len, HLL_ROOM, h * UINT64_C(0x9e3779b97f4a7c15));
		MUST(r == 0 || r == -EBADMSG);
	}
	free(o.b);
}

static void merge_unchecked(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	struct own x = own(a, alen);
	int r = hll_merge(x.b, &x.len, HLL_ROOM, b, blen);
	MUST(r == 0 || r == -EBADMSG);
	MUST(x.len <= HLL_ROOM);
	free(x.b);
}

static void merge_both_ways(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	struct own x = own(a, alen), y = own(b, blen);
	MUST(hll_merge(x.b, &x.len, HLL_ROOM, b, blen) == 0);
	MUST(hll_merge(y.b, &y.len, HLL_ROOM, a, alen) == 0);
	MUST(hll_check(x.b, x.len) == 0);
	MUST(x.len == y.len && (x.len == 0 || memcmp(x.b, y.b, x.len) == 0));
	size_t before = x.len;
	MUST(hll_merge(x.b, &x.len, HLL_ROOM, y.b, y.len) == 0); /* once more changes nothing */
	MUST(x.len == before && (x.len == 0 || memcmp(x.b, y.b, x.len) == 0));
	MUST(hll_add(x.b, &x.len, HLL_ROOM, 12345) == 0);
	MUST(hll_check(x.b, x.len) == 0);
	free(x.b);
	free(y.b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t left = size - 2, alen = get_u16(data) < left ? get_u16(data) : left, blen = left - alen;
	const uint8_t *a = data + 2, *b = a + alen;
	use_unchecked(a, alen);
	merge_unchecked(a, alen, b, blen);
	if (hll_check(a, alen) == 0 && hll_check(b, blen) == 0)
		merge_both_ways(a, alen, b, blen);
	return 0;
}
