/* SPDX-License-Identifier: Apache-2.0 */
/* enrich: what an event says between its lines, as props with names of their own.
 *
 *   at the door   $device $browser $os from the user agent, $country from the address. Both are gone afterwards: the
 *                 spool and the stores get the coarse words only.
 *                 What the option `join` makes of reference data, also for events of a Redis list.
 *   at the line   $source and $channel from the referrer and utm_*; the same three of a user agent that came as the prop
 *                 `user_agent` (a server that forwards its visitors' events, a Redis list).
 *
 * A prop that the sender has set is never touched. An event that has no room left for a prop goes without it. */
#include <errno.h>
#include <stdlib.h>

#include "enrich.h"

struct enrich {
	const struct tally_host *host;
	struct tally_instance *in;
	struct agent_cache *agents;
	struct geo *geo;     /* at the door, if an option names a file */
	struct joins *joins; /* at the door, if there are any */
};

static bool is_set(const struct tally_event *ev, const char *key)
{
	struct tally_str name = text_of(key);
	for (uint32_t i = 0; i < ev->nprops; i++)
		if (same_text(ev->props[i].key, name))
			return true;
	return false;
}

/* What does not fit is left out: the event itself counts more. */
static void offer(struct enrich *e, struct tally_event *ev, const char *key, struct tally_str text)
{
	if (text.len && !is_set(ev, key) &&
		e->host->prop_set(e->in, ev, text_of(key), text, TALLY_PROP_STRING) == -E2BIG)
		e->host->count(e->in, "no_room", 1);
}

static void offer_agent(struct enrich *e, struct tally_event *ev, struct tally_str user_agent, bool coarse)
{
	struct agent a = agent_cached(e->agents, user_agent);
	offer(e, ev, "$device", text_of(a.device));
	if (coarse)
		return;
	offer(e, ev, "$browser", text_of(a.browser));
	offer(e, ev, "$os", text_of(a.os));
}

/* Who names the user agent of an event speaks of another client than the one that sends. */
static int arrive(void *self, const struct tally_client *client, struct tally_event *ev)
{
	struct enrich *e = self;
	char country[2];
	if (is_set(ev, "user_agent"))
		return 0;
	offer_agent(e, ev, client->agent, client->is_private);
	if (e->geo && geo_country(e->geo, client->address, country))
		offer(e, ev, "$country", (struct tally_str){ country, sizeof country });
	return 0;
}

static int enter(void *self, struct tally_event *ev)
{
	struct enrich *e = self;
	if (e->joins)
		joins_make(e->joins, ev);
	return 0;
}

static int event(void *self, struct tally_event *ev)
{
	struct enrich *e = self;
	struct source s;
	struct tally_str user_agent = prop_of(ev, "user_agent");
	if (user_agent.len && !is_set(ev, "$device"))
		offer_agent(e, ev, user_agent, false);
	if (is_set(ev, "$channel"))
		return TALLY_PASS;
	source_of(ev, &s);
	if (s.channel) {
		offer(e, ev, "$source", s.text);
		offer(e, ev, "$channel", text_of(s.channel));
	}
	return TALLY_PASS;
}

static void enrich_close(void *self)
{
	struct enrich *e = self;
	joins_close(e->joins);
	geo_close(e->geo);
	agent_cache_close(e->agents);
	free(e);
}

static int enrich_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	const char *path = host->option_str(in, "geo"), *join = host->option_str(in, "join");
	struct enrich *e = calloc(1, sizeof *e);
	if (!e)
		return -ENOMEM;
	e->host = host;
	e->in = in;
	e->agents = agent_cache_open(host);
	int rc = e->agents ? 0 : -ENOMEM;
	if (!rc && *path && host->station(in) == TALLY_DOOR)
		rc = geo_open(host, in, path, &e->geo);
	if (!rc && *join && host->station(in) == TALLY_DOOR)
		rc = joins_open(host, in, join, &e->joins);
	if (rc) {
		enrich_close(e);
		return rc;
	}
	*self = e;
	return 0;
}

static const struct tally_option options[] = {
	{ "geo", TALLY_OPT_STRING, 0, "",
		"a country database in MaxMind's format (.mmdb, absolute path); empty = no countries. A file put in its place "
		"by a rename is taken within seconds" },
	{ "join", TALLY_OPT_STRING, 0, "",
		"props from lookups, a list of lines such as \"props.category = products.category by props.item\"" },
	{ NULL, 0, 0, NULL, NULL },
};

const struct tally_plugin tally_plugin = {
	TALLY_PLUGIN_HEAD,
	"enrich",
	"0.1.0",
	"device, browser, system, country and joins at the door; source and channel at the line",
	options,
	.open = enrich_open,
	.close = enrich_close,
	.event = event,
	.arrive = arrive,
	.enter = enter,
};
