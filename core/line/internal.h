/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. Everything belongs to the line's thread unless marked otherwise. */
#ifndef LINE_INTERNAL_H
#define LINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/ring.h"
#include "base/table.h"
#include "line/line.h"
#include "line/state.h"
#include "zone/zone.h"

#define LETTERS_KEPT 64
#define LINE_ASK_AGAIN_US 30000000 /* a line that stands still asks its store again after this */
#define LINE_AGAIN_US 1000000      /* and after this where it is not for an operator to end it */

/* Counts of one site; a batch has them as what it adds, the line as what its store has. */
struct site_terms {
	int64_t stored, thinned, dropped, dead;
	int64_t gaps[GAPS];
	int64_t taken; /* a batch's only: as its records say, whatever the stages made of it */
};

/* Columns of tally_ledger. */
enum ledger_column { LC_NODE, LC_LINE, LC_SITE, LC_STORED, LC_DEAD, LC_THINNED, LC_LOST, LC_DROPPED };

/* Columns of tally_gap. */
enum gap_column { GC_NODE, GC_LINE, GC_SITE, GC_REASON, GC_EVENTS, GC_LAST };

/* A growing list of rows of one table. Those that go to the store in the order in which they come lie in `cells`; of
 * others each lies in the batch's arena until all are sorted. */
struct row_list {
	const struct tally_table *table;
	struct tally_cell *cells;
	struct tally_cell **rows;
	size_t n, cap;
};

/* Everything between two positions, on its way into one transaction. */
struct batch {
	struct arena arena;
	struct tally_position from, to;
	size_t events;          /* read into it, whatever became of them */
	bool dirty;             /* there is something to commit */
	int64_t begun_mono_us;  /* when its first event was read */
	int64_t oldest_us;      /* record time of that event */
	struct row_list *lists; /* one a table of the schema, in its order */
	struct table terms;     /* site -> struct site_terms */
	struct table days;      /* site and UTC day -> row of tally_revision */
	struct tally_str site;  /* of the rollup row added last */
	struct {
		struct tally_str site; /* .ptr NULL = none */
		int64_t day;
		struct site_terms *terms;
	} last; /* of the event row added last */
	struct tally_trim trim[TALLY_GRAINS * 64 + 2];
	size_t ntrim;
	struct row_list gone; /* letters that leave tally_dead */
	struct row_list gone_salts;
	struct line_letters letters; /* lsn != 0: the batch is what a LETTERS record asks for, and nothing else */
	struct tally_guard guard;    /* the store's epoch, as of the rows of this batch */
	struct tally_batch wire;     /* what the ship sees */
};

enum line_state {
	LINE_ASKING,  /* the ship was asked for the store's position */
	LINE_READING, /* at work */
	LINE_BURYING, /* DEAD records are on their way to the disk */
	LINE_STOPPED, /* an operator must act; asks again now and then */
};

/* LINE_BURYING: a DEAD record for each refused row, one after the other. */
struct funeral {
	const struct ship_refused *refused; /* the ship's, which lies idle meanwhile */
	size_t n, done;
	const struct batch *batch; /* that they are of */
	struct ledger_request request;
	char head[512];
	_Atomic bool answered;
};

struct line {
	struct line_options opt;
	struct arena schema_arena; /* of opt.schema: the names of its rollups' tables are those of this store */
	struct ledger_line entry;  /* what the ledger sees of us */
	struct ship *ship;
	struct plug_chain *chain;
	struct spool_reader *reader;
	struct gate *gate;
	pthread_t thread;
	bool running;
	_Atomic bool quit, flush_now;
	_Atomic int64_t drain_until_us;

	enum line_state state;
	int64_t ask_at_us; /* LINE_STOPPED: monotonic */
	int64_t heard_us;  /* monotonic: the ship's last report */
	struct tally_position position;
	uint64_t cursor;
	int64_t clock_us; /* the log's: time of the last record read */
	int64_t ticked_us;
	const struct meta *meta; /* the ship's; until its next REWIND report */
	int64_t moved_horizon_us[TALLY_GRAINS +
				 1]; /* what batches since then have moved the grains' and the events' to */
	struct batch batches[2];
	struct batch *filling, *flying; /* flying NULL: the ship is idle */
	struct spool_record held;       /* read and not staged: a LETTERS record that waits for empty hands */
	bool holding;
	struct table taken; /* site -> taken before `position`, as an integer; lock held to change it */
	bool taken_known;   /* it belongs to `position` */
	bool jumped;        /* a record did not begin where the one before it ended: damage */
	enum line_gap gone; /* what is missing since a segment before the oldest record kept held it */
	bool behind;        /* what follows the cursor is gone from the spool */
	struct table
		lapped; /* under lock: site -> taken before lapped_at, the oldest kept, when that was behind the cursor */
	uint64_t lapped_at;
	uint64_t furthest; /* the store's last position; of a line that skips also that of the run before, as noted */
	uint64_t noted;    /* what data_dir/seen-LINE says */
	struct table dead; /* what the ledger knows as dead of ours: lsn and idx -> const struct ledger_dead */
	const struct ledger_dead *dead_seen;
	struct funeral funeral;

	struct line_state_keeper keeper;
	bool zones_due; /* the store was not asked since the configuration was replaced */
	bool reloading; /* the stages have a state: a new pipeline waits for empty hands, and nothing more is read */

	pthread_mutex_t lock; /* what other threads see: */
	struct table terms;   /* site -> struct site_terms, as stored */
	struct table in_hand; /* site -> events in batches, as an integer */
	struct {
		struct tally_position position, cursor;
		uint64_t done;
		bool known, counted;
		int64_t oldest_us; /* record time of the oldest event in hand, 0 = none */
	} seen;
	struct line_letters results[LETTERS_KEPT];
	size_t nresults;
	char trouble[512];
	struct plug_set *next_plugins;
	const struct conf *next_conf;
	struct line_salts salts;
	_Atomic bool salts_due;
};

/* place.c */
/* Both batches and the state of all stages are thrown away. */
void place_forget(struct line *l);
/* The store is asked where it stands. Assumes: the ship lies idle. */
void place_ask(struct line *l);
/* It stands there. Ensures: READING, or STOPPED. */
void place_begin(struct line *l, struct tally_position pos);
/* Stands still. Assumes: the ship lies idle; what it would report of a batch nobody could take. */
void place_lost(struct line *l, const char *why, int64_t again_us);
/* Nothing from lsn on is trimmed. A line that skips holds nothing: the ledger alone says how far back it may read. */
void place_hold(struct line *l, uint64_t lsn);
void place_keep_meta(struct line *l, const struct meta *m);
/* To the ledger and to who looks at us. */
void place_tell(struct line *l);

/* batch.c */
void batch_open(struct batch *b, const struct schema *schema);
void batch_reset(struct batch *b);
void batch_free(struct batch *b);
/* A new row of the list, zeroed. */
struct tally_cell *batch_row(struct batch *b, struct row_list *list);
/* The UTC day of this time gets a new revision with this batch. */
void batch_touch_day(struct batch *b, struct tally_str site, int64_t time_us);
struct site_terms *batch_terms(struct batch *b, struct tally_str site);
void batch_add_event(struct batch *b, const struct tally_event *ev);
void batch_add_dead(struct line *l, struct batch *b, const struct tally_event *ev, int code, const char *message);
void batch_add_gone(struct line *l, struct batch *b, uint64_t lsn, uint32_t idx);
void batch_add_salt(struct batch *b, int64_t day, const uint8_t salt[16]);
void batch_add_gone_salt(struct batch *b, int64_t day);
int batch_add_rollup(struct line *l, struct batch *b, const struct tally_row *row);
/* Sorts, adds the rows that go with every batch, and fills b->wire. */
void batch_close(struct line *l, struct batch *b);

/* order.c: rows by the key of their table. */
void order_rows(const struct tally_table *t, struct tally_cell **rows, size_t n, struct arena *arena);

/* The events of a record, one after the other. */
struct stage_events {
	struct tally_str forms;
	uint32_t n, at;
	const char *verdicts; /* NULL = all were taken */
	const struct spool_record *rec;
};

/* False: the record cannot be read. reader: where the record that a RELEASE names is found. */
must_check bool stage_open(struct spool_reader *reader, const struct spool_record *rec, struct stage_events *out);
/* 1: the next event that was taken; 0: there is none; -EBADMSG: the rest cannot be read. Its texts are those of the
 * record, what it needs besides lives in the arena. */
must_check int stage_next(struct stage_events *es, struct arena *a, struct tally_event *ev);
/* NULL, or why no stage is to see this event: it is a dead letter of this line, or a plugin crashed on it too often. */
const char *stage_laid_aside(struct line *l, struct arena *a, const struct tally_event *ev, int *code);

/* visits.c: behind the batch's last visit. */
void visits_close(struct batch *b);

/* stage.c: a record's events through the stages into l->filling. */
void stage_record(struct line *l, const struct spool_record *rec);
void stage_flush(struct line *l);
void stage_event(struct line *l, struct tally_event *ev);
void stage_note_begin(struct line *l, struct batch *b);

/* letters.c */
const struct ledger_dead *letters_dead(struct line *l, const struct tally_event *ev); /* NULL = it is not */
bool letters_are_ours(const struct line *l, const struct spool_record *rec);
/* Assumes: nothing is in hand. 0, or the -errno of a store that does not tell which letters it has. */
must_check int letters_stage(struct line *l, const struct spool_record *rec);
void letters_committed(struct line *l, const struct batch *b); /* lock held */

/* A LETTERS record that was taken before: calls fn for each of its events that came to stand in the store. */
must_check int letters_again(struct line *l, const struct spool_record *rec, struct arena *a,
	void (*fn)(void *arg, struct tally_event *ev), void *arg);

/* bury.c: refused rows become dead letters; then the line starts over. */
void bury_begin(struct line *l, const struct ship_report *rep);
/* 0: it goes on. 1: all are buried. -errno: one cannot be, and the rest was not tried. */
must_check int bury_step(struct line *l);

/* salt.c */
bool salts_wait(const struct line *l);
void salts_add(struct line *l, struct batch *b);

/* horizon.c */
int64_t horizon_of(const struct line *l, const struct tally_rollup *r, enum tally_grain g, struct tally_str site);
void horizon_move(struct line *l, struct batch *b);

/* terms.c: what the store says this line has stored so far. 0, or the -errno of a store that does not say: what is lost
 * would be reckoned wrong, and into the store. A sink that is none may keep no counts. */
must_check int terms_load(struct line *l);
void terms_commit(struct line *l, const struct batch *b); /* lock held */
void terms_free_table(struct table *t);

/* gaps.c */
int gap_of(struct tally_str name); /* GAPS = none of them */
int64_t gap_lost(const int64_t gaps[GAPS]);
void gap_at_start(struct line *l, enum line_gap gap, uint64_t oldest);
void gap_at_checkpoint(struct line *l, const struct spool_record *rec);
void gap_rows(struct line *l, struct batch *b);
void gap_meter(struct line *l, const struct batch *b);
void gap_look(struct line *l);
void batch_add_gap(struct line *l, struct batch *b, struct tally_str site, const char *reason, int64_t n);

/* furthest.c */
void furthest_load(struct line *l);
void furthest_note(struct line *l);

/* view.c: shows the present moment to other threads; `stored` (may be NULL) moves from in hand to stored in the same
 * moment. */
void view_publish(struct line *l, const struct batch *stored);

#endif
