/* SPDX-License-Identifier: Apache-2.0 */
/* An admin command under way, and the one that reads dead letters from the stores. */
#ifndef MAIN_DEAD_H
#define MAIN_DEAD_H

#include "main/daemon.h"

struct admin_call {
	struct lane_job job;
	struct daemon *daemon;
	struct lane *lane;
	struct http_request *http;        /* its arena is the lane's: read only */
	void (*fn)(struct admin_call *c); /* [its own thread] */
	struct arena arena;               /* of the answer */
	int status;
	struct tally_str body;
};

/* GET /admin/dead?limit=N, or ?line=&lsn=&idx= for one letter with its event. */
void dead_command(struct admin_call *c);

#endif
