/* SPDX-License-Identifier: Apache-2.0 */
/* cache: statistics answers kept in memory and, for all nodes, in a Redis, each with the version of the data it was made
 * from.
 *
 *   no entry             ─▶ the Redis is asked while it is HELD; else the planner answers, the answer is kept
 *   entry, this node has committed nothing since it was checked, no longer ago than `unasked` ─▶ the entry is the answer
 *   entry                ─▶ HELD while a job asks for the version of today
 *     the same           ─▶ the entry is the answer
 *     another, or error  ─▶ the Redis is asked; else resumed, the planner answers, the answer is kept
 *   the same question is under way ─▶ HELD until that one is answered, then the same answer; or at once the entry that
 *                             was true until now, marked as stale, if the options allow it
 *
 * So an answer is never older than the data, but for what other nodes have just written (`unasked`), unless `fresh`, `stale`
 * or `negative` allow it. */
#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

#define WAITING_MOST 1000
#define MEMORY_LEAST (1 << 20)
#define TIMEOUT_LEAST_US 1000
#define TIMEOUT_MOST_US 1000000
#define PREFIX_MOST 128
#define SECOND_US INT64_C(1000000)

/* ---- answers ---- */

struct tally_answer cache_answer_of(const struct kept *k)
{
	return (struct tally_answer){
		.status = k->status, .type = k->type, .body = k->body, .version = k->version, .etag = k->etag
	};
}

void cache_answer_waiting(struct cache *c, const struct flight *f, const struct tally_answer *an)
{
	for (size_t i = 0; i < f->nwaiting; i++)
		c->host->answer(c->in, f->waiting[i], an);
	if (f->nwaiting)
		c->host->count(c->in, "shared", (int64_t)f->nwaiting);
}

/* One that cannot say that it is stale is never given so. */
bool cache_may_be_stale(const struct cache *c, const struct kept *k, int64_t now_us)
{
	return k->status == 200 && now_us - k->true_us < c->stale_us && mark_is_there(k->body);
}

int cache_answer_stale(struct cache *c, const struct kept *k, uint64_t request, int64_t now_us)
{
	struct tally_str body;
	char *copy = mark_body(k->body, "stale", now_us - k->made_us, &body);
	struct tally_answer an = cache_answer_of(k);
	if (!copy)
		return -ENOMEM;
	an.body = body;
	c->host->count(c->in, "stale", 1);
	int rc = c->host->answer(c->in, request, &an);
	free(copy);
	return rc;
}

/* ---- keeping ---- */

static void count_sums(struct cache *c)
{
	struct store_sums now = store_sums(c->store), *was = &c->counted;
	if (now.bytes_in > was->bytes_in)
		c->host->count(c->in, "bytes_in", now.bytes_in - was->bytes_in);
	if (now.bytes_out > was->bytes_out)
		c->host->count(c->in, "bytes_out", now.bytes_out - was->bytes_out);
	if (now.evicted > was->evicted)
		c->host->count(c->in, "evicted", now.evicted - was->evicted);
	*was = now;
}

struct kept *cache_keep(
	struct cache *c, const struct flight *f, const struct tally_answer *an, struct tally_str body, int64_t made_us)
{
	struct kept *k = store_put(c->store, f->hash, f->key, an, body, made_us);
	if (!k)
		c->host->count(c->in, "too_large", 1);
	else
		k->moment = f->moment;
	count_sums(c);
	return k;
}

static struct kept *entry(struct cache *c, uint64_t hash, struct tally_str key, int64_t now_us)
{
	struct kept *k = store_get(c->store, hash, key);
	return k && now_us < k->expires_us ? k : NULL;
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

/* The same question is under way. */
static int join(struct cache *c, struct flight *f, const struct tally_request *rq)
{
	struct kept *k = f->refreshing ? entry(c, f->hash, f->key, rq->received_us) : NULL;
	if (k && cache_may_be_stale(c, k, rq->received_us) && cache_answer_stale(c, k, rq->id, rq->received_us) == 0)
		return TALLY_ANSWERED;
	if (c->flights.waiting < WAITING_MOST && flight_join(&c->flights, f, rq->id))
		return TALLY_HOLD;
	c->host->count(c->in, "bypassed", 1);
	return TALLY_PASS;
}

static uint64_t moment_now(const struct cache *c)
{
	return TALLY_HAS(c->host, store_moment) ? c->host->store_moment(c->in) : 0;
}

/* Nothing was committed here since it was known to be true, and not much time has passed for others to have done so. */
static bool still_true(const struct cache *c, const struct kept *k, int64_t age_us, uint64_t moment)
{
	return age_us < c->fresh_us || (moment != 0 && k->moment == moment && age_us < c->unasked_us);
}

/* Given unasked: an answer that is still true or young enough, and a refusal that would come again. */
static bool give_unasked(struct cache *c, const struct kept *k, const struct tally_request *rq, uint64_t moment)
{
	struct tally_answer an = cache_answer_of(k);
	bool refusal = k->status != 200;
	if (!refusal && !still_true(c, k, rq->received_us - k->true_us, moment))
		return false;
	if (c->host->answer(c->in, rq->id, &an) != 0)
		return false;
	c->host->count(c->in, refusal ? "negative" : "hits", 1);
	return true;
}

static int request(void *self, const struct tally_request *rq)
{
	struct cache *c = self;
	struct tally_str key;
	if (!rq->is_query || rq->key.len == 0 || !make_key(c, rq, &key))
		return TALLY_PASS;
	share_tend(c);
	uint64_t hash = c->host->hash_keyed(key.ptr, key.len);
	struct flight *f = flight_find(&c->flights, hash, key);
	if (f)
		return join(c, f, rq);
	struct kept *k = entry(c, hash, key, rq->received_us);
	uint64_t moment = moment_now(c);
	if (k && give_unasked(c, k, rq, moment))
		return TALLY_ANSWERED;
	f = flight_begin(&c->flights, hash, key, rq->id);
	if (f) {
		f->began_us = rq->received_us;
		f->moment = moment;
	}
	if (f && look_begin(c, f, k))
		return TALLY_HOLD;
	if (!k)
		c->host->count(c->in, "misses", 1);
	return TALLY_PASS;
}

/* Empty answers are checked by their versions as any, but do not stay: there is no end of questions without one. */
static void keep(struct cache *c, struct flight *f, const struct tally_request *rq, const struct tally_answer *an,
	struct tally_str body)
{
	bool good = an->status == 200 && an->version != 0, empty = good && mark_is_empty(body);
	bool refused = an->status == 422;
	if (!an->fresh || !(good || refused) || ((empty || refused) && c->negative_us == 0))
		return;
	struct kept *k = cache_keep(c, f, an, body, rq->received_us);
	if (k && (empty || refused))
		k->expires_us = rq->received_us + c->negative_us;
	else if (good)
		share_put(c, f, an, body, rq->received_us);
}

/* The leader's answer: kept if it is one, and given to all who wait for it. Equal questions asked at one time get equal
 * answers, errors too: asking again a thousand times would not help. */
static void land(struct cache *c, struct flight *f, const struct tally_request *rq, const struct tally_answer *an)
{
	struct tally_str body;
	char *copy = mark_body(an->body, "hit", 0, &body);
	struct tally_answer given = *an;
	given.fresh = 0;
	given.body = copy ? body : an->body;
	if (copy)
		keep(c, f, rq, an, body);
	cache_answer_waiting(c, f, &given);
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
		if (!look_land(c, f, an->version))
			look_go_on(c, f);
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
	if (c->redis)
		redis_close(c->redis);
	free(c->key);
	free(c);
}

static int open_redis(struct cache *c)
{
	const struct tally_host *host = c->host;
	const char *url = host->option_str(c->in, "redis");
	int64_t timeout_us = host->option_int(c->in, "redis_timeout");
	struct place at;
	c->prefix = host->option_str(c->in, "redis_prefix");
	c->ttl_s = host->option_int(c->in, "redis_ttl") / SECOND_US;
	if (!*url)
		return 0;
	const char *why = place_read(url, &at);
	if (why)
		return host->fail(c->in, "`redis` %s", why);
	if (timeout_us < TIMEOUT_LEAST_US || timeout_us > TIMEOUT_MOST_US)
		return host->fail(c->in, "`redis_timeout` must be from 1ms to 1s: an asker may wait for it");
	if (c->ttl_s < 1)
		return host->fail(c->in, "`redis_ttl` must be at least 1s; leave `redis` out instead");
	if (strlen(c->prefix) > PREFIX_MOST)
		return host->fail(c->in, "`redis_prefix` must be at most %d bytes", PREFIX_MOST);
	c->redis = redis_open(&at, timeout_us);
	return c->redis ? 0 : -ENOMEM;
}

static int cache_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	int64_t memory = host->option_int(in, "memory");
	if (memory < MEMORY_LEAST)
		return host->fail(in, "`memory` must be at least 1MiB; leave cache out of the pipeline instead");
	struct cache *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	*c = (struct cache){ .host = host,
		.in = in,
		.fresh_us = host->option_int(in, "fresh"),
		.unasked_us = host->option_int(in, "unasked"),
		.stale_us = host->option_int(in, "stale"),
		.negative_us = host->option_int(in, "negative") };
	int rc = open_redis(c);
	c->store = rc ? NULL : store_open((size_t)memory);
	if (!c->store) {
		cache_close(c);
		return rc ? rc : -ENOMEM;
	}
	share_tend(c);
	*self = c;
	return 0;
}

static const struct tally_option options[] = {
	{ "memory", TALLY_OPT_SIZE, 0, "64MiB", "most memory for answers; one may take an eighth of it" },
	{ "fresh", TALLY_OPT_TIME, 0, "0s", "an answer this young is given without asking the store for its version" },
	{ "unasked", TALLY_OPT_TIME, 0, "250ms",
		"how long an answer is given again unasked while this node commits nothing; others' commits show by then" },
	{ "stale", TALLY_OPT_TIME, 0, "0s",
		"while an answer is made anew, others get the old one if it was true this long ago, marked" },
	{ "negative", TALLY_OPT_TIME, 0, "1s", "how long a refusal (422) is given again; an empty answer is kept" },
	{ "redis", TALLY_OPT_STRING, 0, "",
		"redis://[user:password@]host[:port][/db] or unix:/path; nodes share answers there" },
	{ "redis_timeout", TALLY_OPT_TIME, 0, "50ms", "longest wait of an asker for that Redis" },
	{ "redis_ttl", TALLY_OPT_TIME, 0, "1h", "how long it keeps an answer" },
	{ "redis_prefix", TALLY_OPT_STRING, 0, "tally:cache:", "of its keys" },
	{ NULL, 0, 0, NULL, NULL },
};

const struct tally_plugin tally_plugin = {
	TALLY_PLUGIN_HEAD,
	"cache",
	"0.2.0",
	"keeps statistics answers as long as the data behind them is the same",
	options,
	.open = cache_open,
	.close = cache_close,
	.request = request,
	.answered = answered,
};
