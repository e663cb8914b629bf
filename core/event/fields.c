/* SPDX-License-Identifier: Apache-2.0 */
/* Which key is which field: by length first, so that a key is compared with at most seven names. */
#include "event/event_inner.h"

#define IS(literal) (memcmp(key.ptr, literal, sizeof(literal) - 1) == 0)

static inline enum field field_of_four(struct tally_str key)
{
	if (IS("name"))
		return FIELD_NAME;
	if (IS("type"))
		return FIELD_TYPE;
	if (IS("time"))
		return FIELD_TIME;
	if (IS("site"))
		return FIELD_SITE;
	if (IS("page"))
		return FIELD_PAGE;
	if (IS("user"))
		return FIELD_USER;
	return IS("data") ? FIELD_DATA : FIELD_OTHER;
}

static inline enum field field_of(struct tally_str key)
{
	switch (key.len) {
	case 2:
		return IS("id") ? FIELD_ID : FIELD_OTHER;
	case 3:
		return IS("url") ? FIELD_URL : FIELD_OTHER;
	case 4:
		return field_of_four(key);
	case 5:
		return IS("props") ? FIELD_PROPS : IS("value") ? FIELD_VALUE : FIELD_OTHER;
	case 7:
		return IS("visitor") ? FIELD_VISITOR : FIELD_OTHER;
	case 8:
		return IS("referrer") ? FIELD_REFERRER : FIELD_OTHER;
	case 11:
		return IS("specversion") ? FIELD_SPECVERSION : FIELD_OTHER;
	default:
		return FIELD_OTHER;
	}
}

bool event_map_field_known(struct tally_str field)
{
	enum field f = field_of(field);
	if (str_starts(field, STR("props.")))
		return field.len > strlen("props.");
	return f != FIELD_OTHER && f != FIELD_TYPE && f != FIELD_DATA && f != FIELD_SPECVERSION;
}

unsigned field_mapped(const struct event_context *cx)
{
	unsigned bits = 0;
	for (size_t i = 0; i < cx->nmap; i++)
		bits |= 1u << field_of(cx->map[i].field);
	if (bits & 1u << FIELD_NAME)
		bits |= 1u << FIELD_TYPE;
	return bits & ~(1u << FIELD_OTHER);
}

enum field field_find(const struct event_context *cx, unsigned mapped, struct tally_str *key)
{
	enum field f;
	for (size_t i = 0; i < cx->nmap; i++) {
		struct tally_str target = cx->map[i].field;
		if (!str_eq(cx->map[i].key, *key))
			continue;
		if (!str_starts(target, STR("props.")))
			return field_of(target);
		*key = str_make(target.ptr + strlen("props."), target.len - strlen("props."));
		return FIELD_OTHER;
	}
	f = field_of(*key);
	return mapped & 1u << f ? FIELD_OTHER : f;
}

enum field field_in_data(struct tally_str key)
{
	enum field f = field_of(key);
	switch (f) {
	case FIELD_NAME:
	case FIELD_TYPE:
	case FIELD_ID:
	case FIELD_TIME:
	case FIELD_DATA:
	case FIELD_SPECVERSION:
		return FIELD_OTHER;
	default:
		return f;
	}
}
