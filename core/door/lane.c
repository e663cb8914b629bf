/* SPDX-License-Identifier: Apache-2.0 */
#include "door/lane.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "door/internal.h"
#include "meter/meter.h"

#define RETRY_MS 2
#define BELL_EVERY 64 /* requests of one turn of the loop after which the ledger is not kept waiting for the rest */

struct lane {
	struct lane_options opt;
	_Atomic(const struct conf *) conf;
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t retry;
	struct http_server *server;
	pthread_t thread;
	bool running, closing;

	_Atomic(struct lane_job *) posted; /* newest first */
	struct ledger_call *waiting, **waiting_last;
	unsigned laid_down; /* since the bell was rung */
	struct {
		struct meter_series *series;
		size_t len;
		char site[EVENT_NAME_MAX];
	} received; /* the series of the site that was counted last */

	_Atomic bool stop;
	int64_t drain_us;
	pthread_mutex_t stats_lock;
	struct http_stats stats;
	struct door_plugs plugs;
};

const struct conf *lane_conf(const struct lane *ln)
{
	return atomic_load(&ln->conf);
}

struct door_plugs *lane_plugs(struct lane *ln)
{
	return &ln->plugs;
}

uv_loop_t *lane_loop(struct lane *ln)
{
	return &ln->loop;
}

/* ---- jobs from other threads ---- */

void lane_post(struct lane *ln, struct lane_job *job)
{
	job->next = atomic_load(&ln->posted);
	while (!atomic_compare_exchange_weak(&ln->posted, &job->next, job))
		;
	uv_async_send(&ln->wake);
}

static struct lane_job *take_posted(struct lane *ln)
{
	struct lane_job *newest = atomic_exchange(&ln->posted, (struct lane_job *)NULL), *oldest = NULL;
	while (newest) {
		struct lane_job *next = newest->next;
		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

static void server_closed(void *arg)
{
	struct lane *ln = arg;
	ln->server = NULL;
	uv_close((uv_handle_t *)&ln->wake, NULL);
	uv_close((uv_handle_t *)&ln->retry, NULL);
}

static void publish_stats(struct lane *ln)
{
	pthread_mutex_lock(&ln->stats_lock);
	if (ln->server)
		http_server_stats(ln->server, &ln->stats);
	pthread_mutex_unlock(&ln->stats_lock);
}

static void run_posted(struct lane *ln)
{
	for (struct lane_job *job = take_posted(ln), *next; job; job = next) {
		next = job->next;
		job->fn(job);
	}
}

static void on_wake(uv_async_t *h)
{
	struct lane *ln = h->data;
	run_posted(ln);
	(void)door_plugs_take(&ln->plugs);
	if (atomic_load(&ln->stop) && !ln->closing) {
		ln->closing = true;
		http_server_close(ln->server, ln->drain_us, server_closed, ln);
	}
}

/* ---- the ledger ---- */

static void run_over(struct lane_job *job)
{
	struct ledger_call *call = (struct ledger_call *)((char *)job - offsetof(struct ledger_call, job));
	call->over(call);
}

/* [ledger] */
static void ledger_done(struct ledger_request *rq)
{
	struct ledger_call *call = (struct ledger_call *)((char *)rq - offsetof(struct ledger_call, rq));
	lane_post(call->lane, &call->job);
}

static void ring_bell(struct lane *ln)
{
	if (ln->laid_down)
		ledger_ring_bell(ln->opt.ledger);
	ln->laid_down = 0;
}

/* What one turn of the loop brings is one group for the ledger, one write and one waking, not one for each request. */
static bool lay_down(struct lane *ln, struct ledger_call *call)
{
	bool laid = ledger_lay_down(ln->opt.ledger, &call->rq);
	if (laid && ++ln->laid_down >= BELL_EVERY)
		ring_bell(ln);
	return laid;
}

static void on_retry(uv_timer_t *h)
{
	struct lane *ln = h->data;
	while (ln->waiting) {
		struct ledger_call *call = ln->waiting;
		struct ledger_call *next = call->waiting;
		if (!lay_down(ln, call))
			return;
		ln->waiting = next;
	}
	ln->waiting_last = &ln->waiting;
	uv_timer_stop(&ln->retry);
	if (ln->server)
		http_server_pause(ln->server, false);
}

/* ---- what has been received ---- */

void lane_count_received(struct lane *ln, struct tally_str site, int64_t events)
{
	if (!ln->received.series || !str_eq(site, str_make(ln->received.site, ln->received.len))) {
		ln->received.series = meter_get(M_RECEIVED, site, STR("http"), STR(""));
		ln->received.len = site.len <= sizeof ln->received.site ? site.len : 0;
		memcpy(ln->received.site, site.ptr, ln->received.len);
	}
	meter_add(ln->received.series, events);
}

void lane_call_ledger(struct lane *ln, struct ledger_call *call)
{
	call->lane = ln;
	call->job.fn = run_over;
	call->rq.done = ledger_done;
	call->waiting = NULL;
	if (!ln->waiting && lay_down(ln, call))
		return;
	if (!ln->waiting) {
		http_server_pause(ln->server, true);
		uv_timer_start(&ln->retry, on_retry, RETRY_MS, RETRY_MS);
	}
	*ln->waiting_last = call;
	ln->waiting_last = &call->waiting;
}

/* ---- routes ---- */

typedef void (*route_fn)(struct lane *ln, struct http_request *rq);

static const struct {
	const char *method, *path;
	route_fn fn;
} routes[] = {
	{ "POST", "/v1/events", ingest_post },
	{ "OPTIONS", "/v1/events", cors_preflight },
	{ "GET", "/v1/pixel.gif", pixel_get },
};

static bool is_door_path(const struct http_request *rq)
{
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (str_eq(rq->path, str_of(routes[i].path)))
			return true;
	return false;
}

/* What has come so far is finished out of the reserve; what comes now can wait. */
static void refuse_short(struct http_request *rq)
{
	meter_add(meter_get(M_REFUSED, STR("out_of_memory"), STR(""), STR("")), 1);
	http_problem(rq, 503, "out_of_memory", 1 + (int)(uv_hrtime() / 1000 % 5),
		"nothing of this was taken; send it again after the time in Retry-After");
}

static void handle(struct http_request *rq)
{
	struct lane *ln = rq->lane;
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (str_eq(rq->path, str_of(routes[i].path)) && str_eq(rq->method, str_of(routes[i].method))) {
			if (memory_is_short())
				refuse_short(rq);
			else
				routes[i].fn(ln, rq);
			return;
		}
	if (is_door_path(rq)) {
		http_problem(rq, 405, "method_not_allowed", 0, "%.*s does not take %.*s", (int)rq->path.len,
			rq->path.ptr, (int)rq->method.len, rq->method.ptr);
		return;
	}
	ln->opt.other(ln->opt.other_arg, ln, rq);
}

/* ---- life ---- */

/* Before the loop sleeps. */
static void on_turn_end(uv_prepare_t *h)
{
	struct lane *ln = h->data;
	ring_bell(ln);
	publish_stats(ln);
}

static struct http_limits limits_of(const struct conf *c, unsigned connections)
{
	return (struct http_limits){
		.head_bytes = 16 * 1024,
		.head_fields = 64,
		.body_bytes = c->limits.body,
		.inflated_bytes = c->limits.inflated,
		.inflate_ratio = (unsigned)c->limits.ratio,
		.connections = connections,
		.header_timeout_us = c->limits.header_timeout_us,
		.body_timeout_us = c->limits.header_timeout_us,
		.idle_timeout_us = c->limits.idle_timeout_us,
	};
}

int lane_open(const struct lane_options *opt, struct lane **out, char why[512])
{
	struct lane *ln = calloc(1, sizeof *ln);
	MUST(ln != NULL);
	ln->opt = *opt;
	atomic_store(&ln->conf, opt->conf);
	ln->waiting_last = &ln->waiting;
	pthread_mutex_init(&ln->stats_lock, NULL);
	MUST(uv_loop_init(&ln->loop) == 0);
	MUST(uv_async_init(&ln->loop, &ln->wake, on_wake) == 0);
	MUST(uv_timer_init(&ln->loop, &ln->retry) == 0);
	ln->wake.data = ln->retry.data = ln;
	struct http_limits limits = limits_of(opt->conf, opt->connections);
	int rc = door_plugs_open(&ln->plugs, ln, opt->plugins, opt->conf, why);
	if (!rc)
		rc = http_server_open(&ln->loop, opt->address, opt->reuse_port, &limits, handle, ln, &ln->server, why);
	if (rc) {
		server_closed(ln);
		uv_run(&ln->loop, UV_RUN_DEFAULT);
		lane_join(ln);
		lane_free(ln);
		return rc;
	}
	*out = ln;
	return 0;
}

static void *lane_main(void *arg)
{
	struct lane *ln = arg;
	uv_prepare_t turn;
	uv_prepare_init(&ln->loop, &turn);
	turn.data = ln;
	uv_prepare_start(&turn, on_turn_end);
	uv_unref((uv_handle_t *)&turn);
	uv_run(&ln->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&turn, NULL);
	uv_run(&ln->loop, UV_RUN_DEFAULT);
	return NULL;
}

void lane_run(struct lane *ln)
{
	MUST(pthread_create(&ln->thread, NULL, lane_main, ln) == 0);
	ln->running = true;
}

int lane_port(const struct lane *ln)
{
	return http_server_port(ln->server);
}

void lane_reload(struct lane *ln, struct plug_set *plugins, const struct conf *conf)
{
	atomic_store(&ln->conf, conf);
	door_plugs_give(&ln->plugs, plugins, conf);
	uv_async_send(&ln->wake);
}

void lane_stats(const struct lane *ln, struct http_stats *out)
{
	pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&ln->stats_lock);
	*out = ln->stats;
	pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&ln->stats_lock);
}

bool lane_is_admin(const struct lane *ln)
{
	return ln->opt.admin;
}

void lane_stop(struct lane *ln, int64_t drain_us)
{
	ln->drain_us = drain_us;
	atomic_store(&ln->stop, true);
	uv_async_send(&ln->wake);
}

void lane_join(struct lane *ln)
{
	if (ln->running)
		pthread_join(ln->thread, NULL);
	ln->running = false;
}

void lane_free(struct lane *ln)
{
	run_posted(ln); /* answers that came when the connections were gone */
	door_plugs_close(&ln->plugs);
	uv_loop_close(&ln->loop);
	pthread_mutex_destroy(&ln->stats_lock);
	free(ln);
}
