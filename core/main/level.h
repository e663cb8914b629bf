/* SPDX-License-Identifier: Apache-2.0 */
/* The degradation level: one owner (the main thread), sampled every 250 ms from the signals, with hysteresis. */
#ifndef MAIN_LEVEL_H
#define MAIN_LEVEL_H

#include <stdint.h>

#include "ledger/ledger.h"

#define LEVEL_EVERY_MS 250

/* Samples the signals and moves the level. Up: after two samples in a row, by any jump. Down: one step in 10 s. */
void level_sample(struct ledger *ledger, int64_t now_us);

#endif
