/* SPDX-License-Identifier: Apache-2.0 */
/* `readers`: the servers that questions may be answered from instead of the one that is written to. Which of them is asked
 * when is the host's business. */
#include "mariadb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLICAS_MAX 16

static int refuse(char words[MD_WORDS], size_t number, const char *why)
{
	snprintf(words, MD_WORDS, "readers: URL %zu %s", number + 1, why);
	return -EINVAL;
}

static int name_it(const struct md_address *a, char **out)
{
	struct md_text t = { 0 };
	if (a->socket)
		md_add(&t, "%s", a->socket);
	else
		md_add(&t, "%s:%u", a->hosts[0].host, a->hosts[0].port);
	*out = t.ptr;
	return t.ptr ? 0 : -ENOMEM;
}

/* url: of one line. */
static int add(struct md *s, const char *url, char words[MD_WORDS])
{
	size_t number = s->nreplicas;
	if (number == REPLICAS_MAX)
		return refuse(words, number, "is one too many: 16 at most");
	struct md_address *a = &s->replicas[number];
	if (md_address_parse(url, a) != 0)
		return refuse(words, number, "must be mysql://user[:password]@host[:port]/database[?socket=/path]");
	s->nreplicas++;
	if (a->nhosts != 1)
		return refuse(words, number, "names several servers: give each a URL of its own");
	return name_it(a, &s->replica_names[number]);
}

int md_replicas_parse(struct md *s, const char *urls, char words[MD_WORDS])
{
	s->replicas = calloc(REPLICAS_MAX, sizeof *s->replicas);
	s->replica_names = calloc(REPLICAS_MAX, sizeof *s->replica_names);
	if (!s->replicas || !s->replica_names)
		return -ENOMEM;
	for (const char *at = urls; *at;) {
		size_t n = strcspn(at, "\n");
		char *url = strndup(at, n);
		int rc = url ? add(s, url, words) : -ENOMEM;
		free(url);
		if (rc != 0)
			return rc;
		at += n + (at[n] != 0);
	}
	return 0;
}

void md_replicas_free(struct md *s)
{
	for (size_t i = 0; i < s->nreplicas; i++) {
		md_address_free(&s->replicas[i]);
		free(s->replica_names[i]);
	}
	free(s->replicas);
	free(s->replica_names);
}

size_t md_replicas(void *self, int64_t *max_lag_us)
{
	const struct md *s = self;
	*max_lag_us = s->max_reader_lag_us;
	return s->nreplicas;
}

const char *md_replica_name(void *self, size_t number)
{
	return ((const struct md *)self)->replica_names[number];
}
