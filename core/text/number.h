/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text. The grammar is JSON's (RFC 8259 §6): no leading zeros, no plus sign, no bare point, no NaN.
 * The program runs in the C locale of numbers. [any thread] */
#ifndef TEXT_NUMBER_H
#define TEXT_NUMBER_H

#include <stdint.h>

#include "base/check.h"
#include "base/str.h"

#define NUMBER_TEXT 32 /* enough for every number_format */

/* Where the number that begins at p ends, or NULL: none begins here. */
const char *number_end(const char *p, const char *end);

/* The nearest double (ties to even), as strtod. -EINVAL: not a number, -ERANGE: beyond the largest double.
 * What is too small becomes 0. */
must_check int number_double(struct tally_str text, double *out);

/* Whole numbers only, "-9223372036854775808" to "9223372036854775807"; -EINVAL or -ERANGE. */
must_check int number_int64(struct tally_str text, int64_t *out);

/* The shortest text of at most 17 digits that reads back as the same double. Whole numbers below 1e15 have no point
 * or exponent. Assumes: finite. Returns the length; out is NUL-terminated. */
size_t number_format(double number, char out[NUMBER_TEXT]);

size_t number_format_int(int64_t number, char out[NUMBER_TEXT]);

#endif
