/* SPDX-License-Identifier: Apache-2.0 */
/* Reload: a new pipeline and new sites, taken between two requests. */
#include <stdlib.h>
#include <xxhash.h>

#include "base/log.h"
#include "desk/inner.h"

/* Other rollups, other zones: other answers, though no event has come. */
uint64_t desk_hash_config(const struct desk_options *opt)
{
	XXH3_state_t *h = XXH3_createState();
	struct arena a;
	MUST(h);
	arena_init(&a, 0);
	XXH3_64bits_reset(h);
	for (size_t i = 0; i < opt->schema->nrollups; i++) {
		const struct tally_rollup *r = opt->schema->rollups[i].rollup;
		const char *definition = meta_definition(r, &a);
		XXH3_64bits_update(h, r->name.ptr, r->name.len);
		XXH3_64bits_update(h, definition, strlen(definition) + 1);
	}
	for (size_t i = 0; i < opt->conf->nsites; i++) {
		const struct conf_site *s = &opt->conf->sites[i];
		XXH3_64bits_update(h, s->name, strlen(s->name) + 1);
		XXH3_64bits_update(h, s->timezone, strlen(s->timezone) + 1);
	}
	uint64_t hash = XXH3_64bits_digest(h);
	XXH3_freeState(h);
	arena_free(&a);
	return hash;
}

static struct plug_set *next_set(struct desk *d)
{
	pthread_mutex_lock(&d->lock);
	struct plug_set *set = d->next_plugins;
	if (set)
		d->opt.conf = d->next_conf;
	pthread_mutex_unlock(&d->lock);
	return set;
}

static void reload_done(struct desk *d, const struct plug_set *set)
{
	pthread_mutex_lock(&d->lock);
	if (d->next_plugins == set)
		d->next_plugins = NULL;
	pthread_mutex_unlock(&d->lock);
}

/* What the old instances hold goes on without them: they are closed with whatever they meant to do about it. */
void desk_take_reload(struct desk *d)
{
	struct plug_set *set = next_set(d);
	struct plug_chain *chain;
	struct visit *v;
	char why[512];
	if (!set)
		return;
	if (d->store)
		store_set_config(d->store, desk_hash_config(&d->opt));
	d->reloads++;
	if (plug_chain_open(set, d->opt.conf, TALLY_DESK, d, false, &chain, why)) {
		log_error("desk", "the new pipeline was not taken: %s", why);
	} else {
		struct plug_chain *old = d->chain;
		d->chain = chain;
		while ((v = desk_any(d, VISIT_HELD)))
			visit_release(v);
		plug_chain_close(old);
	}
	reload_done(d, set);
}

void desk_reload(struct desk *d, struct plug_set *plugins, const struct conf *conf)
{
	pthread_mutex_lock(&d->lock);
	d->next_plugins = plugins;
	d->next_conf = conf;
	pthread_mutex_unlock(&d->lock);
	uv_async_send(&d->knock);
}

bool desk_is_reloading(struct desk *d)
{
	pthread_mutex_lock(&d->lock);
	bool waiting = d->next_plugins != NULL;
	pthread_mutex_unlock(&d->lock);
	return waiting;
}
