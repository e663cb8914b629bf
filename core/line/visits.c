/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of visits in a batch: a visit as it is, and while somebody adds visits up (keep/rebuild_visits.c) also what it was. */
#include "event/event.h"
#include "line/internal.h"

static struct tally_cell cell_int(int64_t v)
{
	return (struct tally_cell){ .v.i = v };
}

static struct tally_cell cell_text(struct tally_str s)
{
	return (struct tally_cell){ .v.ptr = s.ptr ? s.ptr : "", .len = (uint32_t)s.len };
}

/* What is too long for its column is none. */
static struct tally_str visit_value(struct batch *b, const struct tally_visit *v, uint32_t i)
{
	bool there = i < v->nvalues && v->values[i].len <= EVENT_PROP_TEXT_MAX;
	return there ? arena_str(&b->arena, v->values[i]) : (struct tally_str){ 0 };
}

/* form[VIC_…] from VIC_SITE on */
static void put_visit(struct batch *b, struct tally_cell *form, const struct tally_visit *v)
{
	form[VIC_SITE] = cell_text(arena_str(&b->arena, v->site));
	form[VIC_TIME] = cell_int(v->begin_us);
	form[VIC_VISITS] = cell_int(v->visits);
	form[VIC_BOUNCES] = cell_int(v->bounces);
	form[VIC_DURATION] = cell_int(v->duration_us);
	form[VIC_VIEWS] = cell_int(v->views);
	form[VIC_ENTRY] = cell_text(arena_str(&b->arena, v->entry_page));
	form[VIC_EXIT] = cell_text(arena_str(&b->arena, v->exit_page));
	form[VIC_REFERRER] = cell_text(arena_str(&b->arena, v->referrer));
	for (uint32_t i = 0; i < TALLY_VISIT_VALUES; i++)
		form[VIC_VALUES + i] = cell_text(visit_value(b, v, i));
}

/* Somebody adds visits up and has to know what was taken away from whatever is in their rows. */
static void add_change(struct batch *b, const struct tally_visit *name, const struct tally_visit *v, int now)
{
	struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_VISIT_CHANGE]);
	row[VCC_LSN] = cell_int((int64_t)name->lsn);
	row[VCC_IDX] = cell_int(name->idx);
	row[VCC_NOW] = cell_int(now);
	put_visit(b, row + VCC_OF(0), v);
}

/* The row is the visit as it is now; the days it was in and is in have changed. */
int line_plug_visit(void *line, const struct tally_visit *before, const struct tally_visit *now)
{
	struct line *l = line;
	struct batch *b = l->filling;
	struct tally_cell *row = batch_row(b, &b->lists[SCHEMA_VISIT]);
	row[VIC_LSN] = cell_int((int64_t)now->lsn);
	row[VIC_IDX] = cell_int(now->idx);
	put_visit(b, row, now);
	if (before && l->clock_us < l->meta->watched_until_us)
		add_change(b, now, before, 0);
	if (now->visits && l->clock_us < l->meta->watched_until_us)
		add_change(b, now, now, 1);
	batch_touch_day(b, arena_str(&b->arena, now->site), now->begin_us);
	if (before)
		batch_touch_day(b, arena_str(&b->arena, now->site), before->begin_us);
	b->dirty = true;
	return 0;
}

void visits_close(struct batch *b)
{
	struct row_list *list = &b->lists[SCHEMA_VISIT_CHANGE];
	for (size_t i = 0; i < list->n; i++)
		list->rows[i][VCC_BATCH] = cell_int((int64_t)b->to.lsn);
}
