/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/degrade: who is told to come back, when, and with what reason. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "fake_host.h"
#include "unit.h"

static const struct fake_option usual[] = { { .name = "refuse_level", .i = 5 }, { .name = "spool", .d = 0.9 },
	{ .name = "disk", .d = 1.0 }, { .name = "scan_level", .i = 1 }, { .name = "raw_level", .i = 2 },
	{ .name = "retry_after", .i = 2500000 }, { .name = NULL } };

static int open_with(struct fake *f, const struct fake_option *options)
{
	fake_load(f, "degrade");
	f->options = options;
	return fake_open(f);
}

static int admit(struct fake *f)
{
	struct tally_event ev = { .name = STR("view"), .site = STR("shop"), .id = STR("a") };
	f->reason[0] = 0;
	return f->plugin->admit(f->self, 1, &ev);
}

static void events_are_refused_at_the_limits(void **state)
{
	(void)state;
	struct fake f;
	assert_int_equal(open_with(&f, usual), 0);
	f.level = 4;
	f.signals[TALLY_SIGNAL_SPOOL] = 0.89;
	f.signals[TALLY_SIGNAL_DISK] = 0.99;
	assert_int_equal(admit(&f), TALLY_PASS);
	f.level = 5;
	assert_int_equal(admit(&f), TALLY_REFUSE);
	assert_string_equal(f.reason, "overload");
	assert_int_equal(f.retry_after_s, 3);
	f.signals[TALLY_SIGNAL_SPOOL] = 0.9; /* the nearer cause is named */
	assert_int_equal(admit(&f), TALLY_REFUSE);
	assert_string_equal(f.reason, "spool_full");
	f.level = 0;
	f.signals[TALLY_SIGNAL_SPOOL] = 0;
	f.signals[TALLY_SIGNAL_DISK] = 1;
	assert_int_equal(admit(&f), TALLY_REFUSE);
	assert_string_equal(f.reason, "spool_full");
	fake_close(&f);
}

static void queries_are_refused_by_their_cost(void **state)
{
	(void)state;
	struct fake f;
	assert_int_equal(open_with(&f, usual), 0);
	/* rows: level 0, 1, 2, 6; columns: cost -1, 0, 1, 2 */
	static const int levels[] = { 0, 1, 2, 6 };
	static const int want[4][4] = { { 0, 0, 0, 0 }, { 0, 0, 0, 3 }, { 0, 0, 3, 3 }, { 0, 0, 3, 3 } };
	for (int l = 0; l < 4; l++)
		for (int cost = -1; cost <= 2; cost++) {
			struct tally_request rq = { .id = 1, .cost = cost, .is_query = 1 };
			f.level = levels[l];
			assert_int_equal(f.plugin->request(f.self, &rq), want[l][cost + 1]);
			rq.is_query = 0; /* the admin's requests are never refused */
			assert_int_equal(f.plugin->request(f.self, &rq), TALLY_PASS);
		}
	assert_string_equal(f.reason, "degraded");
	fake_close(&f);
}

static void options_out_of_range_are_refused(void **state)
{
	(void)state;
	static const struct {
		int row;
		int64_t i;
		double d;
		const char *word;
	} bad[] = { { 0, 0, 0, "level" }, { 3, 8, 0, "level" }, { 1, 0, 1.01, "spool" }, { 2, 0, 0, "disk" },
		{ 1, 0, NAN, "spool" } };
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
		struct fake_option options[sizeof usual / sizeof *usual];
		struct fake f;
		memcpy(options, usual, sizeof usual);
		options[bad[k].row].i = bad[k].i;
		options[bad[k].row].d = bad[k].d;
		assert_int_equal(open_with(&f, options), -EINVAL);
		assert_non_null(strstr(f.said, bad[k].word));
		fake_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_refused_at_the_limits),
		cmocka_unit_test(queries_are_refused_by_their_cost),
		cmocka_unit_test(options_out_of_range_are_refused),
	};
	return RUN_TESTS("degrade", tests);
}
