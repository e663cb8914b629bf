/* SPDX-License-Identifier: Apache-2.0 */
/* Is the answer to this flight's question known? A job asks for the version of the data and, if memory does not have
 * the answer of that version, the shared level; then the flight ends with an answer, or the planner makes one. */
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "mark.h"

/* ---- the job ---- */

static int ask_version(struct flight *f)
{
	return f->cache->host->request_version(f->cache->in, f->asked_for, &f->version);
}

static void forget_found(struct flight *f)
{
	free(f->found);
	f->found = NULL;
}

static void look_job(void *arg)
{
	struct flight *f = arg;
	if (f->has_entry) {
		f->rc = ask_version(f);
		if (f->rc || f->version == f->entry_version)
			return;
	}
	if (!f->shared)
		return;
	share_find(f);
	if (f->found && !f->has_entry) /* nothing found = nothing to check */
		f->rc = ask_version(f);
	if (f->found && (f->rc || f->answer.version != f->version))
		forget_found(f);
}

/* ---- what becomes of the flight ---- */

static struct tally_answer in_one(struct tally_answer an, char *copy)
{
	struct tally_str *const texts[] = { &an.type, &an.etag, &an.body };
	for (int i = 0; i < 3; i++) {
		if (texts[i]->len)
			memcpy(copy, texts[i]->ptr, texts[i]->len);
		texts[i]->ptr = copy;
		copy += texts[i]->len;
	}
	return an;
}

static void give(struct cache *c, struct flight *f, const struct tally_answer *an, const char *counter)
{
	flight_end(&c->flights, f);
	if (f->leader) {
		c->host->count(c->in, counter, 1);
		c->host->answer(c->in, f->leader, an);
	}
	cache_answer_waiting(c, f, an);
	flight_free(f);
}

/* A copy is answered, for the store may change while answers leave. */
bool look_land(struct cache *c, struct flight *f, uint64_t version)
{
	struct kept *k = store_get(c->store, f->hash, f->key);
	if (!k || k->version != version)
		return false;
	char *copy = malloc(k->bytes);
	if (!copy)
		return false;
	k->true_us = f->began_us;
	k->moment = f->moment;
	struct tally_answer an = in_one(cache_answer_of(k), copy);
	give(c, f, &an, "hits");
	free(copy);
	return true;
}

static bool land_with_found(struct cache *c, struct flight *f)
{
	struct tally_str body;
	struct tally_answer an = f->answer;
	char *copy = f->found ? mark_body(an.body, "redis", 0, &body) : NULL;
	if (!copy)
		return false;
	struct kept *k = cache_keep(c, f, &an, an.body, f->made_us);
	if (k)
		k->true_us = f->began_us;
	an.body = body;
	give(c, f, &an, "hits_redis");
	free(copy);
	return true;
}

void look_go_on(struct cache *c, struct flight *f)
{
	if (f->leader || flight_promote(&c->flights, f)) {
		c->host->resume(c->in, f->leader);
		return;
	}
	flight_end(&c->flights, f);
	flight_free(f);
}

/* The leader waits for the new answer; the others get what there is. */
static void give_stale(struct cache *c, struct flight *f)
{
	struct kept *k = store_get(c->store, f->hash, f->key);
	if (!k || !cache_may_be_stale(c, k, f->began_us) || (!f->leader && !flight_promote(&c->flights, f)))
		return;
	size_t n;
	uint64_t *waiting = flight_dismiss(&c->flights, f, &n);
	for (size_t i = 0; i < n; i++)
		cache_answer_stale(c, k, waiting[i], f->began_us);
	free(waiting);
}

static void look_done(void *arg)
{
	struct flight *f = arg;
	struct cache *c = f->cache;
	f->checking = false;
	if (f->has_entry && f->rc == 0 && look_land(c, f, f->version))
		return;
	if (land_with_found(c, f))
		return;
	c->host->count(c->in, f->has_entry ? "changed" : "misses", 1);
	if (f->has_entry) {
		f->refreshing = true;
		give_stale(c, f);
	}
	look_go_on(c, f);
}

bool look_begin(struct cache *c, struct flight *f, const struct kept *k)
{
	f->cache = c;
	f->asked_for = f->leader;
	f->has_entry = k != NULL;
	f->entry_version = k ? k->version : 0;
	f->shared = c->redis && redis_ready(c->redis);
	if (c->redis && !f->shared)
		c->host->count(c->in, "redis_skipped", 1);
	if (!f->has_entry && !f->shared)
		return false;
	f->checking = true;
	if (c->host->work(c->in, look_job, look_done, f) == 0)
		return true;
	f->checking = false;
	return false;
}
