/* SPDX-License-Identifier: Apache-2.0 */
/* core/door/redis_head.c: what is written is read, the form of 0.1.0 too, and no cut or changed head is read past its end. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "door/redis_inner.h"

#define ID "0123456789abcdef0123456789abcdef"

static char first[] = "first", empty[] = "";
static struct conf_source source = { .list = "tally:events", .right = true };

static struct tally_str write_head(struct redis_source *s)
{
	static redisReply a = { .type = REDIS_REPLY_STRING, .str = first, .len = 5 };
	static redisReply b = { .type = REDIS_REPLY_STRING, .str = empty, .len = 0 };
	static redisReply *both[] = { &a, &b };
	static redisReply list = { .type = REDIS_REPLY_ARRAY, .elements = 2, .element = both };
	static struct ledger_rejected rejected[] = { { { 0 }, "invalid_time" }, { { 0 }, "no_events" } };
	struct redis_batch batch = { .id = ID, .elements = &list, .n = 2, .rejected = rejected, .nrejected = 2 };
	s->opt.source = &source;
	strcpy(s->token, "node/1");
	return redis_head_write(s, &batch);
}

static void test_written_and_read(void **state)
{
	(void)state;
	struct redis_source s = { 0 };
	struct redis_head h;
	arena_init(&s.arena, 0);
	assert_true(redis_head_read(write_head(&s), &h));
	assert_true(str_eq(h.list, str_of("tally:events")));
	assert_string_equal(h.id, ID);
	assert_true(h.right);
	assert_int_equal(h.n, 2);
	assert_int_equal(get_u64(h.hashes), redis_hash(&(redisReply){ .str = first, .len = 5 }));
	assert_true(str_eq(h.rejected, str_of("\x0cinvalid_time\x09no_events")));
	arena_free(&s.arena);
}

static void test_the_form_of_0_1_0(void **state)
{
	(void)state;
	char p[4 + 2 + 1 + 32 + 4 + 8] = { 1 };
	struct redis_head h;
	put_u16(p + 4, 1);
	p[6] = 'k';
	memcpy(p + 7, ID, 32);
	put_u32(p + 39, 1);
	put_u64(p + 43, 77);
	assert_true(redis_head_read(str_make(p, sizeof p), &h));
	assert_string_equal(h.id, ID);
	assert_true(h.n == 1 && get_u64(h.hashes) == 77 && !h.right && h.rejected.len == 0);
}

/* Copied to the end of its own allocation, so that a sanitizer sees a step too far. */
static bool read_copy(struct tally_str head, size_t n, size_t flip, int with)
{
	struct redis_head h;
	char *p = malloc(n + !n);
	assert_non_null(p);
	memcpy(p, head.ptr, n);
	if (flip < n)
		p[flip] = (char)(p[flip] ^ with);
	bool good = redis_head_read(str_make(p, n), &h);
	if (good)
		assert_true(h.hashes + 8 * h.n <= p + n && h.rejected.len <= n && h.list.len <= n);
	free(p);
	return good;
}

static void test_cut_and_changed(void **state)
{
	(void)state;
	struct redis_source s = { 0 };
	arena_init(&s.arena, 0);
	struct tally_str head = write_head(&s);
	for (size_t n = 0; n < head.len; n++)
		assert_false(read_copy(head, n, n, 0));
	for (size_t i = 0; i < head.len; i++)
		for (int with = 1; with < 256; with++)
			(void)read_copy(head, head.len, i, with);
	assert_false(read_copy(head, head.len, 0, 1)); /* version 3 */
	arena_free(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_the_form_of_0_1_0),
		cmocka_unit_test(test_cut_and_changed),
	};
	return RUN_TESTS("redis_head", tests);
}
