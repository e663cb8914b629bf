/* SPDX-License-Identifier: Apache-2.0 */
/* ask PORT CONNECTIONS SECONDS < QUESTIONS: asks the questions (bodies of POST /v1/query, one a line) in turn over
 * connections that are kept, one question at a time on each, as fast as they are answered. Prints
 *
 *     answers N rate N/s p50us N p99us N hits N
 *
 * hits: answers that say "cache":"hit". Any status but 200 ends it with 1. Times are from the last byte sent to the last
 * one received, so with many connections they are mostly the queue. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUESTIONS_MAX 4096
#define ANSWER_MAX (8 << 20)
#define TIMES_MAX 2000000 /* microseconds */

struct connection {
	int fd;
	char *buf;
	size_t len, cap, want; /* want: bytes of head and body, 0 = not known yet */
	double asked;
};

static char *requests[QUESTIONS_MAX];
static size_t lengths[QUESTIONS_MAX], nrequests, next_request;
static unsigned *times;
static unsigned long answers, hits;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *why)
{
	fprintf(stderr, "ask: %s\n", why);
	exit(1);
}

static void read_questions(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	while (nrequests < QUESTIONS_MAX && (n = getline(&line, &cap, stdin)) > 1) {
		n -= line[n - 1] == '\n';
		char *text = malloc((size_t)n + 256);
		if (!text)
			abort();
		int head = sprintf(text,
			"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
			"Content-Length: %zd\r\n\r\n",
			n);
		memcpy(text + head, line, (size_t)n);
		lengths[nrequests] = (size_t)head + (size_t)n;
		requests[nrequests++] = text;
	}
	free(line);
	if (nrequests == 0)
		fail("no questions");
}

/* A question is shorter than a socket's buffer, which is empty by then. */
static void ask(struct connection *c)
{
	size_t i = next_request++ % nrequests;
	if (write(c->fd, requests[i], lengths[i]) != (ssize_t)lengths[i])
		fail("a question was not taken whole");
	c->len = c->want = 0;
	c->asked = now();
}

static void find_length(struct connection *c)
{
	char *end = memmem(c->buf, c->len, "\r\n\r\n", 4);
	if (!end)
		return;
	if (memcmp(c->buf, "HTTP/1.1 200", 12) != 0)
		fail(c->buf);
	char *length = strcasestr(c->buf, "\r\ncontent-length:");
	if (!length || length > end)
		fail("an answer without a length");
	c->want = (size_t)(end + 4 - c->buf) + strtoul(length + 17, NULL, 10);
}

static void answered(struct connection *c)
{
	double us = (now() - c->asked) * 1e6;
	times[us < TIMES_MAX - 1 ? (size_t)us : TIMES_MAX - 1]++;
	answers++;
	size_t tail = c->len < 1024 ? c->len : 1024; /* `meta` and `query` are at the end */
	hits += memmem(c->buf + c->len - tail, tail, "\"cache\":\"hit\"", 13) != NULL;
	ask(c);
}

static void receive(struct connection *c)
{
	if (c->cap - c->len < 65536) {
		c->cap = c->cap ? 2 * c->cap : 131072;
		if (c->cap > ANSWER_MAX || !(c->buf = realloc(c->buf, c->cap)))
			fail("an answer is too long");
	}
	ssize_t n = read(c->fd, c->buf + c->len, c->cap - c->len - 1);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		fail("the server has hung up");
	c->len += (size_t)n;
	c->buf[c->len] = 0;
	if (!c->want)
		find_length(c);
	if (c->want && c->len >= c->want)
		answered(c);
}

static int connect_to(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		fail("cannot connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static size_t quantile(double share)
{
	unsigned long seen = 0;
	size_t i = 0;
	while (i < TIMES_MAX - 1 && (seen += times[i]) < (unsigned long)(share * (double)answers))
		i++;
	return i;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		fail("usage: ask PORT CONNECTIONS SECONDS < QUESTIONS");
	int n = atoi(argv[2]), poll = epoll_create1(0);
	double until, began;
	struct connection *all = calloc((size_t)n, sizeof *all);
	times = calloc(TIMES_MAX, sizeof *times);
	if (!all || !times || n < 1)
		abort();
	read_questions();
	for (int i = 0; i < n; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
		all[i].fd = connect_to(atoi(argv[1]));
		epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &ev);
	}
	began = now();
	until = began + atof(argv[3]);
	for (int i = 0; i < n; i++)
		ask(&all[i]);
	while (now() < until) {
		struct epoll_event ev[256];
		int got = epoll_wait(poll, ev, 256, 100);
		for (int i = 0; i < got; i++)
			receive(&all[ev[i].data.u32]);
	}
	printf("answers %lu rate %.0f p50us %zu p99us %zu hits %lu\n", answers, (double)answers / (now() - began),
		quantile(0.5), quantile(0.99), hits);
	return 0;
}
