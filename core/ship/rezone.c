/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration's zones against the store's. What is changed is written behind the guard that keeps every line of the
 * store from committing, with the epoch raised: no batch made in the zone before comes behind it, and the latest event
 * looked up there is the latest that has rows of that zone. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "ship/meta_inner.h"
#include "ship/zones.h"

#define QUARTER_US INT64_C(900000000)
#define LOOK_TIMEOUT_US INT64_C(60000000)

/* What is to be written of one site. */
struct change {
	const char *site, *zone;
	int64_t number, horizon_us;
	bool find; /* the horizon lies behind what is stored */
};

struct rezone {
	struct reading *rd;
	const struct moment *moment;
	const struct meta_zone *zones; /* the store's */
	size_t nzones;
	int64_t next, agreed;
	struct change *changes;
	size_t n, cap;
	size_t differ; /* sites whose zone this node may not change */
	struct tally_rows rows;
};

/* ---- what is to be changed ---- */

static const struct meta_zone *find(const struct rezone *r, const char *site)
{
	for (size_t i = 0; i < r->nzones; i++)
		if (strcmp(r->zones[i].site, site) == 0)
			return &r->zones[i];
	return NULL;
}

static const char *declared(const struct tally_sink_instance *in, const char *site)
{
	for (size_t i = 0; i < in->nzones; i++)
		if (strcmp(in->zones[i].site, site) == 0)
			return in->zones[i].zone;
	return in->zones[0].zone; /* default */
}

static void add(struct rezone *r, const char *site, const char *zone, int64_t horizon_us, bool look)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		struct change *more = arena_alloc(r->rd->arena, cap * sizeof *more);
		if (r->n)
			memcpy(more, r->changes, r->n * sizeof *more);
		r->changes = more;
		r->cap = cap;
	}
	r->changes[r->n++] = (struct change){ site, zone, r->next++, horizon_us, look };
}

static bool may_change(const struct rezone *r, const struct meta_zone *was)
{
	return was->number <= r->agreed || strcmp(was->by, r->rd->in->node) == 0;
}

/* The first such site is named, in words that fit into those of a sink. */
static void say_differs(struct rezone *r, const char *site, const char *zone, const struct meta_zone *was)
{
	struct tally_sink_instance *in = r->rd->in;
	if (r->differ++)
		return;
	snprintf(in->zone_words, sizeof in->zone_words,
		"site %.50s: timezone %.32s here, %.32s in the store (node %.8s), and its days are made by the latter; "
		"configure that, or change it there",
		site, zone, was->name, was->by);
}

/* NULL leaves it. */
static int take_number(void *arg, const struct tally_cell *c)
{
	if (!c[0].null)
		*(int64_t *)arg = c[0].v.i;
	return 0;
}

static int ask(struct rezone *r, const char *sql, const char *site, int64_t *out)
{
	static const uint32_t text = TALLY_T_TEXT, integer = TALLY_T_INT;
	struct tally_cell param = { .v.ptr = site, .len = (uint32_t)strlen(site) };
	struct tally_statement st = { .sql = sql,
		.params = &param,
		.param_types = &text,
		.nparams = 1,
		.column_types = &integer,
		.ncolumns = 1,
		.timeout_us = LOOK_TIMEOUT_US };
	return r->rd->in->sink->read(r->rd->reader, &st, take_number, out);
}

/* Of a site that has no zone of its own yet: was anything ever stored of it? */
static int is_known(struct rezone *r, const char *site, bool *known)
{
	int64_t n = 0;
	int rc = ask(r,
		arena_printf(r->rd->arena, "SELECT COUNT(*) FROM `%stally_ledger` WHERE `site` = ?", r->rd->in->prefix),
		site, &n);
	*known = n > 0;
	return rc;
}

/* def: the default as it will be. */
static int look_at_site(struct rezone *r, const char *site, const char *def)
{
	const struct meta_zone *own = find(r, site), *was = own ? own : find(r, ZONES_DEFAULT);
	const char *want = declared(r->rd->in, site), *would = own ? own->name : def;
	bool known = true;
	if (strcmp(want, would) == 0)
		return 0;
	if (!was) { /* a store that has had no zones so far: its rows are those of the configuration */
		add(r, site, want, INT64_MIN, false);
		return 0;
	}
	if (strcmp(want, was->name) == 0) { /* only the default is another */
		add(r, site, want, was->horizon_us, false);
		return 0;
	}
	int rc = own || may_change(r, was) ? 0 : is_known(r, site, &known);
	if (rc)
		return rc;
	if (may_change(r, was) || !known)
		add(r, site, want, INT64_MIN, true);
	else
		say_differs(r, site, want, was);
	return 0;
}

static int list_changes(struct rezone *r)
{
	struct tally_sink_instance *in = r->rd->in;
	const struct meta_zone *def = find(r, ZONES_DEFAULT);
	const char *want = in->zones[0].zone, *name = def ? def->name : want;
	int rc = 0;
	if (!def)
		add(r, ZONES_DEFAULT, want, INT64_MIN, false);
	else if (strcmp(def->name, want) != 0 && may_change(r, def))
		add(r, ZONES_DEFAULT, name = want, INT64_MIN, true);
	else if (strcmp(def->name, want) != 0)
		say_differs(r, ZONES_DEFAULT, want, def);
	for (size_t i = 1; i < in->nzones && rc == 0; i++)
		rc = look_at_site(r, in->zones[i].site, name);
	for (size_t i = 0; i < r->nzones && rc == 0; i++) {
		bool named = strcmp(r->zones[i].site, ZONES_DEFAULT) == 0;
		for (size_t k = 1; k < in->nzones && !named; k++)
			named = strcmp(in->zones[k].site, r->zones[i].site) == 0;
		rc = named ? 0 : look_at_site(r, r->zones[i].site, name);
	}
	return rc;
}

/* ---- behind what is stored ---- */

/* grain -1: events and visits, by their time; else rows of that grain. A quarter hour holds anything up to its end. */
static int look_at(struct rezone *r, const char *table, const char *site, int grain, int64_t *latest)
{
	const char *p = r->rd->in->prefix;
	const char *sql =
		grain < 0 ? arena_printf(r->rd->arena, "SELECT MAX(`time`) FROM `%s%s` WHERE `site` = ?", p, table)
			  : arena_printf(r->rd->arena,
				    "SELECT MAX(`bucket`) FROM `%s%s` WHERE `site` = ? AND `grain` = %d", p, table,
				    grain);
	int64_t t = INT64_MIN;
	int rc = ask(r, sql, site, &t);
	if (t != INT64_MIN && grain == TALLY_QUARTER)
		t += QUARTER_US - 1;
	*latest = t > *latest ? t : *latest;
	return rc;
}

/* Raw events that are gone are in quarter hours still, or lay before a horizon; what was thinned out can have had any time
 * up to the present. */
static int look_at_gone(struct rezone *r, const char *site, int64_t *latest)
{
	int64_t thinned = 0, quarters = remember_horizon(&r->rd->mem, meta_grain_name(TALLY_QUARTER), INT64_MIN),
		events = remember_horizon(&r->rd->mem, META_EVENTS, INT64_MIN);
	int rc = ask(r,
		arena_printf(r->rd->arena, "SELECT SUM(`thinned`) FROM `%stally_ledger` WHERE `site` = ?",
			r->rd->in->prefix),
		site, &thinned);
	*latest = quarters > *latest ? quarters : *latest;
	*latest = events > *latest ? events : *latest;
	if (thinned > 0 && r->moment->now_us > *latest)
		*latest = r->moment->now_us;
	return rc;
}

/* Every event of the site, and the beginning of each of its rows, lies before *from. */
static int find_horizon(struct rezone *r, const char *site, int64_t *from)
{
	const struct schema *s = r->rd->in->schema;
	int64_t latest = INT64_MIN;
	int rc = look_at(r, "tally_event", site, -1, &latest);
	if (rc == 0)
		rc = look_at(r, "tally_visit", site, -1, &latest);
	for (size_t i = 0; i < s->nrollups && rc == 0; i++)
		for (int g = TALLY_QUARTER; g < TALLY_GRAINS && rc == 0; g++)
			rc = look_at(r, s->rollups[i].table.name, site, g, &latest);
	if (rc || latest == INT64_MIN)
		return rc;
	rc = look_at_gone(r, site, &latest);
	*from = *from > latest ? *from : latest + 1;
	return rc;
}

struct sites {
	struct rezone *r;
	const char **names;
	size_t n, cap;
};

static int take_site(void *arg, const struct tally_cell *c)
{
	struct sites *s = arg;
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		const char **more = arena_alloc(s->r->rd->arena, cap * sizeof *more);
		if (s->n)
			memcpy(more, s->names, s->n * sizeof *more);
		s->names = more;
		s->cap = cap;
	}
	s->names[s->n++] = arena_copy(s->r->rd->arena, c[0].null ? "" : c[0].v.ptr, c[0].null ? 0 : c[0].len);
	return 0;
}

/* The default is the zone of every site that has none of its own. */
static int find_default_horizon(struct rezone *r, int64_t *from)
{
	static const uint32_t text = TALLY_T_TEXT;
	struct sites sites = { .r = r };
	struct tally_statement st = { .sql = arena_printf(r->rd->arena, "SELECT DISTINCT `site` FROM `%stally_ledger`",
					      r->rd->in->prefix),
		.column_types = &text,
		.ncolumns = 1,
		.timeout_us = LOOK_TIMEOUT_US };
	int rc = r->rd->in->sink->read(r->rd->reader, &st, take_site, &sites);
	for (size_t i = 0; i < sites.n && rc == 0; i++)
		if (!find(r, sites.names[i]) || strcmp(sites.names[i], ZONES_DEFAULT) == 0)
			rc = find_horizon(r, sites.names[i], from);
	return rc;
}

static int find_horizons(struct rezone *r)
{
	int rc = 0;
	for (size_t i = 0; i < r->n && rc == 0; i++) {
		struct change *c = &r->changes[i];
		if (!c->find)
			continue;
		c->horizon_us = INT64_MIN;
		rc = strcmp(c->site, ZONES_DEFAULT) == 0 ? find_default_horizon(r, &c->horizon_us)
							 : find_horizon(r, c->site, &c->horizon_us);
	}
	return rc;
}

/* ---- writing ---- */

static void put(struct tally_cell *c, const char *name, const char *value, int64_t horizon)
{
	c[0] = (struct tally_cell){ .v.ptr = name, .len = (uint32_t)strlen(name) };
	c[1] = (struct tally_cell){ .v.ptr = value, .len = (uint32_t)strlen(value) };
	c[2] = (struct tally_cell){ .v.i = horizon };
}

static int by_name(const void *a, const void *b)
{
	const struct tally_cell *x = a, *y = b;
	return strcmp(x->v.ptr, y->v.ptr);
}

static void make_rows(struct rezone *r)
{
	struct arena *a = r->rd->arena;
	const char *node = r->rd->in->node;
	struct tally_cell *cells = arena_alloc(a, (r->n + 2) * 3 * sizeof *cells);
	size_t n = 0;
	for (; n < r->n; n++) {
		const struct change *c = &r->changes[n];
		put(&cells[n * 3], arena_printf(a, META_ZONE "%" PRId64, c->number),
			zones_value(a, node, c->zone, c->site), c->horizon_us);
	}
	if (r->n)
		put(&cells[n++ * 3], META_EPOCH, "", remember_horizon(&r->rd->mem, META_EPOCH, 0) + 1);
	if (r->differ == 0 && r->next - 1 > r->agreed)
		put(&cells[n++ * 3], arena_printf(a, META_ZONES "%s", node), "", r->next - 1);
	if (n)
		qsort(cells, n, 3 * sizeof *cells, by_name);
	r->rows = (struct tally_rows){ &r->rd->in->schema->fixed[SCHEMA_META], n, cells };
}

/* [no line of the store can commit] */
static int fenced(void *arg, const struct tally_rows **rows, size_t *nrows)
{
	struct rezone *r = arg;
	const struct tally_sink *sink = r->rd->in->sink;
	int rc = sink->read_begin(r->rd->reader);
	if (rc)
		return rc;
	rc = find_horizons(r);
	sink->read_end(r->rd->reader);
	make_rows(r);
	*rows = &r->rows;
	*nrows = 1;
	return rc;
}

static int write_rows(struct rezone *r)
{
	struct tally_sink_instance *in = r->rd->in;
	struct tally_position at = r->moment->at;
	struct tally_guard guard = { &in->schema->fixed[SCHEMA_META], META_EPOCH, "horizon",
		remember_horizon(&r->rd->mem, META_EPOCH, 0), 1, 0 };
	struct tally_batch batch = { .from = at, .to = at, .guard = &guard, .fenced = fenced, .fenced_arg = r };
	struct tally_batch plain = { .from = at, .to = at, .rows = &r->rows, .nrows = 1 };
	if (r->n && in->sink->guards)
		return in->sink->write(in->self, &batch);
	if (r->n) {
		const struct tally_rows *rows;
		size_t n;
		int rc = fenced(r, &rows, &n);
		if (rc)
			return ship_host_fail(in, TALLY_SINK_RECONNECT, -rc, "looking for the latest event: %s",
				in->sink->reader_error(r->rd->reader));
	} else {
		make_rows(r);
	}
	return r->rows.n ? in->sink->write(in->self, &plain) : TALLY_SINK_OK;
}

/* A zone that cannot be told here makes no rows. */
static int all_known(const struct rezone *r)
{
	struct tally_sink_instance *in = r->rd->in;
	for (size_t i = 0; i < r->nzones; i++)
		if (!r->zones[i].zone)
			return ship_host_fail(in, TALLY_SINK_STOP, 0,
				"days of site %.60s are kept in the time zone %.60s, which this system does not know: "
				"install its tzdata",
				r->zones[i].site, r->zones[i].name);
	return TALLY_SINK_OK;
}

static void say_changes(const struct rezone *r, const char *said)
{
	struct tally_sink_instance *in = r->rd->in;
	for (size_t i = 0; i < r->n; i++)
		if (r->changes[i].find)
			log_info(in->room, "days of site %s are in the time zone %s from here on", r->changes[i].site,
				r->changes[i].zone);
	if (*in->zone_words && strcmp(in->zone_words, said) != 0)
		log_warn(in->room, "%s", in->zone_words);
}

int zones_complete(struct reading *rd, const struct moment *moment, bool *changed)
{
	struct tally_sink_instance *in = rd->in;
	struct rezone r = { .rd = rd, .moment = moment };
	const char *said = arena_printf(rd->arena, "%s", in->zone_words);
	*changed = false;
	in->zone_words[0] = 0;
	if (in->nzones == 0)
		return TALLY_SINK_OK;
	r.zones = zones_read(&rd->mem, &r.nzones, &r.next);
	r.next++;
	r.agreed = remember_horizon(&rd->mem, arena_printf(rd->arena, META_ZONES "%s", in->node), 0);
	int rc = all_known(&r);
	if (rc != TALLY_SINK_OK)
		return rc;
	rc = in->sink->read_begin(rd->reader);
	if (rc == 0) {
		rc = list_changes(&r);
		in->sink->read_end(rd->reader);
	}
	if (rc)
		return ship_host_fail(in, TALLY_SINK_RECONNECT, -rc, "reading the zones of sites: %s",
			in->sink->reader_error(rd->reader));
	rc = write_rows(&r);
	*changed = rc == TALLY_SINK_OK && r.rows.n > 0;
	if (rc == TALLY_SINK_OK)
		say_changes(&r, said);
	return rc;
}
