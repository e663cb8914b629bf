/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: a connection each, to the server that is written to or to a replica, and on it a read-only transaction with
 * one snapshot.
 *
 * Invariant: `db` changes under `lock` only, so that cancel() finds either a connection or none. What a cancelled reader
 * waits for ends because its socket is shut down; the server ends the statement at its limit at the latest. */
#include "mariadb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GRACE_US 5000000 /* a server that lives has ended a statement at its limit by then */

/* ---- open, close, cancel ---- */

int md_replica_open(void *self, size_t number, void **reader)
{
	int rc = md_reader_open(self, reader);
	if (rc == 0)
		((struct md_reader *)*reader)->replica = &((struct md *)self)->replicas[number];
	return rc;
}

int md_reader_open(void *self, void **reader)
{
	struct md_reader *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->store = self;
	pthread_mutex_init(&r->lock, NULL);
	*reader = r;
	return 0;
}

/* Either may be NULL. */
static void exchange(struct md_reader *r, MYSQL *db)
{
	pthread_mutex_lock(&r->lock);
	MYSQL *old = r->db;
	r->db = db;
	pthread_mutex_unlock(&r->lock);
	if (old)
		mysql_close(old);
}

static void disconnect(struct md_reader *r)
{
	md_kept_forget(&r->kept);
	exchange(r, NULL);
}

void md_reader_close(void *reader)
{
	struct md_reader *r = reader;
	disconnect(r);
	md_reader_free_slots(r);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void md_reader_cancel(void *reader)
{
	struct md_reader *r = reader;
	pthread_mutex_lock(&r->lock);
	r->cancelled = true;
	if (r->db)
		shutdown((int)mysql_get_socket(r->db), SHUT_RDWR);
	pthread_mutex_unlock(&r->lock);
}

static bool is_cancelled(struct md_reader *r)
{
	pthread_mutex_lock(&r->lock);
	bool yes = r->cancelled;
	pthread_mutex_unlock(&r->lock);
	return yes;
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

int md_reader_failed(void *reader, unsigned code, const char *words)
{
	struct md_reader *r = reader;
	snprintf(r->error, sizeof r->error, "%.200s (%u)", words, code);
	return errno_of(code);
}

/* ---- the snapshot ---- */

static int connect_to_server(struct md_reader *r, unsigned seconds, MYSQL **db, char words[MD_WORDS])
{
	if (r->replica)
		return md_connect(r->store, r->replica, 0, seconds, db, words);
	return md_connect_primary(r->store, seconds, db, &r->host, words);
}

static int reach(struct md_reader *r, int64_t limit_us)
{
	char words[MD_WORDS] = "given up";
	MYSQL *db = NULL;
	r->wait_us = limit_us + GRACE_US;
	r->limit_us = -1;
	int code = is_cancelled(r) ? CR_SERVER_LOST
				   : connect_to_server(r, (unsigned)((r->wait_us + 999999) / 1000000), &db, words);
	if (code != 0) {
		md_reader_failed(r, (unsigned)code, words);
		return md_class((unsigned)code) == TALLY_SINK_STOP ? -EACCES : -ENOTCONN;
	}
	exchange(r, db);
	if (is_cancelled(r)) { /* while it connected: nobody has shut this one down */
		disconnect(r);
		md_reader_failed(r, CR_SERVER_LOST, "given up");
		return -ENOTCONN;
	}
	return 0;
}

static int begin(struct md_reader *r)
{
	r->begun = false;
	if (mysql_query(r->db, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY") == 0)
		return 0;
	md_reader_failed(r, mysql_errno(r->db), mysql_error(r->db));
	disconnect(r);
	return -ENOTCONN;
}

/* A connection that has lain idle may be gone: then one more. One to a server that is no longer ours is given up. */
int md_read_begin(void *reader)
{
	struct md_reader *r = reader;
	pthread_mutex_lock(&r->lock);
	r->cancelled = false;
	pthread_mutex_unlock(&r->lock);
	if (r->db && !r->replica && r->host != r->store->chosen)
		disconnect(r);
	if (r->db && begin(r) == 0)
		return 0;
	int rc = reach(r, r->store->query_timeout_us);
	return rc == 0 ? begin(r) : rc;
}

void md_read_end(void *reader)
{
	struct md_reader *r = reader;
	if (r->db && mysql_query(r->db, "ROLLBACK") != 0)
		disconnect(r);
}

/* ---- its time limit ---- */

/* A connection that would give the server up before the statement's limit is made anew, while the snapshot has been asked
 * nothing. */
static int be_patient(struct md_reader *r, int64_t limit_us)
{
	if (r->begun || limit_us + GRACE_US <= r->wait_us)
		return 0;
	disconnect(r);
	int rc = reach(r, limit_us);
	return rc == 0 ? begin(r) : rc;
}

int md_reader_limit(struct md_reader *r, int64_t timeout_us)
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
		return md_reader_failed(r, mysql_errno(r->db), mysql_error(r->db));
	r->limit_us = limit_us;
	return 0;
}

int md_reader_ready(void *reader, int64_t timeout_us, MYSQL **out)
{
	struct md_reader *r = reader;
	int rc = md_reader_limit(r, timeout_us);
	*out = r->db;
	return rc;
}
