/* SPDX-License-Identifier: Apache-2.0 */
/* A spool looked at from outside: the same recovery as at a start, but nothing is written, moved, wiped or locked. What
 * the start would do or say is noted. It may run beside a daemon; then what is being written at the moment looks like a
 * torn tail, and segments may go while they are read: ask again before damage is believed. */
#ifndef SPOOL_LOOK_H
#define SPOOL_LOOK_H

#include "spool/spool.h"

enum spool_finding_kind {
	SPOOL_TORN,    /* bytes behind the end that were never durable: a start cuts them */
	SPOOL_DAMAGED, /* bytes that were durable and are broken */
	SPOOL_MISSING, /* no segment has them */
	SPOOL_STRANGE, /* a file that is no part of this log: a start moves it to quarantine */
	SPOOL_NEWER,   /* a segment of a later format: no start over it */
};

struct spool_finding {
	enum spool_finding_kind kind;
	char name[256];    /* STRANGE, NEWER */
	uint64_t from, to; /* TORN, DAMAGED, MISSING: lsns */
	char words[192];
};

struct spool_look_segment {
	char name[256];
	uint64_t number, first, end, bytes;
	uint64_t abandoned; /* number of the segment it replaces after a failed sync, 0 = none */
	int64_t first_us, last_us;
};

struct spool_look {
	struct spool_look_segment *segments; /* oldest first */
	size_t nsegments, spares;
	struct spool_finding *findings;
	size_t nfindings;
	uint64_t begin, end, mark; /* mark: of the chain at end */
	uint64_t bytes, torn_bytes, lost_bytes;
};

/* fn as in spool_open(). 0, or -errno with why (no such folder, not ours to read, fn said so). out is to be freed in any
 * case. */
must_check int spool_look(
	const char *dir, const uint8_t node[16], spool_recall_fn fn, void *arg, struct spool_look *out, char why[256]);
void spool_look_free(struct spool_look *look);

#endif
