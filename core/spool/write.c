/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a group, and undoing a write that failed.
 *
 * A failed group "never was": its caller answers 503. But some of its bytes may be in the file, and they are a valid
 * continuation of the log: a crash now would bring them back. Leaving them to be overwritten is not enough either. The
 * marks protect against stale records behind new ones unless the new ones are equal to those first written there, which
 * is just what a client's retry of the same bytes makes them. So whatever the group covered is zeroed, its fresh
 * segments become spares again, and that is synced, before spool_write() returns its error. If even that fails, the
 * group stays `stuck`: each later spool_write() tries to undo it first and refuses until it could. */
#include "spool/inner.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

static size_t part_len(const struct group *g, size_t i)
{
	return (i + 1 < g->nparts ? g->parts[i + 1].at : g->len) - g->parts[i].at;
}

static uint64_t part_file_at(const struct part *p)
{
	return FORMAT_PAGE + (p->from - p->seg->head.first);
}

/* The heads of fresh segments come after all records, the last one's first. So a process killed in between leaves spares,
 * not hollow segments; and of segments that repeat others (spool_abandon) each is whole, with all that follow it, when
 * its head begins to void the old ones. */
int write_out(struct group *g)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < g->nparts; i++) {
		struct part *p = &g->parts[i];
		struct iovec iov = { g->buf + p->at, part_len(g, i) };
		rc = file_write("spool.write", p->seg->fd, &iov, 1, part_file_at(p));
	}
	for (size_t i = g->nparts; rc == 0 && i-- > 0;)
		if (g->parts[i].fresh)
			rc = segment_write_head(g->parts[i].seg);
	return rc;
}

static void part_list(struct spool *sp, struct group *g, size_t i)
{
	struct part *p = &g->parts[i];
	if (p->fresh)
		segment_list_push(sp, p->seg);
	p->seg->end = group_part_end(g, i);
	p->seg->last_us = p->last_us;
	if (!p->seg->first_us)
		p->seg->first_us = p->first_us;
}

/* [lock held] The group is part of the log now. */
void write_list(struct spool *sp, struct group *g)
{
	for (size_t i = 0; i < g->nparts; i++)
		part_list(sp, g, i);
	sp->written = g->to;
	sp->written_mark = g->to_mark;
	if (sp->unsynced)
		sp->unsynced_last->next = g;
	else
		sp->unsynced = g;
	sp->unsynced_last = g;
	g->next = NULL;
}

/* [lock held] Groups that are wholly durable are needed no more. */
static void let_go_durable(struct spool *sp)
{
	uint64_t durable = atomic_load_explicit(&sp->durable, memory_order_relaxed);
	while (sp->unsynced && sp->unsynced->to <= durable) {
		struct group *g = sp->unsynced;
		sp->unsynced = g->next;
		group_put(sp, g);
	}
}

/* In memory only: the log stands where it stood before g. The fresh segments are still with g. */
static void stand_back(struct spool *sp, struct group *g)
{
	sp->end = g->from;
	sp->mark = g->from_mark;
	sp->last_us = g->from_us;
	sp->cur = g->from_seg;
}

static void fresh_to_spares(struct spool *sp, struct group *g)
{
	pthread_mutex_lock(&sp->lock);
	for (size_t i = 0; i < g->nparts; i++)
		if (g->parts[i].fresh)
			spare_put(sp, g->parts[i].seg);
	pthread_mutex_unlock(&sp->lock);
}

/* Takes back a group of which nothing was written. */
void write_take_back(struct spool *sp, struct group *g)
{
	stand_back(sp, g);
	fresh_to_spares(sp, g);
	group_put(sp, g);
}

static int undo_part(struct spool *sp, struct group *g, size_t i)
{
	struct part *p = &g->parts[i];
	if (p->fresh)
		return segment_wipe(sp, p->seg);
	int rc = segment_zero(p->seg, "spool.undo", part_file_at(p), part_len(g, i));
	return rc < 0 ? rc : segment_sync_apart(sp, p->seg);
}

/* Of a group of which something may have been written: nothing of it is in any file when this returns 0. */
static int undo(struct spool *sp, struct group *g)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < g->nparts; i++)
		rc = undo_part(sp, g, i);
	if (rc < 0)
		return rc;
	fresh_to_spares(sp, g);
	group_put(sp, g);
	return 0;
}

static int may_write(struct spool *sp)
{
	pthread_mutex_lock(&sp->lock);
	int rc = sp->sync_error;
	pthread_mutex_unlock(&sp->lock);
	if (rc < 0 || !sp->stuck)
		return rc;
	rc = undo(sp, sp->stuck);
	if (rc == 0)
		sp->stuck = NULL;
	return rc;
}

int spool_write(struct spool *sp)
{
	struct group *g = sp->hand;
	if (!g)
		return 0;
	sp->hand = NULL;
	int rc = may_write(sp);
	if (rc < 0) {
		write_take_back(sp, g);
		return rc;
	}
	rc = write_out(g);
	if (rc < 0) {
		stand_back(sp, g);
		int undone = undo(sp, g);
		if (undone < 0) {
			sp->stuck = g;
			log_error("spool",
				"a write failed (%s) and cannot be undone (%s); nothing is accepted until it can",
				strerror(-rc), strerror(-undone));
		}
		return rc;
	}
	pthread_mutex_lock(&sp->lock);
	write_list(sp, g);
	let_go_durable(sp);
	if (segment_room(sp->cur, sp->end) < segment_capacity(sp) / 4 * 3)
		spare_helper_wake(sp);
	pthread_mutex_unlock(&sp->lock);
	return 0;
}
