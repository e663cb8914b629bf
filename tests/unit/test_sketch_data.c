/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches of real data against figures that others computed. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <time.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/table.h"
#include "data.h"
#include "sketch/heavy.h"
#include "sketch/hll.h"
#include "sketch/quantile.h"
#include "unit.h"

static json_t *truth_of(const char *name)
{
	char path[64];
	snprintf(path, sizeof path, "%s.truth.json", name);
	json_t *truth = json_load_file(data_path(path), 0, NULL);
	assert_non_null(truth);
	return truth;
}

/* ---- distinct values ---- */

struct counter {
	uint8_t *b;
	size_t len, cap;
};

static void count(struct counter *c, struct tally_str value)
{
	uint64_t hash = hll_hash(value.ptr, value.len);
	while (c->cap == 0 || hll_add(c->b, &c->len, c->cap, hash) == -ENOSPC) {
		c->cap = c->cap ? 2 * c->cap : 64;
		assert_true(c->cap < 2 * HLL_ROOM);
		c->b = realloc(c->b, c->cap);
		assert_non_null(c->b);
	}
}

static void count_at(struct table *t, struct tally_str key, struct tally_str value)
{
	void **at = table_place(t, key);
	if (!*at)
		*at = calloc(1, sizeof(struct counter));
	assert_non_null(*at);
	count(*at, value);
}

/* The text behind "name":" as it is written: equal texts are written alike. Empty if the line has none. */
static struct tally_str text_of(struct tally_str line, const char *name)
{
	char head[32];
	int n = snprintf(head, sizeof head, "\"%s\":\"", name);
	const char *at = memmem(line.ptr, line.len, head, (size_t)n), *end = line.ptr + line.len;
	if (!at)
		return (struct tally_str){ 0 };
	const char *stop = at += n;
	while (stop < end && (*stop != '"' || stop[-1] == '\\'))
		stop++;
	return str_make(at, (size_t)(stop - at));
}

/* "2015-09-12T00" of a time that is text or seconds. */
static struct tally_str hour_of(struct tally_str line)
{
	static char hour[14];
	static const char head[] = "\"time\":";
	const char *at = memmem(line.ptr, line.len, head, sizeof head - 1);
	assert_non_null(at);
	at += sizeof head - 1;
	time_t t = *at == '"' ? 0 : (time_t)strtoll(at, NULL, 10);
	struct tm tm;
	if (*at == '"')
		memcpy(hour, at + 1, 13);
	else
		assert_int_equal(strftime(hour, sizeof hour, "%Y-%m-%dT%H", gmtime_r(&t, &tm)), 13);
	return str_make(hour, 13);
}

static double worst;

/* Exact up to 500, within 2.5 % beyond. */
static void check_count(const char *what, const char *which, const struct counter *c, json_t *want)
{
	double exact = (double)json_integer_value(want), got = c ? hll_estimate(c->b, c->len) : 0;
	double off = exact ? fabs(got / exact - 1) : got;
	if (off > (exact <= 500 ? 0 : 0.025))
		fail_msg("%s %s: %g, exactly %g", what, which, got, exact);
	worst = off > worst ? off : worst;
}

static void check_buckets(const char *what, const struct table *t, json_t *buckets)
{
	const char *key;
	json_t *pair;
	assert_true(json_object_size(buckets) > 0);
	json_object_foreach(buckets, key, pair)
		check_count(what, key, table_get(t, str_of(key)), json_array_get(pair, 1));
}

static void free_counters(struct table *t)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(t, &at));) {
		free(((struct counter *)e->value)->b);
		free(e->value);
	}
	table_free(t);
}

static void check_distinct(const char *name, const char *item)
{
	struct counter visitors = { 0 }, items = { 0 }, pairs = { 0 };
	struct table days = { 0 }, hours = { 0 };
	struct arena arena;
	json_t *truth = truth_of(name);
	char path[64];
	size_t len = 0;
	arena_init(&arena, 0);
	snprintf(path, sizeof path, "%s.events.ndjson.zst", name);
	char *bytes = data_read_zst(data_path(path), &len);
	assert_non_null(bytes);
	for (char *at = bytes, *end; at < bytes + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(bytes + len - at));
		end = end ? end : bytes + len;
		struct tally_str line = str_make(at, (size_t)(end - at));
		struct tally_str visitor = text_of(line, "visitor"), of = text_of(line, item), hour = hour_of(line);
		count(&visitors, visitor);
		count(&items, of);
		count(&pairs,
			str_of(arena_printf(&arena, "%.*s\n%.*s", (int)visitor.len, visitor.ptr, (int)of.len, of.ptr)));
		arena_reset(&arena);
		count_at(&days, str_make(hour.ptr, 10), visitor);
		count_at(&hours, hour, visitor);
	}
	worst = 0;
	check_count(name, "visitors", &visitors, json_object_get(truth, "distinct_visitors"));
	check_count(name, "items", &items, json_object_get(truth, "distinct_items"));
	check_count(name, "pairs", &pairs, json_object_get(truth, "distinct_visitor_item_pairs"));
	check_buckets(name, &days, json_object_get(truth, "per_day_utc__events_and_distinct_visitors"));
	check_buckets(name, &hours, json_object_get(truth, "per_hour_utc__events_and_distinct_visitors"));
	print_message(
		"%s: distinct visitors, items, pairs; by day and hour: off by %.2f %% at most\n", name, 100 * worst);
	free(visitors.b);
	free(items.b);
	free(pairs.b);
	free_counters(&days);
	free_counters(&hours);
	free(bytes);
	json_decref(truth);
	arena_free(&arena);
}

static void distinct_counts_are_within_two_and_a_half_percent(void **state)
{
	(void)state;
	check_distinct("wikiticker", "page");
	check_distinct("rees46", "item");
	check_distinct("email_eu", "item");
}

/* ---- heavy hitters ---- */

static const uint8_t *heavy_key(struct tally_str item)
{
	static uint8_t key[HEAVY_KEY];
	uint64_t first = hll_hash(item.ptr, item.len);
	put_u64(key, first);
	put_u64(key + 8, hll_hash(&first, sizeof first));
	return key;
}

/* The published top list: who has more than N / k is there, and each count lies within its bounds. */
static void check_top(const char *name, const uint8_t *s, unsigned k, json_t *list)
{
	size_t found = 0, i;
	json_t *pair;
	json_array_foreach(list, i, pair)
	{
		struct heavy_entry e;
		const char *item = json_string_value(json_array_get(pair, 0));
		uint64_t events = (uint64_t)json_integer_value(json_array_get(pair, 1));
		if (!heavy_find(s, heavy_key(str_of(item)), &e)) {
			assert_true(events <= heavy_floor(s) && events <= heavy_total(s) / k);
			continue;
		}
		assert_true(e.count - e.error <= events && events <= e.count);
		found++;
	}
	print_message("%s: %zu of the top 20 among %u, every count within %llu\n", name, found, k,
		(unsigned long long)heavy_floor(s));
	assert_true(found >= 15);
}

static void check_heavy(const char *name, const char *item, unsigned k)
{
	json_t *truth = truth_of(name);
	char path[64];
	size_t len = 0;
	snprintf(path, sizeof path, "%s.events.ndjson.zst", name);
	char *bytes = data_read_zst(data_path(path), &len);
	uint8_t *s = malloc(heavy_room(k));
	assert_true(bytes && s);
	heavy_init(s, k);
	for (char *at = bytes, *end; at < bytes + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(bytes + len - at));
		end = end ? end : bytes + len;
		heavy_add(s, heavy_key(text_of(str_make(at, (size_t)(end - at)), item)), 1);
	}
	assert_int_equal(heavy_total(s), json_integer_value(json_object_get(truth, "events")));
	check_top(name, s, k, json_object_get(json_object_get(truth, "top_20_items_by_events"), "list"));
	free(s);
	free(bytes);
	json_decref(truth);
}

static void top_lists_are_within_their_bounds(void **state)
{
	(void)state;
	check_heavy("email_eu", "item", 300);
	check_heavy("rees46", "item", 1000);
	check_heavy("wikiticker", "page", 4000);
}

/* ---- percentiles ---- */

/* The number behind "value": in one line of NDJSON; false if it has none. */
static bool value_of(const char *line, const char *end, double *out)
{
	static const char name[] = "\"value\":";
	const char *at = memmem(line, (size_t)(end - line), name, sizeof name - 1);
	if (at)
		*out = strtod(at + sizeof name - 1, NULL);
	return at != NULL;
}

static double rank_of(json_t *numeric, const char *p)
{
	return json_number_value(json_object_get(json_object_get(numeric, p), "nearest_rank"));
}

static void check_quantiles(const char *name)
{
	static uint8_t sketch[QUANTILE_ROOM];
	static const struct {
		const char *name;
		unsigned percent;
	} asked[] = { { "p50", 50 }, { "p90", 90 }, { "p95", 95 }, { "p99", 99 } };
	json_t *truth = truth_of(name), *numeric = json_object_get(truth, "numeric");
	char path[64];
	size_t len = 0, sketch_len = 0;
	double number;
	snprintf(path, sizeof path, "%s.events.ndjson.zst", name);
	char *bytes = data_read_zst(data_path(path), &len);
	assert_non_null(bytes);
	for (char *line = bytes, *end; line < bytes + len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(bytes + len - line));
		end = end ? end : bytes + len;
		if (value_of(line, end, &number))
			assert_int_equal(quantile_add(sketch, &sketch_len, sizeof sketch, number, 1), 0);
	}
	assert_int_equal(quantile_count(sketch, sketch_len), json_integer_value(json_object_get(numeric, "count")));
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		double got = quantile_value(sketch, sketch_len, asked[i].percent),
		       want = rank_of(numeric, asked[i].name);
		print_message("%s %s: %g, exactly %g\n", name, asked[i].name, got, want);
		assert_true(fabs(got - want) <= 0.01 * fabs(want) * (1 + 1e-9));
	}
	print_message("%s: %zu bytes\n", name, sketch_len);
	free(bytes);
	json_decref(truth);
}

static void percentiles_are_within_one_percent(void **state)
{
	(void)state;
	check_quantiles("wikiticker"); /* signed */
	check_quantiles("rees46");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distinct_counts_are_within_two_and_a_half_percent),
		cmocka_unit_test(top_lists_are_within_their_bounds),
		cmocka_unit_test(percentiles_are_within_one_percent),
	};
	if (data_missing("test_sketch_data", "wikiticker.truth.json"))
		return TEST_SKIPPED;
	return RUN_TESTS("sketch_data", tests);
}
