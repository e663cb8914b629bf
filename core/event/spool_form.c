/* SPDX-License-Identifier: Apache-2.0 */
/* The event on disk. Form 1, little-endian:
 *
 *      0  u32  bytes      of all of it, a multiple of 8
 *      4  u8   form       1
 *      5  u8   flags      bit 0: value is set
 *      6  u16  nprops     at most 64
 *      8  i64  time_us
 *     16  f64  value
 *     24  u32  weight
 *     28  u16  lengths[9] name site id visitor user host page referrer value_text
 *     46  u16  0
 *     48  nprops times:   u16 key length, u16 text length, u8 type, 3 bytes 0, f64 number
 *      …  the texts in the order of the lengths, then key and text of each prop, with nothing between them
 *      …  zeros up to `bytes`
 *
 * All lengths stand before all texts: decoding adds them up once, compares with `bytes`, and never looks at a text.
 * A later form gets a new number and its own reader beside this one. */
#include <errno.h>

#include "base/bytes.h"
#include "event/event_inner.h"

#define FORM 1
#define HAS_VALUE 1
#define HEAD 48
#define LENGTHS 28
#define PROP_HEAD 16
#define TEXTS 9

static const uint16_t text_offsets[TEXTS] = {
	offsetof(struct tally_event, name),
	offsetof(struct tally_event, site),
	offsetof(struct tally_event, id),
	offsetof(struct tally_event, visitor),
	offsetof(struct tally_event, user),
	offsetof(struct tally_event, host),
	offsetof(struct tally_event, page),
	offsetof(struct tally_event, referrer),
	offsetof(struct tally_event, value_text),
};

static struct tally_str *text_slot(struct tally_event *ev, unsigned i)
{
	return (struct tally_str *)(void *)((char *)ev + text_offsets[i]);
}

static const struct tally_str *text_of(const struct tally_event *ev, unsigned i)
{
	return (const struct tally_str *)(const void *)((const char *)ev + text_offsets[i]);
}

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

size_t event_spool_bytes(const struct tally_event *ev)
{
	size_t bytes = HEAD + (size_t)ev->nprops * PROP_HEAD;
	for (unsigned i = 0; i < TEXTS; i++)
		bytes += text_of(ev, i)->len;
	for (uint32_t i = 0; i < ev->nprops; i++)
		bytes += ev->props[i].key.len + ev->props[i].text.len;
	return padded(bytes);
}

static void put_length(char *p, size_t len)
{
	MUST(len <= UINT16_MAX);
	put_u16(p, (uint16_t)len);
}

static char *put_text(char *p, struct tally_str s)
{
	if (s.len)
		memcpy(p, s.ptr, s.len);
	return p + s.len;
}

size_t event_encode(const struct tally_event *ev, void *out)
{
	size_t bytes = event_spool_bytes(ev);
	char *head = out, *prop = head + HEAD, *text = prop + (size_t)ev->nprops * PROP_HEAD;
	MUST(ev->nprops <= EVENT_PROPS_MAX);
	put_u64(head + bytes - 8, 0); /* the padding; texts may overwrite it */
	put_u32(head, (uint32_t)bytes);
	head[4] = FORM;
	head[5] = ev->has_value ? HAS_VALUE : 0;
	put_u16(head + 6, (uint16_t)ev->nprops);
	put_u64(head + 8, (uint64_t)ev->time_us);
	put_f64(head + 16, ev->has_value ? ev->value : 0);
	put_u32(head + 24, ev->weight);
	put_u16(head + 46, 0);
	for (unsigned i = 0; i < TEXTS; i++) {
		put_length(head + LENGTHS + 2 * i, text_of(ev, i)->len);
		text = put_text(text, *text_of(ev, i));
	}
	for (uint32_t i = 0; i < ev->nprops; i++, prop += PROP_HEAD) {
		const struct tally_prop *p = &ev->props[i];
		put_length(prop, p->key.len);
		put_length(prop + 2, p->text.len);
		put_u32(prop + 4, p->type);
		put_f64(prop + 8, p->number);
		text = put_text(text, p->key);
		text = put_text(text, p->text);
	}
	return bytes;
}

int64_t event_spool_skip(const void *p, size_t len)
{
	if (len < HEAD)
		return -EBADMSG;
	size_t bytes = get_u32(p);
	if (bytes < HEAD || bytes % 8 || bytes > len || ((const char *)p)[4] != FORM)
		return -EBADMSG;
	return (int64_t)bytes;
}

/* Ensures: on true all lengths fit into bytes, with less than 8 left over. */
static bool lengths_agree(const char *head, uint32_t nprops, size_t bytes)
{
	size_t sum = HEAD + (size_t)nprops * PROP_HEAD;
	if (nprops > EVENT_PROPS_MAX || sum > bytes)
		return false;
	for (unsigned i = 0; i < TEXTS; i++)
		sum += get_u16(head + LENGTHS + 2 * i);
	for (uint32_t i = 0; i < nprops; i++) {
		const char *prop = head + HEAD + (size_t)i * PROP_HEAD;
		if (get_u32(prop + 4) > TALLY_PROP_BOOL)
			return false;
		sum += (size_t)get_u16(prop) + get_u16(prop + 2);
	}
	return padded(sum) == bytes;
}

static void decode_props(const char *prop, const char *text, uint32_t nprops, struct tally_prop *out)
{
	for (uint32_t i = 0; i < nprops; i++, prop += PROP_HEAD) {
		size_t key = get_u16(prop), value = get_u16(prop + 2);
		out[i] = (struct tally_prop){
			.key = str_make(text, key),
			.text = str_make(text + key, value),
			.number = get_f64(prop + 8),
			.type = get_u32(prop + 4),
		};
		text += key + value;
	}
}

int64_t event_decode(const void *p, size_t len, struct arena *a, struct tally_event *ev)
{
	const char *head = p;
	int64_t bytes = event_spool_skip(p, len);
	if (bytes < 0)
		return bytes;
	uint32_t nprops = get_u16(head + 6);
	if (!lengths_agree(head, nprops, (size_t)bytes))
		return -EBADMSG;
	const char *text = head + HEAD + (size_t)nprops * PROP_HEAD;
	*ev = (struct tally_event){
		.has_value = (uint32_t)head[5] & HAS_VALUE,
		.time_us = (int64_t)get_u64(head + 8),
		.value = get_f64(head + 16),
		.weight = get_u32(head + 24),
		.nprops = nprops,
	};
	for (unsigned i = 0; i < TEXTS; i++) {
		size_t n = get_u16(head + LENGTHS + 2 * i);
		*text_slot(ev, i) = str_make(text, n);
		text += n;
	}
	if (ev->name.len == 0 || ev->site.len == 0)
		return -EBADMSG;
	if (nprops) {
		struct tally_prop *props = arena_alloc(a, nprops * sizeof *props);
		decode_props(head + HEAD, text, nprops, props);
		ev->props = props;
	}
	return bytes;
}
