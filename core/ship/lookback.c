/* SPDX-License-Identifier: Apache-2.0 */
/* Before a sink makes the tables that are missing: are they new, or have they gone? tally_meta remembers each table that
 * was made as `table/NAME`. One that it knows and the store does not have was dropped, or a backup was restored without
 * it: an empty one in its place would answer short without a word. */
#include <errno.h>
#include <stdio.h>

#include "ship/host.h"
#include "ship/meta.h"

#define OWN "table/"

struct looking {
	struct tally_sink_instance *in;
	struct arena *arena;
	void *reader;
	const char **names; /* of tables, without the prefix */
	size_t n;
};

/* The sinks' own, which are there if any other is. */
static const char *const sinks_own[] = { "tally_node", "tally_position" };

static bool is_declared(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->ntables; i++)
		if (strcmp(s->tables[i]->name, name) == 0)
			return true;
	return false;
}

static int keep_name(void *arg, const struct tally_cell *c)
{
	struct looking *l = arg;
	const size_t skip = strlen(OWN);
	if (c[0].null || c[0].len <= skip || l->n == l->in->schema->ntables)
		return 0;
	const char *name = arena_copy(l->arena, c[0].v.ptr + skip, c[0].len - skip);
	if (is_declared(l->in->schema, name))
		l->names[l->n++] = name;
	return 0;
}

static int keep_nothing(void *arg, const struct tally_cell *c)
{
	(void)arg;
	(void)c;
	return 0;
}

static int ask(struct looking *l, const char *sql, uint32_t type, tally_row_fn fn)
{
	struct tally_statement st = { .sql = sql, .column_types = &type, .ncolumns = 1 };
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
	const char *p = l->in->prefix;
	return ship_host_fail(l->in, TALLY_SINK_STOP, ENOENT,
		"table %s%s has gone: restore it from a backup; to begin it anew and empty, DELETE FROM %stally_meta WHERE"
		" name IN ('table/%s', 'rollup/%s')",
		p, name, p, name, strncmp(name, "tally_rollup_", 13) == 0 ? name + 13 : "");
}

static int look_for(struct looking *l, const char *name)
{
	const char *sql = arena_printf(l->arena, "SELECT 1 FROM `%s%s` LIMIT 1", l->in->prefix, name);
	int rc = ask(l, sql, TALLY_T_INT, keep_nothing);
	if (rc == -ENOENT)
		return say_gone(l, name);
	return rc == 0 ? TALLY_SINK_OK : unseen(l, rc);
}

/* A store without tally_meta is a new one, as far as can be seen here. */
static int look(struct looking *l)
{
	const char *sql = arena_printf(
		l->arena, "SELECT `name` FROM `%stally_meta` WHERE `name` LIKE '" OWN "%%'", l->in->prefix);
	int got = ask(l, sql, TALLY_T_TEXT, keep_name), rc = TALLY_SINK_OK;
	if (got != 0)
		return got == -ENOENT ? TALLY_SINK_OK : unseen(l, got);
	for (size_t i = 0; i < l->n && rc == TALLY_SINK_OK; i++)
		rc = look_for(l, l->names[i]);
	for (size_t i = 0; l->n && i < sizeof sinks_own / sizeof *sinks_own && rc == TALLY_SINK_OK; i++)
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
	l.names = arena_zalloc(a, (in->schema->ntables + 1) * sizeof *l.names);
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
