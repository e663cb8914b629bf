/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: a connection each, a read-only transaction with one snapshot, prepared statements whose results are fetched
 * row by row into buffers that grow to the longest value met. */
#include "mariadb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUFFER 256
#define GRACE_US 5000000 /* a server that lives has ended a statement at its limit by then */

/* One result column, or one parameter. */
struct slot {
	union {
		int64_t i;
		double d;
	} number;
	char *buf; /* text and bytes */
	unsigned long cap, len;
	my_bool null, cut;
};

struct md_reader {
	struct md *store; /* what was set at open only */
	MYSQL *db;
	unsigned host;
	int64_t limit_us; /* max_statement_time of the session; -1 = as the server has it */
	int64_t wait_us;  /* how long this connection waits for an answer */
	bool begun;       /* a statement has been asked of the snapshot */
	struct slot *slots;
	size_t nslots;
	struct md_kept_list kept;
	char error[MD_WORDS];
};

int md_reader_open(void *self, void **reader)
{
	struct md_reader *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->store = self;
	*reader = r;
	return 0;
}

static void disconnect(struct md_reader *r)
{
	md_kept_forget(&r->kept);
	if (r->db)
		mysql_close(r->db);
	r->db = NULL;
}

void md_reader_close(void *reader)
{
	struct md_reader *r = reader;
	disconnect(r);
	for (size_t i = 0; i < r->nslots; i++)
		free(r->slots[i].buf);
	free(r->slots);
	free(r);
}

const char *md_reader_error(void *reader)
{
	return ((struct md_reader *)reader)->error;
}

static int errno_of(unsigned code)
{
	switch (code) {
	case ER_STATEMENT_TIMEOUT:
		return -ETIMEDOUT;
	case ER_NO_SUCH_TABLE:
		return -ENOENT;
	case CR_OUT_OF_MEMORY:
		return -ENOMEM;
	case ER_ACCESS_DENIED_ERROR:
	case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
	case ER_DBACCESS_DENIED_ERROR:
	case ER_TABLEACCESS_DENIED_ERROR:
	case ER_COLUMNACCESS_DENIED_ERROR:
	case ER_SPECIFIC_ACCESS_DENIED_ERROR:
	case ER_HOST_NOT_PRIVILEGED:
	case ER_BAD_DB_ERROR:
		return -EACCES;
	default:
		return -EIO;
	}
}

static int failed(struct md_reader *r, unsigned code, const char *words)
{
	snprintf(r->error, sizeof r->error, "%.200s (%u)", words, code);
	return errno_of(code);
}

/* While rows are fetched the library leaves an error with the connection, not the statement. */
static int failed_statement(struct md_reader *r, MYSQL_STMT *st)
{
	if (mysql_stmt_errno(st))
		return failed(r, mysql_stmt_errno(st), mysql_stmt_error(st));
	return failed(r, mysql_errno(r->db), mysql_error(r->db));
}

/* ---- the snapshot ---- */

static int connect(struct md_reader *r, int64_t limit_us)
{
	char words[MD_WORDS];
	r->wait_us = limit_us + GRACE_US;
	r->limit_us = -1;
	int code = md_connect_primary(r->store, (unsigned)((r->wait_us + 999999) / 1000000), &r->db, &r->host, words);
	if (code == 0)
		return 0;
	r->db = NULL;
	failed(r, (unsigned)code, words);
	return md_class((unsigned)code) == TALLY_SINK_STOP ? -EACCES : -ENOTCONN;
}

static int begin(struct md_reader *r)
{
	r->begun = false;
	if (mysql_query(r->db, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY") == 0)
		return 0;
	failed(r, mysql_errno(r->db), mysql_error(r->db));
	disconnect(r);
	return -ENOTCONN;
}

/* A connection that has lain idle may be gone: then one more. One to a server that is no longer ours is given up. */
int md_read_begin(void *reader)
{
	struct md_reader *r = reader;
	if (r->db && r->host != r->store->chosen)
		disconnect(r);
	if (r->db && begin(r) == 0)
		return 0;
	int rc = connect(r, r->store->query_timeout_us);
	return rc == 0 ? begin(r) : rc;
}

void md_read_end(void *reader)
{
	struct md_reader *r = reader;
	if (r->db && mysql_query(r->db, "ROLLBACK") != 0)
		disconnect(r);
}

/* ---- one statement ---- */

/* A connection that would give the server up before the statement's limit is made anew, while the snapshot has been asked
 * nothing. */
static int be_patient(struct md_reader *r, int64_t limit_us)
{
	if (r->begun || limit_us + GRACE_US <= r->wait_us)
		return 0;
	disconnect(r);
	int rc = connect(r, limit_us);
	return rc == 0 ? begin(r) : rc;
}

static int set_limit(struct md_reader *r, int64_t timeout_us)
{
	char sql[96];
	int64_t limit_us = timeout_us > 0 ? timeout_us : r->store->query_timeout_us;
	int rc = be_patient(r, limit_us);
	if (rc != 0)
		return rc;
	r->begun = true;
	/* a question has less time with each statement; to say so is a round trip, and a little more does no harm */
	if (r->limit_us >= limit_us && r->limit_us - limit_us <= limit_us / 8)
		return 0;
	snprintf(sql, sizeof sql, "SET SESSION max_statement_time = %lld.%06lld", (long long)(limit_us / 1000000),
		(long long)(limit_us % 1000000));
	if (mysql_query(r->db, sql) != 0)
		return failed(r, mysql_errno(r->db), mysql_error(r->db));
	r->limit_us = limit_us;
	return 0;
}

static int need_slots(struct md_reader *r, size_t n)
{
	if (n <= r->nslots)
		return 0;
	struct slot *grown = realloc(r->slots, n * sizeof *grown);
	if (!grown)
		return failed(r, CR_OUT_OF_MEMORY, "out of memory");
	memset(grown + r->nslots, 0, (n - r->nslots) * sizeof *grown);
	r->slots = grown;
	r->nslots = n;
	return 0;
}

static enum enum_field_types wire_type(uint32_t type)
{
	return type == TALLY_T_INT    ? MYSQL_TYPE_LONGLONG
	       : type == TALLY_T_REAL ? MYSQL_TYPE_DOUBLE
	       : type == TALLY_T_BLOB ? MYSQL_TYPE_BLOB
				      : MYSQL_TYPE_STRING;
}

static int bind_params(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q)
{
	MYSQL_BIND *binds = calloc(q->nparams + 1, sizeof *binds);
	if (!binds)
		return failed(r, CR_OUT_OF_MEMORY, "out of memory");
	for (size_t i = 0; i < q->nparams; i++) {
		const struct tally_cell *c = &q->params[i];
		bool number = q->param_types[i] == TALLY_T_INT || q->param_types[i] == TALLY_T_REAL;
		binds[i].buffer_type = c->null ? MYSQL_TYPE_NULL : wire_type(q->param_types[i]);
		binds[i].buffer = number ? (void *)(uintptr_t)&c->v : (void *)(uintptr_t)(c->len ? c->v.ptr : "");
		binds[i].buffer_length = c->len;
	}
	int rc = mysql_stmt_bind_param(st, binds) == 0 ? 0 : failed_statement(r, st);
	if (rc == 0 && mysql_stmt_execute(st) != 0)
		rc = failed_statement(r, st);
	free(binds);
	return rc;
}

static int bind_results(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q)
{
	MYSQL_BIND *binds = calloc(q->ncolumns + 1, sizeof *binds);
	if (!binds)
		return failed(r, CR_OUT_OF_MEMORY, "out of memory");
	for (size_t i = 0; i < q->ncolumns; i++) {
		struct slot *slot = &r->slots[i];
		bool number = q->column_types[i] == TALLY_T_INT || q->column_types[i] == TALLY_T_REAL;
		if (!number && !slot->buf && (slot->buf = malloc(FIRST_BUFFER)) != NULL)
			slot->cap = FIRST_BUFFER;
		binds[i].buffer_type = wire_type(q->column_types[i]);
		binds[i].buffer = number ? (void *)&slot->number : slot->buf;
		binds[i].buffer_length = number ? sizeof slot->number : slot->cap;
		binds[i].length = &slot->len;
		binds[i].is_null = &slot->null;
		binds[i].error = &slot->cut;
	}
	int rc = mysql_stmt_bind_result(st, binds) == 0 ? 0 : failed_statement(r, st);
	free(binds);
	return rc;
}

/* Values longer than their buffer: a larger one, and the column once more. */
static int fetch_long(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q)
{
	bool grown = false;
	for (size_t i = 0; i < q->ncolumns; i++) {
		struct slot *slot = &r->slots[i];
		if (q->column_types[i] == TALLY_T_INT || q->column_types[i] == TALLY_T_REAL || slot->len <= slot->cap)
			continue;
		unsigned long cap = slot->len * 2;
		char *buf = realloc(slot->buf, cap);
		if (!buf)
			return failed(r, CR_OUT_OF_MEMORY, "out of memory");
		slot->buf = buf;
		slot->cap = cap;
		MYSQL_BIND b = { .buffer_type = wire_type(q->column_types[i]),
			.buffer = buf,
			.buffer_length = cap,
			.length = &slot->len,
			.is_null = &slot->null,
			.error = &slot->cut };
		if (mysql_stmt_fetch_column(st, &b, (unsigned)i, 0) != 0)
			return failed_statement(r, st);
		grown = true;
	}
	return grown ? bind_results(r, st, q) : 0;
}

static void cells_of(const struct md_reader *r, const struct tally_statement *q, struct tally_cell *cells)
{
	for (size_t i = 0; i < q->ncolumns; i++) {
		const struct slot *slot = &r->slots[i];
		cells[i] = (struct tally_cell){ .null = slot->null != 0 };
		if (slot->null)
			continue;
		if (q->column_types[i] == TALLY_T_INT)
			cells[i].v.i = slot->number.i;
		else if (q->column_types[i] == TALLY_T_REAL)
			cells[i].v.d = slot->number.d;
		else {
			cells[i].v.ptr = slot->buf;
			cells[i].len = (uint32_t)slot->len;
		}
	}
}

static int fetch_rows(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q, tally_row_fn fn, void *arg)
{
	struct tally_cell *cells = calloc(q->ncolumns + 1, sizeof *cells);
	int rc = cells ? bind_results(r, st, q) : failed(r, CR_OUT_OF_MEMORY, "out of memory");
	while (rc == 0) {
		int got = mysql_stmt_fetch(st);
		if (got == MYSQL_NO_DATA)
			break;
		if (got == 1)
			rc = failed_statement(r, st);
		else if (got == MYSQL_DATA_TRUNCATED)
			rc = fetch_long(r, st, q);
		if (rc != 0)
			break;
		cells_of(r, q, cells);
		rc = fn(arg, cells);
	}
	free(cells);
	return rc;
}

static int check_shape(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q)
{
	if (mysql_stmt_param_count(st) == q->nparams && mysql_stmt_field_count(st) == q->ncolumns)
		return 0;
	snprintf(r->error, sizeof r->error, "parameters or columns are not as announced: %.150s", q->sql);
	return -EINVAL;
}

/* ---- prepared statements ---- */

static MYSQL_STMT *prepare(struct md_reader *r, const struct tally_statement *q, int *rc)
{
	MYSQL_STMT *st = mysql_stmt_init(r->db);
	*rc = st ? 0 : failed(r, CR_OUT_OF_MEMORY, "out of memory");
	if (st && mysql_stmt_prepare(st, q->sql, strlen(q->sql)) != 0)
		*rc = failed_statement(r, st);
	else if (st)
		*rc = check_shape(r, st, q);
	if (*rc == 0)
		return st;
	if (st)
		mysql_stmt_close(st);
	return NULL;
}

/* NULL with *rc < 0: it cannot be prepared; NULL with 0: it is not one to keep. */
static struct md_kept *keep(struct md_reader *r, const struct tally_statement *q, int *rc)
{
	*rc = 0;
	struct md_kept *k = md_kept_place(&r->kept, q->sql);
	if (!k || k->st)
		return k;
	k->st = prepare(r, q, rc);
	if (k->st)
		return k;
	md_kept_let_go(k);
	return NULL;
}

static int run(struct md_reader *r, MYSQL_STMT *st, const struct tally_statement *q, tally_row_fn fn, void *arg)
{
	int rc = bind_params(r, st, q);
	return rc == 0 ? fetch_rows(r, st, q, fn, arg) : rc;
}

/* A statement that did not go to its end is not used again: rows of it may still be under way. */
int md_read(void *reader, const struct tally_statement *q, tally_row_fn fn, void *arg)
{
	struct md_reader *r = reader;
	int rc = set_limit(r, q->timeout_us);
	if (rc == 0)
		rc = need_slots(r, q->ncolumns);
	struct md_kept *k = rc == 0 ? keep(r, q, &rc) : NULL;
	if (rc != 0)
		return rc;
	if (k) {
		rc = run(r, k->st, q, fn, arg);
		if (rc != 0 || mysql_stmt_free_result(k->st) != 0)
			md_kept_let_go(k);
		return rc;
	}
	MYSQL_STMT *st = prepare(r, q, &rc);
	if (!st)
		return rc;
	rc = run(r, st, q, fn, arg);
	mysql_stmt_close(st);
	return rc;
}

/* ---- for select.c ---- */

int md_reader_ready(void *reader, int64_t timeout_us, MYSQL **out)
{
	struct md_reader *r = reader;
	int rc = set_limit(r, timeout_us);
	*out = r->db;
	return rc;
}

int md_reader_failed(void *reader, unsigned code, const char *words)
{
	return failed(reader, code, words);
}
