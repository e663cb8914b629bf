/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "event/event_inner.h"
#include "text/iso8601.h"
#include "text/number.h"
#include "text/utf8.h"

int event_fail(struct event_error *err, const char *code, const char *field, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	err->code = code;
	err->field = field;
	vsnprintf(err->message, sizeof err->message, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* The texts of an event and how long they may be. */
static const struct text_rule {
	const char *field;
	uint16_t offset; /* in struct tally_event */
	uint16_t max;    /* bytes */
} text_rules[] = {
	{ "name", offsetof(struct tally_event, name), EVENT_NAME_MAX },
	{ "site", offsetof(struct tally_event, site), EVENT_NAME_MAX },
	{ "id", offsetof(struct tally_event, id), EVENT_ID_MAX },
	{ "visitor", offsetof(struct tally_event, visitor), EVENT_ID_MAX },
	{ "user", offsetof(struct tally_event, user), EVENT_ID_MAX },
	{ "url", offsetof(struct tally_event, host), EVENT_URL_MAX },
	{ "page", offsetof(struct tally_event, page), EVENT_URL_MAX },
	{ "referrer", offsetof(struct tally_event, referrer), EVENT_URL_MAX },
	{ "value", offsetof(struct tally_event, value_text), EVENT_PROP_TEXT_MAX },
};

#define TEXT_RULES (sizeof text_rules / sizeof text_rules[0])

static struct tally_str text_of(const struct tally_event *ev, const struct text_rule *rule)
{
	struct tally_str s;
	memcpy(&s, (const char *)ev + rule->offset, sizeof s);
	return s;
}

static int check_lengths(const struct tally_event *ev, struct event_error *err)
{
	for (const struct text_rule *rule = text_rules; rule < text_rules + TEXT_RULES; rule++)
		if (text_of(ev, rule).len > rule->max)
			return event_fail(err, "too_long", rule->field, "%s is longer than %u bytes", rule->field,
				(unsigned)rule->max);
	return 0;
}

static int check_name(const struct tally_event *ev, struct event_error *err)
{
	if (ev->name.len == 0)
		return event_fail(err, "missing_name", "name", "an event needs a name, such as \"view\"");
	if (utf8_has_control(ev->name))
		return event_fail(err, "control_character", "name", "name holds a control character");
	return 0;
}

static int check_window(const struct event_context *cx, const struct tally_event *ev, struct event_error *err)
{
	const struct event_site *site = cx->site(cx->arg, ev->site);
	int64_t now = cx->now_us, t = ev->time_us;
	if (t < ISO8601_MIN_US || t > ISO8601_MAX_US)
		return event_fail(err, "time_out_of_range", "time", "time is not within the years 0000 to 9999");
	/* neither difference can overflow: both lie within 10000 years */
	if (site->past_us != INT64_MAX && now - t > site->past_us)
		return event_fail(
			err, "time_out_of_range", "time", "time is older than the time_window of the site allows");
	if (site->future_us != INT64_MAX && t - now > site->future_us)
		return event_fail(err, "time_out_of_range", "time",
			"time is further ahead than the time_window of the site allows; is the clock right?");
	return 0;
}

static void set_defaults(const struct event_context *cx, struct arena *a, struct tally_event *ev)
{
	if (ev->site.len == 0)
		ev->site = cx->default_site;
	if (ev->visitor.len == 0 && cx->anonymous && !cx->site(cx->arg, ev->site)->no_visitor)
		ev->visitor = cx->anonymous(cx->arg);
	if (ev->id.len == 0) {
		char *id = arena_alloc(a, UUID_TEXT);
		event_make_id(cx->now_us, id);
		ev->id = str_make(id, UUID_TEXT);
	}
	if (ev->weight == 0)
		ev->weight = 1;
	ev->received_us = cx->now_us;
}

int event_apply_rules(const struct event_context *cx, struct arena *a, struct tally_event *ev, struct event_error *err)
{
	if (check_name(ev, err) || check_lengths(ev, err))
		return -EINVAL;
	set_defaults(cx, a, ev);
	if (ev->time_us == EVENT_NO_TIME) {
		ev->time_us = cx->now_us;
		return 0;
	}
	return check_window(cx, ev, err);
}

/* ---- events that did not come as JSON ---- */

static int check_prop(const struct tally_prop *p, struct arena *a, struct event_error *err)
{
	const char *field;
	double number;
	if (!utf8_valid(p->key) || p->key.len > EVENT_PROP_KEY_MAX)
		return event_fail(err, p->key.len > EVENT_PROP_KEY_MAX ? "too_long" : "invalid_utf8", "props",
			"the key of a prop is UTF-8 of at most %d bytes", EVENT_PROP_KEY_MAX);
	field = arena_printf(a, "props.%.*s", (int)p->key.len, p->key.ptr);
	if (p->text.len > EVENT_PROP_TEXT_MAX)
		return event_fail(err, "too_long", field, "%s is longer than %d bytes", field, EVENT_PROP_TEXT_MAX);
	if (!utf8_valid(p->text))
		return event_fail(err, "invalid_utf8", field, "%s is not UTF-8", field);
	if (p->type > TALLY_PROP_BOOL)
		return event_fail(err, "invalid_type", field, "%s has no known type", field);
	if (p->type == TALLY_PROP_NUMBER && number_double(p->text, &number))
		return event_fail(err, "invalid_type", field, "%s is no number", field);
	return 0;
}

static int check_value(struct arena *a, struct tally_event *ev, struct event_error *err)
{
	char text[NUMBER_TEXT];
	if (!ev->has_value)
		return 0;
	if (!isfinite(ev->value))
		return event_fail(err, "number_out_of_range", "value", "value is not finite");
	if (ev->value_text.len == 0)
		ev->value_text = arena_str(a, str_make(text, number_format(ev->value, text)));
	return 0;
}

int event_check(const struct event_context *cx, struct arena *a, struct tally_event *ev, struct event_error *err)
{
	*err = (struct event_error){ .field = "" };
	for (const struct text_rule *rule = text_rules; rule < text_rules + TEXT_RULES; rule++)
		if (!utf8_valid(text_of(ev, rule)))
			return event_fail(err, "invalid_utf8", rule->field, "%s is not UTF-8", rule->field);
	if (ev->nprops > EVENT_PROPS_MAX)
		return event_fail(err, "too_many_props", "props", "an event has at most %d props", EVENT_PROPS_MAX);
	for (uint32_t i = 0; i < ev->nprops; i++)
		if (check_prop(&ev->props[i], a, err))
			return -EINVAL;
	if (check_value(a, ev, err))
		return -EINVAL;
	return event_apply_rules(cx, a, ev, err);
}
