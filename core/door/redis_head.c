/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a REDIS record: which elements of which list the record holds. Version 2, written by this version:
 *
 *     u8 2, u8 1 = read from the right, u8[2] 0, u16 list bytes, list, 32 bytes id, u16 token bytes, token,
 *     u32 n, n times u64 XXH3 of an element, u32 bytes of reasons, reasons (u8 bytes, text) of what was rejected
 *
 * Version 1 ended behind the hashes and had neither flags, token nor reasons. */
#include <errno.h>
#include <string.h>

#include <xxhash.h>

#include "base/bytes.h"
#include "door/redis_inner.h"

#define ID 32

uint64_t redis_hash(const redisReply *element)
{
	return XXH3_64bits(element->str, element->len);
}

static size_t reasons_bytes(const struct redis_batch *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->nrejected; i++)
		n += 1 + strlen(b->rejected[i].reason);
	return n;
}

struct tally_str redis_head_write(struct redis_source *s, const struct redis_batch *b)
{
	size_t name = strlen(s->opt.source->list), token = strlen(s->token), reasons = reasons_bytes(b);
	size_t n = 6 + name + ID + 2 + token + 4 + b->n * 8 + 4 + reasons;
	char *base = arena_zalloc(&s->arena, n), *p = base;
	p[0] = 2;
	p[1] = s->opt.source->right;
	put_u16(p + 4, (uint16_t)name);
	memcpy(p + 6, s->opt.source->list, name);
	p += 6 + name;
	memcpy(p, b->id, ID);
	put_u16(p + ID, (uint16_t)token);
	memcpy(p + ID + 2, s->token, token);
	p += ID + 2 + token;
	put_u32(p, (uint32_t)b->n);
	p += 4;
	for (size_t i = 0; i < b->n; i++, p += 8)
		put_u64(p, redis_hash(b->elements->element[i]));
	put_u32(p, (uint32_t)reasons);
	p += 4;
	for (size_t i = 0; i < b->nrejected; i++) {
		size_t len = strlen(b->rejected[i].reason);
		*p++ = (char)len;
		memcpy(p, b->rejected[i].reason, len);
		p += len;
	}
	return str_make(base, n);
}

/* Takes n bytes off the front; NULL: there are not so many. */
static const char *take(struct tally_str *p, size_t n)
{
	const char *at = p->ptr;
	if (p->len < n)
		return NULL;
	*p = str_make(p->ptr + n, p->len - n);
	return at;
}

static bool take_list(struct tally_str *p, struct redis_head *out, int *version)
{
	const char *fixed = take(p, 6);
	if (!fixed || fixed[0] < 1 || fixed[0] > 2)
		return false;
	*version = fixed[0];
	out->right = fixed[1];
	out->list = str_make(p->ptr, get_u16(fixed + 4));
	return take(p, out->list.len) != NULL;
}

static bool take_reasons(struct tally_str *p, struct redis_head *out)
{
	const char *bytes = take(p, 4);
	if (!bytes)
		return false;
	out->rejected = str_make(p->ptr, get_u32(bytes));
	return take(p, out->rejected.len) != NULL;
}

bool redis_head_read(struct tally_str p, struct redis_head *out)
{
	int version;
	const char *id, *token, *n;
	*out = (struct redis_head){ 0 };
	if (!take_list(&p, out, &version) || !(id = take(&p, ID)))
		return false;
	memcpy(out->id, id, ID);
	if (version > 1 && (!(token = take(&p, 2)) || !take(&p, get_u16(token))))
		return false;
	if (!(n = take(&p, 4)))
		return false;
	out->n = get_u32(n);
	out->hashes = take(&p, out->n * 8);
	return out->hashes && (version == 1 || take_reasons(&p, out));
}

/* ---- back from the spool ---- */

static void recall_rejected(struct redis_source *s, struct tally_str p, struct redis_batch *b)
{
	b->rejected = arena_alloc(&s->arena, (p.len + 1) * sizeof *b->rejected);
	for (const char *len, *text; (len = take(&p, 1)) != NULL && (text = take(&p, (uint8_t)*len)) != NULL;)
		b->rejected[b->nrejected++] =
			(struct ledger_rejected){ STR(""), arena_copy(&s->arena, text, (uint8_t)*len) };
}

static int recall_items(struct redis_source *s, struct tally_str p, size_t n, struct redis_batch *b)
{
	if (n > p.len)
		return -EBADMSG;
	b->items = arena_zalloc(&s->arena, n * sizeof *b->items + 1);
	for (; b->nitems < n; b->nitems++) {
		struct ledger_item *it = &b->items[b->nitems];
		int64_t used = event_decode(p.ptr, p.len, &s->arena, &it->ev);
		if (used < 0)
			return -EBADMSG;
		it->form = take(&p, (size_t)used);
		it->form_bytes = (uint32_t)used;
	}
	return 0;
}

/* u32 head bytes, head, u32 n, n events */
int redis_batch_recall(struct redis_source *s, uint64_t lsn, struct redis_batch *b)
{
	struct spool_record rec;
	struct redis_head head;
	struct spool_reader *r = spool_reader_open(ledger_spool(s->opt.ledger));
	int rc = spool_reader_at(r, lsn, &rec);
	*b = (struct redis_batch){ .lsn = lsn };
	struct tally_str p = { 0 };
	if (!rc)
		p = str_make(arena_copy(&s->arena, rec.payload, rec.len), rec.len);
	spool_reader_close(r);
	if (rc)
		return rc;
	const char *bytes = take(&p, 4), *head_at = bytes ? take(&p, get_u32(bytes)) : NULL, *n;
	if (!head_at || !redis_head_read(str_make(head_at, get_u32(bytes)), &head) || !(n = take(&p, 4)))
		return -EBADMSG;
	memcpy(b->id, head.id, sizeof b->id);
	recall_rejected(s, head.rejected, b);
	return recall_items(s, p, get_u32(n), b);
}
