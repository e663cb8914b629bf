/* SPDX-License-Identifier: Apache-2.0 */
/* The spool: one log of segments, appended by the ledger, read by the lines.
 *
 * An lsn is a byte position in the endless log; a record at lsn L of n bytes ends at L + n, where the next begins.
 * `mark` is the checksum chained over all records up to the end of one; (end lsn, mark) names a place in one history.
 *
 * Two threads write: the appender [ledger] and the syncer that it lends one fdatasync at a time. Readers [any thread]
 * see durable records only. Formats: docs/spool.md. */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <tally/sink.h>

#include "base/check.h"

enum spool_type {
	SPOOL_START = 1, /* payload: boot number u64, random */
	SPOOL_EVENTS = 2,
	SPOOL_REDIS = 3, /* pending until its RELEASE or VOID */
	SPOOL_RELEASE = 4,
	SPOOL_VOID = 5,
	SPOOL_DEAD = 6,
	SPOOL_TIME = 7,
	SPOOL_CHECKPOINT = 8, /* what must survive trimming; the first record of every segment */
	SPOOL_LETTERS = 9,    /* dead letters of one line that are to be stored, or forgotten */
};

struct spool_options {
	const char *dir; /* data_dir/spool, made if absent */
	uint8_t node[16];
	uint64_t segment_bytes;    /* 64 MiB; tests use less */
	uint64_t max_bytes;        /* of all segments */
	double keep_free;          /* share of the file system to leave free, 0..1 */
	int64_t retain_us;         /* keep records this long beyond the slowest line … */
	uint64_t retain_max_bytes; /* … but not more than this, nor than half of max_bytes, nor when room runs out */
	bool no_helper;            /* tests: no thread of its own prepares segments ahead; the ledger makes them */
};

struct spool_record {
	uint64_t lsn;    /* where it begins */
	uint64_t end;    /* where the next begins */
	uint64_t mark;   /* of the chain up to its end */
	uint64_t synced; /* the lsn known durable when its group was begun */
	int64_t time_us; /* the ledger's clock, never decreasing */
	uint32_t type;
	const void *payload;
	size_t len;
};

struct spool_stats {
	uint64_t begin, end; /* lsns kept: first and behind the last */
	uint64_t durable;    /* all before this lsn is synced */
	uint64_t bytes;      /* of all segments on disk */
	uint64_t max_bytes;
	int64_t oldest_us;   /* time of the oldest record kept, 0 if none */
	uint64_t cut_bytes;  /* torn tail cut at open */
	uint64_t lost_bytes; /* damage quarantined */
	unsigned segments;
	unsigned quarantined;
};

struct spool;

/* Called at open for every record found, oldest first; the payload dies with the call. Non-zero stops the opening. */
typedef int (*spool_recall_fn)(void *arg, const struct spool_record *rec);

/* Recovers what is on disk and is ready to append. The caller then appends START. -errno with the words in why. */
must_check int spool_open(
	const struct spool_options *opt, spool_recall_fn fn, void *arg, struct spool **out, char why[256]);
void spool_close(struct spool *sp);

/* The most bytes one record may carry: 16 MiB, less where segments are small (half of one). */
size_t spool_payload_max(const struct spool *sp);

/* ---- [ledger] ---- */

/* Makes room for bytes more of payload in records records, before any of it is accepted: makes or recycles the next
 * segment if need be, and begins it (asking for its CHECKPOINT) where the current one is too full. The promise covers
 * what is appended after this call, up to those totals; the next call replaces it, so a caller that still owes records
 * (the RELEASEs of pending REDIS records) counts them in every call.
 * 0, -ENOSPC (spool.max or keep_free reached, or the disk is full) or another -errno. */
must_check int spool_reserve(struct spool *sp, size_t payload_bytes, size_t records);

/* Adds one record to the group in hand. out gets its place and mark (payload unset). Written by spool_write().
 * The bytes of iov are copied; at most spool_payload_max() of them. A time before the last record's counts as that.
 * Assumes: reserved. */
void spool_append(struct spool *sp, enum spool_type type, int64_t time_us, const struct iovec *iov, int iovcnt,
	struct spool_record *out);

/* Writes the group in hand to the file (written: survives the process). 0 or -errno: nothing of it counts then, nor can
 * a crash bring it back, and the spool stands where it stood before the group's first append. */
must_check int spool_write(struct spool *sp);

/* A function that a new segment's CHECKPOINT payload is asked from; it writes at most cap bytes and returns how many.
 * Called on the ledger's thread from inside spool_reserve(), spool_append() (before the record in hand) and
 * spool_abandon(): it tells the terms as of all records appended so far; in spool_abandon() as of those before
 * keep_upto, so the ledger takes back the others first. */
void spool_set_checkpoint(struct spool *sp, size_t (*fn)(void *arg, void *buf, size_t cap), void *arg);

/* ---- [syncer] one call at a time ---- */

/* fdatasync of what was written up to lsn `upto`, the end of a written record. 0: durable lsn advanced to it. -errno: that descriptor is never
 * synced again; the ledger must call spool_abandon() before anything else. */
must_check int spool_sync(struct spool *sp, uint64_t upto);

/* [ledger, no sync in flight] After a failed sync: goes on in a fresh segment that names the abandoned one and repeats
 * the records in [durable, keep_upto); records at or behind keep_upto never were, nor a group in hand. Synced before
 * it returns, and the durable lsn has moved behind them. keep_upto: the end of a written record, or the durable lsn.
 * -errno: the disk takes nothing; stop accepting (it may be called again later). */
must_check int spool_abandon(struct spool *sp, uint64_t keep_upto);

/* ---- [any thread] ---- */

uint64_t spool_durable(const struct spool *sp);
void spool_stats(const struct spool *sp, struct spool_stats *out);

/* Bytes on disk of the segments that hold anything at or behind lsn. */
uint64_t spool_held(const struct spool *sp, uint64_t lsn);

/* The lowest lsn of which spool_held() is at most `bytes`, or the beginning of the last segment. */
uint64_t spool_floor(const struct spool *sp, uint64_t bytes);

/* Called (from the syncer; after spool_abandon() from the ledger) whenever the durable lsn has advanced. Set it before the
 * first sync. */
void spool_on_durable(struct spool *sp, void (*fn)(void *arg), void *arg);

/* [ledger] Segments wholly before lsn may go, as far as retain and retain_max allow. now_us: the ledger's clock. */
void spool_trim(struct spool *sp, uint64_t lsn, int64_t now_us);

/* ---- readers: each belongs to one thread ---- */

struct spool_reader;

struct spool_reader *spool_reader_open(struct spool *sp);
void spool_reader_close(struct spool_reader *r);

/* Places the reader so that the next record is the first one at or behind pos.lsn.
 * 0; -ENOENT: no record ends at pos.lsn with pos.mark (store and spool have parted);
 * -ESTALE: pos lies before the oldest record kept: the reader stands at the oldest. pos {0,0}: the oldest, 0. */
must_check int spool_reader_seek(struct spool_reader *r, struct tally_position pos);

/* Places the reader at the first record of the segment that holds lsn, or at the oldest kept. Hold first. */
void spool_reader_before(struct spool_reader *r, uint64_t lsn);

/* 1: rec is filled, payload lent until the next call; 0: at the durable end; -EIO: unreadable; -ESTALE: its place was
 * trimmed away, which a hold prevents. Where recovery found damage the records behind it follow; a gap in lsn shows it. */
must_check int spool_reader_next(struct spool_reader *r, struct spool_record *rec);

/* Reads the one record that begins at lsn (a REDIS record that a RELEASE names). Payload lent until the next call of
 * this function. 0, -ENOENT or -EIO. */
must_check int spool_reader_at(struct spool_reader *r, uint64_t lsn, struct spool_record *rec);

/* Keeps segments at or behind lsn from being trimmed while this reader may need them. A reader begins with no hold; hold
 * first, then seek. UINT64_MAX lets go. */
void spool_reader_hold(struct spool_reader *r, uint64_t lsn);

#endif
