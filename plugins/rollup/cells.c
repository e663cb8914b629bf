/* SPDX-License-Identifier: Apache-2.0 */
/* Sites, dimension values and cells are interned: an event finds its cells by pointers and numbers, and the texts of a
 * key are hashed, stored and later sorted once a batch, not once a row. Keys that strangers choose are hashed under the
 * key of this process. */
#include <stdlib.h>

#include "rollup.h"

static struct tally_str keep(struct rollup *ro, struct tally_str s)
{
	char *p = s.len ? ro->host->alloc(ro->in, s.len) : NULL;
	if (p)
		memcpy(p, s.ptr, s.len);
	return (struct tally_str){ p, p ? s.len : 0 };
}

static bool same_str(struct tally_str a, struct tally_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ---- sites ---- */

static bool is_site(const struct indexed *thing, const void *key)
{
	return same_str(((const struct site *)thing)->name, *(const struct tally_str *)key);
}

static struct site *new_site(struct rollup *ro, struct tally_str name, uint64_t hash)
{
	struct site *s = ro->host->alloc(ro->in, sizeof *s);
	if (!s)
		return NULL;
	*s = (struct site){ .ix.hash = hash, .name = keep(ro, name), .next = ro->sites };
	s->horizons = ro->host->alloc(ro->in, (ro->nrollups + 1) * sizeof *s->horizons);
	if (!s->horizons)
		return NULL;
	for (size_t r = 0; r < ro->nrollups; r++)
		for (uint32_t g = 0; g < TALLY_GRAINS; g++)
			s->horizons[r][g] = ro->host->horizon(ro->in, &ro->rollups[r], g, s->name);
	ro->sites = s;
	ro->nsites++;
	return s;
}

struct site *site_of(struct rollup *ro, struct tally_str name)
{
	if (ro->last_site && same_str(ro->last_site->name, name))
		return ro->last_site;
	uint64_t hash = ro->host->hash_keyed(name.ptr, name.len);
	struct index_slot *at = index_place(&ro->site_index, hash, is_site, &name);
	if (!at)
		return NULL;
	if (!at->thing)
		index_fill(&ro->site_index, at, new_site(ro, name, hash));
	return ro->last_site = (struct site *)at->thing;
}

/* ---- groups ---- */

struct group_key {
	const struct tally_rollup *rollup;
	const struct site *site;
	int64_t bucket_us;
	uint32_t grain;
};

static bool is_group(const struct indexed *thing, const void *key)
{
	const struct group *g = (const struct group *)thing;
	const struct group_key *k = key;
	return g->rollup == k->rollup && g->site == k->site && g->bucket_us == k->bucket_us && g->grain == k->grain;
}

/* The finalizer of MurmurHash3 (public domain). */
static uint64_t stir(uint64_t h)
{
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static struct group *new_group(struct rollup *ro, const struct group_key *key, struct site *s, uint64_t hash)
{
	struct group *g = ro->host->alloc(ro->in, sizeof *g);
	int64_t horizon = s->horizons[key->rollup->id][key->grain];
	if (!g)
		return NULL;
	*g = (struct group){ .ix.hash = hash,
		.rollup = key->rollup,
		.site = s,
		.bucket_us = key->bucket_us,
		.grain = key->grain,
		.kept = key->bucket_us >= horizon,
		.next = ro->groups };
	g->end = &g->first;
	ro->groups = g;
	ro->ngroups++;
	return g;
}

struct group *group_of(
	struct rollup *ro, const struct tally_rollup *r, struct site *s, uint32_t grain, int64_t bucket_us)
{
	struct group_key key = { r, s, bucket_us, grain };
	struct group **last = &ro->last_group[r->id];
	if (*last && is_group(&(*last)->ix, &key))
		return *last;
	uint64_t hash = stir(s->ix.hash ^ ((uint64_t)bucket_us + (uint64_t)r->id * 4 + grain));
	struct index_slot *at = index_place(&ro->group_index, hash, is_group, &key);
	if (!at)
		return NULL;
	if (!at->thing)
		index_fill(&ro->group_index, at, new_group(ro, &key, s, hash));
	return *last = (struct group *)at->thing;
}

struct group *group_coarse(struct rollup *ro, struct group *g)
{
	if (!g->coarse) {
		int64_t bucket = ro->host->bucket(ro->in, g->grain + 1, g->site->name, g->bucket_us);
		g->coarse = group_of(ro, g->rollup, g->site, g->grain + 1, bucket);
	}
	return g->coarse;
}

/* ---- dimension values ---- */

static struct tally_str value_of(const struct tally_dimension *d, const struct tally_event *ev)
{
	switch (d->kind) {
	case TALLY_DIM_NAME:
		return ev->name;
	case TALLY_DIM_PAGE:
		return ev->page;
	case TALLY_DIM_HOST:
		return ev->host;
	case TALLY_DIM_REFERRER:
		return ev->referrer;
	case TALLY_DIM_PROP:
		for (uint32_t i = 0; i < ev->nprops; i++)
			if (same_str(ev->props[i].key, d->key))
				return ev->props[i].text;
		break;
	}
	return (struct tally_str){ NULL, 0 };
}

/* The scratch holds: u32 rollup id, then u32 length and bytes of each value. */
static bool key_room(struct rollup *ro, size_t bytes)
{
	if (bytes <= ro->key_cap)
		return true;
	char *bigger = realloc(ro->key, bytes * 2);
	if (!bigger)
		return false;
	ro->key = bigger;
	ro->key_cap = bytes * 2;
	return true;
}

struct dims_key {
	const char *bytes;
	const struct tally_rollup *rollup;
};

static bool is_dims(const struct indexed *thing, const void *key)
{
	const struct dims *d = (const struct dims *)thing;
	const struct dims_key *k = key;
	const char *p = k->bytes + sizeof(uint32_t);
	bool same = d->rollup == k->rollup;
	for (uint32_t i = 0; same && i < d->rollup->ndims; i++) {
		uint32_t len;
		memcpy(&len, p, sizeof len);
		p += sizeof len;
		same = same_str(d->values[i], (struct tally_str){ p, len });
		p += len;
	}
	return same;
}

static struct dims *new_dims(struct rollup *ro, const struct tally_rollup *r, uint64_t hash, const char *bytes)
{
	struct dims *d = ro->host->alloc(ro->in, sizeof *d + r->ndims * sizeof d->values[0]);
	if (!d)
		return NULL;
	*d = (struct dims){ .ix.hash = hash, .rollup = r, .next = ro->dims[r->id] };
	bytes += sizeof(uint32_t);
	for (uint32_t i = 0; i < r->ndims; i++) {
		uint32_t len;
		memcpy(&len, bytes, sizeof len);
		d->values[i] = keep(ro, (struct tally_str){ bytes + sizeof len, len });
		bytes += sizeof len + len;
	}
	ro->dims[r->id] = d;
	ro->ndims++;
	return d;
}

/* What the visit came with under that key. */
static struct tally_str came_with(const struct tally_visit *v, struct tally_str key)
{
	static const char *const keys[TALLY_VISIT_VALUES] = TALLY_VISIT_KEYS;
	for (uint32_t i = 0; i < TALLY_VISIT_VALUES && i < v->nvalues; i++)
		if (same_str(key, (struct tally_str){ keys[i], strlen(keys[i]) }))
			return v->values[i];
	return (struct tally_str){ NULL, 0 };
}

static struct tally_str value_of_visit(const struct tally_dimension *d, const struct tally_visit *v)
{
	switch (d->kind) {
	case TALLY_DIM_PROP:
		return came_with(v, d->key);
	case TALLY_DIM_REFERRER:
		return v->referrer;
	case TALLY_DIM_ENTRY_PAGE:
		return v->entry_page;
	case TALLY_DIM_EXIT_PAGE:
		return v->exit_page;
	}
	return (struct tally_str){ NULL, 0 };
}

/* One more value behind the len bytes of the key in the scratch. */
static bool key_add(struct rollup *ro, size_t *len, struct tally_str v)
{
	uint32_t n = (uint32_t)v.len;
	if (!key_room(ro, *len + sizeof n + n))
		return false;
	memcpy(ro->key + *len, &n, sizeof n);
	if (n)
		memcpy(ro->key + *len + sizeof n, v.ptr, n);
	*len += sizeof n + n;
	return true;
}

static struct dims *dims_of_key(struct rollup *ro, const struct tally_rollup *r, size_t len)
{
	uint64_t hash = ro->host->hash_keyed(ro->key, len);
	struct dims_key key = { ro->key, r };
	struct index_slot *at = index_place(&ro->dims_index, hash, is_dims, &key);
	if (!at)
		return NULL;
	if (!at->thing)
		index_fill(&ro->dims_index, at, new_dims(ro, r, hash, ro->key));
	return (struct dims *)at->thing;
}

/* Of an event, or of a visit: one of them is given. */
static struct dims *dims_place(
	struct rollup *ro, const struct tally_rollup *r, const struct tally_event *ev, const struct tally_visit *visit)
{
	if (r->ndims == 0 && ro->dims[r->id])
		return ro->dims[r->id];
	size_t len = sizeof r->id;
	if (!key_room(ro, 256))
		return NULL;
	memcpy(ro->key, &r->id, sizeof r->id);
	for (uint32_t i = 0; i < r->ndims; i++)
		if (!key_add(ro, &len, visit ? value_of_visit(&r->dims[i], visit) : value_of(&r->dims[i], ev)))
			return NULL;
	return dims_of_key(ro, r, len);
}

struct dims *dims_of(struct rollup *ro, const struct tally_rollup *r, const struct tally_event *ev)
{
	return dims_place(ro, r, ev, NULL);
}

struct dims *dims_of_visit(struct rollup *ro, const struct tally_rollup *r, const struct tally_visit *v)
{
	return dims_place(ro, r, NULL, v);
}

struct dims *dims_folded(struct rollup *ro, const struct dims *d, uint32_t n)
{
	static const struct tally_str other = { "(other)", 7 };
	const struct tally_rollup *r = d->rollup;
	size_t len = sizeof r->id;
	memcpy(ro->key, &r->id, sizeof r->id);
	for (uint32_t i = 0; i < r->ndims; i++)
		if (!key_add(ro, &len, i + n < r->ndims ? d->values[i] : other))
			return NULL;
	return dims_of_key(ro, r, len);
}

/* ---- leaves ---- */

struct leaf_key {
	const struct dims *dims;
	const struct group *group;
};

static bool is_leaf(const struct indexed *thing, const void *key)
{
	const struct cell *c = (const struct cell *)thing;
	const struct leaf_key *k = key;
	return c->dims == k->dims && c->group == k->group;
}

static struct cell *new_leaf(struct rollup *ro, struct dims *d, struct group *g, uint64_t hash)
{
	size_t bytes = d->rollup->nmetrics * sizeof(struct amount);
	struct cell *c = ro->host->alloc(ro->in, sizeof *c + bytes);
	if (!c)
		return NULL;
	*c = (struct cell){ .ix.hash = hash, .dims = d, .group = g, .next = d->leaves };
	c->amounts = memset(c + 1, 0, bytes);
	d->leaves = c;
	if (++d->nleaves > ro->most_leaves)
		ro->most_leaves = d->nleaves;
	return c;
}

struct cell *leaf_of(struct rollup *ro, struct dims *d, struct group *g)
{
	struct leaf_key key = { d, g };
	if (d->last && d->last->group == g)
		return d->last;
	uint64_t hash = stir(d->ix.hash ^ (g->ix.hash << 1 | g->ix.hash >> 63));
	struct index_slot *at = index_place(&ro->leaf_index, hash, is_leaf, &key);
	if (!at)
		return NULL;
	if (!at->thing)
		index_fill(&ro->leaf_index, at, new_leaf(ro, d, g, hash));
	return d->last = (struct cell *)at->thing;
}

void cells_clear(struct rollup *ro)
{
	index_clear(&ro->site_index);
	index_clear(&ro->group_index);
	index_clear(&ro->dims_index);
	index_clear(&ro->leaf_index);
	ro->sites = ro->last_site = NULL;
	ro->groups = NULL;
	for (size_t r = 0; r < ro->nrollups; r++) {
		ro->last_group[r] = NULL;
		ro->dims[r] = NULL;
	}
	ro->nsites = ro->ngroups = ro->ndims = ro->most_leaves = 0;
}
