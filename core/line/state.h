/* SPDX-License-Identifier: Apache-2.0 */
/* State of plugins that outlives a batch: when a snapshot of it is taken, how long one is kept, and how the state is made
 * again at a place of the log. Belongs to the line's thread; a snapshot is written by a thread of its own, so that the
 * line does not wait for the disk.
 *
 * A snapshot is taken at the end of a batch and put on the disk once that batch is committed: the newest one is never
 * ahead of the store, unless the store goes back, and then it is dropped. */
#ifndef LINE_STATE_H
#define LINE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <tally/sink.h>

#include "base/check.h"
#include "plug/plug.h"

struct line;
struct batch;

struct line_state_keeper {
	struct plug_bytes *bytes; /* one a plugin that has a state: head room and data */
	struct plug_state *of;    /* beside them */
	size_t n;
	struct tally_position at; /* of bytes */
	int64_t clock_us;
	bool taken;   /* waits for the commit of the batch that ends at `at` */
	bool writing; /* belongs to the writer */
	pthread_t writer;
	_Atomic bool written;
	int rc;
	char words[256];
	char data_dir[4200]; /* the configuration may be replaced under the writer */
	char line[65];
	char node[40];
	uint64_t begin; /* oldest record kept, for what may go */

	uint64_t safe_lsn; /* a start needs the log from here on; UINT64_MAX = only from the position on */
	uint64_t last_lsn; /* the last one taken */
	int64_t last_us;   /* monotonic; 0 = at the next chance */
	size_t last_bytes;
};

void state_open(struct line *l);
void state_close(struct line *l);

/* From where on the log is needed so that the state can be made again. */
uint64_t state_needs(const struct line *l, uint64_t position);

/* The batch has ended, its stages are flushed: takes a snapshot if it is time. */
void state_take(struct line *l, const struct batch *b);
/* The position has moved: what was taken there is written. */
void state_committed(struct line *l);
/* The batches are thrown away. */
void state_forget(struct line *l);
/* Notes what the writer has done. */
void state_look(struct line *l);

/* Assumes: the instances were reset, and the log is held from its beginning on. Afterwards they are as they were at this
 * position. 0, -ECANCELED (the line is to end), or -errno with words. */
must_check int state_restore(struct line *l, struct tally_position pos, char words[400]);

/* All is committed and the line ends: a last snapshot, so that the next start has nothing to replay. */
void state_end(struct line *l);

/* The stages of another chain get the state of this one; a plugin that is new begins here. Assumes: nothing is in hand. */
void state_hand_over(struct line *l, struct plug_chain *from, struct plug_chain *to);

/* [the ship's thread; see ship_adopting] The line takes over the snapshots of the one whose name it had; arg: the line. */
must_check int state_before_adopting(void *arg, const char *from, char words[256]);
void state_after_adopting(void *arg, const char *from, bool adopted);

/* replay.c: the events of [from, pos) through the chain once more, silently. from: begin of a record or the oldest kept. */
must_check int replay_events(
	struct line *l, uint64_t from, struct tally_position pos, uint64_t *events, char words[400]);

#endif
