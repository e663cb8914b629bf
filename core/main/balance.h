/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's account, put together from those who count: the ledger (received and what became of it at the door), each
 * line (what its store has, what its batches hold, what the ledger had taken at its cursor).
 *
 *   received = taken + refused + rejected + duplicates + dropped
 *   taken    = stored + thinned + dropped + dead + lost + before + in_flight        for each sink
 *
 * What is in the spool for a line is counted by the records: each says what was taken with it, the ledger adds them up as
 * it writes them and the line as it reads them, whatever its stages make of the events. So `in_flight` is the batches and
 * the difference of those two counts; no term is computed from what it is balanced against. `balance` is what is left over, and ought to be 0. [any thread] */
#ifndef MAIN_BALANCE_H
#define MAIN_BALANCE_H

#include "main/daemon.h"

/* /v1/ledger */
struct tally_str balance_json(struct daemon *d, struct arena *a);

/* Sum of the absolute balances. */
int64_t balance_total(struct daemon *d, struct arena *a);

#endif
