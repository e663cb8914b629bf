/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
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

static void defaults_are_those_of_the_contract(void **state)
{
	(void)state;
	struct conf *c;
	struct conf_error err;
	assert_int_equal(conf_load(NULL, "var/x", NULL, &c, &err), 0);
	assert_string_equal(c->listen, "127.0.0.1:8470");
	assert_string_equal(c->data_dir, "var/x");
	assert_string_equal(c->plugin_dir, TALLY_PLUGIN_DIR);
	assert_int_equal(c->lanes, 0);
	assert_int_equal(c->ack, CONF_ACK_DURABLE);
	assert_int_equal(c->ack_timeout_us, 10000000);
	assert_true(c->spool.max == 20ull << 30 && c->spool.retain_max == 4ull << 30);
	assert_true(c->spool.keep_free == 0.05);
	assert_int_equal(c->spool.retain_us, 1800000000);
	assert_int_equal(c->limits.body, 2 << 20);
	assert_int_equal(c->limits.connections, 0);
	assert_int_equal(c->log.level, LOG_INFO);
	assert_string_equal(c->trusted_proxies[0], "127.0.0.1/32");
	assert_null(c->trusted_proxies[1]);
	assert_int_equal(c->nsites, 1);
	assert_true(c->sites[0].past_us == INT64_MAX && c->sites[0].future_us == 600000000);
	assert_int_equal(c->npipeline, 7);
	assert_false(c->pipeline_given);
	assert_int_equal(c->nrollups, 3);
	assert_int_equal(c->nsinks, 1);
	assert_string_equal(c->sinks[0].options[0].value, "tally.db");
	assert_int_equal(c->retention.minute_us, 172800000000);
	conf_free(c);
}

static void a_dump_loads_and_dumps_the_same(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 0);
	struct conf *c =
		load("sites: { shop.example: { origins: ['https://shop.example'], time_window: { past: 400d } } }\n"
		     "sources: [ redis: { url: 'redis://u:pw@h/0', list: l, map: { name: action, 'props.i': x } } ]\n"
		     "pipeline: [ dedup: { window: 5m, list: [a, 'b c'] }, rollup ]\n"
		     "redirects: { secret: 'very $${secret' }\n"
		     "sinks: [ mariadb: { name: m, url: 'mysql://u:p@h/d', password: x }, 'null' ]\n");
	const char *first = conf_dump(c, &a).ptr;
	conf_free(c);
	assert_null(strstr(first, "very"));
	assert_null(strstr(first, "pw"));
	c = load(first);
	assert_string_equal(conf_dump(c, &a).ptr, first);
	conf_free(c);
	arena_free(&a);
}

static int open_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int close_dir(void **state)
{
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/tally.yaml", dir);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_contract),
		cmocka_unit_test(a_dump_loads_and_dumps_the_same),
	};
	cmocka_set_message_output(CM_OUTPUT_STDOUT);
	return cmocka_run_group_tests_name("conf", tests, open_dir, close_dir);
}
