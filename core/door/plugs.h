/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins at a door. The chain belongs to the door's thread; a reload is left here by another one, and taken between
 * two requests or batches. */
#ifndef DOOR_PLUGS_H
#define DOOR_PLUGS_H

#include <pthread.h>

#include "plug/plug.h"

struct door_plugs {
	struct plug_chain *chain;
	void *owner; /* a lane; NULL = a door without a worker pool */
	pthread_mutex_t lock;
	struct plug_set *next; /* under lock, with next_conf */
	const struct conf *next_conf;
};

must_check int door_plugs_open(
	struct door_plugs *p, void *owner, struct plug_set *set, const struct conf *conf, char why[512]);
void door_plugs_close(struct door_plugs *p);

/* [any thread] */
void door_plugs_give(struct door_plugs *p, struct plug_set *set, const struct conf *conf);
/* The configuration that came with what was taken, NULL = nothing was there. */
const struct conf *door_plugs_take(struct door_plugs *p);
/* [any thread] What was given last is not taken yet. */
bool door_plugs_wait(struct door_plugs *p);

#endif
