/* SPDX-License-Identifier: Apache-2.0 */
/* Making written records durable. The syncer works on descriptors that the ledger writes to at the same time; what is
 * written meanwhile may or may not be covered, which is why `upto` is fixed before. A group may cross segments, so every
 * segment written since the last sync is synced, the oldest first: a later one alone could never be recovered. */
#include "spool/inner.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

/* [lock held] The mark of the chain at lsn, which is durable or the end of a written record. */
uint64_t sync_mark_at(struct spool *sp, uint64_t lsn)
{
	if (lsn == atomic_load_explicit(&sp->durable, memory_order_relaxed))
		return sp->durable_mark;
	for (struct group *g = sp->unsynced; g; g = g->next) {
		if (lsn == g->to)
			return g->to_mark;
		if (lsn > g->to)
			continue;
		for (size_t i = 0, at = 0; i < g->nparts && at < g->len;) {
			struct format_record r;
			while (i + 1 < g->nparts && g->parts[i + 1].at <= at)
				i++;
			MUST(format_get_record(g->buf + at, g->parts[i].seg->head.salt, &r));
			at += format_size(r.len);
			if (r.lsn + format_size(r.len) == lsn)
				return r.mark;
		}
	}
	MUST(!"an lsn at which no written record ends");
	return 0;
}

/* The oldest segment with something in [from, upto). [lock held] */
static struct segment *next_to_sync(struct spool *sp, uint64_t from, uint64_t upto)
{
	for (size_t i = sp->nsegs; i-- > 0;)
		if (sp->segs[i]->head.first <= from)
			return from < upto ? sp->segs[i] : NULL;
	return NULL;
}

static void note_failure(struct spool *sp, struct segment *seg, int rc)
{
	pthread_mutex_lock(&sp->lock);
	seg->bad = true;
	sp->sync_error = rc;
	pthread_mutex_unlock(&sp->lock);
	log_error("spool", "sync of %s/%s failed: %s; it is left behind for a fresh segment", sp->opt.dir, seg->name,
		strerror(-rc));
}

/* Closes segments that will not be written again. */
static void close_finished(struct spool *sp)
{
	int fd;
	do {
		fd = -1;
		pthread_mutex_lock(&sp->lock);
		uint64_t durable = atomic_load_explicit(&sp->durable, memory_order_relaxed);
		for (size_t i = sp->nsegs; fd < 0 && i-- > 1;) {
			struct segment *seg = sp->segs[i - 1];
			if (seg->fd < 0)
				break; /* older ones were closed before */
			if (seg->end <= durable) {
				fd = seg->fd;
				seg->fd = -1;
			}
		}
		pthread_mutex_unlock(&sp->lock);
		if (fd >= 0)
			file_close(fd);
	} while (fd >= 0);
}

int spool_sync(struct spool *sp, uint64_t upto)
{
	uint64_t at = atomic_load_explicit(&sp->durable, memory_order_relaxed);
	int rc = 0;
	if (upto <= at)
		return 0;
	while (rc == 0 && at < upto) {
		pthread_mutex_lock(&sp->lock);
		MUST(upto <= sp->written);
		rc = sp->sync_error;
		struct segment *seg = next_to_sync(sp, at, upto);
		uint64_t end = seg->end;
		pthread_mutex_unlock(&sp->lock);
		if (rc < 0)
			return rc;
		rc = file_sync("spool.sync", seg->fd);
		if (rc < 0)
			note_failure(sp, seg, rc);
		at = end;
	}
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&sp->lock);
	sp->durable_mark = sync_mark_at(sp, upto);
	atomic_store_explicit(&sp->durable, upto, memory_order_release);
	pthread_mutex_unlock(&sp->lock);
	if (sp->durable_fn)
		sp->durable_fn(sp->durable_arg);
	close_finished(sp);
	return 0;
}

uint64_t spool_durable(const struct spool *sp)
{
	return atomic_load_explicit(&sp->durable, memory_order_acquire);
}

void spool_on_durable(struct spool *sp, void (*fn)(void *arg), void *arg)
{
	sp->durable_fn = fn;
	sp->durable_arg = arg;
}
