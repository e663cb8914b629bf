/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/lookup/NAME/KEY: one row of reference data as it is in memory. No store is asked, so it is answered with the
 * store away too, and says how old it is. */
#include <stdio.h>

#include "desk/inner.h"
#include "lookup/lookup.h"
#include "text/utf8.h"

#define RETRY_AFTER_S 2

static void put_value(struct text_out *o, const struct lookup_value *v)
{
	if (v->type == LOOKUP_NULL)
		out_lit(o, "null");
	else if (v->type == LOOKUP_NUMBER)
		text_put(o, v->text);
	else
		out_json(o, v->text);
}

static struct tally_str body_of(struct arena *a, const struct lookup_state *s, const struct lookup_value *row)
{
	struct text_out o;
	const struct tally_str *columns;
	size_t n = lookup_rows_columns(s->rows, &columns);
	out_open(&o, a);
	out_lit(&o, "{\"row\":{");
	for (size_t i = 0; i < n; i++) {
		out_lit(&o, i ? "," : "");
		out_json(&o, columns[i]);
		out_lit(&o, ":");
		put_value(&o, &row[i]);
	}
	out_lit(&o, "},\"meta\":{\"lookup\":");
	out_json(&o, str_of(s->name));
	text_printf(&o, ",\"rows\":%zu,\"age_seconds\":%.1f,\"stale\":%s", lookup_rows_count(s->rows), s->age_seconds,
		s->stale ? "true" : "false");
	if (*s->why) {
		out_lit(&o, ",\"why\":");
		out_json(&o, str_of(s->why));
	}
	out_lit(&o, "}}\n");
	return out_text(&o);
}

static void answer_row(struct visit *v, const struct lookup_state *s, const struct lookup_value *row)
{
	struct arena *a = &v->rq->arena;
	v->rq->answer = (struct desk_answer){ .status = 200,
		.type = STR("application/json"),
		.body = body_of(a, s, row),
		.etag = str_of(arena_printf(a, "W/\"%016llx\"", (unsigned long long)lookup_rows_hash(s->rows, row))),
		.cache_control = "no-cache",
		.age_s = s->age_seconds < 2e9 ? (unsigned)s->age_seconds : 2000000000u,
		.has_age = true };
}

static void answer_state(struct visit *v, const struct lookup_state *s, struct tally_str key)
{
	const struct lookup_value *row = s->rows ? lookup_rows_find(s->rows, key) : NULL;
	if (row)
		answer_row(v, s, row);
	else if (s->rows)
		visit_problem(v, 404, "unknown_key", 0,
			arena_printf(&v->rq->arena, "lookup %s has no row with that key", s->name));
	else
		visit_problem(v, 503, "not_read", RETRY_AFTER_S,
			arena_printf(&v->rq->arena, "lookup %s has not been read from its store yet%s%s", s->name,
				*s->why ? ": " : "", s->why));
}

static void answer_unknown(struct visit *v)
{
	struct query_error err;
	struct lookups *l = v->desk->opt.lookups;
	size_t n = l ? lookups_list(l, &v->rq->arena, &err.legal) : 0;
	const char *const *legal = n ? err.legal : NULL;
	query_fail(&err, 404, "unknown_name",
		n ? "there is no lookup of that name" : "no lookup is declared; see `lookups:` in the configuration");
	err.legal = legal;
	visit_refuse(v, &err);
}

void lookup_answer(struct visit *v)
{
	struct route_match m = route_find(v->rq->ask.method, v->rq->ask.path);
	struct lookups *l = v->desk->opt.lookups;
	struct lookup_state s;
	if (!utf8_valid(v->rq->ask.path)) {
		visit_problem(v, 400, "bad_parameter", 0, "the path is not UTF-8");
		return;
	}
	if (!l || !lookups_get(l, &v->rq->arena, m.lookup, &s)) {
		answer_unknown(v);
		return;
	}
	answer_state(v, &s, m.key);
	lookup_rows_unref(s.rows);
}
