/* SPDX-License-Identifier: Apache-2.0 */
/* The planner's part of a visit: a place among those that run, a worker, and what the worker brought back. */
#include <xxhash.h>

#include "base/clock.h"
#include "desk/inner.h"

#define BUSY_AFTER_S 1
#define WEEK_US INT64_C(604800000000)

/* The cost of "all" is judged by a day of it: a rollup that holds the day holds, but for its horizon, the rest. */
static struct query_range range_to_judge(const struct query *q)
{
	struct query_range r = q->range;
	if (q->all)
		r.from_us = zone_floor(q->zone, ZONE_DAY, r.to_us - 1);
	return r;
}

static int guess(struct visit *v)
{
	struct desk *d = v->desk;
	struct query_error err;
	struct plan plan;
	struct plan_store ps = { d->opt.schema, &d->state.meta, d->state.raw_horizon_us };
	if (v->q.form >= QUERY_FUNNEL)
		return v->q.range.to_us - v->q.range.from_us > WEEK_US ? 2 : 1;
	return plan_make(&v->q, range_to_judge(&v->q), &ps, &v->arena, &plan, NULL, &err) ? -1 : plan_cost(&plan);
}

/* Planning costs more than the rest of a remembered answer: what is asked again and again is planned once. */
int visit_cost(struct visit *v)
{
	struct desk *d = v->desk;
	if (!d->state_known)
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

static struct visit *visit_of(struct crew_job *work)
{
	return (struct visit *)((char *)work - offsetof(struct visit, work));
}

static void run_job(struct crew_job *work)
{
	struct visit *v = visit_of(work);
	if (v->is_schema)
		answer_schema(&v->job);
	else
		answer_make(&v->job);
}

/* ---- places ---- */

/* Snapshots that overlap without end would keep what they need from ever being cleared: the write-ahead log of SQLite,
 * old versions of rows in MariaDB. */
static bool heavy_has_place(const struct desk *d)
{
	int64_t now = clock_mono_us(), spell = DESK_HEAVY_SPELLS * d->opt.conf->limits.query_timeout_us;
	if (d->nheavy)
		return d->nheavy < DESK_HEAVY_MAX && now - d->heavy_since_us < spell;
	return now >= d->heavy_rest_us;
}

static bool has_place(const struct desk *d, const struct visit *v)
{
	return d->nrunning < DESK_RUNNING_MAX && (!v->heavy || heavy_has_place(d));
}

static void heavy_begins(struct desk *d)
{
	if (d->nheavy++ == 0)
		d->heavy_since_us = clock_mono_us();
}

static void heavy_ends(struct desk *d)
{
	int64_t now = clock_mono_us();
	if (--d->nheavy == 0 && now - d->heavy_since_us >= d->opt.conf->limits.query_timeout_us)
		d->heavy_rest_us = now + DESK_HEAVY_REST_US;
}

/* at: where the visit is linked in. */
static struct visit *unlink_waiting(struct desk *d, struct visit **at)
{
	struct visit *v = *at;
	*at = v->next_waiting;
	if (!*at)
		d->waiting_end = at;
	d->nwaiting--;
	d->nheavy_waiting -= v->heavy;
	return v;
}

static void start(struct visit *v);

static void start_next(struct desk *d)
{
	struct visit **at = &d->waiting;
	while (*at) {
		if (has_place(d, *at))
			start(unlink_waiting(d, at));
		else
			at = &(*at)->next_waiting;
	}
}

static void job_done(struct crew_job *work)
{
	struct visit *v = visit_of(work);
	struct desk *d = v->desk;
	d->nrunning--;
	if (v->heavy)
		heavy_ends(d);
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
		.newest = v->rq->ask.newest,
		.now_us = clock_wall_us(),
		.lookups = d->opt.lookups,
		.arena = &v->rq->arena };
	struct store_freshness *f = &v->job.freshness;
	f->known = view->freshness && view->freshness(view->arg, &f->complete_through_us, &f->lag_seconds);
	v->work = (struct crew_job){ .run = run_job, .done = job_done };
	d->nrunning++;
	if (v->heavy)
		heavy_begins(d);
	crew_give(d->questions, &v->work);
}

static void send_away(struct visit *v, const char *code, const char *why)
{
	visit_problem(v, 503, code, BUSY_AFTER_S + (unsigned)(v->id % 3), why);
	visit_end(v, true);
}

/* Why a question cannot even wait; NULL = it can. */
static const char *turned_away(const struct visit *v, const char **code)
{
	const struct desk *d = v->desk;
	*code = "no_store";
	if (!d->store)
		return "no sink of this daemon can be read: configure mariadb or sqlite";
	*code = "closing";
	if (atomic_load(&d->closing))
		return "the daemon is stopping";
	*code = "busy";
	if (v->heavy && d->nheavy_waiting >= DESK_HEAVY_WAITING_MAX)
		return "too many questions that read events one by one wait already";
	return d->nwaiting >= DESK_WAITING_MAX ? "too many questions wait already" : NULL;
}

void visit_tend_waits(struct desk *d)
{
	int64_t before = clock_mono_us() - d->opt.conf->limits.query_timeout_us;
	struct visit **at = &d->waiting;
	while (*at) {
		if ((*at)->waiting_us < before)
			send_away(unlink_waiting(d, at), "busy", "too many questions were before this one");
		else
			at = &(*at)->next_waiting;
	}
	start_next(d);
}

void visit_run(struct visit *v)
{
	struct desk *d = v->desk;
	v->heavy = v->is_query && (v->view.is_query ? v->view.cost : visit_cost(v)) > 0;
	const char *code, *why = turned_away(v, &code);
	if (why) {
		send_away(v, code, why);
		return;
	}
	if (has_place(d, v)) {
		start(v);
		return;
	}
	v->state = VISIT_WAITING;
	v->waiting_us = clock_mono_us();
	v->next_waiting = NULL;
	*d->waiting_end = v;
	d->waiting_end = &v->next_waiting;
	d->nwaiting++;
	d->nheavy_waiting += v->heavy;
}
