/* SPDX-License-Identifier: Apache-2.0 */
/* What a visit came with: props of its first event, kept as one text that many visits share,
 *
 *     of each value by its number: u16 length, little-endian, and the bytes
 *
 * and what the other events of a visit get of it. */
#include <errno.h>
#include <stdlib.h>

#include "session.h"

static const char *const keys[TALLY_VISIT_VALUES] = TALLY_VISIT_KEYS;

static struct tally_str str(const char *ptr, size_t len)
{
	return (struct tally_str){ ptr, len };
}

void values_of(const struct tally_event *ev, struct tally_str out[TALLY_VISIT_VALUES])
{
	memset(out, 0, TALLY_VISIT_VALUES * sizeof *out);
	for (uint32_t i = 0; i < ev->nprops; i++) {
		const struct tally_prop *p = &ev->props[i];
		if (p->key.len < 3 || (p->key.ptr[0] != '$' && p->key.ptr[0] != 'u'))
			continue;
		for (int k = 0; k < TALLY_VISIT_VALUES; k++)
			if (p->text.len <= VALUE_MAX && store_same(p->key, str(keys[k], strlen(keys[k]))))
				out[k] = p->text;
	}
}

struct text *values_text(struct session *s, const struct tally_str values[TALLY_VISIT_VALUES])
{
	char small[1024], *bytes = small, *p;
	size_t len = 0;
	bool any = false;
	for (int k = 0; k < TALLY_VISIT_VALUES; k++) {
		len += 2 + values[k].len;
		any |= values[k].len > 0;
	}
	if (!any || (len > sizeof small && !(bytes = malloc(len))))
		return NULL;
	p = bytes;
	for (int k = 0; k < TALLY_VISIT_VALUES; k++) {
		*p++ = (char)(values[k].len & 0xff);
		*p++ = (char)(values[k].len >> 8);
		if (values[k].len)
			memcpy(p, values[k].ptr, values[k].len);
		p += values[k].len;
	}
	struct text *t = text_of(s, str(bytes, len));
	if (bytes != small)
		free(bytes);
	return t;
}

int values_read(struct tally_str text, struct tally_str out[TALLY_VISIT_VALUES])
{
	const char *p = text.ptr, *end = p + text.len;
	memset(out, 0, TALLY_VISIT_VALUES * sizeof *out);
	for (int k = 0; p != end; k++) {
		if (k == TALLY_VISIT_VALUES || end - p < 2)
			return -EBADMSG;
		size_t len = (uint8_t)p[0] | (size_t)(uint8_t)p[1] << 8;
		if (len > VALUE_MAX || (size_t)(end - p) - 2 < len)
			return -EBADMSG;
		out[k] = str(p + 2, len);
		p += 2 + len;
	}
	return 0;
}

/* ---- what an event gets of its visit ---- */

/* Values that belong together: an event with any of its own gets none of the others, or the campaign of one link would
 * stand beside the source of another. */
static const struct family {
	int from, to;
} families[] = { { TALLY_VISIT_SOURCE, TALLY_VISIT_UTM_TERM }, { TALLY_VISIT_DEVICE, TALLY_VISIT_OS },
	{ TALLY_VISIT_COUNTRY, TALLY_VISIT_COUNTRY } };

/* A view that says nothing of where it came from is `Direct`: within a visit that is no news. */
static bool is_own(const struct tally_str *own, int k)
{
	return own[k].len && !(k == TALLY_VISIT_CHANNEL && store_same(own[k], str("Direct", 6)));
}

static bool has_own(const struct tally_str *own, const struct family *f)
{
	for (int k = f->from; k <= f->to; k++)
		if (is_own(own, k))
			return true;
	return false;
}

static void set(struct session *s, struct tally_event *ev, int k, struct tally_str text)
{
	struct tally_str key = str(keys[k], strlen(keys[k]));
	if (s->host->prop_set(s->in, ev, key, text, TALLY_PROP_STRING) == -E2BIG)
		s->host->count(s->in, "no_room", 1);
}

void values_inherit(struct session *s, struct tally_event *ev, const struct tally_str own[TALLY_VISIT_VALUES],
	const struct text *came)
{
	struct tally_str of_visit[TALLY_VISIT_VALUES];
	if (!came || values_read(store_text(came), of_visit) != 0)
		return;
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		const struct family *f = &families[i];
		for (int k = f->from; k <= f->to && !has_own(own, f); k++)
			if (of_visit[k].len && of_visit[k].len <= INHERIT_MAX && !store_same(of_visit[k], own[k]))
				set(s, ev, k, of_visit[k]);
	}
}
