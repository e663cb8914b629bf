/* SPDX-License-Identifier: Apache-2.0 */
/* A host for one plugin instance under test: loads a .so, lends it a table of its own, and records every call.
 *
 * Nothing of the core's plug room is in it, so a plugin that passes here leans on the public header alone. A sketch of
 * this host is the exact set of its hashes (of numbers: the core's own), a day begins at 00:00 UTC + day_shift_us, work runs when the test says so. */
#ifndef TESTS_FAKE_HOST_H
#define TESTS_FAKE_HOST_H

#include <stdbool.h>
#include <tally/plugin.h>

#include "base/arena.h"

#define FAKE_HELD 64
#define FAKE_COUNTS 32

struct fake_option {
	const char *name;
	int64_t i;
	double d;
	const char *s;
};

struct fake_amount {
	int64_t count;
	double number;
	size_t people;    /* distinct hashes in the sketch */
	uint64_t numbers; /* in the sketch */
	double median;
};

struct fake_row {
	char key[256]; /* "rollup site grain bucket_us dim|dim" */
	struct fake_amount amounts[8];
};

struct fake_lookup {
	const char *name, *key, *column, *text; /* column NULL = nothing of it was read; text NULL = null */
	uint32_t type;
};

struct fake_job {
	void (*job)(void *), (*done)(void *);
	void *arg;
};

struct fake_count {
	char name[32];
	int64_t n;
};

struct fake { /* set by the test */
	const struct fake_option *options;
	uint32_t station;
	int level;
	uint64_t moment;
	double signals[TALLY_SIGNALS];
	int64_t retain_us, day_shift_us;
	const struct tally_rollup *rollups;
	size_t nrollups;
	int64_t (*horizon)(const struct tally_rollup *r, uint32_t grain, struct tally_str site); /* NULL = all kept */
	int (*version)(uint64_t request, uint64_t *version);
	void (*on_answer)(void *arg, uint64_t request, const struct tally_answer *an);
	void (*on_resume)(void *arg, uint64_t request);
	void *arg;
	int emit_rc, work_rc;
	bool replaying;
	const struct fake_lookup *lookups; /* name NULL ends; NULL = none is declared */
	void (*on_visit)(void *arg, const struct tally_visit *before, const struct tally_visit *now);

	/* recorded */
	char said[512]; /* by fail() */
	char reason[32];
	uint32_t retry_after_s;
	unsigned logs;
	struct fake_row *rows;
	size_t nrows, rows_cap;
	struct fake_count counts[FAKE_COUNTS];
	struct fake_job jobs[FAKE_HELD];
	size_t njobs;
	unsigned answers, resumes;
	uint64_t last_answered, last_resumed;
	struct tally_answer last; /* strings in the arena */

	/* the plugin */
	void *handle;
	const struct tally_plugin *plugin;
	void *self;
	struct arena arena, batch;
	bool in_batch; /* alloc() works */
	bool in_enter; /* lookup() works */
};

/* name: "rollup" -> plugins/.libs/rollup.so under the folder the tests run in, or under $TALLY_PLUGINS. Sets what a
 * test sets to defaults; the test fails if there is no such plugin. */
void fake_load(struct fake *f, const char *name);
/* The plugin's open(); what it returns. */
int fake_open(struct fake *f);
/* Closes the instance if open, unloads. */
void fake_close(struct fake *f);

int fake_event(struct fake *f, struct tally_event *ev);
int fake_arrive(struct fake *f, const struct tally_client *client, struct tally_event *ev);
int fake_enter(struct fake *f, struct tally_event *ev);
/* Ends the batch: rows are recorded anew, then the batch's memory is overwritten and freed. */
int fake_flush(struct fake *f);
void fake_reset(struct fake *f);

const struct fake_row *fake_find(const struct fake *f, const char *key); /* NULL = no such row */
int64_t fake_counted(const struct fake *f, const char *name);

/* Runs the oldest job and its done(). false = there is none. */
bool fake_work(struct fake *f);

#endif
