/* SPDX-License-Identifier: Apache-2.0 */
/* One sink's thread: takes batches from its line, writes them with retry, and says what became of them.
 *
 * Policy is here and nowhere else: capped full-jitter backoff, a breaker, what each error class means. A ship never
 * decides about events: on anything but a commit it hands the position back and the line starts there again. */
#ifndef SHIP_SHIP_H
#define SHIP_SHIP_H

#include <stdbool.h>
#include <tally/sink.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"
#include "ship/meta.h"
#include "ship/schema.h"

enum ship_outcome {
	SHIP_STORED, /* committed, or found committed after a lost answer (recovered = 1) */
	SHIP_REWIND, /* throw the batch and all state away, start at `position` */
	SHIP_BAD_ROW, /* as REWIND, and the rows named are to become dead letters; their batch is still to be looked at */
	SHIP_CLOSED   /* the ship was closed; nothing is known */
};

/* A row that the store refused, in the store's words. */
struct ship_refused {
	size_t rows_index, row;
	int code;
	char message[256];
};

struct ship_report {
	enum ship_outcome outcome;
	struct tally_position position; /* where the store stands now */
	const struct meta *meta;        /* REWIND: what the store remembers; lives until the next REWIND report */
	bool recovered;
	const struct ship_refused *refused; /* BAD_ROW: live until the next job */
	size_t nrefused;
};

struct ship_stats {
	uint64_t batches, rows, retries[8]; /* retries by enum tally_sink_rc */
	uint64_t recovered, reconnects;
	bool connected, breaker_open, stopped; /* stopped: waits for an operator (STOP, FULL) */
	int64_t last_commit_us, last_error_us; /* wall; 0 = never */
	int64_t write_us;                      /* last commit took */
	char error[256];                       /* last one, "" once it writes again */
	char note[256];                        /* what operators should know though it writes; "" = nothing */
};

struct ship;

/* [line, while the ship lies idle] The pipeline gives visits: the store is to remember from when on they are whole, which
 * it does at the next position. Nothing at first. */
void ship_set_gives(struct ship *s, uint32_t gives); /* TALLY_GIVES_… */
uint32_t ship_gives(const struct ship *s);
/* [line, while the ship lies idle] The zones of the configuration's sites, as far as the next position() is concerned.
 * True: they are others than before. */
bool ship_set_zones(struct ship *s, const struct conf *c);

/* sink's instance is opened (options checked), no connection made. -EINVAL with why. */
must_check int ship_open(const struct tally_sink *sink, const struct conf_sink *cs, const struct conf *c,
	const struct schema *schema, const char *node_uuid, struct ship **out, char why[512]);

/* [line] Asks for the store's position; the answer comes as a REWIND report (retried until it is known). */
void ship_ask_position(struct ship *s);

/* [line] Lends a batch until its report comes. Assumes: no other batch or question is under way. letters: its rows were
 * refused before, so that any number of them may be refused again. */
void ship_send(struct ship *s, const struct tally_batch *batch, bool letters);

/* [line] Takes the report if there is one. */
bool ship_report(struct ship *s, struct ship_report *out);

/* [line] One of the rows of a BAD_ROW report is a dead letter now, for good. What could not be laid aside is refused once
 * more, and is no further bad row. Assumes: no job is under way. */
void ship_buried(struct ship *s);

/* Called from the ship's thread when a report is ready. */
void ship_on_report(struct ship *s, void (*fn)(void *arg), void *arg);

/* [any thread] Rises, before anybody is told, whenever the sink may hold something else than before. */
uint64_t ship_changes(const struct ship *s);

/* [any thread] */
void ship_stats(const struct ship *s, struct ship_stats *out);
/* [any thread] Try now instead of at the end of the backoff (tally flush, an operator's reload). */
void ship_nudge(struct ship *s);

/* What goes with a line's name and is not the store's. [the ship's thread, while the line waits for its position] */
struct ship_adopting {
	int (*before)(void *arg, const char *from, char words[256]); /* non-zero: nothing is adopted, and why */
	void (*after)(void *arg, const char *from, bool adopted);
	void *arg;
};

/* [any thread] The line was called `from` until now: its sink is told before the next position(). Waits for it. Assumes:
 * the sink has the hook. 0 or -errno with words. */
must_check int ship_adopt(
	struct ship *s, const char *from, const struct ship_adopting *with, int64_t wait_us, char words[512]);

/* ---- beside the line's batches: what a rebuild writes [any thread but the ship's and the line's; one at a time] ---- */

/* Each is done on the ship's thread between two batches, and waited for. enum tally_sink_rc with words, or
 * -ESHUTDOWN: the ship was closed. Whatever ends with anything but OK or RETRY has left nothing but, perhaps, a commit
 * whose answer was lost. */

/* One more table, made if it is missing. It is the caller's, and stays among the sink's tables until ship_side_close();
 * nothing else may be open. */
must_check int ship_side_open(struct ship *s, const struct tally_table *t, char words[512]);
void ship_side_close(struct ship *s, const struct tally_table *t);
/* One transaction that does not move the position: from and to of the batch are set here. */
must_check int ship_side_write(struct ship *s, struct tally_batch *b, char words[512]);
must_check int ship_side_drop(struct ship *s, const char *table, char words[512]);

/* [any thread] One of the tables that every store has, as this ship's batches are to name it. */
const struct tally_table *ship_table(const struct ship *s, enum schema_table which);

/* [any thread] the sink and its instance, for readers (reader_open). */
const struct tally_sink *ship_sink(const struct ship *s);
void *ship_sink_self(const struct ship *s);

/* Gives up the retry under way, joins the thread, closes the sink. */
void ship_close(struct ship *s);

#endif
