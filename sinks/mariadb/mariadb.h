/* SPDX-License-Identifier: Apache-2.0 */
/* The MariaDB store: one writing connection, readers of their own.
 *
 * url.c       where the server is and who we are there
 * connect.c   a connection with the session settings all else relies on
 * primary.c   which of several servers is the one to write to, and whether its replicas follow
 * watch.c     tables that are made anew under us: a restore
 * schema.c    tables and statements made
 * check.c     tables checked to be as they were made
 * sql.c       the text of the statements that follow from a table's description
 * write.c     one batch, one transaction
 * put.c       the rows of a table cut into statements; refused rows found by halving
 * rows.c      rows to column arrays, one execute for thousands of them
 * sketch.c    sketches of the store united with those of a batch, in this process
 * cache.c     recent sketches, as the store has them
 * trim.c      retention
 * gone.c      rows taken out by their key; a line's new name
 * guard.c     the row that all writers look at; tables that are not needed any more
 * reader.c    readers: connection, snapshot, time limit
 * read.c      their statements
 * replica.c   servers that may be read instead
 * kept.c      their prepared statements
 * errors.c    what an error code means for the host */
#ifndef SINKS_MARIADB_H
#define SINKS_MARIADB_H

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tally/sink.h>

#define MD_ROWS_MAX 4096 /* rows of one statement: a bad one is found by 12 halvings */
#define MD_WORDS 240

#define MD_HOSTS_MAX 8

struct md_host {
	char *host;
	unsigned port;
};

struct md_address {
	char *user, *password, *database, *socket; /* socket: NULL = TCP */
	struct md_host hosts[MD_HOSTS_MAX]; /* servers of one replication; the one that may be written to is ours */
	unsigned nhosts;
};

/* Rows as libmariadb's array binding wants them: for each column an array of values or pointers. */
struct md_arrays;
struct md_cache;

/* What was last seen of the tables while waiting for somebody else to be done with them. */
struct md_watch {
	bool known; /* this process has had this store before */
	uint64_t made, changed;
	int64_t made_us, changed_us; /* monotonic: since when they stand so; 0 = not looked yet */
};

struct md_table {
	const struct tally_table *table;
	char *name; /* that it was prepared under */
	MYSQL_STMT *put;
	bool has_sketch;
};

struct md {
	const struct tally_sink_host *host;
	struct tally_sink_instance *in;

	/* [any thread] set at open */
	struct md_address address;
	char *password_file, *tls_ca;
	bool tls, tls_verify;
	unsigned connect_timeout_s, write_timeout_s;
	int64_t query_timeout_us, max_reader_lag_us;
	struct md_address *replicas; /* of one host each */
	char **replica_names;
	size_t nreplicas;

	_Atomic unsigned chosen; /* [any thread] the host that was last found to be the one to write to */

	struct md_watch watch; /* outlives connections */
	MYSQL *db;             /* NULL = not connected; what follows belongs to it */
	size_t packet_bytes;
	bool made_tables;  /* some were missing and are ours */
	bool semisync;     /* the server is to wait for a replica */
	int64_t asked_us;  /* monotonic: when it was last asked whether it does */
	uint64_t whole;    /* the tables this connection works on, as md_watch_note() found them */
	int64_t remade;    /* statements the server has prepared again on this connection: tables were made anew */
	MYSQL_STMT *probe; /* on the position's table */
	uint32_t node;     /* our number in this store */
	struct md_table *tables;
	size_t ntables;
	struct md_arrays *arrays;
	struct md_cache *cache;
	const struct tally_table
		*suspect; /* a row of it was refused in this batch: is the table still as it was made? */
};

/* ---- url.c ---- */

/* 0 or -EINVAL, -ENOMEM. mysql://user[:password]@host[:port][,host[:port]...]/database[?socket=/path] */
int md_address_parse(const char *url, struct md_address *out);
void md_address_free(struct md_address *a);

/* ---- connect.c ---- */

/* A connection to one of the hosts of an address, its session set up. reader_s: 0 = for the writer, else for a reader that waits so many
 * seconds for a server that says nothing (the library fixes that at connect). 0, or the error's code with its words. */
int md_connect(const struct md *s, const struct md_address *a, unsigned host, unsigned reader_s, MYSQL **out,
	char words[MD_WORDS]);
/* What @@NAME is for this connection, 0 if unknown. */
int64_t md_variable(MYSQL *db, const char *name);
/* Makes s->db if need be. enum tally_sink_rc. */
int md_open(struct md *s);
/* Also forgets all that was known of the store. */
void md_close(struct md *s);

/* ---- sink.c ---- */

/* Connected, its tables ready, nothing remembered of the store. enum tally_sink_rc. */
int md_ready(struct md *s);
/* [in a transaction] This node's number in s->node, given now if it has none. enum tally_sink_rc. */
int md_find_node(struct md *s);
int64_t md_mono_us(void);

/* ---- primary.c ---- */

/* As md_connect(), to the host that may be written to, beginning with the one that last was. */
int md_connect_primary(struct md *s, unsigned reader_s, MYSQL **out, unsigned *host, char words[MD_WORDS]);
/* Behind a commit: is a server that is to wait for its replicas still doing so? Said to the host now and then. */
void md_semisync(struct md *s);

/* ---- watch.c ---- */

/* Before the tables are made or used: waits while they seem to be in the hands of a restore. enum tally_sink_rc. */
int md_watch_wait(struct md *s);
/* Notes in the store that its tables as they are now are one whole. enum tally_sink_rc. */
int md_watch_note(struct md *s);
/* The beginning of what md_watch_same() speaks of. enum tally_sink_rc. */
int md_watch_begin(struct md *s);
/* Before COMMIT: no table of this transaction was made anew since md_watch_begin(). enum tally_sink_rc. */
int md_watch_same(struct md *s);

/* ---- schema.c ---- */

int md_schema(struct md *s);
void md_schema_forget(struct md *s);
/* The host's tables are those that are prepared, under the same names. */
bool md_schema_is_current(struct md *s);

/* ---- check.c ---- */

/* The columns of a table, no row if there is none; see enum seen. enum tally_sink_rc; *out is NULL unless OK. */
int md_look(struct md *s, const char *table, MYSQL_RES **out);
/* STOP unless the primary key is of exactly these columns ("a, b"), or any index begins with them. */
int md_check_key(struct md *s, const char *table, const char *columns, bool primary);
bool md_only_ranks(const struct tally_table *t);
int md_has_index(struct md *s, const char *table, const char *columns, bool *there);
/* OK also if it is missing. */
int md_check_there(struct md *s, const struct tally_table *t, bool *missing);
/* OK, or STOP if the table is not as it was made (any more). */
int md_check_table(struct md *s, const struct tally_table *t);

/* ---- sql.c: malloc()ed text ---- */

struct md_text {
	char *ptr;
	size_t len, cap;
	bool failed; /* out of memory; ptr is NULL then */
};

void md_add(struct md_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void md_add_name(struct md_text *t, const char *prefix, const char *name); /* quoted */
void md_add_string(struct md_text *t, const char *bytes, size_t len);      /* as a quoted, escaped literal */
void md_add_binary(struct md_text *t, const char *bytes, size_t len);      /* x'…' */
void md_text_free(struct md_text *t);

bool md_is_key(const struct tally_column *c);
/* Also of a further index: must be VARCHAR. */
bool md_is_indexed(const struct tally_table *t, const struct tally_column *c);
const char *md_type(const struct tally_table *t, const struct tally_column *c, char buf[64]);
/* Columns from `first` on came with a later version. */
void md_sql_create(struct md_text *out, const char *prefix, const struct tally_table *t, uint32_t first);
/* Its definition; later: with a default. */
void md_sql_column(struct md_text *out, const struct tally_table *t, uint32_t i, bool later);
void md_sql_put(struct md_text *out, const char *prefix, const struct tally_table *t);

/* ---- write.c ---- */

int md_write(void *self, const struct tally_batch *batch);
/* Runs a statement; its result is thrown away. enum tally_sink_rc. */
int md_exec(struct md *s, const char *doing, const char *sql);
int md_run(struct md *s, const char *doing, struct md_text *sql); /* frees the text */
/* A fault seam as an error of the connection. */
int md_seam(struct md *s, const char *name);

/* ---- rows.c ---- */

struct md_arrays *md_arrays_open(void);
void md_arrays_close(struct md_arrays *a);
bool md_arrays_widen(struct md_arrays *a, size_t ncolumns);
/* Unites the sketches of these rows, MD_ROWS_MAX at most, with those of the store; they are the rows 0.. from then on. */
int md_arrays_unite(struct md *s, const struct md_table *t, const struct tally_cell *cells, size_t n);
size_t md_arrays_sketch_bytes(const struct md_arrays *a, uint32_t column, size_t row);
/* n rows; the first of them is the row `united` of those united last. 0, or the server's code with its words. */
unsigned md_execute(struct md *s, const struct md_table *t, const struct tally_cell *cells, size_t n, size_t united,
	char words[MD_WORDS]);

/* ---- put.c ---- */

/* enum tally_sink_rc */
int md_put_rows(struct md *s, const struct tally_batch *b, size_t rows_index);

/* ---- sketch.c ---- */

struct md_bytes {
	char *ptr;
	size_t len;
};

/* One sketch column of so many rows, united. */
struct md_united {
	struct md_bytes sketch[MD_ROWS_MAX];
	double estimate[MD_ROWS_MAX];
};

bool md_is_sketch(const struct tally_column *c);
/* Unites the sketches of these rows with those of the store, each column into its own of `united`, by number of the
 * column. The results live until md_cache_commit() or md_cache_forget(). enum tally_sink_rc. */
int md_unite(struct md *s, const struct md_table *t, const struct tally_cell *cells, size_t n,
	struct md_united *const *united);

/* ---- cache.c: sketches by table, key and column ---- */

struct md_cache *md_cache_open(size_t max_bytes);
void md_cache_close(struct md_cache *c);
/* NULL = not known. */
const struct md_bytes *md_cache_find(struct md_cache *c, const char *key, size_t key_len);
/* Memory until the end of the transaction. */
void *md_cache_alloc(struct md_cache *c, size_t bytes);
/* To be known once the transaction has committed. The bytes are from md_cache_alloc(). */
int md_cache_stage(struct md_cache *c, const char *key, size_t key_len, const struct md_bytes *value);
void md_cache_commit(struct md_cache *c);
void md_cache_forget(struct md_cache *c); /* all of it */

/* ---- trim.c ---- */

int md_trim(struct md *s, const struct tally_trim *t);

/* ---- guard.c ---- */

/* Inside the transaction: OK, or MOVED. enum tally_sink_rc. */
int md_guard(struct md *s, const struct tally_guard *g);
int md_drop(void *self, const char *table);

/* ---- gone.c ---- */

/* Deletes rows by their keys, inside the transaction. */
int md_gone(struct md *s, const struct tally_rows *rows);
int md_adopt(void *self, const char *from);

/* ---- errors.c ---- */

#define MD_BAD_ROW TALLY_SINK_BAD_ROW

/* enum tally_sink_rc of an error code. */
int md_class(unsigned code);
/* The codes of the table one by one, 0 = no more (tests). */
unsigned md_code_at(size_t i);
/* NULL = none. */
const char *md_remedy(unsigned code);
int md_fail(struct md *s, const char *doing); /* of s->db */
int md_fail_commit(struct md *s);
int md_fail_code(struct md *s, const char *doing, unsigned code, const char *words);

/* ---- kept.c: statements of a reader's connection ---- */

#define MD_KEPT_MAX 24

struct md_kept {
	char *sql;      /* NULL = free */
	MYSQL_STMT *st; /* NULL = to be prepared */
	uint64_t used;
};

struct md_kept_list {
	struct md_kept all[MD_KEPT_MAX];
	uint64_t clock;
};

/* The one of this text, or in place of the one used longest ago a new one. NULL = not one to keep. */
struct md_kept *md_kept_place(struct md_kept_list *list, const char *sql);
void md_kept_let_go(struct md_kept *k);
/* Before the connection is closed. */
void md_kept_forget(struct md_kept_list *list);

/* ---- reader.c ---- */

struct md_slot;

struct md_reader {
	struct md *store;                 /* what was set at open only */
	const struct md_address *replica; /* NULL = of the server that is written to */
	pthread_mutex_t lock;             /* of changing db, and of cancelled */
	MYSQL *db;
	bool cancelled;
	unsigned host;
	int64_t limit_us; /* max_statement_time of the session; -1 = as the server has it */
	int64_t wait_us;  /* how long this connection waits for an answer */
	bool begun;       /* a statement has been asked of the snapshot */
	struct md_slot *slots;
	size_t nslots;
	struct md_kept_list kept;
	char error[MD_WORDS];
};

int md_reader_open(void *self, void **reader);
int md_replica_open(void *self, size_t number, void **reader);
int md_read_begin(void *reader);
void md_read_end(void *reader);
const char *md_reader_error(void *reader);
void md_reader_cancel(void *reader); /* [any thread] */
void md_reader_close(void *reader);
/* The statement that follows ends after so long; 0 = query_timeout. 0 or -errno, as below. */
int md_reader_limit(struct md_reader *r, int64_t timeout_us);
/* The connection of the snapshot, the limit of the next statement set. */
int md_reader_ready(void *reader, int64_t timeout_us, MYSQL **out);
/* Keeps the words; a negative errno. */
int md_reader_failed(void *reader, unsigned code, const char *words);

/* ---- read.c ---- */

int md_read(void *reader, const struct tally_statement *st, tally_row_fn fn, void *arg);
void md_reader_free_slots(struct md_reader *r);

/* ---- replica.c ---- */

/* One URL a line. 0, or -EINVAL with the words, -ENOMEM. */
int md_replicas_parse(struct md *s, const char *urls, char words[MD_WORDS]);
void md_replicas_free(struct md *s);
size_t md_replicas(void *self, int64_t *max_lag_us);
const char *md_replica_name(void *self, size_t number);

/* ---- select.c ---- */

int md_select(void *reader, const char *sql, int64_t timeout_us, tally_found_fn fn, void *arg);

#endif
