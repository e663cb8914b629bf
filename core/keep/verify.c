/* SPDX-License-Identifier: Apache-2.0 */
#include "keep/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "keep/verify_inner.h"

#define MINUTE_US (INT64_C(60) * 1000000)
#define QUARTER_US (15 * MINUTE_US)

static const enum zone_unit units[TALLY_GRAINS] = { ZONE_MINUTE, ZONE_QUARTER, ZONE_DAY, ZONE_MONTH };
static const char *const grain_words[TALLY_GRAINS] = { "minute", "quarter", "day", "month" };

/* ---- telling ---- */

static bool begin(struct text_out *o, struct verify_result *r, const char *line, const char *what)
{
	if (r->differences++ >= VERIFY_SHOWN)
		return false;
	text_json_begin(o, '{');
	text_json_member_string(o, "line", str_of(line));
	text_json_member_string(o, "what", str_of(what));
	return true;
}

void verify_say(struct text_out *o, struct verify_result *r, const char *line, const char *what, const char *words)
{
	if (!begin(o, r, line, what))
		return;
	text_json_member_string(o, "words", str_of(words));
	text_json_end(o, '}');
}

static void say_counts(struct verify *v, const char *what, int64_t node, struct tally_str site, const char *metric,
	int64_t is, int64_t rows)
{
	struct text_out *o = v->out;
	if (is == rows || !begin(o, v->result, v->opt->line, what))
		return;
	text_json_member_int(o, "node", node);
	text_json_member_string(o, "site", site);
	text_json_member_string(o, "metric", str_of(metric));
	text_json_member_int(o, "is", is);
	text_json_member_int(o, "raw", rows);
	text_json_end(o, '}');
}

void verify_say_bucket(struct verify *v, const struct schema_rollup *r, int grain, const struct verify_cell *c,
	const char *metric, double is, double raw)
{
	struct text_out *o = v->out;
	char when[40];
	if (!begin(o, v->result, v->opt->line, "rollup"))
		return;
	size_t n = zone_format(zone_utc(), c->bucket_us, when);
	text_json_member_string(o, "rollup", r->rollup->name);
	text_json_member_string(o, "grain", str_of(grain_words[grain]));
	text_json_member_int(o, "node", c->node);
	text_json_member_string(o, "site", c->site);
	text_json_member_string(o, "bucket", str_make(when, n));
	text_json_member_string(o, "metric", str_of(metric));
	text_json_member_double(o, "is", is);
	text_json_member_double(o, "raw", raw);
	text_json_end(o, '}');
}

/* ---- what the raw rows come to ---- */

struct verify_cell *verify_cell_of(
	struct verify *v, struct table *t, int64_t node, struct tally_str site, int64_t bucket, bool make)
{
	char small[16 + 256], *key = site.len <= 256 ? small : arena_alloc(&v->arena, 16 + site.len);
	memcpy(key, &node, 8);
	memcpy(key + 8, &bucket, 8);
	memcpy(key + 16, site.ptr, site.len);
	struct tally_str k = str_make(key, 16 + site.len);
	if (!make)
		return table_get(t, k);
	void **at = table_place(t, k);
	if (!*at) {
		struct verify_cell *c = arena_zalloc(&v->arena, sizeof *c);
		*c = (struct verify_cell){ .node = node, .bucket_us = bucket, .site = arena_str(&v->arena, site) };
		*at = c;
	}
	return *at;
}

static void add(struct verify_cell *to, const struct verify_cell *c)
{
	for (int i = 0; i < VS_COUNTS; i++)
		to->counts[i] += c->counts[i];
	to->value += c->value;
	to->size += c->size;
}

static const struct zone *zone_of(const struct verify *v, struct tally_str site)
{
	return meta_site_zone(&v->meta, v->opt->conf, site);
}

static void take_minute(struct verify *v, const struct verify_cell *c, const struct schema_rollup *r, int grain)
{
	(void)r;
	(void)grain;
	add(verify_cell_of(v, &v->raw[TALLY_MINUTE], c->node, c->site, c->bucket_us, true), c);
}

/* A quarter hour is in one day and month of every zone. */
static void take_quarter(struct verify *v, const struct verify_cell *c, const struct schema_rollup *r, int grain)
{
	const struct zone *z = zone_of(v, c->site);
	(void)r;
	(void)grain;
	for (int g = TALLY_QUARTER; g < TALLY_GRAINS; g++) {
		int64_t bucket = g == TALLY_QUARTER ? c->bucket_us : zone_floor(z, units[g], c->bucket_us);
		add(verify_cell_of(v, &v->raw[g], c->node, c->site, bucket, true), c);
	}
	add(verify_cell_of(v, &v->total, c->node, c->site, 0, true), c);
	v->result->events += c->counts[VS_EVENTS];
}

/* ---- a rollup against it ---- */

int64_t verify_horizon_of(const struct verify *v, const struct schema_rollup *r, int g, struct tally_str site)
{
	struct meta there = v->meta;
	if (there.events_horizon_us > there.grain_horizon_us[g])
		there.grain_horizon_us[g] = there.events_horizon_us; /* before it there is nothing to compare with */
	return meta_first_bucket(
		&there, v->opt->conf, (uint32_t)(r - v->opt->schema->rollups), (enum tally_grain)g, site);
}

static bool has(const struct tally_rollup *r, enum tally_metric_kind kind)
{
	for (uint32_t i = 0; i < r->nmetrics; i++)
		if (r->metrics[i].kind == kind && (kind != TALLY_SUM || !r->metrics[i].is_prop))
			return true;
	return false;
}

/* Visits that began before the store had any are in neither place as a whole. */
static bool is_whole(const struct verify *v, const struct verify_cell *c)
{
	return c->bucket_us >= v->meta.visits_horizon_us;
}

static void compare(struct verify *v, const struct schema_rollup *r, int grain, const struct verify_cell *is,
	const struct verify_cell *raw)
{
	static const struct {
		enum tally_metric_kind kind;
		enum verify_sum sum;
		const char *name;
	} counts[] = { { TALLY_EVENTS, VS_EVENTS, "events" }, { TALLY_PAGEVIEWS, VS_PAGEVIEWS, "pageviews" },
		{ TALLY_SUM, VS_COUNT_VALUE, "count:value" }, { TALLY_VISITS, VS_VISITS, "visits" },
		{ TALLY_BOUNCES, VS_BOUNCES, "bounces" }, { TALLY_DURATION, VS_DURATION, "duration" },
		{ TALLY_VIEWS, VS_VIEWS, "views" } };
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (has(r->rollup, counts[i].kind) && (counts[i].sum < VS_VISITS || is_whole(v, raw)) &&
			is->counts[counts[i].sum] != raw->counts[counts[i].sum])
			verify_say_bucket(v, r, grain, raw, counts[i].name, (double)is->counts[counts[i].sum],
				(double)raw->counts[counts[i].sum]);
	if (has(r->rollup, TALLY_SUM) && fabs(is->value - raw->value) > 1e-9 * (raw->size + is->size))
		verify_say_bucket(v, r, grain, raw, "sum:value", is->value, raw->value);
}

static unsigned turn_of(const struct verify *v, const struct schema_rollup *r, int grain)
{
	return (unsigned)(r - v->opt->schema->rollups) * TALLY_GRAINS + (unsigned)grain + 1;
}

static void take_rollup(struct verify *v, const struct verify_cell *c, const struct schema_rollup *r, int grain)
{
	static const struct verify_cell nothing;
	v->result->rollup_rows++;
	if (grain < 0 || grain >= TALLY_GRAINS || c->bucket_us < verify_horizon_of(v, r, grain, c->site))
		return; /* of a retention that is not through yet; nobody reads it */
	struct verify_cell *raw = verify_cell_of(v, &v->raw[grain], c->node, c->site, c->bucket_us, false),
			   none = nothing;
	if (!raw) {
		none = (struct verify_cell){ .node = c->node, .site = c->site, .bucket_us = c->bucket_us };
		raw = &none;
	}
	raw->seen = turn_of(v, r, grain);
	compare(v, r, grain, c, raw);
}

static void find_missing(struct verify *v, const struct schema_rollup *r, int grain)
{
	static const struct verify_cell nothing;
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&v->raw[grain], &at));) {
		const struct verify_cell *raw = e->value;
		if (raw->seen != turn_of(v, r, grain) && raw->bucket_us >= verify_horizon_of(v, r, grain, raw->site))
			compare(v, r, grain, &nothing, raw);
	}
}

static int check_rollups(struct verify *v)
{
	const struct schema *s = v->opt->schema;
	int rc = 0;
	for (size_t i = 0; i < s->nrollups && rc == 0; i++) {
		if (v->meta.rollup_horizon_us[i] == INT64_MAX)
			continue;
		rc = verify_read_rollup(v, &s->rollups[i], take_rollup);
		for (int g = 0; g < TALLY_GRAINS && rc == 0; g++)
			find_missing(v, &s->rollups[i], g);
		if (rc == 0)
			rc = verify_sketches(v, &s->rollups[i]);
	}
	return rc;
}

/* ---- ledger and positions ---- */

static void take_counts(struct verify *v, int64_t node, struct tally_str site, int64_t stored, int64_t dead)
{
	struct verify_cell *c = verify_cell_of(v, &v->total, node, site, 0, true);
	c->seen = 1;
	if (v->meta.events_horizon_us == INT64_MIN || stored < c->counts[VS_EVENTS])
		say_counts(v, "ledger", node, site, "stored", stored, c->counts[VS_EVENTS]);
	say_counts(v, "ledger", node, site, "dead", dead, (int64_t)c->size);
}

/* `size` of the totals is of no use otherwise: it takes the number of dead letters. */
static void take_dead(struct verify *v, int64_t node, struct tally_str site, int64_t n)
{
	verify_cell_of(v, &v->total, node, site, 0, true)->size = (double)n;
}

static void forget_sizes(struct verify *v)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&v->total, &at));)
		((struct verify_cell *)e->value)->size = 0;
}

static void find_uncounted(struct verify *v)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&v->total, &at));) {
		const struct verify_cell *c = e->value;
		if (!c->seen)
			say_counts(v, "ledger", c->node, c->site, "stored", 0, c->counts[VS_EVENTS]);
	}
}

static void take_position(struct verify *v, int64_t node, struct tally_str uuid, struct tally_position at, int64_t last)
{
	if (str_eq(uuid, str_of(v->opt->node_uuid))) {
		v->result->has_position = true;
		v->result->position = at;
	}
	if (last < 0 || (uint64_t)last < at.lsn)
		return;
	verify_say(v->out, v->result, v->opt->line, "position",
		arena_printf(&v->arena, "node %" PRId64 " stands at lsn %" PRIu64 " but has a row of lsn %" PRId64,
			node, at.lsn, last));
}

static int64_t least_minute(const struct verify *v)
{
	int64_t h = v->meta.grain_horizon_us[TALLY_MINUTE];
	return h == INT64_MIN ? h : h - h % MINUTE_US;
}

static int check_all(struct verify *v)
{
	int rc = verify_read_horizons(v);
	if (rc == 0)
		rc = verify_read_raw(v, QUARTER_US, INT64_MIN, TALLY_QUARTER, take_quarter);
	if (rc == 0)
		rc = verify_read_raw(v, MINUTE_US, least_minute(v), TALLY_MINUTE, take_minute);
	if (rc == 0)
		rc = verify_read_visits(v, QUARTER_US, INT64_MIN, TALLY_QUARTER, take_quarter);
	if (rc == 0)
		rc = verify_read_visits(v, MINUTE_US, least_minute(v), TALLY_MINUTE, take_minute);
	if (rc == 0)
		rc = check_rollups(v);
	forget_sizes(v);
	if (rc == 0)
		rc = verify_read_dead(v, take_dead);
	if (rc == 0)
		rc = verify_read_counts(v, take_counts);
	if (rc == 0)
		find_uncounted(v);
	return rc == 0 ? verify_read_positions(v, take_position) : rc;
}

int verify_store(const struct verify_options *opt, struct text_out *o, struct verify_result *r)
{
	struct verify v = { .opt = opt, .result = r, .out = o };
	const struct tally_sink *sink = opt->sink;
	if (sink->reader_open(opt->self, &v.reader) != 0) {
		snprintf(r->error, sizeof r->error, "sink %s cannot be read", opt->line);
		return -EIO;
	}
	arena_init(&v.arena, 1 << 16);
	int rc = sink->read_begin(v.reader);
	if (rc != 0) {
		snprintf(r->error, sizeof r->error, "sink %s: %.200s", opt->line, sink->reader_error(v.reader));
	} else {
		rc = check_all(&v);
		sink->read_end(v.reader);
	}
	sink->reader_close(v.reader);
	for (int g = 0; g < TALLY_GRAINS; g++)
		table_free(&v.raw[g]);
	table_free(&v.total);
	arena_free(&v.arena);
	return rc;
}
