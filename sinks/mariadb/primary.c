/* SPDX-License-Identifier: Apache-2.0 */
/* Of the servers of one replication only one may be written to, and which one that is changes. So it is looked for at
 * every connect: the first that answers and is not read-only, beginning with the one that last was. A failover needs no
 * word to us: promotion ends read_only, and the position's row there says what that server has. */
#include "mariadb.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_EVERY_US 5000000

static void note_refusal(char all[MD_WORDS], const struct md_host *h, const char *words)
{
	size_t at = strlen(all);
	if (at + 1 < MD_WORDS)
		snprintf(all + at, MD_WORDS - at, "%s%.60s:%u: %.100s", at ? "; " : "", h->host, h->port, words);
}

/* A reader of a single server may read whatever it is. */
static int try_host(struct md *s, unsigned host, unsigned reader_s, MYSQL **out, char words[MD_WORDS])
{
	int code = md_connect(s, &s->address, host, reader_s, out, words);
	if (code != 0 || (reader_s && s->address.nhosts == 1) || md_variable(*out, "global.read_only") == 0)
		return code;
	mysql_close(*out);
	*out = NULL;
	snprintf(words, MD_WORDS, "is read-only");
	return ER_OPTION_PREVENTS_STATEMENT;
}

int md_connect_primary(struct md *s, unsigned reader_s, MYSQL **out, unsigned *host, char words[MD_WORDS])
{
	unsigned n = s->address.nhosts, first = s->chosen;
	char all[MD_WORDS] = "", one[MD_WORDS] = "";
	int code = 0;
	for (unsigned i = 0; i < n; i++) {
		*host = (first + i) % n;
		code = try_host(s, *host, reader_s, out, one);
		if (code == 0)
			return 0;
		note_refusal(all, &s->address.hosts[*host], one);
	}
	snprintf(words, MD_WORDS, "%s", n == 1 ? one : all);
	/* with several servers the failing one may not be ours to judge: look again */
	return n == 1 ? code : ER_OPTION_PREVENTS_STATEMENT;
}

/* ---- semi-synchronous replication ---- */

static bool shows_on(MYSQL *db, const char *sql)
{
	MYSQL_RES *res = mysql_query(db, sql) == 0 ? mysql_store_result(db) : NULL;
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	bool on = row && row[1] && strcmp(row[1], "ON") == 0;
	mysql_free_result(res);
	return on;
}

/* 1 = it waits for a replica, 0 = it fell back, -1 = it is not meant to, or does not say */
static int is_waiting(MYSQL *db)
{
	if (!shows_on(db, "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_master_enabled'"))
		return -1;
	return shows_on(db, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_status'");
}

static void say(struct md *s, int value, const char *words)
{
	if (s->host->size >= offsetof(struct tally_sink_host, state) + sizeof s->host->state)
		s->host->state(s->in, "semisync", value, words);
}

void md_semisync(struct md *s)
{
	int64_t now = md_mono_us();
	if (!s->db || (s->asked_us && now - s->asked_us < ASK_EVERY_US))
		return;
	s->asked_us = now;
	int waiting = is_waiting(s->db);
	if (waiting >= 0)
		say(s, waiting,
			waiting ? ""
				: "semi-synchronous replication has fallen back: commits wait for no replica, and a failover "
				  "may lose the last of them (they come again from the spool)");
	else if (s->semisync)
		say(s, 0, "");
	s->semisync = waiting >= 0;
}
