/* SPDX-License-Identifier: Apache-2.0 */
/* mysql://user[:password]@host[:port][,host[:port]...]/database[?socket=/path]; any part may be percent-encoded. */
#include "mariadb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 3306

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* A decoded copy; NULL: a broken %xx, %00 or no memory. */
static char *decoded(const char *from, const char *end)
{
	char *out = malloc((size_t)(end - from) + 1), *to = out;
	while (out && from < end) {
		if (*from != '%') {
			*to++ = *from++;
			continue;
		}
		int hi = end - from > 2 ? hex_digit(from[1]) : -1;
		int lo = hi >= 0 ? hex_digit(from[2]) : -1;
		if (lo < 0 || hi + lo == 0) {
			free(out);
			return NULL;
		}
		*to++ = (char)(hi * 16 + lo);
		from += 3;
	}
	if (out)
		*to = 0;
	return out;
}

/* from "user:password" */
static int parse_user(const char *from, const char *end, struct md_address *out)
{
	const char *colon = memchr(from, ':', (size_t)(end - from));
	out->user = decoded(from, colon ? colon : end);
	if (colon)
		out->password = decoded(colon + 1, end);
	return out->user && *out->user && (!colon || out->password) ? 0 : -EINVAL;
}

static int parse_port(const char *from, const char *end, unsigned *out)
{
	unsigned port = 0;
	if (from == end || end - from > 5)
		return -EINVAL;
	for (; from < end; from++) {
		if (*from < '0' || *from > '9')
			return -EINVAL;
		port = port * 10 + (unsigned)(*from - '0');
	}
	*out = port;
	return port >= 1 && port <= 65535 ? 0 : -EINVAL;
}

/* from "host:port" or "[::1]:port" */
static int parse_host(const char *from, const char *end, struct md_host *out)
{
	const char *host_end = end, *port = NULL;
	out->port = DEFAULT_PORT;
	if (from < end && *from == '[') {
		from++;
		host_end = memchr(from, ']', (size_t)(end - from));
		if (!host_end || (host_end + 1 < end && host_end[1] != ':'))
			return -EINVAL;
		port = host_end + 1 < end ? host_end + 2 : NULL;
	} else {
		const char *colon = memchr(from, ':', (size_t)(end - from));
		host_end = colon ? colon : end;
		port = colon ? colon + 1 : NULL;
	}
	out->host = decoded(from, host_end);
	if (!out->host || !*out->host)
		return -EINVAL;
	return port ? parse_port(port, end, &out->port) : 0;
}

static int parse_hosts(const char *from, const char *end, struct md_address *out)
{
	int rc = 0;
	while (rc == 0) {
		const char *comma = memchr(from, ',', (size_t)(end - from));
		if (out->nhosts == MD_HOSTS_MAX)
			return -EINVAL;
		rc = parse_host(from, comma ? comma : end, &out->hosts[out->nhosts++]);
		if (!comma)
			break;
		from = comma + 1;
	}
	return rc;
}

static int parse_query(const char *from, struct md_address *out)
{
	static const char name[] = "socket=";
	if (strncmp(from, name, sizeof name - 1) != 0)
		return -EINVAL;
	from += sizeof name - 1;
	out->socket = decoded(from, from + strlen(from));
	return out->socket && *out->socket == '/' ? 0 : -EINVAL;
}

static int parse(const char *url, struct md_address *out)
{
	const char *at = strstr(url, "://");
	if (!at || (strncmp(url, "mysql://", 8) != 0 && strncmp(url, "mariadb://", 10) != 0))
		return -EINVAL;
	const char *begin = at + 3, *query = strchr(begin, '?'), *end = query ? query : begin + strlen(begin);
	const char *slash = memchr(begin, '/', (size_t)(end - begin));
	const char *who = slash ? memrchr(begin, '@', (size_t)(slash - begin)) : NULL;
	if (!slash || !who || parse_user(begin, who, out) != 0 || parse_hosts(who + 1, slash, out) != 0)
		return -EINVAL;
	out->database = decoded(slash + 1, end);
	if (!out->database || !*out->database)
		return -EINVAL;
	return query ? parse_query(query + 1, out) : 0;
}

int md_address_parse(const char *url, struct md_address *out)
{
	*out = (struct md_address){ 0 };
	int rc = parse(url, out);
	if (rc != 0)
		md_address_free(out);
	return rc;
}

void md_address_free(struct md_address *a)
{
	free(a->user);
	free(a->password);
	for (unsigned i = 0; i < a->nhosts; i++)
		free(a->hosts[i].host);
	free(a->database);
	free(a->socket);
	*a = (struct md_address){ 0 };
}
