/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/redis_url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN "redis://"
#define SENTINEL "redis+sentinel://"
#define PORT 6379
#define SENTINEL_PORT 26379

static const char how[] = "is not a Redis URL; write redis://[user:password@]host[:port][/database], "
			  "redis+sentinel://host:port,host:port/master[/database] or unix:/path";

static int hex(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* Copies [from, to) with %XX decoded. False: too long, or a broken escape. */
static bool copy(char *out, size_t room, const char *from, const char *to)
{
	size_t n = 0;
	for (; from < to && n + 1 < room; n++) {
		bool coded = *from == '%';
		if (coded && (to - from < 3 || hex(from[1]) < 0 || hex(from[2]) < 0))
			return false;
		out[n] = coded ? (char)(hex(from[1]) << 4 | hex(from[2])) : *from;
		from += coded ? 3 : 1;
	}
	out[n] = 0;
	return from == to;
}

/* user:password or password */
static bool take_login(struct redis_url *u, const char *p, const char *at)
{
	const char *colon = memchr(p, ':', (size_t)(at - p));
	if (colon && !copy(u->user, sizeof u->user, p, colon))
		return false;
	return copy(u->password, sizeof u->password, colon ? colon + 1 : p, at);
}

/* host[:port], brackets around IPv6. Where it ends, or NULL. */
static const char *take_place(struct redis_url *u, const char *p, int port)
{
	struct redis_place *at = &u->at[u->n];
	bool v6 = *p == '[';
	p += v6;
	const char *end = p + strcspn(p, v6 ? "]" : ":,/?");
	if (u->n == REDIS_PLACES || end == p || (v6 && *end != ']') || !copy(at->host, sizeof at->host, p, end))
		return NULL;
	at->port = port;
	end += v6;
	if (*end == ':') {
		char *past;
		at->port = isdigit((unsigned char)end[1]) ? (int)strtol(end + 1, &past, 10) : 0;
		if (at->port < 1 || at->port > 65535)
			return NULL;
		end = past;
	}
	u->n++;
	return end;
}

static const char *take_places(struct redis_url *u, const char *p, int port)
{
	while ((p = take_place(u, p, port)) != NULL && *p == ',')
		p++;
	return p;
}

/* /db or nothing, to the end */
static bool take_db(struct redis_url *u, const char *p)
{
	if (!*p || strcmp(p, "/") == 0)
		return true;
	size_t digits = *p == '/' ? strspn(p + 1, "0123456789") : 0;
	u->db = atoi(p + 1);
	return digits > 0 && digits < 6 && !p[1 + digits];
}

static const char *take_master(struct redis_url *u, const char *p)
{
	const char *end = *p == '/' ? p + 1 + strcspn(p + 1, "/?") : p;
	return end > p + 1 && copy(u->master, sizeof u->master, p + 1, end) ? end : NULL;
}

const char *redis_url_read(const char *url, struct redis_url *out)
{
	*out = (struct redis_url){ 0 };
	if (strncmp(url, "rediss", 6) == 0)
		return "needs TLS, which this version does not speak to Redis; run a TLS tunnel beside tally (stunnel with "
		       "client = yes) and give its local end as redis://127.0.0.1:port";
	if (strncmp(url, "unix:", 5) == 0)
		return url[5] == '/' && copy(out->path, sizeof out->path, url + 5, url + strlen(url)) ? NULL : how;
	bool sentinel = strncmp(url, SENTINEL, sizeof SENTINEL - 1) == 0;
	if (!sentinel && strncmp(url, PLAIN, sizeof PLAIN - 1) != 0)
		return how;
	const char *p = url + (sentinel ? sizeof SENTINEL : sizeof PLAIN) - 1, *at = strrchr(p, '@');
	if (at && !take_login(out, p, at))
		return how;
	p = take_places(out, at ? at + 1 : p, sentinel ? SENTINEL_PORT : PORT);
	if (p && sentinel)
		p = take_master(out, p);
	return p && take_db(out, p) ? NULL : how;
}
