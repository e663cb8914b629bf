/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/cache, the level that nodes share: a real redis-server on a socket of its own. A node of its own is a cache
 * opened anew: nothing is left in its memory. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cache_desk.h"

static struct {
	char dir[64], socket[96], url[128];
	pid_t pid;
} server;

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(to.sun_path, server.socket);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

static void start(void)
{
	server.pid = fork();
	if (server.pid == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server.socket, "--save", "",
			"--dir", server.dir, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 600; i++) {
		int fd = dial(), status;
		if (fd >= 0) {
			close(fd);
			return;
		}
		if (waitpid(server.pid, &status, WNOHANG) == server.pid)
			fail_msg("redis-server ended at once");
		pause_ms(50);
	}
	fail_msg("redis-server did not come up within 30 s");
}

static void stop(void)
{
	int status;
	if (!server.pid)
		return;
	kill(server.pid, SIGKILL);
	waitpid(server.pid, &status, 0);
	server.pid = 0;
	unlink(server.socket);
}

/* One command, inline; the answer's first bytes. */
static void redis(const char *command, char *answer, size_t room)
{
	int fd = dial();
	assert_true(fd >= 0);
	assert_int_equal(write(fd, command, strlen(command)), strlen(command));
	ssize_t n = read(fd, answer, room - 1);
	assert_true(n > 0);
	answer[n] = 0;
	close(fd);
}

static void work_all(void)
{
	while (fake_work(&d.f))
		;
}

static void open_node(int64_t timeout_us)
{
	cache_options((struct cache_options){ .redis = server.url, .timeout_us = timeout_us });
	open_cache(1 << 20, 0);
	work_all(); /* it connects */
}

/* One node has answered "q" of version 7 and is gone; nothing else is there. */
static void put_and_leave(void)
{
	char answer[64];
	redis("FLUSHALL\r\n", answer, sizeof answer);
	open_node(0);
	assert_int_equal(ask(1, "q", "json", 0), TALLY_HOLD);
	work_all();
	assert_string_equal(d.cache[1], "miss");
	assert_int_equal(fake_counted(&d.f, "redis_puts"), 1);
	fake_close(&d.f);
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	strcpy(server.dir, "/tmp/tally-cache-XXXXXX");
	assert_non_null(mkdtemp(server.dir));
	snprintf(server.socket, sizeof server.socket, "%s/redis.sock", server.dir);
	snprintf(server.url, sizeof server.url, "unix:%s", server.socket);
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop();
	return rmdir(server.dir);
}

static void another_node_finds_what_one_has_stored(void **state)
{
	(void)state;
	put_and_leave();
	open_node(0);
	assert_int_equal(ask(1, "q", "json", 5), TALLY_HOLD);
	assert_int_equal(ask(2, "q", "json", 5), TALLY_HOLD);
	work_all();
	assert_int_equal(d.planned, 0);
	assert_string_equal(d.cache[1], "redis");
	assert_string_equal(d.cache[2], "redis");
	assert_int_equal(d.f.last.version, 7);
	assert_true(str_eq(d.f.last.etag, STR("W/\"1\"")));
	assert_true(str_eq(d.f.last.type, STR("application/json")));
	assert_int_equal(fake_counted(&d.f, "hits_redis"), 1);
	assert_int_equal(fake_counted(&d.f, "shared"), 1);
	/* from now on it is in memory, too */
	ask(3, "q", "json", 6);
	work_all();
	assert_string_equal(d.cache[3], "hit");
	assert_true(str_eq(d.f.last.body, STR(BODY_HIT)));
	/* another question is not there */
	ask(4, "other", "json", 6);
	work_all();
	assert_string_equal(d.cache[4], "miss");
	assert_int_equal(fake_counted(&d.f, "redis_misses"), 1);
	fake_close(&d.f);
}

static void what_is_there_is_used_only_if_it_is_true(void **state)
{
	(void)state;
	put_and_leave();
	open_node(0);
	d.version = 8;
	ask(1, "q", "json", 5);
	work_all();
	assert_string_equal(d.cache[1], "miss");
	fake_close(&d.f);
	/* the new one has taken its place; a node that has the old one in memory finds it */
	open_node(0);
	d.version = 8;
	ask(1, "q", "json", 6);
	work_all();
	assert_string_equal(d.cache[1], "redis");
	assert_int_equal(d.f.last.version, 8);
	d.version_rc = -EIO; /* the store cannot say */
	ask(2, "q", "json", 7);
	work_all();
	assert_string_equal(d.cache[2], "miss");
	fake_close(&d.f);
}

static void a_value_that_is_damaged_is_none(void **state)
{
	(void)state;
	char keys[200], command[300], answer[64];
	put_and_leave();
	redis("KEYS t:*\r\n", keys, sizeof keys);
	char *key = strstr(keys, "t:");
	assert_non_null(key);
	key[18] = 0;
	static const char *const damages[][2] = { { "SETRANGE", "60 X" }, { "APPEND", "X" }, { "SET", "short" },
		{ "SETRANGE", "36 \"\\xff\\xff\\xff\\xff\"" } };
	for (int i = 0; i < 4; i++) {
		snprintf(command, sizeof command, "%s %s %s\r\n", damages[i][0], key, damages[i][1]);
		redis(command, answer, sizeof answer);
		assert_true(answer[0] == ':' || answer[0] == '+');
		open_node(0);
		ask(1, "q", "json", 5);
		work_all();
		assert_string_equal(d.cache[1], "miss");
		assert_int_equal(fake_counted(&d.f, "redis_errors"), 1);
		fake_close(&d.f);
	}
	/* a list in its place: the server refuses */
	snprintf(command, sizeof command, "DEL %s\r\n", key);
	redis(command, answer, sizeof answer);
	snprintf(command, sizeof command, "RPUSH %s a\r\n", key);
	redis(command, answer, sizeof answer);
	open_node(0);
	ask(1, "q", "json", 5);
	work_all();
	assert_string_equal(d.cache[1], "miss");
	fake_close(&d.f);
}

static void without_redis_all_is_as_before(void **state)
{
	(void)state;
	stop();
	open_node(0);
	assert_int_equal(fake_counted(&d.f, "redis_errors"), 1);
	assert_int_equal(d.f.logs, 1);
	assert_int_equal(ask(1, "q", "json", 0), TALLY_PASS); /* nobody waits for it */
	assert_int_equal(d.f.njobs, 0);                       /* nor is it tried again already */
	ask(2, "q", "json", 1);
	work_all();
	assert_string_equal(d.cache[2], "hit");
	/* it comes back */
	start();
	pause_ms(300);
	ask(3, "r", "json", 2);
	work_all();
	ask(4, "s", "json", 2);
	work_all();
	assert_string_equal(d.cache[4], "miss");
	assert_int_equal(fake_counted(&d.f, "redis_misses"), 1);
	assert_int_equal(d.f.logs, 2);
	fake_close(&d.f);
}

static void it_dies_in_the_middle_and_no_answer_changes(void **state)
{
	(void)state;
	open_node(0);
	ask(1, "q", "json", 0);
	work_all();
	stop();
	ask(2, "q", "json", 1);
	work_all();
	assert_string_equal(d.cache[2], "hit");
	ask(3, "r", "json", 1);
	work_all();
	assert_string_equal(d.cache[3], "miss");
	d.version = 8;
	ask(4, "q", "json", 2);
	work_all();
	assert_string_equal(d.cache[4], "miss");
	assert_true(fake_counted(&d.f, "redis_errors") >= 1);
	fake_close(&d.f);
	start();
}

static void one_that_hangs_delays_one_answer_by_its_time(void **state)
{
	(void)state;
	open_node(100000);
	kill(server.pid, SIGSTOP);
	int64_t began = clock_mono_us();
	for (uint64_t id = 1; id <= 20; id++) {
		char key[8];
		snprintf(key, sizeof key, "k%d", (int)id);
		ask(id, key, "json", 0);
		work_all();
		assert_string_equal(d.cache[id], "miss");
	}
	int64_t took = clock_mono_us() - began;
	assert_in_range(took, 90000, 1500000); /* 20 times the time-out would be 2 s */
	assert_true(fake_counted(&d.f, "redis_skipped") >= 15);
	kill(server.pid, SIGCONT);
	fake_close(&d.f);
}

static void bad_addresses_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "http://127.0.0.1", "redis://", "redis://:6379", "redis://h:0",
		"redis://h:x", "redis://h:70000", "redis://h/x", "redis://h/-1", "redis://u@h", "redis://u:%zz@h",
		"unix:here", "redis+sentinel://h/m", "redis://[::1" };
	static const char *const good[] = { "redis://h", "redis://h:1/15", "redis://u:p%40@h", "redis://:p@[::1]:7/",
		"unix:/tmp/s" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cache_options((struct cache_options){ .redis = bad[i] });
		assert_int_equal(cache_try(1 << 20, 0), -EINVAL);
		assert_non_null(strstr(d.f.said, "`redis`"));
		fake_close(&d.f);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		cache_options((struct cache_options){ .redis = good[i] });
		assert_int_equal(cache_try(1 << 20, 0), 0);
		while (d.f.njobs) /* not to be dialled */
			free(d.f.jobs[--d.f.njobs].arg);
		fake_close(&d.f);
	}
	cache_options((struct cache_options){ .redis = "redis://h", .timeout_us = 2000000 });
	assert_int_equal(cache_try(1 << 20, 0), -EINVAL);
	assert_non_null(strstr(d.f.said, "redis_timeout"));
	fake_close(&d.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_node_finds_what_one_has_stored),
		cmocka_unit_test(what_is_there_is_used_only_if_it_is_true),
		cmocka_unit_test(a_value_that_is_damaged_is_none),
		cmocka_unit_test(without_redis_all_is_as_before),
		cmocka_unit_test(it_dies_in_the_middle_and_no_answer_changes),
		cmocka_unit_test(one_that_hangs_delays_one_answer_by_its_time),
		cmocka_unit_test(bad_addresses_are_refused),
	};
	if (system("command -v redis-server >/dev/null") != 0) {
		printf("skipped test_cache_redis: redis-server is not installed\n");
		return 77;
	}
	return cmocka_run_group_tests_name("cache_redis", tests, set_up, tear_down);
}
