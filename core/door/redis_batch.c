/* SPDX-License-Identifier: Apache-2.0 */
/* A batch: elements peeked from the list, the events in them, and the head of its record in the spool. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "door/redis_inner.h"
#include "text/write.h"

#define HEAD_VERSION 1

static void draw_id(char out[REDIS_BATCH_ID])
{
	uint64_t n[2];
	MUST(getrandom(n, sizeof n, 0) == (ssize_t)sizeof n);
	snprintf(out, REDIS_BATCH_ID, "%016llx%016llx", (unsigned long long)n[0], (unsigned long long)n[1]);
}

/* ---- peek ---- */

/* LRANGE gives list order; from the right the nearest element is the last one. */
static void reverse(redisReply *r)
{
	for (size_t i = 0, k = r->elements; i + 1 < k; i++, k--) {
		redisReply *e = r->element[i];
		r->element[i] = r->element[k - 1];
		r->element[k - 1] = e;
	}
}

/* Only so many elements as stay below the byte limit, but at least one. */
static size_t fitting(const redisReply *r)
{
	size_t n = 0, bytes = 0;
	while (n < r->elements && (n == 0 || bytes + r->element[n]->len <= REDIS_PEEK_BYTES))
		bytes += r->element[n++]->len;
	return n;
}

static void adapt_peek(struct redis_source *s, const struct redis_batch *b)
{
	if (b->n < b->elements->elements)
		s->peek = b->n; /* the elements are large */
	else if (s->peek < REDIS_PEEK_MAX)
		s->peek = s->peek * 2 < REDIS_PEEK_MAX ? s->peek * 2 : REDIS_PEEK_MAX;
}

int redis_peek(struct redis_source *s, struct redis_batch *b)
{
	char from[24], to[24];
	bool right = s->opt.source->right;
	*b = (struct redis_batch){ 0 };
	snprintf(from, sizeof from, "%lld", right ? -(long long)s->peek : 0);
	snprintf(to, sizeof to, "%lld", right ? -1 : (long long)s->peek - 1);
	b->elements = redis_call(s, 4, (const char *[]){ "LRANGE", s->opt.source->list, from, to }, NULL);
	if (!b->elements)
		return -1;
	if (b->elements->type != REDIS_REPLY_ARRAY || !b->elements->elements)
		return 0;
	if (right)
		reverse(b->elements);
	b->n = fitting(b->elements);
	adapt_peek(s, b);
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
};

/* {"reason":"invalid_time","message":"…","index":0,"element":"…"} */
static void lay_aside(struct reading *r, const struct event_error *err, size_t index)
{
	struct redis_batch *b = r->batch;
	struct text_out o;
	text_open(&o, &r->source->arena, r->element.len + 256);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "reason", str_of(err->code ? err->code : "invalid_json"));
	text_json_member_string(&o, "message", str_of(err->message));
	text_json_member_int(&o, "index", (int64_t)index);
	text_json_member_string(&o, "element", r->element);
	text_json_end(&o, '}');
	b->dead = grown(&r->source->arena, b->dead, b->ndead, &b->dead_cap, sizeof *b->dead);
	b->dead[b->ndead++] = text_done(&o);
}

static void count_rejected(struct reading *r, const struct event_error *err)
{
	struct redis_batch *b = r->batch;
	b->rejected = grown(&r->source->arena, b->rejected, b->nrejected, &b->rejected_cap, sizeof *b->rejected);
	b->rejected[b->nrejected++] = (struct ledger_rejected){ STR(""), err->code ? err->code : "invalid_json" };
}

static int take_event(void *arg, size_t index, struct tally_event *ev, const struct event_error *err)
{
	struct reading *r = arg;
	struct redis_batch *b = r->batch;
	if (!ev) {
		lay_aside(r, err, index);
		count_rejected(r, err);
		return 0;
	}
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
	site = (struct event_site){ c->past_us, c->future_us };
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
		.site_arg = s,
	};
}

/* An element that fails as a whole takes back what was read of it before the failure. */
static void read_element(
	struct redis_source *s, const struct event_context *cx, struct redis_batch *b, const redisReply *e)
{
	struct reading r = { s, b, str_make(e->str, e->len) };
	struct event_error err = { 0 };
	size_t items = b->nitems, rejected = b->nrejected, dead = b->ndead;
	int rc = event_read_body(cx, &s->arena, r.element, take_event, &r, &err);
	if (rc == 0 && (b->nitems > items || b->nrejected > rejected))
		return;
	b->nitems = items;
	b->nrejected = rejected;
	b->ndead = dead;
	if (rc == -E2BIG)
		err = (struct event_error){ .code = "too_many_events", .message = "more events than limits.events" };
	else if (rc == 0)
		err = (struct event_error){ .code = "no_events", .message = "the element holds no event" };
	lay_aside(&r, &err, 0);
	count_rejected(&r, &err);
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
	struct reading r = { s, b, str_make(e->str, e->len) };
	struct event_error err = { .code = "too_large", .message = "more events than one record of the spool holds" };
	b->nitems = b->nrejected = b->ndead = 0;
	lay_aside(&r, &err, 0);
	count_rejected(&r, &err);
}

/* ---- the record's head ---- */

struct tally_str redis_batch_head(struct redis_source *s, const struct redis_batch *b)
{
	size_t name = strlen(s->opt.source->list), n = 4 + 2 + name + 32 + 4 + b->n * 8;
	char *p = arena_zalloc(&s->arena, n), *base = p;
	p[0] = HEAD_VERSION;
	put_u16(p + 4, (uint16_t)name);
	memcpy(p + 6, s->opt.source->list, name);
	p += 6 + name;
	memcpy(p, b->id, 32);
	put_u32(p + 32, (uint32_t)b->n);
	p += 36;
	for (size_t i = 0; i < b->n; i++, p += 8)
		put_u64(p, XXH3_64bits(b->elements->element[i]->str, b->elements->element[i]->len));
	return str_make(base, n);
}

bool redis_head_read(struct tally_str head, const char *list, char id[REDIS_BATCH_ID])
{
	size_t name = strlen(list);
	if (head.len < 6 + name + 36 || head.ptr[0] != HEAD_VERSION || get_u16(head.ptr + 4) != name ||
		memcmp(head.ptr + 6, list, name) != 0)
		return false;
	memcpy(id, head.ptr + 6 + name, 32);
	id[32] = 0;
	return true;
}

/* u32 head bytes, head, u32 n, n events */
int redis_batch_recall(struct redis_source *s, uint64_t lsn, struct redis_batch *b)
{
	struct spool_record rec;
	struct spool_reader *r = spool_reader_open(ledger_spool(s->opt.ledger));
	int rc = spool_reader_at(r, lsn, &rec);
	*b = (struct redis_batch){ .lsn = lsn };
	if (rc) {
		spool_reader_close(r);
		return rc;
	}
	const char *p = arena_copy(&s->arena, rec.payload, rec.len);
	size_t len = rec.len, head = len >= 4 ? get_u32(p) : 0;
	spool_reader_close(r);
	if (len < 8 || head > len - 8)
		return -EBADMSG;
	size_t n = get_u32(p + 4 + head);
	p += 8 + head;
	len -= 8 + head;
	b->items = arena_zalloc(&s->arena, n * sizeof *b->items + 1);
	for (; b->nitems < n; b->nitems++) {
		struct ledger_item *it = &b->items[b->nitems];
		int64_t used = event_decode(p, len, &s->arena, &it->ev);
		if (used < 0)
			return -EBADMSG;
		it->form = p;
		it->form_bytes = (uint32_t)used;
		p += used;
		len -= (size_t)used;
	}
	return 0;
}
