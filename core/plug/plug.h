/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins: finding and vetting a .so, its options, instances at a station, and the table lent to them.
 *
 * plug_set: what is loaded, made once at start and anew on reload; shared, read-only, counted references.
 * plug_chain: the open instances of one station in pipeline order; belongs to that station's thread. */
#ifndef PLUG_PLUG_H
#define PLUG_PLUG_H

#include <stdbool.h>
#include <tally/plugin.h>
#include <tally/sink.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"

struct plug_set;
struct plug_chain;
struct zone;

/* ---- loading ---- */

/* One file looked at: loaded, or refused with a reason and what to do. */
struct plug_file {
	const char *path;
	const char *name, *version, *summary; /* NULL if it could not even be described */
	const struct tally_plugin *plugin;    /* one of these, or neither if refused */
	const struct tally_sink *sink;
	const char *refusal; /* NULL = fine */
	bool running;        /* in the pipeline or a line */
};

/* Looks at every *.so in plugin_dir (and plugin_dir/.libs, where libtool leaves modules before installation) and puts
 * the pipeline together: named entries in order, `auto` in file-name order. A broken file is refused and named; it is an
 * error only if the configuration names it (-EINVAL, why). previous: files already loaded are kept (dlopen handles and
 * descriptors are shared), NULL at start. */
must_check int plug_set_open(const struct conf *c, struct plug_set *previous, struct plug_set **out, char why[512]);
void plug_set_ref(struct plug_set *s);
void plug_set_unref(struct plug_set *s);

size_t plug_set_files(const struct plug_set *s, const struct plug_file **first);
/* Why the plugin of a file that is in the pipeline could not open at some station, in its own words; NULL = it did. */
const char *plug_set_trouble(const struct plug_set *s, size_t file);
const struct tally_sink *plug_set_sink(const struct plug_set *s, const char *name); /* NULL = not found */

/* Why there is no sink or plugin of this name, in a sentence: its file was refused, or the nearest name there is. */
void plug_set_why_not(const struct plug_set *s, bool sink, const char *name, char why[512]);

/* Vets one file and describes it as text (tallyd -l FILE.so): 0 fine, -EINVAL refused. */
must_check int plug_describe(const char *path, struct arena *a, struct tally_str *text);

/* ---- what the host table needs from the stations: set once by main before a chain is opened ---- */

struct lookups;

struct plug_services {
	int (*level)(void);
	double (*signal)(enum tally_signal which);
	int64_t (*spool_retain_us)(void);
	/* desk */
	int (*answer)(void *desk, uint64_t request, const struct tally_answer *an);
	void (*resume)(void *desk, uint64_t request);
	int (*request_version)(void *desk, uint64_t request, uint64_t *version);
	uint64_t (*store_moment)(void *desk);
	int (*work)(void *station, void (*job)(void *), void (*done)(void *), void *arg);
	/* door */
	int (*door_work)(void *lane, void (*job)(void *), void (*done)(void *), void *arg);
	/* line */
	int64_t (*horizon)(void *line, const struct tally_rollup *r, enum tally_grain g, struct tally_str site);
	const struct zone *(*zone)(
		void *line, struct tally_str site); /* of the site's days; NULL = the configuration's */
	int (*emit)(void *line, const struct tally_row *row);
	int (*visit)(void *line, const struct tally_visit *before, const struct tally_visit *now);
	/* door: what is looked up; NULL = nothing is */
	struct lookups *(*lookups)(void);
	/* counters: tally_plugin_NAME_total{plugin} */
	void (*count)(const char *plugin, const char *name, int64_t by);
};
void plug_services_set(const struct plug_services *services);

/* ---- chains ---- */

/* Opens one instance of every plugin of the pipeline that has a hook at this station. owner: the line, desk or ledger,
 * handed back to the services. The chain keeps the set; c must outlive it. An instance whose open fails is refused:
 * logged by name with the plugin's own words. If strict (start, or `-t`) and the configuration names it that is -EINVAL
 * with why, else the chain goes on without it. */
must_check int plug_chain_open(struct plug_set *s, const struct conf *c, enum tally_station station, void *owner,
	bool strict, struct plug_chain **out, char why[512]);
/* Who takes rows in place of the line: see plug_services.horizon, .zone and .emit. */
struct plug_taker {
	int64_t (*horizon)(void *owner, const struct tally_rollup *r, enum tally_grain g, struct tally_str site);
	int (*emit)(void *owner, const struct tally_row *row);
	const struct zone *(*zone)(void *owner, struct tally_str site);
};

/* A chain of one: the plugin of that name as it is in the pipeline, at the station TALLY_LINE; taker outlives it. -ENOENT:
 * it is not in the pipeline. Belongs to the thread that runs it. */
must_check int plug_chain_open_alone(struct plug_set *s, const struct conf *c, const char *name,
	const struct plug_taker *taker, void *owner, struct plug_chain **out, char why[512]);

/* An instance whose work is under way is closed at its last done(), on this station; until then its calls still reach
 * the services of the owner, which must know by the request's id that it holds nothing any more. */
void plug_chain_close(struct plug_chain *ch);
size_t plug_chain_len(const struct plug_chain *ch);
/* Whether a chain opened from this set at the same station would have the same plugins with the same options. */
bool plug_chain_is_like(const struct plug_chain *ch, const struct plug_set *s);

/* Why the last DROP or REFUSE came, as the plugin said with host->reason(). */
struct plug_verdict {
	const char *plugin, *reason;
	unsigned retry_after_s;
};

/* [door] Every plugin may add to the event's props; arena: of the request. client NULL: the event came from a list, and
 * nobody knows who made it. */
void plug_arrive(struct plug_chain *ch, struct arena *arena, const struct tally_client *client, struct tally_event *ev);

/* [ledger] TALLY_PASS if every plugin passed it, else the first other verdict; the plugins before get forget(). */
int plug_admit(struct plug_chain *ch, uint64_t ticket, const struct tally_event *ev, struct plug_verdict *out);
void plug_settle(struct plug_chain *ch, uint64_t ticket, bool kept);
void plug_recall(struct plug_chain *ch, const struct tally_event *ev);
bool plug_has_admit(const struct plug_chain *ch);

/* [line] arena: of the batch; alloc and prop_set use it. Verdict as for the hook. */
int plug_event(struct plug_chain *ch, struct arena *arena, struct tally_event *ev, struct plug_verdict *out);
/* To every plugin that hears of visits. */
int plug_visit(
	struct plug_chain *ch, struct arena *arena, const struct tally_visit *before, const struct tally_visit *now);
int plug_tick(struct plug_chain *ch, int64_t now_us);
int plug_flush(struct plug_chain *ch, struct arena *arena);
void plug_reset(struct plug_chain *ch);

/* [line] State that outlives a batch: the instances with save and load, in pipeline order. */
size_t plug_states(const struct plug_chain *ch);
/* TALLY_GIVES_… of the stages that give visits. */
uint32_t plug_set_gives(const struct plug_set *s);
bool plug_set_states(const struct plug_set *s); /* would a chain of the line have one? */
struct plug_state {
	const char *name, *version; /* the plugin's */
};
struct plug_state plug_state(const struct plug_chain *ch, size_t i);
struct plug_bytes {
	char *ptr; /* malloc'ed, the caller's */
	size_t len, cap;
};
/* The state behind the last flush; appended to out, so that room can be kept for a head. 0 or the plugin's error. */
must_check int plug_save(struct plug_chain *ch, size_t i, struct plug_bytes *out);
/* Assumes: the instance is as opened or reset. lsn: what the bytes are as of; a replay begins there for it. Non-zero: not
 * usable, and the instance was reset. bytes NULL: nothing is loaded. */
must_check int plug_load(struct plug_chain *ch, size_t i, uint64_t lsn, const void *bytes, size_t len);

/* [line] A silent replay: events that were stored before, through the instances up to the last that has a state; each
 * that has one begins where it was loaded. What they give goes nowhere. */
void plug_replay_event(struct plug_chain *ch, struct arena *arena, struct tally_event *ev);
void plug_replay_tick(struct plug_chain *ch, uint64_t lsn, int64_t now_us);
void plug_replay_flush(struct plug_chain *ch, struct arena *arena);

/* [desk] from: index of the first plugin asked (0, or *at + 1 when a HELD request goes on); at: who gave the verdict. */
int plug_request(
	struct plug_chain *ch, size_t from, const struct tally_request *rq, size_t *at, struct plug_verdict *out);
void plug_answered(struct plug_chain *ch, const struct tally_request *rq, const struct tally_answer *an);

/* The declared rollups in their public form; live as long as the set. */
size_t plug_set_rollups(const struct plug_set *s, const struct tally_rollup **first);

#endif
