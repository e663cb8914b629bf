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
#include "meter/meter.h"

#define IDLE_US 500000
#define LOOK_US 5000000 /* a line that has nothing to store asks its store this often whether it stands still */

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
	state_committed(l);
	place_hold(l, l->position.lsn);
	place_tell(l);
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
		place_forget(l);
		place_keep_meta(l, rep->meta);
		place_begin(l, rep->position);
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
	       (is_full(l) || is_late(l, now) || l->holding || l->behind || l->reloading || atomic_load(&l->quit) ||
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
	if (l->state == LINE_READING) /* else a start is to come, which makes the state anew */
		state_hand_over(l, l->chain, chain);
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
	/* a state goes from the old stages to the new ones as of the store's position */
	bool states = plug_states(l->chain) || plug_set_states(set);
	l->reloading = states && l->state == LINE_READING && (l->flying || l->filling->dirty);
	if (l->reloading || l->filling->dirty)
		return;
	take_pipeline(l, set, conf);
	l->zones_due = true;
	uint32_t gives = plug_set_gives(set);
	if (l->opt.plugins == set && (gives & ~ship_gives(l->ship)) && l->state == LINE_READING) {
		ship_set_gives(l->ship, gives);
		place_ask(l); /* the store is to remember from when on visits are whole */
	}
	pthread_mutex_lock(&l->lock);
	if (l->next_plugins == set)
		l->next_plugins = NULL;
	pthread_mutex_unlock(&l->lock);
}

static void send(struct line *l)
{
	struct batch *b = l->filling;
	stage_flush(l);
	state_take(l, b);
	horizon_move(l, b);
	salts_add(l, b);
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
	place_lost(l, "the store does not tell which dead letters it has, so none is sent again; see the log",
		LINE_AGAIN_US);
	return false;
}

/* A store may go back in time, or be replaced, while nothing comes: a batch of nothing finds that out as any other would,
 * since its position must be where it was left. It also takes the position past records without events. */
static bool is_time_to_look(const struct line *l)
{
	return ship_sink(l->ship)->transactional && l->state == LINE_READING && !l->flying && !l->filling->dirty &&
	       (clock_mono_us() - l->heard_us >= LOOK_US || salts_wait(l));
}

/* Other zones of the configuration, between two batches: the store is to take notice of them. */
static void take_zones(struct line *l)
{
	if (!l->zones_due || l->state != LINE_READING)
		return;
	l->reloading = l->flying || l->filling->dirty;
	if (l->reloading)
		return;
	l->zones_due = false;
	if (ship_set_zones(l->ship, l->opt.conf))
		place_ask(l);
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
		place_lost(l, "the spool cannot be read; see the log and `tally spool check`", LINE_ASK_AGAIN_US);
	return false;
}

/* Reads until the batch is full or nothing is left, or until it is late and may go; so a backlog goes in full batches,
 * also where somebody waits for a flush. True: it did something. */
static bool work(struct line *l)
{
	bool busy = false;
	int64_t now = clock_mono_us();
	if (l->behind && !l->flying && !l->filling->dirty) {
		place_ask(l);
		return true;
	}
	while (l->state == LINE_READING && !l->behind && !l->reloading && !l->filling->letters.lsn && !is_full(l) &&
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
		place_ask(l);
	if (rc < 0)
		place_lost(l,
			"a refused event cannot be laid aside, since the spool takes nothing: look at the disk of data_dir",
			LINE_AGAIN_US);
}

static void step(struct line *l)
{
	struct ship_report rep;
	if (ship_report(l->ship, &rep))
		take_report(l, &rep);
	if (l->state == LINE_BURYING)
		bury(l);
	if (l->state == LINE_STOPPED && (clock_mono_us() >= l->ask_at_us || atomic_exchange(&l->flush_now, false)))
		place_ask(l);
	take_reload(l); /* between two batches, where the stages are empty */
	take_zones(l);
	state_look(l);
	if (l->state == LINE_READING && work(l))
		return;
	if (is_time_to_look(l))
		send(l);
	place_tell(l);
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
	place_ask(l);
	while (!may_end(l))
		step(l);
	furthest_note(l);
	if (l->state == LINE_READING && !l->flying && !l->filling->dirty)
		state_end(l);
	return NULL;
}

/* ---- opening and closing ---- */

static void knock(void *arg)
{
	gate_knock(((struct line *)arg)->gate);
}

static const struct schema *own_schema(struct line *l, const struct schema *like)
{
	arena_init(&l->schema_arena, 0);
	return schema_make(&l->schema_arena, like->nrollups ? like->rollups[0].rollup : NULL, like->nrollups);
}

int line_open(const struct line_options *opt, struct line **out, char why[512])
{
	struct line *l = calloc(1, sizeof *l);
	MUST(l != NULL);
	l->opt = *opt;
	l->opt.schema = own_schema(l, opt->schema);
	opt = &l->opt;
	l->entry.name = opt->sink->name;
	l->gate = gate_open();
	pthread_mutex_init(&l->lock, NULL);
	batch_open(&l->batches[0], opt->schema);
	batch_open(&l->batches[1], opt->schema);
	l->filling = &l->batches[0];
	state_open(l);
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
	place_hold(l, 0);
	ship_on_report(l->ship, knock, l);
	ship_set_gives(l->ship, plug_set_gives(opt->plugins));
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
	const struct ship_adopting with = { state_before_adopting, state_after_adopting, l };
	return ship_adopt(l->ship, from, &with, wait_us, words);
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
	state_close(l);
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
	arena_free(&l->schema_arena);
	gate_close(l->gate);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
