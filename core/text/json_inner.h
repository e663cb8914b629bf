/* SPDX-License-Identifier: Apache-2.0 */
/* Between json.c, json_string.c and write.c only. */
#ifndef TEXT_JSON_INNER_H
#define TEXT_JSON_INNER_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "text/json.h"

/* Notes the first error. Always -EINVAL. */
int json_fail(struct json *j, const char *code, const char *at, const char *message);

/* Assumes: j->at is behind the opening quote. Eats through the closing one. */
must_check int json_take_string(struct json *j, struct tally_str *out);

#ifdef __SSE2__
/* A bit for each of the 16 bytes at p that ends a plain run (a quote, a backslash, a control character); *high has one
 * for each byte above ASCII. */
static inline unsigned json_stops(const char *p, unsigned *high)
{
	__m128i c = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i stop = _mm_cmpeq_epi8(c, _mm_set1_epi8('"'));
	stop = _mm_or_si128(stop, _mm_cmpeq_epi8(c, _mm_set1_epi8('\\')));
	stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(c, _mm_set1_epi8(0x1f)), c));
	*high = (unsigned)_mm_movemask_epi8(c);
	return (unsigned)_mm_movemask_epi8(stop);
}

/* A bit for each that is 7F. */
static inline unsigned json_deletes(const char *p)
{
	__m128i c = _mm_loadu_si128((const __m128i *)(const void *)p);
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(c, _mm_set1_epi8(0x7f)));
}
#endif

/* json_take_string() for keys and short texts: one look at 16 bytes decides most of them. */
static inline int json_take_short(struct json *j, struct tally_str *out)
{
#ifdef __SSE2__
	if (j->end - j->at >= 16) {
		unsigned high, stops = json_stops(j->at, &high), before = stops ^ (stops - 1);
		unsigned len = (unsigned)__builtin_ctz(stops | 0x10000);
		if (stops && j->at[len] == '"' && !(high & before)) {
			*out = str_make(j->at, len);
			j->at += len + 1;
			return 0;
		}
	}
#endif
	return json_take_string(j, out);
}

#endif
