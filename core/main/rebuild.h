/* SPDX-License-Identifier: Apache-2.0 */
/* Rebuilds asked for on the admin socket: one at a time, on a thread of its own; whoever asked looks how it stands. */
#ifndef MAIN_REBUILD_H
#define MAIN_REBUILD_H

#include "main/admin.h"

/* POST /admin/rebuild?rollup=NAME[&line=NAME][&from=TIME][&to=TIME]: 202 with its number, 409 while another one runs. */
void rebuild_start(struct admin_call *c);
/* GET /admin/rebuild: of the last one. */
void rebuild_show(struct admin_call *c);
/* Gives up the one that runs and waits for its end. */
void rebuild_stop(struct daemon *d);

#endif
