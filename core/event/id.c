/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDv7 (RFC 9562 §5.7, method 1 of §6.2):
 *
 *     48 bits milliseconds | 7 | 12 bits counter | 10 | 62 bits random
 *
 * A system call for each id would cost more than the rest of reading an event, so each thread draws random bytes by the
 * kilobyte. The 62 random bits make ids of different threads and nodes distinct; the clock with its counter only rises,
 * so ids of one thread sort by the order in which they were made, also when the wall clock steps back. */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#include "event/event_inner.h"

#define POOL 2048
#define EACH 8
#define COUNTER_MAX 0xfff

struct id_state {
	uint64_t millis; /* of the last id */
	uint32_t counter;
	size_t left; /* random bytes not used yet */
	unsigned char pool[POOL];
};

static _Thread_local struct id_state state;

/* A forked child must not hand out its parent's bytes again. Only the forking thread lives on in the child. */
static void forget_pool(void)
{
	state.left = 0;
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void watch_fork(void)
{
	MUST(pthread_atfork(NULL, NULL, forget_pool) == 0);
}

static void refill(struct id_state *s)
{
	size_t got = 0;
	MUST(pthread_once(&fork_once, watch_fork) == 0);
	while (got < POOL) {
		ssize_t n = getrandom(s->pool + got, POOL - got, 0);
		MUST(n > 0 || errno == EINTR);
		got += n > 0 ? (size_t)n : 0;
	}
	s->left = POOL;
}

static uint64_t draw(struct id_state *s)
{
	uint64_t bits;
	if (s->left < EACH)
		refill(s);
	s->left -= EACH;
	memcpy(&bits, s->pool + s->left, EACH);
	memset(s->pool + s->left, 0, EACH);
	return bits;
}

/* Time and counter rise as one number; a full counter borrows the next millisecond. */
static void advance(struct id_state *s, int64_t now_us)
{
	uint64_t millis = now_us > 0 ? (uint64_t)now_us / 1000 : 0;
	if (millis > s->millis) {
		s->millis = millis;
		s->counter = 0;
	} else if (s->counter < COUNTER_MAX) {
		s->counter++;
	} else {
		s->millis++;
		s->counter = 0;
	}
}

/* Eight hex digits at once: the nibbles are spread over the bytes of a word, and those above 9 go on to the letters. */
static void put_hex8(char *out, uint32_t bits)
{
	uint64_t x = bits, letters;
	x = (x << 16 | x) & UINT64_C(0x0000ffff0000ffff);
	x = (x << 8 | x) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x << 4 | x) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	letters = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
	x += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
	x = htobe64(x);
	memcpy(out, &x, sizeof x);
}

/*  tttttttt-tttt-7ccc-vrrr-rrrrrrrrrrrr  from two words of 64 bits  */
static void put_text(char out[UUID_TEXT], uint64_t high, uint64_t low)
{
	char hex[32];
	put_hex8(hex, (uint32_t)(high >> 32));
	put_hex8(hex + 8, (uint32_t)high);
	put_hex8(hex + 16, (uint32_t)(low >> 32));
	put_hex8(hex + 24, (uint32_t)low);
	memcpy(out, hex, 8);
	out[8] = '-';
	memcpy(out + 9, hex + 8, 4);
	out[13] = '-';
	memcpy(out + 14, hex + 12, 4);
	out[18] = '-';
	memcpy(out + 19, hex + 16, 4);
	out[23] = '-';
	memcpy(out + 24, hex + 20, 12);
}

void event_make_id(int64_t now_us, char out[UUID_TEXT])
{
	struct id_state *s = &state;
	advance(s, now_us);
	put_text(out, s->millis << 16 | 0x7000 | s->counter, draw(s) >> 2 | UINT64_C(1) << 63);
}
