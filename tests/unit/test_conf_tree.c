/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/tree.h"
#include "unit.h"

static char dir[] = "/tmp/test_conf_tree.XXXXXX";
static struct arena arena;

static const char *path_of(const char *name)
{
	return arena_printf(&arena, "%s/%s", dir, name);
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static struct conf_node *parse(const char *text)
{
	struct conf_node *root = NULL;
	struct conf_error err = { "" };
	int rc = conf_tree_parse(&arena, "t", text, strlen(text), &root, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
	return root;
}

static void assert_refused(const char *text, const char *message)
{
	struct conf_node *root;
	struct conf_error err = { "" };
	assert_int_equal(conf_tree_parse(&arena, "t", text, strlen(text), &root, &err), -EINVAL);
	assert_string_equal(err.text, message);
}

static void nodes_know_where_they_stand(void **state)
{
	(void)state;
	struct conf_node *root = parse("# comment\na:\n  - b: c\n");
	struct conf_node *list = conf_tree_get(root, "a");
	assert_int_equal(list->shape, CONF_SEQUENCE);
	assert_int_equal(list->line, 3);
	assert_int_equal(list->column, 3);
	struct conf_node *c = conf_tree_get(list->items[0], "b");
	assert_string_equal(c->text, "c");
	assert_string_equal(conf_tree_place(&arena, c), "t:3:8");
	assert_null(conf_tree_get(root, "b"));
}

static void nothing_is_not_an_empty_text(void **state)
{
	(void)state;
	struct conf_node *root = parse("a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: ${NO_SUCH_NAME:-}\n");
	assert_int_equal(conf_tree_get(root, "a")->shape, CONF_NOTHING);
	assert_int_equal(conf_tree_get(root, "b")->shape, CONF_NOTHING);
	assert_int_equal(conf_tree_get(root, "c")->shape, CONF_NOTHING);
	assert_int_equal(conf_tree_get(root, "d")->shape, CONF_SCALAR);
	assert_int_equal(conf_tree_get(root, "e")->shape, CONF_SCALAR);
	assert_int_equal(conf_tree_get(root, "f")->shape, CONF_SCALAR);
	assert_int_equal(parse("")->shape, CONF_MAPPING);
	assert_int_equal(parse("# only a comment\n")->n, 0);
}

static void environment_expands(void **state)
{
	(void)state;
	setenv("TREE_A", "one", 1);
	setenv("TREE_EMPTY", "", 1);
	setenv("TREE_BRACES", "${TREE_A}: [x]", 1);
	unsetenv("TREE_NONE");
	static const char *const cases[][2] = {
		{ "${TREE_A}", "one" },
		{ "x${TREE_A}y${TREE_A}", "xoneyone" },
		{ "${TREE_NONE:-two}", "two" },
		{ "${TREE_A:-two}", "one" },
		{ "${TREE_EMPTY:-two}", "two" },
		{ "${TREE_EMPTY}", "" },
		{ "${TREE_NONE:-}", "" },
		{ "${TREE_BRACES}", "${TREE_A}: [x]" },
		{ "$${TREE_A} costs $5", "${TREE_A} costs $5" },
		{ "a$b", "a$b" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(parse(arena_printf(&arena, "'%s'", cases[i][0]))->text, cases[i][1]);
}

static void refusals_name_the_place(void **state)
{
	(void)state;
	unsetenv("TREE_NONE");
	assert_refused("a: 1\nb: 2\na: 3\n", "t:3:1: 'a' is given twice, first in line 1; remove one of them");
	assert_refused("x:\n  y: ${TREE_NONE}\n",
		"t:2:6: the environment variable TREE_NONE is not set; set it, or write ${TREE_NONE:-default}");
	static const char braces[] = "cannot read ${...}: write ${NAME} or ${NAME:-default}, or $${ for a plain ${";
	assert_refused("a: ${open\n", arena_printf(&arena, "t:1:4: %s", braces));
	assert_refused("a: \"${}\"\n", arena_printf(&arena, "t:1:4: %s", braces));
	assert_refused("a: \"${9X}\"\n", arena_printf(&arena, "t:1:4: %s", braces));
	assert_refused("a: \"${X-y}\"\n", arena_printf(&arena, "t:1:4: %s", braces));
	assert_refused("a: \"x\\0y\"\n", "t:1:4: a NUL character cannot be part of a value");
	assert_refused("a: !thing 5\n", "t:1:4: the tag !thing means nothing here; remove it");
	assert_refused("? [a]\n: b\n", "t:1:3: a name is expected before the colon");
	assert_refused("a: 1\n---\nb: 2\n", "t:2:1: a second document begins; put everything into one");
	assert_refused("a: [1, 2\n", "t:2:1: did not find expected ',' or ']' while parsing a flow sequence");
	assert_refused("a: 1\n b: 2\n", "t:2:3: mapping values are not allowed in this context");
	assert_refused("a: 1\nb: \xff\n", "t:2:4: invalid leading UTF-8 octet; the file must be UTF-8 text");
	assert_refused("a: &x [*x]\n", "t:1:4: nested more than 32 deep");
}

/* Nine aliases of nine aliases of …: a kilobyte that would be a billion nodes. */
static void a_billion_laughs_end_early(void **state)
{
	(void)state;
	const char *text = "l0: &l0 [x, x, x, x, x, x, x, x, x]\n";
	for (int i = 1; i < 10; i++)
		text = arena_printf(&arena, "%sl%d: &l%d [*l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d]\n",
			text, i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_refused(text, "t:1:25: more than 100000 values");
}

static const char *read_error(const char *name, int rc)
{
	struct conf_node *root;
	static struct conf_error err;
	assert_int_equal(conf_tree_read(&arena, path_of(name), &root, &err), rc);
	return err.text;
}

static void included_files_lie_under_the_including_one(void **state)
{
	(void)state;
	struct conf_node *root;
	struct conf_error err;
	write_file("top.yaml", "include: [one.yaml, sub.yaml]\nscalar: top\nlist: [c]\nmap: { b: top }\nnothing:\n");
	write_file("one.yaml", "scalar: one\nlist: [a]\nmap: { a: one, b: one }\nnothing: one\nonly: one\n");
	write_file("sub.yaml", "include: more.yaml\nlist: [b]\n");
	write_file("more.yaml", "only: more\n");
	assert_int_equal(conf_tree_read(&arena, path_of("top.yaml"), &root, &err), 0);
	assert_string_equal(conf_tree_get(root, "scalar")->text, "top");
	assert_string_equal(conf_tree_get(root, "nothing")->text, "one");
	assert_string_equal(conf_tree_get(root, "only")->text, "more");
	const struct conf_node *list = conf_tree_get(root, "list");
	assert_int_equal(list->n, 3);
	assert_string_equal(list->items[0]->text, "a");
	assert_string_equal(list->items[1]->text, "b");
	assert_string_equal(list->items[2]->text, "c");
	const struct conf_node *map = conf_tree_get(root, "map");
	assert_string_equal(conf_tree_get(map, "a")->text, "one");
	assert_string_equal(conf_tree_get(map, "b")->text, "top");
	assert_string_equal(conf_tree_get(map, "a")->file, path_of("one.yaml"));
	assert_null(conf_tree_get(root, "include"));
	assert_int_equal(root->n, 5);
}

static void includes_that_cannot_be(void **state)
{
	(void)state;
	write_file("top.yaml", "a: 1\ninclude: one.yaml\n");
	write_file("one.yaml", "include: top.yaml\n");
	assert_string_equal(read_error("top.yaml", -EINVAL),
		arena_printf(&arena, "%s:1:10: include: %s includes itself by way of this line", path_of("one.yaml"),
			path_of("top.yaml")));
	write_file("one.yaml", "include: [{}]\n");
	assert_string_equal(read_error("one.yaml", -EINVAL),
		arena_printf(&arena, "%s:1:11: include: a file name or a list of file names is expected",
			path_of("one.yaml")));
	write_file("one.yaml", "include: gone.yaml\n");
	assert_string_equal(read_error("one.yaml", -EINVAL),
		arena_printf(&arena, "%s:1:10: include: cannot read %s: No such file or directory", path_of("one.yaml"),
			path_of("gone.yaml")));
	write_file("one.yaml", "[a]\n");
	assert_string_equal(read_error("one.yaml", -EINVAL),
		arena_printf(&arena, "%s:1:1: a mapping (option: value) is expected", path_of("one.yaml")));
	assert_string_equal(read_error("gone.yaml", -ENOENT),
		arena_printf(&arena, "%s:1:1: cannot read this file: No such file or directory", path_of("gone.yaml")));
	assert_string_equal(read_error(".", -EINVAL),
		arena_printf(&arena, "%s:1:1: cannot read this file: Is a directory", path_of(".")));
}

static int open_dir(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return mkdtemp(dir) ? 0 : -1;
}

static int close_dir(void **state)
{
	(void)state;
	static const char *const names[] = { "top.yaml", "one.yaml", "sub.yaml", "more.yaml" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(path_of(names[i]));
	arena_free(&arena);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_where_they_stand),
		cmocka_unit_test(nothing_is_not_an_empty_text),
		cmocka_unit_test(environment_expands),
		cmocka_unit_test(refusals_name_the_place),
		cmocka_unit_test(a_billion_laughs_end_early),
		cmocka_unit_test(included_files_lie_under_the_including_one),
		cmocka_unit_test(includes_that_cannot_be),
	};
	cmocka_set_message_output(CM_OUTPUT_STDOUT);
	return cmocka_run_group_tests_name("conf_tree", tests, open_dir, close_dir);
}
