/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIN_ADOPT_H
#define MAIN_ADOPT_H

#include "main/admin.h"

/* POST /admin/adopt?line=NEW&from=OLD: the line NEW goes on with what its store has under the name OLD. */
void adopt_command(struct admin_call *c);

#endif
