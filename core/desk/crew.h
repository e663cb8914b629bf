/* SPDX-License-Identifier: Apache-2.0 */
/* The desk's own worker threads. Readings of a store may wait for seconds; in libuv's pool, which has four threads for the
 * whole process, a few of them would hold up everybody else's jobs. A crew's threads are nobody else's: what it runs
 * delays only what is given to it. */
#ifndef DESK_CREW_H
#define DESK_CREW_H

#include <uv.h>

/* Embedded by whoever gives it; must live until done() was called. */
struct crew_job {
	void (*run)(struct crew_job *job);  /* [a thread of the crew] may block */
	void (*done)(struct crew_job *job); /* [loop] */
	struct crew_job *next;
};

struct crew;

/* Never NULL. name: at most 15 bytes, of its threads. */
struct crew *crew_open(uv_loop_t *loop, unsigned threads, const char *name);
/* [loop] Runs as soon as a thread is free, in the order given. */
void crew_give(struct crew *c, struct crew_job *job);
/* [loop] Assumes: every job given is done. Joins the threads; the loop must run once more before crew_free(). */
void crew_stop(struct crew *c);
void crew_free(struct crew *c);

#endif
