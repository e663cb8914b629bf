/* SPDX-License-Identifier: Apache-2.0 */
/* One batch, one transaction: the position's compare-and-set first, so that a moved position costs nothing. */
#include "sqlite.h"

#include <errno.h>
#include <math.h>
#include <time.h>

int sq_exec(struct sq *s, const char *sql)
{
	if (!sql || sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sq_fail(s, "writing");
	return TALLY_SINK_OK;
}

static int64_t wall_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* lsn and mark have 64 bits, SQLite's integers a sign: the bits are what counts. */
static int move_position(struct sq *s, const struct tally_batch *b)
{
	sqlite3_stmt *st = s->move;
	sqlite3_bind_int64(st, 1, (int64_t)b->to.lsn);
	sqlite3_bind_int64(st, 2, (int64_t)b->to.mark);
	sqlite3_bind_int64(st, 3, wall_us());
	sqlite3_bind_int64(st, 4, s->node);
	sqlite3_bind_text(st, 5, s->host->line(s->in), -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 6, (int64_t)b->from.lsn);
	sqlite3_bind_int64(st, 7, (int64_t)b->from.mark);
	int code = sqlite3_step(st);
	int moved = sqlite3_changes(s->db);
	int rc = code == SQLITE_DONE ? TALLY_SINK_OK : sq_fail(s, "moving the position");
	sqlite3_reset(st);
	if (rc == TALLY_SINK_OK && moved != 1)
		rc = s->host->fail(s->in, TALLY_SINK_MOVED, 0, "the position is not where this batch begins");
	return rc;
}

/* ---- rows ---- */

/* SQLite's bindings take a NULL pointer for a NULL value. */
static const char *bytes_of(const struct tally_cell *c)
{
	return c->len ? c->v.ptr : "";
}

int sq_bind(const struct sq *s, sqlite3_stmt *st, int at, const struct tally_column *c, const struct tally_cell *cell)
{
	if (c->merge == TALLY_M_NODE)
		return sqlite3_bind_int64(st, at, s->node);
	if (cell->null)
		return sqlite3_bind_null(st, at);
	switch (c->type) {
	case TALLY_T_INT:
		return sqlite3_bind_int64(st, at, cell->v.i);
	case TALLY_T_REAL:
		return sqlite3_bind_double(
			st, at, fmax(fmin(cell->v.d, 1.7976931348623157e308), -1.7976931348623157e308));
	case TALLY_T_BLOB:
		return sqlite3_bind_blob(st, at, bytes_of(cell), (int)cell->len, SQLITE_STATIC);
	default:
		return sqlite3_bind_text(st, at, bytes_of(cell), (int)cell->len, SQLITE_STATIC);
	}
}

static int put_row(struct sq *s, const struct sq_table *t, const struct tally_cell *cells)
{
	for (uint32_t i = 0; i < t->table->ncolumns; i++) {
		const struct tally_column *c = &t->table->columns[i];
		int rc = c->merge == TALLY_M_ESTIMATE ? SQLITE_OK : sq_bind(s, t->put, (int)i + 1, c, &cells[i]);
		if (rc != SQLITE_OK)
			return rc;
	}
	int code = sqlite3_step(t->put);
	int rc = sqlite3_reset(t->put);
	return code == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A statement that was refused has left nothing, and the rest of the transaction stands: all refused rows are named. */
static int put_rows(struct sq *s, const struct tally_batch *b, size_t index)
{
	int rc = TALLY_SINK_OK;
	const struct tally_rows *rows = &b->rows[index];
	const struct sq_table *t = sq_table_of(s, rows->table);
	if (!t)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0, "table %s was not announced", rows->table->name);
	for (size_t i = 0; i < rows->n; i++) {
		int code = put_row(s, t, rows->cells + i * rows->table->ncolumns);
		if (code == SQLITE_OK)
			continue;
		if (!sq_is_bad_row(code))
			return sq_fail(s, rows->table->name);
		s->suspect = rows->table;
		rc = s->host->bad_row(s->in, index, i, code, "%s: %s", rows->table->name, sqlite3_errmsg(s->db));
		if (rc != TALLY_SINK_BAD_ROW || !rows->table->insert_only)
			return rc;
	}
	return rc;
}

/* ---- the transaction ---- */

static int seam(struct sq *s, const char *name)
{
	int rc = s->host->seam(name);
	if (rc == 0)
		return TALLY_SINK_OK;
	return s->host->fail(s->in, rc == -ENOSPC ? TALLY_SINK_FULL : TALLY_SINK_RECONNECT, -rc, "fault seam %s", name);
}

static int put_table(struct sq *s, const struct tally_batch *b, size_t index)
{
	if (b->rows[index].n == 0)
		return TALLY_SINK_OK;
	int rc = seam(s, "sqlite.rows");
	return rc == TALLY_SINK_OK ? put_rows(s, b, index) : rc;
}

static int gone_from_table(struct sq *s, const struct tally_rows *g)
{
	int rc = seam(s, "sqlite.gone");
	return rc == TALLY_SINK_OK ? sq_gone(s, g) : rc;
}

static int trim_table(struct sq *s, const struct tally_trim *t)
{
	int rc = seam(s, "sqlite.trim");
	return rc == TALLY_SINK_OK ? sq_trim(s, t) : rc;
}

/* What is given behind the guard is rows like others, but none of them is an event's. */
static int put_fenced(struct sq *s, const struct tally_batch *b)
{
	struct tally_batch more = { 0 };
	if (b->fenced(b->fenced_arg, &more.rows, &more.nrows) != 0)
		return s->host->fail(s->in, TALLY_SINK_RETRY, 0, "what was to be written is not there");
	int rc = TALLY_SINK_OK;
	for (size_t i = 0; i < more.nrows && rc == TALLY_SINK_OK; i++)
		rc = put_table(s, &more, i);
	return rc;
}

static int fill(struct sq *s, const struct tally_batch *b)
{
	int rc = move_position(s, b);
	if (rc == TALLY_SINK_OK)
		rc = seam(s, "sqlite.moved");
	if (rc == TALLY_SINK_OK && b->guard)
		rc = sq_guard(s, b->guard);
	if (rc == TALLY_SINK_OK && b->fenced)
		rc = put_fenced(s, b);
	for (size_t i = 0; i < b->nrows && rc == TALLY_SINK_OK; i++)
		rc = put_table(s, b, i);
	for (size_t i = 0; i < b->ngone && rc == TALLY_SINK_OK; i++)
		rc = gone_from_table(s, &b->gone[i]);
	for (size_t i = 0; i < b->ntrim && rc == TALLY_SINK_OK; i++)
		rc = trim_table(s, &b->trim[i]);
	return rc;
}

static int commit(struct sq *s)
{
	int rc = seam(s, "sqlite.commit");
	if (rc == TALLY_SINK_OK)
		rc = sq_exec(s, "COMMIT");
	return rc == TALLY_SINK_OK ? seam(s, "sqlite.committed") : rc;
}

int sq_write(void *self, const struct tally_batch *b)
{
	struct sq *s = self;
	if (!s->db)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0, "%s is not open", s->path);
	if (!sq_is_ours(s))
		return sq_let_go(s);
	s->suspect = NULL;
	int rc = seam(s, "sqlite.begin");
	if (rc == TALLY_SINK_OK)
		rc = sq_exec(s, "BEGIN IMMEDIATE");
	if (rc == TALLY_SINK_OK)
		rc = fill(s, b);
	if (rc == TALLY_SINK_OK)
		rc = commit(s);
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	if (!sq_is_ours(s)) /* whatever was committed, it may be in the wrong file: the position there decides */
		return sq_let_go(s);
	if (s->suspect && sq_check(s, s->suspect) != TALLY_SINK_OK)
		rc = TALLY_SINK_STOP; /* the schema is to blame, not the row */
	s->unwiped |= rc == TALLY_SINK_OK && b->ngone > 0;
	if (rc == TALLY_SINK_OK)
		sq_wipe(s);
	if (rc == TALLY_SINK_RECONNECT || rc == TALLY_SINK_STOP || rc == TALLY_SINK_FULL)
		sq_disconnect(s);
	return rc;
}
