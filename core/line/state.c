/* SPDX-License-Identifier: Apache-2.0 */
#include "line/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "line/internal.h"
#include "line/snapshot.h"

#define BYTES_A_SECOND (16 << 20) /* a large state is written less often */
#define LOG_MOST (64 << 20)       /* bytes of the log that a start replays, about */

static struct snapshot_of of_plugin(const struct line_state_keeper *k, struct plug_state plugin)
{
	return (struct snapshot_of){ k->data_dir, k->node, k->line, plugin };
}

void state_open(struct line *l)
{
	struct line_state_keeper *k = &l->keeper;
	snprintf(k->data_dir, sizeof k->data_dir, "%s", l->opt.conf->data_dir);
	snprintf(k->line, sizeof k->line, "%s", l->opt.sink->name);
	snprintf(k->node, sizeof k->node, "%s", l->opt.node_uuid);
	k->safe_lsn = UINT64_MAX;
}

static void free_bytes(struct line_state_keeper *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->bytes[i].ptr);
	free(k->bytes);
	free(k->of);
	k->bytes = NULL;
	k->of = NULL;
	k->n = 0;
	k->taken = false;
}

uint64_t state_needs(const struct line *l, uint64_t position)
{
	return l->keeper.safe_lsn < position ? l->keeper.safe_lsn : position;
}

/* ---- taking one ---- */

static bool is_due(const struct line *l, uint64_t lsn)
{
	const struct line_state_keeper *k = &l->keeper;
	if (k->taken || k->writing || plug_states(l->chain) == 0 || lsn == k->last_lsn)
		return false;
	int64_t pause_us = l->opt.sink->snapshot_us + (int64_t)(k->last_bytes / BYTES_A_SECOND) * 1000000;
	return k->last_us == 0 || clock_mono_us() - k->last_us >= pause_us ||
	       lsn - k->last_lsn >= LOG_MOST + 2 * (uint64_t)k->last_bytes;
}

/* All states as of here into memory. False: a plugin did not give its own. */
static bool take(struct line *l, struct plug_chain *chain, struct tally_position at)
{
	struct line_state_keeper *k = &l->keeper;
	free_bytes(k);
	size_t n = plug_states(chain);
	k->bytes = memory_zalloc(n + 1, sizeof *k->bytes);
	k->of = memory_zalloc(n + 1, sizeof *k->of);
	k->last_us = clock_mono_us();
	k->last_lsn = at.lsn;
	k->last_bytes = 0;
	k->at = at;
	k->clock_us = l->clock_us;
	for (size_t i = 0; i < n; i++) {
		struct plug_bytes *b = &k->bytes[i];
		k->n = i + 1;
		k->of[i] = plug_state(chain, i);
		b->cap = b->len = SNAPSHOT_HEAD;
		b->ptr = memory_alloc(b->cap);
		int rc = plug_save(chain, i, b);
		if (rc != 0) {
			log_warn("line", "%s: plugin %s does not give its state (%s); an older snapshot is kept",
				l->opt.sink->name, k->of[i].name, strerror(rc < 0 ? -rc : rc));
			free_bytes(k);
			return false;
		}
		k->last_bytes += b->len;
	}
	return true;
}

void state_take(struct line *l, const struct batch *b)
{
	if (is_due(l, b->to.lsn))
		l->keeper.taken = take(l, l->chain, b->to);
}

/* ---- putting it on the disk ---- */

static void thin_out(const struct line_state_keeper *k, struct plug_state plugin)
{
	struct snapshot_of of = of_plugin(k, plugin);
	uint64_t *lsns;
	size_t n = snapshot_list(&of, &lsns);
	bool *keep = memory_zalloc(n + 1, sizeof *keep);
	snapshot_thin(lsns, n, k->begin, keep);
	for (size_t i = 0; i < n; i++)
		if (!keep[i])
			snapshot_drop(&of, lsns[i]);
	free(keep);
	free(lsns);
}

static int write_all(struct line_state_keeper *k)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < k->n; i++) {
		struct snapshot_of of = of_plugin(k, k->of[i]);
		rc = snapshot_write(&of, k->at, k->clock_us, &k->bytes[i], k->words);
	}
	for (size_t i = 0; rc == 0 && i < k->n; i++)
		thin_out(k, k->of[i]);
	return rc;
}

static void *writer_main(void *arg)
{
	struct line *l = arg;
	l->keeper.rc = write_all(&l->keeper);
	atomic_store(&l->keeper.written, true);
	gate_knock(l->gate);
	return NULL;
}

static void note_begin(struct line *l)
{
	struct spool_stats st;
	spool_stats(ledger_spool(l->opt.ledger), &st);
	l->keeper.begin = st.begin;
}

static void note_written(struct line *l)
{
	struct line_state_keeper *k = &l->keeper;
	if (k->rc == 0)
		k->safe_lsn = k->at.lsn;
	else
		log_warn("line", "%s: %s; the spool is kept from lsn %llu on until that works", l->opt.sink->name,
			k->words, (unsigned long long)k->safe_lsn);
	free_bytes(k);
}

void state_committed(struct line *l)
{
	struct line_state_keeper *k = &l->keeper;
	if (!k->taken || k->at.lsn != l->position.lsn)
		return;
	k->taken = false;
	note_begin(l);
	atomic_store(&k->written, false);
	k->writing = pthread_create(&k->writer, NULL, writer_main, l) == 0;
	if (!k->writing)
		free_bytes(k); /* no thread to be had: another time */
}

void state_look(struct line *l)
{
	struct line_state_keeper *k = &l->keeper;
	if (!k->writing || !atomic_load(&k->written))
		return;
	pthread_join(k->writer, NULL);
	k->writing = false;
	note_written(l);
}

static void wait_for_writer(struct line *l)
{
	struct line_state_keeper *k = &l->keeper;
	if (!k->writing)
		return;
	pthread_join(k->writer, NULL);
	k->writing = false;
	note_written(l);
}

/* Here and now; at start, at the end, and for a plugin that begins. */
static void write_now(struct line *l, struct plug_chain *chain, struct tally_position at)
{
	struct line_state_keeper *k = &l->keeper;
	wait_for_writer(l);
	if (!take(l, chain, at))
		return;
	note_begin(l);
	k->rc = write_all(k);
	note_written(l);
	if (k->rc != 0)
		k->last_us = 0; /* again with the next batch */
}

void state_forget(struct line *l)
{
	if (!l->keeper.writing)
		free_bytes(&l->keeper);
}

void state_close(struct line *l)
{
	wait_for_writer(l);
	free_bytes(&l->keeper);
}

void state_end(struct line *l)
{
	wait_for_writer(l);
	if (plug_states(l->chain) && l->keeper.last_lsn != l->position.lsn)
		write_now(l, l->chain, l->position);
}

/* ---- making it again ---- */

struct found {
	bool any;      /* there are files, so it was running here before */
	bool usable;   /* loaded */
	uint64_t from; /* the replay begins here */
};

/* Does our log have this place? */
static bool is_in_log(struct line *l, struct tally_position at)
{
	struct spool_stats st;
	spool_stats(ledger_spool(l->opt.ledger), &st);
	if (at.lsn < st.begin)
		return false;
	if (at.lsn == 0 && at.mark == 0)
		return true;
	struct spool_reader *r = spool_reader_open(ledger_spool(l->opt.ledger));
	int rc = spool_reader_seek(r, at);
	spool_reader_close(r);
	return rc == 0;
}

static bool load_one(struct line *l, size_t i, const struct snapshot_of *of, uint64_t lsn, struct found *out)
{
	struct plug_bytes b;
	struct tally_position at;
	char words[256];
	int rc = snapshot_read(of, lsn, &b, &at, words);
	if (rc == 0 && !is_in_log(l, at)) {
		rc = -ESTALE;
		snprintf(words, sizeof words, "snapshot of plugin %s at lsn %llu is of no place in this spool",
			of->plugin.name, (unsigned long long)lsn);
	}
	if (rc == 0) {
		rc = plug_load(l->chain, i, lsn, b.ptr + SNAPSHOT_HEAD, b.len - SNAPSHOT_HEAD);
		if (rc != 0)
			snprintf(words, sizeof words, "plugin %s cannot use its snapshot at lsn %llu: %s",
				of->plugin.name, (unsigned long long)lsn, strerror(rc < 0 ? -rc : rc));
	}
	free(b.ptr);
	if (rc != 0)
		log_warn("line", "%s: %s; it is skipped", l->opt.sink->name, words);
	out->usable = rc == 0;
	out->from = lsn;
	return out->usable;
}

/* The newest usable one at or below the position. What lies behind it is of a future that this store does not know. */
static struct found load_newest(struct line *l, size_t i, struct tally_position pos)
{
	struct snapshot_of of = of_plugin(&l->keeper, plug_state(l->chain, i));
	struct found found = { 0 };
	uint64_t *lsns;
	size_t n = snapshot_list(&of, &lsns);
	found.any = n > 0;
	for (size_t k = 0; k < n && !found.usable; k++) {
		if (lsns[k] <= pos.lsn)
			(void)load_one(l, i, &of, lsns[k], &found);
		else
			snapshot_drop(&of, lsns[k]);
	}
	free(lsns);
	return found;
}

static struct found begin_one(struct line *l, size_t i, struct tally_position pos)
{
	struct found f = load_newest(l, i, pos);
	const char *name = plug_state(l->chain, i).name;
	if (f.usable)
		return f;
	f.from = f.any ? 0 : pos.lsn;
	(void)!plug_load(l->chain, i, f.from, NULL, 0);
	if (f.any && pos.lsn) /* else nothing was before */
		log_error("line",
			"%s: no snapshot of plugin %s can be used; its state is made from the oldest record kept, and lacks "
			"what was before",
			l->opt.sink->name, name);
	else if (pos.lsn)
		log_info("line", "%s: plugin %s begins here, at lsn %llu", l->opt.sink->name, name,
			(unsigned long long)pos.lsn);
	return f;
}

int state_restore(struct line *l, struct tally_position pos, char words[400])
{
	struct line_state_keeper *k = &l->keeper;
	size_t n = plug_states(l->chain);
	bool whole = true;
	uint64_t from = pos.lsn, events = 0;
	wait_for_writer(l);
	free_bytes(k);
	k->safe_lsn = UINT64_MAX;
	for (size_t i = 0; i < n; i++) {
		struct found f = begin_one(l, i, pos);
		whole &= f.usable;
		from = f.from < from ? f.from : from;
	}
	if (n == 0)
		return 0;
	int64_t began_us = clock_mono_us();
	int rc = from < pos.lsn ? replay_events(l, from, pos, &events, words) : 0;
	if (rc != 0)
		return rc;
	if (events)
		log_info("line",
			"%s: the state of plugins was made again from lsn %llu to %llu: %llu events in %lld ms",
			l->opt.sink->name, (unsigned long long)from, (unsigned long long)pos.lsn,
			(unsigned long long)events, (long long)((clock_mono_us() - began_us) / 1000));
	k->safe_lsn = from;
	k->last_lsn = from;
	k->last_us = clock_mono_us();
	if (!whole)
		write_now(l, l->chain, pos);
	return 0;
}

/* ---- another name ---- */

/* The keeper's names are set once, before there is a ship. */
int state_before_adopting(void *arg, const char *from, char words[256])
{
	const struct line_state_keeper *k = &((const struct line *)arg)->keeper;
	return snapshot_copy_line(k->data_dir, k->node, from, k->line, words);
}

void state_after_adopting(void *arg, const char *from, bool adopted)
{
	const struct line_state_keeper *k = &((const struct line *)arg)->keeper;
	snapshot_drop_copied(k->data_dir, k->node, adopted ? from : k->line, adopted ? k->line : from);
}

/* ---- another pipeline ---- */

static bool give(struct plug_chain *from, struct plug_chain *to, size_t i, uint64_t lsn)
{
	const char *name = plug_state(to, i).name;
	struct plug_bytes b = { 0 };
	size_t k = 0, n = plug_states(from);
	while (k < n && strcmp(plug_state(from, k).name, name) != 0)
		k++;
	int rc = k < n ? plug_save(from, k, &b) : -ENOENT;
	if (rc == 0)
		rc = plug_load(to, i, lsn, b.ptr ? b.ptr : "", b.len);
	free(b.ptr);
	return rc == 0;
}

void state_hand_over(struct line *l, struct plug_chain *from, struct plug_chain *to)
{
	size_t n = plug_states(to);
	for (size_t i = 0; i < n; i++)
		if (!give(from, to, i, l->position.lsn))
			log_info("line", "%s: plugin %s begins here, at lsn %llu", l->opt.sink->name,
				plug_state(to, i).name, (unsigned long long)l->position.lsn);
	if (n)
		write_now(l, to, l->position);
	else
		l->keeper.safe_lsn = UINT64_MAX;
}
