/* SPDX-License-Identifier: Apache-2.0 */
/* Most numbers in events are short decimals: a mantissa below 2^53 and a power of ten that a double holds exactly give
 * the correctly rounded result with one multiplication or division (Clinger 1990). The rest goes to strtod. */
#include "text/number.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define EXACT_MANTISSA (UINT64_C(1) << 53)
#define EXACT_POWER 22
#define EXPONENT_CAP 100000 /* far beyond any double, so that long exponents cannot overflow an int */

static bool is_digit(const char *p, const char *end)
{
	return p < end && (unsigned char)(*p - '0') < 10;
}

static const char *pass_digits(const char *p, const char *end)
{
	while (is_digit(p, end))
		p++;
	return p;
}

/* A number taken apart: value = mantissa * 10^power, exact unless `long_` (more digits than a uint64 holds). */
struct parts {
	uint64_t mantissa;
	int power;
	bool negative, long_, whole;
};

static const char *take_digits(const char *p, const char *end, struct parts *n, int power_each)
{
	const char *begin = p;
	uint64_t mantissa = n->mantissa;
	for (; is_digit(p, end); p++) {
		n->long_ |= mantissa > (UINT64_MAX - 9) / 10;
		mantissa = mantissa * 10 + (uint64_t)(*p - '0'); /* of no use if long_ */
	}
	n->mantissa = mantissa;
	n->power += power_each * (int)(p - begin);
	return p;
}

static const char *take_exponent(const char *p, const char *end, struct parts *n)
{
	bool down = false;
	int power = 0;
	if (p < end && (*p == '+' || *p == '-'))
		down = *p++ == '-';
	if (!is_digit(p, end))
		return NULL;
	for (; is_digit(p, end); p++)
		if (power < EXPONENT_CAP)
			power = power * 10 + (*p - '0');
	n->power += down ? -power : power;
	n->whole = false;
	return p;
}

/*  [-] (0 | 1..9 digits) [. digits] [(e|E) [+|-] digits]  */
static const char *take_apart(const char *p, const char *end, struct parts *n)
{
	*n = (struct parts){ .whole = true };
	if (p < end && *p == '-') {
		n->negative = true;
		p++;
	}
	if (!is_digit(p, end))
		return NULL;
	p = *p == '0' ? p + 1 : take_digits(p, end, n, 0);
	if (p < end && *p == '.') {
		n->whole = false;
		if (!is_digit(p + 1, end))
			return NULL;
		p = take_digits(p + 1, end, n, -1);
	}
	if (p < end && (*p == 'e' || *p == 'E'))
		p = take_exponent(p + 1, end, n);
	return p;
}

/*  [-] (0 | 1..9 digits) [. digits] [(e|E) [+|-] digits]  */
const char *number_end(const char *p, const char *end)
{
	const char *digits;
	if (p < end && *p == '-')
		p++;
	digits = p;
	p = pass_digits(p, end);
	if (p == digits || (*digits == '0' && p - digits > 1))
		return p == digits ? NULL : digits + 1;
	if (p < end && *p == '.') {
		digits = ++p;
		p = pass_digits(p, end);
		if (p == digits)
			return NULL;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		digits = p;
		p = pass_digits(p, end);
		if (p == digits)
			return NULL;
	}
	return p;
}

/* strtod wants a NUL behind the text. */
static double by_strtod(struct tally_str text)
{
	char small[128], *copy = small;
	double d;
	if (text.len >= sizeof small) {
		copy = malloc(text.len + 1);
		MUST(copy != NULL);
	}
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = 0;
	d = strtod(copy, NULL);
	if (copy != small)
		free(copy);
	return d;
}

/* Most numbers: up to 15 digits and nothing else. */
static bool read_short_whole(struct tally_str text, double *out)
{
	uint64_t whole = 0;
	if (text.len == 0 || text.len > 15 || (text.ptr[0] == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned char)text.ptr[i] - '0';
		if (digit > 9)
			return false;
		whole = whole * 10 + digit;
	}
	*out = (double)whole;
	return true;
}

int number_double(struct tally_str text, double *out)
{
	static const double powers[EXACT_POWER + 1] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	struct parts n;
	const char *end = text.ptr + text.len;
	double d;
	if (read_short_whole(text, out))
		return 0;
	if (text.len == 0 || take_apart(text.ptr, end, &n) != end)
		return -EINVAL;
	if (!n.long_ && n.mantissa < EXACT_MANTISSA && n.power >= -EXACT_POWER && n.power <= EXACT_POWER) {
		d = (double)n.mantissa;
		d = n.power < 0 ? d / powers[-n.power] : d * powers[n.power];
		*out = n.negative ? -d : d;
		return 0;
	}
	d = by_strtod(text);
	if (isinf(d))
		return -ERANGE;
	*out = d;
	return 0;
}

int number_int64(struct tally_str text, int64_t *out)
{
	struct parts n;
	const char *end = text.ptr + text.len;
	if (text.len == 0 || take_apart(text.ptr, end, &n) != end || !n.whole)
		return -EINVAL;
	if (n.long_ || n.mantissa > (uint64_t)INT64_MAX + n.negative)
		return -ERANGE;
	*out = n.negative ? (int64_t)(0 - n.mantissa) : (int64_t)n.mantissa;
	return 0;
}

size_t number_format_int(int64_t number, char out[NUMBER_TEXT])
{
	uint64_t u = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	char digits[NUMBER_TEXT], *p = digits + sizeof digits;
	size_t len;
	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	if (number < 0)
		*--p = '-';
	len = (size_t)(digits + sizeof digits - p);
	memcpy(out, p, len);
	out[len] = 0;
	return len;
}

size_t number_format(double number, char out[NUMBER_TEXT])
{
	if (fabs(number) < 1e15 && number == (double)(int64_t)number && !(number == 0 && signbit(number)))
		return number_format_int((int64_t)number, out);
	for (int digits = 15; digits < 17; digits++) {
		int len = snprintf(out, NUMBER_TEXT, "%.*g", digits, number);
		if (strtod(out, NULL) == number)
			return (size_t)len;
	}
	return (size_t)snprintf(out, NUMBER_TEXT, "%.17g", number);
}
