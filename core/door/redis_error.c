/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that Redis answers with, and what a reader of the log can do. All of them are tried again: a list that cannot be
 * read waits. An error of a script carries the words of the command inside it, so they are looked for anywhere. */
#include <string.h>

#include "door/redis_inner.h"

static const struct {
	const char *word, *remedy;
} known[] = {
	{ "NOAUTH", "write the password into the url: redis://:password@host" },
	{ "WRONGPASS", "the user or password of the url is wrong" },
	{ "invalid password", "the password of the url is wrong" },
	{ "NOPERM", "the url's user may not do that; the commands and keys it needs are in docs/redis.md" },
	{ "can't run this command",
		"the url's user may not do that; the commands and keys it needs are in docs/redis.md" },
	{ "can't access", "the url's user may not use that key; the commands and keys it needs are in docs/redis.md" },
	{ "WRONGTYPE", "the list or one of its companion keys is a key of another type; move that away or name another "
		       "list" },
	{ "READONLY", "this Redis is a replica now; looking for the master" },
	{ "MISCONF", "Redis cannot write its snapshots and takes no change; see its log and its disk" },
	{ "OOM", "Redis is at its maxmemory; the list waits" },
	{ "NOREPLICAS", "too few replicas for min-replicas-to-write; the list waits" },
	{ "LOADING", "Redis reads its data; the list waits" },
	{ "BUSY", "a script of somebody else's holds Redis; SCRIPT KILL ends it" },
	{ "MASTERDOWN", "this replica has lost its master" },
	{ "CROSSSLOT", "in Redis Cluster the list's name carries a hash tag, as in {tally}:events" },
	{ "CLUSTERDOWN", "the cluster does not serve this slot at the moment" },
	{ "TRYAGAIN", "the list's slot is moving to another node; the list waits" },
	{ "ASK ", "the list's slot is moving to another node; the list waits" },
	{ "MOVED ", "the list's slot is on another node; going there" },
	{ "unknown command", "Redis 6.2 or later is needed" },
	{ "DB index is out of range", "the url names a database that this Redis does not have" },
	{ "SELECT is not allowed in cluster mode", "a cluster has database 0 only" },
};

const char *redis_error_remedy(const char *error)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(error, known[i].word))
			return known[i].remedy;
	return "";
}
