/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a batch: minutes fold into quarter hours, those into days, days into months; then every row that is kept
 * leaves in order.
 *
 * Dims are taken one after the other in their order, and each puts its cells at the ends of their groups, so only dims
 * and groups are ever sorted, not rows. A coarser cell with one finer cell below it, which is nearly every one in a batch
 * of half a second, has the same amounts: it shares them and gets a copy of its own only when a second one arrives. */
#include <errno.h>
#include <stdlib.h>

#include "rollup.h"

/* ---- order ---- */

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

static int compare_places(const struct group *x, const struct group *y)
{
	return x->bucket_us != y->bucket_us ? (x->bucket_us > y->bucket_us) - (x->bucket_us < y->bucket_us)
					    : (int)x->grain - (int)y->grain;
}

/* Leaves of one dims: all that fold into one coarser cell stand together. */
static int by_time(const void *a, const void *b)
{
	const struct group *x = (*(struct cell *const *)a)->group, *y = (*(struct cell *const *)b)->group;
	if (x->site != y->site)
		return x->site->rank < y->site->rank ? -1 : 1;
	return compare_places(x, y);
}

static int by_emission(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
	if (x->rollup != y->rollup)
		return x->rollup->id < y->rollup->id ? -1 : 1;
	if (x->site != y->site)
		return x->site->rank < y->site->rank ? -1 : 1;
	if (x->grain != y->grain)
		return x->grain < y->grain ? -1 : 1;
	return compare_places(x, y);
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

/* ---- folding ---- */

static void append(struct cell *c)
{
	c->next = NULL;
	if (!c->group->kept)
		return;
	*c->group->end = c;
	c->group->end = &c->next;
}

static int fold_into(struct rollup *ro, struct cell *coarse, const struct cell *c)
{
	const struct tally_rollup *r = c->dims->rollup;
	if (coarse->shared) {
		coarse->amounts = amounts_copy(ro, r, coarse->amounts);
		coarse->shared = false;
	}
	return coarse->amounts ? amounts_merge(ro, r, coarse->amounts, c->amounts) : -ENOMEM;
}

/* Folds cells[0..*n) of one dims into those of the grain above, in place; they come and go in the order of time. What is
 * of that grain already stands for itself. */
static int fold(struct rollup *ro, struct cell **cells, size_t *n, uint32_t into)
{
	size_t made = 0;
	for (size_t i = 0; i < *n; i++) {
		struct cell *c = cells[i];
		struct group *g = c->group->grain == into ? c->group : group_coarse(ro, c->group);
		if (!g)
			return -ENOMEM;
		if (c->group != g)
			append(c);
		if (made && cells[made - 1]->group == g) {
			int rc = fold_into(ro, cells[made - 1], c);
			if (rc != 0)
				return rc;
			continue;
		}
		struct cell *coarse = ro->host->alloc(ro->in, sizeof *coarse);
		if (!coarse)
			return -ENOMEM;
		*coarse = (struct cell){ .dims = c->dims, .group = g, .amounts = c->amounts, .shared = true };
		cells[made++] = coarse;
	}
	*n = made;
	return 0;
}

static int derive(struct rollup *ro, struct dims *d, struct cell **cells)
{
	size_t n = 0;
	int rc = 0;
	for (struct cell *c = d->leaves; c; c = c->next)
		cells[n++] = c;
	if (n > 1)
		qsort(cells, n, sizeof *cells, by_time);
	for (uint32_t into = TALLY_QUARTER; rc == 0 && into <= TALLY_MONTH; into++)
		rc = fold(ro, cells, &n, into);
	for (size_t i = 0; rc == 0 && i < n; i++)
		append(cells[i]);
	return rc;
}

static int derive_all(struct rollup *ro)
{
	struct dims **all = ro->host->alloc(ro->in, (ro->ndims + 1) * sizeof(struct dims *));
	struct cell **cells = ro->host->alloc(ro->in, (ro->most_leaves + 1) * sizeof(struct cell *));
	int rc = all && cells ? 0 : -ENOMEM;
	for (size_t r = 0; rc == 0 && r < ro->nrollups; r++) {
		size_t n = 0;
		for (struct dims *d = ro->dims[r]; d; d = d->next)
			all[n++] = d;
		if (n > 1)
			qsort(all, n, sizeof *all, by_values);
		for (size_t i = 0; rc == 0 && i < n; i++)
			rc = derive(ro, all[i], cells);
	}
	return rc;
}

/* ---- out ---- */

/* A visit that changed within one row leaves nothing behind in it. */
static bool is_nothing(const struct tally_rollup *r, const struct tally_amount *a)
{
	for (uint32_t i = 0; i < r->nmetrics; i++)
		if (a[i].count || a[i].sketch_len)
			return false;
	return true;
}

static int emit_group(struct rollup *ro, const struct group *g, struct tally_amount *room)
{
	int rc = 0;
	for (const struct cell *c = g->first; rc == 0 && c; c = c->next) {
		struct tally_row row = { .rollup = g->rollup,
			.grain = g->grain,
			.bucket_us = g->bucket_us,
			.site = g->site->name,
			.dims = c->dims->values,
			.amounts = room };
		rc = amounts_seal(ro, g->rollup, c->amounts, room);
		if (rc == 0 && !is_nothing(g->rollup, room))
			rc = ro->host->emit(ro->in, &row);
	}
	return rc;
}

static int emit_all(struct rollup *ro)
{
	size_t n = 0, most = 1;
	for (size_t r = 0; r < ro->nrollups; r++)
		most = ro->rollups[r].nmetrics > most ? ro->rollups[r].nmetrics : most;
	struct tally_amount *room = ro->host->alloc(ro->in, most * sizeof *room);
	struct group **all = ro->host->alloc(ro->in, (ro->ngroups + 1) * sizeof(struct group *));
	if (!all || !room)
		return -ENOMEM;
	for (struct group *g = ro->groups; g; g = g->next)
		if (g->first)
			all[n++] = g;
	if (n > 1)
		qsort(all, n, sizeof *all, by_emission);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = emit_group(ro, all[i], room);
	return rc;
}

int rollup_flush(struct rollup *ro)
{
	if (ro->ndims == 0)
		return 0;
	int rc = rank_sites(ro);
	if (rc == 0)
		rc = derive_all(ro);
	return rc == 0 ? emit_all(ro) : rc;
}
