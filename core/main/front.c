/* SPDX-License-Identifier: Apache-2.0 */
#include "main/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "main/admin.h"
#include "main/view.h"
#include "meter/meter.h"

/* ---- services ---- */

static struct daemon *the_daemon; /* there is one; the functions below have no room for it in their signature */

static int64_t spool_retain_us(void)
{
	return the_daemon->conf->spool.retain_us;
}

static struct lookups *the_lookups(void)
{
	return the_daemon->lookups;
}

void front_services(struct daemon *d)
{
	static const struct plug_services services = {
		.level = meter_level,
		.signal = meter_signal,
		.spool_retain_us = spool_retain_us,
		.answer = desk_plug_answer,
		.resume = desk_plug_resume,
		.request_version = desk_plug_request_version,
		.store_moment = desk_plug_store_moment,
		.work = desk_plug_work,
		.door_work = lane_plug_work,
		.horizon = line_plug_horizon,
		.zone = line_plug_zone,
		.emit = line_plug_emit,
		.visit = line_plug_visit,
		.lookups = the_lookups,
		.count = view_plugin_count,
	};
	the_daemon = d;
	plug_services_set(&services);
}

/* ---- the desk ---- */

struct line *front_reading_line(struct daemon *d, const char **prefix)
{
	for (size_t i = 0; i < d->nlines; i++)
		if (line_sink(d->lines[i])->is_store) {
			*prefix = d->conf->sinks[i].prefix;
			return d->lines[i];
		}
	*prefix = "";
	return NULL;
}

int front_desk_open(struct daemon *d)
{
	const char *prefix;
	struct line *line = front_reading_line(d, &prefix);
	struct desk_options opt = {
		.conf = d->conf,
		.plugins = d->plugins,
		.schema = d->schema,
		.store = line ? line_sink(line) : NULL,
		.store_self = line ? line_sink_self(line) : NULL,
		.store_prefix = prefix,
		.lookups = d->lookups,
		.view = { .arg = d,
			.ready = view_ready,
			.ledger = view_ledger,
			.freshness = view_freshness,
			.changes = view_changes },
		.strict = true,
	};
	meter_on_print(view_gauges, d);
	return desk_open(&opt, &d->desk, d->why);
}

void front_end_streams(struct daemon *d)
{
	desk_end_streams(d->desk);
}

void front_desk_close(struct daemon *d)
{
	desk_close(d->desk);
	meter_off_print(view_gauges, d);
}

/* ---- requests ---- */

/* A request that is at the desk; lives in its arena. */
struct passed {
	struct lane_job job;
	struct lane *lane;
	struct http_request *http;
	struct desk_request *desk;
};

static size_t header_fields(const struct desk_answer *an, struct http_field *out, char retry[16], char age[16])
{
	size_t n = 0;
	if (an->etag.len)
		out[n++] = (struct http_field){ STR("ETag"), an->etag };
	if (an->cache_control)
		out[n++] = (struct http_field){ STR("Cache-Control"), str_of(an->cache_control) };
	if (an->vary)
		out[n++] = (struct http_field){ STR("Vary"), str_of(an->vary) };
	if (an->retry_after_s) {
		snprintf(retry, 16, "%u", an->retry_after_s);
		out[n++] = (struct http_field){ STR("Retry-After"), str_of(retry) };
	}
	if (an->has_age) {
		snprintf(age, 16, "%u", an->age_s);
		out[n++] = (struct http_field){ STR("Age"), str_of(age) };
	}
	return n;
}

/* A piece of a streamed answer on its way to its lane. */
struct chunk {
	struct lane_job job;
	struct passed *to;
	bool last;
	size_t len;
	char bytes[];
};

/* [lane] */
static void write_chunk(struct lane_job *job)
{
	struct chunk *c = (struct chunk *)job;
	struct passed *p = c->to;
	if (http_stream_write(p->http, str_make(c->bytes, c->len)))
		atomic_store(&p->desk->gone, true);
	if (c->last) {
		desk_request_free(p->desk);
		http_stream_end(p->http); /* p goes with the request */
	}
	free(c);
}

/* [desk] */
static void desk_chunk(struct desk_request *rq, struct tally_str text, bool last)
{
	struct passed *p = rq->user;
	struct chunk *c = memory_alloc(sizeof *c + text.len);
	MUST(c != NULL);
	*c = (struct chunk){ .job.fn = write_chunk, .to = p, .last = last, .len = text.len };
	if (text.len)
		memcpy(c->bytes, text.ptr, text.len);
	lane_post(p->lane, &c->job);
}

/* [lane] */
static void answer(struct lane_job *job)
{
	struct passed *p = (struct passed *)job;
	const struct desk_answer *an = &p->desk->answer;
	struct http_field fields[5];
	char retry[16], age[16];
	struct desk_request *desk = p->desk;
	struct http_answer out = {
		.status = an->status,
		.type = an->type,
		.body = an->body,
		.fields = fields,
		.nfields = header_fields(an, fields, retry, age),
	};
	if (an->stream) {
		http_stream_begin(p->http, &out);
		return;
	}
	http_respond(p->http, &out); /* copies the body; p goes with the request */
	desk_request_free(desk);
}

/* [desk] */
static void desk_done(struct desk_request *rq)
{
	struct passed *p = rq->user;
	lane_post(p->lane, &p->job);
}

static bool wants_newest(const struct http_request *rq)
{
	const struct http_field *f = http_field_get(rq, "cache-control");
	return f && f->value.len && memmem(f->value.ptr, f->value.len, "no-cache", 8);
}

static struct tally_str field(const struct http_request *rq, const char *name)
{
	const struct http_field *f = http_field_get(rq, name);
	return f ? f->value : STR("");
}

void front_other(void *arg, struct lane *lane, struct http_request *rq)
{
	struct daemon *d = arg;
	if (str_starts(rq->path, STR("/admin/"))) {
		admin_request(d, lane, rq);
		return;
	}
	struct passed *p = arena_zalloc(rq->arena, sizeof *p);
	struct desk_ask ask = { .method = rq->method,
		.path = rq->path,
		.query = rq->query,
		.body = rq->body,
		.accept = field(rq, "accept"),
		.if_none_match = field(rq, "if-none-match"),
		.newest = wants_newest(rq) };
	*p = (struct passed){ .job.fn = answer, .lane = lane, .http = rq };
	p->desk = desk_request_make(&ask, desk_done, p);
	p->desk->chunk = desk_chunk;
	if (desk_post(d->desk, p->desk))
		return;
	desk_request_free(p->desk);
	http_problem(rq, 503, "busy", 1, "the desk has its hands full; ask again");
}
