/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

struct store_reader {
	struct store *store;
	void *reader; /* NULL = to be opened */
	int64_t until_us;
	uint64_t config;           /* as it was at store_begin() */
	struct store_reader *next; /* in the list of idle ones */
};

struct store {
	struct store_options opt;
	pthread_mutex_t lock; /* of idle and opt.config_hash */
	pthread_cond_t given;
	struct store_reader *idle;
	struct store_reader all[STORE_READERS];
};

struct store *store_open(const struct store_options *opt)
{
	struct store *s = calloc(1, sizeof *s);
	MUST(s);
	s->opt = *opt;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->given, NULL);
	for (int i = 0; i < STORE_READERS; i++) {
		s->all[i] = (struct store_reader){ .store = s, .next = s->idle };
		s->idle = &s->all[i];
	}
	return s;
}

void store_close(struct store *s)
{
	for (int i = 0; i < STORE_READERS; i++)
		if (s->all[i].reader)
			s->opt.sink->reader_close(s->all[i].reader);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->given);
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

static struct store_reader *take(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->idle)
		pthread_cond_wait(&s->given, &s->lock);
	struct store_reader *r = s->idle;
	s->idle = r->next;
	r->config = s->opt.config_hash;
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void give(struct store_reader *r)
{
	struct store *s = r->store;
	pthread_mutex_lock(&s->lock);
	r->next = s->idle;
	s->idle = r;
	pthread_cond_signal(&s->given);
	pthread_mutex_unlock(&s->lock);
}

/* The connection is in doubt: the next user opens a new one. */
static void drop(struct store_reader *r)
{
	if (r->reader)
		r->store->opt.sink->reader_close(r->reader);
	r->reader = NULL;
}

static int begin_once(struct store_reader *r, struct query_error *err)
{
	const struct tally_sink *sink = r->store->opt.sink;
	int rc = r->reader ? 0 : sink->reader_open(r->store->opt.self, &r->reader);
	if (rc)
		r->reader = NULL;
	else
		rc = sink->read_begin(r->reader);
	if (rc == 0)
		return 0;
	query_fail(err, 503, "store_unavailable", "the store cannot be read: %s",
		r->reader ? sink->reader_error(r->reader) : strerror(-rc));
	drop(r);
	return rc;
}

int store_begin(struct store *s, struct store_reader **out, struct query_error *err)
{
	struct store_reader *r = take(s);
	bool old = r->reader != NULL;
	r->until_us = clock_mono_us() + s->opt.timeout_us;
	int rc = begin_once(r, err);
	if (rc && old) /* the server may have closed an idle connection */
		rc = begin_once(r, err);
	if (rc) {
		give(r);
		return rc;
	}
	*out = r;
	return 0;
}

void store_end(struct store_reader *r)
{
	if (r->reader)
		r->store->opt.sink->read_end(r->reader);
	give(r);
}

int64_t store_time_left(const struct store_reader *r)
{
	int64_t left = r->until_us - clock_mono_us();
	return left > 1 ? left : 1;
}

/* ---- statements ---- */

void store_sql_open(struct store_sql *sql, struct arena *a)
{
	sql->nparams = sql->ncolumns = 0;
	sql->params = arena_alloc(a, STORE_PARAMS_MAX * sizeof *sql->params);
	sql->types = arena_alloc(a, STORE_PARAMS_MAX * sizeof *sql->types);
	out_open(&sql->text, a);
}

void store_sql_name(struct store_sql *sql, const char *name)
{
	text_printf(&sql->text, "`%s`", name);
}

void store_sql_table(struct store_sql *sql, const struct store *s, const char *name)
{
	text_printf(&sql->text, "`%s%s`", s->opt.prefix, name);
}

static struct tally_cell *param(struct store_sql *sql, uint32_t type)
{
	MUST(sql->nparams < STORE_PARAMS_MAX);
	sql->types[sql->nparams] = type;
	sql->params[sql->nparams] = (struct tally_cell){ 0 };
	out_lit(&sql->text, "?");
	return &sql->params[sql->nparams++];
}

void store_sql_int(struct store_sql *sql, int64_t value)
{
	param(sql, TALLY_T_INT)->v.i = value;
}

void store_sql_text(struct store_sql *sql, struct tally_str value)
{
	struct tally_cell *c = param(sql, TALLY_T_TEXT);
	c->v.ptr = value.ptr ? value.ptr : "";
	c->len = (uint32_t)value.len;
}

void store_sql_bytes(struct store_sql *sql, const void *bytes, size_t len)
{
	struct tally_cell *c = param(sql, TALLY_T_BLOB);
	c->v.ptr = bytes;
	c->len = (uint32_t)len;
}

void store_sql_column(struct store_sql *sql, const char *before, const char *name, const char *after, uint32_t type)
{
	MUST(sql->ncolumns < STORE_COLUMNS_MAX);
	text_printf(&sql->text, "%s%s`%s`%s", sql->ncolumns ? ", " : "", before, name, after);
	sql->columns[sql->ncolumns++] = type;
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
	if (rc == -ETIMEDOUT)
		return query_fail(err, 422, "too_expensive", "the store did not answer within %.1f s",
			(double)r->store->opt.timeout_us / 1e6);
	query_fail(err, 503, "store_unavailable", "the store cannot be read: %s", sink->reader_error(r->reader));
	log_warn("desk", "reading the store failed: %s", sink->reader_error(r->reader));
	if (rc != -ENOENT && rc != -EINVAL)
		drop(r);
	return rc;
}
