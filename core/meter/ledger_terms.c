/* SPDX-License-Identifier: Apache-2.0 */
/* Entries are made once and kept, so that a group after another finds its place without allocating; those that are
 * not 0 stand in a list, so that taking the few that changed does not walk the many that exist. */
#include "meter/ledger_terms.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/table.h"

#define VERSION 1
#define HEAD_BYTES 8
#define ENTRY_BYTES 12

static const struct tally_str other = { "(other)", 7 };

struct entry {
	struct tally_str site, reason; /* behind the struct */
	enum term term;
	bool listed;
	int64_t count;
};

struct terms {
	pthread_mutex_t lock;
	struct table sites;    /* of those that stand for themselves; values are not used */
	struct table entries;  /* key_of() to struct entry */
	struct entry **listed; /* Invariant: holds every entry with a count other than 0, once */
	size_t nlisted, caplisted;
};

const char *term_name(enum term term)
{
	static const char *const names[TERMS] = { "received", "taken", "refused", "rejected", "duplicates", "dropped" };
	MUST((unsigned)term < TERMS);
	return names[term];
}

struct terms *terms_open(void)
{
	struct terms *t = memory_zalloc(1, sizeof *t);
	MUST(t != NULL);
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void terms_close(struct terms *t)
{
	const struct table_entry *e;
	for (size_t at = 0; (e = table_next(&t->entries, &at)) != NULL;)
		free(e->value);
	table_free(&t->entries);
	table_free(&t->sites);
	free(t->listed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* ---- finding an entry ---- */

static struct tally_str cut(struct tally_str s)
{
	return str_make(s.len ? s.ptr : "", s.len < TERMS_TEXT_MAX ? s.len : TERMS_TEXT_MAX);
}

/* u8 term | u8 site bytes | site | reason */
static struct tally_str key_of(
	struct tally_str site, enum term term, struct tally_str reason, char room[2 + 2 * TERMS_TEXT_MAX])
{
	room[0] = (char)term;
	room[1] = (char)site.len;
	memcpy(room + 2, site.ptr, site.len);
	memcpy(room + 2 + site.len, reason.ptr, reason.len);
	return str_make(room, 2 + site.len + reason.len);
}

static struct entry *make(struct tally_str site, enum term term, struct tally_str reason)
{
	struct entry *e = memory_zalloc(1, sizeof *e + site.len + reason.len);
	MUST(e != NULL);
	char *text = (char *)(e + 1);
	memcpy(text, site.ptr, site.len);
	memcpy(text + site.len, reason.ptr, reason.len);
	e->site = str_make(text, site.len);
	e->reason = str_make(text + site.len, reason.len);
	e->term = term;
	return e;
}

static bool knows_site(struct terms *t, struct tally_str site)
{
	if (table_get(&t->sites, site))
		return true;
	if (t->sites.count >= TERMS_SITES_MAX)
		return false;
	*table_place(&t->sites, site) = t;
	return true;
}

static struct entry *find(struct terms *t, struct tally_str site, enum term term, struct tally_str reason)
{
	char room[2 + 2 * TERMS_TEXT_MAX];
	struct tally_str key = key_of(site, term, reason, room);
	struct entry *e = table_get(&t->entries, key);
	if (e)
		return e;
	if (!knows_site(t, site)) {
		site = other;
		key = key_of(site, term, reason, room);
		e = table_get(&t->entries, key);
		if (e)
			return e;
	}
	if (reason.len && t->entries.count >= TERMS_ENTRIES_MAX) {
		reason = other;
		key = key_of(site, term, reason, room);
	}
	void **place = table_place(&t->entries, key);
	if (!*place)
		*place = make(site, term, reason);
	return *place;
}

/* ---- adding ---- */

static int64_t saturating_add(int64_t a, int64_t b)
{
	int64_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

static void list(struct terms *t, struct entry *e)
{
	if (e->listed)
		return;
	if (t->nlisted == t->caplisted) {
		t->caplisted = t->caplisted ? t->caplisted * 2 : 64;
		t->listed = memory_grow(t->listed, t->caplisted * sizeof(struct entry *));
		MUST(t->listed != NULL);
	}
	t->listed[t->nlisted++] = e;
	e->listed = true;
}

static void add_locked(struct terms *t, struct tally_str site, enum term term, struct tally_str reason, int64_t by)
{
	if (by == 0)
		return;
	struct entry *e = find(t, cut(site), term, cut(reason));
	e->count = saturating_add(e->count, by);
	list(t, e);
}

void terms_add(struct terms *t, struct tally_str site, enum term term, struct tally_str reason, int64_t by)
{
	MUST((unsigned)term < TERMS);
	pthread_mutex_lock(&t->lock);
	add_locked(t, site, term, reason, by);
	pthread_mutex_unlock(&t->lock);
}

static void clear_locked(struct terms *t)
{
	for (size_t i = 0; i < t->nlisted; i++) {
		t->listed[i]->count = 0;
		t->listed[i]->listed = false;
	}
	t->nlisted = 0;
}

void terms_clear(struct terms *t)
{
	pthread_mutex_lock(&t->lock);
	clear_locked(t);
	pthread_mutex_unlock(&t->lock);
}

/* ---- bytes ---- */

static size_t bytes_locked(const struct terms *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->nlisted; i++)
		if (t->listed[i]->count)
			n += ENTRY_BYTES + t->listed[i]->site.len + t->listed[i]->reason.len;
	return n ? HEAD_BYTES + n : 0;
}

static uint8_t *put_entry(uint8_t *p, const struct entry *e)
{
	p[0] = (uint8_t)e->term;
	p[1] = (uint8_t)e->site.len;
	p[2] = (uint8_t)e->reason.len;
	p[3] = 0;
	put_u64(p + 4, (uint64_t)e->count);
	memcpy(p + ENTRY_BYTES, e->site.ptr, e->site.len);
	memcpy(p + ENTRY_BYTES + e->site.len, e->reason.ptr, e->reason.len);
	return p + ENTRY_BYTES + e->site.len + e->reason.len;
}

static struct tally_str encode_locked(const struct terms *t, struct arena *a)
{
	size_t len = bytes_locked(t);
	if (!len)
		return str_make(NULL, 0);
	uint8_t *bytes = arena_zalloc(a, len), *p = bytes + HEAD_BYTES;
	uint32_t n = 0;
	for (size_t i = 0; i < t->nlisted; i++) {
		if (!t->listed[i]->count)
			continue;
		p = put_entry(p, t->listed[i]);
		n++;
	}
	bytes[0] = VERSION;
	put_u32(bytes + 4, n);
	MUST(p == bytes + len);
	return str_make((char *)bytes, len);
}

size_t terms_bytes(struct terms *t)
{
	pthread_mutex_lock(&t->lock);
	size_t n = bytes_locked(t);
	pthread_mutex_unlock(&t->lock);
	return n;
}

struct tally_str terms_encode(struct terms *t, struct arena *a)
{
	pthread_mutex_lock(&t->lock);
	struct tally_str s = encode_locked(t, a);
	pthread_mutex_unlock(&t->lock);
	return s;
}

struct tally_str terms_take(struct terms *t, struct arena *a)
{
	pthread_mutex_lock(&t->lock);
	struct tally_str s = encode_locked(t, a);
	clear_locked(t);
	pthread_mutex_unlock(&t->lock);
	return s;
}

/* Bytes of the entry at p, or 0 if left bytes cannot hold it or it is not one. */
static size_t entry_check(const uint8_t *p, size_t left)
{
	if (left < ENTRY_BYTES || p[0] >= TERMS || p[3] != 0)
		return 0;
	size_t n = ENTRY_BYTES + (size_t)p[1] + p[2];
	return n <= left ? n : 0;
}

static bool well_formed(const uint8_t *bytes, size_t len)
{
	if (len < HEAD_BYTES || get_u32(bytes) != VERSION)
		return false;
	size_t at = HEAD_BYTES;
	for (uint32_t i = get_u32(bytes + 4); i; i--) {
		size_t n = entry_check(bytes + at, len - at);
		if (!n)
			return false;
		at += n;
	}
	return at == len;
}

int terms_walk(const void *bytes, size_t len,
	void (*fn)(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t count), void *arg)
{
	if (len == 0)
		return 0;
	if (!well_formed(bytes, len))
		return -EBADMSG;
	for (const uint8_t *p = (const uint8_t *)bytes + HEAD_BYTES, *end = (const uint8_t *)bytes + len; p < end;) {
		struct tally_str site = str_make((const char *)p + ENTRY_BYTES, p[1]);
		struct tally_str reason = str_make(site.ptr + site.len, p[2]);
		fn(arg, site, (enum term)p[0], reason, (int64_t)get_u64(p + 4));
		p += ENTRY_BYTES + site.len + reason.len;
	}
	return 0;
}

int terms_merge(struct terms *t, const void *bytes, size_t len)
{
	if (len == 0)
		return 0;
	if (!well_formed(bytes, len))
		return -EBADMSG;
	pthread_mutex_lock(&t->lock);
	for (const uint8_t *p = (const uint8_t *)bytes + HEAD_BYTES, *end = (const uint8_t *)bytes + len; p < end;) {
		struct tally_str site = str_make((const char *)p + ENTRY_BYTES, p[1]);
		struct tally_str reason = str_make(site.ptr + site.len, p[2]);
		add_locked(t, site, (enum term)p[0], reason, (int64_t)get_u64(p + 4));
		p += ENTRY_BYTES + site.len + reason.len;
	}
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* ---- reading ---- */

void terms_each(struct terms *t,
	void (*fn)(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t count), void *arg)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->nlisted; i++) {
		const struct entry *e = t->listed[i];
		if (e->count)
			fn(arg, e->site, e->term, e->reason, e->count);
	}
	pthread_mutex_unlock(&t->lock);
}

int64_t terms_get(struct terms *t, struct tally_str site, enum term term, struct tally_str reason)
{
	char room[2 + 2 * TERMS_TEXT_MAX];
	MUST((unsigned)term < TERMS);
	pthread_mutex_lock(&t->lock);
	const struct entry *e = table_get(&t->entries, key_of(cut(site), term, cut(reason), room));
	int64_t n = e ? e->count : 0;
	pthread_mutex_unlock(&t->lock);
	return n;
}

int64_t terms_balance(struct terms *t)
{
	int64_t sum = 0;
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->nlisted; i++) {
		const struct entry *e = t->listed[i];
		int64_t minus = e->count == INT64_MIN ? INT64_MAX : -e->count;
		sum = saturating_add(sum, e->term == TERM_RECEIVED ? e->count : minus);
	}
	pthread_mutex_unlock(&t->lock);
	return sum;
}
