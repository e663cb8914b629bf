/* SPDX-License-Identifier: Apache-2.0 */
/* What a store remembers of itself, in tally_meta:
 *   schema            value: SCHEMA_VERSION
 *   hash_key          value: 32 hex digits, random, made by the first node; key of schema_rollup_key()
 *   rollup/NAME       value: the definition as text; horizon: event time from which its rows are whole
 *                     (INT64_MIN over a store that never took an event, else one microsecond behind the latest event
 *                     stored; the present if events were thinned out or deleted)
 *   horizon/visits    horizon: event time from which visits are whole, as for a rollup; written once a plugin gives any
 *   horizon/GRAIN     horizon: rows of this grain before it may have been deleted (retention; only moves forward)
 *   table/NAME        the table was made: if it is missing now, it has gone
 * A bucket is whole in a rollup if it begins at or behind both horizons. A declared rollup whose definition differs from
 * the stored one is a STOP: give it a new name. Read and completed on the ship's thread at every position(). */
#ifndef SHIP_META_H
#define SHIP_META_H

#include <stdint.h>
#include <tally/sink.h>

#include "base/arena.h"
#include "base/check.h"

struct schema;

struct meta {
	uint8_t hash_key[16];
	int64_t grain_horizon_us[TALLY_GRAINS]; /* INT64_MIN = none */
	int64_t visits_horizon_us;              /* INT64_MAX = none are given */
	const int64_t *rollup_horizon_us;       /* by rollup id */
	size_t nrollups;
};

#define META_VISITS "horizon/visits"

/* Names of rows in tally_meta: "horizon/minute", "rollup/NAME" (in the arena). */
const char *meta_grain_name(enum tally_grain grain);
const char *meta_rollup_name(const struct tally_rollup *r, struct arena *a);

/* "by [event:name] metrics [events, visitors]": equal for equal rollups. Dimensions keep their order (the key is made
 * of them), metrics do not. */
const char *meta_definition(const struct tally_rollup *r, struct arena *a);

const char *meta_table_name(const struct tally_table *t, struct arena *a);

/* [ship] Before position(): STOP if a table has gone that the store had. A store that cannot be read is none of its
 * business. */
must_check int meta_look_back(struct tally_sink_instance *in, struct arena *a);

/* [ship] Reads what the store remembers and completes what is missing, standing at position `at`. A sink that is no
 * store gives an empty one. retention_us: by grain, INT64_MAX = for ever; now_us: wall. enum tally_sink_rc, said
 * through ship_host_fail(). Everything lives in the arena. */
must_check int meta_complete(struct tally_sink_instance *in, struct tally_position at,
	const int64_t retention_us[TALLY_GRAINS], int64_t now_us, struct arena *a, const struct meta **out);

#endif
