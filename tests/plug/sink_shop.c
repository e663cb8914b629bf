/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_store.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"

/* ---- modules ---- */

const struct tally_sink *shop_module(const char *name)
{
	static void *handle;
	char path[512];
	const char *dir = getenv("TALLY_TEST_PLUGINS");
	snprintf(path, sizeof path, "%s/%s.so", dir ? dir : "plugins/.libs", name);
	if (!handle && !(handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)))
		fail_msg("%s", dlerror());
	const struct tally_sink *sink = dlsym(handle, "tally_sink");
	assert_non_null(sink);
	assert_int_equal(sink->size, sizeof *sink);
	assert_int_equal(sink->abi, TALLY_SINK_ABI);
	return sink;
}

/* ---- shops ---- */

static const struct tally_dimension shop_dims[] = {
	{ .kind = TALLY_DIM_NAME },
	{ .kind = TALLY_DIM_PROP, .key = { "item", 4 } },
};

static const struct tally_metric shop_metrics[] = {
	{ .kind = TALLY_EVENTS },
	{ .kind = TALLY_VISITORS },
	{ .kind = TALLY_SUM },
	{ .kind = TALLY_MIN },
	{ .kind = TALLY_MAX },
	{ .kind = TALLY_QUANTILE },
	{ .kind = TALLY_QUANTILE, .is_prop = 1, .field = { "ms", 2 } },
};

const struct tally_rollup shop_rollup = {
	.ndims = 2, .nmetrics = 7, .name = { "items", 5 }, .dims = shop_dims, .metrics = shop_metrics
};

struct shop *shop_open_quietly(const char *node, const char *line, const char *prefix, const struct tally_rollup *r)
{
	struct shop *s = calloc(1, sizeof *s);
	s->allowed = 1000;
	char why[512] = "";
	assert_non_null(s);
	arena_init(&s->arena, 0);
	s->rollup = *r;
	s->schema = schema_make(&s->arena, &s->rollup, 1);
	s->conf.data_dir = place.data_dir;
	s->sink = shop_module(place.module);
	struct conf_sink cs = { .plugin = place.module, .name = line, .prefix = prefix, .place = "test" };
	cs.options = place.options;
	cs.noptions = place.noptions;
	if (ship_host_open(s->sink, &cs, &s->conf, s->schema, node, &s->in, why) != 0)
		fail_msg("%s", why);
	return s;
}

struct shop *shop_open(const char *node, const char *line, const char *prefix)
{
	struct shop *s = shop_open_quietly(node, line, prefix, &shop_rollup);
	int rc = shop_position(s);
	if (rc != TALLY_SINK_OK)
		fail_msg("position: %d %s", rc, shop_words(s));
	return s;
}

void shop_close(struct shop *s)
{
	if (s->reader)
		s->sink->reader_close(s->reader);
	ship_host_close(s->in);
	arena_free(&s->arena);
	free(s);
}

int shop_position(struct shop *s)
{
	ship_host_clear(s->in, 0);
	return s->sink->position(s->in->self, &s->at);
}

const char *shop_words(const struct shop *s)
{
	return s->in->failure.message;
}

int shop_write_batch(struct shop *s, struct tally_batch *b)
{
	b->from = s->at;
	b->to = (struct tally_position){ s->at.lsn + 64,
		(s->at.mark ^ UINT64_C(0x8123456789abcdef)) * 0x9e3779b97f4a7c15u };
	ship_host_clear(s->in, s->allowed);
	int rc = s->sink->write(s->in->self, b);
	if (rc == TALLY_SINK_OK)
		s->at = b->to;
	return rc;
}

int shop_write(struct shop *s, const struct tally_table *t, const struct tally_cell *cells, size_t n)
{
	struct tally_rows rows = { t, n, cells };
	struct tally_batch b = { .rows = &rows, .nrows = 1 };
	return shop_write_batch(s, &b);
}

void shop_must_write(struct shop *s, const struct tally_table *t, const struct tally_cell *cells, size_t n)
{
	int rc = shop_write(s, t, cells, n);
	if (rc != TALLY_SINK_OK)
		fail_msg("write: %d %s", rc, shop_words(s));
}

int shop_trim(struct shop *s, const struct tally_table *t, int64_t grain, int64_t before_us)
{
	struct tally_trim trim = { .table = t, .grain = grain, .before_us = before_us };
	struct tally_batch b = { .trim = &trim, .ntrim = 1 };
	return shop_write_batch(s, &b);
}

/* ---- cells ---- */

struct tally_cell bytes(const void *p, size_t n)
{
	return (struct tally_cell){ .v.ptr = p, .len = (uint32_t)n };
}

struct tally_cell text(const char *s)
{
	return bytes(s, strlen(s));
}

struct tally_cell number(int64_t i)
{
	return (struct tally_cell){ .v.i = i };
}

struct tally_cell real(double d)
{
	return (struct tally_cell){ .v.d = d };
}

struct tally_cell null_cell(void)
{
	return (struct tally_cell){ .null = 1 };
}

struct tally_cell *cell_of(struct tally_cell *cells, size_t row, const struct tally_table *t, const char *column)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, column) == 0)
			return &cells[row * t->ncolumns + i];
	fail_msg("no column %s", column);
	return NULL;
}

struct tally_cell *shop_events(struct shop *s, uint64_t lsn, size_t n)
{
	static const char *const names[] = { "view", "view", "view", "click" };
	struct tally_cell *cells = arena_zalloc(&s->arena, n * EVC_COLUMNS * sizeof *cells);
	for (size_t i = 0; i < n; i++) {
		struct tally_cell *c = &cells[i * EVC_COLUMNS];
		c[EVC_LSN] = number((int64_t)lsn);
		c[EVC_IDX] = number((int64_t)i);
		c[EVC_SITE] = text("shop.example");
		c[EVC_ID] = text(arena_printf(&s->arena, "01920000-0000-7000-8000-%012zx", i));
		c[EVC_NAME] = text(names[i % 4]);
		c[EVC_TIME] = number(INT64_C(1767225600000000) + (int64_t)i * 1000);
		c[EVC_RECEIVED] = number(INT64_C(1767225600000000) + (int64_t)i * 1000);
		c[EVC_VISITOR] = text(arena_printf(&s->arena, "visitor-%zu", i % 977));
		c[EVC_USER] = text("");
		c[EVC_HOST] = text("shop.example");
		c[EVC_PAGE] = text(arena_printf(&s->arena, "/products/shoes/%05zu", i % 5000));
		c[EVC_REFERRER] = text("https://search.example/");
		c[EVC_VALUE] = i % 4 == 3 ? real((double)i / 4) : null_cell();
		c[EVC_WEIGHT] = number(1);
		c[EVC_PROPS] = text(arena_printf(&s->arena, "{\"plan\":\"pro\",\"n\":%zu}", i));
	}
	return cells;
}

/* The sketch of these whole numbers. */
static struct tally_cell numbers(struct shop *s, int from, int to)
{
	char *sketch = arena_alloc(&s->arena, QUANTILE_ROOM);
	size_t len = 0;
	for (int n = from; n < to; n++)
		assert_int_equal(quantile_add(sketch, &len, QUANTILE_ROOM, n, 1), 0);
	return bytes(sketch, len);
}

struct tally_cell *shop_rollup_row(struct shop *s, const struct amounts *a)
{
	static const uint8_t hash_key[16] = { 1, 2, 3 };
	const struct schema_rollup *r = &s->schema->rollups[0];
	struct tally_cell *c = arena_zalloc(&s->arena, r->table.ncolumns * sizeof *c);
	uint8_t *key = arena_alloc(&s->arena, 16);
	const char *name = a->name ? a->name : "view", *item = a->item ? a->item : "";
	schema_rollup_key(hash_key, (struct tally_str[]){ str_of(name), str_of(item) }, 2, key);
	c[RLC_SITE] = text(a->site ? a->site : "shop.example");
	c[RLC_GRAIN] = number(a->grain);
	c[RLC_BUCKET] = number(a->bucket_us);
	c[RLC_KEY] = bytes(key, 16);
	c[r->first_dim] = text(name);
	c[r->first_dim + 1] = text(item);
	char *sketch = arena_alloc(&s->arena, HLL_ROOM);
	size_t len = 0;
	for (uint64_t v = a->visitor_from; v < a->visitor_to; v++)
		assert_int_equal(hll_add(sketch, &len, HLL_ROOM, hll_hash(&v, sizeof v)), 0);
	c[r->metric_column[0]] = number(a->events);
	c[r->metric_column[1]] = bytes(sketch, len);
	c[r->metric_column[2]] = real(a->sum);
	c[r->metric_column[2] + 1] = number(a->count);
	c[r->metric_column[3]] = a->min ? real(*a->min) : null_cell();
	c[r->metric_column[4]] = a->max ? real(*a->max) : null_cell();
	c[r->metric_column[5]] = numbers(s, a->number_from, a->number_to);
	c[r->metric_column[6]] = numbers(s, -a->number_to, -a->number_from);
	return c;
}

/* ---- questions ---- */

struct answer {
	struct shop *shop;
	struct tally_cell cell;
	uint32_t type;
	size_t rows;
};

static int take(void *arg, const struct tally_cell *cells)
{
	struct answer *a = arg;
	if (a->rows++ > 0)
		return 0;
	a->cell = cells[0];
	if (!cells[0].null && a->type != TALLY_T_INT && a->type != TALLY_T_REAL)
		a->cell.v.ptr = arena_copy(&a->shop->arena, cells[0].v.ptr, cells[0].len);
	return 0;
}

static struct tally_cell ask(struct shop *s, const char *sql, uint32_t type)
{
	struct answer a = { .shop = s, .type = type };
	struct tally_statement st = { .sql = sql, .column_types = &type, .ncolumns = 1, .timeout_us = 20000000 };
	if (!s->reader)
		assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	int rc = s->sink->read_begin(s->reader);
	if (rc == 0) {
		rc = s->sink->read(s->reader, &st, take, &a);
		s->sink->read_end(s->reader);
	}
	if (rc != 0)
		fail_msg("%s: %d %s", sql, rc, s->sink->reader_error(s->reader));
	if (a.rows == 0)
		fail_msg("%s: no row", sql);
	return a.cell;
}

int64_t shop_number(struct shop *s, const char *sql)
{
	struct tally_cell c = ask(s, sql, TALLY_T_INT);
	assert_false(c.null);
	return c.v.i;
}

double shop_real(struct shop *s, const char *sql)
{
	struct tally_cell c = ask(s, sql, TALLY_T_REAL);
	assert_false(c.null);
	return c.v.d;
}

const char *shop_text(struct shop *s, const char *sql)
{
	struct tally_cell c = ask(s, sql, TALLY_T_TEXT);
	assert_false(c.null);
	return c.v.ptr;
}

struct tally_str shop_bytes(struct shop *s, const char *sql)
{
	struct tally_cell c = ask(s, sql, TALLY_T_BLOB);
	assert_false(c.null);
	return str_make(c.v.ptr, c.len);
}

bool shop_is_null(struct shop *s, const char *sql)
{
	return ask(s, sql, TALLY_T_INT).null;
}
