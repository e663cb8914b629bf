/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's account, put together from those who count: the ledger (received and what became of it at the door), each
 * line (what its store has, what its batches hold), and the spool (events between a line's cursor and the end).
 *
 *   received = taken + refused + rejected + duplicates + dropped
 *   taken    = stored + thinned + dropped + dead + lost + in_flight        for each sink
 *
 * No term is computed from the others; `balance` is what is left over, and ought to be 0. [any thread] */
#ifndef MAIN_BALANCE_H
#define MAIN_BALANCE_H

#include "main/daemon.h"

/* /v1/ledger */
struct tally_str balance_json(struct daemon *d, struct arena *a);

/* Sum of the absolute balances. */
int64_t balance_total(struct daemon *d, struct arena *a);

#endif
