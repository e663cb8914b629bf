/* SPDX-License-Identifier: Apache-2.0 */
/* A ship is one thread and two slots: a job goes in, a report comes out, never two at once.
 *
 * The slots are plain memory handed over by atomics: `job` gives the batch to the thread, `ready` gives the report
 * back. Policy is a loop around two calls: write() for a batch, position() whenever it is not certain what the store
 * holds. */
#include "ship/ship.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/ring.h"
#include "meter/meter.h"
#include "ship/host.h"
#include "ship/pace.h"

enum job { JOB_NONE, JOB_POSITION, JOB_BATCH };

static const char *const class_names[TALLY_SINK_CLASSES] = { "ok", "retry", "reconnect", "bad_row", "stop", "full",
	"moved" };

struct ship {
	struct tally_sink_instance *in;
	struct gate *gate;
	pthread_t thread;
	_Atomic int job; /* enum job */
	_Atomic bool ready, closing, nudged;
	const struct tally_batch *batch;
	struct ship_report report;
	void (*on_report)(void *arg);
	void *on_report_arg;

	/* the thread's own */
	struct ship_pace pace;
	int64_t retention_us[TALLY_GRAINS];
	struct arena meta_arena[2]; /* the one in use stays until the next REWIND report */
	unsigned meta_at;
	uint64_t random;
	unsigned failures;                 /* in a row */
	uint64_t rows_recent, dead_recent; /* halved now and then: is it the data or the schema? */
	int logged_code, logged_rc;
	struct meter_series *retries[TALLY_SINK_CLASSES], *recovered, *up;

	pthread_mutex_t stats_lock;
	struct ship_stats stats;
};

/* ---- what is told to others ---- */

static int known_class(struct ship *s, int rc)
{
	if (rc >= 0 && rc < TALLY_SINK_CLASSES)
		return rc;
	return ship_host_fail(s->in, TALLY_SINK_STOP, rc, "the sink returned %d, which is no class of error", rc);
}

/* The same news is logged once; a line in between says that it is over. */
static void log_failure(struct ship *s, int rc)
{
	const struct ship_failure *f = &s->in->failure;
	if (s->logged_rc == rc && s->logged_code == f->code)
		return;
	s->logged_rc = rc;
	s->logged_code = f->code;
	enum log_level level = rc == TALLY_SINK_STOP || rc == TALLY_SINK_FULL ? LOG_ERROR : LOG_WARN;
	log_line(level, s->in->room, "%s: %s%s", class_names[rc], *f->message ? f->message : "the sink gave no reason",
		rc == TALLY_SINK_STOP ? " (events stay in the spool; it is tried again)" : "");
}

static void note_failure(struct ship *s, int rc)
{
	s->failures++;
	meter_add(s->retries[rc], 1);
	bool connected = rc == TALLY_SINK_RETRY || rc == TALLY_SINK_BAD_ROW || rc == TALLY_SINK_MOVED;
	if (!connected)
		meter_set(s->up, 0);
	log_failure(s, rc);
	pthread_mutex_lock(&s->stats_lock);
	struct ship_stats *st = &s->stats;
	st->retries[rc]++;
	if (!connected && st->connected)
		st->reconnects++;
	st->connected = connected && st->connected;
	st->breaker_open = s->failures >= s->pace.breaker_after;
	st->stopped = rc == TALLY_SINK_STOP;
	st->last_error_us = clock_wall_us();
	snprintf(st->error, sizeof st->error, "%s: %.240s", class_names[rc], s->in->failure.message);
	pthread_mutex_unlock(&s->stats_lock);
}

static void note_success(struct ship *s)
{
	if (s->failures)
		log_info(s->in->room, "answers again after %u failure%s", s->failures, s->failures == 1 ? "" : "s");
	s->failures = 0;
	s->logged_rc = s->logged_code = 0;
	meter_set(s->up, 1);
	pthread_mutex_lock(&s->stats_lock);
	s->stats.connected = true;
	s->stats.breaker_open = s->stats.stopped = false;
	s->stats.error[0] = 0;
	pthread_mutex_unlock(&s->stats_lock);
}

static size_t batch_rows(const struct tally_batch *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->nrows; i++)
		n += b->rows[i].n;
	return n;
}

static void note_stored(struct ship *s, const struct tally_batch *b, int64_t took_us, bool recovered)
{
	size_t rows = batch_rows(b);
	s->rows_recent += rows;
	if (s->rows_recent > 100000) {
		s->rows_recent /= 2;
		s->dead_recent /= 2;
	}
	if (recovered)
		meter_add(s->recovered, 1);
	pthread_mutex_lock(&s->stats_lock);
	s->stats.batches++;
	s->stats.rows += rows;
	s->stats.recovered += recovered;
	s->stats.last_commit_us = clock_wall_us();
	s->stats.write_us = took_us;
	pthread_mutex_unlock(&s->stats_lock);
}

/* ---- waiting ---- */

static bool closing(const struct ship *s)
{
	return atomic_load_explicit(&s->closing, memory_order_relaxed);
}

/* Sleeps until the time is up, a nudge or the end. Knocks for other reasons do not shorten it. False = closing. */
static bool pause_for(struct ship *s, int64_t wait_us)
{
	int64_t until = clock_mono_us() + wait_us;
	while (!closing(s) && !atomic_exchange(&s->nudged, false)) {
		int64_t left = until - clock_mono_us();
		if (left <= 0 || !gate_wait(s->gate, left))
			break;
	}
	return !closing(s);
}

static bool pause_after(struct ship *s, int rc)
{
	const struct ship_pace *p = &s->pace;
	uint64_t r = pace_random(&s->random);
	bool patient = rc == TALLY_SINK_STOP || rc == TALLY_SINK_FULL;
	return pause_for(s, pace_backoff_us(patient ? p->stop_first_us : p->first_us, p->cap_us, s->failures, r));
}

/* ---- jobs ---- */

static int look_up(struct ship *s, struct tally_position *at, const struct meta **meta)
{
	struct arena *a = &s->meta_arena[!s->meta_at];
	ship_host_clear(s->in);
	arena_reset(a);
	int rc = known_class(s, s->in->sink->position(s->in->self, at));
	if (rc == TALLY_SINK_OK)
		rc = known_class(s, meta_complete(s->in, *at, s->retention_us, clock_wall_us(), a, meta));
	return rc;
}

/* Asks until the store answers. False = closing. */
static bool find_position(struct ship *s, struct tally_position *at, const struct meta **meta)
{
	int rc;
	while (!closing(s) && (rc = look_up(s, at, meta)) != TALLY_SINK_OK) {
		note_failure(s, rc);
		if (!pause_after(s, rc))
			return false;
	}
	if (!closing(s))
		note_success(s);
	return !closing(s);
}

/* A refused row is a dead letter only if it is an event's own and such rows are rare: else the schema is wrong, and
 * nothing is to die of that. */
static int judge_bad_row(struct ship *s, const struct tally_batch *b)
{
	struct ship_failure *f = &s->in->failure;
	if (f->rc != TALLY_SINK_BAD_ROW || f->rows_index >= b->nrows || f->row >= b->rows[f->rows_index].n)
		return ship_host_fail(s->in, TALLY_SINK_STOP, f->code, "the sink refused a row and did not say which");
	char words[SHIP_MESSAGE_BYTES];
	memcpy(words, f->message, sizeof words);
	if (!b->rows[f->rows_index].table->insert_only)
		return ship_host_fail(s->in, TALLY_SINK_STOP, f->code, "%s refused a row it must take: %s",
			b->rows[f->rows_index].table->name, words);
	if (s->dead_recent >= 10 && (s->dead_recent + 1) * 100 > s->rows_recent + batch_rows(b))
		return ship_host_fail(s->in, TALLY_SINK_STOP, f->code, "more than 1 %% of the rows are refused: %s", words);
	s->dead_recent++;
	return TALLY_SINK_BAD_ROW;
}

/* Writes until it is committed or something else is certain. */
static int write_with_retries(struct ship *s, const struct tally_batch *b)
{
	for (unsigned tries = 0;; tries++) {
		int64_t began = clock_mono_us();
		ship_host_clear(s->in);
		int rc = known_class(s, s->in->sink->write(s->in->self, b));
		if (rc == TALLY_SINK_OK) {
			note_stored(s, b, clock_mono_us() - began, false);
			note_success(s);
			return rc;
		}
		if (rc == TALLY_SINK_BAD_ROW)
			rc = judge_bad_row(s, b);
		note_failure(s, rc);
		if (rc != TALLY_SINK_RETRY || tries >= s->pace.retry_limit)
			return rc;
		uint64_t r = pace_random(&s->random);
		if (!pause_for(s, pace_between_us(s->pace.retry_min_us, s->pace.retry_max_us, r)))
			return rc;
	}
}

static bool same(struct tally_position a, struct tally_position b)
{
	return a.lsn == b.lsn && a.mark == b.mark;
}

static void report_rewind(struct ship *s, struct tally_position at, const struct meta *meta, struct ship_report *out)
{
	out->outcome = SHIP_REWIND;
	out->position = at;
	out->meta = meta;
	s->meta_at = !s->meta_at;
}

static void write_batch(struct ship *s, const struct tally_batch *b, struct ship_report *out)
{
	int rc = write_with_retries(s, b);
	if (rc == TALLY_SINK_OK) {
		out->outcome = SHIP_STORED;
		out->position = b->to;
		return;
	}
	struct ship_failure refused = s->in->failure;
	bool waits = rc != TALLY_SINK_BAD_ROW && rc != TALLY_SINK_MOVED;
	struct tally_position at;
	const struct meta *meta = NULL;
	if ((waits && !pause_after(s, rc)) || !find_position(s, &at, &meta))
		return;
	if (same(at, b->to) && !same(b->from, b->to)) {
		note_stored(s, b, 0, true);
		out->outcome = SHIP_STORED;
		out->position = at;
		out->recovered = true;
		return;
	}
	report_rewind(s, at, meta, out);
	if (rc != TALLY_SINK_BAD_ROW)
		return;
	out->outcome = SHIP_BAD_ROW;
	out->rows_index = refused.rows_index;
	out->row = refused.row;
	out->code = refused.code;
	memcpy(out->message, refused.message, sizeof out->message);
}

static void run_job(struct ship *s, int job)
{
	struct ship_report *out = &s->report;
	atomic_store(&s->nudged, false);
	*out = (struct ship_report){ .outcome = SHIP_CLOSED };
	if (job == JOB_BATCH) {
		write_batch(s, s->batch, out);
	} else {
		struct tally_position at;
		const struct meta *meta = NULL;
		if (find_position(s, &at, &meta))
			report_rewind(s, at, meta, out);
	}
	atomic_store_explicit(&s->ready, true, memory_order_release);
	if (s->on_report)
		s->on_report(s->on_report_arg);
}

static void *thread_main(void *arg)
{
	struct ship *s = arg;
	while (!closing(s)) {
		int job = atomic_exchange_explicit(&s->job, JOB_NONE, memory_order_acquire);
		if (job != JOB_NONE)
			run_job(s, job);
		else
			gate_wait(s->gate, -1);
	}
	return NULL;
}

/* ---- the line's side ---- */

static void give_job(struct ship *s, int job)
{
	int before = atomic_exchange_explicit(&s->job, job, memory_order_release);
	MUST(before == JOB_NONE);
	gate_knock(s->gate);
}

void ship_ask_position(struct ship *s)
{
	give_job(s, JOB_POSITION);
}

void ship_send(struct ship *s, const struct tally_batch *batch)
{
	s->batch = batch;
	give_job(s, JOB_BATCH);
}

bool ship_report(struct ship *s, struct ship_report *out)
{
	if (!atomic_load_explicit(&s->ready, memory_order_acquire))
		return false;
	*out = s->report;
	atomic_store_explicit(&s->ready, false, memory_order_relaxed);
	return true;
}

void ship_on_report(struct ship *s, void (*fn)(void *arg), void *arg)
{
	s->on_report = fn;
	s->on_report_arg = arg;
}

void ship_stats(const struct ship *s, struct ship_stats *out)
{
	struct ship *mutable = (struct ship *)s;
	pthread_mutex_lock(&mutable->stats_lock);
	*out = s->stats;
	pthread_mutex_unlock(&mutable->stats_lock);
}

void ship_nudge(struct ship *s)
{
	atomic_store(&s->nudged, true);
	gate_knock(s->gate);
}

const struct tally_sink *ship_sink(const struct ship *s)
{
	return s->in->sink;
}

void *ship_sink_self(const struct ship *s)
{
	return s->in->self;
}

void ship_set_pace(struct ship *s, const struct ship_pace *pace)
{
	s->pace = *pace;
}

/* ---- open and close ---- */

static void open_series(struct ship *s)
{
	struct tally_str name = str_of(s->in->name), none = { 0 };
	for (int rc = 0; rc < TALLY_SINK_CLASSES; rc++)
		s->retries[rc] = rc ? meter_get(M_SINK_RETRIES, name, str_of(class_names[rc]), none) : NULL;
	s->recovered = meter_get(M_SINK_RECOVERED, name, none, none);
	s->up = meter_get(M_SINK_UP, name, none, none);
	meter_set(s->up, 0);
}

static void destroy(struct ship *s)
{
	ship_host_close(s->in);
	gate_close(s->gate);
	pthread_mutex_destroy(&s->stats_lock);
	for (int i = 0; i < 2; i++)
		arena_free(&s->meta_arena[i]);
	free(s);
}

int ship_open(const struct tally_sink *sink, const struct conf_sink *cs, const struct conf *c,
	const struct schema *schema, const char *node_uuid, struct ship **out, char why[512])
{
	struct tally_sink_instance *in;
	int rc = ship_host_open(sink, cs, c, schema, node_uuid, &in, why);
	if (rc != 0)
		return rc;
	struct ship *s = calloc(1, sizeof *s);
	MUST(s != NULL);
	s->in = in;
	s->gate = gate_open();
	s->pace = ship_pace_default;
	s->random = hash_keyed64(hash_process_key(), &s, sizeof s);
	s->retention_us[TALLY_MINUTE] = c->retention.minute_us;
	s->retention_us[TALLY_QUARTER] = c->retention.quarter_us;
	s->retention_us[TALLY_DAY] = c->retention.day_us;
	s->retention_us[TALLY_MONTH] = c->retention.month_us;
	pthread_mutex_init(&s->stats_lock, NULL);
	open_series(s);
	MUST(pthread_create(&s->thread, NULL, thread_main, s) == 0);
	*out = s;
	return 0;
}

void ship_close(struct ship *s)
{
	if (!s)
		return;
	atomic_store(&s->closing, true);
	gate_knock(s->gate);
	pthread_join(s->thread, NULL);
	destroy(s);
}
