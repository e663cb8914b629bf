/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds an event costs in the plugin enrich, at the door, joins among it, and at the line:
 * `make all tests/bench/bench_enrich && tests/bench/bench_enrich [plugins [DATABASE.mmdb]]`, in the folder that holds
 * plugins/. The cost of copying the event is in it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake_table.h"
#include "lookup/lookup.h"
#include "plug/plug.h"

#define EVENTS 1000000
#define ROWS 100000 /* of the lookup */
#define BATCH 1000  /* events that share an arena */

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

static struct lookups *lookups;

static struct lookups *the_lookups(void)
{
	return lookups;
}

static const struct conf_lookup products = {
	.name = "products", .sql = "SELECT 1", .key = "id", .ttl_us = INT64_MAX / 4, .max_rows = ROWS, .memory = 1 << 28
};

static void open_chain(const char *dir, const char *name, const char *value, enum tally_station station)
{
	static const struct plug_services services = { .door_work = no_work, .lookups = the_lookups };
	static const struct conf_site sites[] = { { .name = "default", .timezone = "UTC" } };
	static struct conf_pair option;
	static struct conf_plugin stage;
	static struct conf c;
	char why[512];
	option = (struct conf_pair){ name, value, "bench" };
	stage = (struct conf_plugin){
		.name = "enrich", .options = &option, .noptions = value != NULL, .place = "bench"
	};
	c = (struct conf){ .plugin_dir = dir,
		.pipeline = &stage,
		.npipeline = 1,
		.pipeline_given = true,
		.sites = sites,
		.nsites = 1,
		.lookups = &products,
		.nlookups = 1 };
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

/* ---- joins: events that come from a list, so nothing but them is measured ---- */

static void make_product(size_t row, struct fake_cell *out)
{
	static char category[32];
	snprintf(category, sizeof category, "category %zu", row % 500);
	out[0] = (struct fake_cell){ TALLY_T_INT, (int64_t)row, 0, fake_some };
	out[1] = (struct fake_cell){ TALLY_T_TEXT, 0, 0, category };
	out[2] = (struct fake_cell){ TALLY_T_REAL, 0, (double)row / 4, fake_some };
}

static void open_products(void)
{
	static const struct lookup_store store = { "main", &fake_sink, NULL };
	struct conf c = { .limits.query_timeout_us = 1000000, .lookups = &products, .nlookups = 1 };
	fake_table = (struct fake_table){
		.names = { "id", "category", "price" }, .ncolumns = 3, .make = make_product, .n = ROWS
	};
	lookups = lookups_make();
	lookups_open(lookups, &c, "/nowhere", &store, 1);
	lookups_run(lookups);
	lookups_wait(lookups, 60000000);
}

static void bench_join(const char *what, unsigned from, unsigned props)
{
	char text[16];
	int64_t begun = cpu_ns();
	for (unsigned i = 0; i < EVENTS; i++) {
		struct tally_event ev = view();
		struct tally_prop item = { .key = STR("item"), .text = { text, 0 } };
		item.text.len = (size_t)snprintf(text, sizeof text, "%u", from + i * 7919u % ROWS);
		ev.props = &item;
		plug_arrive(chain, &batch, NULL, &ev);
		if (ev.nprops != 1 + props)
			abort();
		if (i % BATCH == 0)
			arena_reset(&batch);
	}
	say(what, cpu_ns() - begun);
}

static void bench_joins(const char *dir)
{
	open_products();
	open_chain(dir, NULL, NULL, TALLY_DOOR);
	bench_join("door, an event of a list, no joins", 0, 0);
	close_chain();
	open_chain(dir, "join", "props.category = products.category by props.item", TALLY_DOOR);
	bench_join("door, joined with a text of 100 000 rows", 0, 1);
	bench_join("door, no such row", ROWS, 0);
	close_chain();
	open_chain(dir, "join",
		"props.category = products.category by props.item\nprops.price = products.price by props.item",
		TALLY_DOOR);
	bench_join("door, joined with a text and a number", 0, 2);
	close_chain();
	lookups_stop(lookups);
	lookups_free(lookups);
	lookups = NULL;
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "plugins", *geo = argc > 2 ? argv[2] : NULL;
	arena_init(&batch, 1 << 20);
	open_chain(dir, "geo", geo, TALLY_DOOR);
	bench_door(geo ? "door, a user agent known, country" : "door, a user agent known", true, false);
	bench_door("door, the same, not to be tracked", true, true);
	bench_door("door, a new user agent each time", false, false);
	close_chain();
	open_chain(dir, NULL, NULL, TALLY_LINE);
	bench_line("line, no referrer", "", 1);
	bench_line("line, from a search engine", "https://www.google.com/", 2);
	bench_line("line, from a site that is in no table", "https://blog.unknown.example/post", 2);
	bench_line("line, from the site itself", "https://shop.example/list", 0);
	close_chain();
	bench_joins(dir);
	arena_free(&batch);
	return 0;
}
