/* SPDX-License-Identifier: Apache-2.0 */
/* tally spool dump: the records of a spool, one line of JSON each, or one line of words on a terminal. */
#include <errno.h>
#include <stdio.h>

#include "event/event.h"
#include "main/client/spool_cmd.h"
#include "meter/ledger_terms.h"
#include "spool/payload.h"

static void put_term(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t count)
{
	struct text_out *o = arg;
	text_json_begin(o, '{');
	text_json_member_string(o, "site", site);
	text_json_member_string(o, "term", str_of(term_name(term)));
	if (reason.len)
		text_json_member_string(o, "reason", reason);
	text_json_member_int(o, "count", count);
	text_json_end(o, '}');
}

static void put_terms(struct text_out *o, struct tally_str bytes)
{
	if (!bytes.len)
		return;
	struct terms *t = terms_open();
	text_json_key(o, STR("terms"));
	text_json_begin(o, '[');
	if (terms_merge(t, bytes.ptr, bytes.len) == 0)
		terms_each(t, put_term, o);
	text_json_end(o, ']');
	terms_close(t);
}

/* u32 n, n events */
static void put_events(struct text_out *o, struct tally_str p)
{
	uint32_t n;
	if (!payload_take_u32(&p, &n))
		return;
	text_json_key(o, STR("events"));
	text_json_begin(o, '[');
	for (uint32_t i = 0; i < n; i++) {
		struct tally_event ev;
		int64_t used = event_decode(p.ptr, p.len, o->arena, &ev);
		if (used < 0)
			break;
		text_json_raw(o, event_to_json(&ev, o->arena));
		p = str_make(p.ptr + used, p.len - (size_t)used);
	}
	text_json_end(o, ']');
}

static void put_redis(struct text_out *o, struct tally_str p)
{
	struct tally_str head, list, id, skipped;
	uint16_t n;
	if (!payload_take_sized(&p, &head))
		return;
	if (payload_take(&head, 4, &skipped) && payload_take_u16(&head, &n) && payload_take(&head, n, &list) &&
		payload_take(&head, 32, &id)) {
		text_json_member_string(o, "list", list);
		text_json_member_string(o, "batch", id);
	}
	put_events(o, p);
}

static void put_release(struct text_out *o, struct tally_str p)
{
	uint64_t lsn;
	uint32_t n, taken = 0;
	if (!payload_take_u64(&p, &lsn))
		return;
	spool_put_uint(o, "of", lsn);
	if (!payload_take_u32(&p, &n) || p.len < n)
		return;
	for (uint32_t i = 0; i < n; i++)
		taken += p.ptr[i] == PAYLOAD_TAKEN;
	spool_put_uint(o, "taken", taken);
	spool_put_uint(o, "not_taken", n - taken);
}

/* u16 line bytes, line, u64 lsn, u32 idx, i32 code, u16 message bytes, message */
static void put_dead(struct text_out *o, struct tally_str p)
{
	uint16_t n;
	uint64_t lsn;
	uint32_t idx, code;
	struct tally_str line, words;
	if (!payload_take_u16(&p, &n) || !payload_take(&p, n, &line) || !payload_take_u64(&p, &lsn) ||
		!payload_take_u32(&p, &idx) || !payload_take_u32(&p, &code))
		return;
	text_json_member_string(o, "line", line);
	spool_put_uint(o, "of", lsn);
	spool_put_uint(o, "idx", idx);
	text_json_member_int(o, "code", (int32_t)code);
	if (payload_take_u16(&p, &n) && payload_take(&p, n, &words))
		text_json_member_string(o, "message", words);
}

/* u16 line bytes, line, u16 enum payload_letters, u32 n, … */
static void put_letters(struct text_out *o, struct tally_str p)
{
	uint16_t bytes, what;
	uint32_t n;
	struct tally_str line;
	if (!payload_take_u16(&p, &bytes) || !payload_take(&p, bytes, &line) || !payload_take_u16(&p, &what) ||
		!payload_take_u32(&p, &n))
		return;
	text_json_member_string(o, "line", line);
	text_json_member_string(o, "what", what == PAYLOAD_PURGE ? STR("purge") : STR("replay"));
	spool_put_uint(o, "letters", n);
}

static void put_payload(struct text_out *o, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms = STR("");
	bool has_terms = rec->type == SPOOL_EVENTS || rec->type == SPOOL_RELEASE || rec->type == SPOOL_VOID ||
			 rec->type == SPOOL_DEAD || rec->type == SPOOL_LETTERS;
	if (has_terms && !payload_take_sized(&p, &terms))
		return;
	put_terms(o, rec->type == SPOOL_CHECKPOINT ? p : terms);
	if (rec->type == SPOOL_START && p.len >= 8)
		spool_put_hex(o, "boot", get_u64(p.ptr));
	else if (rec->type == SPOOL_EVENTS)
		put_events(o, p);
	else if (rec->type == SPOOL_REDIS)
		put_redis(o, p);
	else if (rec->type == SPOOL_RELEASE || rec->type == SPOOL_VOID)
		put_release(o, p);
	else if (rec->type == SPOOL_DEAD)
		put_dead(o, p);
	else if (rec->type == SPOOL_LETTERS)
		put_letters(o, p);
}

static void print_json(struct arena *a, const struct spool_record *rec)
{
	struct text_out o;
	text_open(&o, a, rec->len * 2 + 512);
	text_json_begin(&o, '{');
	spool_put_uint(&o, "lsn", rec->lsn);
	spool_put_uint(&o, "end", rec->end);
	text_json_member_string(&o, "type", str_of(spool_type_name(rec->type)));
	spool_put_time(&o, "time", rec->time_us);
	spool_put_uint(&o, "synced", rec->synced);
	spool_put_hex(&o, "mark", rec->mark);
	spool_put_uint(&o, "bytes", rec->len);
	put_payload(&o, rec);
	text_json_end(&o, '}');
	fwrite(o.ptr, 1, o.len, stdout);
	putchar('\n');
}

static int print_record(void *arg, const struct spool_record *rec)
{
	struct spool_cmd *cmd = arg;
	struct arena *a = &cmd->c->arena;
	if (rec->lsn < cmd->from || rec->lsn >= cmd->to)
		return 0;
	if (cmd->c->format == FORMAT_TABLE)
		printf("%12llu %-10s %8zu bytes  mark %016llx\n", (unsigned long long)rec->lsn,
			spool_type_name(rec->type), rec->len, (unsigned long long)rec->mark);
	else
		print_json(a, rec);
	arena_reset(a);
	return ferror(stdout) ? -EPIPE : 0;
}

int spool_dump(struct spool_cmd *cmd)
{
	struct spool_look look;
	char why[256];
	if (node_read(cmd->data_dir, &cmd->node, why))
		return spool_refuse("%s: no data_dir of a node (name it with -d)", why);
	int rc = spool_look(cmd->dir, cmd->node.uuid, print_record, cmd, &look, why);
	spool_look_free(&look);
	return rc < 0 ? spool_refuse("%s", why) : EXIT_OK;
}
