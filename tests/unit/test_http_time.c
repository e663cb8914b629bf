/* SPDX-License-Identifier: Apache-2.0 */
/* Time-outs, pause, no descriptors left, close. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_rig.h"
#include "unit.h"

#define GET "GET / HTTP/1.1\r\nHost: t\r\n\r\n"

static bool is_past(void *arg)
{
	return uv_hrtime() > *(uint64_t *)arg;
}

/* The loop turns for this long. The time-outs below are long enough for a loaded machine: what must be in time has a
 * quarter of a second. */
static void turn_ms(struct rig *r, unsigned ms)
{
	uint64_t until = uv_hrtime() + ms * 1000000u;
	assert_true(rig_turn_until(r, is_past, &until));
}

static void silence_ends_an_idle_connection(void **state)
{
	(void)state;
	struct rig r;
	struct client fresh, used;
	struct http_limits limits = { .idle_timeout_us = 250000 };
	rig_open(&r, NULL, &limits);
	client_open(&used, &r);
	client_say(&used, GET);
	client_expect(&used, 200);
	client_open(&fresh, &r);
	assert_true(client_ends(&fresh));
	assert_true(client_ends(&used));
	assert_int_equal(rig_stats(&r).open, 0);
	client_close(&fresh);
	client_close(&used);
	rig_close(&r);
}

/* Each byte in time does not help: the head as a whole has a deadline. */
static void a_head_in_drops_is_408(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct http_limits limits = { .header_timeout_us = 50000 };
	rig_open(&r, NULL, &limits);
	client_open(&c, &r);
	client_say(&c, "GET / HTTP/1.1\r\nHost: t\r\nX: ");
	for (int i = 0; i < 5000 && !c.len; i++) {
		client_say(&c, "x");
		turn_ms(&r, 1);
	}
	client_expect(&c, 408);
	assert_true(client_ends(&c));
	assert_int_equal(rig_stats(&r).timeouts, 1);
	client_close(&c);
	rig_close(&r);
}

static void a_body_without_progress_is_408(void **state)
{
	(void)state;
	struct rig r;
	struct client quick, slow;
	struct http_limits limits = { .body_timeout_us = 250000 };
	rig_open(&r, NULL, &limits);
	client_open(&quick, &r);
	client_open(&slow, &r);
	client_say(&slow, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 8000\r\n\r\nx");
	client_say(&quick, "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 1000 && !slow.len; i++) {
		client_say(&quick, "40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n");
		turn_ms(&r, 3);
		client_poll(&slow);
	}
	client_expect(&slow, 408);
	client_say(&quick, "0\r\n\r\n");
	client_expect(&quick, 200);
	client_close(&quick);
	client_close(&slow);
	rig_close(&r);
}

static bool none_open(void *arg)
{
	return rig_stats(arg).open == 0;
}

static void a_reader_that_does_not_read_is_dropped(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct http_limits limits = { .body_timeout_us = 60000 };
	rig_open(&r, NULL, &limits);
	client_open(&c, &r);
	static const char ask[] = "GET /big HTTP/1.1\r\nHost: t\r\n\r\n";
	assert_int_equal(write(c.fd, ask, sizeof ask - 1), sizeof ask - 1);
	while (!r.handled)
		rig_turn(&r);
	assert_true(rig_turn_until(&r, none_open, &r));
	assert_int_equal(rig_stats(&r).timeouts, 1);
	client_close(&c);
	rig_close(&r);
}

/* ---- pause, descriptors, close ---- */

static void a_pause_stops_reading_and_accepting(void **state)
{
	(void)state;
	struct rig r;
	struct client old, fresh;
	struct http_limits limits = { .header_timeout_us = 250000, .idle_timeout_us = 250000 };
	rig_open(&r, NULL, &limits);
	client_open(&old, &r);
	client_say(&old, GET "GET / HTTP/1.1\r\n");
	client_expect(&old, 200);
	http_server_pause(r.server, true);
	client_say(&old, "Host: t\r\n\r\n");
	client_open(&fresh, &r);
	client_say(&fresh, GET);
	turn_ms(&r, 300); /* past the time-outs: the client is not to blame */
	assert_int_equal(r.handled, 1);
	assert_int_equal(rig_stats(&r).accepted, 1);
	http_server_pause(r.server, false);
	for (uint64_t until = uv_hrtime() + 80000000; !is_past(&until);)
		; /* timers come before reads in the next turn: nobody may be late already */
	client_expect(&old, 200);
	client_expect(&fresh, 200);
	client_close(&old);
	client_close(&fresh);
	rig_close(&r);
}

static void without_descriptors_clients_wait_and_nothing_spins(void **state)
{
	(void)state;
	struct rig r;
	struct client c[3];
	struct rlimit was, none;
	rig_open(&r, NULL, NULL);
	client_open(&c[0], &r);
	client_say(&c[0], GET);
	client_expect(&c[0], 200);
	client_open(&c[1], &r);
	client_open(&c[2], &r);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = (rlim_t)c[2].fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	/* the one that is in goes on, the others wait */
	for (int i = 0; i < 5; i++)
		rig_turn(&r);
	client_say(&c[0], GET);
	client_expect(&c[0], 200);
	assert_int_equal(rig_stats(&r).accepted, 1);
	unsigned turns = 0;
	for (uint64_t until = uv_hrtime() + 300000000; !is_past(&until); turns++)
		uv_run(&r.loop, UV_RUN_ONCE); /* sleeps until something happens */
	assert_true(turns < 30);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	for (int i = 1; i < 3; i++) {
		client_say(&c[i], GET);
		client_expect(&c[i], 200);
	}
	for (int i = 0; i < 3; i++)
		client_close(&c[i]);
	rig_close(&r);
}

static void on_done(void *arg)
{
	((struct rig *)arg)->closed = true;
}

static bool is_closed(void *arg)
{
	return ((struct rig *)arg)->closed;
}

static void closing_lets_answers_out(void **state)
{
	(void)state;
	struct rig r;
	struct client idle, held;
	struct reply reply;
	rig_open(&r, NULL, NULL);
	client_open(&idle, &r);
	client_say(&idle, GET);
	client_expect(&idle, 200);
	client_open(&held, &r);
	client_say(&held, "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_wait_held(&r, 1);
	http_server_close(r.server, 60000000, on_done, &r);
	assert_true(client_ends(&idle));
	assert_false(r.closed);
	http_respond(r.held[0], &(struct http_answer){ .status = 200, .body = STR("bye") });
	assert_true(client_reply(&held, &reply, false));
	assert_true(reply.close);
	assert_string_equal(reply.body, "bye");
	free(reply.body);
	assert_true(client_ends(&held));
	client_close(&held);
	client_close(&idle);
	assert_true(rig_turn_until(&r, is_closed, &r));
	uv_run(&r.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r.loop), 0);
}

/* A handler that never answers cannot hold the door open; its late answer finds nobody and frees what is left. */
static void closing_has_a_deadline(void **state)
{
	(void)state;
	struct rig r;
	struct client held, stream;
	rig_open(&r, NULL, NULL);
	client_open(&held, &r);
	client_say(&held, "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_wait_held(&r, 1);
	client_open(&stream, &r);
	client_say(&stream, "GET /stream HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_wait_held(&r, 2);
	http_server_close(r.server, 30000, on_done, &r);
	assert_true(rig_turn_until(&r, is_closed, &r));
	uv_run(&r.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r.loop), 0);
	assert_int_equal(http_stream_write(r.held[1], STR("x")), -EPIPE);
	http_stream_end(r.held[1]);
	http_respond(r.held[0], &(struct http_answer){ .status = 200 });
	client_close(&held);
	client_close(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_ends_an_idle_connection),
		cmocka_unit_test(a_head_in_drops_is_408),
		cmocka_unit_test(a_body_without_progress_is_408),
		cmocka_unit_test(a_reader_that_does_not_read_is_dropped),
		cmocka_unit_test(a_pause_stops_reading_and_accepting),
		cmocka_unit_test(without_descriptors_clients_wait_and_nothing_spins),
		cmocka_unit_test(closing_lets_answers_out),
		cmocka_unit_test(closing_has_a_deadline),
	};
	return RUN_TESTS("http time", tests);
}
