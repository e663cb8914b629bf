/* SPDX-License-Identifier: Apache-2.0 */
/* Failing disks: writes that break off, syncs that fail. After each, what was promised holds, and what was
 * refused never comes back, neither at once nor after kill -9 and a new start. */
#include "base/file.h"
#include "spool_kit.h"

static struct kit k;

static struct spool_stats stats(void)
{
	struct spool_stats st;
	spool_stats(k.sp, &st);
	return st;
}

static void arm(const char *spec)
{
	assert_int_equal(seam_arm(spec), 0);
}

/* Appends a group that will be refused with rc because of the faults in spec. */
static void refused(const char *spec, uint32_t seed, size_t count, size_t len, int rc)
{
	size_t from = k.n;
	assert_int_equal(spool_reserve(k.sp, count * len, count), 0);
	for (size_t i = 0; i < count; i++)
		kit_append(&k, seed + (uint32_t)i, len);
	arm(spec);
	assert_int_equal(spool_write(k.sp), rc);
	arm(NULL);
	for (; from < k.n; from++)
		k.recs[from].refused = true;
}

/* Forgets what was refused, so that the list is what the log must hold. */
static void forget_refused(void)
{
	size_t n = 0;
	for (size_t i = 0; i < k.n; i++)
		if (!k.recs[i].refused)
			k.recs[n++] = k.recs[i];
	k.n = n;
}

static void begin(const char *name)
{
	kit_setup(&k, name);
	kit_open(&k);
	kit_group(&k, 1, 3, 200, true);
}

static void kill_and_expect_all(void)
{
	kit_kill(&k);
	kit_open(&k);
	forget_refused();
	kit_expect(&k, KIT_OLDEST, 0, k.n);
}

static void a_refused_group_does_not_come_back(void **state)
{
	(void)state;
	begin("fault");
	uint64_t end = kit_end(&k);
	refused("spool.write:1:short,spool.write:2:ENOSPC", 10, 4, 300, -ENOSPC);
	assert_true(stats().end == end);
	kill_and_expect_all();
	assert_true(stats().end == end);
	kit_teardown(&k);
}

/* The client sends the same bytes again: the new record equals the refused group's first, and the chain would go on
 * into the refused second. */
static void a_retry_of_equal_bytes_does_not_revive_the_rest(void **state)
{
	(void)state;
	begin("fault");
	/* all records are written, only the head of the next segment fails */
	refused("spool.header:1:EIO", 10, 50, 300, -EIO);
	kit_group(&k, 10, 1, 300, true);
	assert_true(k.recs[k.n - 1].mark == k.recs[3].mark); /* the trap is set */
	kill_and_expect_all();
	kit_group(&k, 11, 2, 300, true);
	kill_and_expect_all();
	kit_teardown(&k);
}

/* A group over several segments breaks off at each of its writes in turn. */
static void a_long_group_may_break_anywhere(void **state)
{
	(void)state;
	static const char *const specs[] = { "spool.write:1:EIO", "spool.write:2:EIO", "spool.write:3:ENOSPC",
		"spool.write:3:short,spool.write:4:ENOSPC", "spool.header:1:EIO",
		"spool.header:2:short,spool.header:3:EIO" };
	begin("fault");
	for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
		uint64_t end = stats().end;
		unsigned segments = stats().segments;
		refused(specs[i], 100, 40, 1000, strstr(specs[i], "ENOSPC") ? -ENOSPC : -EIO);
		assert_true(stats().end == end && stats().segments == segments);
		if (i % 2)
			kit_group(&k, 100, 5, 1000, true);
		kill_and_expect_all();
		assert_true(stats().bytes <= k.opt.max_bytes);
	}
	kit_teardown(&k);
}

static void a_group_that_cannot_be_undone_blocks_until_it_can(void **state)
{
	(void)state;
	begin("fault");
	refused("spool.write:1:short,spool.write:2:EIO,spool.undo:1+:EIO", 10, 40, 1000, -EIO);
	refused("spool.undo:1+:EIO", 10, 1, 1000, -EIO);      /* not written at all */
	refused("spool.undo:1:EIO", 11, 1, 1000, -EIO);       /* the zeros */
	refused("spool.sync_apart:1:EIO", 11, 1, 1000, -EIO); /* their sync */
	kit_group(&k, 20, 1, 1000, true);
	kill_and_expect_all();
	kit_teardown(&k);
}

static void a_failed_sync_goes_on_in_a_fresh_segment(void **state)
{
	(void)state;
	begin("fault");
	kit_group(&k, 10, 4, 300, false);
	arm("spool.sync:1:EIO");
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO);
	arm(NULL);
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO); /* not tried again */
	refused(NULL, 20, 1, 10, -EIO);
	kit_expect(&k, KIT_OLDEST, 0, 3);
	assert_int_equal(spool_abandon(k.sp, k.recs[4].end), 0);
	k.recs[5].refused = k.recs[6].refused = true;
	forget_refused();
	kit_expect(&k, KIT_OLDEST, 0, 5);
	assert_true(stats().durable > k.recs[4].end); /* the checkpoint is behind it */
	struct spool_reader *r = spool_reader_open(k.sp);
	for (size_t i = 0; i < 5; i++) /* places keep their marks */
		assert_int_equal(spool_reader_seek(r, (struct tally_position){ k.recs[i].end, k.recs[i].mark }), 0);
	spool_reader_close(r);
	kit_group(&k, 30, 3, 300, true);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kill_and_expect_all();
	assert_int_equal(stats().lost_bytes + stats().cut_bytes, 0);
	kit_group(&k, 40, 60, 900, true);
	kill_and_expect_all();
	spool_trim(k.sp, k.recs[5].end, k.now_us);
	kit_kill(&k);
	kit_open(&k); /* strict: nothing of what the abandoned one held */
	kit_teardown(&k);
}

/* Readers must not take the old segment for the fresh one, wherever it lies in the list. */
static void readers_find_what_was_written_instead(void **state)
{
	(void)state;
	begin("fault");
	for (int round = 0; round < 6; round++) {
		kit_group(&k, 100, 4, 900, false);
		arm("spool.sync:1:EIO");
		assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO);
		arm(NULL);
		for (size_t i = 1; i <= 4; i++)
			k.recs[k.n - i].refused = true;
		assert_int_equal(spool_abandon(k.sp, k.recs[k.n - 4].lsn), 0);
		forget_refused();
		for (uint32_t i = 0; i < 9; i++)
			kit_group(&k, 300 + i, 2, 1000, true);
		kit_expect(&k, KIT_OLDEST, 0, k.n);
	}
	kit_teardown(&k);
}

/* The sync that fails is the second of a group over three segments; much must be repeated, more than one segment. */
static void a_failed_sync_in_a_long_group_keeps_what_was_answered(void **state)
{
	(void)state;
	begin("fault");
	kit_group(&k, 100, 40, 1000, false);
	arm("spool.sync:2:EIO");
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO);
	arm(NULL);
	assert_true(stats().durable == k.recs[2].end); /* nothing moves unless all of it was synced */
	assert_int_equal(spool_abandon(k.sp, k.recs[41].end), 0);
	k.recs[42].refused = true;
	kill_and_expect_all();
	assert_int_equal(k.n, 42);
	kit_teardown(&k);
}

static void nothing_need_be_kept(void **state)
{
	(void)state;
	begin("fault");
	kit_group(&k, 10, 2, 300, false);
	arm("spool.sync:1:EIO");
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO);
	arm(NULL);
	kit_append(&k, 12, 10); /* in hand: it never was either */
	assert_int_equal(spool_abandon(k.sp, k.recs[2].end), 0);
	for (size_t i = 3; i < 6; i++)
		k.recs[i].refused = true;
	assert_int_equal(spool_write(k.sp), 0);
	kit_group(&k, 10, 1, 300, true); /* equal to the first that never was */
	kill_and_expect_all();
	assert_int_equal(k.n, 4);
	kit_teardown(&k);
}

static void an_abandon_that_fails_may_be_tried_again(void **state)
{
	(void)state;
	static const char *const specs[] = { "spool.abandon:1:EIO", "spool.write:1:EIO", "spool.header:2:EIO",
		"spool.fill:1:ENOSPC" };
	begin("fault");
	for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
		kit_group(&k, 10, 2, 300, false);
		arm("spool.sync:1:EIO");
		assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO);
		arm(specs[i]);
		assert_true(spool_abandon(k.sp, kit_end(&k)) < 0);
		arm(NULL);
		refused(NULL, 20, 1, 10, -EIO);
		assert_int_equal(spool_abandon(k.sp, k.recs[k.n - 2].end), 0);
		kit_group(&k, 30, 1, 300, true);
		kill_and_expect_all();
	}
	kit_teardown(&k);
}

/* Killed right after the fresh segment was begun and before anything more. */
static void killed_after_a_failed_abandon_nothing_is_lost(void **state)
{
	(void)state;
	begin("fault");
	kit_group(&k, 10, 2, 300, false);
	arm("spool.sync:1:EIO,spool.abandon:1:EIO,spool.unlink:1+:EIO");
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO);
	assert_int_equal(spool_abandon(k.sp, kit_end(&k)), -EIO);
	arm(NULL);
	kill_and_expect_all();
	assert_int_equal(k.n, 5);
	kit_teardown(&k);
}

static int failed_fd[16];
static size_t failed_fds;

static void watch_failed(void *arg, const struct file_act *act)
{
	(void)arg;
	for (size_t i = 0; i < failed_fds; i++) {
		if (failed_fd[i] != act->fd)
			continue;
		assert_int_not_equal(act->op, FILE_SYNCED);
		if (act->op == FILE_CLOSED)
			failed_fd[i] = -2;
	}
	if (act->op == FILE_SYNC_FAILED)
		failed_fd[failed_fds++] = act->fd;
}

static void a_descriptor_whose_sync_failed_is_never_synced_again(void **state)
{
	(void)state;
	begin("fault");
	failed_fds = 0;
	file_watch(watch_failed, NULL);
	for (int i = 0; i < 3; i++) {
		kit_group(&k, 10, 2, 300, false);
		arm("spool.sync:1:EIO");
		assert_int_equal(spool_sync(k.sp, kit_end(&k)), -EIO);
		arm(NULL);
		assert_true(spool_sync(k.sp, kit_end(&k)) < 0);
		assert_int_equal(spool_abandon(k.sp, kit_end(&k)), 0);
		kit_group(&k, 30, 1, 300, true);
		spool_trim(k.sp, kit_end(&k), k.now_us);
	}
	file_watch(NULL, NULL);
	assert_int_equal(failed_fds, 3);
	for (size_t i = 0; i < failed_fds; i++)
		assert_int_equal(failed_fd[i], -2); /* and was closed */
	kit_teardown(&k);
}

/* The trimmed segment cannot be wiped: it goes altogether, and comes back neither now nor later. */
static void trim_copes_with_a_failing_disk(void **state)
{
	(void)state;
	begin("fault");
	kit_group(&k, 100, 60, 900, true);
	arm("spool.header:1:EIO,spool.sync_apart:1:EIO,spool.dirsync:1:EIO");
	spool_trim(k.sp, kit_end(&k), k.now_us);
	arm(NULL);
	assert_int_equal(stats().segments, 1);
	kit_group(&k, 200, 60, 900, true);
	kit_kill(&k);
	kit_open(&k);
	assert_int_equal(stats().lost_bytes, 0);
	kit_teardown(&k);
}

static void opening_says_what_the_disk_refuses(void **state)
{
	(void)state;
	begin("fault");
	spool_close(k.sp);
	k.sp = NULL;
	arm("spool.recoversync:1:EIO");
	assert_int_equal(kit_try_open(&k), -EIO);
	arm("spool.recover:1:EROFS");
	assert_int_equal(kit_try_open(&k), -EROFS);
	arm(NULL);
	kit_open(&k);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kit_teardown(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_group_does_not_come_back),
		cmocka_unit_test(a_retry_of_equal_bytes_does_not_revive_the_rest),
		cmocka_unit_test(a_long_group_may_break_anywhere),
		cmocka_unit_test(a_group_that_cannot_be_undone_blocks_until_it_can),
		cmocka_unit_test(a_failed_sync_goes_on_in_a_fresh_segment),
		cmocka_unit_test(readers_find_what_was_written_instead),
		cmocka_unit_test(a_failed_sync_in_a_long_group_keeps_what_was_answered),
		cmocka_unit_test(nothing_need_be_kept),
		cmocka_unit_test(an_abandon_that_fails_may_be_tried_again),
		cmocka_unit_test(killed_after_a_failed_abandon_nothing_is_lost),
		cmocka_unit_test(a_descriptor_whose_sync_failed_is_never_synced_again),
		cmocka_unit_test(trim_copes_with_a_failing_disk),
		cmocka_unit_test(opening_says_what_the_disk_refuses),
	};
	return RUN_TESTS("spool_fault", tests);
}
