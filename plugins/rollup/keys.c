/* SPDX-License-Identifier: Apache-2.0 */
/* The cap on the keys of a rollup. Pages, props and referrers are chosen by strangers: without a cap a rollup grows as they
 * like. A rollup's `keys` is how many distinct rows one site and UTC day may get; later ones fold: the last dimension
 * becomes "(other)", and where even those are too many the one before it too, down to a row of nothing but "(other)".
 * Nothing is left out, so sums over the rows stay exact.
 *
 * Who comes often among the folded gets a row after all: the last HEAVY_WINDOW folded events of a set are counted by key
 * (heavy hitters), and one that surely has HEAVY_SURE of them is admitted, up to an eighth of `keys` more. What it had
 * before stays under "(other)". Not where visits are summed: a visit is taken away from the row that it was added to.
 *
 * What was admitted is remembered as 64-bit hashes under the key of this process, in sets (keysets.c). A set forgotten, or
 * a restart, counts from nothing: then a day may get that many more rows, never a wrong sum. */
#include "keys.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define HEAVY_KEYS 256     /* counted at a time: 12 KiB a set that is full */
#define HEAVY_WINDOW 16384 /* folded events; the count of a key is at most 1/256 of them too low */
#define HEAVY_SURE 256     /* of them: 1 in 64 */

/* True: it is there, or there was room for it. Out of memory = no room. */
static bool admit(struct keys *k, struct keyset *s, uint64_t hash, size_t most)
{
	hash += hash == 0;
	if (keyset_has(s, hash))
		return true;
	return s->count - s->extra < most && keyset_put(k, s, hash);
}

/* A folded event of that key: is it to have a row from now on? */
static bool is_heavy(struct rollup *ro, struct keyset *s, uint64_t hash, size_t most_extra)
{
	uint64_t key[2] = { hash, hash * UINT64_C(0x9e3779b97f4a7c15) };
	hash += hash == 0;
	if (s->extra >= most_extra || !TALLY_HAS(ro->host, heavy_add))
		return false;
	if (!s->heavy && !keyset_make_heavy(ro->keys, s, ro->host->heavy_room(HEAVY_KEYS)))
		return false;
	if (s->folded++ % HEAVY_WINDOW == 0)
		memset(s->heavy, 0, s->heavy_bytes);
	if (ro->host->heavy_add(s->heavy, HEAVY_KEYS, key, 1) < HEAVY_SURE || !keyset_put(ro->keys, s, hash))
		return false;
	s->extra++;
	ro->host->count(ro->in, "admitted_late", 1);
	return true;
}

/* ---- folding ---- */

static int64_t day_of(int64_t time_us)
{
	return time_us / DAY_US - (time_us % DAY_US < 0);
}

static struct keyset *set_of(struct rollup *ro, const struct tally_rollup *r, const struct site *s, int64_t day)
{
	uint64_t words[3] = { s->ix.hash, (uint64_t)day, r->id };
	uint64_t id = ro->host->hash_keyed(words, sizeof words);
	return keyset_of(ro->keys, id + (id == 0));
}

static size_t share(const struct tally_rollup *r)
{
	return r->keys / 8 + 1;
}

/* NULL = out of memory. */
static struct dims *fold(struct rollup *ro, struct dims *d, struct keyset *set)
{
	const struct tally_rollup *r = d->rollup;
	struct dims *as = d;
	for (uint32_t folded = 0; as && folded < r->ndims; folded++) {
		if (admit(ro->keys, set, as->ix.hash, r->keys + folded * share(r)))
			break;
		as = dims_folded(ro, d, folded + 1);
	}
	return as;
}

struct dims *keys_fold(struct rollup *ro, struct dims *d, const struct site *s, int64_t time_us, bool of_events)
{
	const struct tally_rollup *r = d->rollup;
	int64_t day = day_of(time_us);
	bool known = d->admitted && d->admitted_site == s && d->admitted_day == day;
	if (!r->keys || !r->ndims)
		return d;
	if (known && (d->admitted == d || !of_events))
		return d->admitted;
	struct keyset *set = set_of(ro, r, s, day);
	if (!set)
		return NULL;
	struct dims *as = known ? d->admitted : fold(ro, d, set);
	if (as && as != d && of_events && is_heavy(ro, set, d->ix.hash, share(r)))
		as = d;
	if (as && as != d && !known)
		ro->host->count(ro->in, "folded", 1);
	d->admitted = as;
	d->admitted_site = s;
	d->admitted_day = day;
	return as;
}
