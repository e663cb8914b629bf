/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor, and where a node stands in the store. */
#include "sqlite.h"

#include <stdlib.h>
#include <string.h>

static const struct tally_option options[] = {
	{ "path", TALLY_OPT_STRING, 0, "tally.db", "the database file; a relative path is under data_dir" },
	{ "busy_timeout", TALLY_OPT_TIME, 0, "5s", "how long to wait for another program's write lock" },
	{ "cache", TALLY_OPT_SIZE, 0, "32MiB", "page cache of the writing connection" },
	{ NULL, 0, 0, NULL, NULL },
};

static int sink_open(const struct tally_sink_host *host, struct tally_sink_instance *in, void **self)
{
	struct sq *s = calloc(1, sizeof *s);
	if (!s)
		return host->fail(in, TALLY_SINK_STOP, 0, "out of memory");
	const char *path = host->option_str(in, "path");
	s->host = host;
	s->in = in;
	pthread_mutex_init(&s->readers_lock, NULL);
	s->busy_ms = (int)(host->option_int(in, "busy_timeout") / 1000);
	s->cache_kib = (int)(host->option_int(in, "cache") / 1024);
	s->path = *path == '/' ? sqlite3_mprintf("%s", path) : sqlite3_mprintf("%s/%s", host->data_dir(in), path);
	if (*path && s->path) {
		*self = s;
		return 0;
	}
	sqlite3_free(s->path);
	free(s);
	return host->fail(in, TALLY_SINK_STOP, 0, "path must name a file");
}

static void sink_close(void *self)
{
	struct sq *s = self;
	/* the daemon ends: the log goes into the file, if that is still the one it belongs to */
	if (s->db && sq_is_ours(s))
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	sq_disconnect(s);
	pthread_mutex_destroy(&s->readers_lock);
	sqlite3_free(s->path);
	free(s);
}

/* ---- position ---- */

/* Runs a statement with ?1 = node, ?2 = text, and the prefix for every %w (two at most); the first row's columns go to
 * out. 1 = a row, 0 = none, -1 = failed. */
static int one_row(struct sq *s, const char *format, const char *text, int64_t *out, int nout)
{
	sqlite3_stmt *st = NULL;
	const char *prefix = s->host->prefix(s->in);
	char *sql = sqlite3_mprintf(format, prefix, prefix);
	int found = -1;
	if (sql && sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, s->node);
		sqlite3_bind_text(st, 2, text, -1, SQLITE_STATIC);
		int code = sqlite3_step(st);
		found = code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : -1;
		for (int i = 0; i < nout && found == 1; i++)
			out[i] = sqlite3_column_int64(st, i);
	}
	sqlite3_finalize(st);
	sqlite3_free(sql);
	return found;
}

/* Numbers begin at 1: 0 is for rows folded together from nodes long gone. */
int sq_find_node(struct sq *s)
{
	const char *uuid = s->host->node(s->in);
	s->node = 0;
	int found = one_row(s, "SELECT number FROM \"%wtally_node\" WHERE uuid = ?2", uuid, &s->node, 1);
	if (found == 0) {
		one_row(s,
			"INSERT INTO \"%wtally_node\" (number, uuid)"
			" SELECT coalesce(max(number), 0) + 1, ?2 FROM \"%wtally_node\"",
			uuid, NULL, 0);
		found = one_row(s, "SELECT number FROM \"%wtally_node\" WHERE uuid = ?2", uuid, &s->node, 1);
	}
	return found == 1 ? TALLY_SINK_OK : sq_fail(s, "numbering this node");
}

/* A line owns its tables. */
static int other_line(struct sq *s)
{
	const char *line = s->host->line(s->in);
	sqlite3_stmt *st = NULL;
	char *sql = sqlite3_mprintf("SELECT line FROM \"%wtally_position\" WHERE node = %lld AND line <> %Q LIMIT 1",
		s->host->prefix(s->in), (long long)s->node, line);
	int code = SQLITE_ERROR, rc = TALLY_SINK_OK;
	if (sql && sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK)
		code = sqlite3_step(st);
	if (code == SQLITE_ROW)
		rc = s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"these tables belong to this node's line %.64s: to go on with them under the name %s, `tally adopt %s"
			" --from %.64s`; to keep both, give this sink a prefix",
			(const char *)sqlite3_column_text(st, 0), line, line, (const char *)sqlite3_column_text(st, 0));
	else if (code != SQLITE_DONE)
		rc = sq_fail(s, "reading the position");
	sqlite3_finalize(st);
	sqlite3_free(sql);
	return rc;
}

static int find_position(struct sq *s, struct tally_position *out)
{
	const char *line = s->host->line(s->in);
	int64_t at[2] = { 0, 0 };
	int rc = sq_find_node(s);
	if (rc == TALLY_SINK_OK)
		rc = other_line(s);
	if (rc != TALLY_SINK_OK)
		return rc;
	/* A store that has counted for this line has its position too: without that row it is not known what is stored. */
	int64_t one;
	int lost = one_row(s,
		"SELECT 1 FROM \"%wtally_ledger\" WHERE node = ?1 AND line = ?2 AND NOT EXISTS"
		" (SELECT 1 FROM \"%wtally_position\" p WHERE p.node = ?1 AND p.line = ?2) LIMIT 1",
		line, &one, 1);
	if (lost == 1)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"%s: tally_position has no row for this node (%lld) and line, though the store has counted for them: "
			"restore the whole store",
			s->path, (long long)s->node);
	if (lost < 0)
		return sq_fail(s, "reading the position");
	if (one_row(s, "INSERT OR IGNORE INTO \"%wtally_position\" VALUES (?1, ?2, 0, 0, 0)", line, NULL, 0) < 0 ||
		one_row(s, "SELECT lsn, mark FROM \"%wtally_position\" WHERE node = ?1 AND line = ?2", line, at, 2) !=
			1)
		return sq_fail(s, "reading the position");
	out->lsn = (uint64_t)at[0];
	out->mark = (uint64_t)at[1];
	return TALLY_SINK_OK;
}

int sq_ready(struct sq *s)
{
	if (s->db && sq_is_ours(s)) {
		if (sq_schema_is_current(s))
			return TALLY_SINK_OK;
		sq_schema_forget(s);
		return sq_schema(s);
	}
	int gone = s->db ? sq_let_go(s) : TALLY_SINK_OK;
	if (s->db)
		return gone;
	int rc = sq_connect(s);
	return rc == TALLY_SINK_OK ? sq_schema(s) : rc;
}

static int sink_position(void *self, struct tally_position *out)
{
	struct sq *s = self;
	int rc = sq_ready(s);
	if (rc == TALLY_SINK_OK)
		rc = sq_exec(s, "BEGIN IMMEDIATE");
	if (rc == TALLY_SINK_OK)
		rc = find_position(s, out);
	if (rc == TALLY_SINK_OK)
		rc = sq_exec(s, "COMMIT");
	if (rc != TALLY_SINK_OK)
		sq_disconnect(s);
	return rc;
}

const struct tally_sink tally_sink = {
	TALLY_SINK_HEAD,
	.name = "sqlite",
	.version = "1.0",
	.summary = "a store in one SQLite file, no server needed",
	.options = options,
	.is_store = 1,
	.transactional = 1,
	.open = sink_open,
	.close = sink_close,
	.position = sink_position,
	.write = sq_write,
	.reader_open = sq_reader_open,
	.read_begin = sq_read_begin,
	.read = sq_read,
	.read_end = sq_read_end,
	.reader_error = sq_reader_error,
	.reader_close = sq_reader_close,
	.select = sq_select,
	.deletes = 1,
	.merges = TALLY_M_QUANTILE,
	.adopt = sq_adopt,
	.backup = sq_backup,
	.restore = sq_restore,
	.guards = 1,
	.drop = sq_drop,
	.reader_cancel = sq_reader_cancel,
};
