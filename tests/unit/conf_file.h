/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the configuration share: files in a directory of their own, and loading one that is good. */
#ifndef TESTS_UNIT_CONF_FILE_H
#define TESTS_UNIT_CONF_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "unit.h"

static char dir[] = "/tmp/test_conf.XXXXXX";

/* A file of this text, in a directory of this test's own. */
static const char *file_of(const char *name, const char *text)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static struct conf *load(const char *text)
{
	struct conf *c = NULL;
	struct conf_error err = { "" };
	int rc = conf_load(file_of("tally.yaml", text), NULL, NULL, &c, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
	return c;
}

static int open_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int close_dir(void **state)
{
	(void)state;
	static const char *const names[] = { "tally.yaml", "secret" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[128];
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

#define RUN_CONF_TESTS(name, tests) \
	(cmocka_set_message_output(CM_OUTPUT_STDOUT), cmocka_run_group_tests_name(name, tests, open_dir, close_dir))

#endif
