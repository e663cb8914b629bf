/* SPDX-License-Identifier: Apache-2.0 */
/* Fault seams: named places where a test makes a call fail, or freeze, on its N-th passing.
 *
 * Armed by seam_arm() in unit tests, or for a whole daemon by the environment:
 *     TALLY_FAULT="spool.sync:3:EIO,spool.write:10:short,ledger.append:5:kill"
 * Actions: an errno name (EIO, ENOSPC, EDQUOT, ENOMEM, EPIPE, ECONNRESET, EINTR, EROFS), `short` (half a write),
 * `stall=MS`, `kill` (SIGKILL to the own process). N counts from 1; `N+` fires on every passing from the N-th on.
 * With nothing armed a seam costs one relaxed load. Every firing is a line on stderr, `seam NAME fired`. [any thread]
 *
 * A mutant is a bug planted on purpose, to see the checkers of tests/fault find it. Mutants are compiled only into the
 * tallyd of those tests (TALLY_MUTANTS); the environment's TALLY_MUTANT chooses one. */
#ifndef BASE_SEAM_H
#define BASE_SEAM_H

#include <stdbool.h>

#include "base/check.h"

#define SEAM_SHORT 1 /* the caller is to do half of its write */

/* 0, SEAM_SHORT or -errno. Stalls and kills happen inside. */
must_check int seam_pass(const char *name);

/* spec as in TALLY_FAULT, NULL disarms all. 0 or -EINVAL. */
int seam_arm(const char *spec);

/* How often the armed action of this name has fired. */
unsigned seam_fired(const char *name);

#ifdef TALLY_MUTANTS
bool seam_mutant(const char *name);
#define MUTANT(name) seam_mutant(name)
#else
#define MUTANT(name) false
#endif

#endif
