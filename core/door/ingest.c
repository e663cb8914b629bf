/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/events: a body with events in, one answer out when the ledger knows what became of them. With
 * ?return=minimal an answer that has nothing to say but "all of it" is 204 without a body. */
#include <errno.h>

#include "base/log.h"
#include "door/internal.h"
#include "meter/meter.h"
#include "text/write.h"

/* One event of the body that is not taken for what it says itself. */
struct reject {
	size_t index;
	struct event_error err;
};

/* A request on its way through the ledger; lives in the request's arena. */
struct ingest {
	struct ledger_call call;
	struct http_request *http;
	struct client client;
	struct ledger_item *items;
	size_t *index; /* of each item in the body */
	size_t nitems, items_cap;
	struct reject *rejects;
	size_t nrejects, rejects_cap;
	bool want_ids, minimal;
};

static void *grown(struct arena *a, const void *old, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return (void *)(uintptr_t)old;
	*cap = *cap ? *cap * 2 : 4;
	void *bigger = arena_alloc(a, *cap * size);
	if (n)
		memcpy(bigger, old, n * size);
	return bigger;
}

static void add_item(struct ingest *in, size_t index, const struct tally_event *ev)
{
	struct arena *a = in->http->arena;
	size_t cap = in->items_cap;
	in->items = grown(a, in->items, in->nitems, &cap, sizeof *in->items);
	in->index = grown(a, in->index, in->nitems, &in->items_cap, sizeof *in->index);
	size_t bytes = event_spool_bytes(ev);
	void *form = arena_alloc(a, bytes);
	event_encode(ev, form);
	in->index[in->nitems] = index;
	in->items[in->nitems++] = (struct ledger_item){ .ev = *ev, .form = form, .form_bytes = (uint32_t)bytes };
}

static int take_event(void *arg, size_t index, struct tally_event *ev, const struct event_error *err)
{
	struct ingest *in = arg;
	if (ev) {
		client_arrive(&in->client, ev);
		add_item(in, index, ev);
		return 0;
	}
	in->rejects = grown(in->http->arena, in->rejects, in->nrejects, &in->rejects_cap, sizeof *in->rejects);
	in->rejects[in->nrejects++] = (struct reject){ index, *err };
	return 0;
}

/* ---- the answer ---- */

static void write_error(
	struct text_out *o, size_t index, const char *code, const char *field, const char *message, bool retry)
{
	text_json_begin(o, '{');
	text_json_member_int(o, "index", (int64_t)index);
	text_json_member_string(o, "code", str_of(code));
	if (field && *field)
		text_json_member_string(o, "field", str_of(field));
	text_json_member_string(o, "message", str_of(message));
	if (retry)
		text_json_member_bool(o, "retry", true);
	text_json_end(o, '}');
}

static void write_errors(struct text_out *o, const struct ingest *in)
{
	text_json_key(o, STR("errors"));
	text_json_begin(o, '[');
	for (size_t i = 0; i < in->nrejects; i++) {
		const struct reject *r = &in->rejects[i];
		write_error(o, r->index, r->err.code, r->err.field, r->err.message, false);
	}
	for (size_t i = 0; i < in->nitems; i++)
		if (in->items[i].verdict == LEDGER_SHED)
			write_error(o, in->index[i], "shed", NULL, in->items[i].reason, true);
	text_json_end(o, ']');
}

static void write_ids(struct text_out *o, const struct ingest *in)
{
	text_json_key(o, STR("ids"));
	text_json_begin(o, '[');
	for (size_t i = 0; i < in->nitems; i++)
		text_json_string(o, in->items[i].ev.id);
	text_json_end(o, ']');
}

/* Nothing of the body was an event: the answer is a problem (RFC 9457) with the same members behind it. */
static void write_problem(struct text_out *o)
{
	text_json_member_string(o, "type", STR("about:blank"));
	text_json_member_string(o, "title", STR("Unprocessable Content"));
	text_json_member_int(o, "status", 422);
	text_json_member_string(o, "code", STR("none_valid"));
	text_json_member_string(o, "detail", STR("no event of this body is valid; errors says why for each"));
}

static struct tally_str answer_body(const struct ingest *in)
{
	static const char *const levels[] = { "written", "durable", "stored" };
	const struct ledger_request *rq = &in->call.rq;
	struct text_out o;
	text_open(&o, in->http->arena, 128);
	text_json_begin(&o, '{');
	if (!in->nitems)
		write_problem(&o);
	text_json_member_int(&o, "accepted", rq->taken);
	text_json_member_int(&o, "duplicates", rq->duplicates);
	text_json_member_int(&o, "dropped", rq->dropped);
	text_json_member_int(&o, "rejected", (int64_t)in->nrejects);
	text_json_member_string(&o, "ack", str_of(levels[rq->reached]));
	write_errors(&o, in);
	if (in->want_ids)
		write_ids(&o, in);
	text_json_end(&o, '}');
	text_put_char(&o, '\n');
	return text_done(&o);
}

static int retry_after(const struct ledger_request *rq)
{
	uint64_t roll = (uint64_t)(uintptr_t)rq / 64 + (uint64_t)uv_hrtime() / 1000;
	return rq->retry_after_s ? (int)rq->retry_after_s : 1 + (int)(roll % 5);
}

static bool all_shed(const struct ledger_request *rq)
{
	return rq->shed && !rq->taken && !rq->duplicates && !rq->dropped;
}

static void refuse(struct ingest *in)
{
	const struct ledger_request *rq = &in->call.rq;
	const char *reason = rq->rc ? rq->reason : in->items[0].reason;
	if (rq->rc == -EMSGSIZE) {
		http_problem(
			in->http, 413, reason, 0, "these events are more than the spool takes at once; send fewer");
		return;
	}
	const char *detail =
		rq->rc == -EIO && strcmp(reason, "unknown_outcome") == 0
			? "the disk failed while this was written: it may or may not be kept; send it again with the same ids"
			: "nothing of this was taken; send it again after the time in Retry-After";
	if (rq->rc == -ENOSPC && rq->line)
		detail = arena_printf(in->http->arena,
			"the spool holds all that may wait for sink %s, which does not keep up; %s", rq->line, detail);
	meter_add(meter_get(M_REFUSED, str_of(reason), STR(""), STR("")), (int64_t)in->nitems);
	http_problem(in->http, 503, reason, retry_after(rq), "%s", detail);
}

static void answer(struct ledger_call *call)
{
	struct ingest *in = (struct ingest *)call;
	if (call->rq.rc || all_shed(&call->rq)) {
		refuse(in);
		return;
	}
	struct http_field fields[2];
	if (in->minimal && in->call.rq.taken + in->call.rq.duplicates == in->nitems && !in->nrejects) {
		http_respond(in->http, &(struct http_answer){ .status = 204,
					       .fields = fields,
					       .nfields = cors_fields(call->lane, in->http, fields) });
		return;
	}
	struct http_answer an = {
		.status = in->nitems ? 200 : 422,
		.type = in->nitems ? STR("application/json") : STR("application/problem+json"),
		.body = answer_body(in),
		.fields = fields,
		.nfields = cors_fields(call->lane, in->http, fields),
	};
	if (call->rq.duplicates)
		meter_add(meter_get(M_DUPLICATES, STR(""), STR(""), STR("")), call->rq.duplicates);
	http_respond(in->http, &an);
}

/* ---- the request ---- */

/* Neighbours are mostly of one site: a series is looked up once a run. */
static void count(struct lane *ln, const struct ingest *in)
{
	for (size_t i = 0, n; i < in->nitems; i += n) {
		struct tally_str site = in->items[i].ev.site;
		for (n = 1; i + n < in->nitems && str_eq(in->items[i + n].ev.site, site); n++)
			;
		lane_count_received(ln, site, (int64_t)n);
	}
	for (size_t i = 0; i < in->nrejects; i++)
		meter_add(meter_get(M_REJECTED, str_of(in->rejects[i].err.code), STR(""), STR("")), 1);
}

static void submit(struct lane *ln, struct ingest *in)
{
	struct ledger_rejected *rejected = arena_alloc(in->http->arena, (in->nrejects + 1) * sizeof *rejected);
	for (size_t i = 0; i < in->nrejects; i++)
		rejected[i] = (struct ledger_rejected){ STR(""), in->rejects[i].err.code };
	count(ln, in);
	in->call.over = answer;
	in->call.rq.kind = LEDGER_EVENTS;
	in->call.rq.ack = lane_conf(ln)->ack;
	in->call.rq.door = "http";
	in->call.rq.items = in->items;
	in->call.rq.nitems = in->nitems;
	in->call.rq.rejected = rejected;
	in->call.rq.nrejected = in->nrejects;
	lane_call_ledger(ln, &in->call);
}

/* Types that cannot be events; whatever else a sender writes there, the bytes decide. */
static bool is_foreign_type(const struct http_request *rq)
{
	static const char *const foreign[] = { "multipart/", "image/", "audio/", "video/", "text/html",
		"application/xml", "application/pdf" };
	const struct http_field *f = http_field_get(rq, "content-type");
	if (f && str_starts(f->value, STR("application/json"))) /* nearly all */
		return false;
	for (size_t i = 0; f && i < sizeof foreign / sizeof *foreign; i++)
		if (f->value.len >= strlen(foreign[i]) &&
			strncasecmp(f->value.ptr, foreign[i], strlen(foreign[i])) == 0)
			return true;
	return false;
}

static void refuse_body(struct lane *ln, struct http_request *rq, int rc, const struct event_error *err)
{
	if (rc == -E2BIG) {
		http_problem(rq, 413, "too_many_events", 0, "one body holds at most %llu events; send several",
			(unsigned long long)lane_conf(ln)->limits.events);
		return;
	}
	http_problem(rq, 400, err->code ? err->code : "invalid_json", 0, "%s", err->message);
}

void ingest_post(struct lane *ln, struct http_request *rq)
{
	if (is_foreign_type(rq)) {
		http_problem(rq, 415, "unsupported_media_type", 0,
			"events are JSON or NDJSON (application/json, application/x-ndjson or text/plain)");
		return;
	}
	struct ingest *in = arena_zalloc(rq->arena, sizeof *in);
	struct event_context cx;
	struct event_error err = { 0 };
	struct tally_str ids, form;
	in->http = rq;
	in->want_ids = http_query_get(rq, "ids", &ids) && !str_eq(ids, STR("0"));
	in->minimal = http_query_get(rq, "return", &form) && str_eq(form, STR("minimal"));
	client_read(ln, rq, &in->client);
	client_event_context(&in->client, &cx);
	int rc = event_read_body(&cx, rq->arena, rq->body, take_event, in, &err);
	if (rc) {
		refuse_body(ln, rq, rc, &err);
		return;
	}
	if (!in->nitems && !in->nrejects) {
		http_problem(rq, 400, "no_events", 0, "the body holds no event");
		return;
	}
	submit(ln, in);
}
