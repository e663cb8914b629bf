/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/group.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

#define FIRST_SKETCH 64 /* a handful of visitors */

void groups_open(struct groups *g, const struct query *q, const struct plan_needs *needs, struct arena *a)
{
	*g = (struct groups){ .q = q, .needs = needs, .arena = a };
}

static bool is_nothing(const struct groups *g, const struct group *at)
{
	for (size_t i = 0; i < g->needs->n; i++)
		if (at->amounts[i].count || at->amounts[i].number != 0 || at->amounts[i].len)
			return false;
	return true;
}

static void free_sketches(const struct groups *g, struct group *at)
{
	for (size_t i = 0; i < g->needs->n; i++) {
		free(at->amounts[i].sketch);
		at->amounts[i] = (struct group_amount){ 0 }; /* it may still be found in the index */
	}
}

void groups_keep(struct groups *g, bool (*stays)(void *arg, const struct group *at), void *arg)
{
	struct group **at = &g->first;
	g->last = NULL;
	while (*at) {
		if (stays(arg, *at)) {
			g->last = *at;
			at = &(*at)->next;
			continue;
		}
		free_sketches(g, *at);
		*at = (*at)->next;
		g->n--;
	}
}

static bool is_something(void *arg, const struct group *at)
{
	return !is_nothing(arg, at);
}

void groups_drop_nothing(struct groups *g)
{
	groups_keep(g, is_something, g);
}

void groups_close(struct groups *g)
{
	for (struct group *at = g->first; at; at = at->next)
		free_sketches(g, at);
	table_free(&g->index);
	g->first = g->last = NULL;
}

struct group *groups_spare(struct groups *g)
{
	struct group *made = arena_zalloc(g->arena, sizeof *made);
	made->amounts = arena_zalloc(g->arena, (g->needs->n + 1) * sizeof *made->amounts);
	made->values = arena_zalloc(g->arena, (g->q->ndims + 1) * sizeof *made->values);
	if (g->last)
		g->last->next = made;
	else
		g->first = made;
	g->last = made;
	g->bytes += sizeof *made + g->needs->n * sizeof *made->amounts + g->q->ndims * sizeof *made->values;
	return made;
}

/* bucket (8 bytes), then each value behind its length (4 bytes): no two tuples share a key. */
static size_t key_bytes(const struct query *q, const struct tally_str *values)
{
	size_t n = 8;
	for (size_t i = 0; i < q->ndims; i++)
		n += 4 + values[i].len;
	return n;
}

static struct tally_str make_key(const struct query *q, size_t bucket, const struct tally_str *values, char *out)
{
	char *at = out;
	put_u64(at, bucket);
	at += 8;
	for (size_t i = 0; i < q->ndims; i++) {
		put_u32(at, (uint32_t)values[i].len);
		at += 4;
		if (values[i].len)
			memcpy(at, values[i].ptr, values[i].len);
		at += values[i].len;
	}
	return str_make(out, (size_t)(at - out));
}

/* Keys of usual length need no memory of their own to be looked up. */
#define KEY_ON_STACK 512

struct group *groups_place(struct groups *g, size_t bucket, const struct tally_str *fields)
{
	struct tally_str values[QUERY_DIMENSIONS_MAX];
	char small[KEY_ON_STACK];
	for (size_t i = 0; i < g->q->ndims; i++)
		values[i] = g->q->dims[i].is_time ? (struct tally_str){ 0 } : fields[g->q->dims[i].field];
	size_t bytes = key_bytes(g->q, values);
	char *buf = bytes > sizeof small ? memory_alloc(bytes) : small;
	MUST(buf);
	struct tally_str key = make_key(g->q, bucket, values, buf);
	void **place = table_place(&g->index, key);
	if (buf != small)
		free(buf);
	if (*place)
		return *place;
	if (g->bytes > GROUPS_BYTES_MAX)
		return NULL; /* leaves an empty place behind; the run ends here */
	struct group *made = groups_spare(g);
	made->bucket = bucket;
	for (size_t i = 0; i < g->q->ndims; i++)
		made->values[i] = arena_str(g->arena, values[i]);
	g->bytes += 2 * bytes;
	g->n++;
	return *place = made;
}

const struct group *groups_find(const struct groups *g, const struct group *like)
{
	char small[KEY_ON_STACK];
	size_t bytes = key_bytes(g->q, like->values);
	char *buf = bytes > sizeof small ? memory_alloc(bytes) : small;
	MUST(buf);
	const struct group *found = table_get(&g->index, make_key(g->q, like->bucket, like->values, buf));
	if (buf != small)
		free(buf);
	return found;
}

/* ---- amounts ---- */

void group_add_count(struct group_amount *am, int64_t by)
{
	if (__builtin_add_overflow(am->count, by, &am->count))
		am->count = INT64_MAX;
}

void group_add_number(struct group_amount *am, uint32_t kind, double number, int64_t count)
{
	if (count <= 0)
		return;
	if (kind == TALLY_SUM)
		am->number += number;
	else if (am->count == 0 || (kind == TALLY_MIN ? number < am->number : number > am->number))
		am->number = number;
	group_add_count(am, count);
}

bool group_is_sketch(uint32_t kind)
{
	return kind == TALLY_VISITORS || kind == TALLY_QUANTILE;
}

static int grow(struct groups *g, struct group_amount *am, size_t most)
{
	size_t cap = am->cap ? 2 * am->cap : FIRST_SKETCH;
	if (am->cap >= most)
		return -EBADMSG;
	if (cap > most)
		cap = most;
	if (g->bytes + cap > GROUPS_BYTES_MAX)
		return -E2BIG;
	uint8_t *sketch = memory_grow(am->sketch, cap);
	MUST(sketch);
	g->bytes += cap - am->cap;
	am->sketch = sketch;
	am->cap = cap;
	return 0;
}

static int grow_to(struct groups *g, struct group_amount *am, size_t room)
{
	int rc = 0;
	while (rc == 0 && am->cap < room)
		rc = grow(g, am, room);
	return rc;
}

void group_seal(const struct groups *g, struct group *at)
{
	for (size_t i = 0; i < g->needs->n; i++) {
		struct group_amount *am = &at->amounts[i];
		if (am->draft)
			hll_draft_end(am->sketch, &am->len);
		am->draft = false;
		if (g->needs->need[i].kind == TALLY_VISITORS)
			am->visitors = am->len ? llround(hll_estimate(am->sketch, am->len)) : 0;
	}
}

void groups_seal(struct groups *g)
{
	for (struct group *at = g->first; at; at = at->next)
		group_seal(g, at);
}

int group_add_hash(struct groups *g, struct group_amount *am, uint64_t hash)
{
	for (;;) {
		int rc = am->cap ? hll_add(am->sketch, &am->len, am->cap, hash) : -ENOSPC;
		if (rc != -ENOSPC)
			return rc;
		rc = grow(g, am, HLL_ROOM);
		if (rc)
			return rc;
	}
}

int group_add_value(struct groups *g, struct group_amount *am, double number, uint64_t times)
{
	for (;;) {
		int rc = am->cap ? quantile_add(am->sketch, &am->len, am->cap, number, times) : -ENOSPC;
		if (rc != -ENOSPC)
			return rc;
		rc = grow(g, am, QUANTILE_ROOM);
		if (rc)
			return rc;
	}
}

static int merge(struct group_amount *am, uint32_t kind, const void *sketch, size_t len)
{
	if (am->cap == 0)
		return -ENOSPC;
	if (am->draft)
		return hll_draft_add(am->sketch, sketch, len);
	return kind == TALLY_QUANTILE ? quantile_merge(am->sketch, &am->len, am->cap, sketch, len)
				      : hll_merge(am->sketch, &am->len, am->cap, sketch, len);
}

int group_add_sketch(struct groups *g, struct group_amount *am, uint32_t kind, const void *sketch, size_t len)
{
	if (len == 0)
		return 0;
	if (kind == TALLY_VISITORS && !am->draft && am->len && !hll_is_exact(am->sketch, am->len)) {
		int rc = grow_to(g, am, HLL_ROOM);
		if (rc)
			return rc;
		hll_draft_begin(am->sketch, &am->len);
		am->draft = true;
	}
	for (;;) {
		int rc = merge(am, kind, sketch, len);
		if (rc != -ENOSPC)
			return rc;
		rc = grow(g, am, kind == TALLY_QUANTILE ? QUANTILE_ROOM : HLL_ROOM);
		if (rc)
			return rc;
	}
}

int group_merge(struct groups *g, struct group *into, const struct group *from)
{
	for (size_t i = 0; i < g->needs->n; i++) {
		const struct group_amount *add = &from->amounts[i];
		uint32_t kind = g->needs->need[i].kind;
		int rc = 0;
		if (group_is_sketch(kind))
			rc = group_add_sketch(g, &into->amounts[i], kind, add->sketch, add->len);
		else if (plan_is_count(kind))
			group_add_count(&into->amounts[i], add->count);
		else
			group_add_number(&into->amounts[i], kind, add->number, add->count);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- values ---- */

static struct group_value integer(int64_t i)
{
	return (struct group_value){ GROUP_INT, i, (double)i };
}

static struct group_value real(double d, bool known)
{
	return known ? (struct group_value){ GROUP_REAL, 0, d } : (struct group_value){ GROUP_NULL, 0, 0 };
}

/* Of no visits nothing is known. */
static struct group_value per_visit(
	const struct plan_needs *needs, const struct group *g, const struct group_amount *am, double scale)
{
	int64_t visits = g->amounts[needs->visits].count;
	return real(visits > 0 ? scale * (double)am->count / (double)visits : 0, visits > 0);
}

struct group_value group_metric(
	const struct query *q, const struct plan_needs *needs, size_t metric, const struct group *g, int64_t whole)
{
	unsigned at = needs->of_metric[metric];
	const struct group_amount *am = &g->amounts[at];
	switch (q->metrics[metric].kind) {
	case QM_EVENTS:
	case QM_PAGEVIEWS:
		return integer(am->count);
	case QM_VISITORS:
		return integer(am->visitors);
	case QM_SUM:
		return real(am->number, true);
	case QM_AVG:
		return real(am->count ? am->number / (double)am->count : 0, am->count > 0);
	case QM_MIN:
	case QM_MAX:
		return real(am->number, am->count > 0);
	case QM_QUANTILE:
		return real(quantile_value(am->sketch, am->len, q->metrics[metric].percent), am->len > 0);
	case QM_VISITS:
		return integer(am->count);
	case QM_VIEWS_PER_VISIT:
		return per_visit(needs, g, am, 1);
	case QM_BOUNCE_RATE:
		return per_visit(needs, g, am, 100);
	case QM_VISIT_DURATION:
		return per_visit(needs, g, am, 1e-6);
	case QM_PERCENTAGE:
	case QM_CONVERSION:
		break;
	}
	return real(whole ? round(1000.0 * (double)am->visitors / (double)whole) / 10 : 0, true);
}

int64_t group_visitors(const struct plan_needs *needs, const struct group *g)
{
	for (size_t i = 0; i < needs->n; i++)
		if (needs->need[i].kind == TALLY_VISITORS)
			return g->amounts[i].visitors;
	return 0;
}

bool group_is_exact(const struct plan_needs *needs, const struct group *g)
{
	for (size_t i = 0; i < needs->n; i++)
		if (needs->need[i].kind == TALLY_VISITORS && g->amounts[i].len &&
			!hll_is_exact(g->amounts[i].sketch, g->amounts[i].len))
			return false;
	return true;
}
