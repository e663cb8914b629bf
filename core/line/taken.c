/* SPDX-License-Identifier: Apache-2.0 */
/* How many events the ledger had taken, by site, at a place of its log. Records say what was taken with them and each
 * segment begins with a checkpoint of all before it, so the count at any place is a checkpoint and the records up to
 * there: at most a segment is read. What a line has in front of it, in the spool, is then the ledger's count less this. */
#include "line/taken.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/seam.h"
#include "line/internal.h"

struct sum {
	struct table *table;
	int64_t by;
};

static void add(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t n)
{
	struct sum *s = arg;
	(void)reason;
	if (term == TERM_TAKEN)
		*(intptr_t *)table_place(s->table, site) += (intptr_t)(n * s->by);
}

void taken_add(struct table *t, const struct spool_record *rec, int64_t by)
{
	struct sum s = { t, by };
	const char *p = rec->payload;
	if (rec->type == SPOOL_CHECKPOINT)
		(void)!terms_walk(p, rec->len, add, &s);
	else if ((rec->type == SPOOL_EVENTS || rec->type == SPOOL_RELEASE) && rec->len >= 4 &&
		 rec->len - 4 >= get_u32(p))
		(void)!terms_walk(p + 4, get_u32(p), add, &s);
}

static void subtract(struct table *t, const struct table *less)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(less, &at));)
		*(intptr_t *)table_place(t, e->key) -= (intptr_t)e->value;
}

/* Behind the place no checkpoint came: what the ledger has told, as of *end. */
static void take_told(struct line *l, struct table *out, uint64_t *end)
{
	struct sum s = { out, 1 };
	struct terms *told = terms_open();
	ledger_terms(l->opt.ledger, told, end);
	terms_each(told, add, &s);
	terms_close(told);
}

/* Reads from the segment's beginning to lsn; if no checkpoint stood before that, on to one, or to what was told. */
static void scan(struct spool_reader *r, uint64_t lsn, uint64_t end, struct table *told, struct table *out)
{
	struct table behind = { 0 };
	struct spool_record rec;
	bool known = false, found = false;
	while (!found && spool_reader_next(r, &rec) == 1 && rec.end <= end) {
		if (rec.lsn >= lsn && known)
			break;
		if (rec.type == SPOOL_CHECKPOINT) {
			table_free(out);
			*out = (struct table){ 0 };
			taken_add(out, &rec, 1);
			known = true;
			found = rec.lsn >= lsn;
		} else if (rec.lsn >= lsn) {
			taken_add(&behind, &rec, 1);
		} else if (!MUTANT("taken_short")) {
			taken_add(out, &rec, 1);
		}
	}
	if (!known) {
		table_free(out);
		*out = *told;
		*told = (struct table){ 0 };
	}
	subtract(out, &behind);
	table_free(&behind);
}

void taken_at(struct line *l, uint64_t lsn, struct table *out)
{
	struct table told = { 0 };
	uint64_t end;
	table_free(out);
	*out = (struct table){ 0 };
	struct spool_reader *r = spool_reader_open(ledger_spool(l->opt.ledger));
	spool_reader_hold(r, 0);
	take_told(l, &told, &end);
	spool_reader_before(r, lsn);
	scan(r, lsn, end, &told, out);
	spool_reader_close(r);
	table_free(&told);
}

int64_t taken_of(const struct table *t, struct tally_str site)
{
	return (intptr_t)table_get(t, site);
}
