/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis door: one thread a list, that moves its elements into the spool so that a crash of anybody anywhere neither
 * loses nor doubles one, as long as Redis keeps what it acknowledged.
 *
 *   lease    one consumer owns a list; the token is the node's UUID and a number drawn at every taking
 *   peek     LRANGE: elements are read, not removed
 *   pending  a REDIS record holds them in the spool, durable but invisible
 *   settle   one script trims the list and notes the batch in `acked`, if the lease still holds our token and the
 *            elements still stand where they stood
 *   release  a RELEASE record makes the batch visible; VOID ends it unseen
 *
 * After any break (a lost answer, a restart, a stolen lease) nothing is assumed: the script that takes the lease, or
 * finds it somebody else's, says which batch Redis last noted for this node. Pending batches up to that one are
 * released, later ones void; since that call drew a new token, no earlier call can trim any more. If Redis noted an older
 * one than was released here, it went back: what stands in the list again is trimmed unread. docs/redis.md. */
#ifndef DOOR_REDIS_H
#define DOOR_REDIS_H

#include "base/check.h"
#include "conf/conf.h"
#include "ledger/ledger.h"

struct redis_source;

struct redis_options {
	const struct conf *conf;
	const struct conf_source *source;
	const char *node_uuid; /* 36 characters */
	struct ledger *ledger;
	struct plug_set *plugins;
};

/* After ledger_open() and before ledger_run(): pending batches of this list are taken over. */
must_check int redis_source_open(const struct redis_options *opt, struct redis_source **out, char why[512]);
void redis_source_run(struct redis_source *s);

/* [any thread] A new pipeline and new sites, taken before the next batch is read. Both must outlive the source. */
void redis_source_reload(struct redis_source *s, struct plug_set *plugins, const struct conf *conf);

struct redis_view {
	const char *url, *list; /* the url without its password */
	bool connected, owner;
	uint64_t batches, events, moved, breaks, unreadable;
	uint64_t went_back, trimmed; /* times that Redis went back; elements of it that were here already */
	int64_t length;              /* LLEN as last seen */
	char error[256];             /* "" = fine */
};
/* [any thread] */
void redis_source_view(struct redis_source *s, struct redis_view *out);

/* Asks it to stop; what is pending is settled first if Redis answers within two seconds. */
void redis_source_close(struct redis_source *s);

#endif
