/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"

struct slot {
	_Atomic size_t seq; /* == position: free for the push at that position; == position + 1: filled */
	void *item;
};

struct ring {
	_Alignas(64) _Atomic size_t head; /* next position to push */
	_Alignas(64) _Atomic size_t tail; /* next position to pop; written by the consumer only */
	size_t mask;
	struct slot slots[];
};

struct ring *ring_open(size_t slots)
{
	MUST(slots >= 2 && (slots & (slots - 1)) == 0);
	size_t bytes = sizeof(struct ring) + slots * sizeof(struct slot);
	struct ring *r = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	MUST(r != NULL);
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
	r->mask = slots - 1;
	for (size_t i = 0; i < slots; i++) {
		atomic_init(&r->slots[i].seq, i);
		r->slots[i].item = NULL;
	}
	return r;
}

void ring_close(struct ring *r)
{
	free(r);
}

bool ring_push(struct ring *r, void *item)
{
	size_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
	for (;;) {
		struct slot *s = &r->slots[at & r->mask];
		size_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);
		if (seq == at) {
			if (atomic_compare_exchange_weak_explicit(
				    &r->head, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
				s->item = item;
				atomic_store_explicit(&s->seq, at + 1, memory_order_release);
				return true;
			}
		} else if (seq < at) {
			return false;
		} else {
			at = atomic_load_explicit(&r->head, memory_order_relaxed);
		}
	}
}

void *ring_pop(struct ring *r)
{
	size_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);
	struct slot *s = &r->slots[at & r->mask];
	if (atomic_load_explicit(&s->seq, memory_order_acquire) != at + 1)
		return NULL;
	void *item = s->item;
	atomic_store_explicit(&s->seq, at + r->mask + 1, memory_order_release);
	atomic_store_explicit(&r->tail, at + 1, memory_order_relaxed);
	return item;
}

size_t ring_depth(const struct ring *r)
{
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	return head > tail ? head - tail : 0;
}

/* ---- gate ---- */

enum gate_state { GATE_IDLE, GATE_KNOCKED, GATE_ASLEEP };

/* Who knocks at ASLEEP posts `wake`, once; so a sleep costs one system call on either side. */
struct gate {
	_Atomic int state;
	sem_t wake;
};

struct gate *gate_open(void)
{
	struct gate *g = memory_zalloc(1, sizeof *g);
	MUST(g != NULL);
	MUST(sem_init(&g->wake, 0, 0) == 0);
	return g;
}

void gate_close(struct gate *g)
{
	if (!g)
		return;
	sem_destroy(&g->wake);
	free(g);
}

void gate_knock(struct gate *g)
{
	if (atomic_exchange(&g->state, GATE_KNOCKED) == GATE_ASLEEP)
		MUST(sem_post(&g->wake) == 0);
}

static struct timespec deadline_after(int64_t us)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += us / 1000000;
	ts.tv_nsec += us % 1000000 * 1000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

/* Whether somebody woke us; NULL = no limit. */
static bool sleep_until(struct gate *g, const struct timespec *until)
{
	int rc;
	do
		rc = until ? sem_clockwait(&g->wake, CLOCK_MONOTONIC, until) : sem_wait(&g->wake);
	while (rc && errno == EINTR);
	return rc == 0;
}

bool gate_wait(struct gate *g, int64_t timeout_us)
{
	int idle = GATE_IDLE;
	if (timeout_us == 0 || !atomic_compare_exchange_strong(&g->state, &idle, GATE_ASLEEP))
		return atomic_exchange(&g->state, GATE_IDLE) == GATE_KNOCKED;
	struct timespec until = deadline_after(timeout_us > 0 ? timeout_us : 0);
	bool woken = sleep_until(g, timeout_us > 0 ? &until : NULL);
	if (atomic_exchange(&g->state, GATE_IDLE) == GATE_ASLEEP)
		return false;
	if (!woken) /* a knock just when the time was out: its post belongs to this sleep */
		sleep_until(g, NULL);
	return true;
}
