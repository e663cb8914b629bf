/* SPDX-License-Identifier: Apache-2.0 */
/* Rollups of one batch.
 *
 *   site   a site seen in this batch, with its horizons
 *   group  a rollup, a site, a grain and a bucket: the rows of one of these stand together
 *   dims   a distinct list of dimension values of one rollup
 *   cell   one row to be: dims in a group, and what its metrics add up to
 *
 * Events go into cells of the finest grain kept, the leaves: minutes, or quarter hours where minutes are too old to be
 * kept. The coarser cells are derived at the end of the batch. All of it but the indexes lives in the batch's own memory
 * (host->alloc), so nothing is freed here. */
#ifndef ROLLUP_ROLLUP_H
#define ROLLUP_ROLLUP_H

#include <stdbool.h>
#include <string.h>
#include <tally/plugin.h>

/* ---- index.c: open addressing over things that begin with their hash ---- */

struct indexed {
	uint64_t hash;
};

struct index_slot {
	uint64_t hash; /* beside the pointer, so that others are passed by without a look at them */
	struct indexed *thing;
};

struct index {
	struct index_slot *slots;
	size_t cap, count; /* cap 0 or a power of two */
};

/* The slot of the thing with this hash and key, or the free place where it belongs, hash already set. Valid until the
 * next call. NULL = out of memory. */
struct index_slot *index_place(
	struct index *ix, uint64_t hash, bool (*same)(const struct indexed *thing, const void *key), const void *key);
/* Fills a free slot; NULL = there is nothing to put there, and the slot stays free. Returns the thing. */
struct indexed *index_fill(struct index *ix, struct index_slot *slot, void *thing);
void index_clear(struct index *ix); /* keeps a modest table */
void index_free(struct index *ix);

/* ---- people.c: the distinct visitors of a cell ---- */

/* One hash, a set of hashes while it is small, a sketch once it is not. Zeroed = empty. */
struct people {
	void *data;     /* cap slots of hashes, 0 = free; or the sketch */
	uint64_t one;   /* cap 0, count 1: the hash itself */
	uint32_t cap;   /* 0, a power of two, or PEOPLE_SKETCH */
	uint32_t count; /* hashes; bytes of the sketch */
};

#define PEOPLE_SKETCH UINT32_MAX

struct rollup;
int people_add(struct rollup *ro, struct people *p, uint64_t hash);
int people_merge(struct rollup *ro, struct people *into, const struct people *from);
/* A plain copy of another one gets memory of its own. */
int people_copy(struct rollup *ro, struct people *p);
/* Turns the set into a sketch in batch memory. */
int people_seal(struct rollup *ro, struct people *p);

/* ---- numbers.c: the numbers of a cell, for percentiles ---- */

/* A sketch, and numbers that are not in it yet. Zeroed = empty. No larger than struct people: amounts are many. */
struct numbers {
	void *sketch;
	double *waiting;
	uint16_t len, room; /* bytes */
	uint16_t waiting_n, waiting_cap;
};

int numbers_add(struct rollup *ro, struct numbers *nu, double number, int64_t times);
int numbers_merge(struct rollup *ro, struct numbers *into, const struct numbers *from);
/* A plain copy of another one gets memory of its own. */
int numbers_copy(struct rollup *ro, struct numbers *nu);
/* From now on the sketch holds all of them. */
int numbers_seal(struct rollup *ro, struct numbers *nu);

/* ---- amounts.c: what the metrics of a cell add up to ---- */

struct amount {
	int64_t count;
	union {
		double number;
		struct people people;   /* VISITORS */
		struct numbers numbers; /* QUANTILE */
	} v;
};

/* Adds one event. visitor: its hash, if it has one. */
int amounts_add(struct rollup *ro, const struct tally_rollup *r, struct amount *am, const struct tally_event *ev,
	const uint64_t *visitor);
/* Adds a visit, or with sign -1 takes it away again. */
void amounts_add_visit(const struct tally_rollup *r, struct amount *am, const struct tally_visit *v, int sign);
/* Is one of its metrics a sum over visits; over anything else? */
bool amounts_of_visits(const struct tally_rollup *r);
bool amounts_of_events(const struct tally_rollup *r);
int amounts_merge(struct rollup *ro, const struct tally_rollup *r, struct amount *into, const struct amount *from);
struct amount *amounts_copy(struct rollup *ro, const struct tally_rollup *r, const struct amount *from);
/* In the form that emit() takes. */
int amounts_seal(struct rollup *ro, const struct tally_rollup *r, struct amount *am, struct tally_amount *out);

/* ---- cells.c ---- */

struct site {
	struct indexed ix;
	struct tally_str name;
	struct site *next;
	uint32_t rank;                     /* among the sites of the batch, by bytes */
	int64_t (*horizons)[TALLY_GRAINS]; /* by rollup */
};

struct group {
	struct indexed ix;
	const struct tally_rollup *rollup;
	struct site *site;
	int64_t bucket_us;
	uint32_t grain;
	bool kept;            /* not before the horizon: its rows are emitted */
	struct group *coarse; /* what it is part of; NULL until asked for */
	struct cell *first, **end;
	struct group *next; /* of all */
};

struct dims {
	struct indexed ix;
	const struct tally_rollup *rollup;
	struct dims *next;   /* of its rollup */
	struct cell *leaves; /* newest first */
	struct cell *last;   /* found last: most events of a batch are of one moment */
	size_t nleaves;
	struct dims *admitted; /* what it counts as on the site and day of the event before; NULL = not asked yet */
	const struct site *admitted_site;
	int64_t admitted_day;
	struct tally_str values[];
};

struct cell {
	struct indexed ix; /* leaves only */
	struct dims *dims;
	struct group *group;
	struct amount *amounts;
	struct cell *next; /* leaf: of its dims; then, in the order of emission, of its group */
	bool shared;       /* amounts are those of the one finer cell it was derived from */
};

struct rollup {
	const struct tally_host *host;
	struct tally_instance *in;
	const struct tally_rollup *rollups;
	size_t nrollups;
	size_t sketch_room;
	char *sketch; /* scratch of that size */
	char *key;    /* scratch for the bytes of a key */
	size_t key_cap;

	struct index site_index, group_index, dims_index, leaf_index;
	struct site *sites, *last_site;
	struct group *groups, **last_group; /* the latter by rollup */
	struct dims **dims;                 /* lists, by rollup */
	size_t nsites, ngroups, ndims, most_leaves;
	int64_t minute_us, quarter_us; /* buckets of the event before */
	struct keys *keys;             /* outlives batches */
};

/* All of these: NULL = out of memory. */
struct site *site_of(struct rollup *ro, struct tally_str name);
struct group *group_of(
	struct rollup *ro, const struct tally_rollup *r, struct site *s, uint32_t grain, int64_t bucket_us);
struct group *group_coarse(struct rollup *ro, struct group *g);
struct dims *dims_of(struct rollup *ro, const struct tally_rollup *r, const struct tally_event *ev);
struct dims *dims_of_visit(struct rollup *ro, const struct tally_rollup *r, const struct tally_visit *v);
/* The same with "(other)" for its last n values. */
struct dims *dims_folded(struct rollup *ro, const struct dims *d, uint32_t n);
/* amounts are zeros in a new one. */
struct cell *leaf_of(struct rollup *ro, struct dims *d, struct group *g);

/* The batch is over: its memory is not ours any more. */
void cells_clear(struct rollup *ro);

/* ---- keysets.c, keys.c ---- */

struct keys *keys_open(size_t max_bytes);
void keys_close(struct keys *k);
/* What d counts as on that site and day: itself, or with "(other)" in it. of_events: an event of a rollup without sums over
 * visits, which may bring a folded key a row of its own. NULL = out of memory. */
struct dims *keys_fold(struct rollup *ro, struct dims *d, const struct site *s, int64_t time_us, bool of_events);

/* ---- flush.c ---- */

int rollup_flush(struct rollup *ro);

#endif
