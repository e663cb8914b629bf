/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded ring of pointers: many threads push, one pops. The only thing that crosses stations.
 * (Vyukov's bounded queue: a sequence number per slot, no lock.)
 *
 * A full ring refuses the push; the giver keeps what it holds and tries again or pushes back on its own source. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct ring;

/* slots: a power of two. Never NULL. */
struct ring *ring_open(size_t slots);

/* The ring must be empty or hold only what its owner frees elsewhere. */
void ring_close(struct ring *r);

/* [any thread] false = full. */
must_check bool ring_push(struct ring *r, void *item);

/* [the one consumer] NULL = empty. */
void *ring_pop(struct ring *r);

/* [any thread] how many wait, as seen a moment ago. */
size_t ring_depth(const struct ring *r);

/* A place where one thread sleeps until somebody knocks. A knock before the sleep is not lost. */
struct gate;

struct gate *gate_open(void);
void gate_close(struct gate *g);

/* [any thread] */
void gate_knock(struct gate *g);

/* [the one sleeper] Returns at a knock or after timeout_us (negative = no limit; 0 = only takes a pending knock).
 * True = knocked. */
bool gate_wait(struct gate *g, int64_t timeout_us);

#endif
