/* SPDX-License-Identifier: Apache-2.0 */
/* A connection: bytes come in, requests are cut out of them one at a time, and whatever happens ends in conn_settle(),
 * the one place that decides what the connection does next. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/inner.h"

static void on_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;
	struct http_server *s = c->server;
	*(c->prev ? &c->prev->next : &s->conns) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	buf_give(s, c->buf);
	conn_give(c);
	s->stats.open--;
	server_conn_gone(s);
}

/* A request that its handler still holds takes its bytes along and goes on alone. */
static void let_request_go(struct conn *c)
{
	struct req *rq = c->rq;
	c->rq = NULL;
	if (!rq)
		return;
	if (rq->stage < REQ_GATE) {
		req_give(rq);
		return;
	}
	rq->conn = NULL;
	rq->buf = c->buf;
	c->buf = NULL;
}

void conn_close(struct conn *c)
{
	struct http_server *s = c->server;
	if (c->state == CONN_CLOSING)
		return;
	conn_wait(c, WAIT_NONE);
	c->state = CONN_CLOSING;
	if (s->out_owner == c) {
		s->out_owner = NULL;
		s->out.len = 0;
	}
	let_request_go(c);
	uv_close(&c->handle, on_closed);
}

/* ---- requests ---- */

static void compact(struct buf *b)
{
	memmove(b->data, b->data + b->start, b->end - b->start);
	b->end -= b->start;
	b->start = 0;
}

static bool begin_request(struct conn *c)
{
	struct buf *b = c->buf;
	if (!b || b->start == b->end)
		return false;
	if (b->start > b->cap / 2)
		compact(b);
	c->rq = req_take(c);
	return true;
}

static bool hand_over(struct conn *c)
{
	struct req *rq = c->rq;
	if (body_finish(c) < 0)
		return false;
	conn_wait(c, WAIT_NONE);
	rq->stage = REQ_HANDED;
	c->server->stats.requests++;
	c->server->handler(&rq->pub);
	return true;
}

static bool step_head(struct conn *c)
{
	struct buf *b = c->buf;
	switch (head_feed(&c->rq->head, b->data + b->start, b->end - b->start)) {
	case HEAD_DONE:
		return body_begin(c) > 0 && hand_over(c);
	case HEAD_BAD:
		conn_refuse(c, c->rq->head.fault);
		return false;
	case HEAD_MORE:
		break;
	}
	return false;
}

/* One step onwards; false = nothing to do until bytes, an answer or a finished write come. */
static bool step(struct conn *c)
{
	if (c->state != CONN_OPEN || c->writes)
		return false;
	if (!c->rq && !begin_request(c))
		return false;
	if (c->rq->stage == REQ_HEAD)
		return step_head(c);
	if (c->rq->stage == REQ_BODY)
		return body_advance(c) > 0 && hand_over(c);
	return false;
}

/* ---- what next ---- */

static void start_linger(struct conn *c)
{
	uv_os_fd_t fd;
	if (c->eof || uv_fileno(&c->handle, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
		conn_close(c);
		return;
	}
	c->state = CONN_LINGER;
	buf_give(c->server, c->buf);
	c->buf = NULL;
	conn_set_reading(c);
	conn_wait(c, WAIT_LINGER);
}

static enum wait what_for(const struct conn *c)
{
	if (c->writes)
		return WAIT_WRITE;
	if (!c->rq)
		return WAIT_IDLE;
	switch (c->rq->stage) {
	case REQ_HEAD:
		return WAIT_HEAD;
	case REQ_BODY:
		return WAIT_BODY;
	default:
		return WAIT_NONE;
	}
}

/* Nothing more can come of it: the client has shut its side, or the server drains and nothing has begun. */
static bool is_over(const struct conn *c)
{
	if (c->writes || (c->rq && c->rq->stage >= REQ_GATE))
		return false;
	return c->eof || (c->server->closing && !c->rq);
}

static void conn_settle(struct conn *c)
{
	if (c->state == CONN_CLOSING || c->state == CONN_LINGER)
		return;
	if (c->state == CONN_ENDING && !c->writes) {
		if (c->must_linger)
			start_linger(c);
		else
			conn_close(c);
		return;
	}
	if (is_over(c)) {
		conn_close(c);
		return;
	}
	if (!c->rq && c->buf && c->buf->start == c->buf->end) {
		buf_give(c->server, c->buf);
		c->buf = NULL;
	}
	conn_set_reading(c);
	conn_wait(c, what_for(c));
}

/* Connections that were answered from within another one's run. */
static void run_ready(struct http_server *s)
{
	while (s->ready) {
		struct conn *c = s->ready;
		s->ready = c->ready_next;
		c->ready = false;
		conn_run(c);
	}
}

void conn_run(struct conn *c)
{
	struct http_server *s = c->server;
	s->depth++;
	c->running = true;
	while (step(c))
		;
	c->running = false;
	if (s->out_owner == c)
		conn_flush(c);
	conn_settle(c);
	if (s->depth == 1)
		run_ready(s);
	s->depth--;
}

void conn_run_soon(struct conn *c)
{
	struct http_server *s = c->server;
	if (c->running || c->ready)
		return;
	if (s->depth == 0) {
		conn_run(c);
		return;
	}
	c->ready = true;
	c->ready_next = s->ready;
	s->ready = c;
}

/* ---- reading ---- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	(void)suggested;
	struct conn *c = handle->data;
	size_t room;
	char *direct = body_direct(c->rq, &room);
	if (direct) {
		*out = uv_buf_init(direct, (unsigned)room);
		return;
	}
	if (!c->buf)
		c->buf = buf_take(c->server);
	*out = uv_buf_init(c->buf->data + c->buf->end, (unsigned)(c->buf->cap - c->buf->end));
}

static void on_eof(struct conn *c)
{
	bool streaming = c->rq && c->rq->stage == REQ_STREAM;
	c->eof = true;
	c->reading = false;
	if (c->state == CONN_LINGER || streaming)
		conn_close(c);
	else
		conn_run(c);
}

static void throw_away(struct conn *c, size_t n)
{
	buf_give(c->server, c->buf);
	c->buf = NULL;
	c->progress += n;
	if (c->progress > LINGER_BYTES)
		conn_close(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *unused)
{
	(void)unused;
	struct conn *c = stream->data;
	size_t room;
	if (n == UV_EOF)
		on_eof(c);
	else if (n < 0)
		conn_close(c);
	else if (c->state == CONN_LINGER)
		throw_away(c, (size_t)n);
	else if (n == 0)
		conn_settle(c);
	else {
		if (body_direct(c->rq, &room))
			c->rq->body_len += (size_t)n;
		else
			c->buf->end += (size_t)n;
		conn_run(c);
	}
}

static bool wants_bytes(const struct conn *c)
{
	size_t room;
	if (c->eof)
		return false;
	if (c->state != CONN_OPEN)
		return c->state == CONN_LINGER;
	if (c->server->paused)
		return false;
	return body_direct(c->rq, &room) || !c->buf || c->buf->end < c->buf->cap;
}

void conn_set_reading(struct conn *c)
{
	bool want = wants_bytes(c);
	if (want == c->reading)
		return;
	c->reading = want;
	if (!want)
		uv_read_stop(&c->stream);
	else if (uv_read_start(&c->stream, on_room, on_read) < 0)
		conn_close(c);
}

void conn_start(struct http_server *s, int fd, const char *peer, bool is_unix)
{
	struct conn *c = conn_take(s);
	size_t n = strlen(peer);
	c->peer_len = (unsigned char)(n < sizeof c->peer ? n : sizeof c->peer);
	memcpy(c->peer, peer, c->peer_len);
	int rc = is_unix ? uv_pipe_init(s->loop, &c->pipe, 0) : uv_tcp_init(s->loop, &c->tcp);
	MUST(rc == 0);
	c->handle.data = c;
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	s->stats.accepted++;
	s->stats.open++;
	rc = is_unix ? uv_pipe_open(&c->pipe, fd) : uv_tcp_open(&c->tcp, fd);
	if (rc < 0) {
		close(fd);
		conn_close(c);
		return;
	}
	conn_settle(c);
}
