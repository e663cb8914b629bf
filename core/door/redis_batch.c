/* SPDX-License-Identifier: Apache-2.0 */
/* A batch: elements peeked from the list, and the events in them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "door/redis_inner.h"
#include "text/write.h"

static void draw_id(char out[REDIS_BATCH_ID])
{
	uint64_t n[2];
	MUST(getrandom(n, sizeof n, 0) == (ssize_t)sizeof n);
	snprintf(out, REDIS_BATCH_ID, "%016llx%016llx", (unsigned long long)n[0], (unsigned long long)n[1]);
}

/* ---- peek ---- */

/* A list of large elements is asked for fewer at a time, so that Redis does not copy in vain. */
static void adapt_peek(struct redis_source *s, size_t got)
{
	if (got < s->peek / 2)
		s->peek = got * 2;
	else if (got == s->peek)
		s->peek = s->peek * 2 < REDIS_PEEK_MAX ? s->peek * 2 : REDIS_PEEK_MAX;
}

/* {"reason":"too_large","message":"…","bytes":9000000}; the element follows as an entry of its own. */
static int set_aside(struct redis_source *s, long long bytes)
{
	struct text_out o;
	text_open(&o, &s->arena, 256);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "reason", STR("too_large"));
	text_json_member_string(
		&o, "message", STR("more than " REDIS_PEEK_BYTES " bytes; moved unread, it is the next entry"));
	text_json_member_int(&o, "bytes", bytes);
	text_json_end(&o, '}');
	enum redis_settled rc = redis_set_aside(s, text_done(&o));
	if (rc == SETTLED_BROKEN || rc == SETTLED_LOST)
		return -1;
	if (rc == SETTLED_MOVED)
		return 2;
	log_warn("redis", "%s: an element of %lld bytes was moved to the dead list unread", s->opt.source->list, bytes);
	redis_count_rejected(s, "too_large");
	return 2;
}

int redis_peek(struct redis_source *s, struct redis_batch *b)
{
	*b = (struct redis_batch){ 0 };
	if (redis_seam(s, "redis.peek") || !(b->elements = redis_look(s, s->peek)))
		return -1;
	if (redis_seam(s, "redis.peeked"))
		return -1;
	if (b->elements->type == REDIS_REPLY_INTEGER)
		return set_aside(s, b->elements->integer);
	b->n = b->elements->type == REDIS_REPLY_ARRAY ? b->elements->elements : 0;
	if (!b->n)
		return 0;
	adapt_peek(s, b->n);
	draw_id(b->id);
	return 1;
}

/* ---- reading the events ---- */

static void *grown(struct arena *a, const void *old, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return (void *)(uintptr_t)old;
	*cap = *cap ? *cap * 2 : 64;
	void *bigger = arena_alloc(a, *cap * size);
	if (n)
		memcpy(bigger, old, n * size);
	return bigger;
}

struct reading {
	struct redis_source *source;
	struct redis_batch *batch;
	struct tally_str element;
	struct event_error first; /* of what is wrong in it */
	size_t index;             /* where */
	size_t wrong;
	struct text_out places; /* the first PLACES_MAX of what is wrong, as JSON */
};

#define PLACES_MAX 100

static void note_wrong(struct reading *r, const struct event_error *err, size_t index)
{
	struct redis_batch *b = r->batch;
	const char *code = err->code ? err->code : "invalid_json";
	if (r->wrong == 0) {
		r->first = *err;
		r->first.code = code;
		r->index = index;
		text_open(&r->places, &r->source->arena, 64);
		text_json_begin(&r->places, '[');
	}
	if (r->wrong++ < PLACES_MAX)
		text_json_int(&r->places, (int64_t)index);
	b->rejected = grown(&r->source->arena, b->rejected, b->nrejected, &b->rejected_cap, sizeof *b->rejected);
	b->rejected[b->nrejected++] = (struct ledger_rejected){ STR(""), code };
}

/* One entry an element, however much is wrong in it: an array of 10000 is not copied 10000 times.
 * {"reason":"invalid_time","message":"…","index":0,"rejected":1,"places":[0],"element":"…"} */
static void lay_aside(struct reading *r)
{
	struct redis_batch *b = r->batch;
	struct text_out o;
	text_json_end(&r->places, ']');
	text_open(&o, &r->source->arena, r->element.len + 512);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "reason", str_of(r->first.code));
	text_json_member_string(&o, "message", str_of(r->first.message));
	text_json_member_int(&o, "index", (int64_t)r->index);
	text_json_member_int(&o, "rejected", (int64_t)r->wrong);
	text_json_key(&o, STR("places"));
	text_json_raw(&o, text_done(&r->places));
	text_json_member_string(&o, "element", r->element);
	text_json_end(&o, '}');
	b->dead = grown(&r->source->arena, b->dead, b->ndead, &b->dead_cap, sizeof *b->dead);
	b->dead[b->ndead++] = text_done(&o);
}

static int take_event(void *arg, size_t index, struct tally_event *ev, const struct event_error *err)
{
	struct reading *r = arg;
	struct redis_batch *b = r->batch;
	if (!ev) {
		note_wrong(r, err, index);
		return 0;
	}
	plug_arrive(r->source->plugs.chain, &r->source->arena, NULL, ev);
	size_t bytes = event_spool_bytes(ev);
	void *form = arena_alloc(&r->source->arena, bytes);
	event_encode(ev, form);
	b->items = grown(&r->source->arena, b->items, b->nitems, &b->items_cap, sizeof *b->items);
	b->items[b->nitems++] = (struct ledger_item){ .ev = *ev, .form = form, .form_bytes = (uint32_t)bytes };
	return 0;
}

static const struct event_site *site_of(void *arg, struct tally_str name)
{
	struct redis_source *s = arg;
	static _Thread_local struct event_site site;
	const struct conf_site *c = conf_site(s->opt.conf, name);
	site = (struct event_site){ .past_us = c->past_us, .future_us = c->future_us };
	return &site;
}

static void context(struct redis_source *s, struct event_context *cx)
{
	const struct conf *c = s->opt.conf;
	const struct conf_source *src = s->opt.source;
	struct event_map *map = arena_alloc(&s->arena, (src->nmap + 1) * sizeof *map);
	for (size_t i = 0; i < src->nmap; i++)
		map[i] = (struct event_map){ str_of(src->map[i].field), str_of(src->map[i].key) };
	*cx = (struct event_context){
		.limits = { c->limits.event, (unsigned)c->limits.depth, c->limits.events },
		.map = map,
		.nmap = src->nmap,
		.default_site = src->site ? str_of(src->site) : STR("default"),
		.now_us = clock_wall_us(),
		.site = site_of,
		.arg = s,
	};
}

/* An element that fails as a whole takes back what was read of it before the failure. */
static void read_element(
	struct redis_source *s, const struct event_context *cx, struct redis_batch *b, const redisReply *e)
{
	struct reading r = { .source = s, .batch = b, .element = str_make(e->str, e->len) };
	struct event_error err = { 0 };
	size_t items = b->nitems, rejected = b->nrejected;
	int rc = event_read_body(cx, &s->arena, r.element, take_event, &r, &err);
	if (rc == 0 && b->nitems + b->nrejected > items + rejected) {
		if (r.wrong)
			lay_aside(&r);
		return;
	}
	b->nitems = items;
	b->nrejected = rejected;
	r.wrong = 0;
	if (rc == -E2BIG)
		err = (struct event_error){ .code = "too_many_events", .message = "more events than limits.events" };
	else if (rc == 0)
		err = (struct event_error){ .code = "no_events", .message = "the element holds no event" };
	note_wrong(&r, &err, 0);
	lay_aside(&r);
}

void redis_read_elements(struct redis_source *s, struct redis_batch *b)
{
	struct event_context cx;
	context(s, &cx);
	for (size_t i = 0; i < b->n; i++)
		read_element(s, &cx, b, b->elements->element[i]);
}

void redis_lay_aside_whole(struct redis_source *s, struct redis_batch *b)
{
	const redisReply *e = b->elements->element[0];
	struct reading r = { .source = s, .batch = b, .element = str_make(e->str, e->len) };
	struct event_error err = { .code = "too_large", .message = "more events than one record of the spool holds" };
	b->nitems = b->nrejected = b->ndead = 0;
	note_wrong(&r, &err, 0);
	lay_aside(&r);
}
