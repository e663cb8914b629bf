/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: the ship itself.
 *
 * ship.c is the line's side and the thread, job.c the policy, news.c what is told to others, side.c what others have
 * written between two batches. */
#ifndef SHIP_INNER_H
#define SHIP_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/ring.h"
#include "meter/meter.h"
#include "ship/host.h"
#include "ship/pace.h"
#include "ship/ship.h"

enum adopt_state { ADOPT_NONE, ADOPT_ASKED, ADOPT_DONE };

/* Rows of events and how many of them were refused, lately: halved now and then. */
struct refusal_record {
	uint64_t stored, refused;
};

enum job { JOB_NONE, JOB_POSITION, JOB_BATCH };

/* Something to be done on the ship's thread between two jobs; whoever wants it waits. */
struct side_job {
	int (*fn)(struct ship *s, void *arg);
	void *arg;
	int rc;
	bool done;
};

struct ship {
	struct tally_sink_instance *in;
	struct gate *gate;
	pthread_t thread;
	_Atomic int job; /* enum job */
	_Atomic bool ready, closing, nudged;
	_Atomic uint64_t changes;
	const struct tally_batch *batch;
	bool letters; /* of that batch */
	struct ship_report report;
	void (*on_report)(void *arg);
	void *on_report_arg;

	/* the thread's own */
	struct ship_pace pace;
	int64_t retention_us[TALLY_GRAINS];
	struct arena meta_arena[2]; /* the one in use stays until the next REWIND report */
	unsigned meta_at;
	uint64_t random;
	unsigned failures; /* since the last commit, or since the position was found if no write has failed since */
	bool owed;         /* a write failed: only a commit ends the trouble */
	struct refusal_record recent;
	struct tally_position at; /* where the store stands, as far as is known */
	bool at_known;
	bool swept;                   /* orphans were looked for */
	struct ship_refused *refused; /* of the last report */
	int logged_code, logged_rc;
	struct meter_series *retries[TALLY_SINK_CLASSES], *recovered, *up;

	pthread_mutex_t side_lock;
	pthread_cond_t side_moved;
	struct side_job *side; /* under side_lock: the one that waits or runs */
	bool side_over;        /* no more of them */

	pthread_mutex_t stats_lock;
	struct ship_stats stats;
	struct { /* under stats_lock */
		enum adopt_state state;
		struct ship_adopting with;
		char from[65], words[SHIP_MESSAGE_BYTES];
		int rc;
	} adopt;
};

static inline bool ship_closing(const struct ship *s)
{
	return atomic_load_explicit(&s->closing, memory_order_relaxed);
}

/* ---- refusal.c [the ship's thread]: are these bad events, or is the schema wrong? ---- */

/* How many rows of a batch may be refused, given what was refused before. */
size_t refusal_allowance(const struct refusal_record *r, const struct tally_batch *b);
/* What write() came to, after it returned BAD_ROW or STOP: BAD_ROW only if each refused row may be a dead letter. */
int refusal_judge(struct tally_sink_instance *in, const struct tally_batch *b, int rc);
void refusal_count(struct refusal_record *r, size_t refused);
void refusal_count_stored(struct refusal_record *r, const struct tally_batch *b);

/* ---- job.c [the ship's thread] ---- */

/* Each tries until it is certain what the store holds. out comes as SHIP_CLOSED and stays so if the ship is closed. */
void job_position(struct ship *s, struct ship_report *out);
void job_batch(struct ship *s, const struct tally_batch *b, struct ship_report *out);

/* ---- side.c [the ship's thread] ---- */

/* True: it has done one. */
bool side_step(struct ship *s);
/* Nobody is to wait any more. */
void side_end(struct ship *s);

/* ---- adopt.c [the ship's thread] ---- */

void adopt_if_asked(struct ship *s);

/* ---- news.c ---- */

void news_open(struct ship *s);
void news_failure(struct ship *s, int rc);
void news_success(struct ship *s);
/* The store was reached again; whether it also takes what it refused to take shows the next write. */
void news_reached(struct ship *s);
void news_guard_moved(struct ship *s);
void news_stored(struct ship *s, const struct tally_batch *b, int64_t took_us, bool recovered);

/* Rows of all tables. */
size_t batch_rows(const struct tally_batch *b);

#endif
