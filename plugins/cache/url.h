/* SPDX-License-Identifier: Apache-2.0 */
/* Where the shared level is: redis://[user:password@]host[:port][/db], or unix:/path. A user or password with / or : or
 * @ or % in it is written percent-encoded. */
#ifndef CACHE_URL_H
#define CACHE_URL_H

struct place {
	char host[256]; /* "" = path */
	int port;
	char path[108];
	char user[128], password[256]; /* "" = none */
	int db;
};

/* NULL, or why not, in words that follow the url in quotes. */
const char *place_read(const char *url, struct place *out);

#endif
