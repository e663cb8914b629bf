/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the lookups, for whoever asks. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lookup/inner.h"

static double age_of(const struct lookup *lk)
{
	int64_t age = lk->rows ? clock_wall_us() - lk->confirmed_us : 0;
	return age > 0 ? (double)age / 1e6 : 0;
}

static const struct lookup *find(const struct lookups *l, struct tally_str name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(str_of(l->all[i]->conf.name), name))
			return l->all[i];
	return NULL;
}

bool lookups_get(struct lookups *l, struct arena *a, struct tally_str name, struct lookup_state *out)
{
	pthread_mutex_lock(&l->lock);
	const struct lookup *lk = find(l, name);
	if (lk)
		*out = (struct lookup_state){ .name = arena_copy(a, name.ptr, name.len),
			.rows = lk->rows ? lookup_rows_ref(lk->rows) : NULL,
			.age_seconds = age_of(lk),
			.stale = !lk->well,
			.why = arena_copy(a, lk->why, strlen(lk->why)) };
	pthread_mutex_unlock(&l->lock);
	return lk != NULL;
}

size_t lookups_list(struct lookups *l, struct arena *a, const char *const **names)
{
	pthread_mutex_lock(&l->lock);
	size_t n = l->n;
	const char **all = arena_zalloc(a, (n + 1) * sizeof *all);
	for (size_t i = 0; i < n; i++)
		all[i] = arena_copy(a, l->all[i]->conf.name, strlen(l->all[i]->conf.name));
	pthread_mutex_unlock(&l->lock);
	*names = all;
	return n;
}

void lookups_trouble(struct lookups *l, char *why, size_t room)
{
	size_t n = strlen(why);
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n && n < room; i++) {
		const struct lookup *lk = l->all[i];
		if (lk->well || !lk->tried)
			continue;
		int written = lk->rows ? snprintf(why + n, room - n, "%slookup %s is %.0f s old: %.120s", n ? "; " : "",
						 lk->conf.name, age_of(lk), lk->why)
				       : snprintf(why + n, room - n, "%slookup %s is not read: %.120s", n ? "; " : "",
						 lk->conf.name, lk->why);
		n += written > 0 ? (size_t)written : 0;
	}
	pthread_mutex_unlock(&l->lock);
}

void lookups_gauges(void *arg)
{
	struct lookups *l = arg;
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n; i++) {
		const struct lookup *lk = l->all[i];
		struct tally_str name = str_of(lk->conf.name);
		if (!lk->rows)
			continue;
		meter_set(meter_get(M_LOOKUP_ROWS, name, STR(""), STR("")), (double)lookup_rows_count(lk->rows));
		meter_set(meter_get(M_LOOKUP_BYTES, name, STR(""), STR("")), (double)lookup_rows_bytes(lk->rows));
		meter_set(meter_get(M_LOOKUP_AGE, name, STR(""), STR("")), age_of(lk));
	}
	pthread_mutex_unlock(&l->lock);
}
