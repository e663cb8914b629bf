/* SPDX-License-Identifier: Apache-2.0 */
/* heavy_events PORT [EVENTS [SEED [DAYS]]]: feeds a tallyd on loopback with generated events, the same ones for the same
 * arguments: a site of 10 000 pages and 100 000 visitors, both heavy-tailed (Zipf, exponents 1.0 and 0.8), DAYS days
 * (90) from 15 January 2026 UTC, busier by day than by night, in the order of time; three quarters views, a fifth clicks,
 * the rest purchases with a value.
 *
 * One connection, one batch at a time, so that events reach the spool in their order; 503 is waited out. */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGES 10000
#define VISITORS 100000
#define BATCH 4000
#define EVENT_BYTES 320
#define BEGIN_US INT64_C(1768435200000000) /* 2026-01-15T00:00:00Z */
#define DAY_US 86400e6

static uint64_t chance_state;

static uint64_t chance(void)
{
	uint64_t x = chance_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static double unit(void)
{
	return (double)(chance() >> 11) * 0x1p-53;
}

/* Cumulative shares of ranks 1..n. */
static double *zipf_make(size_t n, double exponent)
{
	double *sums = malloc(n * sizeof *sums), sum = 0;
	if (!sums)
		abort();
	for (size_t i = 0; i < n; i++)
		sums[i] = sum += pow((double)(i + 1), -exponent);
	for (size_t i = 0; i < n; i++)
		sums[i] /= sum;
	return sums;
}

static size_t zipf_draw(const double *sums, size_t n)
{
	double u = unit();
	size_t low = 0, high = n - 1;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (sums[mid] < u)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Event i of n: its day by its place, its hour thinner by night. */
static int64_t time_of(uint64_t i, uint64_t n, double days)
{
	double at = days * ((double)i + unit()) / (double)n, day = floor(at), x = at - day;
	double within = x - 0.6 / (2 * M_PI) * sin(2 * M_PI * (x - 0.1)) + 0.6 / (2 * M_PI) * sin(-0.2 * M_PI);
	return BEGIN_US + (int64_t)((day + fmin(fmax(within, 0), 0.9999999)) * DAY_US);
}

static const double *pages, *visitors;

static int put_event(char *at, int64_t time_us)
{
	unsigned kind = (unsigned)(chance() % 20);
	size_t page = zipf_draw(pages, PAGES), visitor = zipf_draw(visitors, VISITORS);
	const char *name = kind < 15 ? "view" : kind < 19 ? "click" : "purchase";
	int n = snprintf(at, EVENT_BYTES,
		"{\"site\":\"shop.example\",\"name\":\"%s\",\"time\":%lld,\"visitor\":\"%08x%04x\",\"page\":\"/shop/%c%c/item-%05zu\"",
		name, (long long)time_us, (unsigned)(visitor * 2654435761u), (unsigned)(visitor & 0xffff),
		'a' + (int)(page % 26), 'a' + (int)(page / 26 % 26), page);
	if (kind == 19)
		n += snprintf(at + n, EVENT_BYTES - (size_t)n, ",\"value\":%u.%02u", (unsigned)(chance() % 200),
			(unsigned)(chance() % 100));
	n += snprintf(at + n, EVENT_BYTES - (size_t)n, "}\n");
	return n;
}

static int connect_to(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		perror("heavy_events: connect");
		exit(1);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n <= 0) {
			perror("heavy_events: write");
			exit(1);
		}
		bytes += n;
		len -= (size_t)n;
	}
}

/* The status of one answer, its body read too. */
static int read_answer(int fd)
{
	char buf[8192];
	size_t len = 0, want = 0;
	while (len + 1 < sizeof buf) {
		ssize_t n = read(fd, buf + len, sizeof buf - 1 - len);
		if (n <= 0) {
			fprintf(stderr, "heavy_events: the server has hung up\n");
			exit(1);
		}
		len += (size_t)n;
		buf[len] = 0;
		char *body = strstr(buf, "\r\n\r\n"), *length = strcasestr(buf, "\r\ncontent-length:");
		if (body && length)
			want = (size_t)(body + 4 - buf) + strtoul(length + 17, NULL, 10);
		if (want && len >= want)
			return atoi(buf + 9);
	}
	return 0;
}

static void post(int fd, const char *body, size_t len)
{
	char head[256];
	for (;;) {
		int n = snprintf(head, sizeof head,
			"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
			"Content-Length: %zu\r\n\r\n",
			len);
		send_all(fd, head, (size_t)n);
		send_all(fd, body, len);
		int status = read_answer(fd);
		if (status == 200)
			return;
		if (status != 503) {
			fprintf(stderr, "heavy_events: status %d\n", status);
			exit(1);
		}
		usleep(200000);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: heavy_events PORT [EVENTS [SEED [DAYS]]]\n");
		return 2;
	}
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
	double days = argc > 4 ? atof(argv[4]) : 90;
	chance_state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	pages = zipf_make(PAGES, 1.0);
	visitors = zipf_make(VISITORS, 0.8);
	char *body = malloc((size_t)BATCH * EVENT_BYTES);
	int fd = connect_to(atoi(argv[1]));
	if (!body)
		abort();
	for (uint64_t i = 0; i < n;) {
		size_t len = 0;
		for (int k = 0; k < BATCH && i < n; k++, i++)
			len += (size_t)put_event(body + len, time_of(i, n, days));
		post(fd, body, len);
		if (i % 1000000 < BATCH)
			fprintf(stderr, "heavy_events: %llu events taken\n", (unsigned long long)i);
	}
	close(fd);
	return 0;
}
