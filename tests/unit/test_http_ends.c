/* SPDX-License-Identifier: Apache-2.0 */
/* Where requests end: limits and clients that vanish. What ends by time is test_http_time.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "http_rig.h"
#include "unit.h"

#define GET "GET / HTTP/1.1\r\nHost: t\r\n\r\n"

static void a_refused_request_ends_its_connection(void **state)
{
	(void)state;
	static char target[9000], field[17000];
	static const struct {
		int status;
		const char *code, *text;
	} bad[] = {
		{ 400, "bad_line_end", "GET / HTTP/1.1\nHost: t\r\n\r\n" GET },
		{ 400, "bad_framing",
			"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" GET },
		{ 400, "bad_chunk",
			"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n" GET },
		{ 413, "body_too_large", "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1001\r\n\r\n" },
		{ 413, "body_too_large",
			"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 99999999999999999999\r\n\r\n" },
		{ 414, "uri_too_long", target },
		{ 415, "unsupported_encoding",
			"POST / HTTP/1.1\r\nHost: t\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc" GET },
		{ 431, "head_too_large", field },
		{ 505, "version_not_supported", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
	};
	struct rig r;
	struct client c;
	struct reply reply;
	struct http_limits limits = { .body_bytes = 1000 };
	snprintf(target, sizeof target, "GET /%08500d", 0);
	snprintf(field, sizeof field, "GET / HTTP/1.1\r\nHost: t\r\nX: %016500d", 0);
	rig_open(&r, NULL, &limits);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		client_open(&c, &r);
		client_say(&c, bad[i].text);
		assert_true(client_reply(&c, &reply, false));
		assert_int_equal(reply.status, bad[i].status);
		assert_true(reply.close);
		assert_non_null(strstr(reply.head, "\r\nContent-Type: application/problem+json\r\n"));
		assert_non_null(strstr(reply.body, bad[i].code));
		free(reply.body);
		assert_true(client_ends(&c)); /* nothing behind it was taken for a request */
		client_close(&c);
	}
	assert_int_equal(r.handled, 0);
	assert_int_equal(rig_stats(&r).bad_requests, sizeof bad / sizeof *bad);
	rig_close(&r);
}

static void a_refusal_of_head_has_no_body(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct reply reply;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "HEAD / HTTP/1.1\r\n\r\n");
	assert_true(client_reply(&c, &reply, true));
	assert_int_equal(reply.status, 400);
	free(reply.body);
	assert_true(client_ends(&c));
	client_close(&c);
	rig_close(&r);
}

/* The client sends on although it was refused: it must still get to read why. */
static void a_refusal_is_not_lost_behind_a_reset(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	char *body = calloc(1, 1 << 20);
	struct http_limits limits = { .body_bytes = 1000 };
	assert_non_null(body);
	rig_open(&r, NULL, &limits);
	client_open(&c, &r);
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1048576\r\n\r\n");
	client_send(&c, body, 1 << 20);
	client_expect(&c, 413);
	assert_true(client_ends(&c));
	free(body);
	client_close(&c);
	rig_close(&r);
}

static void a_chunked_body_over_the_limit_is_413(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct http_limits limits = { .body_bytes = 1000 };
	char body[1001] = "";
	memset(body, 'x', 1000);
	rig_open(&r, NULL, &limits);
	client_open(&c, &r);
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n");
	client_say(&c, body);
	client_say(&c, "\r\n0\r\n\r\n");
	client_expect(&c, 200);
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n");
	client_say(&c, body);
	client_say(&c, "\r\n1\r\nx");
	client_expect(&c, 413);
	assert_true(client_ends(&c));
	client_close(&c);
	rig_close(&r);
}

static void a_bomb_is_413(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	unsigned long n = 32 << 20;
	unsigned char *zeros = calloc(1, n), *coded = malloc(1 << 20);
	char head[256];
	z_stream z = { .next_in = zeros, .avail_in = (unsigned)n, .next_out = coded, .avail_out = 1 << 20 };
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, 0), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = (1 << 20) - z.avail_out;
	deflateEnd(&z);
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	snprintf(head, sizeof head,
		"POST / HTTP/1.1\r\nHost: t\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n", n);
	client_say(&c, head);
	client_send(&c, coded, n);
	client_expect(&c, 413);
	assert_int_equal(r.handled, 0);
	free(zeros);
	free(coded);
	client_close(&c);
	rig_close(&r);
}

static void past_the_cap_connections_are_told_and_closed(void **state)
{
	(void)state;
	struct rig r;
	struct client c[3];
	struct reply reply;
	struct http_limits limits = { .connections = 2 };
	rig_open(&r, NULL, &limits);
	for (int i = 0; i < 2; i++) {
		client_open(&c[i], &r);
		client_say(&c[i], GET);
		client_expect(&c[i], 200);
	}
	client_open(&c[2], &r);
	assert_true(client_reply(&c[2], &reply, false));
	assert_int_equal(reply.status, 503);
	assert_true(reply.close && reply.body[reply.body_len - 1] == '\n');
	free(reply.body);
	assert_true(client_ends(&c[2]));
	assert_int_equal(rig_stats(&r).refused_connections, 1);
	for (int i = 0; i < 3; i++)
		client_close(&c[i]);
	rig_close(&r);
}

static bool none_open(void *arg)
{
	return rig_stats(arg).open == 0;
}

/* ---- clients that vanish ---- */

static void vanish(struct client *c)
{
	struct linger hard = { .l_onoff = 1 };
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	client_close(c);
}

static void a_client_may_vanish_at_any_point(void **state)
{
	(void)state;
	static const char request[] =
		"POST /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
	struct rig r;
	rig_open(&r, NULL, NULL);
	for (size_t n = 0; n < sizeof request; n++) {
		struct client c;
		client_open(&c, &r);
		client_send(&c, request, n);
		if (n % 2)
			vanish(&c);
		else
			client_close(&c);
	}
	assert_true(rig_turn_until(&r, none_open, &r));
	rig_close(&r);
}

static void an_answer_to_nobody_is_harmless(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "POST /hold HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello");
	rig_wait_held(&r, 1);
	vanish(&c);
	assert_true(rig_turn_until(&r, none_open, &r));
	/* its bytes are still there, though others have come */
	struct client other;
	client_open(&other, &r);
	client_say(&other, "POST /other HTTP/1.1\r\nHost: other\r\nContent-Length: 5\r\n\r\nOTHER");
	client_expect(&other, 200);
	client_close(&other);
	assert_true(str_eq(r.held[0]->body, STR("hello")));
	assert_true(str_eq(r.held[0]->peer, STR("127.0.0.1")));
	assert_non_null(http_field_get(r.held[0], "host"));
	http_respond(r.held[0], &(struct http_answer){ .status = 200 });
	rig_close(&r);
}

static void a_half_closed_client_still_gets_its_answers(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n" GET "GET /cut HTTP/1.1\r\n");
	shutdown(c.fd, SHUT_WR);
	rig_wait_held(&r, 1);
	for (int i = 0; i < 10; i++)
		rig_turn(&r);
	http_respond(r.held[0], &(struct http_answer){ .status = 204 });
	client_expect(&c, 204);
	client_expect(&c, 200);
	assert_true(client_ends(&c));
	client_close(&c);
	rig_close(&r);
}

static void a_stream_ends_when_its_reader_goes(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "GET /stream HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_wait_held(&r, 1);
	assert_int_equal(http_stream_write(r.held[0], STR("x")), 0);
	client_close(&c);
	assert_true(rig_turn_until(&r, none_open, &r));
	assert_int_equal(http_stream_write(r.held[0], STR("x")), -EPIPE);
	http_stream_end(r.held[0]);
	rig_close(&r);
}

static void a_stream_whose_reader_sleeps_is_cut(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	static char piece[65536];
	int rc = 0, n;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "GET /stream HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_wait_held(&r, 1);
	for (n = 0; n < 1000 && rc == 0; n++) {
		rc = http_stream_write(r.held[0], str_make(piece, sizeof piece));
		rig_turn(&r);
	}
	assert_int_equal(rc, -EPIPE);
	http_stream_end(r.held[0]);
	client_close(&c);
	rig_close(&r);
}

/* An odd request is answered at once; an even one waits for the next even one, whichever connection that comes from:
 * its answer then leaves from within the other's run and lets its own connection go on. */
static struct http_request *waiting;

static void answer(struct http_request *rq)
{
	http_respond(rq, &(struct http_answer){ .status = 200, .body = rq->query });
}

static void answer_the_one_before(struct http_request *rq)
{
	struct http_request *before = waiting;
	if (rq->query.ptr[rq->query.len - 1] % 2) {
		answer(rq);
		return;
	}
	waiting = rq;
	if (before)
		answer(before);
}

static void handlers_may_answer_each_others_requests(void **state)
{
	(void)state;
	struct http_limits limits = { 0 };
	struct rig r = { 0 };
	struct client c[2];
	char why[256], text[8192] = "";
	waiting = NULL;
	assert_int_equal(uv_loop_init(&r.loop), 0);
	assert_int_equal(
		http_server_open(&r.loop, "127.0.0.1:0", false, &limits, answer_the_one_before, NULL, &r.server, why),
		0);
	for (int i = 0; i < 52; i++)
		sprintf(text + strlen(text), "GET /?%d HTTP/1.1\r\nHost: t\r\n\r\n", i);
	for (int i = 0; i < 2; i++) {
		client_open(&c[i], &r);
		assert_int_equal(write(c[i].fd, text, strlen(text)), strlen(text));
	}
	for (int i = 0; i < 50; i++)
		for (int k = 0; k < 2; k++) {
			snprintf(text, sizeof text, "%d", i);
			client_expect_body(&c[k], 200, text);
		}
	answer(waiting);
	for (int k = 0; k < 2; k++)
		client_close(&c[k]);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_request_ends_its_connection),
		cmocka_unit_test(a_refusal_of_head_has_no_body),
		cmocka_unit_test(a_refusal_is_not_lost_behind_a_reset),
		cmocka_unit_test(a_chunked_body_over_the_limit_is_413),
		cmocka_unit_test(a_bomb_is_413),
		cmocka_unit_test(past_the_cap_connections_are_told_and_closed),
		cmocka_unit_test(a_client_may_vanish_at_any_point),
		cmocka_unit_test(an_answer_to_nobody_is_harmless),
		cmocka_unit_test(a_half_closed_client_still_gets_its_answers),
		cmocka_unit_test(a_stream_ends_when_its_reader_goes),
		cmocka_unit_test(a_stream_whose_reader_sleeps_is_cut),
		cmocka_unit_test(handlers_may_answer_each_others_requests),
	};
	return RUN_TESTS("http ends", tests);
}
