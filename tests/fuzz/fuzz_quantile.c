/* SPDX-License-Identifier: Apache-2.0 */
/* Quantile sketches as they come from a store: [u16 length of the first | first | second]. Bad bytes are refused, good
 * ones merge both ways to the same well-formed bytes; whatever they are, nothing outside the buffer is touched. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sketch/quantile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct own {
	uint8_t *b;
	size_t len;
};

/* A sketch in a block of its own, with so much room behind it. */
static struct own own(const uint8_t *bytes, size_t len, size_t room)
{
	struct own o = { malloc(len + room + 1), len };
	MUST(o.b != NULL);
	if (len)
		memcpy(o.b, bytes, len);
	return o;
}

static void use_unchecked(const uint8_t *bytes, size_t len)
{
	static const double numbers[] = { 0, -1, 1e300, 17 };
	struct own o = own(bytes, len, 64);
	for (unsigned p = 0; p <= 100; p += 25)
		MUST(isfinite(quantile_value(o.b, o.len, p)));
	for (size_t i = 0; i < 4; i++) {
		int r = quantile_add(o.b, &o.len, len + 64, numbers[i], i + 1);
		MUST(r == 0 || r == -EBADMSG || r == -ENOSPC);
		MUST(o.len <= len + 64);
	}
	free(o.b);
}

static void merge_both_ways(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	struct own x = own(a, alen, blen), y = own(b, blen, alen);
	bool good = quantile_check(a, alen) == 0 && quantile_check(b, blen) == 0;
	int rx = quantile_merge(x.b, &x.len, alen + blen, b, blen);
	int ry = quantile_merge(y.b, &y.len, alen + blen, a, alen);
	MUST(rx == 0 || (!good && rx == -EBADMSG));
	if (good) {
		MUST(ry == 0 && quantile_check(x.b, x.len) == 0);
		MUST(x.len == y.len && (x.len == 0 || memcmp(x.b, y.b, x.len) == 0));
		uint64_t na = quantile_count(a, alen), nb = quantile_count(b, blen);
		MUST(quantile_count(x.b, x.len) == (na + nb > INT64_MAX ? (uint64_t)INT64_MAX : na + nb));
	}
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
	merge_both_ways(a, alen, b, blen);
	return 0;
}
