/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a batch: minutes fold into quarter hours, those into days, days into months; then every row that is kept
 * leaves in order.
 *
 * A coarser cell with one finer cell below it, which is nearly every one in a batch of half a second, has the same
 * amounts: it shares them and gets a copy of its own only when a second one arrives. */
#include <errno.h>
#include <stdlib.h>

#include "rollup.h"

/* ---- folding ---- */

static int fold_into(struct rollup *ro, struct cell *up, const struct cell *c)
{
	const struct tally_rollup *r = c->dims->rollup;
	if (!up->amounts) {
		up->amounts = c->amounts;
		up->shared = true;
		return 0;
	}
	if (up->shared) {
		up->amounts = amounts_copy(ro, r, up->amounts);
		up->shared = false;
	}
	return up->amounts ? amounts_merge(ro, r, up->amounts, c->amounts) : -ENOMEM;
}

/* Assumes: the finer cells are complete. */
static int fold(struct rollup *ro, uint32_t fine, uint32_t coarse)
{
	for (const struct cell *c = ro->cells[fine]; c; c = c->next) {
		int64_t bucket = ro->host->bucket(ro->in, coarse, c->site->name, c->bucket_us);
		struct cell *up = cell_of(ro, c->dims, c->site, coarse, bucket);
		int rc = up ? fold_into(ro, up, c) : -ENOMEM;
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* ---- order: rollup, site, grain, bucket, dims ---- */

static int compare_str(struct tally_str a, struct tally_str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
	return compare_str((*(struct site *const *)a)->name, (*(struct site *const *)b)->name);
}

static int by_values(const void *a, const void *b)
{
	const struct dims *x = *(struct dims *const *)a, *y = *(struct dims *const *)b;
	int c = 0;
	for (uint32_t i = 0; c == 0 && i < x->rollup->ndims; i++)
		c = compare_str(x->values[i], y->values[i]);
	return c;
}

static int rank_sites(struct rollup *ro)
{
	struct site **all = ro->host->alloc(ro->in, (ro->nsites + 1) * sizeof(struct site *));
	size_t n = 0;
	if (!all)
		return -ENOMEM;
	for (struct site *s = ro->sites; s; s = s->next)
		all[n++] = s;
	qsort(all, n, sizeof *all, by_name);
	for (size_t i = 0; i < n; i++)
		all[i]->rank = (uint32_t)i;
	return 0;
}

static int rank_dims(struct rollup *ro)
{
	struct dims **all = ro->host->alloc(ro->in, (ro->ndims + 1) * sizeof(struct dims *));
	if (!all)
		return -ENOMEM;
	for (size_t r = 0; r < ro->nrollups; r++) {
		size_t n = 0;
		for (struct dims *d = ro->dims[r]; d; d = d->next)
			all[n++] = d;
		if (n > 1)
			qsort(all, n, sizeof *all, by_values);
		for (size_t i = 0; i < n; i++)
			all[i]->rank = (uint32_t)i;
	}
	return 0;
}

struct sorted {         /* what decides the order, by falling weight */
	uint64_t place; /* rollup, site, grain */
	int64_t bucket_us;
	uint64_t rank; /* of the dims */
	struct cell *cell;
};

static int by_order(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->bucket_us != y->bucket_us)
		return x->bucket_us < y->bucket_us ? -1 : 1;
	return (x->rank > y->rank) - (x->rank < y->rank);
}

/* Cells whose bucket is kept, in order. *n: how many. */
static struct sorted *sort_cells(struct rollup *ro, size_t *n)
{
	struct sorted *all = ro->host->alloc(ro->in, (ro->ncells + 1) * sizeof *all);
	*n = 0;
	if (!all)
		return NULL;
	for (uint32_t g = 0; g < TALLY_GRAINS; g++)
		for (struct cell *c = ro->cells[g]; c; c = c->next) {
			uint32_t id = c->dims->rollup->id;
			int64_t horizon = c->site->horizons[id][g];
			if (horizon == INT64_MAX || c->bucket_us < horizon)
				continue;
			all[(*n)++] = (struct sorted){ (uint64_t)id << 34 | (uint64_t)c->site->rank << 2 | g,
				c->bucket_us, c->dims->rank, c };
		}
	if (*n > 1)
		qsort(all, *n, sizeof *all, by_order);
	return all;
}

/* ---- out ---- */

static int emit_cell(struct rollup *ro, struct cell *c, struct tally_amount *room)
{
	const struct tally_rollup *r = c->dims->rollup;
	int rc = amounts_seal(ro, r, c->amounts, room);
	struct tally_row row = { .rollup = r,
		.grain = c->grain,
		.bucket_us = c->bucket_us,
		.site = c->site->name,
		.dims = c->dims->values,
		.amounts = room };
	return rc ? rc : ro->host->emit(ro->in, &row);
}

static int emit_all(struct rollup *ro)
{
	size_t n, most = 1;
	struct sorted *all = sort_cells(ro, &n);
	for (size_t r = 0; r < ro->nrollups; r++)
		most = ro->rollups[r].nmetrics > most ? ro->rollups[r].nmetrics : most;
	struct tally_amount *room = ro->host->alloc(ro->in, most * sizeof *room);
	if (!all || !room)
		return -ENOMEM;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = emit_cell(ro, all[i].cell, room);
	return rc;
}

int rollup_flush(struct rollup *ro)
{
	int rc = 0;
	if (ro->ncells == 0)
		return 0;
	rc = fold(ro, TALLY_MINUTE, TALLY_QUARTER);
	if (rc == 0)
		rc = fold(ro, TALLY_QUARTER, TALLY_DAY);
	if (rc == 0)
		rc = fold(ro, TALLY_DAY, TALLY_MONTH);
	if (rc == 0)
		rc = rank_sites(ro);
	if (rc == 0)
		rc = rank_dims(ro);
	if (rc == 0)
		rc = emit_all(ro);
	return rc;
}
