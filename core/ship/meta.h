/* SPDX-License-Identifier: Apache-2.0 */
/* What a store remembers of itself, in tally_meta:
 *   schema            value: SCHEMA_VERSION
 *   hash_key          value: 32 hex digits, random, made by the first node; key of schema_rollup_key()
 *   rollup/NAME       value: the definition as text; horizon: event time from which its rows are whole
 *                     (INT64_MIN over an empty store, else one microsecond behind the latest event stored)
 *   horizon/GRAIN     horizon: rows of this grain before it may have been deleted (retention; only moves forward)
 * A bucket is whole in a rollup if it begins at or behind both horizons. A declared rollup whose definition differs from
 * the stored one is a STOP: give it a new name. Read and completed on the ship's thread at every position(). */
#ifndef SHIP_META_H
#define SHIP_META_H

#include <stdint.h>
#include <tally/sink.h>

#include "base/arena.h"

struct meta {
	uint8_t hash_key[16];
	int64_t grain_horizon_us[TALLY_GRAINS]; /* INT64_MIN = none */
	const int64_t *rollup_horizon_us;       /* by rollup id */
	size_t nrollups;
};

#endif
