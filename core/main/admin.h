/* SPDX-License-Identifier: Apache-2.0 */
/* Paths under /admin/, on the admin socket only. Each request runs on a short-lived thread of its own, since it may
 * wait for a store. */
#ifndef MAIN_ADMIN_H
#define MAIN_ADMIN_H

#include "main/daemon.h"

/* [lane] */
void admin_request(struct daemon *d, struct lane *lane, struct http_request *rq);

#endif
