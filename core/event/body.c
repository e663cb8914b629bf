/* SPDX-License-Identifier: Apache-2.0 */
/* A body with events. Events are read in place, one pass; only behind one that is refused is its end looked for again,
 * without the limits it broke, so that it does not spoil its neighbours. */
#include <errno.h>

#include "event/event_inner.h"

struct body {
	const struct event_context *cx;
	struct arena *a;
	event_sink_fn fn;
	void *arg;
	struct event_error *err; /* of the body */
	size_t index;            /* of the event in hand */
};

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

static bool is_blank(const char *p, const char *end)
{
	return skip_space(p, end) == end;
}

/* One JSON value and nothing else but white space, leaving aside UTF-8 and depth. Else err says why not. */
static bool is_one_value(struct tally_str text, struct event_error *err)
{
	struct json j;
	json_open_lenient(&j, text);
	if (json_skip(&j) == 0 && json_end(&j) == 0)
		return true;
	event_fail_json(err, &j);
	return false;
}

static int report(struct body *b, struct tally_event *ev, const struct event_error *err)
{
	return b->fn(b->arg, b->index++, ev, err);
}

static int full(struct body *b)
{
	if (b->index < b->cx->limits.max_events)
		return 0;
	event_fail(b->err, "too_many_events", "", "a body has at most %zu events; send the rest in another one",
		b->cx->limits.max_events);
	return -E2BIG;
}

/* The body is one event. */
static int take_single(struct body *b, struct tally_str text)
{
	struct tally_event ev;
	struct event_error err;
	int rc = full(b);
	if (rc)
		return rc;
	if (event_read_json(b->cx, b->a, text, &ev, &err) == 0)
		return report(b, &ev, NULL);
	return is_one_value(text, b->err) ? report(b, NULL, &err) : -EINVAL;
}

/* ---- NDJSON ---- */

static int take_line(struct body *b, struct tally_str line)
{
	struct tally_event ev;
	struct event_error err;
	int rc = full(b);
	if (rc)
		return rc;
	if (event_read_json(b->cx, b->a, line, &ev, &err))
		return report(b, NULL, &err);
	return report(b, &ev, NULL);
}

/* The next line that is not blank; *at moves behind it. False at the end. */
static bool next_line(const char **at, const char *end, struct tally_str *line)
{
	while (*at < end) {
		const char *begin = *at, *stop = memchr(begin, '\n', (size_t)(end - begin));
		*at = stop ? stop + 1 : end;
		*line = str_make(begin, (size_t)((stop ? stop : end) - begin));
		if (!is_blank(begin, begin + line->len))
			return true;
	}
	return false;
}

static int take_lines(struct body *b, struct tally_str text)
{
	const char *at = text.ptr, *end = at + text.len;
	struct tally_str line;
	int rc = 0;
	while (rc == 0 && next_line(&at, end, &line))
		rc = take_line(b, line);
	return rc;
}

/* More than one line: NDJSON, or one object spread over lines? The first line tells, if it is whole. If not, either the
 * whole is one value, or the first line is a broken one among others that begin as events do. */
static bool is_ndjson(struct tally_str text)
{
	const char *at = text.ptr, *end = at + text.len;
	struct tally_str line;
	struct event_error unused;
	next_line(&at, end, &line);
	if (is_blank(at, end))
		return false;
	if (is_one_value(line, &unused))
		return true;
	if (is_one_value(text, &unused))
		return false;
	while (next_line(&at, end, &line))
		if (line.ptr[0] == '{')
			return true;
	return false;
}

/* ---- an array ---- */

/* Behind a refused event: j goes on behind its end. */
static int pass_refused(struct body *b, struct json *j, const char *begin)
{
	struct json finder;
	json_open_lenient(&finder, str_make(begin, (size_t)(j->end - begin)));
	if (json_skip(&finder)) {
		finder.offset += (size_t)(begin - j->begin);
		return event_fail_json(b->err, &finder);
	}
	j->at = finder.at;
	j->code = NULL;
	j->depth = 1;
	j->first = false;
	return 0;
}

static int take_element(struct body *b, struct json *j)
{
	struct tally_event ev;
	struct event_error err;
	const char *begin = j->at;
	int rc = full(b);
	if (rc)
		return rc;
	if (event_read_next(b->cx, b->a, j, &ev, &err) == 0)
		return report(b, &ev, NULL);
	if (pass_refused(b, j, begin))
		return -EINVAL;
	return report(b, NULL, &err);
}

static int take_array(struct body *b, struct tally_str text)
{
	struct json j;
	struct json_value v;
	int rc;
	json_open(&j, b->a, text, b->cx->limits.depth + 1);
	if (json_value(&j, &v))
		return event_fail_json(b->err, &j);
	while ((rc = json_element(&j)) > 0) {
		rc = take_element(b, &j);
		if (rc)
			return rc;
	}
	return rc || json_end(&j) ? event_fail_json(b->err, &j) : 0;
}

int event_read_body(const struct event_context *cx, struct arena *a, struct tally_str body, event_sink_fn fn, void *arg,
	struct event_error *err)
{
	struct body b = { .cx = cx, .a = a, .fn = fn, .arg = arg, .err = err };
	*err = (struct event_error){ .field = "" };
	if (str_starts(body, STR("\xef\xbb\xbf"))) /* some editors and shells put a byte order mark */
		body = str_make(body.ptr + 3, body.len - 3);
	const char *end = body.ptr + body.len, *p = skip_space(body.ptr, end);
	body = str_make(p, (size_t)(end - p));
	if (body.len == 0)
		return event_fail(err, "invalid_json", "", "the body is empty; it must hold JSON events");
	if (*p == '[')
		return take_array(&b, body);
	if (is_ndjson(body))
		return take_lines(&b, body);
	return take_single(&b, body);
}
