/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: the one appender. Takes requests from all doors, asks the admit plugins, numbers what is taken, writes it
 * to the spool in groups, and answers when a group has reached the level that was asked for.
 *
 * One thread runs it, and a second one that only ever waits in fdatasync. A group is whatever arrived while the sync
 * before it was running: no timer, but where nobody waits for the sync (`ack: written`): there it is paced, for the lines
 * that read what is durable. All events of a group are one record and share its fate. */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "conf/conf.h"
#include "meter/ledger_terms.h"
#include "plug/plug.h"
#include "spool/spool.h"

enum ledger_verdict {
	LEDGER_TAKEN,
	LEDGER_DUPLICATE,
	LEDGER_DROPPED, /* by a plugin: counted, not kept */
	LEDGER_SHED,    /* by a plugin: to be sent again */
};

struct ledger_item {
	struct tally_event ev; /* as read; lsn, idx and received_us are set by the ledger */
	const void *form;      /* its spool form, form_bytes long */
	uint32_t form_bytes;
	uint8_t verdict;    /* out: enum ledger_verdict */
	const char *reason; /* out: DROPPED, SHED; lives until the answer */
};

struct ledger_rejected {
	struct tally_str site; /* "" if it could not be read */
	const char *reason;    /* event_error.code */
};

enum ledger_kind {
	LEDGER_EVENTS,  /* items become durable and visible to the lines */
	LEDGER_PENDING, /* a REDIS record: head and items, invisible until released */
	LEDGER_RELEASE, /* the pending record of `subject` becomes visible; its items are admitted now */
	LEDGER_VOID,    /* the pending record of `subject` never happened */
	LEDGER_DEAD,    /* head is a DEAD payload: lines learn of it before the answer */
	LEDGER_LETTERS, /* head is a LETTERS payload */
};

/* One request. Owned by whoever makes it; lent to the ledger from ledger_post() until done() is called. */
struct ledger_request {
	enum ledger_kind kind;
	enum conf_ack ack;
	const char *door; /* "http", "redis": label of counters */
	struct ledger_item *items;
	size_t nitems;
	const struct ledger_rejected *rejected;
	size_t nrejected;
	struct tally_str head; /* PENDING, DEAD, LETTERS; of the last two what follows the zero */
	uint64_t subject;      /* RELEASE, VOID: lsn of the pending record */

	/* out */
	int rc; /* 0; -ENOSPC, -EMSGSIZE: nothing was taken; -EIO: unknown outcome, retry with the same ids */
	const char *reason; /* rc != 0 */
	const char *line;   /* rc -ENOSPC: the line that the spool is full for, or NULL; lives as long as the ledger */
	unsigned retry_after_s;
	enum conf_ack reached;
	uint32_t taken, duplicates, dropped, shed;
	uint64_t lsn, end; /* of the record that holds it */

	/* [ledger] takes the request back; must not block. */
	void (*done)(struct ledger_request *rq);
	void *user;

	struct ledger_request *next; /* the ledger's */
	int64_t deadline_us;         /* the ledger's: ack stored */
};

/* A Redis batch found in the spool at start: pending, or released and still kept. */
struct ledger_batch {
	uint64_t lsn;
	struct tally_str head;
	uint64_t released; /* lsn of its RELEASE; 0 = pending */
	struct ledger_batch *next;
};

/* What a line tells the ledger; all lsns. */
struct ledger_line {
	const char *name;
	_Atomic uint64_t done;    /* everything before it is committed, dead or dropped; 0 until the store was seen */
	_Atomic uint64_t needed;  /* spool must be kept from here on */
	_Atomic bool unreachable; /* its breaker is open: nobody waits for it */
	uint64_t most; /* bytes of the spool that may wait for it; UINT64_MAX = as much as there is room for */
	bool skips;    /* past that it is skipped forward; otherwise events are refused */
	struct ledger_line *next;
};

/* An event that a line must lay aside: from DEAD records. */
struct ledger_dead {
	char line[64];
	uint64_t lsn;
	uint32_t idx;
	int32_t code;
	char message[256];
	struct ledger_dead *next;
};

struct ledger;

struct ledger_options {
	const struct conf *conf;
	const uint8_t *node; /* 16 bytes */
	struct plug_set *plugins;
};

/* Recovers the spool, recalls it to the admit plugins, appends START. -EINVAL or -errno with why. */
must_check int ledger_open(const struct ledger_options *opt, struct ledger **out, char why[512]);

/* Before ledger_run(): lines are known to trimming and to `ack: stored`. line must outlive the ledger. */
void ledger_add_line(struct ledger *l, struct ledger_line *line);

/* Starts the two threads. */
void ledger_run(struct ledger *l);

/* [any thread] false: the ring is full; keep the request, stop reading your source and try again. */
must_check bool ledger_post(struct ledger *l, struct ledger_request *rq);

/* [any thread] The same in two steps, for who has many at once: what is laid down is taken at the next ring of the bell,
 * by whomever, so it must be rung before the caller sleeps. */
must_check bool ledger_lay_down(struct ledger *l, struct ledger_request *rq);
void ledger_ring_bell(struct ledger *l);

/* [line] done or needed has moved, or unreachable has changed. */
void ledger_line_moved(struct ledger *l);

/* [any thread] What happened to everything received, as of the record that ends at *end: copied into out. */
void ledger_terms(struct ledger *l, struct terms *out, uint64_t *end);

/* [any thread] NULL, or why nothing is accepted at the moment. */
const char *ledger_trouble(const struct ledger *l);

/* [any thread] NULL, or the line that the spool is full for. */
const char *ledger_full_line(const struct ledger *l);

/* [any thread] how full the ring of requests is, 0..1. */
double ledger_queue_share(const struct ledger *l);

/* [any thread] how long the last fdatasync took, or the one under way has been taking, in seconds. 0 when there was none
 * for a second: who holds back because the disk was slow must see it as it is now, or nothing is ever sent to it again. */
double ledger_sync_seconds(const struct ledger *l);

/* What a Redis source must settle before it takes new batches, and what it had released; oldest first, without those
 * that are void. [before ledger_run()] */
const struct ledger_batch *ledger_batches(const struct ledger *l);

/* [line] the dead letters known for a line, newest first; the list only grows at its head and is never freed before
 * the ledger. */
const struct ledger_dead *ledger_dead(const struct ledger *l);

struct spool *ledger_spool(struct ledger *l);

/* [line] The store of this line names no place in the spool; or names one (again). See parted.c. */
void ledger_note_parted(struct ledger *l, const char *line, struct tally_position at);
bool ledger_has_parted(
	const struct ledger *l, const char *line, struct tally_position at); /* it was noted of this one */
void ledger_note_found(struct ledger *l, const char *line);

/* [any thread] a new pipeline: the ledger opens its chain from this set before its next group. If anything has changed for the ledger's
 * plugins, the ids that the old instances knew are recalled from the spool into the new ones. */
void ledger_reload(struct ledger *l, struct plug_set *plugins, const struct conf *conf);

/* [any thread] a reload has not been taken yet. */
bool ledger_is_reloading(struct ledger *l);

/* Answers what was posted, syncs, joins the threads. Doors must have stopped posting. What is durable stays readable
 * until ledger_close(). */
void ledger_stop(struct ledger *l);
void ledger_close(struct ledger *l);

#endif
