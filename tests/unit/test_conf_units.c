/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "conf/conf.h"
#include "conf/units.h"
#include "unit.h"

static void sizes_carry_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "1B", 1 },
		{ "64KiB", 65536 },
		{ "64 KiB", 65536 },
		{ "5kB", 5000 },
		{ "2MB", 2000000 },
		{ "2MiB", 2097152 },
		{ "3GiB", 3221225472 },
		{ "1TiB", 1099511627776 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = { "", "KiB", "-1", "+1", "1.5GiB", "1 ", " 1", "5k", "5M", "64kib", "64KiBx",
		"18446744073709551616", "16777216TiB", "0x10", "1,000" };
	uint64_t v;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(conf_parse_size(good[i].text, &v), 0);
		assert_true(v == good[i].bytes);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(conf_parse_size(bad[i], &v), -EINVAL);
}

static void times_carry_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {
		{ "0", 0 },
		{ "7us", 7 },
		{ "500ms", 500000 },
		{ "10s", 10000000 },
		{ "30m", 1800000000 },
		{ "2h", 7200000000 },
		{ "400d", 34560000000000 },
		{ "2w", 1209600000000 },
		{ "forever", INT64_MAX },
		{ "any", INT64_MAX },
	};
	static const char *const bad[] = { "", "10", "s", "10 sec", "-1s", "1.5h", "10S", "1h30m", "never", "Any",
		"9223372036854775807us", "300000000d" };
	int64_t v;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(conf_parse_time(good[i].text, &v), 0);
		assert_true(v == good[i].us);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(conf_parse_time(bad[i], &v), -EINVAL);
}

static void shares_carry_the_percent_sign(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "%", "5", "5 %", "-5%", "100.1%", "5.5.5%", "1e1%", ".5%", "0x10%" };
	double v;
	assert_int_equal(conf_parse_share("5%", &v), 0);
	assert_true(v == 0.05);
	assert_int_equal(conf_parse_share("0.5%", &v), 0);
	assert_true(v == 0.005);
	assert_int_equal(conf_parse_share("100%", &v), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(conf_parse_share(bad[i], &v), -EINVAL);
}

static void what_is_printed_parses_to_the_same(void **state)
{
	(void)state;
	static const uint64_t sizes[] = { 0, 1, 1000, 1024, 1536, 65536, 2097152, 1u << 30, 1099511627776, INT64_MAX };
	static const int64_t times[] = { 0, 1, 999, 1000, 1500, 60000000, 90000000, 3600000000, 86400000000,
		INT64_MAX };
	struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t v;
		assert_int_equal(conf_parse_size(conf_print_size(&a, sizes[i]), &v), 0);
		assert_true(v == sizes[i]);
	}
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		int64_t v;
		assert_int_equal(conf_parse_time(conf_print_time(&a, times[i], "any"), &v), 0);
		assert_true(v == times[i]);
	}
	assert_string_equal(conf_print_size(&a, 64ull << 20), "64MiB");
	assert_string_equal(conf_print_time(&a, 1800000000, "any"), "30m");
	assert_string_equal(conf_print_time(&a, 14 * 86400000000, "any"), "14d");
	arena_free(&a);
}

static void nearest_is_near_or_nothing(void **state)
{
	(void)state;
	static const char *const names[] = { "listen", "limits", "log", "plugin_dir", "data_dir", "sinks", "sites" };
	size_t n = sizeof names / sizeof *names;
	assert_string_equal(conf_nearest("lisen", names, n), "listen");
	assert_string_equal(conf_nearest("pluginz_dir", names, n), "plugin_dir");
	assert_string_equal(conf_nearest("sinsk", names, n), "sinks");
	assert_string_equal(conf_nearest("SITES", names, n), "sites");
	assert_string_equal(conf_nearest("lgo", names, n), "log");
	assert_null(conf_nearest("database", names, n));
	assert_null(conf_nearest("x", names, n));
	assert_null(conf_nearest("", names, n));
	assert_null(conf_nearest("listen", names, 0));
	assert_null(conf_nearest("listenlistenlistenlistenlistenlistenlistenlistenlisten", names, n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_carry_units),
		cmocka_unit_test(times_carry_units),
		cmocka_unit_test(shares_carry_the_percent_sign),
		cmocka_unit_test(what_is_printed_parses_to_the_same),
		cmocka_unit_test(nearest_is_near_or_nothing),
	};
	return RUN_TESTS("conf_units", tests);
}
