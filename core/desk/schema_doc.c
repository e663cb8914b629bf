/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/schema: what may be asked here: metrics, dimensions, operators, which go together, and the rollups with the
 * moment from which each is whole. */
#include "desk/answer.h"

static void put_list(struct text_out *o, const char *name, const char *const *list)
{
	text_printf(o, "\"%s\":[", name);
	for (size_t i = 0; list[i]; i++) {
		out_lit(o, i ? "," : "");
		out_json(o, str_of(list[i]));
	}
	out_lit(o, "]");
}

static void put_named(struct text_out *o, const char *before, struct tally_str key)
{
	struct text_out text;
	out_open(&text, o->arena);
	out_lit(&text, before);
	text_put(&text, key);
	out_json(o, out_text(&text));
}

static void put_dimension(struct text_out *o, const struct tally_dimension *d)
{
	static const char *const names[] = { [TALLY_DIM_NAME] = "event:name",
		[TALLY_DIM_PAGE] = "event:page",
		[TALLY_DIM_HOST] = "event:hostname",
		[TALLY_DIM_REFERRER] = "visit:referrer",
		[TALLY_DIM_PROP] = "event:props:",
		[TALLY_DIM_ENTRY_PAGE] = "visit:entry_page",
		[TALLY_DIM_EXIT_PAGE] = "visit:exit_page" };
	put_named(o, names[d->kind], d->kind == TALLY_DIM_PROP ? d->key : (struct tally_str){ 0 });
}

static void put_metric(struct text_out *o, const struct tally_metric *m)
{
	static const char *const names[] = { [TALLY_EVENTS] = "events",
		[TALLY_PAGEVIEWS] = "pageviews",
		[TALLY_VISITORS] = "visitors",
		[TALLY_SUM] = "sum:",
		[TALLY_MIN] = "min:",
		[TALLY_MAX] = "max:",
		[TALLY_VISITS] = "visits",
		[TALLY_BOUNCES] = "bounces",
		[TALLY_DURATION] = "duration",
		[TALLY_QUANTILE] = "p:",
		[TALLY_VIEWS] = "views" };
	const char *name = names[m->kind];
	bool of_field = name[strlen(name) - 1] == ':';
	struct tally_str field = m->is_prop ? m->field : STR("value");
	put_named(o, of_field && m->is_prop ? arena_printf(o->arena, "%sprops.", name) : name,
		of_field ? field : (struct tally_str){ 0 });
}

/* null = from the beginning; false = not in the store yet. */
static void put_since(struct text_out *o, const struct store_state *st, const struct tally_rollup *r, uint32_t grain)
{
	int64_t own = st->meta.rollup_horizon_us[r->id], kept = st->meta.grain_horizon_us[grain];
	int64_t since = own > kept ? own : kept;
	char text[40];
	text_printf(o, "%s\"%s\":", grain ? "," : "", plan_grain_name(grain));
	if (own == INT64_MAX)
		out_lit(o, "false");
	else if (since == INT64_MIN)
		out_lit(o, "null");
	else
		out_json(o, str_make(text, zone_format(zone_utc(), since, text)));
}

static void put_rollup(struct text_out *o, const struct store_state *st, const struct tally_rollup *r)
{
	out_lit(o, "{\"name\":");
	out_json(o, r->name);
	out_lit(o, ",\"by\":[");
	for (uint32_t i = 0; i < r->ndims; i++) {
		out_lit(o, i ? "," : "");
		put_dimension(o, &r->dims[i]);
	}
	out_lit(o, "],\"metrics\":[");
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		out_lit(o, i ? "," : "");
		put_metric(o, &r->metrics[i]);
	}
	out_lit(o, "],\"whole_since\":{");
	for (uint32_t g = 0; g < TALLY_GRAINS; g++)
		put_since(o, st, r, g);
	out_lit(o, "}}");
}

static void put_pairs(struct text_out *o)
{
	out_lit(o,
		"\"legal_pairs\":[{\"metrics\":[\"events\",\"pageviews\",\"visitors\",\"sum:F\",\"avg:F\",\"min:F\","
		"\"max:F\",\"p50:F\",\"p90:F\",\"p95:F\",\"p99:F\"],\"dimensions\":[\"time\",\"event:*\",\"visit:referrer\"]},{\"metrics\":[\"percentage\"],"
		"\"dimensions\":[\"time\",\"event:*\",\"visit:referrer\"],\"note\":\"needs at least one dimension\"},"
		"{\"metrics\":[\"conversion_rate\"],\"dimensions\":[\"time\",\"event:*\",\"visit:referrer\"],"
		"\"note\":\"needs a filter or a dimension on event:name or event:props:X\"},{\"metrics\":[\"visits\","
		"\"views_per_visit\",\"bounce_rate\",\"visit_duration\"],\"dimensions\":[\"time\",\"visit:referrer\","
		"\"visit:entry_page\",\"visit:exit_page\"],\"note\":\"counted in the bucket in which the visit began\"}]");
}

static void put_all(struct text_out *o, const struct schema *schema, const struct store_state *st)
{
	out_lit(o, "{");
	put_list(o, "metrics", query_metric_names());
	out_lit(o, ",\"fields\":[\"value\",\"props.X\"],");
	put_list(o, "dimensions", query_dimension_names());
	out_lit(o, ",");
	put_list(o, "filters", query_operator_names());
	out_lit(o, ",");
	put_list(o, "date_ranges", query_range_names());
	out_lit(o, ",");
	put_pairs(o);
	out_lit(o, ",\"rollups\":[");
	for (size_t i = 0; i < schema->nrollups; i++) {
		out_lit(o, i ? "," : "");
		put_rollup(o, st, schema->rollups[i].rollup);
	}
	out_lit(o, "]}\n");
}

void answer_schema(struct answer_job *job)
{
	struct query_error err;
	struct store_reader *reader;
	struct text_out o;
	int rc = store_begin(job->store, &reader, &err);
	job->answer = (struct answer){ 0 };
	if (rc == 0) {
		rc = store_state(reader, job->arena, &job->state, &err);
		store_end(reader);
	}
	if (rc) {
		answer_problem(&job->answer, job->arena, &err);
		return;
	}
	job->state_known = true;
	out_open(&o, job->arena);
	put_all(&o, store_options(job->store)->schema, &job->state);
	job->answer = (struct answer){
		.status = 200, .type = "application/json", .body = out_text(&o), .cache_control = "no-cache"
	};
}
