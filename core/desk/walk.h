/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about what each visitor did one after the other: funnels and retention. The raw events of the range are read
 * once, in order of time (of equal times in the order in which they were taken: node, lsn, idx), and a small state is kept
 * for every visitor met. Events without a visitor take no part. */
#ifndef DESK_WALK_H
#define DESK_WALK_H

#include "desk/shape.h"

struct walk_result {
	int64_t reached[QUERY_STEPS_MAX]; /* funnel: visitors who came to that step */
	const int64_t *cells; /* retention: [cohort * periods + periods later]; [cohort * periods] = all of it */
	size_t periods;
};

/* The plan: one piece of raw events, and for retention the axis of its periods. 0, or -EINVAL with err: 422 if raw events
 * do not reach back so far, 400 for too many periods. */
must_check int walk_plan(
	const struct query *q, const struct plan_store *st, struct arena *a, struct plan *out, struct query_error *err);

/* 0 or -errno with err. r is opened here; groups_close() is the caller's in both cases. */
must_check int walk_run(struct run *r, const struct query *q, const struct plan *plan, struct store_reader *reader,
	struct arena *a, struct walk_result *out, struct query_error *err);

/* The whole answer in the format asked for. */
struct tally_str walk_shape(const struct shape_input *in, const struct walk_result *res, struct arena *a);

/* ---- the two kinds; step[i] says whether the event in hand is one of that step ---- */

/* start[k]: when the chain that came to step k and began last did begin, WALK_NEVER = none did. Of all chains that one
 * has the most of the window left, so nothing else need be remembered. */
#define WALK_NEVER INT64_MIN

void funnel_begin(int64_t *start, size_t nsteps);
void funnel_take(int64_t *start, size_t nsteps, int64_t window_us, int64_t time_us, const bool *step,
	int64_t reached[QUERY_STEPS_MAX]);

struct retention_state {
	int32_t cohort, last; /* periods; cohort -1 = none yet */
};

void retention_take(struct retention_state *s, size_t periods, size_t period, const bool *step, int64_t *cells);

#endif
