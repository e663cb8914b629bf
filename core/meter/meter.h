/* SPDX-License-Identifier: Apache-2.0 */
/* Counters by table, printed as Prometheus text; and the terms of the ledger.
 *
 * A metric is one row of the table in meter.c: name, type, help, label names. A series is a metric with label values;
 * its handle is found once and kept; adding to it is one relaxed atomic. [any thread] */
#ifndef METER_METER_H
#define METER_METER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

enum meter_metric {
	M_RECEIVED,
	M_REFUSED,
	M_REJECTED,
	M_DUPLICATES,
	M_DROPPED,
	M_TAKEN,
	M_SINK_ROWS,
	M_SINK_RETRIES,
	M_SINK_LAG,
	M_SINK_DEAD,
	M_SINK_LETTERS,
	M_SINK_LOST,
	M_SINK_RECOVERED,
	M_SINK_UP,
	M_SINK_STATE,
	M_SPOOL_BYTES,
	M_SPOOL_OLDEST,
	M_SPOOL_SYNC,
	M_LEVEL,
	M_LEDGER_BALANCE,
	M_REDIS_LENGTH,
	M_REDIS_EVENTS,
	M_REDIS_MOVED,
	M_REDIS_TRIMMED,
	M_PLUGIN_SECONDS,
	M_PLUGIN_COUNT,
	M_HTTP_REQUESTS,
	M_HTTP_CONNECTIONS,
	M_QUERY_SECONDS,
	M_QUERIES,
	M_LOOKUP_ROWS,
	M_LOOKUP_BYTES,
	M_LOOKUP_AGE,
	M_LOOKUP_REFRESHES,
	M_LOOKUP_ASKED,
	M_READER_READS,
	M_READER_LAG,
	M_READER_UP,
	M_READER_PASSED,
	M_METRICS
};

struct meter_series;

/* The series with these label values, made at 0 if new (at most 3 labels, unused ones empty). Never NULL: past 1000
 * series of a metric the rest share one labelled "other". */
struct meter_series *meter_get(enum meter_metric m, struct tally_str l1, struct tally_str l2, struct tally_str l3);

void meter_add(struct meter_series *s, int64_t by);         /* counters and gauges */
void meter_set(struct meter_series *s, double value);       /* gauges */
void meter_observe(struct meter_series *s, double seconds); /* histograms */
int64_t meter_value(const struct meter_series *s);          /* of a histogram: how many were observed */

/* fn is called before every print, on the printing thread, to set gauges; at most 32 are kept. It must not print or
 * call these two. After meter_off_print() it is not called any more. */
void meter_on_print(void (*fn)(void *arg), void *arg);
void meter_off_print(void (*fn)(void *arg), void *arg);

/* The whole of /metrics. */
struct tally_str meter_print(struct arena *a);

/* The degradation level 0..6 and the signals behind it (enum tally_signal), 0..1. */
int meter_level(void);
void meter_level_set(int level);
double meter_signal(enum tally_signal which);
void meter_signal_set(enum tally_signal which, double share);

#endif
