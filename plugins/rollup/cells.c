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
	struct indexed **at = index_place(&ro->site_index, hash, is_site, &name);
	if (!at)
		return NULL;
	if (!*at) {
		*at = (struct indexed *)new_site(ro, name, hash);
		ro->site_index.count += *at != NULL;
	}
	return ro->last_site = (struct site *)*at;
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

struct dims *dims_of(struct rollup *ro, const struct tally_rollup *r, const struct tally_event *ev)
{
	if (r->ndims == 0 && ro->dims[r->id])
		return ro->dims[r->id];
	size_t len = sizeof r->id;
	if (!key_room(ro, 256))
		return NULL;
	memcpy(ro->key, &r->id, sizeof r->id);
	for (uint32_t i = 0; i < r->ndims; i++) {
		struct tally_str v = value_of(&r->dims[i], ev);
		uint32_t n = (uint32_t)v.len;
		if (!key_room(ro, len + sizeof n + n))
			return NULL;
		memcpy(ro->key + len, &n, sizeof n);
		if (n)
			memcpy(ro->key + len + sizeof n, v.ptr, n);
		len += sizeof n + n;
	}
	uint64_t hash = ro->host->hash_keyed(ro->key, len);
	struct dims_key key = { ro->key, r };
	struct indexed **at = index_place(&ro->dims_index, hash, is_dims, &key);
	if (!at)
		return NULL;
	if (!*at) {
		*at = (struct indexed *)new_dims(ro, r, hash, ro->key);
		ro->dims_index.count += *at != NULL;
	}
	return (struct dims *)*at;
}

/* ---- cells ---- */

struct cell_key {
	struct dims *dims;
	struct site *site;
	int64_t bucket_us;
	uint32_t grain;
};

static bool is_cell(const struct indexed *thing, const void *key)
{
	const struct cell *c = (const struct cell *)thing;
	const struct cell_key *k = key;
	return c->dims == k->dims && c->site == k->site && c->bucket_us == k->bucket_us && c->grain == k->grain;
}

/* Two keyed hashes and two small numbers, stirred (the finalizer of MurmurHash3, public domain). */
static uint64_t stir(uint64_t dims, uint64_t site, int64_t bucket_us, uint32_t grain)
{
	uint64_t h = dims ^ (site << 1 | site >> 63) ^ ((uint64_t)bucket_us + grain) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

struct cell *cell_of(struct rollup *ro, struct dims *d, struct site *s, uint32_t grain, int64_t bucket_us)
{
	struct cell_key key = { d, s, bucket_us, grain };
	if (d->last && is_cell(&d->last->ix, &key))
		return d->last;
	uint64_t hash = stir(d->ix.hash, s->ix.hash, bucket_us, grain);
	struct indexed **at = index_place(&ro->cell_index, hash, is_cell, &key);
	if (!at)
		return NULL;
	if (!*at) {
		struct cell *c = ro->host->alloc(ro->in, sizeof *c);
		if (!c)
			return NULL;
		*c = (struct cell){ .ix.hash = hash,
			.dims = d,
			.site = s,
			.bucket_us = bucket_us,
			.grain = grain,
			.next = ro->cells[grain] };
		ro->cells[grain] = c;
		ro->ncells++;
		ro->cell_index.count++;
		*at = &c->ix;
	}
	return d->last = (struct cell *)*at;
}

void cells_clear(struct rollup *ro)
{
	index_clear(&ro->site_index);
	index_clear(&ro->dims_index);
	index_clear(&ro->cell_index);
	ro->sites = ro->last_site = NULL;
	for (size_t r = 0; r < ro->nrollups; r++)
		ro->dims[r] = NULL;
	for (int g = 0; g < TALLY_GRAINS; g++)
		ro->cells[g] = NULL;
	ro->ncells = ro->ndims = ro->nsites = 0;
}
