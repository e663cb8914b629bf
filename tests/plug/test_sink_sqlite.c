/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite: what every store must do, and what only a file can suffer. */
#include "sink_store_tests.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../sinks/sqlite/sqlite.h"
#include "base/seam.h"

#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])

static char dir[] = "/tmp/tally-sqlite-XXXXXX";
static char file[64];

static void run_sql(const char *sql)
{
	sqlite3 *db;
	char *words = NULL;
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s: %s", sql, words);
	sqlite3_close(db);
}

static void remove_with(const char *suffix)
{
	char path[80];
	snprintf(path, sizeof path, "%s%s", file, suffix);
	unlink(path);
}

static void wipe(void)
{
	remove_with("");
	remove_with("-wal");
	remove_with("-shm");
}

struct place place = {
	.module = "sqlite",
	.data_dir = dir,
	.options = { { "path", "store.db", "test:1:1" }, { "busy_timeout", "20ms", "test:1:2" } },
	.noptions = 2,
	.wipe = wipe,
	.sql = run_sql,
};

static void test_a_replaced_file_is_noticed(void **state)
{
	char aside[80];
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 3), 3);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 3);
	snprintf(aside, sizeof aside, "%s.aside", file);
	assert_int_equal(rename(file, aside), 0);
	remove_with("-wal");
	remove_with("-shm");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 64, 3), 3), TALLY_SINK_RECONNECT);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 0);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 0);
	shop_must_write(s, EVENTS, shop_events(s, 0, 1), 1);
	shop_close(s);
	unlink(aside);
}

static void test_a_locked_file_is_tried_again(void **state)
{
	sqlite3 *other;
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_int_equal(sqlite3_open(file, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_RETRY);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_OK);
	sqlite3_close(other);
	shop_close(s);
}

static void test_a_file_that_is_no_database_stops(void **state)
{
	(void)state;
	wipe();
	FILE *f = fopen(file, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database\n", f);
	fclose(f);
	struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "no SQLite database"));
	wipe();
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	shop_close(s);
}

static void test_a_missing_folder_stops(void **state)
{
	(void)state;
	const char *kept = place.options[0].value;
	place.options[0].value = "no/such/folder/x.db";
	struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "folder must exist"));
	place.options[0].value = kept;
	shop_close(s);
}

/* A file that may not grow further is as good as a full disk. */
static void test_a_full_file_backs_off_and_recovers(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 10), 10);
	assert_int_equal(seam_arm("sqlite.commit:1:ENOSPC"), 0);
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 64, 10), 10), TALLY_SINK_FULL);
	seam_arm(NULL);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 64);
	shop_close(s);
}

static void test_a_reader_before_the_store_says_so(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	assert_int_equal(s->sink->read_begin(s->reader), -ENOENT);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 0);
	shop_close(s);
}

/* A column may hold anything: the type is the value's. */
static void test_values_of_other_tables_have_their_own_type(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	place.sql("CREATE TABLE other (a INTEGER, b)");
	place.sql("INSERT INTO other VALUES (1, 'x'), ('y', 2), (1.5, x'41'), (NULL, 1e3)");
	select_is(s, "SELECT a, b FROM other ORDER BY rowid", "a,b|i1,tx|ty,i2|r1.5,bA|null,r1000");
	shop_close(s);
}

/* ---- errors.c: every code by what it leads to ---- */

static void test_every_code_has_its_class(void **state)
{
	static const struct {
		int code, class;
	} table[] = {
		{ SQLITE_BUSY, TALLY_SINK_RETRY },
		{ SQLITE_BUSY_SNAPSHOT, TALLY_SINK_RETRY },
		{ SQLITE_LOCKED, TALLY_SINK_RETRY },
		{ SQLITE_INTERRUPT, TALLY_SINK_RETRY },
		{ SQLITE_ABORT_ROLLBACK, TALLY_SINK_RETRY },
		{ SQLITE_NOMEM, TALLY_SINK_RECONNECT },
		{ SQLITE_PROTOCOL, TALLY_SINK_RECONNECT },
		{ SQLITE_SCHEMA, TALLY_SINK_RECONNECT },
		{ SQLITE_IOERR_FSYNC, TALLY_SINK_RECONNECT },
		{ SQLITE_IOERR_WRITE, TALLY_SINK_RECONNECT },
		{ SQLITE_READONLY_DBMOVED, TALLY_SINK_RECONNECT },
		{ SQLITE_FULL, TALLY_SINK_FULL },
		{ SQLITE_CORRUPT, TALLY_SINK_STOP },
		{ SQLITE_CORRUPT_INDEX, TALLY_SINK_STOP },
		{ SQLITE_NOTADB, TALLY_SINK_STOP },
		{ SQLITE_READONLY, TALLY_SINK_STOP },
		{ SQLITE_READONLY_DIRECTORY, TALLY_SINK_STOP },
		{ SQLITE_CANTOPEN, TALLY_SINK_STOP },
		{ SQLITE_PERM, TALLY_SINK_STOP },
		{ SQLITE_ERROR, TALLY_SINK_STOP },
		{ SQLITE_AUTH, TALLY_SINK_STOP },
	};
	static const int rows[] = { SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_DATATYPE,
		SQLITE_CONSTRAINT_CHECK, SQLITE_TOOBIG, SQLITE_MISMATCH, SQLITE_RANGE };
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (sq_class(table[i].code) != table[i].class || sq_is_bad_row(table[i].code))
			fail_msg("%d is %d, not %d", table[i].code, sq_class(table[i].code), table[i].class);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_true(sq_is_bad_row(rows[i]));
}

/* A database that may not grow: the engine's own SQLITE_FULL. */
static void test_a_database_that_may_not_grow(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct rlimit kept, tight = { 400000, RLIM_INFINITY };
	getrlimit(RLIMIT_FSIZE, &kept);
	tight.rlim_max = kept.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	int rc = shop_write(s, EVENTS, shop_events(s, 0, 5000), 5000);
	setrlimit(RLIMIT_FSIZE, &kept);
	assert_true(rc == TALLY_SINK_FULL || rc == TALLY_SINK_RECONNECT); /* EFBIG comes as an I/O error */
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 0);
	shop_must_write(s, EVENTS, shop_events(s, 0, 5000), 5000);
	shop_close(s);
}

static void test_a_damaged_file_stops(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 1000), 1000);
	shop_close(s); /* the log is merged into the file */
	FILE *f = fopen(file, "r+");
	fseek(f, 4096, SEEK_SET);
	for (int i = 0; i < 200000; i++)
		fputc(0x5a, f);
	fclose(f);
	s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "damaged"));
	shop_close(s);
}

/* Made anew by hand, otherwise: found at the start, and no row is blamed for it while at work. */
static void test_tables_that_were_changed_stop(void **state)
{
	static const struct {
		const char *change, *words;
	} drifts[] = {
		{ "ALTER TABLE tally_event DROP COLUMN referrer", "referrer" },
		{ "ALTER TABLE tally_event ADD COLUMN mine INT NOT NULL DEFAULT 1; ALTER TABLE tally_event DROP COLUMN host",
			"host" },
		{ "DROP TABLE tally_rollup_items; CREATE TABLE tally_rollup_items (site TEXT, grain INTEGER, bucket INTEGER,"
		  " \"key\" BLOB, node INTEGER)",
			"primary key" },
		{ "DROP TABLE tally_revision; CREATE TABLE tally_revision (site TEXT, day TEXT, node INTEGER, lsn INTEGER,"
		  " generation INTEGER, PRIMARY KEY (site, day, node)) STRICT",
			"another type" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof drifts / sizeof *drifts; i++) {
		wipe();
		shop_close(shop_open(NODE_A, "main", ""));
		run_sql(drifts[i].change);
		struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
		int rc = shop_position(s);
		if (rc != TALLY_SINK_STOP || !strstr(shop_words(s), drifts[i].words))
			fail_msg("%s: %d %s", drifts[i].change, rc, shop_words(s));
		shop_close(s);
	}
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	run_sql("DROP TABLE tally_event; CREATE TABLE tally_event (node INTEGER, lsn INTEGER, idx INTEGER, site TEXT, id TEXT,"
		" name INTEGER, time INTEGER, received INTEGER, visitor TEXT, user TEXT, host TEXT, page TEXT, referrer TEXT,"
		" value REAL, weight INTEGER, props TEXT, PRIMARY KEY (node, lsn, idx)) STRICT");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 3), 3), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "another type"));
	shop_close(s);
}

int main(void)
{
	const struct CMUnitTest own[] = {
		cmocka_unit_test(test_a_replaced_file_is_noticed),
		cmocka_unit_test(test_a_locked_file_is_tried_again),
		cmocka_unit_test(test_a_file_that_is_no_database_stops),
		cmocka_unit_test(test_a_missing_folder_stops),
		cmocka_unit_test(test_a_full_file_backs_off_and_recovers),
		cmocka_unit_test(test_a_reader_before_the_store_says_so),
		cmocka_unit_test(test_values_of_other_tables_have_their_own_type),
		cmocka_unit_test(test_every_code_has_its_class),
		cmocka_unit_test(test_a_database_that_may_not_grow),
		cmocka_unit_test(test_a_damaged_file_stops),
		cmocka_unit_test(test_tables_that_were_changed_stop),
	};
	if (!mkdtemp(dir))
		return 1;
	snprintf(file, sizeof file, "%s/store.db", dir);
	cmocka_set_message_output(CM_OUTPUT_STDOUT);
	int rc = _cmocka_run_group_tests("every store", store_tests, store_test_count, NULL, NULL);
	rc += RUN_TESTS("sqlite", own);
	wipe();
	rmdir(dir);
	return rc;
}
