/* SPDX-License-Identifier: Apache-2.0 */
/* Stores: positions, rows, merges, refused rows, retention. */
#include "sink_store_tests.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/seam.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

#define ITEMS (&s->schema->rollups[0].table)
#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])
#define MAX_MARK UINT64_C(0xffffffffffffffff)

/* ---- positions ---- */

void test_a_new_store_stands_at_the_beginning(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_true(s->at.lsn == 0 && s->at.mark == 0);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 0);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_items`"), 0);
	assert_int_equal(shop_number(s, "SELECT `number` FROM `tally_node`"), 1);
	shop_close(s);
}

void test_the_position_moves_with_the_rows(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 3), 3);
	struct tally_position wrote = s->at;
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_true(s->at.lsn == wrote.lsn && s->at.mark == wrote.mark);
	assert_true(s->at.mark > INT64_MAX || wrote.mark <= INT64_MAX);
	shop_close(s);
	s = shop_open(NODE_A, "main", "");
	assert_true(s->at.lsn == wrote.lsn && s->at.mark == wrote.mark);
	assert_true(shop_number(s, "SELECT `committed` FROM `tally_position`") > INT64_C(1600000000000000));
	shop_close(s);
}

void test_positions_use_all_64_bits(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_batch b = { .from = s->at, .to = { MAX_MARK - 1, MAX_MARK } };
	assert_int_equal(s->sink->write(s->in->self, &b), TALLY_SINK_OK);
	b = (struct tally_batch){ .from = b.to, .to = { MAX_MARK, INT64_C(1) << 62 } };
	assert_int_equal(s->sink->write(s->in->self, &b), TALLY_SINK_OK);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_true(s->at.lsn == MAX_MARK && s->at.mark == UINT64_C(1) << 62);
	shop_close(s);
}

void test_another_position_is_moved(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 1), 1);
	struct tally_position stood = s->at;
	s->at.mark ^= 1;
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 64, 5), 5), TALLY_SINK_MOVED);
	s->at = (struct tally_position){ stood.lsn + 1, stood.mark };
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 64, 5), 5), TALLY_SINK_MOVED);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_true(s->at.lsn == stood.lsn && s->at.mark == stood.mark);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 1);
	shop_close(s);
}

/* Twice within one moment: an UPDATE that changes nothing has found its row all the same. */
void test_rows_only_leave_the_position(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell row[] = { text("k"), text("v"), number(5) };
	struct tally_rows rows = { &s->schema->fixed[SCHEMA_META], 1, row };
	struct tally_batch b = { .from = s->at, .to = s->at, .rows = &rows, .nrows = 1 };
	for (int i = 0; i < 3; i++)
		assert_int_equal(s->sink->write(s->in->self, &b), TALLY_SINK_OK);
	b.from.lsn = b.to.lsn = 9;
	assert_int_equal(s->sink->write(s->in->self, &b), TALLY_SINK_MOVED);
	shop_close(s);
}

void test_nodes_are_numbered_and_stand_apart(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", ""), *b = shop_open(NODE_B, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 2), 2);
	shop_must_write(b, &b->schema->fixed[SCHEMA_EVENT], shop_events(b, 0, 3), 3);
	shop_must_write(b, &b->schema->fixed[SCHEMA_EVENT], shop_events(b, 64, 1), 1);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event` WHERE `node` = 1"), 2);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event` WHERE `node` = 2"), 4);
	assert_string_equal(shop_text(s, "SELECT `uuid` FROM `tally_node` WHERE `number` = 2"), NODE_B);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(shop_position(b), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 64);
	assert_int_equal(b->at.lsn, 128);
	shop_close(s);
	shop_close(b);
}

void test_another_lines_name_is_refused(void **state)
{
	(void)state;
	place.wipe();
	shop_close(shop_open(NODE_A, "old", ""));
	struct shop *s = shop_open_quietly(NODE_A, "new", "", &shop_rollup);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "tally adopt new --from old"));
	shop_close(s);
}

#define LETTERS (&s->schema->fixed[SCHEMA_DEAD])

static struct tally_cell *letter(struct shop *s, const char *line, int64_t lsn)
{
	struct tally_cell *c = arena_zalloc(&s->arena, LETTERS->ncolumns * sizeof *c);
	*cell_of(c, 0, LETTERS, "line") = text(line);
	*cell_of(c, 0, LETTERS, "lsn") = number(lsn);
	*cell_of(c, 0, LETTERS, "site") = text("s");
	*cell_of(c, 0, LETTERS, "error") = text("no");
	*cell_of(c, 0, LETTERS, "raw") = bytes("{}", 2);
	return c;
}

void test_a_renamed_line_adopts_what_it_wrote(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "old", "");
	shop_must_write(s, LETTERS, letter(s, "old", 7), 1);
	struct tally_position at = s->at;
	shop_close(s);
	s = shop_open(NODE_B, "old", "");
	shop_must_write(s, LETTERS, letter(s, "old", 8), 1);
	shop_close(s);

	s = shop_open_quietly(NODE_A, "new", "", &shop_rollup);
	assert_int_equal(s->sink->adopt(s->in->self, "nobody"), TALLY_SINK_STOP);
	assert_int_equal(s->sink->adopt(s->in->self, "old"), TALLY_SINK_OK);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_true(s->at.lsn == at.lsn && s->at.mark == at.mark);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_dead` WHERE `line` = 'new' AND `lsn` = 7"), 1);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_dead` WHERE `line` = 'old' AND `lsn` = 8"), 1);
	shop_close(s);
}

void test_rows_go_by_their_key(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_B, "main", "");
	shop_must_write(s, LETTERS, letter(s, "main", 7), 1);
	shop_close(s);
	s = shop_open(NODE_A, "main", "");
	for (int64_t lsn = 7; lsn < 10; lsn++)
		shop_must_write(s, LETTERS, letter(s, "main", lsn), 1);
	struct tally_cell *gone = arena_alloc(&s->arena, 2 * LETTERS->ncolumns * sizeof *gone);
	memcpy(gone, letter(s, "main", 7), LETTERS->ncolumns * sizeof *gone);
	memcpy(gone + LETTERS->ncolumns, letter(s, "main", 99), LETTERS->ncolumns * sizeof *gone);
	struct tally_rows rows = { LETTERS, 1, letter(s, "main", 10) }, out = { LETTERS, 2, gone };
	struct tally_batch b = {
		.from = s->at, .to = { s->at.lsn + 1, 5 }, .rows = &rows, .nrows = 1, .gone = &out, .ngone = 1
	};
	struct tally_batch elsewhere = b;
	elsewhere.from.mark++;
	assert_int_equal(s->sink->write(s->in->self, &elsewhere), TALLY_SINK_MOVED);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_dead`"), 4);
	assert_int_equal(s->sink->write(s->in->self, &b), TALLY_SINK_OK);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_dead` WHERE `lsn` = 7"), 1); /* the other node's */
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_dead`"), 4);
	shop_close(s);
}

void test_two_lines_share_a_database_by_prefix(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", ""), *x = shop_open(NODE_A, "other", "x_");
	shop_must_write(s, EVENTS, shop_events(s, 0, 2), 2);
	shop_must_write(x, &x->schema->fixed[SCHEMA_EVENT], shop_events(x, 0, 3), 3);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 2);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `x_tally_event`"), 3);
	shop_close(s);
	shop_close(x);
}

/* A commit whose answer is lost, and one that never was. */
void test_an_unsure_commit_is_told_by_the_position(void **state)
{
	char spec[64];
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	snprintf(spec, sizeof spec, "%s.commit:1:EIO", place.module);
	assert_int_equal(seam_arm(spec), 0);
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 5), 5), TALLY_SINK_RECONNECT);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 0);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 0);
	snprintf(spec, sizeof spec, "%s.committed:1:EPIPE", place.module);
	assert_int_equal(seam_arm(spec), 0);
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 0, 5), 5), TALLY_SINK_RECONNECT);
	seam_arm(NULL);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 64);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 5);
	shop_close(s);
}

/* ---- values ---- */

void test_events_come_back_as_they_were(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell *rows = shop_events(s, 640, 5000);
	cell_of(rows, 4711, EVENTS, "time")->v.i = INT64_MIN;
	cell_of(rows, 4712, EVENTS, "time")->v.i = INT64_MAX;
	*cell_of(rows, 4713, EVENTS, "value") = real(0.1);
	*cell_of(rows, 4714, EVENTS, "value") = real(-DBL_MAX);
	*cell_of(rows, 4715, EVENTS, "value") = real(DBL_TRUE_MIN);
	shop_must_write(s, EVENTS, rows, 5000);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 5000);
	assert_int_equal(shop_number(s, "SELECT SUM(`idx`) FROM `tally_event` WHERE `lsn` = 640"), 5000 * 4999 / 2);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event` WHERE `value` IS NULL"), 3748);
	assert_true(shop_number(s, "SELECT `time` FROM `tally_event` WHERE `idx` = 4711") == INT64_MIN);
	assert_true(shop_number(s, "SELECT `time` FROM `tally_event` WHERE `idx` = 4712") == INT64_MAX);
	assert_true(shop_real(s, "SELECT `value` FROM `tally_event` WHERE `idx` = 4713") == 0.1);
	assert_true(shop_real(s, "SELECT `value` FROM `tally_event` WHERE `idx` = 4714") == -DBL_MAX);
	assert_true(shop_real(s, "SELECT `value` FROM `tally_event` WHERE `idx` = 4715") == DBL_TRUE_MIN);
	assert_string_equal(
		shop_text(s, "SELECT `props` FROM `tally_event` WHERE `idx` = 17"), "{\"plan\":\"pro\",\"n\":17}");
	assert_string_equal(shop_text(s, "SELECT `name` FROM `tally_event` WHERE `idx` = 3"), "click");
	shop_close(s);
}

void test_text_is_kept_byte_by_byte(void **state)
{
	(void)state;
	place.wipe();
	static const char odd[] = "a'\"`\\\0b\n\xf0\x9f\x9b\x92\xe4\xb8\xad";
	char page[2048], visitor[128];
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell *rows = shop_events(s, 0, 2);
	memset(page, 'p', sizeof page);
	for (size_t i = 0; i < sizeof visitor; i += 4)
		memcpy(visitor + i, "\xf0\x9f\x9b\x92", 4);
	*cell_of(rows, 0, EVENTS, "user") = bytes(odd, sizeof odd - 1);
	*cell_of(rows, 0, EVENTS, "page") = bytes(page, sizeof page);
	*cell_of(rows, 0, EVENTS, "visitor") = bytes(visitor, sizeof visitor);
	*cell_of(rows, 0, EVENTS, "referrer") = text("trailing  ");
	shop_must_write(s, EVENTS, rows, 2);
	struct tally_str got = shop_bytes(s, "SELECT `user` FROM `tally_event` WHERE `idx` = 0");
	assert_true(str_eq(got, str_make(odd, sizeof odd - 1)));
	got = shop_bytes(s, "SELECT `page` FROM `tally_event` WHERE `idx` = 0");
	assert_true(str_eq(got, str_make(page, sizeof page)));
	got = shop_bytes(s, "SELECT `visitor` FROM `tally_event` WHERE `idx` = 0");
	assert_true(str_eq(got, str_make(visitor, sizeof visitor)));
	assert_string_equal(shop_text(s, "SELECT `referrer` FROM `tally_event` WHERE `idx` = 0"), "trailing  ");
	shop_close(s);
}

/* As keys: a blank, a case, an accent make another site. */
void test_keys_differ_by_any_byte(void **state)
{
	static const char *const sites[] = { "", "A", "a", "a ", "a  ", "\xc3\xa1", "\xf0\x9f\x9b\x92" };
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell *rows = arena_zalloc(&s->arena, 7 * ITEMS->ncolumns * sizeof *rows);
	for (size_t i = 0; i < 7; i++)
		memcpy(rows + i * ITEMS->ncolumns,
			shop_rollup_row(s, &(struct amounts){ .site = sites[i], .events = (int64_t)i + 1 }),
			ITEMS->ncolumns * sizeof *rows);
	shop_must_write(s, ITEMS, rows, 7);
	shop_must_write(s, ITEMS, rows, 7);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_items`"), 7);
	assert_int_equal(shop_number(s, "SELECT `events` FROM `tally_rollup_items` WHERE `site` = 'a'"), 6);
	assert_int_equal(shop_number(s, "SELECT `events` FROM `tally_rollup_items` WHERE `site` = 'a '"), 8);
	shop_close(s);
}

/* ---- merges ---- */

static void add_row(struct shop *s, struct amounts a)
{
	shop_must_write(s, ITEMS, shop_rollup_row(s, &a), 1);
}

void test_counts_and_sums_add(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	add_row(s, (struct amounts){ .events = 5, .sum = 1.25, .count = 2, .item = "shoe" });
	add_row(s, (struct amounts){ .events = -2, .sum = 2.5, .count = 1, .item = "shoe" });
	add_row(s, (struct amounts){ .events = 7, .bucket_us = 900000000, .item = "shoe" });
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_items`"), 2);
	assert_int_equal(shop_number(s, "SELECT `events` FROM `tally_rollup_items` WHERE `bucket` = 0"), 3);
	assert_true(shop_real(s, "SELECT `sum_value` FROM `tally_rollup_items` WHERE `bucket` = 0") == 3.75);
	assert_int_equal(shop_number(s, "SELECT `count_value` FROM `tally_rollup_items` WHERE `bucket` = 0"), 3);
	assert_string_equal(shop_text(s, "SELECT `props_item` FROM `tally_rollup_items` WHERE `bucket` = 0"), "shoe");
	shop_close(s);
}

void test_sums_saturate(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	add_row(s, (struct amounts){ .events = INT64_MAX - 1, .sum = DBL_MAX, .count = INT64_MIN });
	add_row(s, (struct amounts){ .events = 1, .sum = DBL_MAX, .count = -1 });
	assert_true(shop_number(s, "SELECT `events` FROM `tally_rollup_items`") == INT64_MAX);
	add_row(s, (struct amounts){ .events = INT64_MAX, .sum = DBL_MAX, .count = INT64_MIN });
	assert_true(shop_number(s, "SELECT `events` FROM `tally_rollup_items`") == INT64_MAX);
	assert_true(shop_number(s, "SELECT `count_value` FROM `tally_rollup_items`") == INT64_MIN);
	assert_true(shop_real(s, "SELECT `sum_value` FROM `tally_rollup_items`") == DBL_MAX);
	add_row(s, (struct amounts){ .events = -3, .sum = -DBL_MAX, .count = 3 });
	assert_true(shop_number(s, "SELECT `events` FROM `tally_rollup_items`") == INT64_MAX - 3);
	assert_true(shop_number(s, "SELECT `count_value` FROM `tally_rollup_items`") == INT64_MIN + 3);
	assert_true(shop_real(s, "SELECT `sum_value` FROM `tally_rollup_items`") == 0);
	add_row(s, (struct amounts){ .bucket_us = 60, .sum = (double)INFINITY });
	assert_true(shop_real(s, "SELECT MAX(`sum_value`) FROM `tally_rollup_items`") == DBL_MAX);
	shop_close(s);
}

void test_least_and_greatest_ignore_null(void **state)
{
	const double one = 1, five = 5, minus = -2.5;
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	add_row(s, (struct amounts){ 0 });
	assert_true(shop_is_null(s, "SELECT `min_value` FROM `tally_rollup_items`"));
	add_row(s, (struct amounts){ .min = &five, .max = &five });
	add_row(s, (struct amounts){ 0 });
	assert_true(shop_real(s, "SELECT `min_value` FROM `tally_rollup_items`") == 5);
	assert_true(shop_real(s, "SELECT `max_value` FROM `tally_rollup_items`") == 5);
	add_row(s, (struct amounts){ .min = &minus, .max = &one });
	assert_true(shop_real(s, "SELECT `min_value` FROM `tally_rollup_items`") == -2.5);
	assert_true(shop_real(s, "SELECT `max_value` FROM `tally_rollup_items`") == 5);
	add_row(s, (struct amounts){ .min = &one });
	assert_true(shop_real(s, "SELECT `min_value` FROM `tally_rollup_items`") == -2.5);
	shop_close(s);
}

void test_first_stays_and_max_grows(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	const struct tally_table *meta = &s->schema->fixed[SCHEMA_META];
	shop_must_write(s, meta, (struct tally_cell[]){ text("k"), text("first"), null_cell() }, 1);
	shop_must_write(s, meta, (struct tally_cell[]){ text("k"), text("second"), number(7) }, 1);
	shop_must_write(s, meta, (struct tally_cell[]){ text("k"), text("third"), number(3) }, 1);
	assert_string_equal(shop_text(s, "SELECT `value` FROM `tally_meta`"), "first");
	assert_int_equal(shop_number(s, "SELECT `horizon` FROM `tally_meta`"), 7);
	shop_close(s);
}

void test_the_last_set_counts(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	const struct tally_table *dead = &s->schema->fixed[SCHEMA_DEAD];
	struct tally_cell row[] = { null_cell(), text("main"), number(64), number(3), text("shop.example"), number(99),
		number(1366), text("bad text"), bytes("\x00\xff{", 3) };
	shop_must_write(s, dead, row, 1);
	row[6] = number(1406);
	shop_must_write(s, dead, row, 1);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_dead`"), 1);
	assert_int_equal(shop_number(s, "SELECT `code` FROM `tally_dead`"), 1406);
	assert_true(str_eq(shop_bytes(s, "SELECT `raw` FROM `tally_dead`"), str_make("\x00\xff{", 3)));
	shop_close(s);
}

/* Small and dense, overlapping and not, each step against the sketch made in one piece. */
void test_sketches_are_united_with_their_estimate(void **state)
{
	static const uint64_t steps[][2] = { { 0, 3 }, { 2, 10 }, { 0, 0 }, { 5, 600 }, { 100, 20000 }, { 0, 5 },
		{ 30000, 90000 } };
	static char oracle[HLL_ROOM];
	size_t len = 0;
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct amounts a = { .visitor_from = steps[i][0], .visitor_to = steps[i][1] };
		struct tally_cell *row = shop_rollup_row(s, &a), *sketch = cell_of(row, 0, ITEMS, "visitors_hll");
		shop_must_write(s, ITEMS, row, 1);
		if (sketch->len)
			assert_int_equal(hll_merge(oracle, &len, sizeof oracle, sketch->v.ptr, sketch->len), 0);
		struct tally_str got = shop_bytes(s, "SELECT `visitors_hll` FROM `tally_rollup_items`");
		assert_true(str_eq(got, str_make(oracle, len)));
		assert_int_equal(shop_number(s, "SELECT `visitors` FROM `tally_rollup_items`"),
			llround(hll_estimate(oracle, len)));
		if (i == 2) /* caches are forgotten, the store is not */
			assert_int_equal(shop_position(s), TALLY_SINK_OK);
	}
	shop_close(s);
}

/* Columns of one table: each sketch is united with its own. */
static void expect_numbers(struct shop *s, const char *column, const char *median, const char *oracle, size_t len)
{
	char sql[128];
	snprintf(sql, sizeof sql, "SELECT `%s` FROM `tally_rollup_items`", column);
	assert_true(str_eq(shop_bytes(s, sql), str_make(oracle, len)));
	snprintf(sql, sizeof sql, "SELECT `%s` FROM `tally_rollup_items`", median);
	if (len)
		assert_true(shop_real(s, sql) == quantile_value(oracle, len, 50));
	else
		assert_true(shop_is_null(s, sql));
}

void test_quantiles_are_united_beside_visitors(void **state)
{
	static const int steps[][2] = { { 0, 0 }, { -3, 3 }, { 0, 0 }, { 1, 2000 }, { -900, 5 }, { 7, 8 },
		{ -30000, 30000 } };
	static char up[QUANTILE_ROOM], down[QUANTILE_ROOM];
	size_t up_len = 0, down_len = 0;
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		int from = steps[i][0], to = steps[i][1];
		struct amounts a = { .visitor_from = i, .visitor_to = i + 2, .number_from = from, .number_to = to };
		shop_must_write(s, ITEMS, shop_rollup_row(s, &a), 1);
		for (int n = from; n < to; n++) {
			assert_int_equal(quantile_add(up, &up_len, sizeof up, n, 1), 0);
			assert_int_equal(quantile_add(down, &down_len, sizeof down, n - to - from, 1), 0);
		}
		expect_numbers(s, "quantiles_value", "p50_value", up, up_len);
		expect_numbers(s, "quantiles_props_ms", "p50_props_ms", down, down_len);
		assert_int_equal(shop_number(s, "SELECT `visitors` FROM `tally_rollup_items`"), i + 2);
		if (i == 3) /* caches are forgotten, the store is not */
			assert_int_equal(shop_position(s), TALLY_SINK_OK);
	}
	shop_close(s);
}

/* A cache of sketches must not keep what was rolled back. */
void test_a_lost_batch_leaves_no_trace_in_sketches(void **state)
{
	char spec[64];
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	add_row(s, (struct amounts){ .visitor_from = 0, .visitor_to = 10 });
	snprintf(spec, sizeof spec, "%s.commit:1:EIO", place.module);
	assert_int_equal(seam_arm(spec), 0);
	struct amounts lost = { .visitor_from = 100, .visitor_to = 150 };
	assert_int_equal(shop_write(s, ITEMS, shop_rollup_row(s, &lost), 1), TALLY_SINK_RECONNECT);
	seam_arm(NULL);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	add_row(s, (struct amounts){ .visitor_from = 5, .visitor_to = 12 });
	assert_int_equal(shop_number(s, "SELECT `visitors` FROM `tally_rollup_items`"), 12);
	shop_close(s);
}

/* Nor what another hand has changed: position() forgets. */
void test_position_forgets_sketches(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	add_row(s, (struct amounts){ .visitor_from = 0, .visitor_to = 10 });
	place.sql("DELETE FROM tally_rollup_items");
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	add_row(s, (struct amounts){ .visitor_from = 20, .visitor_to = 23 });
	assert_int_equal(shop_number(s, "SELECT `visitors` FROM `tally_rollup_items`"), 3);
	shop_close(s);
}

/* ---- refused rows ---- */

static void expect_bad(struct shop *s, struct tally_cell *rows, size_t n, size_t bad)
{
	assert_int_equal(shop_write(s, EVENTS, rows, n), TALLY_SINK_BAD_ROW);
	assert_int_equal(s->in->refusals.n, 1);
	assert_int_equal(s->in->refusals.rows[0].rows_index, 0);
	assert_int_equal(s->in->refusals.rows[0].row, bad);
	assert_true(s->in->refusals.rows[0].code != 0);
	assert_true(*shop_words(s) != 0);
}

void test_a_refused_row_is_named_exactly(void **state)
{
	static const size_t places[] = { 0, 1, 2499, 2500, 3333, 4999 };
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell *rows = shop_events(s, 0, 5000);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct tally_cell *c = cell_of(rows, places[i], EVENTS, "site"), kept = *c;
		*c = null_cell();
		expect_bad(s, rows, 5000, places[i]);
		*c = kept;
	}
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(s->at.lsn, 0);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 0);
	shop_must_write(s, EVENTS, rows, 5000);
	shop_close(s);
}

/* One, the last, neighbours, some far apart, a whole end: each is named once, in order. */
void test_every_refused_row_is_named(void **state)
{
	static const struct {
		size_t n, rows[12];
	} cases[] = {
		{ 2, { 300, 700 } },
		{ 2, { 0, 999 } },
		{ 3, { 499, 500, 501 } },
		{ 6, { 1, 2, 3, 500, 998, 999 } },
		{ 12, { 988, 989, 990, 991, 992, 993, 994, 995, 996, 997, 998, 999 } },
	};
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct tally_cell *rows = shop_events(s, 0, 1000);
		for (size_t i = 0; i < cases[k].n; i++)
			*cell_of(rows, cases[k].rows[i], EVENTS, "name") = null_cell();
		assert_int_equal(shop_write(s, EVENTS, rows, 1000), TALLY_SINK_BAD_ROW);
		assert_int_equal(s->in->refusals.n, cases[k].n);
		for (size_t i = 0; i < cases[k].n; i++)
			assert_int_equal(s->in->refusals.rows[i].row, cases[k].rows[i]);
	}
	shop_close(s);
}

/* The host has heard enough: the search ends. */
void test_a_table_of_refused_rows_is_given_up(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell *rows = shop_events(s, 0, 1000);
	for (size_t i = 0; i < 1000; i++)
		*cell_of(rows, i, EVENTS, "name") = null_cell();
	s->allowed = 10;
	assert_int_equal(shop_write(s, EVENTS, rows, 1000), TALLY_SINK_STOP);
	assert_int_equal(s->in->refusals.n, 10);
	assert_true(s->in->refusals.too_many);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 0);
	shop_close(s);
}

void test_a_row_that_is_there_is_refused(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 10), 10);
	struct tally_cell *rows = shop_events(s, 64, 3000);
	*cell_of(rows, 1234, EVENTS, "lsn") = number(0);
	*cell_of(rows, 1234, EVENTS, "idx") = number(9);
	expect_bad(s, rows, 3000, 1234);
	*cell_of(rows, 1234, EVENTS, "lsn") = number(64); /* twice within the batch: the second one */
	*cell_of(rows, 1234, EVENTS, "idx") = number(50);
	expect_bad(s, rows, 3000, 1234);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 10);
	shop_close(s);
}

/* ---- retention ---- */

void test_trims_take_what_lies_before(void **state)
{
	static const char *const sites[] = { "a", "b", "c" };
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	for (size_t i = 0; i < 3; i++)
		for (int64_t grain = 0; grain < 2; grain++)
			for (int64_t bucket = 0; bucket < 5; bucket++)
				add_row(s,
					(struct amounts){ .site = sites[i], .grain = grain, .bucket_us = bucket * 60 });
	assert_int_equal(shop_trim(s, ITEMS, 0, 180), TALLY_SINK_OK);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_items` WHERE `grain` = 0"), 6);
	assert_int_equal(shop_number(s, "SELECT MIN(`bucket`) FROM `tally_rollup_items` WHERE `grain` = 0"), 180);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_items` WHERE `grain` = 1"), 15);
	assert_int_equal(shop_trim(s, ITEMS, 3, INT64_MAX), TALLY_SINK_OK);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_items`"), 21);
	shop_close(s);
}

void test_events_are_trimmed_by_time(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	struct tally_cell *rows = shop_events(s, 0, 100);
	for (size_t i = 0; i < 100; i++) {
		*cell_of(rows, i, EVENTS, "site") = text(i % 2 ? "odd" : "even");
		*cell_of(rows, i, EVENTS, "time") = number((int64_t)i - 50);
	}
	shop_must_write(s, EVENTS, rows, 100);
	assert_int_equal(shop_trim(s, EVENTS, 0, -20), TALLY_SINK_OK);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 70);
	assert_int_equal(shop_number(s, "SELECT MIN(`time`) FROM `tally_event`"), -20);
	shop_close(s);
}

/* ---- what an operator did ---- */

void test_a_missing_column_stops_with_words(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 1), 1);
	place.sql("ALTER TABLE tally_event DROP COLUMN referrer");
	assert_int_equal(shop_write(s, EVENTS, shop_events(s, 64, 1), 1), TALLY_SINK_STOP);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "referrer"));
	shop_close(s);
}
