/* SPDX-License-Identifier: Apache-2.0 */
/* Batches from the queue to the daemon, over several connections, until each is answered. One whose answer is lost is
 * sent again as it was: its ids make that safe. */
#include <stdlib.h>

#include "base/clock.h"
#include "main/client/send.h"

/* ---- the answer ---- */

/* The number behind "name": in a flat answer of ours. */
static uint64_t member(struct tally_str json, const char *name)
{
	char key[32];
	int n = snprintf(key, sizeof key, "\"%s\":", name);
	const char *p = memmem(json.ptr, json.len, key, (size_t)n);
	return p ? strtoull(p + n, NULL, 10) : 0;
}

static void show_rejections(struct sender *s, const struct send_batch *b, struct tally_str json)
{
	const char *p = memmem(json.ptr, json.len, "\"errors\":[{", 11);
	if (!p)
		return;
	const char *end = json.ptr + json.len;
	while ((p = memmem(p, (size_t)(end - p), "{\"index\":", 9))) {
		const char *close = memchr(p, '}', (size_t)(end - p));
		if (!close)
			return;
		send_show_error(s, "event", b->first + strtoull(p + 9, NULL, 10), str_make(p, (size_t)(close + 1 - p)));
		p = close;
	}
}

static void count_answer(struct sender *s, const struct send_batch *b, struct tally_str json)
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

static void fail_batch(struct sender *s, const struct send_batch *b, struct call *call, const struct call_answer *an)
{
	s->n.failed += b->events;
	if (an->status)
		send_show_error(s, "batch from event", b->first, an->body);
	else
		send_show_error(s, "batch from event", b->first, str_of(call_error(call)));
}

static void post_batch(struct sender *s, struct call *call, const struct send_batch *b, unsigned *seed)
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
		send_pause_ms(backoff_ms(attempt, an.retry_after_s, seed));
	}
}

void send_batch_free(struct send_batch *b)
{
	free(b->bytes);
	free(b);
}

static struct send_batch *take_batch(struct send_worker *w)
{
	struct sender *s = w->sender;
	pthread_mutex_lock(w->take);
	struct send_batch *b = ring_pop(s->queue);
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

void *send_worker_main(void *arg)
{
	struct send_worker *w = arg;
	struct call *call = call_open(w->sender->client);
	unsigned seed = (unsigned)clock_mono_us() ^ (unsigned)(uintptr_t)w;
	for (struct send_batch *b; (b = take_batch(w));) {
		post_batch(w->sender, call, b, &seed);
		send_batch_free(b);
	}
	call_close(call);
	return NULL;
}
