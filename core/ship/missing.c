/* SPDX-License-Identifier: Apache-2.0 */
/* What a store is to remember and does not yet: the key, horizons, tables, and which rollups this node writes from here
 * on. Numbers only grow (MAX) and texts stay (FIRST), so that of two nodes that write at the same time none undoes what
 * the other has said. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "ship/meta_inner.h"

static struct tally_cell text_cell(const char *text)
{
	return (struct tally_cell){ .v.ptr = text, .len = (uint32_t)strlen(text) };
}

static void want(struct wanted *w, const char *name, const char *value, const int64_t *horizon)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 64;
		struct tally_cell *more = arena_alloc(w->rd->arena, cap * 3 * sizeof *more);
		if (w->n)
			memcpy(more, w->cells, w->n * 3 * sizeof *more);
		w->cells = more;
		w->cap = cap;
	}
	struct tally_cell *c = &w->cells[w->n++ * 3];
	c[0] = text_cell(name);
	c[1] = text_cell(value);
	c[2] = horizon ? (struct tally_cell){ .v.i = *horizon } : (struct tally_cell){ .null = 1 };
}

static int want_hash_key(struct wanted *w)
{
	uint8_t raw[16];
	char *hex = arena_alloc(w->rd->arena, 2 * sizeof raw + 1);
	if (remember_find(&w->rd->mem, "hash_key"))
		return TALLY_SINK_OK;
	if (getrandom(raw, sizeof raw, 0) != sizeof raw)
		return ship_host_fail(w->rd->in, TALLY_SINK_RECONNECT, errno, "no random bytes for the hash key");
	for (size_t i = 0; i < sizeof raw; i++)
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	want(w, "hash_key", hex, NULL);
	return TALLY_SINK_OK;
}

static void want_grains(struct wanted *w)
{
	static const int64_t unit_us[TALLY_GRAINS] = { 60000000, 900000000, 86400000000, 86400000000 };
	for (int g = 0; g < TALLY_GRAINS; g++) {
		int64_t kept = w->moment->retention_us[g];
		if (kept == INT64_MAX || remember_find(&w->rd->mem, meta_grain_name((enum tally_grain)g)))
			continue;
		int64_t horizon = w->moment->now_us - kept;
		horizon -= (horizon % unit_us[g] + unit_us[g]) % unit_us[g];
		want(w, meta_grain_name((enum tally_grain)g), "", &horizon);
	}
}

static void want_tables(struct wanted *w)
{
	const struct schema *s = w->rd->in->schema;
	for (size_t i = 0; i < s->ntables; i++) {
		const char *name = meta_table_name(s->tables[i], w->rd->arena);
		const char *later = schema_later_name(s, s->tables[i]);
		if (!remember_find(&w->rd->mem, name))
			want(w, name, "", NULL);
		if (later && !remember_find(&w->rd->mem, later))
			want(w, later, "", NULL);
	}
}

/* ---- rollups ---- */

/* From which event time a rollup that begins now is whole. Rows that are gone (thinned, deleted) can have had any time
 * up to the present. */
static int find_first_horizon(struct wanted *w)
{
	struct reading *rd = w->rd;
	if (w->first_known)
		return TALLY_SINK_OK;
	/* by site: so the index by site and time answers, at one look a site */
	int rc = reading_number(rd, "SELECT MAX(`latest`) FROM (SELECT MAX(`time`) AS `latest` FROM ", "tally_event",
		" GROUP BY `site`) AS `by_site`");
	if (rc != TALLY_SINK_OK)
		return rc;
	bool none = rd->number_null;
	int64_t latest = rd->number, now_us = w->moment->now_us;
	rc = reading_number(rd, "SELECT COUNT(*) FROM ", "tally_ledger",
		none ? " WHERE `stored` > 0 OR `thinned` > 0" : " WHERE `thinned` > 0");
	if (rc != TALLY_SINK_OK)
		return rc;
	bool gone = rd->number > 0;
	if (none)
		w->first_horizon_us = gone ? now_us : INT64_MIN;
	else
		w->first_horizon_us = gone && latest < now_us ? now_us : latest + 1;
	w->first_known = true;
	return TALLY_SINK_OK;
}

static void want_place(struct wanted *w, const char *head, const char *uuid, const char *id, int64_t place)
{
	want(w, meta_node_row(w->rd->arena, head, uuid, id), "", &place);
}

static int64_t place_of(struct wanted *w, const char *head, const char *uuid, const char *id)
{
	return remember_horizon(&w->rd->mem, meta_node_row(w->rd->arena, head, uuid, id), 0);
}

/* This node writes it from here on. */
static void want_begun(struct wanted *w, const char *id)
{
	int64_t at = (int64_t)w->moment->at.lsn, ended = place_of(w, META_ENDED, w->rd->in->node, id);
	want_place(w, META_BEGAN, w->rd->in->node, id, at > ended ? at : ended + 1);
}

/* Whatever other nodes have stored without it lies before its horizon now: they end here. */
static void want_others_ended(struct wanted *w, const char *id)
{
	struct remember *m = &w->rd->mem;
	for (size_t i = 0; i < m->nnodes; i++) {
		const struct remembered_node *n = &m->nodes[i];
		if (strcmp(n->uuid, w->rd->in->node) != 0 && n->lsn > place_of(w, META_ENDED, n->uuid, id) &&
			!remember_writes(m, n->uuid, id))
			want_place(w, META_ENDED, n->uuid, id, n->lsn);
	}
}

/* Of a release before nodes said what they write: what was declared was written. */
static bool never_said(struct wanted *w)
{
	const char *head = arena_printf(w->rd->arena, META_BEGAN "%s/", w->rd->in->node);
	return !remember_first(&w->rd->mem, head);
}

/* Rows of this id that this node did not write are missing up to now, unless it has never stored anything. */
static int want_rollup(struct wanted *w, const char *id, const char *definition, bool is_new)
{
	const char *name = arena_printf(w->rd->arena, META_ROLLUP "%s", id);
	bool fresh = w->moment->at.lsn == 0 && w->moment->at.mark == 0;
	int rc = TALLY_SINK_OK;
	if (!is_new && remember_writes(&w->rd->mem, w->rd->in->node, id))
		return rc;
	if (is_new || !(fresh || never_said(w))) {
		rc = find_first_horizon(w);
		want(w, name, definition, &w->first_horizon_us);
		want_others_ended(w, id);
	}
	want_begun(w, id);
	return rc;
}

/* The table was chosen before it was made (meta_look_back): if another node has been faster, choose again. */
static int same_table(struct wanted *w, const struct schema_rollup *r, unsigned number)
{
	const char *table = schema_rollup_table(w->rd->arena, r->rollup, number);
	if (strcmp(table, r->table.name) == 0)
		return TALLY_SINK_OK;
	return ship_host_fail(w->rd->in, TALLY_SINK_RETRY, 0,
		"the rows of rollup %.*s belong into table %s now: the tables are looked at again",
		(int)r->rollup->name.len, r->rollup->name.ptr, table);
}

static int want_rollups(struct wanted *w)
{
	const struct schema *s = w->rd->in->schema;
	int rc = TALLY_SINK_OK;
	for (size_t i = 0; i < s->nrollups && rc == TALLY_SINK_OK; i++) {
		const struct tally_rollup *r = s->rollups[i].rollup;
		unsigned there = remember_number(&w->rd->mem, r);
		unsigned number = there ? there : remember_free_number(&w->rd->mem, r);
		rc = same_table(w, &s->rollups[i], number);
		if (rc == TALLY_SINK_OK)
			rc = want_rollup(w, meta_rollup_id(r, number, w->rd->arena), meta_definition(r, w->rd->arena),
				there == 0);
	}
	return rc;
}

static bool is_declared(struct wanted *w, const char *id)
{
	const struct schema *s = w->rd->in->schema;
	for (size_t i = 0; i < s->nrollups; i++) {
		unsigned number = remember_number(&w->rd->mem, s->rollups[i].rollup);
		if (number && strcmp(meta_rollup_id(s->rollups[i].rollup, number, w->rd->arena), id) == 0)
			return true;
	}
	return false;
}

/* What this node has written so far and is not declared any more: it ends here. */
static void want_ended(struct wanted *w)
{
	struct remember *m = &w->rd->mem;
	const char *head = arena_printf(w->rd->arena, META_BEGAN "%s/", w->rd->in->node);
	const struct remembered *end = m->rows + m->nrows;
	for (const struct remembered *x = remember_first(m, head); x && x < end; x++) {
		if (strncmp(x->name, head, strlen(head)) != 0)
			break;
		const char *id = x->name + strlen(head);
		int64_t began = x->horizon, at = (int64_t)w->moment->at.lsn;
		if (remember_writes(m, w->rd->in->node, id) && !is_declared(w, id))
			want_place(w, META_ENDED, w->rd->in->node, id, at > began ? at : began);
	}
}

/* From when on they are whole: visits, and what they came with. */
static int want_visits(struct wanted *w, const char *name, uint32_t gives)
{
	if ((w->rd->in->gives & gives) != gives || remember_find(&w->rd->mem, name))
		return TALLY_SINK_OK;
	int rc = find_first_horizon(w);
	if (rc == TALLY_SINK_OK)
		want(w, name, "", &w->first_horizon_us);
	return rc;
}

/* ---- all of it ---- */

static int by_name(const void *a, const void *b)
{
	const struct tally_cell *x = a, *y = b;
	return strcmp(x->v.ptr, y->v.ptr);
}

/* Batches are only written once the store remembers its key: a place in the log without one means that the rows have
 * gone, and another key would part every rollup row from itself. */
static int has_forgotten(struct wanted *w)
{
	const struct tally_position at = w->moment->at;
	if (remember_find(&w->rd->mem, "hash_key") || (at.lsn == 0 && at.mark == 0))
		return TALLY_SINK_OK;
	return ship_host_fail(w->rd->in, TALLY_SINK_STOP, 0,
		"%stally_meta has lost its rows (hash_key and horizons): restore them from a backup",
		w->rd->in->prefix);
}

int list_missing(struct wanted *w)
{
	int rc = has_forgotten(w);
	w->n = 0;
	w->first_known = false;
	if (rc == TALLY_SINK_OK)
		rc = want_hash_key(w);
	if (rc != TALLY_SINK_OK)
		return rc;
	if (!remember_find(&w->rd->mem, "schema"))
		want(w, "schema", arena_printf(w->rd->arena, "%d", SCHEMA_VERSION), NULL);
	if (!remember_find(&w->rd->mem, META_EPOCH))
		want(w, META_EPOCH, "", &(int64_t){ 1 });
	want_grains(w);
	want_tables(w);
	want_ended(w);
	rc = want_rollups(w);
	if (rc == TALLY_SINK_OK)
		rc = want_visits(w, META_VISITS, TALLY_GIVES_VISITS);
	if (rc == TALLY_SINK_OK)
		rc = want_visits(w, META_VALUES, TALLY_GIVES_VISITS | TALLY_GIVES_VALUES);
	if (w->n)
		qsort(w->cells, w->n, 3 * sizeof *w->cells, by_name);
	return rc;
}
