/* SPDX-License-Identifier: Apache-2.0 */
/* The load: a few connections, each with a thread that sends the next request when the last is answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/client/bench.h"

#define ANSWER_MAX 65536
#define TIMEOUT_S 60
/* the digits that change: of the id 6 of the sender and 12 of its event, 4 of visitor and page */
#define EVENT                                                                                                               \
	"{\"id\":\"bench-000000-000000000000\",\"name\":\"view\",\"visitor\":\"visitor-0000\",\"page\":\"/products/0000\"," \
	"\"value\":12.5,\"props\":{\"plan\":\"pro\",\"variant\":\"B\"}}"
#define EVENT_BYTES (sizeof EVENT - 1)
#define AT(words) (strstr(EVENT, words) - EVENT + (ptrdiff_t)sizeof words - 1)

struct sender {
	pthread_t thread;
	const struct bench *bench;
	unsigned number;
	size_t batch, body_at, request_bytes;
	int64_t ends_us;
	int fd;
	char *request;
	double *us; /* of each request */
	size_t n, cap;
	uint64_t events, accepted;
	char why[128]; /* empty = all went well */
};

/* ---- requests ---- */

static void put_digits(char *p, uint64_t n, int digits)
{
	while (digits > 0) {
		p[--digits] = (char)('0' + n % 10);
		n /= 10;
	}
}

static void number_event(const struct sender *s, char *p, uint64_t n)
{
	put_digits(p + AT("bench-"), s->number, 6);
	put_digits(p + AT("bench-000000-"), n, 12);
	put_digits(p + AT("visitor-"), n * 7919 % 9973, 4);
	put_digits(p + AT("/products/"), n * 31 % 997, 4);
}

static void make_request(struct sender *s)
{
	size_t body = s->batch == 1 ? EVENT_BYTES : s->batch * (EVENT_BYTES + 1) + 1;
	s->request = malloc(body + 512);
	MUST(s->request != NULL);
	s->body_at = (size_t)snprintf(s->request, 512,
		"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		s->bench->port, body);
	char *p = s->request + s->body_at;
	for (size_t i = 0; i < s->batch; i++, p += EVENT_BYTES) {
		if (s->batch > 1)
			*p++ = i ? ',' : '[';
		memcpy(p, EVENT, EVENT_BYTES);
	}
	if (s->batch > 1)
		*p = ']';
	s->request_bytes = s->body_at + body;
}

static void number_events(struct sender *s)
{
	char *p = s->request + s->body_at;
	for (size_t i = 0; i < s->batch; i++, p += EVENT_BYTES) {
		p += s->batch > 1; /* bracket or comma */
		number_event(s, p, s->events++);
	}
}

/* ---- one exchange ---- */

static int send_all(struct sender *s)
{
	for (size_t sent = 0; sent < s->request_bytes;) {
		ssize_t n = send(s->fd, s->request + sent, s->request_bytes - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -1;
		sent += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Bytes of the whole answer whose head stands in text, 0 = the head is not whole yet. */
static size_t answer_bytes(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
	return end ? (size_t)(end + 4 - text) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0) : 0;
}

static int read_answer(struct sender *s, char *text)
{
	size_t got = 0, want = 0;
	while (!want || got < want) {
		ssize_t n = recv(s->fd, text + got, ANSWER_MAX - 1 - got, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		got += (size_t)n;
		text[got] = 0;
		want = want ? want : answer_bytes(text);
		if (want >= ANSWER_MAX || got == ANSWER_MAX - 1)
			return -1;
	}
	return 0;
}

static int fail(struct sender *s, const char *why)
{
	snprintf(s->why, sizeof s->why, "%s", why);
	return -1;
}

static int exchange(struct sender *s, char *text)
{
	number_events(s);
	if (send_all(s) || read_answer(s, text))
		return fail(s, errno ? strerror(errno) : "tallyd closed the connection");
	int status = atoi(text + 9);
	const char *accepted = strstr(text, "\"accepted\":");
	if (status == 503) /* behind: what was refused is no event that counts */
		return 0;
	if (status != 200 || !accepted)
		return fail(s, text);
	s->accepted += strtoull(accepted + 11, NULL, 10);
	return 0;
}

static void keep_sample(struct sender *s, double us)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4096;
		s->us = realloc(s->us, s->cap * sizeof *s->us);
		MUST(s->us != NULL);
	}
	s->us[s->n++] = us;
}

static int connect_to(struct sender *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->bench->port) };
	struct timeval timeout = { .tv_sec = TIMEOUT_S };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&a, sizeof a) < 0)
		return fail(s, strerror(errno));
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	return 0;
}

static void *sender_main(void *arg)
{
	struct sender *s = arg;
	char *text = malloc(ANSWER_MAX);
	MUST(text != NULL);
	make_request(s);
	int rc = connect_to(s);
	while (!rc && !bench_stopped) {
		int64_t began_us = clock_mono_us();
		if (began_us >= s->ends_us)
			break;
		rc = exchange(s, text);
		if (!rc)
			keep_sample(s, (double)(clock_mono_us() - began_us));
	}
	if (s->fd >= 0)
		close(s->fd);
	free(s->request);
	free(text);
	return NULL;
}

/* ---- all of them ---- */

static int add_up(struct bench *b, const char *what, struct sender *senders, int64_t took_us)
{
	struct sender all = { 0 };
	int rc = 0;
	for (struct sender *s = senders; s < senders + BENCH_CONNECTIONS; s++) {
		if (s->why[0] && !rc)
			rc = bench_refuse("%s: %s", what, s->why);
		all.accepted += s->accepted;
		for (size_t i = 0; i < s->n; i++)
			keep_sample(&all, s->us[i]);
		free(s->us);
	}
	b->accepted += all.accepted;
	if (!rc)
		bench_add(b, what, (double)all.accepted * 1e6 / (double)took_us, all.us, all.n);
	free(all.us);
	return rc;
}

int bench_load(struct bench *b, const char *what, size_t batch)
{
	static unsigned made; /* ids of no two senders meet */
	struct sender senders[BENCH_CONNECTIONS];
	int64_t began_us = clock_mono_us();
	for (struct sender *s = senders; s < senders + BENCH_CONNECTIONS; s++) {
		*s = (struct sender){ .bench = b, .number = made++, .batch = batch, .fd = -1 };
		s->ends_us = began_us + (int64_t)(b->seconds * 1e6);
		MUST(pthread_create(&s->thread, NULL, sender_main, s) == 0);
	}
	for (struct sender *s = senders; s < senders + BENCH_CONNECTIONS; s++)
		MUST(pthread_join(s->thread, NULL) == 0);
	return add_up(b, what, senders, clock_mono_us() - began_us + 1);
}
