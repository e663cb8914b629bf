/* SPDX-License-Identifier: Apache-2.0 */
/* The event as JSON, in the fields of the contract, so that what is written can be sent again. Numbers go out in the
 * text they came in. */
#include "event/event_inner.h"
#include "text/iso8601.h"
#include "text/write.h"

static void put_props(struct text_out *o, const struct tally_event *ev)
{
	text_json_begin(o, '{');
	for (uint32_t i = 0; i < ev->nprops; i++) {
		const struct tally_prop *p = &ev->props[i];
		text_json_key(o, p->key);
		if (p->type == TALLY_PROP_STRING)
			text_json_string(o, p->text);
		else
			text_json_raw(o, p->text);
	}
	text_json_end(o, '}');
}

static size_t props_room(const struct tally_event *ev)
{
	size_t room = 2;
	for (uint32_t i = 0; i < ev->nprops; i++)
		room += ev->props[i].key.len + ev->props[i].text.len + 6;
	return room;
}

struct tally_str event_props_json(const struct tally_event *ev, struct arena *a)
{
	struct text_out o;
	if (ev->nprops == 0)
		return STR("{}");
	text_open(&o, a, props_room(ev));
	put_props(&o, ev);
	return text_done(&o);
}

static void put_member(struct text_out *o, struct tally_str key, struct tally_str text)
{
	if (text.len == 0)
		return;
	text_json_key(o, key);
	text_json_string(o, text);
}

static void put_time(struct text_out *o, int64_t time_us)
{
	char text[ISO8601_TEXT];
	text_json_key(o, STR("time"));
	if (time_us >= ISO8601_MIN_US && time_us <= ISO8601_MAX_US)
		text_json_string(o, str_make(text, iso8601_format(time_us, text)));
	else
		text_json_int(o, time_us); /* from a record that does not follow the rules: say what it holds */
}

/* Only a URL carries the host, and an explicit page wins over the URL's path. */
static void put_host(struct text_out *o, struct arena *a, struct tally_str host)
{
	if (host.len)
		put_member(o, STR("url"), str_of(arena_printf(a, "//%.*s", (int)host.len, host.ptr)));
}

struct tally_str event_to_json(const struct tally_event *ev, struct arena *a)
{
	struct text_out o;
	text_open(&o, a, 192 + props_room(ev) + ev->page.len + ev->referrer.len + ev->visitor.len + ev->id.len);
	text_json_begin(&o, '{');
	put_member(&o, STR("name"), ev->name);
	put_member(&o, STR("site"), ev->site);
	put_member(&o, STR("id"), ev->id);
	put_time(&o, ev->time_us);
	put_member(&o, STR("visitor"), ev->visitor);
	put_member(&o, STR("user"), ev->user);
	put_host(&o, a, ev->host);
	put_member(&o, STR("page"), ev->page);
	put_member(&o, STR("referrer"), ev->referrer);
	if (ev->has_value) {
		text_json_key(&o, STR("value"));
		text_json_raw(&o, ev->value_text);
	}
	if (ev->nprops) {
		text_json_key(&o, STR("props"));
		put_props(&o, ev);
	}
	text_json_end(&o, '}');
	return text_done(&o);
}
