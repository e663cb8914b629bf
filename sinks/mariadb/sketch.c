/* SPDX-License-Identifier: Apache-2.0 */
/* The server cannot unite sketches, so they are fetched, united here and written back. No lock is needed for that:
 * the rows are this node's own, and the position's row is locked by this transaction.
 *
 * Key as text of bytes: table name, NUL, then for each key column 8 bytes of an integer or u32 length and bytes. */
#include "mariadb.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_PER_QUESTION 400 /* below in_predicate_conversion_threshold, and a short statement */
#define KEY_MAX 4096          /* InnoDB's keys have at most 3072 bytes */
#define KEY_COLUMNS_MAX 32

struct key {
	char bytes[KEY_MAX];
	size_t len;
};

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
	for (uint32_t i = 0; i < last; i++) {
		if (t->columns[i].merge == TALLY_M_NODE)
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

static uint32_t last_key(const struct tally_table *t)
{
	uint32_t last = 0;
	for (uint32_t i = 0; i < key_columns(t); i++)
		if (t->columns[i].merge == TALLY_M_KEY)
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
	md_add_name(sql, "", m->table->columns[m->sketch].name);
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
	struct fetched *f = md_cache_alloc(s->cache, sizeof *f + k.len);
	char *copy = md_cache_alloc(s->cache, lengths[n] + 1);
	if (!f || !copy)
		return -1;
	memcpy(copy, row[n], lengths[n]);
	*f = (struct fetched){ .value = { copy, lengths[n] }, .key_len = k.len };
	memcpy(f->key, k.bytes, k.len);
	*fetched_place(table, k.bytes, k.len) = f;
	return 0;
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
		if (md_cache_find(s->cache, k.bytes, k.len))
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

static int unite(struct md *s, const struct md_bytes *have, const struct tally_cell *add, struct md_bytes *out)
{
	size_t room = s->host->sketch_room(TALLY_SKETCH_HLL);
	size_t have_len = have ? have->len : 0;
	if (have_len == 0) { /* the new one as it is; it lives as long as the batch */
		*out = (struct md_bytes){ (char *)(uintptr_t)add->v.ptr, add->len };
		return TALLY_SINK_OK;
	}
	if (room < have_len)
		room = have_len;
	char *buf = md_cache_alloc(s->cache, room);
	if (!buf)
		return s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	memcpy(buf, have->ptr, have_len);
	*out = (struct md_bytes){ buf, have_len };
	if (s->host->sketch_merge(TALLY_SKETCH_HLL, buf, &out->len, room, add->v.ptr, add->len) != 0)
		return s->host->fail(s->in, TALLY_SINK_STOP, 0,
			"a stored sketch is damaged: set it to '' where it cannot be restored");
	return TALLY_SINK_OK;
}

int md_unite(struct md *s, const struct md_table *m, const struct tally_cell *cells, size_t n, struct md_bytes *sketch,
	int64_t *estimate)
{
	struct fetched *table[FETCHED_BUCKETS] = { NULL };
	struct key k;
	int rc = fetch(s, m, cells, n, table);
	for (size_t i = 0; i < n && rc == TALLY_SINK_OK; i++) {
		const struct tally_cell *row = cells + i * m->table->ncolumns;
		make_key(&k, m->table, row);
		const struct md_bytes *have = md_cache_find(s->cache, k.bytes, k.len);
		if (!have) {
			const struct fetched *f = *fetched_place(table, k.bytes, k.len);
			have = f ? &f->value : NULL;
		}
		rc = unite(s, have, &row[m->sketch], &sketch[i]);
		if (rc != TALLY_SINK_OK)
			break;
		estimate[i] = llround(s->host->sketch_estimate(TALLY_SKETCH_HLL, sketch[i].ptr, sketch[i].len));
		if (md_cache_stage(s->cache, k.bytes, k.len, &sketch[i]) != 0)
			rc = s->host->fail(s->in, TALLY_SINK_RECONNECT, CR_OUT_OF_MEMORY, "out of memory");
	}
	return rc;
}
