/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of metrics. Rows are fixed at build time; series come into being when their label values are first
 * seen and stay, so that a handle never dies. Finding takes the lock, counting does not. */
#include "meter/meter.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/table.h"
#include "meter/series.h"

#define SERIES_MAX 1000
#define KEY_BYTES 1024

/* clang-format off */
const struct meter_row meter_rows[M_METRICS] = {
	[M_RECEIVED] = { "tally_events_received_total", METER_COUNTER, { "site", "door" }, "Events that reached a door." },
	[M_REFUSED] = { "tally_events_refused_total", METER_COUNTER, { "reason" }, "Events not taken that the sender may send again." },
	[M_REJECTED] = { "tally_events_rejected_total", METER_COUNTER, { "reason" }, "Events not taken because they are not valid." },
	[M_DUPLICATES] = { "tally_events_duplicates_total", METER_COUNTER, { NULL }, "Events already taken under the same id." },
	[M_DROPPED] = { "tally_events_dropped_total", METER_COUNTER, { "plugin", "reason" }, "Events dropped by a plugin." },
	[M_TAKEN] = { "tally_events_taken_total", METER_COUNTER, { "site" }, "Events taken into the spool." },
	[M_SINK_ROWS] = { "tally_sink_rows_total", METER_COUNTER, { "sink" }, "Event rows committed." },
	[M_SINK_RETRIES] = { "tally_sink_retries_total", METER_COUNTER, { "sink", "class" }, "Batches tried again, by class of error." },
	[M_SINK_LAG] = { "tally_sink_lag_seconds", METER_GAUGE, { "sink" }, "Age of the oldest taken event that is not committed." },
	[M_SINK_DEAD] = { "tally_sink_dead_total", METER_COUNTER, { "sink" }, "Events put among the dead letters." },
	[M_SINK_LETTERS] = { "tally_sink_letters_total", METER_COUNTER, { "sink", "what" }, "Dead letters taken out again: replayed or purged." },
	[M_SINK_LOST] = { "tally_sink_lost_total", METER_COUNTER, { "sink", "reason" }, "Events taken that the sink never got, as committed." },
	[M_SINK_RECOVERED] = { "tally_sink_commits_recovered_total", METER_COUNTER, { "sink" }, "Commits without an answer that were found done." },
	[M_SINK_UP] = { "tally_sink_up", METER_GAUGE, { "sink" }, "1 = the store is reached, 0 = its breaker is open." },
	[M_SINK_STATE] = { "tally_sink_state", METER_GAUGE, { "sink", "name" }, "What a sink says of its store by name; semisync: 1 = commits wait for a replica, 0 = it fell back." },
	[M_SPOOL_BYTES] = { "tally_spool_bytes", METER_GAUGE, { NULL }, "Bytes of the spool in use." },
	[M_SPOOL_OLDEST] = { "tally_spool_oldest_seconds", METER_GAUGE, { NULL }, "Age of the oldest record that a sink still needs." },
	[M_SPOOL_SYNC] = { "tally_spool_sync_seconds", METER_HISTOGRAM, { NULL }, "Duration of spool syncs." },
	[M_LEVEL] = { "tally_level", METER_GAUGE, { NULL }, "Degradation level, 0 (none) to 6." },
	[M_LEDGER_BALANCE] = { "tally_ledger_balance", METER_GAUGE, { NULL }, "Events received less events accounted for; not 0 is a defect." },
	[M_REDIS_LENGTH] = { "tally_redis_list_length", METER_GAUGE, { "list" }, "Elements waiting in a Redis list." },
	[M_REDIS_MOVED] = { "tally_redis_moved_total", METER_COUNTER, { "list" },
		"Batches given up because somebody else pushed or popped at the end that is read." },
	[M_REDIS_TRIMMED] = { "tally_redis_trimmed_total", METER_COUNTER, { "list" },
		"Elements that a Redis that went back had again; they were taken already." },
	[M_REDIS_EVENTS] = { "tally_redis_events_total", METER_COUNTER, { "list" }, "Events read from a Redis list." },
	[M_PLUGIN_SECONDS] = { "tally_plugin_seconds", METER_HISTOGRAM, { "plugin", "hook" }, "Time spent in hooks of plugins." },
	[M_PLUGIN_COUNT] = { "tally_plugin_count_total", METER_COUNTER, { "plugin", "name" }, "What plugins count by themselves." },
	[M_HTTP_REQUESTS] = { "tally_http_requests_total", METER_COUNTER, { "status" }, "HTTP answers by status." },
	[M_HTTP_CONNECTIONS] = { "tally_http_connections", METER_GAUGE, { NULL }, "HTTP connections open." },
	[M_QUERY_SECONDS] = { "tally_query_seconds", METER_HISTOGRAM, { NULL }, "Duration of statistics queries." },
	[M_QUERIES] = { "tally_queries_total", METER_COUNTER, { "source" }, "Statistics queries by where the answer came from." },
	[M_LOOKUP_ROWS] = { "tally_lookup_rows", METER_GAUGE, { "lookup" }, "Rows of a lookup in memory." },
	[M_LOOKUP_BYTES] = { "tally_lookup_bytes", METER_GAUGE, { "lookup" }, "Memory that they take." },
	[M_LOOKUP_AGE] = { "tally_lookup_age_seconds", METER_GAUGE, { "lookup" }, "Time since its store last said that they are what it has." },
	[M_LOOKUP_REFRESHES] = { "tally_lookup_refreshes_total", METER_COUNTER, { "lookup", "result" },
		"Readings of a lookup: loaded, unchanged (its version is that of before), refused (too much, or no such column) or failed." },
	[M_LOOKUP_ASKED] = { "tally_lookup_asked_total", METER_COUNTER, { "lookup", "result" },
		"Joins asked of a lookup: found, missing (no such key, or null), unread (no rows yet), no_column." },
	[M_READER_READS] = { "tally_reader_reads_total", METER_COUNTER, { "reader" }, "Snapshots read, by server." },
	[M_READER_LAG] = { "tally_reader_lag_seconds", METER_GAUGE, { "reader" }, "Age of the oldest commit that a replica had not yet, at most, when it was last looked at." },
	[M_READER_UP] = { "tally_reader_up", METER_GAUGE, { "reader" }, "1 = this replica is read from." },
	[M_READER_PASSED] = { "tally_reader_passed_over_total", METER_COUNTER, { "reader", "reason" }, "Questions that did not go to this replica, or not to the end, by why not." },
};
/* clang-format on */

const int64_t meter_bounds_ns[METER_BOUNDS] = { 1000, 10000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
	10000000, 25000000, 50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000,
	10000000000 };

struct family {
	struct table by_labels; /* key: see key_of */
	struct meter_series *first, *last, *other;
};

static struct family families[M_METRICS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* [u16 length | bytes] per label, cut where the room ends: absurdly long values then share a series. */
static struct tally_str key_of(const struct tally_str labels[METER_LABELS], char room[KEY_BYTES])
{
	const size_t most = KEY_BYTES / METER_LABELS - 2;
	size_t at = 0;
	for (int i = 0; i < METER_LABELS; i++) {
		size_t n = labels[i].len < most ? labels[i].len : most;
		room[at++] = (char)(n >> 8);
		room[at++] = (char)n;
		if (n)
			memcpy(room + at, labels[i].ptr, n);
		at += n;
	}
	return str_make(room, at);
}

static void *zalloc(size_t bytes)
{
	void *p = memory_zalloc(1, bytes);
	MUST(p != NULL);
	return p;
}

static struct tally_str keep(struct tally_str s)
{
	char *copy = zalloc(s.len + 1);
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	return str_make(copy, s.len);
}

static struct meter_series *make(enum meter_metric m, const struct tally_str labels[METER_LABELS])
{
	struct family *f = &families[m];
	struct meter_series *s = zalloc(sizeof *s);
	s->type = meter_rows[m].type;
	if (s->type == METER_HISTOGRAM)
		s->histogram = zalloc(sizeof *s->histogram);
	for (int i = 0; i < METER_LABELS && meter_rows[m].labels[i]; i++)
		s->labels[i] = keep(labels[i]);
	*(f->last ? &f->last->next : &f->first) = s;
	f->last = s;
	return s;
}

static struct meter_series *get_locked(enum meter_metric m, const struct tally_str labels[METER_LABELS])
{
	struct family *f = &families[m];
	char room[KEY_BYTES];
	struct tally_str key = key_of(labels, room);
	struct meter_series *s = table_get(&f->by_labels, key);
	if (s)
		return s;
	if (f->by_labels.count < SERIES_MAX) {
		s = make(m, labels);
		*table_place(&f->by_labels, key) = s;
		return s;
	}
	if (!f->other)
		f->other = make(m, (struct tally_str[]){ STR("other"), STR("other"), STR("other") });
	return f->other;
}

struct meter_series *meter_get(enum meter_metric m, struct tally_str l1, struct tally_str l2, struct tally_str l3)
{
	MUST(m >= 0 && m < M_METRICS);
	const struct tally_str labels[METER_LABELS] = { l1, l2, l3 };
	pthread_mutex_lock(&lock);
	struct meter_series *s = get_locked(m, labels);
	pthread_mutex_unlock(&lock);
	return s;
}

void meter_each(enum meter_metric m, void (*fn)(const struct meter_series *s, void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	for (const struct meter_series *s = families[m].first; s; s = s->next)
		fn(s, arg);
	pthread_mutex_unlock(&lock);
}

static uint64_t bits_of(double d)
{
	uint64_t u;
	memcpy(&u, &d, sizeof u);
	return u;
}

static double double_of(uint64_t u)
{
	double d;
	memcpy(&d, &u, sizeof d);
	return d;
}

static void gauge_add(struct meter_series *s, int64_t by)
{
	uint64_t was = atomic_load_explicit(&s->gauge, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&s->gauge, &was, bits_of(double_of(was) + (double)by), memory_order_relaxed, memory_order_relaxed))
		;
}

void meter_add(struct meter_series *s, int64_t by)
{
	MUST(s->type != METER_HISTOGRAM);
	if (s->type == METER_GAUGE)
		gauge_add(s, by);
	else
		atomic_fetch_add_explicit(&s->count, by, memory_order_relaxed);
}

void meter_set(struct meter_series *s, double value)
{
	MUST(s->type == METER_GAUGE);
	atomic_store_explicit(&s->gauge, bits_of(value), memory_order_relaxed);
}

double meter_gauge(const struct meter_series *s)
{
	return double_of(atomic_load_explicit(&s->gauge, memory_order_relaxed));
}

void meter_observe(struct meter_series *s, double seconds)
{
	MUST(s->type == METER_HISTOGRAM);
	double clamped = seconds > 0 ? fmin(seconds, 1e6) : 0; /* NaN becomes 0 */
	int64_t ns = (int64_t)(clamped * 1e9 + 0.5);
	int i = 0;
	while (i < METER_BOUNDS && ns > meter_bounds_ns[i])
		i++;
	atomic_fetch_add_explicit(&s->histogram->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->histogram->sum_ns, ns, memory_order_relaxed);
}

int64_t meter_value(const struct meter_series *s)
{
	if (s->type == METER_GAUGE)
		return (int64_t)meter_gauge(s);
	if (s->type == METER_COUNTER)
		return atomic_load_explicit(&s->count, memory_order_relaxed);
	int64_t n = 0;
	for (int i = 0; i <= METER_BOUNDS; i++)
		n += atomic_load_explicit(&s->histogram->buckets[i], memory_order_relaxed);
	return n;
}
