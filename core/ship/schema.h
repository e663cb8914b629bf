/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a store, described once: sinks create and fill them from this, the desk reads by it, docs/schema.md is
 * printed from it. A rollup's columns follow from its declaration:
 *   dimension  event:name -> event_name, event:page -> event_page, event:props:x -> props_x (letters outside [a-z0-9_]
 *              become _xx hex)
 *   events -> events; pageviews -> pageviews; visitors -> visitors_hll (BLOB, HLL) and visitors (INT, ESTIMATE)
 *   visits -> visits; bounces -> bounces; duration -> duration (us); views -> views
 *   sum:F -> sum_F and count_F; min:F -> min_F; max:F -> max_F   (F: value, or props_x)
 *   p:F -> quantiles_F (BLOB, QUANTILE) and p50_F (REAL, ESTIMATE: the median) */
#ifndef SHIP_SCHEMA_H
#define SHIP_SCHEMA_H

#include <tally/sink.h>

#include "base/arena.h"

#define SCHEMA_VERSION 1

enum schema_event_column { /* tally_event, in this order */
	EVC_NODE,
	EVC_LSN,
	EVC_IDX, /* key */
	EVC_SITE,
	EVC_ID,
	EVC_NAME,
	EVC_TIME,
	EVC_RECEIVED,
	EVC_VISITOR,
	EVC_USER,
	EVC_HOST,
	EVC_PAGE,
	EVC_REFERRER,
	EVC_VALUE,
	EVC_WEIGHT,
	EVC_PROPS,
	EVC_COLUMNS
};

/* The fixed tables, in this order. */
enum schema_table {
	SCHEMA_EVENT,    /* one row an event, insert only; index site, time */
	SCHEMA_DEAD,     /* node, line, lsn, idx | site, time, code, error, raw (JSON bytes) */
	SCHEMA_REVISION, /* site, day (UTC, us), node | lsn, generation */
	SCHEMA_LEDGER, /* node, line, site | stored, dead, thinned, lost, dropped   (ADD): the terms of /v1/ledger of this line */
	SCHEMA_META,  /* name | value (FIRST), horizon (MAX): see ship/meta.h */
	SCHEMA_GAP,   /* node, line, site, reason | events (ADD), last (MAX): what a line never got */
	SCHEMA_VISIT, /* one row a visit, named by the event it was first known by; its newest form replaces the older */
	SCHEMA_SALT,  /* day | salt (FIRST): what visitors of that UTC day are hashed with; goes with its day */
	SCHEMA_VISIT_CHANGE, /* what became of visits while a rebuild that adds them up is under way; see keep/rebuild.h */
	SCHEMA_FIXED
};

enum schema_visit_column { /* tally_visit */
	VIC_NODE,
	VIC_LSN,
	VIC_IDX, /* key */
	VIC_SITE,
	VIC_TIME,
	VIC_VISITS,
	VIC_BOUNCES,
	VIC_DURATION,
	VIC_VIEWS,
	VIC_ENTRY,
	VIC_EXIT,
	VIC_REFERRER,
	VIC_VALUES, /* and the others of enum tally_visit_value */
	VIC_COLUMNS = VIC_VALUES + TALLY_VISIT_VALUES
};

/* tally_visit_change: behind its key the columns of tally_visit from VIC_SITE on. */
enum schema_visit_change_column { VCC_NODE, VCC_BATCH, VCC_LSN, VCC_IDX, VCC_NOW, VCC_FORM };
#define VCC_OF(visit_column) (VCC_FORM - VIC_SITE + (visit_column))
#define VCC_COLUMNS VCC_OF(VIC_COLUMNS)

/* Columns of a rollup table that every one has, before its dimensions and metrics. */
enum schema_rollup_column { RLC_SITE, RLC_GRAIN, RLC_BUCKET, RLC_KEY, RLC_NODE, RLC_FIXED };

struct schema_rollup {
	const struct tally_rollup *rollup;
	struct tally_table table;      /* its name is the ship's to set; see schema_rollup_table() */
	const uint32_t *metric_column; /* first column of each metric */
	uint32_t first_dim;            /* column of dimension 0; the others follow */
};

struct schema {
	struct tally_table fixed[SCHEMA_FIXED];
	const struct schema_rollup *rollups; /* by rollup id */
	size_t nrollups;
	const struct tally_table *const *tables; /* all of them, for tally_sink_host.tables */
	size_t ntables;
};

/* "tally_rollup_NAME" for the first number of a name (see ship/meta.h), "tally_rollup_NAME__2" for the second. */
const char *schema_rollup_table(struct arena *a, const struct tally_rollup *r, unsigned number);

/* [ship] Which table its rows go to from the next position() on. */
void schema_set_table(const struct schema *s, size_t rollup, const char *name);

/* Everything lives in the arena; rollups are borrowed and must outlive it. */
const struct schema *schema_make(struct arena *a, const struct tally_rollup *rollups, size_t n);

/* Columns of a fixed table that came with a later version stand behind the others: how many it had at first. What is in
 * tally_meta once a store has the later ones, NULL = there are none. */
uint32_t schema_columns_at_first(const struct schema *s, const struct tally_table *t);
const char *schema_later_name(const struct schema *s, const struct tally_table *t);

/* 16-byte key of a rollup row: keyed hash of its length-prefixed dimension values under `hash_key`. */
void schema_rollup_key(const uint8_t hash_key[16], const struct tally_str *dims, size_t n, uint8_t out[16]);

#endif
