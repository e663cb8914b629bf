/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/number.h"
#include "unit.h"

/* What follows the number in memory must not matter: the slice stands at the very end of its block. */
static int convert(const char *text, double *d)
{
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);
	memcpy(exact, text, len);
	int rc = number_double(str_make(exact, len), d);
	const char *end = number_end(exact, exact + len);
	assert_int_equal(end == exact + len, rc != -EINVAL);
	free(exact);
	return rc;
}

static void only_the_grammar_of_json_is_a_number(void **state)
{
	(void)state;
	static const char *const good[] = { "0", "-0", "1", "10", "-12.5", "0.5", "1e5", "1E+05", "1.0e-3",
		"123456789012345678901", "0e0", "0.000" };
	static const char *const bad[] = { "", "-", "+1", "01", "-01", ".5", "1.", "1.e5", "1e", "1e+", "0x10",
		"Infinity", "NaN", "1 ", " 1", "1,5", "--1", "1e5.5", "1_0", "- 1", "\xd9\xa1" };
	double d;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (convert(good[i], &d) != 0 || d != strtod(good[i], NULL))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (convert(bad[i], &d) != -EINVAL)
			fail_msg("%s", bad[i]);
}

static void the_nearest_double_is_found_at_the_edges(void **state)
{
	(void)state;
	double d;
	assert_int_equal(convert("-0", &d), 0);
	assert_true(d == 0 && signbit(d));
	assert_int_equal(convert("9007199254740993", &d), 0); /* 2^53 + 1: ties to even */
	assert_true(d == 9007199254740992.0);
	assert_int_equal(convert("9007199254740993.00000000000000000000000000000001", &d), 0);
	assert_true(d == 9007199254740994.0);
	assert_int_equal(convert("2.2250738585072011e-308", &d), 0); /* the number that once hung parsers */
	assert_true(d == 0x0.fffffffffffffp-1022);
	assert_int_equal(convert("4.9e-324", &d), 0);
	assert_true(d == 0x1p-1074);
	assert_int_equal(convert("1e-400", &d), 0);
	assert_true(d == 0);
	assert_int_equal(convert("1.7976931348623157e308", &d), 0);
	assert_true(d == DBL_MAX);
	assert_int_equal(convert("1.7976931348623159e308", &d), -ERANGE);
	assert_int_equal(convert("-1e309", &d), -ERANGE);
	assert_int_equal(convert("1e99999999999999999999", &d), -ERANGE);
	assert_int_equal(convert("0e99999999999999999999", &d), 0);
	assert_true(d == 0);
}

static uint64_t next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* strtod of the C library is the oracle; texts of every length and exponent around the fast path's limits. */
static void random_decimals_agree_with_strtod(void **state)
{
	(void)state;
	uint64_t s = 88172645463325252u;
	char text[64];
	for (int i = 0; i < 50000; i++) {
		uint64_t digits = next(&s) >> (next(&s) % 64);
		int n = snprintf(text, sizeof text, "%s%llu", next(&s) % 2 ? "-" : "", (unsigned long long)digits);
		if (next(&s) % 2)
			n += snprintf(text + n, sizeof text - (size_t)n, ".%llu",
				(unsigned long long)(next(&s) >> (next(&s) % 64)));
		if (next(&s) % 2)
			snprintf(text + n, sizeof text - (size_t)n, "e%d", (int)(next(&s) % 80) - 40);
		double got = 0, want = strtod(text, NULL);
		int rc = convert(text, &got);
		if (rc || memcmp(&got, &want, sizeof got) != 0)
			fail_msg("%s: %.17g, not %.17g", text, got, want);
	}
}

static void long_numbers_are_read_to_the_last_digit(void **state)
{
	(void)state;
	char text[3001] = "0.";
	double d;
	memset(text + 2, '9', 2998);
	assert_int_equal(convert(text, &d), 0);
	assert_true(d == 1.0);
	memset(text, '0', 3000);
	memcpy(text, "1", 1);
	assert_int_equal(convert(text, &d), -ERANGE);
	memcpy(text, "0.", 2);
	text[2999] = '1';
	assert_int_equal(convert(text, &d), 0);
	assert_true(d == 0);
}

static void integers_know_their_bounds(void **state)
{
	(void)state;
	int64_t n;
	assert_int_equal(number_int64(STR("-9223372036854775808"), &n), 0);
	assert_true(n == INT64_MIN);
	assert_int_equal(number_int64(STR("9223372036854775807"), &n), 0);
	assert_true(n == INT64_MAX);
	assert_int_equal(number_int64(STR("9223372036854775808"), &n), -ERANGE);
	assert_int_equal(number_int64(STR("-9223372036854775809"), &n), -ERANGE);
	assert_int_equal(number_int64(STR("36893488147419103232"), &n), -ERANGE);
	assert_int_equal(number_int64(STR("18446744073709551616"), &n), -ERANGE);
	assert_int_equal(number_int64(STR("-0"), &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(number_int64(STR("1.0"), &n), -EINVAL);
	assert_int_equal(number_int64(STR("1e2"), &n), -EINVAL);
	assert_int_equal(number_int64(STR("00"), &n), -EINVAL);
	assert_int_equal(number_int64(STR(""), &n), -EINVAL);
}

static void assert_formats(double d, const char *want)
{
	char out[NUMBER_TEXT];
	size_t len = number_format(d, out);
	assert_string_equal(out, want);
	assert_int_equal(len, strlen(want));
}

static void doubles_print_short_and_read_back(void **state)
{
	(void)state;
	uint64_t s = 1234567;
	char out[NUMBER_TEXT];
	assert_formats(0, "0");
	assert_formats(-0.0, "-0");
	assert_formats(1, "1");
	assert_formats(-123456789012345, "-123456789012345");
	assert_formats(0.1, "0.1");
	assert_formats(640.5, "640.5");
	assert_formats(1.0 / 3, "0.3333333333333333");
	assert_formats(1e15, "1e+15");
	assert_formats(DBL_MAX, "1.7976931348623157e+308");
	assert_formats(5e-324, "4.94065645841247e-324");
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = next(&s);
		double d, back;
		memcpy(&d, &bits, sizeof d);
		if (!isfinite(d))
			continue;
		size_t len = number_format(d, out);
		assert_true(len < NUMBER_TEXT);
		assert_int_equal(number_double(str_make(out, len), &back), 0);
		assert_memory_equal(&back, &d, sizeof d);
	}
	assert_int_equal(number_format_int(INT64_MIN, out), 20);
	assert_string_equal(out, "-9223372036854775808");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_grammar_of_json_is_a_number),
		cmocka_unit_test(the_nearest_double_is_found_at_the_edges),
		cmocka_unit_test(random_decimals_agree_with_strtod),
		cmocka_unit_test(long_numbers_are_read_to_the_last_digit),
		cmocka_unit_test(integers_know_their_bounds),
		cmocka_unit_test(doubles_print_short_and_read_back),
	};
	return RUN_TESTS("number", tests);
}
