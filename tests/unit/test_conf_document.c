/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "unit.h"

static struct arena arena;

static const char *in_conf(const char *name)
{
	const char *srcdir = getenv("srcdir");
	return arena_printf(&arena, "%s/conf/%s", srcdir ? srcdir : ".", name);
}

static char *read_all(const char *path)
{
	char *text = arena_zalloc(&arena, 65536);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

static struct conf *load(const char *path)
{
	struct conf *c = NULL;
	struct conf_error err = { "" };
	int rc = conf_load(path, NULL, NULL, &c, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
	return c;
}

static struct conf *load_text(const char *text)
{
	char path[] = "/tmp/test_conf_document.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	struct conf *c = load(path);
	unlink(path);
	return c;
}

static void tally_yaml_is_what_the_tables_say(void **state)
{
	(void)state;
	/* out of date? `make update-conf` writes it anew */
	assert_string_equal(read_all(in_conf("tally.yaml")), conf_document(&arena).ptr);
}

static void the_document_states_the_defaults(void **state)
{
	(void)state;
	struct conf *none, *all = load(in_conf("tally.yaml"));
	struct conf_error err;
	assert_int_equal(conf_load(NULL, NULL, NULL, &none, &err), 0);
	assert_string_equal(conf_dump(all, &arena).ptr, conf_dump(none, &arena).ptr);
	assert_string_equal(conf_restart_needed(none, all, &arena).ptr, "");
	conf_free(none);
	conf_free(all);
}

/* An example is a line whose first '#' has no space behind it. */
static char *without_hashes(const char *text)
{
	char *out = arena_alloc(&arena, strlen(text) + 1), *q = out;
	bool begins = true;
	for (; *text; text++) {
		if (begins && *text == '#' && text[1] != ' ' && text[1] != '\n') {
			begins = false;
			continue;
		}
		if (begins && *text == '#' && text[1] == ' ' && text[2] == ' ' && text[3] != ' ') {
			begins = false; /* an example's second line: "#  - redis: …" */
			continue;
		}
		begins = *text == '\n' || (begins && *text == ' ');
		*q++ = *text;
	}
	*q = 0;
	return out;
}

static void the_examples_of_the_document_load(void **state)
{
	(void)state;
	char *text = without_hashes(conf_document(&arena).ptr);
	char *file = strstr(text, "secret_file:");
	assert_non_null(file);
	*strchr(file, '\n') = ' ';
	memset(file, ' ', strcspn(file, "\n") - 1); /* either it or secret */
	setenv("TALLY_CLICK_SECRET", "x", 1);
	assert_null(strstr(text, "\n#sites"));
	struct conf *c = load_text(text);
	assert_string_equal(c->admin, "/run/tally/admin.sock");
	assert_string_equal(c->sites[1].name, "shop.example");
	assert_int_equal(c->nsources, 1);
	assert_true(c->pipeline_given);
	assert_string_equal(c->redirects.secret, "x");
	conf_free(c);
}

static void the_examples_load(void **state)
{
	(void)state;
	static const char *const names[] = { "quickstart.yaml", "mariadb.yaml", "redis.yaml" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct conf *c = load(in_conf(names[i]));
		const char *first = conf_dump(c, &arena).ptr;
		conf_free(c);
		c = load_text(first);
		assert_string_equal(conf_dump(c, &arena).ptr, first);
		conf_free(c);
	}
}

static void quickstart_is_the_shop(void **state)
{
	(void)state;
	struct conf *c = load(in_conf("quickstart.yaml"));
	assert_string_equal(c->listen, "127.0.0.1:8470");
	assert_string_equal(c->sinks[0].plugin, "sqlite");
	assert_string_equal(conf_site(c, STR("shop.example"))->name, "shop.example");
	assert_true(conf_site(c, STR("shop.example"))->past_us == INT64_MAX);
	conf_free(c);
}

static void the_manual_names_every_option(void **state)
{
	(void)state;
	const char *man = conf_manual(&arena).ptr;
	assert_non_null(strstr(man, "\n.B spool.keep_free\nshare of the file system that the spool leaves free\n"
				    "(percent, default 5%)\n"));
	assert_non_null(strstr(man, "\n.B sites.time_window.past\n"));
	assert_non_null(strstr(man, "\n.B sinks.when_spool_full\n"));
	assert_null(strstr(man, "\n.B keys\n"));
	for (const char *line = man; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		assert_true(*line != '\'' && (*line != '.' || strncmp(line, ".TP\n", 4) == 0 || line[1] == 'B'));
	}
}

static int open_arena(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int close_arena(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tally_yaml_is_what_the_tables_say),
		cmocka_unit_test(the_document_states_the_defaults),
		cmocka_unit_test(the_examples_of_the_document_load),
		cmocka_unit_test(the_examples_load),
		cmocka_unit_test(quickstart_is_the_shop),
		cmocka_unit_test(the_manual_names_every_option),
	};
	cmocka_set_message_output(CM_OUTPUT_STDOUT);
	return cmocka_run_group_tests_name("conf_document", tests, open_arena, close_arena);
}
