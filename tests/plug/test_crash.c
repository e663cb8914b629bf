/* SPDX-License-Identifier: Apache-2.0 */
/* core/plug/crash.c: what a child that dies in a hook leaves behind, and what the next start makes of it. */
#include "unit.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "plug/crash.h"

static char dir[64];

enum death { BY_ABORT, BY_FAULT, BY_EXIT, BY_KILL, BY_SIGNAL_FROM_OUTSIDE, BEHIND_THE_HOOK, IN_A_TICK, BY_MEMORY };

static void die(enum death how)
{
	volatile int *volatile nowhere = NULL;
	(void)!freopen("/dev/null", "w", stderr);
	signal(SIGSEGV, SIG_DFL); /* not cmocka's, which would go on in the child */
	signal(SIGABRT, SIG_DFL);
	crash_open(dir);
	crash_about(4096, 7, 1000);
	crash_enter("boom", how == IN_A_TICK ? "tick" : "event", how != IN_A_TICK);
	if (how == BEHIND_THE_HOOK)
		crash_leave();
	if (how == BY_FAULT)
		*nowhere = 1;
	if (how == BY_EXIT)
		exit(0);
	if (how == BY_MEMORY)
		free(memory_alloc(SIZE_MAX / 2));
	if (how == BY_KILL || how == BY_SIGNAL_FROM_OUTSIDE)
		kill(getpid(), how == BY_KILL ? SIGKILL : SIGSEGV);
	abort();
}

static void die_times(enum death how, int times)
{
	for (int i = 0; i < times; i++) {
		int status;
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			die(how);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
}

/* In a child, since a process opens it once. */
static bool is_parked_after_start(uint64_t lsn, uint32_t idx, int64_t time_us, uint64_t forget)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)!freopen("/dev/null", "w", stderr);
		crash_open(dir);
		const char *who = crash_parked(lsn, idx, time_us);
		crash_forget(forget);
		_exit(who && strcmp(who, "boom") == 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static int fresh(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tally-crash-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int gone(void **state)
{
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/crashes", dir);
	unlink(path);
	return rmdir(dir);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void test_three_and_no_fewer(void **state)
{
	(void)state;
	die_times(BY_ABORT, 1);
	die_times(BY_FAULT, 1);
	assert_false(is_parked_after_start(4096, 7, 1000, 0));
	die_times(BY_EXIT, 1);
	assert_true(is_parked_after_start(4096, 7, 1000, 0));
	assert_true(is_parked_after_start(4096, 7, 1000, 0)); /* and at every later start */
}

static void test_only_that_event(void **state)
{
	(void)state;
	die_times(BY_ABORT, 3);
	assert_false(is_parked_after_start(4096, 8, 1000, 0));
	assert_false(is_parked_after_start(4104, 7, 1000, 0));
	assert_false(is_parked_after_start(4096, 7, 1001, 0));
	assert_true(is_parked_after_start(4096, 7, 1000, 0));
}

static void test_forgotten_with_its_record(void **state)
{
	(void)state;
	die_times(BY_ABORT, 3);
	assert_true(is_parked_after_start(4096, 7, 1000, 4096));
	assert_true(is_parked_after_start(4096, 7, 1000, 4097));
	assert_false(is_parked_after_start(4096, 7, 1000, 0));
}
#endif

static void test_what_does_not_count(void **state)
{
	(void)state;
	die_times(BY_KILL, 3);
	die_times(BY_SIGNAL_FROM_OUTSIDE, 3);
	die_times(BEHIND_THE_HOOK, 3);
	die_times(BY_MEMORY, 3);
	assert_false(is_parked_after_start(4096, 7, 1000, 0));
}

/* The event before the tick, or the last of a batch before the flush, has nothing to do with it. */
static void test_a_tick_blames_no_event(void **state)
{
	(void)state;
	die_times(IN_A_TICK, 4);
	assert_false(is_parked_after_start(4096, 7, 1000, 0));
}

static void test_a_torn_file(void **state)
{
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/crashes", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 300; i++)
		fputc(i * 37, f);
	fclose(f);
	assert_false(is_parked_after_start(4096, 7, 1000, 0));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	die_times(BY_ABORT, 3); /* half a note at its end does not spoil those that come */
	assert_true(is_parked_after_start(4096, 7, 1000, 0));
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		cmocka_unit_test_setup_teardown(test_three_and_no_fewer, fresh, gone),
		cmocka_unit_test_setup_teardown(test_only_that_event, fresh, gone),
		cmocka_unit_test_setup_teardown(test_forgotten_with_its_record, fresh, gone),
#endif
		cmocka_unit_test_setup_teardown(test_what_does_not_count, fresh, gone),
		cmocka_unit_test_setup_teardown(test_a_tick_blames_no_event, fresh, gone),
		cmocka_unit_test_setup_teardown(test_a_torn_file, fresh, gone),
	};
	return RUN_TESTS("crash", tests);
}
