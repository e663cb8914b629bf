/* SPDX-License-Identifier: Apache-2.0 */
/* A batch: rows for the tables of a store, collected event by event, sorted and closed into one transaction. */
#include <stdlib.h>

#include "base/memory.h"
#include "event/event.h"
#include "line/internal.h"

#define DAY_US (86400 * (int64_t)1000000)

/* ---- cells ---- */

static struct tally_cell cell_int(int64_t v)
{
	return (struct tally_cell){ .v.i = v };
}

static struct tally_cell cell_uint(uint64_t v)
{
	return (struct tally_cell){ .v.i = (int64_t)v };
}

static struct tally_cell cell_real(double v)
{
	return (struct tally_cell){ .v.d = v };
}

static struct tally_cell cell_bytes(const void *p, size_t len)
{
	return (struct tally_cell){ .v.ptr = p ? p : "", .len = (uint32_t)len };
}

static struct tally_cell cell_text(struct tally_str s)
{
	return cell_bytes(s.ptr, s.len);
}

static struct tally_cell cell_null(void)
{
	return (struct tally_cell){ .null = 1 };
}

/* ---- lists ---- */

/* Whether rows go to the store in the order in which they come, so that they can lie in it from the first. */
static bool is_in_order(const struct row_list *list)
{
	return list->table->insert_only;
}

static void list_grow(struct row_list *list)
{
	size_t row_bytes = list->table->ncolumns * sizeof *list->cells;
	list->cap = list->cap ? list->cap * 2 : 256;
	if (is_in_order(list))
		list->cells = memory_grow(list->cells, list->cap * row_bytes);
	else
		list->rows = memory_grow(list->rows, list->cap * sizeof *list->rows);
	MUST(list->cells != NULL || list->rows != NULL);
}

/* The row, all zero. If the table's rows are in order it moves with the next one. */
struct tally_cell *batch_row(struct batch *b, struct row_list *list)
{
	uint32_t columns = list->table->ncolumns;
	if (list->n == list->cap)
		list_grow(list);
	size_t at = list->n++;
	if (is_in_order(list))
		return memset(list->cells + at * columns, 0, columns * sizeof *list->cells);
	return list->rows[at] = arena_zalloc(&b->arena, columns * sizeof *list->cells);
}

static void list_free(struct row_list *list)
{
	free(list->cells);
	free(list->rows);
}

/* ---- the batch ---- */

void batch_open(struct batch *b, const struct schema *schema)
{
	*b = (struct batch){ 0 };
	arena_init(&b->arena, 1 << 20);
	b->lists = memory_zalloc(schema->ntables, sizeof *b->lists);
	MUST(b->lists != NULL);
	for (size_t i = 0; i < schema->ntables; i++)
		b->lists[i].table = schema->tables[i];
	b->wire.nrows = schema->ntables;
	b->gone.table = schema->tables[SCHEMA_DEAD];
	b->gone_salts.table = schema->tables[SCHEMA_SALT];
}

void batch_reset(struct batch *b)
{
	for (size_t i = 0; i < b->wire.nrows; i++)
		b->lists[i].n = 0;
	b->gone.n = b->gone_salts.n = 0;
	b->letters = (struct line_letters){ 0 };
	terms_free_table(&b->terms);
	table_free(&b->days); /* its values are rows in the arena */
	arena_recycle(&b->arena);
	b->events = 0;
	b->dirty = false;
	b->site = b->last.site = (struct tally_str){ 0 };
	b->ntrim = 0;
	b->oldest_us = 0;
}

void batch_free(struct batch *b)
{
	batch_reset(b);
	for (size_t i = 0; i < b->wire.nrows; i++)
		list_free(&b->lists[i]);
	free(b->lists);
	list_free(&b->gone);
	list_free(&b->gone_salts);
	arena_free(&b->arena);
}

struct site_terms *batch_terms(struct batch *b, struct tally_str site)
{
	void **place = table_place(&b->terms, site);
	if (!*place) {
		*place = memory_zalloc(1, sizeof(struct site_terms));
		MUST(*place != NULL);
	}
	return *place;
}

static int64_t day_of(int64_t time_us)
{
	return time_us / DAY_US - (time_us % DAY_US < 0);
}

/* The UTC day of this time gets a new revision with this batch. */
void batch_touch_day(struct batch *b, struct tally_str site, int64_t time_us)
{
	int64_t day = day_of(time_us);
	if (b->last.site.ptr && day == b->last.day && str_eq(site, b->last.site))
		return;
	char key[8 + EVENT_NAME_MAX];
	size_t n = site.len < EVENT_NAME_MAX ? site.len : EVENT_NAME_MAX;
	memcpy(key, &day, 8);
	memcpy(key + 8, site.ptr, n);
	void **place = table_place(&b->days, str_make(key, 8 + n));
	if (*place)
		return;
	struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_REVISION]);
	row[0] = cell_text(site);
	row[1] = cell_int(day * DAY_US);
	*place = row;
}

/* Neighbours are mostly of one site and day. Assumes: site lives as long as the batch. */
static void count_stored(struct batch *b, struct tally_str site)
{
	if (!b->last.site.ptr || !str_eq(site, b->last.site)) {
		b->last.terms = batch_terms(b, site);
		b->last.site = site;
		b->last.day = INT64_MIN;
	}
	b->last.terms->stored++;
}

void batch_add_event(struct batch *b, const struct tally_event *ev)
{
	struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_EVENT]);
	row[EVC_LSN] = cell_uint(ev->lsn);
	row[EVC_IDX] = cell_int(ev->idx);
	row[EVC_SITE] = cell_text(ev->site);
	row[EVC_ID] = cell_text(ev->id);
	row[EVC_NAME] = cell_text(ev->name);
	row[EVC_TIME] = cell_int(ev->time_us);
	row[EVC_RECEIVED] = cell_int(ev->received_us);
	row[EVC_VISITOR] = cell_text(ev->visitor);
	row[EVC_USER] = cell_text(ev->user);
	row[EVC_HOST] = cell_text(ev->host);
	row[EVC_PAGE] = cell_text(ev->page);
	row[EVC_REFERRER] = cell_text(ev->referrer);
	row[EVC_VALUE] = ev->has_value ? cell_real(ev->value) : cell_null();
	row[EVC_WEIGHT] = cell_int(ev->weight);
	row[EVC_PROPS] = cell_text(event_props_json(ev, &b->arena));
	count_stored(b, ev->site);
	batch_touch_day(b, ev->site, ev->time_us);
	b->last.day = day_of(ev->time_us);
}

enum dead_column { DC_NODE, DC_LINE, DC_LSN, DC_IDX, DC_SITE, DC_TIME, DC_CODE, DC_ERROR, DC_RAW };

void batch_add_dead(struct line *l, struct batch *b, const struct tally_event *ev, int code, const char *message)
{
	struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_DEAD]);
	const char *words = arena_copy(&b->arena, message, strlen(message));
	row[DC_LINE] = cell_text(str_of(l->opt.sink->name));
	row[DC_LSN] = cell_uint(ev->lsn);
	row[DC_IDX] = cell_int(ev->idx);
	row[DC_SITE] = cell_text(ev->site);
	row[DC_TIME] = cell_int(ev->received_us);
	row[DC_CODE] = cell_int(code);
	row[DC_ERROR] = cell_text(str_of(words));
	row[DC_RAW] = cell_text(event_to_json(ev, &b->arena));
	batch_terms(b, ev->site)->dead++;
}

void batch_add_gone(struct line *l, struct batch *b, uint64_t lsn, uint32_t idx)
{
	struct tally_cell *row = batch_row(b, &b->gone);
	row[DC_LINE] = cell_text(str_of(l->opt.sink->name));
	row[DC_LSN] = cell_uint(lsn);
	row[DC_IDX] = cell_int(idx);
}

void batch_add_salt(struct batch *b, int64_t day, const uint8_t salt[16])
{
	struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_SALT]);
	row[0] = cell_int(day);
	row[1] = cell_bytes(arena_copy(&b->arena, salt, 16), 16);
}

void batch_add_gone_salt(struct batch *b, int64_t day)
{
	batch_row(b, &b->gone_salts)[0] = cell_int(day);
}

/* ---- rollup rows ---- */

static void put_amount(struct tally_cell *cells, const struct tally_metric *m, const struct tally_amount *a)
{
	switch (m->kind) {
	case TALLY_EVENTS:
	case TALLY_PAGEVIEWS:
	case TALLY_VISITS:
	case TALLY_BOUNCES:
	case TALLY_DURATION:
	case TALLY_VIEWS:
		cells[0] = cell_int(a->count);
		return;
	case TALLY_VISITORS:
		cells[0] = cell_bytes(a->sketch, a->sketch_len);
		cells[1] = cell_int(0); /* the sink's: estimate of the union */
		return;
	case TALLY_QUANTILE:
		cells[0] = cell_bytes(a->sketch, a->sketch_len);
		cells[1] = cell_null();
		return;
	case TALLY_SUM:
		cells[0] = cell_real(a->number);
		cells[1] = cell_int(a->count);
		return;
	default:
		cells[0] = a->count ? cell_real(a->number) : cell_null();
	}
}

/* Rows come site by site: those of one share its name, which also spares comparing it. */
static struct tally_str same_or_copy(struct arena *arena, struct tally_str last, struct tally_str s)
{
	return last.ptr && str_eq(last, s) ? last : arena_str(arena, s);
}

void line_rollup_cells(const struct schema_rollup *sr, const uint8_t hash_key[16], struct tally_str site,
	const struct tally_row *r, struct arena *arena, struct tally_cell *row)
{
	uint8_t *key = arena_alloc(arena, 16);
	schema_rollup_key(hash_key, r->dims, r->rollup->ndims, key);
	row[RLC_SITE] = cell_text(site);
	row[RLC_GRAIN] = cell_int(r->grain);
	row[RLC_BUCKET] = cell_int(r->bucket_us);
	row[RLC_KEY] = cell_bytes(key, 16);
	for (uint32_t i = 0; i < r->rollup->ndims; i++)
		row[sr->first_dim + i] = cell_text(arena_str(arena, r->dims[i]));
	for (uint32_t i = 0; i < r->rollup->nmetrics; i++) {
		struct tally_amount a = r->amounts[i];
		if (a.sketch_len)
			a.sketch = arena_copy(arena, a.sketch, a.sketch_len);
		put_amount(&row[sr->metric_column[i]], &r->rollup->metrics[i], &a);
	}
}

int batch_add_rollup(struct line *l, struct batch *b, const struct tally_row *r)
{
	const struct schema *schema = l->opt.schema;
	MUST(r->rollup->id < schema->nrollups);
	struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_FIXED + r->rollup->id]);
	b->site = same_or_copy(&b->arena, b->site, r->site);
	line_rollup_cells(&schema->rollups[r->rollup->id], l->meta->hash_key, b->site, r, &b->arena, row);
	b->dirty = true;
	return 0;
}

int line_plug_emit(void *line, const struct tally_row *row)
{
	struct line *l = line;
	return batch_add_rollup(l, l->filling, row);
}

/* ---- closing ---- */

static void add_ledger_rows(struct line *l, struct batch *b)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&b->terms, &at));) {
		const struct site_terms *t = e->value;
		struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_LEDGER]);
		row[LC_LINE] = cell_text(str_of(l->opt.sink->name));
		row[LC_SITE] = cell_text(e->key);
		row[LC_STORED] = cell_int(t->stored);
		row[LC_DEAD] = cell_int(t->dead);
		row[LC_THINNED] = cell_int(t->thinned);
		row[LC_DROPPED] = cell_int(t->dropped);
		row[LC_LOST] = cell_int(gap_lost(t->gaps));
	}
}

void batch_add_gap(struct line *l, struct batch *b, struct tally_str site, const char *reason, int64_t n)
{
	struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_GAP]);
	row[GC_LINE] = cell_text(str_of(l->opt.sink->name));
	row[GC_SITE] = cell_text(site);
	row[GC_REASON] = cell_text(str_of(reason));
	row[GC_EVENTS] = cell_int(n);
	row[GC_LAST] = cell_int(l->clock_us);
}

static void close_revisions(struct batch *b)
{
	struct row_list *list = &b->lists[SCHEMA_REVISION];
	for (size_t i = 0; i < list->n; i++) {
		list->rows[i][3] = cell_uint(b->to.lsn);
		list->rows[i][4] = cell_int(0);
	}
}

static struct tally_rows close_list(struct batch *b, struct row_list *list)
{
	const struct tally_table *t = list->table;
	if (is_in_order(list))
		return (struct tally_rows){ t, list->n, list->cells };
	order_rows(t, list->rows, list->n, &b->arena);
	struct tally_cell *cells = arena_alloc(&b->arena, list->n * t->ncolumns * sizeof *cells);
	for (size_t i = 0; i < list->n; i++)
		memcpy(cells + i * t->ncolumns, list->rows[i], t->ncolumns * sizeof *cells);
	return (struct tally_rows){ t, list->n, cells };
}

void batch_close(struct line *l, struct batch *b)
{
	add_ledger_rows(l, b);
	gap_rows(l, b);
	close_revisions(b);
	visits_close(b);
	struct tally_rows *rows = arena_alloc(&b->arena, (b->wire.nrows + 2) * sizeof *rows);
	for (size_t i = 0; i < b->wire.nrows; i++)
		rows[i] = close_list(b, &b->lists[i]);
	struct tally_rows *gone = rows + b->wire.nrows;
	b->wire.rows = rows;
	b->wire.gone = gone;
	b->wire.ngone = 0;
	if (b->gone.n)
		gone[b->wire.ngone++] = close_list(b, &b->gone);
	if (b->gone_salts.n)
		gone[b->wire.ngone++] = close_list(b, &b->gone_salts);
	b->wire.from = b->from;
	b->wire.to = b->to;
	b->wire.trim = b->trim;
	b->wire.ntrim = b->ntrim;
	b->guard =
		(struct tally_guard){ &l->opt.schema->fixed[SCHEMA_META], META_EPOCH, "horizon", l->meta->epoch, 0, 0 };
	b->wire.guard = l->meta->epoch && ship_sink(l->ship)->guards ? &b->guard : NULL;
}
