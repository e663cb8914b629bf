/* SPDX-License-Identifier: Apache-2.0 */
/* A top list in two steps is the same as one for which everything is read and merged. `include.total_rows` needs all rows,
 * so the same question with it is the oracle.
 *
 * The data is made to mislead: pages whose visitors come every day (a sum over buckets is many times the people), pages
 * of ever new visitors, pages that live on one day, crowds without events behind them; two nodes that know each a part.
 *   TALLY_TOP_SEED (1), TALLY_TOP_QUESTIONS (40) */
#include "desk_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 400
#define EVENTS 20000
#define FIRST INT64_C(1767999600000000) /* 2026-01-10 in Berlin */
#define DAYS 100

static uint64_t state_of_chance;

static unsigned chance(unsigned below)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return (unsigned)((state_of_chance >> 11) % below);
}

static struct kit_event events[EVENTS];
static char page_names[PAGES][16], visitor_names[EVENTS][12];

/* Few pages have many events. */
static unsigned some_page(void)
{
	unsigned a = chance(PAGES), b = chance(PAGES), c = chance(PAGES);
	unsigned least = a < b ? a : b;
	return least < c ? least : c;
}

static unsigned visitor_of(unsigned page, unsigned i)
{
	switch (page % 5) {
	case 0:
		return page * 7 + chance(3); /* the same three, day after day */
	case 1:
		return 10000 + i; /* always somebody new */
	case 2:
		return chance(40);
	default:
		return chance(4000);
	}
}

static int by_time(const void *a, const void *b)
{
	const struct kit_event *x = a, *y = b;
	return (x->time_us > y->time_us) - (x->time_us < y->time_us);
}

static void make_events(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		sprintf(page_names[i], "/p%03u", (i * 37) % PAGES); /* ties are not in the order of rank */
	for (unsigned i = 0; i < EVENTS; i++) {
		unsigned page = some_page();
		int64_t day = page % 5 == 1   ? (int64_t)(i % DAYS) /* evenly: on no day among the first */
			      : page % 7 == 3 ? (int64_t)(page % DAYS)
					      : (int64_t)chance(DAYS);
		sprintf(visitor_names[i], "v%u", visitor_of(page, i));
		events[i] = (struct kit_event){ .time_us = FIRST + day * KIT_DAY + (int64_t)chance(86400) * 1000000,
			.name = chance(4) ? "view" : "click",
			.visitor = visitor_names[i],
			.page = page_names[page] };
	}
	qsort(events, EVENTS, sizeof events[0], by_time);
}

static struct kit *filled(const char *seed)
{
	struct kit *k = kit_open();
	state_of_chance = 0x9e3779b97f4a7c15u * (seed ? strtoull(seed, NULL, 10) : 1);
	make_events();
	kit_fill(k, events, EVENTS);
	return k;
}

/* ---- questions ---- */

static unsigned ranked; /* questions that were answered in two steps */

static void write_question(char *out, const char *more)
{
	unsigned from = chance(40), days = 1 + chance(DAYS - 40);
	static const char *const orders[] = { "[[\"events\",\"desc\"]]", "[[\"visitors\",\"desc\"]]",
		"[[\"visitors\",\"desc\"],[\"events\",\"asc\"]]", "[[\"events\",\"desc\"],[\"event:page\",\"desc\"]]" };
	static const char *const filters[] = { "[\"is\",\"event:name\",[\"view\"]]",
		"[\"is\",\"event:name\",[\"click\"]]" };
	char first[64], last[64];
	zone_format(zone_get("Europe/Berlin"), FIRST + from * KIT_DAY, first);
	zone_format(zone_get("Europe/Berlin"), FIRST + (from + days) * KIT_DAY, last);
	unsigned limit = 1 + chance(chance(2) ? 3 : 20), offset = chance(2) ? 0 : chance(10), compare = chance(4) == 0;
	sprintf(out,
		"{\"site_id\":\"shop.example\",\"metrics\":[\"events\",\"visitors\"],\"dimensions\":[\"event:page\"],"
		"\"date_range\":[\"%.10s\",\"%.10s\"],\"order_by\":%s,\"filters\":[%s],%s\"pagination\":{\"limit\":%u,"
		"\"offset\":%u}%s}",
		first, last, orders[chance(4)], filters[chance(2)], compare ? "\"compare\":\"previous_period\"," : "",
		limit, offset, more);
}

static char *results_of(struct kit *k, const char *body)
{
	json_t *root = kit_ask(k, 200, body);
	assert_string_equal(kit_text_at(root, "meta.source"), "rollup:pages");
	char *text = json_dumps(kit_at(root, "results"), JSON_COMPACT);
	json_decref(root);
	return text;
}

static void ask_both_ways(struct kit *k)
{
	char body[1024], all[1024];
	uint64_t here = state_of_chance;
	write_question(body, "");
	state_of_chance = here;
	write_question(all, ",\"include\":{\"total_rows\":true}");
	char *got = results_of(k, body), *want = results_of(k, all);
	if (strcmp(got, want) != 0)
		fail_msg("%s\n    gives %s\n    not   %s", body, got, want);
	free(got);
	free(want);
	struct answer plan = kit_answer(k, "explain=1", body, NULL);
	assert_int_equal(plan.status, 200);
	ranked += memmem(plan.body.ptr, plan.body.len, "DESC LIMIT", 10) != NULL &&
		  memmem(plan.body.ptr, plan.body.len, "`key` IN", 8) != NULL;
}

static void ranked_or_read_in_full_it_is_the_same(void **state)
{
	(void)state;
	const char *seed = getenv("TALLY_TOP_SEED"), *many = getenv("TALLY_TOP_QUESTIONS");
	unsigned questions = many ? (unsigned)atoi(many) : 40;
	struct kit *k = filled(seed);
	for (unsigned i = 0; i < questions; i++)
		ask_both_ways(k);
	printf("%u of %u questions in two steps\n", ranked, questions);
	assert_true(ranked > questions / 2);
	kit_close(k);
}

static void put(size_t *n, int64_t day, const char *page, unsigned visitor)
{
	sprintf(visitor_names[*n], "v%u", visitor);
	events[*n] = (struct kit_event){ .time_us = FIRST + day * KIT_DAY + (int64_t)*n * 1000,
		.name = "view",
		.visitor = visitor_names[*n],
		.page = page };
	++*n;
}

/* On every day 14 pages are loud, of few people, and fill the lists; eight newcomers a day elsewhere are on no list but
 * that of February, which alone says less of them than of a page that had its crowd then. Every second event goes to the other
 * node: the crowd is all on one. */
static void what_is_on_no_list_of_a_day_still_counts(void **state)
{
	size_t n = 0;
	(void)state;
	for (unsigned page = 0; page < 14; page++)
		sprintf(page_names[page], "/loud%u", page);
	for (int64_t day = 22; day < 65; day++) { /* 1 February to 15 March */
		for (unsigned i = 0; i < 14 * 10; i++)
			put(&n, day, page_names[i / 10], i);
		for (unsigned i = 0; i < 8; i++)
			put(&n, day, "/quiet", 1000 + (unsigned)n);
		for (unsigned i = 0; day == 30 && i < 300; i++) {
			put(&n, day, "/crowd", 1000 + (unsigned)n);
			put(&n, day, "/noise", 1);
		}
	}
	struct kit *k = kit_open();
	kit_fill(k, events, n);
	char *got = results_of(k,
		"{\"site_id\":\"shop.example\",\"metrics\":[\"visitors\"],\"dimensions\":[\"event:page\"],\"date_range\":["
		"\"2026-02-01\",\"2026-03-15\"],\"filters\":[[\"is\",\"event:name\",[\"view\"]]],\"pagination\":{\"limit\":1}}");
	assert_string_equal(got, "[{\"dimensions\":[\"/quiet\"],\"metrics\":[344]}]");
	free(got);
	kit_close(k);
}

/* Named by the filter, rows are looked up by their keys; within an `or` nothing is named, and all is read. */
static void rows_that_the_filter_names(void **state)
{
	static const struct {
		const char *dimensions, *filters;
	} rows[] = {
		{ "", "[\"is\",\"event:name\",[\"view\",\"click\"]],[\"is\",\"event:page\",[\"/p001\",\"/p037\",\"/none\"]]" },
		{ "", "[\"is\",\"event:page\",[\"/p000\"]],[\"is\",\"event:name\",[\"view\"]],[\"contains\",\"event:page\",[\"p\"]]" },
		{ "\"time:week\"", "[\"is\",\"event:page\",[\"/p111\"]],[\"is\",\"event:name\",[\"click\"]]" },
		{ "\"event:name\"",
			"[\"is\",\"event:page\",[\"/p111\",\"/p037\"]],[\"is\",\"event:name\",[\"click\",\"view\"]]" },
	};
	struct kit *k = filled("4711");
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char body[2][1024];
		char *results[2];
		for (int all = 0; all < 2; all++) {
			sprintf(body[all],
				"{\"site_id\":\"shop.example\",\"metrics\":[\"events\",\"visitors\"],\"dimensions\":[%s],"
				"\"date_range\":[\"2026-01-12\",\"2026-03-20\"],\"filters\":[%s[\"and\",[%s]]%s]}",
				rows[i].dimensions, all ? "[\"or\",[" : "", rows[i].filters,
				all ? ",[\"is\",\"event:page\",[\"/nowhere\"]]]]" : "");
			results[all] = results_of(k, body[all]);
			struct answer plan = kit_answer(k, "explain=1", body[all], NULL);
			assert_int_equal(memmem(plan.body.ptr, plan.body.len, "`key` IN", 8) == NULL, all);
		}
		assert_string_not_equal(results[1], "[{\"dimensions\":[],\"metrics\":[0,0]}]");
		assert_string_equal(results[0], results[1]);
		free(results[0]);
		free(results[1]);
	}
	kit_close(k);
}

/* Rows that are folded in a dimension that the filter pins take no place on the page, and that they are there is said. */
static void folded_rows_take_no_place(void **state)
{
	static const struct {
		const char *dimension, *filter;
	} rows[] = { { "event:name", "[\"is\",\"event:page\",[\"/x\"]]" },
		{ "event:page", "[\"is\",\"event:name\",[\"m1\"]]" } };
	enum { NAMES = 12, MOST = 2000 };
	static struct kit_event some[MOST];
	char names[NAMES][8], pages[NAMES][8];
	size_t n = 0;
	(void)state;
	for (unsigned i = 0; i < NAMES; i++) {
		sprintf(names[i], "m%u", i);
		sprintf(pages[i], "/%u", i);
		for (unsigned k = 0; k < 40; k++) /* of many names the pages are folded, and all of some */
			some[n++] = (struct kit_event){ .name = k % 2 ? names[i] : "(other)", .page = "(other)" };
		for (unsigned k = 0; k <= i; k++)
			some[n++] = (struct kit_event){ .name = names[i], .page = "/x" };
		for (unsigned k = 0; k <= i / 2; k++)
			some[n++] = (struct kit_event){ .name = "m1", .page = pages[i] };
	}
	assert_true(n <= MOST);
	for (size_t i = 0; i < n; i++)
		some[i].time_us = FIRST + (int64_t)i * 1000000;
	struct kit *k = kit_open();
	kit_fill(k, some, n);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *results[2], exactness[2][256];
		for (int all = 0; all < 2; all++) {
			char body[1024];
			sprintf(body,
				"{\"site_id\":\"shop.example\",\"metrics\":[\"events\"],\"dimensions\":[\"%s\"],\"date_range\":"
				"[\"2026-01-10\",\"2026-01-10\"],\"order_by\":[[\"events\",\"desc\"]],\"filters\":[%s],"
				"\"pagination\":{\"limit\":4,\"offset\":0}%s}",
				rows[i].dimension, rows[i].filter, all ? ",\"include\":{\"total_rows\":true}" : "");
			json_t *root = kit_ask(k, 200, body);
			assert_string_equal(kit_text_at(root, "meta.source"), "rollup:pages");
			snprintf(exactness[all], sizeof exactness[all], "%s",
				kit_text_at(root, "meta.exactness.events.kind"));
			results[all] = json_dumps(kit_at(root, "results"), JSON_COMPACT);
			assert_int_equal(json_array_size(kit_at(root, "results")), 4);
			json_decref(root);
		}
		assert_string_equal(results[0], results[1]);
		assert_string_equal(exactness[0], "at_least");
		assert_string_equal(exactness[1], "at_least");
		free(results[0]);
		free(results[1]);
	}
	kit_close(k);
}

/* A page that is not in the list of the month, and in that of a day: what the month's sketch says then counts in full. */
static void months_that_were_not_in_the_list_count(void **state)
{
	enum { FILLERS = 90, LOUD = 62, MOST = 2 * (FILLERS * LOUD + 221) };
	static struct kit_event some[MOST];
	static char fillers[FILLERS][8], people[220][8];
	const int64_t january = FIRST, february = FIRST + 22 * KIT_DAY;
	size_t n = 0;
	(void)state;
	for (unsigned i = 0; i < FILLERS; i++) /* many events, one visitor */
		for (unsigned k = 0; k < LOUD; k++) {
			sprintf(fillers[i], "/f%u", i);
			some[n++] = (struct kit_event){ .time_us = january, .page = fillers[i], .visitor = "v" };
		}
	for (unsigned k = 0; k < 220; k++) { /* /x: 60 visitors each time; /t: 100 of the day */
		sprintf(people[k], "p%u", k);
		some[n++] = (struct kit_event){
			.time_us = k < 60 ? january : february, .page = k < 120 ? "/x" : "/t", .visitor = people[k]
		};
	}
	some[n++] = (struct kit_event){ .time_us = february, .page = "(other)", .visitor = "v" };
	for (size_t i = n; i-- > 0;) { /* one node has all of it */
		some[2 * i] = some[i];
		some[2 * i].name = "view";
		some[2 * i + 1] = (struct kit_event){
			.time_us = january, .site = "rock.example", .name = "view", .page = "/", .visitor = "v"
		};
	}
	struct kit *k = kit_open();
	kit_fill(k, some, 2 * n);
	json_t *root = kit_ask(k, 200,
		"{\"site_id\":\"shop.example\",\"metrics\":[\"visitors\"],\"dimensions\":[\"event:page\"],"
		"\"date_range\":[\"2026-01-01\",\"2026-02-01\"],\"order_by\":[[\"visitors\",\"desc\"]],"
		"\"filters\":[[\"is\",\"event:name\",[\"view\"]]],\"pagination\":{\"limit\":1,\"offset\":0}}");
	char *results = json_dumps(kit_at(root, "results"), JSON_COMPACT);
	assert_string_equal(results, "[{\"dimensions\":[\"/x\"],\"metrics\":[120]}]");
	assert_int_equal(json_array_size(kit_at(root, "meta.warnings")), 1); /* that rows are folded */
	free(results);
	json_decref(root);
	kit_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranked_or_read_in_full_it_is_the_same),
		cmocka_unit_test(what_is_on_no_list_of_a_day_still_counts),
		cmocka_unit_test(rows_that_the_filter_names),
		cmocka_unit_test(folded_rows_take_no_place),
		cmocka_unit_test(months_that_were_not_in_the_list_count),
	};
	return RUN_TESTS("desk top lists", tests);
}
