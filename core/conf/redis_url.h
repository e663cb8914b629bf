/* SPDX-License-Identifier: Apache-2.0 */
/* Where a Redis is:
 *
 *     redis://[user:password@]host[:port][,host[:port]…][/db]           a server, or some nodes of a Cluster
 *     redis+sentinel://[user:password@]host[:port][,…]/master[/db]      Sentinels, and the name of what they watch
 *     unix:/path
 *
 * A user or password with / or , or % in it is written percent-encoded. */
#ifndef CONF_REDIS_URL_H
#define CONF_REDIS_URL_H

#include <stddef.h>

#include "base/check.h"

#define REDIS_PLACES 16

struct redis_place {
	char host[256];
	int port;
};

struct redis_url {
	char user[128], password[256];
	char path[108];                      /* of a socket; "" = none */
	struct redis_place at[REDIS_PLACES]; /* the servers, or the Sentinels */
	size_t n;
	char master[128]; /* as the Sentinels call it; "" = no Sentinel */
	int db;
};

/* NULL, or why not, in words that follow the url in quotes. */
must_check const char *redis_url_read(const char *url, struct redis_url *out);

#endif
