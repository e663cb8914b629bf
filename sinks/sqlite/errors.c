/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite.h"

static const struct {
	int code; /* primary, or extended where that says more */
	int class;
	const char *remedy;
} classes[] = {
	{ SQLITE_BUSY, TALLY_SINK_RETRY, "another program holds the write lock" },
	{ SQLITE_LOCKED, TALLY_SINK_RETRY, NULL },
	{ SQLITE_INTERRUPT, TALLY_SINK_RETRY, NULL },
	{ SQLITE_ABORT, TALLY_SINK_RETRY, NULL },
	{ SQLITE_SCHEMA, TALLY_SINK_RECONNECT, NULL }, /* changed again and again while a statement was prepared */
	{ SQLITE_NOMEM, TALLY_SINK_RECONNECT, NULL },
	{ SQLITE_PROTOCOL, TALLY_SINK_RECONNECT, NULL },
	{ SQLITE_IOERR, TALLY_SINK_RECONNECT, "the disk fails: see the system's log" },
	{ SQLITE_READONLY_DBMOVED, TALLY_SINK_RECONNECT, "the file was moved away" },
	{ SQLITE_FULL, TALLY_SINK_FULL, "the disk is full" },
	{ SQLITE_CORRUPT, TALLY_SINK_STOP, "the file is damaged: restore it, or let sqlite3 .recover read it" },
	{ SQLITE_NOTADB, TALLY_SINK_STOP, "the file is no SQLite database: move it away or set another path" },
	{ SQLITE_READONLY, TALLY_SINK_STOP, "the file or its folder cannot be written by this user" },
	{ SQLITE_CANTOPEN, TALLY_SINK_STOP, "the folder must exist and be writable by this user" },
	{ SQLITE_PERM, TALLY_SINK_STOP, "the file cannot be written by this user" },
};

static size_t find(int code)
{
	size_t n = sizeof classes / sizeof *classes;
	for (size_t i = 0; i < n; i++)
		if (classes[i].code == code)
			return i;
	return n;
}

/* The extended code if the table knows it, else the primary one in its low byte. */
static size_t place(int code)
{
	size_t at = find(code);
	return at < sizeof classes / sizeof *classes ? at : find(code & 0xff);
}

int sq_class(int code)
{
	size_t at = place(code);
	return at < sizeof classes / sizeof *classes ? classes[at].class : TALLY_SINK_STOP;
}

bool sq_is_bad_row(int code)
{
	int primary = code & 0xff;
	return primary == SQLITE_CONSTRAINT || primary == SQLITE_TOOBIG || primary == SQLITE_MISMATCH ||
	       primary == SQLITE_RANGE;
}

int sq_fail(struct sq *s, const char *doing)
{
	int code = s->db ? sqlite3_extended_errcode(s->db) : SQLITE_NOMEM;
	size_t at = place(code);
	const char *remedy = at < sizeof classes / sizeof *classes ? classes[at].remedy : NULL;
	return s->host->fail(s->in, sq_class(code), code, "%s: %s: %s%s%s", s->path, doing,
		s->db ? sqlite3_errmsg(s->db) : "out of memory", remedy ? "; " : "", remedy ? remedy : "");
}
