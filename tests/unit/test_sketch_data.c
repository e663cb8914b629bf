/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches of real data against figures that others computed. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "data.h"
#include "sketch/quantile.h"
#include "unit.h"

/* The number behind "value": in one line of NDJSON; false if it has none. */
static bool value_of(const char *line, const char *end, double *out)
{
	static const char name[] = "\"value\":";
	const char *at = memmem(line, (size_t)(end - line), name, sizeof name - 1);
	if (at)
		*out = strtod(at + sizeof name - 1, NULL);
	return at != NULL;
}

static json_t *truth_of(const char *name)
{
	char path[64];
	snprintf(path, sizeof path, "%s.truth.json", name);
	json_t *truth = json_load_file(data_path(path), 0, NULL);
	assert_non_null(truth);
	return truth;
}

static double rank_of(json_t *numeric, const char *p)
{
	return json_number_value(json_object_get(json_object_get(numeric, p), "nearest_rank"));
}

static void check_quantiles(const char *name)
{
	static uint8_t sketch[QUANTILE_ROOM];
	static const struct {
		const char *name;
		unsigned percent;
	} asked[] = { { "p50", 50 }, { "p90", 90 }, { "p95", 95 }, { "p99", 99 } };
	json_t *truth = truth_of(name), *numeric = json_object_get(truth, "numeric");
	char path[64];
	size_t len = 0, sketch_len = 0;
	double number;
	snprintf(path, sizeof path, "%s.events.ndjson.zst", name);
	char *bytes = data_read_zst(data_path(path), &len);
	assert_non_null(bytes);
	for (char *line = bytes, *end; line < bytes + len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(bytes + len - line));
		end = end ? end : bytes + len;
		if (value_of(line, end, &number))
			assert_int_equal(quantile_add(sketch, &sketch_len, sizeof sketch, number, 1), 0);
	}
	assert_int_equal(quantile_count(sketch, sketch_len), json_integer_value(json_object_get(numeric, "count")));
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		double got = quantile_value(sketch, sketch_len, asked[i].percent),
		       want = rank_of(numeric, asked[i].name);
		print_message("%s %s: %g, exactly %g\n", name, asked[i].name, got, want);
		assert_true(fabs(got - want) <= 0.01 * fabs(want) * (1 + 1e-9));
	}
	print_message("%s: %zu bytes\n", name, sketch_len);
	free(bytes);
	json_decref(truth);
}

static void percentiles_are_within_one_percent(void **state)
{
	(void)state;
	check_quantiles("wikiticker"); /* signed */
	check_quantiles("rees46");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_within_one_percent),
	};
	if (data_missing("test_sketch_data", "wikiticker.truth.json"))
		return TEST_SKIPPED;
	return RUN_TESTS("sketch_data", tests);
}
