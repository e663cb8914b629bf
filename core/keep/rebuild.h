/* SPDX-License-Identifier: Apache-2.0 */
/* A rollup made anew from the raw events and visits of its store, beside the live one, while events stream in.
 *
 * The new rows go to a table of the rollup's next number (ship/meta.h). Raw rows of a node up to a place in its log never
 * change and are all there once the node's position is past it, so they are read node by node up to the positions of
 * one moment, then what has come since, and so on. The last of it is read and written in the transaction that also
 * says that this number is the one in use: behind a guard that keeps every line of the store from committing (sink.h,
 * tally_guard) and whose value then tells each of them to look again. So an event is in the new rows once: it was raw
 * before that moment, or its line has written it since. Killed anywhere before it, all that is left is a table that
 * nobody reads and the next rebuild removes.
 *
 * Visits are added up as of one snapshot, and then what lines tell of their changes (rebuild_visits.c).
 *
 * Sums are made by the plugin `rollup`, as on the line. */
#ifndef KEEP_REBUILD_H
#define KEEP_REBUILD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <tally/sink.h>

#include "base/check.h"
#include "conf/conf.h"
#include "plug/plug.h"
#include "ship/schema.h"
#include "ship/ship.h"

struct rebuild_options {
	struct ship *ship;             /* of the line that does the writing */
	const struct tally_sink *sink; /* is_store, guards */
	void *self;                    /* its instance */
	const char *prefix, *line, *node_uuid;
	const struct schema *schema;
	const struct conf *conf;
	struct plug_set *plugins;
	const char *rollup; /* declared */
	int64_t from_us,
		to_us;      /* INT64_MIN, INT64_MAX: not given. What lies outside is taken over from the live rows */
	_Atomic bool *stop; /* set: give up */
};

enum rebuild_phase { REBUILD_LOOKING, REBUILD_COPYING, REBUILD_FILLING, REBUILD_SWAPPING, REBUILD_DONE };

/* [any thread may read] */
struct rebuild_progress {
	_Atomic int phase;
	_Atomic int64_t events, rows; /* raw events read, rows written */
	_Atomic int64_t permille;     /* of the log */
};

struct rebuild_result {
	char words[512]; /* what went wrong, and what to do; or a remark */
	char table[80];
	int64_t whole_from_us; /* INT64_MIN = from the beginning */
	int64_t copied, rounds, locked_us;
};

/* 0 = done; -EINVAL: refused, nothing was changed; -EIO: it broke off, nothing was changed; -ESHUTDOWN. [a thread of its
 * own; one at a time for a line] */
must_check int rebuild_run(
	const struct rebuild_options *opt, struct rebuild_progress *progress, struct rebuild_result *result);

#endif
