/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "lookup/file.h"
#include "lookup/inner.h"

#define LOOK_NS 2000000

/* ---- one ---- */

static const char *copy(struct arena *a, const char *text)
{
	return text ? arena_copy(a, text, strlen(text)) : NULL;
}

/* Everything that decides what is read. */
static uint64_t hash_definition(const struct conf_lookup *c, const char *store)
{
	struct arena a;
	arena_init(&a, 0);
	const char *all = arena_printf(&a, "%s\n\t%s\n\t%s\n\t%s", c->sql, c->key, c->version ? c->version : "", store);
	uint64_t hash = XXH3_64bits(all, strlen(all));
	arena_free(&a);
	return hash;
}

/* l->nstores = there is none. */
static size_t find_store(const struct lookups *l, const struct conf_lookup *c)
{
	size_t i = 0;
	while (c->store && i < l->nstores && strcmp(l->stores[i].name, c->store) != 0)
		i++;
	return i;
}

static size_t store_of(const struct lookups *l, const struct conf_lookup *c)
{
	size_t i = find_store(l, c);
	MUST(i < l->nstores);
	return i;
}

int lookups_check(const struct lookups *l, const struct conf *conf, char why[512])
{
	for (size_t i = 0; i < conf->nlookups; i++) {
		const struct conf_lookup *c = &conf->lookups[i];
		if (find_store(l, c) < l->nstores)
			continue;
		snprintf(why, 512,
			"%s: lookups.%s: the store it is read from runs with a sink that cannot do so; restart",
			c->place, c->name);
		return -EINVAL;
	}
	return 0;
}

static void open_meters(struct lookup *lk)
{
	static const char *const results[] = { [LOOKUP_LOADED] = "loaded",
		[LOOKUP_UNCHANGED] = "unchanged",
		[LOOKUP_REFUSED] = "refused",
		[LOOKUP_FAILED] = "failed" };
	static const char *const founds[] = { [LOOKUP_FOUND] = "found",
		[LOOKUP_MISSING] = "missing",
		[LOOKUP_UNREAD] = "unread",
		[LOOKUP_NO_COLUMN] = "no_column" };
	struct tally_str name = str_of(lk->conf.name);
	for (int i = 0; i < LOOKUP_RESULTS; i++)
		lk->refreshes[i] = meter_get(M_LOOKUP_REFRESHES, name, str_of(results[i]), STR(""));
	for (int i = 0; i < LOOKUP_FOUNDS; i++)
		lk->asked[i] = meter_get(M_LOOKUP_ASKED, name, str_of(founds[i]), STR(""));
}

static void set_conf(struct lookup *lk, const struct conf_lookup *c)
{
	lk->conf = *c;
	lk->conf.name = copy(&lk->arena, c->name);
	lk->conf.sql = copy(&lk->arena, c->sql);
	lk->conf.key = copy(&lk->arena, c->key);
	lk->conf.version = copy(&lk->arena, c->version);
	lk->conf.store = copy(&lk->arena, c->store);
	lk->conf.place = NULL;
}

static struct lookup *make_one(const struct lookups *l, const struct conf_lookup *c)
{
	struct lookup *lk = memory_zalloc(1, sizeof *lk);
	arena_init(&lk->arena, 1024);
	set_conf(lk, c);
	lk->store = store_of(l, c);
	lk->definition = hash_definition(c, l->stores[lk->store].name);
	lk->due_us = clock_mono_us();
	open_meters(lk);
	return lk;
}

static void free_one(struct lookup *lk)
{
	lookup_rows_unref(lk->rows);
	arena_free(&lk->arena);
	free(lk);
}

/* What an earlier run had read. */
static void take_file(const struct lookups *l, struct lookup *lk)
{
	int rc = lookup_file_read(l->data_dir, lk->conf.name, lk->definition, lk->conf.memory, &lk->rows);
	if (rc == 0) {
		lk->confirmed_us = lookup_rows_origin(lk->rows)->read_us;
		snprintf(lk->why, sizeof lk->why, "not read since the start");
		log_info("lookup", "%s: %zu rows of an earlier run, until the store is read", lk->conf.name,
			lookup_rows_count(lk->rows));
	} else if (rc != -ENOENT) {
		log_warn("lookup", "%s: the rows of an earlier run cannot be taken: %s", lk->conf.name,
			rc == -EBADMSG ? "the file is damaged or of a later version" : strerror(-rc));
	}
}

/* ---- all ---- */

struct lookups *lookups_make(void)
{
	struct lookups *l = memory_zalloc(1, sizeof *l);
	pthread_mutex_init(&l->lock, NULL);
	arena_init(&l->arena, 1024);
	l->gate = gate_open();
	return l;
}

void lookups_free(struct lookups *l)
{
	if (!l)
		return;
	lookups_drop_tables(l);
	for (size_t i = 0; i < l->n; i++)
		free_one(l->all[i]);
	while (l->gone) {
		struct lookup *next = l->gone->next_gone;
		free_one(l->gone);
		l->gone = next;
	}
	free(l->all);
	gate_close(l->gate);
	pthread_mutex_destroy(&l->lock);
	arena_free(&l->arena);
	free(l);
}

/* [under the lock] The one that reads the same as this; it keeps its rows. */
static struct lookup *take_old(struct lookups *l, const struct conf_lookup *c)
{
	for (size_t i = 0; i < l->n; i++) {
		struct lookup *lk = l->all[i];
		if (!lk || strcmp(lk->conf.name, c->name) != 0 || store_of(l, c) != lk->store ||
			hash_definition(c, l->stores[lk->store].name) != lk->definition)
			continue;
		bool same = c->ttl_us == lk->conf.ttl_us && c->max_rows == lk->conf.max_rows &&
			    c->memory == lk->conf.memory;
		lk->conf.ttl_us = c->ttl_us;
		lk->conf.max_rows = c->max_rows;
		lk->conf.memory = c->memory;
		if (!same)
			lk->due_us = clock_mono_us();
		l->all[i] = NULL;
		return lk;
	}
	return NULL;
}

/* Whose meters may still be in some table. */
static void put_away(struct lookups *l, struct lookup *lk)
{
	struct tally_str name = str_of(lk->conf.name);
	meter_set(meter_get(M_LOOKUP_ROWS, name, STR(""), STR("")), 0);
	meter_set(meter_get(M_LOOKUP_BYTES, name, STR(""), STR("")), 0);
	meter_set(meter_get(M_LOOKUP_AGE, name, STR(""), STR("")), 0);
	lk->next_gone = l->gone;
	l->gone = lk;
	lookup_rows_unref(lk->rows);
	lk->rows = NULL;
}

static bool is_wanted(void *arg, const char *name)
{
	const struct conf *c = arg;
	const char *dot = strchr(name, '.'); /* NAME.new is being written */
	return conf_lookup(c, dot ? str_make(name, (size_t)(dot - name)) : str_of(name)) != NULL;
}

void lookups_reload(struct lookups *l, const struct conf *conf)
{
	struct lookup **all = memory_zalloc(conf->nlookups + 1, sizeof *all);
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < conf->nlookups; i++) {
		all[i] = take_old(l, &conf->lookups[i]);
		if (all[i])
			continue;
		all[i] = make_one(l, &conf->lookups[i]);
		take_file(l, all[i]);
	}
	for (size_t i = 0; i < l->n; i++)
		if (l->all[i])
			put_away(l, l->all[i]);
	free(l->all);
	l->all = all;
	l->n = conf->nlookups;
	l->timeout_us = conf->limits.query_timeout_us;
	lookups_publish(l);
	pthread_mutex_unlock(&l->lock);
	lookup_file_tidy(l->data_dir, is_wanted, (void *)(uintptr_t)conf);
	gate_knock(l->gate);
}

void lookups_open(
	struct lookups *l, const struct conf *conf, const char *data_dir, const struct lookup_store *stores, size_t n)
{
	l->data_dir = copy(&l->arena, data_dir);
	l->stores = arena_zalloc(&l->arena, (n + 1) * sizeof *l->stores);
	l->readers = arena_zalloc(&l->arena, (n + 1) * sizeof *l->readers);
	if (n)
		memcpy(l->stores, stores, n * sizeof *stores);
	l->nstores = n;
	lookups_reload(l, conf);
}

void lookups_run(struct lookups *l)
{
	MUST(pthread_create(&l->thread, NULL, lookups_main, l) == 0);
	l->running = true;
}

void lookups_stop(struct lookups *l)
{
	atomic_store(&l->quit, true);
	gate_knock(l->gate);
	if (l->running)
		pthread_join(l->thread, NULL);
	l->running = false;
}

static bool is_settled(struct lookups *l)
{
	bool settled = true;
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n; i++)
		settled = settled && (l->all[i]->rows || l->all[i]->tried);
	pthread_mutex_unlock(&l->lock);
	return settled;
}

void lookups_wait(struct lookups *l, int64_t at_most_us)
{
	int64_t until = clock_mono_us() + at_most_us;
	while (!is_settled(l) && clock_mono_us() < until)
		nanosleep(&(struct timespec){ 0, LOOK_NS }, NULL);
}
