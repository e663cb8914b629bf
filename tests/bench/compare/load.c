/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP load generator that costs less than the servers it drives, so that they are the limit.
 *
 *     load PORT PATH [name=value…]
 *
 *     connections=64   kept open, one request in flight on each, no pipelining
 *     batch=1          events in a body; more than 1: an array. 0: GET
 *     body=TEXT        is sent instead of events
 *     seconds=2        no request begins after this; those in flight are waited for
 *     requests=0       ends after so many instead
 *     refused=0        ends once so many were refused (503, 429), if that is earlier
 *     rate=0           requests a second. 0 = closed loop: the next begins when one is answered. Else open loop: latency
 *                      counts from when a request was due, whether or not a connection was free then
 *     run=1 visitors=100000 pages=5000      of the events (shape.h)
 *
 * Prints one JSON object. `accepted` adds up what answers of tally say; `in_time` counts answers before `seconds` were
 * over, and `per_second` is made of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "shape.h"

#define EVENTS_AT_ONCE 256
#define LATENCIES 2000000 /* one count a microsecond; what is longer counts as that */
#define HEAD_MAX 4096
#define DRAIN_US 30000000

struct conn {
	int fd;
	char *request; /* its own, since events are numbered in it */
	size_t len, sent;
	char head[HEAD_MAX + 1]; /* of the answer, and the begin of its body */
	size_t got;              /* bytes of the answer so far, also those that head has no room for */
	size_t want;             /* bytes of the answer, 0 = not known yet */
	int64_t due_us;
	bool busy, writing;
};

static struct options {
	uint64_t port, connections, batch, requests, refused, rate, run, visitors, pages;
	double seconds;
	const char *path, *body;
} opt = { .connections = 64, .batch = 1, .seconds = 2, .run = 1, .visitors = 100000, .pages = 5000 };

static struct {
	uint64_t begun, answered, in_time, refused, failed, accepted;
} n;

static struct shape shape;
static struct conn *conns, **idle;
static size_t nidle, body_at; /* where the body begins in every request */
static uint32_t *latencies;
static int64_t began_us, ends_us;
static int loop;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- requests ---- */

static void make_request(struct conn *c)
{
	size_t body = opt.body ? strlen(opt.body) : opt.batch == 1 ? SHAPE_BYTES : opt.batch * (SHAPE_BYTES + 1) + 1;
	bool get = !opt.body && !opt.batch;
	c->request = malloc(body + 512);
	MUST(c->request);
	int head = get ? snprintf(c->request, 512, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", opt.path,
				 (int)opt.port)
		       : snprintf(c->request, 512,
				 "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
				 "Content-Length: %zu\r\n\r\n",
				 opt.path, (int)opt.port, body);
	MUST(head > 0 && head < 512);
	body_at = (size_t)head;
	c->len = body_at + (get ? 0 : body);
	char *p = c->request + body_at;
	if (opt.body)
		memcpy(p, opt.body, body);
	else if (opt.batch == 1)
		shape_make(p, &shape);
	for (uint64_t i = 0; !opt.body && opt.batch > 1 && i < opt.batch; i++, p += SHAPE_BYTES + 1) {
		*p = i ? ',' : '[';
		shape_make(p + 1, &shape);
	}
	if (!opt.body && opt.batch > 1)
		*p = ']';
}

static void number_events(struct conn *c)
{
	char *p = c->request + body_at + (opt.batch > 1);
	for (uint64_t i = 0; !opt.body && i < opt.batch; i++, p += SHAPE_BYTES + 1)
		shape_number(p, &shape, n.begun * opt.batch + i);
}

static void watch(struct conn *c, bool writing)
{
	struct epoll_event e = { .events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0), .data.ptr = c };
	if (epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &e) < 0)
		die("epoll_ctl");
	c->writing = writing;
}

static void write_on(struct conn *c)
{
	while (c->sent < c->len) {
		ssize_t w = send(c->fd, c->request + c->sent, c->len - c->sent, MSG_NOSIGNAL);
		if (w < 0 && errno != EAGAIN)
			die("write");
		if (w < 0)
			break;
		c->sent += (size_t)w;
	}
	bool more = c->sent < c->len;
	if (more != c->writing)
		watch(c, more);
}

static bool may_begin(int64_t now_us)
{
	if (opt.refused && n.refused >= opt.refused)
		return false;
	return opt.requests ? n.begun < opt.requests : now_us < ends_us;
}

static void begin(struct conn *c, int64_t due_us)
{
	number_events(c);
	n.begun++;
	c->due_us = due_us;
	c->busy = true;
	c->sent = c->got = c->want = 0;
	write_on(c);
}

/* ---- answers ---- */

static void read_head(struct conn *c)
{
	c->head[c->got < HEAD_MAX ? c->got : HEAD_MAX] = 0;
	const char *end = strstr(c->head, "\r\n\r\n"), *length = strcasestr(c->head, "\r\ncontent-length:");
	if (!end && c->got >= HEAD_MAX) {
		errno = EMSGSIZE;
		die("head of an answer");
	}
	if (!end)
		return;
	const char *chunked = strcasestr(c->head, "\r\ntransfer-encoding:");
	if (chunked && chunked < end) {
		errno = EPROTO;
		die("an answer in chunks");
	}
	c->want = (size_t)(end + 4 - c->head) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

static void take_answer(struct conn *c, int64_t now_us)
{
	int status = atoi(c->head + 9);
	int64_t took_us = now_us - c->due_us;
	c->head[c->got < HEAD_MAX ? c->got : HEAD_MAX] = 0;
	c->busy = false;
	n.answered++;
	n.in_time += opt.requests || now_us <= ends_us;
	if (status / 100 == 2) {
		const char *accepted = strstr(c->head, "\"accepted\":");
		n.accepted += accepted ? strtoull(accepted + 11, NULL, 10) : 0;
		latencies[took_us < LATENCIES ? took_us : LATENCIES - 1]++;
	} else if (status == 503 || status == 429)
		n.refused++;
	else
		n.failed++;
}

/* True once the answer is whole. */
static bool read_on(struct conn *c)
{
	static char rest[65536];
	for (;;) {
		bool room = c->got < HEAD_MAX;
		ssize_t r = recv(c->fd, room ? c->head + c->got : rest, room ? HEAD_MAX - c->got : sizeof rest, 0);
		if (r < 0 && errno == EAGAIN)
			return false;
		if (r <= 0) {
			errno = r ? errno : ECONNRESET;
			die("the server closed a connection");
		}
		c->got += (size_t)r;
		if (!c->want)
			read_head(c);
		if (c->want && c->got >= c->want)
			return true;
	}
}

/* ---- the loop ---- */

static void connect_all(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port) };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (uint64_t i = 0; i < opt.connections; i++) {
		struct conn *c = &conns[i];
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
		make_request(c);
		c->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0)
			die("connect");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &e) < 0)
			die("epoll_ctl");
		idle[nidle++] = c;
	}
}

/* When the next request is to begin. */
static int64_t due(int64_t now_us)
{
	return opt.rate ? began_us + (int64_t)((double)n.begun * 1e6 / (double)opt.rate) : now_us;
}

static void begin_due(int64_t now_us)
{
	while (nidle && may_begin(now_us) && due(now_us) <= now_us)
		begin(idle[--nidle], due(now_us));
}

/* How long nothing needs to be done but for answers: by the microsecond, since a rate may be high. */
static int64_t idle_us(int64_t now_us)
{
	int64_t us = opt.rate && nidle && may_begin(now_us) ? due(now_us) - now_us : 100000;
	return us < 0 ? 0 : us < 100000 ? us : 100000;
}

static void serve(struct conn *c, uint32_t events, int64_t now_us)
{
	if (events & EPOLLOUT)
		write_on(c);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !read_on(c))
		return;
	take_answer(c, now_us);
	if (!opt.rate && may_begin(now_us))
		begin(c, now_us);
	else
		idle[nidle++] = c;
}

static void run(void)
{
	struct epoll_event ev[EVENTS_AT_ONCE];
	int64_t now_us = clock_mono_us();
	while (may_begin(now_us) || n.answered < n.begun) {
		begin_due(now_us);
		struct timespec pause = { .tv_nsec = idle_us(now_us) * 1000 };
		int got = epoll_pwait2(loop, ev, EVENTS_AT_ONCE, &pause, NULL);
		now_us = clock_mono_us();
		for (int i = 0; i < got; i++)
			serve(ev[i].data.ptr, ev[i].events, now_us);
		if (now_us > ends_us + DRAIN_US && !opt.requests) {
			errno = ETIMEDOUT;
			die("answers that do not come");
		}
	}
}

/* ---- what came of it ---- */

static uint64_t percentile(double share)
{
	uint64_t all = n.answered - n.refused - n.failed, seen = 0;
	for (uint64_t us = 0; us < LATENCIES; us++)
		if ((seen += latencies[us]) >= share * (double)all)
			return us;
	return 0;
}

static void report(int64_t took_us)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	double seconds =
		(double)(took_us < (int64_t)(opt.seconds * 1e6) || opt.requests ? took_us
										: (int64_t)(opt.seconds * 1e6)) /
		1e6;
	printf("{\"seconds\":%.6f,\"begun\":%llu,\"answered\":%llu,\"in_time\":%llu,\"per_second\":%.1f,\"accepted\":%llu,"
	       "\"refused\":%llu,\"failed\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,\"p999_us\":%llu,\"cpu_us\":%lld}\n",
		seconds, (unsigned long long)n.begun, (unsigned long long)n.answered, (unsigned long long)n.in_time,
		(double)n.in_time / seconds, (unsigned long long)n.accepted, (unsigned long long)n.refused,
		(unsigned long long)n.failed, (unsigned long long)percentile(0.5), (unsigned long long)percentile(0.99),
		(unsigned long long)percentile(0.999),
		(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void take_option(char *arg)
{
	static const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = { { "connections", &opt.connections }, { "batch", &opt.batch }, { "requests", &opt.requests },
		{ "refused", &opt.refused }, { "rate", &opt.rate }, { "run", &opt.run }, { "visitors", &opt.visitors },
		{ "pages", &opt.pages } };
	char *value = strchr(arg, '=');
	if (value)
		*value++ = 0;
	for (size_t i = 0; value && i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(numbers[i].name, arg) == 0) {
			*numbers[i].number = strtoull(value, NULL, 10);
			return;
		}
	if (value && strcmp(arg, "seconds") == 0)
		opt.seconds = strtod(value, NULL);
	else if (value && strcmp(arg, "body") == 0)
		opt.body = value;
	else {
		fprintf(stderr, "load: %s: not an option\n", arg);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	opt.port = strtoull(argv[1], NULL, 10);
	opt.path = argv[2];
	for (int i = 3; i < argc; i++)
		take_option(argv[i]);
	shape = (struct shape){ (uint32_t)opt.run, opt.visitors, opt.pages };
	shape_check();
	conns = calloc(opt.connections, sizeof *conns);
	idle = calloc(opt.connections, sizeof *idle);
	latencies = calloc(LATENCIES, sizeof *latencies);
	loop = epoll_create1(0);
	MUST(conns && idle && latencies && loop >= 0 && opt.connections && opt.visitors && opt.pages);
	connect_all();
	began_us = clock_mono_us();
	ends_us = began_us + (int64_t)(opt.seconds * 1e6);
	run();
	report(clock_mono_us() - began_us);
	return 0;
}
