/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled into tests/fault/tallyd-mutant only. */
#include "ship/mutant.h"

#include "base/seam.h"

#define TABLES_MOST 64

/* A batch as a broken writer would send it. */
static void mutated(const struct tally_batch *b, struct tally_batch *copy, struct tally_rows *rows)
{
	static _Atomic unsigned batches;
	bool third = ++batches % 3 == 0;
	*copy = *b;
	if (third && MUTANT("position_without_rows"))
		copy->nrows = 0;
	if (!third || !MUTANT("rows_without_rollup"))
		return;
	memcpy(rows, b->rows, b->nrows * sizeof *rows);
	for (size_t i = SCHEMA_FIXED; i < b->nrows; i++)
		rows[i].n = 0;
	copy->rows = rows;
}

/* Once more, all but the rows whose keys are new. */
static void send_again(struct ship *s, const struct tally_batch *b)
{
	struct tally_batch copy = *b;
	struct tally_rows rows[TABLES_MOST];
	memcpy(rows, b->rows, b->nrows * sizeof *rows);
	rows[SCHEMA_EVENT].n = 0;
	copy.from = b->to;
	copy.rows = rows;
	(void)s->in->sink->write(s->in->self, &copy);
}

/* Where the store stood when a COMMIT without an answer was taken for done; the next batch goes on from there. */
static struct tally_position overtaken;
static bool overtook;

void mutant_position(int rc, const struct tally_batch *b, struct tally_position *at)
{
	if (rc != TALLY_SINK_RECONNECT || !MUTANT("commit_taken_for_done"))
		return;
	overtaken = *at;
	overtook = true;
	*at = b->to;
}

int mutant_write(struct ship *s, const struct tally_batch *b)
{
	struct tally_batch copy;
	struct tally_rows rows[TABLES_MOST];
	MUST(b->nrows <= TABLES_MOST);
	mutated(b, &copy, rows);
	if (overtook)
		copy.from = overtaken;
	int rc = s->in->sink->write(s->in->self, &copy);
	overtook &= rc != TALLY_SINK_OK;
	if (rc == TALLY_SINK_OK && MUTANT("batch_twice"))
		send_again(s, &copy);
	return rc;
}
