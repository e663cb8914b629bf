/* SPDX-License-Identifier: Apache-2.0 */
/* Running the hooks of a chain: order, verdicts, and what each call cost. What a plugin returns that is no verdict of
 * its hook never loses an event: it counts as PASS at the ledger and the desk, and sends the event to the dead letters
 * at the line. */
#include <errno.h>
#include <string.h>

#include "plug/inner.h"

static void give_reason(const struct tally_instance *in, const char *otherwise, struct plug_verdict *out)
{
	out->plugin = in->stage->name;
	out->reason = in->reason[0] ? in->reason : otherwise;
	out->retry_after_s = in->retry_after_s;
}

static void clear_reason(struct tally_instance *in)
{
	in->reason[0] = 0;
	in->retry_after_s = 0;
}

static void say_no_verdict(struct tally_instance *in, const char *hook, int rc)
{
	if (plug_say_once(in, SAID_VERDICT))
		log_error(in->room, "%s() returns %d, which is none of its verdicts", hook, rc);
}

static void say_failed(struct tally_instance *in, const char *hook, int rc)
{
	if (plug_say_once(in, SAID_FAILED))
		log_error(in->room, "%s() failed: %s", hook, strerror(rc < 0 ? -rc : rc));
}

/* ---- door ---- */

static int arrive_one(struct tally_instance *in, const struct tally_client *client, struct tally_event *ev)
{
	int64_t begun = plug_call_begin(in, HOOK_ARRIVE, PLUG_SAMPLED);
	int rc = in->plugin->arrive(in->self, client, ev);
	plug_call_end(in, HOOK_ARRIVE, begun);
	return rc;
}

static int enter_one(struct tally_instance *in, struct tally_event *ev)
{
	in->entering = true;
	int64_t begun = plug_call_begin(in, HOOK_ENTER, PLUG_SAMPLED);
	int rc = in->plugin->enter(in->self, ev);
	plug_call_end(in, HOOK_ENTER, begun);
	in->entering = false;
	plug_lookup_end(in);
	return rc;
}

/* Of what a hook did to the event only the props count. */
static void take_props(
	struct tally_instance *in, const char *hook, int rc, const struct tally_event *own, struct tally_event *ev)
{
	if (rc != 0) {
		say_failed(in, hook, rc);
		return;
	}
	ev->props = own->props;
	ev->nprops = own->nprops;
}

void plug_arrive(struct plug_chain *ch, struct arena *arena, const struct tally_client *client, struct tally_event *ev)
{
	for (size_t i = 0; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		struct tally_event own = *ev;
		in->arena = arena;
		if (client && in->plugin->arrive)
			take_props(in, "arrive", arrive_one(in, client, &own), &own, ev);
		own = *ev;
		if (in->plugin->enter)
			take_props(in, "enter", enter_one(in, &own), &own, ev);
		in->arena = NULL;
	}
}

/* ---- ledger ---- */

static int admit_one(struct tally_instance *in, uint64_t ticket, const struct tally_event *ev)
{
	clear_reason(in);
	int64_t begun = plug_call_begin(in, HOOK_ADMIT, PLUG_SAMPLED);
	int rc = in->plugin->admit(in->self, ticket, ev);
	plug_call_end(in, HOOK_ADMIT, begun);
	if (rc >= TALLY_PASS && rc <= TALLY_REFUSE)
		return rc;
	say_no_verdict(in, "admit", rc);
	return TALLY_PASS;
}

static void forget_before(struct plug_chain *ch, size_t n, uint64_t ticket, const struct tally_event *ev)
{
	while (n-- > 0) {
		struct tally_instance *in = ch->in[n];
		if (!in->plugin->forget)
			continue;
		int64_t begun = plug_call_begin(in, HOOK_FORGET, PLUG_SAMPLED);
		in->plugin->forget(in->self, ticket, ev);
		plug_call_end(in, HOOK_FORGET, begun);
	}
}

int plug_admit(struct plug_chain *ch, uint64_t ticket, const struct tally_event *ev, struct plug_verdict *out)
{
	for (size_t i = 0; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		int rc = in->plugin->admit ? admit_one(in, ticket, ev) : TALLY_PASS;
		if (rc == TALLY_PASS)
			continue;
		give_reason(in, rc == TALLY_DROP ? "dropped" : rc == TALLY_REFUSE ? "refused" : "duplicate", out);
		forget_before(ch, i, ticket, ev);
		return rc;
	}
	return TALLY_PASS;
}

void plug_settle(struct plug_chain *ch, uint64_t ticket, bool kept)
{
	for (size_t i = 0; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		if (!in->plugin->settle)
			continue;
		int64_t begun = plug_call_begin(in, HOOK_SETTLE, PLUG_SAMPLED);
		in->plugin->settle(in->self, ticket, kept);
		plug_call_end(in, HOOK_SETTLE, begun);
	}
}

void plug_recall(struct plug_chain *ch, const struct tally_event *ev)
{
	for (size_t i = 0; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		if (!in->plugin->recall)
			continue;
		int64_t begun = plug_call_begin(in, HOOK_RECALL, PLUG_SAMPLED);
		in->plugin->recall(in->self, ev);
		plug_call_end(in, HOOK_RECALL, begun);
	}
}

bool plug_has_admit(const struct plug_chain *ch)
{
	for (size_t i = 0; i < ch->n; i++)
		if (ch->in[i]->plugin->admit)
			return true;
	return false;
}

/* ---- line ---- */

int plug_event_one(struct tally_instance *in, struct arena *arena, struct tally_event *ev)
{
	struct tally_event before = *ev;
	clear_reason(in);
	in->arena = arena;
	int64_t begun = plug_call_begin(in, HOOK_EVENT, PLUG_SAMPLED);
	int rc = in->plugin->event(in->self, ev);
	plug_call_end(in, HOOK_EVENT, begun);
	in->arena = NULL;
	if (memcmp(&before, ev, sizeof before) != 0) {
		int bad = plug_change_check(in, ev, &before);
		if (bad)
			return bad;
	}
	if (rc <= TALLY_DROP || rc == TALLY_KEEP)
		return rc;
	say_no_verdict(in, "event", rc);
	return -EPROTO;
}

int plug_event(struct plug_chain *ch, struct arena *arena, struct tally_event *ev, struct plug_verdict *out)
{
	for (size_t i = 0; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		int rc = in->plugin->event ? plug_event_one(in, arena, ev) : TALLY_PASS;
		if (rc == TALLY_PASS)
			continue;
		give_reason(in, rc == TALLY_DROP ? "dropped" : rc == TALLY_KEEP ? "kept" : "plugin_error", out);
		return rc;
	}
	return TALLY_PASS;
}

int plug_tick_one(struct tally_instance *in, int64_t now_us)
{
	if (!in->plugin->tick)
		return 0;
	int64_t begun = plug_call_begin(in, HOOK_TICK, PLUG_EVERY);
	int rc = in->plugin->tick(in->self, now_us);
	plug_call_end(in, HOOK_TICK, begun);
	if (rc != 0)
		say_failed(in, "tick", rc);
	return rc;
}

int plug_tick(struct plug_chain *ch, int64_t now_us)
{
	int first = 0;
	for (size_t i = 0; i < ch->n; i++) {
		int rc = plug_tick_one(ch->in[i], now_us);
		first = first ? first : rc;
	}
	return first;
}

int plug_flush_one(struct tally_instance *in, struct arena *arena)
{
	if (!in->plugin->flush)
		return 0;
	in->arena = arena;
	int64_t begun = plug_call_begin(in, HOOK_FLUSH, PLUG_EVERY);
	int rc = in->plugin->flush(in->self);
	plug_call_end(in, HOOK_FLUSH, begun);
	in->arena = NULL;
	if (rc != 0)
		say_failed(in, "flush", rc);
	return rc;
}

int plug_flush(struct plug_chain *ch, struct arena *arena)
{
	int first = 0;
	for (size_t i = 0; i < ch->n; i++) {
		int rc = plug_flush_one(ch->in[i], arena);
		first = first ? first : rc;
	}
	return first;
}

static int visit_one(
	struct tally_instance *in, struct arena *arena, const struct tally_visit *before, const struct tally_visit *now)
{
	struct arena *own = in->arena;
	in->arena = arena;
	int64_t begun = plug_call_begin(in, HOOK_VISIT, PLUG_SAMPLED);
	int rc = in->plugin->visit(in->self, before, now);
	plug_call_end(in, HOOK_VISIT, begun);
	in->arena = own;
	if (rc != 0)
		say_failed(in, "visit", rc);
	return rc;
}

int plug_visit(
	struct plug_chain *ch, struct arena *arena, const struct tally_visit *before, const struct tally_visit *now)
{
	int first = 0;
	for (size_t i = 0; i < ch->n && first == 0; i++)
		if (ch->in[i]->plugin->visit)
			first = visit_one(ch->in[i], arena, before, now);
	return first;
}

int plug_visit_behind(struct tally_instance *from, const struct tally_visit *before, const struct tally_visit *now)
{
	const struct plug_chain *ch = from->chain;
	int first = 0;
	bool behind = false;
	for (size_t i = 0; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		if (behind && in->plugin->visit) {
			int rc = visit_one(in, from->arena, before, now);
			first = first ? first : rc;
		}
		behind = behind || in == from;
	}
	crash_enter(from->stage->name, plug_hook_names[HOOK_FLUSH], false); /* it goes on */
	return first;
}

void plug_reset(struct plug_chain *ch)
{
	for (size_t i = 0; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		in->zone = NULL; /* the owner may know of another one from here on */
		if (!in->plugin->reset)
			continue;
		int64_t begun = plug_call_begin(in, HOOK_RESET, PLUG_EVERY);
		in->plugin->reset(in->self);
		plug_call_end(in, HOOK_RESET, begun);
	}
}

/* ---- desk ---- */

static int request_one(struct tally_instance *in, const struct tally_request *rq)
{
	clear_reason(in);
	int64_t begun = plug_call_begin(in, HOOK_REQUEST, PLUG_EVERY);
	int rc = in->plugin->request(in->self, rq);
	plug_call_end(in, HOOK_REQUEST, begun);
	if (rc == TALLY_PASS || rc == TALLY_REFUSE || rc == TALLY_ANSWERED || rc == TALLY_HOLD)
		return rc;
	say_no_verdict(in, "request", rc);
	return TALLY_PASS;
}

int plug_request(
	struct plug_chain *ch, size_t from, const struct tally_request *rq, size_t *at, struct plug_verdict *out)
{
	for (size_t i = from; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		int rc = in->plugin->request ? request_one(in, rq) : TALLY_PASS;
		if (rc == TALLY_PASS)
			continue;
		give_reason(in, "refused", out);
		*at = i;
		return rc;
	}
	return TALLY_PASS;
}

void plug_answered(struct plug_chain *ch, const struct tally_request *rq, const struct tally_answer *an)
{
	for (size_t i = 0; i < ch->n; i++) {
		struct tally_instance *in = ch->in[i];
		if (!in->plugin->answered)
			continue;
		int64_t begun = plug_call_begin(in, HOOK_ANSWERED, PLUG_EVERY);
		in->plugin->answered(in->self, rq, an);
		plug_call_end(in, HOOK_ANSWERED, begun);
	}
}
