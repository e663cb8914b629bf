/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the whole store in one file, while it is written to; and such a copy put in its place. Putting it there is
 * one rename: the writer finds another file behind its path and goes on with that one, as after any restore by hand. */
#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int say(char words[256], int rc, const char *path, const char *what)
{
	snprintf(words, 256, "%.120s: %.120s", path, what);
	return rc;
}

static int say_db(char words[256], const char *path, sqlite3 *db)
{
	return say(words, -EIO, path, db ? sqlite3_errmsg(db) : "out of memory");
}

static int first_text(void *arg, int n, char **values, char **names)
{
	(void)names;
	if (n > 0)
		snprintf(arg, 64, "%s", values[0] ? values[0] : "");
	return 1; /* one row is enough */
}

/* A backup that is damaged, or not a store's, is found out before it replaces anything. */
static int check_store(const struct sq *s, sqlite3 *db, const char *path, char words[256])
{
	char result[64] = "";
	char *sql = sqlite3_mprintf("SELECT 1 FROM \"%wtally_position\" p JOIN \"%wtally_meta\" m LIMIT 1",
		s->host->prefix(s->in), s->host->prefix(s->in));
	sqlite3_exec(db, "PRAGMA quick_check(1)", first_text, result, NULL);
	int rc = 0;
	if (strcmp(result, "ok") != 0)
		rc = say(words, -EBADMSG, path, *result ? result : sqlite3_errmsg(db));
	else if (!sql || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		rc = say(words, -EBADMSG, path, "is no store of tally (or its tables have another prefix)");
	sqlite3_free(sql);
	return rc;
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	int rc = fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? sqlite3_mprintf("%.*s", (int)(slash - path + 1), path) : sqlite3_mprintf(".");
	int rc = folder ? sync_path(folder, O_DIRECTORY) : -ENOMEM;
	sqlite3_free(folder);
	return rc;
}

/* All pages in one snapshot. The copy needs no log beside it. */
static int copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	if (!b)
		return -1;
	int code;
	while ((code = sqlite3_backup_step(b, -1)) == SQLITE_BUSY || code == SQLITE_LOCKED)
		sqlite3_sleep(50);
	return sqlite3_backup_finish(b) == SQLITE_OK && code == SQLITE_DONE ? 0 : -1;
}

/* What must be gone tomorrow must not live on in a copy. */
static int forget_salt(const struct sq *s, sqlite3 *db)
{
	char *table = sqlite3_mprintf("%stally_salt", s->host->prefix(s->in));
	char *sql = sqlite3_mprintf("PRAGMA secure_delete = ON; DELETE FROM \"%w\"", table);
	int code = SQLITE_NOMEM;
	if (table && sql)
		code = sqlite3_table_column_metadata(db, NULL, table, "day", NULL, NULL, NULL, NULL, NULL) == SQLITE_OK
			       ? sqlite3_exec(db, sql, NULL, NULL, NULL)
			       : SQLITE_OK; /* a store of a tally that had none */
	sqlite3_free(sql);
	sqlite3_free(table);
	return code == SQLITE_OK ? 0 : -1;
}

static int copy(const struct sq *s, const char *from, const char *to, char words[256])
{
	sqlite3 *src = NULL, *dst = NULL;
	int rc = 0;
	if (sqlite3_open_v2(from, &src, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		rc = say_db(words, from, src);
	sqlite3_busy_timeout(src, s->busy_ms);
	sqlite3_db_config(src, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == 0)
		rc = check_store(s, src, from, words);
	if (rc == 0 && (sqlite3_open_v2(to, &dst, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK ||
			       copy_pages(src, dst) != 0 || forget_salt(s, dst) != 0))
		rc = say_db(words, to, dst);
	if (rc == 0)
		rc = check_store(s, dst, to, words);
	sqlite3_close(dst);
	sqlite3_close(src);
	return rc;
}

static int copy_into_place(const struct sq *s, const char *from, const char *to, char words[256])
{
	char *fresh = sqlite3_mprintf("%s.new", to);
	if (!fresh)
		return say(words, -ENOMEM, to, "out of memory");
	unlink(fresh);
	int rc = copy(s, from, fresh, words);
	if (rc == 0 && (sync_path(fresh, 0) != 0 || rename(fresh, to) != 0 || sync_folder_of(to) != 0))
		rc = say(words, -errno, to, strerror(errno));
	if (rc != 0)
		unlink(fresh);
	sqlite3_free(fresh);
	return rc;
}

int sq_backup(void *self, const char *path, char words[256])
{
	if (access(path, F_OK) == 0)
		return say(words, -EEXIST, path, "is there already; a backup replaces nothing");
	struct sq *s = self;
	return copy_into_place(s, s->path, path, words);
}

int sq_restore(void *self, const char *path, char words[256])
{
	struct sq *s = self;
	return copy_into_place(s, path, s->path, words);
}
