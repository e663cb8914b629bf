/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/ring.h"
#include "base/seam.h"
#include "base/table.h"
#include "unit.h"

/* Takes n blocks of 64 bytes, each filled. */
static void fill_blocks(struct arena *a, int n)
{
	for (int i = 0; i < n; i++)
		memset(arena_alloc(a, 64), i, 64);
}

static void arena_recycles_what_the_last_use_took(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 64);
	fill_blocks(&a, 5);
	arena_alloc(&a, 1000);
	arena_recycle(&a);
	assert_int_equal(a.total_bytes, 5 * 64);
	fill_blocks(&a, 5);
	assert_int_equal(a.total_bytes, 5 * 64);
	arena_recycle(&a);
	fill_blocks(&a, 2);
	arena_recycle(&a);
	assert_int_equal(a.total_bytes, 2 * 64);
	fill_blocks(&a, 3);
	arena_reset(&a);
	assert_int_equal(a.total_bytes, 64);
	arena_free(&a);
	assert_int_equal(a.total_bytes, 0);
}

static void arena_keeps_what_it_gave(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 64);
	char *small = arena_copy(&a, "abc", 3);
	char *large = arena_alloc(&a, 1000);
	memset(large, 'x', 1000);
	assert_string_equal(small, "abc");
	assert_int_equal((uintptr_t)large % 16, 0);
	assert_string_equal(arena_printf(&a, "%s-%d", "n", 7), "n-7");
	arena_reset(&a);
	assert_int_equal(a.total_bytes, 64);
	assert_true(a.total_bytes <= 64);
	arena_free(&a);
}

static void crc32c_matches_published_vectors(void **state)
{
	(void)state;
	uint8_t zeros[32] = { 0 }, ones[32];
	memset(ones, 0xff, sizeof ones);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau);
	assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43u);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}

static void siphash_matches_the_papers_vector(void **state)
{
	(void)state;
	uint8_t key[16], msg[15], out[16];
	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (int i = 0; i < 15; i++)
		msg[i] = (uint8_t)i;
	assert_true(hash_keyed64(key, msg, 15) == 0xa129ca6149be45e5u);
	/* first vector of SipHash-2-4-128: the empty message */
	static const uint8_t empty[16] = { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7,
		0x55, 0x02, 0x93 };
	hash_keyed128(key, msg, 0, out);
	assert_memory_equal(out, empty, 16);
}

static void table_finds_places_and_removes(void **state)
{
	(void)state;
	struct table t = { 0 };
	char key[16];
	for (uintptr_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof key, "k%u", (unsigned)i);
		*table_place(&t, str_of(key)) = (void *)i;
	}
	assert_int_equal(t.count, 1000);
	for (uintptr_t i = 2; i <= 1000; i += 2) {
		snprintf(key, sizeof key, "k%u", (unsigned)i);
		assert_ptr_equal(table_remove(&t, str_of(key)), (void *)i);
	}
	for (uintptr_t i = 1; i <= 1000; i++) {
		snprintf(key, sizeof key, "k%u", (unsigned)i);
		assert_ptr_equal(table_get(&t, str_of(key)), i % 2 ? (void *)i : NULL);
	}
	size_t at = 0, seen = 0;
	while (table_next(&t, &at))
		seen++;
	assert_int_equal(seen, 500);
	table_free(&t);
}

#define PUSHERS 3
#define EACH 20000

static struct ring *shared;
static struct gate *door;

static void *push_many(void *arg)
{
	for (uintptr_t i = 1; i <= EACH; i++)
		while (!ring_push(shared, (void *)(i * PUSHERS + (uintptr_t)arg)))
			gate_knock(door);
	gate_knock(door);
	return NULL;
}

static void ring_loses_and_doubles_nothing(void **state)
{
	(void)state;
	pthread_t t[PUSHERS];
	uintptr_t last[PUSHERS] = { 0 };
	size_t got = 0;
	shared = ring_open(64);
	door = gate_open();
	for (uintptr_t i = 0; i < PUSHERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, push_many, (void *)i), 0);
	while (got < (size_t)PUSHERS * EACH) {
		uintptr_t v = (uintptr_t)ring_pop(shared);
		if (!v) {
			gate_wait(door, 1000);
			continue;
		}
		assert_true(v / PUSHERS == last[v % PUSHERS] + 1); /* in order, per pusher */
		last[v % PUSHERS]++;
		got++;
	}
	for (int i = 0; i < PUSHERS; i++)
		pthread_join(t[i], NULL);
	assert_null(ring_pop(shared));
	ring_close(shared);
	gate_close(door);
}

static void seam_fires_on_the_nth_passing(void **state)
{
	(void)state;
	assert_int_equal(seam_arm("spool.sync:2:EIO,spool.write:1+:ENOSPC"), 0);
	assert_int_equal(seam_pass("spool.sync"), 0);
	assert_int_equal(seam_pass("spool.sync"), -EIO);
	assert_int_equal(seam_pass("spool.sync"), 0);
	assert_int_equal(seam_pass("spool.write"), -ENOSPC);
	assert_int_equal(seam_pass("spool.write"), -ENOSPC);
	assert_int_equal(seam_fired("spool.write"), 2);
	assert_int_equal(seam_arm("spool.sync:x:EIO"), -EINVAL);
	assert_int_equal(seam_arm(NULL), 0);
	assert_int_equal(seam_pass("spool.write"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_keeps_what_it_gave),
		cmocka_unit_test(arena_recycles_what_the_last_use_took),
		cmocka_unit_test(crc32c_matches_published_vectors),
		cmocka_unit_test(siphash_matches_the_papers_vector),
		cmocka_unit_test(table_finds_places_and_removes),
		cmocka_unit_test(ring_loses_and_doubles_nothing),
		cmocka_unit_test(seam_fires_on_the_nth_passing),
	};
	return RUN_TESTS("base", tests);
}
