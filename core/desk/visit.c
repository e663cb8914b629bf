/* SPDX-License-Identifier: Apache-2.0 */
/* A request on its way through the desk: read and checked, past the plugins, to the planner or not, and out. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "desk/inner.h"
#include "meter/meter.h"

/* ---- answers that are made here ---- */

void visit_take(struct visit *v, const struct answer *an)
{
	v->rq->answer = (struct desk_answer){ .status = an->status,
		.type = str_of(an->type),
		.body = an->body,
		.etag = an->etag,
		.cache_control = an->cache_control,
		.vary = an->version ? "Accept, Authorization" : NULL,
		.retry_after_s = an->retry_after_s,
		.version = an->version };
}

void visit_refuse(struct visit *v, const struct query_error *err)
{
	struct answer an;
	answer_problem(&an, &v->rq->arena, err);
	visit_take(v, &an);
}

void visit_problem(struct visit *v, int status, const char *code, unsigned retry_after_s, const char *detail)
{
	struct query_error err;
	query_fail(&err, status, code, "%s", detail);
	err.retry_after_s = retry_after_s;
	visit_refuse(v, &err);
}

/* ---- the list of visits ---- */

struct visit *visit_find(struct desk *d, uint64_t id)
{
	struct visit *v = d->visits;
	while (v && v->id != id)
		v = v->next;
	return v;
}

struct visit *visit_make(struct desk *d, struct desk_request *rq)
{
	struct visit *v = memory_zalloc(1, sizeof *v);
	MUST(v);
	v->desk = d;
	v->rq = rq;
	v->id = ++d->last_id;
	v->arrived_us = clock_mono_us();
	v->q.time_dim = -1;
	arena_init(&v->arena, 0);
	pthread_mutex_lock(&d->lock);
	v->next = d->visits;
	if (d->visits)
		d->visits->prev = v;
	d->visits = v;
	pthread_mutex_unlock(&d->lock);
	return v;
}

static void destroy(struct visit *v)
{
	arena_free(&v->arena);
	free(v);
}

/* Takes it off the list; a worker that has it pinned frees it instead. */
static void forget(struct visit *v)
{
	struct desk *d = v->desk;
	pthread_mutex_lock(&d->lock);
	if (v->next)
		v->next->prev = v->prev;
	if (v->prev)
		v->prev->next = v->next;
	else
		d->visits = v->next;
	v->gone = true;
	bool pinned = v->pins > 0;
	pthread_mutex_unlock(&d->lock);
	if (!pinned)
		destroy(v);
}

void visit_unpin(struct visit *v)
{
	struct desk *d = v->desk;
	pthread_mutex_lock(&d->lock);
	bool last = --v->pins == 0 && v->gone;
	pthread_mutex_unlock(&d->lock);
	if (last)
		destroy(v);
}

/* ---- the end ---- */

static void count(struct visit *v, bool fresh)
{
	struct desk *d = v->desk;
	if (!v->is_query)
		return;
	enum { FROM_STORE, FROM_PLUGIN, NOT_MODIFIED, REFUSED } from = FROM_STORE;
	if (v->rq->answer.status >= 400)
		from = REFUSED;
	else if (v->rq->answer.status == 304)
		from = NOT_MODIFIED;
	else if (!fresh)
		from = FROM_PLUGIN;
	meter_add(d->queries[from], 1);
	meter_observe(d->seconds, (double)(clock_mono_us() - v->arrived_us) / 1e6);
}

/* An answer from a plugin's memory may still be the one that the asker has. */
static void answer_304(struct visit *v)
{
	struct desk_answer *an = &v->rq->answer;
	if (an->status != 200 || an->etag.len == 0 || !answer_matches(v->rq->ask.if_none_match, an->etag))
		return;
	an->status = 304;
	an->body = an->type = (struct tally_str){ 0 };
}

void visit_end(struct visit *v, bool fresh)
{
	struct desk_request *rq = v->rq;
	const struct desk_answer *an = &rq->answer;
	if (v->view.id) {
		struct tally_answer seen = { .status = an->status,
			.fresh = fresh,
			.type = an->type,
			.body = an->body,
			.version = an->version,
			.etag = an->etag };
		plug_answered(v->desk->chain, &v->view, &seen);
	}
	answer_304(v);
	count(v, fresh);
	forget(v);
	rq->done(rq);
}

/* ---- past the plugins ---- */

/* Paths that are promised and not answered yet: docs/status.md. */
static bool is_of_later(struct tally_str path)
{
	return str_eq(path, STR("/v1/click")) || str_eq(path, STR("/tally.js"));
}

static void not_found(struct visit *v)
{
	const struct desk_view *view = &v->desk->opt.view;
	if (view->other && view->other(view->arg, &v->rq->arena, &v->rq->ask, &v->rq->answer))
		return;
	if (is_of_later(v->rq->ask.path))
		visit_problem(v, 501, "not_implemented", 0, "this version does not answer at this path yet");
	else
		visit_problem(v, 404, "not_found", 0, "there is nothing at this path");
}

/* No plugin has answered. */
static void go_on(struct visit *v)
{
	if (v->is_live) {
		live_subscribe(v->desk->live, v);
		return;
	}
	if (v->is_query || v->is_schema) {
		visit_run(v);
		return;
	}
	if (v->is_lookup)
		lookup_answer(v);
	else
		not_found(v);
	visit_end(v, true);
}

static void refused_by(struct visit *v, const struct plug_verdict *verdict)
{
	unsigned after = verdict->retry_after_s ? verdict->retry_after_s : 1 + (unsigned)(v->id % 4);
	visit_problem(v, 503, verdict->reason && *verdict->reason ? verdict->reason : "refused", after,
		"this is not answered now; come back after the time in Retry-After");
	visit_end(v, false);
}

void visit_ask_plugins(struct visit *v, size_t from)
{
	struct plug_verdict verdict = { 0 };
	v->state = VISIT_HOOK;
	v->resumed = false;
	int rc = from < plug_chain_len(v->desk->chain)
			 ? plug_request(v->desk->chain, from, &v->view, &v->plugin, &verdict)
			 : TALLY_PASS;
	bool answered = v->rq->answer.status != 0; /* through desk_plug_answer() */
	if (answered) {
		visit_end(v, false);
	} else if (rc == TALLY_REFUSE) {
		refused_by(v, &verdict);
	} else if (rc == TALLY_HOLD && v->resumed) {
		visit_ask_plugins(v, v->plugin + 1);
	} else if (rc == TALLY_HOLD && v->desk->nheld < DESK_HELD_MAX) {
		v->state = VISIT_HELD;
		v->desk->nheld++;
	} else {
		go_on(v);
	}
}

void visit_release(struct visit *v)
{
	v->desk->nheld--;
	go_on(v);
}

void visit_resume(struct visit *v)
{
	v->desk->nheld--;
	visit_ask_plugins(v, v->plugin + 1);
}
