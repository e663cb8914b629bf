/* SPDX-License-Identifier: Apache-2.0 */
/* One statistics question, from a checked query to an answer, on a worker thread: a snapshot, the version of its data,
 * plan, rows, shape. */
#ifndef DESK_ANSWER_H
#define DESK_ANSWER_H

#include "desk/shape.h"

/* What leaves the desk. Texts live in the arena it was made in, or are static. */
struct answer {
	int status;
	const char *type; /* content type */
	struct tally_str body;
	struct tally_str etag;     /* with quotes; empty = none */
	const char *cache_control; /* NULL = none */
	unsigned retry_after_s;    /* 0 = none */
	uint64_t version;          /* of the data; 0 = not a statistics answer */
};

struct answer_job {
	struct store *store;
	struct query *q; /* of "all", the beginning of the range is filled in */
	struct tally_str if_none_match;
	struct store_freshness freshness; /* of the server that is written to */
	bool newest;                      /* no replica will do */
	int64_t now_us;                   /* wall */
	struct lookups *lookups;          /* for the schema; may be NULL */
	struct arena *arena;
	struct answer answer;
	struct store_state state; /* as last seen; for guesses of cost */
	bool state_known;
};

void answer_make(struct answer_job *job);

/* The ETag of this question over this version of the data. */
struct tally_str answer_etag(struct arena *a, const struct query *q, uint64_t version);
/* A range that is over may be kept by a CDN for a minute; late events change even that. */
const char *answer_cache_control(const struct query *q, int64_t now_us);
/* Does an If-None-Match name it (weak comparison, RFC 9110)? */
bool answer_matches(struct tally_str if_none_match, struct tally_str etag);

/* RFC 9457 problem JSON, in place of an answer. */
void answer_problem(struct answer *out, struct arena *a, const struct query_error *err);

/* GET /v1/schema. */
void answer_schema(struct answer_job *job);

#endif
