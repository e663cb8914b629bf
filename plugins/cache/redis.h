/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the Redis that nodes share. It is a convenience: whoever comes while there is no connection, or while
 * the last try has just failed, goes without. A command takes no longer than the time-out, whatever the server does;
 * a connection is only made in a job nobody waits for, since a name server may take its time.
 *
 * All of it may be called from any thread; what blocks says [worker]. */
#ifndef CACHE_REDIS_H
#define CACHE_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "url.h"

#define REDIS_LINKS 2
#define REDIS_VALUE_MOST (1 << 20) /* bytes of a value that is written or taken */

struct redis;

/* NULL = out of memory. Nothing is connected yet. */
struct redis *redis_open(const struct place *at, int64_t timeout_us);
/* Assumes: no job of it is under way. */
void redis_close(struct redis *r);

/* A connection is idle at this moment. */
bool redis_ready(struct redis *r);
/* One is to be made: exactly one redis_connect() or redis_connect_not() is to follow. */
bool redis_wants(struct redis *r);
/* [worker] 0, or -errno with the server's words. */
int redis_connect(struct redis *r, char why[160]);
void redis_connect_not(struct redis *r);

/* [worker] -EAGAIN: no connection idle. -EIO, -ETIMEDOUT, -EPROTO (the server refuses): the connection is gone, the next
 * try comes after a short back-off that doubles up to 10 s. */
int redis_get(struct redis *r, const char *key, char **value, size_t *len); /* free(*value); -ENOENT = not there */
int redis_set(struct redis *r, const char *key, const char *value, size_t len, int64_t ttl_s);

#endif
