/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Redis door share; all of it belongs to the source's thread unless marked otherwise. */
#ifndef DOOR_REDIS_INNER_H
#define DOOR_REDIS_INNER_H

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/ring.h"
#include "door/redis.h"
#include "event/event.h"
#include "meter/meter.h"

#define REDIS_TOKEN (36 + 1 + 16 + 1) /* uuid, '/', 16 hex digits, NUL */
#define REDIS_BATCH_ID 33             /* 32 hex digits, NUL */
#define REDIS_PEEK_MAX 1000           /* elements at a time */
#define REDIS_PEEK_BYTES (8u << 20)   /* at most this much of them */
#define REDIS_LEASE_MS 10000

struct redis_url {
	char host[256], user[128], password[256], path[108];
	int port, db;
};

/* A batch between peek and release; lives in the source's arena. */
struct redis_batch {
	char id[REDIS_BATCH_ID];
	redisReply *elements; /* as peeked, in reading order: elements[0] is nearest to the end we read */
	size_t n;
	struct ledger_item *items;
	size_t nitems, items_cap;
	struct ledger_rejected *rejected;
	size_t nrejected, rejected_cap;
	struct tally_str *dead; /* JSON for the dead list, one an element or event that cannot be read */
	size_t ndead, dead_cap;
	uint64_t lsn; /* of its REDIS record */
};

/* A pending batch found in the spool at start. */
struct redis_found {
	char id[REDIS_BATCH_ID];
	uint64_t lsn;
	struct redis_found *next;
};

struct redis_source {
	struct redis_options opt;
	struct redis_url url;
	char lease[600], acked[600], dead[600];
	char token[REDIS_TOKEN];
	redisContext *redis;
	struct arena arena;        /* of the batch in hand */
	struct redis_found *found; /* oldest first: to be settled before anything is read */
	size_t peek;               /* elements to ask for */
	unsigned attempts;         /* connections that failed in a row */

	pthread_t thread;
	bool running;
	_Atomic bool quit;
	struct gate *gate; /* knocked by the ledger's answer and by close */
	_Atomic bool answered;

	pthread_mutex_t lock;
	struct redis_view view;
	struct meter_series *length_meter, *events_meter;
};

/* redis_link.c: connecting and commands. */
must_check int redis_url_parse(const char *url, struct redis_url *out, char why[256]);
/* Connects, chooses the database, checks that it is a master that does not evict. */
must_check int redis_link(struct redis_source *s);
void redis_unlink(struct redis_source *s);
/* NULL: the connection broke or Redis refused; said in the view, connection gone. Free with freeReplyObject(). */
redisReply *redis_call(struct redis_source *s, int argc, const char *const *argv, const size_t *len);
void redis_trouble(struct redis_source *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* redis_script.c: the two scripts. */
enum redis_taken { TAKEN_OURS, TAKEN_OTHERS, TAKEN_BROKEN };
/* Draws a new token. acked: the batch id noted for this node, "" = none. */
enum redis_taken redis_take_lease(struct redis_source *s, char acked[REDIS_BATCH_ID]);
enum redis_settled { SETTLED_OK, SETTLED_MOVED, SETTLED_LOST, SETTLED_BROKEN };
enum redis_settled redis_settle(struct redis_source *s, const struct redis_batch *b);

/* redis_batch.c */
/* 1 a batch, 0 nothing there, -1 the connection broke. */
must_check int redis_peek(struct redis_source *s, struct redis_batch *b);
void redis_read_elements(struct redis_source *s, struct redis_batch *b);
/* The one element of the batch holds more events than a record: it goes to the dead list, and none of them is taken. */
void redis_lay_aside_whole(struct redis_source *s, struct redis_batch *b);
/* The head of its REDIS record: u8 1, u8[3] 0, u16 list bytes, list, 32 bytes id, u32 n, n x u64 hash of an element. */
struct tally_str redis_batch_head(struct redis_source *s, const struct redis_batch *b);
/* false: the head is of another list or not well-formed. */
bool redis_head_read(struct tally_str head, const char *list, char id[REDIS_BATCH_ID]);
/* The items of a pending record, read back from the spool. */
must_check int redis_batch_recall(struct redis_source *s, uint64_t lsn, struct redis_batch *b);

/* redis_fate.c: posts to the ledger and waits. 0 or the ledger's rc. */
must_check int redis_make_pending(struct redis_source *s, struct redis_batch *b);
void redis_release(struct redis_source *s, struct redis_batch *b);
void redis_void(struct redis_source *s, uint64_t lsn);
/* Settles what was found at start: up to `acked` released, the rest void. */
void redis_settle_found(struct redis_source *s, const char *acked);

#endif
