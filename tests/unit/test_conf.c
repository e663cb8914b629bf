/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/log.h"
#include "conf_file.h"

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
	struct conf *c = load(
		"sites: { shop.example: { origins: ['https://shop.example'], time_window: { past: 400d } } }\n"
		"sources: [ redis: { url: 'redis://u:pw@h/0', list: l, map: { name: action, 'props.i': x } } ]\n"
		"pipeline: [ dedup: { window: 5m, list: [a, 'b c'] }, rollup ]\n"
		"redirects: { secret: 'very $${secret' }\n"
		"lookups: { p: { sql: \"SELECT ';' AS a, k\\n -- all\\n FROM p\", key: k, ttl: 90s, version: v, store: m } }\n"
		"sinks: [ mariadb: { name: m, url: 'mysql://u:p@h/d', password: x },\n"
		"  'null': { a: 'price $${5} \xe2\x80\xa8', b: \"tab\\tbell\\a\", c: [] } ]\n");
	const char *first = conf_dump(c, &a).ptr;
	conf_free(c);
	assert_null(strstr(first, "very"));
	assert_null(strstr(first, "pw"));
	c = load(first);
	assert_string_equal(conf_dump(c, &a).ptr, first);
	conf_free(c);
	arena_free(&a);
}

static void everything_of_the_contract_is_read(void **state)
{
	(void)state;
	struct conf *c = load(
		"listen: '[::1]:9000'\nadmin: 127.0.0.1:8471\ndata_dir: /d\nplugin_dir: /p\nlanes: 3\nack: stored\n"
		"ack_timeout: 2s\nspool: { max: 1GiB, keep_free: 10%, retain: 1h, retain_max: 2GiB, segment: 1MiB }\n"
		"limits: { body: 1MiB, inflated: 4MiB, ratio: 50, events: 9, event: 1KiB, depth: 8, connections: 77,\n"
		"  header_timeout: 1s, idle_timeout: 2s, query_rows: 10, query_timeout: 3s }\n"
		"log: { level: error, format: json }\ntrusted_proxies: [10.0.0.0/8, 'fd00::/8', 192.168.1.1]\n"
		"redirects: { hosts: [shop.example], secret: s3 }\n"
		"sites:\n  b.example: { timezone: Asia/Kathmandu, time_window: { past: 1d } }\n"
		"  default: { timezone: Europe/Berlin, origins: ['*'], privacy: ignore, time_window: { future: 1h } }\n  a.example:\n"
		"sources:\n- redis: { url: 'redis://h:1/2', list: l, end: right, site: s, map: { 'props.item': pid } }\n"
		"pipeline:\n- dedup: { window: 10m, more: [x, y] }\n- auto\n- rollup:\n"
		"rollups:\n- { name: r, by: ['event:name', 'event:hostname', 'visit:referrer', 'event:props:it:em', 'visit:os',\n"
		"      'event:props:utm_term'],\n"
		"    metrics: [pageviews, 'sum:value', 'max:props.price', 'p:value'] }\n"
		"sinks:\n- sqlite: { name: s, prefix: x_, batch: 7, flush: 1s, path: p.db }\n- null\n"
		"lookups: { p: { sql: SELECT 1 AS k, key: k },\n"
		"  q: { sql: SELECT 2 AS k, key: k, ttl: 1s, version: v, store: s, max_rows: 7, memory: 1MiB } }\n"
		"retention: { events: 30d, minute: 1d, quarter: 400d, day: forever, month: any }\n");
	assert_string_equal(c->listen, "[::1]:9000");
	assert_string_equal(c->admin, "127.0.0.1:8471");
	assert_string_equal(c->data_dir, "/d");
	assert_int_equal(c->lanes, 3);
	assert_int_equal(c->ack, CONF_ACK_STORED);
	assert_true(c->spool.max == 1 << 30 && c->spool.keep_free == 0.1 && c->spool.segment == 1 << 20);
	assert_int_equal(c->limits.connections, 77);
	assert_int_equal(c->limits.query_timeout_us, 3000000);
	assert_int_equal(c->log.level, LOG_ERROR);
	assert_int_equal(c->log.format, LOG_JSON);
	assert_string_equal(c->trusted_proxies[2], "192.168.1.1");
	assert_string_equal(c->redirects.secret, "s3");

	assert_int_equal(c->nsites, 3);
	const struct conf_site *a = conf_site(c, STR("a.example")), *b = conf_site(c, STR("b.example"));
	assert_string_equal(a->timezone, "Europe/Berlin");
	assert_string_equal(a->origins[0], "*");
	assert_true(a->past_us == INT64_MAX && a->future_us == 3600000000);
	assert_true(!a->honors_privacy && !b->honors_privacy);
	assert_string_equal(b->timezone, "Asia/Kathmandu");
	assert_true(b->past_us == 86400000000 && b->future_us == 3600000000);
	assert_string_equal(conf_site(c, STR("c.example"))->name, "default");
	assert_string_equal(conf_site(c, STR("a.exampl"))->name, "default");

	assert_int_equal(c->nsources, 1);
	assert_true(c->sources[0].right);
	assert_string_equal(c->sources[0].map[0].field, "props.item");
	assert_string_equal(c->sources[0].map[0].key, "pid");
	assert_true(c->pipeline_given);
	assert_int_equal(c->npipeline, 3);
	assert_string_equal(c->pipeline[0].options[1].value, "x\ny");
	assert_string_equal(c->pipeline[2].name, "rollup");
	const struct conf_rollup *r = &c->rollups[0];
	assert_int_equal(r->ndims, 6);
	assert_true(r->dims[4].kind == TALLY_DIM_PROP && strcmp(r->dims[4].key, "$os") == 0);
	assert_string_equal(r->dims[3].key, "it:em");
	assert_true(r->nmetrics == 4 && r->metrics[2].kind == TALLY_MAX && r->metrics[2].is_prop);
	assert_string_equal(r->metrics[2].field, "price");
	assert_string_equal(r->metrics[1].field, "");
	assert_true(r->metrics[3].kind == TALLY_QUANTILE && !r->metrics[3].is_prop);
	assert_int_equal(c->nlookups, 2);
	const struct conf_lookup *p = conf_lookup(c, STR("p")), *q = conf_lookup(c, STR("q"));
	assert_null(conf_lookup(c, STR("P")));
	assert_string_equal(p->sql, "SELECT 1 AS k");
	assert_true(!p->version && !p->store && p->ttl_us == 300000000 && p->max_rows == 100000);
	assert_int_equal(p->memory, 64 << 20);
	assert_string_equal(q->version, "v");
	assert_string_equal(q->store, "s");
	assert_true(q->ttl_us == 1000000 && q->max_rows == 7 && q->memory == 1 << 20);
	assert_string_equal(c->sinks[0].prefix, "x_");
	assert_int_equal(c->sinks[0].batch, 7);
	assert_int_equal(c->sinks[0].noptions, 1);
	assert_string_equal(c->sinks[1].name, "null");
	assert_true(c->retention.month_us == INT64_MAX && c->retention.events_us == 30 * 86400000000);
	conf_free(c);
}

static void relative_paths_lie_under_data_dir(void **state)
{
	(void)state;
	struct conf *c;
	struct conf_error err;
	assert_int_equal(conf_load(file_of("tally.yaml", "admin: a.sock\ndata_dir: /x\n"), "/y", "/z", &c, &err), 0);
	assert_string_equal(c->data_dir, "/y");
	assert_string_equal(c->plugin_dir, "/z");
	assert_string_equal(c->admin, "/y/a.sock");
	conf_free(c);
}

static void a_secret_comes_from_its_file(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 0);
	file_of("secret", "top secret\nsecond line\n");
	struct conf *c = load(arena_printf(&a, "redirects: { secret_file: %s/secret }\n", dir));
	assert_string_equal(c->redirects.secret, "top secret");
	assert_null(strstr(conf_dump(c, &a).ptr, "top secret"));
	conf_free(c);
	file_of("secret", "\n");
	struct conf_error err;
	const char *text = arena_printf(&a, "data_dir: %s\nredirects: { secret_file: secret }\n", dir);
	assert_int_equal(conf_load(file_of("tally.yaml", text), NULL, NULL, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "2:27: redirects.secret_file: the first line of secret is empty"));
	arena_free(&a);
}

static void secrets_are_masked(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "url: 'mysql://u:hidden@h/d'", "url: \"mysql://u:***@h/d\"" },
		{ "url: 'mysql://u:hid@den@h/d'", "url: \"mysql://u:***@h/d\"" },
		{ "url: 'mysql://:hidden@h/d'", "url: \"mysql://:***@h/d\"" },
		{ "url: 'mysql://u@h:3306/d'", "url: mysql://u@h:3306/d" },
		{ "readers: ['m://u:hidden@a/d', 'm://u:hidden@b/d']",
			"readers: [\"m://u:***@a/d\", \"m://u:***@b/d\"]" },
		{ "password: hidden", "password: \"***\"" },
		{ "api_token: hidden", "api_token: \"***\"" },
		{ "Client_Secret: hidden", "Client_Secret: \"***\"" },
		{ "password_file: /etc/pw", "password_file: /etc/pw" },
	};
	struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct conf *c = load(arena_printf(&a, "sinks:\n- x: { %s }\n", cases[i][0]));
		const char *dump = conf_dump(c, &a).ptr;
		assert_non_null(strstr(dump, cases[i][1]));
		assert_null(strstr(dump, "hid"));
		conf_free(c);
	}
	arena_free(&a);
}

static void a_reload_names_what_needs_a_restart(void **state)
{
	(void)state;
	static const char *const cases[][3] = {
		{ "{}", "ack: durable\n", "" },
		{ "{}", "ack: written\nlog: { level: debug }\nsites: { x: }\nretention: { minute: 1d }\n", "" },
		{ "{}", "lanes: 2\n", "lanes" },
		{ "listen: 127.0.0.1:1\n", "listen: 127.0.0.1:2\nspool: { max: 1GiB }\nack: stored\n",
			"listen, spool" },
		{ "sinks: [x: { password: a }]\n", "sinks: [x: { password: b }]\n", "sinks" },
		{ "rollups: [{ name: a, metrics: [events] }]\n", "rollups: [{ name: a, metrics: [visitors] }]\n",
			"rollups" },
	};
	struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct conf *before = load(cases[i][0]), *after = load(cases[i][1]);
		assert_string_equal(conf_restart_needed(before, after, &a).ptr, cases[i][2]);
		assert_string_equal(conf_restart_needed(after, after, &a).ptr, "");
		conf_free(before);
		conf_free(after);
	}
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_contract),
		cmocka_unit_test(everything_of_the_contract_is_read),
		cmocka_unit_test(a_dump_loads_and_dumps_the_same),
		cmocka_unit_test(relative_paths_lie_under_data_dir),
		cmocka_unit_test(a_secret_comes_from_its_file),
		cmocka_unit_test(secrets_are_masked),
		cmocka_unit_test(a_reload_names_what_needs_a_restart),
	};
	return RUN_CONF_TESTS("conf", tests);
}
