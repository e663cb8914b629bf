/* SPDX-License-Identifier: Apache-2.0 */
/* The ship's bugs planted on purpose, for tests/fault/mutants.py; nothing of them is in a tallyd that is installed. */
#ifndef SHIP_MUTANT_H
#define SHIP_MUTANT_H

#include "ship/inner.h"

#ifdef TALLY_MUTANTS

/* write() as a broken writer would call it. */
int mutant_write(struct ship *s, const struct tally_batch *b);

/* What position() found, as one would believe who takes a COMMIT without an answer for done. */
void mutant_position(int rc, const struct tally_batch *b, struct tally_position *at);

#else

static inline int mutant_write(struct ship *s, const struct tally_batch *b)
{
	return s->in->sink->write(s->in->self, b);
}

static inline void mutant_position(int rc, const struct tally_batch *b, struct tally_position *at)
{
	(void)rc, (void)b, (void)at;
}

#endif

#endif
