/* SPDX-License-Identifier: Apache-2.0 */
/* tally/sink.h: everything a sink may see of tally.
 *
 * A sink takes batches: rows for described tables, and the move of its position in the ledger, all or nothing. It
 * knows nothing of events, rollups or sketches: a table's description says how a row meets one that is there already
 * (`merge` of each column). What to do about an error is the host's business: a sink only says which class it was.
 *
 * A sink is a shared object that exports one constant `const struct tally_sink tally_sink`. position() and write() run
 * on a thread of their own and may block (with time-outs: close() waits for them); open() before and close() after
 * that thread lived. Readers are opened apart and used by one thread at a time.
 */
#ifndef TALLY_SINK_H
#define TALLY_SINK_H

#include <tally/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TALLY_SINK_ABI 1u

/* ---- tables ---- */

enum tally_type {
	TALLY_T_INT = 0,  /* int64 */
	TALLY_T_REAL = 1, /* double */
	TALLY_T_TEXT = 2, /* UTF-8, compared by bytes, never padded; at most max_bytes */
	TALLY_T_BLOB = 3, /* at most max_bytes */
	TALLY_T_JSON = 4  /* text that is valid JSON */
};

enum tally_merge {
	TALLY_M_KEY = 0,  /* part of the primary key: the first columns of the table, in order */
	TALLY_M_NODE = 1, /* part of the key; the sink fills in this node's number in this store */
	TALLY_M_SET = 2,  /* the new value replaces the old */
	TALLY_M_ADD = 3,  /* sum; integers and reals saturate; never nullable */
	TALLY_M_MIN = 4,  /* NULL is nothing seen */
	TALLY_M_MAX = 5,
	TALLY_M_HLL = 6, /* BLOB: union by host->sketch_merge; 0 bytes is the empty sketch; never nullable */
	TALLY_M_ESTIMATE =
		7, /* estimate of the sketch in the column before, made by the sink after the union; the cell given
	                       * is ignored. INT: rounded. Nullable: NULL of the empty sketch */
	TALLY_M_FIRST = 8,   /* the value that is there stays */
	TALLY_M_QUANTILE = 9 /* as HLL, of the other kind of sketch */
};
#define TALLY_MERGE_QUANTILE 1 /* for #ifdef: this header has the member above, and `merges` below */

struct tally_column {
	const char *name;   /* [a-z][a-z0-9_]*, quoted by the sink all the same */
	uint32_t type;      /* enum tally_type */
	uint32_t merge;     /* enum tally_merge */
	uint32_t max_bytes; /* TEXT, BLOB, JSON */
	uint32_t nullable;
};

struct tally_table {
	const char *name; /* without the line's prefix */
	const struct tally_column *columns;
	uint32_t ncolumns;
	uint32_t insert_only; /* 1 = rows are new; one that is there already is a bad row */
	const char *index;    /* column names of one further index, separated by ", ", or NULL */
	const char *help;     /* one line for docs/schema.md */
};

/* One value. Which member holds it follows from the column's type; null wins. The host keeps to max_bytes; a real is
 * never a NaN. */
struct tally_cell {
	union {
		int64_t i;
		double d;
		const char *ptr;
	} v;
	uint32_t len; /* TEXT, BLOB, JSON */
	uint32_t null;
};

struct tally_rows {
	const struct tally_table *table;
	size_t n;
	const struct tally_cell *cells; /* n * table->ncolumns, row after row; sorted by key, no key twice, unless
	                                 * insert_only. The cell of a NODE column is ignored */
};

/* ---- positions ---- */

/* The end of a record, and that record's chained checksum. {0, 0} = the beginning: position() makes a node's row so.
 * Both use all 64 bits. */
struct tally_position {
	uint64_t lsn;
	uint64_t mark;
};

struct tally_batch {
	struct tally_position from, to; /* from == to: rows only, the position must stand there */
	const struct tally_rows *rows;  /* nrows tables */
	size_t nrows;
	const struct tally_trim *trim; /* after the rows */
	size_t ntrim;

	/* Rows that are to go, named by their key, after the rows: only the cells of key columns count, and one that is not
	 * there is no error. None are given to a sink that does not say `deletes`. */
	const struct tally_rows *gone;
	size_t ngone; /* tables */

	/* NULL, or a row that must be as it is said, looked at behind the move of the position; else MOVED. */
	const struct tally_guard *guard;
	/* NULL, or called in the transaction, behind the guard and before the rows: what it gives is written after them.
	 * Whatever was committed before the guard's row was locked it can read through a reader. Non-zero: nothing is
	 * written, RETRY. */
	int (*fenced)(void *arg, const struct tally_rows **rows, size_t *nrows);
	void *fenced_arg;
};
#define TALLY_BATCH_GONE 1 /* for #ifdef: this header has the two members above, and `deletes` and `adopt` below */

/* A row that all writers of a store look at: its first column is `key`, its column `column` must be `value`. The row
 * stays locked until the end of the transaction: against whoever would change it, and if `alone` also against others
 * that look at it. So a batch with `alone` waits for those under way, and none begins before it has ended. */
struct tally_guard {
	const struct tally_table *table;
	const char *key, *column;
	int64_t value;
	uint32_t alone;
	uint32_t reserved;
};
#define TALLY_BATCH_GUARD 1 /* for #ifdef: this header has tally_guard, and `guards` and `drop` below */

/* Rows that are to go (retention), of every node: those with column `grain` = grain and column `bucket` < before_us;
 * in a table without a column `grain` those whose column `time` < before_us. Nobody reads them any more, so a sink may
 * leave some of them for the next trim rather than hold up its batch. */
struct tally_trim {
	const struct tally_table *table;
	int64_t grain;
	int64_t before_us;
};

/* ---- error classes: what write() and the others return ---- */

enum tally_sink_rc {
	TALLY_SINK_OK = 0,
	TALLY_SINK_RETRY = 1, /* the transaction is gone, the connection is fine: at once, with a little jitter */
	TALLY_SINK_RECONNECT =
		2,              /* the connection is gone or in doubt, also at COMMIT: position() tells what happened */
	TALLY_SINK_BAD_ROW = 3, /* rows are refused: host->bad_row() said which; nothing was committed */
	TALLY_SINK_STOP = 4, /* schema, rights, configuration: an operator must act; keep spooling, look again later */
	TALLY_SINK_FULL = 5, /* the server or disk is full: back off long, alarm */
	TALLY_SINK_MOVED = 6 /* the position was not `from`: start the line again at position() */
};

#define TALLY_SINK_CLASSES 7
#define TALLY_SINK_BACKUP 1 /* for #ifdef: this header has `state`, `backup` and `restore` below */

/* ---- options are those of plugin.h; an instance is opaque ---- */

struct tally_sink_instance;

struct tally_sink_host {
	uint32_t size;
	uint32_t abi;

	int64_t (*option_int)(const struct tally_sink_instance *in, const char *name);
	double (*option_float)(const struct tally_sink_instance *in, const char *name);
	const char *(*option_str)(const struct tally_sink_instance *in, const char *name);
	void (*log)(const struct tally_sink_instance *in, enum tally_log_level level, const char *fmt, ...);

	/* Says what went wrong: the server's own code and words, and the remedy if one is known. Returns rc for `return`.
	 * Not for readers: they have words of their own. */
	int (*fail)(struct tally_sink_instance *in, int rc, int code, const char *fmt, ...);

	/* Before returning BAD_ROW: which row of which table of the batch, in the words of the server. A sink that can go
	 * on names every such row in ascending order, each by one call, as long as this returns BAD_ROW; what the last call
	 * returned it returns itself. STOP means that enough are known: so many refusals are no matter of single rows. */
	int (*bad_row)(struct tally_sink_instance *in, size_t rows_index, size_t row, int code, const char *fmt, ...);

	/* [any thread] Who we are in the store: 36 characters of UUID, the line's name, the prefix of its tables ("" or
	 * "x_"), the data directory for relative paths. All live as long as the instance. */
	const char *(*node)(const struct tally_sink_instance *in);
	const char *(*line)(const struct tally_sink_instance *in);
	const char *(*prefix)(const struct tally_sink_instance *in);
	const char *(*data_dir)(const struct tally_sink_instance *in);

	/* The tables this line writes, to create or check in position(). They live as long as the instance, unless a later
	 * position() does not find them here any more; batches name them by these very pointers. Between two calls of
	 * position() the list and the names may change (a sink that `guards` looks). */
	size_t (*tables)(const struct tally_sink_instance *in, const struct tally_table *const **first);

	/* [any thread] As in plugin.h. */
	size_t (*sketch_room)(enum tally_sketch_kind kind);
	int (*sketch_merge)(
		enum tally_sketch_kind kind, void *buf, size_t *len, size_t cap, const void *other, size_t other_len);
	double (*sketch_estimate)(enum tally_sketch_kind kind, const void *buf, size_t len);

	/* [any thread] A fault seam by name (tests): 0, or a negative errno that the sink treats as its I/O failing there.
	 * A transactional sink passes NAME.begin before its transaction, NAME.moved when the position is moved, NAME.rows
	 * before each table's rows, NAME.trim before each trim, NAME.commit before its COMMIT, NAME.committed behind it. */
	int (*seam)(const char *name);

	/* [the thread of position() and write()] How something stands that operators should know, though writing goes on:
	 * a gauge (tally_sink_state{sink,name}), and while it stands badly a sentence for /readyz, "" when it is well again.
	 * A host whose `size` ends before this member has it not. */
	void (*state)(struct tally_sink_instance *in, const char *name, double value, const char *words);

	/* [position()] How a column of one of tables() stands to stores that are older than it: enum tally_since. A host whose
	 * `size` ends before this member says FIRST of all. */
	uint32_t (*since)(const struct tally_sink_instance *in, const struct tally_table *table, uint32_t column);
};

enum tally_since {
	TALLY_SINCE_FIRST = 0, /* the table never was without it: where it is missing it has gone (STOP) */
	/* It came with a later version, behind the other columns: the table is made with a default for it (the empty text,
	 * 0; NULL if nullable), so that nodes of before can write beside it; and it is added where the table has it not. */
	TALLY_SINCE_LATER = 1,
	TALLY_SINCE_HAD = 2 /* as LATER, but this store has had it: where it is missing it has gone */
};
#define TALLY_SINK_SINCE 1 /* for #ifdef: this header has the two above */

/* ---- reading ---- */

/* One SELECT in the common subset of SQL: `?` parameters, backtick-quoted names, tables named with the prefix.
 * Besides the tables of tables() a store has
 *   PREFIXtally_node (number, uuid)          this store's numbers of nodes, from 1
 *   PREFIXtally_position (node, line, lsn, mark, committed)     committed: wall time of the last batch, UTC us */
struct tally_statement {
	const char *sql;
	const struct tally_cell *params;
	const uint32_t *param_types; /* enum tally_type */
	size_t nparams;
	const uint32_t *column_types; /* enum tally_type of each result column */
	size_t ncolumns;
	int64_t timeout_us; /* -ETIMEDOUT past it; 0 = the sink's own limit, if it has one */
};

/* One row of the result; cells die with the call. Non-zero stops the statement and is its result. It must not call
 * the reader. */
typedef int (*tally_row_fn)(void *arg, const struct tally_cell *cells);

#define TALLY_SINK_SELECT 1 /* for #ifdef: this header has tally_found, and `select` below */

/* What a SELECT gave that somebody else wrote: the names of its columns, and a row. */
struct tally_found {
	size_t ncolumns;
	const char *const *names; /* UTF-8, as the store gives them */
	const uint32_t *types;    /* enum tally_type of each cell, INT REAL TEXT or BLOB; may change from row to row */
	const struct tally_cell *cells; /* NULL = no row yet. A TEXT need not be UTF-8 */
};

/* Everything dies with the call. Non-zero stops the statement and is its result. It must not call the reader. */
typedef int (*tally_found_fn)(void *arg, const struct tally_found *row);

/* ---- the descriptor ---- */

struct tally_sink {
	uint32_t size;
	uint32_t abi;
	const char *name; /* as under `sinks:` */
	const char *version;
	const char *summary;
	const struct tally_option *options;
	uint32_t is_store;      /* 1 = has read hooks: statistics can be answered from it */
	uint32_t transactional; /* 1 = rows and position move together in the store itself */

	/* Makes an instance; connects to nothing. Non-zero: the options are wrong, said with fail(). */
	int (*open)(const struct tally_sink_host *host, struct tally_sink_instance *in, void **self);
	void (*close)(void *self);

	/* Connects if need be, creates or checks the tables, and reads this node's row with a locking read, so that no
	 * earlier write of ours is still under way behind it. Forgets every cache of what the store holds. STOP if a row of
	 * this node stands under another line's name. enum tally_sink_rc, never BAD_ROW or MOVED. */
	int (*position)(void *self, struct tally_position *out);

	/* One transaction: move the position from batch->from to batch->to or MOVED; rows; trims; commit.
	 * Anything but OK means that nothing is known to be committed. enum tally_sink_rc. Called only after a position()
	 * that was OK, and after RECONNECT, STOP, FULL or MOVED only after another one. */
	int (*write)(void *self, const struct tally_batch *batch);

	/* A reader: its own connection, to where write() commits. May be opened before the first position(); it connects
	 * when it reads, again if the connection was lost. read_begin..read_end is one snapshot; read() only in between.
	 * 0 or a negative errno: -ENOENT (a table is missing; of read_begin(): no store was ever made there), -ENOTCONN (it
	 * cannot be reached), -EACCES (an operator must act), -ESTALE (another store stands there, which position() is
	 * to take notice of first), -ETIMEDOUT, -EIO; then reader_error() gives the words. read_end() is due after every read_begin() that was 0.
	 * [one thread at a time; all readers are closed before the sink] */
	int (*reader_open)(void *self, void **reader);
	int (*read_begin)(void *reader);
	int (*read)(void *reader, const struct tally_statement *st, tally_row_fn fn, void *arg);
	void (*read_end)(void *reader);
	const char *(*reader_error)(void *reader);
	void (*reader_close)(void *reader);

	uint32_t deletes; /* 1 = write() heeds batch->gone */
	uint32_t reserved;

	/* This node's line was called `from` until now: its position, and its rows in every table that has a key column
	 * `line`, go on under the line's present name, all or nothing. STOP if there is no such line, or if a line of the
	 * present name is there already. NULL = the sink cannot. enum tally_sink_rc; position() is called next.
	 * [the thread of position() and write()] */
	int (*adopt)(void *self, const char *from);
	/* A copy of the whole store, as of one moment, in a new file; and such a copy put in the place of the store while
	 * write() goes on: it then finds the position moved. NULL = the store has tools of its own for that. 0 or a negative
	 * errno with its words; -EBADMSG: the copy is damaged, and nothing was touched. [any thread, one call at a time] */
	int (*backup)(void *self, const char *path, char words[256]);
	int (*restore)(void *self, const char *path, char words[256]);

	/* For a sink that is no store and keeps the rows of table tally_ledger all the same: gives each row of this line,
	 * with all columns (NODE is ignored), as of the last commit. 0, -ENODATA if it has not kept them from the
	 * beginning, or what fn returned. Called after a position() that was OK, while neither it nor write() runs. NULL =
	 * it keeps none. */
	int (*kept)(void *self, tally_row_fn fn, void *arg);

	/* The same for table tally_gap: called after kept(). NULL = it keeps none, and what the line never got is told until
	 * the next start. */
	int (*kept_gaps)(void *self, tally_row_fn fn, void *arg);

	/* The last member of enum tally_merge that write() knows; 0 = FIRST. A store is not opened for tables that need more. */
	uint32_t merges;
	uint32_t reserved2;

	/* 1 = write() heeds batch->guard and batch->fenced, and position() makes and forgets tables as tables() changes. */
	uint32_t guards;
	uint32_t reserved3;
	/* Removes a table that is not among tables(); one that is not there is no error. NULL = the sink cannot. enum
	 * tally_sink_rc, as for position(). [the thread of position() and write(), after a position() that was OK] */
	int (*drop)(void *self, const char *table);

	/* A reader's statement of the store's own SQL, of tables that are not tally's; as read(), in the same snapshot.
	 * fn is called once with the columns and no cells, then for each row. Numbers that fit no INT or REAL without loss
	 * are TEXT, and so are dates. One statement only; it cannot write. 0, what fn returned, or a negative errno: -EINVAL
	 * if the store does not understand it, -ENOENT if a table is missing, the others as for read(); the words are those
	 * of reader_error(). NULL = the sink has no such thing. */
	int (*select)(void *reader, const char *sql, int64_t timeout_us, tally_found_fn fn, void *arg);

	/* [any thread] What this reader waits for ends soon, with -EIO or -ETIMEDOUT, and so does all that is asked of it
	 * until its next read_begin(). Nothing happens to a reader that is asked nothing. NULL = the sink cannot, and its time
	 * limits must hold whatever the server does. Never beside reader_open() and reader_close(). */
	void (*reader_cancel)(void *reader);

	/* Replicas: servers that have what write() commits a little later, and may be read instead. How many this instance
	 * was given at open(), and how far behind one may be, microseconds. */
	size_t (*replicas)(void *self, int64_t *max_lag_us);
	/* What the one of that number is called, "host:port"; lives as long as the instance. */
	const char *(*replica_name)(void *self, size_t number);
	/* As reader_open(), of that replica only. What it has is whatever that server has: the host judges by tally_position
	 * how old that is, and whether it is a replica at all. */
	int (*replica_open)(void *self, size_t number, void **reader);

	/* The most that a question of an asker may take here, microseconds; 0 = as the host has it. NULL = the same. */
	int64_t (*query_timeout)(void *self);
};
#define TALLY_SINK_REPLICAS 1 /* for #ifdef: this header has the five members above */

#define TALLY_SINK_HEAD (uint32_t)sizeof(struct tally_sink), TALLY_SINK_ABI

extern TALLY_EXPORT const struct tally_sink tally_sink;

#ifdef __cplusplus
}
#endif

#endif
