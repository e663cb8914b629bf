/* SPDX-License-Identifier: Apache-2.0 */
/* Chains: order, verdicts, reasons, what reaches whom; with probes that say when they are called. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_so.h"
#include "fake_table.h"
#include "lookup/lookup.h"
#include "meter/meter.h"
#include "plug/plug.h"
#include "unit.h"

static struct so_dir dir;

/* ---- what the probes said: "plugin.name" and how much ---- */

static struct {
	char name[72];
	int64_t n;
} said[64];

static void count(const char *plugin, const char *name, int64_t by)
{
	char key[72];
	size_t i = 0;
	snprintf(key, sizeof key, "%s.%s", plugin, name);
	while (said[i].name[0] && strcmp(said[i].name, key) != 0)
		assert_true(++i < 64);
	memcpy(said[i].name, key, sizeof key);
	said[i].n += by;
}

static int64_t told(const char *key)
{
	for (size_t i = 0; i < 64; i++)
		if (strcmp(said[i].name, key) == 0)
			return said[i].n;
	return 0;
}

/* ---- services ---- */

static struct {
	unsigned rows, answers, resumed;
	void *owner;
	int64_t bucket_us;
	void (*job)(void *), (*done)(void *);
	void *arg;
} host;

static int emit(void *line, const struct tally_row *row)
{
	host.rows++;
	host.owner = line;
	host.bucket_us = row->bucket_us;
	return row->amounts[0].count == 3 ? 0 : -EINVAL;
}

static int answer(void *desk, uint64_t request, const struct tally_answer *an)
{
	host.answers++;
	host.owner = desk;
	return request == 404 ? -ENOENT : an->status == 200 ? 0 : -EINVAL;
}

static void resume(void *desk, uint64_t request)
{
	(void)desk;
	(void)request;
	host.resumed++;
}

static int version(void *desk, uint64_t request, uint64_t *out)
{
	(void)desk;
	*out = request * 10;
	return 0;
}

static int work(void *station, void (*job)(void *), void (*done)(void *), void *arg)
{
	(void)station;
	host.job = job;
	host.done = done;
	host.arg = arg;
	return 0;
}

static const struct plug_services services = {
	.count = count,
	.emit = emit,
	.answer = answer,
	.resume = resume,
	.request_version = version,
	.work = work,
};

/* ---- the chain ---- */

static struct conf_plugin stages[4];
static const struct conf_site sites[] = { { .name = "default", .timezone = "UTC" } };
static const struct conf_metric metrics[] = { { .kind = TALLY_EVENTS } };
static const struct conf_rollup rollups[] = { { .name = "total", .metrics = metrics, .nmetrics = 1 } };
static struct conf conf;
static struct plug_set *set;
static struct plug_chain *chain;
static struct arena batch;
static int owner;

static void make_set(size_t n, const char *const *names)
{
	char why[512];
	conf = (struct conf){ .plugin_dir = dir.path,
		.pipeline = stages,
		.npipeline = n,
		.pipeline_given = true,
		.sites = sites,
		.nsites = 1,
		.rollups = rollups,
		.nrollups = 1 };
	for (size_t i = 0; i < n; i++)
		stages[i] = (struct conf_plugin){ .name = names[i], .place = "t.yaml:3:5" };
	memset(said, 0, sizeof said);
	memset(&host, 0, sizeof host);
	if (plug_set_open(&conf, NULL, &set, why) != 0)
		fail_msg("%s", why);
}

static void open_chain(enum tally_station station)
{
	char why[512];
	if (plug_chain_open(set, &conf, station, &owner, true, &chain, why) != 0)
		fail_msg("%s", why);
}

static void open_two(enum tally_station station)
{
	make_set(2, (const char *const[]){ "one", "two" });
	open_chain(station);
	assert_int_equal(plug_chain_len(chain), 2);
}

static void close_all(void)
{
	plug_chain_close(chain);
	plug_set_unref(set);
}

static int group_setup(void **state)
{
	(void)state;
	so_dir_make(&dir);
	arena_init(&batch, 0);
	so_build_probe(&dir, "one", "");
	so_build_probe(&dir, "two", "");
	so_build_probe(&dir, "desky", "-DPROBE_DESK_ONLY");
	so_build_probe(&dir, "opts", "-DPROBE_OPTIONS");
	so_build_probe(&dir, "fails", "-DPROBE_FAILS='\"line\"'");
	so_build_probe(&dir, "silent", "-DPROBE_FAILS='\"silently\"'");
	so_build_probe(&dir, "misuse", "-DPROBE_OPTIONS -DPROBE_MISUSE='\"word\"'");
	plug_services_set(&services);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	so_dir_remove(&dir);
	arena_free(&batch);
	return 0;
}

static struct tally_event event_of(const char *name, const char *user)
{
	return (struct tally_event){ .lsn = 64,
		.idx = 2,
		.name = str_of(name),
		.site = STR("shop"),
		.id = STR("x"),
		.user = str_of(user),
		.weight = 1 };
}

static int admit(const char *name, const char *user, struct plug_verdict *v)
{
	struct tally_event ev = event_of(name, user);
	return plug_admit(chain, 5, &ev, v);
}

static void admission_goes_down_the_chain_and_back(void **state)
{
	(void)state;
	struct plug_verdict v;
	open_two(TALLY_LEDGER);
	assert_true(plug_has_admit(chain));
	assert_int_equal(admit("view", "", &v), TALLY_PASS);
	assert_int_equal(told("one.admit"), 1);
	assert_int_equal(told("two.admit"), 1);
	/* the first says no: the second is not asked, nobody has to forget */
	assert_int_equal(admit("drop", "one", &v), TALLY_DROP);
	assert_string_equal(v.plugin, "one");
	assert_string_equal(v.reason, "not_wanted");
	assert_int_equal(told("two.admit"), 1);
	assert_int_equal(told("one.forget"), 0);
	/* the second says no: the first forgets, under the ticket */
	assert_int_equal(admit("refuse", "two", &v), TALLY_REFUSE);
	assert_string_equal(v.plugin, "two");
	assert_string_equal(v.reason, "too_much");
	assert_int_equal(v.retry_after_s, 7);
	assert_int_equal(told("one.forget"), 5);
	assert_int_equal(told("two.forget"), 0);
	assert_int_equal(admit("twice", "two", &v), TALLY_DUPLICATE);
	assert_int_equal(told("one.forget"), 10);
	/* no reason given, and none left over from before */
	assert_int_equal(admit("silent", "one", &v), TALLY_DROP);
	assert_string_equal(v.reason, "dropped");
	assert_int_equal(v.retry_after_s, 0);
	/* what is no verdict loses no event */
	assert_int_equal(admit("odd", "one", &v), TALLY_PASS);
	plug_settle(chain, 3, true);
	plug_settle(chain, 4, false);
	assert_int_equal(told("one.kept"), 3);
	assert_int_equal(told("two.void"), 4);
	struct tally_event ev = event_of("view", "");
	plug_recall(chain, &ev);
	assert_int_equal(told("two.recall"), 1);
	close_all();
	assert_int_equal(told("one.close"), 1);
	assert_int_equal(told("two.close"), 1);
}

static int run(struct tally_event *ev, struct plug_verdict *v)
{
	return plug_event(chain, &batch, ev, v);
}

static void events_pass_the_stages_in_order(void **state)
{
	(void)state;
	struct plug_verdict v;
	open_two(TALLY_LINE);
	struct tally_event ev = event_of("view", "");
	assert_int_equal(run(&ev, &v), TALLY_PASS);
	assert_int_equal(told("two.event"), 1);
	ev = event_of("drop", "one");
	assert_int_equal(run(&ev, &v), TALLY_DROP);
	assert_string_equal(v.reason, "not_wanted");
	assert_int_equal(told("two.event"), 1);
	ev = event_of("keep", "two");
	assert_int_equal(run(&ev, &v), TALLY_KEEP);
	assert_string_equal(v.plugin, "two");
	ev = event_of("dead", "one");
	assert_int_equal(run(&ev, &v), -EBADMSG);
	assert_string_equal(v.plugin, "one");
	ev = event_of("odd", "one"); /* no verdict: a dead letter, not a lost event */
	assert_int_equal(run(&ev, &v), -EPROTO);
	assert_int_equal(plug_tick(chain, 11), 0);
	assert_int_equal(told("two.tick"), 11);
	plug_reset(chain);
	assert_int_equal(told("one.reset"), 1);
	close_all();
}

static void what_an_event_is_stays_what_it_is(void **state)
{
	(void)state;
	struct plug_verdict v;
	open_two(TALLY_LINE);
	struct tally_event ev = event_of("touch", "");
	assert_int_equal(run(&ev, &v), TALLY_PASS);
	assert_int_equal(ev.lsn, 64);
	assert_int_equal(ev.weight, 1);
	assert_true(str_eq(ev.site, STR("shop")));
	assert_true(str_eq(ev.page, STR("/new"))); /* this it may change */
	ev = event_of("long", "");                 /* but not beyond what a store takes */
	assert_int_equal(run(&ev, &v), -E2BIG);
	const struct tally_prop other = { .key = STR("a"), .text = STR("b") };
	ev = event_of("prop", "");
	ev.props = &other;
	ev.nprops = 1;
	assert_int_equal(run(&ev, &v), TALLY_PASS);
	assert_int_equal(told("one.prop"), 1);
	assert_int_equal(told("two.prop"), 1);
	assert_int_equal(ev.nprops, 2);
	assert_true(str_eq(ev.props[0].key, STR("a")));
	assert_true(str_eq(ev.props[1].text, STR("12.5")) && ev.props[1].number == 12.5);
	close_all();
}

static void senders_are_shown_at_the_door(void **state)
{
	(void)state;
	struct tally_event ev = { .name = STR("view"), .site = STR("shop"), .page = STR("/old") };
	struct tally_client client = { .address = STR("192.0.2.1"), .agent = STR("agent"), .is_private = 1 };
	open_two(TALLY_DOOR);
	plug_arrive(chain, &batch, &client, &ev);
	assert_int_equal(told("one.arrive"), 1);
	assert_int_equal(told("two.private"), 1);
	assert_int_equal(ev.nprops, 2);
	assert_true(str_eq(ev.props[1].key, STR("two")) && str_eq(ev.props[1].text, STR("192.0.2.1")));
	/* all else is as it came */
	assert_int_equal(ev.lsn, 0);
	assert_true(str_eq(ev.name, STR("view")) && str_eq(ev.page, STR("/old")));
	/* what one did that failed is forgotten, the next goes on */
	ev = (struct tally_event){ .name = STR("view"), .site = STR("shop"), .user = STR("one") };
	plug_arrive(chain, &batch, &client, &ev);
	assert_int_equal(ev.nprops, 1);
	assert_true(str_eq(ev.props[0].key, STR("two")));
	close_all();
}

/* ---- lookups at the door ---- */

static struct lookups *lookups;

static struct lookups *the_lookups(void)
{
	return lookups;
}

static void give_people(void)
{
	static const struct fake_cell rows[] = { { TALLY_T_TEXT, 0, 0, "ann" }, { TALLY_T_TEXT, 0, 0, "gold" },
		{ TALLY_T_TEXT, 0, 0, "bob" }, { TALLY_T_INT, 7, 0, fake_some } };
	static const struct lookup_store store = { "main", &fake_sink, NULL };
	static const struct conf_lookup people = { .name = "people",
		.sql = "SELECT 1",
		.key = "who",
		.ttl_us = INT64_MAX / 4,
		.max_rows = 9,
		.memory = 1 << 20 };
	struct conf c = { .limits.query_timeout_us = 1000000, .lookups = &people, .nlookups = 1 };
	fake_table = (struct fake_table){ .names = { "who", "tier" }, .ncolumns = 2, .rows = rows, .n = 2 };
	lookups = lookups_make();
	lookups_open(lookups, &c, dir.path, &store, 1);
	lookups_run(lookups);
	lookups_wait(lookups, 60000000);
}

static struct tally_event enter(const char *user, const char *lookup, const char *column)
{
	struct tally_event ev = { .name = STR("view"),
		.site = STR("shop"),
		.user = str_of(user),
		.visitor = str_of(lookup),
		.page = str_of(column) };
	plug_arrive(chain, &batch, NULL, &ev);
	return ev;
}

static void all_events_are_shown_lookups_at_the_door(void **state)
{
	(void)state;
	struct plug_services with = services;
	with.lookups = the_lookups;
	plug_services_set(&with);
	open_two(TALLY_DOOR);
	struct tally_event ev = enter("ann", "", ""); /* there are no lookups at all */
	assert_int_equal(told("one.looked"), -EINVAL);
	assert_int_equal(ev.nprops, 0);
	give_people();
	ev = enter("ann", "", "");
	assert_int_equal(told("one.arrive"), 0); /* nobody knows its client */
	assert_int_equal(told("one.enter"), 2);
	assert_int_equal(told("two.enter"), 2);
	assert_int_equal(ev.nprops, 1);
	assert_true(str_eq(ev.props[0].text, STR("gold")) && ev.props[0].type == TALLY_PROP_STRING);
	assert_true(str_eq(ev.name, STR("view")));
	ev = enter("bob", "", "");
	assert_true(ev.props[0].type == TALLY_PROP_NUMBER && ev.props[0].number == 7);
	ev = enter("eve", "", "");
	assert_int_equal(ev.nprops, 0);
	assert_int_equal(told("one.looked"), -EINVAL); /* 0 for a key that is not there */
	ev = enter("ann", "", "colour");
	assert_int_equal(told("one.looked"), -EINVAL - ENOENT);
	struct tally_client client = { .address = STR("192.0.2.1"), .agent = STR("agent") };
	ev = (struct tally_event){ .name = STR("view"), .site = STR("shop"), .user = STR("ann") };
	plug_arrive(chain, &batch, &client, &ev); /* both hooks, this one behind */
	assert_int_equal(ev.nprops, 3);
	assert_true(str_eq(ev.props[0].key, STR("one")) && str_eq(ev.props[1].key, STR("looked")));
	close_all();
	plug_services_set(&services);
	lookups_stop(lookups);
	lookups_free(lookups);
	lookups = NULL;
	assert_int_equal(system(arena_printf(&batch, "rm -r %s/lookups", dir.path)), 0);
}

static void rows_reach_the_line(void **state)
{
	(void)state;
	open_two(TALLY_LINE);
	assert_int_equal(plug_flush(chain, &batch), 0);
	assert_int_equal(host.rows, 2);
	assert_ptr_equal(host.owner, &owner);
	assert_true(host.bucket_us == INT64_C(1699920000000000)); /* 2023-11-14T00:00Z */
	assert_int_equal(told("one.foreign"), -EINVAL);           /* of no declared rollup */
	close_all();
}

static void requests_are_answered_held_and_refused(void **state)
{
	(void)state;
	struct plug_verdict v;
	size_t at = 9;
	make_set(2, (const char *const[]){ "one", "desky" });
	open_chain(TALLY_DESK);
	struct tally_request rq = { .id = 7, .path = STR("/pass") };
	assert_int_equal(plug_request(chain, 0, &rq, &at, &v), TALLY_PASS);
	assert_int_equal(told("desky.request"), 1);
	rq.path = STR("/answer");
	assert_int_equal(plug_request(chain, 0, &rq, &at, &v), TALLY_ANSWERED);
	assert_int_equal(at, 0);
	assert_int_equal(host.answers, 1);
	assert_int_equal(told("desky.request"), 1);
	rq.path = STR("/refuse");
	rq.accept = STR("desky");
	assert_int_equal(plug_request(chain, 0, &rq, &at, &v), TALLY_REFUSE);
	assert_int_equal(at, 1);
	assert_string_equal(v.reason, "busy");
	assert_int_equal(v.retry_after_s, 3);
	rq.path = STR("/odd");
	assert_int_equal(plug_request(chain, 0, &rq, &at, &v), TALLY_PASS);
	rq.path = STR("/hold");
	rq.accept = STR("one");
	assert_int_equal(plug_request(chain, 0, &rq, &at, &v), TALLY_HOLD);
	assert_int_equal(at, 0);
	host.job(host.arg);
	assert_int_equal(told("one.version"), 70);
	host.done(host.arg);
	assert_int_equal(host.resumed, 1);
	int64_t before = told("one.request");
	assert_int_equal(plug_request(chain, at + 1, &rq, &at, &v), TALLY_PASS);
	assert_int_equal(told("one.request"), before); /* it goes on behind the one that held it */
	const struct tally_answer an = { .status = 200 };
	plug_answered(chain, &rq, &an);
	assert_int_equal(told("one.answered"), 1);
	assert_int_equal(told("desky.answered"), 1);
	close_all();
}

static void an_instance_at_work_outlives_its_chain(void **state)
{
	(void)state;
	struct plug_verdict v;
	size_t at;
	make_set(1, (const char *const[]){ "one" });
	open_chain(TALLY_DESK);
	struct tally_request rq = { .id = 7, .path = STR("/hold") };
	assert_int_equal(plug_request(chain, 0, &rq, &at, &v), TALLY_HOLD);
	close_all(); /* also the set: the code must stay mapped */
	assert_int_equal(told("one.close"), 0);
	host.job(host.arg);
	host.done(host.arg);
	assert_int_equal(told("one.done"), 1);
	assert_int_equal(told("one.close"), 1);
}

static void only_the_stations_hooks_make_an_instance(void **state)
{
	(void)state;
	make_set(2, (const char *const[]){ "desky", "one" });
	open_chain(TALLY_LINE);
	assert_int_equal(plug_chain_len(chain), 1);
	plug_chain_close(chain);
	open_chain(TALLY_DESK);
	assert_int_equal(plug_chain_len(chain), 2);
	plug_chain_close(chain);
	open_chain(TALLY_DOOR);
	assert_int_equal(plug_chain_len(chain), 1);
	close_all();
}

static void options_reach_open_in_base_units(void **state)
{
	(void)state;
	static const struct conf_pair given[] = { { "number", "42", "p" }, { "word", "greeting", "p" },
		{ "size", "2MiB", "p" }, { "number", "-43", "p" } };
	make_set(1, (const char *const[]){ "opts" });
	plug_set_unref(set);
	stages[0].options = given;
	stages[0].noptions = 4;
	char why[512];
	assert_int_equal(plug_set_open(&conf, NULL, &set, why), 0);
	open_chain(TALLY_LEDGER);
	assert_int_equal(told("opts.greeting"), -43); /* of two the last counts */
	assert_int_equal(told("opts.size"), 2 << 20);
	assert_int_equal(told("opts.time"), 600 * 1000000);
	assert_int_equal(told("opts.yes"), 1);
	assert_int_equal(told("opts.share"), 500);
	close_all();
}

static void a_failed_open_speaks_for_itself(void **state)
{
	(void)state;
	static const struct {
		const char *name, *says;
	} rows[] = { { "fails", "plugin fails: no luck at the line" }, { "silent", "plugin silent: Permission denied" },
		{ "misuse", "plugin misuse: asks for an option that its table does not have" } };
	char why[512];
	for (size_t i = 0; i < 3; i++) {
		make_set(2, (const char *const[]){ rows[i].name, "one" });
		assert_int_equal(plug_chain_open(set, &conf, TALLY_LINE, &owner, true, &chain, why), -EINVAL);
		assert_non_null(strstr(why, rows[i].says));
		/* in a running daemon the others go on */
		assert_int_equal(plug_chain_open(set, &conf, TALLY_LINE, &owner, false, &chain, why), 0);
		assert_int_equal(plug_chain_len(chain), 1);
		close_all();
	}
	assert_int_equal(told("misuse.close"), 2); /* it had opened, so it is closed */
	/* strict, and the one before it was fine: that is closed again */
	make_set(2, (const char *const[]){ "one", "fails" });
	assert_int_equal(plug_chain_open(set, &conf, TALLY_LINE, &owner, true, &chain, why), -EINVAL);
	assert_int_equal(told("one.close"), 1);
	plug_set_unref(set);
}

static void time_of_hooks_is_measured(void **state)
{
	(void)state;
	struct plug_verdict v;
	open_two(TALLY_LINE);
	struct meter_series *s = meter_get(M_PLUGIN_SECONDS, STR("two"), STR("event"), STR(""));
	int64_t before = meter_value(s);
	for (int i = 0; i < 640; i++) {
		struct tally_event ev = event_of("view", "");
		assert_int_equal(run(&ev, &v), TALLY_PASS);
	}
	assert_int_equal(meter_value(s) - before, 10); /* one in 64 */
	s = meter_get(M_PLUGIN_SECONDS, STR("two"), STR("flush"), STR(""));
	before = meter_value(s);
	assert_int_equal(plug_flush(chain, &batch), 0);
	assert_int_equal(meter_value(s) - before, 1);
	close_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admission_goes_down_the_chain_and_back),
		cmocka_unit_test(events_pass_the_stages_in_order),
		cmocka_unit_test(what_an_event_is_stays_what_it_is),
		cmocka_unit_test(senders_are_shown_at_the_door),
		cmocka_unit_test(all_events_are_shown_lookups_at_the_door),
		cmocka_unit_test(rows_reach_the_line),
		cmocka_unit_test(requests_are_answered_held_and_refused),
		cmocka_unit_test(an_instance_at_work_outlives_its_chain),
		cmocka_unit_test(only_the_stations_hooks_make_an_instance),
		cmocka_unit_test(options_reach_open_in_base_units),
		cmocka_unit_test(a_failed_open_speaks_for_itself),
		cmocka_unit_test(time_of_hooks_is_measured),
	};
	cmocka_set_message_output(CM_OUTPUT_STDOUT);
	return cmocka_run_group_tests_name("chain", tests, group_setup, group_teardown);
}
