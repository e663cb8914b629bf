/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/pick.h"

#include <stdlib.h>

/* ---- pins ---- */

static void pin(const struct plan *p, const struct query_filter *f, struct pick_pins *out)
{
	if (f->op != QF_IS || f->negated || f->folded) {
		out->nothing_else = false;
		return;
	}
	unsigned dim = p->dim_of_field[f->field];
	if (out->of_dim[dim]) {
		out->nothing_else = false;
		return;
	}
	out->of_dim[dim] = f;
	out->npinned++;
}

void pick_pins(const struct query *q, const struct plan *p, struct pick_pins *out)
{
	const struct query_filter *f = q->filter;
	*out = (struct pick_pins){ .nothing_else = true };
	if (!f)
		return;
	if (f->op != QF_AND) {
		pin(p, f, out);
		return;
	}
	for (size_t i = 0; i < f->nkids; i++)
		pin(p, f->kids[i], out);
}

/* ---- keys that are named ---- */

struct namer {
	const struct plan *plan;
	const struct pick_pins *pins;
	int loose;
	struct pick *out;
	struct tally_str values[QUERY_FIELDS_MAX];
};

static bool add_key(struct namer *n)
{
	if (n->out->n == PICK_KEYS_MAX)
		return false;
	schema_rollup_key(n->plan->hash_key, n->values, n->plan->rollup->rollup->ndims, n->out->keys[n->out->n++]);
	return true;
}

/* A rollup that runs full folds the last dimension first, then the ones before it too: from this one on all are
 * "(other)". */
static bool add_folded(struct namer *n, uint32_t dim)
{
	for (uint32_t i = dim; i < n->plan->rollup->rollup->ndims; i++)
		n->values[i] = STR("(other)");
	return add_key(n);
}

static bool add_from(struct namer *n, uint32_t dim)
{
	if (dim == n->plan->rollup->rollup->ndims)
		return add_key(n);
	if (!add_folded(n, dim))
		return false;
	if ((int)dim == n->loose)
		return true;
	const struct query_filter *f = n->pins->of_dim[dim];
	for (size_t i = 0; i < f->nvalues; i++) {
		n->values[dim] = f->values[i];
		if (!add_from(n, dim + 1))
			return false;
	}
	return true;
}

bool pick_named(const struct plan *p, const struct pick_pins *pins, int loose, struct arena *a, struct pick *out)
{
	struct namer n = { .plan = p, .pins = pins, .loose = loose, .out = out };
	*out = (struct pick){ .keys = arena_alloc(a, PICK_KEYS_MAX * sizeof *out->keys) };
	if (!add_from(&n, 0))
		return false;
	pick_finish(out);
	return true;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, PICK_KEY);
}

void pick_finish(struct pick *pk)
{
	size_t n = 0;
	qsort(pk->keys, pk->n, sizeof *pk->keys, by_bytes);
	for (size_t i = 0; i < pk->n; i++)
		if (n == 0 || memcmp(pk->keys[n - 1], pk->keys[i], PICK_KEY) != 0)
			memmove(pk->keys[n++], pk->keys[i], PICK_KEY);
	pk->n = n;
}

/* ---- buckets ---- */

size_t pick_starts(const struct query *q, const struct plan_piece *p, int64_t *at, int64_t *out, size_t max)
{
	size_t n = 0;
	for (; *at < p->to_us && n < max; *at = zone_next(q->site_zone, plan_grain_unit(p->grain), *at))
		out[n++] = *at;
	return n;
}

size_t pick_buckets(const struct query *q, const struct plan *p)
{
	size_t n = 0;
	for (size_t i = 0; i < p->npieces && n <= PICK_BUCKETS_MAX; i++) {
		int64_t at = p->pieces[i].from_us;
		if (p->pieces[i].grain == PLAN_EVENTS)
			continue;
		for (; at < p->pieces[i].to_us && n <= PICK_BUCKETS_MAX; n++)
			at = zone_next(q->site_zone, plan_grain_unit(p->pieces[i].grain), at);
	}
	return n;
}
