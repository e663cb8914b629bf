/* SPDX-License-Identifier: Apache-2.0 */
/* Random events, random questions: what the desk answers from rollups or raw rows must be what a plain walk over the
 * events gives. The walk shares nothing with the desk: time is cut by the C library under TZ.
 *   TALLY_ORACLE_SEED (1), TALLY_ORACLE_QUESTIONS (250) */
#include "desk_kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS 700
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static uint64_t state_of_chance;

static unsigned chance(unsigned below)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return (unsigned)((state_of_chance >> 11) % below);
}

/* ---- events ---- */

static const char *const sites[] = { "shop.example", "india.example", "rock.example", "plain.example" };
static const char *const names[] = { "view", "pageview", "click", "purchase" };
static const char *const pages[] = { NULL, "/", "/buy", "/buy/now", "/\xc3\xa9t\xc3\xa9", "a|b", "a" };
static const char *const items[] = { NULL, "pen", "ink", "pen ", "\"quoted\"" };
static const char *const visitors[] = { NULL, "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9" };

/* Around both changes of the clock in Berlin and in Newfoundland, the turn of the year, and anywhere. */
static const int64_t places[] = { 1774746000, 1792890000, 1772953200, 1793512800, 1798758000, 1790000000 };

static struct kit_event events[EVENTS];

static int64_t any_time(void)
{
	int64_t base = places[chance(COUNT(places))];
	int64_t spread = chance(4) ? 3 * 86400 : 120 * 86400;
	int64_t t = base - spread / 2 + (int64_t)chance((unsigned)spread);
	if (chance(4) == 0)
		t -= t % 900; /* on a bound */
	return t * 1000000 + (chance(3) ? 0 : chance(1000000));
}

static void make_events(void)
{
	for (size_t i = 0; i < EVENTS; i++) {
		struct kit_event *e = &events[i];
		*e = (struct kit_event){ .time_us = any_time(),
			.site = sites[chance(COUNT(sites))],
			.name = names[chance(COUNT(names))],
			.visitor = visitors[chance(COUNT(visitors))],
			.page = pages[chance(COUNT(pages))],
			.item = items[chance(COUNT(items))] };
		e->has_value = chance(3) > 0;
		e->value = (double)chance(400) / 4 - 30;
		e->has_price = chance(2) > 0;
		e->price = (double)chance(400) / 8;
	}
}

/* ---- questions ---- */

enum { U_NONE, U_MINUTE, U_QUARTER, U_HOUR, U_DAY, U_WEEK, U_MONTH, U_ALL };
static const char *const units[] = { "", "time:minute", "time:quarter", "time:hour", "time:day", "time:week",
	"time:month" };
static const char *const zones[] = { "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "UTC" };
static const char *const dims[] = { "event:name", "event:page", "event:props:item" };
static const char *const metrics[] = { "events", "visitors", "pageviews", "sum:value", "avg:value", "min:value",
	"max:value", "sum:props.price", "min:props.price", "p50:value", "p95:value", "p90:props.price" };

struct test {        /* a leaf: dims[dim] op one of two values */
	int dim, op; /* is, is_not, contains, contains_not */
	bool any_case;
	const char *values[2];
};

struct question {
	const char *site, *zone;
	int unit;
	bool dim[3], metric[12];
	struct test tests[2];
	int ntests;
	bool any, negate; /* or; not around all */
	int64_t from_us, to_us;
	char body[2048];
};

static void add_text(char *out, const char *s)
{
	strcat(out, "\"");
	for (; *s; s++) {
		char c[3] = { *s == '"' || *s == '\\' ? '\\' : *s, *s == '"' || *s == '\\' ? *s : 0, 0 };
		strcat(out, c);
	}
	strcat(out, "\"");
}

static const char *const ops[] = { "is", "is_not", "contains", "contains_not" };

static void write_tests(struct question *q)
{
	char *out = q->body;
	strcat(out, ",\"filters\":[");
	if (q->ntests)
		strcat(out, q->negate ? q->any ? "[\"not\",[\"or\",[" : "[\"not\",[\"and\",["
			    : q->any  ? "[\"or\",["
				      : "[\"and\",[");
	for (int i = 0; i < q->ntests; i++) {
		sprintf(out + strlen(out), "%s[\"%s\",\"%s\",[", i ? "," : "", ops[q->tests[i].op],
			dims[q->tests[i].dim]);
		add_text(out, q->tests[i].values[0]);
		strcat(out, ",");
		add_text(out, q->tests[i].values[1]);
		strcat(out, q->tests[i].any_case ? "],{\"case_sensitive\":false}]" : "]]");
	}
	if (q->ntests)
		strcat(out, q->negate ? "]]]" : "]]");
	strcat(out, "]");
}

static void write_lists(struct question *q)
{
	char *out = q->body;
	const char *comma = "";
	sprintf(out, "{\"site_id\":\"%s\",\"timezone\":\"%s\",\"metrics\":[", q->site, q->zone);
	for (size_t i = 0; i < COUNT(metrics); i++) {
		if (!q->metric[i])
			continue;
		sprintf(out + strlen(out), "%s\"%s\"", comma, metrics[i]);
		comma = ",";
	}
	strcat(out, "],\"dimensions\":[");
	comma = "";
	if (q->unit) {
		sprintf(out + strlen(out), "\"%s\"", units[q->unit]);
		comma = ",";
	}
	for (size_t i = 0; i < COUNT(dims); i++) {
		if (!q->dim[i])
			continue;
		sprintf(out + strlen(out), "%s\"%s\"", comma, dims[i]);
		comma = ",";
	}
	strcat(out, "]");
}

static int64_t midnight(int year, int month, int mday)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = mday, .tm_isdst = -1 };
	return (int64_t)mktime(&tm) * 1000000;
}

static void iso(int64_t us, char out[64])
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	localtime_r(&t, &tm);
	long off = tm.tm_gmtoff, abs = off < 0 ? -off : off;
	size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	n += us % 1000000 ? (size_t)sprintf(out + n, ".%06d", (int)(us % 1000000)) : 0;
	sprintf(out + n, "%c%02ld:%02ld", off < 0 ? '-' : '+', abs / 3600, abs / 60 % 60);
}

static void choose_range(struct question *q)
{
	char from[64], to[64];
	if (chance(2)) {
		int month = 1 + (int)chance(12), mday = 1 + (int)chance(28),
		    days = 1 + (int)chance(chance(3) ? 10 : 200);
		struct tm last = {
			.tm_year = 126, .tm_mon = month - 1, .tm_mday = mday + days - 1, .tm_isdst = -1, .tm_hour = 12
		};
		mktime(&last);
		q->from_us = midnight(2026, month, mday);
		q->to_us = midnight(2026, month, mday + days);
		sprintf(q->body + strlen(q->body), ",\"date_range\":[\"2026-%02d-%02d\",\"%04d-%02d-%02d\"]", month,
			mday, last.tm_year + 1900, last.tm_mon + 1, last.tm_mday);
		return;
	}
	int64_t step = chance(4) ? 900 : 1;
	q->from_us = any_time() / 1000000 / step * step * 1000000;
	q->to_us = q->from_us + (1 + (int64_t)chance(chance(2) ? 400 : 20000)) * step * 1000000;
	iso(q->from_us, from);
	iso(q->to_us, to);
	sprintf(q->body + strlen(q->body), ",\"date_range\":[\"%s\",\"%s\"]", from, to);
}

/* Dimensions, tests and metrics that one of the kit's rollups holds. */
static void fit_rollup(struct question *q)
{
	static const char held[][COUNT(metrics) + 1] = { "110111100110", "111000000000", "101110010000",
		"000000001001" };
	static const char kept[][4] = { "000", "110", "101", "001" };
	unsigned r = chance(4);
	for (int i = 0; i < 3; i++)
		q->dim[i] &= kept[r][i] == '1';
	for (size_t i = 0; i < COUNT(metrics); i++)
		q->metric[i] &= held[r][i] == '1';
	q->metric[strchr(held[r], '1') - held[r]] = true;
	for (int i = 0; i < q->ntests; i++)
		if (kept[r][q->tests[i].dim] == '0')
			q->ntests = 0;
}

static void choose(struct question *q)
{
	*q = (struct question){ .site = sites[chance(COUNT(sites))], .zone = zones[chance(COUNT(zones))] };
	setenv("TZ", q->zone, 1);
	tzset();
	q->unit = (int)chance(U_ALL);
	for (size_t i = 0; i < COUNT(dims); i++)
		q->dim[i] = chance(4) == 0;
	bool few = chance(2);
	for (size_t i = 0; i < COUNT(metrics); i++)
		q->metric[i] = chance(few ? 5 : 3) == 0;
	q->metric[chance(2)] = true;
	q->any = chance(2);
	q->negate = chance(3) == 0;
	q->ntests = (int)chance(3);
	for (int i = 0; i < q->ntests; i++) {
		struct test *t = &q->tests[i];
		*t = (struct test){ (int)chance(3), (int)chance(4), chance(4) == 0, { "view", "pageview" } };
		if (t->dim == 1)
			t->values[0] = "/buy", t->values[1] = chance(2) ? "" : "/";
		if (t->dim == 2)
			t->values[0] = "pen", t->values[1] = chance(2) ? "" : "\"quoted\"";
		if (chance(2)) /* letters in upper case, which no event has */
			t->values[0] = t->dim == 0 ? "VIEW" : t->dim == 1 ? "/bUy" : "PEN";
	}
	if (chance(3))
		fit_rollup(q);
	write_lists(q);
	choose_range(q);
	write_tests(q);
	strcat(q->body, "}");
}

/* ---- the walk ---- */

struct sums {
	char key[512];
	long long events, pageviews, nvalue, nprice;
	unsigned seen; /* visitors, a bit each */
	double sum, least, most, price_sum, price_least;
	double values[EVENTS], prices[EVENTS];
};

static struct sums rows[EVENTS];
static size_t nrows;

static const char *field(const struct kit_event *e, int dim)
{
	const char *s = dim == 0 ? e->name : dim == 1 ? e->page : e->item;
	return s ? s : "";
}

static bool test_holds(const struct test *t, const struct kit_event *e)
{
	const char *s = field(e, t->dim);
	int (*same)(const char *, const char *) = t->any_case ? strcasecmp : strcmp;
	char *(*within)(const char *, const char *) = t->any_case ? strcasestr : strstr;
	bool is = !same(s, t->values[0]) || !same(s, t->values[1]);
	bool holds = within(s, t->values[0]) || within(s, t->values[1]);
	return t->op == 0 ? is : t->op == 1 ? !is : t->op == 2 ? holds : !holds;
}

static bool passes(const struct question *q, const struct kit_event *e)
{
	bool all = true, any = false;
	if (q->ntests == 0)
		return true;
	for (int i = 0; i < q->ntests; i++) {
		bool h = test_holds(&q->tests[i], e);
		all &= h;
		any |= h;
	}
	return (q->any ? any : all) != q->negate;
}

/* The bucket as the C library sees it: the local fields, and for days and longer the first moment of that date. */
static void label(const struct question *q, int64_t us, char out[64])
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	out[0] = 0;
	if (q->unit == U_NONE)
		return;
	localtime_r(&t, &tm);
	if (q->unit == U_MINUTE)
		iso((us / 60000000) * 60000000, out);
	else if (q->unit == U_QUARTER)
		iso((us / 900000000) * 900000000, out);
	else if (q->unit == U_HOUR)
		iso((int64_t)(t - tm.tm_min * 60 - tm.tm_sec) * 1000000, out);
	else if (q->unit == U_DAY)
		iso(midnight(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday), out);
	else if (q->unit == U_WEEK)
		iso(midnight(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday - (tm.tm_wday + 6) % 7), out);
	else
		iso(midnight(tm.tm_year + 1900, tm.tm_mon + 1, 1), out);
}

static struct sums *row_of(const char *key)
{
	for (size_t i = 0; i < nrows; i++)
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	rows[nrows] = (struct sums){ .least = INFINITY, .most = -INFINITY, .price_least = INFINITY };
	strcpy(rows[nrows].key, key);
	return &rows[nrows++];
}

static void add(struct sums *s, const struct kit_event *e)
{
	s->events++;
	s->pageviews += !strcmp(e->name, "view") || !strcmp(e->name, "pageview");
	if (e->visitor)
		s->seen |= 1u << (e->visitor[1] - '0');
	if (e->has_value) {
		s->values[s->nvalue++] = e->value;
		s->sum += e->value;
		s->least = fmin(s->least, e->value);
		s->most = fmax(s->most, e->value);
	}
	if (e->has_price) {
		s->prices[s->nprice++] = e->price;
		s->price_sum += e->price;
		s->price_least = fmin(s->price_least, e->price);
	}
}

static void walk(const struct question *q)
{
	nrows = 0;
	if (!q->unit && !q->dim[0] && !q->dim[1] && !q->dim[2])
		row_of("");
	for (size_t i = 0; i < EVENTS; i++) {
		const struct kit_event *e = &events[i];
		char key[512];
		if (strcmp(e->site, q->site) || e->time_us < q->from_us || e->time_us >= q->to_us || !passes(q, e))
			continue;
		label(q, e->time_us, key);
		strcat(key, q->unit ? "\x1f" : "");
		for (int d = 0; d < 3; d++)
			if (q->dim[d])
				strcat(strcat(key, field(e, d)), "\x1f");
		add(row_of(key), e);
	}
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The nearest rank. */
static double percentile(double *values, long long n, long long percent)
{
	qsort(values, (size_t)n, sizeof values[0], by_number);
	return n ? values[(n * percent + 99) / 100 - 1] : NAN;
}

/* NAN = null */
static double want(struct sums *s, size_t metric)
{
	switch (metric) {
	case 0:
		return (double)s->events;
	case 1:
		return __builtin_popcount(s->seen);
	case 2:
		return (double)s->pageviews;
	case 3:
		return s->sum;
	case 4:
		return s->nvalue ? s->sum / (double)s->nvalue : NAN;
	case 5:
		return s->nvalue ? s->least : NAN;
	case 6:
		return s->nvalue ? s->most : NAN;
	case 7:
		return s->price_sum;
	case 8:
		return s->nprice ? s->price_least : NAN;
	case 9:
	case 10:
		return percentile(s->values, s->nvalue, metric == 9 ? 50 : 95);
	default:
		return percentile(s->prices, s->nprice, 90);
	}
}

/* ---- the comparison ---- */

static void compare_row(const struct question *q, json_t *row)
{
	char key[512] = "";
	size_t at = 0;
	json_t *d = kit_at(row, "dimensions"), *m = kit_at(row, "metrics");
	for (size_t i = 0; i < json_array_size(d); i++)
		strcat(strcat(key, json_string_value(json_array_get(d, i))), "\x1f");
	size_t before = nrows;
	struct sums *s = row_of(key);
	if (nrows != before)
		fail_msg("a row \"%s\" that should not be: %s", key, q->body);
	for (size_t i = 0; i < COUNT(metrics); i++) {
		if (!q->metric[i])
			continue;
		json_t *got = json_array_get(m, at++);
		double w = want(s, i), most = i < 9 ? 1e-9 : 0.01 * fabs(w) + 1e-9;
		bool same =
			isnan(w) ? json_is_null(got) : json_is_number(got) && fabs(json_number_value(got) - w) < most;
		if (!same)
			fail_msg("\"%s\" %s: %g is not %g (%s)", key, metrics[i], json_number_value(got), w, q->body);
	}
}

static unsigned from_raw, from_rollup;

static void ask_one(struct kit *k)
{
	struct question q;
	do
		choose(&q); /* again, where minutes would be too many to list */
	while (q.unit == U_MINUTE && q.to_us - q.from_us > 10 * KIT_DAY);
	walk(&q);
	size_t expected = nrows;
	json_t *root = kit_ask(k, 200, q.body);
	json_t *results = kit_at(root, "results");
	for (size_t i = 0; i < json_array_size(results); i++)
		compare_row(&q, json_array_get(results, i));
	if (json_array_size(results) != expected)
		fail_msg("%zu rows, not %zu: %s", json_array_size(results), expected, q.body);
	if (strcmp(kit_text_at(root, "meta.source"), "raw") == 0)
		from_raw++;
	else
		from_rollup++;
	json_decref(root);
}

static void answers_are_those_of_a_plain_walk(void **state)
{
	(void)state;
	const char *seed = getenv("TALLY_ORACLE_SEED"), *many = getenv("TALLY_ORACLE_QUESTIONS");
	unsigned questions = many ? (unsigned)atoi(many) : 250;
	state_of_chance = 0x9e3779b97f4a7c15u * (seed ? strtoull(seed, NULL, 10) : 1);
	make_events();
	struct kit *k = kit_open();
	kit_fill(k, events, EVENTS / 2);
	kit_fill(k, events + EVENTS / 2, EVENTS - EVENTS / 2);
	for (unsigned i = 0; i < questions; i++)
		ask_one(k);
	printf("%u questions from rollups, %u from raw events\n", from_rollup, from_raw);
	assert_true(from_raw > questions / 5 && from_rollup > questions / 5);
	kit_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_those_of_a_plain_walk),
	};
	return RUN_TESTS("desk oracle", tests);
}
