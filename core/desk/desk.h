/* SPDX-License-Identifier: Apache-2.0 */
/* The desk: answers for what the stores hold. One thread takes requests from any number of lanes, asks the plugins, and
 * has the store read by worker threads; nothing it does waits.
 *
 * It knows neither HTTP connections nor the rooms that feed the store: requests come as desk_request, and what only
 * others know (readiness, the ledger, how fresh the store is) comes through desk_view. */
#ifndef DESK_DESK_H
#define DESK_DESK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <tally/sink.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"
#include "plug/plug.h"
#include "ship/schema.h"

struct lookups;

/* ---- a request and its answer ---- */

/* Texts are static or live in the request's arena. */
struct desk_answer {
	int status;
	struct tally_str type; /* content type; empty = none (304) */
	struct tally_str body;
	struct tally_str etag;     /* with its quotes; empty = none */
	const char *cache_control; /* NULL = none */
	const char *vary;          /* NULL = none */
	unsigned retry_after_s;    /* 0 = none */
	uint64_t version;          /* of the data it was made from; 0 = not a statistics answer */
	unsigned age_s;            /* has_age: since its source last said so */
	bool has_age;
	bool stream; /* the body comes in chunks: see desk_request */
};

/* What is known of a request, lent for the length of desk_request_make(). */
struct desk_ask {
	struct tally_str method, path, query, body; /* path decoded, query as sent without '?' */
	struct tally_str accept, if_none_match;     /* header fields; may be empty */
	struct tally_str key_site;                  /* the only site its key may see; empty = any */
	bool newest;                                /* Cache-Control: no-cache: from the store, as of now */
};

struct desk_request {
	struct arena arena;
	struct desk_ask ask; /* copied into the arena */
	struct desk_answer answer;
	void *user;
	void (*done)(struct desk_request *rq); /* [desk] the answer is there; the request is the poster's again */
	/* Set by a poster that can stream, else NULL. [desk] After done() of an answer that is a stream the request stays
	 * the desk's, until a chunk is the last. The text is copied. */
	void (*chunk)(struct desk_request *rq, struct tally_str text, bool last);
	atomic_bool gone; /* set by the poster: nobody reads the stream any more */
};

/* [any thread] Copies all of ask. Never NULL. */
struct desk_request *desk_request_make(const struct desk_ask *ask, void (*done)(struct desk_request *rq), void *user);
/* [any thread] The owner of the moment. */
void desk_request_free(struct desk_request *rq);

/* ---- the desk ---- */

/* What others know. Any function may be NULL; all are called on the desk's thread, freshness on others too, and must not
 * block. */
struct desk_view {
	void *arg;
	/* False: not ready, why says which part. True with a why: degraded. NULL = always ready. */
	bool (*ready)(void *arg, char why[256]);
	/* The ledger as JSON, in the arena. */
	struct tally_str (*ledger)(void *arg, struct arena *a);
	/* Everything received up to *complete_through_us is in the store. False = not known yet. */
	bool (*freshness)(void *arg, int64_t *complete_through_us, double *lag_seconds);
	/* How often this daemon may have changed the store. NULL = nobody counts. */
	uint64_t (*changes)(void *arg);
	/* Any other path: true = *out is filled (texts in the arena). Asked last, before 404. */
	bool (*other)(void *arg, struct arena *a, const struct desk_ask *ask, struct desk_answer *out);
};

struct desk_options {
	const struct conf *conf;
	struct plug_set *plugins;
	const struct schema *schema;
	const struct tally_sink *store; /* the first sink with is_store; NULL = statistics are answered 503 */
	void *store_self;
	const char *store_prefix;
	struct lookups *lookups; /* NULL = there are none */
	struct desk_view view;
	bool strict; /* a plugin that cannot open is an error */
};

struct desk;

/* Starts the thread. What the options point to must outlive the desk. -errno with why. */
must_check int desk_open(const struct desk_options *opt, struct desk **out, char why[512]);

/* [any thread] Hands a request over; done() will be called for it. False: the desk is closing or its ring is full; the
 * request stays the caller's (answer 503). */
must_check bool desk_post(struct desk *d, struct desk_request *rq);

/* [any thread] A new pipeline and new sites: the desk opens its chain from this set before the next request. Questions
 * that old instances hold go on to the planner. Both must outlive the desk. */
void desk_reload(struct desk *d, struct plug_set *plugins, const struct conf *conf);
/* [any thread] The desk has not taken the last desk_reload() yet. */
bool desk_is_reloading(struct desk *d);

/* [any thread] Ends all streams, and refuses new ones; back when their last chunks are with their posters. */
void desk_end_streams(struct desk *d);

/* Answers what waits with 503, lets what runs end, joins the thread. No desk_post() may be under way. */
void desk_close(struct desk *d);

/* [any thread] From now on every answer has what is committed by now: a replica that has not is not asked. */
void desk_read_behind_now(struct desk *d);

/* [any thread] Replicas, as store_replicas(). */
struct store_replica_view;
size_t desk_replicas(struct desk *d, struct store_replica_view *out, size_t n);

/* Is this a path that the desk answers (as opposed to a door's own)? [any thread] */
bool desk_knows(struct tally_str path);

/* ---- for plug_services: owner is the struct desk ---- */

int desk_plug_answer(void *desk, uint64_t request, const struct tally_answer *an);
void desk_plug_resume(void *desk, uint64_t request);
int desk_plug_request_version(void *desk, uint64_t request, uint64_t *version);
uint64_t desk_plug_store_moment(void *desk);
int desk_plug_work(void *desk, void (*job)(void *), void (*done)(void *), void *arg);

#endif
