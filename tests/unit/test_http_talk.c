/* SPDX-License-Identifier: Apache-2.0 */
/* Long talks: requests of every kind in one stream, cut at random places, some answered late. Whatever the cuts, each
 * request must arrive as it was sent and be answered in its turn. Seeded: a failure comes again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_rig.h"
#include "unit.h"

#define REQUESTS 60
#define TALKS 12
#define BODY_MAX 150000

static uint64_t dice;

static size_t roll(size_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (size_t)(dice % below);
}

struct talk {
	char *wire; /* all requests */
	size_t len, cap;
	char *bodies[REQUESTS]; /* the answers' bodies; "" = a held request */
};

static void put(struct talk *t, const void *bytes, size_t len)
{
	while (t->cap - t->len < len) {
		t->cap = t->cap ? t->cap * 2 : 1 << 20;
		t->wire = realloc(t->wire, t->cap);
		assert_non_null(t->wire);
	}
	memcpy(t->wire + t->len, bytes, len);
	t->len += len;
}

static void say(struct talk *t, const char *text)
{
	put(t, text, strlen(text));
}

static char *noise(size_t len)
{
	char *p = malloc(len + 1);
	assert_non_null(p);
	for (size_t i = 0; i < len; i++)
		p[i] = (char)('a' + roll(26));
	p[len] = 0;
	return p;
}

/* Mostly small, now and then larger than the read buffer. */
static size_t some_size(void)
{
	static const size_t up_to[] = { 1, 10, 300, 300, 5000, 70000, BODY_MAX };
	return roll(up_to[roll(sizeof up_to / sizeof *up_to)]);
}

static void put_chunked(struct talk *t, const char *body, size_t len)
{
	char line[32];
	for (size_t at = 0; at < len;) {
		size_t n = some_size() + 1;
		if (n > len - at)
			n = len - at;
		snprintf(line, sizeof line, "%zx\r\n", n);
		say(t, line);
		put(t, body + at, n);
		say(t, "\r\n");
		at += n;
	}
	say(t, roll(2) ? "0\r\n\r\n" : "0\r\nX-Trailer: y\r\n\r\n");
}

static void put_request(struct talk *t, int i)
{
	size_t len = some_size(), kind = roll(4);
	char head[1024], *body = noise(len), *answer = malloc(len + 64);
	assert_non_null(answer);
	sprintf(answer, "POST /%d?|%s", i, kind == 0 ? "" : body);
	if (kind == 0)
		sprintf(head, "POST /%d HTTP/1.1\r\nHost: t\r\nX: %.*s\r\n\r\n", i, (int)(len < 900 ? len : 900), body);
	else if (kind == 1)
		sprintf(head, "POST /%d HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n", i);
	else
		sprintf(head, "POST /%d HTTP/1.1\r\nContent-Length: %zu\r\nHost: t\r\n\r\n", i, len);
	if (kind == 3) {
		sprintf(head, "POST /hold HTTP/1.1\r\nContent-Length: %zu\r\nHost: t\r\n\r\n", len);
		strcpy(answer, "");
	}
	say(t, head);
	if (kind == 1)
		put_chunked(t, body, len);
	else if (kind > 1)
		put(t, body, len);
	t->bodies[i] = answer;
	free(body);
}

static void answer_held(struct rig *r)
{
	while (r->nheld)
		http_respond(r->held[--r->nheld], &(struct http_answer){ .status = 200 });
}

static void each_request_arrives_and_is_answered_in_turn(void **state)
{
	(void)state;
	for (int n = 0; n < TALKS; n++) {
		struct rig r;
		struct client c;
		struct talk t = { 0 };
		dice = 0x9e3779b97f4a7c15u + (uint64_t)n;
		rig_open(&r, NULL, NULL);
		client_open(&c, &r);
		for (int i = 0; i < REQUESTS; i++)
			put_request(&t, i);
		for (size_t at = 0; at < t.len;) {
			size_t piece = some_size() + 1;
			if (piece > t.len - at)
				piece = t.len - at;
			/* the socket may be full because a held request stops the reading */
			answer_held(&r);
			client_send_some(&c, t.wire + at, &piece);
			assert_false(c.refused);
			at += piece;
		}
		for (int i = 0; i < REQUESTS; i++) {
			struct reply reply;
			while (!client_has_reply(&c)) {
				answer_held(&r);
				rig_turn(&r);
			}
			assert_true(client_reply(&c, &reply, false));
			assert_int_equal(reply.status, 200);
			assert_string_equal(reply.body, t.bodies[i]);
			free(reply.body);
			free(t.bodies[i]);
		}
		free(t.wire);
		client_close(&c);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_request_arrives_and_is_answered_in_turn) };
	return RUN_TESTS("http talk", tests);
}
