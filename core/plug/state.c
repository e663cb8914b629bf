/* SPDX-License-Identifier: Apache-2.0 */
/* State that outlives a batch: taking it out of an instance, putting it back, and running events again that were stored
 * before, so that it becomes what it was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plug/inner.h"

size_t plug_states(const struct plug_chain *ch)
{
	return ch->nstates;
}

bool plug_set_states(const struct plug_set *s)
{
	for (size_t i = 0; i < s->nstages; i++)
		if (s->stages[i].plugin->save)
			return true;
	return false;
}

uint32_t plug_set_gives(const struct plug_set *s)
{
	uint32_t gives = 0;
	for (size_t i = 0; i < s->nstages; i++)
		if (s->stages[i].plugin->gives & TALLY_GIVES_VISITS)
			gives |= s->stages[i].plugin->gives;
	return gives;
}

static struct tally_instance *find(const struct plug_chain *ch, size_t i)
{
	size_t at = 0;
	for (;; at++) {
		MUST(at < ch->n);
		if (ch->in[at]->plugin->save && i-- == 0)
			return ch->in[at];
	}
}

struct plug_state plug_state(const struct plug_chain *ch, size_t i)
{
	const struct tally_instance *in = find(ch, i);
	return (struct plug_state){ in->stage->name, in->plugin->version };
}

static int put(void *to, const void *bytes, size_t len)
{
	struct plug_bytes *b = to;
	if (len > b->cap - b->len) {
		size_t cap = b->cap ? b->cap : 4096;
		while (cap - b->len < len)
			cap *= 2;
		b->ptr = memory_grow(b->ptr, cap);
		b->cap = cap;
	}
	if (len)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
	return 0;
}

int plug_save(struct plug_chain *ch, size_t i, struct plug_bytes *out)
{
	struct tally_instance *in = find(ch, i);
	int64_t begun = plug_call_begin(in, HOOK_SAVE, PLUG_EVERY);
	int rc = in->plugin->save(in->self, put, out);
	plug_call_end(in, HOOK_SAVE, begun);
	return rc;
}

static void reset_one(struct tally_instance *in)
{
	if (!in->plugin->reset)
		return;
	int64_t begun = plug_call_begin(in, HOOK_RESET, PLUG_EVERY);
	in->plugin->reset(in->self);
	plug_call_end(in, HOOK_RESET, begun);
}

int plug_load(struct plug_chain *ch, size_t i, uint64_t lsn, const void *bytes, size_t len)
{
	struct tally_instance *in = find(ch, i);
	in->from_lsn = lsn;
	if (!bytes)
		return 0;
	int64_t begun = plug_call_begin(in, HOOK_LOAD, PLUG_EVERY);
	int rc = in->plugin->load(in->self, bytes, len);
	plug_call_end(in, HOOK_LOAD, begun);
	if (rc != 0)
		reset_one(in);
	return rc;
}

/* ---- the replay ---- */

static bool takes(const struct tally_instance *in, uint64_t lsn)
{
	return !in->plugin->save || lsn >= in->from_lsn;
}

void plug_replay_event(struct plug_chain *ch, struct arena *arena, struct tally_event *ev)
{
	int rc = TALLY_PASS;
	for (size_t i = 0; rc == TALLY_PASS && i < ch->replayed; i++) {
		struct tally_instance *in = ch->in[i];
		if (!in->plugin->event || !takes(in, ev->lsn))
			continue;
		in->replaying = true;
		rc = plug_event_one(in, arena, ev);
		in->replaying = false;
	}
}

void plug_replay_tick(struct plug_chain *ch, uint64_t lsn, int64_t now_us)
{
	for (size_t i = 0; i < ch->replayed; i++) {
		struct tally_instance *in = ch->in[i];
		if (!takes(in, lsn))
			continue;
		in->replaying = true;
		(void)!plug_tick_one(in, now_us);
		in->replaying = false;
	}
}

void plug_replay_flush(struct plug_chain *ch, struct arena *arena)
{
	for (size_t i = 0; i < ch->replayed; i++) {
		ch->in[i]->replaying = true;
		(void)!plug_flush_one(ch->in[i], arena);
		ch->in[i]->replaying = false;
	}
}
