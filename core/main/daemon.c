/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which the parts open, as a table; closing walks it backwards. */
#include "main/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "main/front.h"
#include "main/rebuild.h"
#include "main/show.h"
#include "meter/meter.h"
#include "plug/crash.h"
#include "zone/zone.h"

#define OTHERS 56              /* descriptors that a small daemon needs beside its connections */
#define CONNECTIONS_MOST 10000 /* of one lane, if the configuration leaves it open */
#define LOOK_NS 2000000
#define SALT_WAIT_US 3000000   /* the store gets this long to tell the salt of the day */
#define LOOKUP_WAIT_US 3000000 /* … and to give what events are joined with, if there is nothing of it yet */
#define DRAIN_US 10000000      /* what is under way gets this long at the end */

/* ---- the parts ---- */

static int open_conf(struct daemon *d)
{
	return check_conf(d->conf, d->why);
}

static void close_conf(struct daemon *d)
{
	while (d->retired) {
		struct retired *r = d->retired;
		d->retired = r->next;
		conf_free(r->conf);
		free(r);
	}
	conf_free(d->conf);
}

static int open_node(struct daemon *d)
{
	int rc = node_open(d->conf->data_dir, &d->node, d->why);
	return rc ? rc : salt_open(d->conf->data_dir, d->why);
}

static int open_plugins(struct daemon *d)
{
	front_services(d);
	int rc = plug_set_open(d->conf, NULL, &d->plugins, d->why);
	if (rc)
		return rc;
	const struct tally_rollup *rollups;
	size_t n = plug_set_rollups(d->plugins, &rollups);
	arena_init(&d->arena, 0);
	d->schema = schema_make(&d->arena, rollups, n);
	return 0;
}

static void close_plugins(struct daemon *d)
{
	for (struct retired *r = d->retired; r; r = r->next)
		plug_set_unref(r->plugins);
	plug_set_unref(d->plugins);
	arena_free(&d->arena);
}

static int open_ledger(struct daemon *d)
{
	struct ledger_options opt = { .conf = d->conf, .node = d->node.uuid, .plugins = d->plugins };
	struct spool_stats kept;
	crash_open(d->conf->data_dir);
	int rc = ledger_open(&opt, &d->ledger, d->why);
	if (rc)
		return rc;
	spool_stats(ledger_spool(d->ledger), &kept);
	crash_forget(kept.begin);
	return 0;
}

static void close_ledger(struct daemon *d)
{
	ledger_close(d->ledger);
}

static void on_durable(void *arg)
{
	struct daemon *d = arg;
	for (size_t i = 0; i < d->nlines; i++)
		line_wake(d->lines[i]);
}

static int open_line(struct daemon *d, const struct conf_sink *sink)
{
	struct line_options opt = {
		.conf = d->conf,
		.sink = sink,
		.node_uuid = d->node.text,
		.plugins = d->plugins,
		.ledger = d->ledger,
		.schema = d->schema,
	};
	if (!plug_set_sink(d->plugins, sink->plugin)) {
		plug_set_why_not(d->plugins, true, sink->plugin, d->why);
		return -EINVAL;
	}
	return line_open(&opt, &d->lines[d->nlines], d->why);
}

/* The ledger has stopped, so nothing comes any more: each line stores what is durable. */
static void close_lines(struct daemon *d)
{
	int64_t until = clock_mono_us() + DRAIN_US;
	for (size_t i = 0; i < d->nlines; i++) {
		int64_t left = until - clock_mono_us();
		line_close(d->lines[i], left > 0 ? left : 0);
	}
	free(d->lines);
}

static int open_lines(struct daemon *d)
{
	if (check_stores(d->conf, d->plugins, d->why) || check_lookups(d->conf, d->plugins, d->why))
		return -EINVAL;
	d->lines = calloc(d->conf->nsinks + 1, sizeof *d->lines);
	MUST(d->lines != NULL);
	for (size_t i = 0; i < d->conf->nsinks; i++) {
		int rc = open_line(d, &d->conf->sinks[i]);
		if (rc) {
			close_lines(d);
			return rc;
		}
		d->nlines++;
	}
	spool_on_durable(ledger_spool(d->ledger), on_durable, d);
	return 0;
}

/* They outlive the doors; what they read through does not outlive the lines. */
static int make_lookups(struct daemon *d)
{
	d->lookups = lookups_make();
	return 0;
}

static void free_lookups(struct daemon *d)
{
	lookups_free(d->lookups);
}

static int open_lookups(struct daemon *d)
{
	struct lookup_store *stores = calloc(d->nlines + 1, sizeof *stores);
	size_t n = 0;
	MUST(stores != NULL);
	for (size_t i = 0; i < d->nlines; i++)
		if (lookup_can_read(line_sink(d->lines[i])))
			stores[n++] = (struct lookup_store){ line_name(d->lines[i]), line_sink(d->lines[i]),
				line_sink_self(d->lines[i]) };
	lookups_open(d->lookups, d->conf, d->conf->data_dir, stores, n);
	free(stores);
	meter_on_print(lookups_gauges, d->lookups);
	return 0;
}

static void close_lookups(struct daemon *d)
{
	meter_off_print(lookups_gauges, d->lookups);
	lookups_stop(d->lookups);
}

/* When the lines have had their stores made. */
static int run_lookups(struct daemon *d)
{
	lookups_run(d->lookups);
	lookups_wait(d->lookups, LOOKUP_WAIT_US);
	return 0;
}

/* Jobs come from the admin socket. */
static int open_jobs(struct daemon *d)
{
	(void)d;
	return 0;
}

static int open_desk(struct daemon *d)
{
	return front_desk_open(d);
}

static void close_desk(struct daemon *d)
{
	front_desk_close(d);
}

/* From here on events can come; the lines run before the first one. */
static int run_stations(struct daemon *d)
{
	ledger_run(d->ledger);
	for (size_t i = 0; i < d->nlines; i++)
		line_run(d->lines[i]);
	return 0;
}

/* The doors wait for the salt of the day, but not for a store that is away. */
static int open_salt(struct daemon *d)
{
	const char *prefix;
	struct line *line = front_reading_line(d, &prefix);
	d->salt = salt_share_open(line && line_sink(line)->deletes ? line : NULL, prefix);
	salt_share_wait(d->salt, SALT_WAIT_US);
	return 0;
}

static void close_salt(struct daemon *d)
{
	salt_share_close(d->salt);
}

static void close_sources(struct daemon *d)
{
	for (size_t i = 0; i < d->nsources; i++)
		redis_source_close(d->sources[i]);
	free(d->sources);
}

/* Before the ledger runs: pending batches of the lists are taken over. */
static int open_sources(struct daemon *d)
{
	d->sources = calloc(d->conf->nsources + 1, sizeof *d->sources);
	MUST(d->sources != NULL);
	for (size_t i = 0; i < d->conf->nsources; i++) {
		struct redis_options opt = {
			.conf = d->conf,
			.source = &d->conf->sources[i],
			.node_uuid = d->node.text,
			.ledger = d->ledger,
			.plugins = d->plugins,
		};
		int rc = redis_source_open(&opt, &d->sources[i], d->why);
		if (rc) {
			close_sources(d);
			return rc;
		}
		d->nsources++;
	}
	return 0;
}

static int run_sources(struct daemon *d)
{
	for (size_t i = 0; i < d->nsources; i++)
		redis_source_run(d->sources[i]);
	return 0;
}

static void stop_stations(struct daemon *d)
{
	ledger_stop(d->ledger);
}

/* What the descriptors allow: half of them, shared by the lanes; the others are for stores, the spool and its readers. */
static unsigned connections_of_a_lane(const struct daemon *d, size_t lanes)
{
	struct rlimit most = { .rlim_cur = 1024 };
	if (d->conf->limits.connections)
		return (unsigned)d->conf->limits.connections;
	getrlimit(RLIMIT_NOFILE, &most);
	rlim_t all = most.rlim_cur > 2 * OTHERS ? most.rlim_cur / 2
		     : most.rlim_cur > OTHERS   ? most.rlim_cur - OTHERS
						: 0;
	rlim_t each = all / lanes;
	return each > CONNECTIONS_MOST ? CONNECTIONS_MOST : each > 4 ? (unsigned)each : 4;
}

static int open_lane(struct daemon *d, const char *address, bool shared, bool admin, size_t lanes)
{
	struct lane_options opt = {
		.conf = d->conf,
		.plugins = d->plugins,
		.ledger = d->ledger,
		.address = address,
		.reuse_port = shared,
		.connections = connections_of_a_lane(d, lanes),
		.admin = admin,
		.other = front_other,
		.other_arg = d,
	};
	int rc = lane_open(&opt, &d->lanes[d->nlanes], d->why);
	if (!rc)
		d->nlanes++;
	return rc;
}

static void close_lanes(struct daemon *d)
{
	for (size_t i = 0; i < d->nlanes; i++)
		lane_stop(d->lanes[i], DRAIN_US / 2);
	for (size_t i = 0; i < d->nlanes; i++)
		lane_join(d->lanes[i]);
	while (atomic_load(&d->commands))
		nanosleep(&(struct timespec){ 0, LOOK_NS }, NULL);
}

static int begin_answers(struct daemon *d)
{
	d->nlanes = 0;
	return 0;
}

/* The ledger and the desk may hold requests for longer than the lanes wait for their answers. */
static void end_answers(struct daemon *d)
{
	for (size_t i = 0; i < d->nlanes; i++)
		lane_free(d->lanes[i]);
}

static size_t lane_count(const struct daemon *d)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = d->conf->lanes ? d->conf->lanes : (size_t)(cores > 0 ? cores : 1);
	return n < LANES_MAX ? n : LANES_MAX;
}

static int open_lanes(struct daemon *d)
{
	size_t n = lane_count(d);
	int rc = 0;
	for (size_t i = 0; !rc && i < n; i++)
		rc = open_lane(d, d->conf->listen, n > 1, false, n);
	if (!rc)
		rc = open_lane(d, d->conf->admin, false, true, 8 * n);
	if (rc) {
		close_lanes(d);
		return rc;
	}
	for (size_t i = 0; i < d->nlanes; i++)
		lane_run(d->lanes[i]);
	log_info("door", "listening on %s (%zu lanes, port %d), admin on %s", d->conf->listen, n,
		lane_port(d->lanes[0]), d->conf->admin);
	return 0;
}

/* They begin by themselves, behind an open door. */
static int open_streams(struct daemon *d)
{
	(void)d;
	return 0;
}

static void close_streams(struct daemon *d)
{
	front_end_streams(d);
}

/* ---- the table ---- */

static const struct part {
	const char *name;
	int (*open)(struct daemon *d);
	void (*close)(struct daemon *d);
} parts[] = {
	{ "configuration", open_conf, close_conf },
	{ "node", open_node, NULL },
	{ "plugins", open_plugins, close_plugins },
	{ "lookups", make_lookups, free_lookups },
	{ "answers", begin_answers, end_answers },
	{ "ledger", open_ledger, close_ledger },
	{ "lines", open_lines, close_lines },
	{ "reference data", open_lookups, close_lookups },
	{ "jobs", open_jobs, rebuild_stop },
	{ "desk", open_desk, close_desk },
	{ "redis", open_sources, NULL },
	{ "stations", run_stations, stop_stations },
	{ "salt", open_salt, close_salt },
	{ "first readings", run_lookups, NULL },
	{ "sources", run_sources, close_sources },
	{ "doors", open_lanes, close_lanes },
	{ "streams", open_streams, close_streams },
};

static void close_from(struct daemon *d, size_t n)
{
	while (n--)
		if (parts[n].close)
			parts[n].close(d);
}

/* The soft limit is for programs that use select(). */
static void all_descriptors(void)
{
	struct rlimit most;
	if (getrlimit(RLIMIT_NOFILE, &most) < 0)
		return;
	most.rlim_cur = most.rlim_max;
	(void)!setrlimit(RLIMIT_NOFILE, &most);
}

int daemon_open(struct daemon *d)
{
	d->began_us = clock_wall_us();
	all_descriptors();
	file_keep_spares();
	memory_keep_reserve();
	pthread_mutex_init(&d->reload_lock, NULL);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (parts[i].open(d) == 0)
			continue;
		log_error(parts[i].name, "%s", d->why);
		close_from(d, i);
		return 1;
	}
	log_info("tallyd", "ready: node %s, data in %s", d->node.text, d->conf->data_dir);
	return 0;
}

void daemon_close(struct daemon *d)
{
	log_info("tallyd", "stopping: doors close, what was taken is stored");
	close_from(d, sizeof parts / sizeof *parts);
	log_info("tallyd", "stopped");
}
