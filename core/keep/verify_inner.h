/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of verify share: verify_read.c asks the store, verify.c compares. */
#ifndef KEEP_VERIFY_INNER_H
#define KEEP_VERIFY_INNER_H

#include "base/table.h"
#include "keep/verify.h"
#include "ship/meta.h"
#include "zone/zone.h"

enum verify_sum { VS_EVENTS, VS_PAGEVIEWS, VS_COUNT_VALUE, VS_VISITS, VS_BOUNCES, VS_DURATION, VS_VIEWS, VS_COUNTS };

/* Of one node, site and bucket. */
struct verify_cell {
	int64_t node, bucket_us;
	struct tally_str site;
	int64_t counts[VS_COUNTS];
	double value, size; /* sum of value, and of its absolute: what the sum may be off by */
	unsigned seen;      /* number of the rollup and grain that last had this bucket */
};

struct verify {
	const struct verify_options *opt;
	struct verify_result *result;
	struct text_out *out;
	struct arena arena;
	void *reader;
	struct meta meta;
	struct table raw[TALLY_GRAINS];
	struct table total; /* node and site: as a bucket at 0 */
};

/* ---- verify.c ---- */

/* NULL if it is not there and is not to be made. */
struct verify_cell *verify_cell_of(
	struct verify *v, struct table *t, int64_t node, struct tally_str site, int64_t bucket, bool make);
/* The first bucket that the rollup must have whole. */
int64_t verify_horizon_of(const struct verify *v, const struct schema_rollup *r, int grain, struct tally_str site);
void verify_say_bucket(struct verify *v, const struct schema_rollup *r, int grain, const struct verify_cell *c,
	const char *metric, double is, double raw);

/* ---- verify_sketch.c: 0 or -errno with the result's error ---- */

int verify_sketches(struct verify *v, const struct schema_rollup *r);

/* ---- verify_read.c: each 0 or -errno with the result's error ---- */

typedef void (*verify_cell_fn)(struct verify *v, const struct verify_cell *c, const struct schema_rollup *r, int grain);

int verify_read_horizons(struct verify *v);
/* Raw rows by buckets of step_us from from_us on; fn's r is NULL. */
int verify_read_raw(struct verify *v, int64_t step_us, int64_t from_us, int grain, verify_cell_fn fn);
/* The same of visits, by the bucket in which each began. */
int verify_read_visits(struct verify *v, int64_t step_us, int64_t from_us, int grain, verify_cell_fn fn);
int verify_read_rollup(struct verify *v, const struct schema_rollup *r, verify_cell_fn fn);
/* Of each row: node, site, bucket, grain, sketch. */
int verify_read_sketches(
	struct verify *v, const struct schema_rollup *r, const char *column, tally_row_fn fn, void *arg);
/* node, site, what the ledger says and how many rows there are */
int verify_read_counts(struct verify *v,
	void (*fn)(struct verify *v, int64_t node, struct tally_str site, int64_t stored, int64_t dead));
int verify_read_dead(struct verify *v, void (*fn)(struct verify *v, int64_t node, struct tally_str site, int64_t n));
/* lsn: of the row; last: of the last event and dead letter of that node, -1 = none */
int verify_read_positions(struct verify *v,
	void (*fn)(struct verify *v, int64_t node, struct tally_str uuid, struct tally_position at, int64_t last));

#endif
