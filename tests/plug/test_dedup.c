/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/dedup: what is a duplicate, for how long, and what must be forgotten. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fake_host.h"
#include "unit.h"

#define SECOND INT64_C(1000000)
#define WINDOW (600 * SECOND)

static struct fake_option options[] = { { .name = "window" }, { .name = "memory" }, { .name = NULL } };

static void open_dedup(struct fake *f)
{
	fake_load(f, "dedup");
	options[0].i = WINDOW;
	options[1].i = 4 << 20;
	f->options = options;
	f->station = TALLY_LEDGER;
	f->retain_us = 3 * WINDOW;
	assert_int_equal(fake_open(f), 0);
}

static struct tally_event event_of(const char *site, const char *id, int64_t received_us)
{
	return (struct tally_event){
		.name = STR("view"), .site = str_of(site), .id = str_of(id), .received_us = received_us
	};
}

static int admit(struct fake *f, uint64_t ticket, const char *site, const char *id, int64_t received_us)
{
	struct tally_event ev = event_of(site, id, received_us);
	return f->plugin->admit(f->self, ticket, &ev);
}

/* Other events, so that no step of the clock is longer than the window counts; the next event is to come at `to`. */
static void pass_time(struct fake *f, int64_t from, int64_t to)
{
	static unsigned n;
	char id[24];
	for (int64_t at = from; at < to; at += WINDOW / 10) {
		snprintf(id, sizeof id, "other %u", n++);
		assert_int_equal(admit(f, 1000000 + n, "shop", id, at), TALLY_PASS);
		f->plugin->settle(f->self, 1000000 + n, 1);
	}
}

static void the_second_of_two_ids_is_a_duplicate(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	assert_int_equal(admit(&f, 1, "shop", "a", 0), TALLY_PASS);
	assert_int_equal(admit(&f, 1, "shop", "a", 0), TALLY_DUPLICATE); /* within one body */
	f.plugin->settle(f.self, 1, 1);
	assert_int_equal(admit(&f, 2, "shop", "a", 5), TALLY_DUPLICATE);
	assert_int_equal(admit(&f, 2, "shop", "b", 5), TALLY_PASS);
	assert_int_equal(admit(&f, 2, "other", "a", 5), TALLY_PASS);
	fake_close(&f);
}

static void site_and_id_do_not_run_together(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	assert_int_equal(admit(&f, 1, "ab", "c", 0), TALLY_PASS);
	assert_int_equal(admit(&f, 1, "a", "bc", 0), TALLY_PASS);
	fake_close(&f);
}

static void the_longest_names_are_told_apart(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	char site[129], id[129];
	memset(site, 's', 128);
	memset(id, 'i', 128);
	site[128] = id[128] = 0;
	assert_int_equal(admit(&f, 1, site, id, 0), TALLY_PASS);
	assert_int_equal(admit(&f, 1, site, id, 0), TALLY_DUPLICATE);
	id[127] = 'j';
	assert_int_equal(admit(&f, 1, site, id, 0), TALLY_PASS);
	fake_close(&f);
}

static void the_window_ends_to_the_microsecond(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	assert_int_equal(admit(&f, 1, "shop", "a", 100), TALLY_PASS);
	pass_time(&f, 100, 100 + WINDOW - 1);
	assert_int_equal(admit(&f, 2, "shop", "a", 100 + WINDOW - 1), TALLY_DUPLICATE);
	assert_int_equal(admit(&f, 3, "shop", "a", 100 + WINDOW), TALLY_PASS);
	/* and begins anew with the one taken */
	pass_time(&f, 100 + WINDOW, 100 + 2 * WINDOW - 1);
	assert_int_equal(admit(&f, 4, "shop", "a", 100 + 2 * WINDOW - 1), TALLY_DUPLICATE);
	fake_close(&f);
}

static void a_duplicate_does_not_lengthen_the_window(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	assert_int_equal(admit(&f, 1, "shop", "a", 0), TALLY_PASS);
	pass_time(&f, 0, WINDOW / 2);
	assert_int_equal(admit(&f, 2, "shop", "a", WINDOW / 2), TALLY_DUPLICATE);
	pass_time(&f, WINDOW / 2, WINDOW);
	assert_int_equal(admit(&f, 3, "shop", "a", WINDOW), TALLY_PASS);
	fake_close(&f);
}

static void after_a_failed_sync_a_retry_is_taken(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	assert_int_equal(admit(&f, 1, "shop", "a", 0), TALLY_PASS);
	assert_int_equal(admit(&f, 2, "shop", "b", 0), TALLY_PASS);
	assert_int_equal(admit(&f, 1, "shop", "c", 0), TALLY_PASS); /* tickets may mix */
	f.plugin->settle(f.self, 1, 0);
	f.plugin->settle(f.self, 2, 1);
	assert_int_equal(admit(&f, 3, "shop", "a", 1), TALLY_PASS);
	assert_int_equal(admit(&f, 3, "shop", "c", 1), TALLY_PASS);
	assert_int_equal(admit(&f, 3, "shop", "b", 1), TALLY_DUPLICATE);
	/* settled is settled: a later word about the same ticket changes nothing */
	f.plugin->settle(f.self, 3, 1);
	f.plugin->settle(f.self, 3, 0);
	assert_int_equal(admit(&f, 4, "shop", "a", 2), TALLY_DUPLICATE);
	fake_close(&f);
}

static void what_a_later_plugin_refused_is_forgotten(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	struct tally_event ev = event_of("shop", "a", 0);
	assert_int_equal(admit(&f, 1, "shop", "a", 0), TALLY_PASS);
	f.plugin->forget(f.self, 1, &ev);
	assert_int_equal(admit(&f, 1, "shop", "a", 0), TALLY_PASS);
	f.plugin->settle(f.self, 1, 1);
	assert_int_equal(admit(&f, 2, "shop", "a", 1), TALLY_DUPLICATE);
	fake_close(&f);
}

static void a_restart_remembers_from_the_spool(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	struct tally_event old = event_of("shop", "old", 0), young = event_of("shop", "young", WINDOW);
	f.plugin->recall(f.self, &old);
	for (int64_t at = WINDOW / 10; at < WINDOW; at += WINDOW / 10) {
		char id[24];
		snprintf(id, sizeof id, "%lld", (long long)at);
		struct tally_event between = event_of("shop", id, at);
		f.plugin->recall(f.self, &between);
	}
	f.plugin->recall(f.self, &young);
	f.plugin->recall(f.self, &young);
	assert_int_equal(admit(&f, 1, "shop", "old", WINDOW + 5), TALLY_PASS);
	assert_int_equal(admit(&f, 1, "shop", "young", WINDOW + 5), TALLY_DUPLICATE);
	fake_close(&f);
}

/* A step of the wall clock is no time that has passed: an id of a second ago is still known behind it. */
static void a_leap_of_the_clock_forgets_nothing(void **state)
{
	(void)state;
	struct fake f;
	open_dedup(&f);
	int64_t now = 1700000000 * SECOND;
	assert_int_equal(admit(&f, 1, "shop", "a", now), TALLY_PASS);
	now += 3600 * SECOND;
	assert_int_equal(admit(&f, 2, "shop", "a", now), TALLY_DUPLICATE);
	now += INT64_C(400000000) * SECOND; /* past 2038 */
	assert_int_equal(admit(&f, 3, "shop", "a", now), TALLY_DUPLICATE);
	/* the clock stands: nothing is forgotten, nothing is amiss */
	assert_int_equal(admit(&f, 4, "shop", "b", now), TALLY_PASS);
	assert_int_equal(admit(&f, 5, "shop", "b", now), TALLY_DUPLICATE);
	/* and time that really passes still ends the window */
	pass_time(&f, now, now + WINDOW);
	assert_int_equal(admit(&f, 6, "shop", "a", now + WINDOW), TALLY_PASS);
	fake_close(&f);
}

static void a_window_longer_than_the_spool_keeps_is_refused(void **state)
{
	(void)state;
	struct fake f;
	fake_load(&f, "dedup");
	options[0].i = WINDOW;
	options[1].i = 4 << 20;
	f.options = options;
	f.retain_us = WINDOW - 1;
	assert_int_equal(fake_open(&f), -EINVAL);
	assert_non_null(strstr(f.said, "spool.retain"));
	f.retain_us = WINDOW;
	options[1].i = 1000;
	assert_int_equal(fake_open(&f), -EINVAL);
	assert_non_null(strstr(f.said, "memory"));
	options[0].i = 0;
	assert_int_equal(fake_open(&f), -EINVAL);
	assert_non_null(strstr(f.said, "window"));
	fake_close(&f);
}

static void past_its_memory_the_oldest_go_first(void **state)
{
	(void)state;
	struct fake f;
	fake_load(&f, "dedup");
	options[0].i = WINDOW;
	options[1].i = 1 << 20;
	f.options = options;
	assert_int_equal(fake_open(&f), 0);
	int most = (1 << 20) / 46;
	char id[16];
	for (int i = 0; i < most + 100; i++) {
		snprintf(id, sizeof id, "%d", i);
		assert_int_equal(admit(&f, 1, "shop", id, i), TALLY_PASS);
	}
	assert_int_equal(fake_counted(&f, "forgotten_early"), 100);
	assert_int_equal(f.logs, 1);
	assert_int_equal(admit(&f, 2, "shop", "100", most + 100), TALLY_DUPLICATE);
	assert_int_equal(admit(&f, 2, "shop", "99", most + 100), TALLY_PASS);
	/* a void record whose ids are partly gone already */
	f.plugin->settle(f.self, 1, 0);
	assert_int_equal(admit(&f, 3, "shop", "5000", most + 100), TALLY_PASS);
	fake_close(&f);
}

/* Against a plain list: many ids, few of them distinct, with tickets that fail. */
static void many_ids_against_a_list(void **state)
{
	(void)state;
	enum { IDS = 3000, ROUNDS = 60000 };
	static int64_t seen[IDS]; /* when it was taken last, 0 = not known */
	static uint64_t under[IDS];
	struct fake f;
	open_dedup(&f);
	uint64_t x = 88172645463325252u, ticket = 1;
	for (int64_t now = 1; now <= ROUNDS; now++) {
		int64_t at = now * SECOND / 10; /* the window is 6000 rounds */
		char text[16];
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		unsigned id = (unsigned)(x >> 20) % IDS;
		snprintf(text, sizeof text, "id%u", id);
		bool dup = seen[id] && at - seen[id] < WINDOW;
		assert_int_equal(admit(&f, ticket, "shop", text, at), dup ? TALLY_DUPLICATE : TALLY_PASS);
		if (!dup) {
			seen[id] = at;
			under[id] = ticket;
		}
		if (now % 50 == 0) {
			bool kept = x & 64;
			f.plugin->settle(f.self, ticket, kept);
			for (int i = 0; !kept && i < IDS; i++)
				if (under[i] == ticket)
					seen[i] = 0;
			ticket++;
		}
	}
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_of_two_ids_is_a_duplicate),
		cmocka_unit_test(site_and_id_do_not_run_together),
		cmocka_unit_test(the_longest_names_are_told_apart),
		cmocka_unit_test(the_window_ends_to_the_microsecond),
		cmocka_unit_test(a_duplicate_does_not_lengthen_the_window),
		cmocka_unit_test(after_a_failed_sync_a_retry_is_taken),
		cmocka_unit_test(what_a_later_plugin_refused_is_forgotten),
		cmocka_unit_test(a_restart_remembers_from_the_spool),
		cmocka_unit_test(a_leap_of_the_clock_forgets_nothing),
		cmocka_unit_test(a_window_longer_than_the_spool_keeps_is_refused),
		cmocka_unit_test(past_its_memory_the_oldest_go_first),
		cmocka_unit_test(many_ids_against_a_list),
	};
	return RUN_TESTS("dedup", tests);
}
