/* SPDX-License-Identifier: Apache-2.0 */
#include "main/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "main/adopt.h"
#include "main/dead.h"
#include "main/rebuild.h"
#include "main/stores.h"
#include "main/view.h"
#include "text/write.h"

#define FLUSH_US 60000000
#define LOOK_EVERY_NS 10000000

/* ---- commands: each fills the answer ---- */

static void plain_answer(struct admin_call *c, int status, struct tally_str body)
{
	c->status = status;
	c->body = body;
}

void admin_refuse(struct admin_call *c, int status, const char *code, const char *detail)
{
	struct text_out o;
	text_open(&o, &c->arena, 256);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "code", str_of(code));
	text_json_member_string(&o, "detail", str_of(detail));
	text_json_end(&o, '}');
	plain_answer(c, status, text_done(&o));
}

static void cmd_status(struct admin_call *c)
{
	plain_answer(c, 200, view_status(c->daemon, &c->arena));
}

static void cmd_plugins(struct admin_call *c)
{
	plain_answer(c, 200, view_plugins(c->daemon, &c->arena));
}

static void cmd_reload(struct admin_call *c)
{
	char words[1024];
	struct text_out o;
	bool taken = daemon_reload(c->daemon, words) == 0;
	text_open(&o, &c->arena, 256);
	text_json_begin(&o, '{');
	text_json_member_bool(&o, "reloaded", taken);
	if (!taken)
		text_json_member_string(&o, "code", STR("reload_refused"));
	text_json_member_string(&o, taken ? "message" : "detail", str_of(words));
	text_json_end(&o, '}');
	plain_answer(c, taken ? 200 : 409, text_done(&o));
}

/* True: everything before lsn is committed, or its line cannot be reached. */
static bool all_flushed(struct daemon *d, struct arena *a, uint64_t lsn)
{
	if (spool_durable(ledger_spool(d->ledger)) < lsn)
		return false;
	for (size_t i = 0; i < d->nlines; i++) {
		struct line_view v;
		line_view(d->lines[i], a, &v);
		if (v.done < lsn && !v.ship.breaker_open && !v.ship.stopped && !v.trouble)
			return false;
	}
	return true;
}

static void put_flushed(struct daemon *d, struct text_out *o, struct arena *a, uint64_t lsn)
{
	text_json_key(o, STR("sinks"));
	text_json_begin(o, '[');
	for (size_t i = 0; i < d->nlines; i++) {
		struct line_view v;
		line_view(d->lines[i], a, &v);
		text_json_begin(o, '{');
		text_json_member_string(o, "name", str_of(v.name));
		text_json_member_bool(o, "flushed", v.done >= lsn);
		text_json_member_string(o, "trouble", v.trouble ? str_of(v.trouble) : STR(""));
		text_json_end(o, '}');
	}
	text_json_end(o, ']');
}

static void cmd_flush(struct admin_call *c)
{
	struct daemon *d = c->daemon;
	struct spool_stats st;
	struct text_out o;
	spool_stats(ledger_spool(d->ledger), &st);
	int64_t until = clock_mono_us() + FLUSH_US;
	bool flushed = false;
	while (!flushed && clock_mono_us() < until && !atomic_load(&d->stopping)) {
		for (size_t i = 0; i < d->nlines; i++)
			line_flush(d->lines[i]);
		nanosleep(&(struct timespec){ 0, LOOK_EVERY_NS }, NULL);
		struct arena a;
		arena_init(&a, 0);
		flushed = all_flushed(d, &a, st.end);
		arena_free(&a);
	}
	text_open(&o, &c->arena, 256);
	text_json_begin(&o, '{');
	if (flushed)
		desk_read_behind_now(d->desk);
	text_json_member_bool(&o, "flushed", flushed);
	text_json_member_int(&o, "lsn", (int64_t)st.end);
	if (!flushed)
		text_json_member_string(&o, "code", STR("flush_timed_out"));
	put_flushed(d, &o, &c->arena, st.end);
	text_json_end(&o, '}');
	plain_answer(c, flushed ? 200 : 503, text_done(&o));
}

/* ---- routes ---- */

static const struct {
	const char *method, *path;
	void (*fn)(struct admin_call *c);
} routes[] = {
	{ "GET", "/admin/status", cmd_status },
	{ "GET", "/admin/plugins", cmd_plugins },
	{ "POST", "/admin/flush", cmd_flush },
	{ "POST", "/admin/reload", cmd_reload },
	{ "GET", "/admin/dead", dead_command },
	{ "POST", "/admin/dead/replay", letters_replay },
	{ "POST", "/admin/dead/purge", letters_purge },
	{ "POST", "/admin/adopt", adopt_command },
	{ "GET", "/admin/verify", verify_command },
	{ "POST", "/admin/rebuild", rebuild_start },
	{ "GET", "/admin/rebuild", rebuild_show },
	{ "POST", "/admin/backup", backup_command },
	{ "POST", "/admin/restore", restore_command },
};

/* ---- a thread a request ---- */

/* [lane] */
static void answer(struct lane_job *job)
{
	struct admin_call *c = (struct admin_call *)job;
	http_respond(c->http,
		&(struct http_answer){ .status = c->status, .type = STR("application/json"), .body = c->body });
	arena_free(&c->arena);
	free(c);
}

static void *call_main(void *arg)
{
	struct admin_call *c = arg;
	struct daemon *d = c->daemon;
	c->fn(c);
	lane_post(c->lane, &c->job);
	atomic_fetch_sub(&d->commands, 1);
	return NULL;
}

static void start(struct daemon *d, struct lane *lane, struct http_request *rq, void (*fn)(struct admin_call *c))
{
	struct admin_call *c = memory_zalloc(1, sizeof *c);
	pthread_t thread;
	MUST(c != NULL);
	c->daemon = d;
	c->lane = lane;
	c->http = rq;
	c->fn = fn;
	c->job.fn = answer;
	arena_init(&c->arena, 0);
	atomic_fetch_add(&d->commands, 1);
	if (pthread_create(&thread, NULL, call_main, c) == 0) {
		pthread_detach(thread);
		return;
	}
	atomic_fetch_sub(&d->commands, 1);
	arena_free(&c->arena);
	free(c);
	http_problem(rq, 503, "busy", 1, "no thread could be started for this command");
}

void admin_request(struct daemon *d, struct lane *lane, struct http_request *rq)
{
	if (!lane_is_admin(lane)) {
		http_problem(rq, 404, "not_found", 0, "admin paths are on the admin socket only (%s)", d->conf->admin);
		return;
	}
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (str_eq(rq->path, str_of(routes[i].path)) && str_eq(rq->method, str_of(routes[i].method))) {
			start(d, lane, rq, routes[i].fn);
			return;
		}
	http_problem(rq, 404, "not_found", 0, "there is no %.*s %.*s", (int)rq->method.len, rq->method.ptr,
		(int)rq->path.len, rq->path.ptr);
}
