/* SPDX-License-Identifier: Apache-2.0 */
/* The watchers: who watches which site, and what is sent to them. A subscriber is a request whose answer has begun; it is
 * ours until the last chunk is given to its lane. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "desk/inner.h"
#include "desk/live.h"

#define RETRY_AFTER_S 5
#define WORDS_MAX 2048

struct subscriber {
	struct desk_request *rq;
	struct subscriber *next;
};

struct live_site {
	char *name;
	struct subscriber *subscribers;
	struct live_counts last;
	bool known; /* last is filled */
	struct live_site *next;
};

struct live {
	struct desk *desk;
	struct live_site *sites;
	size_t nsites, nsubscribers;
	bool running, ended;
	struct crew_job work;
	struct live_look looks[LIVE_SITES_MAX]; /* while running: the worker's */
	size_t nlooks;
	const struct conf *conf;
	int64_t now_us;
	unsigned ticks;
};

struct live *live_open(struct desk *d)
{
	struct live *l = memory_zalloc(1, sizeof *l);
	MUST(l);
	l->desk = d;
	return l;
}

void live_close(struct live *l)
{
	MUST(!l->sites && !l->running);
	free(l);
}

/* ---- sending ---- */

static void send_to_site(struct live_site *s, struct tally_str text)
{
	for (struct subscriber *sub = s->subscribers; sub; sub = sub->next)
		sub->rq->chunk(sub->rq, text, false);
}

static void let_go(struct live *l, struct subscriber *sub, struct tally_str words)
{
	sub->rq->chunk(sub->rq, words, true); /* the request is its poster's from here on */
	l->nsubscribers--;
	free(sub);
}

/* Whose clients have gone, or read too slowly, as their lanes have seen. */
static void drop_gone(struct live *l, struct live_site *s)
{
	struct subscriber **at = &s->subscribers;
	while (*at) {
		struct subscriber *sub = *at;
		if (!atomic_load(&sub->rq->gone)) {
			at = &sub->next;
			continue;
		}
		*at = sub->next;
		let_go(l, sub, (struct tally_str){ 0 });
	}
}

/* Sites that nobody watches any more are forgotten; not while the worker reads them. */
static void drop_idle(struct live *l)
{
	struct live_site **at = &l->sites;
	while (*at) {
		struct live_site *s = *at;
		drop_gone(l, s);
		if (s->subscribers) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		l->nsites--;
		free(s->name);
		free(s);
	}
}

void live_end(struct live *l)
{
	l->ended = true;
	for (struct live_site *s = l->sites; s; s = s->next)
		while (s->subscribers) {
			struct subscriber *sub = s->subscribers;
			s->subscribers = sub->next;
			let_go(l, sub, STR("event: end\ndata: {\"code\":\"closing\"}\n\n"));
		}
	if (!l->running)
		drop_idle(l);
}

/* ---- a second ---- */

static struct live_site *find(struct live *l, struct tally_str name)
{
	struct live_site *s = l->sites;
	while (s && !str_eq(str_of(s->name), name))
		s = s->next;
	return s;
}

static void send_delta(struct live *l, struct live_site *s, const struct live_counts *c)
{
	char words[WORDS_MAX], at[40], pageviews[48] = "";
	struct live_delta d = { 0, 0 };
	if (s->known)
		d = live_difference(c, &s->last);
	at[zone_format(zone_utc(), l->now_us - l->now_us % 1000000, at)] = 0;
	if (c->has_pageviews)
		snprintf(pageviews, sizeof pageviews, ",\"pageviews\":%lld", (long long)d.pageviews);
	int n = snprintf(words, sizeof words,
		"event: delta\ndata: {\"at\":\"%s\",\"events\":%lld%s,\"active\":%lld}\n\n", at, (long long)d.events,
		pageviews, (long long)c->active);
	s->last = *c;
	s->known = true;
	send_to_site(s, str_make(words, (size_t)n));
}

static void send_problem(struct live_site *s, const struct query_error *err)
{
	struct answer an;
	struct arena a;
	struct text_out o;
	arena_init(&a, 0);
	answer_problem(&an, &a, err);
	out_open(&o, &a);
	out_lit(&o, "event: problem\ndata: ");
	text_put(&o, an.body); /* one line and its end */
	out_lit(&o, "\n");
	send_to_site(s, out_text(&o));
	arena_free(&a);
}

static struct live *live_of(struct crew_job *work)
{
	return (struct live *)((char *)work - offsetof(struct live, work));
}

static void read_all(struct crew_job *work)
{
	struct live *l = live_of(work);
	live_read(l->desk->store, l->conf, l->now_us, l->looks, l->nlooks);
}

static void read_done(struct crew_job *work)
{
	struct live *l = live_of(work);
	l->running = false;
	l->desk->nwork--;
	for (size_t i = 0; i < l->nlooks; i++) {
		struct live_site *s = find(l, l->looks[i].site);
		if (s && l->looks[i].ok)
			send_delta(l, s, &l->looks[i].counts);
		else if (s)
			send_problem(s, &l->looks[i].err);
	}
	drop_idle(l);
}

static void look(struct live *l)
{
	l->nlooks = 0;
	for (struct live_site *s = l->sites; s; s = s->next)
		l->looks[l->nlooks++] = (struct live_look){ .site = str_of(s->name) };
	l->now_us = clock_wall_us();
	l->conf = l->desk->opt.conf;
	l->work = (struct crew_job){ .run = read_all, .done = read_done };
	l->running = true;
	l->desk->nwork++;
	crew_give(l->desk->aside, &l->work);
}

void live_tick(struct live *l, unsigned tick_ms)
{
	if (++l->ticks * tick_ms < LIVE_EVERY_MS)
		return;
	l->ticks = 0;
	if (!l->running) {
		drop_idle(l);
		if (l->sites)
			look(l);
		return;
	}
	for (struct live_site *s = l->sites; s; s = s->next) /* the store is slow: a sign of life */
		send_to_site(s, STR(": waiting for the store\n\n"));
}

/* ---- a new subscriber ---- */

static struct live_site *place(struct live *l, struct tally_str name)
{
	struct live_site *s = find(l, name);
	if (s || l->nsites == LIVE_SITES_MAX)
		return s;
	s = memory_zalloc(1, sizeof *s);
	MUST(s);
	s->name = memory_alloc(name.len + 1);
	MUST(s->name);
	memcpy(s->name, name.ptr, name.len);
	s->name[name.len] = 0;
	s->next = l->sites;
	l->sites = s;
	l->nsites++;
	return s;
}

/* Why nobody can watch now; NULL = go on. */
static const char *turned_away(const struct live *l, const struct visit *v, const char **code)
{
	*code = "no_store";
	if (!l->desk->store)
		return "no sink of this daemon can be read: configure mariadb or sqlite";
	*code = "closing";
	if (l->ended)
		return "the daemon is stopping";
	*code = "no_stream";
	if (!v->rq->chunk)
		return "this door cannot stream";
	*code = "too_many_subscribers";
	return l->nsubscribers >= LIVE_SUBSCRIBERS_MAX ? "256 live answers are open already" : NULL;
}

void live_subscribe(struct live *l, struct visit *v)
{
	struct desk_request *rq = v->rq;
	const char *code, *why = turned_away(l, v, &code);
	struct live_site *s = why ? NULL : place(l, v->q.site);
	if (!s) {
		visit_problem(v, 503, code, RETRY_AFTER_S, why ? why : "32 sites are watched already");
		visit_end(v, true);
		return;
	}
	bool head = str_eq(rq->ask.method, STR("HEAD"));
	rq->answer = (struct desk_answer){
		.status = 200, .type = STR("text/event-stream"), .cache_control = "no-store", .stream = !head
	};
	visit_end(v, true);
	if (head)
		return;
	struct subscriber *sub = memory_zalloc(1, sizeof *sub);
	MUST(sub);
	*sub = (struct subscriber){ rq, s->subscribers };
	s->subscribers = sub;
	l->nsubscribers++;
	rq->chunk(rq, STR(": one delta a second\nretry: 3000\n\n"), false);
}
