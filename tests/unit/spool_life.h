/* SPDX-License-Identifier: Apache-2.0 */
/* A random but repeatable life of a spool on a recorded disk: groups, syncs, refused writes, failed syncs, trims; and of
 * every record when what was promised of it. */
#ifndef TESTS_SPOOL_LIFE_H
#define TESTS_SPOOL_LIFE_H

#include "crash_disk.h"
#include "spool_kit.h"

#define NEVER SIZE_MAX

/* When, in acts of the disk, something became true of a record. */
struct fate {
	size_t written, durable;
	size_t dropped; /* the ledger gave it up: from here it may vanish */
	size_t gone;    /* and from here it must not be seen */
};

/* One life: what was done, and what was promised when. */
struct life {
	struct kit k;
	struct fate fates[KIT_MAX];
	struct disk *disk;
	uint64_t seed;
	struct {
		size_t when;
		uint64_t lsn;
	} trims[64];
	size_t ntrims;
	size_t born, opened; /* the acts before which it began, and its opening returned */
	size_t tight[64];    /* acts at which something was refused, left behind or let go */
	size_t ntight;
	uint64_t pending, pending_end; /* lsn of a REDIS record without its RELEASE, and behind it; 0 = none */
};

static inline size_t now(const struct life *l)
{
	return l->disk->nacts;
}

/* ---- what is promised ---- */

static inline void note_new(struct life *l, size_t from)
{
	for (; from < l->k.n; from++)
		l->fates[from] = (struct fate){ NEVER, NEVER, NEVER, NEVER };
}

static inline void note_written(struct life *l)
{
	for (size_t i = 0; i < l->k.n; i++)
		if (l->fates[i].written == NEVER && l->fates[i].gone == NEVER)
			l->fates[i].written = now(l);
}

static inline void note_tight(struct life *l)
{
	if (l->ntight < sizeof l->tight / sizeof *l->tight)
		l->tight[l->ntight++] = now(l);
}

static inline void note_durable(struct life *l)
{
	uint64_t durable = spool_durable(l->k.sp);
	for (size_t i = 0; i < l->k.n; i++)
		if (l->k.recs[i].end <= durable && l->fates[i].durable == NEVER && l->fates[i].gone == NEVER)
			l->fates[i].durable = now(l);
}

/* Those at or behind lsn never were. */
static inline void note_gone(struct life *l, uint64_t lsn)
{
	note_tight(l);
	for (size_t i = 0; i < l->k.n; i++)
		if (l->k.recs[i].lsn >= lsn && l->fates[i].gone == NEVER)
			l->fates[i].gone = now(l);
}

/* ---- what is done ---- */

static inline void trim(struct life *l, uint64_t lsn)
{
	if (l->ntrims == sizeof l->trims / sizeof *l->trims)
		return;
	if (l->pending_end && l->pending < lsn)
		lsn = l->pending; /* its RELEASE needs it */
	l->trims[l->ntrims].when = now(l);
	l->trims[l->ntrims++].lsn = lsn;
	note_tight(l);
	spool_trim(l->k.sp, lsn, l->k.now_us);
}

static inline bool append_group(struct life *l, uint32_t seed, size_t count, size_t len)
{
	if (spool_reserve(l->k.sp, count * len, count) < 0) {
		trim(l, spool_durable(l->k.sp));
		return false;
	}
	size_t from = l->k.n;
	for (size_t i = 0; i < count; i++)
		kit_append(&l->k, seed + (uint32_t)i, len);
	note_new(l, from);
	return true;
}

static inline void do_group(struct life *l, uint32_t seed, size_t count, size_t len)
{
	if (!append_group(l, seed, count, len))
		return;
	assert_int_equal(spool_write(l->k.sp), 0);
	note_written(l);
}

static inline void do_sync(struct life *l)
{
	struct spool_stats st;
	spool_stats(l->k.sp, &st);
	assert_int_equal(spool_sync(l->k.sp, st.end), 0);
	note_durable(l);
}

/* A refused group, and perhaps the client's retry of its beginning. */
static inline void do_refused(struct life *l, uint32_t seed, size_t count, size_t len)
{
	static const char *const specs[] = { "spool.write:1:EIO", "spool.write:1:short,spool.write:2:ENOSPC",
		"spool.write:2:short,spool.write:3:EIO", "spool.header:1:EIO" };
	struct spool_stats st;
	spool_stats(l->k.sp, &st);
	if (!append_group(l, seed, count, len))
		return;
	assert_int_equal(seam_arm(specs[disk_below(&l->seed, 4)]), 0);
	int rc = spool_write(l->k.sp);
	assert_int_equal(seam_arm(NULL), 0);
	if (rc == 0) { /* the group had not that many writes */
		note_written(l);
		return;
	}
	note_gone(l, st.end);
	if (disk_below(&l->seed, 2))
		do_group(l, seed, 1 + disk_below(&l->seed, count), len);
}

/* A failed sync and what follows it: some of the written records are kept, the others never were. */
static inline void do_failed_sync(struct life *l)
{
	struct spool_stats st;
	spool_stats(l->k.sp, &st);
	if (st.end == st.durable)
		return;
	assert_int_equal(seam_arm(disk_below(&l->seed, 3) ? "spool.sync:1:EIO" : "spool.sync:2:EIO"), 0);
	int rc = spool_sync(l->k.sp, st.end);
	assert_int_equal(seam_arm(NULL), 0);
	if (rc == 0) {
		note_durable(l);
		return;
	}
	uint64_t keep = st.durable;
	for (size_t i = 0; i < l->k.n; i++)
		if (l->fates[i].gone == NEVER && l->k.recs[i].end > keep && disk_below(&l->seed, 3))
			keep = l->k.recs[i].end;
	for (size_t i = 0; i < l->k.n; i++)
		if (l->k.recs[i].lsn >= keep)
			l->fates[i].dropped = now(l);
	if (disk_below(&l->seed, 4) == 0) {
		assert_int_equal(seam_arm("spool.abandon:1:EIO"), 0);
		assert_int_equal(spool_abandon(l->k.sp, keep), -EIO);
		assert_int_equal(seam_arm(NULL), 0);
	}
	assert_int_equal(spool_abandon(l->k.sp, keep), 0);
	note_gone(l, keep);
	note_durable(l);
	if (l->pending_end > keep)
		l->pending = l->pending_end = 0;
}

/* A batch comes in as pending, or the one that is gets its RELEASE; both may be refused or lost with a sync. */
static inline void do_batch(struct life *l, uint32_t seed, size_t len)
{
	size_t from = l->k.n;
	bool release = l->pending_end && l->pending_end <= spool_durable(l->k.sp);
	if ((l->pending_end && !release) || spool_reserve(l->k.sp, len + 8, 1) < 0)
		return;
	kit_append_type(&l->k, release ? SPOOL_RELEASE : SPOOL_REDIS, l->pending, seed, len + 8);
	note_new(l, from);
	assert_int_equal(spool_write(l->k.sp), 0);
	note_written(l);
	l->pending = release ? 0 : l->k.recs[from].lsn;
	l->pending_end = release ? 0 : l->k.recs[from].end;
}

static inline void do_trim(struct life *l)
{
	struct spool_stats st;
	spool_stats(l->k.sp, &st);
	trim(l, st.begin + disk_below(&l->seed, st.durable - st.begin + 1));
}

static inline void do_something(struct life *l)
{
	uint64_t dice = disk_below(&l->seed, 100);
	uint32_t seed = (uint32_t)disk_random(&l->seed);
	size_t count = 1 + disk_below(&l->seed, 4), len = disk_below(&l->seed, 1000);
	if (dice < 8)
		do_batch(l, seed, len);
	else if (dice < 45)
		do_group(l, seed, count, len);
	else if (dice < 50)
		do_group(l, seed, 20, 900);
	else if (dice < 75)
		do_sync(l);
	else if (dice < 83)
		do_refused(l, seed, count, len);
	else if (dice < 86)
		do_refused(l, seed, 20, 900);
	else if (dice < 92)
		do_failed_sync(l);
	else
		do_trim(l);
}

#endif
