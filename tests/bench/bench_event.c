/* SPDX-License-Identifier: Apache-2.0 */
/* What one event costs at a door and behind it: `bench_event [FILE.ndjson]`, nanoseconds an event. Without a file the
 * events are made up, 242 bytes each, as a browser would send them. Figures count in a build without sanitizers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/event_fixture.h"

#define MADE 1000
#define RUN_US 700000

struct bench {
	struct event_context cx;
	struct arena arena;
	struct tally_str body;
	char *spool;
	size_t used, events, rejected, bytes;
};

/* Of this thread: others may use the machine. */
static int64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct tally_str make_body(void)
{
	size_t cap = MADE * 300, n = 0;
	char *p = malloc(cap);
	for (long i = 0; i < MADE; i++)
		n += (size_t)snprintf(p + n, cap - n,
			"{\"id\":\"0190a6f2-7c1e-7e2b-9a31-5b1f%08lx\",\"type\":\"%s\",\"ts\":%lld,"
			"\"visitor\":\"6f1c2b9e4d7a4c0f8e21a3b5%08x\",\"page\":\"https://shop.example/products/shoes/%05ld\","
			"\"target\":\"#buy-now\",\"props\":{\"plan\":\"pro\",\"ab\":\"B\",\"x\":%03ld,\"y\":%03ld}}\n",
			i, i % 4 ? "view" : "click", 1767225600123LL + i, (unsigned)((unsigned)i * 2654435761u),
			i % 5000, i % 900 + 100, i % 700 + 100);
	return str_make(p, n);
}

static struct tally_str read_whole(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t cap = (size_t)256 << 20, n;
	char *p = malloc(cap);
	if (!f || !p) {
		perror(path);
		exit(1);
	}
	n = fread(p, 1, cap, f);
	fclose(f);
	return str_make(p, n);
}

static int only_read(void *arg, size_t index, struct tally_event *ev, const struct event_error *err)
{
	struct bench *b = arg;
	(void)index, (void)err;
	b->events++;
	b->rejected += ev == NULL;
	return 0;
}

static int read_and_encode(void *arg, size_t index, struct tally_event *ev, const struct event_error *err)
{
	struct bench *b = arg;
	only_read(arg, index, ev, err);
	if (ev)
		b->used += event_encode(ev, b->spool + b->used);
	return 0;
}

/* The body in pieces of 100 lines, each with its own arena, as a door would get it. */
static void read_all(struct bench *b, event_sink_fn fn)
{
	const char *p = b->body.ptr, *end = p + b->body.len;
	struct event_error err;
	b->used = 0;
	while (p < end) {
		const char *stop = p;
		for (int lines = 0; lines < 100 && stop < end; lines++) {
			const char *nl = memchr(stop, '\n', (size_t)(end - stop));
			stop = nl ? nl + 1 : end;
		}
		if (event_read_body(&b->cx, &b->arena, str_make(p, (size_t)(stop - p)), fn, b, &err))
			exit(1);
		arena_reset(&b->arena);
		p = stop;
	}
}

static void decode_all(struct bench *b)
{
	struct tally_event ev;
	for (size_t at = 0; at < b->used; b->events++) {
		int64_t n = event_decode(b->spool + at, b->used - at, &b->arena, &ev);
		if (n < 0)
			exit(1);
		at += (size_t)n;
		if (b->events % 100 == 0)
			arena_reset(&b->arena);
	}
}

/* Of many passes the best one too: where others use the machine it is nearest to what the code costs. */
static void measure(struct bench *b, const char *what, event_sink_fn fn)
{
	int64_t begin = cpu_us(), now = begin, best = INT64_MAX, before;
	size_t events = 0, rejected = 0;
	do {
		before = now;
		b->events = b->rejected = 0;
		if (fn)
			read_all(b, fn);
		else
			decode_all(b);
		now = cpu_us();
		best = now - before < best ? now - before : best;
		events += b->events;
		rejected += b->rejected;
	} while (now - begin < RUN_US);
	printf("%-14s %6.0f ns/event, best pass %6.0f  (%zu events, %zu rejected)\n", what,
		(double)(now - begin) * 1e3 / (double)events, (double)best * 1e3 / (double)b->events, events, rejected);
}

int main(int argc, char **argv)
{
	struct bench b = { .cx = fixture_context() };
	b.body = argc > 1 ? read_whole(argv[1]) : make_body();
	b.spool = malloc(b.body.len * 3 + 4096);
	arena_init(&b.arena, 256 * 1024);
	measure(&b, "read", only_read);
	measure(&b, "read + encode", read_and_encode);
	printf("%.1f bytes of JSON, %.1f bytes in the spool an event\n", (double)b.body.len / (argc > 1 ? 1 : MADE),
		(double)b.used / (argc > 1 ? 1 : MADE));
	measure(&b, "decode", NULL);
	arena_free(&b.arena);
	free(b.spool);
	free((void *)(uintptr_t)b.body.ptr);
	return 0;
}
