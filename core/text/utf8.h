/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. [any thread] */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Length of the valid beginning; == len if all of it is valid. */
size_t utf8_prefix(const char *p, size_t len);

static inline bool utf8_valid(struct tally_str s)
{
	return utf8_prefix(s.ptr, s.len) == s.len;
}

/* Bytes of the sequence at p (1..4), or 0: it is not valid or end cuts it. Assumes: p < end. */
unsigned utf8_step(const char *p, const char *end);

/* Assumes: cp is a scalar value (no surrogate, at most U+10FFFF). Returns 1..4. */
unsigned utf8_put(uint32_t cp, char out[4]);

/* True if the text holds a control character: C0 (below U+0020), DEL, C1 (U+0080 to U+009F). Assumes: valid UTF-8. */
bool utf8_has_control(struct tally_str s);

#endif
