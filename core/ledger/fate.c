/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a group: written, durable, refused, or lost by a failed sync; and who is answered when. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/seam.h"
#include "ledger/internal.h"

static void answer(struct ledger_request *rq, enum conf_ack reached)
{
	rq->next = NULL;
	rq->reached = reached;
	rq->done(rq);
}

/* The group's counts become part of what is told; its requests are answered or go on waiting. */
static void settle_terms(struct ledger *l, struct group *g)
{
	pthread_mutex_lock(&l->lock);
	MUST(terms_merge(l->settled, g->delta.ptr, g->delta.len) == 0);
	l->settled_end = g->end;
	pthread_mutex_unlock(&l->lock);
}

static void free_group(struct group *g)
{
	free((char *)(uintptr_t)g->delta.ptr);
	free((char *)(uintptr_t)g->before.ptr);
	free(g);
}

/* Takes the requests of g that `now` says are to be answered out of its list and answers them. */
static void answer_if(struct group *g, bool (*now)(const struct ledger_request *), enum conf_ack reached)
{
	struct ledger_request **at = &g->first;
	while (*at) {
		struct ledger_request *rq = *at;
		if (!now(rq)) {
			at = &rq->next;
			continue;
		}
		*at = rq->next;
		answer(rq, reached);
	}
	g->last = at;
}

/* Only plain events can be had at `written`: the protocol of a Redis batch and a dead letter need the disk. */
static bool is_content_with_written(const struct ledger_request *rq)
{
	return rq->ack == CONF_ACK_WRITTEN && rq->kind == LEDGER_EVENTS;
}

static bool is_content_with_durable(const struct ledger_request *rq)
{
	return rq->ack != CONF_ACK_STORED;
}

void fate_written(struct ledger *l, struct group *g)
{
	for (const struct ledger_request *rq = g->first; rq; rq = rq->next)
		g->kept |= is_content_with_written(rq);
	answer_if(g, is_content_with_written, CONF_ACK_WRITTEN);
	if (MUTANT("ack_before_sync"))
		answer_if(g, is_content_with_durable, CONF_ACK_DURABLE);
	l->awaited |= g->first != NULL;
	g->next = NULL;
	*l->unsynced_last = g;
	l->unsynced_last = &g->next;
}

/* What the ledger itself remembers of a durable group: dead letters and the fate of pending batches. */
static void learn(struct ledger *l, const struct group *g)
{
	for (const struct ledger_request *rq = g->first; rq; rq = rq->next)
		switch (rq->kind) {
		case LEDGER_DEAD:
			dead_add(l, rq->head);
			break;
		case LEDGER_PENDING:
			pending_begins(l, rq);
			break;
		case LEDGER_RELEASE:
			pending_released(l, rq->subject, rq->lsn);
			break;
		case LEDGER_VOID:
			pending_voided(l, rq->subject);
			break;
		case LEDGER_EVENTS:
		case LEDGER_LETTERS:
			break;
		}
}

static void wait_for_lines(struct ledger *l, struct group *g)
{
	int64_t deadline = clock_mono_us() + l->conf->ack_timeout_us;
	while (g->first) {
		struct ledger_request *rq = g->first;
		g->first = rq->next;
		rq->deadline_us = deadline;
		rq->next = l->stored_wait;
		l->stored_wait = rq;
	}
}

static void group_durable(struct ledger *l, struct group *g)
{
	settle_terms(l, g);
	plug_settle(l->chain, g->ticket, true);
	learn(l, g);
	answer_if(g, is_content_with_durable, CONF_ACK_DURABLE);
	wait_for_lines(l, g);
	free_group(g);
}

static struct group *pop_unsynced(struct ledger *l)
{
	struct group *g = l->unsynced;
	l->unsynced = g->next;
	if (!l->unsynced)
		l->unsynced_last = &l->unsynced;
	return g;
}

void fate_durable(struct ledger *l)
{
	uint64_t durable = spool_durable(l->spool);
	while (l->unsynced && l->unsynced->end <= durable)
		group_durable(l, pop_unsynced(l));
}

/* What a refused request adds to the terms: all of it was received, none taken. Rejected stays rejected. */
static void count_refused(struct ledger *l, const struct ledger_request *rq, const char *reason)
{
	if (rq->kind != LEDGER_EVENTS)
		return;
	for (size_t i = 0; i < rq->nrejected; i++) {
		terms_add(l->carried, rq->rejected[i].site, TERM_RECEIVED, STR(""), 1);
		terms_add(l->carried, rq->rejected[i].site, TERM_REJECTED, str_of(rq->rejected[i].reason), 1);
	}
	for (size_t i = 0; i < rq->nitems; i++) {
		terms_add(l->carried, rq->items[i].ev.site, TERM_RECEIVED, STR(""), 1);
		terms_add(l->carried, rq->items[i].ev.site, TERM_REFUSED, str_of(reason), 1);
	}
}

/* Counts that waited in `carried` before this group must not be lost with it. */
static void keep_carried(struct ledger *l, struct group *g)
{
	terms_clear(l->building);
	MUST(terms_merge(l->carried, g->before.ptr, g->before.len) == 0);
}

void fate_refused(struct ledger *l, struct group *g, int rc, const char *reason)
{
	keep_carried(l, g);
	plug_settle(l->chain, g->ticket, MUTANT("refused_id_kept"));
	while (g->first) {
		struct ledger_request *rq = g->first;
		g->first = rq->next;
		count_refused(l, rq, reason);
		rq->rc = rc;
		rq->reason = reason;
		rq->line = rc == -ENOSPC ? atomic_load(&l->full_line) : NULL;
		rq->taken = rq->duplicates = rq->dropped = rq->shed = 0;
		answer(rq, CONF_ACK_WRITTEN);
	}
	free_group(g);
}

#define RECORDS_MOST 16 /* that the events of one request may fill */

static bool is_oversized(const struct ledger_request *rq, size_t room)
{
	size_t all = rq->head.len;
	for (size_t i = 0; i < rq->nitems; i++) {
		all += rq->items[i].form_bytes;
		if (rq->items[i].form_bytes > room)
			return true;
	}
	return all > (rq->kind == LEDGER_EVENTS ? room * RECORDS_MOST : room);
}

void fate_oversized(struct ledger *l, struct group *g)
{
	size_t room = record_room(l);
	struct ledger_request **at = &g->first;
	while (*at) {
		struct ledger_request *rq = *at;
		if (!is_oversized(rq, room)) {
			at = &rq->next;
			continue;
		}
		*at = rq->next;
		count_refused(l, rq, "too_large");
		rq->rc = -EMSGSIZE;
		rq->reason = "too_large";
		answer(rq, CONF_ACK_WRITTEN);
	}
	g->last = at;
}

void fate_rebuild_appended(struct ledger *l, uint64_t end)
{
	struct arena a;
	arena_init(&a, 0);
	struct tally_str settled = terms_encode(l->settled, &a);
	terms_clear(l->appended);
	MUST(terms_merge(l->appended, settled.ptr, settled.len) == 0);
	arena_free(&a);
	for (const struct group *g = l->unsynced; g; g = g->next)
		if (g->end <= end)
			MUST(terms_merge(l->appended, g->delta.ptr, g->delta.len) == 0);
}

/* After a failed sync the spool goes on in a fresh segment with what was already answered; the rest is refused once
 * that is on disk. If that fails too nobody knows what the disk holds: unknown outcome. */
void fate_sync_failed(struct ledger *l, int rc)
{
	uint64_t keep = spool_durable(l->spool);
	for (struct group *g = l->unsynced; g; g = g->next)
		if (g->kept)
			keep = g->end;
	l->awaited = false;
	log_error("spool", "fdatasync failed (%s): going on in a fresh segment", strerror(-rc));
	fate_rebuild_appended(l, keep);
	int abandoned = spool_abandon(l->spool, keep);
	l->must_abandon = abandoned != 0;
	if (l->start_end > (abandoned ? spool_durable(l->spool) : keep))
		atomic_store(&l->start_lsn, UINT64_MAX); /* it is written again before anything else */
	if (abandoned) {
		log_error("spool", "the disk takes nothing (%s): no event is accepted until it does",
			strerror(-abandoned));
		atomic_store(&l->trouble, "unknown_outcome");
	}
	while (l->unsynced) {
		struct group *g = pop_unsynced(l);
		if (!abandoned && g->end <= keep)
			group_durable(l, g);
		else
			fate_refused(l, g, -EIO, abandoned ? "unknown_outcome" : "sync_failed");
	}
}

/* ---- ack: stored ---- */

static bool lines_are_behind(const struct ledger *l, uint64_t end)
{
	for (struct ledger_line *line = l->lines; line; line = line->next)
		if (atomic_load(&line->done) < end && !atomic_load(&line->unreachable))
			return true;
	return false;
}

static bool all_lines_done(const struct ledger *l, uint64_t end)
{
	for (struct ledger_line *line = l->lines; line; line = line->next)
		if (atomic_load(&line->done) < end)
			return false;
	return true;
}

void fate_stored(struct ledger *l, int64_t now_us)
{
	struct ledger_request **at = &l->stored_wait;
	while (*at) {
		struct ledger_request *rq = *at;
		if (lines_are_behind(l, rq->end) && now_us < rq->deadline_us) {
			at = &rq->next;
			continue;
		}
		*at = rq->next;
		answer(rq, all_lines_done(l, rq->end) ? CONF_ACK_STORED : CONF_ACK_DURABLE);
	}
}
