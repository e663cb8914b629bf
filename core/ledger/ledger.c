/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's thread: collect what has come, admit it, write it, hand the sync over, tell what became of it. */
#include "ledger/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/seam.h"
#include "ledger/internal.h"
#include "meter/meter.h"

#define RING_SLOTS 8192
#define TRIM_EVERY_US 1000000
#define CARRY_US 1000000  /* counts without events reach the disk after this */
#define RECENT_US 1000000 /* a sync that ended longer ago says nothing of the disk as it is now */
#define PACE_US 10000     /* from one sync to the next where nobody waits for it */

/* ---- the syncer ---- */

static int timed_sync(struct ledger *l, struct syncer *s)
{
	int64_t began = clock_mono_us();
	atomic_store(&s->began_us, began);
	int rc = spool_sync(l->spool, s->upto);
	int64_t ended = clock_mono_us(), took = ended - began;
	atomic_store(&s->took_us, took);
	atomic_store(&s->ended_us, ended);
	atomic_store(&s->began_us, 0);
	meter_observe(l->sync_meter, (double)took / 1e6);
	return rc;
}

static void *syncer_main(void *arg)
{
	struct ledger *l = arg;
	struct syncer *s = &l->syncer;
	for (;;) {
		gate_wait(s->gate, -1);
		int state = atomic_load(&s->state);
		if (state == SYNC_QUIT)
			return NULL;
		if (state != SYNC_ASKED)
			continue;
		s->rc = timed_sync(l, s);
		int asked = SYNC_ASKED;
		atomic_compare_exchange_strong(&s->state, &asked, SYNC_DONE);
		gate_knock(l->gate);
	}
}

/* Microseconds until the next sync is due; 0 = now. */
static int64_t sync_due_in(const struct ledger *l, int64_t now)
{
	if (l->awaited || l->wants_reload || atomic_load(&l->quit))
		return 0;
	int64_t due = l->asked_us + PACE_US;
	return due > now ? due - now : 0;
}

static void ask_sync(struct ledger *l, int64_t now)
{
	struct group *last = l->unsynced;
	if (!last || atomic_load(&l->syncer.state) != SYNC_IDLE || sync_due_in(l, now))
		return;
	while (last->next)
		last = last->next;
	l->awaited = false;
	l->asked_us = now;
	l->syncer.upto = last->end;
	atomic_store(&l->syncer.state, SYNC_ASKED);
	gate_knock(l->syncer.gate);
}

static void take_sync_result(struct ledger *l)
{
	if (atomic_load(&l->syncer.state) != SYNC_DONE)
		return;
	int rc = l->syncer.rc;
	atomic_store(&l->syncer.state, SYNC_IDLE);
	if (rc)
		fate_sync_failed(l, rc);
	else
		fate_durable(l);
}

/* ---- how far back the lines need the log ---- */

/* A line that skips needs nothing that lies before what it may hold. */
static uint64_t needed_by(const struct ledger *l, const struct ledger_line *line)
{
	uint64_t needed = atomic_load(&line->needed);
	uint64_t floor = line->skips && !MUTANT("quota_held") ? spool_floor(l->spool, line->most) : 0;
	return needed > floor ? needed : floor;
}

static uint64_t lowest_needed(struct ledger *l)
{
	uint64_t low = spool_durable(l->spool);
	for (const struct ledger_line *line = MUTANT("trim_too_far") ? NULL : l->lines; line; line = line->next) {
		uint64_t needed = needed_by(l, line);
		low = needed < low ? needed : low;
	}
	uint64_t pending = pending_lowest(l, low);
	return pending < low ? pending : low;
}

void ledger_trim(struct ledger *l)
{
	intake_tick_clock(l);
	spool_trim(l->spool, lowest_needed(l), intake_retain_clock(l));
}

static void housekeeping(struct ledger *l, int64_t now)
{
	fate_stored(l, now);
	if (now - l->trimmed_at_us < TRIM_EVERY_US)
		return;
	l->trimmed_at_us = now;
	ledger_trim(l);
	intake_flush_carried(l);
}

/* ---- reload ---- */

struct replay {
	struct ledger *l;
	struct plug_chain *chain;
};

static void recall_all(struct ledger *l, struct plug_chain *chain)
{
	struct spool_reader *r = spool_reader_open(l->spool);
	struct spool_record rec;
	if (spool_reader_seek(r, (struct tally_position){ 0, 0 }) == 0)
		while (spool_reader_next(r, &rec) == 1)
			recall_chain(l, chain, &rec);
	spool_reader_close(r);
}

static void take_pipeline(struct ledger *l, struct plug_set *set, const struct conf *conf)
{
	struct plug_chain *chain;
	char why[512];
	if (plug_chain_open(set, conf, TALLY_LEDGER, l, false, &chain, why)) {
		log_error("ledger", "the new pipeline was not taken: %s", why);
		return;
	}
	if (plug_has_admit(chain))
		recall_all(l, chain);
	plug_chain_close(l->chain);
	l->chain = chain;
	l->plugins = set;
}

/* Assumes: what is under way is settled. Instances that nothing changes for stay as they are: reading the spool again
 * to them would keep every sender waiting. */
static void take_reload(struct ledger *l)
{
	pthread_mutex_lock(&l->lock);
	struct plug_set *set = l->next_plugins;
	const struct conf *conf = l->next_conf;
	pthread_mutex_unlock(&l->lock);
	if (!set)
		return;
	if (!plug_chain_is_like(l->chain, set))
		take_pipeline(l, set, conf);
	l->conf = conf;
	pthread_mutex_lock(&l->lock);
	if (l->next_plugins == set)
		l->next_plugins = NULL;
	pthread_mutex_unlock(&l->lock);
}

bool ledger_is_reloading(struct ledger *l)
{
	pthread_mutex_lock(&l->lock);
	bool waiting = l->next_plugins != NULL;
	pthread_mutex_unlock(&l->lock);
	return waiting;
}

void ledger_reload(struct ledger *l, struct plug_set *plugins, const struct conf *conf)
{
	pthread_mutex_lock(&l->lock);
	l->next_plugins = plugins;
	l->next_conf = conf;
	pthread_mutex_unlock(&l->lock);
	gate_knock(l->gate);
}

/* ---- the thread ---- */

static bool is_idle(const struct ledger *l)
{
	return !l->unsynced && !l->stored_wait && ring_depth(l->ring) == 0;
}

static int64_t longest_sleep(const struct ledger *l)
{
	if (l->unsynced && atomic_load(&l->syncer.state) == SYNC_IDLE)
		return sync_due_in(l, clock_mono_us());
	return l->stored_wait ? 20000 : 250000;
}

static void *ledger_main(void *arg)
{
	struct ledger *l = arg;
	while (!atomic_load(&l->quit) || !is_idle(l)) {
		/* a reload waits for what is under way: until then nothing is begun, or under load its moment never comes */
		l->wants_reload = l->unsynced && ledger_is_reloading(l);
		struct group *g = l->wants_reload ? NULL : intake_collect(l);
		if (!g)
			gate_wait(l->gate, longest_sleep(l));
		intake_tick_clock(l);
		take_sync_result(l);
		if (g)
			intake_process(l, g);
		ask_sync(l, clock_mono_us());
		housekeeping(l, clock_mono_us());
		if (!l->unsynced)
			take_reload(l);
	}
	intake_flush_carried(l);
	return NULL;
}

/* ---- opening and closing ---- */

static size_t write_checkpoint(void *arg, void *buf, size_t cap)
{
	struct ledger *l = arg;
	struct tally_str bytes = terms_encode(l->appended, &l->arena);
	if (bytes.len > cap) {
		log_error("ledger", "the counts of %zu bytes do not fit into a checkpoint of %zu", bytes.len, cap);
		return 0;
	}
	if (bytes.len)
		memcpy(buf, bytes.ptr, bytes.len);
	return bytes.len;
}

static int open_spool(struct ledger *l, const struct ledger_options *opt, char why[512])
{
	char dir[4096];
	snprintf(dir, sizeof dir, "%s/spool", opt->conf->data_dir);
	struct spool_options so = {
		.dir = dir,
		.segment_bytes = opt->conf->spool.segment,
		.max_bytes = opt->conf->spool.max,
		.keep_free = opt->conf->spool.keep_free,
		.retain_us = opt->conf->spool.retain_us,
		.retain_max_bytes = opt->conf->spool.retain_max,
	};
	memcpy(so.node, opt->node, sizeof so.node);
	int rc = spool_open(&so, recall_record, l, &l->spool, why);
	if (rc)
		return rc;
	spool_set_checkpoint(l->spool, write_checkpoint, l);
	intake_start(l);
	return 0;
}

int ledger_open(const struct ledger_options *opt, struct ledger **out, char why[512])
{
	struct ledger *l = calloc(1, sizeof *l);
	MUST(l != NULL);
	l->conf = opt->conf;
	l->plugins = opt->plugins;
	l->ticked_us = clock_mono_us();
	l->sync_meter = meter_get(M_SPOOL_SYNC, STR(""), STR(""), STR(""));
	l->ring = ring_open(RING_SLOTS);
	l->gate = gate_open();
	l->syncer.gate = gate_open();
	l->unsynced_last = &l->unsynced;
	l->start_lsn = UINT64_MAX;
	l->appended = terms_open();
	l->settled = terms_open();
	l->carried = terms_open();
	l->building = terms_open();
	pthread_mutex_init(&l->lock, NULL);
	arena_init(&l->arena, 256 * 1024);
	int rc = plug_chain_open(opt->plugins, opt->conf, TALLY_LEDGER, l, true, &l->chain, why);
	if (!rc)
		rc = open_spool(l, opt, why);
	if (rc) {
		ledger_close(l);
		return rc;
	}
	struct tally_str found = terms_encode(l->appended, &l->arena);
	MUST(terms_merge(l->settled, found.ptr, found.len) == 0);
	arena_reset(&l->arena);
	l->settled_end = spool_durable(l->spool);
	*out = l;
	return 0;
}

void ledger_add_line(struct ledger *l, struct ledger_line *line)
{
	MUST(!l->running);
	line->next = l->lines;
	l->lines = line;
}

void ledger_run(struct ledger *l)
{
	MUST(pthread_create(&l->syncer.thread, NULL, syncer_main, l) == 0);
	MUST(pthread_create(&l->thread, NULL, ledger_main, l) == 0);
	l->running = true;
}

bool ledger_lay_down(struct ledger *l, struct ledger_request *rq)
{
	return ring_push(l->ring, rq);
}

void ledger_ring_bell(struct ledger *l)
{
	gate_knock(l->gate);
}

bool ledger_post(struct ledger *l, struct ledger_request *rq)
{
	bool laid = ledger_lay_down(l, rq);
	if (laid)
		ledger_ring_bell(l);
	return laid;
}

void ledger_line_moved(struct ledger *l)
{
	gate_knock(l->gate);
}

void ledger_terms(struct ledger *l, struct terms *out, uint64_t *end)
{
	pthread_mutex_lock(&l->lock);
	struct arena a;
	arena_init(&a, 0);
	struct tally_str bytes = terms_encode(l->settled, &a);
	MUST(terms_merge(out, bytes.ptr, bytes.len) == 0);
	arena_free(&a);
	*end = l->settled_end;
	pthread_mutex_unlock(&l->lock);
}

const char *ledger_full_line(const struct ledger *l)
{
	return atomic_load(&l->full_line);
}

const char *ledger_trouble(const struct ledger *l)
{
	return atomic_load(&l->trouble);
}

double ledger_queue_share(const struct ledger *l)
{
	return (double)ring_depth(l->ring) / RING_SLOTS;
}

double ledger_sync_seconds(const struct ledger *l)
{
	int64_t began = atomic_load(&l->syncer.began_us), now = clock_mono_us();
	int64_t running = began ? now - began : 0;
	int64_t took = now - atomic_load(&l->syncer.ended_us) < RECENT_US ? atomic_load(&l->syncer.took_us) : 0;
	return (double)(running > took ? running : took) / 1e6;
}

const struct ledger_dead *ledger_dead(const struct ledger *l)
{
	return atomic_load(&l->dead);
}

struct spool *ledger_spool(struct ledger *l)
{
	return l->spool;
}

void ledger_stop(struct ledger *l)
{
	if (!l->running)
		return;
	l->running = false;
	atomic_store(&l->quit, true);
	gate_knock(l->gate);
	pthread_join(l->thread, NULL);
	atomic_store(&l->syncer.state, SYNC_QUIT);
	gate_knock(l->syncer.gate);
	pthread_join(l->syncer.thread, NULL);
	if (spool_sync(l->spool, intake_written_end(l)) == 0)
		intake_end(l);
}

void ledger_close(struct ledger *l)
{
	ledger_stop(l);
	if (l->chain)
		plug_chain_close(l->chain);
	if (l->spool)
		spool_close(l->spool);
	recall_free(l);
	terms_close(l->appended);
	terms_close(l->settled);
	terms_close(l->carried);
	terms_close(l->building);
	arena_free(&l->arena);
	ring_close(l->ring);
	gate_close(l->gate);
	gate_close(l->syncer.gate);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
