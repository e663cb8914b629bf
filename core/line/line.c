/* SPDX-License-Identifier: Apache-2.0 */
/* The line's thread. See line.h for the one rule that everything here follows. */
#include "line/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/seam.h"
#include "line/internal.h"
#include "line/taken.h"
#include "meter/meter.h"

#define IDLE_US 500000
#define ASK_AGAIN_US 30000000 /* a line that stopped looks again after this */
#define AGAIN_US 1000000      /* and after this where it is not for an operator to end it */
#define LOOK_US 5000000       /* a line that has nothing to store asks its store this often whether it stands still */

/* ---- trouble: what stands, in words, for /readyz and the log ---- */

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

static void tell_ledger(struct line *l)
{
	bool idle = !l->flying && !l->filling->dirty;
	bool known = l->state == LINE_READING;
	struct ship_stats st;
	ship_stats(l->ship, &st);
	gap_look(l);
	furthest_note(l);
	if (known) {
		atomic_store(&l->entry.needed, l->position.lsn);
		atomic_store(&l->entry.done, idle ? l->cursor : l->position.lsn);
	}
	atomic_store(&l->entry.unreachable, st.breaker_open || st.stopped || l->state == LINE_STOPPED);
	view_publish(l, NULL);
	ledger_line_moved(l->opt.ledger);
}

/* Both batches and the state of all stages are thrown away. */
static void forget(struct line *l)
{
	l->state = LINE_ASKING;
	l->flying = NULL;
	batch_reset(&l->batches[0]);
	batch_reset(&l->batches[1]);
	l->filling = &l->batches[0];
	l->holding = l->behind = l->jumped = false;
	if (!MUTANT("stages_not_reset"))
		plug_reset(l->chain);
}

static void ask(struct line *l)
{
	forget(l);
	ship_ask_position(l->ship);
}

/* A line that skips holds nothing: the ledger alone says how far back it may read. */
static void hold(struct line *l, uint64_t lsn)
{
	spool_reader_hold(l->reader, l->entry.skips ? UINT64_MAX : lsn);
}

/* Assumes: the ship lies idle; what it would report of a batch nobody could take. */
static void stop(struct line *l, const char *why)
{
	MUST(!l->flying);
	set_trouble(l, why);
	l->state = LINE_STOPPED;
	l->ask_at_us = clock_mono_us() + ASK_AGAIN_US;
	if (l->entry.skips)
		hold(l, 0); /* also not what start_at() held to look */
	tell_ledger(l);
}

static void keep_meta(struct line *l, const struct meta *m)
{
	l->meta = m;
	for (int g = 0; g < TALLY_GRAINS; g++)
		l->moved_horizon_us[g] = INT64_MIN;
	pthread_mutex_lock(&l->lock);
	arena_reset(&l->meta_arena);
	l->seen_meta = *m;
	l->seen_meta.rollup_horizon_us = memcpy(arena_alloc(&l->meta_arena, m->nrollups * sizeof(int64_t) + 1),
		m->rollup_horizon_us, m->nrollups * sizeof(int64_t));
	l->meta_known = true;
	pthread_mutex_unlock(&l->lock);
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

static void start_at(struct line *l, struct tally_position pos)
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
		stop(l, words);
		return;
	}
	if (rc && rc != -ESTALE) {
		snprintf(words, sizeof words, "the spool cannot be read at lsn %llu: %s", (unsigned long long)pos.lsn,
			strerror(-rc));
		stop(l, words);
		return;
	}
	if (terms_load(l)) {
		stop(l, "what the store has counted cannot be read, and nothing is begun without it; see the log");
		l->ask_at_us = clock_mono_us() + AGAIN_US;
		return;
	}
	l->filling->from = l->filling->to = pos;
	begin_count(l, pos, rc == -ESTALE || (pos.lsn == 0 && pos.mark == 0));
	l->position = pos;
	l->furthest = pos.lsn > l->furthest ? pos.lsn : l->furthest;
	l->state = LINE_READING;
	ledger_note_found(l->opt.ledger, l->opt.sink->name);
	set_trouble(l, "");
	hold(l, pos.lsn);
	tell_ledger(l);
}

/* ---- what became of a batch ---- */

static void meter_commit(struct line *l, const struct batch *b)
{
	struct tally_str name = str_of(l->opt.sink->name);
	meter_add(meter_get(M_SINK_ROWS, name, STR(""), STR("")), (int64_t)b->lists[SCHEMA_EVENT].n);
	meter_add(meter_get(M_SINK_DEAD, name, STR(""), STR("")), (int64_t)b->lists[SCHEMA_DEAD].n);
	if (b->letters.lsn)
		meter_add(meter_get(M_SINK_LETTERS, name, str_of(b->letters.purge ? "purged" : "replayed"), STR("")),
			b->letters.out);
}

static void committed(struct line *l)
{
	struct batch *b = l->flying;
	l->flying = NULL;
	l->position = b->to;
	l->furthest = l->position.lsn;
	view_publish(l, b);
	meter_commit(l, b);
	gap_meter(l, b);
	batch_reset(b);
	hold(l, l->position.lsn);
	tell_ledger(l);
}

static void take_report(struct line *l, const struct ship_report *rep)
{
	l->heard_us = clock_mono_us();
	switch (rep->outcome) {
	case SHIP_STORED:
		if (rep->recovered)
			log_info("line", "%s: a commit without an answer was found done at lsn %llu", l->opt.sink->name,
				(unsigned long long)rep->position.lsn);
		committed(l);
		return;
	case SHIP_REWIND:
		forget(l);
		keep_meta(l, rep->meta);
		start_at(l, rep->position);
		return;
	case SHIP_BAD_ROW:
		bury_begin(l, rep);
		return;
	case SHIP_CLOSED:
		return;
	}
}

/* ---- filling and sending ---- */

static bool is_full(const struct line *l)
{
	return l->filling->events >= l->opt.sink->batch;
}

static bool is_late(const struct line *l, int64_t now)
{
	return l->filling->dirty && now - l->filling->begun_mono_us >= l->opt.sink->flush_us;
}

static bool is_due(const struct line *l, int64_t now)
{
	return l->filling->dirty &&
	       (is_full(l) || is_late(l, now) || l->holding || l->behind || atomic_load(&l->quit) ||
		       l->filling->letters.lsn || atomic_load(&l->flush_now));
}

static void take_pipeline(struct line *l, struct plug_set *set, const struct conf *conf)
{
	struct plug_chain *chain;
	char why[512];
	if (plug_chain_open(set, conf, TALLY_LINE, l, false, &chain, why)) {
		log_error("line", "%s: the new pipeline was not taken: %s", l->opt.sink->name, why);
		return;
	}
	plug_chain_close(l->chain);
	l->chain = chain;
	l->opt.plugins = set;
	l->opt.conf = conf;
}

static void take_reload(struct line *l)
{
	pthread_mutex_lock(&l->lock);
	struct plug_set *set = l->next_plugins;
	const struct conf *conf = l->next_conf;
	pthread_mutex_unlock(&l->lock);
	if (!set)
		return;
	take_pipeline(l, set, conf);
	pthread_mutex_lock(&l->lock);
	if (l->next_plugins == set)
		l->next_plugins = NULL;
	pthread_mutex_unlock(&l->lock);
}

static void send(struct line *l)
{
	struct batch *b = l->filling;
	stage_flush(l);
	horizon_move(l, b);
	batch_close(l, b);
	l->flying = b;
	atomic_store(
		&l->flush_now, false); /* who wants more flushed says so again; under load there is no idle moment */
	l->filling = &l->batches[b == &l->batches[0]];
	l->filling->from = l->filling->to = b->to;
	ship_send(l->ship, &b->wire, b->letters.lsn != 0);
}

/* A record about our letters is taken once all that was read before it is committed. */
static bool take_letters(struct line *l)
{
	l->holding = l->flying || l->filling->dirty;
	if (l->holding)
		return false;
	stage_record(l, &l->held);
	if (letters_stage(l, &l->held) == 0)
		return true;
	stop(l, "the store does not tell which dead letters it has, so none is sent again; see the log");
	l->ask_at_us = clock_mono_us() + AGAIN_US;
	return false;
}

/* A store may go back in time, or be replaced, while nothing comes: a batch of nothing finds that out as any other would,
 * since its position must be where it was left. It also takes the position past records without events. */
static bool is_time_to_look(const struct line *l)
{
	return ship_sink(l->ship)->transactional && l->state == LINE_READING && !l->flying && !l->filling->dirty &&
	       clock_mono_us() - l->heard_us >= LOOK_US;
}

/* One record into the batch. False: there is none at the moment. */
static bool read_one(struct line *l)
{
	int rc = l->holding ? 1 : spool_reader_next(l->reader, &l->held);
	if (rc == 1 && letters_are_ours(l, &l->held))
		return take_letters(l);
	if (rc == 1) {
		stage_record(l, &l->held);
		return true;
	}
	if (rc == -ESTALE && l->entry.skips)
		l->behind = true;      /* what is in hand is sent first */
	else if (rc < 0 && !l->flying) /* else what became of that batch is heard first; until then it is tried again */
		stop(l, "the spool cannot be read; see the log and `tally spool check`");
	return false;
}

/* Reads until the batch is full or nothing is left, or until it is late and may go; so a backlog goes in full batches,
 * also where somebody waits for a flush. True: it did something. */
static bool work(struct line *l)
{
	bool busy = false;
	int64_t now = clock_mono_us();
	if (l->behind && !l->flying && !l->filling->dirty) {
		ask(l);
		return true;
	}
	while (l->state == LINE_READING && !l->behind && !l->filling->letters.lsn && !is_full(l) &&
		(l->flying || !is_late(l, now)) && read_one(l)) {
		busy = true;
		now = clock_mono_us();
	}
	if (l->state == LINE_READING && !l->flying && is_due(l, now)) {
		send(l);
		busy = true;
	}
	if (!l->flying && !l->filling->dirty)
		atomic_store(&l->flush_now, false);
	return busy;
}

static int64_t sleep_for(const struct line *l)
{
	const struct batch *b = l->filling;
	if (l->state != LINE_READING || l->flying || !b->dirty)
		return IDLE_US;
	int64_t left = b->begun_mono_us + l->opt.sink->flush_us - clock_mono_us();
	return left > 0 ? left : 1;
}

static void bury(struct line *l)
{
	int rc = bury_step(l);
	if (rc > 0)
		ask(l);
	if (rc >= 0)
		return;
	stop(l, "a refused event cannot be laid aside, since the spool takes nothing: look at the disk of data_dir");
	l->ask_at_us = clock_mono_us() + AGAIN_US;
}

static void step(struct line *l)
{
	struct ship_report rep;
	if (ship_report(l->ship, &rep))
		take_report(l, &rep);
	if (l->state == LINE_BURYING)
		bury(l);
	if (l->state == LINE_STOPPED && (clock_mono_us() >= l->ask_at_us || atomic_exchange(&l->flush_now, false)))
		ask(l);
	if (!l->filling->dirty)
		take_reload(l); /* the stages are empty between two batches */
	if (l->state == LINE_READING && work(l))
		return;
	if (is_time_to_look(l))
		send(l);
	tell_ledger(l);
	gate_wait(l->gate, sleep_for(l));
}

static bool may_end(const struct line *l)
{
	if (!atomic_load(&l->quit))
		return false;
	bool idle = l->state == LINE_READING && !l->flying && !l->filling->dirty &&
		    l->cursor >= spool_durable(ledger_spool(l->opt.ledger));
	bool lent = l->state == LINE_BURYING && !atomic_load(&l->funeral.answered); /* the ledger has our request */
	/* a stopped line would not store anything in that time */
	return idle || l->state == LINE_STOPPED || (!lent && clock_mono_us() >= atomic_load(&l->drain_until_us));
}

static void *line_main(void *arg)
{
	struct line *l = arg;
	furthest_load(l);
	ask(l);
	while (!may_end(l))
		step(l);
	furthest_note(l);
	return NULL;
}

/* ---- opening and closing ---- */

static void knock(void *arg)
{
	gate_knock(((struct line *)arg)->gate);
}

int line_open(const struct line_options *opt, struct line **out, char why[512])
{
	struct line *l = calloc(1, sizeof *l);
	MUST(l != NULL);
	l->opt = *opt;
	l->entry.name = opt->sink->name;
	l->gate = gate_open();
	pthread_mutex_init(&l->lock, NULL);
	arena_init(&l->meta_arena, 0);
	batch_open(&l->batches[0], opt->schema);
	batch_open(&l->batches[1], opt->schema);
	l->filling = &l->batches[0];
	int rc = ship_open(plug_set_sink(opt->plugins, opt->sink->plugin), opt->sink, opt->conf, opt->schema,
		opt->node_uuid, &l->ship, why);
	if (!rc)
		rc = plug_chain_open(opt->plugins, opt->conf, TALLY_LINE, l, true, &l->chain, why);
	if (rc) {
		line_close(l, 0);
		return rc;
	}
	l->reader = spool_reader_open(ledger_spool(opt->ledger));
	l->entry.most = opt->sink->spool_bytes;
	l->entry.skips = opt->sink->skips;
	hold(l, 0);
	ship_on_report(l->ship, knock, l);
	ledger_add_line(opt->ledger, &l->entry);
	*out = l;
	return 0;
}

void line_run(struct line *l)
{
	MUST(pthread_create(&l->thread, NULL, line_main, l) == 0);
	l->running = true;
}

void line_wake(struct line *l)
{
	gate_knock(l->gate);
}

void line_flush(struct line *l)
{
	atomic_store(&l->flush_now, true);
	ship_nudge(l->ship);
	gate_knock(l->gate);
}

int line_adopt(struct line *l, const char *from, int64_t wait_us, char words[512])
{
	return ship_adopt(l->ship, from, wait_us, words);
}

void line_reload(struct line *l, struct plug_set *plugins, const struct conf *conf)
{
	pthread_mutex_lock(&l->lock);
	l->next_plugins = plugins;
	l->next_conf = conf;
	pthread_mutex_unlock(&l->lock);
	line_flush(l); /* whatever stands may have been mended */
}

bool line_is_reloading(struct line *l)
{
	pthread_mutex_lock(&l->lock);
	bool waiting = l->next_plugins != NULL;
	pthread_mutex_unlock(&l->lock);
	return waiting;
}

void line_close(struct line *l, int64_t drain_us)
{
	if (l->running) {
		atomic_store(&l->drain_until_us, clock_mono_us() + drain_us);
		atomic_store(&l->quit, true);
		line_flush(l);
		pthread_join(l->thread, NULL);
	}
	if (l->ship)
		ship_close(l->ship);
	if (l->chain)
		plug_chain_close(l->chain);
	if (l->reader)
		spool_reader_close(l->reader);
	batch_free(&l->batches[0]);
	batch_free(&l->batches[1]);
	terms_free_table(&l->terms);
	terms_free_table(&l->in_hand);
	table_free(&l->taken);
	table_free(&l->lapped);
	table_free(&l->dead);
	arena_free(&l->meta_arena);
	gate_close(l->gate);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
