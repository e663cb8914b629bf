/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store: one file, one writing connection, readers of their own.
 *
 * connect.c opens and recognises the file; schema.c makes and checks the tables and their statements; write.c fills
 * them; gone.c takes rows out; functions.c merges sketches inside SQL; read.c answers; replaced.c notices another file behind the path; backup.c
 * copies the store; errors.c knows what an error code means for the host. */
#ifndef SINKS_SQLITE_H
#define SINKS_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <tally/sink.h>

/* The file a connection has open, told apart from another one behind the same path. */
struct sq_file {
	dev_t dev;
	ino_t ino;
};

/* What the file and its log were like when we last left them; see replaced.c. */
struct sq_sight {
	struct sq_file file;
	off_t size;
	struct timespec changed;
	uint32_t done, tried; /* of checkpoints */
	uint32_t salt[2];     /* of the log */
	bool log_there;
};

struct sq_reader;

struct sq_table {
	const struct tally_table *table;
	char *name; /* that it was prepared under */
	sqlite3_stmt *put;
};

/* The last union, so that a sketch and its estimate in one UPDATE cost one merge. Owned by the connection. */
struct sq_merge;

struct sq {
	const struct tally_sink_host *host;
	struct tally_sink_instance *in;
	char *path;    /* [any thread] absolute or relative to the working directory; set at open */
	int busy_ms;   /* [any thread] */
	int cache_kib; /* [any thread] of the writing connection */

	sqlite3 *db; /* NULL = not connected; all below belongs to it */
	struct sq_file file;
	struct sq_sight sight; /* written under readers_lock */
	bool gone;             /* it was replaced: wait until what stands there is whole */
	int64_t node;          /* our number in this store */
	struct sq_table *tables;
	size_t ntables;
	sqlite3_stmt *move; /* the position's compare-and-set */
	bool unwiped;       /* rows that are gone are still in the log */
	const struct tally_table
		*suspect; /* a row of it was refused in this batch: is the table still as it was made? */

	pthread_mutex_t readers_lock; /* of the list and of what idle readers hold */
	struct sq_reader *readers;
	bool readers_out; /* no reader may open the file: it is being let go */
};

#ifndef MUTANT /* a bug planted on purpose, in the sqlite of tests/fault only */
#define MUTANT(name) false
#endif

/* ---- connect.c ---- */

/* 0 if the file behind path is the one opened as *f. */
int sq_file_of(const char *path, struct sq_file *f);
bool sq_file_same(const char *path, const struct sq_file *f);

/* Opens the file and sets the connection up. enum tally_sink_rc. */
int sq_connect(struct sq *s);
void sq_disconnect(struct sq *s);

/* ---- sink.c ---- */

/* Connected to the file behind the path, its tables ready. enum tally_sink_rc. */
int sq_ready(struct sq *s);
/* [in a transaction] This node's number in s->node, given now if it has none. enum tally_sink_rc. */
int sq_find_node(struct sq *s);
/* ---- replaced.c [the writer's thread] ---- */

/* The file is the one we left, with what we left in it. */
bool sq_is_ours(struct sq *s);
/* [any thread] The file is still the writer's, as far as is known: its log belongs to it. db: of the reader. */
bool sq_may_read(struct sq *s, sqlite3 *db);
/* After opening: this is the one. */
void sq_note_ours(struct sq *s);
/* Before opening: was it replaced since we closed it? enum tally_sink_rc. */
int sq_look_again(struct sq *s);
/* Another one stands there: closes ours, and removes our log beside it. RECONNECT. */
int sq_let_go(struct sq *s);
/* Before opening what replaced it: until nobody writes to it. enum tally_sink_rc. */
int sq_wait_whole(struct sq *s);

/* ---- backup.c [any thread] ---- */

int sq_backup(void *self, const char *path, char words[256]);
int sq_restore(void *self, const char *path, char words[256]);

/* ---- schema.c ---- */

/* Creates what is missing, prepares a statement for every table. enum tally_sink_rc. */
int sq_schema(struct sq *s);
/* The name of an enum tally_type. */
const char *sq_type(uint32_t type);
struct sq_table *sq_table_of(struct sq *s, const struct tally_table *t);
void sq_schema_forget(struct sq *s);
/* The host's tables are those that are prepared, under the same names. */
bool sq_schema_is_current(struct sq *s);

/* The name as it stands in SQL, with prefix and quotes; sqlite3_free(). */
char *sq_quoted(const struct sq *s, const char *name);

/* ---- check.c ---- */

#define SQ_COLUMNS_MAX 256

/* OK, or STOP if the table is not as it was made (any more). */
int sq_check(struct sq *s, const struct tally_table *t);

/* ---- write.c ---- */

int sq_write(void *self, const struct tally_batch *batch);
int sq_exec(struct sq *s, const char *sql);
int sq_bind(const struct sq *s, sqlite3_stmt *st, int at, const struct tally_column *c, const struct tally_cell *cell);

/* Deletes what a trim names, inside the transaction. */
int sq_trim(struct sq *s, const struct tally_trim *t);

/* ---- guard.c ---- */

/* Inside the transaction: OK, or MOVED. SQLite has one writer: every lock is held. */
int sq_guard(struct sq *s, const struct tally_guard *g);
int sq_drop(void *self, const char *table);

/* ---- gone.c ---- */

/* Deletes rows by their keys, inside the transaction. */
int sq_gone(struct sq *s, const struct tally_rows *rows);
/* What was deleted by its key may be secret: it is not to stay in the log until somebody writes over it. Tries behind each
 * batch until no reader holds it; waits for nobody. */
void sq_wipe(struct sq *s);
int sq_adopt(void *self, const char *from);

/* ---- functions.c ---- */

/* tally_union_KIND(sketch, sketch), tally_estimate_KIND(sketch). An SQLite code. */
int sq_functions(struct sq *s);

/* ---- errors.c ---- */

/* enum tally_sink_rc of an SQLite code. */
int sq_class(int code);
bool sq_is_bad_row(int code);

/* Says the connection's last error and returns its class. */
int sq_fail(struct sq *s, const char *doing);

/* ---- read.c ---- */

int sq_reader_open(void *self, void **reader);
int sq_read_begin(void *reader);
int sq_read(void *reader, const struct tally_statement *st, tally_row_fn fn, void *arg);
void sq_read_end(void *reader);
const char *sq_reader_error(void *reader);
void sq_reader_close(void *reader);
int sq_select(void *reader, const char *sql, int64_t timeout_us, tally_found_fn fn, void *arg);
void sq_reader_cancel(void *reader); /* [any thread] */
/* [the writer's thread] Closes what idle readers have open; none opens anything until sq_readers_return(). False: one is
 * reading. */
bool sq_readers_leave(struct sq *s);
void sq_readers_return(struct sq *s);

#endif
