/* SPDX-License-Identifier: Apache-2.0 */
/* Which files are loaded, which are refused, and whether the refusal says why and what to do. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* What `tallyd -l` says of a file. */
static const char *describe(const char *file, int want)
{
	struct tally_str text;
	assert_int_equal(plug_describe(so_path(&dir, file), &arena, &text), want);
	return arena_copy(&arena, text.ptr, text.len);
}

static void assert_says(const char *text, const char *word)
{
	if (!strstr(text, word))
		fail_msg("no `%s` in: %s", word, text);
}

/* ---- descriptors ---- */

#define HEAD "#include <tally/plugin.h>\n#include <tally/sink.h>\n"
#define EVENT "static int ev(void *s, struct tally_event *e) { (void)s; (void)e; return 0; }\n"
#define PLUGIN(first, rest) \
	HEAD EVENT "const struct tally_plugin tally_plugin = { " first ", " rest ", .event = ev };\n"
#define WORDS "\"x\", \"1\", \"does nothing\""

/* One row: what is wrong, the source, and two words that the refusal must hold: the reason and the remedy. */
static const struct {
	const char *name, *source, *reason, *remedy;
} bad[] = {
	{ "abi", PLUGIN("sizeof(struct tally_plugin), TALLY_ABI + 1", WORDS), "ABI 2", "build it against" },
	{ "small", PLUGIN("8, TALLY_ABI", WORDS), "8 bytes", "TALLY_PLUGIN_HEAD" },
	{ "absurd", PLUGIN("1u << 30, TALLY_ABI", WORDS), "bytes", "TALLY_PLUGIN_HEAD" },
	{ "beyond", PLUGIN("sizeof(struct tally_plugin) + 8, TALLY_ABI", WORDS), "bytes", "TALLY_PLUGIN_HEAD" },
	{ "newer",
		HEAD EVENT "const struct { struct tally_plugin p; void *later; } tally_plugin_and "
			   "__asm__(\"tally_plugin\") = { { sizeof(struct tally_plugin) + 8, TALLY_ABI, " WORDS
			   ", .event = ev }, (void *)ev };\n",
		"newer", "update tally" },
	{ "noname", PLUGIN("TALLY_PLUGIN_HEAD", "0, \"1\", \"s\""), "name", "[a-z]" },
	{ "upper", PLUGIN("TALLY_PLUGIN_HEAD", "\"Hello\", \"1\", \"s\""), "name", "[a-z]" },
	{ "longname", PLUGIN("TALLY_PLUGIN_HEAD", "\"a23456789012345678901234567890123\", \"1\", \"s\""), "name",
		"at most 31" },
	{ "isauto", PLUGIN("TALLY_PLUGIN_HEAD", "\"auto\", \"1\", \"s\""), "name", "auto" },
	{ "noversion", PLUGIN("TALLY_PLUGIN_HEAD", "\"x\", \"\", \"s\""), "version", "1 to 31" },
	{ "nosummary", PLUGIN("TALLY_PLUGIN_HEAD", "\"x\", \"1\", \"a\\nb\""), "summary", "printable" },
	{ "neither", "int nothing;\n", "neither", "docs/plugin-guide.md" },
	{ "nodata", "char tally_plugin;\n", "no descriptor", "docs/plugin-guide.md" },
	{ "both",
		PLUGIN("TALLY_PLUGIN_HEAD", WORDS) "const struct tally_sink tally_sink = { TALLY_SINK_HEAD, " WORDS
						   " };\n",
		"both", "two files" },
	{ "nohook", HEAD "const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, " WORDS " };\n", "no hook",
		"set at least one" },
	{ "decode",
		HEAD "static int dec(void *s, struct tally_decode *d) { (void)s; (void)d; return 0; }\n"
		     "const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, " WORDS
		     ", .mount = \"/v1/x\", .decode = dec };\n",
		"needs `decode`, which this version does not run yet", "newer tally" },
	{ "save",
		HEAD EVENT "static int save(void *s, int (*put)(void *, const void *, size_t), void *to)\n"
			   "{ (void)s; (void)put; (void)to; return 0; }\n"
			   "const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, " WORDS
			   ", .event = ev, .save = save };\n",
		"has `save` and not `load`", "needs both" },
	{ "option",
		HEAD EVENT
		"static const struct tally_option o[] = { { \"size\", TALLY_OPT_SIZE, 0, \"big\", \"\" }, { 0 } };\n"
		"const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, " WORDS ", o, .event = ev };\n",
		"`size`", "64MiB" },
	{ "twice",
		HEAD EVENT
		"static const struct tally_option o[] = { { \"a\", 0, 0, \"\", \"\" }, { \"a\", 0, 0, \"\", \"\" },"
		"{ 0 } };\nconst struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, " WORDS
		", o, .event = ev };\n",
		"two options", "`a`" },
	{ "type",
		HEAD EVENT "static const struct tally_option o[] = { { \"a\", 99, 0, \"\", \"\" }, { 0 } };\n"
			   "const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, " WORDS
			   ", o, .event = ev };\n",
		"type 99", "newer tally" },
	{ "symbol",
		HEAD "int missing(void *, struct tally_event *);\nconst struct tally_plugin tally_plugin = { "
		     "TALLY_PLUGIN_HEAD, " WORDS ", .event = missing };\n",
		"undefined symbol: missing", "link it with" },
	{ "sinkabi", HEAD "const struct tally_sink tally_sink = { sizeof(struct tally_sink), 9, " WORDS " };\n",
		"sink ABI 9", "sink.h" },
	{ "sinkhooks", HEAD "const struct tally_sink tally_sink = { TALLY_SINK_HEAD, " WORDS " };\n", "lacks `open`",
		"every such sink" },
};

static void a_wrong_descriptor_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char file[64];
		so_build(&dir, bad[i].name, bad[i].source, "");
		snprintf(file, sizeof file, "%s.so", bad[i].name);
		const char *text = describe(file, -EINVAL);
		assert_says(text, file);
		assert_says(text, bad[i].reason);
		assert_says(text, bad[i].remedy);
	}
}

static void a_good_one_is_described(void **state)
{
	(void)state;
	so_build_probe(&dir, "probe", "-DPROBE_OPTIONS");
	const char *text = describe("probe.so", 0);
	assert_says(text, "plugin probe 1.0\nsays when it is called\n");
	assert_says(text, "ledger: admit");
	assert_says(text, "desk: answered");
	assert_says(text, "size: a size (64MiB), default 64KiB");
}

/* A plugin built against an older header, shorter than today's. */
static void an_older_shorter_descriptor_has_zeros_for_the_rest(void **state)
{
	(void)state;
	static const char source[] =
		HEAD EVENT "static int rq(void *s, const struct tally_request *r) { (void)s; (void)r; return 0; }\n"
			   "const struct tally_plugin tally_plugin = { offsetof(struct tally_plugin, event) + "
			   "sizeof(void *), TALLY_ABI, " WORDS ", .event = ev, .request = rq };\n";
	so_build(&dir, "older", source, "");
	const char *text = describe("older.so", 0);
	assert_says(text, "line: event");
	assert_null(strstr(text, "desk: request"));
}

/* One built against a later header that uses nothing new. */
static void a_longer_descriptor_of_zeros_is_taken(void **state)
{
	(void)state;
	so_build(&dir, "longer",
		HEAD EVENT "const struct { struct tally_plugin p; void *later; } both __asm__(\"tally_plugin\") = { { "
			   "sizeof(struct tally_plugin) + 8, TALLY_ABI, " WORDS ", .event = ev }, 0 };\n",
		"");
	describe("longer.so", 0);
}

/* ---- files ---- */

static void what_is_no_shared_object_is_refused(void **state)
{
	(void)state;
	so_write(&dir, "text.so", "not a library, however long this sentence may get to be for all that it says\n", 77);
	assert_says(describe("text.so", -EINVAL), "cc -shared");
	so_write(&dir, "empty.so", "", 0);
	assert_says(describe("empty.so", -EINVAL), "no shared object");
	assert_int_equal(mkdir(so_path(&dir, "folder.so"), 0755), 0);
	assert_says(describe("folder.so", -EINVAL), "regular file");
	assert_int_equal(mkfifo(so_path(&dir, "fifo.so"), 0644), 0);
	assert_says(describe("fifo.so", -EINVAL), "regular file");
	assert_says(describe("absent.so", -EINVAL), "No such file");
}

/* The loader maps segments and dies of SIGBUS when the file ends before them. */
static void a_file_cut_short_is_refused_at_every_length(void **state)
{
	(void)state;
	static char bytes[1 << 20];
	so_build_probe(&dir, "whole", "");
	FILE *f = fopen(so_path(&dir, "whole.so"), "r");
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	assert_true(n > 4096 && n < sizeof bytes);
	for (size_t len = 4; len < n * 3 / 4; len = len * 3 / 2 + 1) {
		so_write(&dir, "cut.so", bytes, len);
		assert_says(describe("cut.so", -EINVAL), "cut short");
		assert_int_equal(unlink(so_path(&dir, "cut.so")), 0);
	}
	memset(bytes + 24, 0xff, 40); /* offsets in the header that make no sense */
	so_write(&dir, "mad.so", bytes, n);
	describe("mad.so", -EINVAL);
}

static void others_must_not_be_able_to_change_it(void **state)
{
	(void)state;
	so_build_probe(&dir, "mine", "");
	const char *path = so_path(&dir, "mine.so");
	assert_int_equal(chmod(path, 0646), 0);
	assert_says(describe("mine.so", -EINVAL), "chmod o-w");
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(symlink(path, so_path(&dir, "link.so")), 0);
	assert_says(describe("link.so", -EINVAL), "symbolic link");
	assert_int_equal(chmod(dir.path, 0777), 0);
	assert_says(describe("mine.so", -EINVAL), "world-writable");
	assert_int_equal(chmod(dir.path, 01777), 0); /* sticky: nobody else can replace it */
	describe("mine.so", 0);
	assert_int_equal(chmod(dir.path, 0755), 0);
	if (geteuid() != 0) {
		print_message("skipped the owner's check: only root can give a file away\n");
		return;
	}
	assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
	assert_says(describe("mine.so", -EINVAL), "uid 12345");
	assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	assert_int_equal(chown(dir.path, 12345, (gid_t)-1), 0);
	assert_says(describe("mine.so", -EINVAL), "uid 12345");
	assert_int_equal(chown(dir.path, 0, (gid_t)-1), 0);
}

/* ---- sets ---- */

static struct conf conf;
static struct conf_plugin stages[8];

static void pipeline(bool given, size_t n, const char *const *names)
{
	conf = (struct conf){ .plugin_dir = dir.path, .pipeline = stages, .npipeline = n, .pipeline_given = given };
	for (size_t i = 0; i < n; i++)
		stages[i] = (struct conf_plugin){ .name = names[i], .place = "t.yaml:3:5" };
}

static struct plug_set *open_set(struct plug_set *previous)
{
	struct plug_set *s;
	char why[512] = "";
	if (plug_set_open(&conf, previous, &s, why) != 0)
		fail_msg("%s", why);
	return s;
}

static const char *set_refusal(void)
{
	static char why[512];
	struct plug_set *s;
	assert_int_equal(plug_set_open(&conf, NULL, &s, why), -EINVAL);
	return why;
}

static const struct plug_file *file_of(const struct plug_set *s, const char *base)
{
	const struct plug_file *f;
	size_t n = plug_set_files(s, &f), len = strlen(base);
	for (size_t i = 0; i < n; i++)
		if (strlen(f[i].path) > len && strcmp(f[i].path + strlen(f[i].path) - len, base) == 0)
			return &f[i];
	fail_msg("no file %s", base);
	return NULL;
}

static void a_broken_file_stops_nobody_who_does_not_name_it(void **state)
{
	(void)state;
	so_build_probe(&dir, "good", "");
	so_write(&dir, "broken.so", "text", 4);
	pipeline(true, 1, (const char *const[]){ "auto" });
	struct plug_set *s = open_set(NULL);
	assert_null(file_of(s, "/good.so")->refusal);
	assert_true(file_of(s, "/good.so")->running);
	assert_says(file_of(s, "/broken.so")->refusal, "cc -shared");
	plug_set_unref(s);
	pipeline(true, 1, (const char *const[]){ "broken" });
	assert_says(set_refusal(), "t.yaml:3:5: plugin `broken`");
	assert_says(set_refusal(), "cc -shared");
	pipeline(false, 1, (const char *const[]){ "broken" }); /* the list nobody wrote */
	plug_set_unref(open_set(NULL));
}

static void names_that_are_not_there_are_named(void **state)
{
	(void)state;
	so_build_probe(&dir, "enrich", "");
	pipeline(true, 1, (const char *const[]){ "enrihc" });
	assert_says(set_refusal(), "did you mean `enrich`?");
	pipeline(true, 2, (const char *const[]){ "enrich", "enrich" });
	assert_says(set_refusal(), "twice");
	pipeline(true, 1, (const char *const[]){ "enrich" });
	conf.plugin_dir = "/nonexistent/plugins";
	assert_says(set_refusal(), "plugin_dir");
	/* of the default list only what is installed runs */
	pipeline(false, 2, (const char *const[]){ "dedup", "enrich" });
	struct plug_set *s = open_set(NULL);
	char why[512];
	assert_true(file_of(s, "/enrich.so")->running);
	assert_null(plug_set_sink(s, "enrich")); /* a plugin is no sink */
	plug_set_why_not(s, true, "enrich", why);
	assert_says(why, "sink `enrich` is not in");
	plug_set_unref(s);
}

static void two_files_of_one_name_are_one_too_many(void **state)
{
	(void)state;
	so_build_probe(&dir, "alpha", "");
	so_build_probe(&dir, "beta", "-UPROBE_NAME -DPROBE_NAME='\"alpha\"'");
	pipeline(true, 1, (const char *const[]){ "auto" });
	struct plug_set *s = open_set(NULL);
	assert_true(file_of(s, "/alpha.so")->running);
	assert_says(file_of(s, "/beta.so")->refusal, "alpha.so; remove one");
	plug_set_unref(s);
}

static void options_are_checked_when_the_set_is_made(void **state)
{
	(void)state;
	static const struct {
		const char *option, *value, *says;
	} rows[] = {
		{ "numbr", "1", "t.yaml:4:9: plugin opts has no option `numbr`; did you mean `number`?" },
		{ "zzzzzz", "1", "tallyd -l" },
		{ "number", "1.5", "t.yaml:4:9: `number` of plugin opts must be a whole number, not `1.5`" },
		{ "number", "", "whole number" },
		{ "size", "10 parsecs", "a size (64MiB)" },
		{ "time", "10", "a time (10m)" },
		{ "yes", "maybe", "true or false" },
		{ "share", "nan", "a number" },
	};
	so_build_probe(&dir, "opts", "-DPROBE_OPTIONS");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct conf_pair pair = { rows[i].option, rows[i].value, "t.yaml:4:9" };
		pipeline(true, 1, (const char *const[]){ "opts" });
		stages[0].options = &pair;
		stages[0].noptions = 1;
		assert_says(set_refusal(), rows[i].says);
	}
	so_build_probe(&dir, "needs", "-DPROBE_OPTIONS -DPROBE_NEEDS");
	pipeline(true, 1, (const char *const[]){ "needs" });
	assert_says(set_refusal(), "t.yaml:3:5: plugin needs needs the option `needed`: must be given");
	/* at auto it is left out and says why */
	pipeline(true, 1, (const char *const[]){ "auto" });
	struct plug_set *s = open_set(NULL);
	assert_says(file_of(s, "/needs.so")->refusal, "name it in `pipeline:`");
	assert_true(file_of(s, "/opts.so")->running);
	plug_set_unref(s);
}

static void a_reload_shares_what_has_not_changed(void **state)
{
	(void)state;
	so_build_probe(&dir, "keep", "");
	so_build_probe(&dir, "swap", "");
	so_build_probe(&dir, "over", "");
	pipeline(true, 1, (const char *const[]){ "auto" });
	struct plug_set *first = open_set(NULL);
	so_build_probe(&dir, "fresh", "");
	/* a new file in place of the old one: loaded beside it */
	so_build_probe(&dir, "swap2", "-UPROBE_NAME -DPROBE_NAME='\"swap\"' -DPROBE_DESK_ONLY");
	assert_int_equal(rename(so_path(&dir, "swap2.so"), so_path(&dir, "swap.so")), 0);
	/* the old one overwritten: what is mapped is not what is there; here a byte behind its end is enough */
	FILE *f = fopen(so_path(&dir, "over.so"), "a");
	fputc('\n', f);
	fclose(f);
	struct plug_set *second = open_set(first);
	assert_ptr_equal(file_of(first, "/keep.so")->plugin, file_of(second, "/keep.so")->plugin);
	assert_true(file_of(second, "/fresh.so")->running);
	assert_non_null(file_of(first, "/swap.so")->plugin->admit);
	assert_null(file_of(second, "/swap.so")->plugin->admit);
	assert_says(file_of(second, "/over.so")->refusal, "rename");
	plug_set_unref(first);
	assert_string_equal(file_of(second, "/keep.so")->plugin->name, "keep"); /* still mapped */
	plug_set_unref(second);
}

static void rollups_take_their_public_form(void **state)
{
	(void)state;
	static const struct conf_metric metrics[] = { { .kind = TALLY_EVENTS },
		{ .kind = TALLY_SUM, .is_prop = 1, .field = "n" }, { .kind = TALLY_MIN, .field = "value" } };
	static const struct conf_dimension dims[] = { { .kind = TALLY_DIM_PROP, .key = "item" } };
	static const struct conf_rollup rollups[] = { { .name = "total", .metrics = metrics, .nmetrics = 1 },
		{ .name = "items", .metrics = metrics, .nmetrics = 3, .dims = dims, .ndims = 1 } };
	pipeline(true, 0, NULL);
	conf.rollups = rollups;
	conf.nrollups = 2;
	struct plug_set *s = open_set(NULL);
	const struct tally_rollup *r;
	assert_int_equal(plug_set_rollups(s, &r), 2);
	assert_true(r[0].id == 0 && r[0].ndims == 0 && r[0].nmetrics == 1);
	assert_true(r[1].id == 1 && str_eq(r[1].name, STR("items")) && str_eq(r[1].dims[0].key, STR("item")));
	assert_true(r[1].metrics[1].is_prop == 1 && str_eq(r[1].metrics[1].field, STR("n")));
	assert_true(r[1].metrics[2].is_prop == 0 && r[1].metrics[2].field.len == 0);
	plug_set_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_wrong_descriptor_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_good_one_is_described, setup, teardown),
		cmocka_unit_test_setup_teardown(an_older_shorter_descriptor_has_zeros_for_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_longer_descriptor_of_zeros_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_shared_object_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_cut_short_is_refused_at_every_length, setup, teardown),
		cmocka_unit_test_setup_teardown(others_must_not_be_able_to_change_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_file_stops_nobody_who_does_not_name_it, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_are_not_there_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(two_files_of_one_name_are_one_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(options_are_checked_when_the_set_is_made, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_shares_what_has_not_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(rollups_take_their_public_form, setup, teardown),
	};
	return RUN_TESTS("load", tests);
}
