/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: made, checked, spoken over, and given up at the first thing that is not as expected. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/seam.h"
#include "door/redis_inner.h"

#define CONNECT_S 5
#define COMMAND_S 20

/* ---- words ---- */

void redis_trouble(struct redis_source *s, const char *fmt, ...)
{
	char words[sizeof s->view.error];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&s->lock);
	bool news = strcmp(words, s->view.error) != 0, was = s->view.error[0];
	snprintf(s->view.error, sizeof s->view.error, "%s", words);
	pthread_mutex_unlock(&s->lock);
	if (news && *words)
		log_warn("redis", "%s: %s", s->opt.source->list, words);
	else if (was && !*words)
		log_info("redis", "%s: reading again", s->opt.source->list);
}

static void refused(struct redis_source *s, const char *command, const char *error)
{
	const char *remedy = redis_error_remedy(error);
	redis_trouble(s, "%s: %.150s%s%s", command, error, *remedy ? ": " : "", remedy);
	redis_place_moved(s, error);
}

/* ---- connection ---- */

static void set_connected(struct redis_source *s, bool connected)
{
	pthread_mutex_lock(&s->lock);
	s->fd = connected ? s->redis->fd : -1;
	s->view.connected = connected;
	s->view.owner = s->view.owner && connected;
	pthread_mutex_unlock(&s->lock);
}

void redis_unlink(struct redis_source *s)
{
	set_connected(s, false);
	if (s->redis)
		redisFree(s->redis);
	s->redis = NULL;
}

bool redis_seam(struct redis_source *s, const char *name)
{
	if (!seam_pass(name))
		return false;
	redis_trouble(s, "%s: cut by a test", name);
	redis_unlink(s);
	return true;
}

redisReply *redis_call(struct redis_source *s, int argc, const char *const *argv, const size_t *len)
{
	redisReply *r = redisCommandArgv(s->redis, argc, (const char **)(uintptr_t)argv, len);
	if (r && r->type != REDIS_REPLY_ERROR)
		return r;
	if (r)
		refused(s, argv[0], r->str);
	else
		redis_trouble(s, "%s: %s", argv[0], s->redis->errstr);
	if (r)
		freeReplyObject(r);
	redis_unlink(s);
	return NULL;
}

static bool simple(struct redis_source *s, int argc, const char *const *argv)
{
	redisReply *r = redis_call(s, argc, argv, NULL);
	if (r)
		freeReplyObject(r);
	return r != NULL;
}

static bool log_in(struct redis_source *s)
{
	char db[16];
	const struct redis_url *u = &s->url;
	if (u->password[0] && u->user[0] && !simple(s, 3, (const char *[]){ "AUTH", u->user, u->password }))
		return false;
	if (u->password[0] && !u->user[0] && !simple(s, 2, (const char *[]){ "AUTH", u->password }))
		return false;
	snprintf(db, sizeof db, "%d", u->db);
	return u->db == 0 || simple(s, 2, (const char *[]){ "SELECT", db });
}

/* What an inquiry answers that this user may not make is not known: NULL with the connection alive. */
static redisReply *inquire(struct redis_source *s, const char *command)
{
	redisReply *r = redisCommand(s->redis, command);
	if (!r) {
		redis_trouble(s, "%s: %s", command, s->redis->errstr);
		redis_unlink(s);
		return NULL;
	}
	if (r->type != REDIS_REPLY_ERROR)
		return r;
	bool may_not = strstr(r->str, "NOPERM") || strstr(r->str, "unknown command");
	if (!may_not) {
		refused(s, command, r->str);
		redis_unlink(s);
	}
	freeReplyObject(r);
	return NULL;
}

static bool refuse(struct redis_source *s, const char *words)
{
	redis_trouble(s, "%s", words);
	redis_unlink(s);
	redis_place_next(s);
	return false;
}

/* In a Cluster a replica answers MOVED by itself, and each key must be where the list is. */
static bool suits_cluster(struct redis_source *s, bool *cluster)
{
	redisReply *r = inquire(s, "INFO cluster");
	*cluster = r && r->type == REDIS_REPLY_STRING && strstr(r->str, "cluster_enabled:1");
	if (r)
		freeReplyObject(r);
	if (*cluster && !s->tagged)
		return refuse(s,
			"in Redis Cluster the list's name carries a hash tag, as in {tally}:events: its lease and "
			"its dead list must be in one slot with it");
	return s->redis != NULL;
}

static bool is_master(struct redis_source *s)
{
	redisReply *r = redis_call(s, 1, (const char *[]){ "ROLE" }, NULL);
	if (!r)
		return false;
	bool master = r->type == REDIS_REPLY_ARRAY && r->elements && r->element[0]->type == REDIS_REPLY_STRING &&
		      strcmp(r->element[0]->str, "master") == 0;
	freeReplyObject(r);
	return master || refuse(s, "this Redis is a replica; only a master's list can be consumed");
}

/* A list under an evicting policy may vanish. Where CONFIG is not allowed this cannot be seen. */
static bool keeps_keys(struct redis_source *s)
{
	redisReply *r = inquire(s, "CONFIG GET maxmemory-policy");
	bool known = r && r->type == REDIS_REPLY_ARRAY && r->elements == 2;
	bool keeps = !known || strcmp(r->element[1]->str, "noeviction") == 0;
	if (r)
		freeReplyObject(r);
	if (!keeps)
		return refuse(s, "maxmemory-policy may evict the list; CONFIG SET maxmemory-policy noeviction");
	return s->redis != NULL;
}

static int connect_to(struct redis_source *s, const struct redis_place *at)
{
	struct timeval wait = { CONNECT_S, 0 }, command = { COMMAND_S, 0 };
	s->redis = s->url.path[0] ? redisConnectUnixWithTimeout(s->url.path, wait) : redis_connect(at, CONNECT_S);
	if (!s->redis || s->redis->err) {
		redis_trouble(s, "cannot connect to %s: %s", s->url.path[0] ? s->url.path : at->host,
			s->redis ? s->redis->errstr : "out of memory");
		redis_unlink(s);
		redis_place_next(s);
		return -ECONNREFUSED;
	}
	redisSetTimeout(s->redis, command);
	set_connected(s, true);
	return 0;
}

int redis_link(struct redis_source *s)
{
	struct redis_place at = { .port = 0 };
	bool cluster = false;
	if (redis_seam(s, "redis.link"))
		return -ECONNREFUSED;
	int rc = s->url.path[0] ? 0 : redis_place_find(s, &at);
	if (!rc)
		rc = connect_to(s, &at);
	if (rc)
		return rc;
	if (!log_in(s) || !suits_cluster(s, &cluster) || (!cluster && !is_master(s)) || !keeps_keys(s))
		return -ECONNREFUSED;
	return 0;
}
