/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor, the options, and where a node stands in the store. */
#include "mariadb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_BYTES ((size_t)32 << 20)

static const struct tally_option options[] = {
	{ "url", TALLY_OPT_STRING, 0, "mysql://tally@127.0.0.1/tally",
		"mysql://user[:password]@host[:port][,host[:port]...]/database[?socket=/path]; of several servers the one that "
		"is not read-only, at every connect" },
	{ "password_file", TALLY_OPT_STRING, 0, "", "file whose first line is the password; read at every connect" },
	{ "connect_timeout", TALLY_OPT_TIME, 0, "5s", "how long to wait for a connection" },
	{ "write_timeout", TALLY_OPT_TIME, 0, "60s", "how long one statement of a batch may take" },
	{ "query_timeout", TALLY_OPT_TIME, 0, "10s",
		"the most that one question may take; limits.query_timeout holds too" },
	{ "readers", TALLY_OPT_STRING, 0, "",
		"list of URLs, as `url` but one server each: replicas that questions are answered from" },
	{ "max_reader_lag", TALLY_OPT_TIME, 0, "5s", "a replica further behind is not asked" },
	{ "tls", TALLY_OPT_BOOL, 0, "false", "refuse to speak in clear" },
	{ "tls_verify", TALLY_OPT_BOOL, 0, "true", "with tls: the server's certificate must be for its name" },
	{ "tls_ca", TALLY_OPT_STRING, 0, "", "with tls: file of authorities to trust; empty: the system's" },
	{ NULL, 0, 0, NULL, NULL },
};

/* ---- open, close ---- */

static unsigned seconds(int64_t us)
{
	return us < 1000000 ? 1 : (unsigned)(us / 1000000);
}

/* A relative path is under data_dir; "" stays. */
static char *path_of(const struct md *s, const char *path)
{
	struct md_text t = { 0 };
	md_add(&t, "%s%s%s", *path && *path != '/' ? s->host->data_dir(s->in) : "", *path && *path != '/' ? "/" : "",
		path);
	return t.ptr;
}

static void destroy(struct md *s)
{
	md_address_free(&s->address);
	md_replicas_free(s);
	md_arrays_close(s->arrays);
	md_cache_close(s->cache);
	free(s->password_file);
	free(s->tls_ca);
	free(s);
}

static int sink_open(const struct tally_sink_host *host, struct tally_sink_instance *in, void **self)
{
	struct md *s = calloc(1, sizeof *s);
	if (!s)
		return host->fail(in, TALLY_SINK_STOP, 0, "out of memory");
	mysql_library_init(0, NULL, NULL);
	s->host = host;
	s->in = in;
	s->connect_timeout_s = seconds(host->option_int(in, "connect_timeout"));
	s->write_timeout_s = seconds(host->option_int(in, "write_timeout"));
	s->query_timeout_us = host->option_int(in, "query_timeout");
	s->max_reader_lag_us = host->option_int(in, "max_reader_lag");
	s->tls = host->option_int(in, "tls") != 0;
	s->tls_verify = host->option_int(in, "tls_verify") != 0;
	s->password_file = path_of(s, host->option_str(in, "password_file"));
	s->tls_ca = path_of(s, host->option_str(in, "tls_ca"));
	s->arrays = md_arrays_open();
	s->cache = md_cache_open(CACHE_BYTES);
	char words[MD_WORDS] = "";
	int bad_url = md_address_parse(host->option_str(in, "url"), &s->address);
	int bad_reader = md_replicas_parse(s, host->option_str(in, "readers"), words);
	if (bad_url == 0 && bad_reader == 0 && s->password_file && s->tls_ca && s->arrays && s->cache) {
		*self = s;
		return 0;
	}
	destroy(s);
	if (bad_url)
		return host->fail(in, TALLY_SINK_STOP, 0, "url must be %s", options[0].help);
	if (bad_reader == -EINVAL)
		return host->fail(in, TALLY_SINK_STOP, 0, "%s", words);
	return host->fail(in, TALLY_SINK_STOP, 0, "out of memory");
}

static void sink_close(void *self)
{
	struct md *s = self;
	md_close(s);
	destroy(s);
}

/* ---- position ---- */

/* Asks for one row of numbers. 1 = a row, 0 = none, -1 = failed (and said). */
static int ask_numbers(struct md *s, const char *doing, struct md_text *sql, uint64_t *out, unsigned nout)
{
	if (md_run(s, doing, sql) != TALLY_SINK_OK)
		return -1;
	MYSQL_RES *res = mysql_store_result(s->db);
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	for (unsigned i = 0; row && i < nout; i++)
		out[i] = row[i] ? strtoull(row[i], NULL, 10) : 0;
	mysql_free_result(res);
	return row ? 1 : 0;
}

static void add_literal(struct md_text *sql, const char *text)
{
	md_add_string(sql, text, strlen(text));
}

static int look_up_node(struct md *s, uint64_t *number)
{
	struct md_text sql = { 0 };
	md_add(&sql, "SELECT number FROM ");
	md_add_name(&sql, s->host->prefix(s->in), "tally_node");
	md_add(&sql, " WHERE uuid = ");
	add_literal(&sql, s->host->node(s->in));
	return ask_numbers(s, "numbering this node", &sql, number, 1);
}

/* Numbers begin at 1 (0 is for rows folded together from nodes long gone). */
static int number_node(struct md *s)
{
	uint64_t number = 0;
	int found = look_up_node(s, &number);
	if (found == 0) {
		struct md_text sql = { 0 };
		md_add(&sql, "INSERT IGNORE INTO ");
		md_add_name(&sql, s->host->prefix(s->in), "tally_node");
		md_add(&sql, " (uuid) VALUES (");
		add_literal(&sql, s->host->node(s->in));
		md_add(&sql, ")");
		if (md_run(s, "numbering this node", &sql) == TALLY_SINK_OK)
			found = look_up_node(s, &number);
	}
	s->node = (uint32_t)number;
	return found == 1 ? TALLY_SINK_OK : -1;
}

/* 1 = this node's row stands under another name; -1 = failed. */
static int other_line(struct md *s, char found[MD_WORDS])
{
	struct md_text sql = { 0 };
	md_add(&sql, "SELECT line FROM ");
	md_add_name(&sql, s->host->prefix(s->in), "tally_position");
	md_add(&sql, " WHERE node = %u AND line <> ", s->node);
	add_literal(&sql, s->host->line(s->in));
	md_add(&sql, " LIMIT 1");
	if (md_run(s, "reading the position", &sql) != TALLY_SINK_OK)
		return -1;
	MYSQL_RES *res = mysql_store_result(s->db);
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	if (row)
		snprintf(found, MD_WORDS, "%s", row[0]);
	mysql_free_result(res);
	return row != NULL;
}

static int read_position(struct md *s, struct tally_position *out)
{
	uint64_t at[2];
	struct md_text sql = { 0 };
	md_add(&sql, "SELECT lsn, mark FROM ");
	md_add_name(&sql, s->host->prefix(s->in), "tally_position");
	md_add(&sql, " WHERE node = %u AND line = ", s->node);
	add_literal(&sql, s->host->line(s->in));
	md_add(&sql, " FOR UPDATE");
	int found = ask_numbers(s, "reading the position", &sql, at, 2);
	if (found == 1)
		*out = (struct tally_position){ at[0], at[1] };
	return found;
}

/* A store that has counted for this line has its position too: without that row it is not known what is stored, and
 * to begin again would count it twice. 1 = so it is; 0; -1 = failed. */
static int lost_position(struct md *s)
{
	uint64_t one;
	struct md_text sql = { 0 };
	const char *p = s->host->prefix(s->in);
	md_add(&sql, "SELECT 1 FROM ");
	md_add_name(&sql, p, "tally_ledger");
	md_add(&sql, " l WHERE l.node = %u AND l.line = ", s->node);
	add_literal(&sql, s->host->line(s->in));
	md_add(&sql, " AND NOT EXISTS (SELECT 1 FROM ");
	md_add_name(&sql, p, "tally_position");
	md_add(&sql, " p WHERE p.node = l.node AND p.line = l.line) LIMIT 1");
	return ask_numbers(s, "reading the position", &sql, &one, 1);
}

static int make_position(struct md *s)
{
	struct md_text sql = { 0 };
	md_add(&sql, "INSERT IGNORE INTO ");
	md_add_name(&sql, s->host->prefix(s->in), "tally_position");
	md_add(&sql, " (node, line, lsn, mark, committed) VALUES (%u, ", s->node);
	add_literal(&sql, s->host->line(s->in));
	md_add(&sql, ", 0, 0, 0)");
	return md_run(s, "making the position", &sql);
}

/* Every failure on the way has been said; its class is in rc. */
static int find_position(struct md *s, struct tally_position *out)
{
	const char *line = s->host->line(s->in);
	char found[MD_WORDS];
	if (number_node(s) != TALLY_SINK_OK)
		return -1;
	int other = other_line(s, found);
	if (other == 1)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"these tables belong to this node's line %.64s: to go on with them under the name %s, `tally adopt %s"
			" --from %.64s`; to keep both, give this sink a prefix",
			found, line, line, found);
	int lost = other == 0 ? lost_position(s) : -1;
	if (lost == 1)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"%stally_position has no row for this node (%u) and line, though the store has counted for them: "
			"restore the whole store",
			s->host->prefix(s->in), s->node);
	if (lost != 0 || make_position(s) != TALLY_SINK_OK)
		return -1;
	return read_position(s, out) == 1 ? TALLY_SINK_OK : -1;
}

static int class_of_last(struct md *s)
{
	unsigned code = mysql_errno(s->db);
	int class = code ? md_class(code) : TALLY_SINK_RECONNECT;
	return class == MD_BAD_ROW ? TALLY_SINK_STOP : class;
}

int md_find_node(struct md *s)
{
	return number_node(s) == TALLY_SINK_OK ? TALLY_SINK_OK : class_of_last(s);
}

/* The list of tables has changed, not what others made of them: nobody is waited for. */
static int look_at_changes(struct md *s)
{
	md_schema_forget(s);
	s->made_tables = false;
	int rc = md_schema(s);
	if (rc == TALLY_SINK_OK)
		rc = md_watch_begin(s);
	return rc == TALLY_SINK_OK && s->made_tables ? md_watch_note(s) : rc;
}

static int look_at_tables(struct md *s)
{
	s->made_tables = false;
	int rc = md_watch_wait(s);
	if (rc == TALLY_SINK_OK)
		rc = md_schema(s);
	if (rc == TALLY_SINK_OK)
		rc = md_watch_begin(s);
	return rc == TALLY_SINK_OK ? md_watch_note(s) : rc;
}

int md_ready(struct md *s)
{
	md_cache_forget(s->cache);
	int rc = md_open(s);
	if (rc == TALLY_SINK_OK && !s->tables)
		return look_at_tables(s);
	return rc == TALLY_SINK_OK && !md_schema_is_current(s) ? look_at_changes(s) : rc;
}

static int sink_position(void *self, struct tally_position *out)
{
	struct md *s = self;
	int rc = md_ready(s);
	if (rc == TALLY_SINK_OK)
		rc = md_exec(s, "reading the position", "START TRANSACTION");
	if (rc == TALLY_SINK_OK)
		rc = find_position(s, out);
	if (rc == -1)
		rc = class_of_last(s);
	if (rc == TALLY_SINK_OK)
		rc = md_exec(s, "reading the position", "COMMIT");
	if (rc != TALLY_SINK_OK)
		md_close(s);
	return rc;
}

static int64_t query_timeout(void *self)
{
	return ((struct md *)self)->query_timeout_us;
}

const struct tally_sink tally_sink = {
	TALLY_SINK_HEAD,
	.name = "mariadb",
	.version = "1.0",
	.summary = "a store in MariaDB 10.5 or later",
	.options = options,
	.is_store = 1,
	.transactional = 1,
	.open = sink_open,
	.close = sink_close,
	.position = sink_position,
	.write = md_write,
	.reader_open = md_reader_open,
	.read_begin = md_read_begin,
	.read = md_read,
	.read_end = md_read_end,
	.reader_error = md_reader_error,
	.reader_close = md_reader_close,
	.select = md_select,
	.deletes = 1,
	.merges = TALLY_M_QUANTILE,
	.adopt = md_adopt,
	.guards = 1,
	.drop = md_drop,
	.reader_cancel = md_reader_cancel,
	.replicas = md_replicas,
	.replica_name = md_replica_name,
	.replica_open = md_replica_open,
	.query_timeout = query_timeout,
};
