/* SPDX-License-Identifier: Apache-2.0 */
/* Is a store one whole? In one snapshot, for every node in it: what the raw rows come to, by site and bucket, is what
 * every rollup says from its horizon on; the ledger's counts are the numbers of rows; no row lies behind the position.
 *
 * Sums of a bucket over all keys are compared (events, pageviews, sum and count of value, numbers in the sketches of
 * value; of the rows of visits: visits, bounces, duration, views); every sketch is well formed. What is not compared:
 * minimum, maximum, distinct visitors, percentiles, sums of props, single keys of a bucket. */
#ifndef KEEP_VERIFY_H
#define KEEP_VERIFY_H

#include <stdint.h>
#include <tally/sink.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"
#include "ship/schema.h"
#include "text/write.h"

#define VERIFY_SHOWN 20 /* differences that are named; the others are counted */

struct verify_options {
	const struct tally_sink *sink; /* is_store */
	void *self;                    /* its instance */
	const char *prefix, *line, *node_uuid;
	const struct schema *schema;
	const struct conf *conf;
};

struct verify_result {
	int64_t events, rollup_rows, differences;
	bool has_position;
	struct tally_position position; /* of this node and line */
	char error[256];
};

/* Appends an object a difference to the JSON array that is open in o. 0 (whatever was found), or a negative errno with
 * r->error: the store could not be read. Assumes: r is zeroed, o's arena has room for an entry a bucket. [any thread] */
must_check int verify_store(const struct verify_options *opt, struct text_out *o, struct verify_result *r);

/* Another difference, found by the caller: in words. */
void verify_say(struct text_out *o, struct verify_result *r, const char *line, const char *what, const char *words);

#endif
