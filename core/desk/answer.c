/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/answer.h"
#include "desk/walk.h"

#include <errno.h>
#include <xxhash.h>

#include "base/clock.h"

#define RETRY_AFTER_S 2

/* ---- ETags ---- */

struct tally_str answer_etag(struct arena *a, const struct query *q, uint64_t version)
{
	uint64_t key = XXH3_64bits(q->key.ptr, q->key.len);
	return str_of(arena_printf(a, "W/\"%016llx-%016llx\"", (unsigned long long)version, (unsigned long long)key));
}

const char *answer_cache_control(const struct query *q, int64_t now_us)
{
	return q->range.to_us <= now_us ? "public, max-age=60" : "no-cache";
}

/* The quoted part, without W/ and spaces. */
static struct tally_str opaque(struct tally_str tag)
{
	while (tag.len && (tag.ptr[0] == ' ' || tag.ptr[0] == '\t'))
		tag = str_make(tag.ptr + 1, tag.len - 1);
	while (tag.len && (tag.ptr[tag.len - 1] == ' ' || tag.ptr[tag.len - 1] == '\t'))
		tag.len--;
	return str_starts(tag, STR("W/")) ? str_make(tag.ptr + 2, tag.len - 2) : tag;
}

bool answer_matches(struct tally_str if_none_match, struct tally_str etag)
{
	const char *at = if_none_match.ptr, *end = at + if_none_match.len;
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end;
		struct tally_str tag = opaque(str_make(at, (size_t)(stop - at)));
		if (str_eq(tag, STR("*")) || (tag.len && str_eq(tag, opaque(etag))))
			return true;
		at = stop + 1;
	}
	return false;
}

/* ---- one question ---- */

/* What has to be read for it. */
enum { NOW, BEFORE, BASE, BASE_BEFORE, PARTS };

struct work {
	struct answer_job *job;
	struct store_reader *reader;
	struct store_freshness freshness;
	bool unconfirmed;
	struct store_version version;
	struct part {
		const struct query *q;
		struct query_range range;
		struct plan plan;
		struct run run;
		bool wanted, ran;
	} parts[PARTS];
	struct query base; /* of conversion_rate */
	struct walk_result walked;
	struct tally_str why;
	struct query_error err;
};

/* "all" goes from the first to the last day on which the site has anything. */
static int resolve_all(struct work *w)
{
	struct query *q = w->job->q;
	struct store_span span;
	if (!q->all)
		return 0;
	int rc = store_span(w->reader, &w->job->state, q->site, &span, &w->err);
	if (rc)
		return rc;
	if (span.first_us >= q->range.to_us)
		span.first_us = span.last_us = q->range.to_us - 1;
	q->range.from_us = zone_floor(q->zone, ZONE_DAY, span.first_us);
	int64_t end = zone_next(q->zone, ZONE_DAY, zone_floor(q->zone, ZONE_DAY, span.last_us));
	if (end < q->range.to_us)
		q->range.to_us = end;
	q->all = false;
	return 0;
}

static void list_parts(struct work *w)
{
	const struct query *q = w->job->q;
	bool compare = q->compare != QUERY_ALONE, base = query_asks(q, QM_CONVERSION);
	w->parts[NOW] = (struct part){ .q = q, .range = q->range, .wanted = true };
	w->parts[BEFORE] = (struct part){ .q = q, .range = q->compared, .wanted = compare };
	if (!base)
		return;
	query_base(q, w->job->arena, &w->base);
	w->parts[BASE] = (struct part){ .q = &w->base, .range = q->range, .wanted = true };
	w->parts[BASE_BEFORE] = (struct part){ .q = &w->base, .range = q->compared, .wanted = compare };
}

static int make_plans(struct work *w)
{
	struct answer_job *job = w->job;
	struct plan_store ps = { store_options(job->store)->schema, &job->state.meta, job->state.raw_horizon_us };
	/* days are rows of the store's zone, which a configuration may differ from */
	if (meta_zone_of(&job->state.meta, job->q->site))
		job->q->site_zone = meta_site_zone(&job->state.meta, NULL, job->q->site);
	list_parts(w);
	for (int i = 0; i < PARTS; i++) {
		struct part *p = &w->parts[i];
		int rc = p->wanted ? plan_make(p->q, p->range, &ps, job->arena, &p->plan, i == NOW ? &w->why : NULL,
					     &w->err)
				   : 0;
		if (rc)
			return rc;
	}
	return 0;
}

/* The compared range is asked only for the rows that the answer may have. */
static const struct pick *only_of(const struct work *w, int part)
{
	const struct part *now = &w->parts[NOW];
	return part == BEFORE && now->run.only && now->plan.table == w->parts[BEFORE].plan.table ? now->run.only : NULL;
}

static int run_plans(struct work *w)
{
	for (int i = 0; i < PARTS; i++) {
		struct part *p = &w->parts[i];
		p->ran = p->wanted;
		/* what stands beside a row is not ranked */
		p->plan.nodes = i == NOW && w->version.nodes <= STORE_NODES_MAX ? w->version.nodes : 0;
		p->plan.hash_key = w->job->state.hash_key_known ? w->job->state.meta.hash_key : NULL;
		p->plan.only = only_of(w, i);
		int rc = p->wanted ? run_plan(&p->run, p->q, &p->plan, w->reader, w->job->arena, &w->err) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static struct run *run_of(struct work *w, int part)
{
	return w->parts[part].ran ? &w->parts[part].run : NULL;
}

static bool not_modified(struct work *w)
{
	struct answer_job *job = w->job;
	struct answer *an = &job->answer;
	an->etag = answer_etag(job->arena, job->q, w->version.hash);
	an->version = w->version.hash;
	an->cache_control = answer_cache_control(job->q, job->now_us);
	if (job->q->explain || !answer_matches(job->if_none_match, an->etag))
		return false;
	an->status = 304;
	return true;
}

/* Funnels and retention. */
static int walk(struct work *w)
{
	struct answer_job *job = w->job;
	struct part *p = &w->parts[NOW];
	struct plan_store ps = { store_options(job->store)->schema, &job->state.meta, job->state.raw_horizon_us };
	int rc = walk_plan(job->q, &ps, job->arena, &p->plan, &w->err);
	p->ran = rc == 0;
	w->why = STR("{}");
	return rc ? rc : walk_run(&p->run, job->q, &p->plan, w->reader, job->arena, &w->walked, &w->err);
}

static int shape_rows(struct work *w, const struct shape_input *in)
{
	struct shape_rows rows;
	if (shape_order(in, w->job->arena, &rows))
		return query_fail(&w->err, 422, "too_expensive",
			"the answer is too large to be put in order: ask for fewer dimensions or a shorter range");
	w->job->answer.body = shape_answer(in, &rows, w->job->arena);
	return 0;
}

static int shape(struct work *w, int64_t began_us)
{
	struct answer_job *job = w->job;
	struct shape_input in = { .q = job->q,
		.now = run_of(w, NOW),
		.before = run_of(w, BEFORE),
		.base = run_of(w, BASE),
		.base_before = run_of(w, BASE_BEFORE),
		.freshness = w->freshness,
		.unconfirmed = w->unconfirmed,
		.revision = w->version.revision,
		.lost = w->version.lost,
		.many_nodes = w->version.nodes > 1,
		.took_us = clock_mono_us() - began_us,
		.why = w->why };
	job->answer.status = 200;
	job->answer.type = shape_type(job->q->explain ? QUERY_JSON : job->q->format);
	if (job->q->explain) {
		job->answer.body = shape_explain(&in, job->arena);
		job->answer.etag = (struct tally_str){ 0 };
		job->answer.version = 0;
		return 0;
	}
	if (job->q->form < QUERY_FUNNEL)
		return shape_rows(w, &in);
	job->answer.body = walk_shape(&in, &w->walked, job->arena);
	return 0;
}

static int in_snapshot(struct work *w)
{
	struct answer_job *job = w->job;
	int64_t began_us = clock_mono_us();
	if (!store_is_replica(w->reader, &w->freshness, &w->unconfirmed))
		w->freshness = job->freshness;
	int rc = store_version(w->reader, job->q, &w->version, &w->err);
	if (rc)
		return rc;
	if (not_modified(w))
		return 0;
	rc = store_state(w->reader, job->arena, &job->state, &w->err);
	job->state_known = rc == 0;
	if (rc == 0)
		rc = resolve_all(w);
	if (rc == 0 && job->q->form >= QUERY_FUNNEL)
		return (rc = walk(w)) ? rc : shape(w, began_us);
	if (rc == 0)
		rc = make_plans(w);
	if (rc == 0)
		rc = run_plans(w);
	return rc ? rc : shape(w, began_us);
}

static void close_groups(struct work *w)
{
	for (int i = 0; i < PARTS; i++)
		if (w->parts[i].ran)
			groups_close(&w->parts[i].run.groups);
}

/* On one server. */
static int make_once(struct work *w, struct store_ask *ask)
{
	struct answer_job *job = w->job;
	job->answer = (struct answer){ 0 };
	int rc = store_begin(job->store, ask, &w->reader, &w->err);
	if (rc)
		return rc;
	rc = in_snapshot(w);
	store_end(w->reader);
	return rc;
}

void answer_make(struct answer_job *job)
{
	struct work w = { .job = job };
	struct query asked = *job->q; /* "all" is resolved by what one server has */
	struct store_ask ask = { .newest = job->newest };
	int rc = make_once(&w, &ask);
	while (rc && store_again(job->store, &ask)) {
		close_groups(&w);
		*job->q = asked;
		w = (struct work){ .job = job, .err = w.err };
		rc = make_once(&w, &ask);
	}
	if (rc) {
		w.err.retry_after_s = w.err.status == 503 ? RETRY_AFTER_S : 0;
		answer_problem(&job->answer, job->arena, &w.err);
	}
	close_groups(&w);
}
