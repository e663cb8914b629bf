/* SPDX-License-Identifier: Apache-2.0 */
/* Adding and merging. Everything but the fastest way of adding one number is a merge of two lists of bins: numbers to
 * add become a small sketch first.
 *
 * The bins kept are the QUANTILE_BINS_MAX highest that any number ever fell into, and the lowest of them has the count
 * of all below; that is true of every part, so it is true of their union. */
#include "sketch/quantile.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "sketch/quantile_bytes.h"

#define CHUNK 256 /* numbers that become a small sketch at a time */

/* ---- writing bins ---- */

struct writer {
	uint8_t *head, *at;
	int32_t last;
	unsigned n;
};

static void writer_open(struct writer *w, uint8_t *out)
{
	*w = (struct writer){ .head = out, .at = out + QUANTILE_HEAD };
}

static void writer_put(struct writer *w, int32_t key, uint64_t count)
{
	if (w->n++ == 0)
		w->at = varint_put(w->at, (uint32_t)key << 1 ^ (uint32_t)(key < 0 ? -1 : 0));
	else
		w->at = varint_put(w->at, (uint64_t)(key - w->last - 1));
	w->at = varint_put(w->at, count);
	w->last = key;
}

static size_t writer_end(struct writer *w)
{
	w->head[0] = QUANTILE_VERSION;
	w->head[1] = QUANTILE_ALPHA;
	put_u16(w->head + 2, (uint16_t)w->n);
	return (size_t)(w->at - w->head);
}

/* ---- the union of two lists ---- */

/* The lower of the two bins in hand, or both as one; false at the end. */
static bool take_lower(struct bins *a, struct bins *b, int32_t *key, uint64_t *count)
{
	bool of_a = bins_there(a), of_b = bins_there(b);
	if (of_a && of_b) {
		of_a = a->key <= b->key;
		of_b = b->key <= a->key;
	}
	*count = 0;
	if (of_a) {
		*key = a->key;
		*count = a->count;
	}
	if (of_b) {
		*key = b->key;
		*count = quantile_sum(*count, b->count);
	}
	if (of_a)
		bins_next(a);
	if (of_b)
		bins_next(b);
	return of_a || of_b;
}

/* How many of the lowest bins are too many. */
static unsigned too_many(struct bins a, struct bins b)
{
	unsigned n = 0;
	int32_t key;
	uint64_t count;
	if (a.left + b.left <= QUANTILE_BINS_MAX)
		return 0;
	while (take_lower(&a, &b, &key, &count))
		n++;
	return n > QUANTILE_BINS_MAX ? n - QUANTILE_BINS_MAX : 0;
}

/* Bytes written to out (QUANTILE_ROOM), or -EBADMSG. Neither is empty. */
static int unite(const void *x, size_t x_len, const void *y, size_t y_len, uint8_t *out)
{
	struct bins a, b;
	struct writer w;
	int32_t key = 0;
	uint64_t count, collapsed = 0;
	if (bins_open(&a, x, x_len) != 0 || bins_open(&b, y, y_len) != 0)
		return -EBADMSG;
	unsigned skip = too_many(a, b);
	writer_open(&w, out);
	while (take_lower(&a, &b, &key, &count)) {
		if (skip) {
			collapsed = quantile_sum(collapsed, count);
			skip--;
			continue;
		}
		writer_put(&w, key, quantile_sum(count, collapsed));
		collapsed = 0;
	}
	return a.bad || b.bad ? -EBADMSG : (int)writer_end(&w);
}

static int give(void *buf, size_t *len, size_t cap, const void *from, size_t from_len)
{
	if (from_len > cap)
		return -ENOSPC;
	memmove(buf, from, from_len);
	*len = from_len;
	return 0;
}

int quantile_merge(void *buf, size_t *len, size_t cap, const void *other, size_t other_len)
{
	uint8_t out[QUANTILE_ROOM];
	if (other_len == 0)
		return 0;
	if (*len == 0)
		return quantile_check(other, other_len) == 0 ? give(buf, len, cap, other, other_len) : -EBADMSG;
	int n = unite(buf, *len, other, other_len, out);
	return n < 0 ? n : give(buf, len, cap, out, (size_t)n);
}

/* ---- adding ---- */

static int32_t key_of(double number)
{
	double size = fabs(number);
	if (size < DBL_MIN)
		return 0;
	int32_t key = (int32_t)ceil(log(size) / QUANTILE_LN_G) + QUANTILE_KEY_ONE;
	return number < 0 ? -key : key;
}

/* Counts a number in a bin that is there, if its count keeps its length. 1 = done. */
static int add_in_place(uint8_t *buf, size_t len, int32_t key, uint64_t times)
{
	struct bins b;
	if (len == 0)
		return 0;
	if (bins_open(&b, buf, len) != 0)
		return -EBADMSG;
	while (bins_there(&b) && b.key < key)
		bins_next(&b);
	if (b.bad)
		return -EBADMSG;
	if (b.left == 0 || b.key != key)
		return 0;
	uint64_t count = quantile_sum(b.count, times);
	if (varint_bytes(count) != varint_bytes(b.count))
		return 0;
	varint_put(buf + (b.count_at - buf), count);
	return 1;
}

int quantile_add(void *buf, size_t *len, size_t cap, double number, uint64_t times)
{
	uint8_t one[QUANTILE_HEAD + 12];
	struct writer w;
	if (!isfinite(number))
		return -EINVAL;
	if (times == 0)
		return 0;
	times = times > QUANTILE_COUNT_MAX ? QUANTILE_COUNT_MAX : times;
	int32_t key = key_of(number);
	int rc = add_in_place(buf, *len, key, times);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	writer_open(&w, one);
	writer_put(&w, key, times);
	return quantile_merge(buf, len, cap, one, writer_end(&w));
}

static int by_value(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

/* Bytes of the sketch of at most CHUNK numbers, or -EINVAL. */
static int small_sketch(const double *numbers, size_t n, uint64_t times, uint8_t *out)
{
	int32_t keys[CHUNK];
	struct writer w;
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(numbers[i]))
			return -EINVAL;
		keys[i] = key_of(numbers[i]);
	}
	qsort(keys, n, sizeof *keys, by_value);
	writer_open(&w, out);
	for (size_t i = 0, same; i < n; i += same) {
		for (same = 1; i + same < n && keys[i + same] == keys[i];)
			same++;
		writer_put(&w, keys[i], times > QUANTILE_COUNT_MAX / same ? QUANTILE_COUNT_MAX : times * same);
	}
	return (int)writer_end(&w);
}

static int add_chunk(void *buf, size_t *len, size_t cap, const double *numbers, size_t n, uint64_t times)
{
	uint8_t small[QUANTILE_HEAD + 12 * CHUNK];
	int made = small_sketch(numbers, n, times, small);
	return made < 0 ? made : quantile_merge(buf, len, cap, small, (size_t)made);
}

/* All or nothing: several chunks go into a copy. */
int quantile_add_many(void *buf, size_t *len, size_t cap, const double *numbers, size_t n, uint64_t times)
{
	uint8_t all[QUANTILE_ROOM];
	size_t all_len = *len;
	int rc = 0;
	if (n <= CHUNK || times == 0)
		return n && times ? add_chunk(buf, len, cap, numbers, n, times) : 0;
	if (all_len > sizeof all)
		return -EBADMSG;
	if (all_len)
		memcpy(all, buf, all_len);
	for (size_t at = 0; rc == 0 && at < n; at += CHUNK)
		rc = add_chunk(all, &all_len, sizeof all, numbers + at, n - at < CHUNK ? n - at : CHUNK, times);
	return rc == 0 ? give(buf, len, cap, all, all_len) : rc;
}
