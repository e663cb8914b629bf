/* SPDX-License-Identifier: Apache-2.0 */
/* The server cannot unite sketches, so they are fetched, united here and written back. No lock is needed for that:
 * the rows are this node's own, and the position's row is locked by this transaction.
 *
 * Key as text of bytes: table name, NUL, then for each key column 8 bytes of an integer or u32 length and bytes; last,
 * u32 number of the sketch's column. */
#include "mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_PER_QUESTION 400 /* below in_predicate_conversion_threshold, and a short statement */
#define KEY_MAX 4096          /* InnoDB's keys have at most 3072 bytes */
#define KEY_COLUMNS_MAX 32

struct key {
	char bytes[KEY_MAX];
	size_t len, row_len; /* row_len: without the column */
};

bool md_is_sketch(const struct tally_column *c)
{
	return c->merge == TALLY_M_HLL || c->merge == TALLY_M_QUANTILE;
}

static void key_add(struct key *k, const void *bytes, size_t len)
{
	if (len > KEY_MAX - k->len)
		len = KEY_MAX - k->len;
	memcpy(k->bytes + k->len, bytes, len);
	k->len += len;
}

static void key_add_bytes(struct key *k, const char *bytes, size_t len)
{
	uint32_t n = (uint32_t)len;
	key_add(k, &n, sizeof n);
	if (len)
		key_add(k, bytes, len);
}

static void make_key(struct key *k, const struct tally_table *t, const struct tally_cell *cells)
{
	k->len = 0;
	key_add(k, t->name, strlen(t->name) + 1);
	for (uint32_t i = 0; i < t->ncolumns && md_is_key(&t->columns[i]); i++) {
		if (t->columns[i].merge == TALLY_M_NODE)
			continue; /* ours, always */
		if (t->columns[i].type == TALLY_T_INT)
			key_add(k, &cells[i].v.i, sizeof cells[i].v.i);
		else
			key_add_bytes(k, cells[i].v.ptr, cells[i].len);
	}
	k->row_len = k->len;
}

static void key_set_column(struct key *k, uint32_t column)
{
	k->len = k->row_len;
	key_add(k, &column, sizeof column);
}

/* ---- the question ---- */

static void add_literal(struct md_text *sql, const struct tally_column *c, const struct tally_cell *cell)
{
	if (c->type == TALLY_T_INT)
		md_add(sql, "%lld", (long long)cell->v.i);
	else if (c->type == TALLY_T_BLOB)
		md_add_binary(sql, cell->v.ptr, cell->len);
	else
		md_add_string(sql, cell->v.ptr, cell->len);
}

static uint32_t key_columns(const struct tally_table *t)
{
	uint32_t n = 0;
	while (n < t->ncolumns && n < KEY_COLUMNS_MAX && md_is_key(&t->columns[n]))
		n++;
	return n;
}

static bool same_head(
	const struct tally_table *t, const struct tally_cell *a, const struct tally_cell *b, uint32_t last)
{
	for (uint32_t i = 0; i < key_columns(t); i++) {
		if (i == last || t->columns[i].merge == TALLY_M_NODE)
			continue;
		if (t->columns[i].type == TALLY_T_INT
				? a[i].v.i != b[i].v.i
				: a[i].len != b[i].len || memcmp(a[i].v.ptr, b[i].v.ptr, a[i].len) != 0)
			return false;
	}
	return true;
}

/* "(`site` = '…' AND … AND `node` = 1 AND `key` IN (…" : rows that share all but the last key column are one list. */
static void add_head(struct md_text *sql, const struct md *s, const struct tally_table *t,
	const struct tally_cell *cells, uint32_t last)
{
	for (uint32_t i = 0; i < key_columns(t); i++) {
		if (i == last)
			continue;
		md_add_name(sql, "", t->columns[i].name);
		md_add(sql, " = ");
		if (t->columns[i].merge == TALLY_M_NODE)
			md_add(sql, "%u", s->node);
		else
			add_literal(sql, &t->columns[i], &cells[i]);
		md_add(sql, " AND ");
	}
	md_add_name(sql, "", t->columns[last].name);
	md_add(sql, " IN (");
}

/* The one that differs from row to row: the last, or before a node that is given with the row the one before it. */
static uint32_t last_key(const struct tally_table *t)
{
	uint32_t last = 0;
	for (uint32_t i = 0; i < key_columns(t); i++)
		if (t->columns[i].merge == TALLY_M_KEY && (!last || t->columns[i].type != TALLY_T_INT))
			last = i;
	return last;
}

static void add_select(struct md_text *sql, const struct md *s, const struct md_table *m)
{
	md_add(sql, "SELECT ");
	for (uint32_t i = 0; i < key_columns(m->table); i++) {
		md_add_name(sql, "", m->table->columns[i].name);
		md_add(sql, ", ");
	}
	const char *comma = "";
	for (uint32_t i = 0; i < m->table->ncolumns; i++) {
		if (!md_is_sketch(&m->table->columns[i]))
			continue;
		md_add(sql, "%s", comma);
		md_add_name(sql, "", m->table->columns[i].name);
		comma = ", ";
	}
	md_add(sql, " FROM ");
	md_add_name(sql, s->host->prefix(s->in), m->table->name);
	md_add(sql, " FORCE INDEX (PRIMARY) WHERE (");
}

/* ---- the answer: a small table of what was fetched ---- */

struct fetched {
	struct fetched *next;
	struct md_bytes value;
	size_t key_len;
	char key[];
};

#define FETCHED_BUCKETS 1024

static struct fetched **fetched_place(struct fetched **table, const char *key, size_t len)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)key[i]) * 16777619u;
	struct fetched **at = &table[h % FETCHED_BUCKETS];
	while (*at && ((*at)->key_len != len || memcmp((*at)->key, key, len) != 0))
		at = &(*at)->next;
	return at;
}

static int keep_sketch(struct md *s, const struct key *k, const char *bytes, size_t len, struct fetched **table)
{
	struct fetched *f = md_cache_alloc(s->cache, sizeof *f + k->len);
	char *copy = md_cache_alloc(s->cache, len + 1);
	if (!f || !copy)
		return -1;
	memcpy(copy, bytes, len);
	*f = (struct fetched){ .value = { copy, len }, .key_len = k->len };
	memcpy(f->key, k->bytes, k->len);
	*fetched_place(table, k->bytes, k->len) = f;
	return 0;
}

static int keep_answer(
	struct md *s, const struct md_table *m, MYSQL_ROW row, const unsigned long *lengths, struct fetched **table)
{
	struct tally_cell cells[KEY_COLUMNS_MAX];
	struct key k;
	uint32_t n = key_columns(m->table);
	for (uint32_t i = 0; i < n; i++) {
		cells[i] = (struct tally_cell){ .v.ptr = row[i], .len = (uint32_t)lengths[i] };
		if (m->table->columns[i].type == TALLY_T_INT)
			cells[i].v.i = strtoll(row[i], NULL, 10);
	}
	make_key(&k, m->table, cells);
	int rc = 0;
	for (uint32_t i = 0; i < m->table->ncolumns && rc == 0; i++) {
		if (!md_is_sketch(&m->table->columns[i]))
			continue;
		key_set_column(&k, i);
		rc = keep_sketch(s, &k, row[n], lengths[n], table);
		n++;
	}
	return rc;
}

static int ask(struct md *s, const struct md_table *m, struct md_text *sql, struct fetched **table)
{
	if (sql->failed)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	MYSQL_RES *res = NULL;
	if (mysql_real_query(s->db, sql->ptr, sql->len) != 0 || !(res = mysql_use_result(s->db)))
		return md_fail(s, "fetching sketches");
	MYSQL_ROW row;
	int failed = 0;
	while (!failed && (row = mysql_fetch_row(res)) != NULL)
		failed = keep_answer(s, m, row, mysql_fetch_lengths(res), table);
	mysql_free_result(res);
	if (failed)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	return mysql_errno(s->db) ? md_fail(s, "fetching sketches") : TALLY_SINK_OK;
}

static bool is_known(struct md *s, const struct tally_table *t, struct key *k)
{
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		if (!md_is_sketch(&t->columns[i]))
			continue;
		key_set_column(k, i);
		if (!md_cache_find(s->cache, k->bytes, k->len))
			return false;
	}
	return true;
}

/* Fetches what the cache does not know. Rows are sorted by key, so those of one list stand together. */
static int fetch(
	struct md *s, const struct md_table *m, const struct tally_cell *cells, size_t n, struct fetched **table)
{
	const struct tally_table *t = m->table;
	uint32_t last = last_key(t);
	struct md_text sql = { 0 };
	const struct tally_cell *head = NULL;
	struct key k;
	size_t asked = 0;
	int rc = TALLY_SINK_OK;
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++) {
		const struct tally_cell *row = cells + i * t->ncolumns;
		make_key(&k, t, row);
		if (is_known(s, t, &k))
			continue;
		if (asked == 0)
			add_select(&sql, s, m);
		if (head && same_head(t, head, row, last)) {
			md_add(&sql, ",");
		} else {
			md_add(&sql, "%s", head ? ")) OR (" : "");
			add_head(&sql, s, t, row, last);
			head = row;
		}
		add_literal(&sql, &t->columns[last], &row[last]);
		if (++asked == KEYS_PER_QUESTION || sql.len > s->packet_bytes / 4 || i + 1 == n) {
			md_add(&sql, "))");
			rc = ask(s, m, &sql, table);
			md_text_free(&sql);
			asked = 0;
			head = NULL;
		}
	}
	if (asked && rc == TALLY_SINK_OK) {
		md_add(&sql, "))");
		rc = ask(s, m, &sql, table);
	}
	md_text_free(&sql);
	return rc;
}

/* ---- the union ---- */

static enum tally_sketch_kind kind_of(const struct tally_column *c)
{
	return c->merge == TALLY_M_QUANTILE ? TALLY_SKETCH_QUANTILE : TALLY_SKETCH_HLL;
}

/* A place for unions; what comes of one is copied at its own size. */
struct scratch {
	char *ptr;
	size_t room;
};

static bool scratch_grow(struct scratch *to, size_t room)
{
	if (room <= to->room)
		return true;
	char *grown = realloc(to->ptr, room);
	to->ptr = grown ? grown : to->ptr;
	to->room = grown ? room : to->room;
	return grown != NULL;
}

static int no_memory(struct md *s)
{
	return s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
}

static int unite(struct md *s, enum tally_sketch_kind kind, const struct md_bytes *have, const struct tally_cell *add,
	struct scratch *in, struct md_bytes *out)
{
	size_t room = s->host->sketch_room(kind);
	size_t len = have ? have->len : 0;
	if (len == 0) { /* the new one as it is; it lives as long as the batch */
		*out = (struct md_bytes){ (char *)(uintptr_t)add->v.ptr, add->len };
		return TALLY_SINK_OK;
	}
	if (!scratch_grow(in, room < len ? len : room))
		return no_memory(s);
	memcpy(in->ptr, have->ptr, len);
	if (s->host->sketch_merge(kind, in->ptr, &len, in->room, add->v.ptr, add->len) != 0)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"a stored sketch is damaged: set it to '' where it cannot be restored");
	out->ptr = md_cache_alloc(s->cache, len);
	out->len = len;
	if (!out->ptr)
		return no_memory(s);
	memcpy(out->ptr, in->ptr, len);
	return TALLY_SINK_OK;
}

/* The sketch in column `at` of one row. */
static int unite_column(struct md *s, const struct tally_table *t, uint32_t at, const struct tally_cell *cell,
	struct key *k, struct fetched **table, struct scratch *in, struct md_united *to, size_t row)
{
	struct md_bytes *sketch = &to->sketch[row];
	key_set_column(k, at);
	const struct md_bytes *have = md_cache_find(s->cache, k->bytes, k->len);
	if (!have) {
		const struct fetched *f = *fetched_place(table, k->bytes, k->len);
		have = f ? &f->value : NULL;
	}
	enum tally_sketch_kind kind = kind_of(&t->columns[at]);
	int rc = unite(s, kind, have, cell, in, sketch);
	if (rc != TALLY_SINK_OK)
		return rc;
	to->estimate[row] = s->host->sketch_estimate(kind, sketch->ptr, sketch->len);
	return md_cache_stage(s->cache, k->bytes, k->len, sketch) == 0 ? TALLY_SINK_OK : no_memory(s);
}

int md_unite(struct md *s, const struct md_table *m, const struct tally_cell *cells, size_t n,
	struct md_united *const *united)
{
	const struct tally_table *t = m->table;
	struct fetched *table[FETCHED_BUCKETS] = { NULL };
	struct scratch in = { 0 };
	struct key k;
	int rc = fetch(s, m, cells, n, table);
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++) {
		const struct tally_cell *row = cells + i * t->ncolumns;
		make_key(&k, t, row);
		for (uint32_t c = 0; c < t->ncolumns && rc == TALLY_SINK_OK; c++)
			if (md_is_sketch(&t->columns[c]))
				rc = unite_column(s, t, c, &row[c], &k, table, &in, united[c], i);
	}
	free(in.ptr);
	return rc;
}
