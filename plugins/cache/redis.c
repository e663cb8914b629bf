/* SPDX-License-Identifier: Apache-2.0 */
#include "redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BACK_OFF_MS 100
#define BACK_OFF_MOST_MS 10000
#define READER_MOST (REDIS_VALUE_MOST + 65536)

struct redis {
	struct place at;
	int64_t timeout_us;
	pthread_mutex_t lock; /* of all below */
	redisContext *idle[REDIS_LINKS];
	unsigned nidle, nopen; /* nopen: idle ones and those in use */
	bool connecting;
	unsigned failures; /* in a row */
	int64_t next_try_us;
};

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- the pool ---- */

struct redis *redis_open(const struct place *at, int64_t timeout_us)
{
	struct redis *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->at = *at;
	r->timeout_us = timeout_us;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void redis_close(struct redis *r)
{
	for (unsigned i = 0; i < r->nidle; i++)
		redisFree(r->idle[i]);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

bool redis_ready(struct redis *r)
{
	pthread_mutex_lock(&r->lock);
	bool ready = r->nidle > 0;
	pthread_mutex_unlock(&r->lock);
	return ready;
}

bool redis_wants(struct redis *r)
{
	pthread_mutex_lock(&r->lock);
	bool wants = !r->connecting && r->nidle == 0 && r->nopen < REDIS_LINKS && now_us() >= r->next_try_us;
	r->connecting = r->connecting || wants;
	pthread_mutex_unlock(&r->lock);
	return wants;
}

void redis_connect_not(struct redis *r)
{
	pthread_mutex_lock(&r->lock);
	r->connecting = false;
	pthread_mutex_unlock(&r->lock);
}

static redisContext *take(struct redis *r)
{
	pthread_mutex_lock(&r->lock);
	redisContext *c = r->nidle ? r->idle[--r->nidle] : NULL;
	pthread_mutex_unlock(&r->lock);
	return c;
}

/* Assumes: locked. */
static void back_off(struct redis *r)
{
	int64_t ms = BACK_OFF_MS << (r->failures < 7 ? r->failures : 7);
	r->next_try_us = now_us() + (ms < BACK_OFF_MOST_MS ? ms : BACK_OFF_MOST_MS) * 1000;
	r->failures++;
}

/* rc: of the command it was used for. After a failure the others are in doubt too: they go with it. */
static void give_back(struct redis *r, redisContext *c, int rc)
{
	redisContext *gone[REDIS_LINKS];
	unsigned n = 0;
	pthread_mutex_lock(&r->lock);
	if (rc == 0 || rc == -ENOENT) {
		r->idle[r->nidle++] = c;
		r->failures = 0;
	} else {
		gone[n++] = c;
		while (r->nidle)
			gone[n++] = r->idle[--r->nidle];
		r->nopen -= n;
		back_off(r);
	}
	pthread_mutex_unlock(&r->lock);
	while (n)
		redisFree(gone[--n]);
}

/* ---- a command within its time ---- */

/* Not redisGetReply(): its time-out begins anew with every piece that arrives. */
static int command(redisContext *c, int64_t until_us, redisReply **out)
{
	void *reply = NULL;
	int sent = 0;
	while (!sent)
		if (redisBufferWrite(c, &sent) != REDIS_OK || now_us() > until_us)
			return c->err ? -EIO : -ETIMEDOUT;
	while (!reply) {
		int64_t left = until_us - now_us();
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		int n = left > 0 ? poll(&p, 1, (int)(left / 1000 + 1)) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ETIMEDOUT;
		if (redisBufferRead(c) != REDIS_OK || redisGetReplyFromReader(c, &reply) != REDIS_OK ||
			c->reader->len > READER_MOST)
			break;
	}
	*out = reply;
	if (!reply || c->err)
		return -EIO;
	return (*out)->type == REDIS_REPLY_ERROR ? -EPROTO : 0;
}

static int run(struct redis *r, redisContext *c, redisReply **reply, int argc, const char **argv, const size_t *lens)
{
	*reply = NULL;
	if (redisAppendCommandArgv(c, argc, argv, lens) != REDIS_OK)
		return -ENOMEM;
	return command(c, now_us() + r->timeout_us, reply);
}

/* ---- connecting ---- */

static int say(char why[160], redisContext *c, redisReply *reply, int rc)
{
	snprintf(why, 160, "%s",
		reply && reply->type == REDIS_REPLY_ERROR ? reply->str
		: c && c->err                             ? c->errstr
							  : strerror(-rc));
	return rc;
}

static int introduce(struct redis *r, redisContext *c, char why[160])
{
	const struct place *at = &r->at;
	char db[16];
	snprintf(db, sizeof db, "%d", at->db);
	const char *auth[3] = { "AUTH", at->user[0] ? at->user : at->password, at->password };
	const char *choose[2] = { "SELECT", db };
	redisReply *reply = NULL;
	int rc = 0;
	if (at->password[0])
		rc = run(r, c, &reply, at->user[0] ? 3 : 2, auth, NULL);
	if (rc == 0 && at->db) {
		if (reply)
			freeReplyObject(reply);
		rc = run(r, c, &reply, 2, choose, NULL);
	}
	if (rc)
		say(why, c, reply, rc);
	if (reply)
		freeReplyObject(reply);
	return rc;
}

static int connect_once(struct redis *r, redisContext **out, char why[160])
{
	struct timeval limit = { .tv_sec = r->timeout_us / 1000000, .tv_usec = r->timeout_us % 1000000 };
	redisContext *c = r->at.path[0] ? redisConnectUnixWithTimeout(r->at.path, limit)
					: redisConnectWithTimeout(r->at.host, r->at.port, limit);
	int rc = !c ? -ENOMEM : c->err ? say(why, c, NULL, -EIO) : 0;
	if (rc == 0 && redisSetTimeout(c, limit) != REDIS_OK)
		rc = say(why, c, NULL, -EIO);
	if (rc == 0)
		rc = introduce(r, c, why);
	if (rc && c)
		redisFree(c);
	else
		*out = c;
	return rc;
}

int redis_connect(struct redis *r, char why[160])
{
	redisContext *c = NULL;
	int rc = connect_once(r, &c, why);
	pthread_mutex_lock(&r->lock);
	r->connecting = false;
	if (rc) {
		back_off(r);
	} else {
		r->idle[r->nidle++] = c;
		r->nopen++;
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}

/* ---- values ---- */

static int take_value(redisReply *reply, char **value, size_t *len)
{
	if (reply->type == REDIS_REPLY_NIL)
		return -ENOENT;
	if (reply->type != REDIS_REPLY_STRING || !(*value = malloc((size_t)reply->len + 1)))
		return -EPROTO;
	memcpy(*value, reply->str, (size_t)reply->len);
	*len = (size_t)reply->len;
	return 0;
}

int redis_get(struct redis *r, const char *key, char **value, size_t *len)
{
	const char *argv[2] = { "GET", key };
	redisReply *reply;
	redisContext *c = take(r);
	if (!c)
		return -EAGAIN;
	int rc = run(r, c, &reply, 2, argv, NULL);
	if (rc == 0)
		rc = take_value(reply, value, len);
	if (reply)
		freeReplyObject(reply);
	give_back(r, c, rc);
	return rc;
}

int redis_set(struct redis *r, const char *key, const char *value, size_t len, int64_t ttl_s)
{
	char ttl[24];
	snprintf(ttl, sizeof ttl, "%lld", (long long)ttl_s);
	const char *argv[5] = { "SET", key, value, "EX", ttl };
	const size_t lens[5] = { 3, strlen(key), len, 2, strlen(ttl) };
	redisReply *reply;
	redisContext *c = take(r);
	if (!c)
		return -EAGAIN;
	int rc = run(r, c, &reply, 5, argv, lens);
	if (reply)
		freeReplyObject(reply);
	give_back(r, c, rc);
	return rc;
}
