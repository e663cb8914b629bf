/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the HTTP door share; all of it belongs to one lane's thread. */
#ifndef DOOR_INTERNAL_H
#define DOOR_INTERNAL_H

#include <pthread.h>

#include "door/lane.h"
#include "door/plugs.h"
#include "event/event.h"

/* The configuration a lane works by, and the ledger behind it. */
const struct conf *lane_conf(const struct lane *ln);

/* Gives the request to the ledger; if its ring is full the lane stops reading and tries again. rq->done must be
 * lane_ledger_done and rq->user the lane; `over` then runs on the lane. */
struct ledger_call {
	struct ledger_request rq;
	struct lane_job job;
	struct lane *lane;
	void (*over)(struct ledger_call *call);
	struct ledger_call *waiting; /* the lane's: next one that the full ring refused */
};
void lane_call_ledger(struct lane *ln, struct ledger_call *call);

void lane_count_received(struct lane *ln, struct tally_str site, int64_t events);

/* ingest.c: POST /v1/events */
void ingest_post(struct lane *ln, struct http_request *rq);

/* pixel.c: GET /v1/pixel.gif */
void pixel_get(struct lane *ln, struct http_request *rq);

/* cors.c: answers a preflight; the fields to add to an answer for this request's origin (0 if it has none or it is not
 * a site's). */
void cors_preflight(struct lane *ln, struct http_request *rq);
size_t cors_fields(struct lane *ln, const struct http_request *rq, struct http_field out[2]);

/* address.c: the client's address: the peer's, or what trusted proxies say. */
struct tally_str address_of(const struct conf *c, const struct http_request *rq);

/* client.c: the sender of a request; lives as long as it does. */
struct client {
	struct lane *lane;
	struct arena *arena;
	bool asks;                /* DNT or Sec-GPC: not to be tracked */
	struct tally_str visitor; /* visitor_of() it, once that was asked for */
	struct tally_client seen; /* by the plugins; is_private is set for each event, since its site decides */
};
void client_read(struct lane *ln, struct http_request *rq, struct client *out);

/* What event reading needs of a request. */
void client_event_context(struct client *cl, struct event_context *cx);

/* The plugins' turn: an event that has been read, before it is encoded. */
void client_arrive(struct client *cl, struct tally_event *ev);

struct door_plugs *lane_plugs(struct lane *ln);
uv_loop_t *lane_loop(struct lane *ln);

/* visitor.c: 22 characters for the anonymous visitor behind address and user agent, today (door/salt.h). */
struct tally_str visitor_of(const struct client *cl);

#endif
