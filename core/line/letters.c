/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters: which events a line lays aside, and those it takes up again.
 *
 * A LETTERS record says which letters of one line are to be stored after all, or forgotten. The line meets it with empty
 * hands: all it has read before is committed, so what its store has is exactly what there is at this place of the log.
 * A letter that is not there any more (the command was given twice, or the store knows better) is left alone; one that
 * is goes out of tally_dead in the very transaction in which its event's rows come in. So a crash, a rewind or a second
 * order can neither lose nor double it. The event gets a place of its own, that of the record, and may be refused
 * again under it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "event/event.h"
#include "line/internal.h"
#include "spool/payload.h"

/* ---- which events are laid aside ---- */

static struct tally_str key_of(uint64_t lsn, uint32_t idx, char room[12])
{
	put_u64(room, lsn);
	put_u32(room + 8, idx);
	return str_make(room, 12);
}

/* The ledger's list grows at its head: what is new since last time is taken over into a table of our own. */
static void learn_dead(struct line *l)
{
	const struct ledger_dead *head = ledger_dead(l->opt.ledger);
	char room[12];
	for (const struct ledger_dead *d = head; d != l->dead_seen; d = d->next)
		if (strcmp(d->line, l->opt.sink->name) == 0) {
			void **place = table_place(&l->dead, key_of(d->lsn, d->idx, room));
			if (!*place)
				*place = (void *)(uintptr_t)d;
		}
	l->dead_seen = head;
}

const struct ledger_dead *letters_dead(struct line *l, const struct tally_event *ev)
{
	char room[12];
	learn_dead(l);
	return l->dead.count ? table_get(&l->dead, key_of(ev->lsn, ev->idx, room)) : NULL;
}

/* ---- the record ---- */

struct letters {
	struct tally_str line;
	unsigned what; /* enum payload_letters */
	uint32_t n;
	struct tally_str rest;
};

struct letter {
	uint64_t lsn;
	uint32_t idx;
	int64_t received_us;
	struct tally_event ev; /* REPLAY */
};

static bool letters_open(const struct spool_record *rec, struct letters *out)
{
	struct tally_str p = { rec->payload, rec->len };
	if (p.len < 6 || p.len - 6 < get_u16(p.ptr + 4))
		return false;
	size_t name = get_u16(p.ptr + 4);
	out->line = str_make(p.ptr + 6, name);
	p = str_make(p.ptr + 6 + name, p.len - 6 - name);
	if (p.len < 6)
		return false;
	out->what = get_u16(p.ptr);
	out->n = get_u32(p.ptr + 2);
	out->rest = str_make(p.ptr + 6, p.len - 6);
	return true;
}

bool letters_are_ours(const struct line *l, const struct spool_record *rec)
{
	struct letters in;
	return rec->type == SPOOL_LETTERS && letters_open(rec, &in) && str_eq(in.line, str_of(l->opt.sink->name)) &&
	       ship_sink(l->ship)->is_store && ship_sink(l->ship)->deletes;
}

static bool letters_next(struct letters *in, struct arena *a, struct letter *out)
{
	struct tally_str p = in->rest;
	if (p.len < 20)
		return false;
	out->lsn = get_u64(p.ptr);
	out->idx = get_u32(p.ptr + 8);
	out->received_us = (int64_t)get_u64(p.ptr + 12);
	p = str_make(p.ptr + 20, p.len - 20);
	int64_t used = in->what == PAYLOAD_REPLAY ? event_decode(p.ptr, p.len, a, &out->ev) : 0;
	if (used < 0)
		return false;
	in->rest = str_make(p.ptr + used, p.len - (size_t)used);
	return true;
}

/* ---- which of them the store has ---- */

struct span {
	uint64_t first, last; /* lsns */
};

static struct span span_of(struct letters in, struct arena *a)
{
	struct span s = { UINT64_MAX, 0 };
	struct letter one;
	for (uint32_t i = 0; i < in.n && letters_next(&in, a, &one); i++) {
		s.first = one.lsn < s.first ? one.lsn : s.first;
		s.last = one.lsn > s.last ? one.lsn : s.last;
	}
	return s;
}

static int read_rows(struct line *l, const struct tally_statement *st, tally_row_fn fn, struct table *out)
{
	const struct tally_sink *sink = ship_sink(l->ship);
	void *reader;
	int rc = sink->reader_open(ship_sink_self(l->ship), &reader);
	if (rc)
		return rc;
	rc = sink->read_begin(reader);
	if (!rc) {
		rc = sink->read(reader, st, fn, out);
		sink->read_end(reader);
	}
	if (rc)
		log_warn("line", "%s: the letters of the store cannot be read: %s", l->opt.sink->name,
			sink->reader_error(reader));
	sink->reader_close(reader);
	return rc;
}

static int take_key(void *arg, const struct tally_cell *c)
{
	char room[12];
	*table_place(arg, key_of((uint64_t)c[0].v.i, (uint32_t)c[1].v.i, room)) = arg;
	return 0;
}

static int read_there(struct line *l, struct span s, struct table *out)
{
	static const uint32_t columns[] = { TALLY_T_INT, TALLY_T_INT };
	static const uint32_t params[] = { TALLY_T_TEXT, TALLY_T_TEXT, TALLY_T_INT, TALLY_T_INT };
	const char *prefix = l->opt.sink->prefix, *name = l->opt.sink->name;
	char sql[512];
	snprintf(sql, sizeof sql,
		"SELECT d.`lsn`, d.`idx` FROM `%stally_dead` d JOIN `%stally_node` n ON n.`number` = d.`node` "
		"WHERE n.`uuid` = ? AND d.`line` = ? AND d.`lsn` BETWEEN ? AND ?",
		prefix, prefix);
	const struct tally_cell values[] = { { .v.ptr = l->opt.node_uuid, .len = (uint32_t)strlen(l->opt.node_uuid) },
		{ .v.ptr = name, .len = (uint32_t)strlen(name) }, { .v.i = (int64_t)s.first },
		{ .v.i = (int64_t)s.last } };
	struct tally_statement st = { .sql = sql,
		.params = values,
		.param_types = params,
		.nparams = 4,
		.column_types = columns,
		.ncolumns = 2 };
	return read_rows(l, &st, take_key, out);
}

/* ---- staging ---- */

static void begin(struct line *l, struct batch *b, const struct spool_record *rec)
{
	if (b->letters.lsn)
		return;
	b->letters.lsn = rec->lsn;
	stage_note_begin(l, b);
}

/* The letter is counted out of `dead` and its event in again, wherever it comes to stand. */
static void send_again(struct line *l, struct batch *b, struct letter *one, const struct spool_record *rec, uint32_t i)
{
	struct site_terms *t = batch_terms(b, one->ev.site);
	int64_t dead = t->dead;
	one->ev.lsn = rec->lsn;
	one->ev.idx = i;
	one->ev.received_us = one->received_us;
	stage_event(l, &one->ev);
	b->letters.again += t->dead > dead;
	t->dead--;
}

static void stage_there(
	struct line *l, struct letters in, const struct spool_record *rec, const struct table *there, uint32_t *missing)
{
	struct batch *b = l->filling;
	struct letter one;
	char room[12];
	for (uint32_t i = 0; i < in.n; i++) {
		if (!letters_next(&in, &b->arena, &one)) {
			log_error("line",
				"%s: letter %u of the record at lsn %llu cannot be read; the rest stay letters",
				l->opt.sink->name, i, (unsigned long long)rec->lsn);
			return;
		}
		if (!table_get(there, key_of(one.lsn, one.idx, room))) {
			++*missing;
			continue;
		}
		begin(l, b, rec);
		b->events++;
		b->letters.out++;
		batch_add_gone(l, b, one.lsn, one.idx);
		if (in.what == PAYLOAD_REPLAY)
			send_again(l, b, &one, rec, i);
	}
}

/* ---- once more, silently ---- */

static int take_idx(void *arg, const struct tally_cell *c)
{
	char room[12];
	*table_place(arg, key_of(0, (uint32_t)c[0].v.i, room)) = arg;
	return 0;
}

/* Which of the record's events have a row. */
static int read_stored(struct line *l, uint64_t lsn, struct table *out)
{
	static const uint32_t columns[] = { TALLY_T_INT };
	static const uint32_t params[] = { TALLY_T_TEXT, TALLY_T_INT };
	const char *prefix = l->opt.sink->prefix;
	char sql[512];
	snprintf(sql, sizeof sql,
		"SELECT e.`idx` FROM `%stally_event` e JOIN `%stally_node` n ON n.`number` = e.`node` "
		"WHERE n.`uuid` = ? AND e.`lsn` = ?",
		prefix, prefix);
	const struct tally_cell values[] = { { .v.ptr = l->opt.node_uuid, .len = (uint32_t)strlen(l->opt.node_uuid) },
		{ .v.i = (int64_t)lsn } };
	struct tally_statement st = { .sql = sql,
		.params = values,
		.param_types = params,
		.nparams = 2,
		.column_types = columns,
		.ncolumns = 1 };
	return read_rows(l, &st, take_idx, out);
}

int letters_again(struct line *l, const struct spool_record *rec, struct arena *a,
	void (*fn)(void *arg, struct tally_event *ev), void *arg)
{
	struct letters in;
	struct letter one;
	struct table stored = { 0 };
	char room[12];
	if (!letters_open(rec, &in) || in.what != PAYLOAD_REPLAY)
		return 0;
	int rc = read_stored(l, rec->lsn, &stored);
	for (uint32_t i = 0; rc == 0 && i < in.n && letters_next(&in, a, &one); i++) {
		if (!table_get(&stored, key_of(0, i, room)))
			continue;
		one.ev.lsn = rec->lsn;
		one.ev.idx = i;
		one.ev.received_us = one.received_us;
		fn(arg, &one.ev);
	}
	table_free(&stored);
	return rc;
}

static void keep_result(struct line *l, const struct line_letters *r)
{
	l->results[l->nresults++ % LETTERS_KEPT] = *r;
}

int letters_stage(struct line *l, const struct spool_record *rec)
{
	struct batch *b = l->filling;
	struct letters in;
	struct table there = { 0 };
	/* The record's bytes are the reader's; the batch keeps its own copy. */
	struct spool_record own = *rec;
	own.payload = arena_copy(&b->arena, rec->payload, rec->len);
	MUST(letters_open(&own, &in) && !b->dirty);
	struct span span = span_of(in, &b->arena);
	int rc = span.first <= span.last ? read_there(l, span, &there) : 0;
	if (rc) {
		table_free(&there);
		return rc;
	}
	struct line_letters r = { .lsn = rec->lsn, .purge = in.what == PAYLOAD_PURGE };
	b->letters = (struct line_letters){ .purge = r.purge };
	stage_there(l, in, rec, &there, &r.missing);
	b->letters.missing = r.missing;
	table_free(&there);
	if (b->letters.lsn)
		return 0;
	pthread_mutex_lock(&l->lock); /* nothing to commit */
	keep_result(l, &r);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

void letters_committed(struct line *l, const struct batch *b)
{
	if (b->letters.lsn)
		keep_result(l, &b->letters);
}

bool line_letters(struct line *l, uint64_t lsn, struct line_letters *out)
{
	bool found = false;
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < LETTERS_KEPT && !found; i++)
		if (l->results[i].lsn == lsn) {
			*out = l->results[i];
			found = true;
		}
	pthread_mutex_unlock(&l->lock);
	return found;
}
