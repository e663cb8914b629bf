/* SPDX-License-Identifier: Apache-2.0 */
/* What store.c, servers.c and sampler.c share: the servers a store can be read from, and their readers.
 *
 * Everything here is under store->lock, but for what a reader's own thread alone uses while the reader is out: `reader`
 * changes under the lock, and is used without it by that thread. */
#ifndef DESK_STORE_INNER_H
#define DESK_STORE_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "desk/lag.h"
#include "desk/store.h"
#include "meter/meter.h"

#define STORE_SERVERS_MAX 17  /* replicas, and the one that is written to */
#define STORE_GRACE_US 500000 /* past its limit a reading is cancelled: the server should have ended it */

struct store_reader {
	struct store *store;
	struct server *server;
	void *reader; /* the sink's; NULL = to be opened */
	bool out, probes;
	atomic_bool cancelled; /* set under the lock */
	int64_t until_us;      /* monotonic: while it is out */
	struct store_ask *ask;
	uint64_t config; /* as it was at store_begin() */
	struct store_freshness fresh;
	bool unconfirmed;
	struct store_reader *next; /* all of the server */
};

/* Why a server is not asked. The words label a metric. */
enum server_state { SERVER_NEW, SERVER_GOOD, SERVER_LAGS, SERVER_AWAY, SERVER_STRANGE, SERVER_ERROR, SERVER_STATES };

struct server {
	struct store *store;
	const char *name;
	size_t number; /* of the replica; the last one is the server that is written to */
	bool primary;
	enum server_state state;
	char why[200];                  /* of a state that is not good */
	bool newest;                    /* it lacked nothing when it was last looked at */
	struct lag_seen last;           /* by a probe */
	uint64_t era;                   /* in which it was seen in step */
	int64_t lag_us;                 /* at most, when it was last looked at */
	int64_t hold_us, hold_until_us; /* ERROR: how long it is left alone, monotonic */
	unsigned busy;                  /* readings under way, without probes */
	uint64_t turn;                  /* when it was last taken */
	struct store_reader *readers;
	struct meter_series *reads, *lag, *up, *passed[SERVER_STATES];
	pthread_t thread;
};

struct store {
	struct store_options opt;
	pthread_mutex_t lock;
	size_t nservers, nreplicas;
	struct server servers[STORE_SERVERS_MAX];
	uint64_t turns;

	/* replicas */
	int64_t max_lag_us, not_before_us;
	struct lag_log log;
	uint64_t samples;       /* how often the log was added to, or could not be */
	pthread_cond_t sampled; /* also: closing */
	bool closing;
};

/* ---- store.c ---- */

/* An idle reader of that server, or a new one; out from now on. */
struct store_reader *store_take_reader(struct server *sv, int64_t until_us);
void store_give_reader(struct store_reader *r);
/* Opened if need be, a snapshot begun. -errno with words. */
must_check int store_begin_reader(struct store_reader *r, char words[200]);
/* The connection is in doubt: the next user opens a new one. */
void store_drop_reader(struct store_reader *r);

/* ---- servers.c ---- */

void servers_open(struct store *s);
/* [lock] The one to ask next; NULL = there is none that was not tried. *unconfirmed: a replica, though the server that is
 * written to cannot be asked what it lacks. */
struct server *servers_choose(struct store *s, const struct store_ask *ask, bool *unconfirmed);
/* A replica's snapshot has begun: is it young enough for this question? 0, or -errno with words. */
must_check int servers_check(struct store_reader *r, char words[200]);
/* Reading from it failed; it is left alone for a while. */
void servers_failed(struct server *sv, const char *words);
/* [lock] A probe has seen this of a replica (taken over), or failed (-errno with words). */
void servers_judge(struct server *sv, int rc, const char *words, struct lag_seen *seen);
/* [lock] A note was taken: who had been further than that is no replica. */
void servers_compare(struct store *s);
/* [lock] What is being read there is given up, but for probes. */
void servers_cancel(struct server *sv);
/* The positions that the snapshot has. */
must_check int servers_look(struct store_reader *r, struct lag_seen *out);

/* ---- sampler.c ---- */

void sampler_open(struct store *s);
void sampler_close(struct store *s);

#endif
