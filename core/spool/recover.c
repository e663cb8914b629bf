/* SPDX-License-Identifier: Apache-2.0 */
/* Second step of recovery: follows the chain of marks through the segments and tells every record to the caller.
 *
 * Where the chain breaks there are two stories. A torn tail: bytes that were never acknowledged as durable; the log ends
 * there. Or damage: bytes that were durable once; they are counted lost, and the log goes on behind them. What decides
 * is the highest lsn that any readable record calls synced, also those behind the break: every record names the lsn that
 * was known durable when its group was begun, so what lies before it was acknowledged and nothing else need have been.
 * docs/spool.md has the cases. */
#include "spool/inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"

struct recovery {
	struct spool *sp;
	spool_recall_fn fn;
	void *arg;
	uint64_t lsn, mark; /* behind the last good record, or behind the damage that follows it */
	bool chained;       /* mark is known there */
	uint64_t synced;    /* highest seen */
	bool ended;         /* nothing behind lsn is part of the log */
	size_t keep;        /* segments up to the one of the last good record */
	int rc;             /* of the caller's function */
};

static uint64_t limit_of(const struct spool *sp, size_t i)
{
	uint64_t top = scan_top(&sp->segs[i]->head);
	if (i + 1 < sp->nsegs && sp->segs[i + 1]->head.first < top)
		return sp->segs[i + 1]->head.first;
	return top;
}

/* Looks through what follows `from` in segment i until something says that lsn was synced. */
static bool was_synced(struct recovery *r, uint64_t lsn, size_t i, uint64_t from)
{
	struct spool *sp = r->sp;
	for (; i < sp->nsegs && r->synced <= lsn; i++) {
		char path[PATH_MAX];
		struct scan s = { .fd = -1 };
		struct segment *seg = sp->segs[i];
		segment_path(sp, seg->name, path);
		if (seg->head.synced > r->synced)
			r->synced = seg->head.synced;
		if (scan_open(&s, path, RECOVERY_AHEAD) < 0)
			continue;
		scan_heads(&s, from > seg->head.first ? from : seg->head.first, limit_of(sp, i), lsn, &r->synced);
		scan_close(&s);
	}
	return r->synced > lsn;
}

static void note_hole(struct recovery *r, uint64_t to)
{
	struct spool *sp = r->sp;
	struct hole *last = sp->nholes ? &sp->holes[sp->nholes - 1] : NULL;
	sp->lost_bytes += to - r->lsn;
	if (last && last->to == r->lsn && to > r->lsn) {
		last->to = to;
		return;
	}
	sp->holes = realloc(sp->holes, (sp->nholes + 1) * sizeof *sp->holes);
	MUST(sp->holes != NULL);
	sp->holes[sp->nholes++] = (struct hole){ r->lsn, r->mark, to };
}

/* No record of [r->lsn, to) can be had; segment i is where to look for what comes behind. s: where the broken bytes
 * are, NULL if they are not there at all. */
static void broken(struct recovery *r, struct scan *s, size_t i, uint64_t to)
{
	if (!was_synced(r, r->lsn, i, r->lsn)) {
		r->ended = true;
		return;
	}
	if (r->sp->look && !s)
		look_note(r->sp, SPOOL_MISSING, "", r->lsn, to, "");
	if (!r->sp->look)
		log_error("spool", "lost %llu bytes of the log at lsn %llu: %s", (unsigned long long)(to - r->lsn),
			(unsigned long long)r->lsn, s ? "damaged, a copy is in quarantine" : "no segment has them");
	if (s)
		quarantine_bytes(r->sp, s, "damage", r->lsn, to);
	else
		r->sp->quarantined++;
	note_hole(r, to);
	r->lsn = to;
	r->chained = false;
}

static void accept_record(struct recovery *r, size_t i, const struct spool_record *rec)
{
	struct segment *seg = r->sp->segs[i];
	r->lsn = seg->end = rec->end;
	r->mark = rec->mark;
	r->chained = true;
	r->keep = i + 1;
	if (rec->synced > r->synced)
		r->synced = rec->synced;
	if (!seg->first_us)
		seg->first_us = rec->time_us;
	seg->last_us = rec->time_us;
	if (rec->time_us > r->sp->last_us)
		r->sp->last_us = rec->time_us;
	if (r->fn)
		r->rc = r->fn(r->arg, rec);
}

static bool continues(const struct recovery *r, const struct scan *s, const struct spool_record *rec)
{
	return !r->chained || rec->mark == format_mark(r->mark, rec->lsn, rec->type, s->crc);
}

static void walk(struct recovery *r, struct scan *s, size_t i)
{
	uint64_t limit = limit_of(r->sp, i);
	bool gap_follows = i + 1 < r->sp->nsegs && r->sp->segs[i + 1]->head.first > limit;
	struct spool_record rec;
	while (r->lsn < limit && !r->ended && r->rc == 0) {
		if (scan_record(s, r->lsn, limit, &rec) > 0 && continues(r, s, &rec)) {
			accept_record(r, i, &rec);
			continue;
		}
		uint64_t to = scan_resync(s, r->lsn + 8, limit);
		if (to == limit && gap_follows)
			return; /* the unused end of this file: all up to the next one is one gap */
		broken(r, s, i, to);
	}
}

/* Comes to segment i: from the end of the one before, or from nothing. */
static void enter(struct recovery *r, size_t i)
{
	const struct format_segment *h = &r->sp->segs[i]->head;
	if (i > 0 && (h->first > r->lsn || (r->chained && h->mark != r->mark)))
		broken(r, NULL, i, h->first);
	if (r->ended)
		return;
	r->lsn = h->first;
	r->mark = h->mark;
	r->chained = true;
	r->sp->segs[i]->end = h->first;
}

static void follow(struct recovery *r)
{
	struct spool *sp = r->sp;
	for (size_t i = 0; i < sp->nsegs && !r->ended && r->rc == 0; i++) {
		char path[PATH_MAX];
		struct scan s = { .fd = -1 };
		segment_path(sp, sp->segs[i]->name, path);
		enter(r, i);
		if (!r->ended && scan_open(&s, path, RECOVERY_AHEAD) == 0) {
			walk(r, &s, i);
			scan_close(&s);
		}
	}
}

/* A log that never was: its first mark is random, so that no place in it is taken for one in another. */
static void begin_new(struct spool *sp)
{
	sp->end = 0;
	MUST(getrandom(&sp->mark, sizeof sp->mark, 0) == (ssize_t)sizeof sp->mark);
}

int recover_log(struct spool *sp, spool_recall_fn fn, void *arg, char why[256])
{
	struct recovery r = { .sp = sp, .fn = fn, .arg = arg };
	if (sp->nsegs == 0) {
		begin_new(sp);
	} else {
		follow(&r);
		if (r.rc != 0) {
			if (!why[0])
				snprintf(why, 256, "what was found in %.200s was not taken", sp->opt.dir);
			return r.rc < 0 ? r.rc : -ECANCELED;
		}
		sp->end = r.lsn;
		sp->mark = r.mark;
	}
	int rc = sp->look ? look_tail(sp, r.keep) : tail_settle(sp, r.keep, r.synced, why);
	if (rc < 0)
		return rc;
	sp->written = sp->end;
	sp->written_mark = sp->durable_mark = sp->mark;
	atomic_store(&sp->durable, sp->end);
	return 0;
}
