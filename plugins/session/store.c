/* SPDX-License-Identifier: Apache-2.0 */
/* What the state is kept in: texts, visitors, visits, and the order in which visits were touched. */
#include <errno.h>
#include <stdlib.h>

#include "session.h"

/* What one of these counts for against `memory`: itself, its place in tables, the allocator's share. */
#define VISITOR_BYTES (sizeof(struct visitor) + 48)
#define VISIT_BYTES (sizeof(struct visit) + 32)
#define TEXT_BYTES (sizeof(struct text) + 32)

static struct tally_str str(const char *ptr, size_t len)
{
	return (struct tally_str){ ptr, len };
}

bool store_same(struct tally_str a, struct tally_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ---- texts ---- */

static bool is_text(const struct entry *e, const void *key)
{
	const struct text *t = (const struct text *)e;
	return store_same(str(t->bytes, t->len), *(const struct tally_str *)key);
}

struct text *text_of(struct session *s, struct tally_str given)
{
	if (given.len == 0)
		return NULL;
	uint64_t hash = s->host->hash_keyed(given.ptr, given.len);
	struct text *t = (struct text *)table_find(&s->texts, hash, is_text, &given);
	if (t) {
		t->refs++;
		return t;
	}
	t = malloc(sizeof *t + given.len);
	if (!t)
		return NULL;
	*t = (struct text){ .entry.hash = hash, .refs = 1, .len = (uint32_t)given.len };
	memcpy(t->bytes, given.ptr, given.len);
	if (table_add(&s->texts, &t->entry) != 0) {
		free(t);
		return NULL;
	}
	s->used += TEXT_BYTES + given.len;
	return t;
}

static void text_drop(struct session *s, struct text *t)
{
	if (!t || --t->refs)
		return;
	s->used -= TEXT_BYTES + t->len;
	table_remove(&s->texts, &t->entry);
	free(t);
}

void store_set_text(struct session *s, struct text **at, struct text *t)
{
	text_drop(s, *at);
	*at = t;
}

struct tally_str store_text(const struct text *t)
{
	return t ? str(t->bytes, t->len) : str(NULL, 0);
}

/* ---- visitors ---- */

struct visitor_key {
	struct tally_str site, name;
};

static bool is_visitor(const struct entry *e, const void *key)
{
	const struct visitor *v = (const struct visitor *)e;
	const struct visitor_key *k = key;
	return store_same(str(v->bytes, v->site_len), k->site) &&
	       store_same(str(v->bytes + v->site_len, v->visitor_len), k->name);
}

struct visitor *visitor_of(struct session *s, struct tally_str site, struct tally_str name)
{
	struct visitor_key key = { site, name };
	char both[2 * UINT8_MAX + 1];
	if (site.len > UINT8_MAX || name.len > UINT8_MAX)
		return NULL;
	both[0] = (char)site.len;
	memcpy(both + 1, site.ptr, site.len);
	memcpy(both + 1 + site.len, name.ptr, name.len);
	uint64_t hash = s->host->hash_keyed(both, 1 + site.len + name.len);
	struct visitor *v = (struct visitor *)table_find(&s->visitors, hash, is_visitor, &key);
	if (v)
		return v;
	v = malloc(sizeof *v + site.len + name.len);
	if (!v)
		return NULL;
	*v = (struct visitor){ .entry.hash = hash, .site_len = (uint8_t)site.len, .visitor_len = (uint8_t)name.len };
	memcpy(v->bytes, both + 1, site.len + name.len);
	if (table_add(&s->visitors, &v->entry) != 0) {
		free(v);
		return NULL;
	}
	s->used += VISITOR_BYTES + site.len + name.len;
	return v;
}

void store_drop_if_idle(struct session *s, struct visitor *v)
{
	if (v->n)
		return;
	s->used -= VISITOR_BYTES + v->site_len + v->visitor_len;
	table_remove(&s->visitors, &v->entry);
	free(v->visits);
	free(v);
}

/* The first visit that begins behind t. */
uint32_t store_behind(const struct visitor *v, int64_t t)
{
	uint32_t low = 0, high = v->n;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (v->visits[mid]->begin_us > t)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static int visitor_room(struct visitor *v)
{
	if (v->n < v->cap)
		return 0;
	uint32_t cap = v->cap ? v->cap * 2 : 1;
	struct visit **more = realloc(v->visits, cap * sizeof(struct visit *));
	if (!more)
		return -ENOMEM;
	v->visits = more;
	v->cap = cap;
	return 0;
}

void store_take_out(struct visitor *v, uint32_t from, uint32_t n)
{
	memmove(v->visits + from, v->visits + from + n, (v->n - from - n) * sizeof(struct visit *));
	v->n -= n;
}

/* ---- the order of last touches ---- */

void store_unlink(struct session *s, struct visit *v)
{
	*(v->older ? &v->older->newer : &s->oldest) = v->newer;
	*(v->newer ? &v->newer->older : &s->newest) = v->older;
}

void store_link_newest(struct session *s, struct visit *v)
{
	v->older = s->newest;
	v->newer = NULL;
	*(s->newest ? &s->newest->newer : &s->oldest) = v;
	s->newest = v;
}

struct visit *visit_add(struct session *s, struct visitor *v, const struct visit *like)
{
	struct visit *made = visitor_room(v) == 0 ? malloc(sizeof *made) : NULL;
	if (!made)
		return NULL;
	*made = *like;
	made->visitor = v;
	made->change = NULL;
	uint32_t at = store_behind(v, made->begin_us);
	memmove(v->visits + at + 1, v->visits + at, (v->n - at) * sizeof(struct visit *));
	v->visits[at] = made;
	v->n++;
	store_link_newest(s, made);
	s->used += VISIT_BYTES;
	s->nvisits++;
	return made;
}

void store_free(struct session *s, struct visit *v)
{
	store_unlink(s, v);
	text_drop(s, v->entry);
	text_drop(s, v->exit);
	text_drop(s, v->referrer);
	text_drop(s, v->came);
	s->used -= VISIT_BYTES;
	s->nvisits--;
	free(v);
}
