/* SPDX-License-Identifier: Apache-2.0 */
/* After a failed fdatasync. Linux may have dropped what it could not write and says so once; a second sync of the same
 * descriptor would succeed over lost data. So the segment is left behind and what of it is not durable but must live is
 * written again, from memory, into a fresh one that begins at the durable lsn: of two records with one lsn the later
 * segment's counts, and by that everything else of the old one at or behind that lsn is void.
 *
 * No sync is in flight here, so all belongs to the ledger. */
#include "spool/inner.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

static struct segment *last_segment(struct spool *sp)
{
	return sp->nsegs ? sp->segs[sp->nsegs - 1] : NULL;
}

/* The log stands at the durable lsn, with nothing in hand. */
static void stand_at_durable(struct spool *sp)
{
	if (sp->hand) {
		struct group *g = sp->hand;
		sp->hand = NULL;
		write_take_back(sp, g);
	}
	sp->end = atomic_load_explicit(&sp->durable, memory_order_relaxed);
	sp->mark = sp->durable_mark;
	sp->cur = NULL;
}

static void begin_fresh(struct spool *sp, uint64_t keep_upto)
{
	struct segment *old = last_segment(sp), *seg = group_begin_segment(sp);
	seg->head.abandoned = old ? old->head.number : 0;
	seg->head.cut = keep_upto;
}

/* Puts a record as it was under the salt of the fresh segment; its place and mark stay. */
static void repeat(struct spool *sp, const uint8_t *bytes, const struct format_record *r, uint64_t keep_upto)
{
	uint64_t size = format_size(r->len);
	if (size > segment_room(sp->cur, sp->end))
		begin_fresh(sp, keep_upto);
	MUST(r->lsn == sp->end);
	uint8_t *at = group_extend(sp, size, r->time_us);
	memcpy(at, bytes, size);
	format_put_record(at, r, sp->cur->head.salt);
	sp->end = sp->hand->to;
	sp->mark = sp->hand->to_mark = r->mark;
	sp->last_us = r->time_us;
}

static void repeat_group(struct spool *sp, const struct group *g, uint64_t from, uint64_t keep_upto)
{
	struct format_record r;
	for (size_t i = 0, at = 0; at < g->len; at += format_size(r.len)) {
		while (i + 1 < g->nparts && g->parts[i + 1].at <= at)
			i++;
		MUST(format_get_record(g->buf + at, g->parts[i].seg->head.salt, &r));
		if (r.lsn >= from && r.lsn < keep_upto)
			repeat(sp, g->buf + at, &r, keep_upto);
	}
}

static int write_fresh(struct group *g)
{
	int rc = write_out(g);
	for (size_t i = 0; rc == 0 && i < g->nparts; i++)
		rc = file_sync("spool.abandon", g->parts[i].seg->fd);
	return rc;
}

/* The fresh segments go: a half-made one must not come back as the truth. */
static void give_up(struct spool *sp, struct group *g)
{
	for (size_t i = 0; i < g->nparts; i++)
		segment_remove(sp, g->parts[i].seg);
	group_put(sp, g);
	sp->end = sp->written;
	sp->mark = sp->written_mark;
	sp->cur = last_segment(sp);
}

/* [lock held] Cuts the listed segments at the durable lsn; those wholly behind it leave the list into gone. */
static size_t cut_list(struct spool *sp, uint64_t at, struct segment **gone, size_t max)
{
	size_t n = 0;
	while (sp->nsegs && n < max && last_segment(sp)->head.first >= at)
		gone[n++] = sp->segs[--sp->nsegs];
	struct segment *seg = last_segment(sp);
	if (seg && seg->end > at)
		seg->end = at;
	return n;
}

static void close_all(struct spool *sp)
{
	for (size_t i = 0; i < sp->nsegs; i++)
		if (sp->segs[i]->fd >= 0) {
			file_close(sp->segs[i]->fd);
			sp->segs[i]->fd = -1;
		}
}

/* The fresh segments are the log from `at` on. */
static void take_over(struct spool *sp, struct group *g, uint64_t at)
{
	struct segment *gone[16];
	size_t n;
	do {
		pthread_mutex_lock(&sp->lock);
		n = cut_list(sp, at, gone, sizeof gone / sizeof *gone);
		pthread_mutex_unlock(&sp->lock);
		for (size_t i = 0; i < n; i++)
			segment_remove(sp, gone[i]);
	} while (n);
	close_all(sp);
	pthread_mutex_lock(&sp->lock);
	while (sp->unsynced) {
		struct group *old = sp->unsynced;
		sp->unsynced = old->next;
		group_put(sp, old);
	}
	write_list(sp, g);
	sp->sync_error = 0;
	sp->durable_mark = sp->written_mark;
	atomic_store_explicit(&sp->durable, sp->written, memory_order_release);
	pthread_mutex_unlock(&sp->lock);
}

/* A stuck group is void with the rest; its fresh segments may hold traces. */
static void drop_stuck(struct spool *sp)
{
	struct group *g = sp->stuck;
	if (!g)
		return;
	sp->stuck = NULL;
	for (size_t i = 0; i < g->nparts; i++)
		if (g->parts[i].fresh)
			segment_remove(sp, g->parts[i].seg);
	group_put(sp, g);
}

int spool_abandon(struct spool *sp, uint64_t keep_upto)
{
	uint64_t at = atomic_load_explicit(&sp->durable, memory_order_relaxed);
	MUST(keep_upto >= at && keep_upto <= sp->written);
	stand_at_durable(sp);
	/* whatever the limits: without it nothing could be kept */
	int rc = spare_need(sp, 1 + (keep_upto - at) / (segment_capacity(sp) - format_size(sp->payload_max)), false);
	if (rc < 0) {
		sp->end = sp->written;
		sp->mark = sp->written_mark;
		sp->cur = last_segment(sp);
		return rc;
	}
	begin_fresh(sp, keep_upto);
	for (struct group *g = sp->unsynced; g; g = g->next)
		repeat_group(sp, g, at, keep_upto);
	MUST(sp->end == keep_upto); /* the ledger named the end of a record */
	if (segment_room(sp->cur, sp->end) < format_size(sp->checkpoint_max))
		begin_fresh(sp, keep_upto);
	group_checkpoint(sp);

	struct group *g = sp->hand;
	sp->hand = NULL;
	rc = write_fresh(g);
	if (rc < 0) {
		give_up(sp, g);
		return rc;
	}
	drop_stuck(sp);
	take_over(sp, g, at);
	log_warn(
		"spool", "goes on in segment %llu at lsn %llu", (unsigned long long)sp->number, (unsigned long long)at);
	if (sp->durable_fn)
		sp->durable_fn(sp->durable_arg);
	return 0;
}
