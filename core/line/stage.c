/* SPDX-License-Identifier: Apache-2.0 */
/* One record's events through the stages into the batch that is being filled. */
#include <errno.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/seam.h"
#include "event/event.h"
#include "line/internal.h"
#include "meter/meter.h"
#include "plug/crash.h"
#include "spool/payload.h"

#define TICK_US 1000000

static bool skip_sized(struct tally_str *p)
{
	if (p->len < 4 || p->len - 4 < get_u32(p->ptr))
		return false;
	size_t n = 4 + (size_t)get_u32(p->ptr);
	*p = str_make(p->ptr + n, p->len - n);
	return true;
}

static bool open_forms(struct tally_str p, struct stage_events *out)
{
	if (!skip_sized(&p) || p.len < 4)
		return false;
	out->forms = str_make(p.ptr + 4, p.len - 4);
	out->n = get_u32(p.ptr);
	return true;
}

/* A RELEASE: the events stand in the pending record that it names. */
static bool open_release(struct spool_reader *reader, struct tally_str p, struct stage_events *out)
{
	struct spool_record redis;
	if (!skip_sized(&p) || p.len < 12 || p.len - 12 < get_u32(p.ptr + 8))
		return false;
	if (spool_reader_at(reader, get_u64(p.ptr), &redis))
		return false;
	if (!open_forms(str_make(redis.payload, redis.len), out) || out->n != get_u32(p.ptr + 8))
		return false;
	out->verdicts = p.ptr + 12;
	return true;
}

bool stage_open(struct spool_reader *reader, const struct spool_record *rec, struct stage_events *out)
{
	struct tally_str p = { rec->payload, rec->len };
	*out = (struct stage_events){ .rec = rec };
	if (rec->type == SPOOL_EVENTS)
		return open_forms(p, out);
	if (rec->type == SPOOL_RELEASE)
		return open_release(reader, p, out);
	return true;
}

int stage_next(struct stage_events *es, struct arena *a, struct tally_event *ev)
{
	while (es->at < es->n) {
		int64_t used = event_decode(es->forms.ptr, es->forms.len, a, ev);
		if (used < 0)
			return -EBADMSG;
		uint32_t i = es->at++;
		es->forms = str_make(es->forms.ptr + used, es->forms.len - (size_t)used);
		if (es->verdicts && es->verdicts[i] != PAYLOAD_TAKEN)
			continue;
		ev->lsn = es->rec->lsn;
		ev->idx = i;
		ev->received_us = es->rec->time_us;
		return 1;
	}
	return 0;
}

/* ---- one event ---- */

static void count_dropped(const struct plug_verdict *v)
{
	meter_add(meter_get(M_DROPPED, str_of(v->plugin), str_of(v->reason), STR("")), 1);
}

const char *stage_laid_aside(struct line *l, struct arena *a, const struct tally_event *ev, int *code)
{
	const struct ledger_dead *dead = letters_dead(l, ev);
	if (dead) {
		*code = dead->code;
		return dead->message;
	}
	const char *parked = crash_parked(ev->lsn, ev->idx, ev->received_us);
	*code = ENOTRECOVERABLE;
	return parked ? arena_printf(a, "parked: plugin %s crashed on it %d times", parked, CRASH_MOST) : NULL;
}

void stage_event(struct line *l, struct tally_event *ev)
{
	struct batch *b = l->filling;
	struct plug_verdict v = { "", "", 0 };
	const struct tally_event sent = *ev; /* a letter is what was sent, whatever the stages before made of it */
	int code;
	const char *aside = stage_laid_aside(l, &b->arena, ev, &code);
	if (aside && MUTANT("letter_lost"))
		return;
	if (aside) {
		batch_add_dead(l, b, ev, code, aside);
		return;
	}
	crash_about(ev->lsn, ev->idx, ev->received_us);
	int rc = plug_event(l->chain, &b->arena, ev, &v);
	if (rc == TALLY_PASS) {
		batch_add_event(b, ev);
	} else if (rc < 0) {
		batch_add_dead(l, b, &sent, -rc, arena_printf(&b->arena, "refused by plugin %s", v.plugin));
	} else {
		batch_terms(b, ev->site)->dropped++;
		count_dropped(&v);
	}
}

void stage_note_begin(struct line *l, struct batch *b)
{
	if (b->dirty)
		return;
	b->dirty = true;
	b->begun_mono_us = clock_mono_us();
	b->oldest_us = l->clock_us;
}

static void stage_events(struct line *l, const struct spool_record *rec, struct stage_events *es)
{
	struct batch *b = l->filling;
	struct tally_event ev;
	int rc;
	/* The record's bytes are the reader's and die with the next read; the batch keeps its own copy. */
	es->forms.ptr = arena_copy(&b->arena, es->forms.ptr, es->forms.len);
	if (es->verdicts)
		es->verdicts = arena_copy(&b->arena, es->verdicts, es->n);
	while ((rc = stage_next(es, &b->arena, &ev)) == 1) {
		if (MUTANT("event_dropped") && rec->lsn % 7 == 0 && ev.idx == 0)
			continue;
		stage_note_begin(l, b);
		b->events++;
		stage_event(l, &ev);
	}
	if (rc < 0)
		log_error("line", "%s: event %u of the record at lsn %llu cannot be read; the rest of it is skipped",
			l->opt.sink->name, es->at, (unsigned long long)rec->lsn);
}

static void tick(struct line *l, int64_t time_us)
{
	if (time_us > l->clock_us)
		l->clock_us = time_us;
	if (l->clock_us - l->ticked_us < TICK_US)
		return;
	l->ticked_us = l->clock_us;
	(void)!plug_tick(l->chain, l->clock_us);
}

static void count_taken(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t n)
{
	(void)reason;
	if (term == TERM_TAKEN)
		batch_terms(arg, site)->taken += n;
}

/* What the record itself says was taken with it. */
static void each_taken(const struct spool_record *rec,
	void (*fn)(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t n), void *arg)
{
	const char *p = rec->payload;
	bool has = rec->type == SPOOL_EVENTS || rec->type == SPOOL_RELEASE;
	if (has && rec->len >= 4 && rec->len - 4 >= get_u32(p))
		(void)!terms_walk(p + 4, get_u32(p), fn, arg);
}

/* ---- events that are not to be had ---- */

struct missing {
	struct batch *batch;
	enum line_gap gap;
	int64_t n;
};

static void count_missing(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t n)
{
	struct missing *m = arg;
	(void)reason;
	if (term != TERM_TAKEN)
		return;
	batch_terms(m->batch, site)->gaps[m->gap] += n;
	m->n += n;
}

/* A RELEASE may outlive the batch that it names: that lay in the segment before, and went with it. */
static bool went_before(const struct line *l, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len };
	struct spool_stats st;
	spool_stats(ledger_spool(l->opt.ledger), &st);
	return rec->type == SPOOL_RELEASE && skip_sized(&p) && p.len >= 8 && get_u64(p.ptr) < st.begin;
}

/* What the record took is lost to this line, and counted as such. */
static void note_missing(struct line *l, const struct spool_record *rec)
{
	struct missing m = { l->filling, went_before(l, rec) ? l->gone : GAP_DAMAGED, 0 };
	each_taken(rec, count_missing, &m);
	if (m.n)
		stage_note_begin(l, l->filling);
	log_line(m.gap == GAP_BEFORE ? LOG_INFO : LOG_ERROR, "line",
		"%s: the %lld events of the record at lsn %llu cannot be read; they are not in it (%s)",
		l->opt.sink->name, (long long)m.n, (unsigned long long)rec->lsn, line_gap_name(m.gap));
}

void stage_record(struct line *l, const struct spool_record *rec)
{
	struct stage_events es;
	tick(l, rec->time_us);
	l->jumped |= rec->lsn != l->cursor;
	if (rec->type == SPOOL_CHECKPOINT)
		gap_at_checkpoint(l, rec);
	each_taken(rec, count_taken, l->filling);
	if (!stage_open(l->reader, rec, &es))
		note_missing(l, rec);
	else if (es.n)
		stage_events(l, rec, &es);
	l->filling->to = (struct tally_position){ rec->end, rec->mark };
	l->cursor = rec->end;
}

void stage_flush(struct line *l)
{
	if (plug_flush(l->chain, &l->filling->arena))
		log_error("line", "%s: a plugin's flush failed; its rows of this batch are missing", l->opt.sink->name);
}
