/* SPDX-License-Identifier: Apache-2.0 */
#include "url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PORT 6379
#define DB_MOST 65535

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* false: too long, or a % without two hex digits. */
static bool decode(const char *at, size_t len, char *out, size_t room)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char c = at[i];
		if (c == '%') {
			if (i + 2 >= len || hex(at[i + 1]) < 0 || hex(at[i + 2]) < 0)
				return false;
			c = (char)(hex(at[i + 1]) << 4 | hex(at[i + 2]));
			i += 2;
		}
		if (c == 0 || n + 1 >= room)
			return false;
		out[n++] = c;
	}
	out[n] = 0;
	return true;
}

/* A number up to `most` that is all of the text. */
static bool number(const char *at, size_t len, int most, int *out)
{
	long n = 0;
	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		n = n * 10 + (at[i] - '0');
	}
	*out = (int)n;
	return n <= most;
}

static const char *read_login(const char *at, size_t len, struct place *out)
{
	const char *colon = memchr(at, ':', len);
	if (!colon)
		return "has a user without a password: write user:password@ or :password@";
	size_t user = (size_t)(colon - at);
	if (!decode(at, user, out->user, sizeof out->user) ||
		!decode(colon + 1, len - user - 1, out->password, sizeof out->password))
		return "has a user or password that is too long or has a % without two hex digits";
	return NULL;
}

static const char *read_server(const char *at, size_t len, struct place *out)
{
	bool six = len && at[0] == '['; /* [::1]:6379 */
	const char *end = six ? memchr(at, ']', len) : memchr(at, ':', len);
	if (six && !end)
		return "has a [ without its ]";
	size_t host = end ? (size_t)(end - at) : len, from = six ? 1 : 0;
	const char *rest = six ? end + 1 : at + host;
	size_t left = len - (size_t)(rest - at);
	if (memchr(at, ',', len))
		return "names several servers: one only, without Sentinel or Cluster, is meant here";
	if (host <= from || host - from >= sizeof out->host)
		return "names no host";
	memcpy(out->host, at + from, host - from);
	out->port = PORT;
	if (left && (rest[0] != ':' || !number(rest + 1, left - 1, 65535, &out->port) || out->port == 0))
		return "has a port that is none";
	return NULL;
}

const char *place_read(const char *url, struct place *out)
{
	static const char tcp[] = "redis://", file[] = "unix:";
	*out = (struct place){ 0 };
	if (strncmp(url, file, strlen(file)) == 0) {
		const char *path = url + strlen(file);
		if (path[0] != '/' || strlen(path) >= sizeof out->path)
			return "is no path from / on that a socket may have";
		strcpy(out->path, path);
		return NULL;
	}
	if (strncmp(url, tcp, strlen(tcp)) != 0)
		return "is neither redis://[user:password@]host[:port][/db] nor unix:/path";
	const char *at = url + strlen(tcp);
	size_t len = strcspn(at, "/");
	const char *db = at[len] ? at + len + 1 : "0";
	if (*db && !number(db, strlen(db), DB_MOST, &out->db))
		return "has a database that is no number";
	const char *login = memrchr(at, '@', len);
	const char *why = login ? read_login(at, (size_t)(login - at), out) : NULL;
	if (why || !login)
		return why ? why : read_server(at, len, out);
	return read_server(login + 1, len - (size_t)(login + 1 - at), out);
}
