/* SPDX-License-Identifier: Apache-2.0 */
#include "ship/zones.h"

#include <inttypes.h>
#include <stdlib.h>

#define UUID_LEN 36

/* ---- rows ---- */

const char *zones_value(struct arena *a, const char *node, const char *zone, const char *site)
{
	return arena_printf(a, "%s %s %s", node, zone, site);
}

/* "UUID Europe/Berlin shop.example": neither UUIDs nor zones have spaces. False = no such text. */
static bool parse(const struct remembered *row, struct arena *a, struct meta_zone *out)
{
	const char *text = row->value, *zone = text + UUID_LEN + 1;
	if (strlen(text) <= UUID_LEN + 1 || text[UUID_LEN] != ' ')
		return false;
	const char *site = strchr(zone, ' ');
	if (!site)
		return false;
	*out = (struct meta_zone){ .site = site + 1,
		.name = arena_copy(a, zone, (size_t)(site - zone)),
		.by = arena_copy(a, text, UUID_LEN),
		.number = strtoll(row->name + strlen(META_ZONE), NULL, 10),
		.horizon_us = row->has_horizon ? row->horizon : INT64_MIN };
	out->zone = zone_get(out->name);
	return true;
}

static int by_site(const void *pa, const void *pb)
{
	const struct meta_zone *a = pa, *b = pb;
	int order = strcmp(a->site, b->site);
	return order ? order : (a->number > b->number) - (a->number < b->number);
}

const struct meta_zone *zones_read(struct remember *m, size_t *n, int64_t *highest)
{
	const struct remembered *first = remember_first(m, META_ZONE), *end = m->rows + m->nrows, *x = first;
	size_t all = 0, kept = 0;
	while (x && x < end && strncmp(x->name, META_ZONE, strlen(META_ZONE)) == 0)
		x++;
	struct meta_zone *zones = arena_alloc(m->arena, (size_t)(first ? x - first : 0) * sizeof *zones + 1);
	*highest = 0;
	for (x = first; x && x < end && strncmp(x->name, META_ZONE, strlen(META_ZONE)) == 0; x++) {
		if (!parse(x, m->arena, &zones[all]))
			continue;
		*highest = zones[all].number > *highest ? zones[all].number : *highest;
		all++;
	}
	if (all)
		qsort(zones, all, sizeof *zones, by_site);
	for (size_t i = 0; i < all; i++)
		if (i + 1 == all || strcmp(zones[i].site, zones[i + 1].site) != 0)
			zones[kept++] = zones[i];
	*n = kept;
	return zones;
}

struct meta_zoned zones_of_rollup(struct remember *m, const char *id)
{
	const struct remembered *row = remember_find(m, arena_printf(m->arena, META_ZONED "%s", id));
	if (!row)
		return (struct meta_zoned){ 0, INT64_MIN };
	return (struct meta_zoned){ strtoll(row->value, NULL, 10), row->has_horizon ? row->horizon : INT64_MIN };
}

/* ---- what it comes to ---- */

static const struct meta_zone *find(const struct meta *m, struct tally_str site)
{
	size_t low = 0, high = m->nzones;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = str_cmp(str_of(m->zones[mid].site), site);
		if (order == 0)
			return &m->zones[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const struct meta_zone *meta_zone_of(const struct meta *m, struct tally_str site)
{
	const struct meta_zone *own = find(m, site);
	return own ? own : find(m, STR(ZONES_DEFAULT));
}

const struct zone *meta_site_zone(const struct meta *m, const struct conf *c, struct tally_str site)
{
	const struct meta_zone *known = m ? meta_zone_of(m, site) : NULL;
	const struct zone *z = known ? known->zone : zone_get(conf_site(c, site)->timezone);
	return z ? z : zone_utc();
}

int64_t meta_zone_from(const struct meta *m, uint32_t rollup, struct tally_str site)
{
	const struct meta_zone *z = meta_zone_of(m, site);
	if (!z)
		return INT64_MIN;
	if (!z->zone)
		return INT64_MAX; /* no tzdata of it here: its days cannot be told */
	struct meta_zoned made = m->rollup_zoned ? m->rollup_zoned[rollup] : (struct meta_zoned){ 0, INT64_MIN };
	return z->number <= made.number && made.from_us < z->horizon_us ? made.from_us : z->horizon_us;
}

int64_t meta_whole_from(const struct meta *m, uint32_t rollup, enum tally_grain grain, struct tally_str site)
{
	int64_t h = m->rollup_horizon_us[rollup], kept = m->grain_horizon_us[grain];
	h = kept > h ? kept : h;
	if (grain < TALLY_DAY)
		return h;
	int64_t zone = meta_zone_from(m, rollup, site);
	return zone > h ? zone : h;
}

int64_t meta_first_bucket(
	const struct meta *m, const struct conf *c, uint32_t rollup, enum tally_grain grain, struct tally_str site)
{
	static const enum zone_unit units[TALLY_GRAINS] = { ZONE_MINUTE, ZONE_QUARTER, ZONE_DAY, ZONE_MONTH };
	int64_t h = meta_whole_from(m, rollup, grain, site);
	if (h == INT64_MIN || h == INT64_MAX)
		return h;
	const struct zone *z = grain < TALLY_DAY ? zone_utc() : meta_site_zone(m, c, site);
	int64_t start = zone_floor(z, units[grain], h);
	return start == h ? h : zone_next(z, units[grain], start);
}
