/* SPDX-License-Identifier: Apache-2.0 */
/* Rollups of one batch.
 *
 *   site   a site seen in this batch, with its horizons
 *   dims   a distinct list of dimension values of one rollup
 *   cell   one row to be: dims, site, grain, bucket, and what its metrics add up to
 *
 * Events go into cells of the finest grain kept: minutes, or quarter hours where minutes are too old to be kept. The
 * coarser cells are derived at the end of the batch. All of it but the three indexes lives in the batch's own memory
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

struct index {
	struct indexed **slots;
	size_t cap, count; /* cap 0 or a power of two */
};

/* Where a thing with this hash and key stands, or the free place it belongs. Valid until the next call. NULL = out of
 * memory. */
struct indexed **index_place(
	struct index *ix, uint64_t hash, bool (*same)(const struct indexed *thing, const void *key), const void *key);
void index_clear(struct index *ix); /* keeps a modest table */
void index_free(struct index *ix);

/* ---- people.c: the distinct visitors of a cell ---- */

/* A set of hashes while it is small, a sketch once it is not. Zeroed = empty. */
struct people {
	uint64_t *slots; /* 0 = free */
	uint32_t cap, count;
	bool zero; /* the hash 0 is in it */
	void *sketch;
	size_t sketch_len;
};

struct rollup;
int people_add(struct rollup *ro, struct people *p, uint64_t hash);
int people_merge(struct rollup *ro, struct people *into, const struct people *from);
int people_copy(struct rollup *ro, struct people *into, const struct people *from);
/* Turns the set into a sketch in batch memory. */
int people_seal(struct rollup *ro, struct people *p);

/* ---- amounts.c: what the metrics of a cell add up to ---- */

struct amount {
	int64_t count;
	double number;
	struct people people;
};

/* Adds one event. visitor: its hash, if it has one. */
int amounts_add(struct rollup *ro, const struct tally_rollup *r, struct amount *am, const struct tally_event *ev,
	const uint64_t *visitor);
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

struct dims {
	struct indexed ix;
	const struct tally_rollup *rollup;
	struct dims *next;
	struct cell *last; /* found last: most events of a batch are of one moment */
	uint32_t rank;     /* among the dims of its rollup, by bytes */
	struct tally_str values[];
};

struct cell {
	struct indexed ix;
	struct dims *dims;
	struct site *site;
	int64_t bucket_us;
	uint32_t grain;
	bool shared; /* amounts are those of the one finer cell it was derived from */
	struct amount *amounts;
	struct cell *next; /* of the same grain */
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

	struct index site_index, dims_index, cell_index;
	struct site *sites, *last_site;
	struct dims **dims; /* lists, by rollup */
	struct cell *cells[TALLY_GRAINS];
	size_t ncells, ndims, nsites;
	int64_t minute_us, quarter_us; /* buckets of the event before */
};

struct site *site_of(struct rollup *ro, struct tally_str name);
struct dims *dims_of(struct rollup *ro, const struct tally_rollup *r, const struct tally_event *ev);
/* amounts is NULL in a new one. All three: NULL = out of memory. */
struct cell *cell_of(struct rollup *ro, struct dims *d, struct site *s, uint32_t grain, int64_t bucket_us);
/* The batch is over: its memory is not ours any more. */
void cells_clear(struct rollup *ro);

/* ---- flush.c ---- */

int rollup_flush(struct rollup *ro);

#endif
