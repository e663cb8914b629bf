/* SPDX-License-Identifier: Apache-2.0 */
/* A group's records: one EVENTS record for all plain requests (several if one would be too large), one record each for
 * the rest. See spool/payload.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/seam.h"
#include "ledger/internal.h"
#include "spool/payload.h"

/* The pieces of one payload before they are copied into the spool. */
struct pieces {
	struct iovec *iov;
	int n;
	size_t bytes;
};

static void piece(struct pieces *p, const void *bytes, size_t len)
{
	if (!len)
		return;
	p->iov[p->n++] = (struct iovec){ (void *)(uintptr_t)bytes, len };
	p->bytes += len;
}

static void piece_u32(struct ledger *l, struct pieces *p, uint32_t v)
{
	char *at = arena_alloc(&l->arena, 4);
	put_u32(at, v);
	piece(p, at, 4);
}

static void piece_u64(struct ledger *l, struct pieces *p, uint64_t v)
{
	char *at = arena_alloc(&l->arena, 8);
	put_u64(at, v);
	piece(p, at, 8);
}

static void piece_sized(struct ledger *l, struct pieces *p, struct tally_str s)
{
	piece_u32(l, p, (uint32_t)s.len);
	piece(p, s.ptr, s.len);
}

static void pieces_start(struct ledger *l, struct pieces *p, size_t items)
{
	*p = (struct pieces){ .iov = arena_alloc(&l->arena, (items + 8) * sizeof(struct iovec)) };
}

/* The taken items of all plain requests of a group, in order. */
struct taken {
	struct ledger_item **items;
	size_t n;
};

static struct taken gather_taken(struct ledger *l, const struct group *g)
{
	struct taken t = { 0 };
	size_t n = 0;
	for (const struct ledger_request *rq = g->first; rq; rq = rq->next)
		n += rq->kind == LEDGER_EVENTS ? rq->taken : 0;
	t.items = arena_alloc(&l->arena, n * sizeof *t.items);
	for (struct ledger_request *rq = g->first; rq; rq = rq->next)
		for (size_t i = 0; rq->kind == LEDGER_EVENTS && i < rq->nitems; i++)
			if (rq->items[i].verdict == LEDGER_TAKEN)
				t.items[t.n++] = &rq->items[i];
	return t;
}

/* One record of the group before it is appended: an EVENTS record has items, any other its request. */
struct planned {
	enum spool_type type;
	struct pieces pieces;
	struct ledger_request *rq;
	struct taken taken;
	struct tally_str terms; /* that stand in it */
};

/* Every record of the group carries the time that stands in l->time_us. Assumes: room is reserved. */
static void append_planned(struct ledger *l, struct group *g, const struct planned *p)
{
	struct spool_record rec;
	spool_append(l->spool, p->type, l->time_us, p->pieces.iov, p->pieces.n, &rec);
	g->end = rec.end;
	/* a checkpoint behind this record must hold them, one before it must not */
	MUST(terms_merge(l->appended, p->terms.ptr, p->terms.len) == 0);
	for (size_t i = 0; i < p->taken.n; i++) {
		p->taken.items[i]->ev.lsn = rec.lsn;
		p->taken.items[i]->ev.idx = (uint32_t)i;
	}
	if (p->rq) {
		p->rq->lsn = rec.lsn;
		p->rq->end = rec.end;
	}
}

static void events_payload(struct ledger *l, struct taken t, struct tally_str terms, struct pieces *p)
{
	pieces_start(l, p, t.n);
	piece_sized(l, p, terms);
	piece_u32(l, p, (uint32_t)t.n);
	for (size_t i = 0; i < t.n; i++)
		piece(p, t.items[i]->form, t.items[i]->form_bytes);
}

/* As many items from the front of t as one record may hold; at least one, since no item is larger than that. */
static struct taken take_fitting(struct taken *t, size_t most_bytes)
{
	struct taken part = { t->items, 0 };
	size_t bytes = 0;
	while (part.n < t->n && (part.n == 0 || bytes + t->items[part.n]->form_bytes <= most_bytes))
		bytes += t->items[part.n++]->form_bytes;
	t->items += part.n;
	t->n -= part.n;
	return part;
}

static void pending_payload(struct ledger *l, struct ledger_request *rq, struct pieces *p)
{
	pieces_start(l, p, rq->nitems);
	piece_sized(l, p, rq->head);
	piece_u32(l, p, (uint32_t)rq->nitems);
	for (size_t i = 0; i < rq->nitems; i++)
		piece(p, rq->items[i].form, rq->items[i].form_bytes);
}

static void release_payload(struct ledger *l, struct ledger_request *rq, struct tally_str terms, struct pieces *p)
{
	char *verdicts = arena_alloc(&l->arena, rq->nitems + 1);
	for (size_t i = 0; i < rq->nitems; i++)
		verdicts[i] = rq->items[i].verdict == LEDGER_TAKEN ? PAYLOAD_TAKEN : PAYLOAD_NOT_TAKEN;
	pieces_start(l, p, 0);
	piece_sized(l, p, terms);
	piece_u64(l, p, rq->subject);
	piece_u32(l, p, (uint32_t)rq->nitems);
	piece(p, verdicts, rq->nitems);
}

/* Makes the payload of a request that has a record of its own. */
static enum spool_type own_payload(
	struct ledger *l, struct ledger_request *rq, struct tally_str terms, struct pieces *p)
{
	switch (rq->kind) {
	case LEDGER_PENDING:
		pending_payload(l, rq, p);
		return SPOOL_REDIS;
	case LEDGER_RELEASE:
		release_payload(l, rq, terms, p);
		return SPOOL_RELEASE;
	case LEDGER_VOID:
		pieces_start(l, p, 0);
		piece_u32(l, p, 0);
		piece_u64(l, p, rq->subject);
		return SPOOL_VOID;
	default:
		pieces_start(l, p, 0);
		piece_u32(l, p, 0);
		piece(p, rq->head.ptr, rq->head.len);
		return rq->kind == LEDGER_DEAD ? SPOOL_DEAD : SPOOL_LETTERS;
	}
}

static struct tally_str kept_copy(struct tally_str s)
{
	char *p = memory_alloc(s.len + 1);
	MUST(p != NULL);
	if (s.len)
		memcpy(p, s.ptr, s.len);
	return str_make(p, s.len);
}

/* The terms of this group and what was carried to it, encoded. */
static void group_terms(struct ledger *l, struct group *g, bool settling)
{
	g->before = kept_copy(settling ? STR("") : terms_take(l->carried, &l->arena));
	MUST(terms_merge(l->building, g->before.ptr, g->before.len) == 0);
	g->delta = kept_copy(terms_take(l->building, &l->arena));
}

#define OVERHEAD 65536 /* of a record beside its events: terms of many sites, verdicts, counts */

size_t record_room(const struct ledger *l)
{
	size_t most = spool_payload_max(l->spool);
	return most > 2 * OVERHEAD ? most - OVERHEAD : most / 2;
}

/* ---- which record carries which terms ----
 *
 * Each record says what was taken with its own events, so that any part of a group that a crash leaves adds up, and so
 * does a line that stands between two of them. All else that the group counted goes with the first. */

static void add_own(struct terms *t, const struct ledger_item *it, int64_t by)
{
	terms_add(t, it->ev.site, TERM_RECEIVED, STR(""), by);
	terms_add(t, it->ev.site, TERM_TAKEN, STR(""), by);
}

static void each_own(const struct planned *p, struct terms *t, int64_t by)
{
	for (size_t i = 0; i < p->taken.n; i++)
		add_own(t, p->taken.items[i], by);
	for (size_t i = 0; p->rq && p->rq->kind == LEDGER_RELEASE && i < p->rq->nitems; i++)
		if (p->rq->items[i].verdict == LEDGER_TAKEN)
			add_own(t, &p->rq->items[i], by);
}

static bool carries(const struct planned *p)
{
	return !p->rq || p->rq->kind == LEDGER_RELEASE;
}

/* n if none does. */
static size_t next_carrier(const struct planned *plan, size_t at, size_t n)
{
	while (at < n && !carries(&plan[at]))
		at++;
	return at;
}

static void share_terms(struct ledger *l, struct group *g, struct planned *plan, size_t n)
{
	size_t first = next_carrier(plan, 0, n), next = first < n ? next_carrier(plan, first + 1, n) : n;
	if (first == n)
		return;
	plan[first].terms = g->delta;
	if (next == n)
		return;
	struct terms *rest = terms_open(), *own = terms_open();
	MUST(terms_merge(rest, g->delta.ptr, g->delta.len) == 0);
	for (size_t i = next; i < n; i = next_carrier(plan, i + 1, n)) {
		each_own(&plan[i], own, 1);
		each_own(&plan[i], rest, -1);
		plan[i].terms = terms_take(own, &l->arena);
	}
	plan[first].terms = terms_take(rest, &l->arena);
	terms_close(rest);
	terms_close(own);
}

static size_t plan_records(struct ledger *l, struct group *g, struct taken t, struct planned *plan)
{
	size_t n = 0, most = record_room(l);
	most -= g->delta.len < most / 2 ? g->delta.len : most / 2;
	while (t.n)
		plan[n++] = (struct planned){ .type = SPOOL_EVENTS, .taken = take_fitting(&t, most) };
	for (struct ledger_request *rq = g->first; rq; rq = rq->next)
		if (rq->kind != LEDGER_EVENTS)
			plan[n++] = (struct planned){ .rq = rq };
	if (g->delta.len &&
		next_carrier(plan, 0, n) == n) { /* counts alone travel in an EVENTS record without events */
		memmove(plan + 1, plan, n++ * sizeof *plan);
		plan[0] = (struct planned){ .type = SPOOL_EVENTS };
	}
	return n;
}

static size_t plan_group(struct ledger *l, struct group *g, struct taken t, struct planned *plan, bool settling)
{
	group_terms(l, g, settling);
	size_t n = plan_records(l, g, t, plan);
	share_terms(l, g, plan, n);
	for (size_t i = 0; i < n; i++) {
		struct planned *p = &plan[i];
		if (p->rq)
			p->type = own_payload(l, p->rq, p->terms, &p->pieces);
		else
			events_payload(l, p->taken, p->terms, &p->pieces);
	}
	return n;
}

/* Plain requests are told the end of the whole group: what they wait for may lie in any of its records. */
static void tell_end(struct group *g)
{
	for (struct ledger_request *rq = g->first; rq; rq = rq->next)
		if (rq->kind == LEDGER_EVENTS)
			rq->end = g->end;
}

int record_group(struct ledger *l, struct group *g, bool settling)
{
	struct taken taken = gather_taken(l, g);
	size_t most = 1 + taken.n, bytes = 0, owed, owed_records;
	for (const struct ledger_request *rq = g->first; rq; rq = rq->next)
		most++;
	struct planned *plan = arena_alloc(&l->arena, most * sizeof *plan);
	size_t n = plan_group(l, g, taken, plan, settling);
	for (size_t i = 0; i < n; i++)
		bytes += plan[i].pieces.bytes;
	if (n == 0 && g->first)
		return 0;
	if (n == 0) /* nobody asks for anything: does the spool take a record again? */
		plan[n++] = (struct planned){ .type = SPOOL_TIME };
	owed_behind(l, g, settling, &owed, &owed_records);
	int rc = spool_reserve(l->spool, bytes + owed, n + owed_records);
	if (rc == -ENOSPC) { /* what is only retained gives way at once, and so does what a line that skips had */
		ledger_trim(l);
		rc = spool_reserve(l->spool, bytes + owed, n + owed_records);
	}
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		append_planned(l, g, &plan[i]);
	if (MUTANT("record_twice") && plan[0].taken.n && spool_reserve(l->spool, bytes, 1) == 0)
		append_planned(l, g, &(struct planned){ .type = plan[0].type, .pieces = plan[0].pieces });
	tell_end(g);
	rc = spool_write(l->spool);
	if (rc)
		fate_rebuild_appended(l, UINT64_MAX);
	return rc;
}
