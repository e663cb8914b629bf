/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, pausing and closing a server. It is freed when its handles are closed, done has been called and no handler
 * holds a request any more. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/inner.h"

#define TICK_MAX_MS 250
#define TICK_MIN_MS 5

static void on_tick(uv_timer_t *timer)
{
	struct http_server *s = timer->data;
	wait_tick(s);
	listen_resume(s);
	if (!s->closing || now_us(s) < s->drain_until_us)
		return;
	for (struct conn *c = s->conns; c; c = c->next)
		conn_close(c);
}

/* A quarter of the shortest time-out, but rarely enough to cost nothing. */
static uint64_t tick_ms(const struct http_server *s)
{
	int64_t least = TICK_MAX_MS * 4000;
	for (int kind = WAIT_IDLE; kind < WAIT_KINDS; kind++)
		if (s->waits[kind].period_us < least)
			least = s->waits[kind].period_us;
	uint64_t ms = (uint64_t)least / 4000;
	return ms < TICK_MIN_MS ? TICK_MIN_MS : ms;
}

static void start_timer(struct http_server *s, uint64_t ms)
{
	MUST(uv_timer_start(&s->timer, on_tick, ms, ms) == 0);
}

/* write(2) to a client that has gone is an error to look at, not a reason to die. */
static void ignore_sigpipe(void)
{
	struct sigaction now;
	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

/* A limit of 0 is the usual one. */
static void complete_limits(struct http_limits *l)
{
	static const struct http_limits usual = { .head_bytes = 16 << 10,
		.head_fields = 64,
		.body_bytes = 2 << 20,
		.inflated_bytes = 8 << 20,
		.inflate_ratio = 100,
		.connections = 1024,
		.header_timeout_us = 10000000,
		.body_timeout_us = 10000000,
		.idle_timeout_us = 30000000 };
	l->head_bytes = l->head_bytes ? l->head_bytes : usual.head_bytes;
	l->head_fields = l->head_fields ? l->head_fields : usual.head_fields;
	l->body_bytes = l->body_bytes ? l->body_bytes : usual.body_bytes;
	l->inflated_bytes = l->inflated_bytes ? l->inflated_bytes : usual.inflated_bytes;
	l->inflate_ratio = l->inflate_ratio ? l->inflate_ratio : usual.inflate_ratio;
	l->connections = l->connections ? l->connections : usual.connections;
	l->header_timeout_us = l->header_timeout_us ? l->header_timeout_us : usual.header_timeout_us;
	l->body_timeout_us = l->body_timeout_us ? l->body_timeout_us : usual.body_timeout_us;
	l->idle_timeout_us = l->idle_timeout_us ? l->idle_timeout_us : usual.idle_timeout_us;
}

int http_server_open(uv_loop_t *loop, const char *address, bool reuse_port, const struct http_limits *limits,
	http_handler handler, void *lane, struct http_server **out, char why[256])
{
	struct http_server *s = calloc(1, sizeof *s);
	MUST(s != NULL);
	s->loop = loop;
	s->limits = *limits;
	complete_limits(&s->limits);
	s->handler = handler;
	s->lane = lane;
	s->complained_us = INT64_MIN / 2;
	ignore_sigpipe();
	wait_setup(s);
	int rc = listen_open(s, address, reuse_port, why);
	if (rc < 0) {
		free(s);
		return rc;
	}
	MUST(uv_timer_init(loop, &s->timer) == 0);
	s->timer.data = s;
	start_timer(s, tick_ms(s));
	*out = s;
	return 0;
}

void http_server_set_gate(struct http_server *s, http_gate gate)
{
	s->gate = gate;
}

int http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_stats(const struct http_server *s, struct http_stats *out)
{
	*out = s->stats;
}

static void settle_all(struct http_server *s)
{
	for (struct conn *c = s->conns; c; c = c->next)
		if (c->state == CONN_OPEN)
			conn_set_reading(c);
}

void http_server_pause(struct http_server *s, bool pause)
{
	if (s->paused == pause)
		return;
	s->paused = pause;
	settle_all(s);
	if (pause) {
		listen_stop(s);
		return;
	}
	uv_update_time(s->loop);
	wait_restart_all(s);
	listen_resume(s);
}

/* ---- closing ---- */

void server_maybe_free(struct http_server *s)
{
	if (!s->timer_closed || s->reqs_out)
		return;
	pool_free(s);
	out_free(&s->out);
	coding_free(&s->coding);
	free(s->unix_path);
	free(s);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct http_server *s = handle->data;
	if (s->done)
		s->done(s->done_arg);
	s->timer_closed = true;
	server_maybe_free(s);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct http_server *s = handle->data;
	close(s->listen_fd);
	s->listen_fd = -1;
	server_conn_gone(s);
}

/* The last of the listener and the connections closes the timer, and with it the server. */
void server_conn_gone(struct http_server *s)
{
	if (s->closing && s->listen_fd < 0 && s->stats.open == 0)
		uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

/* Only if it is still ours: a successor may have put its own in its place. */
static void remove_socket(struct http_server *s)
{
	struct stat st;
	if (s->unix_path && lstat(s->unix_path, &st) == 0 && st.st_ino == s->unix_inode)
		unlink(s->unix_path);
}

void http_server_close(struct http_server *s, int64_t timeout_us, void (*done)(void *arg), void *arg)
{
	MUST(!s->closing);
	s->closing = true;
	s->done = done;
	s->done_arg = arg;
	s->drain_until_us = now_us(s) + timeout_us;
	http_server_pause(s, false);
	listen_stop(s);
	remove_socket(s);
	uv_close((uv_handle_t *)&s->listener, on_listener_closed);
	start_timer(s, TICK_MIN_MS);
	for (struct conn *c = s->conns; c; c = c->next)
		conn_run_soon(c);
}
