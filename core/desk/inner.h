/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the desk share: the desk, and a request on its way through it.
 *
 * A visit is made when a request arrives and ends when its answer has left; in between it is in exactly one state. All
 * of it belongs to the desk's thread, but for `pins` and the list of visits, which request_version() reaches from a
 * worker: those are under the lock. */
#ifndef DESK_INNER_H
#define DESK_INNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/ring.h"
#include "desk/answer.h"
#include "desk/crew.h"
#include "desk/desk.h"

#define DESK_RING 1024
#define DESK_RUNNING_MAX 4  /* questions at the store at once … */
#define DESK_HEAVY_MAX 2    /* … of them those that read events one by one: the others never wait for them alone */
#define DESK_HEAVY_SPELLS 2 /* times a question's limit: then those of them that run come to an end … */
#define DESK_HEAVY_REST_US 1000000 /* … and none begins for so long: a store clears up behind old snapshots */
#define DESK_WAITING_MAX 256       /* behind them … */
#define DESK_HEAVY_WAITING_MAX 128
#define DESK_ASIDE_MAX 2   /* jobs of plugins and of live streams at once */
#define DESK_HELD_MAX 1024 /* by plugins */
#define DESK_GUESSES 256

enum visit_state {
	VISIT_NEW,
	VISIT_HOOK,    /* inside a plugin's request hook */
	VISIT_HELD,    /* a plugin holds it */
	VISIT_WAITING, /* for a reader */
	VISIT_RUNNING  /* a worker has it */
};

struct visit {
	struct desk *desk;
	struct desk_request *rq;
	uint64_t id;
	enum visit_state state;
	struct arena arena; /* of the query: may outlive rq while pinned */
	struct query q;     /* is_query */
	bool is_query, is_schema, is_live, is_lookup;
	bool heavy;                /* it will read events one by one, as far as can be told before */
	bool resumed;              /* while the hook was still running */
	struct tally_request view; /* as plugins see it */
	size_t plugin;             /* who has it */
	int64_t arrived_us;        /* monotonic */
	int64_t waiting_us;        /* VISIT_WAITING: since when, monotonic */
	struct answer_job job;
	struct query run_q; /* the worker's copy: it fills in the beginning of "all" */
	struct crew_job work;
	bool gone;                 /* off the list, under desk->lock */
	unsigned pins;             /* under desk->lock */
	struct visit *next, *prev; /* all visits, under desk->lock */
	struct visit *next_waiting;
};

struct desk {
	struct desk_options opt;
	uv_loop_t loop;
	uv_thread_t thread;
	uv_async_t knock;
	uv_timer_t tick;
	struct ring *ring;
	struct crew *questions, *aside;
	struct live *live;
	atomic_bool closing, ending_streams;
	uv_sem_t streams_ended;
	struct plug_chain *chain;
	struct store *store;      /* NULL = none */
	struct store_state state; /* as last seen; its arrays live in state_arena */
	struct arena state_arena;
	bool state_known;
	struct { /* guesses made from that state, by a hash of the question */
		uint64_t question;
		int cost;
	} guesses[DESK_GUESSES];
	uint64_t config_hash, last_id, reloads;
	pthread_mutex_t lock;
	struct plug_set *next_plugins; /* under lock: a reload that waits for the thread */
	const struct conf *next_conf;
	struct visit *visits;
	struct visit *waiting, **waiting_end;
	unsigned nrunning, nwaiting, nheld, nwork; /* nwork: jobs aside under way */
	unsigned nheavy, nheavy_waiting;           /* of nrunning and nwaiting */
	int64_t heavy_since_us, heavy_rest_us;     /* monotonic: there was one all the time; none before */
	struct meter_series *queries[4], *seconds;
};

/* ---- desk.c ---- */

/* A visit in that state, NULL = none. */
struct visit *desk_any(struct desk *d, enum visit_state state);

/* ---- reload.c ---- */

uint64_t desk_hash_config(const struct desk_options *opt);
void desk_take_reload(struct desk *d);

/* ---- visit.c ---- */

struct visit *visit_make(struct desk *d, struct desk_request *rq);
void visit_take(struct visit *v, const struct answer *an);
void visit_refuse(struct visit *v, const struct query_error *err);
/* Goes on at the plugin `from`, then at the planner. */
void visit_ask_plugins(struct visit *v, size_t from);
/* The answer is in v->rq->answer: the plugins see it, it leaves. */
void visit_end(struct visit *v, bool fresh);
void visit_problem(struct visit *v, int status, const char *code, unsigned retry_after_s, const char *detail);
/* NULL = not here any more. */
struct visit *visit_find(struct desk *d, uint64_t id);
void visit_resume(struct visit *v);
/* As visit_resume(), but no other plugin is asked. */
void visit_release(struct visit *v);
void visit_unpin(struct visit *v);

/* ---- begin.c: read and check a request, and send it on its way ---- */

void visit_begin(struct desk *d, struct desk_request *rq);

/* ---- plan and run, visit_run.c ---- */

void visit_run(struct visit *v);
/* A guess for tally_request.cost. */
int visit_cost(struct visit *v);
/* Sends away who has waited for a place as long as a question may take, and starts who may. */
void visit_tend_waits(struct desk *d);

/* ---- live.c ---- */

struct live *live_open(struct desk *d);
/* Assumes: live_end() was called, and no job of it runs. */
void live_close(struct live *l);
/* Called every tick_ms; does its work once a second. */
void live_tick(struct live *l, unsigned tick_ms);
/* Answers the visit: a stream, or a refusal. */
void live_subscribe(struct live *l, struct visit *v);
void live_end(struct live *l);

/* ---- lookup.c ---- */

/* Answers GET /v1/lookup/NAME/KEY from memory: v->rq->answer is filled. */
void lookup_answer(struct visit *v);

/* ---- admin.c ---- */

/* True: v->rq->answer is filled. */
bool admin_answer(struct visit *v);

/* ---- route.c ---- */

enum route {
	ROUTE_NONE,
	ROUTE_QUERY,
	ROUTE_SHORT,
	ROUTE_SCHEMA,
	ROUTE_LIVE,
	ROUTE_HEALTH,
	ROUTE_READY,
	ROUTE_METRICS,
	ROUTE_LEDGER,
	ROUTE_LOOKUP
};

struct route_match {
	enum route route;
	bool wrong_method;
	enum query_form form; /* ROUTE_SHORT, ROUTE_QUERY */
	struct tally_str site;
	struct tally_str lookup, key; /* ROUTE_LOOKUP */
};

struct route_match route_find(struct tally_str method, struct tally_str path);

#endif
