/* SPDX-License-Identifier: Apache-2.0 */
/* One event out of its JSON object, in one pass: known fields go to their place in the struct, all others to a list of
 * props. What depends on more than one field (name or type, url or page, CloudEvents) is settled behind the last. */
#include <errno.h>

#include "event/event_inner.h"
#include "text/number.h"

struct reader {
	const struct event_context *cx;
	struct arena *a;
	struct json *j;
	struct tally_event *ev;
	struct event_error *err;
	unsigned mapped;            /* bits of the fields that the map reads from other keys */
	bool in_data;               /* inside the data of a CloudEvent */
	struct tally_str type, url; /* as sent */
	struct tally_str data;      /* of a CloudEvent: the object, checked already */
	struct tally_str specversion;
	struct prop_list props, others; /* from `props`; from the top level */
};

int event_fail_json(struct event_error *err, const struct json *j)
{
	return event_fail(err, j->code, "", "%s (byte %zu)", j->message, j->offset + 1);
}

static int fail_type(struct reader *r, const char *field, const struct json_value *v, const char *wanted)
{
	return event_fail(
		r->err, "invalid_type", field, "%s is %s; it must be %s", field, json_kind_name(v->kind), wanted);
}

static int take_text(struct reader *r, struct tally_str *slot, const char *field, const struct json_value *v)
{
	if (v->kind != JSON_STRING && v->kind != JSON_NULL)
		return fail_type(r, field, v, "text");
	*slot = v->kind == JSON_NULL ? STR("") : v->text;
	return 0;
}

/* Ids are often numbers in the databases of senders. */
static int take_id(struct reader *r, struct tally_str *slot, const char *field, const struct json_value *v)
{
	if (v->kind != JSON_NUMBER)
		return take_text(r, slot, field, v);
	*slot = v->text;
	return 0;
}

static int take_time(struct reader *r, const struct json_value *v)
{
	switch (v->kind) {
	case JSON_NULL:
		r->ev->time_us = EVENT_NO_TIME;
		return 0;
	case JSON_STRING:
		return event_time_of_text(v->text, &r->ev->time_us, r->err);
	case JSON_NUMBER:
		return event_time_of_number(v->text, &r->ev->time_us, r->err);
	default:
		return fail_type(r, "time", v, "ISO 8601 text or a number");
	}
}

static int take_value(struct reader *r, const struct json_value *v)
{
	struct tally_event *ev = r->ev;
	if (v->kind != JSON_NUMBER && v->kind != JSON_NULL)
		return fail_type(r, "value", v, "a number");
	ev->has_value = v->kind == JSON_NUMBER;
	ev->value = 0;
	ev->value_text = ev->has_value ? v->text : STR("");
	if (v->text.len > EVENT_PROP_TEXT_MAX) /* before it costs time to convert */
		return event_fail(r->err, "too_long", "value", "value is longer than %d bytes", EVENT_PROP_TEXT_MAX);
	if (ev->has_value && number_double(v->text, &ev->value))
		return event_fail(r->err, "number_out_of_range", "value", "value is larger than any double");
	return 0;
}

/* Of a repeated `props` the last counts, as of any key. */
static int take_props(struct reader *r, const struct json_value *opened)
{
	struct tally_str key;
	struct json_value v;
	int rc;
	prop_list_clear(&r->props);
	if (opened->kind == JSON_NULL)
		return 0;
	if (opened->kind != JSON_OBJECT)
		return fail_type(r, "props", opened, "an object");
	while ((rc = json_member(r->j, &key)) > 0) {
		if (json_value(r->j, &v))
			return event_fail_json(r->err, r->j);
		if (prop_take(&r->props, key, &v, r->a, r->err))
			return -EINVAL;
	}
	return rc ? event_fail_json(r->err, r->j) : 0;
}

/* Whether an object under `data` makes it a CloudEvent is known only when all fields are read. */
static int take_data(struct reader *r, struct tally_str key, const struct json_value *v)
{
	r->data = STR("");
	if (v->kind != JSON_OBJECT)
		return prop_take(&r->others, key, v, r->a, r->err);
	prop_remove(&r->others, key);
	if (json_leave(r->j, v->kind))
		return event_fail_json(r->err, r->j);
	r->data = str_make(v->text.ptr, (size_t)(r->j->at - v->text.ptr));
	return 0;
}

static int take_specversion(struct reader *r, struct tally_str key, const struct json_value *v)
{
	r->specversion = v->kind == JSON_STRING ? v->text : STR("");
	return prop_take(&r->others, key, v, r->a, r->err);
}

static int take_field(struct reader *r, enum field f, struct tally_str key, const struct json_value *v)
{
	struct tally_event *ev = r->ev;
	switch (f) {
	case FIELD_NAME:
		return take_text(r, &ev->name, "name", v);
	case FIELD_TYPE:
		return take_text(r, &r->type, "type", v);
	case FIELD_SITE:
		return take_text(r, &ev->site, "site", v);
	case FIELD_ID:
		return take_id(r, &ev->id, "id", v);
	case FIELD_TIME:
		return take_time(r, v);
	case FIELD_VISITOR:
		return take_id(r, &ev->visitor, "visitor", v);
	case FIELD_USER:
		return take_id(r, &ev->user, "user", v);
	case FIELD_PAGE:
		return take_text(r, &ev->page, "page", v);
	case FIELD_URL:
		return take_text(r, &r->url, "url", v);
	case FIELD_REFERRER:
		return take_text(r, &ev->referrer, "referrer", v);
	case FIELD_VALUE:
		return take_value(r, v);
	case FIELD_PROPS:
		return take_props(r, v);
	case FIELD_DATA:
		return take_data(r, key, v);
	case FIELD_SPECVERSION:
		return take_specversion(r, key, v);
	default:
		return prop_take(&r->others, key, v, r->a, r->err);
	}
}

static int take_members(struct reader *r)
{
	struct tally_str key;
	struct json_value v;
	int rc;
	while ((rc = json_member(r->j, &key)) > 0) {
		enum field f = r->in_data ? field_in_data(key) : field_find(r->cx, r->mapped, &key);
		if (json_value(r->j, &v))
			return event_fail_json(r->err, r->j);
		if (take_field(r, f, key, &v))
			return -EINVAL;
	}
	return rc ? event_fail_json(r->err, r->j) : 0;
}

static int take_cloud_data(struct reader *r)
{
	struct json inner, *outer = r->j;
	struct json_value v;
	int rc;
	json_open(&inner, r->a, r->data, r->cx->limits.depth);
	r->j = &inner;
	r->in_data = true;
	rc = json_value(&inner, &v) ? event_fail_json(r->err, &inner) : take_members(r);
	r->j = outer;
	return rc;
}

/* A CloudEvent: an object under `data` holds the event's fields; what only describes the envelope is no prop. */
static int settle_cloud(struct reader *r)
{
	bool cloud = r->specversion.len > 0;
	if (cloud) {
		prop_remove(&r->others, STR("specversion"));
		prop_remove(&r->others, STR("datacontenttype"));
		prop_remove(&r->others, STR("dataschema"));
	}
	if (r->data.len == 0)
		return 0;
	if (cloud)
		return take_cloud_data(r);
	return event_fail(r->err, "invalid_type", "data", "data is an object; a prop is text, a number or a bool");
}

/* `type` is the name where there is no other; else it is a field like those tally does not know. */
static int settle_name(struct reader *r)
{
	struct json_value v = { .kind = JSON_STRING, .text = r->type };
	if (r->type.len == 0)
		return 0;
	if (r->ev->name.len)
		return prop_take(&r->others, STR("type"), &v, r->a, r->err);
	r->ev->name = r->type;
	return 0;
}

static int settle_url(struct reader *r)
{
	struct url_parts parts;
	if (r->url.len == 0)
		return 0;
	if (r->url.len > EVENT_URL_MAX)
		return event_fail(r->err, "too_long", "url", "url is longer than %d bytes", EVENT_URL_MAX);
	url_split(r->a, r->url, &parts);
	r->ev->host = parts.host;
	if (r->ev->page.len == 0)
		r->ev->page = parts.path;
	url_offer_utm(r->a, parts.query, &r->props);
	return 0;
}

static void keep_props(struct reader *r)
{
	size_t bytes = r->props.count * sizeof r->props.at[0];
	if (bytes == 0)
		return;
	r->ev->nprops = r->props.count;
	r->ev->props = memcpy(arena_alloc(r->a, bytes), r->props.at, bytes);
}

int event_read_members(const struct event_context *cx, struct arena *a, struct json *j, struct tally_event *ev,
	struct event_error *err)
{
	struct reader r;
	r.cx = cx;
	r.a = a;
	r.j = j;
	r.ev = ev;
	r.err = err;
	r.mapped = field_mapped(cx);
	r.in_data = false;
	r.type = r.url = r.data = r.specversion = STR("");
	prop_list_clear(&r.props);
	prop_list_clear(&r.others);
	*ev = (struct tally_event){ .time_us = EVENT_NO_TIME, .weight = 1 };
	if (take_members(&r))
		return -EINVAL;
	if (settle_cloud(&r) || settle_name(&r) || prop_add_others(&r.props, &r.others, err) || settle_url(&r))
		return -EINVAL;
	keep_props(&r);
	return event_apply_rules(cx, a, ev, err);
}

int event_read_next(const struct event_context *cx, struct arena *a, struct json *j, struct tally_event *ev,
	struct event_error *err)
{
	struct json_value v;
	*err = (struct event_error){ .field = "" };
	if (json_value(j, &v))
		return event_fail_json(err, j);
	if (v.kind != JSON_OBJECT)
		return event_fail(
			err, "not_an_object", "", "an event is a JSON object, this is %s", json_kind_name(v.kind));
	if (event_read_members(cx, a, j, ev, err))
		return -EINVAL;
	if ((size_t)(j->at - v.text.ptr) > cx->limits.event_bytes)
		return event_fail(
			err, "event_too_large", "", "the event is larger than %zu bytes", cx->limits.event_bytes);
	return 0;
}

int event_read_json(const struct event_context *cx, struct arena *a, struct tally_str json, struct tally_event *ev,
	struct event_error *err)
{
	struct json j;
	json_open(&j, a, json, cx->limits.depth);
	if (event_read_next(cx, a, &j, ev, err))
		return -EINVAL;
	return json_end(&j) ? event_fail_json(err, &j) : 0;
}
