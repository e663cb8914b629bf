/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of a running daemon on one spool: the appender (who also trims), the syncer, the helper that prepares
 * segments, two readers. Run it under --enable-sanitizers=thread. Nothing here waits for luck: each thread goes on until
 * it has seen its part. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/ring.h"
#include "spool_kit.h"

#define GROUPS 4000
#define EACH 3

static struct kit k;
static struct gate *written_gate;
static _Atomic uint64_t written;
static _Atomic bool over;
static _Atomic uint64_t reader_at[2];
static _Atomic unsigned durable_calls;

static void on_durable(void *arg)
{
	(void)arg;
	atomic_fetch_add(&durable_calls, 1);
}

static void *sync_all(void *arg)
{
	(void)arg;
	while (!atomic_load(&over) || spool_durable(k.sp) < atomic_load(&written)) {
		gate_wait(written_gate, 1000);
		MUST(spool_sync(k.sp, atomic_load(&written)) == 0);
	}
	return NULL;
}

/* Each payload is its own number, then filler that follows from it. */
static void make_payload(uint8_t *p, uint32_t n, size_t len)
{
	put_u32(p, n);
	memset(p + 4, (int)(n & 0xff), len - 4);
}

static size_t length_of(uint32_t n)
{
	return 8 + n * 37 % 500;
}

static void check_payload(const struct spool_record *rec, uint32_t n)
{
	uint8_t want[600];
	make_payload(want, n, length_of(n));
	MUST(rec->len == length_of(n));
	MUST(memcmp(rec->payload, want, rec->len) == 0);
}

static void *read_all(void *arg)
{
	size_t me = (size_t)(uintptr_t)arg;
	struct spool_reader *r = spool_reader_open(k.sp);
	struct spool_record rec;
	spool_reader_hold(r, 0);
	MUST(spool_reader_seek(r, KIT_OLDEST) == 0);
	for (uint32_t n = 0; n < GROUPS * EACH;) {
		int rc = spool_reader_next(r, &rec);
		MUST(rc >= 0);
		if (rc == 0) {
			sched_yield();
			continue;
		}
		if (rec.type == SPOOL_CHECKPOINT)
			continue;
		check_payload(&rec, n++);
		if (n % 64 == 0) {
			spool_reader_hold(r, rec.lsn);
			MUST(spool_reader_at(r, rec.lsn, &rec) == 0);
			atomic_store(&reader_at[me], rec.end);
		}
		if (n % 400 == 0) /* as a line that starts again at its position */
			MUST(spool_reader_seek(r, (struct tally_position){ rec.end, rec.mark }) == 0);
	}
	atomic_store(&reader_at[me], UINT64_MAX);
	spool_reader_close(r);
	return NULL;
}

static void append_one(uint32_t n)
{
	uint8_t buf[600];
	struct spool_record rec;
	struct iovec iov = { buf, length_of(n) };
	make_payload(buf, n, iov.iov_len);
	spool_append(k.sp, SPOOL_EVENTS, n, &iov, 1, &rec);
	if (n % EACH == EACH - 1) {
		MUST(spool_write(k.sp) == 0);
		atomic_store(&written, rec.end);
		gate_knock(written_gate);
	}
}

static uint64_t slowest(void)
{
	uint64_t a = atomic_load(&reader_at[0]), b = atomic_load(&reader_at[1]);
	return a < b ? a : b;
}

static void make_room(void)
{
	struct spool_stats st;
	while (spool_reserve(k.sp, EACH * 508, EACH) < 0) {
		spool_trim(k.sp, slowest(), 0);
		spool_stats(k.sp, &st);
		MUST(st.bytes <= k.opt.max_bytes);
		sched_yield();
	}
}

static void all_threads_get_along(void **state)
{
	(void)state;
	pthread_t syncer, reader[2];
	kit_setup(&k, "threads");
	k.opt.no_helper = false;
	k.opt.max_bytes = 6 * KIT_SEGMENT;
	kit_open(&k);
	spool_on_durable(k.sp, on_durable, NULL);
	written_gate = gate_open();
	assert_int_equal(pthread_create(&syncer, NULL, sync_all, NULL), 0);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&reader[i], NULL, read_all, (void *)i), 0);
	for (uint32_t n = 0; n < GROUPS * EACH; n++) {
		if (n % EACH == 0)
			make_room();
		append_one(n);
	}
	atomic_store(&over, true);
	gate_knock(written_gate);
	for (int i = 0; i < 2; i++)
		pthread_join(reader[i], NULL);
	pthread_join(syncer, NULL);
	gate_close(written_gate);
	assert_true(atomic_load(&durable_calls) > 0);
	assert_true(spool_durable(k.sp) == atomic_load(&written));
	kit_teardown(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_threads_get_along),
	};
	return RUN_TESTS("spool_threads", tests);
}
