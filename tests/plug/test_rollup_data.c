/* SPDX-License-Identifier: Apache-2.0 */
/* The real rollup plugin in a real chain, with real sketches, over real data whose sums are known from elsewhere: every
 * batch's rows are added up here as a store would, and must give the published truth. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/table.h"
#include "event/event.h"
#include "plug/plug.h"
#include "sketch/hll.h"
#include "unit.h"
#include "zone/zone.h"

#define BATCH 700
#define DAY_US (86400 * INT64_C(1000000))

/* ---- a store: rows by their key ---- */

struct stored {
	int64_t events, numbers;
	double sum, least, most;
	unsigned char hll[HLL_ROOM];
	size_t hll_len;
};

static struct table rows;
static struct arena batch;
static struct plug_chain *chain;
static size_t in_batch;

static struct stored *stored_at(const char *key)
{
	void **place = table_place(&rows, str_of(key));
	if (!*place)
		*place = calloc(1, sizeof(struct stored));
	return *place;
}

static const char *key_of(const char *rollup, uint32_t grain, int64_t bucket_us, struct tally_str dim)
{
	static char key[512];
	snprintf(key, sizeof key, "%s %u %lld %.*s", rollup, grain, (long long)bucket_us, (int)dim.len,
		dim.len ? dim.ptr : "");
	return key;
}

static int emit(void *line, const struct tally_row *row)
{
	(void)line;
	const struct tally_amount *am = row->amounts;
	struct tally_str dim = row->rollup->ndims ? row->dims[0] : STR("");
	struct stored *s = stored_at(key_of(row->rollup->name.ptr, row->grain, row->bucket_us, dim));
	s->events += am[0].count;
	if (am[1].sketch_len)
		assert_int_equal(hll_merge(s->hll, &s->hll_len, sizeof s->hll, am[1].sketch, am[1].sketch_len), 0);
	if (row->rollup->nmetrics < 5)
		return 0;
	s->sum += am[2].number;
	if (am[3].count) {
		s->least = s->numbers && s->least < am[3].number ? s->least : am[3].number;
		s->most = s->numbers && s->most > am[4].number ? s->most : am[4].number;
	}
	s->numbers += am[2].count;
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

static void flush(void)
{
	assert_int_equal(plug_flush(chain, &batch), 0);
	arena_reset(&batch);
	in_batch = 0;
}

static int take(void *arg, size_t index, struct tally_event *ev, const struct event_error *err)
{
	(void)arg;
	(void)index;
	struct plug_verdict v;
	if (!ev)
		fail_msg("rejected: %s", err->message);
	assert_int_equal(plug_event(chain, &batch, ev, &v), TALLY_PASS);
	if (++in_batch == BATCH)
		flush();
	return 0;
}

/* ---- the data ---- */

static char *data_path(const char *name, char out[512])
{
	const char *dir = getenv("TALLY_DATA");
	snprintf(out, 512, "%s/%s", dir ? dir : TEST_SRCDIR "/../shared/data", name);
	return out;
}

/* The whole file, unpacked; free() it. */
static char *unpack(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size_t n = (size_t)ftell(f), cap = 64u << 20;
	rewind(f);
	char *packed = malloc(n), *text = malloc(cap);
	assert_int_equal(fread(packed, 1, n, f), n);
	fclose(f);
	*len = ZSTD_decompress(text, cap, packed, n);
	assert_false(ZSTD_isError(*len));
	free(packed);
	return text;
}

static const struct event_site *any_time(void *arg, struct tally_str name)
{
	static const struct event_site site = { .past_us = INT64_MAX, .future_us = INT64_MAX };
	(void)arg;
	(void)name;
	return &site;
}

static void send_all(const char *path)
{
	struct event_context cx = { .limits = { 65536, 32, SIZE_MAX },
		.default_site = STR("default"),
		.now_us = INT64_C(1700000000000000),
		.site = any_time };
	struct event_error err;
	struct arena a;
	size_t len;
	char *text = unpack(path, &len);
	arena_init(&a, 1 << 20);
	assert_int_equal(event_read_body(&cx, &a, str_make(text, len), take, NULL, &err), 0);
	flush();
	arena_free(&a);
	free(text);
}

/* ---- the comparison ---- */

/* Exact to 500, within five standard errors beyond. */
static void same_people(const struct stored *s, json_int_t want)
{
	double got = hll_estimate(s->hll, s->hll_len), most = want <= 500 ? 0.01 : (double)want * 5 * 0.0081;
	if (fabs(got - (double)want) > most)
		fail_msg("%.1f visitors instead of %lld", got, (long long)want);
}

static void compare(const char *rollup, uint32_t grain, int64_t bucket_us, struct tally_str dim, const json_t *pair)
{
	const char *key = key_of(rollup, grain, bucket_us, dim);
	const struct stored *s = table_get(&rows, str_of(key));
	if (!s)
		fail_msg("no row %s", key);
	assert_int_equal(s->events, json_integer_value(json_array_get(pair, 0)));
	same_people(s, json_integer_value(json_array_get(pair, 1)));
}

static int64_t time_of(const char *label)
{
	char iso[64];
	int64_t us;
	snprintf(iso, sizeof iso, "%s%s", label,
		strlen(label) == 10   ? "T00:00:00Z"
		: strlen(label) == 13 ? ":00:00Z"
				      : ":00Z");
	assert_int_equal(zone_parse(iso, strlen(iso), &us), 0);
	return us;
}

/* An hour is what its four quarter hours make. */
static void compare_hour(int64_t hour_us, const json_t *pair)
{
	struct stored sum = { 0 };
	for (int q = 0; q < 4; q++) {
		const struct stored *s = table_get(
			&rows, str_of(key_of("total", TALLY_QUARTER, hour_us + q * 900 * INT64_C(1000000), STR(""))));
		if (!s)
			continue;
		sum.events += s->events;
		assert_int_equal(hll_merge(sum.hll, &sum.hll_len, sizeof sum.hll, s->hll, s->hll_len), 0);
	}
	assert_int_equal(sum.events, json_integer_value(json_array_get(pair, 0)));
	same_people(&sum, json_integer_value(json_array_get(pair, 1)));
}

static void compare_numbers(const json_t *truth, const struct stored *s)
{
	const json_t *numbers = json_object_get(truth, "numeric");
	assert_int_equal(s->numbers, json_integer_value(json_object_get(numbers, "count")));
	assert_true(s->least == json_number_value(json_object_get(numbers, "min")));
	assert_true(s->most == json_number_value(json_object_get(numbers, "max")));
	assert_true(fabs(s->sum - json_number_value(json_object_get(numbers, "sum"))) < 0.01);
}

static void compare_all(json_t *truth)
{
	const char *label;
	json_t *pair, *count;
	int64_t day = 0;
	json_object_foreach(json_object_get(truth, "per_day_utc__events_and_distinct_visitors"), label, pair)
		compare("total", TALLY_DAY, day = time_of(label), STR(""), pair);
	json_object_foreach(json_object_get(truth, "per_minute_utc__events_and_distinct_visitors"), label, pair)
		compare("total", TALLY_MINUTE, time_of(label), STR(""), pair);
	json_object_foreach(json_object_get(truth, "per_hour_utc__events_and_distinct_visitors"), label, pair)
		compare_hour(time_of(label), pair);
	json_object_foreach(json_object_get(truth, "by_type"), label, count)
	{
		json_t *people = json_object_get(json_object_get(truth, "distinct_visitors_by_type"), label);
		if (!people)
			continue;
		json_t *both = json_pack("[O,O]", count, people);
		compare("names", TALLY_DAY, day, str_of(label), both);
		json_decref(both);
	}
	/* the data is of one day: the month holds the same */
	int64_t month = zone_floor(zone_utc(), ZONE_MONTH, day);
	compare_numbers(truth, table_get(&rows, str_of(key_of("total", TALLY_MONTH, month, STR("")))));
}

static void forget_rows(void)
{
	size_t at = 0;
	for (const struct table_entry *e; (e = table_next(&rows, &at)) != NULL;)
		free(e->value);
	table_free(&rows);
}

static void run(const char *name)
{
	static const struct conf_metric metrics[] = { { .kind = TALLY_EVENTS }, { .kind = TALLY_VISITORS },
		{ .kind = TALLY_SUM }, { .kind = TALLY_MIN }, { .kind = TALLY_MAX } };
	static const struct conf_dimension dims[] = { { .kind = TALLY_DIM_NAME } };
	static const struct conf_rollup rollups[] = { { .name = "total", .metrics = metrics, .nmetrics = 5 },
		{ .name = "names", .dims = dims, .ndims = 1, .metrics = metrics, .nmetrics = 2 } };
	static const struct conf_site sites[] = { { .name = "default", .timezone = "UTC" } };
	static const struct conf_plugin stage = { .name = "rollup", .place = "t.yaml:1:1" };
	static const struct plug_services services = { .emit = emit, .horizon = all_kept };
	const char *built = getenv("TALLY_PLUGINS");
	struct conf c = { .plugin_dir = built ? built : "plugins",
		.pipeline = &stage,
		.npipeline = 1,
		.pipeline_given = true,
		.rollups = rollups,
		.nrollups = 2,
		.sites = sites,
		.nsites = 1 };
	struct plug_set *set;
	char path[512], file[64], why[512];
	snprintf(file, sizeof file, "%s.truth.json", name);
	json_t *truth = json_load_file(data_path(file, path), 0, NULL);
	if (!truth) {
		print_message("skipped %s: no %s\n", name, path);
		skip();
	}
	plug_services_set(&services);
	if (plug_set_open(&c, NULL, &set, why) != 0 ||
		plug_chain_open(set, &c, TALLY_LINE, NULL, true, &chain, why) != 0)
		fail_msg("%s", why);
	arena_init(&batch, 1 << 20);
	snprintf(file, sizeof file, "%s.events.ndjson.zst", name);
	send_all(data_path(file, path));
	compare_all(truth);
	forget_rows();
	plug_chain_close(chain);
	plug_set_unref(set);
	arena_free(&batch);
	json_decref(truth);
}

static void a_shops_morning(void **state)
{
	(void)state;
	run("rees46");
}

static void a_day_of_wikipedia(void **state)
{
	(void)state;
	run("wikiticker");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shops_morning),
		cmocka_unit_test(a_day_of_wikipedia),
	};
	return RUN_TESTS("rollup over real data", tests);
}
