/* SPDX-License-Identifier: Apache-2.0 */
/* A lane: one thread with one event loop and one HTTP server; all lanes share the port (SO_REUSEPORT). A lane reads and
 * decodes; what it cannot answer itself it hands to the ledger or, through a function, to the desk, and gets it back as
 * a job on its own loop. */
#ifndef DOOR_LANE_H
#define DOOR_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "conf/conf.h"
#include "http/http.h"
#include "ledger/ledger.h"
#include "plug/plug.h"

struct lane;

/* Something to run on a lane's thread. Embedded in what it is about, so that posting it cannot fail. */
struct lane_job {
	void (*fn)(struct lane_job *job);
	struct lane_job *next;
};

struct lane_options {
	const struct conf *conf;
	struct plug_set *plugins;
	struct ledger *ledger;
	const char *address; /* conf->listen, or the admin socket */
	bool reuse_port;
	unsigned connections; /* at most, of this lane */
	bool admin;           /* paths under /admin/ are reached here, and only here */
	/* Takes every request that is not the door's own; must see to it that http_respond() is called on the lane. */
	void (*other)(void *arg, struct lane *lane, struct http_request *rq);
	void *other_arg;
};

must_check int lane_open(const struct lane_options *opt, struct lane **out, char why[512]);
void lane_run(struct lane *ln);
int lane_port(const struct lane *ln);

/* [any thread] */
void lane_post(struct lane *ln, struct lane_job *job);

/* [any thread] a new configuration and new plugins for the requests to come; the old ones must live until the lane is
 * closed. */
void lane_reload(struct lane *ln, struct plug_set *plugins, const struct conf *conf);
bool lane_is_reloading(struct lane *ln);

/* For struct plug_services. [lane] */
int lane_plug_work(void *lane, void (*job)(void *), void (*done)(void *), void *arg);

/* [any thread] */
void lane_stats(const struct lane *ln, struct http_stats *out);
bool lane_is_admin(const struct lane *ln);

/* Stops accepting; what is under way is answered within drain_us; then the thread ends. Call lane_join() after it. */
void lane_stop(struct lane *ln, int64_t drain_us);
void lane_join(struct lane *ln);
/* Who is still at a request of the lane may call lane_post() until then, though nobody gets the answer any more. */
void lane_free(struct lane *ln);

#endif
