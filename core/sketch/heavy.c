/* SPDX-License-Identifier: Apache-2.0 */
/* Entries stand in a heap, so that the lightest is the first; each knows its place in the index and the index knows the
 * entry, so both move together. The index is open addressing with linear probing: its least loaded half is free. */
#include "sketch/heavy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"

#define VERSION 1
#define HEAD 24
#define ENTRY 40
#define COUNT_MAX ((uint64_t)INT64_MAX)

struct view {
	uint8_t *head, *entries, *index;
	unsigned k, n, mask; /* mask: places of the index - 1 */
};

static unsigned index_bits(unsigned k)
{
	unsigned bits = 1;
	while (1u << bits < 2 * k)
		bits++;
	return bits;
}

size_t heavy_room(unsigned k)
{
	return HEAD + (size_t)ENTRY * k + ((size_t)2 << index_bits(k));
}

static struct view view_of(const void *buf)
{
	struct view v = { .head = (uint8_t *)(uintptr_t)buf };
	v.k = get_u16(v.head + 2);
	v.n = get_u16(v.head + 4);
	v.mask = (1u << get_u16(v.head + 6)) - 1;
	v.entries = v.head + HEAD;
	v.index = v.entries + (size_t)ENTRY * v.k;
	return v;
}

void heavy_init(void *buf, unsigned k)
{
	uint8_t *head = buf;
	MUST(k >= 1 && k <= HEAVY_MAX);
	memset(buf, 0, heavy_room(k));
	head[0] = VERSION;
	head[1] = HEAVY_KEY;
	put_u16(head + 2, (uint16_t)k);
	put_u16(head + 6, (uint16_t)index_bits(k));
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > COUNT_MAX - b ? COUNT_MAX : a + b;
}

/* ---- entries and index ---- */

static uint8_t *entry(const struct view *v, unsigned i)
{
	return v->entries + (size_t)ENTRY * i;
}

static uint64_t count_of(const struct view *v, unsigned i)
{
	return get_u64(entry(v, i) + 16);
}

static unsigned home(const struct view *v, const uint8_t *key)
{
	return (unsigned)get_u64(key) & v->mask;
}

static unsigned at_index(const struct view *v, unsigned place)
{
	return get_u16(v->index + 2 * (size_t)place);
}

static void set_index(struct view *v, unsigned place, unsigned value)
{
	put_u16(v->index + 2 * (size_t)place, (uint16_t)value);
}

static void point(struct view *v, unsigned place, unsigned i)
{
	set_index(v, place, i + 1);
	put_u32(entry(v, i) + 32, place);
}

/* The place of the key, or the free one where it belongs. */
static unsigned find(const struct view *v, const uint8_t *key)
{
	unsigned place = home(v, key);
	while (at_index(v, place) && memcmp(entry(v, at_index(v, place) - 1), key, HEAVY_KEY) != 0)
		place = (place + 1) & v->mask;
	return place;
}

/* Frees a place; those behind it that would no longer be found move up. */
static void leave(struct view *v, unsigned free)
{
	for (unsigned at = (free + 1) & v->mask; at_index(v, at); at = (at + 1) & v->mask) {
		unsigned i = at_index(v, at) - 1;
		unsigned way = (at - home(v, entry(v, i))) & v->mask;
		if (way < ((at - free) & v->mask))
			continue;
		point(v, free, i);
		free = at;
	}
	set_index(v, free, 0);
}

/* ---- the heap ---- */

static void swap(struct view *v, unsigned a, unsigned b)
{
	uint8_t saved[ENTRY];
	memcpy(saved, entry(v, a), ENTRY);
	memcpy(entry(v, a), entry(v, b), ENTRY);
	memcpy(entry(v, b), saved, ENTRY);
	set_index(v, get_u32(entry(v, a) + 32), a + 1);
	set_index(v, get_u32(entry(v, b) + 32), b + 1);
}

static void sift_up(struct view *v, unsigned i)
{
	for (; i && count_of(v, i) < count_of(v, (i - 1) / 2); i = (i - 1) / 2)
		swap(v, i, (i - 1) / 2);
}

static void sift_down(struct view *v, unsigned i)
{
	for (;;) {
		unsigned least = i;
		for (unsigned kid = 2 * i + 1; kid <= 2 * i + 2 && kid < v->n; kid++)
			if (count_of(v, kid) < count_of(v, least))
				least = kid;
		if (least == i)
			return;
		swap(v, i, least);
		i = least;
	}
}

static void set_entry(struct view *v, unsigned i, const uint8_t *key, uint64_t count, uint64_t error)
{
	uint8_t *e = entry(v, i);
	memcpy(e, key, HEAVY_KEY);
	put_u64(e + 16, count);
	put_u64(e + 24, error);
}

/* Assumes: there is room, and the key is not there. */
static void append(struct view *v, const uint8_t *key, uint64_t count, uint64_t error)
{
	unsigned i = v->n++;
	put_u16(v->head + 4, (uint16_t)v->n);
	set_entry(v, i, key, count, error);
	point(v, find(v, key), i);
	sift_up(v, i);
}

/* ---- adding ---- */

static uint64_t floor_of(const struct view *v)
{
	return get_u64(v->head + 16);
}

static void raise_floor(struct view *v, uint64_t to)
{
	if (to > floor_of(v))
		put_u64(v->head + 16, to);
}

static void replace_lightest(struct view *v, const uint8_t *key, uint64_t times)
{
	uint64_t least = count_of(v, 0);
	raise_floor(v, least);
	leave(v, get_u32(entry(v, 0) + 32));
	unsigned place = find(v, key);
	set_entry(v, 0, key, sum(least, times), least);
	point(v, place, 0);
	sift_down(v, 0);
}

uint64_t heavy_add(void *buf, const uint8_t key[HEAVY_KEY], uint64_t times)
{
	struct view v = view_of(buf);
	times = times > COUNT_MAX ? COUNT_MAX : times;
	unsigned i = at_index(&v, find(&v, key));
	if (times == 0)
		return i ? count_of(&v, i - 1) - get_u64(entry(&v, i - 1) + 24) : 0;
	put_u64(v.head + 8, sum(get_u64(v.head + 8), times));
	if (i) {
		uint8_t *e = entry(&v, i - 1);
		uint64_t count = sum(get_u64(e + 16), times), error = get_u64(e + 24);
		put_u64(e + 16, count);
		sift_down(&v, i - 1);
		return count - error;
	}
	if (v.n < v.k)
		append(&v, key, sum(times, floor_of(&v)), floor_of(&v));
	else
		replace_lightest(&v, key, times);
	return times;
}

/* ---- reading ---- */

static void read_entry(const struct view *v, unsigned i, struct heavy_entry *out)
{
	const uint8_t *e = entry(v, i);
	memcpy(out->key, e, HEAVY_KEY);
	out->count = get_u64(e + 16);
	out->error = get_u64(e + 24);
}

bool heavy_find(const void *buf, const uint8_t key[HEAVY_KEY], struct heavy_entry *out)
{
	struct view v = view_of(buf);
	unsigned i = at_index(&v, find(&v, key));
	if (i)
		read_entry(&v, i - 1, out);
	return i != 0;
}

uint64_t heavy_total(const void *buf)
{
	return get_u64((const uint8_t *)buf + 8);
}

uint64_t heavy_floor(const void *buf)
{
	return get_u64((const uint8_t *)buf + 16);
}

static int heavier(const void *a, const void *b)
{
	const struct heavy_entry *x = a, *y = b;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return memcmp(x->key, y->key, HEAVY_KEY);
}

unsigned heavy_top(const void *buf, struct heavy_entry *out, unsigned n)
{
	struct view v = view_of(buf);
	struct heavy_entry *all = malloc((v.n + 1) * sizeof *all);
	MUST(all != NULL);
	for (unsigned i = 0; i < v.n; i++)
		read_entry(&v, i, &all[i]);
	qsort(all, v.n, sizeof *all, heavier);
	n = n < v.n ? n : v.n;
	memcpy(out, all, n * sizeof *all);
	free(all);
	return n;
}

/* ---- merging ---- */

/* Entries of a with what b adds to each: its count, or what it may have missed. */
static unsigned gather(const struct view *a, const void *b, struct heavy_entry *out)
{
	for (unsigned i = 0; i < a->n; i++) {
		struct heavy_entry e, other = { .count = heavy_floor(b), .error = heavy_floor(b) };
		read_entry(a, i, &e);
		heavy_find(b, e.key, &other);
		out[i] = e;
		out[i].count = sum(e.count, other.count);
		out[i].error = sum(e.error, other.error);
	}
	return a->n;
}

/* Those of b that a has not. */
static unsigned gather_rest(const struct view *b, const void *a, struct heavy_entry *out)
{
	uint64_t missed = heavy_floor(a);
	unsigned n = 0;
	struct heavy_entry e, known;
	for (unsigned i = 0; i < b->n; i++) {
		read_entry(b, i, &e);
		if (heavy_find(a, e.key, &known))
			continue;
		e.count = sum(e.count, missed);
		e.error = sum(e.error, missed);
		out[n++] = e;
	}
	return n;
}

int heavy_merge(void *buf, const void *other, size_t other_len)
{
	if (heavy_check(other, other_len) != 0)
		return -EBADMSG;
	struct view a = view_of(buf), b = view_of(other);
	struct heavy_entry *all = malloc((a.n + b.n + 1) * sizeof *all);
	if (!all)
		return -ENOMEM;
	unsigned n = gather(&a, other, all);
	n += gather_rest(&b, buf, all + n);
	uint64_t total = sum(heavy_total(buf), heavy_total(other)), missed = sum(heavy_floor(buf), heavy_floor(other));
	qsort(all, n, sizeof *all, heavier);
	heavy_init(buf, a.k);
	a = view_of(buf);
	put_u64(a.head + 8, total);
	raise_floor(&a, missed);
	if (n > a.k)
		raise_floor(&a, all[a.k].count);
	for (unsigned i = 0; i < n && i < a.k; i++)
		append(&a, all[i].key, all[i].count, all[i].error);
	free(all);
	return 0;
}

/* ---- checking ---- */

static bool entry_ok(const struct view *v, unsigned i)
{
	const uint8_t *e = entry(v, i);
	uint64_t count = get_u64(e + 16), error = get_u64(e + 24);
	unsigned place = get_u32(e + 32);
	if (count > COUNT_MAX || error > count || get_u32(e + 36) != 0)
		return false;
	if (place > v->mask || at_index(v, place) != i + 1 || (i && count < count_of(v, (i - 1) / 2)))
		return false;
	for (unsigned at = home(v, e); at != place; at = (at + 1) & v->mask) /* found from its home, and only once */
		if (!at_index(v, at) || memcmp(entry(v, at_index(v, at) - 1), e, HEAVY_KEY) == 0)
			return false;
	return true;
}

int heavy_check(const void *buf, size_t len)
{
	const uint8_t *head = buf;
	if (len < HEAD || head[0] != VERSION || head[1] != HEAVY_KEY)
		return -EBADMSG;
	unsigned k = get_u16(head + 2), used = 0;
	if (k < 1 || k > HEAVY_MAX || len != heavy_room(k) || get_u16(head + 6) != index_bits(k) ||
		get_u16(head + 4) > k || get_u64(head + 8) > COUNT_MAX || get_u64(head + 16) > COUNT_MAX)
		return -EBADMSG;
	struct view v = view_of(buf);
	for (unsigned place = 0; place <= v.mask; place++) {
		if (at_index(&v, place) > v.n)
			return -EBADMSG;
		used += at_index(&v, place) != 0;
	}
	for (unsigned i = 0; i < v.n; i++)
		if (!entry_ok(&v, i))
			return -EBADMSG;
	for (size_t at = (size_t)ENTRY * v.n; at < (size_t)ENTRY * v.k; at++)
		if (v.entries[at])
			return -EBADMSG;
	return used == v.n ? 0 : -EBADMSG;
}
