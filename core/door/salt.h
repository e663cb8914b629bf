/* SPDX-License-Identifier: Apache-2.0 */
/* The secret that anonymous visitors are hashed with: drawn for a UTC day, shared by the nodes of a store, gone with its
 * day.
 *
 * A node draws the salts of today and, in the last hour of a day, of tomorrow, and proposes them to the store (table
 * tally_salt, where the first one stays). What it then finds there is the salt of the day on every node. Until it has
 * found it, it uses what it proposes: so with its store away a node goes on by itself, and its proposal counts for all if
 * it is the first to come back. Salts of days gone by are overwritten here and deleted there. docs/decisions/051. */
#ifndef DOOR_SALT_H
#define DOOR_SALT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "line/line.h"

#define SALT_BYTES 16

/* ---- salt.c: what this node knows; one for the process ---- */

/* Before the first lane: reads data_dir/visitor.salt (made if it is not there) and overwrites what is over in it. 0 or
 * -errno with why. */
must_check int salt_open(const char *data_dir, char why[256]);

/* [any thread] The day whose salt is in use, since 1970 in UTC. It never goes back by one: a clock that is set back over
 * midnight stays with the new day, since the old one's salt is gone and is not drawn a second time. */
int64_t salt_day_now(void);

/* [any thread] The salt of the day that it is now. */
void salt_now(uint8_t out[SALT_BYTES]);

/* [any thread] What this node would use on that day: 1 it is the store's, 0 it is its own, -EINVAL neither today nor
 * tomorrow. */
must_check int salt_propose(int64_t day, uint8_t out[SALT_BYTES]);

/* [any thread] The store's salt of that day. Ignored for other days than today and tomorrow. */
void salt_adopt(int64_t day, const uint8_t salt[SALT_BYTES]);

/* [one thread] Overwrites what is over, in memory and on the disk. Now and then. */
void salt_tidy(void);

/* ---- salt_share.c: the thread that agrees with the store ---- */

struct salt_share;

/* line: of the store, or NULL: then the thread only tidies. prefix: of its tables. */
struct salt_share *salt_share_open(struct line *line, const char *prefix);

/* Until today's salt is the store's, the store is known to be away, or the time is up. */
void salt_share_wait(struct salt_share *s, int64_t most_us);

/* Before the line closes. */
void salt_share_close(struct salt_share *s);

#endif
