/* SPDX-License-Identifier: Apache-2.0 */
/* MariaDB: what every store must do, and what only a server and a network can suffer. */
#include "sink_mariadb.h"
#include "sink_store_tests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])
#define ITEMS (&s->schema->rollups[0].table)

/* ---- who may come in ---- */

static struct shop *open_with_url(const char *other)
{
	place.options[0].value = other;
	struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	place.options[0].value = server_url;
	return s;
}

static void expect_position(const char *other, int class, const char *words)
{
	struct shop *s = open_with_url(other);
	int rc = shop_position(s);
	if (rc != class || !strstr(shop_words(s), words))
		fail_msg("%s: %d %s", other, rc, shop_words(s));
	shop_close(s);
}

static void test_who_cannot_connect_is_told_why(void **state)
{
	char other[300];
	unsigned port = 0;
	(void)state;
	server_wipe();
	assert_int_equal(sscanf(strrchr(server_url, ':'), ":%u/", &port), 1);
	snprintf(other, sizeof other, "mysql://tally:wrong@127.0.0.1:%u/tally", port);
	expect_position(other, TALLY_SINK_STOP, "check user and password");
	snprintf(other, sizeof other, "mysql://tally:secret@127.0.0.1:%u/tally_none", port);
	expect_position(other, TALLY_SINK_STOP, "CREATE DATABASE");
	expect_position("mysql://tally:secret@127.0.0.1:1/tally", TALLY_SINK_RECONNECT, "127.0.0.1");
	snprintf(other, sizeof other, "mysql://tally:secret@localhost/tally?socket=%s", server_socket);
	expect_position(other, TALLY_SINK_OK, "");
}

static void test_the_password_comes_from_a_file(void **state)
{
	char path[128], other[300];
	unsigned port = 0;
	(void)state;
	server_wipe();
	assert_int_equal(sscanf(strrchr(server_url, ':'), ":%u/", &port), 1);
	snprintf(other, sizeof other, "mysql://tally@127.0.0.1:%u/tally", port);
	snprintf(path, sizeof path, "%s/password", server_dir);
	place.options[2] = (struct conf_pair){ "password_file", "password", "test:1:3" };
	place.noptions = 3;
	expect_position(other, TALLY_SINK_STOP, "cannot read password_file");
	FILE *f = fopen(path, "w");
	fputs("secret\n", f);
	fclose(f);
	expect_position(other, TALLY_SINK_OK, "");
	place.noptions = 2;
}

static void test_rights(void **state)
{
	char other[300];
	(void)state;
	server_wipe();
	server_sql("CREATE OR REPLACE USER tally_small@'%' IDENTIFIED BY 'x'");
	server_sql("GRANT SELECT, INSERT, UPDATE, DELETE ON tally.* TO tally_small@'%'");
	snprintf(other, sizeof other, "mysql://tally_small:x@localhost/tally?socket=%s", server_socket);
	expect_position(other, TALLY_SINK_STOP, "GRANT ALL on the database");
	shop_close(shop_open(NODE_A, "main", ""));
	expect_position(other, TALLY_SINK_OK, ""); /* the tables are there: no more is needed */
}

/* ---- connections that break ---- */

static void kill_writers(void)
{
	int64_t id;
	while ((id = server_number("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'tally' LIMIT 1", 0)) >
		0) {
		char text[64];
		snprintf(text, sizeof text, "KILL CONNECTION %lld", (long long)id);
		if (mysql_query(server_root, text) != 0 && mysql_errno(server_root) != 1094) /* gone by itself */
			fail_msg("%s", mysql_error(server_root));
	}
}

static void test_a_killed_connection_is_made_anew(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 3), 3);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 3);
	kill_writers();
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 64, 3), 3), TALLY_SINK_RECONNECT);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 64);
	shop_must_write(s, EVENTS, shop_events(s, 64, 3), 3);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 6); /* the reader too */
	shop_close(s);
}

static void test_a_server_that_goes_and_comes_back(void **state)
{
	static const char *const ways[] = { "stop_server", "kill_server" };
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	for (size_t i = 0; i < 2; i++) {
		shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 10), 10);
		struct tally_position stood = s->at;
		assert_int_equal(server_command(ways[i], ""), 0);
		assert_int_equal(shop_write(s, EVENTS, shop_events(s, s->at.lsn, 10), 10), TALLY_SINK_RECONNECT);
		assert_int_equal(shop_position(s), TALLY_SINK_RECONNECT);
		assert_int_equal(
			s->sink->read_begin(
				s->reader ? s->reader : (s->sink->reader_open(s->in->self, &s->reader), s->reader)),
			-ENOTCONN);
		assert_int_equal(server_start(), 0);
		server_connect();
		assert_int_equal(shop_position(s), TALLY_SINK_OK);
		assert_true(s->at.lsn == stood.lsn && s->at.mark == stood.mark);
	}
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 20);
	shop_close(s);
}

/* ---- a server that says nothing ---- */

static int ignore(void *arg, const struct tally_cell *cells)
{
	(void)arg;
	(void)cells;
	return 0;
}

/* Seconds until a reader gives up a server that has stopped between `begin` of the snapshot and the statement. */
static int64_t seconds_until_given_up(struct shop *s, int64_t timeout_us)
{
	static const uint32_t type = TALLY_T_INT;
	struct tally_statement st = {
		.sql = "SELECT 1", .column_types = &type, .ncolumns = 1, .timeout_us = timeout_us
	};
	assert_int_equal(s->sink->read_begin(s->reader), 0);
	assert_int_equal(s->sink->read(s->reader, &st, ignore, NULL), 0);
	assert_int_equal(server_command("freeze_server", ""), 0);
	int64_t began = clock_mono_us();
	int rc = s->sink->read(s->reader, &st, ignore, NULL);
	s->sink->read_end(s->reader);
	int64_t took = (clock_mono_us() - began) / 1000000;
	assert_int_equal(server_command("thaw_server", ""), 0);
	assert_int_equal(rc, -EIO);
	return took;
}

static void test_a_reader_gives_a_frozen_server_up(void **state)
{
	(void)state;
	server_wipe();
	place.options[2] = (struct conf_pair){ "query_timeout", "1s", "test:1:3" };
	place.noptions = 3;
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	assert_in_range(seconds_until_given_up(s, 0), 5, 20);
	assert_in_range(seconds_until_given_up(s, 3000000), 7, 20); /* a longer limit is waited for */
	shop_close(s);
	place.noptions = 2;
}

static void test_types_of_other_tables(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	server_sql(
		"CREATE TABLE tally.`other` (a BIGINT UNSIGNED, b DECIMAL(10,2), c DECIMAL(30,2), d BIT(9), e DATETIME(3),"
		" f DATE, g TINYINT, h YEAR, i FLOAT, j JSON, k VARBINARY(9), l ENUM('x','y'), m VARCHAR(9) CHARACTER SET latin1)");
	server_sql(
		"INSERT INTO tally.`other` VALUES (18446744073709551615, 12.50, 1234567890123456789.25, b'100000001',"
		" '2026-11-26 08:00:00.25', '2026-11-26', -1, 2026, 0.1, '{\"a\":1}', x'41', 'y', 'h\u00fct')");
	select_is(s, "SELECT a, b, c, d, e, f, g, h, i, j, k, l, m FROM tally.other",
		"a,b,c,d,e,f,g,h,i,j,k,l,m|t18446744073709551615,r12.5,t1234567890123456789.25,i257,t2026-11-26 08:00:00.250,"
		"t2026-11-26,i-1,i2026,r0.1,t{\"a\":1},bA,ty,th\u00fct");
	server_sql("DROP TABLE tally.`other`");
	shop_close(s);
}

static void test_a_read_only_server_is_the_wrong_one(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	server_sql("SET GLOBAL read_only = 1");
	int rc = shop_write(s, EVENTS, shop_events(s, 0, 3), 3);
	server_sql("SET GLOBAL read_only = 0");
	assert_int_equal(rc, TALLY_SINK_RECONNECT);
	assert_non_null(strstr(shop_words(s), "is it a replica?"));
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	shop_close(s);
}

/* A session of ours that died with the position in its hands is waited for, five seconds. */
static void test_a_zombie_is_waited_for(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	server_sql("USE tally");
	server_sql("START TRANSACTION");
	server_sql("SELECT * FROM tally_position FOR UPDATE");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_RETRY);
	server_sql("ROLLBACK");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_OK);
	shop_close(s);
}

/* ---- statements ---- */

static int64_t selects(void)
{
	return server_number("SHOW GLOBAL STATUS LIKE 'Com_select'", 1);
}

static void write_items(struct shop *s, size_t n, uint64_t visitor)
{
	struct tally_cell *rows = arena_zalloc(&s->arena, n * ITEMS->ncolumns * sizeof *rows);
	for (size_t i = 0; i < n; i++) {
		struct amounts a = { .bucket_us = (int64_t)(i / 10), .item = arena_printf(&s->arena, "%zu", i % 10) };
		a.visitor_from = visitor;
		a.visitor_to = visitor + 2;
		memcpy(rows + i * ITEMS->ncolumns, shop_rollup_row(s, &a), ITEMS->ncolumns * sizeof *rows);
	}
	shop_must_write(s, ITEMS, rows, n);
}

/* 1000 keys in 100 buckets: three questions when nothing is known, none when all is. */
static void test_recent_sketches_are_not_asked_for(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	int64_t before = selects();
	write_items(s, 1000, 0);
	assert_int_equal(selects() - before, 3);
	before = selects();
	write_items(s, 1000, 1);
	assert_int_equal(selects() - before, 0);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_items` WHERE `visitors` = 3"), 1000);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	before = selects();
	write_items(s, 1000, 2);
	assert_int_equal(selects() - before, 3);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_items` WHERE `visitors` = 4"), 1000);
	shop_close(s);
}

static void test_a_damaged_sketch_stops(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_items(s, 1, 0);
	server_sql_in("UPDATE tally_rollup_items SET visitors_hll = 'nonsense'");
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	struct amounts a = { .item = "0", .visitor_to = 3 };
	assert_int_equal(shop_write(s, ITEMS, shop_rollup_row(s, &a), 1), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "damaged"));
	shop_close(s);
}

int main(void)
{
	const struct CMUnitTest own[] = {
		cmocka_unit_test(test_who_cannot_connect_is_told_why),
		cmocka_unit_test(test_the_password_comes_from_a_file),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_a_killed_connection_is_made_anew),
		cmocka_unit_test(test_a_server_that_goes_and_comes_back),
		cmocka_unit_test(test_a_reader_gives_a_frozen_server_up),
		cmocka_unit_test(test_types_of_other_tables),
		cmocka_unit_test(test_a_read_only_server_is_the_wrong_one),
		cmocka_unit_test(test_a_zombie_is_waited_for),
		cmocka_unit_test(test_recent_sketches_are_not_asked_for),
		cmocka_unit_test(test_a_damaged_sketch_stops),
	};
	int rc = server_begin();
	if (rc == 0) {
		cmocka_set_message_output(CM_OUTPUT_STDOUT);
		rc = _cmocka_run_group_tests("every store", store_tests, store_test_count, NULL, NULL);
		rc += RUN_TESTS("mariadb", own);
	}
	return server_end(rc);
}
