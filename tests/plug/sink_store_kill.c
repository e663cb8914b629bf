/* SPDX-License-Identifier: Apache-2.0 */
/* A process that is killed between any two steps of a batch: either all of it is there or nothing, and the position
 * says which. */
#include "sink_store_tests.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/seam.h"

#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])
#define ITEMS (&s->schema->rollups[0].table)
#define EVENTS_EACH 5

/* Five events, what they add to a rollup, and a trim that takes nothing. */
static int write_all(struct shop *s)
{
	struct amounts a = { .bucket_us = 60, .events = EVENTS_EACH, .visitor_from = s->at.lsn };
	a.visitor_to = a.visitor_from + 1;
	struct tally_rows rows[] = {
		{ EVENTS, EVENTS_EACH, shop_events(s, s->at.lsn, EVENTS_EACH) },
		{ ITEMS, 1, shop_rollup_row(s, &a) },
	};
	struct tally_trim trim = { .table = ITEMS, .grain = 0, .before_us = 0 };
	struct tally_batch b = { .rows = rows, .nrows = 2, .trim = &trim, .ntrim = 1 };
	return shop_write_batch(s, &b);
}

static void write_and_die(const char *step, unsigned passing)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char spec[64];
		struct shop *s = shop_open(NODE_A, "main", "");
		snprintf(spec, sizeof spec, "%s.%s:%u:kill", place.module, step, passing);
		if (seam_arm(spec) == 0)
			(void)!write_all(s);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("%s.%s was not passed %u times", place.module, step, passing);
}

static void expect_batches(struct shop *s, size_t n)
{
	assert_int_equal(s->at.lsn, n * 64);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), n * EVENTS_EACH);
	assert_int_equal(
		shop_number(s, "SELECT COALESCE(SUM(`events`), 0) FROM `tally_rollup_items`"), n * EVENTS_EACH);
	assert_int_equal(shop_number(s, "SELECT COALESCE(SUM(`visitors`), 0) FROM `tally_rollup_items`"), n);
}

void test_a_kill_between_any_two_steps(void **state)
{
	static const struct {
		const char *name;
		unsigned passing;
		size_t moves;
	} steps[] = {
		{ "begin", 1, 0 },
		{ "moved", 1, 0 },
		{ "rows", 1, 0 },
		{ "rows", 2, 0 },
		{ "trim", 1, 0 },
		{ "commit", 1, 0 },
		{ "committed", 1, 1 },
	};
	size_t batches = 0;
	(void)state;
	place.wipe();
	shop_close(shop_open(NODE_A, "main", "")); /* makes the tables */
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		write_and_die(steps[i].name, steps[i].passing);
		batches += steps[i].moves;
		struct shop *s = shop_open(NODE_A, "main", "");
		expect_batches(s, batches);
		assert_int_equal(write_all(s), TALLY_SINK_OK);
		expect_batches(s, ++batches);
		shop_close(s);
	}
}
