/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies over real sockets: by length, chunked, coded, asked for first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "http_rig.h"
#include "unit.h"

static char *pattern(size_t len)
{
	char *p = malloc(len + 1);
	assert_non_null(p);
	for (size_t i = 0; i < len; i++)
		p[i] = (char)('a' + (i * 2654435761u >> 13) % 26);
	p[len] = 0;
	return p;
}

static void post(struct client *c, const char *fields, const void *body, size_t len)
{
	char *all = malloc(len + 512);
	assert_non_null(all);
	size_t n = (size_t)sprintf(all, "POST /b HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n%s\r\n", len, fields);
	memcpy(all + n, body, len);
	client_send(c, all, n + len); /* in one go: the body's front arrives with the head */
	free(all);
}

static void expect_echo(struct client *c, const char *body)
{
	struct reply reply;
	assert_true(client_reply(c, &reply, false));
	assert_int_equal(reply.status, 200);
	assert_memory_equal(reply.body, "POST /b?|", 9);
	assert_string_equal(reply.body + 9, body);
	free(reply.body);
}

static void bodies_of_every_size_arrive_whole(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 4096, 40000, 65400, 65535, 65536, 70000, 1 << 20, 2 << 20 };
	struct rig r;
	struct client c;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *body = pattern(sizes[i]);
		post(&c, "", body, sizes[i]);
		expect_echo(&c, body);
		free(body);
	}
	client_close(&c);
	rig_close(&r);
}

static void chunked_bodies_of_every_size_arrive_whole(void **state)
{
	(void)state;
	static const size_t sizes[] = { 0, 1, 5000, 50000, 70000, 300000 }, steps[] = { 1000, 7, 60000 };
	struct rig r;
	struct client c;
	char line[64];
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *body = pattern(sizes[i]), *wire = malloc(sizes[i] * 3 + 1024);
		size_t n = 0, step;
		assert_non_null(wire);
		for (size_t at = 0, k = 0; at < sizes[i]; at += step, k++) {
			step = steps[k % 3] < sizes[i] - at ? steps[k % 3] : sizes[i] - at;
			n += (size_t)sprintf(wire + n, "%zX\r\n", step);
			memcpy(wire + n, body + at, step);
			memcpy(wire + n + step, "\r\n", 2);
			n += step + 2;
		}
		client_say(&c, "POST /b HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: Chunked\r\n\r\n");
		client_send(&c, wire, n);
		snprintf(line, sizeof line, "0\r\nX-Sum: %zu\r\n\r\nGET /next HTTP/1.1\r\nHost: t\r\n\r\n", i);
		client_say(&c, line);
		expect_echo(&c, body);
		client_expect_body(&c, 200, "GET /next?|");
		free(body);
		free(wire);
	}
	client_close(&c);
	rig_close(&r);
}

static size_t gzip(const char *plain, size_t len, unsigned char *out, size_t room)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)plain;
	z.avail_in = (unsigned)len;
	z.next_out = out;
	z.avail_out = (unsigned)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static void coded_bodies_arrive_plain(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	char *body = pattern(100000);
	unsigned char *coded = malloc(200000);
	assert_non_null(coded);
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	post(&c, "Content-Encoding: gzip\r\n", coded, gzip(body, 100000, coded, 200000));
	expect_echo(&c, body);
	post(&c, "Content-Encoding: zstd\r\n", coded, ZSTD_compress(coded, 200000, body, 100000, 3));
	expect_echo(&c, body);
	post(&c, "Content-Encoding: identity\r\n", body, 1000);
	client_expect(&c, 200);
	post(&c, "Content-Encoding: gzip\r\n", "not gzip", 8);
	client_expect(&c, 400);
	assert_true(client_ends(&c));
	free(body);
	free(coded);
	client_close(&c);
	rig_close(&r);
}

static void a_client_that_asks_first_is_told_to_go_on(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	struct reply reply;
	rig_open(&r, NULL, NULL);
	client_open(&c, &r);
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_true(client_reply(&c, &reply, false));
	assert_string_equal(reply.head, "HTTP/1.1 100 Continue\r\n\r\n");
	free(reply.body);
	client_say(&c, "abc");
	client_expect_body(&c, 200, "POST /?|abc");
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
	client_expect_body(&c, 200, "POST /?|abc");
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nExpect: miracles\r\nContent-Length: 3\r\n\r\n");
	client_expect(&c, 417);
	client_close(&c);
	rig_close(&r);
}

static bool gate(struct http_request *rq)
{
	if (!http_field_get(rq, "authorization")) {
		http_problem(rq, 401, "unauthorized", 0, "no key");
		return false;
	}
	return true;
}

static void the_gate_is_asked_before_the_body(void **state)
{
	(void)state;
	struct rig r;
	struct client c;
	rig_open(&r, NULL, NULL);
	http_server_set_gate(r.server, gate);
	client_open(&c, &r);
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nAuthorization: x\r\nContent-Length: 3\r\n\r\nabc");
	client_expect_body(&c, 200, "POST /?|abc");
	client_say(&c, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 300\r\n\r\n");
	client_expect(&c, 401);
	assert_true(client_ends(&c));
	assert_int_equal(r.handled, 1);
	client_close(&c);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_of_every_size_arrive_whole),
		cmocka_unit_test(chunked_bodies_of_every_size_arrive_whole),
		cmocka_unit_test(coded_bodies_arrive_plain),
		cmocka_unit_test(a_client_that_asks_first_is_told_to_go_on),
		cmocka_unit_test(the_gate_is_asked_before_the_body),
	};
	return RUN_TESTS("http upload", tests);
}
