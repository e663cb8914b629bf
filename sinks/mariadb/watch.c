/* SPDX-License-Identifier: Apache-2.0 */
/* A dump is read back table by table, while we may be at work: for a while the position's row is of one time and a
 * rollup of another, and a batch then would be counted twice or not at all. Two things keep us out of that:
 *
 * A transaction in which a statement had to be prepared anew met a table that was made anew since we looked: it does not
 * commit. The server counts that for us, and its locks keep what was touched as it is until COMMIT.
 *
 * When we look again, and the tables are not the ones that were noted in tally_meta as a whole (their times of creation;
 * noted for each server, since a replica has times of its own), we wait until nobody has made, filled or locked one for
 * a while. Others that write all the time (nodes of a cluster) shall not keep us waiting for ever: then it is enough
 * that no table was made for a longer while. */
#include "mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUIET_US 3000000
#define LONG_QUIET_US 15000000
#define PATIENCE_US 4000000 /* of one call; the ship comes again */
#define LOOK_EVERY_NS 200000000

struct look {
	unsigned tables;
	uint64_t made, changed;
};

int64_t md_mono_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static uint64_t mix(uint64_t h, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)(text ? text : "-"); *p; p++)
		h = (h ^ *p) * UINT64_C(0x100000001b3);
	return (h ^ '/') * UINT64_C(0x100000001b3);
}

/* Runs the statement. A failure is said; its class. */
static int ask(struct md *s, struct md_text *sql, MYSQL_RES **out)
{
	*out = NULL;
	int rc = md_run(s, "looking at the tables", sql);
	if (rc == TALLY_SINK_OK && !(*out = mysql_store_result(s->db)))
		rc = md_fail(s, "looking at the tables");
	return rc;
}

/* Tables of a line with another prefix may begin with ours: theirs have "tally_" once more. */
static bool is_ours(const char *name, size_t head)
{
	return strlen(name) >= head && !strstr(name + head, "tally_");
}

static int look(struct md *s, struct look *out)
{
	MYSQL_RES *res;
	struct md_text sql = { 0 }, head = { 0 };
	md_add(&head, "%stally_", s->host->prefix(s->in));
	md_add(&sql,
		"SELECT TABLE_NAME, CREATE_TIME, UPDATE_TIME FROM information_schema.TABLES"
		" WHERE TABLE_SCHEMA = DATABASE() AND LEFT(TABLE_NAME, %zu) = ",
		head.len);
	md_add_string(&sql, head.ptr ? head.ptr : "", head.len);
	md_add(&sql, " ORDER BY TABLE_NAME");
	int rc = ask(s, &sql, &res);
	*out = (struct look){ .made = UINT64_C(0xcbf29ce484222325), .changed = UINT64_C(0xcbf29ce484222325) };
	MYSQL_ROW row;
	while (rc == TALLY_SINK_OK && (row = mysql_fetch_row(res)) != NULL) {
		if (!is_ours(row[0], head.len))
			continue;
		out->tables++;
		out->made = mix(mix(out->made, row[0]), row[1]);
		out->changed = mix(mix(out->changed, row[0]), row[2]);
	}
	mysql_free_result(res);
	md_text_free(&head);
	return rc;
}

/* ---- the note in tally_meta ---- */

static void add_note_name(struct md_text *sql)
{
	md_add(sql, "LEFT(CONCAT('tables/', @@hostname, ':', @@port), 128)");
}

/* No table or no row there: 0, which no look comes to. */
static uint64_t noted(struct md *s)
{
	struct md_text sql = { 0 };
	md_add(&sql, "SELECT value FROM ");
	md_add_name(&sql, s->host->prefix(s->in), "tally_meta");
	md_add(&sql, " WHERE name = ");
	add_note_name(&sql);
	MYSQL_RES *res = NULL;
	if (!sql.failed && mysql_real_query(s->db, sql.ptr, sql.len) == 0)
		res = mysql_store_result(s->db);
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	uint64_t value = row && row[0] ? strtoull(row[0], NULL, 16) : 0;
	mysql_free_result(res);
	md_text_free(&sql);
	return value;
}

int md_watch_note(struct md *s)
{
	struct look now;
	struct md_text sql = { 0 };
	int rc = look(s, &now);
	if (rc != TALLY_SINK_OK)
		return rc;
	if (!s->made_tables && s->watch.made && now.made != s->watch.made)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0, "tables were made anew while they were looked at");
	s->watch = (struct md_watch){ .known = true };
	s->whole = now.made;
	if (noted(s) == now.made)
		return TALLY_SINK_OK;
	md_add(&sql, "INSERT INTO ");
	md_add_name(&sql, s->host->prefix(s->in), "tally_meta");
	md_add(&sql, " (name, value, horizon) VALUES (");
	add_note_name(&sql);
	md_add(&sql, ", '%016llx', NULL) ON DUPLICATE KEY UPDATE value = VALUES(value)", (unsigned long long)now.made);
	return md_run(s, "noting the tables", &sql);
}

/* ---- waiting ---- */

static bool is_quiet(struct md_watch *w, const struct look *now, int64_t now_us)
{
	if (!w->made_us || w->made != now->made) {
		w->made = now->made;
		w->made_us = now_us;
	}
	if (!w->changed_us || w->changed != now->changed) {
		w->changed = now->changed;
		w->changed_us = now_us;
	}
	return now_us - w->made_us >= LONG_QUIET_US ||
	       (now_us - w->made_us >= QUIET_US && now_us - w->changed_us >= QUIET_US);
}

/* LOCK TABLES … WRITE of another session, as a dump has it around each table's rows, stands in the way of this. */
static int touch(struct md *s, const struct tally_table *t)
{
	struct md_text sql = { 0 };
	md_add(&sql, "SELECT 1 FROM ");
	md_add_name(&sql, s->host->prefix(s->in), t->name);
	md_add(&sql, " LIMIT 1");
	MYSQL_RES *res = NULL;
	if (!sql.failed && mysql_real_query(s->db, sql.ptr, sql.len) == 0)
		res = mysql_store_result(s->db);
	bool ok = res || mysql_errno(s->db) == ER_NO_SUCH_TABLE;
	mysql_free_result(res);
	md_text_free(&sql);
	return ok ? TALLY_SINK_OK : md_fail(s, "looking whether a table is free");
}

static int touch_all(struct md *s)
{
	const struct tally_table *const *tables;
	size_t n = s->host->tables(s->in, &tables);
	int rc = md_exec(s, "looking at the tables", "SET SESSION lock_wait_timeout = 1");
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++)
		rc = touch(s, tables[i]);
	return rc == TALLY_SINK_OK ? md_exec(s, "looking at the tables", "SET SESSION lock_wait_timeout = 5") : rc;
}

static int wait_until_quiet(struct md *s, struct look *now)
{
	int64_t until = md_mono_us() + PATIENCE_US;
	int rc = TALLY_SINK_OK;
	if (!s->watch.made_us)
		s->host->log(s->in, TALLY_LOG_INFO,
			"the tables are not those that were here (a restore, another server): waiting until nobody works on "
			"them");
	while (rc == TALLY_SINK_OK && !is_quiet(&s->watch, now, md_mono_us())) {
		if (md_mono_us() > until)
			return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0,
				"somebody is making or filling the tables (a restore?): waiting for the end of it");
		nanosleep(&(struct timespec){ 0, LOOK_EVERY_NS }, NULL);
		rc = look(s, now);
		if (rc == TALLY_SINK_OK && now->tables && noted(s) == now->made)
			break; /* another node has found them whole */
	}
	return rc == TALLY_SINK_OK ? touch_all(s) : rc;
}

int md_watch_wait(struct md *s)
{
	struct look now;
	int rc = look(s, &now);
	if (rc != TALLY_SINK_OK)
		return rc;
	bool fresh = now.tables == 0 && !s->watch.known;
	bool whole = now.tables != 0 && noted(s) == now.made;
	if (!fresh && !whole)
		rc = wait_until_quiet(s, &now);
	s->watch.made = now.made;
	return rc;
}

/* ---- while at work ---- */

static int remade(struct md *s, int64_t *out)
{
	MYSQL_RES *res = NULL;
	if (mysql_query(s->db, "SHOW SESSION STATUS LIKE 'Com_stmt_reprepare'") == 0)
		res = mysql_store_result(s->db);
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	if (row)
		*out = row[1] ? strtoll(row[1], NULL, 10) : 0;
	mysql_free_result(res);
	return row ? TALLY_SINK_OK : md_fail(s, "asking for the state of the session");
}

int md_watch_begin(struct md *s)
{
	return remade(s, &s->remade);
}

/* A trigger that came or went makes statements be prepared anew as well; the tables are what they were. */
static int still_whole(struct md *s, int64_t count)
{
	struct look now;
	int rc = look(s, &now);
	if (rc != TALLY_SINK_OK)
		return rc;
	if (now.made != s->whole) /* not what is noted: another node may have noted newer ones */
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0,
			"a table was made anew since it was looked at (a restore, an ALTER TABLE): nothing is committed "
			"before all are looked at again");
	s->remade = count;
	return TALLY_SINK_OK;
}

int md_watch_same(struct md *s)
{
	int64_t now = 0;
	int rc = TALLY_SINK_OK;
	if (mysql_stmt_execute(s->probe) != 0)
		rc = md_fail_code(s, "tally_position", mysql_stmt_errno(s->probe), mysql_stmt_error(s->probe));
	if (rc == TALLY_SINK_OK)
		rc = remade(s, &now);
	return rc == TALLY_SINK_OK && now != s->remade ? still_whole(s, now) : rc;
}
