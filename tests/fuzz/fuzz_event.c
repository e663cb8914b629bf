/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a body of events; the first byte chooses the context. What is taken goes through the spool's form and
 * its own JSON, and must be the same event all the way. */
#include <stdint.h>
#include <stdlib.h>

#include "event/event.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct event_map map[] = { { { "name", 4 }, { "action", 6 } }, { { "props.item", 10 }, { "id", 2 } },
	{ { "time", 4 }, { "ts", 2 } }, { { "url", 3 }, { "link", 4 } } };

struct reading {
	const struct event_context *cx;
	struct arena *a;
	size_t next;
};

static const struct event_site *any_time(void *arg, struct tally_str name)
{
	static const struct event_site any = { .past_us = INT64_MAX, .future_us = INT64_MAX };
	MUST(arg == NULL && name.len > 0 && name.len <= EVENT_NAME_MAX);
	return &any;
}

static void check_limits(const struct tally_event *ev)
{
	MUST(ev->name.len > 0 && ev->name.len <= EVENT_NAME_MAX && !utf8_has_control(ev->name));
	MUST(ev->id.len > 0 && ev->id.len <= EVENT_ID_MAX && ev->visitor.len <= EVENT_ID_MAX);
	MUST(ev->page.len <= EVENT_URL_MAX && ev->host.len <= EVENT_URL_MAX && ev->referrer.len <= EVENT_URL_MAX);
	MUST(ev->nprops <= EVENT_PROPS_MAX);
	for (uint32_t i = 0; i < ev->nprops; i++) {
		const struct tally_prop *p = &ev->props[i];
		MUST(p->key.len <= EVENT_PROP_KEY_MAX && p->text.len <= EVENT_PROP_TEXT_MAX);
		MUST(utf8_valid(p->key) && utf8_valid(p->text));
		for (uint32_t k = 0; k < i; k++)
			MUST(!str_eq(p->key, ev->props[k].key));
	}
}

/* What was read must read the same from the JSON made of it. */
static void check_json(struct arena *a, struct tally_str json)
{
	struct event_context plain = {
		.limits = { .event_bytes = (size_t)1 << 30, .depth = 32, .max_events = 1 },
		.default_site = STR("default"),
		.site = any_time,
	};
	struct tally_event ev;
	struct event_error err;
	MUST(event_read_json(&plain, a, json, &ev, &err) == 0);
	MUST(str_eq(event_to_json(&ev, a), json));
}

static int take(void *arg, size_t index, struct tally_event *ev, const struct event_error *err)
{
	struct reading *r = arg;
	struct tally_event back;
	MUST(index == r->next++ && index < r->cx->limits.max_events);
	if (!ev) {
		MUST(err->code && err->field && err->message[0]);
		return 0;
	}
	check_limits(ev);
	size_t bytes = event_spool_bytes(ev);
	char *form = malloc(bytes);
	MUST(form && event_encode(ev, form) == bytes && bytes % 8 == 0);
	MUST(event_spool_skip(form, bytes) == (int64_t)bytes);
	MUST(event_decode(form, bytes, r->a, &back) == (int64_t)bytes);
	struct tally_str json = event_to_json(ev, r->a);
	MUST(str_eq(json, event_to_json(&back, r->a)));
	free(form);
	check_json(r->a, json);
	return 0;
}

/* The same bytes as the data of a CloudEvent in binary mode. */
static void read_cloud(const struct event_context *cx, struct arena *a, struct tally_str data)
{
	const struct event_attribute heads[] = { { STR("specversion"), STR("1.0") }, { STR("type"), STR("t") },
		{ STR("id"), data.len > 8 ? str_make(data.ptr, 8) : data } };
	struct tally_event ev;
	struct event_error err;
	struct reading r = { .cx = cx, .a = a };
	if (event_read_cloud(cx, a, heads, 3, data, &ev, &err))
		MUST(err.code != NULL);
	else
		take(&r, 0, &ev, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct event_error err;
	uint8_t choice = size ? data[0] : 0;
	struct event_context cx = {
		.limits = { .event_bytes = choice & 1 ? 200 : 65536,
			.depth = choice & 2 ? 2 : 32,
			.max_events = choice & 4 ? 3 : 10000 },
		.map = map,
		.nmap = choice & 8 ? sizeof map / sizeof map[0] : 0,
		.default_site = STR("default"),
		.now_us = INT64_C(1767225600000000),
		.site = any_time,
	};
	struct reading r = { .cx = &cx, .a = &a };
	if (size == 0)
		return 0;
	arena_init(&a, 0);
	int rc = event_read_body(&cx, &a, str_make((const char *)data + 1, size - 1), take, &r, &err);
	MUST(rc == 0 || err.code != NULL);
	if (choice & 16)
		read_cloud(&cx, &a, str_make((const char *)data + 1, size - 1));
	arena_free(&a);
	return 0;
}
