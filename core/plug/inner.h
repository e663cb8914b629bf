/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share.
 *
 *   plug_lib       one loaded shared object; counted, shared by the sets that found the same file
 *   plug_set       files looked at, and the pipeline made of them; counted, immutable once made
 *   plug_stage     one place in the pipeline: a plugin and its option values
 *   plug_chain     the instances of one station
 *   tally_instance one open plugin; holds a reference to the set, so nothing it needs goes before it
 */
#ifndef PLUG_INNER_H
#define PLUG_INNER_H

#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/plugopt.h"
#include "meter/meter.h"
#include "plug/crash.h"
#include "plug/plug.h"
#include "zone/zone.h"

#define PLUG_NAME_MAX 32   /* of a plugin, with its NUL */
#define PLUG_REASON_MAX 32 /* with its NUL */
#define PLUG_WHY 512

/* Writes the reason and returns -EINVAL. */
int plug_refuse(char why[PLUG_WHY], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- file.c: is this file one to be loaded? ---- */

/* Opens the file and looks at it without running anything of it. The descriptor, or -EINVAL with why (reason and
 * remedy). st: what was looked at. */
must_check int plug_file_vet(const char *path, struct stat *st, char why[PLUG_WHY]);

/* The folder that holds plugins: may anybody else put a file there? 0 or -EINVAL with why. */
must_check int plug_dir_vet(const char *dir, char why[PLUG_WHY]);

/* ---- load.c ---- */

struct plug_lib {
	atomic_uint refs;
	void *handle;
	struct stat st;             /* of the file when it was loaded */
	struct tally_plugin plugin; /* as much as both sides know, the rest zero */
	struct tally_sink sink;
	bool is_plugin, is_sink;
};

/* Vets, loads and checks one file. loaded: libraries that may hold it already, NULL for none. -EINVAL with why; name is
 * "" if that could not be read. */
must_check int plug_lib_open(const char *path, struct plug_lib *const *loaded, size_t nloaded, struct plug_lib **out,
	char name[PLUG_NAME_MAX], char why[PLUG_WHY]);
void plug_lib_unref(struct plug_lib *lib);

/* ---- set.c ---- */

struct plug_stage {
	const char *name;
	size_t file;                       /* index among the set's files */
	bool by_auto;                      /* not named in the configuration: may fail without stopping anything */
	_Atomic(char *) trouble;           /* why its open failed at some station; the set frees it */
	const struct tally_plugin *plugin; /* in its library */
	struct conf_value *values;
	size_t nvalues;
};

struct plug_set {
	atomic_uint refs;
	struct arena arena; /* everything below */
	const char *dir;
	struct plug_file *files; /* in order of their names */
	struct plug_lib **libs;  /* of each file, NULL = refused */
	size_t nfiles;
	struct plug_stage *stages;
	size_t nstages;
	struct tally_rollup *rollups;
	size_t nrollups;
};

/* Keeps the first reason why an instance of this stage could not open. [any thread] */
void plug_stage_failed(struct plug_stage *st, const char *why);

const char *plug_base_name(const char *path);

/* ---- pipeline.c ---- */

/* Assumes: the files are found. -EINVAL with why: the configuration names what is not there, or gives it options it
 * does not have. */
must_check int plug_pipeline_make(struct plug_set *s, const struct conf *c, char why[PLUG_WHY]);
void plug_rollups_make(struct plug_set *s, const struct conf *c);

/* ---- chain.c ---- */

enum plug_hook {
	HOOK_ADMIT,
	HOOK_FORGET,
	HOOK_SETTLE,
	HOOK_RECALL,
	HOOK_EVENT,
	HOOK_TICK,
	HOOK_FLUSH,
	HOOK_RESET,
	HOOK_SAVE,
	HOOK_LOAD,
	HOOK_VISIT,
	HOOK_REQUEST,
	HOOK_ANSWERED,
	HOOK_ARRIVE,
	HOOK_ENTER,
	HOOKS
};

extern const char *const plug_hook_names[HOOKS];

struct plug_timer {
	struct meter_series *series; /* NULL = the plugin has no such hook */
	uint32_t calls;
};

struct tally_instance {
	const struct tally_plugin *plugin;
	const struct plug_stage *stage;
	struct plug_set *set; /* counted */
	const struct conf *conf;
	void *owner;
	const struct plug_taker *taker; /* NULL = the services */
	enum tally_station station;
	void *self;
	char room[PLUG_NAME_MAX + 8]; /* "plugin dedup", for the log */

	struct arena *arena;         /* [event, flush] of the batch, at the door of the request; NULL elsewhere */
	bool entering;               /* [enter] */
	struct lookup_held *lookups; /* NULL until the first lookup */
	char reason[PLUG_REASON_MAX];
	uint32_t retry_after_s;
	struct plug_timer timers[HOOKS];

	char *why;          /* [open] where fail() writes, PLUG_WHY bytes; NULL elsewhere */
	bool option_misuse; /* asked for an option that its table does not have */
	bool closing;       /* the chain is gone; closed at the last done() */
	bool replaying;     /* what it emits and counts goes nowhere */
	uint64_t from_lsn;  /* a replay: its state is as of here */
	struct plug_chain *chain;
	unsigned jobs; /* under way */
	unsigned said; /* bits of enum plug_said: news that is told once */

	/* the zone of the site asked for last */
	char site[132];
	size_t site_len;
	const struct zone *zone;
};

enum plug_said {
	SAID_VERDICT = 1,
	SAID_CHANGED = 2,
	SAID_FAILED = 4,
	SAID_ROW = 8,
	SAID_REASON = 16,
	SAID_ALLOC = 32,
	SAID_VISIT = 64
};

struct plug_chain {
	struct plug_set *set;
	enum tally_station station;
	struct tally_instance **in;
	size_t n;
	size_t nstates;  /* how many have save and load */
	size_t replayed; /* how many a replay runs: up to the last with a state */
};

void plug_instance_free(struct tally_instance *in);

/* One line in the log for each kind of news and instance. */
bool plug_say_once(struct tally_instance *in, enum plug_said what);

/* ---- host.c ---- */

extern const struct tally_host plug_host;

/* ---- lookup.c ---- */

int plug_lookup(struct tally_instance *in, struct tally_str name, struct tally_str key, struct tally_str column,
	struct tally_str *text, uint32_t *type);
void plug_lookup_end(struct tally_instance *in); /* the hook is over */

const struct plug_services *plug_services(void);

/* ---- change.c ---- */

int plug_prop_set(
	struct tally_instance *in, struct tally_event *ev, struct tally_str key, struct tally_str text, uint32_t type);

/* After event() of a plugin that changed something. 0, or a negative errno: the event does not fit any more. */
must_check int plug_change_check(struct tally_instance *in, struct tally_event *ev, const struct tally_event *before);

/* ---- what a hook cost, into tally_plugin_seconds ---- */

#define PLUG_EVERY 0 /* masks for plug_time_begin: every call, or one in 64 where calls are as many as events */
#define PLUG_SAMPLED 63

/* 0 = this call is not measured. */
static inline int64_t plug_time_begin(struct plug_timer *t, uint32_t mask)
{
	return (t->calls++ & mask) == 0 ? clock_mono_ns() : 0;
}

static inline void plug_time_end(struct plug_timer *t, int64_t begun)
{
	if (begun)
		meter_observe(t->series, (double)(clock_mono_ns() - begun) / 1e9);
}

/* stations.c: one event through one instance; a verdict of `event`. */
int plug_event_one(struct tally_instance *in, struct arena *arena, struct tally_event *ev);
int plug_flush_one(struct tally_instance *in, struct arena *arena);
int plug_visit_behind(struct tally_instance *in, const struct tally_visit *before, const struct tally_visit *now);
int plug_tick_one(struct tally_instance *in, int64_t now_us);

/* Around every call of a hook: what it cost, and who it was if the process ends in it. */
static inline int64_t plug_call_begin(struct tally_instance *in, enum plug_hook hook, uint32_t mask)
{
	bool has_event = hook == HOOK_EVENT || hook == HOOK_ADMIT || hook == HOOK_RECALL;
	crash_enter(in->stage->name, plug_hook_names[hook], has_event);
	return plug_time_begin(&in->timers[hook], mask);
}

static inline void plug_call_end(struct tally_instance *in, enum plug_hook hook, int64_t begun)
{
	crash_leave();
	plug_time_end(&in->timers[hook], begun);
}

#endif
