/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry (meter.c) and the printer (print.c) share. Nobody else includes this. */
#ifndef METER_SERIES_H
#define METER_SERIES_H

#include "meter/meter.h"

#define METER_LABELS 3

enum meter_type { METER_COUNTER, METER_GAUGE, METER_HISTOGRAM };

struct meter_row {
	const char *name;
	enum meter_type type;
	const char *labels[METER_LABELS]; /* NULL behind the last */
	const char *help;
};

extern const struct meter_row meter_rows[M_METRICS];

/* Upper bounds of the histogram buckets in nanoseconds, ascending; one more bucket has no bound. */
#define METER_BOUNDS 18
extern const int64_t meter_bounds_ns[METER_BOUNDS];

struct meter_histogram {
	_Atomic int64_t buckets[METER_BOUNDS + 1]; /* not cumulative */
	_Atomic int64_t sum_ns;
};

/* Lives as long as the process: handles are kept by whoever found them. */
struct meter_series {
	enum meter_type type;
	struct tally_str labels[METER_LABELS];
	_Atomic int64_t count;             /* counters */
	_Atomic uint64_t gauge;            /* gauges: the bits of a double */
	struct meter_histogram *histogram; /* histograms, else NULL */
	struct meter_series *next;         /* of the same metric, in the order they were made */
};

/* fn for every series of m, under the registry's lock. */
void meter_each(enum meter_metric m, void (*fn)(const struct meter_series *s, void *arg), void *arg);

double meter_gauge(const struct meter_series *s);

#endif
