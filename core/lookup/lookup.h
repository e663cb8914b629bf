/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups: reference data that belongs to somebody else (products, customers), read from a store by a SELECT and kept in
 * memory, so that events are joined with it and /v1/lookup answers from it without asking anybody.
 *
 * One thread reads them one after the other, each when its ttl is over, over readers of its own; nothing else ever waits
 * for a store. What was read last stays in use, on disk too (lookup/file.h), until something newer was read: a store that
 * is away, a SELECT that fails or gives too much changes nothing but the age that is told. */
#ifndef LOOKUP_LOOKUP_H
#define LOOKUP_LOOKUP_H

#include <tally/sink.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "lookup/load.h"

struct lookups;

/* ---- life [main] ---- */

/* Nothing is declared until lookups_open(). It outlives every struct lookup_held. */
struct lookups *lookups_make(void);
void lookups_free(struct lookups *l);

struct lookup_store {
	const char *name; /* of the sink */
	const struct tally_sink *sink;
	void *self;
};

/* Whether lookups can be read through this sink. */
static inline bool lookup_can_read(const struct tally_sink *sink)
{
	return sink->is_store && sink->size >= offsetof(struct tally_sink, select) + sizeof sink->select &&
	       sink->select;
}

/* Takes what is on disk. stores: those that can be read, the default one first; they outlive lookups_stop(), conf does
 * not have to. Assumes: every lookup of conf has its store among them. */
void lookups_open(
	struct lookups *l, const struct conf *conf, const char *data_dir, const struct lookup_store *stores, size_t n);
/* From here on they are read. */
void lookups_run(struct lookups *l);
/* [any thread] Whether all lookups of conf have their store among those that lookups_open() was given. 0 or -EINVAL with
 * why. */
must_check int lookups_check(const struct lookups *l, const struct conf *conf, char why[512]);
/* [any thread] Other lookups, of which those of the same definition keep their rows. Assumes: lookups_check() was 0. */
void lookups_reload(struct lookups *l, const struct conf *conf);
/* [any thread] Waits until each has rows or was tried once, at most so long. */
void lookups_wait(struct lookups *l, int64_t at_most_us);
/* Closes all readers; what was read can be looked up on. */
void lookups_stop(struct lookups *l);

/* ---- what is known [any thread] ---- */

struct lookup_state {
	const char *name;         /* in the arena */
	struct lookup_rows *rows; /* a reference, the caller's; NULL = nothing was read yet */
	double age_seconds;       /* since the store last said so */
	bool stale;               /* the last try came to nothing, or none has been made since the start */
	const char *why;          /* it did; in the arena; "" = nothing is wrong */
};

/* False: none of that name is declared. */
must_check bool lookups_get(struct lookups *l, struct arena *a, struct tally_str name, struct lookup_state *out);
/* All of them, in the order of the configuration; NULL-terminated names for messages. */
size_t lookups_list(struct lookups *l, struct arena *a, const char *const **names);
/* What operators should know in a few words, added to what stands there. */
void lookups_trouble(struct lookups *l, char *why, size_t room);
/* For meter_on_print(): arg is the struct lookups. */
void lookups_gauges(void *arg);

/* ---- looking up on a hot path ---- */

/* One thread's hold: between the first find and release() every answer is of one moment, and stays. */
struct lookup_held;
struct lookup_held *lookup_held_open(struct lookups *l);
void lookup_held_close(struct lookup_held *h); /* NULL is nothing */
void lookup_held_release(struct lookup_held *h);

enum lookup_found { LOOKUP_FOUND, LOOKUP_MISSING, LOOKUP_UNREAD, LOOKUP_NO_COLUMN, LOOKUP_FOUNDS, LOOKUP_UNKNOWN };
/* FOUND: *out lives until release(). MISSING: no such key, or the value is null. UNREAD: no rows yet. UNKNOWN: no lookup of
 * that name. Takes no lock. */
enum lookup_found lookup_held_find(struct lookup_held *h, struct tally_str name, struct tally_str key,
	struct tally_str column, struct lookup_value *out);

#endif
