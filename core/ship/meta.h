/* SPDX-License-Identifier: Apache-2.0 */
/* What a store remembers of itself, in tally_meta:
 *   schema            value: SCHEMA_VERSION
 *   hash_key          value: 32 hex digits, random, made by the first node; key of schema_rollup_key()
 *   rollup/ID         ID = NAME, or NAME/2, NAME/3, … for definitions that came later. value: the definition as text, for
 *                     ever; horizon: event time from which its rows are whole (INT64_MIN over a store that never took
 *                     an event, else one microsecond behind the latest event stored; the present if events were thinned
 *                     out or deleted)
 *   making/ID         that number is taken: a rebuild makes its rows. value: the node that does, and " visits" if it has
 *                     to be told what becomes of visits (tally_visit_change); horizon: wall time at which it began
 *   made/ID           it has come to an end, whatever that was
 *   began/UUID/ID     horizon: where in its log that node began to write ID, or once more did
 *   ended/UUID/ID     horizon: where it last ceased to; see ship/remember.h
 *   horizon/visits    horizon: event time from which visits are whole, as for a rollup; written once a plugin gives any
 *   horizon/visit_values  the same of what visits came with (source, browser, …)
 *   horizon/GRAIN     horizon: rows of this grain before it may have been deleted (retention; only moves forward)
 *   horizon/events    the same of raw events
 *   epoch             horizon: a number that grows with every change that all lines must learn of before they write more:
 *                     each batch looks at it (tally_guard)
 *   zone/N            value: "UUID ZONE SITE", the zone of that site's days and months as that node declared it; horizon:
 *                     event time from which they are rows of it; see ship/zones.h
 *   zoned/ID          value: N, horizon: rows of that rollup were made anew in the zones up to N, from then on
 *   zones/UUID        horizon: the last N at which that node's configuration was the store's
 *   table/NAME        the table was made: if it is missing now, it has gone
 *   columns/NAME/2    so were the columns of a fixed table that came with a later version
 * A bucket is whole in a rollup if it begins at or behind both horizons. Read and completed on the ship's thread at every
 * position(). */
#ifndef SHIP_META_H
#define SHIP_META_H

#include <stdint.h>
#include <tally/sink.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"
#include "zone/zone.h"

struct schema;
struct schema_rollup;

#define META_ROLLUP "rollup/"
#define META_MAKING "making/"
#define META_MADE "made/"
#define META_OF_VISITS " visits"
#define META_WATCH_US INT64_C(86400000000) /* a rebuild whose node is gone for good is not told for ever */
#define META_BEGAN "began/"
#define META_ENDED "ended/"
#define META_EVENTS "horizon/events"
#define META_EPOCH "epoch"

/* The zone that the store has for a site; site "default": for those that have none of their own. */
struct meta_zone {
	const char *site, *name, *by; /* by: node */
	const struct zone *zone;      /* NULL = this system does not know it */
	int64_t number, horizon_us;
};

struct meta_zoned {
	int64_t number, from_us;
};

struct meta {
	uint8_t hash_key[16];
	int64_t grain_horizon_us[TALLY_GRAINS]; /* INT64_MIN = none */
	int64_t events_horizon_us;              /* raw events before it may be gone; INT64_MIN = none are */
	int64_t visits_horizon_us;              /* INT64_MAX = none are given */
	int64_t values_horizon_us;              /* … what they came with */
	const int64_t *rollup_horizon_us;       /* by rollup id */
	const char *const *rollup_table;        /* without the prefix; NULL = all as in the schema */
	const char *const *rollup_short_of;     /* for readers: the node that does not write it, NULL = none */
	size_t nrollups;
	int64_t epoch;
	int64_t watched_until_us; /* by the log's clock: changes of visits are told up to then; INT64_MIN = they are not */
	const struct meta_zone *zones; /* sorted by site */
	size_t nzones;
	int64_t last_zone;                     /* the highest number, 0 = none */
	const struct meta_zoned *rollup_zoned; /* by rollup id; NULL = all {0, INT64_MIN} */
};

#define META_VISITS "horizon/visits"
#define META_VALUES "horizon/visit_values"

/* NULL = the store has none for this site. */
const struct meta_zone *meta_zone_of(const struct meta *m, struct tally_str site);
/* In which the site's days are made: the store's zone, else that of the configuration. m may be NULL. */
const struct zone *meta_site_zone(const struct meta *m, const struct conf *c, struct tally_str site);
/* From which event time on days and months of the site are of that zone in this rollup. INT64_MAX: not at all. */
int64_t meta_zone_from(const struct meta *m, uint32_t rollup, struct tally_str site);
/* From which event time on rows of the grain are whole, and the first bucket that begins there or later. */
int64_t meta_whole_from(const struct meta *m, uint32_t rollup, enum tally_grain grain, struct tally_str site);
int64_t meta_first_bucket(
	const struct meta *m, const struct conf *c, uint32_t rollup, enum tally_grain grain, struct tally_str site);

/* The table that has the rollup's rows in this store, without the prefix. */
const char *meta_table(const struct meta *m, const struct schema_rollup *r);

/* Names of rows in tally_meta: "horizon/minute"; "rollup/ID" of the first number; "began/UUID/ID" (in the arena). */
const char *meta_grain_name(enum tally_grain grain);
const char *meta_rollup_name(const struct tally_rollup *r, struct arena *a);
const char *meta_node_row(struct arena *a, const char *head, const char *uuid, const char *id);
/* "pages", "pages/2" */
const char *meta_rollup_id(const struct tally_rollup *r, unsigned number, struct arena *a);

/* "by [event:name] metrics [events, visitors]": equal for equal rollups. Dimensions keep their order (the key is made
 * of them), metrics do not. */
const char *meta_definition(const struct tally_rollup *r, struct arena *a);

const char *meta_table_name(const struct tally_table *t, struct arena *a);

/* [ship] Before position(): gives the schema's rollups the tables that the store has for them, and is a STOP if a table
 * has gone that the store had. A store that cannot be read is none of its business. */
must_check int meta_look_back(struct tally_sink_instance *in, struct arena *a);

/* [ship] Reads what the store remembers and completes what is missing, standing at position `at`. A sink that is no
 * store gives an empty one. retention_us: by grain, INT64_MAX = for ever; now_us: wall. enum tally_sink_rc, said
 * through ship_host_fail(). Everything lives in the arena. */
must_check int meta_complete(struct tally_sink_instance *in, struct tally_position at,
	const int64_t retention_us[TALLY_GRAINS], int64_t now_us, struct arena *a, const struct meta **out);

#endif
