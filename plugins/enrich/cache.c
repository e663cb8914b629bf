/* SPDX-License-Identifier: Apache-2.0 */
/* A table of fixed size, one place for each user agent: the one that came last keeps it. A user agent is known by a
 * 128-bit hash under a key of the process, so nobody can make two meet, and none is kept as text. */
#include <stdlib.h>

#include "enrich.h"

#define PLACES 1024 /* a power of two; 40 KiB for each instance */

struct place {
	uint64_t hash[2]; /* 0, 0 = empty */
	struct agent agent;
};

struct agent_cache {
	const struct tally_host *host;
	struct place places[PLACES];
};

struct agent_cache *agent_cache_open(const struct tally_host *host)
{
	struct agent_cache *c = calloc(1, sizeof *c);
	if (c)
		c->host = host;
	return c;
}

void agent_cache_close(struct agent_cache *c)
{
	free(c);
}

struct agent agent_cached(struct agent_cache *c, struct tally_str user_agent)
{
	uint64_t hash[2];
	c->host->hash_keyed128(user_agent.ptr, user_agent.len, hash);
	struct place *p = &c->places[hash[0] & (PLACES - 1)];
	if (p->hash[0] == hash[0] && p->hash[1] == hash[1] && p->agent.device)
		return p->agent;
	memcpy(p->hash, hash, sizeof hash);
	return p->agent = agent_class(user_agent);
}
