/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be rebuilt, and whether it can be: a rebuild that would end in shorter rows than there are is refused. */
#include <errno.h>
#include <stdio.h>

#include "keep/rebuild_inner.h"

#define MARGIN_US (INT64_C(3600) * 1000000) /* raw events that retention may delete while they are read */
#define DAY_US (INT64_C(86400) * 1000000)

/* ---- nodes ---- */

static struct rebuild_node *node_of(struct rebuild *rb, int64_t number)
{
	for (size_t i = 0; i < rb->nnodes; i++)
		if (rb->nodes[i].number == number)
			return &rb->nodes[i];
	return NULL;
}

static int take_node(void *arg, const struct tally_cell *c)
{
	struct rebuild *rb = arg;
	struct rebuild_node *n = node_of(rb, c[0].v.i);
	if (!n) {
		struct rebuild_node *more = arena_zalloc(&rb->arena, (rb->nnodes + 1) * sizeof *more);
		if (rb->nnodes)
			memcpy(more, rb->nodes, rb->nnodes * sizeof *more);
		rb->nodes = more;
		n = &more[rb->nnodes++];
		*n = (struct rebuild_node){ .number = c[0].v.i, .lsn = -1 };
		n->uuid = arena_copy(&rb->arena, c[1].v.ptr, c[1].len);
	}
	n->to = c[2].v.i;
	return 0;
}

int rebuild_nodes(struct rebuild *rb)
{
	static const uint32_t types[] = { TALLY_T_INT, TALLY_T_TEXT, TALLY_T_INT };
	const char *p = rb->opt->prefix;
	return rebuild_ask(rb,
		arena_printf(&rb->page,
			"SELECT n.`number`, n.`uuid`, p.`lsn` FROM `%stally_node` n JOIN `%stally_position` p ON p.`node` = "
			"n.`number`",
			p, p),
		types, 3, take_node, rb);
}

/* ---- what the store remembers ---- */

static int take_meta(void *arg, const struct tally_cell *c)
{
	remember_row(&((struct rebuild *)arg)->mem, c);
	return 0;
}

/* [in a snapshot] */
static int read_meta(struct rebuild *rb)
{
	static const uint32_t types[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT };
	remember_open(&rb->mem, &rb->arena);
	int rc = rebuild_ask(rb,
		arena_printf(&rb->arena, "SELECT `name`, `value`, `horizon` FROM `%stally_meta`", rb->opt->prefix),
		types, 3, take_meta, rb);
	if (rc == 0)
		rc = rebuild_nodes(rb);
	for (size_t i = 0; i < rb->nnodes && rc == 0; i++)
		remember_node(&rb->mem, str_of(rb->nodes[i].uuid), rb->nodes[i].to);
	return rc;
}

int rebuild_remember(struct rebuild *rb)
{
	int rc = rebuild_begin(rb);
	if (rc)
		return rc;
	rc = read_meta(rb);
	rebuild_end(rb);
	return rc;
}

static int parse_key(struct rebuild *rb)
{
	const struct remembered *key = remember_find(&rb->mem, "hash_key");
	for (size_t i = 0; key && i < 16; i++) {
		unsigned byte;
		if (sscanf(key->value + 2 * i, "%2x", &byte) != 1)
			key = NULL;
		else
			rb->meta.hash_key[i] = (uint8_t)byte;
	}
	return key ? 0
		   : rebuild_fail(
			     rb, -EINVAL, "sink %s has no hash_key yet: it has never stored anything", rb->opt->line);
}

static int take_number(void *arg, const struct tally_cell *c)
{
	*(int64_t *)arg += c[0].null ? 0 : c[0].v.i;
	return 0;
}

/* Retention goes on meanwhile. */
static int none_deleted(struct rebuild *rb)
{
	static const uint32_t type = TALLY_T_INT;
	int64_t sum = 0;
	if (!rb->twin.name)
		return 0;
	int rc = rebuild_ask(rb,
		arena_printf(&rb->page, "SELECT `horizon` FROM `%stally_meta` WHERE `name` = '" META_EVENTS "'",
			rb->opt->prefix),
		&type, 1, take_number, &sum);
	if (rc == 0 && sum != 0 && sum > rb->from_us)
		return rebuild_fail(rb, -EINVAL,
			"raw events it was to read were deleted meanwhile (retention.events): rebuild again with a later --from");
	return rc;
}

int rebuild_all_there(struct rebuild *rb)
{
	static const uint32_t type = TALLY_T_INT;
	int64_t thinned = 0;
	int rc = !rb->events ? 0
			     : rebuild_ask(rb,
				       arena_printf(&rb->page, "SELECT SUM(`thinned`) FROM `%stally_ledger`",
					       rb->opt->prefix),
				       &type, 1, take_number, &thinned);
	if (rc == 0 && thinned > 0)
		return rebuild_fail(rb, -EINVAL,
			"%lld events have no raw rows, since they were thinned out under load: rows made from raw events would "
			"be short",
			(long long)thinned);
	return rc == 0 ? none_deleted(rb) : rc;
}

/* ---- the rollup and the range ---- */

static void look_at_metrics(struct rebuild *rb)
{
	const struct tally_rollup *r = rb->sr->rollup;
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		uint32_t kind = r->metrics[i].kind;
		bool visits = (kind >= TALLY_VISITS && kind <= TALLY_DURATION) || kind == TALLY_VIEWS;
		rb->visits |= visits;
		rb->events |= !visits;
	}
}

static int find_rollup(struct rebuild *rb)
{
	const struct schema *s = rb->opt->schema;
	const char *all = "";
	for (size_t i = 0; i < s->nrollups; i++) {
		const struct tally_rollup *r = s->rollups[i].rollup;
		if (str_eq(r->name, str_of(rb->opt->rollup)))
			rb->sr = &s->rollups[i];
		all = arena_printf(&rb->arena, "%s%s%.*s", all, i ? ", " : "", (int)r->name.len, r->name.ptr);
	}
	if (rb->sr)
		look_at_metrics(rb);
	return rb->sr ? 0
		      : rebuild_fail(rb, -EINVAL, "no rollup %.64s is declared; there are %s", rb->opt->rollup, all);
}

static const char *when(struct rebuild *rb, int64_t t)
{
	char *text = arena_zalloc(&rb->arena, 41);
	zone_format(zone_utc(), t, text);
	return text;
}

/* The day and month in which the old rows begin to be whole stand in neither place if `to` cuts them as well: no old row of
 * them is taken over, and none is made of the part before `to`. So all is made anew up to an end of a month, of whatever
 * zone, behind which old rows are whole. */
static int64_t behind_cut(int64_t whole_us, int64_t from, int64_t to)
{
	if (whole_us <= from || to == INT64_MAX)
		return to;
	int64_t month = zone_floor(zone_utc(), ZONE_MONTH, whole_us + DAY_US);
	int64_t end = zone_next(zone_utc(), ZONE_MONTH, month) + DAY_US;
	return to > end ? to : end;
}

/* Days of a site whose zone was changed are whole from there on only; what is made anew begins at `from`. Sites whose zones
 * were changed before the last rebuild and since are not told apart: from `from` on all of them are whole. */
static int choose_zones(struct rebuild *rb, int64_t from, int64_t to)
{
	uint32_t id = rb->sr->rollup->id;
	struct meta_zoned old = rb->meta.rollup_zoned[id];
	bool changed = false;
	for (size_t i = 0; i < rb->meta.nzones; i++) {
		const struct meta_zone *z = &rb->meta.zones[i];
		int64_t whole = meta_zone_from(&rb->meta, id, str_of(z->site));
		changed |= z->number > old.number;
		if (!z->zone)
			return rebuild_fail(rb, -EINVAL,
				"days of site %.64s are kept in the time zone %.64s, which this system does not know: install "
				"its tzdata",
				z->site, z->name);
		if (to < whole)
			return rebuild_fail(rb, -EINVAL,
				"days of site %.64s are whole from %s on only, since its zone was changed: with --to before "
				"that there would be a gap; leave --to out",
				z->site, when(rb, whole));
		rb->to_us = behind_cut(whole, from, rb->to_us);
	}
	rb->zoned = changed ? (struct meta_zoned){ rb->meta.last_zone, from } : old;
	if (from < rb->zoned.from_us)
		rb->zoned.from_us = from;
	return 0;
}

/* What will be said of the new rows. */
static void foretell(struct rebuild *rb)
{
	size_t n = rb->meta.nrollups;
	int64_t *horizons = arena_alloc(&rb->arena, (n + 1) * sizeof *horizons);
	struct meta_zoned *zoned = arena_alloc(&rb->arena, (n + 1) * sizeof *zoned);
	memcpy(horizons, rb->meta.rollup_horizon_us, n * sizeof *horizons);
	memcpy(zoned, rb->meta.rollup_zoned, n * sizeof *zoned);
	horizons[rb->sr->rollup->id] = rb->new_horizon_us;
	zoned[rb->sr->rollup->id] = rb->zoned;
	rb->made = rb->meta;
	rb->made.rollup_horizon_us = horizons;
	rb->made.rollup_zoned = zoned;
}

static int choose_range(struct rebuild *rb)
{
	int64_t old = rb->old_horizon_us, from = rb->opt->from_us, to = rb->opt->to_us;
	if (from != INT64_MIN && from < rb->raw_horizon_us)
		return rebuild_fail(rb, -EINVAL, "raw events are there since %s only; --from that or later",
			when(rb, rb->raw_horizon_us));
	if (from == INT64_MIN && rb->raw_horizon_us != INT64_MIN)
		from = rb->raw_horizon_us + MARGIN_US;
	if (from >= to)
		return rebuild_fail(rb, -EINVAL, "--from must be before --to");
	if (to != INT64_MAX && to < old)
		return rebuild_fail(rb, -EINVAL,
			"the rollup is whole from %s on only: with --to before that there would be a gap; leave --to out",
			old == INT64_MAX ? "now" : when(rb, old));
	rb->from_us = from;
	rb->to_us = behind_cut(old, from, to);
	rb->copies = to != INT64_MAX || from > old;
	rb->new_horizon_us = from < old ? from : old;
	int rc = choose_zones(rb, from, to);
	if (rc == 0)
		foretell(rb);
	return rc;
}

static int choose_numbers(struct rebuild *rb)
{
	const struct tally_rollup *r = rb->sr->rollup;
	struct arena *a = &rb->arena;
	unsigned old = remember_number(&rb->mem, r), new = remember_free_number(&rb->mem, r);
	if (!old)
		return rebuild_fail(rb, -EINVAL, "the store does not know rollup %s yet; is sink %s in reach?",
			rb->opt->rollup, rb->opt->line);
	rb->old_id = meta_rollup_id(r, old, a);
	rb->new_id = meta_rollup_id(r, new, a);
	rb->old_table = schema_rollup_table(a, r, old);
	rb->twin = rb->sr->table;
	rb->twin.name = schema_rollup_table(a, r, new);
	struct tally_column *columns = arena_alloc(a, rb->twin.ncolumns * sizeof *columns);
	memcpy(columns, rb->sr->table.columns, rb->twin.ncolumns * sizeof *columns);
	columns[RLC_NODE].merge = TALLY_M_KEY;
	rb->twin.columns = columns;
	return 0;
}

static int look(struct rebuild *rb)
{
	int rc = read_meta(rb);
	if (rc == 0)
		rc = parse_key(rb);
	if (rc == 0)
		rc = rebuild_all_there(rb);
	if (rc)
		return rc;
	remember_resolve(&rb->mem, rb->opt->schema, true, &rb->meta);
	rb->old_horizon_us = rb->meta.rollup_horizon_us[rb->sr->rollup->id];
	rb->raw_horizon_us = remember_horizon(&rb->mem, META_EVENTS, INT64_MIN);
	rc = choose_range(rb);
	return rc == 0 ? choose_numbers(rb) : rc;
}

int rebuild_look(struct rebuild *rb)
{
	int rc = find_rollup(rb);
	if (rc == 0)
		rc = rebuild_begin(rb);
	if (rc)
		return rc;
	rc = look(rb);
	rebuild_end(rb);
	for (size_t i = 0; i < rb->nnodes; i++)
		rb->nodes[i].lsn = rb->nodes[i].idx = -1;
	return rc;
}
