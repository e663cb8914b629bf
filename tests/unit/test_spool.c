/* SPDX-License-Identifier: Apache-2.0 */
/* What the spool does on a good day: append, write, sync, read, reopen, trim, seek. */
#include "spool_kit.h"

static struct kit k;

static void what_is_synced_is_read_back(void **state)
{
	(void)state;
	kit_setup(&k, "spool");
	kit_open(&k);
	for (uint32_t i = 0; i < 40; i++)
		kit_group(&k, i * 10, 1 + i % 4, 100 + i * 37, true);
	struct spool_stats st;
	spool_stats(k.sp, &st);
	assert_true(st.segments > 3);
	assert_true(st.durable == kit_end(&k) && st.end == st.durable);
	kit_expect(&k, KIT_OLDEST, 0, k.n);
	kit_reopen(&k);
	assert_true(k.recalled > k.n);
	spool_stats(k.sp, &st);
	assert_int_equal(st.cut_bytes + st.lost_bytes + st.quarantined, 0);
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
	assert_int_equal(spool_sync(k.sp, kit_end(&k)), 0);
	kit_expect(&k, KIT_OLDEST, 0, 4);
	kit_teardown(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_synced_is_read_back),
		cmocka_unit_test(readers_see_only_what_is_durable),
	};
	return RUN_TESTS("spool", tests);
}
