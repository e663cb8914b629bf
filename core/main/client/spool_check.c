/* SPDX-License-Identifier: Apache-2.0 */
/* tally spool check: what lies in a spool and whether it is whole. Read-only, and right beside a running daemon: what
 * is torn at the end is being written then, and damage is believed only when it is seen again. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "main/client/spool_cmd.h"
#include "spool/payload.h"

#define LOOKS 5 /* beside a daemon */
#define TYPES 10

struct pending {
	uint64_t lsn;
	uint32_t events;
	char list[128], batch[33];
	struct pending *next;
};

struct roll {
	struct spool_look look;
	uint64_t records[TYPES], events;
	uint64_t start_lsn, start_boot, checkpoint_lsn;
	int64_t start_us, last_us;
	struct pending *pending;
	char why[256];
};

/* u32 head bytes, head (u8 1, u8[3], u16 list bytes, list, 32 bytes id, …), u32 events, … */
static void begin_pending(struct roll *r, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, head, list, id, skipped;
	struct pending *b = calloc(1, sizeof *b), **at = &r->pending;
	uint16_t n;
	MUST(b != NULL);
	b->lsn = rec->lsn;
	if (payload_take_sized(&p, &head) && payload_take_u32(&p, &b->events) && payload_take(&head, 4, &skipped) &&
		payload_take_u16(&head, &n) && payload_take(&head, n, &list) && payload_take(&head, 32, &id)) {
		snprintf(b->list, sizeof b->list, "%.*s", (int)list.len, list.ptr);
		snprintf(b->batch, sizeof b->batch, "%.32s", id.ptr);
	}
	while (*at)
		at = &(*at)->next;
	*at = b;
}

static void end_pending(struct roll *r, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms;
	uint64_t lsn;
	struct pending **at = &r->pending;
	if (!payload_take_sized(&p, &terms) || !payload_take_u64(&p, &lsn))
		return;
	while (*at && (*at)->lsn != lsn)
		at = &(*at)->next;
	if (!*at)
		return;
	struct pending *gone = *at;
	if (rec->type == SPOOL_RELEASE)
		r->events += payload_count_taken(p);
	*at = gone->next;
	free(gone);
}

static void count_events(struct roll *r, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms;
	uint32_t n;
	if (payload_take_sized(&p, &terms) && payload_take_u32(&p, &n))
		r->events += n;
}

static int take_record(void *arg, const struct spool_record *rec)
{
	struct roll *r = arg;
	r->records[rec->type < TYPES ? rec->type : 0]++;
	r->last_us = rec->time_us;
	if (rec->type == SPOOL_START) {
		r->start_lsn = rec->lsn;
		r->start_us = rec->time_us;
		r->start_boot = rec->len >= 8 ? get_u64(rec->payload) : 0;
	} else if (rec->type == SPOOL_CHECKPOINT) {
		r->checkpoint_lsn = rec->lsn;
	} else if (rec->type == SPOOL_EVENTS) {
		count_events(r, rec);
	} else if (rec->type == SPOOL_REDIS) {
		begin_pending(r, rec);
	} else if (rec->type == SPOOL_RELEASE || rec->type == SPOOL_VOID) {
		end_pending(r, rec);
	}
	return 0;
}

static void roll_free(struct roll *r)
{
	while (r->pending) {
		struct pending *next = r->pending->next;
		free(r->pending);
		r->pending = next;
	}
	spool_look_free(&r->look);
	*r = (struct roll){ 0 };
}

static bool is_sound(const struct roll *r)
{
	for (size_t i = 0; i < r->look.nfindings; i++)
		if (r->look.findings[i].kind != SPOOL_TORN)
			return false;
	return true;
}

/* ---- words ---- */

static void put_segments(struct text_out *o, const struct roll *r)
{
	text_json_key(o, STR("segments"));
	text_json_begin(o, '[');
	for (size_t i = 0; i < r->look.nsegments; i++) {
		const struct spool_look_segment *s = &r->look.segments[i];
		text_json_begin(o, '{');
		spool_put_uint(o, "number", s->number);
		text_json_member_string(o, "file", str_of(s->name));
		spool_put_uint(o, "first", s->first);
		spool_put_uint(o, "end", s->end);
		spool_put_uint(o, "bytes", s->bytes);
		spool_put_uint(o, "replaces", s->abandoned);
		text_json_end(o, '}');
	}
	text_json_end(o, ']');
}

static void put_records(struct text_out *o, const struct roll *r)
{
	text_json_key(o, STR("records"));
	text_json_begin(o, '[');
	text_json_begin(o, '{');
	for (uint32_t t = 1; t < TYPES; t++)
		spool_put_uint(o, spool_type_name(t), r->records[t]);
	if (r->records[0])
		spool_put_uint(o, "unknown", r->records[0]);
	text_json_end(o, '}');
	text_json_end(o, ']');
}

static void put_findings(struct text_out *o, const struct roll *r)
{
	static const char *const kinds[] = { "torn", "damaged", "missing", "strange", "newer" };
	text_json_key(o, STR("findings"));
	text_json_begin(o, '[');
	for (size_t i = 0; i < r->look.nfindings; i++) {
		const struct spool_finding *f = &r->look.findings[i];
		text_json_begin(o, '{');
		text_json_member_string(o, "kind", str_of(kinds[f->kind]));
		spool_put_uint(o, "from", f->from);
		spool_put_uint(o, "to", f->to);
		text_json_member_string(o, "file", str_of(f->name));
		text_json_member_string(o, "words", str_of(f->words));
		text_json_end(o, '}');
	}
	text_json_end(o, ']');
}

static void put_pending(struct text_out *o, const struct roll *r)
{
	text_json_key(o, STR("pending"));
	text_json_begin(o, '[');
	for (const struct pending *b = r->pending; b; b = b->next) {
		text_json_begin(o, '{');
		spool_put_uint(o, "lsn", b->lsn);
		text_json_member_string(o, "list", str_of(b->list));
		text_json_member_string(o, "batch", str_of(b->batch));
		spool_put_uint(o, "events", b->events);
		text_json_end(o, '}');
	}
	text_json_end(o, ']');
}

static void put_place(struct text_out *o, const struct roll *r)
{
	spool_put_uint(o, "begin", r->look.begin);
	spool_put_uint(o, "end", r->look.end);
	spool_put_hex(o, "mark", r->look.mark);
	spool_put_uint(o, "events", r->events);
	spool_put_uint(o, "bytes", r->look.bytes);
	spool_put_uint(o, "spares", r->look.spares);
	if (r->records[SPOOL_START]) {
		spool_put_uint(o, "last_start", r->start_lsn);
		spool_put_hex(o, "last_boot", r->start_boot);
		spool_put_time(o, "last_started", r->start_us);
	}
	if (r->records[SPOOL_CHECKPOINT])
		spool_put_uint(o, "last_checkpoint", r->checkpoint_lsn);
	spool_put_time(o, "last_record", r->last_us);
	spool_put_uint(o, "torn_bytes", r->look.torn_bytes);
	spool_put_uint(o, "lost_bytes", r->look.lost_bytes);
}

static void print_roll(struct spool_cmd *cmd, const struct roll *r, pid_t holder)
{
	struct text_out o;
	text_open(&o, &cmd->c->arena, 4096);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "spool", str_of(cmd->dir));
	text_json_member_string(&o, "node", str_of(cmd->node.text));
	text_json_member_int(&o, "daemon", holder);
	text_json_member_bool(&o, "sound", is_sound(r));
	put_place(&o, r);
	put_records(&o, r);
	put_segments(&o, r);
	put_findings(&o, r);
	put_pending(&o, r);
	text_json_end(&o, '}');
	print_answer(cmd->c, text_done(&o));
}

/* Beside a daemon a segment may be recycled between being listed and being read; that heals by looking again. */
static int look(struct spool_cmd *cmd, struct roll *r, pid_t *holder)
{
	int rc;
	for (int tries = 0;; tries++) {
		*r = (struct roll){ 0 };
		rc = spool_look(cmd->dir, cmd->node.uuid, take_record, r, &r->look, r->why);
		*holder = spool_holder(cmd->dir);
		if (!*holder || tries + 1 >= LOOKS || (rc == 0 && is_sound(r)))
			return rc;
		roll_free(r);
		nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
	}
}

int spool_check(struct spool_cmd *cmd)
{
	struct roll r;
	char why[256];
	pid_t holder;
	int code = EXIT_OK;
	if (node_read(cmd->data_dir, &cmd->node, why))
		return spool_refuse("%s: no data_dir of a node (name it with -d)", why);
	if (look(cmd, &r, &holder) < 0) {
		code = spool_refuse("%s", r.why);
	} else {
		print_roll(cmd, &r, holder);
		code = is_sound(&r) ? EXIT_OK : EXIT_REFUSED;
	}
	roll_free(&r);
	return code;
}
