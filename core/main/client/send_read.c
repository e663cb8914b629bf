/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the input to checked events with ids, and those to batches. */
#include <stdlib.h>

#include "base/clock.h"
#include "main/client/send.h"

#define BATCH_BYTES (512 * 1024)

static struct send_batch *new_batch(struct sender *s)
{
	struct send_batch *b = calloc(1, sizeof *b);
	MUST(b != NULL);
	b->first = s->n.read + 1;
	return b;
}

static void add_to_batch(struct send_batch *b, struct tally_str json)
{
	if (b->cap - b->len < json.len + 1) {
		b->cap = (b->len + json.len + 1) * 2;
		b->bytes = realloc(b->bytes, b->cap);
		MUST(b->bytes != NULL);
	}
	memcpy(b->bytes + b->len, json.ptr, json.len);
	b->len += json.len;
	b->bytes[b->len++] = '\n';
	b->events++;
}

static void give_batch(struct sender *s, struct send_batch *b)
{
	while (!ring_push(s->queue, b)) {
		send_show_progress(s, false);
		gate_wait(s->room, 100000);
	}
	gate_knock(s->work);
	send_show_progress(s, false);
}

/* Holds the reader back to --rate. */
static void keep_rate(struct sender *s)
{
	if (s->rate <= 0)
		return;
	int64_t due = s->began_us + (int64_t)((double)s->n.read / s->rate * 1e6), now = clock_mono_us();
	if (due > now)
		send_pause_ms((unsigned)((due - now) / 1000));
}

static const struct event_site *any_time(void *arg, struct tally_str name)
{
	static const struct event_site any = { .past_us = INT64_MAX, .future_us = INT64_MAX };
	(void)arg;
	(void)name;
	return &any;
}

/* "2019-10-01 00:00:00 UTC", as many exports write it, to ISO 8601 in place. */
static void mend_times(struct tally_str json)
{
	char *p = (char *)(uintptr_t)json.ptr, *end = p + json.len;
	while ((p = memmem(p, (size_t)(end - p), " UTC\"", 5))) {
		bool stamp = p - json.ptr >= 20 && p[-20] == '"' && p[-15] == '-' && p[-3] == ':';
		if (stamp)
			memcpy(p, "Z\"  ", 4);
		if (stamp)
			p[4] = ' ';
		p += 5;
	}
}

/* One input file being read. */
struct reading {
	struct sender *sender;
	struct event_context cx;
	struct arena arena; /* of the event in hand */
	struct send_batch *batch;
	uint64_t base; /* bytes of the files before it */
};

static void take_record(void *arg, struct tally_str json, uint64_t line, uint64_t bytes)
{
	struct reading *r = arg;
	struct sender *s = r->sender;
	struct tally_event ev;
	struct event_error err;
	arena_reset(&r->arena);
	mend_times(json);
	s->n.read++;
	s->bytes_done = r->base + bytes;
	r->cx.now_us = clock_wall_us();
	if (event_read_json(&r->cx, &r->arena, json, &ev, &err)) {
		s->n.rejected++;
		send_show_error(s, "line", line, str_of(err.message));
		return;
	}
	add_to_batch(r->batch, event_to_json(&ev, &r->arena));
	if (r->batch->events < s->batch_events && r->batch->len < BATCH_BYTES)
		return;
	give_batch(s, r->batch);
	keep_rate(s);
	r->batch = new_batch(s);
}

static int read_file(struct sender *s, FILE *f, const char *name)
{
	struct reading r = {
		.sender = s,
		.cx = { .limits = { 16u << 20, 64, SIZE_MAX },
			.map = s->map,
			.nmap = s->nmap,
			.default_site = s->site,
			.site = any_time },
		.base = s->bytes_done,
	};
	char why[256];
	arena_init(&r.arena, 0);
	r.batch = new_batch(s);
	int rc = records_read(f, name, s->form, take_record, &r, why);
	if (r.batch->events)
		give_batch(s, r.batch);
	else
		send_batch_free(r.batch);
	if (rc)
		fprintf(stderr, "tally: %s\n", why);
	arena_free(&r.arena);
	return rc ? EXIT_REFUSED : EXIT_OK;
}

static uint64_t file_bytes(const char *name)
{
	FILE *f = fopen(name, "re");
	if (!f)
		return 0;
	long n = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : 0;
	fclose(f);
	return n > 0 ? (uint64_t)n : 0;
}

int send_read(struct sender *s)
{
	int rc = EXIT_OK;
	if (!s->nfiles)
		return read_file(s, stdin, "stdin");
	for (size_t i = 0; i < s->nfiles; i++)
		s->bytes_all += file_bytes(s->files[i]);
	for (size_t i = 0; i < s->nfiles; i++) {
		FILE *f = strcmp(s->files[i], "-") ? fopen(s->files[i], "re") : stdin;
		if (!f) {
			perror(s->files[i]);
			rc = EXIT_REFUSED;
			continue;
		}
		int one = read_file(s, f, s->files[i]);
		rc = one ? one : rc;
		if (f != stdin)
			fclose(f);
	}
	return rc;
}
