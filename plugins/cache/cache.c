/* SPDX-License-Identifier: Apache-2.0 */
/* cache: statistics answers kept in memory, each with the version of the data it was made from.
 *
 *   no entry             ─▶ the planner answers, the answer is kept
 *   entry                ─▶ HELD while a job asks for the version of today
 *     the same           ─▶ the entry is the answer
 *     another, or error  ─▶ resumed, the planner answers, the answer is kept
 *   the same question is under way ─▶ HELD until that one is answered, then the same answer
 *
 * So an answer is never older than the data, unless `fresh` allows it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flight.h"
#include "store.h"

#define WAITING_MOST 1000
#define MEMORY_LEAST (1 << 20)

struct cache {
	const struct tally_host *host;
	struct tally_instance *in;
	int64_t fresh_us;
	struct store *store;
	struct flights flights;
	char *key; /* scratch: key of the request in hand, 0, format */
	size_t key_cap;
};

/* ---- answers ---- */

#define MISS "\"cache\":\"miss\""
#define HIT "\"cache\":\"hit\""

/* The body as it is given the second time: its meta says hit. free() it; NULL = out of memory. Quotes within JSON
 * strings are escaped, so the mark cannot stand in data. */
static char *as_hit(struct tally_str body, struct tally_str *out)
{
	char *copy = malloc(body.len + 1);
	const char *mark = body.len ? memmem(body.ptr, body.len, MISS, strlen(MISS)) : NULL;
	if (!copy)
		return NULL;
	size_t before = mark ? (size_t)(mark - body.ptr) : body.len;
	if (before)
		memcpy(copy, body.ptr, before);
	*out = (struct tally_str){ copy, body.len };
	if (mark) {
		size_t after = body.len - before - strlen(MISS);
		memcpy(copy + before, HIT, strlen(HIT));
		memcpy(copy + before + strlen(HIT), mark + strlen(MISS), after);
		out->len = before + strlen(HIT) + after;
	}
	return copy;
}

static struct tally_answer answer_of(const struct kept *k)
{
	return (struct tally_answer){
		.status = k->status, .type = k->type, .body = k->body, .version = k->version, .etag = k->etag
	};
}

static void answer_waiting(struct cache *c, const struct flight *f, const struct tally_answer *an)
{
	for (size_t i = 0; i < f->nwaiting; i++)
		c->host->answer(c->in, f->waiting[i], an);
	if (f->nwaiting)
		c->host->count(c->in, "hits", (int64_t)f->nwaiting);
}

/* ---- the version of an entry is checked ---- */

static void check_job(void *arg)
{
	struct flight *f = arg;
	f->rc = f->cache->host->request_version(f->cache->in, f->asked_for, &f->version);
}

/* Ends the flight with the entry, if that has this version. A copy is answered, for the store may change while answers
 * leave. */
static bool land_with_entry(struct cache *c, struct flight *f, uint64_t version)
{
	struct kept *k = store_get(c->store, f->hash, f->key);
	if (!k || k->version != version)
		return false;
	struct tally_answer an = answer_of(k);
	char *copy = malloc(k->bytes);
	if (!copy)
		return false;
	char *at = copy;
	struct tally_str *const texts[] = { &an.type, &an.etag, &an.body };
	for (int i = 0; i < 3; i++) {
		if (texts[i]->len)
			memcpy(at, texts[i]->ptr, texts[i]->len);
		texts[i]->ptr = at;
		at += texts[i]->len;
	}
	flight_end(&c->flights, f);
	if (f->leader) {
		c->host->count(c->in, "hits", 1);
		c->host->answer(c->in, f->leader, &an);
	}
	answer_waiting(c, f, &an);
	flight_free(f);
	free(copy);
	return true;
}

/* The planner is to answer the leader, or the next in line if that has gone. Its answer may come before this returns,
 * and end the flight. */
static void go_on(struct cache *c, struct flight *f)
{
	if (f->leader || flight_promote(&c->flights, f)) {
		c->host->resume(c->in, f->leader);
		return;
	}
	flight_end(&c->flights, f);
	flight_free(f);
}

static void check_done(void *arg)
{
	struct flight *f = arg;
	struct cache *c = f->cache;
	f->checking = false;
	if (f->rc == 0 && land_with_entry(c, f, f->version))
		return;
	c->host->count(c->in, "stale", 1);
	go_on(c, f);
}

/* ---- hooks ---- */

static bool make_key(struct cache *c, const struct tally_request *rq, struct tally_str *out)
{
	size_t n = rq->key.len + 1 + rq->accept.len;
	if (n > c->key_cap) {
		char *bigger = realloc(c->key, n * 2);
		if (!bigger)
			return false;
		c->key = bigger;
		c->key_cap = n * 2;
	}
	memcpy(c->key, rq->key.ptr, rq->key.len);
	c->key[rq->key.len] = 0;
	if (rq->accept.len)
		memcpy(c->key + rq->key.len + 1, rq->accept.ptr, rq->accept.len);
	*out = (struct tally_str){ c->key, n };
	return true;
}

static int join(struct cache *c, struct flight *f, uint64_t request)
{
	if (c->flights.waiting < WAITING_MOST && flight_join(&c->flights, f, request))
		return TALLY_HOLD;
	c->host->count(c->in, "bypassed", 1);
	return TALLY_PASS;
}

/* There is an entry, too old to be given unasked. */
static int check(struct cache *c, struct flight *f)
{
	f->cache = c;
	f->asked_for = f->leader;
	f->checking = true;
	if (c->host->work(c->in, check_job, check_done, f) == 0)
		return TALLY_HOLD;
	f->checking = false;
	return TALLY_PASS;
}

static int request(void *self, const struct tally_request *rq)
{
	struct cache *c = self;
	struct tally_str key;
	if (!rq->is_query || rq->key.len == 0 || !make_key(c, rq, &key))
		return TALLY_PASS;
	uint64_t hash = c->host->hash_keyed(key.ptr, key.len);
	struct flight *f = flight_find(&c->flights, hash, key);
	if (f)
		return join(c, f, rq->id);
	struct kept *k = store_get(c->store, hash, key);
	if (k && rq->received_us - k->made_us < c->fresh_us) {
		struct tally_answer an = answer_of(k);
		c->host->count(c->in, "hits", 1);
		return c->host->answer(c->in, rq->id, &an) == 0 ? TALLY_ANSWERED : TALLY_PASS;
	}
	f = flight_begin(&c->flights, hash, key, rq->id);
	if (!k)
		c->host->count(c->in, "misses", 1);
	return f && k ? check(c, f) : TALLY_PASS;
}

static bool worth_keeping(const struct tally_answer *an)
{
	return an->fresh && an->status == 200 && an->version != 0;
}

/* The leader's answer: kept if it is one, and given to all who wait for it. Equal questions asked at one time get equal
 * answers, errors too: asking again a thousand times would not help. */
static void land(struct cache *c, struct flight *f, const struct tally_request *rq, const struct tally_answer *an)
{
	struct tally_str body;
	char *copy = as_hit(an->body, &body);
	struct tally_answer given = *an;
	given.fresh = 0;
	given.body = copy ? body : an->body;
	if (copy && worth_keeping(an) && !store_put(c->store, f->hash, f->key, an, body, rq->received_us))
		c->host->count(c->in, "too_large", 1);
	answer_waiting(c, f, &given);
	flight_free(f);
	free(copy);
}

static void answered(void *self, const struct tally_request *rq, const struct tally_answer *an)
{
	struct cache *c = self;
	struct flight *f = flight_led_by(&c->flights, rq->id);
	if (!f) {
		flight_leave(&c->flights, rq->id);
		return;
	}
	if (f->checking) { /* ended otherwise while it was held; those who wait still want an answer */
		f->leader = 0;
		return;
	}
	if (an->status == 304) { /* it had the answer already; the others may not */
		f->leader = 0;
		if (!land_with_entry(c, f, an->version))
			go_on(c, f);
		return;
	}
	flight_end(&c->flights, f);
	land(c, f, rq, an);
}

static void cache_close(void *self)
{
	struct cache *c = self;
	while (c->flights.first) {
		struct flight *f = c->flights.first;
		flight_end(&c->flights, f);
		flight_free(f);
	}
	if (c->store)
		store_close(c->store);
	free(c->key);
	free(c);
}

static int cache_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	int64_t memory = host->option_int(in, "memory");
	if (memory < MEMORY_LEAST)
		return host->fail(in, "`memory` must be at least 1MiB; leave cache out of the pipeline instead");
	struct cache *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	*c = (struct cache){ .host = host, .in = in, .fresh_us = host->option_int(in, "fresh") };
	c->store = store_open((size_t)memory);
	if (!c->store) {
		cache_close(c);
		return -ENOMEM;
	}
	*self = c;
	return 0;
}

static const struct tally_option options[] = {
	{ "memory", TALLY_OPT_SIZE, 0, "64MiB", "most memory for answers; one may take an eighth of it" },
	{ "fresh", TALLY_OPT_TIME, 0, "0s", "an answer this young is given without asking the store for its version" },
	{ NULL, 0, 0, NULL, NULL },
};

const struct tally_plugin tally_plugin = {
	TALLY_PLUGIN_HEAD,
	"cache",
	"0.1.0",
	"keeps statistics answers as long as the data behind them is the same",
	options,
	.open = cache_open,
	.close = cache_close,
	.request = request,
	.answered = answered,
};
