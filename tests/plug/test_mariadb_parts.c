/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the MariaDB sink that need no server: addresses, statements, the cache of sketches. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../sinks/mariadb/mariadb.h"
#include "base/str.h"

/* ---- url.c ---- */

static void test_addresses(void **state)
{
	static const struct {
		const char *url, *user, *password, *host, *database, *socket;
		unsigned port;
	} good[] = {
		{ "mysql://tally@127.0.0.1/tally", "tally", NULL, "127.0.0.1", "tally", NULL, 3306 },
		{ "mariadb://u:p@db.example:3307/x", "u", "p", "db.example", "x", NULL, 3307 },
		{ "mysql://u:@h/d", "u", "", "h", "d", NULL, 3306 },
		{ "mysql://u:a%40b%2Fc%3a@h/d", "u", "a@b/c:", "h", "d", NULL, 3306 },
		{ "mysql://u:p@ss@h/d", "u", "p@ss", "h", "d", NULL, 3306 },
		{ "mysql://u@[::1]/d", "u", NULL, "::1", "d", NULL, 3306 },
		{ "mysql://u@[fe80::1]:65535/d", "u", NULL, "fe80::1", "d", NULL, 65535 },
		{ "mysql://u@localhost/d?socket=/run/my%20sql.sock", "u", NULL, "localhost", "d", "/run/my sql.sock",
			3306 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct md_address a;
		if (md_address_parse(good[i].url, &a) != 0)
			fail_msg("refused: %s", good[i].url);
		assert_string_equal(a.user, good[i].user);
		assert_string_equal(a.hosts[0].host, good[i].host);
		assert_string_equal(a.database, good[i].database);
		assert_string_equal(a.password ? a.password : "-", good[i].password ? good[i].password : "-");
		assert_string_equal(a.socket ? a.socket : "-", good[i].socket ? good[i].socket : "-");
		assert_int_equal(a.hosts[0].port, good[i].port);
		md_address_free(&a);
	}
}

static void test_several_hosts(void **state)
{
	struct md_address a;
	(void)state;
	assert_int_equal(md_address_parse("mysql://u@a:3307,[::1]:3308,c/d", &a), 0);
	assert_int_equal(a.nhosts, 3);
	assert_string_equal(a.hosts[0].host, "a");
	assert_string_equal(a.hosts[1].host, "::1");
	assert_string_equal(a.hosts[2].host, "c");
	assert_int_equal(a.hosts[0].port, 3307);
	assert_int_equal(a.hosts[1].port, 3308);
	assert_int_equal(a.hosts[2].port, 3306);
	md_address_free(&a);
}

static void test_bad_addresses(void **state)
{
	static const char *const bad[] = {
		"",
		"mysql://",
		"tally@127.0.0.1/tally",
		"postgres://u@h/d",
		"mysql://h/d",
		"mysql://@h/d",
		"mysql://u@h",
		"mysql://u@h/",
		"mysql://u@/d",
		"mysql://u@h:0/d",
		"mysql://u@h:65536/d",
		"mysql://u@h:33x/d",
		"mysql://u@h:/d",
		"mysql://u@a,/d",
		"mysql://u@,a/d",
		"mysql://u@a,b,c,d,e,f,g,h,i/d",
		"mysql://u@[::1/d",
		"mysql://u@[::1]x/d",
		"mysql://u%4/@h/d",
		"mysql://u%zz@h/d",
		"mysql://u%00@h/d",
		"mysql://u@h/d?socket=relative",
		"mysql://u@h/d?sokcet=/x",
		"mysql://u@h/d%",
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct md_address a;
		if (md_address_parse(bad[i], &a) == 0)
			fail_msg("taken: %s", bad[i]);
	}
}

/* ---- sql.c ---- */

static const struct tally_column columns[] = {
	{ "node", TALLY_T_INT, TALLY_M_NODE, 0, 0 },
	{ "si`te", TALLY_T_TEXT, TALLY_M_KEY, 128, 0 },
	{ "c", TALLY_T_INT, TALLY_M_ADD, 0, 0 },
	{ "v", TALLY_T_REAL, TALLY_M_MAX, 0, 1 },
	{ "page", TALLY_T_TEXT, TALLY_M_FIRST, 2048, 0 },
	{ "note", TALLY_T_TEXT, TALLY_M_SET, 70000, 0 },
};

static void expect(struct md_text *t, const char *text)
{
	assert_string_equal(t->ptr, text);
	md_text_free(t);
}

#define U " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"

static void test_statements(void **state)
{
	struct tally_table t = { "t", columns, 6, 0, "page", "" };
	struct md_text sql = { 0 };
	(void)state;
	md_sql_create(&sql, "x_", &t, t.ncolumns);
	expect(&sql,
		"CREATE TABLE IF NOT EXISTS `x_t` (`node` INT UNSIGNED NOT NULL, `si``te` VARCHAR(128)" U " NOT NULL, "
		"`c` BIGINT NOT NULL, `v` DOUBLE NULL, `page` VARCHAR(2048)" U " NOT NULL, `note` MEDIUMTEXT" U
		" NOT NULL, PRIMARY KEY (`node`, `si``te`), KEY `tally_index` (page)) ENGINE=InnoDB "
		"ROW_FORMAT=DYNAMIC DEFAULT" U);
	t.insert_only = 1;
	md_sql_put(&sql, "", &t);
	expect(&sql, "INSERT INTO `t` (`node`, `si``te`, `c`, `v`, `page`, `note`) VALUES (?, ?, ?, ?, ?, ?)");
	t.insert_only = 0;
	md_sql_put(&sql, "", &t);
	assert_non_null(
		strstr(sql.ptr, " ELSE `c` + VALUES(`c`) END, `v` = CASE WHEN `v` IS NULL OR VALUES(`v`) > `v` THEN "
				"VALUES(`v`) ELSE `v` END, `note` = VALUES(`note`)"));
	assert_null(strstr(sql.ptr, "`page` ="));
	md_text_free(&sql);
	t.ncolumns = 2;
	md_sql_put(&sql, "", &t);
	expect(&sql, "INSERT INTO `t` (`node`, `si``te`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `node` = `node`");
}

static void test_literals(void **state)
{
	struct md_text sql = { 0 };
	(void)state;
	md_add_string(&sql, "a'b\\c\0d\"", 8);
	expect(&sql, "'a\\'b\\\\c\\0d\"'");
	md_add_binary(&sql, "\x00\xff'", 3);
	expect(&sql, "x'00ff27'");
	md_add_string(&sql, NULL, 0);
	expect(&sql, "''");
}

static void test_which_columns_are_indexed(void **state)
{
	static const struct tally_column site = { .name = "site" }, time = { .name = "time" }, it = { .name = "it" };
	const struct tally_table t = { .index = "website, site, time" };
	(void)state;
	assert_true(md_is_indexed(&t, &site));
	assert_true(md_is_indexed(&t, &time));
	assert_false(md_is_indexed(&t, &it));
	assert_false(md_is_indexed(&(struct tally_table){ .index = NULL }, &site));
}

/* ---- cache.c ---- */

static void stage(struct md_cache *c, const char *key, const char *value)
{
	size_t len = strlen(value);
	char *copy = md_cache_alloc(c, len);
	memcpy(copy, value, len);
	assert_int_equal(md_cache_stage(c, key, strlen(key), &(struct md_bytes){ copy, len }), 0);
}

static bool holds(struct md_cache *c, const char *key, const char *value)
{
	const struct md_bytes *b = md_cache_find(c, key, strlen(key));
	return b && b->len == strlen(value) && memcmp(b->ptr, value, b->len) == 0;
}

static void test_cache_takes_over_at_commit(void **state)
{
	struct md_cache *c = md_cache_open(100000);
	(void)state;
	stage(c, "a", "one");
	assert_null(md_cache_find(c, "a", 1));
	md_cache_commit(c);
	assert_true(holds(c, "a", "one"));
	stage(c, "a", "two");
	stage(c, "b", "three");
	assert_true(holds(c, "a", "one"));
	md_cache_commit(c);
	assert_true(holds(c, "a", "two") && holds(c, "b", "three"));
	stage(c, "a", "lost");
	md_cache_forget(c);
	assert_null(md_cache_find(c, "a", 1));
	md_cache_commit(c);
	assert_null(md_cache_find(c, "a", 1));
	md_cache_close(c);
}

static void test_cache_drops_what_was_not_used(void **state)
{
	struct md_cache *c = md_cache_open(100000);
	char key[16], value[1001];
	(void)state;
	memset(value, 'x', 1000);
	value[1000] = 0;
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof key, "key%d", i);
		stage(c, key, value);
		md_cache_commit(c);
		assert_true(holds(c, "key0", value)); /* used all the time */
	}
	assert_true(holds(c, "key499", value));
	assert_null(md_cache_find(c, "key1", 4));
	size_t kept = 0;
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof key, "key%d", i);
		kept += md_cache_find(c, key, strlen(key)) != NULL;
	}
	assert_in_range(kept, 80, 100);
	md_cache_close(c);
}

/* More than there are places at first: nothing is lost while it grows, nor when it is emptied. */
static void test_cache_grows_with_its_entries(void **state)
{
	struct md_cache *c = md_cache_open(100 << 20);
	char key[16];
	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 30000; i++) {
			snprintf(key, sizeof key, "key%d", i);
			stage(c, key, key);
			if (i % 1000 == 999)
				md_cache_commit(c);
		}
		for (int i = 0; i < 30000; i++) {
			snprintf(key, sizeof key, "key%d", i);
			assert_true(holds(c, key, key));
		}
		md_cache_forget(c);
		assert_null(md_cache_find(c, "key7", 4));
	}
	md_cache_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_several_hosts),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_which_columns_are_indexed),
		cmocka_unit_test(test_cache_takes_over_at_commit),
		cmocka_unit_test(test_cache_drops_what_was_not_used),
		cmocka_unit_test(test_cache_grows_with_its_entries),
	};
	return RUN_TESTS("parts of the MariaDB sink", tests);
}
