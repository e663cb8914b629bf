/* SPDX-License-Identifier: Apache-2.0 */
/* The open instances of one station: made in pipeline order, closed in the reverse. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lookup/lookup.h"
#include "plug/inner.h"

const char *const plug_hook_names[HOOKS] = {
	[HOOK_ADMIT] = "admit",
	[HOOK_FORGET] = "forget",
	[HOOK_SETTLE] = "settle",
	[HOOK_RECALL] = "recall",
	[HOOK_EVENT] = "event",
	[HOOK_TICK] = "tick",
	[HOOK_FLUSH] = "flush",
	[HOOK_RESET] = "reset",
	[HOOK_SAVE] = "save",
	[HOOK_LOAD] = "load",
	[HOOK_VISIT] = "visit",
	[HOOK_REQUEST] = "request",
	[HOOK_ANSWERED] = "answered",
	[HOOK_ARRIVE] = "arrive",
	[HOOK_ENTER] = "enter",
};

/* Which hooks a plugin has at a station, as bits of enum plug_hook. */
static unsigned hooks_at(const struct tally_plugin *p, enum tally_station station)
{
	switch (station) {
	case TALLY_LEDGER:
		return (unsigned)(!!p->admit << HOOK_ADMIT | !!p->forget << HOOK_FORGET | !!p->settle << HOOK_SETTLE |
				  !!p->recall << HOOK_RECALL);
	case TALLY_LINE:
		return (unsigned)(!!p->event << HOOK_EVENT | !!p->tick << HOOK_TICK | !!p->flush << HOOK_FLUSH |
				  !!p->reset << HOOK_RESET | !!p->save << HOOK_SAVE | !!p->load << HOOK_LOAD |
				  !!p->visit << HOOK_VISIT);
	case TALLY_DESK:
		return (unsigned)(!!p->request << HOOK_REQUEST | !!p->answered << HOOK_ANSWERED);
	case TALLY_DOOR:
		return (unsigned)(!!p->arrive << HOOK_ARRIVE | !!p->enter << HOOK_ENTER);
	}
	return 0;
}

bool plug_say_once(struct tally_instance *in, enum plug_said what)
{
	bool first = !(in->said & what);
	in->said |= what;
	return first;
}

static struct tally_instance *make_instance(struct plug_set *s, const struct plug_stage *stage, const struct conf *c,
	enum tally_station station, void *owner)
{
	struct tally_instance *in = calloc(1, sizeof *in);
	MUST(in != NULL);
	plug_set_ref(s);
	in->set = s;
	in->stage = stage;
	in->plugin = stage->plugin;
	in->conf = c;
	in->station = station;
	in->owner = owner;
	snprintf(in->room, sizeof in->room, "plugin %s", stage->name);
	unsigned hooks = hooks_at(stage->plugin, station);
	for (unsigned h = 0; h < HOOKS; h++)
		if (hooks & 1u << h)
			in->timers[h].series = meter_get(
				M_PLUGIN_SECONDS, str_of(stage->name), str_of(plug_hook_names[h]), str_of(""));
	return in;
}

/* open() of the plugin. -EINVAL with why, in its own words if it gave any. */
static int open_instance(struct tally_instance *in, char why[PLUG_WHY])
{
	char words[PLUG_WHY] = "";
	in->why = words;
	int rc = in->plugin->open ? in->plugin->open(&plug_host, in, &in->self) : 0;
	in->why = NULL;
	if (rc == 0 && !in->option_misuse)
		return 0;
	if (rc == 0 && in->plugin->close)
		in->plugin->close(in->self);
	if (in->option_misuse)
		return plug_refuse(why, "plugin %s: asks for an option that its table does not have; mend the plugin",
			in->stage->name);
	return plug_refuse(why, "plugin %s: %.470s", in->stage->name, words[0] ? words : strerror(rc < 0 ? -rc : rc));
}

static void drop_instance(struct tally_instance *in)
{
	lookup_held_close(in->lookups);
	plug_set_unref(in->set);
	free(in);
}

void plug_instance_free(struct tally_instance *in)
{
	if (in->plugin->close)
		in->plugin->close(in->self);
	drop_instance(in);
}

/* Who hears of visits stands behind who gives them. */
static void check_order(const struct plug_chain *ch)
{
	for (size_t i = 0; i < ch->n; i++)
		for (size_t k = i + 1; ch->in[i]->plugin->visit && k < ch->n; k++)
			if (ch->in[k]->plugin->gives & TALLY_GIVES_VISITS)
				log_warn("plug",
					"pipeline: %s stands before %s, so visits do not reach it; put it behind",
					ch->in[i]->stage->name, ch->in[k]->stage->name);
}

int plug_chain_open(struct plug_set *s, const struct conf *c, enum tally_station station, void *owner, bool strict,
	struct plug_chain **out, char why[512])
{
	struct plug_chain *ch = calloc(1, sizeof *ch);
	MUST(ch != NULL);
	ch->station = station;
	ch->in = calloc(s->nstages + 1, sizeof(struct tally_instance *));
	MUST(ch->in != NULL);
	for (size_t i = 0; i < s->nstages; i++) {
		if (!hooks_at(s->stages[i].plugin, station))
			continue;
		struct tally_instance *in = make_instance(s, &s->stages[i], c, station, owner);
		if (open_instance(in, why) == 0) {
			ch->in[ch->n++] = in;
			in->chain = ch;
			if (station == TALLY_LINE && in->plugin->save) {
				ch->nstates++;
				ch->replayed = ch->n;
			}
			continue;
		}
		drop_instance(in);
		plug_stage_failed(&s->stages[i], why);
		if (strict && !s->stages[i].by_auto) {
			plug_chain_close(ch);
			return -EINVAL;
		}
		log_error("plug", "%s; goes on without it", why);
	}
	check_order(ch);
	*out = ch;
	return 0;
}

int plug_chain_open_alone(struct plug_set *s, const struct conf *c, const char *name, const struct plug_taker *taker,
	void *owner, struct plug_chain **out, char why[512])
{
	size_t at = 0;
	while (at < s->nstages &&
		(strcmp(s->stages[at].name, name) != 0 || !hooks_at(s->stages[at].plugin, TALLY_LINE)))
		at++;
	if (at == s->nstages) {
		snprintf(why, 512, "the plugin %s is not in the pipeline", name);
		return -ENOENT;
	}
	struct plug_chain *ch = calloc(1, sizeof *ch);
	MUST(ch != NULL);
	ch->station = TALLY_LINE;
	ch->in = calloc(1, sizeof(struct tally_instance *));
	MUST(ch->in != NULL);
	struct tally_instance *in = make_instance(s, &s->stages[at], c, TALLY_LINE, owner);
	in->taker = taker;
	if (open_instance(in, why) != 0) {
		drop_instance(in);
		plug_chain_close(ch);
		return -EINVAL;
	}
	ch->in[ch->n++] = in;
	*out = ch;
	return 0;
}

void plug_chain_close(struct plug_chain *ch)
{
	if (!ch)
		return;
	while (ch->n > 0) {
		struct tally_instance *in = ch->in[--ch->n];
		if (in->jobs == 0)
			plug_instance_free(in);
		else
			in->closing = true;
	}
	free(ch->in);
	free(ch);
}

size_t plug_chain_len(const struct plug_chain *ch)
{
	return ch->n;
}

static bool same_value(const struct conf_value *a, const struct conf_value *b)
{
	return a->i == b->i && a->d == b->d && (a->s == b->s || (a->s && b->s && strcmp(a->s, b->s) == 0));
}

static bool same_stage(const struct plug_stage *a, const struct plug_stage *b)
{
	bool same = a->plugin == b->plugin && a->nvalues == b->nvalues;
	for (size_t i = 0; same && i < a->nvalues; i++)
		same = same_value(&a->values[i], &b->values[i]);
	return same;
}

bool plug_chain_is_like(const struct plug_chain *ch, const struct plug_set *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->nstages; i++) {
		if (!hooks_at(s->stages[i].plugin, ch->station))
			continue;
		if (n == ch->n || !same_stage(ch->in[n]->stage, &s->stages[i]))
			return false;
		n++;
	}
	return n == ch->n;
}
