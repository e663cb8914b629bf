/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/schema: what may be asked here: metrics, dimensions, operators, which go together, and the rollups with the
 * moment from which each is whole. */
#include "desk/answer.h"
#include "lookup/lookup.h"

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
	const char *visit = d->kind == TALLY_DIM_PROP ? conf_visit_name(d->key) : NULL;
	if (visit)
		out_json(o, str_of(visit));
	else
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

/* Sites whose zone was changed: from when their days and months are of the new one, if that is later than all else. */
static void put_zones(struct text_out *o, const struct store_state *st, const struct tally_rollup *r)
{
	const struct meta *m = &st->meta;
	char text[40];
	bool some = false;
	for (size_t i = 0; i < m->nzones; i++) {
		struct tally_str site = str_of(m->zones[i].site);
		int64_t since = meta_zone_from(m, r->id, site);
		if (since <= m->rollup_horizon_us[r->id] || since <= m->grain_horizon_us[TALLY_DAY])
			continue;
		out_lit(o, some ? "," : ",\"days_since\":{");
		out_json(o, site);
		out_lit(o, ":");
		if (since == INT64_MAX)
			out_lit(o, "false");
		else
			out_json(o, str_make(text, zone_format(zone_utc(), since, text)));
		some = true;
	}
	out_lit(o, some ? "}" : "");
}

static void put_rollup(struct text_out *o, const struct store_state *st, const struct schema_rollup *sr)
{
	const struct tally_rollup *r = sr->rollup;
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
	out_lit(o, "}");
	put_zones(o, st, r);
	out_lit(o, ",\"table\":");
	out_json(o, str_of(meta_table(&st->meta, sr)));
	if (st->meta.rollup_short_of[r->id]) {
		out_lit(o, ",\"not_written_by\":");
		out_json(o, str_of(st->meta.rollup_short_of[r->id]));
	}
	out_lit(o, "}");
}

static void put_pair(struct text_out *o, const char *metric, const char *note)
{
	text_printf(o, ",{\"metrics\":[\"%s\"],", metric);
	put_list(o, "dimensions", query_event_dimension_names());
	text_printf(o, ",\"note\":\"%s\"}", note);
}

static bool listed(const char *const *list, const char *name)
{
	while (*list && strcmp(*list, name) != 0)
		list++;
	return *list != NULL;
}

static void put_pairs(struct text_out *o)
{
	static const char *const shares[] = { "percentage", "conversion_rate", NULL };
	const char *const *names = query_metric_names();
	bool some = false;
	out_lit(o, "\"legal_pairs\":[{\"metrics\":[");
	for (size_t i = 0; names[i]; i++) {
		if (listed(shares, names[i]) || listed(query_visit_metric_names(), names[i]))
			continue;
		out_lit(o, some ? "," : "");
		out_json(o, str_of(names[i]));
		some = true;
	}
	out_lit(o, "],");
	put_list(o, "dimensions", query_event_dimension_names());
	out_lit(o, "}");
	put_pair(o, shares[0], "needs at least one dimension");
	put_pair(o, shares[1], "needs a filter or a dimension on event:name or event:props:X");
	out_lit(o, ",{");
	put_list(o, "metrics", query_visit_metric_names());
	out_lit(o, ",");
	put_list(o, "dimensions", query_visit_dimension_names());
	out_lit(o, ",\"note\":\"counted in the bucket in which the visit began\"}]");
}

/* Up to where a question may go. */
static void put_limits(struct text_out *o, const struct store_options *opt)
{
	text_printf(o,
		"\"limits\":{\"metrics\":%d,\"dimensions\":%d,\"filter_values\":%d,\"pattern_bytes\":%d,\"rows\":%d,"
		"\"buckets\":%d,\"steps\":%d,\"periods\":%d,\"body_bytes\":%d,\"raw_rows\":%llu,\"seconds\":%g}",
		QUERY_METRICS_MAX, QUERY_DIMENSIONS_MAX, QUERY_FILTER_VALUES_MAX, QUERY_PATTERN_MAX, QUERY_ROWS_MAX,
		QUERY_BUCKETS_MAX, QUERY_STEPS_MAX, QUERY_PERIODS_MAX, QUERY_BODY_MAX,
		(unsigned long long)opt->max_rows, (double)opt->timeout_us / 1e6);
}

static void put_raw(struct text_out *o, const struct store_state *st)
{
	char since[40];
	out_lit(o, "\"raw\":{\"whole_since\":");
	if (st->raw_horizon_us == INT64_MIN)
		out_lit(o, "null");
	else
		out_json(o, str_make(since, zone_format(zone_utc(), st->raw_horizon_us, since)));
	out_lit(o, "}");
}

static void put_lookup(struct text_out *o, const struct lookup_state *s)
{
	const struct tally_str *columns;
	size_t n = s->rows ? lookup_rows_columns(s->rows, &columns) : 0;
	out_lit(o, "{\"name\":");
	out_json(o, str_of(s->name));
	if (s->rows) {
		out_lit(o, ",\"key\":");
		out_json(o, columns[lookup_rows_key(s->rows)]);
	}
	out_lit(o, ",\"columns\":[");
	for (size_t i = 0; i < n; i++) {
		out_lit(o, i ? "," : "");
		out_json(o, columns[i]);
	}
	text_printf(o, "],\"rows\":%zu,\"age_seconds\":", s->rows ? lookup_rows_count(s->rows) : 0);
	if (s->rows)
		text_printf(o, "%.1f", s->age_seconds);
	else
		out_lit(o, "null");
	out_lit(o, s->stale ? ",\"stale\":true}" : ",\"stale\":false}");
}

static void put_lookups(struct text_out *o, struct lookups *l)
{
	const char *const *names;
	struct lookup_state s;
	size_t n = l ? lookups_list(l, o->arena, &names) : 0, put = 0;
	out_lit(o, "\"lookups\":[");
	for (size_t i = 0; i < n; i++) {
		if (!lookups_get(l, o->arena, str_of(names[i]), &s))
			continue; /* a reload took it away just now */
		out_lit(o, put++ ? "," : "");
		put_lookup(o, &s);
		lookup_rows_unref(s.rows);
	}
	out_lit(o, "]");
}

static void put_all(
	struct text_out *o, const struct store_options *opt, const struct store_state *st, struct lookups *l)
{
	static const char *const formats[] = { "json", "csv", "ndjson", NULL };
	static const char *const includes[] = { "time_labels", "total_rows", "other_row", NULL };
	const struct schema *schema = opt->schema;
	out_lit(o, "{");
	put_list(o, "metrics", query_metric_names());
	out_lit(o, ",\"fields\":[\"value\",\"props.X\"],");
	put_list(o, "dimensions", query_dimension_names());
	out_lit(o, ",");
	put_list(o, "filters", query_operator_names());
	out_lit(o, ",");
	put_list(o, "date_ranges", query_range_names());
	out_lit(o, ",");
	put_list(o, "comparisons", query_comparison_names());
	out_lit(o, ",");
	put_list(o, "includes", includes);
	out_lit(o, ",");
	put_list(o, "formats", formats);
	out_lit(o, ",");
	put_pairs(o);
	out_lit(o, ",");
	put_limits(o, opt);
	out_lit(o, ",");
	put_raw(o, st);
	out_lit(o, ",\"rollups\":[");
	for (size_t i = 0; i < schema->nrollups; i++) {
		out_lit(o, i ? "," : "");
		put_rollup(o, st, &schema->rollups[i]);
	}
	out_lit(o, "],");
	put_lookups(o, l);
	out_lit(o, "}\n");
}

void answer_schema(struct answer_job *job)
{
	struct query_error err;
	struct store_reader *reader;
	struct text_out o;
	struct store_ask ask = { .newest = job->newest };
	int rc;
	job->answer = (struct answer){ 0 };
	do {
		rc = store_begin(job->store, &ask, &reader, &err);
		if (rc == 0) {
			rc = store_state(reader, job->arena, &job->state, &err);
			store_end(reader);
		}
	} while (rc && store_again(job->store, &ask));
	if (rc) {
		answer_problem(&job->answer, job->arena, &err);
		return;
	}
	job->state_known = true;
	out_open(&o, job->arena);
	put_all(&o, store_options(job->store), &job->state, job->lookups);
	job->answer = (struct answer){
		.status = 200, .type = "application/json", .body = out_text(&o), .cache_control = "no-cache"
	};
}
