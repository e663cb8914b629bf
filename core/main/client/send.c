/* SPDX-License-Identifier: Apache-2.0 */
/* tally send: reads records, makes checked events of them with ids, and posts batches over several connections until
 * each is answered. This file is the command: its options, what it shows, its threads. */
#include "main/client/send.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define QUEUE 64
#define ERRORS_SHOWN 10

void send_pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

/* ---- errors, a few of them ---- */

void send_show_error(struct sender *s, const char *where, uint64_t at, struct tally_str text)
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

/* ---- progress ---- */

void send_show_progress(struct sender *s, bool last)
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

/* ---- the command ---- */

/* name=action,visitor=uid,props.item=product_id: tally's field = the key or column it has in the input */
static int parse_map(struct sender *s, const char *text)
{
	while (*text) {
		const char *eq = strchr(text, '='), *end = text + strcspn(text, ",");
		if (!eq || eq > end || s->nmap == SEND_MAPS)
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
	const struct send_totals *n = &s->n;
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
	struct send_worker workers[64];
	pthread_mutex_t take = PTHREAD_MUTEX_INITIALIZER;
	for (unsigned i = 0; i < s->connections; i++) {
		workers[i] = (struct send_worker){ .sender = s, .take = &take };
		MUST(pthread_create(&workers[i].thread, NULL, send_worker_main, &workers[i]) == 0);
	}
	int rc = send_read(s);
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
	send_show_progress(&s, true);
	print_summary(&s);
	ring_close(s.queue);
	gate_close(s.room);
	gate_close(s.work);
	if (s.n.failed && !s.n.accepted && !s.n.duplicates)
		return EXIT_UNREACHABLE;
	return rc || s.n.failed || s.n.rejected ? EXIT_REFUSED : EXIT_OK;
}
