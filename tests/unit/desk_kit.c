/* SPDX-License-Identifier: Apache-2.0 */
#include "desk_kit.h"

#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/table.h"
#include "desk/params.h"
#include "event/event.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

#define NODE_A "01920000-0000-7000-8000-00000000000a"
#define NODE_B "01920000-0000-7000-8000-00000000000b"

/* ---- rollups ---- */

static const struct tally_dimension by_page[] = { { .kind = TALLY_DIM_NAME }, { .kind = TALLY_DIM_PAGE } };
static const struct tally_dimension by_item[] = { { .kind = TALLY_DIM_NAME },
	{ .kind = TALLY_DIM_PROP, .key = { "item", 4 } } };
static const struct tally_metric of_total[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITORS },
	{ .kind = TALLY_SUM }, { .kind = TALLY_MIN }, { .kind = TALLY_MAX }, { .kind = TALLY_QUANTILE } };
static const struct tally_metric of_pages[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITORS } };
static const struct tally_metric of_items[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_SUM },
	{ .kind = TALLY_SUM, .is_prop = 1, .field = { "price", 5 } } };
static const struct tally_metric of_prices[] = { { .kind = TALLY_MIN, .is_prop = 1, .field = { "price", 5 } },
	{ .kind = TALLY_MAX, .is_prop = 1, .field = { "price", 5 } },
	{ .kind = TALLY_QUANTILE, .is_prop = 1, .field = { "price", 5 } } };

const struct tally_rollup kit_rollups[] = {
	{ .id = 0, .nmetrics = 6, .name = { "total", 5 }, .metrics = of_total },
	{ .id = 1, .ndims = 2, .nmetrics = 2, .name = { "pages", 5 }, .dims = by_page, .metrics = of_pages },
	{ .id = 2, .ndims = 2, .nmetrics = 3, .name = { "items", 5 }, .dims = by_item, .metrics = of_items },
	{ .id = 3, .ndims = 1, .nmetrics = 3, .name = { "prices", 6 }, .dims = by_item + 1, .metrics = of_prices },
};
const size_t kit_nrollups = sizeof kit_rollups / sizeof kit_rollups[0];

/* ---- open and close ---- */

static const struct conf_site sites[] = {
	/* the default, then by name: conf_site() searches */
	{ .name = "default", .timezone = "UTC", .past_us = INT64_MAX, .future_us = INT64_MAX },
	{ .name = "india.example", .timezone = "Asia/Kolkata", .past_us = INT64_MAX, .future_us = INT64_MAX },
	{ .name = "rock.example", .timezone = "America/St_Johns", .past_us = INT64_MAX, .future_us = INT64_MAX },
	{ .name = KIT_SITE, .timezone = "Europe/Berlin", .past_us = INT64_MAX, .future_us = INT64_MAX },
};

static const struct tally_sink *module(void)
{
	static void *handle;
	char path[512];
	const char *dir = getenv("TALLY_TEST_PLUGINS");
	snprintf(path, sizeof path, "%s/sqlite.so", dir ? dir : "plugins/.libs");
	if (!handle && !(handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)))
		fail_msg("%s", dlerror());
	return dlsym(handle, "tally_sink");
}

static void open_node(struct kit *k, int i, const char *uuid)
{
	struct conf_pair path = { "path", "store.db", "test:1:1" };
	struct conf_sink cs = { .plugin = "sqlite", .name = "main", .prefix = "", .options = &path, .noptions = 1 };
	int64_t forever[TALLY_GRAINS] = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };
	const struct meta *meta;
	char why[512] = "";
	cs.place = "test:1:1";
	if (ship_host_open(k->sink, &cs, &k->conf, k->schema, uuid, &k->node[i], why))
		fail_msg("%s", why);
	assert_int_equal(k->sink->position(k->node[i]->self, &k->at[i]), TALLY_SINK_OK);
	assert_int_equal(meta_complete(k->node[i], k->at[i], forever, KIT_NOW, &k->arena, &meta), TALLY_SINK_OK);
	memcpy(k->hash_key, meta->hash_key, sizeof k->hash_key);
}

struct kit *kit_open(void)
{
	struct kit *k = calloc(1, sizeof *k);
	assert_non_null(k);
	arena_init(&k->arena, 0);
	k->rollups = kit_rollups;
	k->nrollups = kit_nrollups;
	k->schema = schema_make(&k->arena, kit_rollups, kit_nrollups);
	strcpy(k->dir, "/tmp/tally-desk-XXXXXX");
	assert_non_null(mkdtemp(k->dir));
	k->conf.data_dir = k->dir;
	k->conf.sites = sites;
	k->conf.nsites = sizeof sites / sizeof sites[0];
	k->conf.limits.query_rows = 100000;
	k->conf.limits.query_timeout_us = 60000000;
	k->sink = module();
	open_node(k, 0, NODE_A);
	open_node(k, 1, NODE_B);
	struct store_options so = { .sink = k->sink,
		.self = k->node[0]->self,
		.prefix = "",
		.schema = k->schema,
		.config_hash = 7,
		.max_rows = k->conf.limits.query_rows,
		.timeout_us = k->conf.limits.query_timeout_us };
	k->store = store_open(&so);
	return k;
}

void kit_close(struct kit *k)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char path[128];
	store_close(k->store);
	ship_host_close(k->node[0]);
	ship_host_close(k->node[1]);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/store.db%s", k->dir, suffixes[i]);
		unlink(path);
	}
	rmdir(k->dir);
	arena_free(&k->arena);
	free(k);
}

void kit_sql(struct kit *k, const char *fmt, ...)
{
	char sql[1024], path[128], *words = NULL;
	sqlite3 *db;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(sql, sizeof sql, fmt, ap);
	va_end(ap);
	snprintf(path, sizeof path, "%s/store.db", k->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s: %s", sql, words);
	sqlite3_close(db);
}

/* ---- filling: rows ---- */

static struct tally_cell text(const char *s)
{
	return (struct tally_cell){ .v.ptr = s ? s : "", .len = s ? (uint32_t)strlen(s) : 0 };
}

static struct tally_cell number(int64_t i)
{
	return (struct tally_cell){ .v.i = i };
}

static struct tally_cell real(double d)
{
	return (struct tally_cell){ .v.d = d };
}

static const struct tally_cell null_cell = { .null = 1 };

static void write_rows(struct kit *k, int node, const struct tally_table *t, const struct tally_cell *cells, size_t n)
{
	struct tally_rows rows = { t, n, cells };
	struct tally_batch b = { .from = k->at[node], .rows = &rows, .nrows = 1 };
	b.to = (struct tally_position){ k->at[node].lsn + 64, k->at[node].mark * 31 + 17 };
	if (k->sink->write(k->node[node]->self, &b) != TALLY_SINK_OK)
		fail_msg("write: %s", k->node[node]->failure.message);
	k->at[node] = b.to;
}

static const char *props_json(struct kit *k, const struct kit_event *e)
{
	struct text_out o;
	out_open(&o, &k->arena);
	out_lit(&o, "{");
	if (e->item) {
		out_lit(&o, "\"item\":");
		out_json(&o, str_of(e->item));
	}
	if (e->has_price)
		text_printf(&o, "%s\"price\":%.17g", e->item ? "," : "", e->price);
	out_lit(&o, "}");
	out_bytes(&o, "", 1);
	return out_text(&o).ptr;
}

static void put_raw(struct kit *k, const struct kit_event *e, size_t idx, struct tally_cell *c)
{
	c[EVC_NODE] = null_cell;
	c[EVC_LSN] = number((int64_t)k->lsn);
	c[EVC_IDX] = number((int64_t)idx);
	c[EVC_SITE] = text(e->site ? e->site : KIT_SITE);
	c[EVC_ID] = text(arena_printf(&k->arena, "%llu-%zu", (unsigned long long)k->lsn, idx));
	c[EVC_NAME] = text(e->name);
	c[EVC_TIME] = number(e->time_us);
	c[EVC_RECEIVED] = number(KIT_NOW);
	c[EVC_VISITOR] = text(e->visitor);
	c[EVC_USER] = text("");
	c[EVC_HOST] = text(e->host);
	c[EVC_PAGE] = text(e->page);
	c[EVC_REFERRER] = text(e->referrer);
	c[EVC_VALUE] = e->has_value ? real(e->value) : null_cell;
	c[EVC_WEIGHT] = number(e->weight ? e->weight : 1);
	c[EVC_PROPS] = text(props_json(k, e));
}

/* ---- filling: rollups ---- */

struct cell {
	int64_t bucket;
	struct tally_str site, dims[8];
	const struct kit_event **events;
	size_t n, cap;
};

static struct tally_str value_of(const struct kit_event *e, const struct tally_dimension *d)
{
	const char *const values[] = { [TALLY_DIM_NAME] = e->name,
		[TALLY_DIM_PAGE] = e->page,
		[TALLY_DIM_HOST] = e->host,
		[TALLY_DIM_REFERRER] = e->referrer,
		[TALLY_DIM_PROP] = e->item };
	return str_of(values[d->kind]);
}

static struct tally_str site_of(const struct kit_event *e)
{
	return str_of(e->site ? e->site : KIT_SITE);
}

static bool number_of(const struct kit_event *e, const struct tally_metric *m, double *out)
{
	*out = m->is_prop ? e->price : e->value;
	return m->is_prop ? e->has_price : e->has_value;
}

static void keep_event(struct kit *k, struct cell *c, const struct kit_event *e)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 4;
		const struct kit_event **more = arena_alloc(&k->arena, cap * sizeof(struct kit_event *));
		if (c->n)
			memcpy(more, c->events, c->n * sizeof(struct kit_event *));
		c->events = more;
		c->cap = cap;
	}
	c->events[c->n++] = e;
}

static void add_to(
	struct kit *k, struct table *t, const struct tally_rollup *r, int64_t bucket, const struct kit_event *e)
{
	struct text_out key;
	out_open(&key, &k->arena);
	text_printf(&key, "%lld|%.*s", (long long)bucket, (int)site_of(e).len, site_of(e).ptr);
	for (uint32_t i = 0; i < r->ndims; i++)
		text_printf(&key, "|%s", value_of(e, &r->dims[i]).ptr ? value_of(e, &r->dims[i]).ptr : "");
	struct cell **at = (struct cell **)table_place(t, out_text(&key));
	if (!*at) {
		*at = arena_zalloc(&k->arena, sizeof **at);
		(*at)->bucket = bucket;
		(*at)->site = site_of(e);
		for (uint32_t i = 0; i < r->ndims; i++)
			(*at)->dims[i] = value_of(e, &r->dims[i]);
	}
	keep_event(k, *at, e);
}

static size_t put_metric(struct kit *k, const struct cell *c, const struct tally_metric *m, struct tally_cell *out)
{
	int64_t count = 0, events = 0;
	double sum = 0, least = 0, most = 0;
	static uint8_t sketch[HLL_ROOM], quantiles[QUANTILE_ROOM];
	size_t len = 0, quantiles_len = 0;
	for (size_t i = 0; i < c->n; i++) {
		double d;
		const char *v = c->events[i]->visitor;
		events++;
		if (v && *v)
			assert_int_equal(hll_add(sketch, &len, HLL_ROOM, hll_hash(v, strlen(v))), 0);
		if (!number_of(c->events[i], m, &d))
			continue;
		sum += d;
		least = count == 0 || d < least ? d : least;
		most = count == 0 || d > most ? d : most;
		count++;
		assert_int_equal(quantile_add(quantiles, &quantiles_len, sizeof quantiles, d, 1), 0);
	}
	switch (m->kind) {
	case TALLY_EVENTS:
		out[0] = number(events);
		return 1;
	case TALLY_VISITORS:
		out[0] = (struct tally_cell){ .v.ptr = arena_copy(&k->arena, sketch, len), .len = (uint32_t)len };
		out[1] = number(len ? (int64_t)hll_estimate(sketch, len) : 0);
		return 2;
	case TALLY_QUANTILE:
		out[0] = (struct tally_cell){ .v.ptr = arena_copy(&k->arena, quantiles, quantiles_len),
			.len = (uint32_t)quantiles_len };
		out[1] = null_cell;
		return 2;
	case TALLY_SUM:
		out[0] = real(sum);
		out[1] = number(count);
		return 2;
	default:
		out[0] = count == 0 ? null_cell : real(m->kind == TALLY_MIN ? least : most);
		return 1;
	}
}

static int by_key(const void *a, const void *b)
{
	const struct tally_cell *x = *(struct tally_cell *const *)a, *y = *(struct tally_cell *const *)b;
	int c = str_cmp(str_make(x[0].v.ptr, x[0].len), str_make(y[0].v.ptr, y[0].len));
	if (c == 0)
		c = (x[2].v.i > y[2].v.i) - (x[2].v.i < y[2].v.i);
	return c ? c : memcmp(x[3].v.ptr, y[3].v.ptr, 16);
}

static struct tally_cell *make_row(struct kit *k, const struct schema_rollup *sr, uint32_t grain, const struct cell *c)
{
	const struct tally_rollup *r = sr->rollup;
	struct tally_cell *row = arena_zalloc(&k->arena, sr->table.ncolumns * sizeof *row);
	uint8_t *key = arena_alloc(&k->arena, 16);
	schema_rollup_key(k->hash_key, c->dims, r->ndims, key);
	row[RLC_SITE] = (struct tally_cell){ .v.ptr = c->site.ptr, .len = (uint32_t)c->site.len };
	row[RLC_GRAIN] = number(grain);
	row[RLC_BUCKET] = number(c->bucket);
	row[RLC_KEY] = (struct tally_cell){ .v.ptr = (char *)key, .len = 16 };
	row[RLC_NODE] = null_cell;
	for (uint32_t i = 0; i < r->ndims; i++)
		row[sr->first_dim + i] = text(c->dims[i].ptr);
	for (uint32_t i = 0; i < r->nmetrics; i++)
		put_metric(k, c, &r->metrics[i], &row[sr->metric_column[i]]);
	return row;
}

static void fill_grain(struct kit *k, int node, const struct schema_rollup *sr, uint32_t grain,
	const struct kit_event *const *events, size_t n)
{
	struct table t = { 0 };
	size_t at = 0, rows = 0;
	for (size_t i = 0; i < n; i++) {
		const struct zone *z = zone_get(conf_site(&k->conf, site_of(events[i]))->timezone);
		assert_non_null(z);
		add_to(k, &t, sr->rollup, zone_floor(z, plan_grain_unit(grain), events[i]->time_us), events[i]);
	}
	struct tally_cell **sorted = arena_alloc(&k->arena, (t.count + 1) * sizeof *sorted);
	const struct table_entry *e;
	while ((e = table_next(&t, &at)))
		sorted[rows++] = make_row(k, sr, grain, e->value);
	qsort(sorted, rows, sizeof *sorted, by_key);
	struct tally_cell *cells = arena_alloc(&k->arena, (rows + 1) * sr->table.ncolumns * sizeof *cells);
	for (size_t i = 0; i < rows; i++)
		memcpy(cells + i * sr->table.ncolumns, sorted[i], sr->table.ncolumns * sizeof *cells);
	write_rows(k, node, &sr->table, cells, rows);
	table_free(&t);
}

static void fill_revision(struct kit *k, int node, const struct kit_event *e)
{
	struct tally_cell c[5] = { text(e->site ? e->site : KIT_SITE), number(e->time_us - e->time_us % KIT_DAY),
		null_cell, number((int64_t)k->lsn), number(0) };
	write_rows(k, node, &k->schema->fixed[SCHEMA_REVISION], c, 1);
}

static void fill_node(struct kit *k, int node, const struct kit_event *const *events, size_t n)
{
	const struct tally_table *raw = &k->schema->fixed[SCHEMA_EVENT];
	struct tally_cell *cells = arena_alloc(&k->arena, (n + 1) * EVC_COLUMNS * sizeof *cells);
	int64_t last_day = INT64_MIN;
	k->lsn += 64;
	for (size_t i = 0; i < n; i++) {
		put_raw(k, events[i], i, cells + i * EVC_COLUMNS);
		if (events[i]->time_us / KIT_DAY != last_day)
			fill_revision(k, node, events[i]);
		last_day = events[i]->time_us / KIT_DAY;
	}
	write_rows(k, node, raw, cells, n);
	for (size_t r = 0; r < k->schema->nrollups; r++)
		for (uint32_t g = 0; g < TALLY_GRAINS; g++)
			fill_grain(k, node, &k->schema->rollups[r], g, events, n);
}

void kit_fill(struct kit *k, const struct kit_event *events, size_t n)
{
	const struct kit_event **part = arena_alloc(&k->arena, (n + 1) * sizeof(struct kit_event *));
	for (int node = 0; node < 2; node++) {
		size_t m = 0;
		for (size_t i = (size_t)node; i < n; i += 2)
			part[m++] = &events[i];
		if (m)
			fill_node(k, node, part, m);
	}
}

/* ---- asking ---- */

static void run(struct kit *k, struct query *q, int rc, const struct query_error *err, const char *if_none_match,
	struct answer *out)
{
	if (rc) {
		answer_problem(out, &k->arena, err);
	} else {
		struct answer_job job = { .store = k->store,
			.q = q,
			.if_none_match = str_of(if_none_match),
			.now_us = KIT_NOW,
			.arena = &k->arena };
		answer_make(&job);
		*out = job.answer;
	}
}

struct answer kit_answer(struct kit *k, const char *options, const char *body, const char *if_none_match)
{
	struct query_context cx = { .conf = &k->conf, .now_us = KIT_NOW };
	struct query *q = arena_zalloc(&k->arena, sizeof *q);
	struct query_error err;
	struct answer an;
	cx.format = strstr(options, "ndjson") ? QUERY_NDJSON : strstr(options, "csv") ? QUERY_CSV : QUERY_JSON;
	cx.explain = strstr(options, "explain") != NULL;
	int rc = query_parse(&cx, &k->arena, str_of(body), q, &err);
	run(k, q, rc, &err, if_none_match, &an);
	return an;
}

static json_t *load(const struct answer *an, int status, const char *what)
{
	json_error_t error;
	if (an->status != status)
		fail_msg("%s: status %d, not %d: %.*s", what, an->status, status, (int)an->body.len, an->body.ptr);
	json_t *root = json_loadb(an->body.ptr, an->body.len, 0, &error);
	if (!root)
		fail_msg("%s: %s at %d: %.*s", what, error.text, error.position, (int)an->body.len, an->body.ptr);
	return root;
}

json_t *kit_ask(struct kit *k, int status, const char *body)
{
	struct answer an = kit_answer(k, "", body, NULL);
	return load(&an, status, body);
}

json_t *kit_short(struct kit *k, int status, enum query_form form, const char *query)
{
	struct query_context cx = { .conf = &k->conf, .now_us = KIT_NOW };
	struct query *q = arena_zalloc(&k->arena, sizeof *q);
	struct query_error err;
	struct answer an;
	int rc = query_parse_short(&cx, &k->arena, form, STR(KIT_SITE), str_of(query), q, &err);
	run(k, q, rc, &err, NULL, &an);
	return load(&an, status, query);
}

json_t *kit_at(json_t *root, const char *path)
{
	char step[64];
	json_t *at = root;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, ".");
		snprintf(step, sizeof step, "%.*s", (int)n, p);
		p += n + (p[n] == '.');
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(step)) : json_object_get(at, step);
		if (!at) {
			char *all = json_dumps(root, 0);
			fail_msg("no %s in %s", path, all);
		}
	}
	return at;
}

const char *kit_text_at(json_t *root, const char *path)
{
	const char *s = json_string_value(kit_at(root, path));
	if (!s)
		fail_msg("%s is no string", path);
	return s;
}
