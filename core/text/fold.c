/* SPDX-License-Identifier: Apache-2.0 */
#include "text/fold.h"

#include <string.h>

#include "text/utf8.h"

/* Every `step`-th character of first..last becomes the one `delta` behind it. Sorted, without overlap. */
static const struct fold_range {
	uint32_t first, last;
	int32_t step, delta;
} ranges[] = {
#include "text/fold_table.h"
};

uint32_t fold_char(uint32_t cp)
{
	size_t low = 0, high = sizeof ranges / sizeof *ranges;
	if (cp < 0x80)
		return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (cp > ranges[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	const struct fold_range *r = &ranges[low];
	bool in = low < sizeof ranges / sizeof *ranges && cp >= r->first && (cp - r->first) % (uint32_t)r->step == 0;
	return in ? (uint32_t)((int64_t)cp + r->delta) : cp;
}

unsigned fold_step(const char *p, unsigned n, char out[4])
{
	static const unsigned char lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t cp = (unsigned char)*p & lead[n];
	for (unsigned i = 1; i < n; i++)
		cp = cp << 6 | ((unsigned char)p[i] & 0x3f);
	return utf8_put(fold_char(cp), out);
}

size_t fold_text(struct tally_str text, char *out)
{
	const char *p = text.ptr, *end = p + text.len;
	char *to = out;
	while (p < end) {
		unsigned char c = (unsigned char)*p;
		unsigned n = c < 0x80 ? 1 : utf8_step(p, end);
		if (c < 0x80) {
			*to++ = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		} else if (n) {
			to += fold_step(p, n, to); /* never past twice the bytes read */
		} else {
			*to++ = *p;
		}
		p += n ? n : 1;
	}
	return (size_t)(to - out);
}
