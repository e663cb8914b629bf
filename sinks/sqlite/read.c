/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: a connection each that cannot write, one snapshot from begin to end, and a time limit that is looked at
 * every few thousand steps of SQLite's machine. */
#include "sqlite.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_MAX 256
#define STEPS_BETWEEN_LOOKS 4000

struct sq_reader {
	struct sq *store;       /* its path and options, and the list of readers */
	struct sq_reader *next; /* [readers_lock] */
	bool busy;              /* [readers_lock] between begin and end: db and file are the reader's thread's */
	sqlite3 *db;
	struct sq_file file;
	int64_t until_us;      /* monotonic; 0 = no limit */
	atomic_bool cancelled; /* [any thread] */
	char error[256];
};

static int64_t mono_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int past_limit(void *arg)
{
	struct sq_reader *r = arg;
	return (r->until_us && mono_us() > r->until_us) || atomic_load_explicit(&r->cancelled, memory_order_relaxed);
}

int sq_reader_open(void *self, void **reader)
{
	struct sq_reader *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->store = self;
	pthread_mutex_lock(&r->store->readers_lock);
	r->next = r->store->readers;
	r->store->readers = r;
	pthread_mutex_unlock(&r->store->readers_lock);
	*reader = r;
	return 0;
}

static void disconnect(struct sq_reader *r)
{
	if (r->db)
		sqlite3_close(r->db);
	r->db = NULL;
}

void sq_reader_close(void *reader)
{
	struct sq_reader *r = reader, **at = &r->store->readers;
	pthread_mutex_lock(&r->store->readers_lock);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	pthread_mutex_unlock(&r->store->readers_lock);
	disconnect(r);
	free(r);
}

/* ---- when the file is replaced: connections of one process to one inode share what they think is in it ---- */

bool sq_readers_leave(struct sq *s)
{
	bool all = true;
	pthread_mutex_lock(&s->readers_lock);
	s->readers_out = true;
	for (struct sq_reader *r = s->readers; r; r = r->next) {
		if (!r->busy)
			disconnect(r);
		all = all && !r->busy;
	}
	pthread_mutex_unlock(&s->readers_lock);
	return all;
}

void sq_readers_return(struct sq *s)
{
	pthread_mutex_lock(&s->readers_lock);
	s->readers_out = false;
	pthread_mutex_unlock(&s->readers_lock);
}

static bool come_in(struct sq_reader *r)
{
	pthread_mutex_lock(&r->store->readers_lock);
	r->busy = !r->store->readers_out;
	pthread_mutex_unlock(&r->store->readers_lock);
	return r->busy;
}

static void go_out(struct sq_reader *r)
{
	pthread_mutex_lock(&r->store->readers_lock);
	r->busy = false;
	pthread_mutex_unlock(&r->store->readers_lock);
}

void sq_reader_cancel(void *reader)
{
	atomic_store(&((struct sq_reader *)reader)->cancelled, true);
}

const char *sq_reader_error(void *reader)
{
	return ((struct sq_reader *)reader)->error;
}

static int failed(struct sq_reader *r, int rc)
{
	snprintf(r->error, sizeof r->error, "%.100s: %s", r->store->path,
		r->db ? sqlite3_errmsg(r->db) : "out of memory");
	return rc;
}

static int errno_of(struct sq_reader *r, int code)
{
	switch (code & 0xff) {
	case SQLITE_INTERRUPT:
		return -ETIMEDOUT;
	case SQLITE_CANTOPEN:
		return -ENOTCONN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return strncmp(sqlite3_errmsg(r->db), "no such table", 13) == 0 ? -ENOENT : -EIO;
	}
}

static int connect(struct sq_reader *r)
{
	if (sqlite3_open_v2(r->store->path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		failed(r, 0);
		disconnect(r);
		return access(r->store->path, F_OK) == 0 ? -ENOTCONN : -ENOENT;
	}
	sqlite3_busy_timeout(r->db, r->store->busy_ms);
	sqlite3_db_config(r->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_progress_handler(r->db, STEPS_BETWEEN_LOOKS, past_limit, r);
	sqlite3_exec(r->db, "PRAGMA query_only = 1; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF", NULL,
		NULL, NULL);
	return sq_file_of(r->store->path, &r->file) == 0 ? 0 : failed(r, -ENOTCONN);
}

/* A snapshot begins with the first read, not with BEGIN. */
static int begin(struct sq_reader *r)
{
	if (r->db && !sq_file_same(r->store->path, &r->file))
		disconnect(r);
	r->until_us = 0;
	/* a log of ours beside a file that is not: not to be opened, nor read on */
	if (!sq_may_read(r->store, r->db)) {
		disconnect(r);
		snprintf(r->error, sizeof r->error, "%.100s: another file stands there now", r->store->path);
		return -ESTALE;
	}
	int rc = r->db ? 0 : connect(r);
	if (rc != 0)
		return rc;
	int code = sqlite3_exec(r->db, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return 0;
	rc = failed(r, errno_of(r, code));
	disconnect(r);
	return rc;
}

int sq_read_begin(void *reader)
{
	struct sq_reader *r = reader;
	atomic_store(&r->cancelled, false);
	if (!come_in(r)) {
		snprintf(r->error, sizeof r->error, "%.100s: another file is being put there", r->store->path);
		return -ESTALE;
	}
	int rc = begin(r);
	if (rc != 0)
		go_out(r);
	return rc;
}

void sq_read_end(void *reader)
{
	struct sq_reader *r = reader;
	r->until_us = 0;
	if (r->db && sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		disconnect(r);
	go_out(r);
}

static int bind_all(sqlite3_stmt *st, const struct tally_statement *q)
{
	int rc = SQLITE_OK;
	for (size_t i = 0; i < q->nparams && rc == SQLITE_OK; i++) {
		const struct tally_cell *c = &q->params[i];
		int at = (int)i + 1;
		if (c->null)
			rc = sqlite3_bind_null(st, at);
		else if (q->param_types[i] == TALLY_T_INT)
			rc = sqlite3_bind_int64(st, at, c->v.i);
		else if (q->param_types[i] == TALLY_T_REAL)
			rc = sqlite3_bind_double(st, at, c->v.d);
		else if (q->param_types[i] == TALLY_T_BLOB)
			rc = sqlite3_bind_blob(st, at, c->len ? c->v.ptr : "", (int)c->len, SQLITE_STATIC);
		else
			rc = sqlite3_bind_text(st, at, c->len ? c->v.ptr : "", (int)c->len, SQLITE_STATIC);
	}
	return rc;
}

static void take_cell(sqlite3_stmt *st, int at, uint32_t type, struct tally_cell *c)
{
	*c = (struct tally_cell){ .null = sqlite3_column_type(st, at) == SQLITE_NULL };
	if (c->null)
		return;
	if (type == TALLY_T_INT) {
		c->v.i = sqlite3_column_int64(st, at);
	} else if (type == TALLY_T_REAL) {
		c->v.d = sqlite3_column_double(st, at);
	} else {
		c->v.ptr =
			type == TALLY_T_BLOB ? sqlite3_column_blob(st, at) : (const char *)sqlite3_column_text(st, at);
		c->len = (uint32_t)sqlite3_column_bytes(st, at);
	}
}

static int run(struct sq_reader *r, sqlite3_stmt *st, const struct tally_statement *q, tally_row_fn fn, void *arg)
{
	struct tally_cell cells[COLUMNS_MAX];
	int code, rc = 0;
	while (rc == 0 && (code = sqlite3_step(st)) != SQLITE_DONE) {
		if (code != SQLITE_ROW)
			return failed(r, errno_of(r, code));
		for (size_t i = 0; i < q->ncolumns; i++)
			take_cell(st, (int)i, q->column_types[i], &cells[i]);
		rc = fn(arg, cells);
	}
	return rc;
}

static int check_shape(struct sq_reader *r, sqlite3_stmt *st, const struct tally_statement *q)
{
	if (sqlite3_stmt_readonly(st) && sqlite3_bind_parameter_count(st) == (int)q->nparams &&
		sqlite3_column_count(st) == (int)q->ncolumns && q->ncolumns <= COLUMNS_MAX)
		return 0;
	snprintf(r->error, sizeof r->error, "parameters or columns are not as announced: %.150s", q->sql);
	return -EINVAL;
}

int sq_read(void *reader, const struct tally_statement *q, tally_row_fn fn, void *arg)
{
	struct sq_reader *r = reader;
	sqlite3_stmt *st = NULL;
	r->until_us = q->timeout_us ? mono_us() + q->timeout_us : 0;
	int code = sqlite3_prepare_v2(r->db, q->sql, -1, &st, NULL);
	if (code != SQLITE_OK)
		return failed(r, errno_of(r, code));
	int rc = check_shape(r, st, q);
	if (rc == 0 && (code = bind_all(st, q)) != SQLITE_OK)
		rc = failed(r, errno_of(r, code));
	if (rc == 0)
		rc = run(r, st, q, fn, arg);
	sqlite3_finalize(st);
	return rc;
}

/* ---- a SELECT of somebody else's tables ---- */

static uint32_t type_of(sqlite3_stmt *st, int at)
{
	switch (sqlite3_column_type(st, at)) {
	case SQLITE_INTEGER:
		return TALLY_T_INT;
	case SQLITE_FLOAT:
		return TALLY_T_REAL;
	case SQLITE_BLOB:
		return TALLY_T_BLOB;
	default:
		return TALLY_T_TEXT;
	}
}

static int give_rows(struct sq_reader *r, sqlite3_stmt *st, tally_found_fn fn, void *arg)
{
	const char *names[COLUMNS_MAX];
	uint32_t types[COLUMNS_MAX] = { 0 };
	struct tally_cell cells[COLUMNS_MAX];
	int n = sqlite3_column_count(st), code;
	struct tally_found out = { (size_t)n, names, types, NULL };
	for (int i = 0; i < n; i++)
		names[i] = sqlite3_column_name(st, i);
	int rc = fn(arg, &out);
	out.cells = cells;
	while (rc == 0 && (code = sqlite3_step(st)) != SQLITE_DONE) {
		if (code != SQLITE_ROW)
			return failed(r, errno_of(r, code));
		for (int i = 0; i < n; i++)
			take_cell(st, i, types[i] = type_of(st, i), &cells[i]);
		rc = fn(arg, &out);
	}
	return rc;
}

int sq_select(void *reader, const char *sql, int64_t timeout_us, tally_found_fn fn, void *arg)
{
	struct sq_reader *r = reader;
	sqlite3_stmt *st = NULL;
	const char *rest = "";
	r->until_us = timeout_us ? mono_us() + timeout_us : 0;
	int code = sqlite3_prepare_v2(r->db, sql, -1, &st, &rest), why = errno_of(r, code);
	if (code != SQLITE_OK)
		return failed(r, code == SQLITE_ERROR && why == -EIO ? -EINVAL : why);
	int n = sqlite3_column_count(st), rc = 0;
	if (!st || *rest || !sqlite3_stmt_readonly(st) || n < 1 || n > COLUMNS_MAX) {
		snprintf(r->error, sizeof r->error, "this is no single SELECT of at most %d columns", COLUMNS_MAX);
		rc = -EINVAL;
	}
	if (rc == 0)
		rc = give_rows(r, st, fn, arg);
	sqlite3_finalize(st);
	return rc;
}
