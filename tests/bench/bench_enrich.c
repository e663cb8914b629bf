/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds an event costs in the plugin enrich, at the door and at the line:
 * `make all tests/bench/bench_enrich && tests/bench/bench_enrich [plugins [DATABASE.mmdb]]`, in the folder that holds
 * plugins/. The cost of copying the event is in it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plug/plug.h"

#define EVENTS 1000000
#define BATCH 1000 /* events that share an arena */

static const char *const agents[] = {
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
	"Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile "
	"Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
};

static struct plug_set *set;
static struct plug_chain *chain;
static struct arena batch;

/* Of this thread alone. */
static int64_t cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int no_work(void *lane, void (*job)(void *), void (*done)(void *), void *arg)
{
	(void)lane;
	(void)job;
	(void)done;
	(void)arg;
	return -1;
}

static void open_chain(const char *dir, const char *geo, enum tally_station station)
{
	static const struct plug_services services = { .door_work = no_work };
	static const struct conf_site sites[] = { { .name = "default", .timezone = "UTC" } };
	static struct conf_pair option;
	static struct conf_plugin stage;
	static struct conf c;
	char why[512];
	option = (struct conf_pair){ "geo", geo, "bench" };
	stage = (struct conf_plugin){ .name = "enrich", .options = &option, .noptions = geo != NULL, .place = "bench" };
	c = (struct conf){ .plugin_dir = dir,
		.pipeline = &stage,
		.npipeline = 1,
		.pipeline_given = true,
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

static struct tally_event view(void)
{
	static const struct tally_prop item = { .key = STR("item"), .text = STR("kettle") };
	return (struct tally_event){ .name = STR("view"),
		.site = STR("shop.example"),
		.id = STR("01890000-0000-7000-8000-000000000000"),
		.host = STR("shop.example"),
		.page = STR("/shop/department/7"),
		.props = &item,
		.nprops = 1,
		.weight = 1 };
}

static void say(const char *what, int64_t ns)
{
	printf("%-52s %9.1f ns\n", what, (double)ns / EVENTS);
}

static void bench_door(const char *what, bool known, bool is_private)
{
	char text[256], address[32];
	int64_t begun = cpu_ns();
	for (unsigned i = 0; i < EVENTS; i++) {
		struct tally_event ev = view();
		struct tally_client client = { .agent = str_of(agents[i % 4]), .is_private = is_private };
		if (!known) {
			snprintf(text, sizeof text, "%s x%u", agents[i % 4], i);
			client.agent = str_of(text);
		}
		snprintf(address, sizeof address, "%u.%u.160.216", i % 200 + 1, i / 200 % 250);
		client.address = str_of(address);
		plug_arrive(chain, &batch, &client, &ev);
		if (ev.nprops < 2)
			abort();
		if (i % BATCH == 0)
			arena_reset(&batch);
	}
	say(what, cpu_ns() - begun);
}

static void bench_line(const char *what, const char *referrer, unsigned props)
{
	struct plug_verdict v;
	int64_t begun = cpu_ns();
	for (unsigned i = 0; i < EVENTS; i++) {
		struct tally_event ev = view();
		ev.referrer = str_of(referrer);
		if (plug_event(chain, &batch, &ev, &v) != TALLY_PASS || ev.nprops != 1 + props)
			abort();
		if (i % BATCH == 0)
			arena_reset(&batch);
	}
	say(what, cpu_ns() - begun);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "plugins", *geo = argc > 2 ? argv[2] : NULL;
	arena_init(&batch, 1 << 20);
	open_chain(dir, geo, TALLY_DOOR);
	bench_door(geo ? "door, a user agent known, country" : "door, a user agent known", true, false);
	bench_door("door, the same, not to be tracked", true, true);
	bench_door("door, a new user agent each time", false, false);
	close_chain();
	open_chain(dir, NULL, TALLY_LINE);
	bench_line("line, no referrer", "", 1);
	bench_line("line, from a search engine", "https://www.google.com/", 2);
	bench_line("line, from a site that is in no table", "https://blog.unknown.example/post", 2);
	bench_line("line, from the site itself", "https://shop.example/list", 0);
	close_chain();
	arena_free(&batch);
	return 0;
}
