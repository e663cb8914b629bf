/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/sites/{site}/live: what is committed, second by second, as server-sent events.
 *
 * Once a second one job on a worker reads the minute rows of a rollup for every site that is watched, in one snapshot,
 * whoever and however many watch; what has been added since the last time is sent to all of them. So it costs the same
 * at any rate of events, takes nothing from the way of an event, sees all nodes of the store, and is exact at every level
 * of degradation. [desk], but for live_read(), which runs on the worker */
#ifndef DESK_LIVE_H
#define DESK_LIVE_H

#include "desk/store.h"

#define LIVE_SUBSCRIBERS_MAX 256
#define LIVE_SITES_MAX 32
#define LIVE_EVERY_MS 1000
#define LIVE_BACK 30  /* minutes before the running one whose events are shown as they come */
#define LIVE_AHEAD 11 /* and from it on: clocks differ */
#define LIVE_MINUTES (LIVE_BACK + LIVE_AHEAD)
#define LIVE_ACTIVE 5 /* minutes before the running one that make a visitor active */

struct desk_request;
struct live;

/* Counts of a site by minute, from first_us on. */
struct live_counts {
	int64_t first_us;
	int64_t events[LIVE_MINUTES], pageviews[LIVE_MINUTES];
	bool has_pageviews; /* a rollup holds them */
	int64_t active;
};

/* What is asked and answered about one site. */
struct live_look {
	struct tally_str site; /* lives as long as the look */
	bool ok;
	struct live_counts counts;
	struct query_error err; /* !ok */
};

/* [worker] One snapshot for all of them. */
void live_read(struct store *store, const struct conf *conf, int64_t now_us, struct live_look *looks, size_t n);

/* What has come since: minutes that both cover are compared, what is behind both is forgotten. */
struct live_delta {
	int64_t events, pageviews;
};
struct live_delta live_difference(const struct live_counts *now, const struct live_counts *before);

#endif
