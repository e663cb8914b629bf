/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds an event costs in session and rollup by the order in which events come, and by what its keys do:
 * `make all tests/bench/bench_keys && tests/bench/bench_keys [plugins]`, in the folder that holds plugins/. Rows are
 * counted and dropped. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plug/plug.h"

#define EVENTS 400000
#define BATCH 5000
#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define BEGIN (1767225600 * SECOND)

/* Of this thread alone. */
static int64_t cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static uint64_t rows, visits, late;

static int emit(void *line, const struct tally_row *row)
{
	(void)line;
	(void)row;
	rows++;
	return 0;
}

static int visit(void *line, const struct tally_visit *before, const struct tally_visit *now)
{
	(void)line;
	(void)before;
	(void)now;
	visits++;
	return 0;
}

static int64_t kept(void *line, const struct tally_rollup *r, enum tally_grain g, struct tally_str site)
{
	(void)line;
	(void)r;
	(void)site;
	return g == TALLY_MINUTE ? INT64_MAX : INT64_MIN;
}

static void count(const char *plugin, const char *name, int64_t by)
{
	(void)plugin;
	late += strcmp(name, "admitted_late") == 0 ? (uint64_t)by : 0;
}

static const struct plug_services services = { .emit = emit, .visit = visit, .horizon = kept, .count = count };

static struct plug_set *set;
static struct plug_chain *chain;
static struct arena batch;

static void open_chain(const char *dir, uint32_t keys)
{
	static const struct conf_site sites[] = { { .name = "default", .timezone = "Europe/Berlin" } };
	static const struct conf_plugin stages[] = { { .name = "session", .place = "bench" },
		{ .name = "rollup", .place = "bench" } };
	static const struct conf_dimension pages[] = { { .kind = TALLY_DIM_PAGE } },
					   entries[] = { { .kind = TALLY_DIM_ENTRY_PAGE } };
	static const struct conf_metric of_events[] = { { .kind = TALLY_EVENTS } },
					of_visits[] = { { .kind = TALLY_VISITS }, { .kind = TALLY_BOUNCES },
						{ .kind = TALLY_DURATION } };
	static struct conf_rollup rollups[] = { { .name = "total", .metrics = of_visits, .nmetrics = 3 },
		{ .name = "pages", .dims = pages, .ndims = 1, .metrics = of_events, .nmetrics = 1 },
		{ .name = "entries", .dims = entries, .ndims = 1, .metrics = of_visits, .nmetrics = 3 } };
	static struct conf c;
	char why[512];
	for (int i = 0; i < 3; i++)
		rollups[i].keys = keys;
	c = (struct conf){ .plugin_dir = dir,
		.pipeline = stages,
		.npipeline = 2,
		.pipeline_given = true,
		.sites = sites,
		.nsites = 1,
		.rollups = rollups,
		.nrollups = 3 };
	plug_services_set(&services);
	if (plug_set_open(&c, NULL, &set, why) != 0 ||
		plug_chain_open(set, &c, TALLY_LINE, NULL, true, &chain, why) != 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
}

static uint64_t chance(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

static int64_t *make_times(unsigned days, bool shuffled)
{
	static int64_t times[EVENTS];
	uint64_t x = 88172645463325252u;
	for (unsigned i = 0; i < EVENTS; i++)
		times[i] = BEGIN + (int64_t)((double)i * (double)days * (double)DAY / EVENTS);
	for (unsigned i = EVENTS - 1; shuffled && i > 0; i--) {
		unsigned k = (unsigned)(chance(&x) % (i + 1));
		int64_t t = times[i];
		times[i] = times[k];
		times[k] = t;
	}
	return times;
}

/* distinct: of each ten pages so many are new. */
static void bench(const char *dir, const char *what, unsigned days, bool shuffled, uint32_t keys, unsigned distinct)
{
	const int64_t *times = make_times(days, shuffled);
	struct plug_verdict v;
	uint64_t x = 12345;
	rows = visits = late = 0;
	open_chain(dir, keys);
	int64_t begun = cpu_ns();
	for (unsigned i = 0; i < EVENTS; i++) {
		char page[32], visitor[32];
		snprintf(page, sizeof page, "/page/%u", i % 10 < distinct ? 1000 + i : (unsigned)(chance(&x) % 200));
		snprintf(visitor, sizeof visitor, "v%u", (unsigned)(chance(&x) % 20000));
		struct tally_event ev = { .lsn = i + 1,
			.time_us = times[i],
			.received_us = BEGIN + i,
			.name = STR("view"),
			.site = STR("shop.example"),
			.visitor = str_of(visitor),
			.page = str_of(page),
			.weight = 1 };
		if (plug_event(chain, &batch, &ev, &v) != TALLY_PASS)
			abort();
		if (i % BATCH == BATCH - 1) {
			if (plug_flush(chain, &batch) != 0)
				abort();
			arena_reset(&batch);
		}
	}
	printf("%-58s %7.0f ns, %5.2f rows and %4.2f visits an event, %" PRIu64 " admitted late\n", what,
		(double)(cpu_ns() - begun) / EVENTS, (double)rows / EVENTS, (double)visits / EVENTS, late);
	plug_chain_close(chain);
	plug_set_unref(set);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "plugins/.libs";
	arena_init(&batch, 1 << 20);
	bench(dir, "one day in order", 1, false, 100000, 0);
	bench(dir, "one day shuffled", 1, true, 100000, 0);
	bench(dir, "two years in order", 730, false, 100000, 0);
	bench(dir, "two years shuffled", 730, true, 100000, 0);
	bench(dir, "two years shuffled, no cap on keys", 730, true, 0, 0);
	bench(dir, "one day, 9 of 10 pages new, no cap on keys", 1, false, 0, 9);
	bench(dir, "one day, 9 of 10 pages new, 1000 keys", 1, false, 1000, 9);
	bench(dir, "two years shuffled, 9 of 10 pages new, 10 keys a day", 730, true, 10, 9);
	arena_free(&batch);
	return 0;
}
