/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers over real sockets. Limits, time-outs and ends are test_http_ends.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/answer.h"
#include "http_rig.h"
#include "unit.h"

static void keep_alive_serves_one_after_the_other(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "GET /a%20b?x=1 HTTP/1.1\r\nHost: t\r\n\r\n");
	client_expect_body(&c, 200, "GET /a b?x=1|");
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello");
	client_expect_body(&c, 200, "POST /?|hello");
	client_say(&c, "GET /last HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
	client_expect_body(&c, 200, "GET /last?|");
	assert_true(client_ends(&c));
	assert_int_equal(rig_stats(&r).accepted, 1);
	assert_int_equal(rig_stats(&r).requests, 3);
	client_close(&c);
	rig_close(&r);
}

static void old_version_closes_unless_asked_to_stay(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct reply reply;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_true(client_reply(&c, &reply, false));
	assert_non_null(strstr(reply.head, "\r\nConnection: keep-alive\r\n"));
	free(reply.body);
	client_say(&c, "GET / HTTP/1.0\r\n\r\n");
	assert_true(client_reply(&c, &reply, false));
	assert_true(reply.close);
	free(reply.body);
	assert_true(client_ends(&c));
	client_close(&c);
	rig_close(&r);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	char all[16384], want[64];
	size_t n = 0;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(all + n, sizeof all - n,
			i % 2 ? "GET /%d HTTP/1.1\r\nHost: t\r\n\r\n"
			      : "POST /%d HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
			i);
	client_send(&c, all, n);
	for (int i = 0; i < 100; i++) {
		snprintf(want, sizeof want, i % 2 ? "GET /%d?|" : "POST /%d?|abc", i);
		client_expect_body(&c, 200, want);
	}
	client_close(&c);
	rig_close(&r);
}

/* More than the buffer holds, in front of it a request that waits: reading stops and goes on. */
static void pipelined_requests_wait_behind_a_held_one(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	static char pad[3000];
	char one[4096];
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	memset(pad, 'p', sizeof pad - 1);
	client_say(&c, "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n");
	for (int i = 0; i < 100; i++) {
		snprintf(one, sizeof one, "GET /%d HTTP/1.1\r\nHost: t\r\nX: %s\r\n\r\n", i, pad);
		client_say(&c, one);
	}
	assert_int_equal(r.handled, 1);
	rig_wait_held(&r, 1);
	http_respond(r.held[0], &(struct http_answer){ .status = 204 });
	client_expect(&c, 204);
	for (int i = 0; i < 100; i++) {
		snprintf(one, sizeof one, "GET /%d?|", i);
		client_expect_body(&c, 200, one);
	}
	client_close(&c);
	rig_close(&r);
}

static void head_and_204_have_no_body(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct reply reply;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "HEAD /x HTTP/1.1\r\nHost: t\r\n\r\nGET /hold HTTP/1.1\r\nHost: t\r\n\r\n");
	assert_true(client_reply(&c, &reply, true));
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.length, strlen("HEAD /x?|"));
	free(reply.body);
	rig_wait_held(&r, 1);
	http_respond(r.held[0], &(struct http_answer){ .status = 204, .body = STR("not to be seen") });
	assert_true(client_reply(&c, &reply, false));
	assert_null(strstr(reply.head, "Content-Length"));
	free(reply.body);
	client_say(&c, "GET /then HTTP/1.1\r\nHost: t\r\n\r\n");
	client_expect_body(&c, 200, "GET /then?|");
	client_close(&c);
	rig_close(&r);
}

static void on_async(uv_async_t *async)
{
	struct rig *r = async->data;
	for (int i = 9; i >= 0; i--)
		http_respond(r->held[i], &(struct http_answer){ .status = 202, .body = r->held[i]->body });
	uv_close((uv_handle_t *)async, NULL);
}

static void answers_may_come_later_in_any_order(void **state)
{
	(void)state;
	struct rig r;
	struct client c[10];
	uv_async_t async;
	char text[256];
	rig_open(&r, NULL, NULL);
	uv_async_init(&r.loop, &async, on_async);
	async.data = &r;
	for (int i = 0; i < 10; i++) {
		client_open(&c[i], &r);
		snprintf(text, sizeof text,
			"POST /hold HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nbody%dGET /%d HTTP/1.1\r\nHost: t\r\n\r\n",
			i, i);
		client_say(&c[i], text);
	}
	rig_wait_held(&r, 10);
	uv_async_send(&async);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof text, "body%d", i);
		client_expect_body(&c[i], 202, text);
		snprintf(text, sizeof text, "GET /%d?|", i);
		client_expect_body(&c[i], 200, text);
		client_close(&c[i]);
	}
	rig_close(&r);
}

/* The client reads late: what the socket does not take waits, the next answer behind it. */
static void large_answers_reach_a_slow_reader(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct reply reply;
	static const char ask[] =
		"GET /big HTTP/1.1\r\nHost: t\r\n\r\nGET /copy HTTP/1.1\r\nHost: t\r\n\r\nGET /e HTTP/1.1\r\n"
		"Host: t\r\n\r\n";
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	assert_int_equal(write(c.fd, ask, sizeof ask - 1), sizeof ask - 1);
	for (int i = 0; i < 100; i++)
		rig_turn(&r);
	assert_int_equal(r.handled, 1);
	for (int i = 0; i < 2; i++) {
		assert_true(client_reply(&c, &reply, false));
		assert_int_equal(reply.body_len, RIG_BIG);
		for (size_t k = 0; k < reply.body_len; k += 4095)
			assert_int_equal(reply.body[k], rig_byte(k));
		free(reply.body);
	}
	client_expect_body(&c, 200, "GET /e?|");
	client_close(&c);
	rig_close(&r);
}

static void an_answer_cannot_be_split_by_its_fields(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct reply reply;
	struct http_field f = { STR("Location"), STR("/x\r\nSet-Cookie: a=b\r\n\r\nbody") };
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_wait_held(&r, 1);
	http_respond(r.held[0], &(struct http_answer){ .status = 302, .fields = &f, .nfields = 1 });
	assert_true(client_reply(&c, &reply, false));
	assert_non_null(strstr(reply.head, "\r\nLocation: /x  Set-Cookie: a=b    body\r\n\r\n"));
	free(reply.body);
	client_close(&c);
	rig_close(&r);
}

static void a_problem_is_json(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct reply reply;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_wait_held(&r, 1);
	http_problem(r.held[0], 503, "overloaded", 7, "a \"quote\" and\n%s", "\xff");
	assert_true(client_reply(&c, &reply, false));
	assert_non_null(strstr(reply.head, "\r\nRetry-After: 7\r\n"));
	assert_non_null(strstr(reply.head, "\r\nContent-Type: application/problem+json\r\n"));
	assert_false(reply.close);
	assert_string_equal(reply.body,
		"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"overloaded\","
		"\"detail\":\"a \\\"quote\\\" and\\u000a?\"}\n");
	free(reply.body);
	client_close(&c);
	rig_close(&r);
}

static void a_stream_is_sent_in_chunks(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct reply reply;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "GET /stream HTTP/1.1\r\nHost: t\r\n\r\nGET /next HTTP/1.1\r\nHost: t\r\n\r\n");
	rig_wait_held(&r, 1);
	assert_int_equal(http_stream_write(r.held[0], STR("data: 1\n\n")), 0);
	assert_int_equal(http_stream_write(r.held[0], STR("")), 0);
	assert_int_equal(http_stream_write(r.held[0], STR("data: 22\n\n")), 0);
	http_stream_end(r.held[0]);
	assert_true(client_reply(&c, &reply, false));
	assert_string_equal(reply.body, "9\r\ndata: 1\n\n\r\na\r\ndata: 22\n\n\r\n0\r\n\r\n");
	free(reply.body);
	client_expect_body(&c, 200, "GET /next?|");
	client_say(&c, "GET /stream HTTP/1.0\r\n\r\n");
	rig_wait_held(&r, 2);
	assert_int_equal(http_stream_write(r.held[1], STR("plain")), 0);
	http_stream_end(r.held[1]);
	assert_true(client_reply(&c, &reply, false));
	free(reply.body);
	assert_false(client_ends(&c)); /* the body is what is left */
	assert_int_equal(c.len, 5);
	assert_memory_equal(c.in, "plain", 5);
	client_close(&c);
	rig_close(&r);
}

static void a_unix_socket_serves_and_replaces_a_stale_one(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct stat st;
	char path[] = "/tmp/test_http_XXXXXX", address[64], why[256];
	struct http_server *second;
	const struct http_limits limits = { 0 };
	assert_non_null(mkdtemp(path));
	snprintf(address, sizeof address, "%s/s", path);
	rig_open(&r, address, NULL);
	assert_int_equal(stat(address, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	client_open(&c, &r);
	client_say(&c, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
	client_expect_body(&c, 200, "GET /?|");
	assert_int_equal(http_server_open(&r.loop, address, false, &limits, NULL, NULL, &second, why), -EADDRINUSE);
	client_close(&c);
	/* as after kill -9: the file is there, nobody listens */
	char kept[64];
	snprintf(kept, sizeof kept, "%s/kept", path);
	assert_int_equal(link(address, kept), 0);
	rig_close(&r);
	assert_int_not_equal(access(address, F_OK), 0);
	rig_open(&r, kept, NULL);
	client_open(&c, &r);
	client_say(&c, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
	client_expect(&c, 200);
	client_close(&c);
	rig_close(&r);
	assert_int_equal(rmdir(path), 0);
}

static void bad_addresses_are_refused_with_words(void **state)
{
	(void)state;
	static const char *const bad[] = { "nonsense", "127.0.0.1:", "127.0.0.1:x", "256.0.0.1.:1", "/no/such/dir/s",
		"/dev/null" };
	const struct http_limits limits = { 0 };
	struct http_server *s;
	uv_loop_t loop;
	char why[256];
	uv_loop_init(&loop);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		why[0] = 0;
		assert_true(http_server_open(&loop, bad[i], false, &limits, NULL, NULL, &s, why) < 0);
		assert_non_null(strstr(why, bad[i]));
	}
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void lanes_share_a_port_if_they_ask_to(void **state)
{
	(void)state;
	const struct http_limits limits = { 0 };
	struct http_server *lanes[2], *stranger;
	uv_loop_t loop;
	char why[256], address[64];
	uv_loop_init(&loop);
	assert_int_equal(http_server_open(&loop, "127.0.0.1:0", true, &limits, NULL, NULL, &lanes[0], why), 0);
	snprintf(address, sizeof address, "127.0.0.1:%d", http_server_port(lanes[0]));
	assert_int_equal(http_server_open(&loop, address, true, &limits, NULL, NULL, &lanes[1], why), 0);
	assert_int_equal(http_server_port(lanes[1]), http_server_port(lanes[0]));
	assert_int_equal(http_server_open(&loop, address, false, &limits, NULL, NULL, &stranger, why), -EADDRINUSE);
	for (int i = 0; i < 2; i++)
		http_server_close(lanes[i], 0, NULL, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void statuses_have_words(void **state)
{
	(void)state;
	assert_string_equal(http_status_text(200), "OK");
	assert_string_equal(http_status_text(431), "Request Header Fields Too Large");
	assert_string_equal(http_status_text(299), "Unknown");
	struct http_out o = { 0 };
	struct http_date date = { 0 };
	for (int status = 200; status < 600; status++) {
		struct http_answer a = { .status = status };
		o.len = 0;
		answer_put_head(&o, &date, &(struct answer_head){ .answer = &a, .minor = 1 });
		char want[100];
		int n = snprintf(want, sizeof want, "HTTP/1.1 %d %s\r\nDate: ", status, http_status_text(status));
		assert_memory_equal(o.bytes, want, n); /* the table's lengths are its words' */
	}
	out_free(&o);
}

static void dates_are_as_in_the_rfc(void **state)
{
	(void)state;
	struct http_out o = { 0 };
	struct http_date date = { 0 };
	struct http_answer a = { .status = 204 };
	struct answer_head h = { .answer = &a, .minor = 1 };
	clock_set_test(784111777000000, 0);
	answer_put_head(&o, &date, &h);
	assert_memory_equal(o.bytes, "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", o.len);
	o.len = 0;
	clock_set_test(784111778000000, 0);
	answer_put_head(&o, &date, &h);
	assert_memory_equal(o.bytes, "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n\r\n", o.len);
	clock_set_test(-1, 0);
	out_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keep_alive_serves_one_after_the_other),
		cmocka_unit_test(old_version_closes_unless_asked_to_stay),
		cmocka_unit_test(pipelined_requests_are_answered_in_order),
		cmocka_unit_test(pipelined_requests_wait_behind_a_held_one),
		cmocka_unit_test(head_and_204_have_no_body),
		cmocka_unit_test(answers_may_come_later_in_any_order),
		cmocka_unit_test(large_answers_reach_a_slow_reader),
		cmocka_unit_test(an_answer_cannot_be_split_by_its_fields),
		cmocka_unit_test(a_problem_is_json),
		cmocka_unit_test(a_stream_is_sent_in_chunks),
		cmocka_unit_test(a_unix_socket_serves_and_replaces_a_stale_one),
		cmocka_unit_test(bad_addresses_are_refused_with_words),
		cmocka_unit_test(lanes_share_a_port_if_they_ask_to),
		cmocka_unit_test(statuses_have_words),
		cmocka_unit_test(dates_are_as_in_the_rfc),
	};
	return RUN_TESTS("http server", tests);
}
