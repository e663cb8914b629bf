/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/pixel.gif?name=view&page=/buy&…: one event in the query string, a transparent 43-byte GIF out. The parameters
 * are the event's top-level fields; `value` is a number, every other one text. */
#include "door/internal.h"
#include "text/number.h"
#include "text/write.h"

/* GIF89a, 1x1, one transparent colour: header, screen, two colours, graphic control, image, trailer. */
static const char gif[] = "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,"
			  "\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00;";

/* Lives in the request's arena. */
struct pixel {
	struct ledger_call call;
	struct http_request *http;
	struct client client;
	struct ledger_item item;
};

/* Bare where the event wants a number; anything else there is refused as any other event's would be. */
static bool is_numeric(struct tally_str name, struct tally_str value)
{
	double number;
	if (!str_eq(name, STR("value")) && !str_eq(name, STR("time")))
		return false;
	return number_double(value, &number) == 0;
}

static void put_member(struct text_out *o, struct tally_str name, struct tally_str value)
{
	text_json_key(o, name);
	if (is_numeric(name, value))
		text_json_raw(o, value);
	else
		text_json_string(o, value);
}

static struct tally_str query_to_json(struct http_request *rq)
{
	struct tally_str name, value, unused;
	struct text_out o;
	size_t at = 0;
	text_open(&o, rq->arena, rq->query.len + 64);
	text_json_begin(&o, '{');
	if (!http_query_get(rq, "name", &unused) && !http_query_get(rq, "type", &unused))
		put_member(&o, STR("name"), STR("view"));
	while (http_query_next(rq->arena, rq->query, &at, &name, &value))
		if (value.len && !str_eq(name, STR("key")))
			put_member(&o, name, value);
	text_json_end(&o, '}');
	return text_done(&o);
}

static void answer(struct ledger_call *call)
{
	struct pixel *px = (struct pixel *)call;
	static const struct http_field no_store[] = { { { "Cache-Control", 13 }, { "no-store", 8 } } };
	if (call->rq.rc || call->rq.shed) {
		http_problem(px->http, 503, call->rq.rc ? call->rq.reason : px->item.reason, 2,
			"the event was not taken; send it again");
		return;
	}
	http_respond(px->http, &(struct http_answer){ .status = 200,
				       .type = STR("image/gif"),
				       .body = { gif, sizeof gif - 1 },
				       .static_body = true,
				       .fields = no_store,
				       .nfields = 1 });
}

void pixel_get(struct lane *ln, struct http_request *rq)
{
	struct pixel *px = arena_zalloc(rq->arena, sizeof *px);
	struct event_context cx;
	struct event_error err = { 0 };
	px->http = rq;
	client_read(ln, rq, &px->client);
	client_event_context(&px->client, &cx);
	if (event_read_json(&cx, rq->arena, query_to_json(rq), &px->item.ev, &err)) {
		http_problem(rq, 422, err.code, 0, "%s", err.message);
		return;
	}
	client_arrive(&px->client, &px->item.ev);
	size_t bytes = event_spool_bytes(&px->item.ev);
	void *form = arena_alloc(rq->arena, bytes);
	event_encode(&px->item.ev, form);
	px->item.form = form;
	px->item.form_bytes = (uint32_t)bytes;
	px->call.over = answer;
	px->call.rq.kind = LEDGER_EVENTS;
	px->call.rq.ack = lane_conf(ln)->ack;
	px->call.rq.door = "pixel";
	px->call.rq.items = &px->item;
	px->call.rq.nitems = 1;
	lane_call_ledger(ln, &px->call);
}
