/* SPDX-License-Identifier: Apache-2.0 */
/* How a door looks into a table that another thread replaces, without a lock.
 *
 * Who looks first writes down which table it has in hand, and then sees whether it is still the present one. Who replaces
 * it first puts the new one in its place, and then reads what everybody has in hand. Both orders are sequentially
 * consistent, so one of the two sees the other: a table is freed only when nobody can have it. */
#include <stdlib.h>

#include "base/memory.h"
#include "lookup/inner.h"

/* ---- tables ---- */

static struct lookup_table *make_table(const struct lookups *l)
{
	struct lookup_table *t = memory_zalloc(1, sizeof *t + l->n * sizeof t->all[0]);
	for (size_t i = 0; i < l->n; i++) {
		const struct lookup *lk = l->all[i];
		t->all[i] = (struct lookup_entry){ str_of(lk->conf.name), lk->rows ? lookup_rows_ref(lk->rows) : NULL,
			lk->asked };
	}
	t->n = l->n;
	return t;
}

static void free_table(struct lookup_table *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		lookup_rows_unref(t->all[i].rows);
	free(t);
}

static bool is_in_hand(const struct lookups *l, const struct lookup_table *t)
{
	for (struct lookup_held *h = l->helds; h; h = h->next)
		if (atomic_load(&h->in_hand) == t)
			return true;
	return false;
}

bool lookups_reclaim(struct lookups *l)
{
	struct lookup_table **at = &l->over;
	while (*at) {
		struct lookup_table *t = *at;
		if (is_in_hand(l, t)) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		free_table(t);
	}
	return l->over != NULL;
}

void lookups_publish(struct lookups *l)
{
	struct lookup_table *old = atomic_exchange(&l->now, make_table(l));
	if (old) {
		old->next = l->over;
		l->over = old;
	}
	lookups_reclaim(l);
}

void lookups_drop_tables(struct lookups *l)
{
	MUST(l->helds == NULL);
	lookups_reclaim(l);
	free_table(atomic_exchange(&l->now, (struct lookup_table *)NULL));
}

/* ---- holds ---- */

struct lookup_held *lookup_held_open(struct lookups *l)
{
	struct lookup_held *h = memory_zalloc(1, sizeof *h);
	h->of = l;
	pthread_mutex_lock(&l->lock);
	h->next = l->helds;
	l->helds = h;
	pthread_mutex_unlock(&l->lock);
	return h;
}

void lookup_held_close(struct lookup_held *h)
{
	if (!h)
		return;
	struct lookups *l = h->of;
	pthread_mutex_lock(&l->lock);
	struct lookup_held **at = &l->helds;
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	pthread_mutex_unlock(&l->lock);
	free(h);
}

void lookup_held_release(struct lookup_held *h)
{
	atomic_store_explicit(&h->in_hand, (struct lookup_table *)NULL, memory_order_release);
}

static struct lookup_table *take(struct lookup_held *h)
{
	struct lookup_table *t = atomic_load_explicit(&h->in_hand, memory_order_relaxed), *seen;
	if (t)
		return t;
	for (t = atomic_load(&h->of->now);; t = seen) {
		atomic_store(&h->in_hand, t);
		seen = atomic_load(&h->of->now);
		if (seen == t)
			return t;
	}
}

static enum lookup_found find(
	const struct lookup_entry *e, struct tally_str key, struct tally_str column, struct lookup_value *out)
{
	int at = e->rows ? lookup_rows_column(e->rows, column) : -1;
	if (at < 0)
		return e->rows ? LOOKUP_NO_COLUMN : LOOKUP_UNREAD;
	const struct lookup_value *row = lookup_rows_find(e->rows, key);
	if (!row || row[at].type == LOOKUP_NULL)
		return LOOKUP_MISSING;
	*out = row[at];
	return LOOKUP_FOUND;
}

enum lookup_found lookup_held_find(struct lookup_held *h, struct tally_str name, struct tally_str key,
	struct tally_str column, struct lookup_value *out)
{
	const struct lookup_table *t = take(h);
	for (size_t i = 0; t && i < t->n; i++) {
		if (!str_eq(t->all[i].name, name))
			continue;
		enum lookup_found found = find(&t->all[i], key, column, out);
		meter_add(t->all[i].asked[found], 1);
		return found;
	}
	return LOOKUP_UNKNOWN;
}
