/* SPDX-License-Identifier: Apache-2.0 */
/* From the ring into the spool: groups are collected, admitted and written; and what happens while the spool takes
 * nothing: everything is refused but what settles, the disk is tried again four times a second by whoever sends and once
 * a second by nobody, and all goes on by itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/seam.h"
#include "ledger/internal.h"

#define GROUP_BYTES (1u << 20) /* a group ends at the request that passes this */
#define GROUP_REQUESTS 4096
#define RETRY_US 250000 /* a spool that took nothing is tried again after this */
#define LEAP_US 1000000 /* more than this beyond what the monotonic clock says is a leap */

static size_t request_bytes(const struct ledger_request *rq)
{
	size_t n = rq->head.len;
	for (size_t i = 0; i < rq->nitems; i++)
		n += rq->items[i].form_bytes;
	return n;
}

struct group *intake_collect(struct ledger *l)
{
	struct group *g = NULL;
	size_t bytes = 0;
	for (int n = 0; n < GROUP_REQUESTS && bytes < GROUP_BYTES; n++) {
		struct ledger_request *rq = ring_pop(l->ring);
		if (!rq)
			break;
		if (!g) {
			g = memory_zalloc(1, sizeof *g);
			MUST(g != NULL);
			g->last = &g->first;
		}
		rq->next = NULL;
		*g->last = rq;
		g->last = &rq->next;
		bytes += request_bytes(rq);
	}
	return g;
}

/* What went by at a leap of the log's clock may not be time at all (a wall clock set right, the time between two runs),
 * so for as long as the spool retains it does not count against what is retained. */
static void note_leap(struct ledger *l, int64_t leap_us)
{
	int64_t retain_us = l->conf->spool.retain_us;
	l->leap_us += leap_us;
	l->leap_until_us = retain_us < INT64_MAX - l->ticked_us ? l->ticked_us + retain_us : INT64_MAX;
	if (l->running)
		log_warn("ledger", "the clock leapt forward by %lld s", (long long)(leap_us / 1000000));
}

/* The log's clock is the wall's but never goes back: where the wall was set back it goes on at half its pace until the
 * wall has caught up, so that whatever is timed by it still ends. */
void intake_tick_clock(struct ledger *l)
{
	int64_t wall = clock_wall_us(), mono = clock_mono_us();
	int64_t passed = mono - l->ticked_us, before = l->time_us;
	l->ticked_us = mono;
	l->time_us = wall > before ? wall : before + passed / 2;
	if (before && l->time_us - before - passed >= LEAP_US)
		note_leap(l, l->time_us - before - passed);
}

/* The clock by which retained segments go. */
int64_t intake_retain_clock(struct ledger *l)
{
	if (l->ticked_us >= l->leap_until_us)
		l->leap_us = 0;
	return l->time_us - l->leap_us;
}

static const char *refusal_of(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT ? "spool_full" : "spool_error";
}

static void note_trouble(struct ledger *l, int rc)
{
	const char *reason = refusal_of(rc);
	if (!atomic_exchange(&l->trouble, reason))
		log_error("ledger", "the spool takes nothing (%s): refusing until it does; %s", strerror(-rc),
			rc == -ENOSPC || rc == -EDQUOT ? "free disk or raise spool.max"
						       : "look at the disk of data_dir");
	l->retry_at_us = clock_mono_us() + RETRY_US;
}

static void note_success(struct ledger *l)
{
	atomic_store(&l->full_line, (const char *)NULL);
	if (atomic_exchange(&l->trouble, (const char *)NULL))
		log_info("ledger", "the spool takes events again");
}

/* Whether the spool's trouble is so fresh that the disk need not be asked again. */
static bool is_refusing(struct ledger *l)
{
	return atomic_load(&l->trouble) && clock_mono_us() < l->retry_at_us;
}

uint64_t intake_written_end(const struct ledger *l)
{
	struct spool_stats st;
	spool_stats(l->spool, &st);
	return st.end;
}

/* A failed sync that could not be left behind: nothing is written before it is. */
static bool left_behind(struct ledger *l)
{
	if (!l->must_abandon)
		return true;
	int rc = spool_abandon(l->spool, spool_durable(l->spool));
	l->retry_at_us = clock_mono_us() + RETRY_US;
	l->must_abandon = rc != 0;
	if (rc)
		log_error("spool", "the disk still takes nothing: %s", strerror(-rc));
	return rc == 0;
}

static bool has_started(const struct ledger *l)
{
	return atomic_load(&l->start_lsn) != UINT64_MAX;
}

/* Writes the START record of this run; the next sync makes it durable together with what follows it. */
static int append_start(struct ledger *l)
{
	uint64_t boot;
	char bytes[8];
	struct spool_record rec;
	MUST(getrandom(&boot, sizeof boot, 0) == (ssize_t)sizeof boot);
	put_u64(bytes, boot);
	int rc = spool_reserve(l->spool, sizeof bytes, 1);
	if (rc)
		return rc;
	spool_append(l->spool, SPOOL_START, l->time_us, &(struct iovec){ bytes, sizeof bytes }, 1, &rec);
	rc = spool_write(l->spool);
	if (rc)
		return rc;
	l->start_end = rec.end;
	atomic_store(&l->start_lsn, rec.lsn);
	return 0;
}

/* The requests of g that settle something, as a group of their own; NULL if there are none. What admit said of them
 * is forgotten: they are asked again. */
static struct group *take_settling(struct group *g)
{
	struct group *s = memory_zalloc(1, sizeof *s);
	MUST(s != NULL);
	s->last = &s->first;
	for (struct ledger_request **at = &g->first; *at;) {
		struct ledger_request *rq = *at;
		if (!owed_is_settling(rq)) {
			at = &rq->next;
			g->last = at;
			continue;
		}
		*at = rq->next;
		rq->next = NULL;
		rq->taken = rq->duplicates = rq->dropped = rq->shed = 0;
		*s->last = rq;
		s->last = &rq->next;
	}
	if (!g->first)
		g->last = &g->first;
	if (s->first)
		return s;
	free(s);
	return NULL;
}

static int admit_and_record(struct ledger *l, struct group *g, bool settling)
{
	int rc = has_started(l) ? 0 : append_start(l);
	g->ticket = ++l->ticket;
	g->end = intake_written_end(l);
	if (rc)
		return rc;
	fate_oversized(l, g);
	admit_group(l, g);
	rc = record_group(l, g, settling);
	arena_reset(&l->arena);
	return rc;
}

/* ---- lines past their share of the spool ---- */

static uint64_t held_by(const struct ledger *l, const struct ledger_line *line)
{
	return spool_held(l->spool, atomic_load(&line->needed));
}

/* Of those that refuse; NULL = none is. */
static const struct ledger_line *line_past_quota(const struct ledger *l)
{
	for (const struct ledger_line *line = l->lines; line; line = line->next)
		if (!MUTANT("quota_ignored") && !line->skips && line->most != UINT64_MAX &&
			held_by(l, line) > line->most)
			return line;
	return NULL;
}

/* Of a spool without room: the line that most of it waits for. */
static const struct ledger_line *line_furthest_behind(const struct ledger *l)
{
	const struct ledger_line *worst = NULL;
	struct spool_stats st;
	spool_stats(l->spool, &st);
	for (const struct ledger_line *line = l->lines; line; line = line->next)
		if (held_by(l, line) > st.max_bytes / 4 && (!worst || held_by(l, line) > held_by(l, worst)))
			worst = line;
	return worst;
}

static void note_full(struct ledger *l, const struct ledger_line *line)
{
	const char *name = line ? line->name : NULL;
	if (atomic_exchange(&l->full_line, name) != name && name)
		log_error("ledger",
			"%s: the spool holds all that may wait for this sink; events are refused until it catches up",
			name);
}

/* Refuses the group, but for what of it settles something: that has room of its own (owed.c). */
static void refuse_or_settle(struct ledger *l, struct group *g, int rc, const char *reason)
{
	struct group *s = rc == -ENOSPC || rc == -EDQUOT ? take_settling(g) : NULL;
	fate_refused(l, g, rc, reason);
	if (!s)
		return;
	rc = admit_and_record(l, s, true);
	if (rc)
		fate_refused(l, s, rc, refusal_of(rc));
	else
		fate_written(l, s);
}

void intake_process(struct ledger *l, struct group *g)
{
	g->ticket = ++l->ticket;
	g->end = intake_written_end(l);
	if (is_refusing(l)) {
		refuse_or_settle(l, g, l->must_abandon ? -EIO : -ENOSPC, atomic_load(&l->trouble));
		return;
	}
	if (!left_behind(l)) {
		fate_refused(l, g, -EIO, "unknown_outcome");
		return;
	}
	const struct ledger_line *past = line_past_quota(l);
	if (past) {
		note_full(l, past);
		note_trouble(l, -ENOSPC);
	}
	if (past && g->first) {
		refuse_or_settle(l, g, -ENOSPC, "spool_full");
		return;
	}
	int rc = admit_and_record(l, g, false);
	if (rc) {
		note_full(l, rc == -ENOSPC ? line_furthest_behind(l) : NULL);
		note_trouble(l, rc);
		refuse_or_settle(l, g, rc, refusal_of(rc));
		return;
	}
	if (!past) /* that it takes counts is no room for events */
		note_success(l);
	fate_written(l, g);
}

/* Counts that found no record to travel in get one of their own now and then. So does a START that had no room, and a
 * failed sync is left behind, without waiting for somebody to send: who is refused may stay away until /readyz is well. */
void intake_flush_carried(struct ledger *l)
{
	bool nothing = !terms_bytes(l->carried) && has_started(l) && !l->must_abandon && !atomic_load(&l->trouble);
	if (nothing || l->unsynced || is_refusing(l))
		return;
	struct group *g = memory_zalloc(1, sizeof *g);
	MUST(g != NULL);
	g->last = &g->first;
	intake_process(l, g);
}

/* A last record that calls all before it synced: without one a later start takes what broke at the end since for a torn
 * tail. It is a checkpoint, so that the events in what breaks are counted. Nobody waits for it. */
void intake_end(struct ledger *l)
{
	struct spool_record rec;
	if (!has_started(l) || atomic_load(&l->trouble) || spool_durable(l->spool) != intake_written_end(l))
		return;
	struct tally_str counts = terms_encode(l->appended, &l->arena);
	if (spool_reserve(l->spool, counts.len, 1))
		return;
	struct iovec iov = { (void *)(uintptr_t)counts.ptr, counts.len };
	spool_append(l->spool, SPOOL_CHECKPOINT, l->time_us, &iov, 1, &rec);
	if (spool_write(l->spool) || spool_sync(l->spool, rec.end))
		log_warn("ledger", "the last record of this run could not be written");
}

/* The START of a full or failing disk comes later: what is there is read and drained, events are taken once it stands. */
void intake_start(struct ledger *l)
{
	intake_tick_clock(l);
	int rc = append_start(l);
	if (rc == 0) {
		rc = spool_sync(l->spool, l->start_end);
		l->must_abandon = rc != 0;
	}
	if (rc == 0)
		return;
	atomic_store(&l->start_lsn, UINT64_MAX);
	note_trouble(l, rc);
	log_warn("ledger", "no START record could be written; events are refused until the spool has room");
}
