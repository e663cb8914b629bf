/* SPDX-License-Identifier: Apache-2.0 */
/* No room: it is said before anything is accepted, it breaks nothing, and it ends. */
#include "base/clock.h"
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

static void full_is_said_before_anything_is_taken_and_ends_with_trim(void **state)
{
	(void)state;
	kit_setup(&k, "fault");
	k.opt.max_bytes = 3 * KIT_SEGMENT;
	kit_open(&k);
	int rc = 0;
	for (uint32_t i = 0; i < 200 && rc == 0; i++) {
		rc = spool_reserve(k.sp, 900, 1);
		if (rc == 0)
			kit_group(&k, i, 1, 900, true);
	}
	assert_int_equal(rc, -ENOSPC);
	assert_true(k.n > 30 && stats().bytes == k.opt.max_bytes);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kit_reopen(&k); /* a full spool opens */
	assert_int_equal(spool_reserve(k.sp, 9000, 1), -ENOSPC);
	spool_trim(k.sp, k.recs[20].lsn, k.now_us);
	kit_group(&k, 1000, 1, 900, true);
	kit_teardown(&k);
}

static void a_full_disk_leaves_no_rubbish(void **state)
{
	(void)state;
	kit_setup(&k, "fault");
	kit_open(&k);
	arm("spool.fill:1:short,spool.fill:2:ENOSPC");
	assert_int_equal(spool_reserve(k.sp, 900, 1), -ENOSPC);
	assert_int_equal(stats().bytes, 0);
	arm("spool.fillsync:1:EIO");
	assert_int_equal(spool_reserve(k.sp, 900, 1), -EIO);
	arm("spool.dirsync:1:EIO");
	assert_int_equal(spool_reserve(k.sp, 900, 1), -EIO);
	arm("spool.open:1:EROFS");
	assert_int_equal(spool_reserve(k.sp, 900, 1), -EROFS);
	arm(NULL);
	assert_int_equal(stats().bytes, 0);
	kit_group(&k, 1, 1, 900, true);
	assert_int_equal(stats().bytes, KIT_SEGMENT);
	kit_teardown(&k);
}

static void keep_free_is_looked_at_once_a_second(void **state)
{
	(void)state;
	kit_setup(&k, "fault");
	k.opt.keep_free = 1.0;
	clock_set_test(1000, 1000);
	kit_open(&k);
	assert_int_equal(spool_reserve(k.sp, 900, 1), -ENOSPC);
	spool_close(k.sp);
	k.opt.keep_free = 0;
	kit_open(&k);
	arm("spool.space:1:ENOSPC");
	assert_int_equal(spool_reserve(k.sp, 900, 1), -ENOSPC);
	clock_set_test(1000, 900000);
	assert_int_equal(spool_reserve(k.sp, 900, 1), -ENOSPC); /* from memory */
	clock_set_test(1000, 1001001);
	assert_int_equal(spool_reserve(k.sp, 900, 1), 0);
	arm(NULL);
	clock_set_test(-1, 0);
	kit_teardown(&k);
}

/* Segments that are only retained give way when room runs out. */
static void retained_segments_give_way(void **state)
{
	(void)state;
	kit_setup(&k, "full");
	k.opt.max_bytes = 8 * KIT_SEGMENT;
	k.opt.retain_us = INT64_MAX / 2;
	k.opt.retain_max_bytes = UINT64_MAX;
	kit_open(&k);
	for (uint32_t i = 0; i < 70; i++)
		kit_group(&k, i, 1, 900, true);
	assert_true(stats().segments == 6);
	spool_trim(k.sp, kit_end(&k), k.now_us);
	assert_int_equal(stats().segments, 5); /* half of max, and the last */
	arm("spool.fill:1:ENOSPC,spool.space:2+:ENOSPC");
	int rc = 0;
	for (uint32_t i = 100; i < 200 && rc == 0; i++) {
		rc = spool_reserve(k.sp, 900, 1);
		if (rc == 0)
			kit_group(&k, i, 1, 900, true);
	}
	assert_int_equal(rc, -ENOSPC);
	spool_trim(k.sp, kit_end(&k), k.now_us);
	assert_int_equal(stats().segments, 1);
	arm(NULL);
	kit_group(&k, 300, 1, 900, true);
	kit_teardown(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_is_said_before_anything_is_taken_and_ends_with_trim),
		cmocka_unit_test(a_full_disk_leaves_no_rubbish),
		cmocka_unit_test(keep_free_is_looked_at_once_a_second),
		cmocka_unit_test(retained_segments_give_way),
	};
	return RUN_TESTS("spool_full", tests);
}
