/* SPDX-License-Identifier: Apache-2.0 */
/* The file sink: every event once, whatever dies in between. */
#include "sink_store.h"

#include <dirent.h>
#include <errno.h>
#include <float.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/seam.h"

#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])
#define MOST_LINES 200000

static char dir[] = "/tmp/tally-file-XXXXXX";

static void for_files(void (*fn)(const char *path, void *arg), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char path[400];
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(path, arg);
	}
	closedir(d);
}

static void remove_one(const char *path, void *arg)
{
	(void)arg;
	unlink(path);
}

static void wipe(void)
{
	for_files(remove_one, NULL);
}

static void no_sql(const char *sql)
{
	(void)sql;
}

struct place place = {
	.module = "file",
	.data_dir = dir,
	.options = { { "path", "events.ndjson", "test:1:1" } },
	.noptions = 1,
	.wipe = wipe,
	.sql = no_sql,
};

static const char *path_of(const char *name)
{
	static char path[300];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* ---- what is in the files ---- */

struct census {
	size_t lines, files;
	unsigned char seen[MOST_LINES]; /* by lsn / 64 * 100 + idx */
};

static void count_line(struct census *c, const char *line)
{
	json_error_t error;
	json_t *o = json_loads(line, JSON_ALLOW_NUL, &error);
	if (!o)
		fail_msg("%s: %s", error.text, line);
	size_t at = (size_t)json_integer_value(json_object_get(o, "lsn")) / 64 * 100 +
		    (size_t)json_integer_value(json_object_get(o, "idx"));
	assert_true(at < MOST_LINES);
	c->seen[at]++;
	c->lines++;
	json_decref(o);
}

static void count_file(const char *path, void *arg)
{
	struct census *c = arg;
	char *line = NULL;
	size_t cap = 0;
	if (strstr(path, ".position"))
		return;
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (getline(&line, &cap, f) > 0) {
		assert_non_null(strchr(line, '\n'));
		count_line(c, line);
	}
	free(line);
	fclose(f);
	c->files++;
}

/* Batches of 100 events from lsn 0 on: each there exactly once. */
static void expect_batches(size_t n)
{
	static struct census c;
	memset(&c, 0, sizeof c);
	for_files(count_file, &c);
	for (size_t i = 0; i < n * 100; i++)
		if (c.seen[i] != 1)
			fail_msg("event %zu of batch %zu is there %d times", i % 100, i / 100, c.seen[i]);
	assert_int_equal(c.lines, n * 100);
}

static void write_batch(struct shop *s)
{
	shop_must_write(s, EVENTS, shop_events(s, s->at.lsn, 100), 100);
}

/* ---- tests ---- */

static void test_a_new_folder_stands_at_the_beginning(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_true(s->at.lsn == 0 && s->at.mark == 0);
	assert_int_equal(access(path_of("events.ndjson"), F_OK), -1);
	assert_int_equal(access(path_of(".main.position"), F_OK), 0);
	shop_close(s);
}

static void test_batches_are_appended_and_remembered(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_batch(s);
	write_batch(s);
	struct tally_position stood = s->at;
	shop_close(s);
	s = shop_open(NODE_A, "main", "");
	assert_true(s->at.lsn == stood.lsn && s->at.mark == stood.mark);
	write_batch(s);
	expect_batches(3);
	s->at.mark++;
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 1), 1), TALLY_SINK_MOVED);
	shop_close(s);
}

static void test_a_line_is_the_event(void **state)
{
	static const char odd[] = "a\"b\\c\x01\n\0\xf0\x9f\x9b\x92/";
	char *line = NULL;
	size_t cap = 0;
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell *row = shop_events(s, 0, 1);
	*cell_of(row, 0, EVENTS, "user") = bytes(odd, sizeof odd - 1);
	*cell_of(row, 0, EVENTS, "value") = real(0.1);
	*cell_of(row, 0, EVENTS, "time") = number(INT64_MIN);
	*cell_of(row, 0, EVENTS, "props") = text("{\"a\":{},\"b\":1.50}");
	shop_must_write(s, EVENTS, row, 1);
	FILE *f = fopen(path_of("events.ndjson"), "r");
	assert_true(getline(&line, &cap, f) > 0);
	json_t *o = json_loads(line, JSON_ALLOW_NUL, NULL);
	assert_non_null(o);
	json_t *user = json_object_get(o, "user");
	assert_int_equal(json_string_length(user), sizeof odd - 1);
	assert_memory_equal(json_string_value(user), odd, sizeof odd - 1);
	assert_string_equal(json_string_value(json_object_get(o, "node")), NODE_A);
	assert_true(json_integer_value(json_object_get(o, "time")) == INT64_MIN);
	assert_non_null(strstr(line, "\"value\":0.1,"));
	assert_non_null(strstr(line, "\"props\":{\"a\":{},\"b\":1.50}}"));
	assert_int_equal(json_object_size(o), EVC_COLUMNS);
	json_decref(o);
	free(line);
	fclose(f);
	shop_close(s);
}

static void test_numbers_read_back_the_same(void **state)
{
	static const double values[] = { DBL_MAX, -DBL_TRUE_MIN, 1e21, 123456789.123456789, 0, -1 };
	size_t n = sizeof values / sizeof *values;
	char *line = NULL;
	size_t cap = 0;
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell *rows = shop_events(s, 0, n + 1);
	for (size_t i = 0; i < n; i++)
		*cell_of(rows, i, EVENTS, "value") = real(values[i]);
	*cell_of(rows, n, EVENTS, "value") = null_cell();
	shop_must_write(s, EVENTS, rows, n + 1);
	FILE *f = fopen(path_of("events.ndjson"), "r");
	for (size_t i = 0; i < n; i++) {
		assert_true(getline(&line, &cap, f) > 0);
		assert_true(strtod(strstr(line, "\"value\":") + 8, NULL) == values[i]);
	}
	assert_true(getline(&line, &cap, f) > 0);
	assert_non_null(strstr(line, "\"value\":null,"));
	free(line);
	fclose(f);
	shop_close(s);
}

/* Other tables are not written, and make no file. */
static void test_only_events_are_written(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct amounts a = { .events = 1 };
	shop_must_write(s, &s->schema->rollups[0].table, shop_rollup_row(s, &a), 1);
	assert_int_equal(shop_trim(s, &s->schema->rollups[0].table, 0, 1), TALLY_SINK_OK);
	assert_int_equal(access(path_of("events.ndjson"), F_OK), -1);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 128);
	shop_close(s);
}

static void write_and_die(const char *spec)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct shop *s = shop_open(NODE_A, "main", "");
		if (seam_arm(spec) == 0)
			shop_write(s, EVENTS, shop_events(s, s->at.lsn, 100), 100);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Killed at every step of a batch, the first one and a later one: what was not committed is cut. */
static void test_kills_double_nothing_and_lose_nothing(void **state)
{
	static const struct {
		const char *spec;
		uint64_t moves;
	} steps[] = {
		{ "file.begin:1:kill", 0 },
		{ "file.write:1:kill", 0 },
		{ "file.sync:1:kill", 0 },
		{ "file.mark:1:kill", 0 },
		{ "file.commit:1:kill", 0 },
		{ "file.renamed:1:kill", 1 },
		{ "file.committed:1:kill", 1 },
	};
	size_t batches = 0;
	(void)state;
	wipe();
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
			write_and_die(steps[i].spec);
			batches += steps[i].moves;
			struct shop *s = shop_open(NODE_A, "main", "");
			assert_int_equal(s->at.lsn, batches * 64);
			expect_batches(batches);
			write_batch(s);
			expect_batches(++batches);
			shop_close(s);
		}
}

/* ---- what became of the events of a site, kept with the position ---- */

#define LEDGER (&s->schema->fixed[SCHEMA_LEDGER])

static struct tally_cell *ledger_row(struct shop *s, const char *site, size_t site_len, const int64_t n[5])
{
	struct tally_cell *c = arena_zalloc(&s->arena, LEDGER->ncolumns * sizeof *c);
	*cell_of(c, 0, LEDGER, "line") = text("main");
	*cell_of(c, 0, LEDGER, "site") = bytes(site, site_len);
	*cell_of(c, 0, LEDGER, "stored") = number(n[0]);
	*cell_of(c, 0, LEDGER, "dead") = number(n[1]);
	*cell_of(c, 0, LEDGER, "thinned") = number(n[2]);
	*cell_of(c, 0, LEDGER, "lost") = number(n[3]);
	*cell_of(c, 0, LEDGER, "dropped") = number(n[4]);
	return c;
}

struct kept {
	struct shop *shop;
	char said[512];
};

static int say_row(void *arg, const struct tally_cell *c)
{
	struct kept *k = arg;
	struct shop *s = k->shop;
	struct tally_cell *row = (struct tally_cell *)(uintptr_t)c;
	struct tally_cell *site = cell_of(row, 0, LEDGER, "site");
	size_t n = strlen(k->said);
	assert_int_equal(cell_of(row, 0, LEDGER, "line")->len, 4);
	snprintf(k->said + n, sizeof k->said - n, "%.*s %lld %lld %lld %lld %lld;", (int)site->len, site->v.ptr,
		(long long)cell_of(row, 0, LEDGER, "stored")->v.i, (long long)cell_of(row, 0, LEDGER, "dead")->v.i,
		(long long)cell_of(row, 0, LEDGER, "thinned")->v.i, (long long)cell_of(row, 0, LEDGER, "lost")->v.i,
		(long long)cell_of(row, 0, LEDGER, "dropped")->v.i);
	return 0;
}

static void expect_kept(struct shop *s, const char *want)
{
	struct kept k = { .shop = s };
	assert_int_equal(s->sink->kept(s->in->self, say_row, &k), 0);
	assert_string_equal(k.said, want);
}

static void count(struct shop *s, const char *site, int64_t stored, int64_t dead)
{
	shop_must_write(s, LEDGER, ledger_row(s, site, strlen(site), (const int64_t[]){ stored, dead, 0, 0, 1 }), 1);
}

static void test_counts_are_kept_with_the_position(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	expect_kept(s, "");
	count(s, "shop.example", 5, 0);
	count(s, "a b%\n", 1, 2);
	count(s, "shop.example", 7, 1);
	count(s, "", INT64_MAX, 1);
	count(s, "", INT64_MAX, 1); /* stays at its end */
	shop_close(s);
	s = shop_open(NODE_A, "main", "");
	expect_kept(s, " 9223372036854775807 2 0 0 2;a b%\n 1 2 0 0 1;shop.example 12 1 0 0 2;");
	/* a batch that does not commit leaves no trace */
	assert_int_equal(seam_arm("file.commit:1:EIO"), 0);
	assert_int_equal(shop_write(s, LEDGER, ledger_row(s, "x", 1, (const int64_t[]){ 1, 1, 1, 1, 1 }), 1),
		TALLY_SINK_RECONNECT);
	seam_arm(NULL);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	expect_kept(s, " 9223372036854775807 2 0 0 2;a b%\n 1 2 0 0 1;shop.example 12 1 0 0 2;");
	shop_close(s);
}

/* As version 0.1.0 wrote it. It is read, goes on, and tells no counts, since it does not know those from before. */
static void test_an_old_position_is_read(void **state)
{
	struct kept k = { 0 };
	(void)state;
	wipe();
	FILE *f = fopen(path_of(".main.position"), "w");
	fputs("tally-position 1 " NODE_A "/main 128 77 0 - 73d900b320a8f45a\n", f);
	fclose(f);
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_true(s->at.lsn == 128 && s->at.mark == 77);
	assert_int_equal(s->sink->kept(s->in->self, say_row, &k), -ENODATA);
	shop_must_write(s, EVENTS, shop_events(s, 128, 3), 3);
	shop_close(s);
	s = shop_open(NODE_A, "main", "");
	assert_int_equal(s->at.lsn, 192);
	assert_int_equal(s->sink->kept(s->in->self, say_row, &k), -ENODATA);
	shop_close(s);
}

/* ---- what a line never got ---- */

#define GAP (&s->schema->fixed[SCHEMA_GAP])

static void gap(struct shop *s, const char *site, const char *reason, int64_t events, int64_t last)
{
	struct tally_cell *c = arena_zalloc(&s->arena, GAP->ncolumns * sizeof *c);
	*cell_of(c, 0, GAP, "line") = text("main");
	*cell_of(c, 0, GAP, "site") = text(site);
	*cell_of(c, 0, GAP, "reason") = text(reason);
	*cell_of(c, 0, GAP, "events") = number(events);
	*cell_of(c, 0, GAP, "last") = number(last);
	shop_must_write(s, GAP, c, 1);
}

static int say_gap(void *arg, const struct tally_cell *c)
{
	struct kept *k = arg;
	struct shop *s = k->shop;
	struct tally_cell *row = (struct tally_cell *)(uintptr_t)c;
	struct tally_cell *site = cell_of(row, 0, GAP, "site"), *reason = cell_of(row, 0, GAP, "reason");
	size_t n = strlen(k->said);
	assert_int_equal(cell_of(row, 0, GAP, "line")->len, 4);
	snprintf(k->said + n, sizeof k->said - n, "%.*s %.*s %lld %lld;", (int)site->len, site->v.ptr, (int)reason->len,
		reason->v.ptr, (long long)cell_of(row, 0, GAP, "events")->v.i,
		(long long)cell_of(row, 0, GAP, "last")->v.i);
	return 0;
}

static void expect_gaps(struct shop *s, const char *want)
{
	struct kept k = { .shop = s };
	assert_int_equal(s->sink->kept_gaps(s->in->self, say_gap, &k), 0);
	assert_string_equal(k.said, want);
}

static void test_gaps_are_kept_with_the_position(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	expect_gaps(s, "");
	gap(s, "a b%\nc", "before", 3, 30);
	gap(s, "", "skipped", 2, 10);
	gap(s, "a b%\nc", "skipped", 1, 50);
	gap(s, "a b%\nc", "skipped", 4, 40);
	count(s, "shop.example", 7, 1);
	shop_close(s);
	s = shop_open(NODE_A, "main", "");
	expect_kept(s, "shop.example 7 1 0 0 1;");
	expect_gaps(s, "a b%\nc before 3 30; skipped 2 10;a b%\nc skipped 5 50;");
	shop_close(s);
}

/* As it was written before gaps were kept: its counts go on, gaps from then on. */
static void test_a_position_without_gaps_is_read(void **state)
{
	(void)state;
	wipe();
	FILE *f = fopen(path_of(".main.position"), "w");
	fputs("tally-position 2 " NODE_A "/main 128 77 0 - 1\n5 1 0 9 0 shop.example\n0b4fde3e3fcce2b5\n", f);
	fclose(f);
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_true(s->at.lsn == 128 && s->at.mark == 77);
	expect_kept(s, "shop.example 5 1 0 9 0;");
	expect_gaps(s, "");
	gap(s, "shop.example", "before", 4, 1);
	shop_close(s);
	s = shop_open(NODE_A, "main", "");
	expect_kept(s, "shop.example 5 1 0 9 0;");
	expect_gaps(s, "shop.example before 4 1;");
	shop_close(s);
}

static void expect_failure(struct shop *s, const char *spec, int class)
{
	assert_int_equal(seam_arm(spec), 0);
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, s->at.lsn, 100), 100), class);
	seam_arm(NULL);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
}

/* Every way in which a disk refuses, at every step before the position has moved. */
static void test_every_refusal_of_the_disk_has_its_class(void **state)
{
	static const char *const steps[] = { "begin", "write", "sync", "mark", "commit" };
	static const struct {
		const char *name;
		int class;
	} errors[] = { { "ENOSPC", TALLY_SINK_FULL }, { "EDQUOT", TALLY_SINK_FULL }, { "EIO", TALLY_SINK_RECONNECT },
		{ "ENOMEM", TALLY_SINK_RECONNECT }, { "EROFS", TALLY_SINK_STOP } };
	char spec[64];
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_batch(s);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		for (size_t k = 0; k < sizeof errors / sizeof *errors; k++) {
			snprintf(spec, sizeof spec, "file.%s:1:%s", steps[i], errors[k].name);
			expect_failure(s, spec, errors[k].class);
			assert_int_equal(s->at.lsn, 64);
		}
	expect_batches(1);
	write_batch(s);
	expect_batches(2);
	shop_close(s);
}

static void test_failures_double_nothing_and_lose_nothing(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_batch(s);
	expect_failure(s, "file.write:1:ENOSPC", TALLY_SINK_FULL);
	expect_failure(s, "file.sync:1:EIO", TALLY_SINK_RECONNECT);
	expect_failure(s, "file.commit:1:EIO", TALLY_SINK_RECONNECT);
	assert_int_equal(s->at.lsn, 64);
	expect_batches(1);
	expect_failure(s, "file.committed:1:EIO", TALLY_SINK_RECONNECT);
	assert_int_equal(s->at.lsn, 128);
	write_batch(s);
	expect_batches(3);
	shop_close(s);
}

/* A name for every second: batches until the third name; and a kill between a turn of names and the commit. */
static void test_names_turn_with_the_clock(void **state)
{
	static struct census c;
	(void)state;
	wipe();
	place.options[0].value = "e-%H%M%S.ndjson";
	struct shop *s = shop_open(NODE_A, "main", "");
	size_t batches = 0;
	time_t began = time(NULL);
	while (time(NULL) < began + 2 && batches < 1000) {
		write_batch(s);
		batches++;
		usleep(20000);
	}
	shop_close(s);
	expect_batches(batches);
	memset(&c, 0, sizeof c);
	for_files(count_file, &c);
	assert_in_range(c.files, 2, 3);
	write_and_die("file.commit:1:kill"); /* perhaps in a new file, perhaps not: cut in any case */
	s = shop_open(NODE_A, "main", "");
	expect_batches(batches);
	write_batch(s);
	expect_batches(batches + 1);
	shop_close(s);
	place.options[0].value = "events.ndjson";
}

static void test_a_file_moved_away_is_left_alone(void **state)
{
	char aside[300];
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_batch(s);
	snprintf(aside, sizeof aside, "%s", path_of("events.ndjson.1"));
	assert_int_equal(rename(path_of("events.ndjson"), aside), 0);
	write_batch(s);
	expect_batches(2);
	assert_int_equal(access(path_of("events.ndjson"), F_OK), 0);
	write_and_die("file.commit:1:kill");
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	expect_batches(2);
	shop_close(s);
}

static void test_a_shortened_file_goes_on(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_batch(s);
	write_batch(s);
	assert_int_equal(truncate(path_of("events.ndjson"), 0), 0);
	write_and_die("file.commit:1:kill");
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 128);
	write_batch(s);
	static struct census c;
	memset(&c, 0, sizeof c);
	for_files(count_file, &c);
	assert_int_equal(c.lines, 100);
	shop_close(s);
}

static void test_a_foreign_or_damaged_position_stops(void **state)
{
	(void)state;
	wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	write_batch(s);
	shop_close(s);
	s = shop_open_quietly(NODE_B, "main", "", &shop_rollup);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "is not this node's"));
	shop_close(s);
	FILE *f = fopen(path_of(".main.position"), "r+");
	fseek(f, 70, SEEK_SET);
	int c = fgetc(f);
	fseek(f, 70, SEEK_SET);
	fputc(c == '1' ? '2' : '1', f);
	fclose(f);
	s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	shop_close(s);
}

static void test_a_missing_folder_stops_until_it_is_there(void **state)
{
	(void)state;
	wipe();
	place.options[0].value = "sub/events.ndjson";
	struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "No such file"));
	assert_int_equal(mkdir(path_of("sub"), 0700), 0);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	shop_close(s);
	unlink(path_of("sub/.main.position"));
	rmdir(path_of("sub"));
	place.options[0].value = "events.ndjson";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_folder_stands_at_the_beginning),
		cmocka_unit_test(test_batches_are_appended_and_remembered),
		cmocka_unit_test(test_a_line_is_the_event),
		cmocka_unit_test(test_numbers_read_back_the_same),
		cmocka_unit_test(test_only_events_are_written),
		cmocka_unit_test(test_kills_double_nothing_and_lose_nothing),
		cmocka_unit_test(test_counts_are_kept_with_the_position),
		cmocka_unit_test(test_an_old_position_is_read),
		cmocka_unit_test(test_gaps_are_kept_with_the_position),
		cmocka_unit_test(test_a_position_without_gaps_is_read),
		cmocka_unit_test(test_every_refusal_of_the_disk_has_its_class),
		cmocka_unit_test(test_failures_double_nothing_and_lose_nothing),
		cmocka_unit_test(test_names_turn_with_the_clock),
		cmocka_unit_test(test_a_file_moved_away_is_left_alone),
		cmocka_unit_test(test_a_shortened_file_goes_on),
		cmocka_unit_test(test_a_foreign_or_damaged_position_stops),
		cmocka_unit_test(test_a_missing_folder_stops_until_it_is_there),
	};
	if (!mkdtemp(dir))
		return 1;
	int rc = RUN_TESTS("file", tests);
	wipe();
	rmdir(dir);
	return rc;
}
