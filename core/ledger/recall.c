/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger finds again in the spool: its terms, pending Redis batches, dead letters, and the events that the
 * admit plugins want to know. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "event/event.h"
#include "ledger/internal.h"
#include "plug/crash.h"
#include "spool/payload.h"

/* ---- payload sections ---- */

/* Takes a u32-sized section off the front of p. */
static bool take_sized(struct tally_str *p, struct tally_str *out)
{
	if (p->len < 4)
		return false;
	size_t n = get_u32(p->ptr);
	if (p->len - 4 < n)
		return false;
	*out = str_make(p->ptr + 4, n);
	*p = str_make(p->ptr + 4 + n, p->len - 4 - n);
	return true;
}

static bool take_u32(struct tally_str *p, uint32_t *out)
{
	if (p->len < 4)
		return false;
	*out = get_u32(p->ptr);
	*p = str_make(p->ptr + 4, p->len - 4);
	return true;
}

static bool take_u64(struct tally_str *p, uint64_t *out)
{
	if (p->len < 8)
		return false;
	*out = get_u64(p->ptr);
	*p = str_make(p->ptr + 8, p->len - 8);
	return true;
}

/* ---- events to the admit plugins ---- */

/* n events in spool form; verdicts NULL = all were taken. */
static void recall_events(
	struct plug_chain *chain, const struct spool_record *rec, struct tally_str p, uint32_t n, const char *verdicts)
{
	struct arena a;
	arena_init(&a, 0);
	for (uint32_t i = 0; i < n; i++) {
		struct tally_event ev;
		int64_t used = event_decode(p.ptr, p.len, &a, &ev);
		if (used < 0)
			break;
		ev.lsn = rec->lsn;
		ev.idx = i;
		ev.received_us = rec->time_us;
		crash_about(ev.lsn, i, ev.received_us);
		if ((!verdicts || verdicts[i] == PAYLOAD_TAKEN) && !crash_parked(ev.lsn, i, ev.received_us))
			plug_recall(chain, &ev);
		p = str_make(p.ptr + used, p.len - (size_t)used);
		arena_reset(&a);
	}
	arena_free(&a);
}

static void recall_plain(struct plug_chain *chain, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms;
	uint32_t n;
	if (take_sized(&p, &terms) && take_u32(&p, &n))
		recall_events(chain, rec, p, n, NULL);
}

/* ---- dead letters ---- */

void dead_add(struct ledger *l, struct tally_str p)
{
	uint32_t idx, code;
	uint64_t lsn;
	struct ledger_dead d = { 0 };
	if (p.len < 2 || p.len - 2 < get_u16(p.ptr) || get_u16(p.ptr) >= sizeof d.line)
		return;
	size_t n = get_u16(p.ptr);
	memcpy(d.line, p.ptr + 2, n);
	p = str_make(p.ptr + 2 + n, p.len - 2 - n);
	if (!take_u64(&p, &lsn) || !take_u32(&p, &idx) || !take_u32(&p, &code) || p.len < 2)
		return;
	d.lsn = lsn;
	d.idx = idx;
	d.code = (int32_t)code;
	size_t words = get_u16(p.ptr) < p.len - 2 ? get_u16(p.ptr) : p.len - 2;
	memcpy(d.message, p.ptr + 2, words < sizeof d.message ? words : sizeof d.message - 1);
	struct ledger_dead *kept = memory_alloc(sizeof *kept);
	MUST(kept != NULL);
	*kept = d;
	kept->next = atomic_load(&l->dead);
	atomic_store(&l->dead, kept);
}

/* ---- records ---- */

static void recall_terms(struct ledger *l, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms;
	if (take_sized(&p, &terms) && terms_merge(l->appended, terms.ptr, terms.len))
		log_warn("ledger", "counts in the record at lsn %llu cannot be read; left out of /v1/ledger",
			(unsigned long long)rec->lsn);
}

/* A checkpoint is absolute as of its place: it replaces what was added up from the records before it. */
static void recall_checkpoint(struct ledger *l, const struct spool_record *rec)
{
	struct terms *whole = terms_open();
	if (terms_merge(whole, rec->payload, rec->len) == 0) {
		terms_close(l->appended);
		l->appended = whole;
		return;
	}
	terms_close(whole);
	log_warn("ledger", "the checkpoint at lsn %llu cannot be read", (unsigned long long)rec->lsn);
}

static void recall_release(struct ledger *l, struct plug_chain *chain, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms;
	uint64_t lsn;
	uint32_t n, n_pending;
	if (!take_sized(&p, &terms) || !take_u64(&p, &lsn) || !take_u32(&p, &n) || p.len < n)
		return;
	struct pending_book *b = book_find(l, lsn);
	struct tally_str body = b ? book_payload(b) : STR(""), head;
	if (b && take_sized(&body, &head) && take_u32(&body, &n_pending) && n_pending == n)
		recall_events(chain, rec, body, n, p.ptr);
	if (b)
		book_release(l, b, rec->lsn);
}

static void recall_void(struct ledger *l, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len };
	uint32_t zero;
	uint64_t lsn;
	if (take_u32(&p, &zero) && take_u64(&p, &lsn))
		pending_voided(l, lsn);
}

int recall_record(void *arg, const struct spool_record *rec)
{
	struct ledger *l = arg;
	struct tally_str payload = { rec->payload, rec->len };
	if (rec->time_us > l->time_us)
		l->time_us = rec->time_us;
	switch (rec->type) {
	case SPOOL_CHECKPOINT:
		recall_checkpoint(l, rec);
		break;
	case SPOOL_EVENTS:
		recall_terms(l, rec);
		recall_plain(l->chain, rec);
		break;
	case SPOOL_REDIS:
		book_add(l, rec->lsn, payload);
		break;
	case SPOOL_RELEASE:
		recall_terms(l, rec);
		recall_release(l, l->chain, rec);
		break;
	case SPOOL_VOID:
		recall_void(l, rec);
		break;
	case SPOOL_DEAD:
		if (payload.len >= 4)
			dead_add(l, str_make(payload.ptr + 4, payload.len - 4));
		break;
	default:
		break;
	}
	return 0;
}

static void recall_release_by_reading(struct ledger *l, struct plug_chain *chain, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms, head;
	uint64_t lsn;
	uint32_t n, n_pending;
	struct spool_record redis;
	if (!take_sized(&p, &terms) || !take_u64(&p, &lsn) || !take_u32(&p, &n) || p.len < n)
		return;
	struct spool_reader *r = spool_reader_open(l->spool);
	if (spool_reader_at(r, lsn, &redis) == 0) {
		struct tally_str body = { redis.payload, redis.len };
		if (take_sized(&body, &head) && take_u32(&body, &n_pending) && n_pending == n)
			recall_events(chain, rec, body, n, p.ptr);
	}
	spool_reader_close(r);
}

void recall_chain(struct ledger *l, struct plug_chain *chain, const struct spool_record *rec)
{
	if (rec->type == SPOOL_EVENTS)
		recall_plain(chain, rec);
	else if (rec->type == SPOOL_RELEASE)
		recall_release_by_reading(l, chain, rec);
}

void recall_free(struct ledger *l)
{
	book_free(l);
	for (struct ledger_dead *d = atomic_load(&l->dead); d;) {
		struct ledger_dead *next = d->next;
		free(d);
		d = next;
	}
}
