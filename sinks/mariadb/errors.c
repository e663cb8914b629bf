/* SPDX-License-Identifier: Apache-2.0 */
/* MariaDB's error codes by what they mean for a batch. Whatever is not listed: from the client, the connection is in
 * doubt; from the server, an operator must look (never a dead letter on a guess). */
#include "mariadb.h"

#include <stdio.h>

static const struct {
	unsigned code;
	int class;
	const char *remedy;
} classes[] = {
	/* rolled back as a whole, or a wait that was given up: again */
	{ ER_LOCK_DEADLOCK, TALLY_SINK_RETRY, NULL }, /* also Galera's certification */
	{ ER_CHECKREAD, TALLY_SINK_RETRY, NULL },     /* 1020, innodb_snapshot_isolation */
	{ ER_LOCK_WAIT_TIMEOUT, TALLY_SINK_RETRY, "another session holds these rows" },
	{ ER_QUERY_INTERRUPTED, TALLY_SINK_RETRY, NULL },
	{ ER_STATEMENT_TIMEOUT, TALLY_SINK_RETRY, NULL },
	{ ER_TABLE_DEF_CHANGED, TALLY_SINK_RETRY, NULL },
	/* nothing happened, or nobody knows */
	{ ER_CON_COUNT_ERROR, TALLY_SINK_RECONNECT, "max_connections is reached" },
	{ ER_TOO_MANY_USER_CONNECTIONS, TALLY_SINK_RECONNECT, "max_user_connections is reached" },
	{ ER_USER_LIMIT_REACHED, TALLY_SINK_RECONNECT, NULL },
	{ ER_UNKNOWN_COM_ERROR, TALLY_SINK_RECONNECT, "the node is not ready (Galera)" }, /* 1047 */
	{ ER_CONNECTION_KILLED, TALLY_SINK_RECONNECT, NULL },
	{ ER_SERVER_SHUTDOWN, TALLY_SINK_RECONNECT, NULL },
	{ ER_ERROR_DURING_COMMIT, TALLY_SINK_RECONNECT, NULL },
	{ ER_NET_READ_ERROR, TALLY_SINK_RECONNECT, NULL },
	{ ER_NET_READ_INTERRUPTED, TALLY_SINK_RECONNECT, NULL },
	{ ER_NET_ERROR_ON_WRITE, TALLY_SINK_RECONNECT, NULL },
	{ ER_NET_WRITE_INTERRUPTED, TALLY_SINK_RECONNECT, NULL },
	{ ER_ABORTING_CONNECTION, TALLY_SINK_RECONNECT, NULL },
	{ ER_HOST_IS_BLOCKED, TALLY_SINK_RECONNECT, "run mariadb-admin flush-hosts" },
	{ ER_UNKNOWN_STMT_HANDLER, TALLY_SINK_RECONNECT, NULL }, /* prepared anew with the connection */
	{ ER_NEED_REPREPARE, TALLY_SINK_RECONNECT, NULL },
	/* the wrong server, for now: a failover is under way */
	{ ER_OPTION_PREVENTS_STATEMENT, TALLY_SINK_RECONNECT, "the server is read-only; is it a replica?" },
	{ ER_READ_ONLY_MODE, TALLY_SINK_RECONNECT, "the server is read-only" },
	{ ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, TALLY_SINK_RECONNECT, "the server is read-only" },
	{ ER_OPEN_AS_READONLY, TALLY_SINK_RECONNECT,
		"the server is read-only (innodb_read_only, innodb_force_recovery)" },
	/* one row is refused */
	{ ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, MD_BAD_ROW, NULL }, /* 1366 */
	{ ER_DATA_TOO_LONG, MD_BAD_ROW, NULL },
	{ ER_WARN_DATA_OUT_OF_RANGE, MD_BAD_ROW, NULL },
	{ ER_TRUNCATED_WRONG_VALUE, MD_BAD_ROW, NULL },
	{ WARN_DATA_TRUNCATED, MD_BAD_ROW, NULL },
	{ ER_BAD_NULL_ERROR, MD_BAD_ROW, NULL },
	{ ER_CONSTRAINT_FAILED, MD_BAD_ROW, NULL },
	{ ER_DATA_OUT_OF_RANGE, MD_BAD_ROW, NULL },
	{ ER_DUP_ENTRY, MD_BAD_ROW, NULL },
	{ ER_NO_REFERENCED_ROW_2, MD_BAD_ROW, NULL },
	{ ER_INVALID_CHARACTER_STRING, MD_BAD_ROW, NULL },
	{ ER_TOO_BIG_ROWSIZE, MD_BAD_ROW, NULL },
	{ ER_SIGNAL_EXCEPTION, MD_BAD_ROW, NULL }, /* a trigger's own refusal */
	/* schema, rights, configuration */
	{ ER_DBACCESS_DENIED_ERROR, TALLY_SINK_STOP, "GRANT ALL on the database to this user" },
	{ ER_ACCESS_DENIED_ERROR, TALLY_SINK_STOP, "check user and password" },
	{ ER_ACCESS_DENIED_NO_PASSWORD_ERROR, TALLY_SINK_STOP, "check user and password" },
	{ ER_BAD_DB_ERROR, TALLY_SINK_STOP, "CREATE DATABASE it first" },
	{ ER_HOST_NOT_PRIVILEGED, TALLY_SINK_STOP, "the server lets no user in from this address" },
	{ ER_TABLEACCESS_DENIED_ERROR, TALLY_SINK_STOP, "GRANT ALL on the database to this user" },
	{ ER_COLUMNACCESS_DENIED_ERROR, TALLY_SINK_STOP, "GRANT ALL on the database to this user" },
	{ ER_SPECIFIC_ACCESS_DENIED_ERROR, TALLY_SINK_STOP, NULL },
	{ ER_BAD_FIELD_ERROR, TALLY_SINK_STOP, "a table is not as it was made: restore it" },
	{ ER_NO_DEFAULT_FOR_FIELD, TALLY_SINK_STOP, "a column was added: give it a default" },
	{ ER_NO_SUCH_TABLE, TALLY_SINK_STOP, "restore it from a backup" },
	{ ER_NET_PACKET_TOO_LARGE, TALLY_SINK_STOP, "raise max_allowed_packet" },
	{ ER_NOT_SUPPORTED_YET, TALLY_SINK_STOP, "a MariaDB of 10.5 or later is needed" },
	{ ER_UNKNOWN_COLLATION, TALLY_SINK_STOP, "a MariaDB of 10.5 or later is needed" },
	{ ER_UNKNOWN_CHARACTER_SET, TALLY_SINK_STOP, "a MariaDB of 10.5 or later is needed" },
	{ ER_BINLOG_STMT_MODE_AND_ROW_ENGINE, TALLY_SINK_STOP, "set binlog_format to MIXED or ROW" },
	{ CR_AUTH_PLUGIN_CANNOT_LOAD, TALLY_SINK_STOP, "give the user another authentication plugin" },
	/* full */
	{ ER_DISK_FULL, TALLY_SINK_FULL, "the server's disk is full" },
	{ ER_GET_ERRNO, TALLY_SINK_FULL, "see the server's error log" }, /* 1030: the storage engine's own error */
	{ ER_RECORD_FILE_FULL, TALLY_SINK_FULL, "the table's space is used up" },
	{ ER_ERROR_ON_WRITE, TALLY_SINK_FULL, NULL },
	{ ER_LOCK_TABLE_FULL, TALLY_SINK_FULL, "innodb_buffer_pool_size is too small for its locks" },
	{ ER_OUT_OF_RESOURCES, TALLY_SINK_FULL, NULL },
	{ ER_OUTOFMEMORY, TALLY_SINK_FULL, NULL },
};

#define NCLASSES (sizeof classes / sizeof *classes)

static size_t find(unsigned code)
{
	size_t i = 0;
	while (i < NCLASSES && classes[i].code != code)
		i++;
	return i;
}

static bool is_client_error(unsigned code)
{
	return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) || code >= CER_MIN_ERROR;
}

int md_class(unsigned code)
{
	size_t at = find(code);
	if (at < NCLASSES)
		return classes[at].class;
	return is_client_error(code) ? TALLY_SINK_RECONNECT : TALLY_SINK_STOP;
}

unsigned md_code_at(size_t i)
{
	return i < NCLASSES ? classes[i].code : 0;
}

const char *md_remedy(unsigned code)
{
	size_t at = find(code);
	return at < NCLASSES ? classes[at].remedy : NULL;
}

/* A refused value outside of a row statement is no bad row. */
int md_fail_code(struct md *s, const char *doing, unsigned code, const char *words)
{
	const char *remedy = md_remedy(code);
	int class = md_class(code);
	if (class == MD_BAD_ROW)
		class = TALLY_SINK_STOP;
	return s->host->fail(s->in, class, (int)code, "%s: %s (%u)%s%s", doing, words, code, remedy ? "; " : "",
		remedy ? remedy : "");
}

int md_fail(struct md *s, const char *doing)
{
	return md_fail_code(s, doing, mysql_errno(s->db), mysql_error(s->db));
}

/* Whatever is not a rollback of the whole transaction leaves it open what became of it. */
int md_fail_commit(struct md *s)
{
	unsigned code = mysql_errno(s->db);
	bool rolled_back = code == ER_LOCK_DEADLOCK || code == ER_CHECKREAD;
	int rc = md_fail(s, "committing");
	return rolled_back ? rc : TALLY_SINK_RECONNECT;
}
