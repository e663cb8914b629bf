/* SPDX-License-Identifier: Apache-2.0 */
/* The site a question is about and the two zones: the site's, in which its day and month rows are kept, and the
 * question's. */
#include "desk/query.h"

#define SITE_MAX 128
#define ZONE_NAME_MAX 64

int query_set_site(struct query *q, const struct query_context *cx, struct tally_str site, struct tally_str timezone,
	struct query_error *err)
{
	char name[ZONE_NAME_MAX];
	if (site.len == 0 || site.len > SITE_MAX)
		return query_fail(err, 400, "bad_site", "a site's name has 1 to %d bytes", SITE_MAX);
	if (cx->key_site.len && !str_eq(cx->key_site, site))
		return query_fail(err, 403, "forbidden", "this key may not ask about that site");
	q->site = site;
	q->site_zone = zone_get(conf_site(cx->conf, site)->timezone);
	if (!q->site_zone)
		q->site_zone = zone_utc();
	q->zone = q->site_zone;
	if (timezone.len == 0)
		return 0;
	if (timezone.len < sizeof name) {
		memcpy(name, timezone.ptr, timezone.len);
		name[timezone.len] = 0;
		q->zone = strlen(name) == timezone.len ? zone_get(name) : NULL;
	}
	if (timezone.len >= sizeof name || !q->zone)
		return query_fail(err, 400, "unknown_timezone", "there is no time zone \"%.*s\" (as in Europe/Berlin)",
			(int)(timezone.len < 64 ? timezone.len : 64), timezone.ptr);
	return 0;
}
