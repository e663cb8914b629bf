/* SPDX-License-Identifier: Apache-2.0 */
/* What each class of error leads to. Two calls into the sink and the waiting between them: write() for a batch,
 * position() whenever it is not certain what the store holds. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "ship/inner.h"
#include "ship/meta_inner.h"
#include "ship/mutant.h"

/* ---- waiting ---- */

/* Sleeps until the time is up, a nudge or the end. Knocks for other reasons do not shorten it. False = closing. */
static bool pause_for(struct ship *s, int64_t wait_us)
{
	int64_t until = clock_mono_us() + wait_us;
	while (!ship_closing(s) && !atomic_exchange(&s->nudged, false)) {
		int64_t left = until - clock_mono_us();
		if (left <= 0 || !gate_wait(s->gate, left))
			break;
	}
	return !ship_closing(s);
}

static bool pause_after(struct ship *s, int rc)
{
	const struct ship_pace *p = &s->pace;
	uint64_t r = pace_random(&s->random);
	bool patient = rc == TALLY_SINK_STOP || rc == TALLY_SINK_FULL;
	return pause_for(s, pace_backoff_us(patient ? p->stop_first_us : p->first_us, p->cap_us, s->failures, r));
}

/* ---- jobs ---- */

static int known_class(struct ship *s, int rc)
{
	if (rc >= 0 && rc < TALLY_SINK_CLASSES)
		return rc;
	return ship_host_fail(s->in, TALLY_SINK_STOP, rc, "the sink returned %d, which is no class of error", rc);
}

static int look_up(struct ship *s, struct tally_position *at, const struct meta **meta)
{
	struct arena *a = &s->meta_arena[!s->meta_at];
	adopt_if_asked(s);
	ship_host_clear(s->in, 0);
	arena_reset(a);
	int rc = meta_look_back(s->in, a);
	if (rc == TALLY_SINK_OK)
		rc = known_class(s, s->in->sink->position(s->in->self, at));
	if (rc == TALLY_SINK_OK && !s->swept) {
		s->swept = true;
		orphans_drop(s->in, *at, a);
	}
	if (rc == TALLY_SINK_OK)
		rc = known_class(s, meta_complete(s->in, *at, s->retention_us, clock_wall_us(), a, meta));
	return rc;
}

/* Asks until the store answers. False = closing. */
static bool find_position(struct ship *s, struct tally_position *at, const struct meta **meta)
{
	int rc;
	while (!ship_closing(s) && (rc = look_up(s, at, meta)) != TALLY_SINK_OK) {
		news_failure(s, rc);
		if (!pause_after(s, rc))
			return false;
	}
	if (ship_closing(s))
		return false;
	if (s->owed)
		news_reached(s);
	else
		news_success(s);
	return true;
}

/* Writes until it is committed or something else is certain. */
static int write_with_retries(struct ship *s, const struct tally_batch *b)
{
	for (unsigned tries = 0;; tries++) {
		int64_t began = clock_mono_us();
		ship_host_clear(s->in, s->letters ? SIZE_MAX : refusal_allowance(&s->recent, b));
		int rc = known_class(s, mutant_write(s, b));
		if (rc == TALLY_SINK_OK) {
			news_stored(s, b, clock_mono_us() - began, false);
			return rc;
		}
		if (rc == TALLY_SINK_BAD_ROW || rc == TALLY_SINK_STOP)
			rc = refusal_judge(s->in, b, rc);
		s->owed |= rc != TALLY_SINK_BAD_ROW;
		news_failure(s, rc);
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
	s->at = at;
	s->at_known = true;
	s->meta_at = !s->meta_at;
}

/* The sink's list of refused rows becomes the report's. */
static void report_refused(struct ship *s, struct ship_report *out)
{
	out->outcome = SHIP_BAD_ROW;
	out->refused = s->refused = s->in->refusals.rows;
	out->nrefused = s->in->refusals.n;
	s->in->refusals = (struct ship_refusals){ 0 };
}

/* What failed may have been done all the same; what was refused was not, and of what has moved the store is asked at
 * once. */
static bool must_wait(int rc)
{
	return rc != TALLY_SINK_BAD_ROW && rc != TALLY_SINK_MOVED;
}

/* Something else than the batch was made for: that is news, however often it comes, and no failure. The first MOVED that
 * the guard does not explain is taken for news too. False = closing. */
static bool heed_moved(struct ship *s, const struct tally_batch *b, const struct meta *meta)
{
	if (b->guard && meta && meta->epoch != b->guard->value) {
		news_guard_moved(s);
		return true;
	}
	return s->failures <= 1 || pause_after(s, TALLY_SINK_MOVED);
}

void job_batch(struct ship *s, const struct tally_batch *b, struct ship_report *out)
{
	int rc = write_with_retries(s, b);
	s->at = b->to;
	s->at_known = rc == TALLY_SINK_OK;
	if (rc == TALLY_SINK_OK) {
		out->outcome = SHIP_STORED;
		out->position = b->to;
		return;
	}
	if (rc == TALLY_SINK_BAD_ROW)
		report_refused(s, out);
	struct tally_position at;
	const struct meta *meta = NULL;
	if ((must_wait(rc) && !pause_after(s, rc)) || !find_position(s, &at, &meta) ||
		(rc == TALLY_SINK_MOVED && !heed_moved(s, b, meta))) {
		out->outcome = SHIP_CLOSED;
		return;
	}
	mutant_position(rc, b, &at);
	if (same(at, b->to) && !same(b->from, b->to)) {
		s->at_known = true;
		news_stored(s, b, 0, true);
		out->outcome = SHIP_STORED;
		out->position = at;
		out->recovered = true;
		return;
	}
	report_rewind(s, at, meta, out);
	if (rc == TALLY_SINK_BAD_ROW)
		out->outcome = SHIP_BAD_ROW;
}

void job_position(struct ship *s, struct ship_report *out)
{
	struct tally_position at;
	const struct meta *meta = NULL;
	if (find_position(s, &at, &meta))
		report_rewind(s, at, meta, out);
}
