/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between the doors and the desk, which never meet: requests one way, answers the other. Also the services
 * that plugins are lent by the stations. */
#ifndef MAIN_FRONT_H
#define MAIN_FRONT_H

#include "main/daemon.h"

/* Before the first chain is opened. */
void front_services(struct daemon *d);

/* The line that statistics are read from: the first whose sink is a store. NULL = there is none. */
struct line *front_reading_line(struct daemon *d, const char **prefix);

int front_desk_open(struct daemon *d);
void front_desk_close(struct daemon *d);
/* Before the lanes close: they wait for answers that are under way, and a stream is one. */
void front_end_streams(struct daemon *d);

/* [lane] lane_options.other */
void front_other(void *daemon, struct lane *lane, struct http_request *rq);

#endif
