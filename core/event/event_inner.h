/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of core/event only. */
#ifndef EVENT_EVENT_INNER_H
#define EVENT_EVENT_INNER_H

#include "event/event.h"
#include "text/json.h"

/* Fills err. Always -EINVAL. field must be static or in the arena. */
int event_fail(struct event_error *err, const char *code, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- fields.c ---- */

enum field {
	FIELD_OTHER,
	FIELD_NAME,
	FIELD_TYPE,
	FIELD_SITE,
	FIELD_ID,
	FIELD_TIME,
	FIELD_VISITOR,
	FIELD_USER,
	FIELD_PAGE,
	FIELD_URL,
	FIELD_REFERRER,
	FIELD_VALUE,
	FIELD_PROPS,
	FIELD_DATA,
	FIELD_SPECVERSION
};

/* A bit (1u << field) for each field that the map reads from another key. */
unsigned field_mapped(const struct event_context *cx);

/* The field that a top-level key stands for; *key becomes the name it has as a prop. */
enum field field_find(const struct event_context *cx, unsigned mapped, struct tally_str *key);

/* The same in the data of a CloudEvent: there the fields of the envelope are nothing special. */
enum field field_in_data(struct tally_str key);

/* ---- rules.c: what every event must meet, however it was made ---- */

/* Lengths, the name, the time and its window; sets what is absent to its default and makes an id. Assumes: all text is
 * UTF-8; time_us is EVENT_NO_TIME if there is none. 0 or -EINVAL. */
must_check int event_apply_rules(
	const struct event_context *cx, struct arena *a, struct tally_event *ev, struct event_error *err);

/* ---- props.c: the props of one event while it is read ---- */

struct prop_list {
	uint32_t count;
	uint64_t keys; /* a bit for the hash of each key in the list: most keys are seen to be new without a search */
	struct tally_prop at[EVENT_PROPS_MAX];
};

static inline void prop_list_clear(struct prop_list *l)
{
	l->count = 0;
	l->keys = 0;
}

/* Adds or replaces; null takes the key away. Arrays and objects are refused. 0 or -EINVAL with err. */
must_check int prop_take(struct prop_list *l, struct tally_str key, const struct json_value *v, struct arena *a,
	struct event_error *err);

void prop_remove(struct prop_list *l, struct tally_str key);

/* Adds what is not in the list yet. 0 or -EINVAL: too many. */
must_check int prop_add_others(struct prop_list *l, const struct prop_list *others, struct event_error *err);

/* Adds text under a key not in the list yet; does nothing if it is there or no room is left. */
void prop_offer(struct prop_list *l, struct tally_str key, struct tally_str text);

/* ---- url.c ---- */

/* Slices of the url; host in lower case, in the arena if it was not. */
struct url_parts {
	struct tally_str host, path, query;
};
void url_split(struct arena *a, struct tally_str url, struct url_parts *out);

/* %XX, and '+' as a blank where forms write it so. What does not decode to UTF-8 stays as it was sent. */
struct tally_str url_decode(struct arena *a, struct tally_str s, bool form);

/* Offers each utm_* parameter to the list, decoded. */
void url_offer_utm(struct arena *a, struct tally_str query, struct prop_list *l);

/* ---- when.c ---- */

/* 0 or -EINVAL with err: no number is a time beyond the years 0000 to 9999. */
must_check int event_time_of_number(struct tally_str text, int64_t *out_us, struct event_error *err);
must_check int event_time_of_text(struct tally_str text, int64_t *out_us, struct event_error *err);

/* ---- read.c ---- */

/* The members of one event; j stands behind the opening bracket. Ensures: on success j stands behind the closing one.
 * 0 or -EINVAL with err, j anywhere in the event. */
must_check int event_read_members(const struct event_context *cx, struct arena *a, struct json *j,
	struct tally_event *ev, struct event_error *err);

/* The event that comes next in j; begin is where it begins. As above. */
must_check int event_read_next(const struct event_context *cx, struct arena *a, struct json *j, struct tally_event *ev,
	struct event_error *err);

/* The reader's own error as one of an event. */
int event_fail_json(struct event_error *err, const struct json *j);

#endif
