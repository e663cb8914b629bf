/* SPDX-License-Identifier: Apache-2.0 */
/* One reading of a lookup from a store: has anything changed, and if so, all rows, in one snapshot. Blocks for as long as
 * the store does, within the time-out of each statement. [one thread at a time] */
#ifndef LOOKUP_LOAD_H
#define LOOKUP_LOAD_H

#include <tally/sink.h>

#include "lookup/rows.h"

#define LOOKUP_WORDS 256

struct lookup_ask {
	const struct tally_sink *sink; /* has select() */
	void *reader;
	const char *sql, *key, *version; /* version NULL = always all rows */
	uint64_t max_rows, memory;
	int64_t timeout_us;
	uint64_t definition;
};

enum lookup_result {
	LOOKUP_LOADED,    /* all rows were read */
	LOOKUP_UNCHANGED, /* number and version are those of `before` */
	LOOKUP_REFUSED,   /* too much, or not what the configuration says: the store is well */
	LOOKUP_FAILED     /* the store cannot be read: another reader the next time */
};
#define LOOKUP_RESULTS 4

/* What was not as it should be in the rows that were taken. */
struct lookup_oddities {
	uint64_t no_key, twice, no_text; /* rows without a key; with the key of another; values that are no UTF-8 */
};

/* before: the rows there are, or NULL. LOADED: *out is the caller's. Else words say why, without anything of the rows. */
must_check enum lookup_result lookup_load(const struct lookup_ask *ask, const struct lookup_rows *before,
	struct lookup_rows **out, struct lookup_oddities *odd, char words[LOOKUP_WORDS]);

#endif
