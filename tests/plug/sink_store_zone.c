/* SPDX-License-Identifier: Apache-2.0 */
/* Stores: whose zone the days of a site are of, as nodes with the same and with different configurations leave it. */
#include "sink_store_tests.h"

#define EVENTS (&s->schema->fixed[SCHEMA_EVENT])
#define LEDGER (&s->schema->fixed[SCHEMA_LEDGER])
#define META (&s->schema->fixed[SCHEMA_META])
#define HOUR INT64_C(3600000000)

static const int64_t keep_all[TALLY_GRAINS] = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };

/* zones: of default, a and b; NULL = not named */
static struct shop *shop_of(const char *node, const char *def, const char *a, const char *b)
{
	struct shop *s = shop_open_quietly(node, "main", "", &shop_rollup);
	struct conf_site sites[3] = { { .name = "default", .timezone = def } };
	struct conf c = { .sites = sites, .nsites = 1 };
	if (a)
		sites[c.nsites++] = (struct conf_site){ .name = "a", .timezone = a };
	if (b)
		sites[c.nsites++] = (struct conf_site){ .name = "b", .timezone = b };
	assert_true(ship_host_set_zones(s->in, &c));
	assert_int_equal(shop_position(s), TALLY_SINK_OK);
	return s;
}

static const struct meta *complete(struct shop *s)
{
	const struct meta *m = NULL;
	ship_host_clear(s->in, 0);
	int rc = meta_complete(s->in, s->at, keep_all, 1000, &s->arena, &m);
	if (rc != TALLY_SINK_OK)
		fail_msg("meta: %d %s", rc, shop_words(s));
	return m;
}

/* Zone of the site's days, and from when on they are of it. */
static void expect_zone(const struct meta *m, const char *site, const char *zone, int64_t from_us)
{
	assert_string_equal(meta_zone_of(m, str_of(site))->name, zone);
	assert_true(meta_zone_from(m, 0, str_of(site)) == from_us);
}

static void store_event(struct shop *s, const char *site, int64_t time_us)
{
	struct tally_cell *rows = shop_events(s, s->at.lsn, 1);
	struct tally_cell *ledger = arena_zalloc(&s->arena, LEDGER->ncolumns * sizeof *ledger);
	*cell_of(rows, 0, EVENTS, "site") = text(site);
	*cell_of(rows, 0, EVENTS, "time") = number(time_us);
	*cell_of(ledger, 0, LEDGER, "line") = text("main");
	*cell_of(ledger, 0, LEDGER, "site") = text(site);
	*cell_of(ledger, 0, LEDGER, "stored") = number(1);
	struct tally_rows all[] = { { EVENTS, 1, rows }, { LEDGER, 1, ledger } };
	struct tally_batch b = { .rows = all, .nrows = 2 };
	if (shop_write_batch(s, &b) != TALLY_SINK_OK)
		fail_msg("%s", shop_words(s));
}

void test_a_zone_moves_the_days_behind_what_is_stored(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_of(NODE_A, "UTC", "Europe/Berlin", NULL);
	const struct meta *m = complete(s);
	int64_t epoch = m->epoch;
	expect_zone(m, "a", "Europe/Berlin", INT64_MIN);
	expect_zone(m, "b", "UTC", INT64_MIN);
	assert_true(complete(s)->epoch == epoch); /* nothing more to say */
	store_event(s, "a", 50 * HOUR);
	store_event(s, "a", 40 * HOUR);
	store_event(s, "b", 90 * HOUR);
	shop_close(s);
	s = shop_of(NODE_A, "UTC", "America/New_York", NULL);
	m = complete(s);
	expect_zone(m, "a", "America/New_York", 50 * HOUR + 1);
	expect_zone(m, "b", "UTC", INT64_MIN);
	assert_true(meta_whole_from(m, 0, TALLY_QUARTER, STR("a")) == INT64_MIN);
	assert_true(meta_whole_from(m, 0, TALLY_MONTH, STR("a")) == 50 * HOUR + 1);
	/* days of New York begin at 5 UTC in winter: the first whole one after hour 50 */
	assert_true(meta_first_bucket(m, NULL, 0, TALLY_DAY, STR("a")) == 53 * HOUR);
	assert_true(m->epoch > epoch);
	assert_string_equal(s->in->zone_words, "");
	shop_close(s);
}

/* A batch made in the zone before finds another epoch, and is not stored. */
void test_a_batch_of_the_zone_before_is_moved(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_of(NODE_A, "UTC", "Europe/Berlin", NULL);
	struct tally_guard before = { META, META_EPOCH, "horizon", complete(s)->epoch, 0, 0 };
	struct shop *other = shop_of(NODE_B, "UTC", "Europe/Berlin", NULL);
	complete(other);
	shop_close(other);
	other = shop_of(NODE_B, "UTC", "Asia/Tokyo", NULL);
	expect_zone(complete(other), "a", "Asia/Tokyo", INT64_MIN); /* nothing was ever stored */
	struct tally_rows rows = { EVENTS, 1, shop_events(s, 0, 1) };
	struct tally_batch b = { .rows = &rows, .nrows = 1, .guard = &before };
	assert_int_equal(shop_write_batch(s, &b), TALLY_SINK_MOVED);
	assert_int_equal(shop_number(s, "SELECT COUNT(*) FROM `tally_event`"), 0);
	shop_close(s);
	shop_close(other);
}

/* The one that has the configuration of before says so and turns nothing back, however often it starts. */
void test_nodes_that_differ_do_not_take_turns(void **state)
{
	(void)state;
	place.wipe();
	struct shop *a = shop_of(NODE_A, "UTC", "Europe/Berlin", NULL),
		    *b = shop_of(NODE_B, "UTC", "Europe/Berlin", NULL);
	complete(a);
	complete(b);
	store_event(a, "a", 50 * HOUR);
	shop_close(a);
	a = shop_of(NODE_A, "UTC", "Asia/Tokyo", NULL);
	complete(a);
	for (int i = 0; i < 2; i++) {
		expect_zone(complete(b), "a", "Asia/Tokyo", 50 * HOUR + 1);
		assert_non_null(
			strstr(b->in->zone_words, "site a: timezone Europe/Berlin here, Asia/Tokyo in the store"));
		shop_close(b);
		b = shop_of(NODE_B, "UTC", "Europe/Berlin", NULL);
	}
	complete(a);
	assert_string_equal(a->in->zone_words, "");
	/* nor does it make something else of it, before it has been of one mind with the store */
	shop_close(b);
	b = shop_of(NODE_B, "UTC", "Asia/Kolkata", NULL);
	expect_zone(complete(b), "a", "Asia/Tokyo", 50 * HOUR + 1);
	shop_close(b);
	b = shop_of(NODE_B, "UTC", "Asia/Tokyo", NULL);
	expect_zone(complete(b), "a", "Asia/Tokyo", 50 * HOUR + 1);
	assert_string_equal(b->in->zone_words, "");
	shop_close(b);
	b = shop_of(NODE_B, "UTC", "Asia/Kolkata", NULL);
	expect_zone(complete(b), "a", "Asia/Kolkata", 50 * HOUR + 1);
	shop_close(b);
	/* back again where it is declared: its own change it may take back */
	b = shop_of(NODE_B, "UTC", "Asia/Tokyo", NULL);
	store_event(b, "a", 60 * HOUR);
	expect_zone(complete(b), "a", "Asia/Tokyo", 60 * HOUR + 1);
	complete(a);
	assert_string_equal(a->in->zone_words, "");
	shop_close(b);
	shop_close(a);
}

void test_the_default_zone_is_that_of_sites_without_one(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_of(NODE_A, "UTC", "UTC", "Asia/Tokyo");
	complete(s);
	store_event(s, "a", 70 * HOUR);
	store_event(s, "b", 80 * HOUR);
	store_event(s, "c", 30 * HOUR);
	store_event(s, "d", 40 * HOUR);
	shop_close(s);
	s = shop_of(NODE_A, "Europe/Berlin", "UTC", "Asia/Tokyo");
	const struct meta *m = complete(s);
	expect_zone(m, "a", "UTC", INT64_MIN); /* as it was all the time */
	expect_zone(m, "b", "Asia/Tokyo", INT64_MIN);
	expect_zone(m, "c", "Europe/Berlin", 70 * HOUR + 1); /* one horizon for all that had the default's zone */
	expect_zone(m, "e", "Europe/Berlin", 70 * HOUR + 1);
	shop_close(s);
	/* named no more, a site gets the default's */
	s = shop_of(NODE_A, "Europe/Berlin", "UTC", NULL);
	m = complete(s);
	expect_zone(m, "b", "Europe/Berlin", 80 * HOUR + 1);
	expect_zone(m, "a", "UTC", INT64_MIN);
	shop_close(s);
	/* and a site that the store has never heard of is whole at once */
	s = shop_of(NODE_B, "Europe/Berlin", "UTC", NULL);
	complete(s);
	shop_close(s);
	struct conf_site sites[] = { { .name = "default", .timezone = "Europe/Berlin" },
		{ .name = "a", .timezone = "UTC" }, { .name = "new", .timezone = "Asia/Kolkata" } };
	struct conf c = { .sites = sites, .nsites = 3 };
	s = shop_open("01920000-0000-7000-8000-00000000000c", "main", "");
	ship_host_set_zones(s->in, &c);
	m = complete(s);
	expect_zone(m, "new", "Asia/Kolkata", INT64_MIN);
	assert_string_equal(s->in->zone_words, "");
	shop_close(s);
}

/* Rows that a rebuild made are of the zones up to then, from where it began; a later change counts for them as well. */
void test_a_rebuilt_rollup_has_days_of_the_new_zone(void **state)
{
	(void)state;
	place.wipe();
	struct shop *s = shop_of(NODE_A, "UTC", "Europe/Berlin", NULL);
	complete(s);
	store_event(s, "a", 50 * HOUR);
	shop_close(s);
	s = shop_of(NODE_A, "UTC", "Asia/Tokyo", NULL);
	const struct meta *m = complete(s);
	struct tally_cell *row = arena_zalloc(&s->arena, META->ncolumns * sizeof *row);
	row[0] = text("zoned/items");
	row[1] = text(arena_printf(&s->arena, "%d", (int)m->last_zone));
	row[2] = number(10 * HOUR);
	shop_must_write(s, META, row, 1);
	expect_zone(complete(s), "a", "Asia/Tokyo", 10 * HOUR);
	store_event(s, "a", 60 * HOUR);
	shop_close(s);
	s = shop_of(NODE_A, "UTC", "Asia/Kolkata", NULL);
	expect_zone(complete(s), "a", "Asia/Kolkata", 60 * HOUR + 1);
	shop_close(s);
}
