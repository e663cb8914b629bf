/* SPDX-License-Identifier: Apache-2.0 */
/* A refused row becomes a dead letter by a DEAD record in the spool: when the line reads its event again it lays it
 * aside, and no row, rollup or session knows of it. The ship has decided that these rows may die; here it is written
 * down. A record that cannot be written changes nothing: the row is refused again and comes back here. */
#include <errno.h>

#include "base/bytes.h"
#include "base/log.h"
#include "line/internal.h"

static void answered(struct ledger_request *rq)
{
	struct line *l = rq->user;
	atomic_store(&l->funeral.answered, true);
	gate_knock(l->gate);
}

static const struct tally_cell *row_of(const struct funeral *f, const struct ship_refused *r)
{
	const struct tally_rows *rows = &f->batch->wire.rows[r->rows_index];
	return rows->cells + r->row * rows->table->ncolumns;
}

/* u32 0 is the ledger's; here: u16 name bytes, name, lsn, idx, code, u16 message bytes, message */
static size_t write_head(struct line *l, const struct ship_refused *r, const struct tally_cell *row)
{
	char *p = l->funeral.head;
	size_t name = strlen(l->opt.sink->name), words = strlen(r->message);
	MUST(2 + name + 18 + words <= sizeof l->funeral.head);
	put_u16(p, (uint16_t)name);
	memcpy(p + 2, l->opt.sink->name, name);
	p += 2 + name;
	put_u64(p, (uint64_t)row[EVC_LSN].v.i);
	put_u32(p + 8, (uint32_t)row[EVC_IDX].v.i);
	put_u32(p + 12, (uint32_t)r->code);
	put_u16(p + 16, (uint16_t)words);
	memcpy(p + 18, r->message, words);
	return (size_t)(p + 18 + words - l->funeral.head);
}

static void bury_one(struct line *l)
{
	struct funeral *f = &l->funeral;
	const struct ship_refused *r = &f->refused[f->done];
	const struct tally_cell *row = row_of(f, r);
	log_warn("line", "%s: event lsn %lld idx %lld becomes a dead letter (%d: %s)", l->opt.sink->name,
		(long long)row[EVC_LSN].v.i, (long long)row[EVC_IDX].v.i, r->code, r->message);
	f->request = (struct ledger_request){
		.kind = LEDGER_DEAD,
		.ack = CONF_ACK_DURABLE,
		.door = "line",
		.done = answered,
		.user = l,
	};
	f->request.head = str_make(f->head, write_head(l, r, row));
	atomic_store(&f->answered, false);
	if (!ledger_post(l->opt.ledger, &f->request)) { /* the ring is full */
		f->request.rc = -EAGAIN;
		atomic_store(&f->answered, true);
	}
}

void bury_begin(struct line *l, const struct ship_report *rep)
{
	for (size_t i = 0; i < rep->nrefused; i++)
		MUST(l->flying->wire.rows[rep->refused[i].rows_index].table == l->opt.schema->tables[SCHEMA_EVENT]);
	l->funeral = (struct funeral){ .refused = rep->refused, .n = rep->nrefused, .batch = l->flying };
	l->state = LINE_BURYING;
	l->flying = NULL;
	bury_one(l);
}

int bury_step(struct line *l)
{
	struct funeral *f = &l->funeral;
	if (!atomic_load(&f->answered))
		return 0;
	if (f->request.rc != 0)
		return f->request.rc;
	ship_buried(l->ship);
	if (++f->done == f->n)
		return 1;
	bury_one(l);
	return 0;
}
