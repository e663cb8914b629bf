/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "conf/option.h"
#include "conf_file.h"

#define LONG_40 "a123456789a123456789a123456789a123456789"

/* What is refused: the text, and the whole message behind "file:". */
static const struct {
	const char *text, *message;
} bad[] = {
	{ "pluginz_dir: /x\n", "1:1: unknown option 'pluginz_dir'; did you mean 'plugin_dir'?" },
	{ "log:\n  colour: red\n", "2:3: log: unknown option 'colour'; known: level, format" },
	{ "ack: durabel\n", "1:6: ack: unknown word 'durabel'; did you mean 'durable'?" },
	{ "ack: x\n", "1:6: ack: unknown word 'x'; known: written, durable, stored" },
	{ "ack:\n", "1:5: ack: one value is expected here, not nothing" },
	{ "ack: [durable]\n", "1:6: ack: one value is expected here, not a list" },
	{ "lanes: many\n", "1:8: lanes: 'many' is not a whole number" },
	{ "lanes: 257\n", "1:8: lanes: 257 is out of range: 0 to 256" },
	{ "limits: { connections: none }\n", "1:24: limits.connections: 'none' is not a whole number or auto" },
	{ "limits: { connections: 0 }\n", "1:24: limits.connections: 0 is out of range: 1 to 1000000" },
	{ "spool: [20GiB]\n", "1:8: spool: a mapping (option: value) is expected here" },
	{ "spool: { max: 20Gb }\n",
		"1:15: spool.max: '20Gb' is not a size; write a whole number with B, KiB, MiB, GiB or TiB (kB, MB, GB, TB are powers of 1000)" },
	{ "spool: { max: 1MiB }\n", "1:15: spool.max: 1MiB is less than four segments of 64MiB" },
	{ "spool: { keep_free: 5 }\n",
		"1:21: spool.keep_free: '5' is not a share; write 0% to 100%, with the percent sign" },
	{ "ack_timeout: 10\n",
		"1:14: ack_timeout: '10' is not a time; write a whole number with us, ms, s, m, h, d or w" },
	{ "ack_timeout: forever\n", "1:14: ack_timeout: forever is out of range: 1ms to 1h" },
	{ "retention: { minute: x }\n",
		"1:22: retention.minute: 'x' is not a time; write a whole number with us, ms, s, m, h, d or w, or forever" },
	{ "limits: { body: 16MiB }\n", "1:9: limits.inflated: 8MiB is less than limits.body (16MiB)" },
	{ "listen: 0.0.0.0:8470\n",
		"1:9: listen: 0.0.0.0:8470 can be reached from other machines, where anybody could send and read, as this version has no keys; listen on 127.0.0.1:8470 and put a proxy that asks for a password before it" },
	{ "listen: 8470\n",
		"1:9: listen: '8470' is not an address; write host:port, as in 127.0.0.1:8470 or [::1]:8470" },
	{ "listen: localhost:65536\n",
		"1:9: listen: 'localhost:65536' is not an address; write host:port, as in 127.0.0.1:8470 or [::1]:8470" },
	{ "admin: 10.0.0.1:8471\n", "1:8: admin: 10.0.0.1:8471 is not on this machine; use a path, or 127.0.0.1:port" },
	{ "data_dir: /d\nadmin: " LONG_40 LONG_40 LONG_40 "\n",
		"2:8: admin: /d/" LONG_40 LONG_40 LONG_40
		" is longer than the 107 bytes a UNIX socket's path may have; name a shorter one" },
	{ "keys: { file: /k }\n",
		"1:7: keys: not implemented in this version: remove it; without keys tally listens on 127.0.0.1 only" },
	{ "lookups: [ x ]\n", "1:10: lookups: a mapping (name: { options }) is expected here" },
	{ "lookups: { x: {} }\n",
		"1:15: lookups.x.sql: must be given, as in: \"SELECT id, category, version FROM products\"" },
	{ "lookups: { x: { sql: SELECT 1 } }\n", "1:15: lookups.x.key: must be given, as in: id" },
	{ "lookups: { 1x: { sql: SELECT 1, key: k } }\n",
		"1:12: lookups: '1x' is not a name: 1 to 48 letters, digits and _, not beginning with a digit" },
	{ "lookups: { x: { sql: SELECT 1, key: k, tll: 5m } }\n",
		"1:40: lookups.x: unknown option 'tll'; did you mean 'ttl'?" },
	{ "lookups: { x: { sql: SELECT 1, key: k, ttl: 1ms } }\n",
		"1:45: lookups.x.ttl: 1ms is out of range: 100ms to 30d" },
	{ "lookups: { x: { sql: SELECT 1, key: 'a`b' } }\n",
		"1:37: lookups.x.key: 'a`b' is not the name of a column: 1 to 64 bytes, without control characters and `" },
	{ "lookups: { x: { sql: SELECT 1, key: k, store: sqlit } }\n",
		"1:12: lookups.x.store: no sink is named 'sqlit'; did you mean 'sqlite'?" },
	{ "lookups: { x: { sql: SELECT 1, key: k, store: m } }\n",
		"1:12: lookups.x.store: no sink is named 'm'; leave it out, or name one under sinks:" },
	{ "lookups: { x: { sql: SELECT 1, key: k }, X: { sql: SELECT 1, key: k } }\n",
		"1:42: lookups: the name 'X' is taken at FILE:1:12" },
	{ "trusted_proxies: [10.0.0.0/33]\n",
		"1:19: trusted_proxies: '10.0.0.0/33' is not an address range; write it as in 10.0.0.0/8 or fd00::/8" },
	{ "trusted_proxies: 10.0.0.0/8\n", "1:18: trusted_proxies: a list is expected, as in [ a, b ]" },
	{ "redirects: { hosts: ['https://x'] }\n",
		"1:22: redirects.hosts: 'https://x' is not a host name; no scheme, port or path" },
	{ "redirects: { secret: a, secret_file: b }\n",
		"1:38: redirects: secret and secret_file are both given; remove one" },
	{ "redirects: { secret_file: /nowhere/s }\n",
		"1:27: redirects.secret_file: cannot read /nowhere/s: No such file or directory" },
	{ "sites: [a]\n", "1:8: sites: a mapping (name: { options }) is expected here" },
	{ "sites:\n  x: { timezone: ../etc }\n",
		"2:18: sites.x.timezone: '../etc' is not a time zone; write a tzdata name such as Europe/Berlin or UTC" },
	{ "sites:\n  x: { origins: [shop.example] }\n",
		"2:18: sites.x.origins: 'shop.example' is not an origin; write scheme://host or scheme://host:port without a path, or \"*\" for any" },
	{ "sites:\n  x: { time_window: { past: 1d, fture: 1m } }\n",
		"2:33: sites.x.time_window: unknown option 'fture'; did you mean 'future'?" },
	{ "sites: { x: { visitor_salt: year } }\n", "1:29: sites.x.visitor_salt: unknown word 'year'; known: day" },
	{ "sources:\n  - kafka: {}\n", "2:5: sources: unknown entry 'kafka'; known: redis" },
	{ "sources:\n  - redis: { list: l }\n",
		"2:12: sources.redis.url: must be given, as in: redis://127.0.0.1:6379/0" },
	{ "sources:\n  - redis: { url: 'rediss://h', list: l }\n",
		"2:19: sources.redis.url: 'rediss://h' needs TLS, which this version does not speak to Redis; run a TLS tunnel beside tally (stunnel with "
		"client = yes) and give its local end as redis://127.0.0.1:port" },
	{ "sources:\n  - redis: { url: 'redis://h', list: l, map: { visitr: u } }\n",
		"2:48: sources.redis.map: unknown field (or props.KEY) 'visitr'; did you mean 'visitor'?" },
	{ "sources:\n  - redis: { url: 'redis://h', list: l }\n  - redis: { url: 'redis://h', list: l }\n",
		"3:5: sources: the list 'l' is read already at FILE:2:5" },
	{ "pipeline: dedup\n", "1:11: pipeline: a list is expected here, each entry as in '- name: { options }'" },
	{ "pipeline:\n- dedup: {}\n  window: 5m\n",
		"3:3: pipeline: 'window' stands beside 'dedup'; options belong under the name, indented further or in { }" },
	{ "pipeline:\n- dedup: 5m\n", "2:10: pipeline.dedup: a mapping (option: value) is expected here" },
	{ "pipeline: [[a]]\n", "1:12: pipeline: a name is expected, as in '- name: { options }'" },
	{ "pipeline: [Dedup]\n",
		"1:12: pipeline: 'Dedup' is not a plugin's name: a-z, 0-9, _ and -, beginning with a letter" },
	{ "pipeline: [dedup, rollup, dedup]\n", "1:27: pipeline: 'dedup' is named twice, first at FILE:1:12" },
	{ "pipeline: [auto: { x: 1 }]\n", "1:20: pipeline.auto: takes no options; name the plugin to give it some" },
	{ "pipeline: [dedup: { window: { a: b } }]\n",
		"1:29: pipeline.dedup.window: one value is expected here, not a mapping" },
	{ "pipeline:\n- dedup: { window: 1h }\n",
		"2:12: pipeline.dedup.window: 1h is longer than spool.retain (30m), so a restart would forget ids; raise spool.retain" },
	{ "rollups: { a: {} }\n", "1:10: rollups: a list is expected here, each entry beginning with '- '" },
	{ "rollups:\n- { metrics: [events] }\n", "2:3: rollups.name: must be given" },
	{ "rollups:\n- { name: a }\n", "2:3: rollups.metrics: must be given, as in: [events, visitors]" },
	{ "rollups:\n- { name: 1a, metrics: [events] }\n",
		"2:11: rollups.name: '1a' is not a name: 1 to 48 letters, digits and _, not beginning with a digit" },
	{ "rollups:\n- { name: a, metrics: [] }\n",
		"2:23: rollups.metrics: a rollup needs at least one metric: events, pageviews, visitors, visits, bounces, duration, views, sum:FIELD, min:FIELD, max:FIELD and p:FIELD" },
	{ "rollups:\n- { name: a, metrics: ['avg:value'] }\n",
		"2:24: rollups.metrics: 'avg:value' is not a rollup metric: sum:value also counts, and serves it" },
	{ "rollups:\n- { name: a, by: ['event:page'], metrics: [visits] }\n",
		"2:3: rollups: 'a': visits cannot be told by event:page: it goes with visit:*" },
	{ "rollups:\n- { name: a, by: ['visit:entry_page'], metrics: [visits, events] }\n",
		"2:3: rollups: 'a': events cannot be told by visit:entry_page: that goes with visits, bounces, duration and views" },
	{ "rollups:\n- { name: a, metrics: ['p:price'] }\n",
		"2:24: rollups.metrics: 'p:price': the field is 'value' or 'props.KEY'" },
	{ "rollups:\n- { name: a, metrics: ['p95:value'] }\n",
		"2:24: rollups.metrics: 'p95:value' is not a rollup metric: p:value serves every percentile" },
	{ "rollups:\n- { name: a, metrics: [visitor] }\n",
		"2:24: rollups.metrics: unknown 'visitor'; did you mean 'visitors'? (known: events, pageviews, visitors, visits, bounces, duration, views, sum:FIELD, min:FIELD, max:FIELD and p:FIELD)" },
	{ "rollups:\n- { name: a, metrics: ['sum:price'] }\n",
		"2:24: rollups.metrics: 'sum:price': the field is 'value' or 'props.KEY'" },
	{ "rollups:\n- { name: a, metrics: [events, events] }\n", "2:32: rollups.metrics: 'events' is named twice" },
	{ "rollups:\n- { name: a, by: ['event:nam'], metrics: [events] }\n",
		"2:19: rollups.by: unknown 'event:nam'; did you mean 'event:name'? (known: event:name, event:page, event:hostname, event:props:KEY and visit:referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_content, utm_term, device, browser, os, country, entry_page, exit_page)" },
	{ "rollups:\n- { name: a, by: ['visit:device', 'event:props:$device'], metrics: [events] }\n",
		"2:35: rollups.by: 'visit:device' and 'event:props:$device' are the same prop" },
	{ "rollups:\n- { name: a, by: ['event:props:'], metrics: [events] }\n",
		"2:19: rollups.by: 'event:props:' lacks the key of a prop behind its end" },
	{ "rollups:\n- { name: a, by: ['event:props:" LONG_40 "ABC'], metrics: [events] }\n",
		"2:19: rollups.by: 'event:props:" LONG_40
		"ABC': the key is too long to be a column (48 characters of a-z, 0-9, _; others count thrice)" },
	{ "rollups:\n- { name: a, metrics: [events] }\n- { name: A, metrics: [events] }\n",
		"3:3: rollups: the name 'A' is taken at FILE:2:3" },
	{ "sinks:\n- sqlite: { path: a.db }\n- sqlite: { path: b.db }\n",
		"3:3: sinks: the name 'sqlite' is taken at FILE:2:3; give this one a name:" },
	{ "sinks:\n- sqlite: { path: a.db }\n- sqlite: { path: a.db, name: b }\n",
		"3:3: sinks: 'sqlite' and 'b' write into the same database; give one of them a prefix:" },
	{ "sinks:\n- mariadb: { url: 'mysql://u:one@h/d' }\n- mariadb: { url: 'mysql://u:two@h/d', name: b }\n",
		"3:3: sinks: 'mariadb' and 'b' write into the same database; give one of them a prefix:" },
	{ "sinks:\n- my-sink: {}\n", "2:3: sinks.my-sink: needs a name: of letters, digits and _" },
	{ "sinks:\n- sqlite: { batch: 0 }\n", "2:20: sinks.sqlite.batch: 0 is out of range: 1 to 1000000" },
	{ "sinks:\n- sqlite: { prefix: a-b }\n",
		"2:21: sinks.sqlite.prefix: 'a-b' is not a name: 1 to 48 letters, digits and _, not beginning with a digit" },
	{ "sinks:\n- sqlite: { prefix: " LONG_40 "abcdefgh }\n",
		"2:3: sinks: prefix '" LONG_40
		"abcdefgh' and rollup 'total' make a table name of more than 64 characters; shorten one" },
	{ "sinks:\n- sqlite: { when_spool_full: drop }\n",
		"2:30: sinks.sqlite.when_spool_full: unknown word 'drop'; known: refuse, skip" },
	{ "- a\n", "1:1: a mapping (option: value) is expected" },
};

/* FILE in an expected message stands for the file's name. */
static const char *expected(const char *path, const char *message)
{
	static char out[1024];
	const char *file = strstr(message, "FILE");
	if (file)
		snprintf(out, sizeof out, "%s:%.*s%s%s", path, (int)(file - message), message, path, file + 4);
	else
		snprintf(out, sizeof out, "%s:%s", path, message);
	return out;
}

static void refusals_say_where_what_and_the_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct conf *c;
		struct conf_error err = { "" };
		const char *path = file_of("tally.yaml", bad[i].text);
		int rc = conf_load(path, NULL, NULL, &c, &err);
		assert_string_equal(err.text, expected(path, bad[i].message));
		assert_int_equal(rc, -EINVAL);
	}
}

/* What follows the text, NULL = it is taken. */
static const struct {
	const char *sql, *why;
} selects[] = {
	{ "SELECT id, c FROM products", NULL },
	{ "  select\n1", NULL },
	{ "WITH a AS (SELECT 1 AS x) SELECT x FROM a", NULL },
	{ "SELECT ';' AS a, \"b;\" , `c)` FROM t -- ; not here )\n WHERE (1) /* nor ; ( here */", NULL },
	{ "SELECT 'it''s' AS a", NULL },
	{ "", "is not a SELECT" },
	{ "UPDATE t SET a = 1", "is not a SELECT" },
	{ "SELECTED", "is not a SELECT" },
	{ "SELECT 1;", "has a `;`" },
	{ "SELECT 1; DROP TABLE t", "has a `;`" },
	{ "SELECT 1) AS x; DELETE FROM t; SELECT (1", "closes a bracket" },
	{ "SELECT (1", "opens a bracket" },
	{ "SELECT 'a", "has a quote" },
	{ "SELECT 'a\\' AS b", "has a backslash" },
	{ "SELECT \"a\\\" AS b", "has a backslash" },
	{ "SELECT 1 /* a", "has a comment that is not closed" },
	{ "SELECT 1 /*! INTO OUTFILE 'x' */", "has a comment that some servers run" },
	{ "SELECT 1 # a", "has a `#`" },
	{ "SELECT ? AS a", "has a `?`" },
};

static void a_lookup_is_one_select(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof selects / sizeof *selects; i++) {
		const char *why = conf_judge_select(selects[i].sql);
		if (selects[i].why ? !why || strncmp(why, selects[i].why, strlen(selects[i].why)) != 0 : why != NULL)
			fail_msg("%s: %s", selects[i].sql, why ? why : "taken");
	}
}

static void loopback_is_told_from_the_world(void **state)
{
	(void)state;
	static const char *const near[] = { "127.0.0.1:0", "127.9.9.9:80", "'[::1]:80'", "localhost:8470" };
	static const char *const far[] = { "0.0.0.0:80", "128.0.0.1:80", "'[::]:80'", "'[::ffff:10.0.0.1]:80'",
		"localhost.example:80", "10.127.0.1:80" };
	struct conf_error err;
	struct conf *c;
	char text[100];
	for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
		snprintf(text, sizeof text, "listen: %s\n", near[i]);
		conf_free(load(text));
	}
	for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
		snprintf(text, sizeof text, "listen: %s\n", far[i]);
		assert_int_equal(conf_load(file_of("tally.yaml", text), NULL, NULL, &c, &err), -EINVAL);
		assert_non_null(strstr(err.text, "can be reached from other machines"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_say_where_what_and_the_remedy),
		cmocka_unit_test(a_lookup_is_one_select),
		cmocka_unit_test(loopback_is_told_from_the_world),
	};
	return RUN_CONF_TESTS("conf_refusals", tests);
}
