/* SPDX-License-Identifier: Apache-2.0 */
/* What others learn of a ship: its statistics, its series, its lines in the log. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "ship/inner.h"

static const char *const class_names[TALLY_SINK_CLASSES] = { "ok", "retry", "reconnect", "bad_row", "stop", "full",
	"moved" };

/* The same news is logged once; a line in between says that it is over. */
static void log_failure(struct ship *s, int rc)
{
	const struct ship_failure *f = &s->in->failure;
	if (s->logged_rc == rc && s->logged_code == f->code)
		return;
	s->logged_rc = rc;
	s->logged_code = f->code;
	enum log_level level = rc == TALLY_SINK_STOP || rc == TALLY_SINK_FULL ? LOG_ERROR : LOG_WARN;
	log_line(level, s->in->room, "%s: %s%s", class_names[rc], *f->message ? f->message : "the sink gave no reason",
		rc == TALLY_SINK_STOP ? " (events stay in the spool; it is tried again)" : "");
}

/* A refused row is no failure of the store. */
void news_failure(struct ship *s, int rc)
{
	s->failures += rc != TALLY_SINK_BAD_ROW;
	meter_add(s->retries[rc], 1);
	bool connected = rc == TALLY_SINK_RETRY || rc == TALLY_SINK_BAD_ROW || rc == TALLY_SINK_MOVED;
	if (!connected)
		meter_set(s->up, 0);
	log_failure(s, rc);
	pthread_mutex_lock(&s->stats_lock);
	struct ship_stats *st = &s->stats;
	st->retries[rc]++;
	if (!connected && st->connected)
		st->reconnects++;
	st->connected = connected && st->connected;
	st->breaker_open = s->failures >= s->pace.breaker_after;
	st->stopped = rc == TALLY_SINK_STOP || rc == TALLY_SINK_FULL;
	st->last_error_us = clock_wall_us();
	snprintf(st->error, sizeof st->error, "%s: %.240s", class_names[rc], s->in->failure.message);
	pthread_mutex_unlock(&s->stats_lock);
}

void news_success(struct ship *s)
{
	if (s->failures)
		log_info(s->in->room, "answers again after %u failure%s", s->failures, s->failures == 1 ? "" : "s");
	s->failures = 0;
	s->owed = false;
	s->logged_rc = s->logged_code = 0;
	meter_set(s->up, 1);
	pthread_mutex_lock(&s->stats_lock);
	s->stats.connected = true;
	s->stats.breaker_open = s->stats.stopped = false;
	s->stats.error[0] = 0;
	memcpy(s->stats.note, *s->in->state_words ? s->in->state_words : s->in->zone_words, sizeof s->stats.note);
	pthread_mutex_unlock(&s->stats_lock);
}

/* The failure that was told was none: a rebuild, another node's zone. */
void news_guard_moved(struct ship *s)
{
	s->failures = 0;
	pthread_mutex_lock(&s->stats_lock);
	s->stats.breaker_open = false;
	pthread_mutex_unlock(&s->stats_lock);
}

void news_reached(struct ship *s)
{
	pthread_mutex_lock(&s->stats_lock);
	s->stats.connected = true;
	pthread_mutex_unlock(&s->stats_lock);
}

size_t batch_rows(const struct tally_batch *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->nrows; i++)
		n += b->rows[i].n;
	return n;
}

void news_stored(struct ship *s, const struct tally_batch *b, int64_t took_us, bool recovered)
{
	size_t rows = batch_rows(b);
	refusal_count_stored(&s->recent, b);
	if (recovered)
		meter_add(s->recovered, 1);
	news_success(s);
	pthread_mutex_lock(&s->stats_lock);
	s->stats.batches++;
	s->stats.rows += rows;
	s->stats.recovered += recovered;
	s->stats.last_commit_us = clock_wall_us();
	s->stats.write_us = took_us;
	pthread_mutex_unlock(&s->stats_lock);
}

void news_open(struct ship *s)
{
	struct tally_str name = str_of(s->in->name), none = { 0 };
	for (int rc = 0; rc < TALLY_SINK_CLASSES; rc++)
		s->retries[rc] = rc ? meter_get(M_SINK_RETRIES, name, str_of(class_names[rc]), none) : NULL;
	s->recovered = meter_get(M_SINK_RECOVERED, name, none, none);
	s->up = meter_get(M_SINK_UP, name, none, none);
	meter_set(s->up, 0);
}
