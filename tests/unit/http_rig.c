/* SPDX-License-Identifier: Apache-2.0 */
#include "http_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static char big[RIG_BIG];

static struct rig *rig_of(struct http_request *rq)
{
	return rq->lane;
}

static void hold(struct http_request *rq)
{
	struct rig *r = rig_of(rq);
	assert_true(r->nheld < RIG_HELD);
	r->held[r->nheld++] = rq;
}

static void echo(struct http_request *rq)
{
	const char *text = arena_printf(rq->arena, "%.*s %.*s?%.*s|%.*s", (int)rq->method.len, rq->method.ptr,
		(int)rq->path.len, rq->path.ptr, (int)rq->query.len, rq->query.ptr ? rq->query.ptr : "",
		(int)rq->body.len, rq->body.ptr ? rq->body.ptr : "");
	http_respond(rq, &(struct http_answer){ .status = 200, .type = STR("text/plain"), .body = str_of(text) });
}

static void handle(struct http_request *rq)
{
	rig_of(rq)->handled++;
	bool is_big = str_eq(rq->path, STR("/big")), is_copy = str_eq(rq->path, STR("/copy"));
	if (str_eq(rq->path, STR("/hold")))
		hold(rq);
	else if (is_big || is_copy)
		http_respond(rq,
			&(struct http_answer){ .status = 200, .body = str_make(big, RIG_BIG), .static_body = is_big });
	else if (str_eq(rq->path, STR("/stream"))) {
		http_stream_begin(rq, &(struct http_answer){ .status = 200, .type = STR("text/event-stream") });
		hold(rq);
	} else
		echo(rq);
}

void rig_open(struct rig *r, const char *address, const struct http_limits *limits)
{
	static const struct http_limits usual;
	char why[256] = "";
	*r = (struct rig){ 0 };
	for (size_t i = 0; i < RIG_BIG && !big[1]; i++)
		big[RIG_BIG - 1 - i] = rig_byte(RIG_BIG - 1 - i);
	assert_int_equal(uv_loop_init(&r->loop), 0);
	int rc = http_server_open(&r->loop, address ? address : "127.0.0.1:0", false, limits ? limits : &usual, handle,
		r, &r->server, why);
	if (rc < 0)
		fail_msg("%s", why);
	snprintf(r->address, sizeof r->address, "%s", address ? address : "");
}

static void on_done(void *arg)
{
	((struct rig *)arg)->closed = true;
}

void rig_close(struct rig *r)
{
	http_server_close(r->server, 5000000, on_done, r);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_true(r->closed);
	assert_int_equal(uv_loop_close(&r->loop), 0);
}

void rig_turn(struct rig *r)
{
	uv_run(&r->loop, UV_RUN_NOWAIT);
}

bool rig_turn_until(struct rig *r, bool (*done)(void *arg), void *arg)
{
	uint64_t until = uv_hrtime() + 10000000000u;
	while (!done(arg)) {
		if (uv_hrtime() > until)
			return false;
		rig_turn(r);
	}
	return true;
}

void rig_wait_held(struct rig *r, unsigned n)
{
	uint64_t until = uv_hrtime() + 10000000000u;
	while (r->nheld < n) {
		assert_true(uv_hrtime() < until);
		rig_turn(r);
	}
}

struct http_stats rig_stats(struct rig *r)
{
	struct http_stats s;
	http_server_stats(r->server, &s);
	return s;
}

/* ---- a client ---- */

void client_open(struct client *c, struct rig *r)
{
	*c = (struct client){ .rig = r };
	if (*r->address == '/') {
		struct sockaddr_un at = { .sun_family = AF_UNIX };
		snprintf(at.sun_path, sizeof at.sun_path, "%s", r->address);
		c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(connect(c->fd, (struct sockaddr *)&at, sizeof at), 0);
		return;
	}
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_server_port(r->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&at, sizeof at), 0);
}

void client_close(struct client *c)
{
	close(c->fd);
	free(c->in);
	c->in = NULL;
}

void client_send_some(struct client *c, const void *bytes, size_t *len)
{
	ssize_t n = send(c->fd, bytes, *len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		c->refused = true;
	*len = n > 0 ? (size_t)n : 0;
	client_poll(c);
	rig_turn(c->rig);
}

void client_send(struct client *c, const void *bytes, size_t len)
{
	for (const char *p = bytes; len && !c->refused;) {
		size_t n = len;
		client_send_some(c, p, &n);
		p += n;
		len -= n;
	}
}

void client_say(struct client *c, const char *text)
{
	client_send(c, text, strlen(text));
}

void client_poll(struct client *c)
{
	while (!c->eof && !c->reset) {
		if (c->cap - c->len < 65536) {
			c->cap += 1 << 20;
			c->in = realloc(c->in, c->cap);
			assert_non_null(c->in);
		}
		ssize_t n = recv(c->fd, c->in + c->len, c->cap - c->len - 1, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		c->eof = n == 0;
		c->reset = n < 0;
		c->len += n > 0 ? (size_t)n : 0;
	}
}

static char *find(struct client *c, size_t from, const char *what)
{
	return c->len > from ? memmem(c->in + from, c->len - from, what, strlen(what)) : NULL;
}

static void read_head(struct reply *reply, const char *head, size_t len)
{
	assert_true(len < sizeof reply->head);
	*reply = (struct reply){ 0 };
	memcpy(reply->head, head, len);
	assert_int_equal(sscanf(reply->head, "HTTP/1.1 %3d ", &reply->status), 1);
	reply->close = strcasestr(reply->head, "\r\nConnection: close\r\n") != NULL;
	const char *length = strcasestr(reply->head, "\r\nContent-Length: ");
	reply->length = length ? strtoul(length + 18, NULL, 10) : 0;
}

/* Bytes of the whole answer at the front of c->in; 0 = more is to come. */
static size_t whole(struct client *c, struct reply *reply, bool head_only)
{
	char *end = find(c, 0, "\r\n\r\n");
	if (!end)
		return 0;
	size_t head = (size_t)(end - c->in) + 4;
	read_head(reply, c->in, head);
	if (strcasestr(reply->head, "\r\nTransfer-Encoding: chunked\r\n") && !head_only) {
		char *last = find(c, head, "0\r\n\r\n");
		return last ? (size_t)(last - c->in) + 5 : 0;
	}
	size_t all = head + (head_only ? 0 : reply->length);
	return c->len >= all ? all : 0;
}

bool client_has_reply(struct client *c)
{
	struct reply unused;
	client_poll(c);
	return c->eof || c->reset || whole(c, &unused, false);
}

bool client_reply(struct client *c, struct reply *reply, bool head_only)
{
	uint64_t until = uv_hrtime() + 10000000000u;
	size_t n;
	for (;;) {
		client_poll(c);
		n = whole(c, reply, head_only);
		if (n || c->eof || c->reset)
			break;
		assert_true(uv_hrtime() < until);
		rig_turn(c->rig);
	}
	if (!n)
		return false;
	size_t head = strlen(reply->head);
	reply->body_len = n - head;
	reply->body = calloc(1, reply->body_len + 1);
	assert_non_null(reply->body);
	memcpy(reply->body, c->in + head, reply->body_len);
	memmove(c->in, c->in + n, c->len - n);
	c->len -= n;
	return true;
}

void client_expect_body(struct client *c, int status, const char *body)
{
	struct reply reply;
	if (!client_reply(c, &reply, false))
		fail_msg("no answer, %d expected", status);
	if (reply.status != status)
		fail_msg("%d expected, got %s%s", status, reply.head, reply.body);
	if (body)
		assert_string_equal(reply.body, body);
	free(reply.body);
}

void client_expect(struct client *c, int status)
{
	client_expect_body(c, status, NULL);
}

static bool is_over(void *arg)
{
	struct client *c = arg;
	client_poll(c);
	return c->eof || c->reset;
}

bool client_ends(struct client *c)
{
	assert_true(rig_turn_until(c->rig, is_over, c));
	return c->eof && c->len == 0;
}
