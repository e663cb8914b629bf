/* SPDX-License-Identifier: Apache-2.0 */
/* The ship against a sink that plays a script: what each class of error leads to, what is waited for, what is told. */
#include "unit.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ring.h"
#include "ship/host.h"
#include "ship/pace.h"
#include "ship/ship.h"

#define PATIENCE_US 20000000
#define HOUR_US (3600 * INT64_C(1000000))

/* ---- the scripted sink: `answers` are given one after the other, then OK for ever ---- */

#define LOST_ANSWER 100 /* commits, and says RECONNECT */

struct script {
	int position[8], write[32]; /* OK ends the script, not the sink */
	_Atomic size_t npositions, nwrites;
	struct tally_position at;                 /* where the store stands */
	size_t bad_rows_index, bad_row, bad_rows; /* so many from bad_row on; 0 = one */
	bool explains;                            /* says why, having named them */
	struct gate *called;
	const struct tally_sink_host *host;
	struct tally_sink_instance *in;
};

static struct script script;

static int fake_open(const struct tally_sink_host *host, struct tally_sink_instance *in, void **self)
{
	script.host = host;
	script.in = in;
	*self = &script;
	if (host->option_int(in, "size") == 7)
		return (host->fail)(in, TALLY_SINK_STOP, 0, "seven is not possible");
	return 0;
}

static void fake_close(void *self)
{
	(void)self;
}

static int fake_position(void *self, struct tally_position *out)
{
	struct script *s = self;
	int rc = s->npositions < 8 ? s->position[s->npositions] : 0;
	s->npositions++;
	gate_knock(s->called);
	*out = s->at;
	return rc == 0 ? 0 : (s->host->fail)(s->in, rc, 17, "no position\nfor \xc3\xa4 you");
}

static int refuse(struct script *s)
{
	int rc = TALLY_SINK_BAD_ROW;
	for (size_t i = 0; rc == TALLY_SINK_BAD_ROW && i < (s->bad_rows ? s->bad_rows : 1); i++)
		rc = s->host->bad_row(s->in, s->bad_rows_index, s->bad_row + i, 1366, "bad text %zu", i);
	return s->explains ? (s->host->fail)(s->in, TALLY_SINK_STOP, 0, "a column is another") : rc;
}

static int fake_write(void *self, const struct tally_batch *batch)
{
	struct script *s = self;
	int rc = s->nwrites < 32 ? s->write[s->nwrites] : 0;
	s->nwrites++;
	gate_knock(s->called);
	if (rc == LOST_ANSWER || rc == TALLY_SINK_OK)
		s->at = batch->to;
	if (rc == LOST_ANSWER)
		rc = TALLY_SINK_RECONNECT;
	if (rc == TALLY_SINK_BAD_ROW)
		return refuse(s);
	return rc == 0 ? 0 : (s->host->fail)(s->in, rc, 42, "class %d", rc);
}

static const struct tally_option fake_options[] = {
	{ "size", TALLY_OPT_SIZE, 0, "1MiB", "a size" },
	{ "word", TALLY_OPT_STRING, 0, "hello", "a word" },
	{ "yes", TALLY_OPT_BOOL, 0, "true", "a flag" },
	{ "wait", TALLY_OPT_TIME, 0, "2s", "a time" },
	{ "share", TALLY_OPT_FLOAT, 0, "0.5", "a share" },
	{ NULL, 0, 0, NULL, NULL },
};

static const struct tally_sink fake = { TALLY_SINK_HEAD, .name = "fake", .version = "1", .summary = "plays a script",
	.options = fake_options, .open = fake_open, .close = fake_close, .position = fake_position,
	.write = fake_write };

/* ---- one ship and its batch ---- */

struct port {
	struct arena arena;
	const struct schema *schema;
	struct ship *ship;
	struct gate *reported;
	struct tally_cell cells[EVC_COLUMNS * 1000];
	struct tally_rows rows[2];
	struct tally_batch batch;
};

static struct port port;
static const char uuid[] = "01920000-0000-7000-8000-000000000001";
static const struct ship_pace quick = { 1, 2, 20, 1, 10, 1, 5 };

static void on_report(void *arg)
{
	gate_knock(((struct port *)arg)->reported);
}

static int try_open(const struct conf_pair *options, size_t n, char why[512])
{
	static struct conf conf = { .data_dir = "/nowhere" };
	struct conf_sink cs = { .plugin = "fake", .name = "main", .prefix = "", .place = "tally.yaml:3:5" };
	cs.options = options;
	cs.noptions = n;
	return ship_open(&fake, &cs, &conf, port.schema, uuid, &port.ship, why);
}

static void set_sail(const struct ship_pace *pace)
{
	static const struct tally_rollup rollup = { .name = { "total", 5 } };
	char why[512];
	memset(&script, 0, sizeof script);
	memset(&port, 0, sizeof port);
	script.at = (struct tally_position){ 1000, 0xAAAA };
	script.called = gate_open();
	port.reported = gate_open();
	arena_init(&port.arena, 0);
	port.schema = schema_make(&port.arena, &rollup, 1);
	assert_int_equal(try_open(NULL, 0, why), 0);
	ship_set_pace(port.ship, pace);
	ship_on_report(port.ship, on_report, &port);
	port.rows[0] = (struct tally_rows){ &port.schema->fixed[SCHEMA_EVENT], 1000, port.cells };
	port.rows[1] = (struct tally_rows){ &port.schema->rollups[0].table, 2, port.cells };
	port.batch =
		(struct tally_batch){ .from = { 1000, 0xAAAA }, .to = { 2000, 0xBBBB }, .rows = port.rows, .nrows = 2 };
}

static void come_home(void)
{
	ship_close(port.ship);
	gate_close(script.called);
	gate_close(port.reported);
	arena_free(&port.arena);
}

static struct ship_report await(void)
{
	struct ship_report r;
	while (!ship_report(port.ship, &r))
		assert_true(gate_wait(port.reported, PATIENCE_US));
	return r;
}

static struct ship_report send(void)
{
	ship_send(port.ship, &port.batch, false);
	return await();
}

static void script_writes(const int *rcs, size_t n)
{
	memcpy(script.write, rcs, n * sizeof *rcs);
}
#define WRITES(...) script_writes((int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

static struct ship_stats stats(void)
{
	struct ship_stats st;
	ship_stats(port.ship, &st);
	return st;
}

/* ---- the classes ---- */

static void test_position_comes_as_a_rewind(void **state)
{
	(void)state;
	set_sail(&quick);
	script.position[0] = TALLY_SINK_RECONNECT;
	script.position[1] = TALLY_SINK_STOP;
	ship_ask_position(port.ship);
	struct ship_report r = await();
	assert_int_equal(r.outcome, SHIP_REWIND);
	assert_int_equal(r.position.lsn, 1000);
	assert_int_equal(r.position.mark, 0xAAAA);
	assert_int_equal(r.meta->nrollups, 1);
	assert_true(r.meta->rollup_horizon_us[0] == INT64_MIN);
	assert_int_equal(script.npositions, 3);
	assert_true(stats().connected);
	come_home();
}

/* A store of before there were quantiles would leave their columns as they are. Other sinks look at no rollups. */
static void test_a_sink_that_is_too_old_is_refused(void **state)
{
	static const struct tally_metric metrics[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_QUANTILE } };
	static const struct tally_rollup rollup = { .nmetrics = 2, .name = { "total", 5 }, .metrics = metrics };
	static struct conf conf = { .data_dir = "/nowhere" };
	struct conf_sink cs = { .plugin = "fake", .name = "main", .prefix = "", .place = "tally.yaml:3:5" };
	struct tally_sink sink = fake;
	struct tally_sink_instance *in;
	struct arena arena;
	char why[512] = "";
	(void)state;
	arena_init(&arena, 0);
	const struct schema *with = schema_make(&arena, &rollup, 1), *without = schema_make(&arena, NULL, 0);
	sink.is_store = 1;
	assert_int_equal(ship_host_open(&sink, &cs, &conf, with, uuid, &in, why), -EINVAL);
	assert_string_equal(why,
		"tally.yaml:3:5: sink main: fake 1 is older than columns like "
		"tally_rollup_total.quantiles_value: install one of this version, or take that metric out "
		"of the rollup");
	assert_int_equal(ship_host_open(&sink, &cs, &conf, without, uuid, &in, why), 0);
	ship_host_close(in);
	sink.merges = TALLY_M_QUANTILE;
	assert_int_equal(ship_host_open(&sink, &cs, &conf, with, uuid, &in, why), 0);
	ship_host_close(in);
	sink.merges = sink.is_store = 0;
	assert_int_equal(ship_host_open(&sink, &cs, &conf, with, uuid, &in, why), 0);
	ship_host_close(in);
	arena_free(&arena);
}

static void await_calls(_Atomic size_t *counter, size_t n);

static void test_a_commit_is_stored(void **state)
{
	(void)state;
	set_sail(&quick);
	struct ship_report r = send();
	assert_int_equal(r.outcome, SHIP_STORED);
	assert_int_equal(r.position.lsn, 2000);
	assert_false(r.recovered);
	assert_int_equal(script.npositions, 0);
	assert_int_equal(stats().batches, 1);
	assert_int_equal(stats().rows, 1002);
	come_home();
}

static void test_retry_is_written_again_without_asking(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_RETRY, TALLY_SINK_RETRY, TALLY_SINK_RETRY);
	assert_int_equal(send().outcome, SHIP_STORED);
	assert_int_equal(script.nwrites, 4);
	assert_int_equal(script.npositions, 0);
	assert_int_equal(stats().retries[TALLY_SINK_RETRY], 3);
	come_home();
}

static void test_retry_ends_after_the_limit(void **state)
{
	(void)state;
	set_sail(&quick);
	for (int i = 0; i < 32; i++)
		script.write[i] = TALLY_SINK_RETRY;
	assert_int_equal(send().outcome, SHIP_REWIND);
	assert_int_equal(script.nwrites, 21);
	assert_int_equal(script.npositions, 1);
	come_home();
}

static void test_a_lost_commit_answer_is_recovered(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(LOST_ANSWER);
	script.position[0] = TALLY_SINK_RECONNECT;
	struct ship_report r = send();
	assert_int_equal(r.outcome, SHIP_STORED);
	assert_true(r.recovered);
	assert_int_equal(r.position.lsn, 2000);
	assert_int_equal(script.nwrites, 1);
	assert_int_equal(stats().recovered, 1);
	assert_int_equal(stats().batches, 1);
	come_home();
}

/* The same lsn in another history is not ours. */
static void test_another_mark_at_the_end_is_not_recovered(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_RECONNECT);
	script.at = (struct tally_position){ 2000, 0xCCCC };
	struct ship_report r = send();
	assert_int_equal(r.outcome, SHIP_REWIND);
	assert_int_equal(r.position.mark, 0xCCCC);
	come_home();
}

static void test_reconnect_rewinds_to_where_the_store_stands(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_RECONNECT);
	struct ship_report r = send();
	assert_int_equal(r.outcome, SHIP_REWIND);
	assert_int_equal(r.position.lsn, 1000);
	assert_non_null(r.meta);
	assert_int_equal(script.nwrites, 1);
	come_home();
}

static void test_rows_only_are_never_taken_for_recovered(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(LOST_ANSWER);
	port.batch.to = port.batch.from;
	assert_int_equal(send().outcome, SHIP_REWIND);
	come_home();
}

static void test_moved_rewinds_at_once(void **state)
{
	(void)state;
	const struct ship_pace slow = { 1, 2, 20, HOUR_US, HOUR_US, HOUR_US, 5 };
	set_sail(&slow);
	WRITES(TALLY_SINK_MOVED);
	script.at.lsn = 500;
	struct ship_report r = send();
	assert_int_equal(r.outcome, SHIP_REWIND);
	assert_int_equal(r.position.lsn, 500);
	come_home();
}

/* A rebuild after another, or nodes that start with other zones: nothing waits for that, and nobody is told that the store
 * is away. */
static void test_a_guard_that_goes_on_is_no_failure(void **state)
{
	(void)state;
	const struct ship_pace slow = { 1, 2, 20, HOUR_US, HOUR_US, HOUR_US, 5 };
	static const struct tally_guard another = { .key = "epoch", .column = "horizon", .value = 7 };
	set_sail(&slow);
	WRITES(TALLY_SINK_MOVED, TALLY_SINK_MOVED, TALLY_SINK_MOVED, TALLY_SINK_MOVED, TALLY_SINK_MOVED,
		TALLY_SINK_MOVED);
	port.batch.guard = &another;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(send().outcome, SHIP_REWIND);
		assert_false(stats().breaker_open);
	}
	assert_int_equal(send().outcome, SHIP_STORED);
	come_home();
}

/* The guard stands where the batch saw it: something is wrong, and asking without pause would not mend it. */
static void test_moved_without_a_reason_waits(void **state)
{
	(void)state;
	const struct ship_pace slow = { 1, 2, 20, HOUR_US, HOUR_US, HOUR_US, 2 };
	set_sail(&slow);
	WRITES(TALLY_SINK_MOVED, TALLY_SINK_MOVED);
	assert_int_equal(send().outcome, SHIP_REWIND);
	ship_send(port.ship, &port.batch, false);
	await_calls(&script.nwrites, 2);
	await_calls(&script.npositions, 2);
	struct ship_report r;
	assert_false(ship_report(port.ship, &r));
	assert_true(stats().breaker_open);
	ship_nudge(port.ship);
	assert_int_equal(await().outcome, SHIP_REWIND);
	come_home();
}

static void test_a_bad_row_is_named(void **state)
{
	(void)state;
	const struct ship_pace slow = { 1, 2, 20, HOUR_US, HOUR_US, HOUR_US, 5 };
	set_sail(&slow);
	WRITES(TALLY_SINK_BAD_ROW);
	script.bad_row = 321;
	struct ship_report r = send();
	assert_int_equal(r.outcome, SHIP_BAD_ROW);
	assert_int_equal(r.nrefused, 1);
	assert_int_equal(r.refused[0].rows_index, 0);
	assert_int_equal(r.refused[0].row, 321);
	assert_int_equal(r.refused[0].code, 1366);
	assert_string_equal(r.refused[0].message, "bad text 0");
	assert_int_equal(r.position.lsn, 1000);
	assert_non_null(r.meta);
	come_home();
}

static void test_a_refused_rollup_row_stops(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_BAD_ROW);
	script.bad_rows_index = 1;
	assert_int_equal(send().outcome, SHIP_REWIND);
	assert_int_equal(stats().retries[TALLY_SINK_STOP], 1);
	assert_int_equal(stats().retries[TALLY_SINK_BAD_ROW], 0);
	come_home();
}

/* Ten bad rows of a thousand are dead letters, named in one report; an eleventh is more than 1 %, and then none is. */
static void test_one_in_a_hundred_may_be_bad(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_BAD_ROW, TALLY_SINK_OK, TALLY_SINK_BAD_ROW);
	script.bad_rows = 10;
	script.bad_row = 100;
	struct ship_report r = send();
	assert_int_equal(r.outcome, SHIP_BAD_ROW);
	assert_int_equal(r.nrefused, 10);
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(r.refused[i].row, 100 + i);
		ship_buried(port.ship);
	}
	assert_int_equal(send().outcome, SHIP_STORED);
	script.bad_rows = 11; /* 21 of 2010 */
	script.at = port.batch.from;
	assert_int_equal(send().outcome, SHIP_REWIND);
	assert_int_equal(stats().retries[TALLY_SINK_STOP], 1);
	assert_int_equal(stats().retries[TALLY_SINK_BAD_ROW], 1);
	assert_non_null(strstr(stats().error, "more than 1 %"));
	come_home();
}

/* A row that could not be laid aside is refused again: that is not another one. */
static void test_a_row_refused_again_counts_once(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_BAD_ROW, TALLY_SINK_BAD_ROW, TALLY_SINK_BAD_ROW);
	script.bad_rows = 6;
	for (int i = 0; i < 3; i++)
		assert_int_equal(send().outcome, SHIP_BAD_ROW);
	come_home();
}

/* Ten of a few are no schema error yet. */
static void test_ten_bad_rows_of_few_are_buried(void **state)
{
	(void)state;
	for (size_t bad = 10; bad <= 11; bad++) {
		set_sail(&quick);
		WRITES(TALLY_SINK_BAD_ROW);
		port.rows[0].n = 20;
		script.bad_rows = bad;
		assert_int_equal(send().outcome, bad == 10 ? SHIP_BAD_ROW : SHIP_REWIND);
		come_home();
	}
}

static void test_the_sinks_own_explanation_is_kept(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_BAD_ROW);
	script.bad_rows = 1000;
	script.explains = true;
	assert_int_equal(send().outcome, SHIP_REWIND);
	assert_string_equal(stats().error, "stop: a column is another");
	come_home();
}

/* The store can be reached and still not take the batch: the trouble stands until a batch is committed, and the waits
 * grow. */
static void test_trouble_lasts_until_a_commit(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_FULL, TALLY_SINK_FULL, TALLY_SINK_FULL, TALLY_SINK_FULL, TALLY_SINK_FULL);
	for (unsigned i = 1; i <= 5; i++) {
		assert_int_equal(send().outcome, SHIP_REWIND);
		struct ship_stats st = stats();
		assert_true(st.stopped && st.connected);
		assert_string_equal(st.error, "full: class 5");
		assert_true(st.breaker_open == (i == 5));
	}
	assert_int_equal(send().outcome, SHIP_STORED);
	assert_false(stats().stopped || stats().breaker_open);
	assert_string_equal(stats().error, "");
	come_home();
}

static void test_a_refused_row_is_no_failure_of_the_store(void **state)
{
	(void)state;
	set_sail(&quick);
	for (int i = 0; i < 6; i++)
		script.write[i] = TALLY_SINK_BAD_ROW;
	for (int i = 0; i < 6; i++)
		assert_int_equal(send().outcome, SHIP_BAD_ROW);
	assert_false(stats().breaker_open || stats().stopped);
	come_home();
}

static void test_an_unnamed_bad_row_stops(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(TALLY_SINK_BAD_ROW);
	script.bad_row = 1000;
	assert_int_equal(send().outcome, SHIP_REWIND);
	assert_int_equal(stats().retries[TALLY_SINK_STOP], 1);
	come_home();
}

static void test_an_unknown_class_stops(void **state)
{
	(void)state;
	set_sail(&quick);
	WRITES(-5, 77);
	assert_int_equal(send().outcome, SHIP_REWIND);
	assert_int_equal(send().outcome, SHIP_REWIND);
	assert_int_equal(stats().retries[TALLY_SINK_STOP], 2);
	come_home();
}

/* ---- waiting ---- */

static void await_calls(_Atomic size_t *counter, size_t n)
{
	while (*counter < n)
		assert_true(gate_wait(script.called, PATIENCE_US));
}

static void test_a_nudge_ends_the_wait_of_a_stop(void **state)
{
	(void)state;
	const struct ship_pace slow = { 1, 2, 20, HOUR_US, HOUR_US, HOUR_US, 2 };
	set_sail(&slow);
	script.position[0] = TALLY_SINK_STOP;
	script.position[1] = TALLY_SINK_FULL;
	ship_ask_position(port.ship);
	for (size_t i = 1; i <= 2; i++) {
		await_calls(&script.npositions, i);
		ship_nudge(port.ship);
	}
	assert_int_equal(await().outcome, SHIP_REWIND);
	assert_int_equal(script.npositions, 3);
	come_home();
}

static void test_stop_is_shown_until_it_works_again(void **state)
{
	struct ship_stats st;
	(void)state;
	const struct ship_pace slow = { 1, 2, 20, HOUR_US, HOUR_US, HOUR_US, 1 };
	set_sail(&slow);
	script.position[0] = TALLY_SINK_STOP;
	ship_ask_position(port.ship);
	do
		ship_stats(port.ship, &st);
	while (!st.stopped);
	assert_true(st.breaker_open);
	assert_false(st.connected);
	/* what the sink said, fit for a log and for JSON */
	assert_string_equal(st.error, "stop: no position?for ?? you");
	ship_nudge(port.ship);
	await();
	st = stats();
	assert_false(st.stopped || st.breaker_open);
	assert_true(st.connected);
	assert_string_equal(st.error, "");
	come_home();
}

static void test_closing_ends_a_long_wait(void **state)
{
	struct ship_report r;
	(void)state;
	const struct ship_pace slow = { 1, 2, 20, HOUR_US, HOUR_US, HOUR_US, 5 };
	set_sail(&slow);
	WRITES(TALLY_SINK_RECONNECT);
	int64_t began = clock_mono_us();
	ship_send(port.ship, &port.batch, false);
	await_calls(&script.nwrites, 1);
	assert_false(ship_report(port.ship, &r));
	come_home();
	assert_true(clock_mono_us() - began < PATIENCE_US);
	assert_int_equal(script.npositions, 0);
}

static void test_backoff_is_capped_before_the_jitter(void **state)
{
	uint64_t seed = 42;
	int64_t least = INT64_MAX, most = 0;
	(void)state;
	for (int i = 0; i < 2000; i++) {
		int64_t w = pace_backoff_us(200000, 30000000, 60, pace_random(&seed));
		least = w < least ? w : least;
		most = w > most ? w : most;
	}
	assert_in_range(least, 1500000, 3000000);
	assert_in_range(most, 28000000, 30000000);
	for (int i = 0; i < 2000; i++)
		assert_in_range(pace_backoff_us(200000, 30000000, 1, pace_random(&seed)), 10000, 200000);
	for (int i = 0; i < 2000; i++)
		assert_in_range(pace_backoff_us(200000, 30000000, 3, pace_random(&seed)), 40000, 800000);
}

/* ---- options ---- */

static void expect_refusal(const char *name, const char *value, const char *words)
{
	char why[512] = "";
	struct conf_pair pair = { name, value, "tally.yaml:4:7" };
	assert_int_equal(try_open(&pair, 1, why), -EINVAL);
	if (!strstr(why, words))
		fail_msg("`%s` is not in: %s", words, why);
}

static void test_options_are_checked_by_the_sinks_table(void **state)
{
	(void)state;
	set_sail(&quick);
	assert_int_equal(script.host->option_int(script.in, "size"), 1048576);
	assert_int_equal(script.host->option_int(script.in, "yes"), 1);
	assert_int_equal(script.host->option_int(script.in, "wait"), 2000000);
	assert_true(script.host->option_float(script.in, "share") == 0.5);
	assert_string_equal(script.host->option_str(script.in, "word"), "hello");
	struct ship *kept = port.ship;
	expect_refusal("sice", "1MiB", "tally.yaml:4:7: sink fake has no option `sice`");
	expect_refusal("size", "much", "`size` of sink fake must be a size (64MiB), not `much`");
	expect_refusal("yes", "maybe", "`yes` of sink fake must be true or false");
	expect_refusal("share", "0.5x", "`share` of sink fake must be a number");
	expect_refusal("size", "7", "sink main: seven is not possible");
	port.ship = kept;
	come_home();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_position_comes_as_a_rewind),
		cmocka_unit_test(test_a_sink_that_is_too_old_is_refused),
		cmocka_unit_test(test_a_commit_is_stored),
		cmocka_unit_test(test_retry_is_written_again_without_asking),
		cmocka_unit_test(test_retry_ends_after_the_limit),
		cmocka_unit_test(test_a_lost_commit_answer_is_recovered),
		cmocka_unit_test(test_another_mark_at_the_end_is_not_recovered),
		cmocka_unit_test(test_reconnect_rewinds_to_where_the_store_stands),
		cmocka_unit_test(test_rows_only_are_never_taken_for_recovered),
		cmocka_unit_test(test_moved_rewinds_at_once),
		cmocka_unit_test(test_a_guard_that_goes_on_is_no_failure),
		cmocka_unit_test(test_moved_without_a_reason_waits),
		cmocka_unit_test(test_a_bad_row_is_named),
		cmocka_unit_test(test_a_refused_rollup_row_stops),
		cmocka_unit_test(test_one_in_a_hundred_may_be_bad),
		cmocka_unit_test(test_a_row_refused_again_counts_once),
		cmocka_unit_test(test_ten_bad_rows_of_few_are_buried),
		cmocka_unit_test(test_the_sinks_own_explanation_is_kept),
		cmocka_unit_test(test_trouble_lasts_until_a_commit),
		cmocka_unit_test(test_a_refused_row_is_no_failure_of_the_store),
		cmocka_unit_test(test_an_unnamed_bad_row_stops),
		cmocka_unit_test(test_an_unknown_class_stops),
		cmocka_unit_test(test_a_nudge_ends_the_wait_of_a_stop),
		cmocka_unit_test(test_stop_is_shown_until_it_works_again),
		cmocka_unit_test(test_closing_ends_a_long_wait),
		cmocka_unit_test(test_backoff_is_capped_before_the_jitter),
		cmocka_unit_test(test_options_are_checked_by_the_sinks_table),
	};
	log_setup(LOG_ERROR + 1, LOG_KV);
	return RUN_TESTS("ship", tests);
}
