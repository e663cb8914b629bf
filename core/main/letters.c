/* SPDX-License-Identifier: Apache-2.0 */
/* Replaying and purging dead letters. The letters are read from the store, a few hundred at a time, and what is to be
 * done with them goes through the ledger as one record: from then on it will be done, whatever dies. The answer waits
 * for the line to have done it; a line that stands does it later. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "event/event.h"
#include "main/dead.h"
#include "spool/payload.h"
#include "text/write.h"

#define LETTERS_A_RECORD 500
#define RECORD_BYTES (256u << 10)
#define RECORDS_WAITED 32 /* a line remembers what became of the last few more than that */
#define WAIT_US 60000000
#define LOOK_NS 2000000
#define UNREADABLE_SHOWN 20

struct unreadable {
	const char *line;
	int64_t lsn, idx;
	char why[200];
};

/* What is asked, and how far it has come; of all lines together. */
struct order {
	struct admin_call *call;
	unsigned what; /* enum payload_letters */
	size_t line;
	struct dead_filter filter;
	char *payload; /* behind the zero */
	size_t bytes, cap, count_at;
	uint32_t n, read; /* letters in the payload; rows read of this page */
	uint64_t waiting[RECORDS_WAITED];
	uint32_t waiting_letters[RECORDS_WAITED];
	size_t nwaiting;
	int64_t sent, out, again, missing, pending;
	struct unreadable bad[UNREADABLE_SHOWN];
	int64_t nbad;
	int64_t until_us;
};

/* ---- the payload ---- */

static char *grow(struct order *o, size_t more)
{
	if (o->bytes + more > o->cap) {
		o->cap = (o->bytes + more) * 2;
		o->payload = realloc(o->payload, o->cap);
		MUST(o->payload != NULL);
	}
	char *at = o->payload + o->bytes;
	o->bytes += more;
	return at;
}

static void begin_payload(struct order *o)
{
	const char *name = line_name(o->call->daemon->lines[o->line]);
	size_t len = strlen(name);
	o->bytes = 0;
	o->n = 0;
	char *p = grow(o, 2 + len + 6);
	put_u16(p, (uint16_t)len);
	memcpy(p + 2, name, len);
	put_u16(p + 2 + len, (uint16_t)o->what);
	o->count_at = 2 + len + 2;
}

/* The event was taken once: no limit of a site or of a request applies again. */
static const struct event_site *any_time(void *arg, struct tally_str name)
{
	static const struct event_site site = { .past_us = INT64_MAX, .future_us = INT64_MAX };
	(void)arg;
	(void)name;
	return &site;
}

static int read_event(struct arena *a, const struct tally_cell *c, struct tally_event *ev, struct event_error *err)
{
	struct event_context cx = { .limits = { .event_bytes = SIZE_MAX, .depth = 64, .max_events = 1 },
		.default_site = str_make(c[DEAD_SITE].v.ptr, c[DEAD_SITE].len),
		.now_us = c[DEAD_TIME].v.i,
		.site = any_time };
	return event_read_json(&cx, a, str_make(c[DEAD_RAW].v.ptr, c[DEAD_RAW].len), ev, err);
}

static void note_unreadable(struct order *o, const struct tally_cell *c, const struct event_error *err)
{
	if (o->nbad++ >= UNREADABLE_SHOWN)
		return;
	struct unreadable *u = &o->bad[o->nbad - 1];
	u->line = line_name(o->call->daemon->lines[o->line]);
	u->lsn = c[DEAD_LSN].v.i;
	u->idx = c[DEAD_IDX].v.i;
	snprintf(u->why, sizeof u->why, "%s: %s", err->code, err->message);
}

static void add_letter(struct order *o, const struct tally_cell *c)
{
	struct tally_event ev;
	struct event_error err;
	struct arena a;
	arena_init(&a, 0);
	bool replay = o->what == PAYLOAD_REPLAY;
	if (replay && read_event(&a, c, &ev, &err)) {
		note_unreadable(o, c, &err);
	} else {
		size_t form = replay ? event_spool_bytes(&ev) : 0;
		char *p = grow(o, 20 + form);
		put_u64(p, (uint64_t)c[DEAD_LSN].v.i);
		put_u32(p + 8, (uint32_t)c[DEAD_IDX].v.i);
		put_u64(p + 12, (uint64_t)c[DEAD_TIME].v.i);
		if (replay)
			event_encode(&ev, p + 20);
		o->n++;
	}
	arena_free(&a);
}

/* The rest of the page is read again by the next record. */
static int take_letter(void *arg, const struct tally_cell *c)
{
	struct order *o = arg;
	if (o->n && o->bytes + c[DEAD_RAW].len > RECORD_BYTES)
		return -ECANCELED;
	o->filter.lsn = c[DEAD_LSN].v.i;
	o->filter.idx = c[DEAD_IDX].v.i;
	o->read++;
	add_letter(o, c);
	return 0;
}

/* ---- through the ledger ---- */

static void posted(struct ledger_request *rq)
{
	atomic_store((_Atomic bool *)rq->user, true);
}

static void doze(void)
{
	nanosleep(&(struct timespec){ 0, LOOK_NS }, NULL);
}

/* 0 once the record is durable; its lsn in *lsn. */
static int post(struct order *o, uint64_t *lsn, const char **reason)
{
	_Atomic bool done = false;
	struct ledger_request rq = { .kind = LEDGER_LETTERS,
		.ack = CONF_ACK_DURABLE,
		.door = "admin",
		.head = str_make(o->payload, o->bytes),
		.done = posted,
		.user = &done };
	put_u32(o->payload + o->count_at, o->n);
	while (!ledger_post(o->call->daemon->ledger, &rq))
		doze();
	while (!atomic_load(&done))
		doze();
	*lsn = rq.lsn;
	*reason = rq.reason;
	return rq.rc;
}

/* Waits for the oldest records until at most `most` are left. */
static void wait_for_line(struct order *o, size_t most)
{
	struct line *l = o->call->daemon->lines[o->line];
	while (o->nwaiting > most) {
		struct line_letters r;
		bool found;
		line_flush(l);
		while (!(found = line_letters(l, o->waiting[0], &r)) && clock_mono_us() < o->until_us &&
			!atomic_load(&o->call->daemon->stopping))
			doze();
		if (found) {
			o->out += r.out;
			o->again += r.again;
			o->missing += r.missing;
		} else {
			o->pending += o->waiting_letters[0];
		}
		o->nwaiting--;
		memmove(o->waiting, o->waiting + 1, o->nwaiting * sizeof *o->waiting);
		memmove(o->waiting_letters, o->waiting_letters + 1, o->nwaiting * sizeof *o->waiting_letters);
	}
}

/* One record. 1 = there may be more, 0 = that was all, -1 = refused. */
static int send_some(struct order *o)
{
	char error[256];
	const char *reason;
	begin_payload(o);
	o->read = 0;
	int rc = dead_read(o->call->daemon, o->line, &o->filter, take_letter, o, error);
	if (rc && rc != -ECANCELED) {
		admin_refuse(o->call, 503, "store_unreachable", error);
		return -1;
	}
	if (!o->n)
		return o->read && !o->filter.one;
	if (post(o, &o->waiting[o->nwaiting], &reason)) {
		admin_refuse(
			o->call, 503, reason, "the ledger takes nothing at the moment; what it took before goes on");
		return -1;
	}
	o->sent += o->n;
	o->waiting_letters[o->nwaiting++] = o->n;
	return !o->filter.one;
}

/* Only letters that were there when the order was given: what is refused again is not sent in a circle. */
static int send_line(struct order *o, const struct dead_filter *f)
{
	struct spool_stats st;
	int more = 0;
	spool_stats(ledger_spool(o->call->daemon->ledger), &st);
	o->filter = *f;
	o->filter.limit = LETTERS_A_RECORD;
	o->filter.ascending = !f->one;
	o->filter.below = (int64_t)st.end;
	if (!f->one)
		o->filter.lsn = o->filter.idx = -1;
	while (!atomic_load(&o->call->daemon->stopping) && (more = send_some(o)) > 0)
		wait_for_line(o, RECORDS_WAITED - 1);
	wait_for_line(o, 0);
	return more;
}

/* ---- the answer ---- */

static void put_unreadable(struct text_out *out, const struct order *o)
{
	text_json_key(out, STR("unreadable"));
	text_json_begin(out, '[');
	for (int64_t i = 0; i < o->nbad && i < UNREADABLE_SHOWN; i++) {
		text_json_begin(out, '{');
		text_json_member_string(out, "line", str_of(o->bad[i].line));
		text_json_member_int(out, "lsn", o->bad[i].lsn);
		text_json_member_int(out, "idx", o->bad[i].idx);
		text_json_member_string(out, "why", str_of(o->bad[i].why));
		text_json_end(out, '}');
	}
	text_json_end(out, ']');
}

static void answer(struct order *o)
{
	struct text_out out;
	text_open(&out, &o->call->arena, 512);
	text_json_begin(&out, '{');
	text_json_member_int(&out, "letters", o->sent + o->nbad);
	if (o->what == PAYLOAD_PURGE) {
		text_json_member_int(&out, "purged", o->out);
	} else {
		text_json_member_int(&out, "replayed", o->out - o->again);
		text_json_member_int(&out, "refused_again", o->again);
		text_json_member_int(&out, "unreadable_letters", o->nbad);
	}
	text_json_member_int(&out, "gone_before", o->missing);
	text_json_member_int(&out, "pending", o->pending);
	if (o->nbad)
		put_unreadable(&out, o);
	text_json_end(&out, '}');
	o->call->status = 200;
	o->call->body = text_done(&out);
}

/* A whole store is emptied only if it was asked for in words. */
static bool says_which(struct admin_call *c, const struct dead_filter *f)
{
	struct tally_str all;
	if (f->line.len || (http_query_get(c->http, "all", &all) && str_eq(all, STR("1"))))
		return true;
	admin_refuse(c, 400, "which_letters", "name a line (and lsn and idx of one letter), or say all=1");
	return false;
}

static bool can_delete(struct admin_call *c, const struct dead_filter *f)
{
	size_t n = 0;
	for (size_t i = 0; i < c->daemon->nlines; i++) {
		if (!dead_line_asked(c->daemon, i, f))
			continue;
		n++;
		if (line_sink(c->daemon->lines[i])->deletes)
			continue;
		admin_refuse(c, 409, "cannot_delete",
			arena_printf(&c->arena,
				"sink %s was built for an older tally and cannot take letters out; build it anew",
				line_name(c->daemon->lines[i])));
		return false;
	}
	if (!n)
		admin_refuse(c, 409, "no_store", "that sink is no store and keeps no letters");
	return n > 0;
}

static void order(struct admin_call *c, unsigned what)
{
	struct dead_filter f;
	if (!dead_filter_take(c, &f) || !says_which(c, &f) || !can_delete(c, &f))
		return;
	struct order *o = calloc(1, sizeof *o);
	MUST(o != NULL);
	o->call = c;
	o->what = what;
	o->until_us = clock_mono_us() + WAIT_US;
	int rc = 0;
	for (o->line = 0; rc == 0 && o->line < c->daemon->nlines; o->line++)
		if (dead_line_asked(c->daemon, o->line, &f))
			rc = send_line(o, &f);
	if (rc == 0)
		answer(o);
	free(o->payload);
	free(o);
}

void letters_replay(struct admin_call *c)
{
	order(c, PAYLOAD_REPLAY);
}

void letters_purge(struct admin_call *c)
{
	order(c, PAYLOAD_PURGE);
}
