/* SPDX-License-Identifier: Apache-2.0 */
/* Visits: the events of one visitor of a site with no more than `gap` between one and the next.
 *
 *   visitor  a site and a visitor, with those of its visits that may still change, in the order of time
 *   visit    one of them; beginning, end, pages; last touched when its last event came
 *   text     a page, a referrer, or all that a visit came with, kept once
 *   change   a visit that this batch has touched: what it was before; in batch memory
 *
 * Events come in any order. One that lies within `gap` of no visit begins one; of one, it is part of it and may move its
 * beginning; of two, it joins them. So the visits are those of the sorted sequence, as long as what is less than `gap`
 * apart comes less than `late` apart on the log's clock. A visit is forgotten when nothing has come to it for that long,
 * or when memory is full: the one touched longest ago goes first. All of it follows from the sequence of events alone. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tally/plugin.h>

/* ---- table.c: hashed things, chained ---- */

struct entry {
	struct entry *next;
	uint64_t hash;
};

struct table {
	struct entry **slots;
	size_t cap, n; /* cap 0 or a power of two */
};

struct entry *table_find(
	const struct table *t, uint64_t hash, bool (*same)(const struct entry *e, const void *key), const void *key);
/* 0 or -ENOMEM. */
int table_add(struct table *t, struct entry *e);
void table_remove(struct table *t, struct entry *e);
/* The entries are the caller's; each is given to fn, which may free it. */
void table_clear(struct table *t, void (*fn)(struct entry *e));

/* ---- the state ---- */

struct text {
	struct entry entry;
	uint32_t refs, len;
	char bytes[];
};

struct visitor {
	struct entry entry;
	struct visit **visits; /* by beginning */
	uint32_t n, cap;
	uint8_t site_len, visitor_len;
	char bytes[]; /* site, visitor */
};

struct visit {
	struct visit *older, *newer; /* by last touch */
	struct visitor *visitor;
	struct change *change; /* NULL = not touched in this batch */
	uint64_t lsn;          /* with idx: of the event it was first known by; its name in the store */
	uint32_t idx;
	uint32_t events, views; /* stop at their end */
	int64_t begin_us, end_us, touched_us;
	int64_t entry_us, exit_us;            /* of the events that entry and exit are of */
	struct text *entry, *exit, *referrer; /* NULL = none */
	struct text *came;                    /* what its first event came with, see values.c */
};

/* A visit as it is told. */
struct told {
	struct tally_visit visit; /* without values */
	struct tally_str came;
};

struct change {
	struct change *next;
	struct visit *visit; /* NULL once it was joined to another, or forgotten */
	bool had, joined;    /* had: `before` was given to the host */
	struct told before, last;
};

struct session {
	const struct tally_host *host;
	struct tally_instance *in;
	int64_t gap_us, late_us;
	int64_t replay_gap_us; /* what is replayed came under this gap */
	size_t memory;
	bool inherit; /* events get what their visit came with */
	struct table visitors, texts;
	struct visit *oldest, *newest;
	struct change *changes, **changes_end;
	size_t used; /* bytes, by what is held and not by how: the same for the same events */
	size_t nvisits;
	int64_t clock_us;
};

/* visits.c */
int visits_event(struct session *s, struct tally_event *ev);
int visits_flush(struct session *s);
void visits_expire(struct session *s);
void visits_clear(struct session *s);

/* store.c: NULL = out of memory. */
struct visitor *visitor_of(struct session *s, struct tally_str site, struct tally_str name);
/* In its place among the visitor's, as the one touched last. */
struct visit *visit_add(struct session *s, struct visitor *v, const struct visit *like);
struct text *text_of(struct session *s, struct tally_str str);            /* one reference; NULL also for "" */
void store_set_text(struct session *s, struct text **at, struct text *t); /* t's reference moves */
struct tally_str store_text(const struct text *t);
bool store_same(struct tally_str a, struct tally_str b);
void store_free(struct session *s, struct visit *v); /* the visitor's list is the caller's */
void store_drop_if_idle(struct session *s, struct visitor *v);
/* The first of the visitor's visits that begins behind t. */
uint32_t store_behind(const struct visitor *v, int64_t t);
void store_take_out(struct visitor *v, uint32_t from, uint32_t n);
void store_unlink(struct session *s, struct visit *v);
void store_link_newest(struct session *s, struct visit *v);

/* values.c */
#define VALUE_MAX 4096  /* bytes of a value; longer ones are none */
#define INHERIT_MAX 255 /* of one that other events get: else each small event of a visit could be stored as 45 KB */
#define VALUES_MAX (TALLY_VISIT_VALUES * (2 + VALUE_MAX))
/* Of the event's props; lent. */
void values_of(const struct tally_event *ev, struct tally_str out[TALLY_VISIT_VALUES]);
/* One reference; NULL also for no value at all. */
struct text *values_text(struct session *s, const struct tally_str values[TALLY_VISIT_VALUES]);
/* The values in such a text. -EBADMSG: it is none. */
int values_read(struct tally_str text, struct tally_str out[TALLY_VISIT_VALUES]);
/* Sets the props of an event that says less of itself (`own`) than its visit does. */
void values_inherit(struct session *s, struct tally_event *ev, const struct tally_str own[TALLY_VISIT_VALUES],
	const struct text *came);

/* snapshot.c */
int snapshot_save(struct session *s, int (*put)(void *to, const void *bytes, size_t len), void *to);
int snapshot_load(struct session *s, const void *bytes, size_t len);

#endif
