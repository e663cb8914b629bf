/* SPDX-License-Identifier: Apache-2.0 */
/* What the host table lends to plugins at the desk. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "desk/inner.h"

/* [desk] For a held request the answer leaves at once; inside the hook it is only noted. */
int desk_plug_answer(void *desk, uint64_t request, const struct tally_answer *an)
{
	struct visit *v = visit_find(desk, request);
	if (!v || (v->state != VISIT_HOOK && v->state != VISIT_HELD) || an->status < 100 || an->status > 599)
		return -ENOENT;
	struct arena *a = &v->rq->arena;
	v->rq->answer = (struct desk_answer){ .status = an->status,
		.type = arena_str(a, an->type),
		.body = arena_str(a, an->body),
		.etag = arena_str(a, an->etag),
		.cache_control = v->is_query ? answer_cache_control(&v->q, clock_wall_us()) : NULL,
		.vary = v->is_query ? "Accept, Authorization" : NULL,
		.version = an->version };
	if (v->state == VISIT_HELD) {
		v->desk->nheld--;
		visit_end(v, false);
	}
	return 0;
}

/* [desk] */
void desk_plug_resume(void *desk, uint64_t request)
{
	struct visit *v = visit_find(desk, request);
	if (v && v->state == VISIT_HELD)
		visit_resume(v);
	else if (v && v->state == VISIT_HOOK)
		v->resumed = true;
}

/* [worker] The visit is pinned, so that its question stays while the store is asked. */
int desk_plug_request_version(void *desk, uint64_t request, uint64_t *version)
{
	struct desk *d = desk;
	struct query_error err;
	struct store_reader *reader;
	struct store_version found;
	pthread_mutex_lock(&d->lock);
	struct visit *v = visit_find(d, request);
	bool usable = v && v->is_query && d->store;
	if (usable)
		v->pins++;
	pthread_mutex_unlock(&d->lock);
	if (!usable)
		return -ENOENT;
	struct store_ask ask = { 0 };
	int rc;
	do {
		rc = store_begin(d->store, &ask, &reader, &err);
		if (rc == 0) {
			rc = store_version(reader, &v->q, &found, &err);
			store_end(reader);
		}
	} while (rc && store_again(d->store, &ask));
	visit_unpin(v);
	if (rc)
		return -EIO;
	*version = found.hash;
	return 0;
}

/* [desk] A reload changes versions as a commit does. What a replica has is older than the store, so there is no such number. */
uint64_t desk_plug_store_moment(void *desk)
{
	const struct desk *d = desk;
	const struct desk_view *view = &d->opt.view;
	return d->store && view->changes && !store_has_replicas(d->store) ? 1 + d->reloads + view->changes(view->arg)
									  : 0;
}

struct plug_job {
	struct crew_job work;
	struct desk *desk;
	void (*job)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void run_job(struct crew_job *work)
{
	struct plug_job *j = (struct plug_job *)work;
	j->job(j->arg);
}

static void job_done(struct crew_job *work)
{
	struct plug_job *j = (struct plug_job *)work;
	j->desk->nwork--;
	j->done(j->arg);
	free(j);
}

/* [desk] */
int desk_plug_work(void *desk, void (*job)(void *), void (*done)(void *), void *arg)
{
	struct desk *d = desk;
	struct plug_job *j = memory_zalloc(1, sizeof *j);
	if (!j)
		return -ENOMEM;
	*j = (struct plug_job){
		.work = { .run = run_job, .done = job_done }, .desk = d, .job = job, .done = done, .arg = arg
	};
	d->nwork++;
	crew_give(d->aside, &j->work);
	return 0;
}
