/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/crew.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

struct list { /* first in, first out */
	struct crew_job *first, **end;
};

struct crew {
	pthread_mutex_t lock; /* of both lists and of stopping */
	pthread_cond_t given;
	struct list waiting, ready; /* to be run; run, and to be told */
	bool stopping;
	uv_async_t told;
	unsigned nthreads;
	pthread_t threads[];
};

static void put(struct list *l, struct crew_job *job)
{
	job->next = NULL;
	*l->end = job;
	l->end = &job->next;
}

static struct crew_job *take(struct list *l)
{
	struct crew_job *job = l->first;
	if (job && !(l->first = job->next))
		l->end = &l->first;
	return job;
}

static void *work(void *arg)
{
	struct crew *c = arg;
	pthread_mutex_lock(&c->lock);
	for (;;) {
		struct crew_job *job = take(&c->waiting);
		if (!job && c->stopping)
			break;
		if (!job) {
			pthread_cond_wait(&c->given, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		job->run(job);
		pthread_mutex_lock(&c->lock);
		put(&c->ready, job);
		uv_async_send(&c->told);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Only what was ready when it began: done() may give the same job again. */
static void tell(uv_async_t *async)
{
	struct crew *c = async->data;
	pthread_mutex_lock(&c->lock);
	struct crew_job *job = c->ready.first;
	c->ready = (struct list){ NULL, &c->ready.first };
	pthread_mutex_unlock(&c->lock);
	while (job) {
		struct crew_job *next = job->next;
		job->done(job);
		job = next;
	}
}

void crew_give(struct crew *c, struct crew_job *job)
{
	pthread_mutex_lock(&c->lock);
	put(&c->waiting, job);
	pthread_cond_signal(&c->given);
	pthread_mutex_unlock(&c->lock);
}

struct crew *crew_open(uv_loop_t *loop, unsigned threads, const char *name)
{
	struct crew *c = memory_zalloc(1, sizeof *c + threads * sizeof c->threads[0]);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->given, NULL);
	c->waiting.end = &c->waiting.first;
	c->ready.end = &c->ready.first;
	MUST(uv_async_init(loop, &c->told, tell) == 0);
	c->told.data = c;
	for (; c->nthreads < threads; c->nthreads++) {
		MUST(pthread_create(&c->threads[c->nthreads], NULL, work, c) == 0);
		pthread_setname_np(c->threads[c->nthreads], name);
	}
	return c;
}

void crew_stop(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	MUST(!c->waiting.first && !c->ready.first);
	c->stopping = true;
	pthread_cond_broadcast(&c->given);
	pthread_mutex_unlock(&c->lock);
	while (c->nthreads)
		pthread_join(c->threads[--c->nthreads], NULL);
	uv_close((uv_handle_t *)&c->told, NULL);
}

void crew_free(struct crew *c)
{
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->given);
	free(c);
}
