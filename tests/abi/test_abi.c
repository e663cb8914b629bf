/* SPDX-License-Identifier: Apache-2.0 */
/* The promise of the public headers: what was built against a released one runs on today's tally.
 *
 * tests/abi/VERSION/tally/ keeps the headers of each release. Before a version is released its copy follows the header
 * (`make abi-freeze`); afterwards it never changes. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plug/build_so.h"
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

/* Calls check with the folder of each released version; there is at least one. */
static void each_release(void (*check)(const char *include))
{
	DIR *d = opendir(TEST_SRCDIR "/tests/abi");
	unsigned n = 0;
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		n++;
		print_message("against the headers of %s\n", e->d_name);
		check(arena_printf(&arena, TEST_SRCDIR "/tests/abi/%s", e->d_name));
	}
	closedir(d);
	assert_true(n > 0);
}

static void build(const char *name, const char *file, const char *include, const char *flags)
{
	assert_true(so_compile(&dir, name, arena_printf(&arena, TEST_SRCDIR "/%s", file),
		arena_printf(&arena, "-Wall -Wextra -Werror -I'%s' %s", include, flags)));
}

/* ---- layout ---- */

struct member {
	const char *name;
	unsigned long offset, size;
};

static const struct member *members_of(const char *name, const char *include)
{
	build(name, "tests/abi/members.c", include, "");
	void *handle = dlopen(so_path(&dir, arena_printf(&arena, "%s.so", name)), RTLD_NOW | RTLD_LOCAL);
	assert_non_null(handle);
	return dlsym(handle, "members");
}

static void same_layout(const char *include)
{
	const struct member *was = members_of("was", include);
	const struct member *now = members_of("now", TEST_SRCDIR "/core/include");
	for (; was->name; was++) {
		const struct member *is = now;
		while (is->name && strcmp(is->name, was->name) != 0)
			is++;
		if (!is->name || is->offset != was->offset || is->size != was->size)
			fail_msg("%s is not where %s has it. Was that version released? Then put the header back and "
				 "append instead. If not: make abi-freeze",
				was->name, include);
	}
}

static void nothing_has_moved(void **state)
{
	(void)state;
	each_release(same_layout);
}

/* ---- running ---- */

static int64_t counted;

static void count(const char *plugin, const char *name, int64_t by)
{
	if (strcmp(plugin, "probe") == 0 && strcmp(name, "event") == 0)
		counted += by;
}

static void still_runs(const char *include)
{
	static const struct conf_plugin stage = { .name = "probe", .place = "t.yaml:1:1" };
	struct conf c = { .plugin_dir = dir.path, .pipeline = &stage, .npipeline = 1, .pipeline_given = true };
	static const struct plug_services services = { .count = count };
	struct plug_set *set;
	struct plug_chain *chain;
	struct plug_verdict v;
	char why[512];
	build("probe", "tests/plug/probe.c", include, "-DPROBE_NAME='\"probe\"' -DPROBE_OPTIONS");
	build("oldsink", "tests/abi/old_sink.c", include, "");
	plug_services_set(&services);
	counted = 0;
	if (plug_set_open(&c, NULL, &set, why) != 0 ||
		plug_chain_open(set, &c, TALLY_LINE, NULL, true, &chain, why) != 0)
		fail_msg("%s", why);
	struct tally_event ev = { .name = STR("prop"), .site = STR("shop"), .weight = 1 };
	assert_int_equal(plug_event(chain, &arena, &ev, &v), TALLY_PASS);
	assert_int_equal(counted, 1);
	assert_int_equal(ev.nprops, 1);
	plug_chain_close(chain);
	const struct tally_sink *sink = plug_set_sink(set, "oldsink");
	assert_non_null(sink);
	const struct tally_batch batch = { .to = { 4, 5 }, .nrows = 3 };
	struct tally_position at;
	assert_int_equal(sink->position(NULL, &at), TALLY_SINK_OK);
	assert_true(at.lsn == 7 && at.mark == 8);
	assert_int_equal(sink->write(NULL, &batch), TALLY_SINK_OK);
	plug_set_unref(set);
}

static void what_was_built_then_runs_now(void **state)
{
	(void)state;
	each_release(still_runs);
}

/* ---- languages ---- */

static void both_headers_compile_everywhere(void **state)
{
	(void)state;
	static const char *const ways[] = { "cc -x c -std=c99", "cc -x c -std=c11", "c++ -x c++ -std=c++17" };
	static const char source[] = "#include <tally/plugin.h>\n#include <tally/sink.h>\n";
	so_write(&dir, "both.c", source, strlen(source));
	so_write(&dir, "one.c", "#include <tally/sink.h>\n", 24);
	for (size_t i = 0; i < 3; i++) {
		if (system(arena_printf(&arena, "%.3s --version >/dev/null 2>&1", ways[i])) != 0) {
			print_message("skipped %s: it is not installed\n", ways[i]);
			continue;
		}
		assert_true(so_shell(
			&dir, arena_printf(&arena,
				      "for f in both.c one.c; do %s -Wall -Wextra -Wpedantic -Werror -fsyntax-only "
				      "-I'" TEST_SRCDIR "/core/include' $f || exit 1; done",
				      ways[i])));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_has_moved, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_built_then_runs_now, setup, teardown),
		cmocka_unit_test_setup_teardown(both_headers_compile_everywhere, setup, teardown),
	};
	return RUN_TESTS("abi", tests);
}
