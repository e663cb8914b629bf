/* SPDX-License-Identifier: Apache-2.0 */
/* Admin commands about whole stores. */
#ifndef MAIN_STORES_H
#define MAIN_STORES_H

#include "main/dead.h"

/* GET /admin/verify?line=: 200 with "ok" and the first differences; 503 if a store cannot be read. */
void verify_command(struct admin_call *c);

/* POST /admin/backup?file=&line=, POST /admin/restore?file=&line=: of the line's store; the first that can, if no line is
 * named. */
void backup_command(struct admin_call *c);
void restore_command(struct admin_call *c);

#endif
