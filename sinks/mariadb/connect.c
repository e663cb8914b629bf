/* SPDX-License-Identifier: Apache-2.0 */
/* A connection is never reused by the library behind our back (it would lose the transaction without a word), sends
 * no file because the server asks for one, and has the same session on every server, whatever its configuration. */
#include "mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_MAX 512

static const char *const writer_session[] = {
	"SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin",
	"SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
	" time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = 5, lock_wait_timeout = 5,"
	" max_statement_time = 0, wait_timeout = 28800,"
	/* a session of ours that we lost and the server has not: its locks go with it, long before its socket does */
	" idle_write_transaction_timeout = 10",
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	NULL,
};

static const char *const reader_session[] = {
	"SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin",
	"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 1,"
	" lock_wait_timeout = 5, wait_timeout = 28800, sql_safe_updates = 0",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	NULL,
};

/* The first line of the file. 0 or -1. */
static int read_password(const char *path, char out[PASSWORD_MAX])
{
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	char *got = fgets(out, PASSWORD_MAX, f);
	fclose(f);
	if (!got)
		*out = 0;
	out[strcspn(out, "\r\n")] = 0;
	return 0;
}

static void set_options(const struct md *s, unsigned reader_s, MYSQL *db)
{
	unsigned io = reader_s ? reader_s : s->write_timeout_s, no_files = 0;
	my_bool no = 0, yes = 1;
	mysql_options(db, MYSQL_OPT_CONNECT_TIMEOUT, &s->connect_timeout_s);
	mysql_options(db, MYSQL_OPT_READ_TIMEOUT, &io);
	mysql_options(db, MYSQL_OPT_WRITE_TIMEOUT, &io);
	mysql_options(db, MYSQL_OPT_RECONNECT, &no);
	mysql_options(db, MYSQL_OPT_LOCAL_INFILE, &no_files);
	mysql_options(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options4(db, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "tally");
	if (!s->tls)
		return;
	mysql_options(db, MYSQL_OPT_SSL_ENFORCE, &yes);
	if (*s->tls_ca)
		mysql_options(db, MYSQL_OPT_SSL_CA, s->tls_ca);
	mysql_options(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, s->tls_verify ? &yes : &no);
}

static int said(MYSQL *db, char words[MD_WORDS])
{
	snprintf(words, MD_WORDS, "%s", mysql_error(db));
	return (int)mysql_errno(db);
}

#define SERVER_LEAST 100500

/* A server that is no MariaDB, or an old one, is told by its greeting: it is sent nothing. 0 or a code. */
static int check_server(MYSQL *db, const struct md_host *h, char words[MD_WORDS])
{
	unsigned long capabilities = 0;
	mariadb_get_infov(db, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &capabilities);
	if (mariadb_connection(db) && (capabilities & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) &&
		mysql_get_server_version(db) >= SERVER_LEAST)
		return 0;
	snprintf(words, MD_WORDS, "%.80s:%u says it is %.80s", h->host, h->port, mysql_get_server_info(db));
	return ER_NOT_SUPPORTED_YET;
}

static int set_up(MYSQL *db, bool reader, char words[MD_WORDS])
{
	for (const char *const *sql = reader ? reader_session : writer_session; *sql; sql++)
		if (mysql_query(db, *sql) != 0)
			return said(db, words);
	return 0;
}

int md_connect(const struct md *s, const struct md_address *a, unsigned host, unsigned reader_s, MYSQL **out,
	char words[MD_WORDS])
{
	const struct md_host *h = &a->hosts[host];
	char from_file[PASSWORD_MAX];
	const char *password = a->password;
	if (*s->password_file && !(a != &s->address && password)) { /* a replica may have a password of its own */
		if (read_password(s->password_file, from_file) != 0) {
			snprintf(words, MD_WORDS, "cannot read password_file %.180s", s->password_file);
			return ER_ACCESS_DENIED_ERROR;
		}
		password = from_file;
	}
	MYSQL *db = mysql_init(NULL);
	if (!db) {
		snprintf(words, MD_WORDS, "out of memory");
		return CR_OUT_OF_MEMORY;
	}
	set_options(s, reader_s, db);
	/* FOUND_ROWS: an UPDATE counts the rows it found, changed or not; the position's compare-and-set needs that */
	int code = 0;
	if (!mysql_real_connect(db, a->socket ? NULL : h->host, a->user, password, a->database, h->port, a->socket,
		    CLIENT_FOUND_ROWS))
		code = said(db, words);
	else
		code = check_server(db, h, words);
	if (code == 0)
		code = set_up(db, reader_s != 0, words);
	if (code != 0) {
		mysql_close(db);
		return code;
	}
	*out = db;
	return 0;
}

int64_t md_variable(MYSQL *db, const char *name)
{
	char sql[128];
	int64_t value = 0;
	snprintf(sql, sizeof sql, "SELECT @@%s", name);
	MYSQL_RES *res = mysql_query(db, sql) == 0 ? mysql_store_result(db) : NULL;
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	if (row && row[0])
		value = strtoll(row[0], NULL, 10);
	mysql_free_result(res);
	return value;
}

/* ---- the writer's ---- */

static int ask_packet(struct md *s)
{
	int64_t packet = md_variable(s->db, "max_allowed_packet");
	s->packet_bytes = packet > 0 ? (size_t)packet : 1 << 20;
	return TALLY_SINK_OK;
}

int md_open(struct md *s)
{
	char words[MD_WORDS];
	unsigned host;
	if (s->db)
		return TALLY_SINK_OK;
	int code = md_connect_primary(s, 0, &s->db, &host, words);
	if (code != 0) {
		s->db = NULL;
		return md_fail_code(s, "connecting", (unsigned)code, words);
	}
	if (host != s->chosen)
		s->host->log(s->in, TALLY_LOG_INFO, "the server to write to is %s:%u now", s->address.hosts[host].host,
			s->address.hosts[host].port);
	s->chosen = host;
	s->asked_us = 0;
	return ask_packet(s);
}

void md_close(struct md *s)
{
	md_schema_forget(s);
	md_cache_forget(s->cache);
	if (s->db)
		mysql_close(s->db);
	s->db = NULL;
}
