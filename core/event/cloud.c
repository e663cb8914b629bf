/* SPDX-License-Identifier: Apache-2.0 */
/* CloudEvents in binary mode (HTTP protocol binding 1.0.2, §3.1) are put into their structured form, so that one reader
 * knows the rules. */
#include <errno.h>

#include "event/event_inner.h"
#include "text/utf8.h"
#include "text/write.h"

#define DATA STR("data")

static struct tally_str lower(struct arena *a, struct tally_str name)
{
	char *copy = arena_copy(a, name.ptr, name.len);
	for (size_t i = 0; i < name.len; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] | 0x20);
	return str_make(copy, name.len);
}

static bool is_json(struct tally_str data, unsigned depth)
{
	struct json j;
	json_open(&j, NULL, data, depth);
	return json_skip(&j) == 0 && json_end(&j) == 0;
}

static int put_attributes(
	struct text_out *o, const struct event_attribute *attributes, size_t n, struct event_error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct tally_str name = lower(o->arena, attributes[i].name);
		struct tally_str value = url_decode(o->arena, attributes[i].value, false);
		if (!utf8_valid(name) || !utf8_valid(value))
			return event_fail(err, "invalid_utf8", "", "an attribute of the CloudEvent is not UTF-8");
		if (str_eq(name,
			    DATA)) /* no attribute of that name is allowed, and it must not stand in for the body */
			continue;
		text_json_key(o, name);
		text_json_string(o, value);
	}
	return 0;
}

static int put_data(struct text_out *o, struct tally_str data, unsigned depth, struct event_error *err)
{
	if (data.len == 0)
		return 0;
	text_json_key(o, DATA);
	if (is_json(data, depth))
		text_json_raw(o, data);
	else if (utf8_valid(data))
		text_json_string(o, data);
	else
		return event_fail(err, "invalid_utf8", "data", "the data of the CloudEvent is neither JSON nor text");
	return 0;
}

int event_read_cloud(const struct event_context *cx, struct arena *a, const struct event_attribute *attributes,
	size_t n, struct tally_str data, struct tally_event *ev, struct event_error *err)
{
	struct text_out o;
	*err = (struct event_error){ .field = "" };
	text_open(&o, a, data.len + 256);
	text_json_begin(&o, '{');
	if (put_attributes(&o, attributes, n, err) || put_data(&o, data, cx->limits.depth, err))
		return -EINVAL;
	text_json_end(&o, '}');
	return event_read_json(cx, a, text_done(&o), ev, err);
}
