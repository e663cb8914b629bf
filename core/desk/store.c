/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "desk/store_inner.h"

struct store *store_open(const struct store_options *opt)
{
	struct store *s = memory_zalloc(1, sizeof *s);
	int64_t limit_us = opt->sink->query_timeout ? opt->sink->query_timeout(opt->self) : 0;
	s->opt = *opt;
	if (limit_us > 0 && limit_us < s->opt.timeout_us)
		s->opt.timeout_us = limit_us;
	pthread_mutex_init(&s->lock, NULL);
	servers_open(s);
	sampler_open(s);
	return s;
}

static void close_readers(struct store *s, struct server *sv)
{
	while (sv->readers) {
		struct store_reader *r = sv->readers;
		sv->readers = r->next;
		if (r->reader)
			s->opt.sink->reader_close(r->reader);
		free(r);
	}
}

void store_close(struct store *s)
{
	sampler_close(s);
	for (size_t i = 0; i < s->nservers; i++) {
		close_readers(s, &s->servers[i]);
		lag_seen_free(&s->servers[i].last);
	}
	lag_close(&s->log);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

const struct store_options *store_options(const struct store *s)
{
	return &s->opt;
}

void store_set_config(struct store *s, uint64_t hash)
{
	pthread_mutex_lock(&s->lock);
	s->opt.config_hash = hash;
	pthread_mutex_unlock(&s->lock);
}

uint64_t store_config(const struct store_reader *r)
{
	return r->config;
}

const struct store *store_of(const struct store_reader *r)
{
	return r->store;
}

bool store_is_replica(const struct store_reader *r, struct store_freshness *fresh, bool *unconfirmed)
{
	*fresh = r->fresh;
	*unconfirmed = r->unconfirmed;
	return !r->server->primary;
}

/* ---- readers ---- */

/* [lock] */
static struct store_reader *idle_of(struct server *sv)
{
	struct store_reader *r = sv->readers;
	while (r && r->out)
		r = r->next;
	if (!r) {
		r = memory_zalloc(1, sizeof *r);
		r->store = sv->store;
		r->server = sv;
		r->next = sv->readers;
		sv->readers = r;
	}
	return r;
}

/* [lock] */
struct store_reader *store_take_reader(struct server *sv, int64_t until_us)
{
	struct store_reader *r = idle_of(sv);
	r->out = true;
	r->probes = r->unconfirmed = false;
	atomic_store(&r->cancelled, false);
	r->until_us = until_us;
	r->config = sv->store->opt.config_hash;
	r->ask = NULL;
	sv->busy++;
	return r;
}

void store_give_reader(struct store_reader *r)
{
	pthread_mutex_lock(&r->store->lock);
	r->out = false;
	r->server->busy--;
	pthread_mutex_unlock(&r->store->lock);
}

void store_drop_reader(struct store_reader *r)
{
	pthread_mutex_lock(&r->store->lock);
	void *reader = r->reader;
	r->reader = NULL;
	pthread_mutex_unlock(&r->store->lock);
	if (reader)
		r->store->opt.sink->reader_close(reader);
}

static int open_reader(struct store_reader *r)
{
	const struct tally_sink *sink = r->store->opt.sink;
	void *self = r->store->opt.self, *reader = NULL;
	int rc = r->server->primary ? sink->reader_open(self, &reader)
				    : sink->replica_open(self, r->server->number, &reader);
	pthread_mutex_lock(&r->store->lock);
	r->reader = rc ? NULL : reader;
	if (r->reader && r->cancelled)
		rc = -ETIMEDOUT;
	pthread_mutex_unlock(&r->store->lock);
	return rc;
}

static int begin_once(struct store_reader *r, char words[200])
{
	const struct tally_sink *sink = r->store->opt.sink;
	int rc = r->reader ? 0 : open_reader(r);
	if (rc == 0)
		rc = sink->read_begin(r->reader);
	if (rc == 0)
		return 0;
	snprintf(words, 200, "%s", r->reader ? sink->reader_error(r->reader) : strerror(-rc));
	store_drop_reader(r);
	return rc;
}

int store_begin_reader(struct store_reader *r, char words[200])
{
	bool old = r->reader != NULL;
	int rc = begin_once(r, words);
	if (rc && old && !r->cancelled) /* the server may have closed an idle connection */
		rc = begin_once(r, words);
	return rc;
}

/* ---- a question ---- */

static int begin_on(struct store_reader *r, char words[200])
{
	int rc = store_begin_reader(r, words);
	if (rc) {
		servers_failed(r->server, words);
		return rc;
	}
	rc = r->server->primary ? 0 : servers_check(r, words);
	if (rc && r->reader)
		r->store->opt.sink->read_end(r->reader);
	return rc;
}

static struct store_reader *take(struct store *s, struct store_ask *ask)
{
	bool unconfirmed;
	pthread_mutex_lock(&s->lock);
	struct server *sv = servers_choose(s, ask, &unconfirmed);
	struct store_reader *r = sv ? store_take_reader(sv, ask->until_us) : NULL;
	if (r) {
		ask->tried |= UINT32_C(1) << (sv - s->servers);
		r->ask = ask;
		r->unconfirmed = unconfirmed;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_begin(struct store *s, struct store_ask *ask, struct store_reader **out, struct query_error *err)
{
	char words[200] = "no server is left to ask";
	struct store_reader *r;
	bool said = ask->tried != 0; /* err: why the one before failed */
	int rc = -ENOTCONN;
	if (!ask->until_us)
		ask->until_us = clock_mono_us() + s->opt.timeout_us;
	while (clock_mono_us() < ask->until_us && (r = take(s, ask))) {
		rc = begin_on(r, words);
		if (rc == 0) {
			meter_add(r->server->reads, 1);
			*out = r;
			return 0;
		}
		store_give_reader(r);
		said = false;
	}
	if (!said)
		query_fail(err, 503, "store_unavailable", "the store cannot be read: %s", words);
	return rc;
}

void store_end(struct store_reader *r)
{
	if (r->reader)
		r->store->opt.sink->read_end(r->reader);
	store_give_reader(r);
}

bool store_again(const struct store *s, struct store_ask *ask)
{
	bool others = (ask->tried + 1) >> s->nservers == 0; /* a bit is left */
	bool again = ask->failed && others && clock_mono_us() < ask->until_us;
	ask->failed = false;
	return again;
}

int64_t store_time_left(const struct store_reader *r)
{
	int64_t left = r->until_us - clock_mono_us();
	return left > 1 ? left : 1;
}

static int too_slow(struct store_reader *r, struct query_error *err)
{
	return query_fail(err, 422, "too_expensive", "the store did not answer within %.1f s",
		(double)r->store->opt.timeout_us / 1e6);
}

/* fn's own results are positive, so that they are told from the store's errors. */
int store_read(struct store_reader *r, const struct store_sql *sql, tally_row_fn fn, void *arg, struct query_error *err)
{
	struct tally_str text = out_text(&sql->text);
	const struct tally_sink *sink = r->store->opt.sink;
	struct tally_statement st = {
		.sql = arena_copy(sql->text.arena, text.ptr, text.len),
		.params = sql->params,
		.param_types = sql->types,
		.nparams = sql->nparams,
		.column_types = sql->columns,
		.ncolumns = sql->ncolumns,
		.timeout_us = store_time_left(r),
	};
	int rc = sink->read(r->reader, &st, fn, arg);
	if (rc >= 0)
		return rc;
	bool late = store_time_left(r) <= 1;
	if (rc == -ETIMEDOUT && (late || !r->cancelled))
		return too_slow(r, err);
	const char *words = late && r->cancelled ? "it said nothing" : sink->reader_error(r->reader);
	query_fail(err, 503, "store_unavailable", "the store cannot be read: %s", words);
	log_warn("desk", "reading the store failed: %s", words);
	servers_failed(r->server, words);
	r->ask->failed = true;
	if (rc != -ENOENT && rc != -EINVAL)
		store_drop_reader(r);
	return rc;
}
