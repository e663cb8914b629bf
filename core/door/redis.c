/* SPDX-License-Identifier: Apache-2.0 */
/* The source's thread: connect, take the lease, settle what is pending, then batch after batch. */
#include "door/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "door/redis_inner.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define SLEEP_S "1" /* BLMOVE wakes without removing; the lease is extended in between */
#define REFUSING_LEVEL 5
#define CLOSE_S 2 /* what Redis is given to answer when the daemon ends */

/* ---- waiting ---- */

static void wait_ms(struct redis_source *s, int64_t ms)
{
	int64_t until = clock_mono_us() + ms * 1000, left;
	while (!atomic_load(&s->quit) && (left = until - clock_mono_us()) > 0)
		gate_wait(s->gate, left);
}

/* The first try after a break is at once, then capped with full jitter. A turn that goes well ends the row. */
static void back_off(struct redis_source *s)
{
	unsigned n = s->attempts++;
	if (!n)
		return;
	int64_t cap = n > 10 ? BACKOFF_MAX_MS : (int64_t)BACKOFF_MIN_MS << (n - 1);
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

/* Wakes when an element arrives, or after a second. The source end is the destination: nothing moves. A Redis at its
 * maxmemory refuses that; then a second is only waited. */
static void sleep_on_list(struct redis_source *s)
{
	const char *list = s->opt.source->list, *end = s->opt.source->right ? "RIGHT" : "LEFT";
	const char *argv[] = { "BLMOVE", list, list, end, end, SLEEP_S };
	redisReply *r = redisCommandArgv(s->redis, 6, argv, NULL);
	if (!r || r->type == REDIS_REPLY_ERROR) {
		bool full = r && strncmp(r->str, "OOM", 3) == 0;
		if (r)
			freeReplyObject(r);
		r = NULL;
		if (full)
			wait_ms(s, 1000);
		else
			r = redis_call(s, 6, argv, NULL);
	}
	if (r)
		freeReplyObject(r);
}

/* ---- the lease ---- */

/* One taking. After it nothing is pending, and nothing stands in the list that was released. 1 ours, 0 another's, -1. */
static int take_lease(struct redis_source *s)
{
	char acked[REDIS_BATCH_ID];
	if (!s->redis && redis_link(s))
		return -1;
	enum redis_taken taken = redis_take_lease(s, acked);
	if (taken == TAKEN_BROKEN || !redis_settle_found(s, acked))
		return -1;
	if (taken == TAKEN_OTHERS)
		return 0;
	return redis_catch_up(s, acked) ? 1 : -1;
}

/* After a break nothing is assumed: whoever holds the lease now, Redis says what it noted for us. */
static bool own_lease(struct redis_source *s)
{
	while (!atomic_load(&s->quit)) {
		back_off(s);
		int rc = take_lease(s);
		if (rc > 0)
			return !atomic_load(&s->quit);
		if (rc < 0)
			continue;
		s->attempts = 0;
		redis_trouble(s, "another consumer holds the list; waiting for its lease to end");
		wait_ms(s, REDIS_LEASE_LOOK_MS);
	}
	return false;
}

/* ---- one batch ---- */

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

static bool batch_moved(struct redis_source *s, const struct redis_batch *b)
{
	log_warn("redis", "%s: somebody else pushes or pops at the end that is read; reading again",
		s->opt.source->list);
	pthread_mutex_lock(&s->lock);
	s->view.moved++;
	pthread_mutex_unlock(&s->lock);
	meter_add(meter_get(M_REDIS_MOVED, str_of(s->opt.source->list), STR(""), STR("")), 1);
	return redis_void(s, b->lsn);
}

/* 0, or the ledger's rc. A batch whose events fill more than a record is asked for again in halves. */
static int make_pending(struct redis_source *s, struct redis_batch *b)
{
	int rc = redis_make_pending(s, b);
	if (rc == -EMSGSIZE && b->n == 1) {
		redis_lay_aside_whole(s, b);
		rc = redis_make_pending(s, b);
	}
	if (rc == -EMSGSIZE)
		s->peek = b->n / 2;
	return rc;
}

enum turned {
	TURN_BROKEN, /* the lease has to be taken again */
	TURN_WAITED, /* something stands in the way; it was said */
	TURN_WELL,
};

static enum turned hand_over(struct redis_source *s, struct redis_batch *b)
{
	redis_read_elements(s, b);
	int rc = make_pending(s, b);
	if (rc == -EMSGSIZE)
		return TURN_WELL;
	if (rc) {
		redis_trouble(s, "the spool takes nothing (%s): not reading", strerror(-rc));
		wait_ms(s, 500);
		return TURN_WAITED;
	}
	switch (redis_settle(s, b)) {
	case SETTLED_OK:
		return redis_release(s, b) ? TURN_WELL : TURN_BROKEN;
	case SETTLED_MOVED:
		return batch_moved(s, b) ? TURN_WELL : TURN_BROKEN;
	default:
		leave_pending(s, b);
		return TURN_BROKEN;
	}
}

/* The list itself and how it is read are as at the start: another source needs a restart. */
static void take_reload(struct redis_source *s)
{
	const struct conf *conf = door_plugs_take(&s->plugs);
	if (conf)
		s->opt.conf = conf;
}

/* One turn with the lease in hand. A node that cannot take does not extend it, and another one may have the list; it
 * tries again all the same, since nothing else may come to tell that the spool has room. */
static enum turned turn(struct redis_source *s)
{
	struct redis_batch b;
	arena_reset(&s->arena);
	take_reload(s);
	if (meter_level() >= REFUSING_LEVEL || memory_is_short()) {
		redis_trouble(s, "overloaded (level %d of degradation%s): not reading", meter_level(),
			memory_is_short() ? ", memory is short" : "");
		wait_ms(s, 250);
		return TURN_WAITED;
	}
	int rc = redis_peek(s, &b);
	enum turned out = rc < 0 ? TURN_BROKEN : TURN_WELL;
	if (rc == 1)
		out = hand_over(s, &b);
	if (b.elements)
		freeReplyObject(b.elements);
	if (rc != 0)
		return out;
	sleep_on_list(s);
	return s->redis && redis_extend(s) == SETTLED_OK ? TURN_WELL : TURN_BROKEN;
}

static void turns(struct redis_source *s)
{
	int64_t measured = 0;
	while (!atomic_load(&s->quit)) {
		enum turned t = turn(s);
		if (t == TURN_BROKEN)
			return;
		if (t == TURN_WELL) {
			s->attempts = 0;
			redis_trouble(s, "%s", "");
		}
		if (clock_mono_us() - measured > 1000000 && s->redis) {
			measured = clock_mono_us();
			note_length(s);
		}
		if (!s->redis)
			return;
	}
}

static void *source_main(void *arg)
{
	struct redis_source *s = arg;
	while (own_lease(s))
		turns(s);
	redis_unlink(s);
	return NULL;
}

/* ---- life ---- */

/* Companion keys share the list's slot: {list}:lease, or list:lease where the name has a hash tag of its own. */
static void name_keys(struct redis_source *s)
{
	const char *list = s->opt.source->list, *open = strchr(list, '{');
	const char *close = open ? strchr(open, '}') : NULL;
	s->tagged = close && close > open + 1;
	char base[520];
	snprintf(base, sizeof base, s->tagged ? "%s" : "{%s}", list);
	snprintf(s->lease, sizeof s->lease, "%s:lease", base);
	snprintf(s->acked, sizeof s->acked, "%s:acked", base);
	snprintf(s->dead, sizeof s->dead, "%s:dead", list);
}

/* Pending batches are to be settled; of the others the one released last is what Redis should have noted. */
static void find_batches(struct redis_source *s)
{
	struct redis_found **at = &s->found;
	struct redis_head head;
	for (const struct ledger_batch *b = ledger_batches(s->opt.ledger); b; b = b->next) {
		if (!redis_head_read(b->head, &head) || !str_eq(head.list, str_of(s->opt.source->list)))
			continue;
		if (b->released) {
			memcpy(s->last, head.id, sizeof s->last);
			continue;
		}
		struct redis_found *f = calloc(1, sizeof *f);
		MUST(f != NULL);
		memcpy(f->id, head.id, sizeof f->id);
		f->lsn = b->lsn;
		*at = f;
		at = &f->next;
	}
}

int redis_source_open(const struct redis_options *opt, struct redis_source **out, char why[512])
{
	struct redis_source *s = calloc(1, sizeof *s);
	MUST(s != NULL);
	s->opt = *opt;
	const char *bad = redis_url_read(opt->source->url, &s->url);
	if (bad) {
		snprintf(why, 512, "sources.redis.url: %s", bad);
		free(s);
		return -EINVAL;
	}
	int rc = door_plugs_open(&s->plugs, NULL, opt->plugins, opt->conf, why);
	if (rc) {
		door_plugs_close(&s->plugs);
		free(s);
		return rc;
	}
	s->fd = -1;
	name_keys(s);
	s->peek = REDIS_PEEK_MAX;
	arena_init(&s->arena, 1 << 20);
	s->gate = gate_open();
	pthread_mutex_init(&s->lock, NULL);
	s->length_meter = meter_get(M_REDIS_LENGTH, str_of(opt->source->list), STR(""), STR(""));
	s->events_meter = meter_get(M_REDIS_EVENTS, str_of(opt->source->list), STR(""), STR(""));
	s->view.list = opt->source->list;
	find_batches(s);
	*out = s;
	return 0;
}

void redis_source_run(struct redis_source *s)
{
	MUST(pthread_create(&s->thread, NULL, source_main, s) == 0);
	s->running = true;
}

void redis_source_reload(struct redis_source *s, struct plug_set *plugins, const struct conf *conf)
{
	door_plugs_give(&s->plugs, plugins, conf);
}

void redis_source_view(struct redis_source *s, struct redis_view *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->view;
	pthread_mutex_unlock(&s->lock);
}

/* A Redis that does not answer is not waited for longer than CLOSE_S: its connection is cut under the thread. */
static void join(struct redis_source *s)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_S;
	if (pthread_timedjoin_np(s->thread, NULL, &until) == 0)
		return;
	pthread_mutex_lock(&s->lock);
	if (s->fd >= 0)
		shutdown(s->fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
}

void redis_source_close(struct redis_source *s)
{
	atomic_store(&s->quit, true);
	gate_knock(s->gate);
	if (s->running)
		join(s);
	while (s->found) {
		struct redis_found *next = s->found->next;
		free(s->found);
		s->found = next;
	}
	arena_free(&s->arena);
	door_plugs_close(&s->plugs);
	gate_close(s->gate);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
