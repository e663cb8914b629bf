/* SPDX-License-Identifier: Apache-2.0 */
/* Room that the spool must keep. Whoever has been promised an end of something must get it also when the spool is full to
 * the last byte: a pending Redis batch its RELEASE or VOID, a line its dead letter, a run its START. So every record that
 * is accepted leaves room for the settling ones that are owed by then, and those alone may use it. Without it a full
 * spool could not settle what would let it drain. */
#include "event/event.h"
#include "ledger/internal.h"
#include "spool/payload.h"

#define SITES 64              /* told apart in a bound; beyond it each item counts as a site of its own */
#define SITE_ENTRIES 8        /* terms a site may get by one batch: received, taken, duplicates, and reasons */
#define ENTRY_BYTES (12 + 64) /* beside the site's name */
#define OTHERS (4 << 10)      /* rejected elements, the head of the terms */
#define SLACK (64 << 10)      /* dead letters and STARTs */

struct bound {
	struct tally_str sites[SITES];
	size_t nsites, items, terms;
};

static void bound_add(struct bound *b, struct tally_str site)
{
	size_t i = 0;
	b->items++;
	while (i < b->nsites && !str_eq(b->sites[i], site))
		i++;
	if (i < b->nsites)
		return;
	if (b->nsites < SITES)
		b->sites[b->nsites++] = site;
	b->terms += SITE_ENTRIES * (ENTRY_BYTES + site.len);
}

/* u32 terms bytes, terms, u64 lsn, u32 n, n verdicts */
static size_t bound_bytes(const struct bound *b)
{
	return 16 + b->items + b->terms + OTHERS;
}

size_t owed_of_items(const struct ledger_item *items, size_t n)
{
	struct bound b = { 0 };
	for (size_t i = 0; i < n; i++)
		bound_add(&b, items[i].ev.site);
	return bound_bytes(&b);
}

/* Of a REDIS record found at start: u32 head bytes, head, u32 n, n events. */
size_t owed_of_payload(struct tally_str p)
{
	struct bound b = { 0 };
	struct tally_str head;
	struct arena a;
	uint32_t n = 0;
	arena_init(&a, 0);
	if (payload_take_sized(&p, &head) && payload_take_u32(&p, &n))
		for (uint32_t i = 0; i < n; i++) {
			struct tally_event ev;
			int64_t used = event_decode(p.ptr, p.len, &a, &ev);
			if (used < 0)
				break;
			bound_add(&b, ev.site);
			p = str_make(p.ptr + used, p.len - (size_t)used);
		}
	arena_free(&a);
	return bound_bytes(&b);
}

static size_t slack(const struct ledger *l)
{
	size_t most = spool_payload_max(l->spool) / 16;
	return most < SLACK ? most : SLACK;
}

bool owed_is_settling(const struct ledger_request *rq)
{
	return rq->kind == LEDGER_RELEASE || rq->kind == LEDGER_VOID || rq->kind == LEDGER_DEAD;
}

static bool settles(const struct group *g, uint64_t pending_lsn)
{
	for (const struct ledger_request *rq = g->first; rq; rq = rq->next)
		if ((rq->kind == LEDGER_RELEASE || rq->kind == LEDGER_VOID) && rq->subject == pending_lsn)
			return true;
	return false;
}

static void add_pending_of(const struct group *g, size_t *bytes, size_t *records)
{
	for (const struct ledger_request *rq = g->first; rq; rq = rq->next)
		if (rq->kind == LEDGER_PENDING) {
			*bytes += owed_of_items(rq->items, rq->nitems);
			++*records;
		}
}

/* What must still fit behind g. A group of settling records may use the slack; any other leaves it. */
void owed_behind(struct ledger *l, const struct group *g, bool settling, size_t *bytes, size_t *records)
{
	*bytes = settling ? 0 : slack(l);
	*records = settling ? 0 : 1;
	pending_owed(l, g, settles, bytes, records);
	for (const struct group *u = l->unsynced; u; u = u->next)
		add_pending_of(u, bytes, records);
	add_pending_of(g, bytes, records);
}
