/* SPDX-License-Identifier: Apache-2.0 */
/* What docs/plugin-guide.md promises: its example, built by its one line in a folder elsewhere, is loaded and greets.
 * And docs/plugins.md names every option of every plugin with its default. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_so.h"
#include "plug/plug.h"
#include "unit.h"

static struct so_dir dir;
static struct arena arena;

static int setup(void **state)
{
	(void)state;
	so_dir_make(&dir);
	arena_init(&arena, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	so_dir_remove(&dir);
	arena_free(&arena);
	return 0;
}

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	char *text = arena_alloc(&arena, 1 << 20);
	size_t n = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	text[n] = 0;
	return text;
}

/* The first block of this language in the page. */
static const char *block(const char *page, const char *language)
{
	char fence[16];
	snprintf(fence, sizeof fence, "```%s\n", language);
	const char *begin = strstr(page, fence);
	assert_non_null(begin);
	begin += strlen(fence);
	const char *end = strstr(begin, "```");
	assert_non_null(end);
	return arena_copy(&arena, begin, (size_t)(end - begin));
}

/* pkg-config finds the header of this tree instead of an installed one. */
static void write_pc(void)
{
	static const char pc[] =
		"Name: tally-plugin\nDescription: test\nVersion: 0\nCflags: -I" TEST_SRCDIR "/core/include\n";
	so_write(&dir, "tally-plugin.pc", pc, strlen(pc));
	setenv("PKG_CONFIG_PATH", dir.path, 1);
}

static void greet_once(const char *log)
{
	static const struct conf_pair who = { "who", "Berlin", "t.yaml:1:1" };
	static const struct conf_plugin stage = {
		.name = "hello", .options = &who, .noptions = 1, .place = "t.yaml:1:1"
	};
	struct conf c = { .plugin_dir = dir.path, .pipeline = &stage, .npipeline = 1, .pipeline_given = true };
	struct plug_set *set;
	struct plug_chain *chain;
	struct plug_verdict v;
	char why[512];
	if (plug_set_open(&c, NULL, &set, why) != 0 ||
		plug_chain_open(set, &c, TALLY_LINE, NULL, true, &chain, why) != 0)
		fail_msg("%s", why);
	struct tally_event ev = { .name = STR("view"), .site = STR("shop"), .page = STR("/cart"), .weight = 1 };
	fflush(stderr);
	int stderr_before = dup(STDERR_FILENO);
	assert_non_null(freopen(log, "w", stderr));
	int rc = plug_event(chain, &arena, &ev, &v);
	fflush(stderr);
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	assert_int_equal(rc, TALLY_PASS);
	plug_chain_close(chain);
	plug_set_unref(set);
}

static void the_guides_example_builds_loads_and_greets(void **state)
{
	(void)state;
	const char *guide = read_all(TEST_SRCDIR "/docs/plugin-guide.md");
	const char *source = block(guide, "c");
	struct tally_str text;
	so_write(&dir, "hello.c", source, strlen(source));
	write_pc();
	const char *line = block(guide, "sh");
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1); /* one line, as the contract has it */
	assert_true(so_shell(&dir, line));
	if (plug_describe(so_path(&dir, "hello.so"), &arena, &text) != 0)
		fail_msg("%.*s", (int)text.len, text.ptr);
	assert_non_null(strstr(text.ptr, "who: text, default world"));
	greet_once(so_path(&dir, "log"));
	assert_non_null(strstr(read_all(so_path(&dir, "log")), "hello Berlin, on /cart"));
}

static void its_cpp_example_too(void **state)
{
	(void)state;
	const char *guide = read_all(TEST_SRCDIR "/docs/plugin-guide.md");
	const char *source = block(guide, "cpp");
	struct tally_str text;
	if (system("c++ --version >/dev/null 2>&1") != 0) {
		print_message("skipped the guide's C++: there is no c++ here\n");
		return;
	}
	so_write(&dir, "hello.cc", source, strlen(source));
	assert_true(so_shell(&dir, "c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -shared -fPIC "
				   "-I'" TEST_SRCDIR "/core/include' -o hello.so hello.cc"));
	if (plug_describe(so_path(&dir, "hello.so"), &arena, &text) != 0)
		fail_msg("%.*s", (int)text.len, text.ptr);
}

static void every_option_stands_in_the_docs(void **state)
{
	(void)state;
	static const char *const names[] = { "rollup", "dedup", "degrade", "cache" };
	const char *docs = read_all(TEST_SRCDIR "/docs/plugins.md");
	const char *built = getenv("TALLY_PLUGINS");
	for (size_t i = 0; i < 4; i++) {
		struct conf_plugin stage = { .name = names[i], .place = "t.yaml:1:1" };
		struct conf c = { .plugin_dir = built ? built : "plugins",
			.pipeline = &stage,
			.npipeline = 1,
			.pipeline_given = true };
		struct plug_set *set;
		const struct plug_file *f;
		char why[512], row[128];
		if (plug_set_open(&c, NULL, &set, why) != 0)
			fail_msg("%s", why);
		size_t n = plug_set_files(set, &f);
		const char *section = strstr(docs, arena_printf(&arena, "\n## %s\n", names[i]));
		assert_non_null(section);
		for (; n > 0; n--, f++) {
			if (!f->running || f->sink)
				continue;
			for (const struct tally_option *o = f->plugin->options; o && o->name; o++) {
				snprintf(row, sizeof row, "\n| `%s` | `%s` |", o->name, o->value);
				const char *there = strstr(section, row), *next = strstr(section + 1, "\n## ");
				if (!there || (next && there > next))
					fail_msg("docs/plugins.md lacks, under %s: %s", names[i], row + 1);
			}
		}
		plug_set_unref(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_guides_example_builds_loads_and_greets, setup, teardown),
		cmocka_unit_test_setup_teardown(its_cpp_example_too, setup, teardown),
		cmocka_unit_test_setup_teardown(every_option_stands_in_the_docs, setup, teardown),
	};
	return RUN_TESTS("guide", tests);
}
