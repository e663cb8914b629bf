/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "desk/live.h"
#include "desk/run.h"

#define MINUTE_US INT64_C(60000000)

struct reading {
	struct store_reader *reader;
	const struct store_state *state;
	struct query_context cx;
	struct arena *arena;
	struct query_error *err;
};

/* The question as a body, so that it is checked as any other. */
static int ask(
	struct reading *rd, struct tally_str site, const char *rest, int64_t from_us, int64_t to_us, struct query *q)
{
	struct text_out o;
	char from[40], to[40];
	from[zone_format(zone_utc(), from_us, from)] = 0;
	to[zone_format(zone_utc(), to_us, to)] = 0;
	out_open(&o, rd->arena);
	out_lit(&o, "{\"site_id\":");
	out_json(&o, site);
	text_printf(&o, ",\"timezone\":\"UTC\",\"date_range\":[\"%s\",\"%s\"],%s}", from, to, rest);
	return query_parse(&rd->cx, rd->arena, out_text(&o), q, rd->err);
}

/* From the rows of a rollup only: raw events of a busy site would be read again every second. */
static int run(struct reading *rd, const struct query *q, struct plan *plan, struct run *out)
{
	struct plan_store ps = { store_options(store_of(rd->reader))->schema, &rd->state->meta, INT64_MIN };
	int rc = plan_make(q, q->range, &ps, rd->arena, plan, NULL, rd->err);
	if (rc)
		return rc;
	if (!plan->rollup) {
		struct tally_str line = plan_declaration(q, rd->arena);
		return query_fail(rd->err, 422, "not_covered",
			"live needs a rollup whose minutes are kept (retention.minute); this one would do: %.*s",
			(int)line.len, line.ptr);
	}
	return run_plan(out, q, plan, rd->reader, rd->arena, rd->err);
}

static int read_active(struct reading *rd, struct live_look *look, int64_t minute_us)
{
	struct query q;
	struct plan plan;
	struct run r = { 0 };
	int rc = ask(rd, look->site, "\"metrics\":[\"visitors\"]", minute_us - LIVE_ACTIVE * MINUTE_US,
		minute_us + MINUTE_US, &q);
	if (rc == 0)
		rc = run(rd, &q, &plan, &r);
	look->counts.active = rc == 0 && r.groups.first ? group_visitors(&plan.needs, r.groups.first) : 0;
	if (r.q)
		groups_close(&r.groups);
	return rc;
}

static void take_counts(const struct query *q, const struct plan *plan, const struct run *r, struct live_counts *c)
{
	for (const struct group *g = r->groups.first; g; g = g->next) {
		size_t at = (size_t)((plan->axis.starts[g->bucket] - c->first_us) / MINUTE_US);
		c->events[at] = group_metric(q, &plan->needs, 0, g, 0).i;
		if (c->has_pageviews)
			c->pageviews[at] = group_metric(q, &plan->needs, 1, g, 0).i;
	}
}

static int read_minutes(struct reading *rd, struct live_look *look, bool pageviews)
{
	struct query q;
	struct plan plan;
	struct run r = { 0 };
	struct live_counts *c = &look->counts;
	c->has_pageviews = pageviews;
	int rc = ask(rd, look->site,
		pageviews ? "\"metrics\":[\"events\",\"pageviews\"],\"dimensions\":[\"time:minute\"]"
			  : "\"metrics\":[\"events\"],\"dimensions\":[\"time:minute\"]",
		c->first_us, c->first_us + LIVE_MINUTES * MINUTE_US, &q);
	if (rc == 0)
		rc = run(rd, &q, &plan, &r);
	if (rc == 0)
		take_counts(&q, &plan, &r, c);
	if (r.q)
		groups_close(&r.groups);
	return rc;
}

static void read_site(struct reading *rd, struct live_look *look)
{
	int64_t minute_us = rd->cx.now_us - rd->cx.now_us % MINUTE_US;
	rd->err = &look->err;
	look->counts = (struct live_counts){ .first_us = minute_us - LIVE_BACK * MINUTE_US };
	int rc = read_minutes(rd, look, true);
	if (rc && strcmp(look->err.code, "not_covered") == 0)
		rc = read_minutes(rd, look, false);
	look->ok = rc == 0 && read_active(rd, look, minute_us) == 0;
}

void live_read(struct store *store, const struct conf *conf, int64_t now_us, struct live_look *looks, size_t n)
{
	struct arena arena;
	struct store_state state;
	struct query_error err = { 0 };
	struct reading rd = { .state = &state, .cx = { .conf = conf, .now_us = now_us }, .arena = &arena };
	arena_init(&arena, 0);
	struct store_ask ask = { .newest = true }; /* looks at servers of several ages would count twice */
	int rc = store_begin(store, &ask, &rd.reader, &err);
	if (rc == 0) {
		rc = store_state(rd.reader, &arena, &state, &err);
		for (size_t i = 0; rc == 0 && i < n; i++)
			read_site(&rd, &looks[i]);
		store_end(rd.reader);
	}
	for (size_t i = 0; rc && i < n; i++) {
		looks[i].ok = false;
		looks[i].err = err;
	}
	for (size_t i = 0; i < n; i++)
		looks[i].err.declare = NULL; /* it lived in the arena */
	arena_free(&arena);
}

struct live_delta live_difference(const struct live_counts *now, const struct live_counts *before)
{
	struct live_delta d = { 0, 0 };
	int64_t shift = (now->first_us - before->first_us) / MINUTE_US;
	for (int64_t i = 0; i < LIVE_MINUTES; i++) {
		int64_t j = i + shift;
		bool known = j >= 0 && j < LIVE_MINUTES;
		int64_t events = now->events[i] - (known ? before->events[j] : 0);
		int64_t pageviews = now->pageviews[i] - (known ? before->pageviews[j] : 0);
		d.events += events > 0 ? events : 0; /* less: a store that went back */
		d.pageviews += pageviews > 0 ? pageviews : 0;
	}
	return d;
}
