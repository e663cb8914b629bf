/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. Nobody else includes it.
 *
 * The life of a segment file: made as a spare (zero-filled, synced, its name synced) -> taken as the current one by a
 * group -> listed once that group is written -> closed for writing once it is durable and not the last -> trimmed:
 * wiped to a spare again, or unlinked.
 *
 * Locks: `lock` guards what is marked [lock]; it is taken per group and per segment, never per record, and never held
 * over a file call. `making` is held while a spare is made; it is taken before `lock`. Fields marked [ledger] are the
 * appender's own. */
#ifndef SPOOL_INNER_H
#define SPOOL_INNER_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "spool/format.h"
#include "spool/look.h"
#include "spool/scan.h"
#include "spool/spool.h"

#define NAME_BYTES 256
#define SPARES_KEPT 2 /* trimmed segments kept for the next use */
#define RECOVERY_AHEAD (1 << 20)
#define READER_AHEAD (256 << 10)
#define CHECKPOINT_MAX (1 << 20)

struct segment {
	char name[NAME_BYTES]; /* in dir */
	struct format_segment head;
	uint64_t end;              /* [lock] behind its last written record that counts */
	int64_t first_us, last_us; /* [lock] record times; 0 while it holds none */
	int fd;                    /* for writing, -1 = closed */
	bool bad;                  /* a sync of it failed: its descriptor is never synced, its file never used again */
};

/* A place of damage: no record of [from, to) can be read. */
struct hole {
	uint64_t from, from_mark, to;
};

/* The piece of a group that lies in one segment. */
struct part {
	struct segment *seg;
	uint64_t from; /* lsn */
	size_t at;     /* its first byte in the group's buffer; it goes on to the next part's */
	bool fresh;    /* the segment begins with it: its head is to be written too */
	int64_t first_us, last_us;
};

/* Records that are written together. Kept until durable, since a failed sync makes them needed again. */
struct group {
	struct group *next;
	uint64_t from, from_mark; /* where the log stood before it */
	int64_t from_us;
	struct segment *from_seg;
	uint64_t to, to_mark;
	uint64_t synced; /* durable lsn when it was begun */
	uint8_t *buf;
	size_t len, cap;
	struct part *parts;
	size_t nparts, parts_cap;
};

struct spool {
	struct spool_options opt; /* dir is our copy */
	struct spool_look *look;  /* not NULL: nothing is changed, what would be said or done is noted here */
	uint64_t payload_max, checkpoint_max;
	int lock_fd;

	pthread_mutex_t lock;
	struct segment **segs; /* [lock] oldest first; changed by the ledger only */
	size_t nsegs, segs_cap;
	struct segment *spares[64]; /* [lock] last in, first out */
	size_t nspares;
	bool tight;          /* [lock] the last segment wanted found no room: retained ones give way */
	uint64_t disk_bytes; /* [lock] of all segment files, also of the one being made */
	struct hole *holes;  /* fixed after open */
	size_t nholes;
	struct group *unsynced,
		*unsynced_last;         /* [lock] written, oldest first; the durable ones go at the next write */
	uint64_t written, written_mark; /* [lock] */
	uint64_t durable_mark;          /* [lock] */
	int sync_error;                 /* [lock] until spool_abandon() */
	struct spool_reader *readers;   /* [lock] */
	uint64_t cut_bytes, lost_bytes; /* fixed after open */
	unsigned quarantined;
	_Atomic uint64_t durable;

	/* [ledger] */
	uint64_t end, mark; /* behind the last appended record */
	int64_t last_us;
	uint64_t number;     /* of the last segment begun */
	struct segment *cur; /* takes the next record; may be a fresh one that no group has written yet */
	struct group *hand;
	struct group *stuck; /* its write failed and could not be undone yet */
	struct group *idle;  /* buffers for reuse */
	size_t (*checkpoint_fn)(void *arg, void *buf, size_t cap);
	void *checkpoint_arg;
	uint8_t *checkpoint_buf;

	void (*durable_fn)(void *arg);
	void *durable_arg;

	/* making spares; see spare.c */
	pthread_mutex_t making;
	uint64_t file_seq;        /* [making] for names */
	int64_t space_checked_us; /* [making] */
	int space_verdict;
	pthread_t helper;
	bool helper_runs;
	pthread_cond_t helper_wake;
	bool helper_wanted, helper_stop; /* [lock] */
};

/* ---- segment.c ---- */

struct segment *segment_new(const char *name);
void segment_free(struct segment *seg); /* closes it */
void segment_path(const struct spool *sp, const char *name, char out[PATH_MAX]);
must_check int segment_open_fd(const struct spool *sp, struct segment *seg);
must_check int segment_write_head(struct segment *seg);
must_check int segment_wipe(const struct spool *sp, struct segment *seg);
must_check int segment_zero(struct segment *seg, const char *seam, uint64_t at, uint64_t len);
must_check int segment_sync_apart(const struct spool *sp, const struct segment *seg);
must_check int segment_unlink(struct spool *sp, struct segment *seg);
void segment_remove(struct spool *sp, struct segment *seg);
uint64_t segment_room(const struct segment *seg, uint64_t end);
uint64_t segment_capacity(const struct spool *sp);
void segment_list_push(struct spool *sp, struct segment *seg);
void segment_list_put_first(struct spool *sp, struct segment *seg); /* [lock held] */
void segment_list_remove(struct spool *sp, size_t at);

/* ---- spare.c ---- */

must_check int spare_need(struct spool *sp, size_t count, bool limited);
struct segment *spare_take(struct spool *sp);
void spare_put(struct spool *sp, struct segment *seg);
void spare_helper_start(struct spool *sp);
void spare_helper_stop(struct spool *sp);
void spare_helper_wake(struct spool *sp);

/* ---- group.c ---- */

void group_put(struct spool *sp, struct group *g);
void group_free_list(struct group *g);
struct segment *group_begin_segment(struct spool *sp);
void group_checkpoint(struct spool *sp);
uint8_t *group_extend(struct spool *sp, uint64_t size, int64_t time_us);
uint64_t group_part_end(const struct group *g, size_t i);

/* ---- write.c ---- */

must_check int write_out(struct group *g);
void write_list(struct spool *sp, struct group *g);
void write_take_back(struct spool *sp, struct group *g);

/* ---- sync.c ---- */

uint64_t sync_mark_at(struct spool *sp, uint64_t lsn); /* [lock held] */

/* ---- quarantine.c ---- */

void quarantine_bytes(struct spool *sp, struct scan *s, const char *what, uint64_t from, uint64_t to);
void quarantine_file(struct spool *sp, const char *name, const char *why);

/* ---- spool.c ---- */

struct spool *spool_make(const struct spool_options *opt);

/* ---- look.c ---- */

int look_tail(struct spool *sp, size_t keep);

void look_note(struct spool *sp, enum spool_finding_kind kind, const char *name, uint64_t from, uint64_t to,
	const char *words);

/* ---- collect.c, recover.c, tail.c ---- */

must_check int collect_segments(struct spool *sp, char why[256]);
must_check int recover_log(struct spool *sp, spool_recall_fn fn, void *arg, char why[256]);
/* Copies the bytes behind from that are no part of the log away. 1: there are some, and they must go; 0: none; -EIO. */
int tail_copy_cut(struct spool *sp, const struct segment *seg, uint64_t from);
must_check int tail_settle(struct spool *sp, size_t keep, uint64_t sure, char why[256]);

/* ---- trim.c ---- */

void trim_retire(struct spool *sp, struct segment *seg);

/* ---- reader.c ---- */

uint64_t reader_lowest_hold(struct spool *sp); /* [lock held] */

#endif
