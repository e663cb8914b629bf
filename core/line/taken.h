/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINE_TAKEN_H
#define LINE_TAKEN_H

#include <stdint.h>

#include "base/table.h"
#include "spool/spool.h"

struct line;

/* Tables here are site -> events, as an integer in the value. */

/* What the record says was taken with it (a checkpoint: of all before it), `by` times. */
void taken_add(struct table *t, const struct spool_record *rec, int64_t by);

/* [line] Taken before lsn, which is the end of a record or the oldest place kept. out is replaced. */
void taken_at(struct line *l, uint64_t lsn, struct table *out);

int64_t taken_of(const struct table *t, struct tally_str site);

#endif
