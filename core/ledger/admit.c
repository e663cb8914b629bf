/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the plugins, before anything is written, whether an event is taken. */
#include <stdio.h>

#include "ledger/internal.h"
#include "plug/crash.h"

static void count_rejected(struct ledger *l, const struct ledger_request *rq)
{
	for (size_t i = 0; i < rq->nrejected; i++) {
		const struct ledger_rejected *r = &rq->rejected[i];
		terms_add(l->building, r->site, TERM_RECEIVED, STR(""), 1);
		terms_add(l->building, r->site, TERM_REJECTED, str_of(r->reason), 1);
	}
}

static void count_dropped(struct ledger *l, const struct ledger_item *it, const struct plug_verdict *v)
{
	char reason[128];
	int n = snprintf(reason, sizeof reason, "%s/%s", v->plugin, v->reason);
	terms_add(l->building, it->ev.site, TERM_DROPPED, str_make(reason, (size_t)n), 1);
}

/* An event of a pending batch on which a plugin crashed too often; its door has laid it aside. */
static bool is_parked(struct ledger *l, struct ledger_request *rq, struct ledger_item *it)
{
	uint64_t subject = rq->kind == LEDGER_RELEASE ? rq->subject : 0;
	uint32_t idx = (uint32_t)(it - rq->items);
	const char *plugin = crash_parked(subject, idx, 0);
	crash_about(subject, idx, 0);
	if (!plugin)
		return false;
	it->verdict = LEDGER_DROPPED;
	it->reason = "crashed";
	rq->dropped++;
	count_dropped(l, it, &(struct plug_verdict){ plugin, "crashed", 0 });
	return true;
}

/* Neighbours are mostly of one site, so what is most is added up before it is put down. */
static void note_run(struct ledger *l)
{
	if (l->run.received)
		terms_add(l->building, l->run.site, TERM_RECEIVED, STR(""), l->run.received);
	if (l->run.taken)
		terms_add(l->building, l->run.site, TERM_TAKEN, STR(""), l->run.taken);
	l->run.received = l->run.taken = 0;
}

static void count_received(struct ledger *l, struct tally_str site)
{
	if (!str_eq(l->run.site, site)) {
		note_run(l);
		l->run.site = site;
	}
	l->run.received++;
}

static void admit_item(struct ledger *l, struct group *g, struct ledger_request *rq, struct ledger_item *it)
{
	struct plug_verdict v = { "", "", 0 };
	count_received(l, it->ev.site);
	if (is_parked(l, rq, it))
		return;
	switch (plug_admit(l->chain, g->ticket, &it->ev, &v)) {
	case TALLY_PASS:
		it->verdict = LEDGER_TAKEN;
		rq->taken++;
		l->run.taken++;
		return;
	case TALLY_DUPLICATE:
		it->verdict = LEDGER_DUPLICATE;
		rq->duplicates++;
		terms_add(l->building, it->ev.site, TERM_DUPLICATES, STR(""), 1);
		return;
	case TALLY_REFUSE:
		it->verdict = LEDGER_SHED;
		it->reason = v.reason;
		rq->shed++;
		if (v.retry_after_s > rq->retry_after_s)
			rq->retry_after_s = v.retry_after_s;
		terms_add(l->building, it->ev.site, TERM_REFUSED, str_of(v.reason), 1);
		return;
	default:
		it->verdict = LEDGER_DROPPED;
		it->reason = v.reason;
		rq->dropped++;
		count_dropped(l, it, &v);
	}
}

static void admit_request(struct ledger *l, struct group *g, struct ledger_request *rq)
{
	if (rq->kind != LEDGER_EVENTS && rq->kind != LEDGER_RELEASE)
		return;
	count_rejected(l, rq);
	for (size_t i = 0; i < rq->nitems; i++) {
		rq->items[i].ev.received_us = l->time_us;
		admit_item(l, g, rq, &rq->items[i]);
	}
}

void admit_group(struct ledger *l, struct group *g)
{
	for (struct ledger_request *rq = g->first; rq; rq = rq->next)
		admit_request(l, g, rq);
	note_run(l);
	l->run.site = STR(""); /* it was the request's */
}
