/* SPDX-License-Identifier: Apache-2.0 */
/* A batch and the ledger: pending, then released or void. Each step waits until it is on disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "door/redis_inner.h"

#define AGAIN_US 100000

static void over(struct ledger_request *rq)
{
	struct redis_source *s = rq->user;
	atomic_store(&s->answered, true);
	gate_knock(s->gate);
}

/* Posts and waits; the ledger answers everything it was given, so this ends. */
static int ask_ledger(struct redis_source *s, struct ledger_request *rq)
{
	rq->ack = CONF_ACK_DURABLE;
	rq->door = "redis";
	rq->done = over;
	rq->user = s;
	atomic_store(&s->answered, false);
	while (!ledger_post(s->opt.ledger, rq))
		gate_wait(s->gate, AGAIN_US / 20);
	while (!atomic_load(&s->answered))
		gate_wait(s->gate, AGAIN_US);
	return rq->rc;
}

int redis_make_pending(struct redis_source *s, struct redis_batch *b)
{
	struct ledger_request rq = {
		.kind = LEDGER_PENDING, .items = b->items, .nitems = b->nitems, .head = redis_batch_head(s, b)
	};
	int rc = ask_ledger(s, &rq);
	b->lsn = rq.lsn;
	return rc;
}

static void count(struct redis_source *s, const struct redis_batch *b)
{
	for (size_t i = 0; i < b->nitems; i++)
		meter_add(meter_get(M_RECEIVED, b->items[i].ev.site, STR("redis"), STR("")), 1);
	for (size_t i = 0; i < b->nrejected; i++)
		meter_add(meter_get(M_REJECTED, str_of(b->rejected[i].reason), STR(""), STR("")), 1);
	meter_add(s->events_meter, (int64_t)b->nitems);
	pthread_mutex_lock(&s->lock);
	s->view.batches++;
	s->view.events += b->nitems;
	s->view.unreadable += b->ndead;
	pthread_mutex_unlock(&s->lock);
}

/* The list is trimmed already: from here the only way is forward, however long the disk takes nothing. A restart finds
 * the pending record and comes here again. */
void redis_release(struct redis_source *s, struct redis_batch *b)
{
	for (;;) {
		struct ledger_request rq = { .kind = LEDGER_RELEASE,
			.items = b->items,
			.nitems = b->nitems,
			.rejected = b->rejected,
			.nrejected = b->nrejected,
			.subject = b->lsn };
		int rc = ask_ledger(s, &rq);
		if (rc == 0)
			break;
		redis_trouble(s, "a batch taken from the list waits for the spool (%s)", rq.reason);
		if (atomic_load(&s->quit))
			return;
		gate_wait(s->gate, AGAIN_US);
	}
	count(s, b);
}

void redis_void(struct redis_source *s, uint64_t lsn)
{
	struct ledger_request rq = { .kind = LEDGER_VOID, .subject = lsn };
	if (ask_ledger(s, &rq))
		log_warn("redis", "%s: the end of a batch could not be written; it is settled at the next start",
			s->opt.source->list);
}

static bool among_found(const struct redis_source *s, const char *id)
{
	for (const struct redis_found *f = s->found; f; f = f->next)
		if (strcmp(f->id, id) == 0)
			return true;
	return false;
}

void redis_settle_found(struct redis_source *s, const char *acked)
{
	bool released = among_found(s, acked);
	while (s->found) {
		struct redis_found *f = s->found;
		struct redis_batch b;
		bool last = strcmp(f->id, acked) == 0;
		arena_reset(&s->arena);
		if (released && redis_batch_recall(s, f->lsn, &b) == 0)
			redis_release(s, &b);
		else
			redis_void(s, f->lsn);
		if (atomic_load(&s->quit))
			return;
		if (last)
			released = false;
		s->found = f->next;
		free(f);
	}
}
