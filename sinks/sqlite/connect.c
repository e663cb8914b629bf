/* SPDX-License-Identifier: Apache-2.0 */
/* A database file can be moved away or replaced under a running program (a restore): whoever then goes on writing
 * writes into nothing. So the file is known by device and inode, and looked at before each batch. */
#include "sqlite.h"

#include <errno.h>
#include <string.h>

int sq_file_of(const char *path, struct sq_file *f)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return -errno;
	*f = (struct sq_file){ st.st_dev, st.st_ino };
	return 0;
}

bool sq_file_same(const char *path, const struct sq_file *f)
{
	struct sq_file now;
	return sq_file_of(path, &now) == 0 && now.dev == f->dev && now.ino == f->ino;
}

void sq_disconnect(struct sq *s)
{
	sq_schema_forget(s);
	if (s->db)
		sqlite3_close(s->db);
	s->db = NULL;
}

static int is_wal(void *arg, int n, char **values, char **names)
{
	(void)names;
	*(bool *)arg = n == 1 && values[0] && strcmp(values[0], "wal") == 0;
	return 0;
}

/* WAL: readers do not stop the writer. FULL: a commit is on the disk. A checkpoint every 16 MiB keeps the log's
 * pages from being copied at almost every commit. */
static int set_up(struct sq *s)
{
	bool wal = false;
	char cache[64];
	sqlite3_snprintf(sizeof cache, cache, "PRAGMA cache_size = -%d", s->cache_kib);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* the file may be another's by then */
	sqlite3_busy_timeout(s->db, s->busy_ms);
	if (sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", is_wal, &wal, NULL) != SQLITE_OK ||
		sqlite3_exec(s->db,
			"PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096;"
			"PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;"
			"PRAGMA secure_delete = ON; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF",
			NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_exec(s->db, cache, NULL, NULL, NULL) != SQLITE_OK || sq_functions(s) != SQLITE_OK)
		return sq_fail(s, "opening");
	if (!wal)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"%s: no write-ahead log is possible there (a network file system?): use a local disk", s->path);
	return TALLY_SINK_OK;
}

int sq_connect(struct sq *s)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int rc = sq_look_again(s);
	if (rc == TALLY_SINK_OK && s->gone)
		rc = sq_wait_whole(s);
	if (rc != TALLY_SINK_OK)
		return rc;
	sq_readers_return(s);
	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
		rc = sq_fail(s, "opening");
	else
		rc = set_up(s);
	if (rc == TALLY_SINK_OK && sq_file_of(s->path, &s->file) != 0)
		rc = s->host->fail(s->in, TALLY_SINK_RECONNECT, errno, "%s: vanished while it was opened", s->path);
	if (rc == TALLY_SINK_OK)
		sq_note_ours(s);
	else
		sq_disconnect(s);
	return rc;
}
