/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share.
 *
 *   lookup         one that is declared, with what is known of it; under the lock, but for texts, definition and
 *                  store, which never change
 *   lookup_table   all rows of one moment, never changed: what the doors look into. A new one takes its place whenever
 *                  something was read; the old one goes when no door has it in hand (lookup/held.c) */
#ifndef LOOKUP_INNER_H
#define LOOKUP_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/ring.h"
#include "lookup/lookup.h"
#include "meter/meter.h"

struct lookup {
	struct lookup *next_gone;
	struct arena arena;
	struct conf_lookup conf; /* texts in the arena */
	uint64_t definition;
	size_t store;
	struct lookup_rows *rows; /* NULL = none yet */
	int64_t confirmed_us;     /* wall: when the store last said that the rows are what it has */
	int64_t due_us;           /* monotonic */
	unsigned failures;        /* in a row */
	bool tried, well;         /* since the start; the last try came to something */
	struct lookup_oddities odd;
	char why[LOOKUP_WORDS];
	struct meter_series *refreshes[LOOKUP_RESULTS], *asked[LOOKUP_FOUNDS];
};

struct lookup_table {
	struct lookup_table *next; /* of those that are over */
	size_t n;
	struct lookup_entry {
		struct tally_str name;
		struct lookup_rows *rows; /* a reference, or NULL */
		struct meter_series *const *asked;
	} all[];
};

struct lookup_held {
	struct lookups *of;
	_Atomic(struct lookup_table *) in_hand; /* what must not go; written by its thread only */
	struct lookup_held *next;               /* under the lock */
};

struct lookups {
	int64_t timeout_us; /* of one statement */
	const char *data_dir;
	struct arena arena;
	struct lookup_store *stores;
	void **readers; /* [thread] of each store, NULL = to be opened */
	size_t nstores;
	pthread_mutex_t lock;
	struct lookup **all;
	size_t n;
	struct lookup *gone; /* removed ones live on: a table may point at their meters */
	_Atomic(struct lookup_table *) now;
	struct lookup_table *over; /* under the lock: tables that may still be in hand */
	struct lookup_held *helds; /* under the lock */
	struct gate *gate;
	pthread_t thread;
	bool running;
	_Atomic bool quit;
};

/* [under the lock] held.c: makes a table of what there is the present one, and frees those that nobody has in hand. */
void lookups_publish(struct lookups *l);
/* [under the lock] True: some are still in hand, try again soon. */
bool lookups_reclaim(struct lookups *l);
/* Assumes: there is no hold any more. */
void lookups_drop_tables(struct lookups *l);

/* refresh.c: the thread. */
void *lookups_main(void *arg);

#endif
