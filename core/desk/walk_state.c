/* SPDX-License-Identifier: Apache-2.0 */
/* What an event does to a visitor's way through a funnel, and to a visitor's place in a table of retention. */
#include "desk/walk.h"

void funnel_begin(int64_t *start, size_t nsteps)
{
	for (size_t k = 0; k < nsteps; k++)
		start[k] = WALK_NEVER;
}

/* From the last step down, so that one event is never two steps of a chain. */
void funnel_take(int64_t *start, size_t nsteps, int64_t window_us, int64_t time_us, const bool *step,
	int64_t reached[QUERY_STEPS_MAX])
{
	for (size_t k = nsteps; k-- > 0;) {
		int64_t began = k ? start[k - 1] : time_us;
		if (!step[k] || began == WALK_NEVER || (window_us && time_us - began > window_us))
			continue;
		reached[k] += start[k] == WALK_NEVER;
		if (began > start[k])
			start[k] = began;
	}
}

void retention_take(struct retention_state *s, size_t periods, size_t period, const bool *step, int64_t *cells)
{
	if (s->cohort < 0 && step[0]) {
		s->cohort = s->last = (int32_t)period;
		cells[period * periods]++;
	} else if (s->cohort >= 0 && step[1] && (int32_t)period > s->last) {
		s->last = (int32_t)period;
		cells[(size_t)s->cohort * periods + period - (size_t)s->cohort]++;
	}
}
