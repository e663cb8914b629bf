/* SPDX-License-Identifier: Apache-2.0 */
/* A line: one per sink. Reads durable records from the spool, runs the stages over their events, and hands batches to
 * its ship; while one batch is being written it fills the next.
 *
 * The place of a line is the row that its store keeps. Whatever is not a plain commit ends the same way: both batches
 * and the state of all stages are thrown away, the row is read again, and the line starts there. */
#ifndef LINE_LINE_H
#define LINE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "conf/conf.h"
#include "ledger/ledger.h"
#include "plug/plug.h"
#include "ship/ship.h"

struct line;

struct line_options {
	const struct conf *conf;
	const struct conf_sink *sink;
	const char *node_uuid;
	struct plug_set *plugins;
	struct ledger *ledger;
	const struct schema *schema; /* of the declared rollups; the line makes one like it for itself */
};

/* Opens the sink (its options are checked, nothing is connected) and the stages. Registers with the ledger. */
must_check int line_open(const struct line_options *opt, struct line **out, char why[512]);

void line_run(struct line *l);

/* [any thread] More records are durable. */
void line_wake(struct line *l);

/* [any thread] Commits what it has now instead of at the end of the flush interval, and tries a failing store now. */
void line_flush(struct line *l);

/* [any thread] a new pipeline, taken between two batches. */
void line_reload(struct line *l, struct plug_set *plugins, const struct conf *conf);

/* [any thread] The line has not taken the last line_reload() yet. */
bool line_is_reloading(struct line *l);

/* Events taken that a line never got. All but BEFORE are lost to it. */
enum line_gap { GAP_STORE_TOO_OLD, GAP_SKIPPED, GAP_DAMAGED, GAP_BEFORE, GAPS };

/* "store_too_old", … as in /v1/ledger and tally_gap. */
const char *line_gap_name(enum line_gap gap);

/* Terms of a line for one site: taken = stored + thinned + dropped + dead + gaps + in_flight. */
struct line_site {
	struct tally_str site; /* in the arena of the view */
	int64_t stored, thinned, dropped, dead;
	int64_t gaps[GAPS];
	int64_t in_hand; /* in batches */
	int64_t passed;  /* taken by the ledger before the cursor: what it has taken since is in the spool */
};

struct line_view {
	const char *name, *sink;
	struct tally_position position; /* committed */
	struct tally_position cursor;   /* read from the spool up to here */
	bool known;                     /* the store was seen */
	bool counted;                   /* the sites' terms are its own, from the beginning of the store on */
	uint64_t done;
	int64_t lost[GAPS]; /* over all sites; BEFORE is no loss */
	double lag_seconds;
	const char *trouble; /* NULL, or a sentence: what stands, and the remedy */
	struct ship_stats ship;
	const struct line_site *sites;
	size_t nsites;
};

/* [any thread] A consistent moment of the line; strings live in the arena. */
void line_view(struct line *l, struct arena *a, struct line_view *out);

/* For plug_services; owner is the line. [line] */
int line_plug_emit(void *line, const struct tally_row *row);
int line_plug_visit(void *line, const struct tally_visit *before, const struct tally_visit *now);
const struct zone *line_plug_zone(void *line, struct tally_str site);
int64_t line_plug_horizon(void *line, const struct tally_rollup *r, enum tally_grain g, struct tally_str site);

/* [any thread] The line was called `from` until now and stands in front of its own tables. 0 or -errno with words. */
must_check int line_adopt(struct line *l, const char *from, int64_t wait_us, char words[512]);

/* What is to be done with the salts of visitors in a store (table tally_salt). Days are counted from 1970, in UTC. */
#define LINE_SALTS_GONE 16
struct line_salts {
	bool put; /* the salt of `day`, if none is there */
	int64_t day;
	uint8_t salt[16];
	int64_t gone[LINE_SALTS_GONE]; /* the salts of these days are deleted */
	size_t ngone;
};

/* [any thread] Done with the next batch, which comes soon. Nothing says that it was: look into the store, and order again.
 * A new order replaces one that was not taken yet. Assumes: the sink is a store and deletes. */
void line_order_salts(struct line *l, const struct line_salts *order);

/* What became of a LETTERS record. */
struct line_letters {
	uint64_t lsn; /* of the record */
	bool purge;
	uint32_t out;     /* letters taken out of the store */
	uint32_t again;   /* of these refused once more: letters under the record's lsn now */
	uint32_t missing; /* were not there */
};

/* [any thread] True once the line is past that record, and it is one of the last few of its kind. */
bool line_letters(struct line *l, uint64_t lsn, struct line_letters *out);

/* The cells of a rollup's row; row has all of the table's columns, zeroed. [any thread] */
void line_rollup_cells(const struct schema_rollup *sr, const uint8_t hash_key[16], struct tally_str site,
	const struct tally_row *r, struct arena *arena, struct tally_cell *row);

struct ship *line_ship(struct line *l);
/* [any thread] See ship_changes(). */
uint64_t line_changes(const struct line *l);
const struct tally_sink *line_sink(const struct line *l);
void *line_sink_self(const struct line *l);
const char *line_name(const struct line *l);

/* Stops after committing what is durable, or after drain_us at the latest. */
void line_close(struct line *l, int64_t drain_us);

#endif
