/* SPDX-License-Identifier: Apache-2.0 */
/* What the spool does on a good day: append, write, sync, read, reopen, seek, trim. */
#include "spool_kit.h"

static struct kit k;

static struct spool_stats stats(void)
{
	struct spool_stats st;
	spool_stats(k.sp, &st);
	return st;
}

static void what_is_synced_is_read_back(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t i = 0; i < 40; i++)
		kit_group(&k, i * 10, 1 + i % 4, 100 + i * 37, true);
	assert_true(stats().segments > 3);
	assert_true(stats().durable == kit_end(&k) && stats().end == stats().durable);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kit_reopen(&k);
	assert_true(k.recalled > k.n);
	assert_int_equal(stats().cut_bytes + stats().lost_bytes + stats().quarantined, 0);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kit_group(&k, 9000, 3, 500, true);
	kit_reopen(&k);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kit_teardown(&k);
}

static void readers_see_only_what_is_durable(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	kit_group(&k, 1, 2, 50, true);
	kit_group(&k, 3, 2, 50, false);
	kit_expect(&k, KIT_OLDEST, 0, 2);
	assert_int_equal(spool_sync(k.sp, k.recs[2].end), 0); /* in the middle of the group */
	kit_expect(&k, KIT_OLDEST, 0, 3);
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), 0);
	kit_expect(&k, KIT_OLDEST, 0, 4);
	kit_teardown(&k);
}

static void payloads_of_every_small_length_come_back(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t len = 0; len < 70; len++)
		kit_group(&k, len, 1, len, true);
	kit_group(&k, 100, 1, spool_payload_max(k.sp), true);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kit_reopen(&k);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kit_teardown(&k);
}

/* One group larger than several segments: one write, one sync, nothing lost. */
static void a_group_may_cross_segments(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	kit_group(&k, 1, 1, 100, true);
	kit_group(&k, 10, 40, 1500, false);
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), 0);
	assert_true(stats().segments >= 4);
	kit_expect(&k, KIT_OLDEST, 0, 41);
	kit_group(&k, 60, 30, 2000, false);
	assert_int_equal(spool_sync(k.sp, k.recs[55].end), 0);
	kit_expect(&k, KIT_OLDEST, 0, 56);
	kit_reopen(&k);
	kit_expect(&k, KIT_OLDEST, 0, 71);
	kit_teardown(&k);
}

struct first {
	uint64_t expect;
	size_t segments;
};

static int check_first(void *arg, const struct spool_record *rec)
{
	struct first *f = arg;
	assert_true(rec->lsn == f->expect);
	f->expect = rec->end;
	if (rec->type == SPOOL_CHECKPOINT)
		f->segments++;
	return 0;
}

static void every_segment_begins_with_a_checkpoint(void **state)
{
	(void)state;
	char why[256];
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t i = 0; i < 50; i++)
		kit_group(&k, i, 1, 1000, true);
	unsigned segments = stats().segments;
	spool_close(k.sp);
	struct first f = { 0 };
	assert_int_equal(spool_open(&k.opt, check_first, &f, &k.sp, why), 0);
	assert_int_equal(f.segments, segments);
	assert_true(f.expect == kit_end(&k));
	kit_teardown(&k);
}

static int refuse(void *arg, const struct spool_record *rec)
{
	(void)rec;
	return ++*(int *)arg == 3 ? -E2BIG : 0;
}

static void recall_may_stop_the_opening(void **state)
{
	(void)state;
	char why[256];
	int calls = 0;
	kit_setup(&k, "spool");
	kit_open(&k);
	kit_group(&k, 1, 5, 10, true);
	spool_close(k.sp);
	assert_int_equal(spool_open(&k.opt, refuse, &calls, &k.sp, why), -E2BIG);
	assert_int_equal(calls, 3);
	assert_true(why[0]);
	kit_open(&k);
	kit_teardown(&k);
}

static struct tally_position after(size_t i)
{
	return (struct tally_position){ k.recs[i].end, k.recs[i].mark };
}

static void seek_proves_the_place(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t i = 0; i < 60; i++)
		kit_group(&k, i, 1, 900, true);
	struct spool_reader *r = spool_reader_open(k.sp);
	for (int again = 0; again < 2; again++) {
		/* the end of every record, those at segment borders and the very last too */
		for (size_t i = 0; i < k.n; i++) {
			struct tally_position p = after(i);
			kit_expect(&k, p, i + 1, k.n - i - 1);
			p.mark ^= 1;
			assert_int_equal(spool_reader_seek(r, p), -ENOENT);
			p = after(i);
			p.lsn += 8;
			assert_int_equal(spool_reader_seek(r, p), -ENOENT);
			p.lsn -= 16;
			assert_int_equal(spool_reader_seek(r, p), -ENOENT);
		}
		assert_int_equal(spool_reader_seek(r, (struct tally_position){ 0, 5 }), -ENOENT);
		spool_reader_close(r);
		kit_reopen(&k);
		r = spool_reader_open(k.sp);
	}
	kit_group(&k, 99, 1, 10, false); /* written but not durable: nobody may stand behind it */
	assert_int_equal(spool_reader_seek(r, after(k.n - 1)), -ENOENT);
	assert_int_equal(spool_reader_seek(r, after(k.n - 2)), 0);
	spool_reader_close(r);
	kit_teardown(&k);
}

static void one_record_is_read_by_its_lsn(void **state)
{
	(void)state;
	struct spool_record rec;
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t i = 0; i < 40; i++)
		kit_group(&k, i, 1, 900, true);
	struct spool_reader *r = spool_reader_open(k.sp);
	for (size_t i = 0; i < k.n; i += 7) {
		assert_int_equal(spool_reader_at(r, k.recs[i].lsn, &rec), 0);
		assert_true(kit_genuine(&k, &rec) && rec.lsn == k.recs[i].lsn);
	}
	assert_int_equal(spool_reader_at(r, k.recs[3].lsn + 8, &rec), -ENOENT);
	assert_int_equal(spool_reader_at(r, kit_end(&k), &rec), -ENOENT);
	assert_int_equal(spool_reader_at(r, kit_end(&k) + 4096, &rec), -ENOENT);
	spool_reader_close(r);
	kit_teardown(&k);
}

static void trim_lets_go_of_whole_segments_only(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t i = 0; i < 60; i++)
		kit_group(&k, i, 1, 900, true);
	struct spool_reader *r = spool_reader_open(k.sp);
	unsigned before = stats().segments;
	spool_reader_hold(r, 0);
	spool_trim(k.sp, k.recs[50].lsn, k.now_us);
	assert_int_equal(stats().segments, before); /* held */
	spool_reader_hold(r, k.recs[20].lsn);
	spool_trim(k.sp, k.recs[50].lsn, k.now_us);
	assert_true(stats().begin <= k.recs[20].lsn && stats().begin > 0);
	spool_reader_hold(r, UINT64_MAX);
	spool_trim(k.sp, k.recs[50].lsn, k.now_us);
	uint64_t begin = stats().begin;
	assert_true(begin <= k.recs[50].lsn && begin > k.recs[30].lsn);
	assert_true(stats().oldest_us > 1000000);
	spool_trim(k.sp, kit_end(&k), k.now_us);
	assert_int_equal(stats().segments, 1);

	assert_int_equal(spool_reader_seek(r, after(10)), -ESTALE);
	struct spool_record rec;
	assert_int_equal(spool_reader_next(r, &rec), 1);
	assert_true(rec.lsn == stats().begin && rec.type == SPOOL_CHECKPOINT);
	spool_reader_close(r);
	kit_reopen(&k);
	assert_int_equal(stats().lost_bytes, 0);
	kit_teardown(&k);
}

/* With nothing durable behind it, the last durable segment is all a crash leaves to tell where the log stood. */
static void trim_leaves_a_durable_trace(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	kit_group(&k, 1, 1, 100, true);
	while (stats().segments < 3)
		kit_group(&k, 2, 1, 900, false);
	assert_int_equal(spool_sync(k.sp, k.recs[k.n - 2].end), 0);
	assert_int_equal(stats().segments, 3);
	spool_trim(k.sp, UINT64_MAX, k.now_us);
	assert_true(stats().begin < stats().durable);
	assert_int_equal(stats().segments, 2);
	kit_teardown(&k);
}

static void retain_keeps_what_is_young_up_to_its_limit(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	k.opt.retain_us = 1000000;
	k.opt.retain_max_bytes = 3 * KIT_SEGMENT;
	kit_open(&k);
	for (uint32_t i = 0; i < 100; i++)
		kit_group(&k, i, 1, 900, true);
	assert_true(stats().segments > 5);
	spool_trim(k.sp, kit_end(&k), k.now_us);
	assert_int_equal(stats().segments, 4); /* three retained and the last */
	spool_trim(k.sp, kit_end(&k), k.now_us + 999000);
	assert_int_equal(stats().segments, 4);
	spool_trim(k.sp, kit_end(&k), k.now_us + 2000000);
	assert_int_equal(stats().segments, 1);
	kit_teardown(&k);
}

/* The same files serve again and again; nothing of an earlier life is ever seen. */
static void recycled_segments_hide_their_past(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	k.opt.max_bytes = 4 * KIT_SEGMENT;
	kit_open(&k);
	for (uint32_t i = 0; i < 300; i++) {
		kit_group(&k, i, 1, 500 + i % 700, true);
		spool_trim(k.sp, kit_end(&k), k.now_us);
		assert_true(stats().bytes <= k.opt.max_bytes);
		if (i % 23 == 0) {
			kit_reopen(&k); /* recall is strict: it refuses what was not appended */
			assert_int_equal(stats().lost_bytes + stats().cut_bytes, 0);
			assert_true(stats().end == kit_end(&k));
		}
	}
	kit_teardown(&k);
}

static void a_reader_without_a_hold_learns_that_its_place_is_gone(void **state)
{
	(void)state;
	struct spool_record rec;
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t i = 0; i < 60; i++)
		kit_group(&k, i, 1, 900, true);
	struct spool_reader *r = spool_reader_open(k.sp);
	assert_int_equal(spool_reader_seek(r, KIT_OLDEST), 0);
	assert_int_equal(spool_reader_next(r, &rec), 1);
	spool_trim(k.sp, kit_end(&k), k.now_us);
	for (uint32_t i = 100; i < 140; i++)
		kit_group(&k, i, 1, 900, true); /* its file has a new life now */
	int rc, n = 0;
	while ((rc = spool_reader_next(r, &rec)) == 1 && n++ < 100)
		assert_true(kit_genuine(&k, &rec)); /* what was read ahead is still right */
	assert_int_equal(rc, -ESTALE);
	spool_reader_close(r);
	kit_teardown(&k);
}

static void two_daemons_cannot_share_a_folder(void **state)
{
	(void)state;
	struct spool *other;
	char why[256];
	kit_setup(&k, "spool");
	kit_open(&k);
	assert_int_equal(spool_open(&k.opt, NULL, NULL, &other, why), -EBUSY);
	assert_non_null(strstr(why, "in use"));
	assert_null(other);
	kit_teardown(&k);
}

static void another_segment_size_in_the_configuration_is_no_trouble(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t i = 0; i < 30; i++)
		kit_group(&k, i, 1, 900, true);
	k.opt.segment_bytes = 4 * KIT_SEGMENT;
	kit_reopen(&k);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	for (uint32_t i = 100; i < 230; i++)
		kit_group(&k, i, 1, 900, true);
	k.opt.segment_bytes = KIT_SEGMENT;
	kit_reopen(&k);
	for (uint32_t i = 300; i < 360; i++)
		kit_group(&k, i, 1, 900, true);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	spool_trim(k.sp, kit_end(&k), k.now_us);
	for (uint32_t i = 400; i < 460; i++)
		kit_group(&k, i, 1, 900, true);
	kit_reopen(&k);
	kit_teardown(&k);
}

static void options_that_cannot_work_are_refused(void **state)
{
	(void)state;
	char why[256];
	kit_setup(&k, "spool");
	k.opt.segment_bytes = 1000;
	assert_int_equal(spool_open(&k.opt, NULL, NULL, &k.sp, why), -EINVAL);
	k.opt.segment_bytes = KIT_SEGMENT;
	k.opt.dir = "/nowhere/at/all";
	assert_int_equal(spool_open(&k.opt, NULL, NULL, &k.sp, why), -ENOENT);
	assert_non_null(strstr(why, "/nowhere/at/all"));
	kit_teardown(&k);
}

/* Two logs of equal content must not take each other's positions: the first mark is random. */
static void a_new_log_has_marks_of_its_own(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	kit_group(&k, 1, 1, 10, true);
	struct tally_position mine = after(0);
	kit_teardown(&k);
	kit_setup(&k, "spool");
	kit_open(&k);
	kit_group(&k, 1, 1, 10, true);
	struct spool_reader *r = spool_reader_open(k.sp);
	assert_true(after(0).lsn == mine.lsn);
	assert_int_equal(spool_reader_seek(r, mine), -ENOENT);
	spool_reader_close(r);
	kit_teardown(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_synced_is_read_back),
		cmocka_unit_test(readers_see_only_what_is_durable),
		cmocka_unit_test(payloads_of_every_small_length_come_back),
		cmocka_unit_test(a_group_may_cross_segments),
		cmocka_unit_test(every_segment_begins_with_a_checkpoint),
		cmocka_unit_test(recall_may_stop_the_opening),
		cmocka_unit_test(seek_proves_the_place),
		cmocka_unit_test(one_record_is_read_by_its_lsn),
		cmocka_unit_test(trim_lets_go_of_whole_segments_only),
		cmocka_unit_test(trim_leaves_a_durable_trace),
		cmocka_unit_test(retain_keeps_what_is_young_up_to_its_limit),
		cmocka_unit_test(recycled_segments_hide_their_past),
		cmocka_unit_test(a_reader_without_a_hold_learns_that_its_place_is_gone),
		cmocka_unit_test(two_daemons_cannot_share_a_folder),
		cmocka_unit_test(another_segment_size_in_the_configuration_is_no_trouble),
		cmocka_unit_test(options_that_cannot_work_are_refused),
		cmocka_unit_test(a_new_log_has_marks_of_its_own),
	};
	return RUN_TESTS("spool", tests);
}
