/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "door/redis_inner.h"

#define CONNECT_S 5
#define COMMAND_S 20

/* ---- redis://[user:password@]host[:port][/db] or unix:/path ---- */

static void copy(char *out, size_t room, const char *from, size_t n)
{
	snprintf(out, room, "%.*s", (int)n, from);
}

static const char *take_login(struct redis_url *u, const char *p, const char *at)
{
	const char *colon = memchr(p, ':', (size_t)(at - p));
	if (colon) {
		copy(u->user, sizeof u->user, p, (size_t)(colon - p));
		copy(u->password, sizeof u->password, colon + 1, (size_t)(at - colon - 1));
	} else {
		copy(u->password, sizeof u->password, p, (size_t)(at - p));
	}
	return at + 1;
}

static const char *take_host(struct redis_url *u, const char *p)
{
	bool v6 = *p == '[';
	size_t n = v6 ? strcspn(++p, "]") : strcspn(p, ":/?");
	copy(u->host, sizeof u->host, p, n);
	return p + n + (v6 && p[n] == ']');
}

int redis_url_parse(const char *url, struct redis_url *out, char why[256])
{
	static const char scheme[] = "redis://";
	*out = (struct redis_url){ .port = 6379 };
	if (strncmp(url, "unix:", 5) == 0 && strlen(url + 5) < sizeof out->path) {
		snprintf(out->path, sizeof out->path, "%s", url + 5);
		return 0;
	}
	if (strncmp(url, scheme, sizeof scheme - 1) != 0) {
		snprintf(why, 256, "%s: a Redis url is redis://[user:password@]host[:port][/db] or unix:/path", url);
		return -EINVAL;
	}
	const char *p = url + sizeof scheme - 1, *at = strrchr(p, '@');
	if (at)
		p = take_login(out, p, at);
	p = take_host(out, p);
	if (*p == ':')
		out->port = (int)strtol(p + 1, (char **)(uintptr_t)&p, 10);
	if (*p == '/')
		out->db = (int)strtol(p + 1, (char **)(uintptr_t)&p, 10);
	if (*p || !out->host[0] || out->port < 1 || out->port > 65535 || out->db < 0) {
		snprintf(why, 256, "the Redis url cannot be read near \"%s\"", p);
		return -EINVAL;
	}
	return 0;
}

/* ---- words ---- */

void redis_trouble(struct redis_source *s, const char *fmt, ...)
{
	char words[sizeof s->view.error];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&s->lock);
	bool news = strcmp(words, s->view.error) != 0;
	snprintf(s->view.error, sizeof s->view.error, "%s", words);
	pthread_mutex_unlock(&s->lock);
	if (news && *words)
		log_warn("redis", "%s: %s", s->opt.source->list, words);
}

static void set_connected(struct redis_source *s, bool connected)
{
	pthread_mutex_lock(&s->lock);
	s->view.connected = connected;
	s->view.owner = s->view.owner && connected;
	pthread_mutex_unlock(&s->lock);
}

/* ---- connection ---- */

void redis_unlink(struct redis_source *s)
{
	if (s->redis)
		redisFree(s->redis);
	s->redis = NULL;
	set_connected(s, false);
}

redisReply *redis_call(struct redis_source *s, int argc, const char *const *argv, const size_t *len)
{
	redisReply *r = redisCommandArgv(s->redis, argc, (const char **)(uintptr_t)argv, len);
	if (r && r->type != REDIS_REPLY_ERROR)
		return r;
	if (r)
		redis_trouble(s, "%s: %s", argv[0], r->str);
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

static bool is_master(struct redis_source *s)
{
	redisReply *r = redis_call(s, 1, (const char *[]){ "ROLE" }, NULL);
	if (!r)
		return false;
	bool master = r->type == REDIS_REPLY_ARRAY && r->elements && strcmp(r->element[0]->str, "master") == 0;
	freeReplyObject(r);
	if (!master) {
		redis_trouble(s, "this Redis is not a master; a replica's list cannot be consumed");
		redis_unlink(s);
	}
	return master;
}

/* A list under an evicting policy may vanish. Where CONFIG is not allowed this cannot be seen, and is said once. */
static bool keeps_keys(struct redis_source *s)
{
	redisReply *r = redisCommand(s->redis, "CONFIG GET maxmemory-policy");
	bool known = r && r->type == REDIS_REPLY_ARRAY && r->elements == 2;
	bool keeps = !known || strcmp(r->element[1]->str, "noeviction") == 0;
	if (!r) {
		redis_trouble(s, "CONFIG GET: %s", s->redis->errstr);
		redis_unlink(s);
		return false;
	}
	freeReplyObject(r);
	if (!keeps) {
		redis_trouble(s, "maxmemory-policy may evict the list; set it to noeviction");
		redis_unlink(s);
	}
	return keeps;
}

int redis_link(struct redis_source *s)
{
	struct timeval wait = { CONNECT_S, 0 }, command = { COMMAND_S, 0 };
	const struct redis_url *u = &s->url;
	s->redis = u->path[0] ? redisConnectUnixWithTimeout(u->path, wait)
			      : redisConnectWithTimeout(u->host, u->port, wait);
	if (!s->redis || s->redis->err) {
		redis_trouble(s, "cannot connect: %s", s->redis ? s->redis->errstr : "out of memory");
		redis_unlink(s);
		return -ECONNREFUSED;
	}
	redisSetTimeout(s->redis, command);
	if (!log_in(s) || !is_master(s) || !keeps_keys(s))
		return -ECONNREFUSED;
	set_connected(s, true);
	s->attempts = 0;
	return 0;
}
