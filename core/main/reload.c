/* SPDX-License-Identifier: Apache-2.0 */
/* Reload: all or nothing. Everything new is opened beside the old; only when all of it stands do the stations take it,
 * each at a moment of its own between two groups, batches or requests. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "main/daemon.h"
#include "main/show.h"

#define TAKE_TRIES 400         /* times 5 ms */
#define LOOKUP_WAIT_US 3000000 /* a store gets this long to give what is new */

/* Opens and closes a chain of every station, so that a plugin that cannot run is known before anything is taken: one
 * that the configuration names is a reason to take nothing. */
static int try_chains(struct plug_set *set, const struct conf *c, char why[512])
{
	static const enum tally_station stations[] = { TALLY_DOOR, TALLY_LEDGER, TALLY_LINE, TALLY_DESK };
	int rc = 0;
	for (size_t i = 0; !rc && i < sizeof stations / sizeof *stations; i++) {
		struct plug_chain *chain;
		rc = plug_chain_open(set, c, stations[i], NULL, true, &chain, why);
		if (!rc)
			plug_chain_close(chain);
	}
	return rc;
}

static int load(struct daemon *d, struct conf **conf, struct plug_set **set, char why[512])
{
	struct conf_error err;
	struct arena a;
	*conf = NULL;
	*set = NULL;
	if (conf_load(d->args.config, d->args.data_dir, d->args.plugin_dir, conf, &err)) {
		snprintf(why, 512, "%s", err.text);
		return -EINVAL;
	}
	arena_init(&a, 0);
	struct tally_str restart = conf_restart_needed(d->conf, *conf, &a);
	if (restart.len)
		snprintf(why, 512, "these options changed and need a restart: %.*s; nothing was taken",
			(int)restart.len, restart.ptr);
	bool stuck = restart.len > 0;
	arena_free(&a);
	if (stuck)
		return -EINVAL;
	int rc = check_conf(*conf, why);
	if (!rc)
		rc = plug_set_open(*conf, d->plugins, set, why);
	if (!rc)
		rc = check_lookups(*conf, *set, why);
	if (!rc)
		rc = lookups_check(d->lookups, *conf, why);
	return rc ? rc : try_chains(*set, *conf, why);
}

/* The stations take it between two groups or batches, which is a matter of milliseconds unless a store hangs. The end
 * of the daemon does not wait for that. */
static void wait_for_stations(struct daemon *d)
{
	for (int i = 0; i < TAKE_TRIES && !atomic_load(&d->stopping); i++) {
		bool waiting = ledger_is_reloading(d->ledger);
		for (size_t k = 0; k < d->nlines; k++)
			waiting |= line_is_reloading(d->lines[k]);
		for (size_t k = 0; k < d->nlanes; k++)
			waiting |= lane_is_reloading(d->lanes[k]);
		waiting |= desk_is_reloading(d->desk);
		if (!waiting)
			return;
		uv_sleep(5);
	}
}

static void take(struct daemon *d, struct conf *conf, struct plug_set *set)
{
	struct retired *r = calloc(1, sizeof *r);
	MUST(r != NULL);
	*r = (struct retired){ d->conf, d->plugins, d->retired };
	d->retired = r;
	d->conf = conf;
	d->plugins = set;
	log_setup((enum log_level)conf->log.level, (enum log_format)conf->log.format);
	lookups_reload(d->lookups, conf);
	lookups_wait(d->lookups, LOOKUP_WAIT_US);
	ledger_reload(d->ledger, set, conf);
	for (size_t i = 0; i < d->nlines; i++)
		line_reload(d->lines[i], set, conf);
	for (size_t i = 0; i < d->nlanes; i++)
		lane_reload(d->lanes[i], set, conf);
	for (size_t i = 0; i < d->nsources; i++)
		redis_source_reload(d->sources[i], set, conf);
	desk_reload(d->desk, set, conf);
	wait_for_stations(d);
}

static void describe(const struct plug_set *set, char words[1024])
{
	const struct plug_file *f;
	size_t n = plug_set_files(set, &f), refused = 0, running = 0;
	for (size_t i = 0; i < n; i++) {
		bool bad = f[i].refusal || plug_set_trouble(set, i);
		refused += bad;
		running += f[i].running && !bad;
	}
	snprintf(words, 1024, "%zu files, %zu running, %zu refused%s", n, running, refused,
		refused ? "; `tally plugins` says why" : "");
}

int daemon_reload(struct daemon *d, char words[1024])
{
	struct conf *conf;
	struct plug_set *set;
	char why[512] = "";
	pthread_mutex_lock(&d->reload_lock);
	int rc = load(d, &conf, &set, why);
	if (rc) {
		if (set)
			plug_set_unref(set);
		if (conf)
			conf_free(conf);
		snprintf(words, 1024, "%s", why);
		log_error("reload", "nothing was taken: %s", why);
	} else {
		take(d, conf, set);
		describe(set, words);
		log_info("reload", "taken: %s", words);
	}
	pthread_mutex_unlock(&d->reload_lock);
	return rc;
}
