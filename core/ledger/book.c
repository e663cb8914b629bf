/* SPDX-License-Identifier: Apache-2.0 */
/* The book of Redis batches: pending until their RELEASE or VOID, and after a RELEASE kept as long as a line may still read
 * it. While a store is away the released ones grow many, and at a start all that the spool holds come at once; those that
 * are pending are few (one a source). So each has a list, and nothing walks the long one but from its ends. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "ledger/internal.h"

/* One REDIS record: pending while released is 0. */
struct pending_book {
	struct ledger_batch pub;
	struct tally_str payload;           /* u32 size, head; while pending since before this start also the events */
	size_t owed;                        /* what its RELEASE may take; 0 = not reckoned yet: the payload tells */
	struct pending_book *before, *next; /* all, by lsn */
	struct pending_book *open_next;     /* those pending */
};

static struct pending_book **open_place(struct ledger *l, uint64_t lsn)
{
	struct pending_book **at = &l->book_open;
	while (*at && (*at)->pub.lsn != lsn)
		at = &(*at)->open_next;
	return at;
}

struct pending_book *book_find(struct ledger *l, uint64_t lsn)
{
	return *open_place(l, lsn);
}

struct tally_str book_payload(const struct pending_book *b)
{
	return b->payload;
}

static struct pending_book *add(struct ledger *l, uint64_t lsn, struct tally_str payload, size_t head_len, size_t owed)
{
	struct pending_book *b = memory_zalloc(1, sizeof *b), **at = open_place(l, UINT64_MAX);
	char *copy = memory_alloc(payload.len + 1);
	memcpy(copy, payload.ptr, payload.len);
	b->payload = str_make(copy, payload.len);
	b->pub.lsn = lsn;
	b->pub.head = str_make(copy + 4, head_len);
	b->owed = owed;
	b->before = l->book_end;
	*(l->book_end ? &l->book_end->next : &l->book) = b;
	l->book_end = b;
	*at = b;
	return b;
}

void book_add(struct ledger *l, uint64_t lsn, struct tally_str payload)
{
	if (payload.len >= 4 && payload.len - 4 >= get_u32(payload.ptr))
		add(l, lsn, payload, get_u32(payload.ptr), 0);
}

static void close_open(struct ledger *l, const struct pending_book *b)
{
	struct pending_book **at = open_place(l, b->pub.lsn);
	if (*at)
		*at = (*at)->open_next;
}

static void drop(struct ledger *l, struct pending_book *b)
{
	*(b->before ? &b->before->next : &l->book) = b->next;
	*(b->next ? &b->next->before : &l->book_end) = b->before;
	free((char *)(uintptr_t)b->payload.ptr);
	free(b);
}

/* Its events are the spool's from here on. */
void book_release(struct ledger *l, struct pending_book *b, uint64_t release_lsn)
{
	close_open(l, b);
	b->pub.released = release_lsn;
	char *head = memory_grow((char *)(uintptr_t)b->payload.ptr, 4 + b->pub.head.len + 1);
	b->payload = str_make(head, 4 + b->pub.head.len);
	b->pub.head.ptr = head + 4;
}

void book_free(struct ledger *l)
{
	while (l->book)
		drop(l, l->book);
	l->book_open = NULL;
}

/* ---- while the ledger runs ---- */

void pending_begins(struct ledger *l, const struct ledger_request *rq)
{
	char *p = memory_alloc(4 + rq->head.len);
	put_u32(p, (uint32_t)rq->head.len);
	if (rq->head.len)
		memcpy(p + 4, rq->head.ptr, rq->head.len);
	add(l, rq->lsn, str_make(p, 4 + rq->head.len), rq->head.len, owed_of_items(rq->items, rq->nitems));
	free(p);
}

void pending_released(struct ledger *l, uint64_t pending_lsn, uint64_t release_lsn)
{
	struct pending_book *b = book_find(l, pending_lsn);
	if (b)
		book_release(l, b, release_lsn);
}

void pending_voided(struct ledger *l, uint64_t pending_lsn)
{
	struct pending_book *b = book_find(l, pending_lsn);
	if (!b)
		return;
	close_open(l, b);
	drop(l, b);
}

void pending_owed(struct ledger *l, const struct group *g, bool (*settles)(const struct group *g, uint64_t lsn),
	size_t *bytes, size_t *records)
{
	for (struct pending_book *b = l->book_open; b; b = b->open_next) {
		if (settles(g, b->pub.lsn))
			continue;
		if (!b->owed)
			b->owed = owed_of_payload(b->payload);
		*bytes += b->owed;
		++*records;
	}
}

/* RELEASEs come nearly in the order of what they release: one behind a later one is dropped a little later. */
uint64_t pending_lowest(struct ledger *l, uint64_t lines_need)
{
	struct pending_book *b = l->book;
	while (b && (!b->pub.released || b->pub.released < lines_need)) {
		struct pending_book *next = b->next;
		if (b->pub.released)
			drop(l, b);
		b = next;
	}
	return l->book ? l->book->pub.lsn : UINT64_MAX;
}

const struct ledger_batch *ledger_batches(const struct ledger *l)
{
	for (struct pending_book *b = l->book; b; b = b->next)
		b->pub.next = b->next ? &b->next->pub : NULL;
	return l->book ? &l->book->pub : NULL;
}
