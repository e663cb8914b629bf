/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDv7 (RFC 9562 §5.7, method 1 of §6.2):
 *
 *     48 bits milliseconds | 7 | 12 bits counter | 10 | 62 bits random
 *
 * A system call for each id would cost more than the rest of reading an event, so each thread draws random bytes by the
 * kilobyte. The 62 random bits make ids of different threads and nodes distinct; the clock with its counter only rises,
 * so ids of one thread sort by the order in which they were made, also when the wall clock steps back. */
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

static char *put_hex(char *out, uint64_t bits, int digits)
{
	static const char hex[] = "0123456789abcdef";
	for (int i = digits - 1; i >= 0; i--) {
		out[i] = hex[bits & 15];
		bits >>= 4;
	}
	return out + digits;
}

void event_make_id(int64_t now_us, char out[UUID_TEXT])
{
	struct id_state *s = &state;
	advance(s, now_us);
	uint64_t random = draw(s);
	char *p = put_hex(out, s->millis >> 16, 8);
	*p++ = '-';
	p = put_hex(p, s->millis & 0xffff, 4);
	*p++ = '-';
	p = put_hex(p, 0x7000 | s->counter, 4);
	*p++ = '-';
	p = put_hex(p, 0x8000 | (random >> 48 & 0x3fff), 4);
	*p++ = '-';
	put_hex(p, random, 12);
}
