/* SPDX-License-Identifier: Apache-2.0 */
#include "ship/remember.h"

#include "ship/zones.h"

#include <stdlib.h>

void remember_open(struct remember *m, struct arena *a)
{
	*m = (struct remember){ .arena = a };
}

static void *grown(struct arena *a, void *old, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return old;
	size_t more = *cap ? 2 * *cap : 64;
	void *bigger = arena_alloc(a, more * size);
	if (n)
		memcpy(bigger, old, n * size);
	*cap = more;
	return bigger;
}

static const char *text_of(struct arena *a, const struct tally_cell *c)
{
	return arena_copy(a, c->null ? "" : c->v.ptr, c->null ? 0 : c->len);
}

void remember_row(struct remember *m, const struct tally_cell *cells)
{
	m->rows = grown(m->arena, m->rows, m->nrows, &m->rows_cap, sizeof *m->rows);
	m->rows[m->nrows++] = (struct remembered){ .name = text_of(m->arena, &cells[0]),
		.value = text_of(m->arena, &cells[1]),
		.has_horizon = !cells[2].null,
		.horizon = cells[2].null ? INT64_MIN : cells[2].v.i };
	m->sorted = false;
}

void remember_node(struct remember *m, struct tally_str uuid, int64_t lsn)
{
	m->nodes = grown(m->arena, m->nodes, m->nnodes, &m->nodes_cap, sizeof *m->nodes);
	m->nodes[m->nnodes++] = (struct remembered_node){ arena_copy(m->arena, uuid.ptr, uuid.len), lsn };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct remembered *)a)->name, ((const struct remembered *)b)->name);
}

/* The first row that is not before the name. */
static size_t lower_bound(struct remember *m, const char *name)
{
	size_t low = 0, high = m->nrows;
	if (!m->sorted && m->nrows)
		qsort(m->rows, m->nrows, sizeof *m->rows, by_name);
	m->sorted = true;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (strcmp(m->rows[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct remembered *remember_find(struct remember *m, const char *name)
{
	size_t at = lower_bound(m, name);
	return at < m->nrows && strcmp(m->rows[at].name, name) == 0 ? &m->rows[at] : NULL;
}

const struct remembered *remember_first(struct remember *m, const char *head)
{
	size_t at = lower_bound(m, head);
	return at < m->nrows && strncmp(m->rows[at].name, head, strlen(head)) == 0 ? &m->rows[at] : NULL;
}

int64_t remember_horizon(struct remember *m, const char *name, int64_t otherwise)
{
	const struct remembered *r = remember_find(m, name);
	return r && r->has_horizon ? r->horizon : otherwise;
}

/* ---- numbers ---- */

/* The number in "HEADNAME" or "HEADNAME/N"; 0 = another name. */
static unsigned number_of(const char *row, const char *whole)
{
	size_t len = strlen(whole);
	char *end;
	if (strncmp(row, whole, len) != 0)
		return 0;
	if (!row[len])
		return 1;
	if (row[len] != '/')
		return 0;
	unsigned long n = strtoul(row + len + 1, &end, 10);
	return *end || n < 2 || n > 1000000000 ? 0 : (unsigned)n;
}

/* The highest number among the rows of this head, of those with that value if one is given. */
static unsigned highest(struct remember *m, const char *head, const struct tally_rollup *r, const char *value)
{
	const char *whole = arena_printf(m->arena, "%s%.*s", head, (int)r->name.len, r->name.ptr);
	const struct remembered *end = m->rows + m->nrows;
	unsigned most = 0;
	for (const struct remembered *x = remember_first(m, whole); x && x < end; x++) {
		if (strncmp(x->name, whole, strlen(whole)) != 0)
			break;
		unsigned n = number_of(x->name, whole);
		if (n > most && (!value || strcmp(x->value, value) == 0))
			most = n;
	}
	return most;
}

unsigned remember_number(struct remember *m, const struct tally_rollup *r)
{
	return highest(m, META_ROLLUP, r, meta_definition(r, m->arena));
}

unsigned remember_free_number(struct remember *m, const struct tally_rollup *r)
{
	unsigned used = highest(m, META_ROLLUP, r, NULL), making = highest(m, META_MAKING, r, NULL);
	return 1 + (used > making ? used : making);
}

/* ---- who writes it ---- */

static int64_t place_of(struct remember *m, const char *head, const char *uuid, const char *id)
{
	return remember_horizon(m, meta_node_row(m->arena, head, uuid, id), 0);
}

bool remember_writes(struct remember *m, const char *uuid, const char *id)
{
	return place_of(m, META_BEGAN, uuid, id) > place_of(m, META_ENDED, uuid, id);
}

const char *remember_short_of(struct remember *m, const char *id)
{
	for (size_t i = 0; i < m->nnodes; i++) {
		const char *uuid = m->nodes[i].uuid;
		int64_t ended = place_of(m, META_ENDED, uuid, id);
		if (m->nodes[i].lsn > ended && place_of(m, META_BEGAN, uuid, id) <= ended)
			return uuid;
	}
	return NULL;
}

const char *remember_watching(struct remember *m, const char *except, int64_t *until_us)
{
	const struct remembered *end = m->rows + m->nrows;
	const char *id = NULL;
	*until_us = INT64_MIN;
	for (const struct remembered *x = remember_first(m, META_MAKING); x && x < end; x++) {
		const char *of = x->name + strlen(META_MAKING);
		size_t len = strlen(x->value), tail = strlen(META_OF_VISITS);
		if (strncmp(x->name, META_MAKING, strlen(META_MAKING)) != 0)
			break;
		if (len < tail || strcmp(x->value + len - tail, META_OF_VISITS) != 0 || !x->has_horizon ||
			(except && strcmp(of, except) == 0) ||
			remember_find(m, arena_printf(m->arena, META_MADE "%s", of)))
			continue;
		id = of;
		if (x->horizon + META_WATCH_US > *until_us)
			*until_us = x->horizon + META_WATCH_US;
	}
	return id;
}

/* ---- what it comes to ---- */

void remember_resolve(struct remember *m, const struct schema *s, bool reading, struct meta *out)
{
	int64_t *horizons = arena_alloc(m->arena, (s->nrollups + 1) * sizeof *horizons);
	const char **tables = arena_zalloc(m->arena, (s->nrollups + 1) * sizeof *tables);
	const char **short_of = arena_zalloc(m->arena, (s->nrollups + 1) * sizeof *short_of);
	struct meta_zoned *zoned = arena_alloc(m->arena, (s->nrollups + 1) * sizeof *zoned);
	for (int g = 0; g < TALLY_GRAINS; g++)
		out->grain_horizon_us[g] = remember_horizon(m, meta_grain_name((enum tally_grain)g), INT64_MIN);
	for (size_t i = 0; i < s->nrollups; i++) {
		const struct tally_rollup *r = s->rollups[i].rollup;
		unsigned number = remember_number(m, r);
		const char *id = meta_rollup_id(r, number ? number : 1, m->arena);
		tables[i] = schema_rollup_table(m->arena, r, number ? number : 1);
		short_of[i] = number && reading ? remember_short_of(m, id) : NULL;
		zoned[i] = zones_of_rollup(m, id);
		horizons[i] = INT64_MAX;
		if (number && !short_of[i])
			horizons[i] = remember_horizon(m, arena_printf(m->arena, META_ROLLUP "%s", id), INT64_MAX);
	}
	out->rollup_horizon_us = horizons;
	out->rollup_table = tables;
	out->rollup_short_of = short_of;
	out->rollup_zoned = zoned;
	out->zones = zones_read(m, &out->nzones, &out->last_zone);
	out->nrollups = s->nrollups;
	out->events_horizon_us = remember_horizon(m, META_EVENTS, INT64_MIN);
	out->visits_horizon_us = remember_horizon(m, META_VISITS, INT64_MAX);
	out->values_horizon_us = remember_horizon(m, META_VALUES, INT64_MAX);
	out->epoch = remember_horizon(m, META_EPOCH, 0);
	(void)remember_watching(m, NULL, &out->watched_until_us);
}
