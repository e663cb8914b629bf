/* SPDX-License-Identifier: Apache-2.0 */
/* Events that were stored before go through the stages once more, and nothing comes of it but the state of plugins. What
 * was laid aside then is laid aside now: a dead letter is known by its DEAD record, and which letters were sent again
 * tells the store. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "line/internal.h"
#include "plug/crash.h"

#define BATCH 5000 /* events between two flushes */
#define TICK_US 1000000

struct replay {
	struct line *l;
	struct spool_reader *reader;
	struct arena arena; /* of what would be a batch */
	uint64_t events, from;
	size_t in_batch;
	int64_t ticked_us;
};

static void one_event(void *arg, struct tally_event *ev)
{
	struct replay *r = arg;
	int code;
	if (stage_laid_aside(r->l, &r->arena, ev, &code))
		return;
	crash_about(ev->lsn, ev->idx, ev->received_us);
	plug_replay_event(r->l->chain, &r->arena, ev);
	r->events++;
	r->in_batch++;
}

static void flush(struct replay *r)
{
	plug_replay_flush(r->l->chain, &r->arena);
	arena_reset(&r->arena);
	r->in_batch = 0;
}

static int events_of(struct replay *r, const struct spool_record *rec)
{
	struct stage_events es;
	struct tally_event ev;
	if (!stage_open(r->reader, rec, &es))
		return 0; /* nor could it be read then */
	/* a plugin may keep slices of the record until the flush */
	es.forms.ptr = arena_copy(&r->arena, es.forms.ptr, es.forms.len);
	if (es.verdicts)
		es.verdicts = arena_copy(&r->arena, es.verdicts, es.n);
	while (stage_next(&es, &r->arena, &ev) == 1)
		one_event(r, &ev);
	return 0;
}

static int one_record(struct replay *r, const struct spool_record *rec)
{
	if (rec->time_us - r->ticked_us >= TICK_US) {
		r->ticked_us = rec->time_us;
		plug_replay_tick(r->l->chain, rec->lsn, rec->time_us);
	}
	int rc = letters_are_ours(r->l, rec) ? letters_again(r->l, rec, &r->arena, one_event, r) : events_of(r, rec);
	if (r->in_batch >= BATCH)
		flush(r);
	return rc;
}

/* The first record of the segment that holds `from`; those before it are passed over. */
static int all_records(struct replay *r, struct tally_position pos, char words[400])
{
	struct spool_record rec;
	int rc, bad = 0;
	while (!bad && (rc = spool_reader_next(r->reader, &rec)) == 1 && rec.end <= pos.lsn) {
		if (atomic_load(&r->l->quit))
			return -ECANCELED;
		if (rec.lsn >= r->from)
			bad = one_record(r, &rec);
	}
	if (bad)
		snprintf(words, 400,
			"the store does not tell which letters it has, so the state of plugins cannot be made");
	else if (rc < 0)
		snprintf(words, 400, "the spool cannot be read, so the state of plugins cannot be made: %s",
			strerror(-rc));
	return bad ? bad : rc < 0 ? rc : 0;
}

int replay_events(struct line *l, uint64_t from, struct tally_position pos, uint64_t *events, char words[400])
{
	struct replay r = { .l = l, .from = from, .reader = spool_reader_open(ledger_spool(l->opt.ledger)) };
	arena_init(&r.arena, 1 << 20);
	spool_reader_hold(r.reader, 0);
	spool_reader_before(r.reader, from);
	int rc = all_records(&r, pos, words);
	flush(&r);
	*events = r.events;
	spool_reader_close(r.reader);
	arena_free(&r.arena);
	return rc;
}
