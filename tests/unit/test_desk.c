/* SPDX-License-Identifier: Apache-2.0 */
/* The desk's thread: routes, plugins in front of the planner, limits, closing. */
#include "desk_kit.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ring.h"
#include "desk/desk.h"

#define LATEST (KIT_NOW - KIT_HOUR)
#define BODY "{\"site_id\":\"shop.example\",\"date_range\":[\"2026-10-25\",\"2026-10-25\"],\"metrics\":[\"events\"]}"

static const struct kit_event two[] = {
	{ .time_us = LATEST, .name = "view", .visitor = "ann", .page = "/" },
	{ .time_us = LATEST + 1, .name = "click", .visitor = "bob", .page = "/buy" },
};

struct bench {
	struct kit *kit;
	struct plug_set *plugins;
	struct conf_plugin pipeline[2];
	struct desk *desk;
	struct tally_sink sink; /* the kit's, perhaps with a gate before its readers */
	char dir[64];
	bool ready;
};

static struct bench *bench;

/* ---- answers ---- */

static struct gate *arrived;
static atomic_uint answers;

static void on_done(struct desk_request *rq)
{
	(void)rq;
	atomic_fetch_add(&answers, 1);
	gate_knock(arrived);
}

static struct desk_request *post(
	const char *method, const char *path, const char *query, const char *body, const char *inm)
{
	struct desk_ask ask = { .method = str_of(method),
		.path = str_of(path),
		.query = str_of(query),
		.body = str_of(body),
		.if_none_match = str_of(inm) };
	struct desk_request *rq = desk_request_make(&ask, on_done, NULL);
	assert_true(desk_post(bench->desk, rq));
	return rq;
}

static void wait_for(unsigned n)
{
	while (atomic_load(&answers) < n)
		if (!gate_wait(arrived, 20000000))
			fail_msg("%u answers of %u within 20 s", atomic_load(&answers), n);
}

static struct desk_request *ask(
	const char *method, const char *path, const char *query, const char *body, const char *inm)
{
	atomic_store(&answers, 0);
	struct desk_request *rq = post(method, path, query, body, inm);
	wait_for(1);
	return rq;
}

/* One more beside those that are under way. */
static struct desk_request *ask_more(const char *path)
{
	unsigned before = atomic_load(&answers);
	struct desk_request *rq = post("GET", path, "", "", NULL);
	wait_for(before + 1);
	return rq;
}

static void expect(struct desk_request *rq, int status, const char *text)
{
	if (rq->answer.status != status || !memmem(rq->answer.body.ptr, rq->answer.body.len, text, strlen(text)))
		fail_msg("%.*s: %d %.*s, not %d with %s", (int)rq->ask.path.len, rq->ask.path.ptr, rq->answer.status,
			(int)rq->answer.body.len, rq->answer.body.ptr, status, text);
	desk_request_free(rq);
}

static void get(const char *path, int status, const char *text)
{
	expect(ask("GET", path, "", "", NULL), status, text);
}

static void query(int status, const char *text)
{
	expect(ask("POST", "/v1/query", "", BODY, NULL), status, text);
}

/* ---- the bench ---- */

static bool view_ready(void *arg, char why[256])
{
	strcpy(why, "spool: full");
	return ((struct bench *)arg)->ready;
}

static struct tally_str view_ledger(void *arg, struct arena *a)
{
	(void)arg;
	return str_of(arena_printf(a, "{\"balance\":%d}\n", 0));
}

static bool view_freshness(void *arg, int64_t *through, double *lag)
{
	(void)arg;
	*through = KIT_NOW;
	*lag = 0.25;
	return true;
}

static void copy_module(const char *from, const char *name)
{
	char command[512];
	snprintf(command, sizeof command, "cp %s/%s.so %s/", from, name, bench->dir);
	assert_int_equal(system(command), 0);
}

static void make_plugins(void)
{
	const char *dir = getenv("TALLY_TEST_PLUGINS");
	char why[512] = "";
	strcpy(bench->dir, "/tmp/tally-desk-so-XXXXXX");
	assert_non_null(mkdtemp(bench->dir));
	copy_module(dir ? dir : "plugins/.libs", "cache");
	copy_module("tests/unit/.libs", "desk_probe");
	bench->pipeline[0] = (struct conf_plugin){ .name = "desk_probe", .place = "test:1:1" };
	bench->pipeline[1] = (struct conf_plugin){ .name = "cache", .place = "test:2:1" };
	bench->kit->conf.plugin_dir = bench->dir;
	bench->kit->conf.pipeline = bench->pipeline;
	bench->kit->conf.npipeline = 2;
	if (plug_set_open(&bench->kit->conf, NULL, &bench->plugins, why))
		fail_msg("%s", why);
}

static void open_desk(void)
{
	static const struct plug_services services = { .answer = desk_plug_answer,
		.resume = desk_plug_resume,
		.request_version = desk_plug_request_version,
		.work = desk_plug_work };
	struct desk_options opt = { .conf = &bench->kit->conf,
		.plugins = bench->plugins,
		.schema = bench->kit->schema,
		.store = &bench->sink,
		.store_self = bench->kit->node[0]->self,
		.store_prefix = "",
		.strict = true };
	char why[512] = "";
	opt.view = (struct desk_view){
		.arg = bench, .ready = view_ready, .ledger = view_ledger, .freshness = view_freshness
	};
	plug_services_set(&services);
	if (desk_open(&opt, &bench->desk, why))
		fail_msg("%s", why);
}

static int set_up(void **state)
{
	(void)state;
	arrived = gate_open();
	bench = calloc(1, sizeof *bench);
	bench->ready = true;
	bench->kit = kit_open();
	bench->sink = *bench->kit->sink;
	kit_fill(bench->kit, two, 2);
	make_plugins();
	open_desk();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[100];
	if (bench->desk)
		desk_close(bench->desk);
	plug_set_unref(bench->plugins);
	kit_close(bench->kit);
	snprintf(command, sizeof command, "rm -r %s", bench->dir);
	assert_int_equal(system(command), 0);
	free(bench);
	gate_close(arrived);
	return 0;
}

/* ---- tests ---- */

static void operators_get_their_pages(void **state)
{
	(void)state;
	get("/healthz", 200, "alive");
	get("/readyz", 200, "ready");
	bench->ready = false;
	get("/readyz", 503, "spool: full");
	get("/metrics", 200, "# TYPE tally_queries_total counter");
	get("/v1/ledger", 200, "\"balance\":0");
}

static void other_paths_are_refused_by_name(void **state)
{
	(void)state;
	get("/nowhere", 404, "\"code\":\"not_found\"");
	get("/v1/query", 405, "\"code\":\"method_not_allowed\"");
	expect(ask("POST", "/healthz", "", "", NULL), 405, "method_not_allowed");
	expect(ask("POST", "/v1/query/funnel", "", "{}", NULL), 400, "missing_field");
	get("/v1/sites/shop.example/live", 503, "no_stream");
	get("/v1/sites/shop.example/active", 200, "\"metrics\":[0]");
	get("/v1/lookup/products/1", 404, "no lookup is declared");
	get("/v1/lookup/products", 404, "not_found");
	expect(ask("POST", "/v1/lookup/products/1", "", "", NULL), 405, "method_not_allowed");
	get("/v1/sites/shop.example/bottom", 404, "not_found");
	assert_true(desk_knows(STR("/v1/query")));
	assert_true(desk_knows(STR("/v1/sites/a/b/top")));
	assert_false(desk_knows(STR("/v1/events")));
}

static void questions_are_answered(void **state)
{
	(void)state;
	query(200, "\"metrics\":[2]");
	expect(ask("POST", "/api/v2/query", "", BODY, NULL), 200, "\"metrics\":[2]");
	expect(ask("POST", "/v1/query", "format=csv", BODY, NULL), 200, "events\r\n2\r\n");
	expect(ask("POST", "/v1/query", "format=xml", BODY, NULL), 400, "\"legal\":[\"json\",\"csv\",\"ndjson\"]");
	expect(ask("POST", "/v1/query", "explain=1", BODY, NULL), 200, "\"rollup\":\"total\"");
	expect(ask("POST", "/v1/query", "", "{}", NULL), 400, "\"pointer\":\"\",\"offset\":0");
	expect(ask("GET", "/v1/sites/shop.example/top", "by=event:page&metric=events&from=2026-10-25&to=2026-10-25", "",
		       NULL),
		200, "{\"dimensions\":[\"/\"],\"metrics\":[1]},{\"dimensions\":[\"/buy\"],\"metrics\":[1]}");
	expect(ask("GET", "/v1/sites/shop.example/top", "", "", NULL), 400, "\"parameter\":\"by\"");
	get("/v1/schema", 200,
		"{\"name\":\"prices\",\"by\":[\"event:props:item\"],\"metrics\":[\"min:props.price\",\"max:props.price\",\"p:props.price\"],"
		"\"whole_since\":{\"minute\":null,\"quarter\":null,\"day\":null,\"month\":null},\"table\":\"tally_rollup_prices\"}");
}

static void the_answer_knows_how_fresh_it_is(void **state)
{
	(void)state;
	query(200,
		"\"freshness\":{\"complete_through\":\"2026-10-25T12:00:00Z\",\"lag_seconds\":0.25,\"revision\":128}");
}

static void a_remembered_answer_is_given_while_it_is_true(void **state)
{
	(void)state;
	static const struct kit_event third = { .time_us = LATEST + 2, .name = "view", .visitor = "cid", .page = "/" };
	query(200, "\"cache\":\"miss\"");
	struct desk_request *rq = ask("POST", "/v1/query", "", BODY, NULL);
	char etag[80];
	snprintf(etag, sizeof etag, "%.*s", (int)rq->answer.etag.len, rq->answer.etag.ptr);
	expect(rq, 200, "\"cache\":\"hit\"");
	rq = ask("POST", "/v1/query", "", BODY, etag);
	assert_int_equal(rq->answer.status, 304);
	assert_int_equal(rq->answer.body.len, 0);
	desk_request_free(rq);
	kit_fill(bench->kit, &third, 1);
	expect(ask("POST", "/v1/query", "", BODY, etag), 200, "\"metrics\":[3]");
	query(200, "\"metrics\":[3]");
}

static void askers_of_one_question_share_one_reading(void **state)
{
	(void)state;
	struct desk_request *rq[20];
	atomic_store(&answers, 0);
	for (int i = 0; i < 20; i++)
		rq[i] = post("POST", "/v1/query", "", BODY, NULL);
	wait_for(20);
	int misses = 0;
	for (int i = 0; i < 20; i++) {
		misses += memmem(rq[i]->answer.body.ptr, rq[i]->answer.body.len, "\"cache\":\"miss\"", 14) != NULL;
		expect(rq[i], 200, "\"metrics\":[2]");
	}
	assert_int_equal(misses, 1);
}

static void plugins_answer_refuse_and_hold(void **state)
{
	(void)state;
	get("/probe/answer", 200, "here");
	get("/probe/hold", 200, "worked");
	get("/probe/resume", 404, "not_found");
	get("/probe/at-once", 404, "not_found");
	struct desk_request *rq = ask("GET", "/probe/refuse", "", "", NULL);
	assert_int_equal(rq->answer.retry_after_s, 7);
	expect(rq, 503, "\"code\":\"not_today\"");
	get("/probe/seen", 200, "5 2"); /* two of them, the 404s, are the desk's own */
}

static void a_plugin_that_never_lets_go_is_passed_by(void **state)
{
	(void)state;
	bench->kit->conf.limits.query_timeout_us = 100000;
	get("/probe/never", 404, "not_found");
}

/* The probe goes, the site's zone changes; what the probe held is answered by the desk. */
static void a_reload_changes_plugins_and_zones(void **state)
{
	(void)state;
	char why[512] = "";
	struct plug_set *old = bench->plugins;
	struct conf later = bench->kit->conf;
	struct conf_site sites[2] = { later.sites[0], { .name = "shop.example", .timezone = "Asia/Kolkata" } };
	query(200, "\"cache\":\"miss\"");
	query(200, "\"cache\":\"hit\"");
	atomic_store(&answers, 0);
	struct desk_request *held = post("GET", "/probe/never", "", "", NULL);
	expect(ask_more("/probe/answer"), 200, "here");
	later.pipeline = bench->pipeline + 1;
	later.npipeline = 1;
	later.sites = sites;
	later.nsites = 2;
	if (plug_set_open(&later, bench->plugins, &bench->plugins, why))
		fail_msg("%s", why);
	desk_reload(bench->desk, bench->plugins, &later);
	wait_for(2);
	expect(held, 404, "not_found");
	get("/probe/answer", 404, "not_found");
	query(200, "\"timezone\":\"Asia/Kolkata\"");
	query(200, "\"cache\":\"hit\"");
	assert_false(desk_is_reloading(bench->desk));
	desk_close(bench->desk);
	bench->desk = NULL;
	plug_set_unref(old);
}

/* ---- a store that can be made to wait ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool shut;
	unsigned most, stuck; /* how many may wait at the gate, the others go through; how many do */
	int (*begin)(void *reader);
} slow = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, 0, NULL };

static int begin_slowly(void *reader)
{
	pthread_mutex_lock(&slow.lock);
	if (slow.shut && slow.stuck < slow.most) {
		slow.stuck++;
		while (slow.shut)
			pthread_cond_wait(&slow.changed, &slow.lock);
		slow.stuck--;
	}
	pthread_mutex_unlock(&slow.lock);
	return slow.begin(reader);
}

static void shut_for(unsigned most, bool yes)
{
	pthread_mutex_lock(&slow.lock);
	slow.shut = yes;
	slow.most = most;
	pthread_cond_broadcast(&slow.changed);
	pthread_mutex_unlock(&slow.lock);
}

static void shut(bool yes)
{
	shut_for(UINT_MAX, yes);
}

static unsigned stuck(void)
{
	pthread_mutex_lock(&slow.lock);
	unsigned n = slow.stuck;
	pthread_mutex_unlock(&slow.lock);
	return n;
}

static void reopen_with_slow_store(void)
{
	desk_close(bench->desk);
	slow.begin = bench->kit->sink->read_begin;
	bench->sink.read_begin = begin_slowly;
	open_desk();
}

#define MANY 270
#define RUNNING 4
#define PLACED (RUNNING + 256) /* run or wait */

/* Each with a limit of its own, so that the cache keeps none of them together. */
static void post_many(struct desk_request **rq)
{
	atomic_store(&answers, 0);
	for (int i = 0; i < MANY; i++) {
		char body[300];
		snprintf(body, sizeof body, "%.*s,\"pagination\":{\"limit\":%d}}", (int)strlen(BODY) - 1, BODY, i + 1);
		rq[i] = post("POST", "/v1/query", "", body, NULL);
	}
}

static int count_status(struct desk_request **rq, int status)
{
	int n = 0;
	for (int i = 0; i < MANY; i++)
		n += rq[i]->answer.status == status;
	return n;
}

static void past_256_waiting_the_rest_is_told_to_come_back(void **state)
{
	(void)state;
	struct desk_request *rq[MANY];
	reopen_with_slow_store();
	shut(true);
	post_many(rq);
	wait_for(MANY - PLACED);
	shut(false);
	wait_for(MANY);
	assert_int_equal(count_status(rq, 200), PLACED);
	assert_int_equal(count_status(rq, 503), MANY - PLACED);
	for (int i = 0; i < MANY; i++) {
		assert_true(rq[i]->answer.status == 200 || rq[i]->answer.retry_after_s > 0);
		desk_request_free(rq[i]);
	}
}

/* No rollup has the host: it takes the events themselves. */
#define HEAVY                                                                                                    \
	"{\"site_id\":\"shop.example\",\"date_range\":[\"2026-10-25\",\"2026-10-25\"],\"metrics\":[\"events\"]," \
	"\"dimensions\":[\"event:hostname\"],\"pagination\":{\"limit\":%d}}"
#define HEAVY_MANY 20

static void readings_of_events_leave_places_for_others(void **state)
{
	(void)state;
	struct desk_request *rq[HEAVY_MANY];
	reopen_with_slow_store();
	query(200, "\"metrics\":[2]"); /* from here on the desk knows the store's rollups */
	shut_for(2, true);
	atomic_store(&answers, 0);
	for (int i = 0; i < HEAVY_MANY; i++) {
		char body[300];
		snprintf(body, sizeof body, HEAVY, i + 1);
		rq[i] = post("POST", "/v1/query", "", body, NULL);
	}
	while (stuck() < 2)
		usleep(1000);
	struct desk_request *quick = ask_more("/v1/sites/shop.example/totals");
	assert_int_equal(quick->answer.status, 200);
	desk_request_free(quick);
	quick = ask_more("/v1/schema");
	assert_int_equal(quick->answer.status, 200);
	desk_request_free(quick);
	assert_int_equal(atomic_load(&answers), 2); /* of the others none */
	shut(false);
	wait_for(HEAVY_MANY + 2);
	for (int i = 0; i < HEAVY_MANY; i++)
		expect(rq[i], 200, "\"source\":\"raw\"");
}

static void who_waits_too_long_is_told_to_come_back(void **state)
{
	(void)state;
	struct desk_request *rq[MANY];
	bench->kit->conf.limits.query_timeout_us = 500000;
	reopen_with_slow_store();
	shut(true);
	post_many(rq);
	wait_for(MANY - RUNNING);
	assert_int_equal(count_status(rq, 503), MANY - RUNNING);
	shut(false);
	wait_for(MANY);
	for (int i = 0; i < MANY; i++) {
		assert_true(rq[i]->answer.status != 503 || rq[i]->answer.retry_after_s > 0);
		desk_request_free(rq[i]);
	}
}

static void *open_soon(void *arg)
{
	(void)arg;
	wait_for(MANY - RUNNING); /* all but those that run have been sent away */
	shut(false);
	return NULL;
}

static void closing_answers_everybody(void **state)
{
	(void)state;
	struct desk_request *rq[MANY];
	pthread_t opener;
	reopen_with_slow_store();
	shut(true);
	post_many(rq);
	wait_for(MANY - PLACED); /* the others run or wait */
	assert_int_equal(pthread_create(&opener, NULL, open_soon, NULL), 0);
	desk_close(bench->desk);
	bench->desk = NULL;
	pthread_join(opener, NULL);
	assert_int_equal(atomic_load(&answers), MANY);
	assert_int_equal(count_status(rq, 200) + count_status(rq, 503), MANY);
	assert_int_equal(count_status(rq, 200), RUNNING);
	for (int i = 0; i < MANY; i++)
		desk_request_free(rq[i]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(operators_get_their_pages),
		T(other_paths_are_refused_by_name),
		T(questions_are_answered),
		T(the_answer_knows_how_fresh_it_is),
		T(a_remembered_answer_is_given_while_it_is_true),
		T(askers_of_one_question_share_one_reading),
		T(plugins_answer_refuse_and_hold),
		T(a_plugin_that_never_lets_go_is_passed_by),
		T(a_reload_changes_plugins_and_zones),
		T(past_256_waiting_the_rest_is_told_to_come_back),
		T(readings_of_events_leave_places_for_others),
		T(who_waits_too_long_is_told_to_come_back),
		T(closing_answers_everybody),
	};
	return RUN_TESTS("desk", tests);
}
