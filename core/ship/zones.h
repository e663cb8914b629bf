/* SPDX-License-Identifier: Apache-2.0 */
/* The zone of each site's day and month rows, as a store remembers it.
 *
 * Rows are made in the zone that the store has for the site, whatever a node's configuration says: so nodes that differ
 * cannot mix days of two zones. A configuration changes it through a row of its own: zone/N, N growing over all sites;
 * of a site (or of `default`, for sites without one) the highest N counts. Its horizon lies behind every event stored
 * at that moment, so behind the beginning of every row of the zone before: days and months that begin at or after it
 * are of the new zone only, and whole. Before it quarter hours answer, which are the same in every zone.
 *
 * A rebuilt rollup has all of its rows in the zones up to some N: zoned/ID says so (value), and from when its days are
 * whole with regard to them (horizon).
 *
 * A node may change a zone that it once agreed with (zones/NODE: the highest N at which its configuration was the
 * store's) or declared itself. One that another node has changed since, it leaves alone and says so: else two nodes
 * with different configurations would turn it to and fro at each of their starts. */
#ifndef SHIP_ZONES_H
#define SHIP_ZONES_H

#include "ship/remember.h"

#define META_ZONE "zone/"
#define META_ZONE_END "zone0" /* in byte order the first name behind them */
#define META_ZONED "zoned/"
#define META_ZONES "zones/"
#define ZONES_DEFAULT "default"

/* Of several rows of one site the highest; sorted by site. *highest: over all sites, 0 = there are none. */
const struct meta_zone *zones_read(struct remember *m, size_t *n, int64_t *highest);
/* zoned/ID of one rollup. */
struct meta_zoned zones_of_rollup(struct remember *m, const char *id);

/* The text of a zone row. */
const char *zones_value(struct arena *a, const char *node, const char *zone, const char *site);

#endif
