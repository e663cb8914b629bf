/* SPDX-License-Identifier: Apache-2.0 */
/* MariaDB: what every store must do, and what only a server and a network can suffer. A private server is started in
 * a folder of its own; without one installed the program is skipped. */
#include "sink_store.h"

#include <errno.h>
#include <mysql.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/seam.h"

#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])
#define ITEMS (&s->schema->rollups[0].table)

static char dir[] = "/tmp/tally-mariadb-XXXXXX";
static char url[256], socket_path[128];
static MYSQL *root;

/* ---- the server ---- */

static int server(const char *command, const char *arguments)
{
	char line[512];
	snprintf(line, sizeof line, "%s/e2e/lib/servers.sh %s %s/db %s >%s/vars", TESTS_DIR, command, dir, arguments,
		dir);
	int status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int start(void)
{
	return server("start_mariadb", "--max-allowed-packet=4M");
}

static void connect_root(void)
{
	if (root)
		mysql_close(root);
	root = mysql_init(NULL);
	if (!mysql_real_connect(root, NULL, "root", NULL, NULL, 0, socket_path, 0))
		fail_msg("root: %s", mysql_error(root));
}

static void read_vars(void)
{
	char path[128], line[300];
	snprintf(path, sizeof path, "%s/vars", dir);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "MARIADB_URL=", 12) == 0)
			snprintf(url, sizeof url, "%.250s", line + 12);
		if (strncmp(line, "MARIADB_SOCKET=", 15) == 0)
			snprintf(socket_path, sizeof socket_path, "%.100s", line + 15);
	}
	if (f)
		fclose(f);
}

static void sql(const char *text)
{
	if (mysql_query(root, text) != 0)
		fail_msg("%s: %s", text, mysql_error(root));
	mysql_free_result(mysql_store_result(root));
}

static void sql_in_database(const char *text)
{
	sql("USE tally");
	sql(text);
}

static int64_t root_number(const char *text, int column)
{
	int64_t n = -1;
	if (mysql_query(root, text) != 0)
		fail_msg("%s: %s", text, mysql_error(root));
	MYSQL_RES *res = mysql_store_result(root);
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	if (row && row[column])
		n = strtoll(row[column], NULL, 10);
	mysql_free_result(res);
	return n;
}

static void wipe(void)
{
	sql("DROP DATABASE IF EXISTS tally");
	sql("CREATE DATABASE tally");
}

struct place place = {
	.module = "mariadb",
	.data_dir = dir,
	.options = { { "url", url, "test:1:1" }, { "connect_timeout", "2s", "test:1:2" } },
	.noptions = 2,
	.wipe = wipe,
	.sql = sql_in_database,
};

/* ---- who may come in ---- */

static struct shop *open_with_url(const char *other)
{
	place.options[0].value = other;
	struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	place.options[0].value = url;
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
	wipe();
	assert_int_equal(sscanf(strrchr(url, ':'), ":%u/", &port), 1);
	snprintf(other, sizeof other, "mysql://tally:wrong@127.0.0.1:%u/tally", port);
	expect_position(other, TALLY_SINK_STOP, "check user and password");
	snprintf(other, sizeof other, "mysql://tally:secret@127.0.0.1:%u/tally_none", port);
	expect_position(other, TALLY_SINK_STOP, "CREATE DATABASE");
	expect_position("mysql://tally:secret@127.0.0.1:1/tally", TALLY_SINK_RECONNECT, "127.0.0.1");
	snprintf(other, sizeof other, "mysql://tally:secret@localhost/tally?socket=%s", socket_path);
	expect_position(other, TALLY_SINK_OK, "");
}

static void test_the_password_comes_from_a_file(void **state)
{
	char path[128], other[300];
	unsigned port = 0;
	(void)state;
	wipe();
	assert_int_equal(sscanf(strrchr(url, ':'), ":%u/", &port), 1);
	snprintf(other, sizeof other, "mysql://tally@127.0.0.1:%u/tally", port);
	snprintf(path, sizeof path, "%s/password", dir);
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
	wipe();
	sql("CREATE OR REPLACE USER tally_small@'%' IDENTIFIED BY 'x'");
	sql("GRANT SELECT, INSERT, UPDATE, DELETE ON tally.* TO tally_small@'%'");
	snprintf(other, sizeof other, "mysql://tally_small:x@localhost/tally?socket=%s", socket_path);
	expect_position(other, TALLY_SINK_STOP, "GRANT ALL on the database");
	shop_close(shop_open(NODE_A, "main", ""));
	expect_position(other, TALLY_SINK_OK, ""); /* the tables are there: no more is needed */
}

/* ---- tables that are not as they were made ---- */

static void test_altered_tables_stop(void **state)
{
	(void)state;
	wipe();
	shop_close(shop_open(NODE_A, "main", ""));
	sql_in_database("ALTER TABLE tally_event CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
	expect_position(url, TALLY_SINK_STOP, "utf8mb4_nopad_bin");
	wipe();
	shop_close(shop_open(NODE_A, "main", ""));
	sql_in_database("ALTER TABLE tally_rollup_items ENGINE=Aria");
	expect_position(url, TALLY_SINK_STOP, "InnoDB");
}

/* ---- connections that break ---- */

static void kill_writers(void)
{
	int64_t id;
	while ((id = root_number("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'tally' LIMIT 1", 0)) >
		0) {
		char text[64];
		snprintf(text, sizeof text, "KILL CONNECTION %lld", (long long)id);
		if (mysql_query(root, text) != 0 && mysql_errno(root) != 1094) /* gone by itself */
			fail_msg("%s", mysql_error(root));
	}
}

static void test_a_killed_connection_is_made_anew(void **state)
{
	(void)state;
	wipe();
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
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	for (size_t i = 0; i < 2; i++) {
		shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 10), 10);
		struct tally_position stood = s->at;
		assert_int_equal(server(ways[i], ""), 0);
		assert_int_equal(shop_write(s, EVENTS, shop_events(s, s->at.lsn, 10), 10), TALLY_SINK_RECONNECT);
		assert_int_equal(shop_position(s), TALLY_SINK_RECONNECT);
		assert_int_equal(
			s->sink->read_begin(
				s->reader ? s->reader : (s->sink->reader_open(s->in->self, &s->reader), s->reader)),
			-ENOTCONN);
		assert_int_equal(start(), 0);
		connect_root();
		assert_int_equal(shop_position(s), TALLY_SINK_OK);
		assert_true(s->at.lsn == stood.lsn && s->at.mark == stood.mark);
	}
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 20);
	shop_close(s);
}

static void test_a_read_only_server_is_the_wrong_one(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	sql("SET GLOBAL read_only = 1");
	int rc = shop_write(s, EVENTS, shop_events(s, 0, 3), 3);
	sql("SET GLOBAL read_only = 0");
	assert_int_equal(rc, TALLY_SINK_RECONNECT);
	assert_non_null(strstr(shop_words(s), "is it a replica?"));
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	shop_close(s);
}

/* A session of ours that died with the position in its hands is waited for, five seconds. */
static void test_a_zombie_is_waited_for(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	sql("USE tally");
	sql("START TRANSACTION");
	sql("SELECT * FROM tally_position FOR UPDATE");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_RETRY);
	sql("ROLLBACK");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_OK);
	shop_close(s);
}

static void test_a_deadlock_is_tried_again(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	sql_in_database("CREATE TRIGGER tally_event_deadlock BEFORE INSERT ON tally_event FOR EACH ROW"
			" SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock'");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_RETRY);
	sql_in_database("DROP TRIGGER tally_event_deadlock");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_OK);
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

static void test_refusals_cost_few_statements(void **state)
{
	static const struct {
		const char *column;
		const char *value;
		size_t row;
	} poison[] = {
		{ "page", "\xff\xfe", 4999 },
		{ "visitor", "\xf0\x9f\x9b", 0 },
		{ "name", NULL, 2345 },
		{ "id", "long", 1 },
	};
	char longest[200];
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	memset(longest, 'x', sizeof longest);
	struct tally_cell *rows = shop_events(s, 0, 5000);
	for (size_t i = 0; i < sizeof poison / sizeof *poison; i++) {
		struct tally_cell *c = cell_of(rows, poison[i].row, EVENTS, poison[i].column), kept = *c;
		*c = poison[i].value ? text(poison[i].value) : null_cell();
		if (poison[i].value && strcmp(poison[i].value, "long") == 0)
			*c = bytes(longest, sizeof longest);
		count_sends();
		assert_int_equal(shop_write(s, EVENTS, rows, 5000), TALLY_SINK_BAD_ROW);
		assert_int_equal(s->in->failure.row, poison[i].row);
		assert_in_range(sent(), 2, 1 + 13);
		*c = kept;
	}
	count_sends();
	assert_int_equal(shop_write(s, EVENTS, rows, 5000), TALLY_SINK_OK);
	assert_int_equal(sent(), 1);
	seam_arm(NULL);
	shop_close(s);
}

static void test_statements_keep_below_the_packet_limit(void **state)
{
	size_t n = 900000;
	(void)state;
	wipe();
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
	assert_int_equal(shop_write(s, EVENTS, rows, 12), TALLY_SINK_BAD_ROW);
	assert_int_equal(s->in->failure.row, 7);
	assert_int_equal(s->in->failure.code, 1153);
	shop_close(s);
}

static int64_t selects(void)
{
	return root_number("SHOW GLOBAL STATUS LIKE 'Com_select'", 1);
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
	wipe();
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
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_items(s, 1, 0);
	sql_in_database("UPDATE tally_rollup_items SET visitors_hll = 'nonsense'");
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	struct amounts a = { .item = "0", .visitor_to = 3 };
	assert_int_equal(shop_write(s, ITEMS, shop_rollup_row(s, &a), 1), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "damaged"));
	shop_close(s);
}

/* Killed before and behind the COMMIT: the position's row knows which. */
static void write_and_die(const char *seam)
{
	char spec[64];
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct shop *s = shop_open(NODE_A, "main", "");
		snprintf(spec, sizeof spec, "%s:1:kill", seam);
		if (seam_arm(spec) == 0)
			shop_write(s, EVENTS, shop_events(s, s->at.lsn, 5), 5);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_kill_around_a_commit(void **state)
{
	(void)state;
	wipe();
	write_and_die("mariadb.commit");
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_int_equal(s->at.lsn, 0);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 0);
	shop_close(s);
	write_and_die("mariadb.committed");
	s = shop_open(NODE_A, "main", "");
	assert_int_equal(s->at.lsn, 64);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 5);
	shop_close(s);
}

int main(void)
{
	const struct CMUnitTest own[] = {
		cmocka_unit_test(test_who_cannot_connect_is_told_why),
		cmocka_unit_test(test_the_password_comes_from_a_file),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_altered_tables_stop),
		cmocka_unit_test(test_a_killed_connection_is_made_anew),
		cmocka_unit_test(test_a_server_that_goes_and_comes_back),
		cmocka_unit_test(test_a_read_only_server_is_the_wrong_one),
		cmocka_unit_test(test_a_zombie_is_waited_for),
		cmocka_unit_test(test_a_deadlock_is_tried_again),
		cmocka_unit_test(test_refusals_cost_few_statements),
		cmocka_unit_test(test_statements_keep_below_the_packet_limit),
		cmocka_unit_test(test_recent_sketches_are_not_asked_for),
		cmocka_unit_test(test_a_damaged_sketch_stops),
		cmocka_unit_test(test_kill_around_a_commit),
	};
	char command[128];
	if (!mkdtemp(dir))
		return 1;
	int rc = start();
	if (rc == 0) {
		read_vars();
		connect_root();
		cmocka_set_message_output(CM_OUTPUT_STDOUT);
		rc = _cmocka_run_group_tests("every store", store_tests, store_test_count, NULL, NULL);
		rc += RUN_TESTS("mariadb", own);
		mysql_close(root);
	}
	server("kill_server", "");
	snprintf(command, sizeof command, "rm -rf %s", dir);
	if (system(command) != 0)
		rc = 1;
	return rc;
}
