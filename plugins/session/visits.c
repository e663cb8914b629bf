/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "session.h"

static struct tally_str str(const char *ptr, size_t len)
{
	return (struct tally_str){ ptr, len };
}

/* ---- changes of a batch ---- */

static struct told describe(const struct visit *v)
{
	struct tally_visit d = { .lsn = v->lsn,
		.idx = v->idx,
		.site = str(v->visitor->bytes, v->visitor->site_len),
		.begin_us = v->begin_us,
		.visits = 1,
		.bounces = v->events == 1,
		.duration_us = v->end_us - v->begin_us,
		.views = v->views,
		.entry_page = store_text(v->entry),
		.exit_page = store_text(v->exit),
		.referrer = store_text(v->referrer) };
	return (struct told){ d, store_text(v->came) };
}

static struct tally_str copy(struct session *s, struct tally_str from)
{
	char *p = from.len ? s->host->alloc(s->in, from.len) : NULL;
	if (p)
		memcpy(p, from.ptr, from.len);
	return str(p, p ? from.len : 0);
}

/* One that outlives the visit, until the end of the batch. */
static struct told describe_apart(struct session *s, const struct visit *v)
{
	struct told d = describe(v);
	d.visit.site = copy(s, d.visit.site);
	d.visit.entry_page = copy(s, d.visit.entry_page);
	d.visit.exit_page = copy(s, d.visit.exit_page);
	d.visit.referrer = copy(s, d.visit.referrer);
	d.came = copy(s, d.came);
	return d;
}

/* had: the host knows of the visit as it is now. */
static struct change *change_of(struct session *s, struct visit *v, bool had)
{
	if (v->change)
		return v->change;
	struct change *c = s->host->alloc(s->in, sizeof *c);
	*c = (struct change){ .visit = v, .had = had };
	if (had)
		c->before = describe_apart(s, v);
	*s->changes_end = c;
	s->changes_end = &c->next;
	return v->change = c;
}

static bool is_same(const struct told *ta, const struct told *tb)
{
	const struct tally_visit *a = &ta->visit, *b = &tb->visit;
	return a->begin_us == b->begin_us && a->bounces == b->bounces && a->duration_us == b->duration_us &&
	       a->views == b->views && store_same(a->entry_page, b->entry_page) &&
	       store_same(a->exit_page, b->exit_page) && store_same(a->referrer, b->referrer) &&
	       store_same(ta->came, tb->came);
}

static int tell(struct session *s, const struct told *before, const struct told *now)
{
	struct tally_str was_values[TALLY_VISIT_VALUES], is_values[TALLY_VISIT_VALUES];
	struct tally_visit was, is = now->visit;
	int rc = values_read(now->came, is_values);
	is.values = is_values;
	is.nvalues = TALLY_VISIT_VALUES;
	if (!before)
		return rc ? rc : s->host->visit(s->in, NULL, &is);
	rc = rc ? rc : values_read(before->came, was_values);
	was = before->visit;
	was.values = was_values;
	was.nvalues = TALLY_VISIT_VALUES;
	return rc ? rc : s->host->visit(s->in, &was, &is);
}

static int give(struct session *s, struct change *c)
{
	struct told now = c->visit ? describe(c->visit) : c->last;
	if (c->visit)
		c->visit->change = NULL;
	if (c->joined && !c->had)
		return 0; /* nobody ever heard of it */
	if (c->joined) {
		now = c->before;
		now.visit.visits = now.visit.bounces = now.visit.duration_us = now.visit.views = 0;
	} else if (c->had && is_same(&c->before, &now)) {
		return 0;
	}
	return tell(s, c->had ? &c->before : NULL, &now);
}

int visits_flush(struct session *s)
{
	int rc = 0;
	for (struct change *c = s->changes; c; c = c->next) {
		int one = give(s, c);
		rc = rc ? rc : one;
	}
	s->changes = NULL;
	s->changes_end = &s->changes;
	return rc;
}

/* ---- forgetting ---- */

static void forget(struct session *s, struct visit *v)
{
	struct visitor *of = v->visitor;
	uint32_t at = store_behind(of, v->begin_us) - 1;
	if (v->change) {
		v->change->last = describe_apart(s, v);
		v->change->visit = NULL;
	}
	while (of->visits[at] != v)
		at--;
	store_take_out(of, at, 1);
	store_free(s, v);
	store_drop_if_idle(s, of);
}

/* Inside an event: what is forgotten may have been touched in this batch. */
void visits_expire(struct session *s)
{
	while (s->oldest && s->clock_us - s->oldest->touched_us > s->late_us)
		forget(s, s->oldest);
}

static void make_room(struct session *s)
{
	while (s->used > s->memory && s->oldest != s->newest) {
		forget(s, s->oldest);
		s->host->count(s->in, "forgotten_early", 1);
	}
}

/* ---- an event ---- */

static bool is_pageview(struct tally_str name)
{
	return store_same(name, str("view", 4)) || store_same(name, str("pageview", 8));
}

static uint32_t add_up(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static void set_first(struct session *s, struct visit *v, const struct tally_event *ev, const struct tally_str *own)
{
	v->begin_us = ev->time_us;
	store_set_text(s, &v->referrer, text_of(s, ev->referrer));
	store_set_text(s, &v->came, values_text(s, own));
}

/* Of events of one moment the first that came is the first. */
static void extend(struct session *s, struct visit *v, const struct tally_event *ev, const struct tally_str *own)
{
	int64_t t = ev->time_us;
	if (t < v->begin_us)
		set_first(s, v, ev, own);
	if (t > v->end_us)
		v->end_us = t;
	v->events = add_up(v->events, 1);
	v->views = add_up(v->views, is_pageview(ev->name));
	if (ev->page.len && (!v->entry || t < v->entry_us)) {
		store_set_text(s, &v->entry, text_of(s, ev->page));
		v->entry_us = t;
	}
	if (ev->page.len && (!v->exit || t >= v->exit_us)) {
		store_set_text(s, &v->exit, text_of(s, ev->page));
		v->exit_us = t;
	}
	v->touched_us = s->clock_us;
	store_unlink(s, v);
	store_link_newest(s, v);
}

/* later becomes part of v, which begins before it. */
static void join(struct session *s, struct visit *v, struct visit *later)
{
	struct change *c = change_of(s, later, true);
	c->joined = true;
	c->visit = NULL;
	v->end_us = later->end_us > v->end_us ? later->end_us : v->end_us;
	v->events = add_up(v->events, later->events);
	v->views = add_up(v->views, later->views);
	if (!v->entry) {
		v->entry = later->entry;
		v->entry_us = later->entry_us;
		later->entry = NULL;
	}
	if (later->exit) {
		store_set_text(s, &v->exit, later->exit);
		v->exit_us = later->exit_us;
		later->exit = NULL;
	}
	store_free(s, later);
}

static struct visit *begin(
	struct session *s, struct visitor *of, const struct tally_event *ev, const struct tally_str *own)
{
	struct visit blank = { .lsn = ev->lsn, .idx = ev->idx, .begin_us = ev->time_us, .end_us = ev->time_us };
	struct visit *v = visit_add(s, of, &blank);
	if (!v)
		return NULL;
	change_of(s, v, false);
	set_first(s, v, ev, own);
	extend(s, v, ev, own);
	return v;
}

/* The visits that lie within gap of t are those at [*from, *to). */
static void find_near(const struct visitor *of, int64_t t, int64_t gap_us, uint32_t *from, uint32_t *to)
{
	*to = store_behind(of, t + gap_us);
	*from = *to;
	while (*from > 0 && of->visits[*from - 1]->end_us >= t - gap_us)
		--*from;
}

/* NULL = out of memory. */
static struct visit *add_event(
	struct session *s, struct visitor *of, const struct tally_event *ev, const struct tally_str *own)
{
	int64_t gap_us = s->host->replaying(s->in) ? s->replay_gap_us : s->gap_us;
	uint32_t from, to;
	find_near(of, ev->time_us, gap_us, &from, &to);
	if (from == to)
		return begin(s, of, ev, own);
	struct visit *v = of->visits[from];
	change_of(s, v, true);
	for (uint32_t i = from + 1; i < to; i++)
		join(s, v, of->visits[i]);
	store_take_out(of, from + 1, to - from - 1);
	extend(s, v, ev, own);
	return v;
}

int visits_event(struct session *s, struct tally_event *ev)
{
	struct tally_str own[TALLY_VISIT_VALUES];
	if (ev->received_us > s->clock_us)
		s->clock_us = ev->received_us; /* a letter sent again brings the time it was first received */
	visits_expire(s);
	struct visitor *of = visitor_of(s, ev->site, ev->visitor);
	values_of(ev, own);
	struct visit *v = of ? add_event(s, of, ev, own) : NULL;
	if (v && s->inherit)
		values_inherit(s, ev, own, v->came);
	if (v)
		make_room(s);
	else if (of)
		store_drop_if_idle(s, of);
	return v ? 0 : -ENOMEM;
}

/* ---- the end ---- */

static void free_entry(struct entry *e)
{
	free(e);
}

static void free_visitor(struct entry *e)
{
	free(((struct visitor *)e)->visits);
	free(e);
}

void visits_clear(struct session *s)
{
	for (struct visit *v = s->oldest, *newer; v; v = newer) {
		newer = v->newer;
		free(v);
	}
	table_clear(&s->visitors, free_visitor);
	table_clear(&s->texts, free_entry);
	s->oldest = s->newest = NULL;
	s->changes = NULL;
	s->changes_end = &s->changes;
	s->used = s->nvisits = 0;
	s->clock_us = INT64_MIN;
	s->replay_gap_us = s->gap_us;
}
