/* SPDX-License-Identifier: Apache-2.0 */
/* JSONTestSuite by N. Seriot: files that must be accepted (y_), refused (n_), or may be either (i_). */
#include <dirent.h>

#include "data.h"
#include "text/json.h"
#include "text/tree.h"
#include "unit.h"

#define SUITE "suites/json/test_parsing"

static struct arena arena;

static bool is_accepted(const char *bytes, size_t len)
{
	struct json j;
	const struct tree_node *root;
	char *exact = malloc(len ? len : 1);
	memcpy(exact, bytes, len);
	json_open(&j, &arena, str_make(exact, len), 600);
	bool skipped = json_skip(&j) == 0 && json_end(&j) == 0;
	bool parsed = tree_parse(&arena, str_make(exact, len), 600, &root, NULL) == 0;
	assert_true(skipped || !parsed); /* the tree also refuses numbers that no double holds */
	free(exact);
	arena_reset(&arena);
	return parsed;
}

/* What the suite leaves open, as tally decides it. All others are refused. */
static bool may_be_accepted(const char *name)
{
	static const char *const accepted[] = { "i_number_double_huge_neg_exp.json", "i_number_real_underflow.json",
		"i_number_too_big_neg_int.json", "i_number_too_big_pos_int.json", "i_number_very_big_negative_int.json",
		"i_structure_500_nested_arrays.json" };
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
		if (strcmp(name, accepted[i]) == 0)
			return true;
	return false;
}

static void the_suite_agrees(void **state)
{
	(void)state;
	char path[8192];
	struct dirent *e;
	DIR *dir = opendir(data_path(SUITE));
	unsigned files = 0;
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		size_t len = 0;
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", data_path(SUITE), e->d_name);
		char *bytes = data_read(path, &len);
		bool want = e->d_name[0] == 'y' || may_be_accepted(e->d_name);
		if (is_accepted(bytes, len) != want)
			fail_msg("%s is %s", e->d_name, want ? "refused" : "accepted");
		free(bytes);
		files++;
	}
	closedir(dir);
	assert_true(files > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_suite_agrees) };
	if (data_missing("test_json_suite", SUITE))
		return TEST_SKIPPED;
	arena_init(&arena, 0);
	int failed = RUN_TESTS("json_suite", tests);
	arena_free(&arena);
	return failed;
}
