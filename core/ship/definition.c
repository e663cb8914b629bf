/* SPDX-License-Identifier: Apache-2.0 */
/* The texts by which a store knows a rollup: equal texts, equal rows. */
#include <stdbool.h>
#include <stdlib.h>

#include "base/str.h"
#include "ship/meta.h"
#include "ship/schema.h"

static const char *const grain_names[TALLY_GRAINS] = { "horizon/minute", "horizon/quarter", "horizon/day",
	"horizon/month" };

const char *meta_grain_name(enum tally_grain grain)
{
	MUST((unsigned)grain < TALLY_GRAINS);
	return grain_names[grain];
}

const char *meta_rollup_name(const struct tally_rollup *r, struct arena *a)
{
	return arena_printf(a, "rollup/%.*s", (int)r->name.len, r->name.ptr);
}

const char *meta_rollup_id(const struct tally_rollup *r, unsigned number, struct arena *a)
{
	if (number < 2)
		return arena_printf(a, "%.*s", (int)r->name.len, r->name.ptr);
	return arena_printf(a, "%.*s/%u", (int)r->name.len, r->name.ptr, number);
}

const char *meta_table(const struct meta *m, const struct schema_rollup *r)
{
	return m->rollup_table ? m->rollup_table[r->rollup->id] : r->table.name;
}

const char *meta_node_row(struct arena *a, const char *head, const char *uuid, const char *id)
{
	return arena_printf(a, "%s%s/%s", head, uuid, id);
}

static const char *dimension_text(const struct tally_dimension *d, struct arena *a)
{
	static const char *const names[] = { [TALLY_DIM_NAME] = "event:name",
		[TALLY_DIM_PAGE] = "event:page",
		[TALLY_DIM_HOST] = "event:hostname",
		[TALLY_DIM_REFERRER] = "visit:referrer",
		[TALLY_DIM_ENTRY_PAGE] = "visit:entry_page",
		[TALLY_DIM_EXIT_PAGE] = "visit:exit_page" };
	if (d->kind == TALLY_DIM_PROP)
		return arena_printf(a, "event:props:%.*s", (int)d->key.len, d->key.ptr);
	MUST(d->kind < sizeof names / sizeof *names);
	return names[d->kind];
}

static const char *metric_text(const struct tally_metric *m, struct arena *a)
{
	static const char *const names[] = { [TALLY_EVENTS] = "events",
		[TALLY_PAGEVIEWS] = "pageviews",
		[TALLY_VISITORS] = "visitors",
		[TALLY_SUM] = "sum",
		[TALLY_MIN] = "min",
		[TALLY_MAX] = "max",
		[TALLY_VISITS] = "visits",
		[TALLY_BOUNCES] = "bounces",
		[TALLY_DURATION] = "duration",
		[TALLY_QUANTILE] = "p",
		[TALLY_VIEWS] = "views" };
	MUST(m->kind < sizeof names / sizeof *names);
	bool of_field = (m->kind >= TALLY_SUM && m->kind <= TALLY_MAX) || m->kind == TALLY_QUANTILE;
	if (!of_field)
		return names[m->kind];
	if (!m->is_prop)
		return arena_printf(a, "%s:value", names[m->kind]);
	return arena_printf(a, "%s:props.%.*s", names[m->kind], (int)m->field.len, m->field.ptr);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *join(const char **words, size_t n, struct arena *a)
{
	const char *all = "";
	for (size_t i = 0; i < n; i++)
		all = arena_printf(a, "%s%s%s", all, i ? ", " : "", words[i]);
	return all;
}

const char *meta_definition(const struct tally_rollup *r, struct arena *a)
{
	const char **dims = arena_alloc(a, (r->ndims + 1) * sizeof *dims);
	const char **metrics = arena_alloc(a, (r->nmetrics + 1) * sizeof *metrics);
	for (uint32_t i = 0; i < r->ndims; i++)
		dims[i] = dimension_text(&r->dims[i], a);
	for (uint32_t i = 0; i < r->nmetrics; i++)
		metrics[i] = metric_text(&r->metrics[i], a);
	qsort(metrics, r->nmetrics, sizeof *metrics, by_text);
	return arena_printf(a, "by [%s] metrics [%s]", join(dims, r->ndims, a), join(metrics, r->nmetrics, a));
}
