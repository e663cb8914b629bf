/* SPDX-License-Identifier: Apache-2.0 */
/* Answers on their way out. They are composed in one buffer of the server and written at once; only what the socket
 * does not take is copied and queued, and while anything is queued its connection begins no further request. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/inner.h"

/* Bytes the socket did not take. */
struct queued {
	uv_write_t write;
	char bytes[];
};

static void on_written(uv_write_t *write, int status)
{
	struct conn *c = write->handle->data;
	free(write->data);
	c->writes--;
	if (c->state == CONN_CLOSING)
		return;
	if (status < 0)
		conn_close(c);
	else if (c->writes == 0)
		conn_run(c);
}

static void queue(struct conn *c, struct tally_str a, struct tally_str b, bool b_is_static)
{
	size_t copied = a.len + (b_is_static ? 0 : b.len);
	struct queued *q = memory_alloc(sizeof *q + copied);
	MUST(q != NULL);
	if (a.len)
		memcpy(q->bytes, a.ptr, a.len);
	uv_buf_t bufs[2] = { uv_buf_init(q->bytes, (unsigned)a.len), uv_buf_init((char *)b.ptr, (unsigned)b.len) };
	if (!b_is_static) {
		if (b.len)
			memcpy(q->bytes + a.len, b.ptr, b.len);
		bufs[1].base = q->bytes + a.len;
	}
	q->write.data = q;
	if (uv_write(&q->write, &c->stream, bufs, 2, on_written) < 0) {
		free(q);
		conn_close(c);
		return;
	}
	c->writes++;
}

static struct tally_str rest(struct tally_str s, size_t *written)
{
	size_t n = *written < s.len ? *written : s.len;
	*written -= n;
	return str_make(s.ptr + n, s.len - n);
}

/* Writes a and then b: now, as far as the socket takes it. */
static void conn_write(struct conn *c, struct tally_str a, struct tally_str b, bool b_is_static)
{
	if (c->state == CONN_CLOSING)
		return;
	size_t written = 0, all = a.len + b.len;
	if (c->writes == 0) {
		uv_buf_t bufs[2] = { uv_buf_init((char *)a.ptr, (unsigned)a.len),
			uv_buf_init((char *)b.ptr, (unsigned)b.len) };
		int n = uv_try_write(&c->stream, bufs, b.len ? 2 : 1);
		if (n < 0 && n != UV_EAGAIN) {
			conn_close(c);
			return;
		}
		written = n > 0 ? (size_t)n : 0;
	}
	if (written == all)
		return;
	a = rest(a, &written);
	b = rest(b, &written);
	queue(c, a, b, b_is_static);
}

/* The server's buffer, with nothing in it of anybody else. */
static struct http_out *out_for(struct conn *c)
{
	struct http_server *s = c->server;
	if (s->out_owner && s->out_owner != c)
		conn_flush(s->out_owner);
	s->out_owner = c;
	return &s->out;
}

static void flush_with(struct conn *c, struct tally_str body, bool body_is_static)
{
	struct http_server *s = c->server;
	s->out_owner = NULL;
	if (s->out.len + body.len)
		conn_write(c, str_make(s->out.bytes, s->out.len), body, body_is_static);
	s->out.len = 0;
	if (s->out.cap > OUT_KEEP)
		out_free(&s->out);
}

void conn_flush(struct conn *c)
{
	flush_with(c, str_make(NULL, 0), false);
}

void conn_send_raw(struct conn *c, const char *bytes, size_t len)
{
	out_put(out_for(c), bytes, len);
}

/* ---- one answer ---- */

static bool must_close(const struct req *rq, const struct http_answer *a)
{
	return a->close || rq->stage == REQ_GATE || !rq->head.keep_alive || rq->server->closing;
}

/* A client that did not ask for the end may be sending its next request, or the rest of this one. */
static void end_request(struct conn *c, bool close)
{
	struct req *rq = c->rq;
	if (close) {
		c->must_linger = rq->stage == REQ_GATE || rq->head.keep_alive || c->buf->start < c->buf->end;
		c->state = CONN_ENDING;
	}
	c->rq = NULL;
	req_give(rq);
	if (!c->running)
		conn_flush(c);
	conn_run_soon(c);
}

static void put_body(struct conn *c, const struct http_answer *a)
{
	struct http_server *s = c->server;
	if (c->rq->pub.head_only || !answer_has_body(a->status))
		return;
	if (a->body.len > COPY_MAX) {
		flush_with(c, a->body, a->static_body);
		return;
	}
	out_put(&s->out, a->body.ptr, a->body.len);
	if (s->out.len > OUT_FLUSH)
		conn_flush(c);
}

void http_respond(struct http_request *pub, const struct http_answer *a)
{
	struct req *rq = (struct req *)pub;
	struct conn *c = rq->conn;
	struct http_server *s = rq->server;
	MUST(rq->stage == REQ_HANDED || rq->stage == REQ_GATE);
	if (!c) {
		req_give(rq);
		server_maybe_free(s);
		return;
	}
	struct answer_head h = {
		.answer = a, .framing = ANSWER_LENGTH, .minor = rq->head.minor, .close = must_close(rq, a)
	};
	answer_put_head(out_for(c), &s->date, &h);
	put_body(c, a);
	if (rq->conn)
		end_request(c, h.close);
	else
		req_give(rq); /* the write showed that the client has gone */
}

void conn_refuse(struct conn *c, const struct http_fault *fault)
{
	struct req *rq = c->rq;
	rq->stage = REQ_GATE;
	rq->pub.head_only = str_eq(rq->head.method, STR("HEAD"));
	c->server->stats.bad_requests++;
	http_problem(&rq->pub, fault->status, fault->code, 0, "%s", fault->detail);
}

/* ---- a streamed answer ---- */

void http_stream_begin(struct http_request *pub, const struct http_answer *a)
{
	struct req *rq = (struct req *)pub;
	struct conn *c = rq->conn;
	MUST(rq->stage == REQ_HANDED);
	rq->stage = REQ_STREAM;
	if (!c)
		return;
	if (rq->head.minor == 0)
		rq->head.keep_alive = false;
	struct answer_head h = { .answer = a,
		.framing = rq->head.minor ? ANSWER_CHUNKED : ANSWER_UNTIL_CLOSE,
		.minor = rq->head.minor,
		.close = must_close(rq, a) };
	rq->head.keep_alive = !h.close;
	answer_put_head(out_for(c), &rq->server->date, &h);
	conn_flush(c);
	if (c->eof)
		conn_close(c);
	conn_run_soon(c);
}

int http_stream_write(struct http_request *pub, struct tally_str chunk)
{
	struct req *rq = (struct req *)pub;
	struct conn *c = rq->conn;
	MUST(rq->stage == REQ_STREAM);
	if (c && uv_stream_get_write_queue_size(&c->stream) > STREAM_MAX)
		conn_close(c);
	if (!rq->conn)
		return -EPIPE;
	if (chunk.len == 0 || pub->head_only)
		return 0;
	struct http_out *o = out_for(c);
	char size[24];
	if (rq->head.minor)
		out_put(o, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", chunk.len));
	out_put(o, chunk.ptr, chunk.len);
	if (rq->head.minor)
		out_put(o, "\r\n", 2);
	conn_flush(c);
	conn_run_soon(c);
	return rq->conn ? 0 : -EPIPE;
}

void http_stream_end(struct http_request *pub)
{
	struct req *rq = (struct req *)pub;
	struct conn *c = rq->conn;
	struct http_server *s = rq->server;
	MUST(rq->stage == REQ_STREAM);
	if (!c) {
		req_give(rq);
		server_maybe_free(s);
		return;
	}
	if (rq->head.minor && !pub->head_only)
		out_put(out_for(c), "0\r\n\r\n", 5);
	end_request(c, !rq->head.keep_alive || s->closing);
}
