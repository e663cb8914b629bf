/* SPDX-License-Identifier: Apache-2.0 */
/* A batch and the ledger: pending, then released or void. Each step waits until it is on disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/seam.h"
#include "door/redis_inner.h"
#include "plug/crash.h"
#include "text/write.h"

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

/* The same until it is written. False: told to quit before; a restart finds the pending record and comes here again. */
static bool insist(struct redis_source *s, struct ledger_request rq)
{
	for (;;) {
		struct ledger_request again = rq;
		if (ask_ledger(s, &again) == 0)
			return true;
		redis_trouble(s, "the fate of a batch waits for the spool (%s)", again.reason);
		if (atomic_load(&s->quit))
			return false;
		gate_wait(s->gate, AGAIN_US);
	}
}

int redis_make_pending(struct redis_source *s, struct redis_batch *b)
{
	struct ledger_request rq = {
		.kind = LEDGER_PENDING, .items = b->items, .nitems = b->nitems, .head = redis_head_write(s, b)
	};
	int rc = ask_ledger(s, &rq);
	b->lsn = rq.lsn;
	if (!rc)
		(void)!seam_pass("redis.pended");
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

/* The list is trimmed already: from here the only way is forward, however long the disk takes nothing. */
bool redis_release(struct redis_source *s, struct redis_batch *b)
{
	(void)!seam_pass("redis.release");
	if (!insist(s, (struct ledger_request){ .kind = LEDGER_RELEASE,
			       .items = b->items,
			       .nitems = b->nitems,
			       .rejected = b->rejected,
			       .nrejected = b->nrejected,
			       .subject = b->lsn }))
		return false;
	memcpy(s->last, b->id, sizeof s->last);
	count(s, b);
	(void)!seam_pass("redis.released");
	return true;
}

/* A batch that was decided void and is not written so must not be found pending beside a later one: the later one's
 * acknowledgement would release it. */
bool redis_void(struct redis_source *s, uint64_t lsn)
{
	(void)!seam_pass("redis.void");
	if (!insist(s, (struct ledger_request){ .kind = LEDGER_VOID, .subject = lsn }))
		return false;
	(void)!seam_pass("redis.voided");
	return true;
}

void redis_count_rejected(struct redis_source *s, const char *reason)
{
	struct ledger_rejected one = { STR(""), reason };
	struct ledger_request rq = { .kind = LEDGER_EVENTS, .rejected = &one, .nrejected = 1 };
	if (ask_ledger(s, &rq) == 0)
		meter_add(meter_get(M_REJECTED, str_of(reason), STR(""), STR("")), 1);
	pthread_mutex_lock(&s->lock);
	s->view.unreadable++;
	pthread_mutex_unlock(&s->lock);
}

static bool among_found(const struct redis_source *s, const char *id)
{
	for (const struct redis_found *f = s->found; f; f = f->next)
		if (strcmp(f->id, id) == 0)
			return true;
	return false;
}

/* {"reason":"crashed","message":"…","event":{…}} */
static struct tally_str parked_entry(struct redis_source *s, const struct ledger_item *it, const char *plugin)
{
	struct text_out o;
	text_open(&o, &s->arena, 512);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "reason", STR("crashed"));
	text_json_member_string(&o, "message",
		str_of(arena_printf(&s->arena, "plugin %s took the daemon down on it %d times", plugin, CRASH_MOST)));
	text_json_key(&o, STR("event"));
	text_json_raw(&o, event_to_json(&it->ev, &s->arena));
	text_json_end(&o, '}');
	return text_done(&o);
}

/* Events of the batch that no plugin may see again; the ledger will drop them. In the dead list first: a crash between
 * puts one there twice rather than nowhere. */
static bool lay_parked_aside(struct redis_source *s, const struct redis_batch *b)
{
	for (size_t i = 0; i < b->nitems; i++) {
		const char *plugin = crash_parked(b->lsn, (uint32_t)i, 0);
		if (!plugin)
			continue;
		struct tally_str entry = parked_entry(s, &b->items[i], plugin);
		const char *argv[] = { "RPUSH", s->dead, entry.ptr };
		redisReply *r = redis_call(s, 3, argv, (const size_t[]){ 5, strlen(s->dead), entry.len });
		if (!r)
			return false;
		freeReplyObject(r);
	}
	return true;
}

/* A record that Redis says is ours and the disk does not give back: its events are gone from both. */
static bool release_found(struct redis_source *s, const struct redis_found *f)
{
	struct redis_batch b;
	arena_reset(&s->arena);
	int rc = redis_batch_recall(s, f->lsn, &b);
	if (!rc)
		return lay_parked_aside(s, &b) && redis_release(s, &b);
	log_error("redis", "%s: the batch at lsn %llu was taken from the list and cannot be read back (%s): it is lost",
		s->opt.source->list, (unsigned long long)f->lsn, strerror(-rc));
	return redis_void(s, f->lsn);
}

bool redis_settle_found(struct redis_source *s, const char *acked)
{
	bool released = (among_found(s, acked) || MUTANT("void_released")) && !MUTANT("acked_ignored");
	while (s->found) {
		struct redis_found *f = s->found;
		bool last = strcmp(f->id, acked) == 0;
		if (!(released ? release_found(s, f) : redis_void(s, f->lsn)))
			return false;
		if (last && !MUTANT("void_released"))
			released = false;
		s->found = f->next;
		free(f);
	}
	return true;
}
