/* SPDX-License-Identifier: Apache-2.0 */
/* How long the desk takes for questions over a year of a shop: BENCH_EVENTS (60000) events on 365 days, 60 pages, in a
 * SQLite file. Prints each question, where it was read from, rows and milliseconds (the best of five). */
#include "../unit/desk_kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define CHUNK 20000

static uint64_t chance_state = 88172645463325252u;

static double chance(void)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return (double)(chance_state >> 11) / 9007199254740992.0;
}

static void fill(struct kit *k, size_t total)
{
	struct kit_event *events = calloc(CHUNK, sizeof *events);
	for (size_t done = 0; done < total; done += CHUNK) {
		/* a chunk is a stretch of the year, as it would arrive */
		int64_t from = KIT_NOW - 365 * KIT_DAY + (int64_t)(365.0 * KIT_DAY * (double)done / (double)total);
		double span = 365.0 * KIT_DAY * CHUNK / (double)total;
		for (size_t i = 0; i < CHUNK; i++) {
			events[i] = (struct kit_event){ .name = chance() < 0.8 ? "view" : "click",
				.visitor = arena_printf(&k->arena, "v%d", (int)(pow(chance(), 2) * 30000)),
				.page = arena_printf(&k->arena, "/p%d", (int)(pow(chance(), 3) * 60)),
				.time_us = from + (int64_t)(span * chance()),
				.has_value = true,
				.value = floor(chance() * 100) };
		}
		kit_fill(k, events, CHUNK);
	}
	free(events);
}

static const char *const questions[] = {
	"\"metrics\":[\"visitors\",\"events\"],\"date_range\":\"day\"",
	"\"metrics\":[\"visitors\",\"events\"],\"date_range\":\"30d\"",
	"\"metrics\":[\"visitors\",\"events\"],\"date_range\":\"12mo\"",
	"\"metrics\":[\"visitors\",\"events\"],\"date_range\":\"30d\",\"timezone\":\"Asia/Kolkata\"",
	"\"metrics\":[\"visitors\",\"events\"],\"date_range\":\"30d\",\"dimensions\":[\"time:hour\"]",
	"\"metrics\":[\"visitors\",\"events\"],\"date_range\":\"30d\",\"dimensions\":[\"time:day\"],\"timezone\":\"Asia/Kolkata\"",
	"\"metrics\":[\"visitors\",\"events\"],\"date_range\":\"12mo\",\"dimensions\":[\"time:month\"]",
	"\"metrics\":[\"events\"],\"date_range\":\"30d\",\"dimensions\":[\"event:page\"],\"pagination\":{\"limit\":10}",
	"\"metrics\":[\"visitors\"],\"date_range\":\"30d\",\"dimensions\":[\"event:page\"],\"pagination\":{\"limit\":10}",
	"\"metrics\":[\"visitors\"],\"date_range\":\"12mo\",\"dimensions\":[\"event:page\"],\"pagination\":{\"limit\":10}",
	"\"metrics\":[\"visitors\"],\"date_range\":\"7d\",\"dimensions\":[\"event:page\",\"time:hour\"],\"pagination\":{\"limit\":10}",
	"\"metrics\":[\"visitors\",\"events\"],\"date_range\":\"30d\",\"dimensions\":[\"event:hostname\"]",
};

static void ask(struct kit *k, const char *rest)
{
	char body[400];
	int64_t best = INT64_MAX;
	char source[40] = "";
	long long rows = 0;
	snprintf(body, sizeof body, "{\"site_id\":\"shop.example\",%s}", rest);
	for (int i = 0; i < 5; i++) {
		int64_t began = clock_mono_us();
		struct answer an = kit_answer(k, "", body, NULL);
		int64_t took = clock_mono_us() - began;
		json_t *root = json_loadb(an.body.ptr, an.body.len, 0, NULL);
		if (an.status != 200 || !root) {
			printf("%s: %d %.*s\n", body, an.status, (int)an.body.len, an.body.ptr);
			exit(1);
		}
		snprintf(source, sizeof source, "%s", kit_text_at(root, "meta.source"));
		rows = json_integer_value(kit_at(root, "meta.cost.rows_read"));
		json_decref(root);
		best = took < best ? took : best;
	}
	printf("%8.2f ms %8lld rows  %-14s %s\n", (double)best / 1000, rows, source, rest);
}

int main(void)
{
	const char *many = getenv("BENCH_EVENTS");
	struct kit *k = kit_open();
	struct store_options so = *store_options(k->store);
	store_close(k->store);
	so.max_rows = 10000000;
	k->store = store_open(&so);
	fill(k, many ? strtoul(many, NULL, 10) : 60000);
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
		ask(k, questions[i]);
	kit_close(k);
	return 0;
}
