/* SPDX-License-Identifier: Apache-2.0 */
/* Paths under /admin/, on the admin socket only. Each request runs on a short-lived thread of its own, since it may
 * wait for a store. */
#ifndef MAIN_ADMIN_H
#define MAIN_ADMIN_H

#include "main/daemon.h"

/* A command under way. */
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

/* [lane] */
void admin_request(struct daemon *d, struct lane *lane, struct http_request *rq);

/* [the command's thread] Answers with a code and words. */
void admin_refuse(struct admin_call *c, int status, const char *code, const char *detail);

#endif
