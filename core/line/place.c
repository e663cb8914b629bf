/* SPDX-License-Identifier: Apache-2.0 */
/* Where a line stands: its store is asked, the place is looked up in the log, and the line begins there, at its start as
 * after anything that was no plain commit. Where no place is found it stands still, says why, and asks again. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/seam.h"
#include "line/internal.h"
#include "line/taken.h"

/* What stands, in words, for /readyz and the log. */
static void set_trouble(struct line *l, const char *text)
{
	pthread_mutex_lock(&l->lock);
	bool news = strcmp(l->trouble, text) != 0;
	snprintf(l->trouble, sizeof l->trouble, "%s", text);
	pthread_mutex_unlock(&l->lock);
	if (news && *text)
		log_error("line", "%s: %s", l->opt.sink->name, text);
}

/* ---- starting over ---- */

void place_tell(struct line *l)
{
	bool idle = !l->flying && !l->filling->dirty;
	bool known = l->state == LINE_READING;
	struct ship_stats st;
	ship_stats(l->ship, &st);
	gap_look(l);
	furthest_note(l);
	if (known) {
		atomic_store(&l->entry.needed, state_needs(l, l->position.lsn));
		atomic_store(&l->entry.done, idle ? l->cursor : l->position.lsn);
	}
	atomic_store(&l->entry.unreachable, st.breaker_open || st.stopped || l->state == LINE_STOPPED);
	view_publish(l, NULL);
	ledger_line_moved(l->opt.ledger);
}

void place_forget(struct line *l)
{
	l->state = LINE_ASKING;
	l->flying = NULL;
	batch_reset(&l->batches[0]);
	batch_reset(&l->batches[1]);
	l->filling = &l->batches[0];
	l->holding = l->behind = l->jumped = false;
	state_forget(l);
	if (!MUTANT("stages_not_reset"))
		plug_reset(l->chain);
}

void place_ask(struct line *l)
{
	place_forget(l);
	ship_ask_position(l->ship);
}

void place_hold(struct line *l, uint64_t lsn)
{
	spool_reader_hold(l->reader, l->entry.skips ? UINT64_MAX : state_needs(l, lsn));
}

void place_lost(struct line *l, const char *why, int64_t again_us)
{
	MUST(!l->flying);
	set_trouble(l, why);
	l->state = LINE_STOPPED;
	l->ask_at_us = clock_mono_us() + again_us;
	if (l->entry.skips)
		place_hold(l, 0); /* also not what place_begin() held to look */
	place_tell(l);
}

void place_keep_meta(struct line *l, const struct meta *m)
{
	l->meta = m;
	for (int g = 0; g <= TALLY_GRAINS; g++)
		l->moved_horizon_us[g] = INT64_MIN;
}

/* A store that was further has gone back by itself; otherwise a line that skips was skipped. */
static enum line_gap gap_at(const struct line *l, struct tally_position pos, uint64_t oldest)
{
	if (pos.lsn == 0 && pos.mark == 0)
		return GAP_BEFORE;
	return l->entry.skips && l->furthest < oldest && !MUTANT("gap_misnamed") ? GAP_SKIPPED : GAP_STORE_TOO_OLD;
}

/* Where the reader stands: at the position, or at the oldest record kept where that is behind it. */
static void begin_count(struct line *l, struct tally_position pos, bool oldest)
{
	struct spool_stats st;
	spool_stats(ledger_spool(l->opt.ledger), &st);
	bool same = l->taken_known && l->position.lsn == pos.lsn && l->position.mark == pos.mark && !oldest;
	if (!same) {
		struct table taken = { 0 };
		taken_at(l, oldest ? st.begin : pos.lsn, &taken);
		pthread_mutex_lock(&l->lock);
		table_free(&l->taken);
		l->taken = taken;
		pthread_mutex_unlock(&l->lock);
	}
	l->taken_known = true;
	l->cursor = oldest ? st.begin : pos.lsn;
	l->gone = gap_at(l, pos, st.begin);
	if (oldest)
		gap_at_start(l, l->gone, st.begin);
}

void place_begin(struct line *l, struct tally_position pos)
{
	char words[400];
	spool_reader_hold(l->reader, 0); /* the store may have gone back: nothing is to be trimmed before it is held */
	int rc = spool_reader_seek(l->reader, pos);
	if (rc == -ENOENT || (rc == -ESTALE && ledger_has_parted(l->opt.ledger, l->opt.sink->name, pos))) {
		snprintf(words, sizeof words,
			"store and data_dir have parted: no record in the spool ends at the store's lsn %llu and mark; nothing "
			"is committed. Put the right one back, or `tally spool adopt --as-new-node`",
			(unsigned long long)pos.lsn);
		ledger_note_parted(l->opt.ledger, l->opt.sink->name, pos);
		place_lost(l, words, LINE_ASK_AGAIN_US);
		return;
	}
	if (rc && rc != -ESTALE) {
		snprintf(words, sizeof words, "the spool cannot be read at lsn %llu: %s", (unsigned long long)pos.lsn,
			strerror(-rc));
		place_lost(l, words, LINE_ASK_AGAIN_US);
		return;
	}
	if (terms_load(l)) {
		place_lost(l, "what the store has counted cannot be read, and nothing is begun without it; see the log",
			LINE_AGAIN_US);
		return;
	}
	if (state_restore(l, pos, words)) {
		plug_reset(l->chain);
		place_lost(l, words, LINE_AGAIN_US);
		return;
	}
	l->filling->from = l->filling->to = pos;
	begin_count(l, pos, rc == -ESTALE || (pos.lsn == 0 && pos.mark == 0));
	l->position = pos;
	l->furthest = pos.lsn > l->furthest ? pos.lsn : l->furthest;
	l->state = LINE_READING;
	ledger_note_found(l->opt.ledger, l->opt.sink->name);
	set_trouble(l, "");
	place_hold(l, pos.lsn);
	place_tell(l);
}
