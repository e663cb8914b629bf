/* SPDX-License-Identifier: Apache-2.0 */
/* The level that nodes share. Nobody waits for a connection or for a value to be written, and no answer needs either: a
 * value found there is used only if it has the version that the store says now. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "wire.h"

#define SHARING_MOST 8
#define NAME_ROOM 160 /* prefix and 16 digits */

/* ---- connecting ---- */

struct connecting {
	struct cache *cache;
	int rc;
	char why[160];
};

static void connect_job(void *arg)
{
	struct connecting *j = arg;
	j->rc = redis_connect(j->cache->redis, j->why);
}

static void connect_done(void *arg)
{
	struct connecting *j = arg;
	struct cache *c = j->cache;
	if (j->rc) {
		c->host->count(c->in, "redis_errors", 1);
		if (!c->said_away)
			c->host->log(c->in, TALLY_LOG_WARN, "the Redis of the cache is not used for now: %s", j->why);
	} else if (c->said_away) {
		c->host->log(c->in, TALLY_LOG_INFO, "the Redis of the cache is there again");
	}
	c->said_away = j->rc != 0;
	free(j);
}

void share_tend(struct cache *c)
{
	if (!c->redis || !redis_wants(c->redis))
		return;
	struct connecting *j = calloc(1, sizeof *j);
	if (j)
		j->cache = c;
	if (!j || c->host->work(c->in, connect_job, connect_done, j) != 0) {
		redis_connect_not(c->redis);
		free(j);
	}
}

/* ---- finding and putting ---- */

/* Two keys with one name put each other out; which one is there the value says. */
static void name_of(const struct cache *c, struct tally_str key, char out[NAME_ROOM])
{
	snprintf(out, NAME_ROOM, "%s%016llx", c->prefix, (unsigned long long)c->host->hash(key.ptr, key.len));
}

static void count_failure(struct cache *c, int rc)
{
	c->host->count(c->in, rc == -EAGAIN ? "redis_skipped" : "redis_errors", 1);
}

void share_find(struct flight *f)
{
	struct cache *c = f->cache;
	char name[NAME_ROOM], *bytes = NULL;
	size_t len;
	name_of(c, f->key, name);
	int rc = redis_get(c->redis, name, &bytes, &len);
	if (rc == 0)
		rc = wire_unpack(c->host, bytes, len, f->key, &f->answer, &f->made_us);
	if (rc == 0)
		f->found = bytes;
	else
		free(bytes);
	if (rc == -ENOENT)
		c->host->count(c->in, "redis_misses", 1);
	else if (rc)
		count_failure(c, rc);
}

struct putting {
	struct cache *cache;
	char name[NAME_ROOM];
	char *bytes;
	size_t len;
	int rc;
};

static void put_job(void *arg)
{
	struct putting *j = arg;
	j->rc = redis_set(j->cache->redis, j->name, j->bytes, j->len, j->cache->ttl_s);
}

static void put_done(void *arg)
{
	struct putting *j = arg;
	struct cache *c = j->cache;
	c->sharing--;
	if (j->rc)
		count_failure(c, j->rc);
	else
		c->host->count(c->in, "redis_puts", 1);
	free(j->bytes);
	free(j);
}

static struct putting *make(
	struct cache *c, const struct flight *f, const struct tally_answer *an, struct tally_str body, int64_t made_us)
{
	struct putting *j = calloc(1, sizeof *j);
	if (!j)
		return NULL;
	j->cache = c;
	name_of(c, f->key, j->name);
	j->bytes = wire_pack(c->host, f->key, an, body, made_us, &j->len);
	if (j->bytes)
		return j;
	free(j);
	return NULL;
}

void share_put(
	struct cache *c, const struct flight *f, const struct tally_answer *an, struct tally_str body, int64_t made_us)
{
	if (!c->redis || body.len > REDIS_VALUE_MOST / 2)
		return;
	if (c->sharing >= SHARING_MOST || !redis_ready(c->redis)) {
		c->host->count(c->in, "redis_skipped", 1);
		return;
	}
	struct putting *j = make(c, f, an, body, made_us);
	if (!j)
		return;
	if (c->host->work(c->in, put_job, put_done, j) == 0) {
		c->sharing++;
		return;
	}
	free(j->bytes);
	free(j);
}
