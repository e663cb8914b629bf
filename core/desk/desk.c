/* SPDX-License-Identifier: Apache-2.0 */
/* The desk's thread: its loop, the ring that requests come through, opening and closing. */
#include "desk/desk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "desk/inner.h"
#include "meter/meter.h"

#define TICK_MS 250

/* ---- requests ---- */

struct desk_request *desk_request_make(const struct desk_ask *ask, void (*done)(struct desk_request *rq), void *user)
{
	struct desk_request *rq = memory_zalloc(1, sizeof *rq);
	MUST(rq);
	arena_init(&rq->arena, 0);
	struct arena *a = &rq->arena;
	rq->ask = (struct desk_ask){ .method = arena_str(a, ask->method),
		.path = arena_str(a, ask->path),
		.query = arena_str(a, ask->query),
		.body = arena_str(a, ask->body),
		.accept = arena_str(a, ask->accept),
		.if_none_match = arena_str(a, ask->if_none_match),
		.key_site = arena_str(a, ask->key_site),
		.newest = ask->newest };
	rq->done = done;
	rq->user = user;
	return rq;
}

void desk_request_free(struct desk_request *rq)
{
	arena_free(&rq->arena);
	free(rq);
}

bool desk_post(struct desk *d, struct desk_request *rq)
{
	if (atomic_load(&d->closing) || !ring_push(d->ring, rq))
		return false;
	uv_async_send(&d->knock);
	return true;
}

/* ---- the loop ---- */

struct visit *desk_any(struct desk *d, enum visit_state state)
{
	struct visit *v = d->visits;
	while (v && v->state != state)
		v = v->next;
	return v;
}

/* Whoever waits gets 503; what runs is let run. */
static void send_away(struct desk *d)
{
	struct visit *v;
	while ((v = desk_any(d, VISIT_HELD))) {
		d->nheld--;
		visit_problem(v, 503, "closing", 1, "the daemon is stopping");
		visit_end(v, false);
	}
	while ((v = d->waiting)) {
		d->waiting = v->next_waiting;
		d->nwaiting--;
		visit_problem(v, 503, "closing", 1, "the daemon is stopping");
		visit_end(v, false);
	}
	d->waiting_end = &d->waiting;
	d->nheavy_waiting = 0;
}

static void close_handles(struct desk *d)
{
	uv_close((uv_handle_t *)&d->knock, NULL);
	uv_close((uv_handle_t *)&d->tick, NULL);
	crew_stop(d->questions);
	crew_stop(d->aside);
}

static void stop_if_idle(struct desk *d)
{
	if (!atomic_load(&d->closing))
		return;
	live_end(d->live);
	send_away(d);
	if (!d->nrunning && !d->nwork && !uv_is_closing((uv_handle_t *)&d->knock))
		close_handles(d);
}

static void on_knock(uv_async_t *async)
{
	struct desk *d = async->data;
	struct desk_request *rq;
	desk_take_reload(d);
	if (atomic_exchange(&d->ending_streams, false)) {
		live_end(d->live);
		uv_sem_post(&d->streams_ended);
	}
	while ((rq = ring_pop(d->ring)))
		visit_begin(d, rq);
	stop_if_idle(d);
}

/* A plugin that never lets go must not keep an asker for ever. */
static void on_tick(uv_timer_t *timer)
{
	struct desk *d = timer->data;
	int64_t before = clock_mono_us() - d->opt.conf->limits.query_timeout_us;
	struct visit *v = d->visits;
	while (v) {
		if (v->state == VISIT_HELD && v->arrived_us < before) {
			visit_resume(v);
			v = d->visits; /* the list has changed */
		} else {
			v = v->next;
		}
	}
	visit_tend_waits(d);
	if (d->store)
		store_tick(d->store);
	live_tick(d->live, TICK_MS);
	stop_if_idle(d);
}

static void run_loop(void *arg)
{
	struct desk *d = arg;
	uv_run(&d->loop, UV_RUN_DEFAULT);
}

/* ---- open and close ---- */

static void open_store(struct desk *d)
{
	const struct desk_options *opt = &d->opt;
	if (!opt->store)
		return;
	struct store_options so = { .sink = opt->store,
		.self = opt->store_self,
		.prefix = opt->store_prefix ? opt->store_prefix : "",
		.schema = opt->schema,
		.config_hash = desk_hash_config(opt),
		.max_rows = opt->conf->limits.query_rows,
		.timeout_us = opt->conf->limits.query_timeout_us,
		.freshness = opt->view.freshness,
		.freshness_arg = opt->view.arg };
	d->store = store_open(&so);
}

static void open_meters(struct desk *d)
{
	static const char *const sources[] = { "store", "plugin", "not_modified", "refused" };
	struct tally_str none = { 0 };
	for (int i = 0; i < 4; i++)
		d->queries[i] = meter_get(M_QUERIES, str_of(sources[i]), none, none);
	d->seconds = meter_get(M_QUERY_SECONDS, none, none, none);
}

static void destroy(struct desk *d)
{
	if (d->chain)
		plug_chain_close(d->chain);
	uv_run(&d->loop, UV_RUN_DEFAULT); /* what was closed is let go */
	MUST(uv_loop_close(&d->loop) == 0);
	crew_free(d->questions);
	crew_free(d->aside);
	if (d->store)
		store_close(d->store);
	live_close(d->live);
	uv_sem_destroy(&d->streams_ended);
	ring_close(d->ring);
	arena_free(&d->state_arena);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static struct desk *make(const struct desk_options *opt)
{
	struct desk *d = memory_zalloc(1, sizeof *d);
	MUST(d);
	d->opt = *opt;
	d->waiting_end = &d->waiting;
	d->ring = ring_open(DESK_RING);
	d->live = live_open(d);
	MUST(uv_sem_init(&d->streams_ended, 0) == 0);
	arena_init(&d->state_arena, 0);
	pthread_mutex_init(&d->lock, NULL);
	MUST(uv_loop_init(&d->loop) == 0);
	MUST(uv_async_init(&d->loop, &d->knock, on_knock) == 0);
	MUST(uv_timer_init(&d->loop, &d->tick) == 0);
	d->knock.data = d->tick.data = d;
	d->questions = crew_open(&d->loop, DESK_RUNNING_MAX, "tally-questions");
	d->aside = crew_open(&d->loop, DESK_ASIDE_MAX, "tally-aside");
	return d;
}

static int give_up(struct desk *d, int rc)
{
	close_handles(d);
	destroy(d);
	return rc;
}

int desk_open(const struct desk_options *opt, struct desk **out, char why[512])
{
	struct desk *d = make(opt);
	open_meters(d);
	int rc = plug_chain_open(opt->plugins, opt->conf, TALLY_DESK, d, opt->strict, &d->chain, why);
	if (rc) {
		d->chain = NULL;
		return give_up(d, rc);
	}
	open_store(d);
	uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
	rc = uv_thread_create(&d->thread, run_loop, d);
	if (rc) {
		snprintf(why, 512, "no thread for the desk: %s", uv_strerror(rc));
		return give_up(d, rc);
	}
	*out = d;
	return 0;
}

void desk_end_streams(struct desk *d)
{
	atomic_store(&d->ending_streams, true);
	uv_async_send(&d->knock);
	uv_sem_wait(&d->streams_ended);
}

void desk_read_behind_now(struct desk *d)
{
	if (d->store)
		store_read_behind_now(d->store);
}

size_t desk_replicas(struct desk *d, struct store_replica_view *out, size_t n)
{
	return d->store ? store_replicas(d->store, out, n) : 0;
}

void desk_close(struct desk *d)
{
	atomic_store(&d->closing, true);
	uv_async_send(&d->knock);
	uv_thread_join(&d->thread);
	destroy(d);
}
