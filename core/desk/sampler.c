/* SPDX-License-Identifier: Apache-2.0 */
/* Looks after the servers of a store that has replicas. One thread notes the positions of the server that is written to,
 * a few times in the lag allowed; each replica has a thread of its own, so that a frozen one holds up nobody, which looks
 * where that one stands right behind every note. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "desk/store_inner.h"

#define EVERY_LEAST_US 50000
#define EVERY_MOST_US 1000000
#define PROBE_LEAST_US 250000
#define PROBE_MOST_US 2500000

static int64_t within(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static int64_t every_us(const struct store *s)
{
	return within(s->max_lag_us / 5, EVERY_LEAST_US, EVERY_MOST_US);
}

/* A question that meets a frozen server must have time left for another. */
static int64_t probe_us(const struct store *s)
{
	return within(s->opt.timeout_us / 4, PROBE_LEAST_US, PROBE_MOST_US);
}

/* [lock] Until the count of samples is another than `samples`, or so long. */
static void wait_for_sample(struct store *s, uint64_t samples, int64_t most_us)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += most_us / 1000000;
	until.tv_nsec += most_us % 1000000 * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!s->closing && s->samples == samples)
		if (pthread_cond_timedwait(&s->sampled, &s->lock, &until) == ETIMEDOUT)
			break;
}

/* [lock, which it gives away meanwhile] */
static int probe(struct server *sv, struct lag_seen *seen, char words[200])
{
	struct store *s = sv->store;
	struct store_reader *r = store_take_reader(sv, clock_mono_us() + probe_us(s));
	r->probes = true;
	sv->busy--; /* it is none of the readings */
	pthread_mutex_unlock(&s->lock);
	int rc = store_begin_reader(r, words);
	if (rc == 0) {
		rc = servers_look(r, seen);
		if (rc)
			strncpy(words, s->opt.sink->reader_error(r->reader), 199);
		s->opt.sink->read_end(r->reader);
		if (rc)
			store_drop_reader(r);
	}
	words[199] = 0;
	pthread_mutex_lock(&s->lock);
	r->out = false;
	return rc;
}

static struct lag_freshness freshness(const struct store *s)
{
	struct lag_freshness f = { 0 };
	f.known = s->opt.freshness && s->opt.freshness(s->opt.freshness_arg, &f.complete_through_us, &f.lag_seconds);
	return f;
}

static void *sample_main(void *arg)
{
	struct server *sv = arg;
	struct store *s = sv->store;
	struct lag_seen seen = { 0 };
	char words[200] = "";
	pthread_mutex_lock(&s->lock);
	while (!s->closing) {
		pthread_mutex_unlock(&s->lock);
		struct lag_freshness fresh = freshness(s); /* before the positions: they hold at least that */
		int64_t at_us = clock_mono_us();
		pthread_mutex_lock(&s->lock);
		int rc = probe(sv, &seen, words);
		if (rc == 0)
			lag_note(&s->log, at_us, fresh, &seen);
		if (!s->closing)
			servers_judge(sv, rc, words, NULL);
		if (rc == 0)
			servers_compare(s);
		s->samples++;
		pthread_cond_broadcast(&s->sampled);
		wait_for_sample(s, s->samples, every_us(s));
	}
	pthread_mutex_unlock(&s->lock);
	lag_seen_free(&seen);
	return NULL;
}

static void *look_main(void *arg)
{
	struct server *sv = arg;
	struct store *s = sv->store;
	struct lag_seen seen = { 0 };
	char words[200] = "";
	pthread_mutex_lock(&s->lock);
	while (!s->closing) {
		uint64_t samples = s->samples;
		int rc = probe(sv, &seen, words);
		if (!s->closing)
			servers_judge(sv, rc, words, &seen);
		wait_for_sample(s, samples, 2 * every_us(s));
	}
	pthread_mutex_unlock(&s->lock);
	lag_seen_free(&seen);
	return NULL;
}

void sampler_open(struct store *s)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->sampled, &attr);
	pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < s->nservers && s->nreplicas; i++) {
		struct server *sv = &s->servers[i];
		MUST(pthread_create(&sv->thread, NULL, sv->primary ? sample_main : look_main, sv) == 0);
		pthread_setname_np(sv->thread, "tally-replica");
	}
}

static void cancel_all(struct store *s)
{
	for (size_t i = 0; i < s->nservers; i++)
		for (struct store_reader *r = s->servers[i].readers; r; r = r->next)
			if (r->out && s->opt.sink->reader_cancel) {
				atomic_store(&r->cancelled, true);
				if (r->reader)
					s->opt.sink->reader_cancel(r->reader);
			}
}

void sampler_close(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	cancel_all(s);
	pthread_cond_broadcast(&s->sampled);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->nservers && s->nreplicas; i++)
		pthread_join(s->servers[i].thread, NULL);
	pthread_cond_destroy(&s->sampled);
}
