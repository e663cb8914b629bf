/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup/rows.h"

#include <stdatomic.h>
#include <stdlib.h>
#define XXH_STATIC_LINKING_ONLY /* the state on the stack */
#include <xxhash.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/memory.h"

#define FIRST_SLOTS 64

/* slots: numbers of rows + 1, 0 = free; open addressing by the keyed hash of the key, at most half full. */
struct lookup_rows {
	atomic_uint refs;
	struct arena arena; /* names and values */
	struct lookup_origin origin;
	uint64_t memory;
	struct tally_str columns[LOOKUP_COLUMNS_MAX];
	size_t ncolumns, key;
	const struct lookup_value **rows;
	size_t n, cap;
	uint32_t *slots;
	size_t nslots; /* a power of two */
};

struct lookup_rows *lookup_rows_make(const struct lookup_origin *origin, const struct tally_str *columns,
	size_t ncolumns, size_t key, uint64_t memory)
{
	struct lookup_rows *r = memory_zalloc(1, sizeof *r);
	MUST(ncolumns <= LOOKUP_COLUMNS_MAX && key < ncolumns);
	atomic_init(&r->refs, 1);
	arena_init(&r->arena, 0);
	r->origin = *origin;
	r->memory = memory;
	r->ncolumns = ncolumns;
	r->key = key;
	for (size_t i = 0; i < ncolumns; i++)
		r->columns[i] = arena_str(&r->arena, columns[i]);
	r->nslots = FIRST_SLOTS;
	r->slots = memory_zalloc(r->nslots, sizeof *r->slots);
	return r;
}

struct lookup_rows *lookup_rows_ref(struct lookup_rows *r)
{
	atomic_fetch_add(&r->refs, 1);
	return r;
}

void lookup_rows_unref(struct lookup_rows *r)
{
	if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	arena_free(&r->arena);
	free(r->rows);
	free(r->slots);
	free(r);
}

/* ---- finding ---- */

/* The slot of that key, or the free one where it belongs. */
static uint32_t *slot_of(const struct lookup_rows *r, struct tally_str key)
{
	size_t at = hash_keyed64(hash_process_key(), key.ptr, key.len) & (r->nslots - 1);
	while (r->slots[at] && !str_eq(r->rows[r->slots[at] - 1][r->key].text, key))
		at = (at + 1) & (r->nslots - 1);
	return &r->slots[at];
}

const struct lookup_value *lookup_rows_find(const struct lookup_rows *r, struct tally_str key)
{
	uint32_t row = *slot_of(r, key);
	return row ? r->rows[row - 1] : NULL;
}

int lookup_rows_column(const struct lookup_rows *r, struct tally_str name)
{
	for (size_t i = 0; i < r->ncolumns; i++)
		if (str_eq(r->columns[i], name))
			return (int)i;
	return -1;
}

/* ---- adding ---- */

uint64_t lookup_rows_bytes(const struct lookup_rows *r)
{
	return r->arena.total_bytes + r->cap * sizeof *r->rows + r->nslots * sizeof *r->slots + sizeof *r;
}

static void grow_slots(struct lookup_rows *r)
{
	free(r->slots);
	r->nslots *= 2;
	r->slots = memory_zalloc(r->nslots, sizeof *r->slots);
	for (size_t i = 0; i < r->n; i++)
		*slot_of(r, r->rows[i][r->key].text) = (uint32_t)i + 1;
}

static size_t row_bytes(const struct lookup_rows *r, const struct lookup_value *values)
{
	size_t bytes = r->ncolumns * sizeof *values;
	for (size_t i = 0; i < r->ncolumns; i++)
		bytes += values[i].text.len;
	return bytes;
}

static size_t more_rows(const struct lookup_rows *r)
{
	return r->cap ? r->cap / 2 : FIRST_SLOTS;
}

static bool needs_slots(const struct lookup_rows *r)
{
	return 2 * (r->n + 1) > r->nslots;
}

/* What one more row would make of it all. */
static uint64_t bytes_with(const struct lookup_rows *r, const struct lookup_value *values)
{
	uint64_t bytes = lookup_rows_bytes(r) + row_bytes(r, values);
	if (r->n == r->cap)
		bytes += more_rows(r) * sizeof *r->rows;
	return bytes + (needs_slots(r) ? r->nslots * sizeof *r->slots : 0);
}

/* The values, and their bytes behind them. */
static const struct lookup_value *copy_row(struct lookup_rows *r, const struct lookup_value *values)
{
	struct lookup_value *own = arena_alloc(&r->arena, row_bytes(r, values));
	char *to = (char *)(own + r->ncolumns);
	for (size_t i = 0; i < r->ncolumns; i++) {
		struct tally_str text = values[i].text;
		if (text.len)
			memcpy(to, text.ptr, text.len);
		own[i] = (struct lookup_value){ { to, text.len }, values[i].type };
		to += text.len;
	}
	return own;
}

enum lookup_added lookup_rows_add(struct lookup_rows *r, const struct lookup_value *values)
{
	if (values[r->key].type == LOOKUP_NULL)
		return LOOKUP_NO_KEY;
	if (*slot_of(r, values[r->key].text))
		return LOOKUP_TWICE;
	if (r->n == UINT32_MAX - 1 || bytes_with(r, values) > r->memory)
		return LOOKUP_NO_ROOM;
	bool grow = needs_slots(r);
	if (r->n == r->cap) {
		r->cap += more_rows(r);
		r->rows = memory_grow(r->rows, r->cap * sizeof *r->rows);
	}
	uint32_t *slot = slot_of(r, values[r->key].text);
	r->rows[r->n++] = copy_row(r, values);
	*slot = (uint32_t)r->n;
	if (grow)
		grow_slots(r);
	return LOOKUP_ADDED;
}

/* ---- hashes ---- */

static void hash_text(XXH3_state_t *h, uint32_t type, struct tally_str text)
{
	uint8_t head[12];
	put_u32(head, type);
	put_u64(head + 4, text.len);
	XXH3_64bits_update(h, head, sizeof head);
	XXH3_64bits_update(h, text.ptr ? text.ptr : "", text.len);
}

static void hash_names(XXH3_state_t *h, const struct lookup_rows *r)
{
	XXH3_64bits_reset(h);
	for (size_t i = 0; i < r->ncolumns; i++)
		hash_text(h, LOOKUP_TEXT, r->columns[i]);
}

static void hash_row(XXH3_state_t *h, const struct lookup_rows *r, const struct lookup_value *row)
{
	for (size_t i = 0; i < r->ncolumns; i++)
		hash_text(h, row[i].type, row[i].text);
}

uint64_t lookup_rows_hash(const struct lookup_rows *r, const struct lookup_value *row)
{
	XXH3_state_t h;
	hash_names(&h, r);
	hash_row(&h, r, row);
	return XXH3_64bits_digest(&h);
}

void lookup_rows_finish(struct lookup_rows *r)
{
	XXH3_state_t h;
	hash_names(&h, r);
	for (size_t i = 0; i < r->n; i++)
		hash_row(&h, r, r->rows[i]);
	r->origin.content = XXH3_64bits_digest(&h);
}

/* ---- what they are ---- */

size_t lookup_rows_columns(const struct lookup_rows *r, const struct tally_str **names)
{
	*names = r->columns;
	return r->ncolumns;
}

size_t lookup_rows_count(const struct lookup_rows *r)
{
	return r->n;
}

size_t lookup_rows_key(const struct lookup_rows *r)
{
	return r->key;
}

const struct lookup_origin *lookup_rows_origin(const struct lookup_rows *r)
{
	return &r->origin;
}

const struct lookup_value *lookup_rows_at(const struct lookup_rows *r, size_t i)
{
	return r->rows[i];
}
