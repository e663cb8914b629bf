/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends this, as far as it may be known: the address, the user agent, and the wish not to be tracked. All of it
 * lives as long as the request; what the plugins make of it before it goes is what is left. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "door/internal.h"

/* ---- the client of a request ---- */

static bool says_one(const struct http_request *rq, const char *name)
{
	const struct http_field *f = http_field_get(rq, name);
	return f && str_eq(f->value, STR("1"));
}

void client_read(struct lane *ln, struct http_request *rq, struct client *out)
{
	const struct http_field *agent = http_field_get(rq, "user-agent");
	*out = (struct client){
		.lane = ln,
		.arena = rq->arena,
		.asks = says_one(rq, "dnt") || says_one(rq, "sec-gpc"),
		.seen = { .address = address_of(lane_conf(ln), rq), .agent = agent ? agent->value : STR("") },
	};
}

static bool is_private(const struct client *cl, const struct conf_site *s)
{
	return cl->asks && s->honors_privacy;
}

static const struct event_site *site_of(void *arg, struct tally_str name)
{
	static _Thread_local struct event_site site;
	const struct client *cl = arg;
	const struct conf_site *s = conf_site(lane_conf(cl->lane), name);
	site = (struct event_site){ s->past_us, s->future_us, is_private(cl, s) };
	return &site;
}

/* Made once for all events of a request that need it. */
static struct tally_str anonymous(void *arg)
{
	struct client *cl = arg;
	if (!cl->visitor.len)
		cl->visitor = visitor_of(cl);
	return cl->visitor;
}

void client_event_context(struct client *cl, struct event_context *cx)
{
	const struct conf *c = lane_conf(cl->lane);
	*cx = (struct event_context){
		.limits = { c->limits.event, (unsigned)c->limits.depth, c->limits.events },
		.default_site = STR("default"),
		.now_us = clock_wall_us(),
		.site = site_of,
		.anonymous = anonymous,
		.arg = cl,
	};
}

void client_arrive(struct client *cl, struct tally_event *ev)
{
	struct plug_chain *chain = lane_plugs(cl->lane)->chain;
	if (plug_chain_len(chain) == 0)
		return;
	cl->seen.is_private = cl->asks && is_private(cl, conf_site(lane_conf(cl->lane), ev->site));
	plug_arrive(chain, cl->arena, &cl->seen, ev);
}

bool lane_is_reloading(struct lane *ln)
{
	return door_plugs_wait(lane_plugs(ln));
}

/* ---- host->work() ---- */

struct door_job {
	uv_work_t work;
	void (*job)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void run_job(uv_work_t *work)
{
	struct door_job *j = work->data;
	j->job(j->arg);
}

static void job_done(uv_work_t *work, int status)
{
	struct door_job *j = work->data;
	(void)status; /* never cancelled */
	j->done(j->arg);
	free(j);
}

/* The loop goes on until the last of them is done, so the lane outlives it. */
int lane_plug_work(void *lane, void (*job)(void *), void (*done)(void *), void *arg)
{
	struct door_job *j = memory_zalloc(1, sizeof *j);
	if (!j)
		return -ENOMEM;
	*j = (struct door_job){ .job = job, .done = done, .arg = arg };
	j->work.data = j;
	MUST(uv_queue_work(lane_loop(lane), &j->work, run_job, job_done) == 0);
	return 0;
}
