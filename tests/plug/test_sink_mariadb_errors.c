/* SPDX-License-Identifier: Apache-2.0 */
/* MariaDB refuses: each error code by what it leads to, as the server sends it; tables that were changed; rows that are
 * too long. */
#include "sink_mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../sinks/mariadb/mariadb.h"
#include "base/seam.h"

#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])
#define ITEMS (&s->schema->rollups[0].table)

enum { RETRY = TALLY_SINK_RETRY, RECONNECT = TALLY_SINK_RECONNECT, BAD = TALLY_SINK_BAD_ROW };
enum { STOP = TALLY_SINK_STOP, FULL = TALLY_SINK_FULL };

/* What the research of the first plan says of each code, not what errors.c says. */
static const struct {
	unsigned code;
	int class;
} expected[] = {
	/* the transaction is gone: at once */
	{ 1213, RETRY },
	{ 1020, RETRY },
	{ 1205, RETRY },
	{ 1317, RETRY },
	{ 1969, RETRY },
	{ 1412, RETRY },
	/* the connection is gone or cannot be had */
	{ 1040, RECONNECT },
	{ 1203, RECONNECT },
	{ 1226, RECONNECT },
	{ 1047, RECONNECT },
	{ 1927, RECONNECT },
	{ 1053, RECONNECT },
	{ 1180, RECONNECT },
	{ 1158, RECONNECT },
	{ 1159, RECONNECT },
	{ 1160, RECONNECT },
	{ 1161, RECONNECT },
	{ 1152, RECONNECT },
	{ 1129, RECONNECT },
	{ 1243, RECONNECT },
	{ 1615, RECONNECT },
	{ 2002, RECONNECT },
	{ 2003, RECONNECT },
	{ 2006, RECONNECT },
	{ 2013, RECONNECT },
	{ 2026, RECONNECT },
	{ 2055, RECONNECT },
	{ 2999, RECONNECT },
	/* the wrong server */
	{ 1290, RECONNECT },
	{ 1836, RECONNECT },
	{ 1792, RECONNECT },
	{ 1036, RECONNECT },
	/* one row */
	{ 1366, BAD },
	{ 1406, BAD },
	{ 1264, BAD },
	{ 1292, BAD },
	{ 1265, BAD },
	{ 1048, BAD },
	{ 4025, BAD },
	{ 1690, BAD },
	{ 1062, BAD },
	{ 1452, BAD },
	{ 1300, BAD },
	{ 1118, BAD },
	{ 1644, BAD },
	/* an operator must act */
	{ 1044, STOP },
	{ 1045, STOP },
	{ 1698, STOP },
	{ 1049, STOP },
	{ 1130, STOP },
	{ 1142, STOP },
	{ 1143, STOP },
	{ 1227, STOP },
	{ 1054, STOP },
	{ 1364, STOP },
	{ 1146, STOP },
	{ 1153, STOP },
	{ 1235, STOP },
	{ 1273, STOP },
	{ 1115, STOP },
	{ 1665, STOP },
	{ 2059, STOP },
	{ 1064, STOP },
	/* full */
	{ 1021, FULL },
	{ 1030, FULL },
	{ 1114, FULL },
	{ 1026, FULL },
	{ 1206, FULL },
	{ 1041, FULL },
	{ 1037, FULL },
};
#define NEXPECTED (sizeof expected / sizeof *expected)

static bool is_expected(unsigned code)
{
	for (size_t i = 0; i < NEXPECTED; i++)
		if (expected[i].code == code)
			return true;
	return false;
}

static void test_every_row_of_the_table_has_its_expectation(void **state)
{
	unsigned code;
	(void)state;
	for (size_t i = 0; (code = md_code_at(i)) != 0; i++)
		if (!is_expected(code))
			fail_msg("%u stands in errors.c and in no test", code);
	for (size_t i = 0; i < NEXPECTED; i++)
		if (md_class(expected[i].code) != expected[i].class)
			fail_msg("%u is %d, not %d", expected[i].code, md_class(expected[i].code), expected[i].class);
}

/* The server sends the code in the middle of a batch. Nothing of the batch stays; once the cause is gone the same batch
 * is taken. */
static void provoke(struct shop *s, unsigned code, int class)
{
	char text[256];
	snprintf(text, sizeof text,
		"CREATE TRIGGER provoked BEFORE INSERT ON tally_event FOR EACH ROW IF NEW.idx = 1 THEN"
		" SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = %u, MESSAGE_TEXT = 'provoked'; END IF",
		code);
	server_sql_in(text);
	int64_t rows = shop_number(s, "SELECT COUNT(*) FROM `tally_event`");
	struct tally_position stood = s->at;
	int got = shop_write(s, EVENTS, shop_events(s, s->at.lsn, 3), 3);
	if (got != class)
		fail_msg("%u came to %d, not %d: %s", code, got, class, shop_words(s));
	if (class == BAD)
		assert_true(s->in->refusals.n == 1 && s->in->refusals.rows[0].row == 1);
	else
		assert_non_null(strstr(shop_words(s), "provoked"));
	server_sql_in("DROP TRIGGER provoked");
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_true(s->at.lsn == stood.lsn && s->at.mark == stood.mark);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), rows);
	shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 3), 3);
}

static void test_every_code_of_the_server_in_the_middle_of_a_batch(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	for (size_t i = 0; i < NEXPECTED; i++)
		if (expected[i].code < CR_MIN_ERROR || expected[i].code > CR_MAX_ERROR)
			provoke(s, expected[i].code, expected[i].class);
	shop_close(s);
}

/* ---- codes with their real causes ---- */

static void expect_write(struct shop *s, int class, const char *words)
{
	int rc = shop_write(s, EVENTS, shop_events(s, s->at.lsn, 3), 3);
	if (rc != class || !strstr(shop_words(s), words))
		fail_msg("%d: %s", rc, shop_words(s));
}

static void expect_recovery(struct shop *s)
{
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 3), 3);
}

static struct shop *anew(struct shop *s)
{
	shop_close(s);
	return shop_open_quietly(NODE_A, "main", "", &shop_rollup);
}

static void test_a_read_only_server(void **state)
{
	static const char *const names[] = { "read_only", "tx_read_only" };
	char text[64];
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	for (size_t i = 0; i < 2; i++) {
		snprintf(text, sizeof text, "SET GLOBAL %s = 1", names[i]);
		server_sql(text);
		s = anew(s); /* sessions take tx_read_only when they begin */
		assert_int_equal(shop_position(s), RECONNECT);
		assert_non_null(strstr(shop_words(s), "read-only"));
		snprintf(text, sizeof text, "SET GLOBAL %s = 0", names[i]);
		server_sql(text);
		expect_recovery(s);
	}
	shop_close(s);
}

static void test_rights_that_are_taken_away(void **state)
{
	static char other[300];
	(void)state;
	server_wipe();
	shop_close(shop_open(NODE_A, "main", ""));
	server_sql("CREATE OR REPLACE USER tally_less@'%' IDENTIFIED BY 'x'");
	server_sql("GRANT SELECT, INSERT, UPDATE, DELETE ON tally.* TO tally_less@'%'");
	snprintf(other, sizeof other, "mysql://tally_less:x@localhost/tally?socket=%s", server_socket);
	place.options[0].value = other;
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 3), 3);
	server_sql("REVOKE INSERT ON tally.* FROM tally_less@'%'");
	s = anew(s); /* a session keeps the rights on a database that it began with */
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "GRANT ALL on the database"));
	server_sql("GRANT INSERT ON tally.* TO tally_less@'%'");
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	server_sql("DROP USER tally_less@'%'");
	s = anew(s);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "check user and password"));
	place.options[0].value = server_url;
	shop_close(s);
}

static void test_a_user_with_too_many_connections(void **state)
{
	static char other[300];
	(void)state;
	server_wipe();
	shop_close(shop_open(NODE_A, "main", ""));
	server_sql("CREATE OR REPLACE USER tally_one@'%' IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 1");
	server_sql("GRANT ALL ON tally.* TO tally_one@'%'");
	snprintf(other, sizeof other, "mysql://tally_one:x@localhost/tally?socket=%s", server_socket);
	place.options[0].value = other;
	struct shop *s = shop_open(NODE_A, "main", "");
	struct shop *second = shop_open_quietly(NODE_B, "main", "", &shop_rollup);
	assert_int_equal(shop_position(second), RECONNECT);
	shop_close(s);
	int rc = RECONNECT; /* the server takes a moment to notice that the first has gone */
	for (int i = 0; i < 1000 && rc == RECONNECT; i++)
		rc = shop_position(second);
	assert_int_equal(rc, TALLY_SINK_OK);
	shop_close(second);
	place.options[0].value = server_url;
}

/* A process that looks for the session that waits for a lock, and ends its statement or its connection. */
static pid_t killer(const char *what)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	server_root = NULL; /* the parent's connection stays the parent's */
	server_connect();
	int64_t victim = -1;
	for (int i = 0; i < 60 && victim <= 0; i++) {
		usleep(150000); /* the view stays as it is for whoever looks again within 100 ms */
		victim = server_number("SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX WHERE trx_state ="
				       " 'LOCK WAIT'",
			0);
	}
	char text[64];
	snprintf(text, sizeof text, "KILL %s %lld", what, (long long)victim);
	_exit(mysql_query(server_root, text) != 0);
}

/* The batch waits for a lock of root's meanwhile. */
static void test_a_statement_and_a_connection_killed(void **state)
{
	static const struct {
		const char *what, *words;
		int class;
	} kills[] = { { "QUERY", "1317", RETRY }, { "CONNECTION", "", RECONNECT } };
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	server_sql_in("CREATE TABLE fight (id INT PRIMARY KEY, n INT) ENGINE=InnoDB");
	server_sql("INSERT INTO fight VALUES (1, 0)");
	for (size_t i = 0; i < 2; i++) {
		int status;
		server_sql(
			"CREATE TRIGGER provoked BEFORE INSERT ON tally_event FOR EACH ROW UPDATE fight SET n = n + 1");
		server_sql("START TRANSACTION");
		server_sql("UPDATE fight SET n = n + 1");
		pid_t pid = killer(kills[i].what);
		expect_write(s, kills[i].class, kills[i].words);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		server_sql("ROLLBACK");
		server_sql("DROP TRIGGER provoked");
		expect_recovery(s);
	}
	shop_close(s);
}

/* Two sessions that take two rows in opposite order: one of them is the victim, for real. */
static void test_a_real_deadlock(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	server_sql_in("CREATE TABLE fight (id INT PRIMARY KEY, n INT) ENGINE=InnoDB");
	server_sql("INSERT INTO fight VALUES (1, 0)");
	server_sql("INSERT INTO fight SELECT seq + 10, 0 FROM seq_1_to_200");
	server_sql(
		"CREATE TRIGGER provoked BEFORE INSERT ON tally_event FOR EACH ROW UPDATE fight SET n = n + 1 WHERE id"
		" = 1");
	/* root holds the fight's row and many others (the victim is who has changed less), and then wants the position */
	server_sql("START TRANSACTION");
	server_sql("UPDATE fight SET n = n + 1");
	server_sql("SET SESSION innodb_lock_wait_timeout = 20");
	assert_int_equal(mysql_send_query(server_root, "UPDATE tally_position SET committed = 1", 39), 0);
	/* either order of the two waits is a deadlock once our batch holds the position and wants the fight's row */
	int rc = shop_write(s, EVENTS, shop_events(s, s->at.lsn, 3), 3);
	assert_int_equal(mysql_read_query_result(server_root), 0);
	server_sql("ROLLBACK");
	server_sql("DROP TRIGGER provoked");
	assert_int_equal(rc, RETRY);
	shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 3), 3);
	shop_close(s);
}

/* ---- tables that are not as they were made ---- */

struct drift {
	const char *change, *back, *words;
};

static const struct drift drifts[] = {
	{ "ALTER TABLE tally_event DROP COLUMN props",
		"ALTER TABLE tally_event ADD COLUMN props LONGTEXT CHARACTER SET"
		" utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL",
		"no column props" },
	{ "ALTER TABLE tally_event MODIFY name INT NOT NULL",
		"ALTER TABLE tally_event MODIFY name VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL",
		"ALTER it back to VARCHAR(128)" },
	{ "ALTER TABLE tally_event MODIFY name VARCHAR(2) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL",
		"ALTER TABLE tally_event MODIFY name VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL",
		"of type varchar(2)" },
	{ "ALTER TABLE tally_event MODIFY lsn TINYINT NOT NULL", "ALTER TABLE tally_event MODIFY lsn BIGINT NOT NULL",
		"ALTER it back to BIGINT" },
	{ "ALTER TABLE tally_event MODIFY time BIGINT UNSIGNED NOT NULL",
		"ALTER TABLE tally_event MODIFY time BIGINT NOT NULL", "unsigned" },
	{ "ALTER TABLE tally_event ADD COLUMN mine INT NOT NULL",
		"ALTER TABLE tally_event MODIFY mine INT NOT NULL"
		" DEFAULT 7",
		"give it" },
	{ "ALTER TABLE tally_event CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		"ALTER TABLE tally_event CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
		"utf8mb4_nopad_bin" },
	{ "ALTER TABLE tally_event ENGINE=Aria", "ALTER TABLE tally_event ENGINE=InnoDB", "InnoDB" },
	{ "ALTER TABLE tally_event DROP INDEX tally_index",
		"ALTER TABLE tally_event ADD INDEX tally_index (site, time)", "index tally_index" },
	{ "ALTER TABLE tally_event DROP PRIMARY KEY", "ALTER TABLE tally_event ADD PRIMARY KEY (node, lsn, idx)",
		"primary key (node, lsn, idx)" },
	{ "ALTER TABLE tally_position DROP PRIMARY KEY", "ALTER TABLE tally_position ADD PRIMARY KEY (node, line)",
		"primary key (node, line)" },
	{ "ALTER TABLE tally_rollup_items MODIFY visitors_hll VARBINARY(10) NOT NULL",
		"ALTER TABLE tally_rollup_items MODIFY visitors_hll BLOB NOT NULL", "varbinary(10)" },
	{ "ALTER TABLE tally_rollup_items MODIFY sum_value FLOAT NOT NULL",
		"ALTER TABLE tally_rollup_items MODIFY sum_value DOUBLE NOT NULL", "ALTER it back to DOUBLE" },
};

/* Found when the sink connects; and mended without a restart of anything. */
static void test_what_was_changed_stops_a_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof drifts / sizeof *drifts; i++) {
		server_wipe();
		shop_close(shop_open(NODE_A, "main", ""));
		server_sql_in(drifts[i].change);
		struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
		int rc = shop_position(s);
		if (rc != STOP || !strstr(shop_words(s), drifts[i].words))
			fail_msg("%s: %d %s", drifts[i].change, rc, shop_words(s));
		server_sql_in(drifts[i].back);
		expect_recovery(s);
		shop_close(s);
	}
}

/* Changed under a connected sink: no row of a batch is blamed for it. */
static void test_what_was_changed_makes_no_dead_letter(void **state)
{
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		server_wipe();
		struct shop *s = shop_open(NODE_A, "main", "");
		shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 3), 3);
		server_sql_in("DELETE FROM tally_event"); /* so that every ALTER is possible */
		server_sql_in(drifts[i].change);
		struct tally_cell *rows = shop_events(s, s->at.lsn, 3);
		for (size_t r = 0; r < 3; r++) {
			*cell_of(rows, r, EVENTS, "lsn") = number(1000);
			*cell_of(rows, r, EVENTS, "time") = number(-5);
		}
		int rc = shop_write(s, EVENTS, rows, 3);
		if (rc != STOP || !*shop_words(s))
			fail_msg("%s: %d %s", drifts[i].change, rc, shop_words(s));
		assert_int_equal(shop_position(s), STOP);
		server_sql_in(drifts[i].back);
		expect_recovery(s);
		shop_close(s);
	}
}

static void test_a_dropped_table_stops(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	server_sql_in("DROP TABLE tally_event");
	expect_write(s, STOP, "tally_event");
	shop_close(s);
}

static void test_what_is_wider_or_more_does_no_harm(void **state)
{
	(void)state;
	server_wipe();
	shop_close(shop_open(NODE_A, "main", ""));
	server_sql_in("ALTER TABLE tally_event MODIFY page LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT"
		      " NULL, ADD COLUMN mine INT, ADD INDEX mine (visitor), ADD COLUMN also INT NOT NULL DEFAULT 3");
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 3), 3);
	shop_close(s);
}

/* ---- statements ---- */

static unsigned sent(void)
{
	return seam_fired("mariadb.send");
}

static void count_sends(void)
{
	assert_int_equal(seam_arm("mariadb.send:1+:stall=0"), 0);
}

/* 5000 rows are two statements. One bad row costs at most 13 more, wherever it stands. */
static void test_a_refusal_costs_few_statements(void **state)
{
	static const size_t places[] = { 0, 1, 2047, 2048, 2345, 4094, 4095, 4096, 4999 };
	static const struct {
		const char *column;
		const char *value;
	} poison[] = { { "page", "\xff\xfe" }, { "visitor", "\xf0\x9f\x9b" }, { "name", NULL }, { "id", "long" } };
	char longest[200];
	unsigned most = 0;
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	memset(longest, 'x', sizeof longest);
	struct tally_cell *rows = shop_events(s, 0, 5000);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct tally_cell *c = cell_of(rows, places[i], EVENTS, poison[i % 4].column), kept = *c;
		const char *value = poison[i % 4].value;
		*c = value ? strcmp(value, "long") == 0 ? bytes(longest, sizeof longest) : text(value) : null_cell();
		count_sends();
		assert_int_equal(shop_write(s, EVENTS, rows, 5000), TALLY_SINK_BAD_ROW);
		assert_int_equal(s->in->refusals.n, 1);
		assert_int_equal(s->in->refusals.rows[0].row, places[i]);
		assert_in_range(sent(), 3, 2 + 13);
		most = sent() > most ? sent() : most;
		*c = kept;
	}
	assert_int_equal(most, 2 + 13); /* the bound is met, so it is one */
	count_sends();
	assert_int_equal(shop_write(s, EVENTS, rows, 5000), TALLY_SINK_OK);
	assert_int_equal(sent(), 2);
	seam_arm(NULL);
	shop_close(s);
}

static void test_statements_keep_below_the_packet_limit(void **state)
{
	size_t n = 900000;
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	char *json = arena_alloc(&s->arena, 5000000);
	memset(json, 'x', 5000000);
	json[0] = json[n - 1] = '"';
	struct tally_cell *rows = shop_events(s, 0, 12);
	for (size_t i = 0; i < 12; i++)
		*cell_of(rows, i, EVENTS, "props") = bytes(json, n);
	count_sends();
	shop_must_write(s, EVENTS, rows, 12);
	assert_int_equal(sent(), 6); /* two a statement: half of 4 MiB */
	seam_arm(NULL);
	assert_int_equal(shop_number(s, "SELECT SUM(LENGTH(`props`)) FROM `tally_event`"), 12 * (int64_t)n);
	*cell_of(rows, 7, EVENTS, "props") = bytes(json, 5000000);
	for (size_t i = 0; i < 12; i++)
		*cell_of(rows, i, EVENTS, "lsn") = number(64);
	assert_int_equal(shop_write(s, EVENTS, rows, 12), STOP);
	assert_non_null(strstr(shop_words(s), "raise it on the server"));
	shop_close(s);
}

static void write_items(struct shop *s, size_t n, uint64_t visitors)
{
	struct tally_cell *rows = arena_zalloc(&s->arena, n * ITEMS->ncolumns * sizeof *rows);
	for (size_t i = 0; i < n; i++) {
		struct amounts a = { .bucket_us = (int64_t)i, .item = "x", .visitor_to = visitors, .events = 1 };
		memcpy(rows + i * ITEMS->ncolumns, shop_rollup_row(s, &a), ITEMS->ncolumns * sizeof *rows);
	}
	shop_must_write(s, ITEMS, rows, n);
}

/* 64 KiB, set while connected: that connection keeps its own limit, the next one keeps to the new. Sketches united with
 * those of the store are longer than what the batch brought. */
static void test_a_small_packet_limit_is_kept_to(void **state)
{
	(void)state;
	server_wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_items(s, 40, 20000);
	server_sql("SET GLOBAL max_allowed_packet = 65536");
	shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 3000), 3000);
	s = anew(s);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 3000), 3000);
	write_items(s, 400, 1);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 6000);
	assert_int_equal(shop_number(s, "SELECT SUM(`events`) FROM `tally_rollup_items`"), 440);
	assert_int_equal(server_number("SHOW GLOBAL STATUS LIKE 'Aborted_clients'", 1), 0);
	server_sql("SET GLOBAL max_allowed_packet = 4194304");
	shop_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_of_the_table_has_its_expectation),
		cmocka_unit_test(test_a_small_packet_limit_is_kept_to),
		cmocka_unit_test(test_every_code_of_the_server_in_the_middle_of_a_batch),
		cmocka_unit_test(test_a_read_only_server),
		cmocka_unit_test(test_rights_that_are_taken_away),
		cmocka_unit_test(test_a_user_with_too_many_connections),
		cmocka_unit_test(test_a_statement_and_a_connection_killed),
		cmocka_unit_test(test_a_real_deadlock),
		cmocka_unit_test(test_what_was_changed_stops_a_start),
		cmocka_unit_test(test_what_was_changed_makes_no_dead_letter),
		cmocka_unit_test(test_a_dropped_table_stops),
		cmocka_unit_test(test_what_is_wider_or_more_does_no_harm),
		cmocka_unit_test(test_a_refusal_costs_few_statements),
		cmocka_unit_test(test_statements_keep_below_the_packet_limit),
	};
	int rc = server_begin();
	if (rc == 0) {
		cmocka_set_message_output(CM_OUTPUT_STDOUT);
		rc = RUN_TESTS("mariadb errors", tests);
	}
	return server_end(rc);
}
