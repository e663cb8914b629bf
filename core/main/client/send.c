/* SPDX-License-Identifier: Apache-2.0 */
/* tally send: reads records, makes checked events of them with ids, and posts batches over several connections until
 * each is answered. A batch whose answer is lost is sent again as it was: its ids make that safe. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ring.h"
#include "event/event.h"
#include "main/client/client.h"
#include "main/client/records.h"

#define BATCH_BYTES (512 * 1024)
#define QUEUE 64
#define MAPS 64
#define ERRORS_SHOWN 10

struct batch {
	char *bytes;
	size_t len, cap, events;
	uint64_t first; /* number of its first event in the input, from 1 */
};

struct totals {
	_Atomic uint64_t read, accepted, duplicates, dropped, rejected, failed, retries;
};

struct sender {
	struct client *client;
	size_t batch_events;
	unsigned connections;
	double rate; /* events a second, 0 = as fast as it goes */
	enum record_form form;
	struct tally_str site;
	struct event_map map[MAPS];
	size_t nmap;
	const char *files[256];
	size_t nfiles;
	uint64_t give_up_s;

	struct ring *queue;
	struct gate *room, *work;
	_Atomic bool read_all, stop;
	_Atomic unsigned errors_shown;
	pthread_mutex_t err_lock;
	struct totals n;
	int64_t began_us, shown_us;
	bool progress;
	uint64_t bytes_done, bytes_all;
};

/* ---- errors, a few of them ---- */

static void show_error(struct sender *s, const char *where, uint64_t at, struct tally_str text)
{
	unsigned shown = atomic_fetch_add(&s->errors_shown, 1);
	pthread_mutex_lock(&s->err_lock);
	if (s->progress)
		fputs("\r\033[K", stderr);
	if (shown < ERRORS_SHOWN)
		fprintf(stderr, "tally: %s %llu: %.*s\n", where, (unsigned long long)at, (int)text.len, text.ptr);
	else if (shown == ERRORS_SHOWN)
		fprintf(stderr, "tally: further errors are only counted\n");
	pthread_mutex_unlock(&s->err_lock);
}

/* ---- the answer ---- */

/* The number behind "name": in a flat answer of ours. */
static uint64_t member(struct tally_str json, const char *name)
{
	char key[32];
	int n = snprintf(key, sizeof key, "\"%s\":", name);
	const char *p = memmem(json.ptr, json.len, key, (size_t)n);
	return p ? strtoull(p + n, NULL, 10) : 0;
}

static void show_rejections(struct sender *s, const struct batch *b, struct tally_str json)
{
	const char *p = memmem(json.ptr, json.len, "\"errors\":[{", 11);
	if (!p)
		return;
	const char *end = json.ptr + json.len;
	while ((p = memmem(p, (size_t)(end - p), "{\"index\":", 9))) {
		const char *close = memchr(p, '}', (size_t)(end - p));
		if (!close)
			return;
		show_error(s, "event", b->first + strtoull(p + 9, NULL, 10), str_make(p, (size_t)(close + 1 - p)));
		p = close;
	}
}

static void count_answer(struct sender *s, const struct batch *b, struct tally_str json)
{
	s->n.accepted += member(json, "accepted");
	s->n.duplicates += member(json, "duplicates");
	s->n.dropped += member(json, "dropped");
	uint64_t rejected = member(json, "rejected");
	s->n.rejected += rejected;
	if (rejected)
		show_rejections(s, b, json);
}

/* ---- posting ---- */

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

static bool may_retry(long status)
{
	return status == 0 || status == 429 || status == 503 || status == 502 || status == 504;
}

/* Full jitter over a doubling cap, and at least what the daemon asked for. */
static unsigned backoff_ms(unsigned attempt, long retry_after_s, unsigned *seed)
{
	unsigned cap = attempt < 6 ? 100u << attempt : 5000;
	unsigned ms = 1 + (unsigned)rand_r(seed) % cap;
	return retry_after_s > 0 ? (unsigned)retry_after_s * 1000 + ms : ms;
}

static void fail_batch(struct sender *s, const struct batch *b, struct call *call, const struct call_answer *an)
{
	s->n.failed += b->events;
	if (an->status)
		show_error(s, "batch from event", b->first, an->body);
	else
		show_error(s, "batch from event", b->first, str_of(call_error(call)));
}

static void post_batch(struct sender *s, struct call *call, const struct batch *b, unsigned *seed)
{
	struct tally_str body = str_make(b->bytes, b->len);
	int64_t give_up = clock_mono_us() + (int64_t)s->give_up_s * 1000000;
	for (unsigned attempt = 0;; attempt++) {
		struct call_answer an = { 0 };
		bool answered = call_send(call, "/v1/events", &body, NULL, &an) == 0;
		if (answered && (an.status == 200 || an.status == 422)) {
			count_answer(s, b, an.body);
			return;
		}
		if (!may_retry(an.status) || clock_mono_us() > give_up || atomic_load(&s->stop)) {
			fail_batch(s, b, call, &an);
			return;
		}
		s->n.retries++;
		pause_ms(backoff_ms(attempt, an.retry_after_s, seed));
	}
}

static void free_batch(struct batch *b)
{
	free(b->bytes);
	free(b);
}

struct worker {
	pthread_t thread;
	struct sender *sender;
	pthread_mutex_t *take;
};

static struct batch *take_batch(struct worker *w)
{
	struct sender *s = w->sender;
	pthread_mutex_lock(w->take);
	struct batch *b = ring_pop(s->queue);
	while (!b && !atomic_load(&s->read_all)) {
		gate_wait(s->work, 50000);
		b = ring_pop(s->queue);
	}
	if (!b)
		b = ring_pop(s->queue);
	pthread_mutex_unlock(w->take);
	gate_knock(s->room);
	return b;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct call *call = call_open(w->sender->client);
	unsigned seed = (unsigned)clock_mono_us() ^ (unsigned)(uintptr_t)w;
	for (struct batch *b; (b = take_batch(w));) {
		post_batch(w->sender, call, b, &seed);
		free_batch(b);
	}
	call_close(call);
	return NULL;
}

/* ---- progress ---- */

static void show_progress(struct sender *s, bool last)
{
	int64_t now = clock_mono_us();
	if (!s->progress || (!last && now - s->shown_us < 200000))
		return;
	s->shown_us = now;
	double seconds = (double)(now - s->began_us) / 1e6 + 1e-9;
	uint64_t done = s->n.accepted + s->n.duplicates + s->n.dropped + s->n.rejected + s->n.failed;
	double share = s->bytes_all ? (double)s->bytes_done / (double)s->bytes_all : 0;
	char bar[31];
	int full = (int)(share * 30);
	memset(bar, '.', 30);
	memset(bar, '#', (size_t)(full > 30 ? 30 : full));
	bar[30] = 0;
	pthread_mutex_lock(&s->err_lock);
	if (s->bytes_all)
		fprintf(stderr, "\r[%s] %3.0f %%  %llu sent  %.0f/s\033[K", bar, share * 100, (unsigned long long)done,
			(double)done / seconds);
	else
		fprintf(stderr, "\r%llu sent  %.0f/s\033[K", (unsigned long long)done, (double)done / seconds);
	if (last)
		fputc('\n', stderr);
	pthread_mutex_unlock(&s->err_lock);
}

/* ---- reading ---- */

static struct batch *new_batch(struct sender *s)
{
	struct batch *b = calloc(1, sizeof *b);
	MUST(b != NULL);
	b->first = s->n.read + 1;
	return b;
}

static void add_to_batch(struct batch *b, struct tally_str json)
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

static void give_batch(struct sender *s, struct batch *b)
{
	while (!ring_push(s->queue, b)) {
		show_progress(s, false);
		gate_wait(s->room, 100000);
	}
	gate_knock(s->work);
	show_progress(s, false);
}

/* Holds the reader back to --rate. */
static void keep_rate(struct sender *s)
{
	if (s->rate <= 0)
		return;
	int64_t due = s->began_us + (int64_t)((double)s->n.read / s->rate * 1e6), now = clock_mono_us();
	if (due > now)
		pause_ms((unsigned)((due - now) / 1000));
}

static const struct event_site *any_time(void *arg, struct tally_str name)
{
	static const struct event_site any = { INT64_MAX, INT64_MAX };
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
	struct batch *batch;
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
		show_error(s, "line", line, str_of(err.message));
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
		free_batch(r.batch);
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

static int read_all(struct sender *s)
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

/* ---- the command ---- */

/* name=action,visitor=uid,props.item=product_id: tally's field = the key or column it has in the input */
static int parse_map(struct sender *s, const char *text)
{
	while (*text) {
		const char *eq = strchr(text, '='), *end = text + strcspn(text, ",");
		if (!eq || eq > end || s->nmap == MAPS)
			return usage_error("a field map is FIELD=KEY,FIELD=KEY,…", text);
		s->map[s->nmap++] = (struct event_map){ str_make(text, (size_t)(eq - text)),
			str_make(eq + 1, (size_t)(end - eq - 1)) };
		text = *end ? end + 1 : end;
	}
	return 0;
}

static int parse_form(struct sender *s, const char *v)
{
	static const char *const names[] = { "auto", "ndjson", "json", "csv" };
	for (int i = 0; i < 4; i++)
		if (strcmp(v, names[i]) == 0) {
			s->form = (enum record_form)i;
			return 0;
		}
	return usage_error("--format is ndjson, json or csv", v);
}

static int parse_args(struct sender *s)
{
	struct client *c = s->client;
	for (int i = 1; i < c->argc; i++) {
		const char *v;
		int rc = 0;
		if ((v = option_value(c, &i, "--batch")))
			s->batch_events = strtoul(v, NULL, 10);
		else if ((v = option_value(c, &i, "--connections")))
			s->connections = (unsigned)strtoul(v, NULL, 10);
		else if ((v = option_value(c, &i, "--rate")))
			s->rate = strtod(v, NULL);
		else if ((v = option_value(c, &i, "--site")))
			s->site = str_of(v);
		else if ((v = option_value(c, &i, "--give-up")))
			s->give_up_s = strtoull(v, NULL, 10);
		else if ((v = option_value(c, &i, "--format")))
			rc = parse_form(s, v);
		else if ((v = option_value(c, &i, "--field-map")))
			rc = parse_map(s, v);
		else if (c->argv[i][0] == '-' && c->argv[i][1])
			rc = usage_error("is not an option of send", c->argv[i]);
		else if (s->nfiles < sizeof s->files / sizeof *s->files)
			s->files[s->nfiles++] = c->argv[i];
		if (rc)
			return rc;
	}
	if (!s->batch_events || s->batch_events > 10000 || !s->connections || s->connections > 64)
		return usage_error("--batch is 1..10000, --connections 1..64", "send");
	return 0;
}

static void print_summary(struct sender *s)
{
	double seconds = (double)(clock_mono_us() - s->began_us) / 1e6;
	const struct totals *n = &s->n;
	printf(s->client->format == FORMAT_JSON
			? "{\"read\":%llu,\"accepted\":%llu,\"duplicates\":%llu,\"dropped\":%llu,\"rejected\":%llu,"
			  "\"failed\":%llu,\"retries\":%llu,\"seconds\":%.3f}\n"
			: "read %llu  accepted %llu  duplicates %llu  dropped %llu  rejected %llu  failed %llu  "
			  "retries %llu  in %.3f s\n",
		(unsigned long long)n->read, (unsigned long long)n->accepted, (unsigned long long)n->duplicates,
		(unsigned long long)n->dropped, (unsigned long long)n->rejected, (unsigned long long)n->failed,
		(unsigned long long)n->retries, seconds);
}

static int send_all(struct sender *s)
{
	struct worker workers[64];
	pthread_mutex_t take = PTHREAD_MUTEX_INITIALIZER;
	for (unsigned i = 0; i < s->connections; i++) {
		workers[i] = (struct worker){ .sender = s, .take = &take };
		MUST(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) == 0);
	}
	int rc = read_all(s);
	atomic_store(&s->read_all, true);
	gate_knock(s->work);
	for (unsigned i = 0; i < s->connections; i++)
		pthread_join(workers[i].thread, NULL);
	return rc;
}

int cmd_send(struct client *c)
{
	struct sender s = {
		.client = c,
		.batch_events = 500,
		.connections = 4,
		.site = STR("default"),
		.give_up_s = 60,
		.progress = isatty(STDERR_FILENO),
		.err_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	int rc = parse_args(&s);
	if (rc)
		return rc;
	s.queue = ring_open(QUEUE);
	s.room = gate_open();
	s.work = gate_open();
	s.began_us = clock_mono_us();
	rc = send_all(&s);
	show_progress(&s, true);
	print_summary(&s);
	ring_close(s.queue);
	gate_close(s.room);
	gate_close(s.work);
	if (s.n.failed && !s.n.accepted && !s.n.duplicates)
		return EXIT_UNREACHABLE;
	return rc || s.n.failed || s.n.rejected ? EXIT_REFUSED : EXIT_OK;
}
