/* SPDX-License-Identifier: Apache-2.0 */
#include "main/rebuild.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "keep/rebuild.h"
#include "text/write.h"
#include "zone/zone.h"

/* There is one daemon in a process, and one rebuild in it. */
static struct {
	pthread_mutex_t lock; /* of number, state and what the thread is started with */
	int64_t number;       /* of the last one, 0 = none yet */
	enum { IDLE, RUNNING, DONE, FAILED } state;
	pthread_t thread;
	bool joinable;
	_Atomic bool stop;
	char rollup[128], line[80];
	struct rebuild_options opt;
	struct rebuild_progress progress;
	struct rebuild_result result;
	int64_t began_us, ended_us;
} job = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *job_main(void *arg)
{
	(void)arg;
	log_info("rebuild", "rollup %s of sink %s: begun", job.rollup, job.line);
	int rc = rebuild_run(&job.opt, &job.progress, &job.result);
	pthread_mutex_lock(&job.lock);
	job.ended_us = clock_mono_us();
	job.state = rc == 0 ? DONE : FAILED;
	pthread_mutex_unlock(&job.lock);
	if (rc == 0)
		log_info("rebuild", "rollup %s of sink %s: done, its rows are in %s%s now", job.rollup, job.line,
			job.opt.prefix, job.result.table);
	else
		log_error("rebuild", "rollup %s of sink %s: %s", job.rollup, job.line, job.result.words);
	return NULL;
}

/* ---- asking ---- */

static struct line *find_line(struct admin_call *c, const char **prefix)
{
	struct daemon *d = c->daemon;
	struct tally_str name;
	bool named = http_query_get(c->http, "line", &name) && name.len;
	for (size_t i = 0; i < d->nlines; i++)
		if (line_sink(d->lines[i])->is_store && (!named || str_eq(name, str_of(line_name(d->lines[i]))))) {
			*prefix = d->conf->sinks[i].prefix ? d->conf->sinks[i].prefix : "";
			return d->lines[i];
		}
	return NULL;
}

/* A time or date of UTC; absent leaves *out. */
static int read_time(struct admin_call *c, const char *name, int64_t *out)
{
	struct tally_str text;
	int date_only;
	if (!http_query_get(c->http, name, &text) || !text.len)
		return 0;
	return zone_parse_local(zone_utc(), text.ptr, text.len, out, &date_only);
}

static int prepare(struct admin_call *c, struct rebuild_options *opt)
{
	struct daemon *d = c->daemon;
	struct tally_str name;
	struct line *line = find_line(c, &opt->prefix);
	opt->from_us = INT64_MIN;
	opt->to_us = INT64_MAX;
	if (!http_query_get(c->http, "rollup", &name) || !name.len || name.len >= sizeof job.rollup) {
		admin_refuse(c, 400, "missing_rollup", "name the rollup: tally rebuild NAME");
		return -EINVAL;
	}
	if (read_time(c, "from", &opt->from_us) || read_time(c, "to", &opt->to_us)) {
		admin_refuse(c, 400, "bad_time",
			"from and to are dates or times in UTC, as 2026-10-24 or 2026-10-24T12:00:00Z");
		return -EINVAL;
	}
	if (!line) {
		admin_refuse(c, 404, "no_store", "no line of that name writes to a store");
		return -EINVAL;
	}
	if (!line_sink(line)->guards || !line_sink(line)->drop) {
		admin_refuse(c, 501, "not_implemented", "this store cannot rebuild a rollup beside the live one");
		return -EINVAL;
	}
	snprintf(job.rollup, sizeof job.rollup, "%.*s", (int)name.len, name.ptr);
	snprintf(job.line, sizeof job.line, "%s", line_name(line));
	opt->ship = line_ship(line);
	opt->sink = line_sink(line);
	opt->self = line_sink_self(line);
	opt->line = job.line;
	opt->node_uuid = d->node.text;
	opt->schema = d->schema;
	opt->conf = d->conf;
	opt->plugins = d->plugins;
	opt->rollup = job.rollup;
	opt->stop = &job.stop;
	return 0;
}

/* [lock held] */
static int start(struct admin_call *c)
{
	struct rebuild_options opt = { 0 };
	if (job.state == RUNNING) {
		char words[256];
		snprintf(words, sizeof words, "rollup %s is being rebuilt; tally rebuild --status shows how far it is",
			job.rollup);
		admin_refuse(c, 409, "busy", words);
		return -EBUSY;
	}
	if (prepare(c, &opt))
		return -EINVAL;
	if (job.joinable)
		pthread_join(job.thread, NULL);
	job.opt = opt;
	memset(&job.progress, 0, sizeof job.progress);
	memset(&job.result, 0, sizeof job.result);
	job.number++;
	job.began_us = clock_mono_us();
	job.joinable = pthread_create(&job.thread, NULL, job_main, NULL) == 0;
	job.state = job.joinable ? RUNNING : FAILED;
	return 0;
}

/* ---- showing ---- */

static void put_whole_from(struct text_out *o)
{
	char text[40];
	text_json_key(o, STR("whole_from"));
	if (job.result.whole_from_us == INT64_MIN)
		text_json_null(o);
	else
		text_json_string(o, str_make(text, zone_format(zone_utc(), job.result.whole_from_us, text)));
}

/* [lock held] */
static void put_state(struct text_out *o)
{
	static const char *const states[] = { "none", "running", "done", "failed" };
	static const char *const phases[] = { "looking", "copying", "filling", "swapping", "done" };
	int64_t until = job.state == RUNNING ? clock_mono_us() : job.ended_us;
	text_json_begin(o, '{');
	text_json_member_int(o, "number", job.number);
	text_json_member_string(o, "state", str_of(states[job.state]));
	if (job.number) {
		text_json_member_string(o, "rollup", str_of(job.rollup));
		text_json_member_string(o, "line", str_of(job.line));
		text_json_member_string(o, "phase", str_of(phases[atomic_load(&job.progress.phase)]));
		text_json_member_int(o, "percent", atomic_load(&job.progress.permille) / 10);
		text_json_member_int(o, "events", atomic_load(&job.progress.events));
		text_json_member_int(o, "rows", atomic_load(&job.progress.rows));
		text_json_member_double(o, "seconds", (double)(until - job.began_us) / 1e6);
	}
	if (job.state == FAILED)
		text_json_member_string(o, "detail", str_of(job.result.words));
	if (job.state == DONE) {
		text_json_member_string(o, "table", str_of(job.result.table));
		put_whole_from(o);
		text_json_member_int(o, "copied_rows", job.result.copied);
		text_json_member_int(o, "rounds", job.result.rounds);
		text_json_member_double(o, "locked_ms", (double)job.result.locked_us / 1e3);
	}
	text_json_end(o, '}');
}

static void answer(struct admin_call *c, int status)
{
	struct text_out o;
	text_open(&o, &c->arena, 512);
	put_state(&o);
	c->status = status;
	c->body = text_done(&o);
}

void rebuild_start(struct admin_call *c)
{
	pthread_mutex_lock(&job.lock);
	if (start(c) == 0)
		answer(c, 202);
	pthread_mutex_unlock(&job.lock);
}

void rebuild_show(struct admin_call *c)
{
	pthread_mutex_lock(&job.lock);
	answer(c, 200);
	pthread_mutex_unlock(&job.lock);
}

void rebuild_stop(struct daemon *d)
{
	(void)d;
	atomic_store(&job.stop, true);
	pthread_mutex_lock(&job.lock);
	bool joinable = job.joinable;
	job.joinable = false;
	pthread_mutex_unlock(&job.lock);
	if (joinable)
		pthread_join(job.thread, NULL);
}
