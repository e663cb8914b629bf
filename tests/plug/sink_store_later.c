/* SPDX-License-Identifier: Apache-2.0 */
/* Columns and an index that came with a later version: added to a table as it was made before, with what nodes of before leave out;
 * missed once they were there. */
#include <stdio.h>
#include <string.h>

#include "sink_store_tests.h"

/* tally_visit as 0.1.0 made it, in the SQL of each store. */
static const char old_sqlite[] =
	"CREATE TABLE tally_visit (node INTEGER NOT NULL, lsn INTEGER NOT NULL, idx INTEGER NOT NULL, site TEXT NOT NULL, "
	"time INTEGER NOT NULL, visits INTEGER NOT NULL, bounces INTEGER NOT NULL, duration INTEGER NOT NULL, views INTEGER "
	"NOT NULL, entry_page TEXT NOT NULL, exit_page TEXT NOT NULL, referrer TEXT NOT NULL, PRIMARY KEY (node, lsn, idx)) "
	"STRICT, WITHOUT ROWID";
static const char old_mariadb[] =
	"CREATE TABLE tally_visit (node INT UNSIGNED NOT NULL, lsn BIGINT NOT NULL, idx BIGINT NOT NULL, site VARCHAR(128) "
	"NOT NULL, time BIGINT NOT NULL, visits BIGINT NOT NULL, bounces BIGINT NOT NULL, duration BIGINT NOT NULL, views "
	"BIGINT NOT NULL, entry_page TEXT NOT NULL, exit_page TEXT NOT NULL, referrer TEXT NOT NULL, PRIMARY KEY (node, lsn, "
	"idx), KEY tally_index (site, time)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE "
	"utf8mb4_nopad_bin";

static const char *old_table(void)
{
	return strcmp(place.module, "sqlite") == 0 ? old_sqlite : old_mariadb;
}

static void old_row(int lsn)
{
	char sql[256];
	snprintf(sql, sizeof sql,
		"INSERT INTO tally_visit (node, lsn, idx, site, time, visits, bounces, duration, views, entry_page, exit_page, "
		"referrer) VALUES (7, %d, 0, 's', 1, 1, 1, 0, 1, '/', '/', '')",
		lsn);
	place.sql(sql);
}

static void write_visit(struct shop *s)
{
	const struct tally_table *t = &s->schema->fixed[SCHEMA_VISIT];
	struct tally_cell row[VIC_COLUMNS] = { 0 };
	row[VIC_LSN] = number(9);
	row[VIC_SITE] = text("s");
	row[VIC_TIME] = number(5);
	row[VIC_VISITS] = number(1);
	for (int i = VIC_ENTRY; i < VIC_COLUMNS; i++)
		row[i] = text(t->columns[i].name);
	shop_must_write(s, t, row, 1);
}

void test_a_table_of_before_gets_what_came_later(void **state)
{
	(void)state;
	place.wipe();
	place.sql(old_table());
	old_row(1);
	struct shop *s = shop_open(NODE_A, "main", "");
	assert_string_equal(shop_text(s, "SELECT `source` FROM `tally_visit` WHERE `lsn` = 1"), "");
	assert_string_equal(shop_text(s, "SELECT `country` FROM `tally_visit` WHERE `lsn` = 1"), "");
	assert_string_equal(shop_text(s, "SELECT `entry_page` FROM `tally_visit` WHERE `lsn` = 1"), "/");
	write_visit(s);
	assert_string_equal(shop_text(s, "SELECT `source` FROM `tally_visit` WHERE `lsn` = 9"), "source");
	assert_string_equal(shop_text(s, "SELECT `utm_term` FROM `tally_visit` WHERE `lsn` = 9"), "utm_term");
	old_row(2); /* a node that is not upgraded yet */
	assert_string_equal(shop_text(s, "SELECT `browser` FROM `tally_visit` WHERE `lsn` = 2"), "");
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	shop_close(s);
	place.wipe();
	s = shop_open(NODE_A, "main", ""); /* made by this version: such a node writes there too */
	old_row(3);
	assert_string_equal(shop_text(s, "SELECT `channel` FROM `tally_visit` WHERE `lsn` = 3"), "");
	shop_close(s);
}

/* A rollup's rows in the order of their events: the index came later, and is only for speed. */
void test_a_rollup_of_before_gets_its_order(void **state)
{
	bool sqlite = strcmp(place.module, "sqlite") == 0;
	const char *count =
		sqlite ? "SELECT COUNT(*) FROM `sqlite_master` WHERE `name` = 'tally_rollup_items_index'"
		       : "SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND "
			 "TABLE_NAME = 'tally_rollup_items' AND INDEX_NAME = 'tally_index'";
	(void)state;
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	shop_must_write(s, &s->schema->rollups[0].table,
		shop_rollup_row(s, &(struct amounts){ .site = "s", .name = "view", .item = "x", .events = 3 }), 1);
	assert_int_equal(shop_number(s, count), 1);
	shop_close(s);
	place.sql(sqlite ? "DROP INDEX tally_rollup_items_index"
			 : "ALTER TABLE tally_rollup_items DROP INDEX tally_index");
	s = shop_open(NODE_A, "main", "");
	assert_int_equal(shop_number(s, count), 1);
	shop_must_write(s, &s->schema->rollups[0].table,
		shop_rollup_row(s, &(struct amounts){ .site = "s", .name = "view", .item = "x", .events = 4 }), 1);
	assert_int_equal(shop_number(s, "SELECT SUM(`events`) FROM `tally_rollup_items`"), 7);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	shop_close(s);
}

static int start(struct shop *s)
{
	assert_int_equal(meta_look_back(s->in, &s->arena), TALLY_SINK_OK);
	return shop_position(s);
}

void test_a_later_column_that_has_gone_stops(void **state)
{
	static const int64_t forever[TALLY_GRAINS] = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };
	(void)state;
	place.wipe();
	place.sql(old_table());
	struct shop *s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	const struct meta *m;
	assert_int_equal(start(s), TALLY_SINK_OK);
	assert_int_equal(meta_complete(s->in, s->at, forever, 1000, &s->arena, &m), TALLY_SINK_OK);
	assert_int_equal(start(s), TALLY_SINK_OK);
	place.sql("ALTER TABLE tally_visit DROP COLUMN os");
	shop_close(s);
	s = shop_open_quietly(NODE_A, "main", "", &shop_rollup);
	assert_int_equal(start(s), TALLY_SINK_STOP);
	assert_non_null(strstr(shop_words(s), "os"));
	assert_non_null(strstr(shop_words(s), "tally_visit"));
	shop_close(s);
}
