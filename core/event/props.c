/* SPDX-License-Identifier: Apache-2.0 */
/* At most 64 props, so a list does; a word of key bits spares most of the searching. */
#include <errno.h>

#include "event/event_inner.h"
#include "text/number.h"

static inline uint64_t key_bit(struct tally_str key)
{
	if (key.len == 0)
		return 1;
	unsigned first = (unsigned char)key.ptr[0], last = (unsigned char)key.ptr[key.len - 1];
	return UINT64_C(1) << ((first * 5 + last * 3 + key.len * 7) % 64);
}

static inline struct tally_prop *prop_find(struct prop_list *l, struct tally_str key)
{
	if (!(l->keys & key_bit(key)))
		return NULL;
	for (uint32_t i = 0; i < l->count; i++)
		if (str_eq(l->at[i].key, key))
			return &l->at[i];
	return NULL;
}

void prop_remove(struct prop_list *l, struct tally_str key)
{
	struct tally_prop *p = prop_find(l, key);
	if (!p)
		return;
	memmove(p, p + 1, (size_t)(l->at + l->count - (p + 1)) * sizeof *p);
	l->count--;
}

static const char *field_name(struct arena *a, struct tally_str key)
{
	return arena_printf(
		a, "props.%.*s", (int)(key.len > EVENT_PROP_KEY_MAX ? EVENT_PROP_KEY_MAX : key.len), key.ptr);
}

static struct tally_prop *add_slot(struct prop_list *l, struct tally_str key)
{
	if (l->count == EVENT_PROPS_MAX)
		return NULL;
	l->keys |= key_bit(key);
	return &l->at[l->count++];
}

static int fail_too_many(struct event_error *err)
{
	return event_fail(err, "too_many_props", "props", "an event has at most %d props", EVENT_PROPS_MAX);
}

/* NULL, or the code of what is wrong with the value. */
static const char *fill(struct tally_prop *p, struct tally_str key, const struct json_value *v)
{
	p->key = key;
	p->text = v->text;
	p->number = 0;
	p->reserved = 0;
	switch (v->kind) {
	case JSON_STRING:
		p->type = TALLY_PROP_STRING;
		return NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		p->type = TALLY_PROP_BOOL;
		p->number = v->kind == JSON_TRUE;
		return NULL;
	case JSON_NUMBER:
		p->type = TALLY_PROP_NUMBER;
		return number_double(v->text, &p->number) ? "number_out_of_range" : NULL;
	default:
		return "invalid_type";
	}
}

static int fail_prop(
	struct event_error *err, struct arena *a, struct tally_str key, const struct json_value *v, const char *code)
{
	const char *field = field_name(a, key);
	if (v->kind == JSON_NUMBER)
		return event_fail(err, code, field, "%s is larger than any double", field);
	return event_fail(
		err, code, field, "%s is %s; a prop is text, a number or a bool", field, json_kind_name(v->kind));
}

int prop_take(
	struct prop_list *l, struct tally_str key, const struct json_value *v, struct arena *a, struct event_error *err)
{
	struct tally_prop *slot;
	const char *code;
	if (v->kind == JSON_NULL) {
		prop_remove(l, key);
		return 0;
	}
	if (key.len > EVENT_PROP_KEY_MAX)
		return event_fail(err, "too_long", field_name(a, key), "the key of a prop is longer than %d bytes",
			EVENT_PROP_KEY_MAX);
	if (v->text.len > EVENT_PROP_TEXT_MAX)
		return event_fail(err, "too_long", field_name(a, key), "the value of a prop is longer than %d bytes",
			EVENT_PROP_TEXT_MAX);
	slot = prop_find(l, key);
	if (!slot)
		slot = add_slot(l, key);
	if (!slot)
		return fail_too_many(err);
	code = fill(slot, key, v);
	return code ? fail_prop(err, a, key, v, code) : 0;
}

int prop_add_others(struct prop_list *l, const struct prop_list *others, struct event_error *err)
{
	for (uint32_t i = 0; i < others->count; i++) {
		const struct tally_prop *p = &others->at[i];
		if (prop_find(l, p->key))
			continue;
		struct tally_prop *slot = add_slot(l, p->key);
		if (!slot)
			return fail_too_many(err);
		*slot = *p;
	}
	return 0;
}

void prop_offer(struct prop_list *l, struct tally_str key, struct tally_str text)
{
	struct tally_prop *slot = prop_find(l, key) ? NULL : add_slot(l, key);
	if (slot)
		*slot = (struct tally_prop){ .key = key, .text = text, .type = TALLY_PROP_STRING };
}
