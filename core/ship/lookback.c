/* SPDX-License-Identifier: Apache-2.0 */
/* Before a sink makes the tables that are missing: which table has the rows of each rollup, and are those that are not
 * there new, or have they gone? tally_meta remembers each table that was made as `table/NAME`. One that it knows and the
 * store does not have was dropped, or a backup was restored without it: an empty one in its place would answer short
 * without a word. */
#include <errno.h>
#include <stdio.h>

#include "ship/host.h"
#include "ship/remember.h"

#define OWN "table/"

struct looking {
	struct tally_sink_instance *in;
	struct arena *arena;
	void *reader;
	struct remember mem;
};

/* The sinks' own, which are there if any other is. */
static const char *const sinks_own[] = { "tally_node", "tally_position" };

static int keep_row(void *arg, const struct tally_cell *c)
{
	remember_row(&((struct looking *)arg)->mem, c);
	return 0;
}

static int keep_nothing(void *arg, const struct tally_cell *c)
{
	(void)arg;
	(void)c;
	return 0;
}

static int ask(struct looking *l, const char *sql, const uint32_t *types, size_t n, tally_row_fn fn)
{
	struct tally_statement st = { .sql = sql, .column_types = types, .ncolumns = n };
	return l->in->sink->read(l->reader, &st, fn, l);
}

/* It could not be looked. Nothing is made on a guess: what cannot be seen may have gone. Where an operator must act first
 * the sink's own words are better, and it can make nothing either; where another store stands now, position() takes
 * notice of that first. */
static int unseen(struct looking *l, int rc)
{
	if (rc == -EACCES || rc == -ESTALE)
		return TALLY_SINK_OK;
	return ship_host_fail(l->in, TALLY_SINK_RECONNECT, -rc, "looking whether the tables are there: %s",
		l->in->sink->reader_error(l->reader));
}

static int say_gone(struct looking *l, const char *name)
{
	const char *p = l->in->prefix, *id = "";
	const struct schema *s = l->in->schema;
	for (size_t i = 0; i < s->nrollups; i++)
		if (strcmp(s->rollups[i].table.name, name) == 0)
			id = meta_rollup_id(
				s->rollups[i].rollup, remember_number(&l->mem, s->rollups[i].rollup), l->arena);
	return ship_host_fail(l->in, TALLY_SINK_STOP, ENOENT,
		"table %s%s has gone: restore it from a backup; to begin it anew and empty, DELETE FROM %stally_meta WHERE"
		" name IN ('table/%s', 'rollup/%s')",
		p, name, p, name, id);
}

static int look_for(struct looking *l, const char *name)
{
	static const uint32_t type = TALLY_T_INT;
	const char *sql = arena_printf(l->arena, "SELECT 1 FROM `%s%s` LIMIT 1", l->in->prefix, name);
	int rc = ask(l, sql, &type, 1, keep_nothing);
	if (rc == -ENOENT)
		return say_gone(l, name);
	return rc == 0 ? TALLY_SINK_OK : unseen(l, rc);
}

/* A rollup whose definition the store does not know gets a number, and so a table, that nothing has had. */
static void choose_tables(struct looking *l)
{
	const struct schema *s = l->in->schema;
	for (size_t i = 0; i < s->nrollups; i++) {
		const struct tally_rollup *r = s->rollups[i].rollup;
		unsigned number = remember_number(&l->mem, r);
		if (!number)
			number = remember_free_number(&l->mem, r);
		const char *table = schema_rollup_table(l->arena, r, number);
		if (strcmp(table, s->rollups[i].table.name) != 0)
			schema_set_table(s, i, arena_copy(&l->in->arena, table, strlen(table)));
	}
}

/* A store without tally_meta is a new one, as far as can be seen here. */
static int look(struct looking *l)
{
	static const uint32_t types[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT };
	const struct schema *s = l->in->schema;
	const char *sql =
		arena_printf(l->arena, "SELECT `name`, `value`, `horizon` FROM `%stally_meta`", l->in->prefix);
	int got = ask(l, sql, types, 3, keep_row), rc = TALLY_SINK_OK;
	if (got == 0 || got == -ENOENT)
		choose_tables(l);
	l->in->had_later = remember_find(&l->mem, schema_later_name(s, &s->fixed[SCHEMA_VISIT])) != NULL;
	if (got != 0)
		return got == -ENOENT ? TALLY_SINK_OK : unseen(l, got);
	for (size_t i = 0; i < s->ntables && rc == TALLY_SINK_OK; i++)
		if (remember_find(&l->mem, meta_table_name(s->tables[i], l->arena)))
			rc = look_for(l, s->tables[i]->name);
	bool some = remember_first(&l->mem, OWN) != NULL;
	for (size_t i = 0; some && i < sizeof sinks_own / sizeof *sinks_own && rc == TALLY_SINK_OK; i++)
		rc = look_for(l, sinks_own[i]);
	return rc;
}

const char *meta_table_name(const struct tally_table *t, struct arena *a)
{
	return arena_printf(a, OWN "%s", t->name);
}

int meta_look_back(struct tally_sink_instance *in, struct arena *a)
{
	struct looking l = { .in = in, .arena = a };
	if (!in->sink->is_store)
		return TALLY_SINK_OK;
	if (in->sink->reader_open(in->self, &l.reader) != 0)
		return ship_host_fail(in, TALLY_SINK_RECONNECT, 0, "no reader to look whether the tables are there");
	remember_open(&l.mem, a);
	int rc = in->sink->read_begin(l.reader);
	if (rc == 0) {
		rc = look(&l);
		in->sink->read_end(l.reader);
	} else {
		rc = rc == -ENOENT ? TALLY_SINK_OK : unseen(&l, rc);
	}
	in->sink->reader_close(l.reader);
	return rc;
}
