/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_store.h"

#include "base/log.h"

static void nothing(void)
{
}

static void no_sql(const char *sql)
{
	(void)sql;
}

struct place place = { .module = "null", .data_dir = "/tmp", .wipe = nothing, .sql = no_sql };

static void test_it_moves_and_keeps_nothing(void **state)
{
	(void)state;
	struct shop *s = shop_open(NODE_A, "main", "");
	const struct tally_table *events = &s->schema->fixed[SCHEMA_EVENT];
	shop_must_write(s, events, shop_events(s, 0, 10), 10);
	shop_must_write(s, events, shop_events(s, 64, 10), 10);
	struct tally_position stood = s->at;
	s->at.mark++;
	assert_int_equal(shop_write(s, events, shop_events(s, 128, 10), 10), TALLY_SINK_MOVED);
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	assert_true(s->at.lsn == stood.lsn && s->at.mark == stood.mark);
	shop_close(s);
	s = shop_open(NODE_A, "main", "");
	assert_int_equal(s->at.lsn, 0);
	shop_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_it_moves_and_keeps_nothing) };
	log_setup(LOG_ERROR, LOG_KV);
	return RUN_TESTS("null", tests);
}
