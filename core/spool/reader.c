/* SPDX-License-Identifier: Apache-2.0 */
/* Readers follow the durable part of the log, each with a descriptor and a buffer of its own. What lies before the
 * durable lsn never changes, so all they need the lock for is to learn which file holds a place, once a segment.
 *
 * A file may be recycled under a reader that holds nothing: then the record heads no longer carry the salt it knows,
 * and it asks again where its place is. */
#include "spool/inner.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/seam.h"

/* A segment opened for reading, and how far it may be read. */
struct view {
	struct scan scan;
	uint64_t until; /* durable lsn in this segment as last asked */
};

struct spool_reader {
	struct spool *sp;
	struct spool_reader *next; /* [lock] */
	uint64_t hold;             /* [lock] */
	struct view walk, single;
	uint64_t at;   /* of the next record */
	uint64_t mark; /* of the chain there */
	bool chained;  /* mark is known */
};

uint64_t reader_lowest_hold(struct spool *sp)
{
	uint64_t low = UINT64_MAX;
	for (struct spool_reader *r = sp->readers; r; r = r->next)
		if (r->hold < low)
			low = r->hold;
	return low;
}

struct spool_reader *spool_reader_open(struct spool *sp)
{
	struct spool_reader *r = calloc(1, sizeof *r);
	MUST(r != NULL);
	r->sp = sp;
	r->walk.scan.fd = r->single.scan.fd = -1;
	pthread_mutex_lock(&sp->lock);
	r->hold = UINT64_MAX;
	r->next = sp->readers;
	sp->readers = r;
	pthread_mutex_unlock(&sp->lock);
	return r;
}

void spool_reader_close(struct spool_reader *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->sp->lock);
	struct spool_reader **p = &r->sp->readers;
	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	pthread_mutex_unlock(&r->sp->lock);
	scan_close(&r->walk.scan);
	scan_close(&r->single.scan);
	free(r);
}

void spool_reader_hold(struct spool_reader *r, uint64_t lsn)
{
	pthread_mutex_lock(&r->sp->lock);
	r->hold = lsn;
	pthread_mutex_unlock(&r->sp->lock);
}

/* What the lock gave out about the segment that holds a place. */
struct whereabouts {
	char path[PATH_MAX];
	struct format_segment head;
	uint64_t until;
};

/* 1: w tells where lsn is; 0: lsn is the durable end; -ESTALE: before the oldest; -ENOENT: nowhere. */
static int find(struct spool *sp, uint64_t lsn, struct whereabouts *w)
{
	int rc = -ENOENT;
	pthread_mutex_lock(&sp->lock);
	uint64_t durable = atomic_load_explicit(&sp->durable, memory_order_relaxed);
	if (lsn == durable)
		rc = 0;
	else if (lsn < durable && (sp->nsegs == 0 || lsn < sp->segs[0]->head.first))
		rc = -ESTALE;
	size_t low = 0, high = sp->nsegs;
	while (rc == -ENOENT && low < high) {
		size_t mid = (low + high) / 2;
		const struct segment *seg = sp->segs[mid];
		if (lsn < seg->head.first) {
			high = mid;
		} else if (lsn >= seg->end) {
			low = mid + 1;
		} else if (lsn < durable) {
			segment_path(sp, seg->name, w->path);
			w->head = seg->head;
			w->until = seg->end < durable ? seg->end : durable;
			rc = 1;
		} else {
			break;
		}
	}
	pthread_mutex_unlock(&sp->lock);
	return rc;
}

static bool same_life(const struct format_segment *a, const struct format_segment *b)
{
	return a->number == b->number && a->salt == b->salt && a->first == b->first;
}

/* Turns the view to the segment of lsn. As find(), and -EIO. */
static int view_turn(struct spool *sp, struct view *v, uint64_t lsn)
{
	struct whereabouts w;
	for (int tries = 0; tries < 3; tries++) {
		int rc = find(sp, lsn, &w);
		if (rc <= 0)
			return rc;
		v->until = w.until;
		if (v->scan.fd >= 0 && same_life(&v->scan.head, &w.head))
			return 1;
		scan_close(&v->scan);
		rc = scan_open(&v->scan, w.path, READER_AHEAD);
		if (rc == 0 && same_life(&v->scan.head, &w.head))
			return 1;
		scan_close(&v->scan); /* trimmed in between: ask again */
	}
	return -EIO;
}

/* The record at lsn. 1, 0 (durable end), -ESTALE, -ENOENT (no record begins there), -EIO. */
static int view_read(struct spool *sp, struct view *v, uint64_t lsn, struct spool_record *rec)
{
	for (int tries = 0; tries < 2; tries++) {
		bool inside = v->scan.fd >= 0 && lsn >= v->scan.head.first && lsn < v->until && tries == 0;
		int rc = inside ? 1 : view_turn(sp, v, lsn);
		if (rc <= 0)
			return rc;
		rc = scan_record(&v->scan, lsn, v->until, rec);
		if (rc != 0)
			return rc;
		/* not a record: is the file still what it was? Look at it afresh, once */
		scan_close(&v->scan);
	}
	return -ENOENT;
}

static const struct hole *hole_at(const struct spool *sp, uint64_t lsn)
{
	for (size_t i = 0; i < sp->nholes; i++)
		if (lsn >= sp->holes[i].from && (lsn < sp->holes[i].to || lsn == sp->holes[i].from))
			return &sp->holes[i];
	return NULL;
}

static uint64_t oldest(struct spool *sp)
{
	struct spool_stats st;
	spool_stats(sp, &st);
	return st.begin < st.durable ? st.begin : st.durable;
}

static void stand(struct spool_reader *r, uint64_t lsn)
{
	r->at = lsn;
	r->chained = false;
}

static int seek_end(struct spool_reader *r, struct tally_position pos)
{
	pthread_mutex_lock(&r->sp->lock);
	uint64_t mark = r->sp->durable_mark;
	bool still = pos.lsn == atomic_load_explicit(&r->sp->durable, memory_order_relaxed);
	pthread_mutex_unlock(&r->sp->lock);
	if (!still)
		return -EAGAIN;
	return mark == pos.mark ? 0 : -ENOENT;
}

/* Does the chain stand at pos.mark at pos.lsn? The record that begins there tells: its mark continues that. */
static int seek_check(struct spool_reader *r, struct tally_position pos)
{
	struct spool_record rec;
	int rc = view_read(r->sp, &r->walk, pos.lsn, &rec);
	if (rc == 0)
		rc = seek_end(r, pos);
	else if (rc > 0)
		rc = rec.mark == format_mark(pos.mark, rec.lsn, rec.type, r->walk.scan.crc) ? 0 : -ENOENT;
	return rc == -ENOENT && MUTANT("mark_ignored") ? 0 : rc;
}

int spool_reader_seek(struct spool_reader *r, struct tally_position pos)
{
	stand(r, oldest(r->sp));
	if (pos.lsn == 0 && pos.mark == 0)
		return 0;
	if (pos.lsn < r->at)
		return -ESTALE;
	const struct hole *h = hole_at(r->sp, pos.lsn);
	int rc;
	if (h && h->from == pos.lsn) {
		rc = h->from_mark == pos.mark ? 0 : -ENOENT;
	} else {
		rc = seek_check(r, pos);
		if (rc == -EAGAIN) /* the end moved on in between: now there is a record */
			rc = seek_check(r, pos);
	}
	if (rc < 0)
		return rc;
	r->at = pos.lsn;
	r->mark = pos.mark;
	r->chained = !MUTANT("mark_ignored");
	return 0;
}

int spool_reader_next(struct spool_reader *r, struct spool_record *rec)
{
	const struct hole *h = r->sp->nholes ? hole_at(r->sp, r->at) : NULL;
	if (h) {
		if (h->to >= spool_durable(r->sp))
			return 0;
		stand(r, h->to);
	}
	if (r->at >= spool_durable(r->sp))
		return 0;
	int rc = view_read(r->sp, &r->walk, r->at, rec);
	if (rc == 0 || rc == -ESTALE)
		return rc;
	if (rc < 0)
		return -EIO;
	if (r->chained && rec->mark != format_mark(r->mark, rec->lsn, rec->type, r->walk.scan.crc))
		return -EIO;
	r->at = rec->end;
	r->mark = rec->mark;
	r->chained = true;
	return 1;
}

int spool_reader_at(struct spool_reader *r, uint64_t lsn, struct spool_record *rec)
{
	int rc = view_read(r->sp, &r->single, lsn, rec);
	if (rc > 0)
		return 0;
	return rc == -EIO ? -EIO : -ENOENT;
}

void spool_reader_before(struct spool_reader *r, uint64_t lsn)
{
	struct spool *sp = r->sp;
	pthread_mutex_lock(&sp->lock);
	uint64_t at = sp->nsegs ? sp->segs[0]->head.first : sp->written;
	for (size_t i = 0; i < sp->nsegs && sp->segs[i]->head.first <= lsn; i++)
		at = sp->segs[i]->head.first;
	pthread_mutex_unlock(&sp->lock);
	uint64_t durable = spool_durable(sp);
	stand(r, at < durable ? at : durable);
}
