/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Redis door share; all of it belongs to the source's thread unless marked otherwise. */
#ifndef DOOR_REDIS_INNER_H
#define DOOR_REDIS_INNER_H

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/ring.h"
#include "conf/redis_url.h"
#include "door/plugs.h"
#include "door/redis.h"
#include "event/event.h"
#include "meter/meter.h"

#define REDIS_TOKEN (36 + 1 + 16 + 1) /* uuid, '/', 16 hex digits, NUL */
#define REDIS_BATCH_ID 33             /* 32 hex digits, NUL */
#define REDIS_PEEK_MAX 1000           /* elements at a time */
#define REDIS_PEEK_BYTES "8388608"    /* at most this much of them; a single element over it is laid aside unread */
#define REDIS_DEAD_MAX "100000"       /* entries of the dead list; the oldest make room */
#define REDIS_LEASE_MS "10000"
#define REDIS_LEASE_LOOK_MS (10000 / 4) /* how often another's lease is looked at */

/* A batch between peek and release; lives in the source's arena. */
struct redis_batch {
	char id[REDIS_BATCH_ID];
	redisReply *elements; /* as peeked, in reading order: element[0] is nearest to the end we read */
	size_t n;
	struct ledger_item *items;
	size_t nitems, items_cap;
	struct ledger_rejected *rejected;
	size_t nrejected, rejected_cap;
	struct tally_str *dead; /* JSON for the dead list, one an element with anything in it that cannot be read */
	size_t ndead, dead_cap;
	uint64_t lsn; /* of its REDIS record */
};

/* A pending batch found in the spool at start, or left by a break. */
struct redis_found {
	char id[REDIS_BATCH_ID];
	uint64_t lsn;
	struct redis_found *next;
};

#define REDIS_TURNS 32 /* goings back that are remembered */

struct redis_source {
	struct redis_options opt;
	struct redis_url url;
	size_t turn;              /* which of url.at is tried next */
	struct redis_place named; /* by a Sentinel or by MOVED: connected to next; host "" = the url's */
	char lease[600], acked[600], dead[600];
	bool tagged; /* the list's name has a hash tag: a Cluster keeps its companions in one slot */
	char token[REDIS_TOKEN];
	char last[REDIS_BATCH_ID]; /* the batch released last, as far as the spool still tells; "" = none known */
	char turns[REDIS_TURNS][REDIS_BATCH_ID]; /* that batch, each time when Redis had gone back; a ring */
	size_t nturns;
	redisContext *redis;
	struct door_plugs plugs;
	struct arena arena;        /* of the batch in hand */
	struct redis_found *found; /* oldest first: to be settled before anything is read */
	size_t peek;               /* elements to ask for */
	unsigned attempts;         /* breaks in a row, without a turn that went well */

	pthread_t thread;
	bool running;
	_Atomic bool quit;
	struct gate *gate; /* knocked by the ledger's answer and by close */
	_Atomic bool answered;

	pthread_mutex_t lock;
	int fd; /* under lock: of the connection, -1 = none; close() cuts it */
	struct redis_view view;
	struct meter_series *length_meter, *events_meter;
};

/* redis_link.c: connecting and commands. */
/* Connects to the master, chooses the database, checks that it keeps what it is given. */
must_check int redis_link(struct redis_source *s);
void redis_unlink(struct redis_source *s);
/* NULL: the connection broke or Redis refused; said in the view, connection gone. Free with freeReplyObject(). */
redisReply *redis_call(struct redis_source *s, int argc, const char *const *argv, const size_t *len);
/* The same with the words of a refusal: `out` is NULL where the connection broke. */
void redis_trouble(struct redis_source *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A fault seam. True: it fired, and the connection is cut. */
must_check bool redis_seam(struct redis_source *s, const char *name);

/* redis_place.c: which server to connect to. */
/* The place to connect to now. -errno: no Sentinel tells one; said in the view. */
must_check int redis_place_find(struct redis_source *s, struct redis_place *out);
/* It did not answer, or is no master: another place is tried next. */
void redis_place_next(struct redis_source *s);
/* What an error says about the place: "MOVED 1234 host:port". */
void redis_place_moved(struct redis_source *s, const char *error);
redisContext *redis_connect(const struct redis_place *at, int seconds);

/* redis_error.c: what Redis means, and what to do; "" = nothing to add. */
const char *redis_error_remedy(const char *error);

/* redis_script.c: everything that changes something in Redis. */
enum redis_taken { TAKEN_OURS, TAKEN_OTHERS, TAKEN_BROKEN };
/* Draws a new token. acked: the batch id noted for this node, "" = none. */
enum redis_taken redis_take_lease(struct redis_source *s, char acked[REDIS_BATCH_ID]);
enum redis_settled { SETTLED_OK, SETTLED_MOVED, SETTLED_LOST, SETTLED_BROKEN };
/* Trims the batch's n elements, adds to the dead list, notes its id. n 0: only notes the id. */
enum redis_settled redis_settle(struct redis_source *s, const struct redis_batch *b);
/* Extends the lease and no more. */
enum redis_settled redis_extend(struct redis_source *s);
/* Up to n elements in reading order, of REDIS_PEEK_BYTES at most; an integer: the bytes of the nearest element, which
 * alone has more. NULL: the connection broke. */
redisReply *redis_look(struct redis_source *s, size_t n);
/* The nearest element goes to the dead list, behind `note`, unread. */
enum redis_settled redis_set_aside(struct redis_source *s, struct tally_str note);

/* redis_batch.c */
/* 1 a batch, 0 nothing there, -1 the connection broke or the lease is lost. */
must_check int redis_peek(struct redis_source *s, struct redis_batch *b);
void redis_read_elements(struct redis_source *s, struct redis_batch *b);
/* The one element of the batch holds more events than a record: it goes to the dead list, and none of them is taken. */
void redis_lay_aside_whole(struct redis_source *s, struct redis_batch *b);

/* redis_head.c: the head of a REDIS record. */
struct redis_head {
	struct tally_str list;
	char id[REDIS_BATCH_ID];
	bool right;
	size_t n;                  /* elements */
	const char *hashes;        /* n times u64 */
	struct tally_str rejected; /* reasons, each one byte of length and its text */
};
struct tally_str redis_head_write(struct redis_source *s, const struct redis_batch *b);
must_check bool redis_head_read(struct tally_str head, struct redis_head *out);
uint64_t redis_hash(const redisReply *element);
/* The items of a pending record, read back from the spool. */
must_check int redis_batch_recall(struct redis_source *s, uint64_t lsn, struct redis_batch *b);

/* redis_fate.c: posts to the ledger and waits. */
/* 0 or the ledger's rc. */
must_check int redis_make_pending(struct redis_source *s, struct redis_batch *b);
/* These two end when it is written, or at quit: false. Until then nothing else may be taken from the list. */
must_check bool redis_release(struct redis_source *s, struct redis_batch *b);
must_check bool redis_void(struct redis_source *s, uint64_t lsn);
/* What no batch holds is counted too. */
void redis_count_rejected(struct redis_source *s, const char *reason);
/* Settles what was found at start: up to `acked` released, the rest void. False: not all of it is settled. */
must_check bool redis_settle_found(struct redis_source *s, const char *acked);

/* redis_back.c: [with the lease, nothing pending] acked is what Redis noted last. If that is older than what was
 * released last, Redis went back: what stands at the head of the list and was released already is trimmed unread.
 * False: to be begun again with a new taking of the lease. */
must_check bool redis_catch_up(struct redis_source *s, const char *acked);

#endif
