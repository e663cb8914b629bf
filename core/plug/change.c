/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin may change of an event at the line: prop_set(), and the check of everything it replaced by hand. What
 * leaves here must fit every store, as if it had come through a door. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "event/event.h"
#include "plug/inner.h"
#include "text/number.h"
#include "text/utf8.h"

/* ---- prop_set ---- */

static int make_value(struct tally_prop *prop, const char *text, size_t len, uint32_t type)
{
	prop->text = str_make(text, len);
	prop->type = type;
	prop->number = 0;
	switch (type) {
	case TALLY_PROP_STRING:
		return 0;
	case TALLY_PROP_NUMBER:
		return number_double(prop->text, &prop->number) == 0 ? 0 : -EINVAL;
	case TALLY_PROP_BOOL:
		prop->number = str_eq(prop->text, STR("true"));
		return prop->number != 0 || str_eq(prop->text, STR("false")) ? 0 : -EINVAL;
	}
	return -EINVAL;
}

/* Where the key is, or behind the last one. */
static uint32_t find_prop(const struct tally_event *ev, struct tally_str key)
{
	uint32_t i = 0;
	while (i < ev->nprops && !str_eq(ev->props[i].key, key))
		i++;
	return i;
}

int plug_prop_set(
	struct tally_instance *in, struct tally_event *ev, struct tally_str key, struct tally_str text, uint32_t type)
{
	uint32_t at = find_prop(ev, key);
	struct tally_prop made = { .key = key };
	if (key.len == 0 || !in->arena || !utf8_valid(key) || !utf8_valid(text))
		return -EINVAL;
	if (at >= EVENT_PROPS_MAX || key.len > EVENT_PROP_KEY_MAX || text.len > EVENT_PROP_TEXT_MAX)
		return -E2BIG;
	int rc = make_value(&made, arena_copy(in->arena, text.ptr, text.len), text.len, type);
	if (rc != 0)
		return rc;
	made.key = arena_str(in->arena, key);
	/* always a new array: the old one may be lent to somebody, and it is at most 64 rows */
	uint32_t n = at == ev->nprops ? at + 1 : ev->nprops;
	struct tally_prop *props = arena_alloc(in->arena, n * sizeof *props);
	if (ev->nprops)
		memcpy(props, ev->props, ev->nprops * sizeof *props);
	props[at] = made;
	ev->props = props;
	ev->nprops = n;
	return 0;
}

/* ---- what was replaced by hand ---- */

static bool same_str(struct tally_str a, struct tally_str b)
{
	return a.ptr == b.ptr && a.len == b.len;
}

/* Looked at only if it was replaced. */
static bool fits(struct tally_str s, struct tally_str before, size_t most)
{
	return same_str(s, before) || (s.len <= most && utf8_valid(s));
}

/* Puts back what a plugin may not touch. True = it had touched it. */
static bool put_back(struct tally_event *ev, const struct tally_event *before)
{
	bool same = ev->lsn == before->lsn && ev->idx == before->idx && ev->received_us == before->received_us &&
		    ev->weight == before->weight && same_str(ev->site, before->site) && same_str(ev->id, before->id);
	ev->lsn = before->lsn;
	ev->idx = before->idx;
	ev->received_us = before->received_us;
	ev->weight = before->weight;
	ev->site = before->site;
	ev->id = before->id;
	return !same;
}

int plug_change_check(struct tally_instance *in, struct tally_event *ev, const struct tally_event *before)
{
	if (put_back(ev, before) && plug_say_once(in, SAID_CHANGED))
		log_error(in->room, "changes lsn, idx, received_us, weight, site or id of an event; put back");
	bool good = fits(ev->visitor, before->visitor, EVENT_NAME_MAX) &&
		    fits(ev->user, before->user, EVENT_NAME_MAX) && fits(ev->host, before->host, EVENT_URL_MAX) &&
		    fits(ev->page, before->page, EVENT_URL_MAX) &&
		    fits(ev->referrer, before->referrer, EVENT_URL_MAX) &&
		    fits(ev->value_text, before->value_text, EVENT_NAME_MAX) &&
		    fits(ev->name, before->name, EVENT_NAME_MAX);
	if (!good || ev->name.len == 0 || utf8_has_control(ev->name) || ev->nprops > EVENT_PROPS_MAX)
		return -E2BIG;
	return ev->has_value && !isfinite(ev->value) ? -ERANGE : 0;
}
