/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds an event costs in the hooks of plugins: `make all tests/bench/bench_plug && tests/bench/bench_plug`, in
 * the folder that holds plugins/. Rows are counted and dropped. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plug/plug.h"

#define EVENTS 2000000
#define KINDS 65536 /* events made beforehand */
#define DAY_US (86400 * INT64_C(1000000))

static struct tally_event *events;

/* Of this thread alone: what others do on the machine does not count. */
static int64_t cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static uint64_t rows;

static int emit(void *line, const struct tally_row *row)
{
	(void)line;
	(void)row;
	rows++;
	return 0;
}

static int64_t all_kept(void *line, const struct tally_rollup *r, enum tally_grain g, struct tally_str site)
{
	(void)line;
	(void)r;
	(void)g;
	(void)site;
	return INT64_MIN;
}

static int64_t for_ever(void)
{
	return INT64_MAX;
}

static const struct plug_services services = { .emit = emit, .horizon = all_kept, .spool_retain_us = for_ever };

/* Dozens of pages, so many items, thousands of visitors, one site, two seconds of time for 5000 events. */
static void make_events(unsigned items)
{
	static const char *const names[] = { "view", "view", "view", "click", "purchase" };
	uint64_t x = 88172645463325252u;
	events = calloc(KINDS, sizeof *events);
	struct tally_prop *props = calloc(KINDS, sizeof *props);
	char *texts = calloc(KINDS, 160);
	for (size_t i = 0; i < KINDS; i++) {
		char *t = texts + i * 160;
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		snprintf(t, 40, "v-%016" PRIx64, x % 20000 * 2654435761u);
		snprintf(t + 40, 40, "/shop/department/%u", (unsigned)(x >> 20) % 60);
		snprintf(t + 80, 40, "item-%u", (unsigned)((x >> 30) % items));
		snprintf(t + 120, 40, "01890000-0000-7000-8000-%012zx", i);
		props[i] = (struct tally_prop){ .key = STR("item"), .text = str_of(t + 80) };
		events[i] = (struct tally_event){ .time_us = 20000 * DAY_US + (int64_t)i * 400,
			.name = str_of(names[x % 5]),
			.site = STR("shop.example"),
			.id = str_of(t + 120),
			.visitor = str_of(t),
			.page = str_of(t + 40),
			.value = (double)(x % 1000),
			.has_value = 1,
			.props = &props[i],
			.nprops = 1,
			.weight = 1 };
	}
}

/* ---- the chain under test ---- */

static struct plug_set *set;
static struct plug_chain *chain;

static size_t more_metrics; /* 1 = rollups of values keep percentiles too */

static void open_chain(const char *dir, const char *name, enum tally_station station)
{
	static const struct conf_metric total[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITORS },
		{ .kind = TALLY_SUM }, { .kind = TALLY_QUANTILE } };
	static const struct conf_dimension pages[] = { { .kind = TALLY_DIM_NAME }, { .kind = TALLY_DIM_PAGE } };
	static const struct conf_dimension items[] = { { .kind = TALLY_DIM_NAME },
		{ .kind = TALLY_DIM_PROP, .key = "item" } };
	static struct conf_rollup rollups[] = { { .name = "total", .metrics = total, .nmetrics = 3 },
		{ .name = "pages", .dims = pages, .ndims = 2, .metrics = total, .nmetrics = 2 },
		{ .name = "items", .dims = items, .ndims = 2, .metrics = total, .nmetrics = 3 } };
	static const struct conf_site sites[] = { { .name = "default", .timezone = "Europe/Berlin" } };
	static struct conf_plugin stage;
	static struct conf c;
	char why[512];
	rollups[0].nmetrics = rollups[2].nmetrics = 3 + more_metrics;
	stage = (struct conf_plugin){ .name = name, .place = "bench" };
	c = (struct conf){ .plugin_dir = dir,
		.pipeline = &stage,
		.npipeline = 1,
		.pipeline_given = true,
		.rollups = rollups,
		.nrollups = 3,
		.sites = sites,
		.nsites = 1 };
	plug_services_set(&services);
	if (plug_set_open(&c, NULL, &set, why) != 0 ||
		plug_chain_open(set, &c, station, NULL, true, &chain, why) != 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
}

static void close_chain(void)
{
	plug_chain_close(chain);
	plug_set_unref(set);
}

static void say(const char *what, int64_t ns, double times)
{
	printf("%-44s %9.1f ns\n", what, (double)ns / times);
}

static void bench_line(const char *dir, const char *name, size_t batch_events)
{
	struct arena batch;
	struct plug_verdict v;
	int64_t in_event = 0, in_flush = 0;
	char what[80];
	arena_init(&batch, 1 << 20);
	open_chain(dir, name, TALLY_LINE);
	rows = 0;
	for (size_t i = 0; i < EVENTS;) {
		int64_t begun = cpu_ns();
		for (size_t k = 0; k < batch_events; k++, i++)
			if (plug_event(chain, &batch, &events[i % KINDS], &v) != TALLY_PASS)
				abort();
		int64_t between = cpu_ns();
		if (plug_flush(chain, &batch) != 0)
			abort();
		in_event += between - begun;
		in_flush += cpu_ns() - between;
		arena_reset(&batch);
	}
	snprintf(what, sizeof what, "%s, an event, batches of %zu", name, batch_events);
	say(what, in_event, EVENTS);
	snprintf(what, sizeof what, "%s, its part of the flush (%.2f rows)", name, (double)rows / EVENTS);
	say(what, in_flush, EVENTS);
	close_chain();
	arena_free(&batch);
}

/* Every id is new: the dear case. */
static void bench_admit(const char *dir, const char *name)
{
	struct plug_verdict v;
	char what[80], id[40];
	open_chain(dir, name, TALLY_LEDGER);
	struct tally_event ev = events[0];
	int64_t begun = cpu_ns();
	for (uint64_t i = 0; i < EVENTS; i++) {
		memcpy(id, events[i % KINDS].id.ptr, 36);
		memcpy(id, &i, 8);
		ev.id = str_make(id, 36);
		ev.received_us = (int64_t)i * 20;
		if (plug_admit(chain, i / 100, &ev, &v) != TALLY_PASS)
			abort();
		if (i % 100 == 99)
			plug_settle(chain, i / 100, true);
	}
	snprintf(what, sizeof what, "%s, admission of a new id", name);
	say(what, cpu_ns() - begun, EVENTS);
	close_chain();
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "plugins";
	make_events(argc > 3 ? (unsigned)atoi(argv[3]) : 3000);
	if (argc > 2) { /* DIR PLUGIN [ITEMS]: any plugin with an event hook */
		bench_line(dir, argv[2], 5000);
		return 0;
	}
	puts("3000 items");
	bench_line(dir, "rollup", 5000);
	bench_line(dir, "rollup", 500);
	puts("with p:value in total and items");
	more_metrics = 1;
	bench_line(dir, "rollup", 5000);
	bench_line(dir, "rollup", 500);
	more_metrics = 0;
	puts("30 items");
	make_events(30);
	bench_line(dir, "rollup", 5000);
	bench_admit(dir, "dedup");
	bench_admit(dir, "degrade");
	return 0;
}
