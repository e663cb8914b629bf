/* SPDX-License-Identifier: Apache-2.0 */
/* What a rebuild has left that did not come to an end. Tables of rollups that nobody reads and nobody will: those that a rebuild of this node was making when the process ended,
 * and those whose place another has taken and that could not be removed then. They go when the line first finds its store:
 * no rebuild of this process has begun yet. What cannot be removed does no harm, and is tried again at the next start. */
#include <stdlib.h>

#include "base/log.h"
#include "ship/meta_inner.h"

/* The last of the rows rollup/NAME… with that definition is in use. */
static bool is_replaced(struct reading *rd, const struct remembered *row, const char *name, unsigned number)
{
	const struct remembered *end = rd->mem.rows + rd->mem.nrows;
	const char *head = arena_printf(rd->arena, META_ROLLUP "%s/", name);
	for (const struct remembered *x = remember_first(&rd->mem, head); x && x < end; x++) {
		if (strncmp(x->name, head, strlen(head)) != 0)
			break;
		if (strtoul(x->name + strlen(head), NULL, 10) > number && strcmp(x->value, row->value) == 0)
			return true;
	}
	return false;
}

static int nothing(void *arg, const struct tally_cell *c)
{
	(void)arg;
	(void)c;
	return 0;
}

static bool is_there(struct reading *rd, const char *table)
{
	static const uint32_t type = TALLY_T_INT;
	struct tally_statement st = { .sql = arena_printf(
					      rd->arena, "SELECT 1 FROM `%s%s` LIMIT 1", rd->in->prefix, table),
		.column_types = &type,
		.ncolumns = 1 };
	return rd->in->sink->read(rd->reader, &st, nothing, NULL) == 0;
}

static bool is_ours(struct reading *rd, const struct remembered *row)
{
	size_t n = strlen(rd->in->node);
	return strncmp(row->value, rd->in->node, n) == 0 && (row->value[n] == 0 || row->value[n] == ' ');
}

/* "pages" is number 1, "pages/2" number 2. */
static void look_at(
	struct reading *rd, const struct remembered *row, const char *id, bool making, const char **out, size_t *n)
{
	const char *slash = strrchr(id, '/');
	unsigned number = slash ? (unsigned)strtoul(slash + 1, NULL, 10) : 1;
	const char *name = arena_copy(rd->arena, id, slash ? (size_t)(slash - id) : strlen(id));
	struct tally_rollup r = { .name = str_of(name) };
	bool made = remember_find(&rd->mem, arena_printf(rd->arena, META_ROLLUP "%s", id)) != NULL;
	bool gone = making ? !made && is_ours(rd, row) : is_replaced(rd, row, name, number);
	const char *table = schema_rollup_table(rd->arena, &r, number);
	if (gone && is_there(rd, table))
		out[(*n)++] = table;
}

static size_t list(struct reading *rd, const char ***out)
{
	static const char *const heads[] = { META_MAKING, META_ROLLUP };
	size_t n = 0, rows = rd->mem.nrows;
	*out = arena_alloc(rd->arena, (rows + 1) * sizeof **out);
	(void)remember_find(&rd->mem, ""); /* in order before they are walked over */
	for (size_t h = 0; h < 2; h++)
		for (size_t i = 0; i < rows; i++)
			if (strncmp(rd->mem.rows[i].name, heads[h], strlen(heads[h])) == 0)
				look_at(rd, &rd->mem.rows[i], rd->mem.rows[i].name + strlen(heads[h]), h == 0, *out,
					&n);
	return n;
}

/* ---- those who are told of visits and listen no more ---- */

static int by_name(const void *a, const void *b)
{
	const struct tally_cell *x = a, *y = b;
	return strcmp(x->v.ptr, y->v.ptr);
}

static void put(struct tally_cell *c, const char *name, int64_t horizon)
{
	c[0] = (struct tally_cell){ .v.ptr = name, .len = (uint32_t)strlen(name) };
	c[1] = (struct tally_cell){ .v.ptr = "" };
	c[2] = (struct tally_cell){ .v.i = horizon };
}

/* made/ID of each rebuild of ours that has not ended, and another epoch, so that all lines learn of it. */
static size_t list_ends(struct reading *rd, struct tally_cell **out)
{
	struct remember *m = &rd->mem;
	struct tally_cell *cells = arena_alloc(rd->arena, (m->nrows + 1) * 3 * sizeof *cells);
	size_t n = 0;
	for (size_t i = 0; i < m->nrows; i++) {
		const struct remembered *row = &m->rows[i];
		if (strncmp(row->name, META_MAKING, strlen(META_MAKING)) != 0 || !is_ours(rd, row) ||
			!strchr(row->value, ' '))
			continue;
		const char *made = arena_printf(rd->arena, META_MADE "%s", row->name + strlen(META_MAKING));
		if (!remember_find(m, made))
			put(&cells[n++ * 3], made, 1);
	}
	if (n)
		put(&cells[n++ * 3], META_EPOCH, remember_horizon(m, META_EPOCH, 0) + 1);
	qsort(cells, n, 3 * sizeof *cells, by_name);
	*out = cells;
	return n;
}

static bool others_watch(struct reading *rd)
{
	struct remember *m = &rd->mem;
	for (size_t i = 0; i < m->nrows; i++) {
		const struct remembered *row = &m->rows[i];
		if (strncmp(row->name, META_MAKING, strlen(META_MAKING)) == 0 && strchr(row->value, ' ') &&
			!is_ours(rd, row) &&
			!remember_find(m, arena_printf(rd->arena, META_MADE "%s", row->name + strlen(META_MAKING))))
			return true;
	}
	return false;
}

static int say_there(void *arg, const struct tally_cell *c)
{
	(void)c;
	*(bool *)arg = true;
	return 0;
}

/* Were changes told that nobody has removed? [in a snapshot] */
static bool are_told(struct reading *rd)
{
	static const uint32_t type = TALLY_T_INT;
	bool some = false;
	struct tally_statement st = { .sql = arena_printf(rd->arena, "SELECT 1 FROM `%stally_visit_change` LIMIT 1",
					      rd->in->prefix),
		.column_types = &type,
		.ncolumns = 1 };
	return rd->in->sink->read(rd->reader, &st, say_there, &some) == 0 && some;
}

static void end_watches(struct reading *rd, struct tally_position at, bool told)
{
	struct tally_sink_instance *in = rd->in;
	const struct tally_table *meta = &in->schema->fixed[SCHEMA_META];
	struct tally_cell *cells;
	size_t n = list_ends(rd, &cells);
	struct tally_rows rows = { meta, n, cells };
	struct tally_trim trim = { &in->schema->fixed[SCHEMA_VISIT_CHANGE], 0, INT64_MAX };
	struct tally_guard guard = { meta, META_EPOCH, "horizon", remember_horizon(&rd->mem, META_EPOCH, 0), 1, 0 };
	struct tally_batch b = { .from = at, .to = at, .rows = &rows, .nrows = 1, .guard = &guard, .trim = &trim };
	b.ntrim = told && !others_watch(rd);
	if (n == 0 && b.ntrim == 0)
		return;
	ship_host_clear(in, 0);
	if (in->sink->write(in->self, &b) != TALLY_SINK_OK)
		log_warn(in->room, "that a rebuild has ended could not be written; it is tried at the next start: %s",
			in->failure.message);
}

void orphans_drop(struct tally_sink_instance *in, struct tally_position at, struct arena *a)
{
	struct reading rd = { .in = in, .arena = a };
	const char **tables = NULL;
	size_t n = 0;
	bool told = false;
	if (!in->sink->is_store || !in->sink->drop || in->sink->reader_open(in->self, &rd.reader) != 0)
		return;
	if (in->sink->read_begin(rd.reader) == 0) {
		if (reading_all(&rd) == TALLY_SINK_OK)
			n = list(&rd, &tables), told = are_told(&rd);
		in->sink->read_end(rd.reader);
	}
	in->sink->reader_close(rd.reader);
	if (in->sink->guards)
		end_watches(&rd, at, told);
	for (size_t i = 0; i < n; i++) {
		ship_host_clear(in, 0);
		if (in->sink->drop(in->self, tables[i]) == TALLY_SINK_OK)
			log_info(in->room, "table %s%s, which nobody reads any more, was removed", in->prefix,
				tables[i]);
		else
			log_warn(in->room, "table %s%s is not needed any more and could not be removed: %s", in->prefix,
				tables[i], in->failure.message);
	}
}
