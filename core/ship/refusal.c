/* SPDX-License-Identifier: Apache-2.0 */
/* A refused row is a dead letter if it is an event's own and such rows are rare. More than one in a hundred, or a
 * refused row of any other table, is a schema error: the sink stops and nothing dies. This is the one place that
 * decides; a sink names all refused rows of a batch, so the decision falls before the first of them is buried. */
#include "ship/inner.h"

#define FEW 10         /* so many since the start are never a schema error, however little was stored */
#define SHARE 100      /* one in so many */
#define MEMORY 1000000 /* rows */

static size_t event_rows(const struct tally_batch *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->nrows; i++)
		n += b->rows[i].table->insert_only ? b->rows[i].n : 0;
	return n;
}

size_t refusal_allowance(const struct refusal_record *r, const struct tally_batch *b)
{
	uint64_t most = (r->stored + r->refused + event_rows(b)) / SHARE;
	if (most < FEW)
		most = FEW;
	return most > r->refused ? (size_t)(most - r->refused) : 0;
}

void refusal_count(struct refusal_record *r, size_t refused)
{
	r->refused += refused;
}

void refusal_count_stored(struct refusal_record *r, const struct tally_batch *b)
{
	r->stored += event_rows(b);
	if (r->stored > MEMORY) {
		r->stored /= 2;
		r->refused /= 2;
	}
}

static bool is_row_of(const struct ship_refused *f, const struct tally_batch *b)
{
	return f->rows_index < b->nrows && f->row < b->rows[f->rows_index].n;
}

/* The first refused row that can be no dead letter, or NULL. */
static const struct ship_refused *beyond_burial(const struct ship_refusals *r, const struct tally_batch *b)
{
	for (size_t i = 0; i < r->n; i++)
		if (!b->rows[r->rows[i].rows_index].table->insert_only)
			return &r->rows[i];
	return NULL;
}

int refusal_judge(struct tally_sink_instance *in, const struct tally_batch *b, int rc)
{
	const struct ship_refusals *r = &in->refusals;
	char words[SHIP_MESSAGE_BYTES];
	if (rc == TALLY_SINK_STOP && in->failure.rc == TALLY_SINK_STOP)
		return rc; /* the sink has found out why */
	bool named = r->n > 0 || r->too_many;
	for (size_t i = 0; i < r->n; i++)
		named = named && is_row_of(&r->rows[i], b);
	if (!named)
		return ship_host_fail(
			in, TALLY_SINK_STOP, in->failure.code, "the sink refused a row and did not say which");
	const struct ship_refused *other = beyond_burial(r, b);
	memcpy(words, other ? other->message : in->failure.message, sizeof words);
	if (other)
		return ship_host_fail(in, TALLY_SINK_STOP, other->code, "%s refused a row it must take: %s",
			b->rows[other->rows_index].table->name, words);
	if (r->too_many)
		return ship_host_fail(in, TALLY_SINK_STOP, in->failure.code,
			"more than 1 %% of the rows are refused, so the schema is wrong and nothing was laid aside: %s",
			words);
	return TALLY_SINK_BAD_ROW;
}
