/* SPDX-License-Identifier: Apache-2.0 */
/* The planner's part of a visit: a place among those that run, a worker, and what the worker brought back. */
#include <xxhash.h>

#include "base/clock.h"
#include "desk/inner.h"

#define BUSY_AFTER_S 1
#define WEEK_US INT64_C(604800000000)

static int guess(struct visit *v)
{
	struct desk *d = v->desk;
	struct query_error err;
	struct plan plan;
	struct plan_store ps = { d->opt.schema, &d->state.meta, d->state.raw_horizon_us };
	if (v->q.form >= QUERY_FUNNEL)
		return v->q.range.to_us - v->q.range.from_us > WEEK_US ? 2 : 1;
	return plan_make(&v->q, v->q.range, &ps, &v->arena, &plan, NULL, &err) ? -1 : plan_cost(&plan);
}

/* Planning costs more than the rest of a remembered answer: what is asked again and again is planned once. */
int visit_cost(struct visit *v)
{
	struct desk *d = v->desk;
	if (!d->state_known || v->q.all)
		return -1;
	uint64_t question = XXH3_64bits(v->q.key.ptr, v->q.key.len) | 1;
	size_t at = question / 2 % DESK_GUESSES;
	if (d->guesses[at].question != question) {
		d->guesses[at].question = question;
		d->guesses[at].cost = guess(v);
	}
	return d->guesses[at].cost;
}

/* What a worker saw of the store serves the guesses that follow. Its arrays live in the request: copied. */
static void remember(struct desk *d, const struct answer_job *job)
{
	size_t n = job->state.meta.nrollups;
	int64_t *horizons;
	if (!job->state_known)
		return;
	arena_reset(&d->state_arena);
	memset(d->guesses, 0, sizeof d->guesses);
	horizons = arena_alloc(&d->state_arena, (n + 1) * sizeof *horizons);
	memcpy(horizons, job->state.meta.rollup_horizon_us, n * sizeof *horizons);
	d->state = job->state;
	d->state.meta.rollup_horizon_us = horizons;
	d->state.meta.rollup_table = d->state.meta.rollup_short_of = NULL;
	d->state.meta.rollup_zoned = NULL;
	d->state.meta.zones = NULL;
	d->state.meta.nzones = 0;
	d->state_known = true;
}

static void run_job(uv_work_t *work)
{
	struct visit *v = work->data;
	if (v->is_schema)
		answer_schema(&v->job);
	else
		answer_make(&v->job);
}

static void start(struct visit *v);

static void start_next(struct desk *d)
{
	struct visit *v = d->waiting;
	if (!v || d->nrunning >= DESK_RUNNING_MAX)
		return;
	d->waiting = v->next_waiting;
	if (!d->waiting)
		d->waiting_end = &d->waiting;
	d->nwaiting--;
	start(v);
}

static void job_done(uv_work_t *work, int status)
{
	struct visit *v = work->data;
	struct desk *d = v->desk;
	(void)status; /* never cancelled */
	d->nrunning--;
	remember(d, &v->job);
	visit_take(v, &v->job.answer);
	visit_end(v, true);
	start_next(d);
}

static void start(struct visit *v)
{
	struct desk *d = v->desk;
	const struct desk_view *view = &d->opt.view;
	v->state = VISIT_RUNNING;
	v->run_q = v->q;
	v->job = (struct answer_job){ .store = d->store,
		.q = &v->run_q,
		.if_none_match = v->rq->ask.if_none_match,
		.now_us = clock_wall_us(),
		.lookups = d->opt.lookups,
		.arena = &v->rq->arena };
	struct shape_freshness *f = &v->job.freshness;
	f->known = view->freshness && view->freshness(view->arg, &f->complete_through_us, &f->lag_seconds);
	v->work.data = v;
	d->nrunning++;
	MUST(uv_queue_work(&d->loop, &v->work, run_job, job_done) == 0);
}

/* Why a question cannot even wait; NULL = it can. */
static const char *turned_away(const struct desk *d, const char **code)
{
	*code = "no_store";
	if (!d->store)
		return "no sink of this daemon can be read: configure mariadb or sqlite";
	*code = "closing";
	if (atomic_load(&d->closing))
		return "the daemon is stopping";
	*code = "busy";
	return d->nwaiting >= DESK_WAITING_MAX ? "too many questions wait already" : NULL;
}

void visit_run(struct visit *v)
{
	struct desk *d = v->desk;
	const char *code, *why = turned_away(d, &code);
	if (why) {
		visit_problem(v, 503, code, BUSY_AFTER_S + (unsigned)(v->id % 3), why);
		visit_end(v, true);
		return;
	}
	if (d->nrunning < DESK_RUNNING_MAX) {
		start(v);
		return;
	}
	v->state = VISIT_WAITING;
	v->next_waiting = NULL;
	*d->waiting_end = v;
	d->waiting_end = &v->next_waiting;
	d->nwaiting++;
}
