/* SPDX-License-Identifier: Apache-2.0 */
/* The event: its JSON form, its form on disk, and the rules it must meet.
 *
 * The struct is the public one (tally/plugin.h). A door reads JSON into it, encodes its spool form, and from then on
 * every station reads that form in place: strings of a decoded event are slices of the record. [any thread] */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

#define EVENT_NAME_MAX 128
#define EVENT_ID_MAX 128
#define EVENT_URL_MAX 2048
#define EVENT_PROPS_MAX 64
#define EVENT_PROP_KEY_MAX 64
#define EVENT_PROP_TEXT_MAX 4096
#define EVENT_NO_TIME INT64_MIN /* time_us of an event that says none, before event_check() */

/* Why an event was rejected. code is a short constant for the answer and the counters ("invalid_time",
 * "missing_name", "too_long", "invalid_utf8", "invalid_type", "too_many_props", "event_too_large",
 * "time_out_of_range", "not_an_object", "invalid_json", "control_character", "number_out_of_range", "too_deep"; of a
 * body also "too_many_events"). */
struct event_error {
	const char *code;
	const char *field; /* static or in the arena; "" if none */
	char message[160]; /* for a person: what, where, remedy */
};

struct event_limits {
	size_t event_bytes; /* of one event's JSON */
	unsigned depth;
	size_t max_events; /* in one body */
};

/* Renames of a source (`map:`): tally's field or "props.x" to the key it has in what is sent. */
struct event_map {
	struct tally_str field; /* "name", "visitor", "props.item", … */
	struct tally_str key;   /* top-level key as sent */
};

/* True if `field` can stand on the left of a map: a field of the contract that is sent, or "props.x". A mapped field is
 * read from its key alone: what is sent under its own name becomes a prop (and so does `type` if `name` is mapped). Of
 * two entries with one key the first counts. */
bool event_map_field_known(struct tally_str field);

/* What a site allows; found by the caller's function, since only it knows the configuration. */
struct event_site {
	int64_t past_us; /* how old an event may be; INT64_MAX = any */
	int64_t future_us;
	bool no_visitor; /* an event that comes without a visitor stays so */
};

struct event_context {
	struct event_limits limits;
	const struct event_map *map;
	size_t nmap;
	struct tally_str default_site;                                      /* never empty */
	int64_t now_us;                                                     /* time of receipt */
	const struct event_site *(*site)(void *arg, struct tally_str name); /* never NULL */
	struct tally_str (*anonymous)(void *arg); /* the visitor of events without one; NULL: they stay so */
	void *arg;
};

/* ---- a body with events: one object, an array of objects, or NDJSON; the bytes decide ---- */

/* The rules, where the contract leaves a choice:
 * - `name` wins over `type`, which then is a prop. An empty text is as absent as null, also for `name` and `id`.
 * - `id`, `visitor` and `user` may be numbers: their text as sent. `name`, `site`, `page`, `url`, `referrer` may not.
 * - From `url` come host (lower case, no user, no port), page (its path, as sent) unless there is a `page`, and utm_*
 *   as props unless there are such (percent-decoded if that gives UTF-8; of a repeated one the first; none makes an
 *   event too large or its props too many: what does not fit is left out).
 * - Arrays and objects are refused as `invalid_type` wherever they are no `props` or CloudEvent `data`, also under
 *   names tally does not know: nothing of an event is silently left out.
 * - A CloudEvent has a text `specversion`. If its `data` is an object, the members of that are the event's fields, but
 *   for name, type, id and time, which are the envelope's (`type` is the name) and in data are props. `source`, `subject`
 *   and extensions become props; specversion, datacontenttype and dataschema do not. Its id must be unique in the site
 *   like any other, whatever its source.
 *
 * Called for each event in order, index from 0: ev is NULL and err set if it is rejected. ev and what it points to
 * live in the arena or the body. Return 0 to go on, else the scan stops with that value. */
typedef int (*event_sink_fn)(void *arg, size_t index, struct tally_event *ev, const struct event_error *err);

/* 0, what the callback returned, or -EINVAL: the body cannot be parsed at all (err says where); -E2BIG: more than
 * limits.max_events. In an array a syntax error ends the body: it is -EINVAL and what was reported before is to be
 * dropped by the caller; an event refused for its text, depth or size does not end it. In NDJSON a broken line is one
 * rejected event. An id is made (UUIDv7) where none is given. */
must_check int event_read_body(const struct event_context *cx, struct arena *a, struct tally_str body, event_sink_fn fn,
	void *arg, struct event_error *err);

/* One object, whole. 0 or -EINVAL with err. */
must_check int event_read_json(const struct event_context *cx, struct arena *a, struct tally_str json,
	struct tally_event *ev, struct event_error *err);

/* A CloudEvent in binary mode: its attributes are headers (the names without "ce-", in any case; the values as sent,
 * percent-encoded), its data the body: a JSON object with the event's fields, or any JSON or text, which becomes the
 * prop `data`; empty = none. Assumes: one attribute is specversion (else it is no CloudEvent, and the caller reads the
 * body as events). 0 or -EINVAL with err. */
struct event_attribute {
	struct tally_str name, value;
};
must_check int event_read_cloud(const struct event_context *cx, struct arena *a,
	const struct event_attribute *attributes, size_t n, struct tally_str data, struct tally_event *ev,
	struct event_error *err);

/* The checks of event_read_json() on an event made otherwise (CSV, pixel, a plugin's): lengths, UTF-8, time window, id.
 * Sets site, visitor, id, time (if EVENT_NO_TIME), weight and received_us where they are absent. 0 or -EINVAL. */
must_check int event_check(
	const struct event_context *cx, struct arena *a, struct tally_event *ev, struct event_error *err);

/* A time as text, ISO 8601 or a number whose size tells its unit. 0 or -EINVAL with err (no limits of a site). */
must_check int event_parse_time(struct tally_str text, int64_t *out_us, struct event_error *err);

/* ---- on disk: little-endian, self-delimiting, padded to 8 bytes, strings read in place ---- */

size_t event_spool_bytes(const struct tally_event *ev);

/* Assumes: out has event_spool_bytes(ev), and ev meets the rules (a plugin's work goes through event_check() again: a
 * text above 65535 bytes or more than 64 props abort). Returns that size. lsn, idx and received_us are not part of the
 * form. */
size_t event_encode(const struct tally_event *ev, void *out);

/* Reads the event at p; its strings are slices of p, its props an array in the arena. Returns the bytes it takes, or
 * -EBADMSG: lengths contradict (never reads past len). */
must_check int64_t event_decode(const void *p, size_t len, struct arena *a, struct tally_event *ev);

/* The next event's size without decoding it, or -EBADMSG. */
must_check int64_t event_spool_skip(const void *p, size_t len);

/* ---- JSON out ---- */

/* The props as a JSON object: strings quoted, numbers as sent, bools bare. "{}" if there are none. */
struct tally_str event_props_json(const struct tally_event *ev, struct arena *a);

/* The event as it could be sent again: every field it has, the time in ISO 8601 UTC; the host as `url`, "//host". */
struct tally_str event_to_json(const struct tally_event *ev, struct arena *a);

/* ---- ids ---- */

#define UUID_TEXT 36

/* UUIDv7 (RFC 9562): 48 bits of milliseconds, 12 of a counter within the millisecond, 62 random; never the same twice
 * in one process, increasing per thread. out gets 36 characters, no NUL. */
void event_make_id(int64_t now_us, char out[UUID_TEXT]);

#endif
