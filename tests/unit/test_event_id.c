/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uuid/uuid.h>

#include "event_fixture.h"
#include "unit.h"

#define THREADS 4
#define EACH 20000

static char ids[THREADS][EACH][UUID_TEXT];

static void *make_many(void *arg)
{
	char(*out)[UUID_TEXT] = arg;
	for (int i = 0; i < EACH; i++)
		event_make_id(FIXTURE_NOW, out[i]); /* all within one millisecond, as the clock says */
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, UUID_TEXT);
}

static void ids_are_version_7_and_carry_their_time(void **state)
{
	(void)state;
	char text[UUID_TEXT + 1] = "";
	uuid_t id;
	int64_t later = FIXTURE_NOW + 1000 * FIXTURE_HOUR; /* ahead of the ids made by other tests on this thread */
	event_make_id(later, text);
	assert_int_equal(uuid_parse(text, id), 0);
	assert_int_equal(id[6] >> 4, 7);
	assert_int_equal(uuid_variant(id), UUID_VARIANT_DCE);
	int64_t millis = 0;
	for (int i = 0; i < 6; i++)
		millis = millis << 8 | id[i];
	assert_int_equal(millis, later / 1000);
	for (int i = 0; i < 200; i++) {
		char again[UUID_TEXT + 1];
		event_make_id(later, text);
		assert_int_equal(uuid_parse(text, id), 0);
		uuid_unparse_lower(id, again);
		assert_string_equal(text, again);
	}
}

static void ids_rise_in_a_thread_and_differ_between_threads(void **state)
{
	(void)state;
	pthread_t t[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, make_many, ids[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < THREADS; i++)
		for (int k = 1; k < EACH; k++)
			assert_true(memcmp(ids[i][k - 1], ids[i][k], UUID_TEXT) < 0);
	qsort(ids, (size_t)THREADS * EACH, UUID_TEXT, compare);
	for (int i = 1; i < THREADS * EACH; i++)
		assert_true(memcmp(&ids[0][0] + i - 1, &ids[0][0] + i, UUID_TEXT) != 0);
}

static void a_clock_set_back_does_not_stop_the_rise(void **state)
{
	(void)state;
	char before[UUID_TEXT], after[UUID_TEXT];
	int64_t later = FIXTURE_NOW + 2000 * FIXTURE_HOUR;
	event_make_id(later, before);
	event_make_id(later - FIXTURE_HOUR, after);
	assert_true(memcmp(before, after, UUID_TEXT) < 0);
	event_make_id(-1, before);
	assert_true(memcmp(after, before, UUID_TEXT) < 0);
}

static void a_forked_child_makes_ids_of_its_own(void **state)
{
	(void)state;
	char ours[UUID_TEXT], theirs[UUID_TEXT];
	int way[2];
	event_make_id(FIXTURE_NOW, ours); /* the pool is filled */
	assert_int_equal(pipe(way), 0);
	pid_t pid = fork();
	if (pid == 0) {
		event_make_id(FIXTURE_NOW, theirs);
		_exit(write(way[1], theirs, sizeof theirs) != (ssize_t)sizeof theirs);
	}
	event_make_id(FIXTURE_NOW, ours);
	assert_int_equal(read(way[0], theirs, sizeof theirs), sizeof theirs);
	waitpid(pid, NULL, 0);
	assert_memory_not_equal(ours, theirs, UUID_TEXT);
	close(way[0]);
	close(way[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_version_7_and_carry_their_time),
		cmocka_unit_test(ids_rise_in_a_thread_and_differ_between_threads),
		cmocka_unit_test(a_clock_set_back_does_not_stop_the_rise),
		cmocka_unit_test(a_forked_child_makes_ids_of_its_own),
	};
	return RUN_TESTS("event_id", tests);
}
