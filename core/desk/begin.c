/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request begins: its route, its question read and checked, and what plugins are shown of it. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "desk/inner.h"
#include "desk/params.h"
#include "text/utf8.h"

/* The first of the types we speak that an Accept header names. */
static enum query_format accepted(struct tally_str accept)
{
	const char *csv = accept.len ? memmem(accept.ptr, accept.len, "text/csv", 8) : NULL;
	const char *ndjson = accept.len ? memmem(accept.ptr, accept.len, "application/x-ndjson", 20) : NULL;
	const char *json = accept.len ? memmem(accept.ptr, accept.len, "application/json", 16) : NULL;
	const char *first = csv;
	if (ndjson && (!first || ndjson < first))
		first = ndjson;
	if (!first || (json && json < first))
		return QUERY_JSON;
	return first == csv ? QUERY_CSV : QUERY_NDJSON;
}

static int read_options(const struct desk_ask *ask, struct arena *a, struct query_context *cx, struct query_error *err)
{
	static const char *const legal[] = { "json", "csv", "ndjson", NULL };
	struct params pm;
	struct tally_str text;
	cx->format = accepted(ask->accept);
	if (params_read(&pm, a, ask->query))
		return query_fail(
			err, 400, "bad_parameter", "the query string is not UTF-8 or has too many parameters");
	cx->explain = params_get(&pm, "explain", &text) && !str_eq(text, STR("0")) && !str_eq(text, STR("false"));
	if (!params_get(&pm, "format", &text))
		return 0;
	for (int i = 0; legal[i]; i++)
		if (str_eq(text, str_of(legal[i])))
			return cx->format = (enum query_format)i, 0;
	query_fail(err, 400, "unknown_name", "there is no such format");
	err->legal = legal;
	snprintf(err->pointer, sizeof err->pointer, "?format");
	return -1;
}

static int read_question(struct visit *v, const struct route_match *m, struct query_error *err)
{
	const struct desk_ask *ask = &v->rq->ask;
	struct query_context cx = { .conf = v->desk->opt.conf, .key_site = ask->key_site, .now_us = clock_wall_us() };
	int rc = read_options(ask, &v->arena, &cx, err);
	if (rc)
		return rc;
	if (m->route == ROUTE_SHORT)
		return query_parse_short(&cx, &v->arena, m->form, m->site, ask->query, &v->q, err);
	if (m->form >= QUERY_FUNNEL)
		return query_parse_walk(&cx, &v->arena, m->form, ask->body, &v->q, err);
	return query_parse(&cx, &v->arena, ask->body, &v->q, err);
}

/* GET /v1/sites/{site}/live takes nothing but a key. */
static int read_live(struct visit *v, const struct route_match *m, struct query_error *err)
{
	static const char *const legal[] = { "key", NULL };
	struct tally_str none = { 0 };
	struct query_context cx = { .conf = v->desk->opt.conf, .key_site = v->rq->ask.key_site };
	struct params pm;
	if (!utf8_valid(m->site) || params_read(&pm, &v->arena, v->rq->ask.query))
		return query_fail(err, 400, "bad_parameter", "the path or the query string is not UTF-8");
	const char *name = params_unknown(&pm, legal);
	if (!name)
		return query_set_site(&v->q, &cx, arena_str(&v->arena, m->site), none, err);
	query_fail(err, 400, "unknown_name", "there is no parameter of that name");
	err->legal = legal;
	snprintf(err->pointer, sizeof err->pointer, "?%s", name);
	return -EINVAL;
}

static struct tally_str format_word(const struct visit *v)
{
	static const char *const words[] = { "json", "csv", "ndjson" };
	return str_of(words[v->is_query ? v->q.format : QUERY_JSON]);
}

/* An explanation is made anew each time: plugins see it as a request like any other. */
static void show(struct visit *v)
{
	const struct desk_ask *ask = &v->rq->ask;
	bool is_query = v->is_query && !v->q.explain;
	v->view = (struct tally_request){ .id = v->id,
		.method = ask->method,
		.path = ask->path,
		.query = ask->query,
		.accept = format_word(v),
		.body = ask->body,
		.key = is_query && !ask->newest ? v->q.key : (struct tally_str){ 0 },
		.cost = is_query ? visit_cost(v) : -1,
		.is_query = is_query,
		.received_us = clock_wall_us() };
}

static void stop(struct visit *v, int status, const char *code, const char *detail)
{
	visit_problem(v, status, code, 0, detail);
	visit_end(v, true);
}

void visit_begin(struct desk *d, struct desk_request *rq)
{
	struct visit *v = visit_make(d, rq);
	struct route_match m = route_find(rq->ask.method, rq->ask.path);
	struct query_error err;
	if (m.wrong_method) {
		stop(v, 405, "method_not_allowed", "this path takes another method");
		return;
	}
	if (admin_answer(v)) {
		visit_end(v, true);
		return;
	}
	v->is_query = m.route == ROUTE_QUERY || m.route == ROUTE_SHORT;
	v->is_schema = m.route == ROUTE_SCHEMA;
	v->is_live = m.route == ROUTE_LIVE;
	v->is_lookup = m.route == ROUTE_LOOKUP;
	if ((v->is_query && read_question(v, &m, &err)) || (v->is_live && read_live(v, &m, &err))) {
		visit_refuse(v, &err);
		visit_end(v, true);
		return;
	}
	show(v);
	visit_ask_plugins(v, 0);
}
