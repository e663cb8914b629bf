/* SPDX-License-Identifier: Apache-2.0 */
/* Included before each file of a module with bugs planted in it (MUTANT() of core/base/seam.h, for modules). */
#include <stdlib.h>
#include <string.h>

#define MUTANT(name) (getenv("TALLY_MUTANT") && strcmp(getenv("TALLY_MUTANT"), name) == 0)
