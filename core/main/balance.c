/* SPDX-License-Identifier: Apache-2.0 */
#include "main/balance.h"

#include <stdlib.h>

#include "base/table.h"
#include "main/view.h"
#include "text/write.h"

#define TRIES 50 /* moments in which a line has read further than the ledger has told */

/* ---- one site's account ---- */

struct reason {
	enum term term;
	struct tally_str text;
	int64_t n;
	struct reason *next;
};

struct account {
	struct tally_str site;
	int64_t terms[TERMS];
	struct reason *reasons;
	struct line_site *sinks; /* by line */
};

struct book {
	struct arena *arena;
	struct table sites; /* name -> struct account */
	struct daemon *daemon;
	struct line_view *lines;
	uint64_t end;
};

static struct account *account_of(struct book *b, struct tally_str site)
{
	void **place = table_place(&b->sites, site);
	if (!*place) {
		struct account *acc = arena_zalloc(b->arena, sizeof *acc);
		acc->site = arena_str(b->arena, site);
		acc->sinks = arena_zalloc(b->arena, (b->daemon->nlines + 1) * sizeof *acc->sinks);
		*place = acc;
	}
	return *place;
}

static void take_term(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t n)
{
	struct book *b = arg;
	struct account *acc = account_of(b, site);
	acc->terms[term] += n;
	if (!reason.len)
		return;
	struct reason *r = arena_alloc(b->arena, sizeof *r);
	*r = (struct reason){ term, arena_str(b->arena, reason), n, acc->reasons };
	acc->reasons = r;
}

/* ---- all of it ---- */

static void take_line(struct book *b, size_t line)
{
	const struct line_view *v = &b->lines[line];
	for (size_t i = 0; i < v->nsites; i++) {
		struct line_site *s = &account_of(b, v->sites[i].site)->sinks[line];
		*s = v->sites[i];
	}
}

/* The lines are looked at first, then the ledger: what a line has read, the ledger has told by then, or will in a
 * moment. */
static void snapshot(struct book *b)
{
	struct daemon *d = b->daemon;
	struct terms *terms = NULL;
	uint64_t furthest;
	b->lines = arena_zalloc(b->arena, (d->nlines + 1) * sizeof *b->lines);
	for (size_t i = 0; i < d->nlines; i++)
		line_view(d->lines[i], b->arena, &b->lines[i]);
	furthest = 0;
	for (size_t i = 0; i < d->nlines; i++)
		if (b->lines[i].cursor.lsn > furthest)
			furthest = b->lines[i].cursor.lsn;
	for (int i = 0; i < TRIES; i++) {
		if (terms)
			terms_close(terms);
		terms = terms_open();
		ledger_terms(d->ledger, terms, &b->end);
		if (b->end >= furthest)
			break;
		uv_sleep(1);
	}
	terms_each(terms, take_term, b);
	terms_close(terms);
	for (size_t i = 0; i < d->nlines; i++)
		take_line(b, i);
}

static int64_t door_balance(const struct account *acc)
{
	int64_t n = acc->terms[TERM_RECEIVED];
	for (int t = 1; t < TERMS; t++)
		n -= acc->terms[t];
	return n;
}

/* In the batches of the line, and in the spool: what the ledger has taken since the line's cursor. */
static int64_t in_flight(const struct account *acc, size_t line)
{
	return acc->sinks[line].in_hand + acc->terms[TERM_TAKEN] - acc->sinks[line].passed;
}

static int64_t sink_balance(const struct account *acc, size_t line)
{
	const struct line_site *s = &acc->sinks[line];
	int64_t n = acc->terms[TERM_TAKEN] - s->stored - s->thinned - s->dropped - s->dead - in_flight(acc, line);
	for (int g = 0; g < GAPS; g++)
		n -= s->gaps[g];
	return n;
}

/* A sink may have no memory of its counts before this start, and a store not yet seen has not told them. */
static bool keeps_counts(const struct book *b, size_t line)
{
	return b->lines[line].known && b->lines[line].counted;
}

static int64_t total(const struct book *b)
{
	int64_t sum = 0;
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&b->sites, &at));) {
		sum += llabs(door_balance(e->value));
		for (size_t i = 0; i < b->daemon->nlines; i++)
			if (keeps_counts(b, i))
				sum += llabs(sink_balance(e->value, i));
	}
	return sum;
}

/* ---- as JSON ---- */

static void put_reasons(struct text_out *o, const struct account *acc, enum term term)
{
	text_json_key(o, str_of(term_name(term)));
	text_json_begin(o, '{');
	for (const struct reason *r = acc->reasons; r; r = r->next)
		if (r->term == term) {
			text_json_key(o, r->text);
			text_json_int(o, r->n);
		}
	text_json_end(o, '}');
}

static void put_sink(struct text_out *o, const struct book *b, const struct account *acc, size_t line)
{
	const struct line_site *s = &acc->sinks[line];
	text_json_key(o, str_of(b->lines[line].name));
	text_json_begin(o, '{');
	text_json_member_int(o, "stored", s->stored);
	text_json_member_int(o, "thinned", s->thinned);
	text_json_member_int(o, "dropped", s->dropped);
	text_json_member_int(o, "dead", s->dead);
	text_json_key(o, STR("lost"));
	text_json_begin(o, '{');
	for (int g = 0; g < GAP_BEFORE; g++)
		if (s->gaps[g])
			text_json_member_int(o, line_gap_name(g), s->gaps[g]);
	text_json_end(o, '}');
	text_json_member_int(o, "before", s->gaps[GAP_BEFORE]);
	text_json_member_int(o, "in_flight", in_flight(acc, line));
	if (keeps_counts(b, line))
		text_json_member_int(o, "balance", sink_balance(acc, line));
	text_json_end(o, '}');
}

static void put_account(struct text_out *o, const struct book *b, const struct account *acc)
{
	text_json_begin(o, '{');
	text_json_member_string(o, "site", acc->site);
	text_json_member_int(o, "received", acc->terms[TERM_RECEIVED]);
	text_json_member_int(o, "taken", acc->terms[TERM_TAKEN]);
	text_json_member_int(o, "duplicates", acc->terms[TERM_DUPLICATES]);
	put_reasons(o, acc, TERM_REFUSED);
	put_reasons(o, acc, TERM_REJECTED);
	put_reasons(o, acc, TERM_DROPPED);
	text_json_member_int(o, "balance", door_balance(acc));
	text_json_key(o, STR("sinks"));
	text_json_begin(o, '{');
	for (size_t i = 0; i < b->daemon->nlines; i++)
		put_sink(o, b, acc, i);
	text_json_end(o, '}');
	text_json_end(o, '}');
}

static void open_book(struct book *b, struct daemon *d, struct arena *a)
{
	*b = (struct book){ .arena = a, .daemon = d };
	snapshot(b);
}

struct tally_str balance_json(struct daemon *d, struct arena *a)
{
	struct book b;
	struct text_out o;
	size_t at = 0;
	open_book(&b, d, a);
	text_open(&o, a, 1024);
	text_json_begin(&o, '{');
	text_json_member_int(&o, "balance", total(&b));
	text_json_member_int(&o, "end", (int64_t)b.end);
	text_json_key(&o, STR("sites"));
	text_json_begin(&o, '[');
	for (const struct table_entry *e; (e = table_next(&b.sites, &at));)
		put_account(&o, &b, e->value);
	text_json_end(&o, ']');
	text_json_end(&o, '}');
	table_free(&b.sites);
	return text_done(&o);
}

int64_t balance_total(struct daemon *d, struct arena *a)
{
	struct book b;
	open_book(&b, d, a);
	int64_t sum = total(&b);
	table_free(&b.sites);
	return sum;
}

struct tally_str view_ledger(void *arg, struct arena *a)
{
	return balance_json(arg, a);
}
