/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/rollup against sums made the slow way. */
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "../../plugins/rollup/keys.h"
#include "fake_host.h"
#include "unit.h"

#define MIN_US (60 * INT64_C(1000000))
#define DAY_US (1440 * MIN_US)
#define NOON (20000 * DAY_US + 720 * MIN_US) /* a quarter hour, in the middle of a day */

static const struct tally_metric total_metrics[] = {
	{ .kind = TALLY_EVENTS },
	{ .kind = TALLY_PAGEVIEWS },
	{ .kind = TALLY_VISITORS },
	{ .kind = TALLY_SUM },
	{ .kind = TALLY_MIN },
	{ .kind = TALLY_MAX },
	{ .kind = TALLY_SUM, .is_prop = 1, .field = { "n", 1 } },
	{ .kind = TALLY_QUANTILE },
};
static const struct tally_metric page_metrics[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITORS } };
static const struct tally_dimension page_dims[] = { { .kind = TALLY_DIM_NAME }, { .kind = TALLY_DIM_PAGE } };
static const struct tally_dimension item_dims[] = { { .kind = TALLY_DIM_PROP, .key = { "item", 4 } } };

static const struct tally_rollup rollups[] = {
	{ .id = 0, .nmetrics = 8, .name = { "total", 5 }, .metrics = total_metrics },
	{ .id = 1, .ndims = 2, .nmetrics = 2, .name = { "pages", 5 }, .dims = page_dims, .metrics = page_metrics },
	{ .id = 2, .ndims = 1, .nmetrics = 2, .name = { "items", 5 }, .dims = item_dims, .metrics = page_metrics },
};

static const struct fake_option options[] = { { .name = "key_memory", .i = 64 << 20 }, { .name = NULL } };

static void open_rollup(struct fake *f)
{
	fake_load(f, "rollup");
	f->station = TALLY_LINE;
	f->rollups = rollups;
	f->nrollups = 3;
	f->options = options;
	assert_int_equal(fake_open(f), 0);
}

static struct tally_event event_at(int64_t time_us, const char *name, const char *visitor, const char *page)
{
	return (struct tally_event){ .time_us = time_us,
		.name = str_of(name),
		.site = STR("shop"),
		.visitor = str_of(visitor),
		.page = str_of(page),
		.weight = 1 };
}

static void send(struct fake *f, struct tally_event ev)
{
	assert_int_equal(fake_event(f, &ev), TALLY_PASS);
}

static const struct fake_row *row(
	struct fake *f, const char *rollup, const char *grain, int64_t bucket_us, const char *dims)
{
	char key[256];
	snprintf(key, sizeof key, "%s shop %s %lld %s", rollup, grain, (long long)bucket_us, dims);
	const struct fake_row *r = fake_find(f, key);
	if (!r)
		fail_msg("no row %s", key);
	return r;
}

static void every_grain_has_its_row(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	send(&f, event_at(NOON, "view", "ann", "/a"));
	send(&f, event_at(NOON + MIN_US, "view", "bob", "/a"));
	send(&f, event_at(NOON + MIN_US, "click", "bob", "/a"));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(row(&f, "total", "minute", NOON, "")->amounts[0].count, 1);
	assert_int_equal(row(&f, "total", "minute", NOON + MIN_US, "")->amounts[0].count, 2);
	assert_int_equal(row(&f, "total", "quarter", NOON, "")->amounts[0].count, 3);
	assert_int_equal(row(&f, "total", "quarter", NOON, "")->amounts[1].count, 2);
	assert_int_equal(row(&f, "total", "quarter", NOON, "")->amounts[2].people, 2);
	assert_int_equal(row(&f, "total", "day", 20000 * DAY_US, "")->amounts[0].count, 3);
	assert_int_equal(row(&f, "total", "month", 19980 * DAY_US, "")->amounts[2].people, 2);
	assert_int_equal(row(&f, "pages", "day", 20000 * DAY_US, "view|/a")->amounts[1].people, 2);
	assert_int_equal(row(&f, "pages", "day", 20000 * DAY_US, "click|/a")->amounts[0].count, 1);
	assert_int_equal(row(&f, "items", "day", 20000 * DAY_US, "")->amounts[0].count, 3);
	/* the batch is over: nothing of it comes again */
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(f.nrows, 0);
	fake_close(&f);
}

static void numbers_are_numbers_only(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	struct tally_prop prop = { .key = STR("n"), .text = STR("5"), .number = 5, .type = TALLY_PROP_NUMBER };
	struct tally_prop text = { .key = STR("n"), .text = STR("7"), .type = TALLY_PROP_STRING };
	struct tally_prop yes = { .key = STR("n"), .text = STR("true"), .number = 1, .type = TALLY_PROP_BOOL };
	struct tally_event ev = event_at(NOON, "buy", "", "");
	ev.has_value = 1;
	ev.value = -2.5;
	ev.props = &prop;
	ev.nprops = 1;
	send(&f, ev);
	ev.value = 4;
	ev.props = &text;
	send(&f, ev);
	ev.has_value = 0;
	ev.value = 1000; /* not set: must not count */
	ev.props = &yes;
	send(&f, ev);
	assert_int_equal(fake_flush(&f), 0);
	const struct fake_amount *am = row(&f, "total", "month", 19980 * DAY_US, "")->amounts;
	assert_int_equal(am[0].count, 3);
	assert_int_equal(am[2].people, 0); /* no visitor is nobody */
	assert_true(am[3].number == 1.5 && am[3].count == 2);
	assert_true(am[4].number == -2.5 && am[4].count == 2);
	assert_true(am[5].number == 4 && am[5].count == 2);
	assert_true(am[6].number == 5 && am[6].count == 1);
	fake_close(&f);
}

/* Numbers of one cell, of several cells of one coarser one, and weighted ones. */
static void numbers_are_kept_for_percentiles(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	for (int i = 0; i < 3000; i++) {
		struct tally_event ev = event_at(NOON + i % 3 * MIN_US, "buy", "", "");
		ev.has_value = i % 4 != 3; /* 2250 of them: 0, 1, 2, 4, 5, … */
		ev.value = i - 1000;
		if (i == 2996)
			ev.weight = 100;
		send(&f, ev);
	}
	assert_int_equal(fake_flush(&f), 0);
	for (int minute = 0; minute < 3; minute++) {
		const struct fake_amount *am = row(&f, "total", "minute", NOON + minute * MIN_US, "")->amounts;
		assert_int_equal(am[7].numbers, 750 + (minute == 2 ? 99 : 0));
	}
	static const struct {
		const char *grain;
		int64_t bucket_us;
	} coarse[] = { { "quarter", NOON }, { "day", 20000 * DAY_US }, { "month", 19980 * DAY_US } };
	for (int i = 0; i < 3; i++) {
		const struct fake_amount *am = row(&f, "total", coarse[i].grain, coarse[i].bucket_us, "")->amounts;
		assert_int_equal(am[7].numbers, 2250 + 99);
		assert_true(am[7].median > 565 * 0.99 && am[7].median < 566 * 1.01); /* rank 1175 of 2349 */
	}
	struct tally_event none = event_at(NOON, "view", "", "");
	send(&f, none);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(row(&f, "total", "day", 20000 * DAY_US, "")->amounts[7].numbers, 0);
	fake_close(&f);
}

static void nothing_seen_is_not_zero(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	struct tally_event ev = event_at(NOON, "buy", "", "");
	send(&f, ev); /* no number in this minute, one below zero in the next: the greatest is not 0 */
	ev.time_us += MIN_US;
	ev.has_value = 1;
	ev.value = -3;
	send(&f, ev);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(row(&f, "total", "minute", NOON, "")->amounts[5].count, 0);
	assert_true(row(&f, "total", "quarter", NOON, "")->amounts[5].number == -3);
	assert_int_equal(row(&f, "total", "quarter", NOON, "")->amounts[5].count, 1);
	fake_close(&f);
}

static void sums_stay_finite_and_counts_saturate(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	struct tally_event ev = event_at(NOON, "buy", "", "");
	ev.has_value = 1;
	ev.value = DBL_MAX;
	send(&f, ev);
	send(&f, ev);
	assert_int_equal(fake_flush(&f), 0);
	assert_true(row(&f, "total", "day", 20000 * DAY_US, "")->amounts[3].number == DBL_MAX);
	fake_close(&f);
}

static int64_t no_old_minutes(const struct tally_rollup *r, uint32_t grain, struct tally_str site)
{
	(void)site;
	if (grain == TALLY_MINUTE)
		return r->id == 2 ? INT64_MAX : NOON + 5 * MIN_US;
	if (grain == TALLY_QUARTER)
		return r->id == 1 ? INT64_MAX : NOON;
	return grain == TALLY_DAY && r->id == 2 ? 20001 * DAY_US : INT64_MIN;
}

static void rows_before_a_horizon_are_not_emitted(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	f.horizon = no_old_minutes;
	send(&f, event_at(NOON + 4 * MIN_US, "view", "ann", "/a")); /* too old for a minute */
	send(&f, event_at(NOON + 5 * MIN_US, "view", "bob", "/a")); /* the first minute kept */
	send(&f, event_at(NOON - 1, "view", "cid", "/a"));          /* too old for a quarter hour */
	assert_int_equal(fake_flush(&f), 0);
	for (size_t i = 0; i < f.nrows; i++) {
		char rollup[16], grain[16];
		long long bucket;
		assert_int_equal(sscanf(f.rows[i].key, "%15s shop %15s %lld", rollup, grain, &bucket), 3);
		if (strcmp(grain, "minute") == 0) {
			assert_string_not_equal(rollup, "items");
			assert_true(bucket == NOON + 5 * MIN_US);
		}
		if (strcmp(grain, "quarter") == 0) {
			assert_string_not_equal(rollup, "pages");
			assert_true(bucket == NOON);
		}
		if (strcmp(grain, "day") == 0)
			assert_string_not_equal(rollup, "items");
	}
	assert_int_equal(row(&f, "total", "minute", NOON + 5 * MIN_US, "")->amounts[0].count, 1);
	/* what has no finer row is in the coarser one all the same, and in it once */
	assert_int_equal(row(&f, "total", "quarter", NOON, "")->amounts[0].count, 2);
	assert_int_equal(row(&f, "pages", "day", 20000 * DAY_US, "view|/a")->amounts[0].count, 3);
	assert_int_equal(row(&f, "pages", "day", 20000 * DAY_US, "view|/a")->amounts[1].people, 3);
	assert_int_equal(row(&f, "items", "month", 19980 * DAY_US, "")->amounts[0].count, 3);
	fake_close(&f);
}

static void a_day_begins_where_the_host_says(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	f.day_shift_us = -2 * 60 * MIN_US; /* two hours east */
	send(&f, event_at(20000 * DAY_US - 120 * MIN_US - 1, "view", "ann", "/a"));
	send(&f, event_at(20000 * DAY_US - 120 * MIN_US, "view", "ann", "/a"));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(row(&f, "total", "day", 19999 * DAY_US + f.day_shift_us, "")->amounts[0].count, 1);
	assert_int_equal(row(&f, "total", "day", 20000 * DAY_US + f.day_shift_us, "")->amounts[0].count, 1);
	fake_close(&f);
}

static void times_before_1970_have_buckets(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	send(&f, event_at(-1, "view", "ann", "/a"));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(row(&f, "total", "minute", -MIN_US, "")->amounts[0].count, 1);
	assert_int_equal(row(&f, "total", "day", -DAY_US, "")->amounts[0].count, 1);
	fake_close(&f);
}

static void a_thrown_away_batch_leaves_nothing(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	for (int i = 0; i < 100; i++)
		send(&f, event_at(NOON + i * MIN_US, "view", "ann", "/a"));
	fake_reset(&f);
	send(&f, event_at(NOON, "view", "bob", "/a"));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(row(&f, "total", "day", 20000 * DAY_US, "")->amounts[0].count, 1);
	assert_int_equal(f.nrows, 12);
	fake_close(&f);
}

static void a_refused_row_ends_the_flush(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	f.emit_rc = -EIO;
	send(&f, event_at(NOON, "view", "ann", "/a"));
	assert_int_equal(fake_flush(&f), -EIO);
	f.emit_rc = 0;
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(f.nrows, 0);
	fake_close(&f);
}

static void values_with_the_same_bytes_joined_are_two_keys(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	send(&f, event_at(NOON, "ab", "ann", "c"));
	send(&f, event_at(NOON, "a", "ann", "bc"));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(row(&f, "pages", "day", 20000 * DAY_US, "ab|c")->amounts[0].count, 1);
	assert_int_equal(row(&f, "pages", "day", 20000 * DAY_US, "a|bc")->amounts[0].count, 1);
	fake_close(&f);
}

static void thinned_events_stand_for_more(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	struct tally_event ev = event_at(NOON, "view", "ann", "/a");
	ev.has_value = 1;
	ev.value = 3;
	ev.weight = 4;
	send(&f, ev);
	assert_int_equal(fake_flush(&f), 0);
	const struct fake_amount *am = row(&f, "total", "day", 20000 * DAY_US, "")->amounts;
	assert_true(am[0].count == 4 && am[1].count == 4 && am[2].people == 1);
	assert_true(am[3].number == 12 && am[3].count == 4 && am[4].number == 3);
	fake_close(&f);
}

/* ---- the cap ---- */

static const struct tally_metric of_visits[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITS } };
static const struct tally_dimension only_page[] = { { .kind = TALLY_DIM_PAGE } };
static const struct tally_dimension only_source[] = { { .kind = TALLY_DIM_PROP, .key = { "$source", 7 } } };
static const struct tally_rollup capped[] = {
	{ .id = 0,
		.ndims = 1,
		.nmetrics = 1,
		.keys = 16,
		.name = { "pages", 5 },
		.dims = only_page,
		.metrics = page_metrics },
	{ .id = 1,
		.ndims = 1,
		.nmetrics = 2,
		.keys = 2,
		.name = { "sources", 7 },
		.dims = only_source,
		.metrics = of_visits },
};

static int64_t of_page(const struct fake *f, const char *page)
{
	char key[64];
	snprintf(key, sizeof key, "pages shop day %lld %s", (long long)(20000 * DAY_US), page);
	const struct fake_row *r = fake_find(f, key);
	return r ? r->amounts[0].count : 0;
}

static void send_pages(struct fake *f, int first, int n, int times)
{
	for (int i = 0; i < n * times; i++) {
		char page[16];
		snprintf(page, sizeof page, "/%d", first + i / times);
		send(f, event_at(NOON, "view", "ann", page));
	}
}

/* 256 of 16384: then it has a row of its own, within that very batch, and three (an eighth of 16, and one) may. */
static void a_folded_key_that_comes_often_gets_a_row(void **state)
{
	(void)state;
	struct fake f;
	fake_load(&f, "rollup");
	f.station = TALLY_LINE;
	f.rollups = capped;
	f.nrollups = 2;
	f.options = options;
	assert_int_equal(fake_open(&f), 0);
	send_pages(&f, 0, 16, 1);
	send_pages(&f, 100, 1, 255);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(of_page(&f, "/100"), 0);
	assert_int_equal(of_page(&f, "(other)"), 255);
	assert_int_equal(fake_counted(&f, "admitted_late"), 0);
	send_pages(&f, 100, 1, 10);
	send_pages(&f, 3, 1, 2);
	send_pages(&f, 200, 1, 3);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(of_page(&f, "/100"), 10); /* from the 256th on */
	assert_int_equal(of_page(&f, "/3"), 2);
	assert_int_equal(of_page(&f, "(other)"), 3);
	send_pages(&f, 300, 5, 400);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(fake_counted(&f, "admitted_late"), 3);
	assert_int_equal(of_page(&f, "/300"), 145);
	assert_int_equal(of_page(&f, "/301"), 145);
	assert_int_equal(of_page(&f, "/302"), 0);
	assert_int_equal(of_page(&f, "(other)"), 5 * 400 - 2 * 145);
	/* nothing that is rare, however much comes of it in all */
	fake_reset(&f);
	for (int i = 0; i < 30000; i++)
		send_pages(&f, 1000 + i % 300, 1, 1);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(of_page(&f, "(other)"), 30000);
	fake_close(&f);
}

/* 1 in 100 is not frequent, however long it goes on. */
static void what_is_rare_stays_folded(void **state)
{
	(void)state;
	struct fake f;
	fake_load(&f, "rollup");
	f.station = TALLY_LINE;
	f.rollups = capped;
	f.nrollups = 1;
	f.options = options;
	assert_int_equal(fake_open(&f), 0);
	send_pages(&f, 0, 16, 1);
	for (int i = 0; i < 60000; i++) {
		send_pages(&f, i % 100 ? 1000 + i : 99, 1, 1);
		if (i % 5000 == 4999)
			assert_int_equal(fake_flush(&f), 0);
	}
	assert_int_equal(fake_counted(&f, "admitted_late"), 0);
	fake_close(&f);
}

/* Rows for what is frequent are not taken from those that names keep when pages fold. */
static void names_keep_their_rows(void **state)
{
	(void)state;
	static const struct tally_rollup both = { .ndims = 2,
		.nmetrics = 1,
		.keys = 16,
		.name = { "pages", 5 },
		.dims = page_dims,
		.metrics = page_metrics };
	struct fake f;
	fake_load(&f, "rollup");
	f.station = TALLY_LINE;
	f.rollups = &both;
	f.nrollups = 1;
	f.options = options;
	assert_int_equal(fake_open(&f), 0);
	send_pages(&f, 0, 16, 1);
	send_pages(&f, 300, 3, 400);
	assert_int_equal(fake_counted(&f, "admitted_late"), 3);
	send(&f, event_at(NOON, "click", "ann", "/new"));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(of_page(&f, "click|(other)"), 1);
	fake_close(&f);
}

/* Sets in one bucket, more than memory holds: those used last are there. */
static void the_set_used_longest_ago_makes_room(void **state)
{
	(void)state;
	const size_t bytes = sizeof(struct keyset) + 64 * sizeof(uint64_t);
	struct keys *k = keys_open(50 * bytes);
	assert_non_null(k);
	const uint64_t always = 64 * 1000 + 1;
	assert_true(keyset_put(k, keyset_of(k, always), 5));
	for (uint64_t i = 0; i < 1000; i++) {
		assert_true(keyset_has(keyset_of(k, always), 5));
		uint64_t id = i % 150 * 64 + 1;
		struct keyset *s = keyset_of(k, id);
		assert_non_null(s);
		assert_int_equal(s->id, id);
		if (!keyset_has(s, id))
			assert_true(keyset_put(k, s, id));
		for (uint64_t back = 0; back < 40 && back <= i; back++) {
			uint64_t other = (i - back) % 150 * 64 + 1;
			assert_true(keyset_has(keyset_of(k, other), other));
		}
		for (uint64_t back = 40; back-- > 0;) /* in the order of before */
			if (back <= i)
				(void)keyset_of(k, (i - back) % 150 * 64 + 1);
	}
	assert_false(keyset_has(keyset_of(k, 1), 1)); /* forgotten: the last were 100..149 */
	keys_close(k);
}

static void visit_of(struct fake *f, const char *before, const char *now)
{
	struct tally_str was[TALLY_VISIT_VALUES] = { [TALLY_VISIT_SOURCE] = str_of(before ? before : "") };
	struct tally_str is[TALLY_VISIT_VALUES] = { [TALLY_VISIT_SOURCE] = str_of(now) };
	struct tally_visit b = { .site = STR("shop"), .begin_us = NOON, .visits = 1, .values = was, .nvalues = 1 };
	struct tally_visit n = { .site = STR("shop"), .begin_us = NOON, .visits = 1, .values = is, .nvalues = 1 };
	f->in_batch = true;
	assert_int_equal(f->plugin->visit(f->self, before ? &b : NULL, &n), 0);
}

static int64_t visits_from(const struct fake *f, const char *source)
{
	char key[64];
	snprintf(key, sizeof key, "sources shop day %lld %s", (long long)(20000 * DAY_US), source);
	const struct fake_row *r = fake_find(f, key);
	return r ? r->amounts[1].count : 0;
}

/* A visit moves from what it came with to what an earlier event came with; folded ones stay folded however many they are,
 * or they would be taken away where they never were. */
static void visits_move_between_sources(void **state)
{
	(void)state;
	struct fake f;
	fake_load(&f, "rollup");
	f.station = TALLY_LINE;
	f.rollups = capped;
	f.nrollups = 2;
	f.options = options;
	assert_int_equal(fake_open(&f), 0);
	send_pages(&f, 0, 1, 1); /* opens the batch; its event has no source: the first key */
	visit_of(&f, NULL, "Google");
	visit_of(&f, NULL, "Google");
	for (int i = 0; i < 400; i++)
		visit_of(&f, NULL, "Bing");
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(visits_from(&f, "Google"), 2);
	assert_int_equal(visits_from(&f, "(other)"), 400);
	send_pages(&f, 0, 1, 1);
	visit_of(&f, "Google", "Bing");
	visit_of(&f, "Bing", "");
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(visits_from(&f, "Google"), -1);
	assert_int_equal(visits_from(&f, "(other)"), 0);
	assert_int_equal(visits_from(&f, ""), 1);
	assert_int_equal(fake_counted(&f, "admitted_late"), 0);
	fake_close(&f);
}

/* ---- many events against sums made the slow way ---- */

#define MANY 20000
#define PAGES 40
#define PEOPLE 3000

struct oracle {
	int64_t events;
	bool seen[PEOPLE];
};

static size_t people_of(const struct oracle *o)
{
	size_t n = 0;
	for (int i = 0; i < PEOPLE; i++)
		n += o->seen[i];
	return n;
}

static void rows_come_in_order(const struct fake *f)
{
	static const char *const names[] = { "total", "pages", "items" };
	static const char *const grains[] = { "minute", "quarter", "day", "month" };
	long long before[4] = { -1, -1, INT64_MIN, 0 };
	char dims_before[128] = "";
	for (size_t i = 0; i < f->nrows; i++) {
		char name[16], site[16], grain[16], dims[128] = "";
		long long now[4] = { 0 };
		sscanf(f->rows[i].key, "%15s %15s %15s %lld %127s", name, site, grain, &now[2], dims);
		while (strcmp(names[now[0]], name) != 0)
			now[0]++;
		while (strcmp(grains[now[1]], grain) != 0)
			now[1]++;
		int c = 0;
		for (int k = 0; c == 0 && k < 3; k++)
			c = (now[k] > before[k]) - (now[k] < before[k]);
		if (c == 0)
			c = strcmp(dims, dims_before);
		assert_true(c > 0);
		memcpy(before, now, sizeof now);
		strcpy(dims_before, dims);
	}
}

static void many_events_add_up(void **state)
{
	(void)state;
	static struct oracle day[2][PAGES], all[2];
	struct fake f;
	open_rollup(&f);
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < MANY; i++) {
		char page[16], who[16];
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		int d = (int)(x & 1), p = (int)((x >> 8) % PAGES), v = (int)((x >> 24) % PEOPLE);
		snprintf(page, sizeof page, "/p%02d", p);
		snprintf(who, sizeof who, "v%d", v);
		send(&f, event_at((20000 + d) * DAY_US + (int64_t)(x >> 16 & 0xffff) * 1000000, "view", who, page));
		day[d][p].events++;
		day[d][p].seen[v] = true;
		all[d].events++;
		all[d].seen[v] = true;
	}
	assert_int_equal(fake_flush(&f), 0);
	rows_come_in_order(&f);
	for (int d = 0; d < 2; d++) {
		const struct fake_row *r = row(&f, "total", "day", (20000 + d) * DAY_US, "");
		assert_int_equal(r->amounts[0].count, all[d].events);
		assert_int_equal(r->amounts[2].people, people_of(&all[d]));
		for (int p = 0; p < PAGES; p++) {
			char dims[32];
			snprintf(dims, sizeof dims, "view|/p%02d", p);
			r = row(&f, "pages", "day", (20000 + d) * DAY_US, dims);
			assert_int_equal(r->amounts[0].count, day[d][p].events);
			assert_int_equal(r->amounts[1].people, people_of(&day[d][p]));
		}
	}
	fake_close(&f);
}

static void sites_are_apart_and_in_order(void **state)
{
	(void)state;
	struct fake f;
	open_rollup(&f);
	static const char *const names[] = { "b", "a", "ab", "b" };
	for (int i = 0; i < 4; i++) {
		struct tally_event ev = event_at(NOON, "view", "ann", "/a");
		ev.site = str_of(names[i]);
		send(&f, ev);
	}
	assert_int_equal(fake_flush(&f), 0);
	static const char *const want[] = { "total a minute", "total a quarter", "total a day", "total a month",
		"total ab minute", "total ab quarter", "total ab day", "total ab month", "total b minute",
		"total b quarter", "total b day", "total b month" };
	size_t at = 0;
	for (size_t i = 0; i < f.nrows; i++)
		if (strncmp(f.rows[i].key, "total", 5) == 0) {
			assert_int_equal(strncmp(f.rows[i].key, want[at], strlen(want[at])), 0);
			at++;
		}
	assert_int_equal(at, 12);
	assert_int_equal(f.rows[8].amounts[0].count, 2);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_grain_has_its_row),
		cmocka_unit_test(numbers_are_numbers_only),
		cmocka_unit_test(numbers_are_kept_for_percentiles),
		cmocka_unit_test(nothing_seen_is_not_zero),
		cmocka_unit_test(sums_stay_finite_and_counts_saturate),
		cmocka_unit_test(rows_before_a_horizon_are_not_emitted),
		cmocka_unit_test(a_day_begins_where_the_host_says),
		cmocka_unit_test(times_before_1970_have_buckets),
		cmocka_unit_test(a_thrown_away_batch_leaves_nothing),
		cmocka_unit_test(a_refused_row_ends_the_flush),
		cmocka_unit_test(values_with_the_same_bytes_joined_are_two_keys),
		cmocka_unit_test(a_folded_key_that_comes_often_gets_a_row),
		cmocka_unit_test(what_is_rare_stays_folded),
		cmocka_unit_test(names_keep_their_rows),
		cmocka_unit_test(the_set_used_longest_ago_makes_room),
		cmocka_unit_test(visits_move_between_sources),
		cmocka_unit_test(thinned_events_stand_for_more),
		cmocka_unit_test(many_events_add_up),
		cmocka_unit_test(sites_are_apart_and_in_order),
	};
	return RUN_TESTS("rollup", tests);
}
