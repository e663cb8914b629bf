/* SPDX-License-Identifier: Apache-2.0 */
/* A ship is one thread and two slots: a job goes in, a report comes out, never two at once.
 *
 * The slots are plain memory handed over by atomics: `job` gives the batch to the thread, `ready` gives the report
 * back. */
#include "ship/ship.h"

#include <stdlib.h>

#include "base/hash.h"
#include "ship/inner.h"

static void run_job(struct ship *s, int job)
{
	struct ship_report *out = &s->report;
	atomic_store(&s->nudged, false);
	free(s->refused);
	s->refused = NULL;
	*out = (struct ship_report){ .outcome = SHIP_CLOSED };
	if (job == JOB_BATCH)
		job_batch(s, s->batch, out);
	else
		job_position(s, out);
	atomic_fetch_add(&s->changes, 1);
	atomic_store_explicit(&s->ready, true, memory_order_release);
	if (s->on_report)
		s->on_report(s->on_report_arg);
}

static void *thread_main(void *arg)
{
	struct ship *s = arg;
	while (!ship_closing(s)) {
		int job = atomic_exchange_explicit(&s->job, JOB_NONE, memory_order_acquire);
		if (job != JOB_NONE)
			run_job(s, job);
		if (!side_step(s) && job == JOB_NONE)
			gate_wait(s->gate, -1);
	}
	side_end(s);
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

void ship_send(struct ship *s, const struct tally_batch *batch, bool letters)
{
	s->batch = batch;
	s->letters = letters;
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

/* Letters are known as bad: that they are refused again tells nothing of the schema. */
void ship_buried(struct ship *s)
{
	if (!s->letters)
		refusal_count(&s->recent, 1);
}

void ship_on_report(struct ship *s, void (*fn)(void *arg), void *arg)
{
	s->on_report = fn;
	s->on_report_arg = arg;
}

uint64_t ship_changes(const struct ship *s)
{
	return atomic_load(&s->changes);
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

void ship_set_gives(struct ship *s, uint32_t gives)
{
	s->in->gives = gives;
}

uint32_t ship_gives(const struct ship *s)
{
	return s->in->gives;
}

bool ship_set_zones(struct ship *s, const struct conf *c)
{
	return ship_host_set_zones(s->in, c);
}

void ship_set_pace(struct ship *s, const struct ship_pace *pace)
{
	s->pace = *pace;
}

/* ---- open and close ---- */

static void destroy(struct ship *s)
{
	ship_host_close(s->in);
	gate_close(s->gate);
	pthread_mutex_destroy(&s->stats_lock);
	pthread_mutex_destroy(&s->side_lock);
	pthread_cond_destroy(&s->side_moved);
	for (int i = 0; i < 2; i++)
		arena_free(&s->meta_arena[i]);
	free(s->refused);
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
	pthread_mutex_init(&s->side_lock, NULL);
	pthread_cond_init(&s->side_moved, NULL);
	news_open(s);
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
