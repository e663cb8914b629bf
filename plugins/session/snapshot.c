/* SPDX-License-Identifier: Apache-2.0 */
/* The state as bytes, little-endian:
 *
 *      0  u32 form, 2        4  u32 0        8  i64 gap      16  i64 clock      24  u64 number of visits
 *     32  the visits, the one touched longest ago first; of each
 *           0  u64 lsn       8  u32 idx     12  u32 events   16  u32 views
 *          20  u8 site length     21  u8 visitor length     22  u16 lengths of entry, exit, referrer
 *          28  u32 length of what it came with (form 1: 0)
 *          32  i64 begin    40  i64 end     48  i64 touched  56  i64 entry time  64  i64 exit time
 *          72  site, visitor, entry, exit, referrer, what it came with, with nothing between them
 *
 * Form 1 knew nothing of what a visit came with: such visits go on without. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "session.h"

#define FORM 2
#define HEAD 32
#define VISIT_HEAD 72
#define TEXT_MAX 2048 /* of a page or referrer */
#define CHUNK 65536
#define VISIT_MOST (VISIT_HEAD + 2 * UINT8_MAX + 3 * TEXT_MAX + VALUES_MAX)

static char *put16(char *p, uint64_t v)
{
	uint16_t le = htole16((uint16_t)v);
	memcpy(p, &le, sizeof le);
	return p + sizeof le;
}

static char *put32(char *p, uint64_t v)
{
	uint32_t le = htole32((uint32_t)v);
	memcpy(p, &le, sizeof le);
	return p + sizeof le;
}

static char *put64(char *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof v);
	return p + sizeof v;
}

static uint64_t get(const char *p, size_t bytes)
{
	uint64_t v = 0;
	for (size_t i = bytes; i-- > 0;)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

static char *put_bytes(char *p, const void *bytes, size_t len)
{
	if (len)
		memcpy(p, bytes, len);
	return p + len;
}

static size_t len_of(const struct text *t)
{
	return t ? t->len : 0;
}

static char *put_text(char *p, const struct text *t)
{
	return t ? put_bytes(p, t->bytes, t->len) : p;
}

static char *put_visit(char *p, const struct visit *v)
{
	p = put64(p, v->lsn);
	p = put32(p, v->idx);
	p = put32(p, v->events);
	p = put32(p, v->views);
	*p++ = (char)v->visitor->site_len;
	*p++ = (char)v->visitor->visitor_len;
	p = put16(p, len_of(v->entry));
	p = put16(p, len_of(v->exit));
	p = put16(p, len_of(v->referrer));
	p = put32(p, len_of(v->came));
	p = put64(p, (uint64_t)v->begin_us);
	p = put64(p, (uint64_t)v->end_us);
	p = put64(p, (uint64_t)v->touched_us);
	p = put64(p, (uint64_t)v->entry_us);
	p = put64(p, (uint64_t)v->exit_us);
	p = put_bytes(p, v->visitor->bytes, (size_t)v->visitor->site_len + v->visitor->visitor_len);
	p = put_text(p, v->entry);
	p = put_text(p, v->exit);
	p = put_text(p, v->referrer);
	return put_text(p, v->came);
}

int snapshot_save(struct session *s, int (*put)(void *to, const void *bytes, size_t len), void *to)
{
	char *chunk = malloc(CHUNK + VISIT_MOST), *p = chunk;
	if (!chunk)
		return -ENOMEM;
	p = put32(p, FORM);
	p = put32(p, 0);
	p = put64(p, (uint64_t)s->gap_us);
	p = put64(p, (uint64_t)s->clock_us);
	p = put64(p, s->nvisits);
	int rc = 0;
	for (const struct visit *v = s->oldest; rc == 0 && v; v = v->newer) {
		p = put_visit(p, v);
		if (p - chunk < CHUNK)
			continue;
		rc = put(to, chunk, (size_t)(p - chunk));
		p = chunk;
	}
	if (rc == 0)
		rc = put(to, chunk, (size_t)(p - chunk));
	free(chunk);
	return rc;
}

static struct text *take_text(struct session *s, const char **p, size_t len)
{
	struct text *t = text_of(s, (struct tally_str){ *p, len });
	*p += len;
	return t;
}

static int load_visit(struct session *s, const char **at, const char *end)
{
	const char *p = *at;
	if (end - p < VISIT_HEAD)
		return -EBADMSG;
	size_t site = (uint8_t)p[20], name = (uint8_t)p[21];
	size_t entry = get(p + 22, 2), exit = get(p + 24, 2), referrer = get(p + 26, 2), came = get(p + 28, 4);
	const char *text = p + VISIT_HEAD;
	size_t before = site + name + entry + exit + referrer;
	struct tally_str values[TALLY_VISIT_VALUES];
	if (site == 0 || name == 0 || entry > TEXT_MAX || exit > TEXT_MAX || referrer > TEXT_MAX || came > VALUES_MAX)
		return -EBADMSG;
	if ((size_t)(end - text) < before + came || values_read((struct tally_str){ text + before, came }, values) != 0)
		return -EBADMSG;
	struct visit like = { .lsn = get(p, 8),
		.idx = (uint32_t)get(p + 8, 4),
		.events = (uint32_t)get(p + 12, 4),
		.views = (uint32_t)get(p + 16, 4),
		.begin_us = (int64_t)get(p + 32, 8),
		.end_us = (int64_t)get(p + 40, 8),
		.touched_us = (int64_t)get(p + 48, 8),
		.entry_us = (int64_t)get(p + 56, 8),
		.exit_us = (int64_t)get(p + 64, 8) };
	if (like.end_us < like.begin_us || like.events == 0)
		return -EBADMSG;
	struct visitor *of = visitor_of(s, (struct tally_str){ text, site }, (struct tally_str){ text + site, name });
	struct visit *v = of ? visit_add(s, of, &like) : NULL;
	if (!v)
		return -ENOMEM;
	text += site + name;
	v->entry = take_text(s, &text, entry);
	v->exit = take_text(s, &text, exit);
	v->referrer = take_text(s, &text, referrer);
	v->came = take_text(s, &text, came);
	*at = text;
	return 0;
}

int snapshot_load(struct session *s, const void *bytes, size_t len)
{
	const char *p = bytes, *end = p + len;
	if (len < HEAD || get(p, 4) < 1 || get(p, 4) > FORM)
		return -EBADMSG;
	s->replay_gap_us = (int64_t)get(p + 8, 8);
	s->clock_us = (int64_t)get(p + 16, 8);
	uint64_t n = get(p + 24, 8);
	int rc = 0;
	p += HEAD;
	for (uint64_t i = 0; rc == 0 && i < n; i++)
		rc = load_visit(s, &p, end);
	return rc == 0 && p != end ? -EBADMSG : rc;
}
