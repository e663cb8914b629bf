/* SPDX-License-Identifier: Apache-2.0 */
/* The fixed tables are written down here; a rollup's are made from its declaration.
 *
 * Invariant: the columns of a table follow from the declaration alone, so every node and every start finds the same
 * ones. Names are safe to quote and at most 64 bytes, whatever a prop is called. */
#include "ship/schema.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "conf/conf.h"
#include "event/event.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

#define SITE_BYTES 128
#define LINE_BYTES 64
#define JSON_BYTES ((1u << 24) - 1)
#define META_BYTES 65535
#define NAME_MAX_BYTES 48 /* of a made name; leaves room for a prefix within the 64 of MariaDB */

#define INT(name_, merge_)                                          \
	{                                                           \
		.name = name_, .type = TALLY_T_INT, .merge = merge_ \
	}
#define TEXT(name_, merge_, max_)                                                       \
	{                                                                               \
		.name = name_, .type = TALLY_T_TEXT, .merge = merge_, .max_bytes = max_ \
	}
#define COUNT(columns) (sizeof(columns) / sizeof *(columns))

static const struct tally_column event_columns[EVC_COLUMNS] = {
	[EVC_NODE] = INT("node", TALLY_M_NODE),
	[EVC_LSN] = INT("lsn", TALLY_M_KEY),
	[EVC_IDX] = INT("idx", TALLY_M_KEY),
	[EVC_SITE] = TEXT("site", TALLY_M_SET, SITE_BYTES),
	[EVC_ID] = TEXT("id", TALLY_M_SET, EVENT_ID_MAX),
	[EVC_NAME] = TEXT("name", TALLY_M_SET, EVENT_NAME_MAX),
	[EVC_TIME] = INT("time", TALLY_M_SET),
	[EVC_RECEIVED] = INT("received", TALLY_M_SET),
	[EVC_VISITOR] = TEXT("visitor", TALLY_M_SET, EVENT_ID_MAX),
	[EVC_USER] = TEXT("user", TALLY_M_SET, EVENT_ID_MAX),
	[EVC_HOST] = TEXT("host", TALLY_M_SET, EVENT_URL_MAX),
	[EVC_PAGE] = TEXT("page", TALLY_M_SET, EVENT_URL_MAX),
	[EVC_REFERRER] = TEXT("referrer", TALLY_M_SET, EVENT_URL_MAX),
	[EVC_VALUE] = { .name = "value", .type = TALLY_T_REAL, .merge = TALLY_M_SET, .nullable = 1 },
	[EVC_WEIGHT] = INT("weight", TALLY_M_SET),
	[EVC_PROPS] = { .name = "props", .type = TALLY_T_JSON, .merge = TALLY_M_SET, .max_bytes = JSON_BYTES },
};

static const struct tally_column dead_columns[] = {
	INT("node", TALLY_M_NODE),
	TEXT("line", TALLY_M_KEY, LINE_BYTES),
	INT("lsn", TALLY_M_KEY),
	INT("idx", TALLY_M_KEY),
	TEXT("site", TALLY_M_SET, SITE_BYTES),
	INT("time", TALLY_M_SET),
	INT("code", TALLY_M_SET),
	TEXT("error", TALLY_M_SET, 512),
	{ .name = "raw", .type = TALLY_T_BLOB, .merge = TALLY_M_SET, .max_bytes = JSON_BYTES },
};

static const struct tally_column revision_columns[] = {
	TEXT("site", TALLY_M_KEY, SITE_BYTES),
	INT("day", TALLY_M_KEY),
	INT("node", TALLY_M_NODE),
	INT("lsn", TALLY_M_MAX),
	INT("generation", TALLY_M_ADD),
};

static const struct tally_column ledger_columns[] = {
	INT("node", TALLY_M_NODE),
	TEXT("line", TALLY_M_KEY, LINE_BYTES),
	TEXT("site", TALLY_M_KEY, SITE_BYTES),
	INT("stored", TALLY_M_ADD),
	INT("dead", TALLY_M_ADD),
	INT("thinned", TALLY_M_ADD),
	INT("lost", TALLY_M_ADD),
	INT("dropped", TALLY_M_ADD),
};

static const struct tally_column meta_columns[] = {
	TEXT("name", TALLY_M_KEY, 128),
	TEXT("value", TALLY_M_FIRST, META_BYTES),
	{ .name = "horizon", .type = TALLY_T_INT, .merge = TALLY_M_MAX, .nullable = 1 },
};

static const struct tally_column gap_columns[] = {
	INT("node", TALLY_M_NODE),
	TEXT("line", TALLY_M_KEY, LINE_BYTES),
	TEXT("site", TALLY_M_KEY, SITE_BYTES),
	TEXT("reason", TALLY_M_KEY, 32),
	INT("events", TALLY_M_ADD),
	INT("last", TALLY_M_MAX),
};

/* What a visit is, at(VIC_…) being the column in a table that has it. */
#define VISIT_FORM(at)                                                                                              \
	[at(VIC_SITE)] = TEXT("site", TALLY_M_SET, SITE_BYTES), [at(VIC_TIME)] = INT("time", TALLY_M_SET),          \
	[at(VIC_VISITS)] = INT("visits", TALLY_M_SET), [at(VIC_BOUNCES)] = INT("bounces", TALLY_M_SET),             \
	[at(VIC_DURATION)] = INT("duration", TALLY_M_SET), [at(VIC_VIEWS)] = INT("views", TALLY_M_SET),             \
	[at(VIC_ENTRY)] = TEXT("entry_page", TALLY_M_SET, EVENT_URL_MAX),                                           \
	[at(VIC_EXIT)] = TEXT("exit_page", TALLY_M_SET, EVENT_URL_MAX),                                             \
	[at(VIC_REFERRER)] = TEXT("referrer", TALLY_M_SET, EVENT_URL_MAX), VALUE(at, TALLY_VISIT_SOURCE, "source"), \
	VALUE(at, TALLY_VISIT_CHANNEL, "channel"), VALUE(at, TALLY_VISIT_UTM_SOURCE, "utm_source"),                 \
	VALUE(at, TALLY_VISIT_UTM_MEDIUM, "utm_medium"), VALUE(at, TALLY_VISIT_UTM_CAMPAIGN, "utm_campaign"),       \
	VALUE(at, TALLY_VISIT_UTM_CONTENT, "utm_content"), VALUE(at, TALLY_VISIT_UTM_TERM, "utm_term"),             \
	VALUE(at, TALLY_VISIT_DEVICE, "device"), VALUE(at, TALLY_VISIT_BROWSER, "browser"),                         \
	VALUE(at, TALLY_VISIT_OS, "os"), VALUE(at, TALLY_VISIT_COUNTRY, "country")
#define VALUE(at, which, name) [at(VIC_VALUES + (which))] = TEXT(name, TALLY_M_SET, EVENT_PROP_TEXT_MAX)
#define ITSELF(column) (column)

static const struct tally_column visit_columns[VIC_COLUMNS] = {
	[VIC_NODE] = INT("node", TALLY_M_NODE),
	[VIC_LSN] = INT("lsn", TALLY_M_KEY),
	[VIC_IDX] = INT("idx", TALLY_M_KEY),
	VISIT_FORM(ITSELF),
};

static const struct tally_column visit_change_columns[VCC_COLUMNS] = {
	[VCC_NODE] = INT("node", TALLY_M_NODE),
	[VCC_BATCH] = INT("batch", TALLY_M_KEY),
	[VCC_LSN] = INT("lsn", TALLY_M_KEY),
	[VCC_IDX] = INT("idx", TALLY_M_KEY),
	[VCC_NOW] = INT("now", TALLY_M_KEY),
	VISIT_FORM(VCC_OF),
};

static const struct tally_column salt_columns[] = {
	INT("day", TALLY_M_KEY),
	{ .name = "salt", .type = TALLY_T_BLOB, .merge = TALLY_M_FIRST, .max_bytes = 16 },
};

static const struct tally_table fixed_tables[SCHEMA_FIXED] = {
	[SCHEMA_EVENT] = { "tally_event", event_columns, EVC_COLUMNS, 1, "site, time",
		"one row an event, as it was taken" },
	[SCHEMA_DEAD] = { "tally_dead", dead_columns, COUNT(dead_columns), 0, NULL,
		"events that the store or a plugin refused: in no other table" },
	[SCHEMA_REVISION] = { "tally_revision", revision_columns, COUNT(revision_columns), 0, NULL,
		"what was last written for a site and UTC day: versions of cached answers" },
	[SCHEMA_LEDGER] = { "tally_ledger", ledger_columns, COUNT(ledger_columns), 0, NULL,
		"what became of the events a line was given, by site: the terms of /v1/ledger" },
	[SCHEMA_META] = { "tally_meta", meta_columns, COUNT(meta_columns), 0, NULL,
		"what the store knows of itself: schema version, hash key, rollups and their horizons" },
	[SCHEMA_GAP] = { "tally_gap", gap_columns, COUNT(gap_columns), 0, NULL,
		"events that were taken and that a line never got, by reason" },
	[SCHEMA_VISIT] = { "tally_visit", visit_columns, VIC_COLUMNS, 0, "site, time",
		"visits: what a visitor did with no more than the gap of plugin session between one event and the next" },
	[SCHEMA_VISIT_CHANGE] = { "tally_visit_change", visit_change_columns, VCC_COLUMNS, 0, NULL,
		"what became of visits while a rollup with sums over them is rebuilt: empty at other times" },
	[SCHEMA_SALT] = { "tally_salt", salt_columns, COUNT(salt_columns), 0, NULL,
		"what visitors are hashed with today, shared by the nodes: leave it out of dumps" },
};

/* ---- what came later ---- */

uint32_t schema_columns_at_first(const struct schema *s, const struct tally_table *t)
{
	return t == &s->fixed[SCHEMA_VISIT] ? VIC_VALUES : t->ncolumns;
}

const char *schema_later_name(const struct schema *s, const struct tally_table *t)
{
	return t == &s->fixed[SCHEMA_VISIT] ? "columns/tally_visit/2" : NULL;
}

/* ---- names ---- */

/* Bytes outside [a-z0-9_] become _xx; too long a name keeps its beginning and gets 8 hex digits of a hash. */
static const char *safe_name(struct arena *a, const char *before, struct tally_str raw)
{
	static const uint8_t no_key[16];
	size_t room = strlen(before) + raw.len * 3 + 1, n = 0;
	char *out = arena_alloc(a, room);
	n = (size_t)snprintf(out, room, "%s", before);
	for (size_t i = 0; i < raw.len; i++) {
		unsigned char c = (unsigned char)raw.ptr[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
		n += (size_t)snprintf(out + n, room - n, plain ? "%c" : "_%02x", c);
	}
	if (n <= NAME_MAX_BYTES)
		return out;
	uint64_t h = hash_keyed64(no_key, out, n);
	return arena_printf(a, "%.*s_%08x", NAME_MAX_BYTES - 9, out, (unsigned)(h >> 32));
}

/* ---- the columns of one rollup ---- */

struct maker {
	struct arena *arena;
	struct tally_column *columns;
	uint32_t n;
};

/* Two props may come to the same name ("A" and "_41"): the later one gets a number. */
static const char *free_name(struct maker *m, const char *name)
{
	const char *candidate = name;
	unsigned number = 1;
	for (uint32_t i = 0; i < m->n; i++)
		if (strcmp(m->columns[i].name, candidate) == 0) {
			candidate = arena_printf(m->arena, "%s_%u", name, ++number);
			i = (uint32_t)-1; /* look again from the first */
		}
	return candidate;
}

static void add(struct maker *m, const char *name, uint32_t type, uint32_t merge, uint32_t max_bytes, uint32_t nullable)
{
	m->columns[m->n] = (struct tally_column){ free_name(m, name), type, merge, max_bytes, nullable };
	m->n++;
}

static void add_dimension(struct maker *m, const struct tally_dimension *d)
{
	static const struct {
		const char *name;
		uint32_t max_bytes;
	} known[] = {
		[TALLY_DIM_NAME] = { "event_name", EVENT_NAME_MAX },
		[TALLY_DIM_PAGE] = { "event_page", EVENT_URL_MAX },
		[TALLY_DIM_HOST] = { "event_hostname", EVENT_URL_MAX },
		[TALLY_DIM_REFERRER] = { "visit_referrer", EVENT_URL_MAX },
		[TALLY_DIM_ENTRY_PAGE] = { "visit_entry_page", EVENT_URL_MAX },
		[TALLY_DIM_EXIT_PAGE] = { "visit_exit_page", EVENT_URL_MAX },
	};
	if (d->kind == TALLY_DIM_PROP) {
		/* "$browser", a key of our own, is visit_browser; "utm_source", which anybody may send, props_utm_source */
		const char *visit = str_starts(d->key, STR("$")) ? conf_visit_name(d->key) : NULL;
		const char *name = visit ? arena_printf(m->arena, "visit_%s", visit + strlen("visit:"))
					 : safe_name(m->arena, "props_", d->key);
		add(m, name, TALLY_T_TEXT, TALLY_M_FIRST, EVENT_PROP_TEXT_MAX, 0);
		return;
	}
	MUST(d->kind < COUNT(known));
	add(m, known[d->kind].name, TALLY_T_TEXT, TALLY_M_FIRST, known[d->kind].max_bytes, 0);
}

/* "sum_value", "sum_props_x" */
static const char *field_name(struct maker *m, const char *what, const struct tally_metric *metric)
{
	if (!metric->is_prop)
		return arena_printf(m->arena, "%s_value", what);
	return safe_name(m->arena, arena_printf(m->arena, "%s_props_", what), metric->field);
}

static void add_metric(struct maker *m, const struct tally_metric *metric)
{
	switch (metric->kind) {
	case TALLY_EVENTS:
		add(m, "events", TALLY_T_INT, TALLY_M_ADD, 0, 0);
		return;
	case TALLY_PAGEVIEWS:
		add(m, "pageviews", TALLY_T_INT, TALLY_M_ADD, 0, 0);
		return;
	case TALLY_VISITORS:
		add(m, "visitors_hll", TALLY_T_BLOB, TALLY_M_HLL, HLL_ROOM, 0);
		add(m, "visitors", TALLY_T_INT, TALLY_M_ESTIMATE, 0, 0);
		return;
	case TALLY_SUM:
		add(m, field_name(m, "sum", metric), TALLY_T_REAL, TALLY_M_ADD, 0, 0);
		add(m, field_name(m, "count", metric), TALLY_T_INT, TALLY_M_ADD, 0, 0);
		return;
	case TALLY_MIN:
		add(m, field_name(m, "min", metric), TALLY_T_REAL, TALLY_M_MIN, 0, 1);
		return;
	case TALLY_MAX:
		add(m, field_name(m, "max", metric), TALLY_T_REAL, TALLY_M_MAX, 0, 1);
		return;
	case TALLY_QUANTILE:
		add(m, field_name(m, "quantiles", metric), TALLY_T_BLOB, TALLY_M_QUANTILE, QUANTILE_ROOM, 0);
		add(m, field_name(m, "p50", metric), TALLY_T_REAL, TALLY_M_ESTIMATE, 0, 1);
		return;
	case TALLY_VISITS:
		add(m, "visits", TALLY_T_INT, TALLY_M_ADD, 0, 0);
		return;
	case TALLY_BOUNCES:
		add(m, "bounces", TALLY_T_INT, TALLY_M_ADD, 0, 0);
		return;
	case TALLY_DURATION:
		add(m, "duration", TALLY_T_INT, TALLY_M_ADD, 0, 0);
		return;
	case TALLY_VIEWS:
		add(m, "views", TALLY_T_INT, TALLY_M_ADD, 0, 0);
		return;
	}
	MUST(!"a metric that the configuration does not let through");
}

const char *schema_rollup_table(struct arena *a, const struct tally_rollup *r, unsigned number)
{
	const char *numbered;
	if (number < 2)
		return safe_name(a, "tally_rollup_", r->name);
	numbered = arena_printf(a, "%.*s__%u", (int)r->name.len, r->name.ptr, number);
	return safe_name(a, "tally_rollup_", str_of(numbered));
}

void schema_set_table(const struct schema *s, size_t rollup, const char *name)
{
	struct schema_rollup *r = (struct schema_rollup *)(uintptr_t)&s->rollups[rollup];
	r->table.name = name;
}

/* The rows of a bucket by their events: what a top list reads first, and nothing more of (desk/top.c). */
static const char *rank_index(const struct tally_rollup *r)
{
	bool events = false, visitors = false;
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		events |= r->metrics[i].kind == TALLY_EVENTS;
		visitors |= r->metrics[i].kind == TALLY_VISITORS;
	}
	if (r->ndims == 0 || !events)
		return NULL;
	return visitors ? "site, grain, bucket, events, visitors" : "site, grain, bucket, events";
}

static void make_rollup(struct arena *a, const struct tally_rollup *r, struct schema_rollup *out)
{
	uint32_t *first = arena_zalloc(a, (r->nmetrics + 1) * sizeof *first);
	struct maker m = { .arena = a };
	m.columns = arena_zalloc(a, (RLC_FIXED + r->ndims + 2 * r->nmetrics) * sizeof *m.columns);
	add(&m, "site", TALLY_T_TEXT, TALLY_M_KEY, SITE_BYTES, 0);
	add(&m, "grain", TALLY_T_INT, TALLY_M_KEY, 0, 0);
	add(&m, "bucket", TALLY_T_INT, TALLY_M_KEY, 0, 0);
	add(&m, "key", TALLY_T_BLOB, TALLY_M_KEY, 16, 0);
	add(&m, "node", TALLY_T_INT, TALLY_M_NODE, 0, 0);
	MUST(m.n == RLC_FIXED);
	for (uint32_t i = 0; i < r->ndims; i++)
		add_dimension(&m, &r->dims[i]);
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		first[i] = m.n;
		add_metric(&m, &r->metrics[i]);
	}
	*out = (struct schema_rollup){ .rollup = r, .metric_column = first, .first_dim = RLC_FIXED };
	out->table = (struct tally_table){ .name = schema_rollup_table(a, r, 1),
		.columns = m.columns,
		.ncolumns = m.n,
		.index = rank_index(r),
		.help = "sums by site, grain, bucket and the rollup's dimensions" };
}

const struct schema *schema_make(struct arena *a, const struct tally_rollup *rollups, size_t n)
{
	struct schema *s = arena_zalloc(a, sizeof *s);
	struct schema_rollup *made = arena_zalloc(a, (n + 1) * sizeof *made);
	const struct tally_table **tables = arena_zalloc(a, (SCHEMA_FIXED + n) * sizeof *tables);
	memcpy(s->fixed, fixed_tables, sizeof fixed_tables);
	for (size_t i = 0; i < SCHEMA_FIXED; i++)
		tables[s->ntables++] = &s->fixed[i];
	for (size_t i = 0; i < n; i++) {
		make_rollup(a, &rollups[i], &made[i]);
		tables[s->ntables++] = &made[i].table;
	}
	s->rollups = made;
	s->nrollups = n;
	s->tables = tables;
	return s;
}

/* bytes hashed: u32 length, value; for each dimension */
void schema_rollup_key(const uint8_t hash_key[16], const struct tally_str *dims, size_t n, uint8_t out[16])
{
	uint8_t small[512] = { 0 }, *buf = small;
	size_t bytes = 0, at = 0;
	for (size_t i = 0; i < n; i++)
		bytes += 4 + dims[i].len;
	if (bytes > sizeof small)
		MUST((buf = malloc(bytes)) != NULL);
	for (size_t i = 0; i < n; i++) {
		put_u32(buf + at, (uint32_t)dims[i].len);
		if (dims[i].len)
			memcpy(buf + at + 4, dims[i].ptr, dims[i].len);
		at += 4 + dims[i].len;
	}
	hash_keyed128(hash_key, buf, bytes, out);
	if (buf != small)
		free(buf);
}
