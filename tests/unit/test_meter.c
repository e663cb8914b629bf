/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/meter.h"
#include "unit.h"

static const struct tally_str none = { NULL, 0 };

static struct tally_str printed(struct arena *a)
{
	struct tally_str s = meter_print(a);
	assert_int_equal(strlen(s.ptr), s.len); /* arena_str terminates, so strstr works below */
	return s;
}

static void has(struct tally_str text, const char *line)
{
	if (!strstr(text.ptr, line))
		fail_msg("not printed: %s", line);
}

static void series_are_found_again(void **state)
{
	(void)state;
	struct meter_series *s = meter_get(M_RECEIVED, STR("a"), STR("http"), none);
	meter_add(s, 2);
	assert_ptr_equal(meter_get(M_RECEIVED, STR("a"), STR("http"), none), s);
	assert_ptr_not_equal(meter_get(M_RECEIVED, STR("ah"), STR("ttp"), none), s);
	meter_add(meter_get(M_RECEIVED, STR("a"), STR("http"), none), 40);
	assert_int_equal(meter_value(s), 42);
}

static void text_has_every_kind(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 0);
	meter_add(meter_get(M_DROPPED, STR("quota"), STR("say \"no\"\\\n"), none), 7);
	meter_set(meter_get(M_SINK_LAG, STR("main"), none, none), 0.1);
	meter_add(meter_get(M_HTTP_CONNECTIONS, none, none, none), 3);
	meter_add(meter_get(M_HTTP_CONNECTIONS, none, none, none), -1);
	struct meter_series *sync = meter_get(M_SPOOL_SYNC, none, none, none);
	meter_observe(sync, 0.0002);
	meter_observe(sync, 0.001); /* on a bound: it counts below */
	meter_observe(sync, 100);
	meter_level_set(3);
	struct tally_str t = printed(&a);
	has(t, "tally_events_dropped_total{plugin=\"quota\",reason=\"say \\\"no\\\"\\\\\\n\"} 7\n");
	has(t, "# TYPE tally_sink_lag_seconds gauge\ntally_sink_lag_seconds{sink=\"main\"} 0.1\n");
	has(t, "\ntally_http_connections 2\n");
	has(t, "\ntally_level 3\n");
	has(t, "\ntally_ledger_balance 0\n"); /* never touched, printed all the same */
	has(t, "\ntally_spool_sync_seconds_bucket{le=\"0.0001\"} 0\n");
	has(t, "\ntally_spool_sync_seconds_bucket{le=\"0.00025\"} 1\n");
	has(t, "\ntally_spool_sync_seconds_bucket{le=\"0.001\"} 2\n");
	has(t, "\ntally_spool_sync_seconds_bucket{le=\"10\"} 2\n");
	has(t, "\ntally_spool_sync_seconds_bucket{le=\"+Inf\"} 3\n");
	has(t, "\ntally_spool_sync_seconds_sum 100.0012\n");
	has(t, "\ntally_spool_sync_seconds_count 3\n");
	assert_int_equal(meter_value(sync), 3);
	meter_level_set(0);
	assert_int_equal(meter_level(), 0);
	arena_free(&a);
}

static void past_a_thousand_series_the_rest_are_other(void **state)
{
	(void)state;
	char site[16];
	for (int i = 0; i < 1500; i++) {
		snprintf(site, sizeof site, "s%d", i);
		meter_add(meter_get(M_TAKEN, str_of(site), none, none), 1);
	}
	struct meter_series *rest = meter_get(M_TAKEN, STR("one more"), none, none);
	assert_int_equal(meter_value(rest), 500);
	assert_int_equal(meter_value(meter_get(M_TAKEN, STR("s999"), none, none)), 1);
	struct arena a;
	arena_init(&a, 0);
	has(printed(&a), "\ntally_events_taken_total{site=\"other\"} 500\n");
	arena_free(&a);
}

static void balance_from(void *arg)
{
	meter_set(meter_get(M_LEDGER_BALANCE, none, none, none), *(int *)arg);
}

static void hooks_run_before_a_print(void **state)
{
	(void)state;
	struct arena a;
	int balance = 12;
	arena_init(&a, 0);
	meter_on_print(balance_from, &balance);
	has(printed(&a), "\ntally_ledger_balance 12\n");
	meter_off_print(balance_from, &balance);
	balance = 13;
	has(printed(&a), "\ntally_ledger_balance 12\n");
	arena_free(&a);
}

#define ADDERS 4
#define EACH 20000

static void *add_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < EACH; i++) {
		meter_add(meter_get(M_REDIS_EVENTS, STR("l"), none, none), 1);
		meter_add(meter_get(M_REDIS_LENGTH, STR("l"), none, none), 1);
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
	(void)state;
	pthread_t t[ADDERS];
	for (int i = 0; i < ADDERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, add_many, NULL), 0);
	for (int i = 0; i < ADDERS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(meter_value(meter_get(M_REDIS_EVENTS, STR("l"), none, none)), ADDERS * EACH);
	assert_int_equal(meter_value(meter_get(M_REDIS_LENGTH, STR("l"), none, none)), ADDERS * EACH);
}

static void signals_stay_between_0_and_1(void **state)
{
	(void)state;
	meter_signal_set(TALLY_SIGNAL_DISK, 0.25);
	assert_true(meter_signal(TALLY_SIGNAL_DISK) == 0.25);
	meter_signal_set(TALLY_SIGNAL_DISK, 7);
	assert_true(meter_signal(TALLY_SIGNAL_DISK) == 1);
	meter_signal_set(TALLY_SIGNAL_DISK, -7);
	assert_true(meter_signal(TALLY_SIGNAL_DISK) == 0);
	assert_true(meter_signal((enum tally_signal)99) == 0);
}

/* The judge of the format is Prometheus' own tool, where it is installed. Runs last: it sees what the tests above made. */
static void promtool_accepts_the_text(void **state)
{
	(void)state;
	if (system("command -v promtool >/dev/null 2>&1") != 0) {
		print_message("skipped promtool_accepts_the_text: promtool is not on PATH\n");
		skip();
	}
	/* a series of every metric */
	for (int m = 0; m < M_METRICS; m++)
		(void)meter_get((enum meter_metric)m, STR("x\\\"\n"), STR("y"), none);
	struct arena a;
	arena_init(&a, 0);
	struct tally_str t = printed(&a);
	FILE *p = popen("promtool check metrics", "w");
	assert_non_null(p);
	assert_int_equal(fwrite(t.ptr, 1, t.len, p), t.len);
	assert_int_equal(pclose(p), 0);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series_are_found_again),
		cmocka_unit_test(text_has_every_kind),
		cmocka_unit_test(past_a_thousand_series_the_rest_are_other),
		cmocka_unit_test(hooks_run_before_a_print),
		cmocka_unit_test(nothing_is_lost_between_threads),
		cmocka_unit_test(signals_stay_between_0_and_1),
		cmocka_unit_test(promtool_accepts_the_text),
	};
	return RUN_TESTS("meter", tests);
}
