/* SPDX-License-Identifier: Apache-2.0 */
#include "main/level.h"

#include "base/log.h"
#include "meter/meter.h"
#include "spool/spool.h"

#define DOWN_EVERY_US 10000000
#define DOWN_MARGIN 0.1 /* a signal must fall this far below a threshold to leave its level */

/* From which share of a signal on a level is entered. A long spool alone never passes level 2 until it nears its limit:
 * it is there to be filled. */
static const struct threshold {
	enum tally_signal signal;
	double share;
	int level;
} thresholds[] = {
	{ TALLY_SIGNAL_SPOOL, 0.50, 1 },
	{ TALLY_SIGNAL_SPOOL, 0.75, 2 },
	{ TALLY_SIGNAL_SPOOL, 0.95, 5 },
	{ TALLY_SIGNAL_QUEUE, 0.50, 2 },
	{ TALLY_SIGNAL_QUEUE, 0.75, 4 },
	{ TALLY_SIGNAL_QUEUE, 0.90, 5 },
	{ TALLY_SIGNAL_SYNC, 0.20, 2 },
	{ TALLY_SIGNAL_SYNC, 0.90, 5 },
};

static int wanted(double margin)
{
	int level = 0;
	for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++)
		if (meter_signal(thresholds[i].signal) >= thresholds[i].share - margin && thresholds[i].level > level)
			level = thresholds[i].level;
	return level;
}

static void set_signals(struct ledger *ledger)
{
	struct spool_stats st;
	spool_stats(ledger_spool(ledger), &st);
	meter_signal_set(TALLY_SIGNAL_SPOOL, st.max_bytes ? (double)st.bytes / (double)st.max_bytes : 0);
	meter_signal_set(TALLY_SIGNAL_QUEUE, ledger_queue_share(ledger));
	meter_signal_set(TALLY_SIGNAL_SYNC, ledger_sync_seconds(ledger));
}

static void move_to(int level)
{
	log_warn("level", "degradation level %d -> %d (spool %.0f %%, queue %.0f %%, sync %.0f ms)", meter_level(),
		level, 100 * meter_signal(TALLY_SIGNAL_SPOOL), 100 * meter_signal(TALLY_SIGNAL_QUEUE),
		1000 * meter_signal(TALLY_SIGNAL_SYNC));
	meter_level_set(level);
}

void level_sample(struct ledger *ledger, int64_t now_us)
{
	static int before;
	static int64_t changed_us;
	set_signals(ledger);
	int up = wanted(0), down = wanted(DOWN_MARGIN), level = meter_level();
	if (up > level && before > level) {
		move_to(up < before ? up : before);
		changed_us = now_us;
	} else if (down < level && now_us - changed_us >= DOWN_EVERY_US) {
		move_to(level - 1);
		changed_us = now_us;
	}
	before = up;
}
