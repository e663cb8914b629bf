/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks. Wall time stamps events and records; monotonic time runs timers.
 * A test replaces both with clock_set_test(); [any thread]. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* UTC microseconds since 1970. */
int64_t clock_wall_us(void);

/* Monotonic microseconds from an arbitrary start. */
int64_t clock_mono_us(void);

/* The same in nanoseconds, for measuring how long a call took. */
int64_t clock_mono_ns(void);

/* Moves the wall clock of a running daemon: from now on the file's text is an offset in microseconds, looked at again
 * every few milliseconds. Written in place, padded with spaces or a newline behind the number. For tests, by the
 * environment: TALLY_FAULT_CLOCK=FILE. Before any other thread runs. 0 or -errno. */
int clock_arm(const char *path);

/* Both clocks stand at these values until set again; wall_us < 0 gives the real clocks back. */
void clock_set_test(int64_t wall_us, int64_t mono_us);

#endif
