/* SPDX-License-Identifier: Apache-2.0 */
/* One batch, one transaction: the position's compare-and-set first, so that a zombie session of ours is waited for and
 * a moved position costs nothing; COMMIT last. Only a COMMIT that was answered is known. */
#include "mariadb.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

int md_exec(struct md *s, const char *doing, const char *sql)
{
	return mysql_query(s->db, sql) == 0 ? TALLY_SINK_OK : md_fail(s, doing);
}

int md_run(struct md *s, const char *doing, struct md_text *sql)
{
	int rc;
	if (sql->failed)
		rc = s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	else
		rc = mysql_real_query(s->db, sql->ptr, sql->len) == 0 ? TALLY_SINK_OK : md_fail(s, doing);
	md_text_free(sql);
	return rc;
}

int md_seam(struct md *s, const char *name)
{
	int rc = s->host->seam(name);
	if (rc == 0)
		return TALLY_SINK_OK;
	return s->host->fail(s->in, rc == -ENOSPC ? TALLY_SINK_FULL : TALLY_SINK_RECONNECT, -rc, "fault seam %s", name);
}

static int64_t wall_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int move_position(struct md *s, const struct tally_batch *b)
{
	const char *line = s->host->line(s->in);
	struct md_text sql = { 0 };
	md_add(&sql, "UPDATE ");
	md_add_name(&sql, s->host->prefix(s->in), "tally_position");
	md_add(&sql, " SET lsn = %" PRIu64 ", mark = %" PRIu64 ", committed = %" PRId64, b->to.lsn, b->to.mark,
		wall_us());
	md_add(&sql, " WHERE node = %u AND line = ", s->node);
	md_add_string(&sql, line, strlen(line));
	md_add(&sql, " AND lsn = %" PRIu64 " AND mark = %" PRIu64, b->from.lsn, b->from.mark);
	int rc = md_run(s, "moving the position", &sql);
	if (rc == TALLY_SINK_OK && mysql_affected_rows(s->db) != 1)
		rc = s->host->fail(s->in, TALLY_SINK_MOVED, 0, "the position is not where this batch begins");
	return rc;
}

static int put_table(struct md *s, const struct tally_batch *b, size_t index)
{
	if (b->rows[index].n == 0)
		return TALLY_SINK_OK;
	int rc = md_seam(s, "mariadb.rows");
	return rc == TALLY_SINK_OK ? md_put_rows(s, b, index) : rc;
}

static int gone_from_table(struct md *s, const struct tally_rows *g)
{
	int rc = md_seam(s, "mariadb.gone");
	return rc == TALLY_SINK_OK ? md_gone(s, g) : rc;
}

static int trim_table(struct md *s, const struct tally_trim *t)
{
	int rc = md_seam(s, "mariadb.trim");
	return rc == TALLY_SINK_OK ? md_trim(s, t) : rc;
}

/* What is given behind the guard is rows like others, but none of them is an event's. */
static int put_fenced(struct md *s, const struct tally_batch *b)
{
	struct tally_batch more = { 0 };
	if (b->fenced(b->fenced_arg, &more.rows, &more.nrows) != 0)
		return s->host->fail(s->in, TALLY_SINK_RETRY, 0, "what was to be written is not there");
	int rc = TALLY_SINK_OK;
	for (size_t i = 0; i < more.nrows && rc == TALLY_SINK_OK; i++)
		rc = put_table(s, &more, i);
	return rc;
}

static int fill(struct md *s, const struct tally_batch *b)
{
	int rc = move_position(s, b);
	if (rc == TALLY_SINK_OK)
		rc = md_seam(s, "mariadb.moved");
	if (rc == TALLY_SINK_OK && b->guard)
		rc = md_guard(s, b->guard);
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

/* A COMMIT that failed is certain only where the server says that it rolled everything back. */
static int commit(struct md *s)
{
	int rc = md_seam(s, "mariadb.commit");
	if (rc == TALLY_SINK_OK && mysql_query(s->db, "COMMIT") != 0)
		rc = md_fail_commit(s);
	return rc == TALLY_SINK_OK ? md_seam(s, "mariadb.committed") : rc;
}

/* A refused row is no dead letter if the table was changed under us: then the schema is to blame. */
static int look_at_suspect(struct md *s, int rc)
{
	int found = s->suspect ? md_check_table(s, s->suspect) : TALLY_SINK_OK;
	return found == TALLY_SINK_OK ? rc : found;
}

/* The transaction is over in any case; a connection that cannot even roll back is none. */
static int end(struct md *s, int rc)
{
	if (rc == TALLY_SINK_OK) {
		md_cache_commit(s->cache);
		return rc;
	}
	bool keep = rc == TALLY_SINK_RETRY || rc == TALLY_SINK_BAD_ROW || rc == TALLY_SINK_MOVED || s->suspect;
	if (keep && mysql_query(s->db, "ROLLBACK") == 0) {
		md_cache_forget(s->cache);
		rc = look_at_suspect(s, rc);
		keep = rc == TALLY_SINK_RETRY || rc == TALLY_SINK_BAD_ROW || rc == TALLY_SINK_MOVED;
	} else {
		keep = false;
	}
	if (!keep)
		md_close(s);
	return rc;
}

int md_write(void *self, const struct tally_batch *b)
{
	struct md *s = self;
	if (!s->db)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0, "not connected");
	s->suspect = NULL;
	int rc = md_seam(s, "mariadb.begin");
	if (rc == TALLY_SINK_OK)
		rc = md_exec(s, "beginning a transaction", "START TRANSACTION");
	if (rc == TALLY_SINK_OK)
		rc = fill(s, b);
	if (rc == TALLY_SINK_OK)
		rc = md_watch_same(s);
	if (rc == TALLY_SINK_OK)
		rc = commit(s);
	rc = end(s, rc);
	md_semisync(s);
	return rc;
}
