/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. Everything here belongs to the ledger's thread unless marked otherwise. */
#ifndef LEDGER_INTERNAL_H
#define LEDGER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/ring.h"
#include "ledger/ledger.h"

/* Requests that share one write, one sync and one fate. A group is in exactly one of: being built (`building`),
 * written and waiting for its sync (`unsynced`, oldest first), or gone. */
struct group {
	struct ledger_request *first, **last;
	uint64_t ticket;
	uint64_t end;            /* lsn behind its last record; nothing of it is at or behind this */
	bool kept;               /* some request of it was answered at `written`: it must survive a failed sync */
	struct tally_str delta;  /* encoded terms: what this group adds once its fate is known; malloc'd */
	struct tally_str before; /* the part of delta that was carried over from earlier groups; malloc'd */
	struct group *next;
};

/* The syncer: one fdatasync in flight. `upto` is set before `state` goes to SYNC_ASKED. */
enum sync_state { SYNC_IDLE, SYNC_ASKED, SYNC_DONE, SYNC_QUIT };

struct syncer {
	pthread_t thread;
	struct gate *gate;
	_Atomic int state;
	uint64_t upto;
	int rc;                   /* valid in SYNC_DONE */
	_Atomic int64_t began_us; /* monotonic; 0 = none under way */
	_Atomic int64_t took_us;  /* the last one, … */
	_Atomic int64_t ended_us; /* … and when that ended; monotonic */
};

struct pending_book;

struct ledger {
	const struct conf *conf;
	struct plug_set *plugins;
	struct plug_chain *chain;
	struct spool *spool;

	struct ring *ring;
	struct gate *gate;
	pthread_t thread;
	bool running;
	_Atomic bool quit;
	struct syncer syncer;

	struct meter_series *sync_meter;
	uint64_t ticket;                /* of the group being built */
	int64_t time_us;                /* the log's clock, and the time of the last record: never decreasing */
	int64_t ticked_us;              /* monotonic: when time_us was looked at */
	int64_t leap_us, leap_until_us; /* how far time_us leapt lately; until when (monotonic) that matters */
	struct group *unsynced, **unsynced_last;
	bool awaited;                       /* somebody waits for the sync of a group that none was asked for yet */
	bool wants_reload;                  /* a reload waits for that */
	int64_t asked_us;                   /* monotonic: when the last sync was asked for */
	struct ledger_request *stored_wait; /* durable, waiting for the lines */

	/* terms: `appended` is what a checkpoint written now must say: all records before it; `settled` what readers see */
	struct terms *appended;
	struct terms *carried;  /* of groups that wrote nothing or failed: goes with the next record */
	struct terms *building; /* of the group in hand */
	struct {
		struct tally_str site;
		int64_t received, taken;
	} run;                /* of neighbours of one site: not in `building` yet */
	pthread_mutex_t lock; /* settled, settled_end, reload */
	struct terms *settled;
	uint64_t settled_end;
	bool must_abandon; /* a failed sync could not be left behind yet: tried again before the next group */

	struct ledger_line *lines;
	struct pending_book *book, *book_end; /* REDIS records that are pending or may still be read, oldest first */
	struct pending_book *book_open;       /* of these the pending ones */
	_Atomic(struct ledger_dead *) dead;

	_Atomic(const char *) trouble, full_line;
	int64_t retry_at_us; /* monotonic: when a spool that took nothing is tried again */
	int64_t trimmed_at_us;
	_Atomic uint64_t start_lsn; /* of this run's START record; UINT64_MAX: it could not be written yet */
	uint64_t start_end;
	struct arena arena; /* of the group being built */

	struct plug_set *next_plugins; /* under lock: a reload that waits for the thread */
	const struct conf *next_conf;
};

/* intake.c */
struct group *intake_collect(struct ledger *l); /* NULL: nothing has come */
void intake_process(struct ledger *l, struct group *g);
void intake_flush_carried(struct ledger *l);
void intake_tick_clock(struct ledger *l);
int64_t intake_retain_clock(struct ledger *l); /* by which retained segments go */
void intake_start(struct ledger *l);           /* the START of this run */
void intake_end(struct ledger *l);
uint64_t intake_written_end(const struct ledger *l);

/* admit.c: the requests of a group against the plugins; counts into l->building. Ensures: every item has its verdict. */
void admit_group(struct ledger *l, struct group *g);

/* record.c: the group's records into the spool. 0 or the -errno of a spool that takes nothing. settling: of the group's
 * own requests all are, and they may use the room that is kept for them; counts of others wait for better times. */
must_check int record_group(struct ledger *l, struct group *g, bool settling);

/* Lets go of what no line needs. */
void ledger_trim(struct ledger *l);

/* Bytes of events or head that one record may hold. */
size_t record_room(const struct ledger *l);

/* fate.c */
/* Answers, at once and alone, what no record can hold. */
void fate_oversized(struct ledger *l, struct group *g);
void fate_written(struct ledger *l, struct group *g);
void fate_durable(struct ledger *l);
void fate_refused(struct ledger *l, struct group *g, int rc, const char *reason);
void fate_sync_failed(struct ledger *l, int rc);
/* What a checkpoint must say if only the groups that end at or before `end` count. */
void fate_rebuild_appended(struct ledger *l, uint64_t end);
void fate_stored(struct ledger *l, int64_t now_us);

/* recall.c: a record found in the spool at open, or read again for a new chain. */
int recall_record(void *arg, const struct spool_record *rec);
void recall_chain(struct ledger *l, struct plug_chain *chain, const struct spool_record *rec);

void recall_free(struct ledger *l);

/* A DEAD payload behind its zero: the event it names is known as dead from now on. */
void dead_add(struct ledger *l, struct tally_str payload);

/* owed.c: room that must stay free for what settles. */
size_t owed_of_items(const struct ledger_item *items, size_t n);
size_t owed_of_payload(struct tally_str payload);
bool owed_is_settling(const struct ledger_request *rq);
void owed_behind(struct ledger *l, const struct group *g, bool settling, size_t *bytes, size_t *records);

/* book.c: Redis batches, as they are found at open … */
void book_add(struct ledger *l, uint64_t lsn, struct tally_str payload);
/* The pending one, or NULL. */
struct pending_book *book_find(struct ledger *l, uint64_t lsn);
struct tally_str book_payload(const struct pending_book *b);
void book_release(struct ledger *l, struct pending_book *b, uint64_t release_lsn);
void book_free(struct ledger *l);
/* … and as they come. */
void pending_begins(struct ledger *l, const struct ledger_request *rq);
void pending_released(struct ledger *l, uint64_t pending_lsn, uint64_t release_lsn);
void pending_voided(struct ledger *l, uint64_t pending_lsn);
/* Adds what the pending records owe, but for those that g settles. */
void pending_owed(struct ledger *l, const struct group *g, bool (*settles)(const struct group *g, uint64_t lsn),
	size_t *bytes, size_t *records);
/* The oldest REDIS record that must stay; lines_need: nothing before it is read by a line again. */
uint64_t pending_lowest(struct ledger *l, uint64_t lines_need);

#endif
