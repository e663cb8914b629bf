/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: everything that is open, and the order in which it opened. Belongs to the main thread; what other threads
 * use of it is set before they start and stays until they have ended. */
#ifndef MAIN_DAEMON_H
#define MAIN_DAEMON_H

#include <stdatomic.h>
#include <stdbool.h>

#include "conf/conf.h"
#include "desk/desk.h"
#include "door/lane.h"
#include "door/redis.h"
#include "door/salt.h"
#include "ledger/ledger.h"
#include "line/line.h"
#include "lookup/lookup.h"
#include "main/args.h"
#include "main/node.h"
#include "plug/plug.h"

#define LANES_MAX 64

struct retired {
	struct conf *conf;
	struct plug_set *plugins;
	struct retired *next;
};

struct daemon {
	struct args args;
	struct conf *conf;
	struct node node;
	struct plug_set *plugins;
	struct arena arena; /* of the schema */
	const struct schema *schema;
	struct ledger *ledger;
	struct line **lines;
	size_t nlines;
	struct redis_source **sources;
	size_t nsources;
	struct salt_share *salt;
	struct lookups *lookups;
	struct desk *desk;
	struct lane *lanes[LANES_MAX + 1]; /* the last one is the admin socket's */
	size_t nlanes;
	int64_t began_us;
	_Atomic bool stopping;     /* commands that wait give up */
	_Atomic unsigned commands; /* of the admin socket, under way: they look at all that is open */
	char why[512];             /* of the part that could not be opened */

	pthread_mutex_t reload_lock;
	struct retired
		*retired; /* what reloads replaced: requests and hooks may still look at it, so it goes at the end */
};

/* Before daemon_open(): a TERM while it opens ends the process at once, a HUP is kept until it runs. */
void daemon_signals(void);

/* Opens everything in order; on failure what was opened is closed again. 0 or 1 (said on the log). */
int daemon_open(struct daemon *d);

/* Closes in reverse: doors first, then the ledger's answers, then the lines have drained. */
void daemon_close(struct daemon *d);

/* Reads the configuration and the plugin folder again, all or nothing. words: what was taken and what needs a restart,
 * or why nothing was. 0 or -EINVAL. [main or a worker; one at a time] */
int daemon_reload(struct daemon *d, char words[1024]);

/* Runs until a signal says stop. */
void daemon_run(struct daemon *d);

#endif
