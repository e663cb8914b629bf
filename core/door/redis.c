/* SPDX-License-Identifier: Apache-2.0 */
/* The source's thread: connect, take the lease, settle what is pending, then batch after batch. */
#include "door/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "door/redis_inner.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000
#define SLEEP_S "1" /* BLMOVE wakes without removing; the lease is extended in between */
#define REFUSING_LEVEL 5

/* ---- waiting ---- */

static void wait_ms(struct redis_source *s, int64_t ms)
{
	int64_t until = clock_mono_us() + ms * 1000, left;
	while (!atomic_load(&s->quit) && (left = until - clock_mono_us()) > 0)
		gate_wait(s->gate, left);
}

/* Capped, then full jitter; the first try is delayed too. */
static void back_off(struct redis_source *s)
{
	unsigned shift = s->attempts < 10 ? s->attempts++ : 10;
	int64_t cap = (int64_t)BACKOFF_MIN_MS << shift;
	cap = cap < BACKOFF_MAX_MS ? cap : BACKOFF_MAX_MS;
	wait_ms(s, 1 + (int64_t)((uint64_t)clock_mono_us() * 2654435761u % (uint64_t)cap));
}

static void note_length(struct redis_source *s)
{
	redisReply *r = redis_call(s, 2, (const char *[]){ "LLEN", s->opt.source->list }, NULL);
	if (!r)
		return;
	meter_set(s->length_meter, (double)r->integer);
	pthread_mutex_lock(&s->lock);
	s->view.length = r->integer;
	pthread_mutex_unlock(&s->lock);
	freeReplyObject(r);
}

/* Wakes when an element arrives, or after a second. The source end is the destination: nothing moves. */
static void sleep_on_list(struct redis_source *s)
{
	const char *list = s->opt.source->list, *end = s->opt.source->right ? "RIGHT" : "LEFT";
	redisReply *r = redis_call(s, 6, (const char *[]){ "BLMOVE", list, list, end, end, SLEEP_S }, NULL);
	if (r)
		freeReplyObject(r);
}

/* ---- one batch ---- */

/* After a break nothing is assumed: whoever holds the lease now, Redis says what it noted for us. */
static bool own_lease(struct redis_source *s)
{
	char acked[REDIS_BATCH_ID];
	while (!atomic_load(&s->quit)) {
		if (!s->redis && redis_link(s)) {
			back_off(s);
			continue;
		}
		enum redis_taken taken = redis_take_lease(s, acked);
		if (taken == TAKEN_BROKEN) {
			back_off(s);
			continue;
		}
		redis_settle_found(s, acked);
		if (taken == TAKEN_OURS && !atomic_load(&s->quit)) {
			redis_trouble(s, "%s", "");
			return true;
		}
		redis_trouble(s, "another consumer holds the list; waiting for its lease to end");
		wait_ms(s, REDIS_LEASE_MS / 4);
	}
	return false;
}

/* The batch's fate is unknown: it joins what was found, and own_lease() settles it. */
static void leave_pending(struct redis_source *s, const struct redis_batch *b)
{
	struct redis_found *f = calloc(1, sizeof *f), **at = &s->found;
	MUST(f != NULL);
	memcpy(f->id, b->id, sizeof f->id);
	f->lsn = b->lsn;
	while (*at)
		at = &(*at)->next;
	*at = f;
	pthread_mutex_lock(&s->lock);
	s->view.breaks++;
	pthread_mutex_unlock(&s->lock);
}

static void batch_moved(struct redis_source *s, const struct redis_batch *b)
{
	log_warn("redis", "%s: somebody else pushes or pops at the end that is read; reading again",
		s->opt.source->list);
	pthread_mutex_lock(&s->lock);
	s->view.moved++;
	pthread_mutex_unlock(&s->lock);
	redis_void(s, b->lsn);
}

/* True: the lease is still ours and the next batch may follow. */
static bool hand_over(struct redis_source *s, struct redis_batch *b)
{
	redis_read_elements(s, b);
	int rc = redis_make_pending(s, b);
	if (rc == -EMSGSIZE && b->n > 1) {
		s->peek = b->n / 2; /* large elements: fewer at a time */
		return true;
	}
	if (rc == -EMSGSIZE) {
		redis_lay_aside_whole(s, b);
		rc = redis_make_pending(s, b);
	}
	if (rc) {
		redis_trouble(s, "the spool takes nothing; the list waits");
		wait_ms(s, 250);
		return true;
	}
	switch (redis_settle(s, b)) {
	case SETTLED_OK:
		redis_release(s, b);
		return true;
	case SETTLED_MOVED:
		batch_moved(s, b);
		return true;
	default:
		leave_pending(s, b);
		return false;
	}
}

static bool is_overloaded(const struct redis_source *s)
{
	return meter_level() >= REFUSING_LEVEL || ledger_trouble(s->opt.ledger);
}

/* One turn with the lease in hand; false: it has to be taken again. */
static bool turn(struct redis_source *s)
{
	struct redis_batch b;
	arena_reset(&s->arena);
	if (is_overloaded(s)) {
		wait_ms(s, 250);
		return redis_settle(s, NULL) == SETTLED_OK;
	}
	int rc = redis_peek(s, &b);
	bool ours = rc >= 0;
	if (rc == 1)
		ours = hand_over(s, &b);
	if (b.elements)
		freeReplyObject(b.elements);
	if (rc != 0)
		return ours;
	sleep_on_list(s);
	if (!s->redis)
		return false;
	note_length(s);
	return s->redis && redis_settle(s, NULL) == SETTLED_OK;
}

static void *source_main(void *arg)
{
	struct redis_source *s = arg;
	int64_t measured = 0;
	while (own_lease(s))
		while (!atomic_load(&s->quit) && turn(s))
			if (clock_mono_us() - measured > 1000000 && s->redis) {
				measured = clock_mono_us();
				note_length(s);
			}
	redis_unlink(s);
	return NULL;
}

/* ---- life ---- */

/* Companion keys share the list's slot: {list}:lease, or list:lease where the name has a hash tag of its own. */
static void name_keys(struct redis_source *s)
{
	const char *list = s->opt.source->list, *open = strchr(list, '{');
	const char *close = open ? strchr(open, '}') : NULL;
	bool tagged = close && close > open + 1;
	char base[520];
	snprintf(base, sizeof base, tagged ? "%s" : "{%s}", list);
	snprintf(s->lease, sizeof s->lease, "%s:lease", base);
	snprintf(s->acked, sizeof s->acked, "%s:acked", base);
	snprintf(s->dead, sizeof s->dead, "%s:dead", list);
}

static void find_pending(struct redis_source *s)
{
	struct redis_found **at = &s->found;
	for (const struct ledger_pending *p = ledger_pending(s->opt.ledger); p; p = p->next) {
		char id[REDIS_BATCH_ID];
		if (!redis_head_read(p->head, s->opt.source->list, id))
			continue;
		struct redis_found *f = calloc(1, sizeof *f);
		MUST(f != NULL);
		memcpy(f->id, id, sizeof f->id);
		f->lsn = p->lsn;
		*at = f;
		at = &f->next;
	}
}

int redis_source_open(const struct redis_options *opt, struct redis_source **out, char why[256])
{
	struct redis_source *s = calloc(1, sizeof *s);
	MUST(s != NULL);
	s->opt = *opt;
	int rc = redis_url_parse(opt->source->url, &s->url, why);
	if (rc) {
		free(s);
		return rc;
	}
	name_keys(s);
	s->peek = REDIS_PEEK_MAX;
	arena_init(&s->arena, 1 << 20);
	s->gate = gate_open();
	pthread_mutex_init(&s->lock, NULL);
	s->length_meter = meter_get(M_REDIS_LENGTH, str_of(opt->source->list), STR(""), STR(""));
	s->events_meter = meter_get(M_REDIS_EVENTS, str_of(opt->source->list), STR(""), STR(""));
	s->view.list = opt->source->list;
	find_pending(s);
	*out = s;
	return 0;
}

void redis_source_run(struct redis_source *s)
{
	MUST(pthread_create(&s->thread, NULL, source_main, s) == 0);
	s->running = true;
}

void redis_source_view(struct redis_source *s, struct redis_view *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->view;
	pthread_mutex_unlock(&s->lock);
}

void redis_source_close(struct redis_source *s)
{
	atomic_store(&s->quit, true);
	gate_knock(s->gate);
	if (s->running)
		pthread_join(s->thread, NULL);
	while (s->found) {
		struct redis_found *next = s->found->next;
		free(s->found);
		s->found = next;
	}
	arena_free(&s->arena);
	gate_close(s->gate);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
