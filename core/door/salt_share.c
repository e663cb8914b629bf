/* SPDX-License-Identifier: Apache-2.0 */
/* One look at the table says everything: what is there is taken over, what is missing is ordered, what is over is ordered
 * away; then it is looked at again. So nothing is lost with a batch that came to nothing, and no state has to be kept. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/ring.h"
#include "door/salt.h"
#include "line/line.h"

#define DAY_US (86400 * (int64_t)1000000)
#define HOUR_US (3600 * (int64_t)1000000)
#define IDLE_US 500000
#define SOON_US 20000                     /* between two looks while an order is under way */
#define PATIENT_US 1000000                /* … that has been for long, or cannot be looked at */
#define SOON_LOOKS 100                    /* before it is for long */
#define AGAIN_US (300 * (int64_t)1000000) /* a store may lose the row (a failover): looked at again after this */
#define READ_TIMEOUT_US 5000000

enum agreed { AGREED, ORDERED, UNREADABLE };

struct salt_share {
	struct line *line;
	char table[128];
	struct gate *gate;
	pthread_t thread;
	_Atomic bool quit;
	_Atomic bool settled; /* today's is the store's, or the store is away */

	/* the thread's own */
	int64_t agreed_day; /* today's and, if it was time, tomorrow's were found there, and nothing old */
	bool agreed_tomorrow;
	int64_t looked_us; /* monotonic */
	unsigned looks;    /* in vain */
};

/* ---- one look ---- */

struct look {
	int64_t today, tomorrow; /* tomorrow 0: not yet */
	bool found_today, found_tomorrow;
	struct line_salts order;
};

static int take_row(void *arg, const struct tally_cell *c)
{
	struct look *k = arg;
	int64_t day = c[0].v.i;
	if (day < k->today && k->order.ngone < LINE_SALTS_GONE)
		k->order.gone[k->order.ngone++] = day;
	if ((day != k->today && day != k->tomorrow) || c[1].len != SALT_BYTES)
		return 0;
	salt_adopt(day, (const uint8_t *)c[1].v.ptr);
	k->found_today |= day == k->today;
	k->found_tomorrow |= day == k->tomorrow;
	return 0;
}

static int read_table(const struct salt_share *s, struct look *k)
{
	static const uint32_t types[] = { TALLY_T_INT, TALLY_T_BLOB };
	const struct tally_sink *sink = line_sink(s->line);
	struct tally_statement st = {
		.sql = s->table, .column_types = types, .ncolumns = 2, .timeout_us = READ_TIMEOUT_US
	};
	void *reader;
	if (sink->reader_open(line_sink_self(s->line), &reader) != 0)
		return -ENOTCONN;
	int rc = sink->read_begin(reader);
	if (rc == 0) {
		rc = sink->read(reader, &st, take_row, k);
		sink->read_end(reader);
	}
	sink->reader_close(reader);
	return rc;
}

static void want(struct look *k, int64_t day)
{
	k->order.day = day;
	k->order.put = salt_propose(day, k->order.salt) >= 0; /* else midnight has just passed */
}

/* In the last hour of a day the next one's salt is agreed upon, so that midnight needs no store. */
static bool is_last_hour(int64_t today)
{
	int64_t left = (today + 1) * DAY_US - clock_wall_us();
	return left > 0 && left <= HOUR_US;
}

static enum agreed look(struct salt_share *s)
{
	int64_t today = salt_day_now();
	struct look k = { .today = today, .tomorrow = is_last_hour(today) ? today + 1 : 0 };
	if (read_table(s, &k) != 0)
		return UNREADABLE;
	if (!k.found_today)
		want(&k, today);
	else if (k.tomorrow && !k.found_tomorrow)
		want(&k, k.tomorrow);
	if (k.order.put || k.order.ngone) {
		line_order_salts(s->line, &k.order);
		return ORDERED;
	}
	s->agreed_day = today;
	s->agreed_tomorrow = k.tomorrow != 0;
	return AGREED;
}

/* ---- when to look ---- */

static bool is_time(const struct salt_share *s)
{
	int64_t today = salt_day_now();
	if (s->agreed_day != today || clock_mono_us() - s->looked_us >= AGAIN_US)
		return true;
	return !s->agreed_tomorrow && is_last_hour(today);
}

/* The store has said no: there is nothing to wait for. */
static bool is_away(const struct salt_share *s)
{
	struct arena a;
	struct line_view v;
	arena_init(&a, 0);
	line_view(s->line, &a, &v);
	bool away = v.ship.error[0] != 0 || v.trouble != NULL;
	arena_free(&a);
	return away;
}

/* How long until the next turn. */
static int64_t turn(struct salt_share *s)
{
	salt_tidy();
	if (!s->line || !is_time(s))
		return IDLE_US;
	if (is_away(s)) { /* the line finds out when it is back */
		atomic_store(&s->settled, true);
		return PATIENT_US;
	}
	if (look(s) != AGREED)
		return ++s->looks < SOON_LOOKS ? SOON_US : PATIENT_US;
	s->looks = 0;
	s->looked_us = clock_mono_us();
	atomic_store(&s->settled, true);
	return IDLE_US;
}

static void *share_main(void *arg)
{
	struct salt_share *s = arg;
	while (!atomic_load(&s->quit))
		gate_wait(s->gate, turn(s));
	return NULL;
}

/* ---- opening and closing ---- */

struct salt_share *salt_share_open(struct line *line, const char *prefix)
{
	struct salt_share *s = calloc(1, sizeof *s);
	MUST(s != NULL);
	s->line = line;
	s->gate = gate_open();
	snprintf(s->table, sizeof s->table, "SELECT `day`, `salt` FROM `%.60stally_salt`", prefix);
	MUST(pthread_create(&s->thread, NULL, share_main, s) == 0);
	return s;
}

void salt_share_wait(struct salt_share *s, int64_t most_us)
{
	uint8_t unused[SALT_BYTES];
	int64_t until = clock_mono_us() + most_us;
	while (s->line && !atomic_load(&s->settled) && clock_mono_us() < until &&
		salt_propose(salt_day_now(), unused) != 1)
		uv_sleep(5);
}

void salt_share_close(struct salt_share *s)
{
	if (!s)
		return;
	atomic_store(&s->quit, true);
	gate_knock(s->gate);
	pthread_join(s->thread, NULL);
	gate_close(s->gate);
	free(s);
}
