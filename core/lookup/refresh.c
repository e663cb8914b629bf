/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that reads: whichever is due, one after the other. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "lookup/file.h"
#include "lookup/inner.h"

#define BACKOFF_US 250000 /* after a failure, doubling */
#define BACKOFF_MAX_US 30000000
#define IDLE_US 60000000
#define RECLAIM_US 10000 /* between two looks at what is over, while a door has it in hand */

/* ---- one reading ---- */

static void drop_reader(struct lookups *l, size_t store)
{
	if (l->readers[store])
		l->stores[store].sink->reader_close(l->readers[store]);
	l->readers[store] = NULL;
}

/* ask: all but the reader. */
static enum lookup_result read_it(struct lookups *l, size_t store, struct lookup_ask *ask,
	const struct lookup_rows *before, struct lookup_rows **out, struct lookup_oddities *odd,
	char words[LOOKUP_WORDS])
{
	const struct lookup_store *s = &l->stores[store];
	void **reader = &l->readers[store];
	if (!*reader && s->sink->reader_open(s->self, reader) != 0) {
		*reader = NULL;
		snprintf(words, LOOKUP_WORDS, "no reader of sink %.64s can be made", s->name);
		return LOOKUP_FAILED;
	}
	ask->sink = s->sink;
	ask->reader = *reader;
	enum lookup_result result = lookup_load(ask, before, out, odd, words);
	if (result == LOOKUP_FAILED)
		drop_reader(l, store);
	return result;
}

/* ---- what came of it ---- */

static void say_oddities(struct lookup *lk, const struct lookup_oddities *odd)
{
	if (memcmp(odd, &lk->odd, sizeof *odd) != 0 && (odd->no_key || odd->twice || odd->no_text))
		log_warn("lookup",
			"%s: %llu rows have no key, %llu the key of another row (the first one read counts), %llu values are "
			"no UTF-8 and read as null",
			lk->conf.name, (unsigned long long)odd->no_key, (unsigned long long)odd->twice,
			(unsigned long long)odd->no_text);
	lk->odd = *odd;
}

/* Each kind of trouble once. */
static void say_trouble(const struct lookup *lk, const char *words)
{
	if (!lk->well && lk->tried && strcmp(lk->why, words) == 0)
		return;
	if (lk->rows)
		log_warn("lookup", "%s: %s; goes on with the %zu rows read before", lk->conf.name, words,
			lookup_rows_count(lk->rows));
	else
		log_warn("lookup", "%s: %s; nothing was read yet", lk->conf.name, words);
}

static int64_t next_due(const struct lookup *lk, enum lookup_result result)
{
	int64_t wait = lk->conf.ttl_us;
	if (result == LOOKUP_FAILED) {
		unsigned n = lk->failures < 8 ? lk->failures - 1 : 7;
		wait = (int64_t)BACKOFF_US << n;
		wait = wait < BACKOFF_MAX_US ? wait : BACKOFF_MAX_US;
	}
	return clock_mono_us() + wait;
}

/* [under the lock] True: the rows are others than before. */
static bool take_rows(struct lookups *l, struct lookup *lk, struct lookup_rows *rows)
{
	bool same = lk->rows && lookup_rows_origin(lk->rows)->content == lookup_rows_origin(rows)->content &&
		    strcmp(lookup_rows_origin(lk->rows)->version, lookup_rows_origin(rows)->version) == 0;
	lk->confirmed_us = lookup_rows_origin(rows)->read_us;
	if (same) {
		lookup_rows_unref(rows);
		return false;
	}
	if (!lk->rows)
		log_info("lookup", "%s: %zu rows", lk->conf.name, lookup_rows_count(rows));
	lookup_rows_unref(lk->rows);
	lk->rows = rows;
	lookups_publish(l);
	return true;
}

/* [under the lock] True: the rows are others than before. */
static bool take_result(struct lookups *l, struct lookup *lk, enum lookup_result result, struct lookup_rows *rows,
	int64_t began_us, const struct lookup_oddities *odd, const char *words)
{
	bool well = result == LOOKUP_LOADED || result == LOOKUP_UNCHANGED, fresh = false;
	meter_add(lk->refreshes[result], 1);
	lk->failures = well ? 0 : lk->failures + 1;
	if (!well)
		say_trouble(lk, words);
	else if (!lk->well && lk->tried)
		log_info("lookup", "%s: read again", lk->conf.name);
	if (result == LOOKUP_LOADED) {
		say_oddities(lk, odd);
		fresh = take_rows(l, lk, rows);
	} else if (well) {
		lk->confirmed_us = began_us;
	}
	lk->well = well;
	lk->tried = true;
	snprintf(lk->why, sizeof lk->why, "%s", well ? "" : words);
	lk->due_us = next_due(lk, result);
	return fresh;
}

static bool is_declared(const struct lookups *l, const struct lookup *lk)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->all[i] == lk)
			return true;
	return false;
}

static void keep_file(struct lookups *l, const struct lookup *lk, const struct lookup_rows *rows)
{
	int rc = lookup_file_write(l->data_dir, lk->conf.name, rows);
	if (rc)
		log_warn("lookup", "%s: cannot be kept in %s/lookups: %s; a start with the store away will have none",
			lk->conf.name, l->data_dir, strerror(-rc));
}

/* One that a reload takes away meanwhile lives on to the end (see lookups.gone), and what was read of it goes nowhere. */
static void refresh(struct lookups *l, struct lookup *lk)
{
	struct lookup_rows *rows = NULL, *before = lk->rows ? lookup_rows_ref(lk->rows) : NULL;
	struct lookup_oddities odd;
	char words[LOOKUP_WORDS];
	int64_t began_us = clock_wall_us();
	struct lookup_ask ask = { .sql = lk->conf.sql,
		.key = lk->conf.key,
		.version = lk->conf.version,
		.max_rows = lk->conf.max_rows,
		.memory = lk->conf.memory,
		.timeout_us = l->timeout_us,
		.definition = lk->definition };
	pthread_mutex_unlock(&l->lock);
	enum lookup_result result = read_it(l, lk->store, &ask, before, &rows, &odd, words);
	pthread_mutex_lock(&l->lock);
	lookup_rows_unref(before);
	if (!is_declared(l, lk)) {
		lookup_rows_unref(rows);
		return;
	}
	if (!take_result(l, lk, result, rows, began_us, &odd, words))
		return;
	struct lookup_rows *kept = lookup_rows_ref(lk->rows);
	pthread_mutex_unlock(&l->lock);
	keep_file(l, lk, kept);
	lookup_rows_unref(kept);
	pthread_mutex_lock(&l->lock);
}

/* ---- when ---- */

static struct lookup *first_due(const struct lookups *l)
{
	struct lookup *first = NULL;
	for (size_t i = 0; i < l->n; i++)
		if (!first || l->all[i]->due_us < first->due_us)
			first = l->all[i];
	return first;
}

void *lookups_main(void *arg)
{
	struct lookups *l = arg;
	pthread_mutex_lock(&l->lock);
	while (!atomic_load(&l->quit)) {
		struct lookup *lk = first_due(l);
		int64_t left = lk ? lk->due_us - clock_mono_us() : IDLE_US;
		if (lk && left <= 0) {
			refresh(l, lk);
			continue;
		}
		if (lookups_reclaim(l) && left > RECLAIM_US)
			left = RECLAIM_US;
		pthread_mutex_unlock(&l->lock);
		gate_wait(l->gate, left);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < l->nstores; i++)
		drop_reader(l, i);
	return NULL;
}
