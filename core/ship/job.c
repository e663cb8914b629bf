/* SPDX-License-Identifier: Apache-2.0 */
/* What each class of error leads to. Two calls into the sink and the waiting between them: write() for a batch,
 * position() whenever it is not certain what the store holds. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "ship/inner.h"

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
	while (!ship_closing(s) && (rc = look_up(s, at, meta)) != TALLY_SINK_OK) {
		news_failure(s, rc);
		if (!pause_after(s, rc))
			return false;
	}
	if (!ship_closing(s))
		news_success(s);
	return !ship_closing(s);
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
	if (s->letters)
		return TALLY_SINK_BAD_ROW;
	if (s->dead_recent >= 10 && (s->dead_recent + 1) * 100 > s->rows_recent + batch_rows(b))
		return ship_host_fail(
			s->in, TALLY_SINK_STOP, f->code, "more than 1 %% of the rows are refused: %s", words);
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
			news_stored(s, b, clock_mono_us() - began, false);
			news_success(s);
			return rc;
		}
		if (rc == TALLY_SINK_BAD_ROW)
			rc = judge_bad_row(s, b);
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
	s->meta_at = !s->meta_at;
}

void job_batch(struct ship *s, const struct tally_batch *b, struct ship_report *out)
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
		news_stored(s, b, 0, true);
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

void job_position(struct ship *s, struct ship_report *out)
{
	struct tally_position at;
	const struct meta *meta = NULL;
	if (find_position(s, &at, &meta))
		report_rewind(s, at, meta, out);
}
