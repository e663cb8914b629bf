/* SPDX-License-Identifier: Apache-2.0 */
/* Stores: readers, and what a store remembers of itself. */
#include "sink_store_tests.h"

#include "../../docs/schema_examples.h"
#include "ship/remember.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])
#define FOREVER INT64_MAX

static const int64_t keep_all[TALLY_GRAINS] = { FOREVER, FOREVER, FOREVER, FOREVER };

/* ---- readers ---- */

static int count_cell(void *arg, const struct tally_cell *cells)
{
	*(int64_t *)arg = cells[0].v.i;
	return 0;
}

static int64_t count_events(struct shop *s)
{
	static const uint32_t type = TALLY_T_INT;
	struct tally_statement st = {
		.sql = "SELECT COUNT(*) FROM `tally_event`", .column_types = &type, .ncolumns = 1
	};
	int64_t n = -1;
	assert_int_equal(s->sink->read(s->reader, &st, count_cell, &n), 0);
	return n;
}

void test_a_reader_sees_one_moment(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 10), 10);
	assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	assert_int_equal(s->sink->read_begin(s->reader), 0);
	shop_must_write(s, EVENTS, shop_events(s, 64, 5), 5);
	assert_int_equal(count_events(s), 10);
	shop_must_write(s, EVENTS, shop_events(s, 128, 5), 5);
	assert_int_equal(count_events(s), 10);
	s->sink->read_end(s->reader);
	assert_int_equal(s->sink->read_begin(s->reader), 0);
	assert_int_equal(count_events(s), 20);
	s->sink->read_end(s->reader);
	shop_close(s);
}

struct seen {
	size_t rows;
	struct tally_cell last[6];
	char text[64];
};

static int see(void *arg, const struct tally_cell *cells)
{
	struct seen *seen = arg;
	memcpy(seen->last, cells, sizeof seen->last);
	snprintf(seen->text, sizeof seen->text, "%.*s", (int)cells[2].len, cells[2].v.ptr);
	return ++seen->rows == 3 ? 77 : 0;
}

void test_parameters_and_columns_of_every_type(void **state)
{
	static const uint32_t types[] = { TALLY_T_INT, TALLY_T_REAL, TALLY_T_TEXT, TALLY_T_BLOB, TALLY_T_INT,
		TALLY_T_INT };
	static const uint32_t param_types[] = { TALLY_T_INT, TALLY_T_REAL, TALLY_T_TEXT, TALLY_T_BLOB, TALLY_T_INT,
		TALLY_T_TEXT, TALLY_T_INT };
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 10), 10);
	const struct tally_cell params[] = { number(INT64_MIN), real(0.1), text("\xc3\xa4'\\"), bytes("\0\xff", 2),
		null_cell(), text("view"), number(1) };
	struct tally_statement st = {
		.sql = "SELECT ?, ?, ?, ?, ?, `idx` FROM `tally_event` WHERE `name` = ? AND `idx` > ? ORDER BY `idx`",
		.params = params,
		.param_types = param_types,
		.nparams = 7,
		.column_types = types,
		.ncolumns = 6,
	};
	struct seen seen = { 0 };
	assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	assert_int_equal(s->sink->read_begin(s->reader), 0);
	assert_int_equal(s->sink->read(s->reader, &st, see, &seen), 77); /* stopped by the callback */
	assert_int_equal(seen.rows, 3);
	assert_true(seen.last[0].v.i == INT64_MIN);
	assert_true(seen.last[1].v.d == 0.1);
	assert_string_equal(seen.text, "\xc3\xa4'\\");
	assert_int_equal(seen.last[3].len, 2);
	assert_true(seen.last[4].null);
	assert_int_equal(seen.last[5].v.i, 5); /* 2, 4, 5 */
	assert_int_equal(count_events(s), 10); /* and the reader goes on */
	s->sink->read_end(s->reader);
	shop_close(s);
}

void test_long_values_are_read_whole(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	size_t n = 1000000;
	char *json = arena_alloc(&s->arena, n);
	memset(json, 'x', n);
	memcpy(json, "{\"a\":\"", 6);
	memcpy(json + n - 2, "\"}", 2);
	struct tally_cell *rows = shop_events(s, 0, 3);
	*cell_of(rows, 1, EVENTS, "props") = bytes(json, n);
	shop_must_write(s, EVENTS, rows, 3);
	assert_true(str_eq(shop_bytes(s, "SELECT `props` FROM `tally_event` WHERE `idx` = 1"), str_make(json, n)));
	shop_close(s);
}

static int ignore(void *arg, const struct tally_cell *cells)
{
	(void)arg;
	(void)cells;
	return 0;
}

static int try_read(struct shop *s, const char *sql, size_t ncolumns, int64_t timeout_us)
{
	static const uint32_t types[] = { TALLY_T_INT, TALLY_T_INT };
	struct tally_statement st = {
		.sql = sql, .column_types = types, .ncolumns = ncolumns, .timeout_us = timeout_us
	};
	int rc = s->sink->read_begin(s->reader);
	assert_int_equal(rc, 0);
	rc = s->sink->read(s->reader, &st, ignore, NULL);
	s->sink->read_end(s->reader);
	return rc;
}

void test_readers_refuse_and_say_why(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	assert_int_equal(try_read(s, "SELECT 1 FROM `nowhere`", 1, 0), -ENOENT);
	assert_non_null(strstr(s->sink->reader_error(s->reader), "nowhere"));
	assert_int_equal(try_read(s, "SELECT 1", 2, 0), -EINVAL);
	assert_int_equal(try_read(s, "SELECT ? + 1", 1, 0), -EINVAL);
	assert_int_equal(try_read(s, "SELEKT 1", 1, 0), -EIO);
	assert_true(try_read(s, "DELETE FROM `tally_node`", 0, 0) != 0);
	assert_int_equal(try_read(s, "SELECT 1", 1, 0), 0);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_node`"), 1);
	shop_close(s);
}

void test_a_slow_question_is_given_up(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 2000), 2000);
	assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	const char *slow = "SELECT COUNT(*) FROM `tally_event` a, `tally_event` b, `tally_event` c"
			   " WHERE a.`idx` + b.`idx` < c.`idx`";
	int rc = try_read(s, slow, 1, 50000);
	if (rc != -ETIMEDOUT)
		fail_msg("%d %s", rc, s->sink->reader_error(s->reader));
	assert_int_equal(try_read(s, "SELECT COUNT(*) FROM `tally_event`", 1, 0), 0);
	shop_close(s);
}

static int keep_first(void *arg, const struct tally_cell *cells)
{
	snprintf(arg, 64, "%.*s", cells[0].null ? 0 : (int)cells[0].len, cells[0].null ? "" : cells[0].v.ptr);
	return 0;
}

/* What docs/schema.md shows runs in every store, whatever the columns hold. */
void test_the_documented_sql_runs(void **state)
{
	static const uint32_t types[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_TEXT };
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, EVENTS, shop_events(s, 0, 100), 100);
	assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	for (size_t i = 0; i < SCHEMA_EXAMPLES; i++) {
		struct tally_statement st = { .sql = schema_examples[i].sql, .column_types = types };
		st.ncolumns = schema_examples[i].ncolumns;
		assert_int_equal(s->sink->read_begin(s->reader), 0);
		char first[64] = "";
		int rc = s->sink->read(s->reader, &st, keep_first, first);
		s->sink->read_end(s->reader);
		if (rc != 0)
			fail_msg("%s: %s", st.sql, s->sink->reader_error(s->reader));
		if (i == 0)
			assert_string_equal(first, "100");
	}
	shop_close(s);
}

/* ---- tally_meta ---- */

static const struct meta *complete(struct shop *s, const int64_t retention_us[TALLY_GRAINS], int64_t now_us)
{
	const struct meta *m = NULL;
	ship_host_clear(s->in, 0);
	int rc = meta_complete(s->in, s->at, retention_us, now_us, &s->arena, &m);
	if (rc != TALLY_SINK_OK)
		fail_msg("meta: %d %s", rc, shop_words(s));
	return m;
}

static int complete_fails(struct shop *s)
{
	const struct meta *m;
	ship_host_clear(s->in, 0);
	return meta_complete(s->in, s->at, keep_all, 1000, &s->arena, &m);
}

void test_an_empty_store_is_whole_from_the_beginning(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", ""), *b = shop_open(NODE_B, "main", "");
	const struct meta *m = complete(s, keep_all, 1000), *again = complete(s, keep_all, 2000);
	const struct meta *other = complete(b, keep_all, 3000);
	assert_int_equal(m->nrollups, 1);
	assert_true(m->rollup_horizon_us[0] == INT64_MIN);
	for (int g = 0; g < TALLY_GRAINS; g++)
		assert_true(m->grain_horizon_us[g] == INT64_MIN);
	assert_memory_equal(m->hash_key, again->hash_key, 16);
	assert_memory_equal(m->hash_key, other->hash_key, 16);
	assert_true(other->rollup_horizon_us[0] == INT64_MIN);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_meta` WHERE `name` NOT LIKE 'table%/%'"), 7);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_meta` WHERE `name` LIKE 'began/%/items'"), 2);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_meta` WHERE `name` LIKE 'table/%'"),
		(int64_t)s->schema->ntables);
	shop_close(s);
	shop_close(b);
}

static struct shop *with_another_rollup(const char *name, const struct tally_metric *metric)
{
	struct tally_rollup r = { .nmetrics = 1, .metrics = metric, .name = str_of(name) };
	struct shop *s = shop_open_quietly(NODE_A, "main", "", &r);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	return s;
}

void test_a_later_rollup_begins_behind_the_latest_event(void **state)
{
	static const struct tally_metric events = { .kind = TALLY_EVENTS };
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	complete(s, keep_all, 1000);
	struct tally_cell *rows = shop_events(s, 0, 30);
	for (size_t i = 0; i < 30; i++) {
		*cell_of(rows, i, EVENTS, "site") = text(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c");
		*cell_of(rows, i, EVENTS, "time") = number(5000 - (int64_t)i);
	}
	shop_must_write(s, EVENTS, rows, 30);
	shop_close(s);
	s = with_another_rollup("late", &events);
	assert_true(complete(s, keep_all, 9000)->rollup_horizon_us[0] == 5001);
	shop_close(s);
}

/* Events can be stored and gone again: thinned out, or past their retention. */
void test_a_store_that_has_forgotten_is_not_empty(void **state)
{
	static const struct tally_metric events = { .kind = TALLY_EVENTS };
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	complete(s, keep_all, 1);
	const struct tally_table *ledger = &s->schema->fixed[SCHEMA_LEDGER];
	struct tally_cell *row = arena_zalloc(&s->arena, ledger->ncolumns * sizeof *row);
	*cell_of(row, 0, ledger, "line") = text("main");
	*cell_of(row, 0, ledger, "site") = text("a");
	*cell_of(row, 0, ledger, "stored") = number(4);
	shop_must_write(s, ledger, row, 1);
	shop_close(s);
	s = with_another_rollup("late", &events);
	assert_true(complete(s, keep_all, 9000)->rollup_horizon_us[0] == 9000);
	shop_close(s);
}

/* What was made and is missing has gone: position() would make an empty one. */
void test_a_table_that_has_gone_stops(void **state)
{
	static const char *const tables[] = { "tally_event", "tally_rollup_items", "tally_ledger", "tally_position" };
	(void)state;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		char drop[64];
		place.wipe();
		struct shop *s = shop_open(NODE_A, "main", "");
		ship_host_clear(s->in, 0);
		assert_int_equal(meta_look_back(s->in, &s->arena), TALLY_SINK_OK);
		complete(s, keep_all, 1000);
		assert_int_equal(meta_look_back(s->in, &s->arena), TALLY_SINK_OK);
		shop_close(s);
		snprintf(drop, sizeof drop, "DROP TABLE %s", tables[i]);
		place.sql(drop);
		s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
		ship_host_clear(s->in, 0);
		assert_int_equal(meta_look_back(s->in, &s->arena), TALLY_SINK_STOP);
		assert_non_null(strstr(shop_words(s), tables[i]));
		assert_non_null(strstr(shop_words(s), "restore it"));
		shop_close(s);
	}
}

/* The operator wants it empty, and says so as the remedy does. */
void test_a_table_that_has_gone_can_be_begun_anew(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	complete(s, keep_all, 1000);
	shop_must_write(s, EVENTS, shop_events(s, 0, 3), 3);
	shop_close(s);
	place.sql("DROP TABLE tally_rollup_items");
	place.sql("DELETE FROM tally_meta WHERE name IN ('table/tally_rollup_items', 'rollup/items')");
	s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	assert_int_equal(meta_look_back(s->in, &s->arena), TALLY_SINK_OK);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_true(complete(s, keep_all, 1000)->rollup_horizon_us[0] > INT64_C(1767225600000000));
	shop_close(s);
}

void test_a_memory_that_was_lost_stops(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	complete(s, keep_all, 1000);
	shop_must_write(s, EVENTS, shop_events(s, 0, 3), 3);
	place.sql("DELETE FROM tally_meta");
	assert_int_equal(complete_fails(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "hash_key"));
	shop_close(s);
}

void test_a_rollup_with_another_column_stops(void **state)
{
	static const struct tally_metric events = { .kind = TALLY_EVENTS }, max = { .kind = TALLY_MAX };
	(void)state;
	place.wipe();
	struct shop *s = with_another_rollup("sales", &events);
	complete(s, keep_all, 1000);
	shop_close(s);
	struct tally_rollup changed = { .nmetrics = 1, .metrics = &max, .name = STR("sales") };
	s = shop_open_quietly(NODE_A, "main", "", &changed);
	assert_int_equal(shop_position(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "max_value"));
	assert_non_null(strstr(shop_words(s), "restore it"));
	shop_close(s);
}

/* What the desk would make of it. */
static int keep_meta(void *arg, const struct tally_cell *c)
{
	remember_row(arg, c);
	return 0;
}

static int keep_node(void *arg, const struct tally_cell *c)
{
	remember_node(arg, str_make(c[0].v.ptr, c[0].len), c[1].v.i);
	return 0;
}

static const struct meta *reader_view(struct shop *s)
{
	static const uint32_t types[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT },
			      nodes[] = { TALLY_T_TEXT, TALLY_T_INT };
	struct tally_statement meta = { .sql = "SELECT `name`, `value`, `horizon` FROM `tally_meta`",
		.column_types = types,
		.ncolumns = 3 },
			       node = { .sql = "SELECT n.`uuid`, p.`lsn` FROM `tally_node` n JOIN `tally_position` p"
					       " ON p.`node` = n.`number`",
				       .column_types = nodes,
				       .ncolumns = 2 };
	struct meta *out = arena_zalloc(&s->arena, sizeof *out);
	struct remember m;
	void *r;
	remember_open(&m, &s->arena);
	assert_int_equal(s->sink->reader_open(s->in->self, &r), 0);
	assert_int_equal(s->sink->read_begin(r), 0);
	assert_int_equal(s->sink->read(r, &meta, keep_meta, &m), 0);
	assert_int_equal(s->sink->read(r, &node, keep_node, &m), 0);
	s->sink->read_end(r);
	s->sink->reader_close(r);
	remember_resolve(&m, s->schema, true, out);
	return out;
}

static struct shop *declared_as(
	const char *node, const struct tally_metric *metrics, uint32_t n, struct tally_position at)
{
	struct tally_rollup r = { .nmetrics = n, .metrics = metrics, .name = STR("sales") };
	struct shop *s = shop_open_quietly(node, "main", "", &r);
	char sql[200];
	ship_host_clear(s->in, 0);
	assert_int_equal(meta_look_back(s->in, &s->arena), TALLY_SINK_OK);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	snprintf(sql, sizeof sql,
		"UPDATE tally_position SET lsn = %d, mark = %d WHERE node = (SELECT number FROM tally_node WHERE uuid = '%s')",
		(int)at.lsn, (int)at.mark, node);
	place.sql(sql);
	s->at = at;
	return s;
}

static void store_one(struct shop *s, uint64_t lsn, int64_t time_us)
{
	struct tally_cell *rows = shop_events(s, lsn, 1);
	*cell_of(rows, 0, EVENTS, "time") = number(time_us);
	shop_must_write(s, EVENTS, rows, 1);
}

/* Another definition is another rollup: a number, a table and a horizon of its own. The first stays as it is. */
void test_a_changed_rollup_begins_beside_the_old_one(void **state)
{
	static const struct tally_metric two[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITORS } };
	(void)state;
	place.wipe();
	struct shop *s = declared_as(NODE_A, two, 1, (struct tally_position){ 0, 0 });
	const struct meta *m = complete(s, keep_all, 1000);
	assert_string_equal(m->rollup_table[0], "tally_rollup_sales");
	store_one(s, 64, 5000);
	shop_close(s);
	s = declared_as(NODE_A, two, 2, (struct tally_position){ 200, 7 });
	m = complete(s, keep_all, 9000);
	assert_string_equal(m->rollup_table[0], "tally_rollup_sales__2");
	assert_string_equal(s->schema->rollups[0].table.name, "tally_rollup_sales__2");
	assert_true(m->rollup_horizon_us[0] == 5001);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_rollup_sales__2`"), 0);
	assert_int_equal(shop_number(s, "SELECT `horizon` FROM `tally_meta` WHERE `name` = 'rollup/sales'"), INT64_MIN);
	store_one(s, 264, 7000);
	shop_close(s);
	/* back again: the first table, which lacks what came meanwhile */
	s = declared_as(NODE_A, two, 1, (struct tally_position){ 300, 7 });
	m = complete(s, keep_all, 9000);
	assert_string_equal(m->rollup_table[0], "tally_rollup_sales");
	assert_true(m->rollup_horizon_us[0] == 7001);
	shop_close(s);
}

/* What a node stores while it does not write a rollup makes that rollup short for whoever reads, until it begins again
 * behind it. */
void test_a_node_that_does_not_write_a_rollup_makes_it_short(void **state)
{
	static const struct tally_metric two[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITORS } };
	(void)state;
	place.wipe();
	struct shop *a = declared_as(NODE_A, two, 1, (struct tally_position){ 0, 0 });
	complete(a, keep_all, 1000);
	struct shop *b = declared_as(NODE_B, two, 2, (struct tally_position){ 100, 7 });
	complete(b, keep_all, 1000);
	assert_null(reader_view(b)->rollup_short_of[0]); /* A has stored nothing yet */
	place.sql("UPDATE tally_position SET lsn = 500 WHERE lsn = 0");
	assert_string_equal(reader_view(b)->rollup_short_of[0], NODE_A);
	assert_true(reader_view(b)->rollup_horizon_us[0] == INT64_MAX);
	store_one(b, 164, 4000);
	shop_close(a);
	a = declared_as(NODE_A, two, 2, (struct tally_position){ 500, 7 });
	assert_true(complete(a, keep_all, 1000)->rollup_horizon_us[0] == 4001);
	assert_null(reader_view(b)->rollup_short_of[0]);
	assert_true(reader_view(b)->rollup_horizon_us[0] == 4001);
	shop_close(a);
	shop_close(b);
}

void test_a_newer_store_stops(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	complete(s, keep_all, 1000);
	place.sql("UPDATE tally_meta SET value = '99' WHERE name = 'schema'");
	assert_int_equal(complete_fails(s), TALLY_SINK_STOP);
	place.sql("UPDATE tally_meta SET value = '1' WHERE name = 'schema'");
	place.sql("UPDATE tally_meta SET value = 'zz' WHERE name = 'hash_key'");
	assert_int_equal(complete_fails(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "hash_key"));
	shop_close(s);
}

void test_retention_gives_a_grain_its_horizon(void **state)
{
	const int64_t two_days = 2 * INT64_C(86400000000), now = INT64_C(1767225612345678);
	const int64_t retention[TALLY_GRAINS] = { two_days, FOREVER, FOREVER, FOREVER };
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	const struct meta *m = complete(s, retention, now);
	assert_true(m->grain_horizon_us[TALLY_MINUTE] == INT64_C(1767225600000000) - two_days);
	assert_true(m->grain_horizon_us[TALLY_QUARTER] == INT64_MIN);
	/* it is the line that moves it on, not another start */
	m = complete(s, retention, now + two_days);
	assert_true(m->grain_horizon_us[TALLY_MINUTE] == INT64_C(1767225600000000) - two_days);
	shop_close(s);
}
