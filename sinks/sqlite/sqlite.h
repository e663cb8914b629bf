/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store: one file, one writing connection, readers of their own.
 *
 * connect.c opens and recognises the file; schema.c makes and checks the tables and their statements; write.c fills
 * them; gone.c takes rows out; functions.c merges sketches inside SQL; read.c answers; errors.c knows what an error code means for the host. */
#ifndef SINKS_SQLITE_H
#define SINKS_SQLITE_H

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

struct sq_table {
	const struct tally_table *table;
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
	int64_t node; /* our number in this store */
	struct sq_table *tables;
	size_t ntables;
	sqlite3_stmt *move; /* the position's compare-and-set */
};

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

/* ---- schema.c ---- */

/* Creates what is missing, prepares a statement for every table. enum tally_sink_rc. */
int sq_schema(struct sq *s);
struct sq_table *sq_table_of(struct sq *s, const struct tally_table *t);
void sq_schema_forget(struct sq *s);

/* The name as it stands in SQL, with prefix and quotes; sqlite3_free(). */
char *sq_quoted(const struct sq *s, const char *name);

/* ---- write.c ---- */

int sq_write(void *self, const struct tally_batch *batch);
int sq_exec(struct sq *s, const char *sql);
int sq_bind(const struct sq *s, sqlite3_stmt *st, int at, const struct tally_column *c, const struct tally_cell *cell);

/* Deletes what a trim names, inside the transaction. */
int sq_trim(struct sq *s, const struct tally_trim *t);

/* ---- gone.c ---- */

/* Deletes rows by their keys, inside the transaction. */
int sq_gone(struct sq *s, const struct tally_rows *rows);
int sq_adopt(void *self, const char *from);

/* ---- functions.c ---- */

/* tally_union(sketch, sketch), tally_estimate(sketch). An SQLite code. */
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

#endif
