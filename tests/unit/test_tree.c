/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "text/tree.h"
#include "unit.h"

static struct arena arena;
static const struct tree_node *root;
static struct tree_error err;

static int parse(const char *json)
{
	return tree_parse(&arena, str_of(json), 4, &root, &err);
}

static void nodes_know_their_place(void **state)
{
	(void)state;
	assert_int_equal(parse(" {\"a\": [1, \"t\\u0041\", {\"b\":null}],\n\"n\":-2.5, \"x\":1, \"x\":true} "), 0);
	assert_int_equal(root->kind, JSON_OBJECT);
	assert_int_equal(root->count, 4);
	const struct tree_node *a = tree_get(root, STR("a"));
	assert_int_equal(a->offset, 7);
	assert_int_equal(a->count, 3);
	assert_true(str_eq(a->text, STR("[1, \"t\\u0041\", {\"b\":null}]")));
	assert_true(tree_is(tree_at(a, 1), STR("tA")));
	assert_false(tree_is(tree_at(a, 0), STR("1")));
	assert_int_equal(tree_get(tree_at(a, 2), STR("b"))->kind, JSON_NULL);
	assert_null(tree_at(a, 3));
	assert_true(tree_get(root, STR("n"))->number == -2.5);
	assert_int_equal(tree_get(root, STR("x"))->kind, JSON_TRUE);
	assert_null(tree_get(root, STR("y")));
	assert_null(tree_get(a, STR("y")));
	assert_null(tree_get(NULL, STR("y")));
	assert_null(tree_at(NULL, 0));
}

static void errors_point_at_line_and_column(void **state)
{
	(void)state;
	assert_int_equal(parse("{\n  \"a\": tru\n}"), -EINVAL);
	assert_string_equal(err.code, "invalid_json");
	assert_int_equal(err.offset, 9);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 8);
	assert_int_equal(parse("[1,\n1e999]"), -EINVAL);
	assert_string_equal(err.code, "number_out_of_range");
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 1);
	assert_int_equal(parse("[[[[[1]]]]]"), -EINVAL);
	assert_string_equal(err.code, "too_deep");
	assert_int_equal(err.column, 5);
	assert_int_equal(tree_parse(&arena, STR("[[[[1]]]] x"), 4, &root, NULL), -EINVAL);
	assert_int_equal(parse("[[[[1]]]]"), 0);
}

static void scalars_are_documents_too(void **state)
{
	(void)state;
	assert_int_equal(parse("17"), 0);
	assert_true(root->kind == JSON_NUMBER && root->number == 17);
	assert_int_equal(parse(""), -EINVAL);
	assert_int_equal(err.column, 1);
}

static int tear_down(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nodes_know_their_place, tear_down),
		cmocka_unit_test_teardown(errors_point_at_line_and_column, tear_down),
		cmocka_unit_test_teardown(scalars_are_documents_too, tear_down),
	};
	arena_init(&arena, 0);
	int failed = RUN_TESTS("tree", tests);
	arena_free(&arena);
	return failed;
}
