/* SPDX-License-Identifier: Apache-2.0 */
/* Which ids belong to records whose fate is not known yet: runs of numbers, in the order of their tickets' coming. */
#ifndef DEDUP_PENDING_H
#define DEDUP_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run {
	uint64_t ticket, first;
	uint32_t count; /* 0 = settled */
};

struct pending {          /* zeroed = empty */
	struct run *runs; /* a ring */
	size_t cap, head, n;
};

/* Number `number` was remembered under this ticket. false = out of memory. */
bool pending_add(struct pending *p, uint64_t ticket, uint64_t number);

/* Takes one run of this ticket out; false = there is none left. */
bool pending_take(struct pending *p, uint64_t ticket, struct run *out);

void pending_free(struct pending *p);

#endif
