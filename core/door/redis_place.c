/* SPDX-License-Identifier: Apache-2.0 */
/* Which server to connect to: the url's in turn, the one that a Sentinel names, or the one that MOVED named. It is asked
 * anew for every connection, since a name once given grows old. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "door/redis_inner.h"

#define SENTINEL_S 1

redisContext *redis_connect(const struct redis_place *at, int seconds)
{
	struct timeval wait = { seconds, 0 };
	redisContext *c = redisConnectWithTimeout(at->host, at->port, wait);
	if (c && !c->err)
		redisSetTimeout(c, wait);
	return c;
}

static redisReply *ask(redisContext *c, const struct redis_url *u)
{
	redisReply *r = redisCommand(c, "SENTINEL get-master-addr-by-name %s", u->master);
	if (!r || r->type != REDIS_REPLY_ERROR || strncmp(r->str, "NOAUTH", 6) != 0 || !u->password[0])
		return r;
	freeReplyObject(r); /* Sentinels that want a login are given the url's */
	r = u->user[0] ? redisCommand(c, "AUTH %s %s", u->user, u->password) : redisCommand(c, "AUTH %s", u->password);
	if (!r || r->type == REDIS_REPLY_ERROR)
		return r;
	freeReplyObject(r);
	return redisCommand(c, "SENTINEL get-master-addr-by-name %s", u->master);
}

/* False: why not. */
static bool master_of(const redisReply *r, const redisContext *c, struct redis_place *out, char why[128])
{
	if (!r || r->type == REDIS_REPLY_ERROR) {
		snprintf(why, 128, "%s", r ? r->str : c->errstr);
		return false;
	}
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2) {
		snprintf(why, 128, "does not know a master of that name");
		return false;
	}
	snprintf(out->host, sizeof out->host, "%s", r->element[0]->str);
	out->port = atoi(r->element[1]->str);
	return true;
}

static bool ask_sentinel(
	const struct redis_url *u, const struct redis_place *at, struct redis_place *out, char why[128])
{
	redisContext *c = redis_connect(at, SENTINEL_S);
	redisReply *r = c && !c->err ? ask(c, u) : NULL;
	bool good = c && master_of(r, c, out, why);
	if (r)
		freeReplyObject(r);
	if (c)
		redisFree(c);
	return good;
}

/* One that answered is asked first the next time. */
static int ask_sentinels(struct redis_source *s, struct redis_place *out)
{
	char why[128] = "";
	for (size_t i = 0; i < s->url.n; i++, s->turn++)
		if (ask_sentinel(&s->url, &s->url.at[s->turn % s->url.n], out, why))
			return 0;
	const struct redis_place *at = &s->url.at[s->turn % s->url.n];
	redis_trouble(s, "no Sentinel names the master \"%s\"; %s:%d: %s", s->url.master, at->host, at->port, why);
	return -EHOSTUNREACH;
}

int redis_place_find(struct redis_source *s, struct redis_place *out)
{
	if (s->url.master[0])
		return ask_sentinels(s, out);
	*out = s->named.host[0] ? s->named : s->url.at[s->turn % s->url.n];
	return 0;
}

void redis_place_next(struct redis_source *s)
{
	if (!s->named.host[0])
		s->turn++;
	s->named.host[0] = 0;
}

/* The error may stand inside the words of a script. */
void redis_place_moved(struct redis_source *s, const char *error)
{
	const char *p = strstr(error, "MOVED ");
	p = p ? strchr(p + 6, ' ') : NULL;
	const char *end = p ? p + 1 + strcspn(p + 1, " \r\n") : NULL, *colon = end;
	while (colon && colon > p && *colon != ':')
		colon--;
	if (!colon || colon <= p + 1 || s->url.master[0])
		return;
	snprintf(s->named.host, sizeof s->named.host, "%.*s", (int)(colon - p - 1), p + 1);
	s->named.port = atoi(colon + 1);
	log_info("redis", "%s: its slot is on %s:%d", s->opt.source->list, s->named.host, s->named.port);
}
