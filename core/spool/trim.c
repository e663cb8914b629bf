/* SPDX-License-Identifier: Apache-2.0 */
/* Letting go of segments that every line is done with. Oldest first, and each one's old head is gone for good before
 * the next is touched: what a crash brings back is then still one unbroken log. */
#include "spool/inner.h"

#include "base/file.h"
#include "base/seam.h"

static bool may_become_spare(struct spool *sp, const struct segment *seg)
{
	pthread_mutex_lock(&sp->lock);
	bool keep = !seg->bad && sp->nspares < SPARES_KEPT && seg->head.size == sp->opt.segment_bytes;
	pthread_mutex_unlock(&sp->lock);
	return keep;
}

/* 0: it is a spare now, or gone; -errno: nothing of it has changed, on disk neither. */
static int let_go(struct spool *sp, struct segment *seg)
{
	if (may_become_spare(sp, seg) && segment_wipe(sp, seg) == 0) {
		pthread_mutex_lock(&sp->lock);
		spare_put(sp, seg);
		pthread_mutex_unlock(&sp->lock);
		return 0;
	}
	int rc = segment_unlink(sp, seg);
	if (rc == 0 || seg->head.kind == FORMAT_LIVE)
		return rc;
	segment_remove(sp, seg); /* its head is gone, and that is all that counts */
	return 0;
}

/* Out of the list already: becomes a spare, or goes. */
void trim_retire(struct spool *sp, struct segment *seg)
{
	if (let_go(sp, seg) < 0)
		segment_remove(sp, seg);
}

/* [lock held] Bytes of the segments wholly before lsn, the last one aside. */
static uint64_t bytes_before(const struct spool *sp, uint64_t lsn)
{
	uint64_t sum = 0;
	for (size_t i = 0; i + 1 < sp->nsegs && sp->segs[i]->end <= lsn; i++)
		sum += sp->segs[i]->head.size;
	return sum;
}

/* [lock held] What is only retained gives way to what comes in. The last segment stays, and so does one behind which nothing is durable yet: were it gone, a crash could
 * leave no trace of where the log stood. */
static bool may_go(const struct spool *sp, uint64_t lsn, int64_t now_us)
{
	if (sp->nsegs < 2 || sp->segs[0]->end > lsn ||
		sp->segs[1]->head.first >= atomic_load_explicit(&sp->durable, memory_order_relaxed))
		return false;
	bool fresh = now_us - sp->segs[0]->last_us < sp->opt.retain_us;
	return !fresh || sp->tight || bytes_before(sp, lsn) > sp->opt.retain_max_bytes;
}

void spool_trim(struct spool *sp, uint64_t lsn, int64_t now_us)
{
	struct segment *seg;
	do {
		seg = NULL;
		pthread_mutex_lock(&sp->lock);
		uint64_t hold = MUTANT("trim_too_far") ? lsn : reader_lowest_hold(sp);
		if (may_go(sp, lsn < hold ? lsn : hold, now_us)) {
			seg = sp->segs[0];
			segment_list_remove(sp, 0);
		}
		pthread_mutex_unlock(&sp->lock);
		if (seg && let_go(sp, seg) < 0) {
			/* a disk that takes nothing at the moment: were the next one let go, this one would come back as the
			 * oldest, with a gap behind it */
			pthread_mutex_lock(&sp->lock);
			segment_list_put_first(sp, seg);
			pthread_mutex_unlock(&sp->lock);
			return;
		}
	} while (seg);
}
