/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger with dedup, over a real spool: when a duplicate is answered, what a failed sync makes of it, what a restart
 * remembers, and the log's clock when the wall's is set. A sync is held up where the file layer tells of it, so nothing
 * here depends on luck. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/seam.h"
#include "event/event.h"
#include "ledger/ledger.h"
#include "unit.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define TODAY (INT64_C(1764000000) * SECOND)

/* ---- a sync that waits ---- */

static _Atomic bool hold, held;

/* [syncer] */
static void on_file(void *arg, const struct file_act *act)
{
	(void)arg;
	if (act->op != FILE_SYNCED && act->op != FILE_SYNC_FAILED)
		return;
	if (!atomic_load(&hold))
		return;
	atomic_store(&held, true);
	while (atomic_load(&hold))
		usleep(100);
	atomic_store(&held, false);
}

static void until(_Atomic bool *flag, bool value)
{
	for (int i = 0; atomic_load(flag) != value; i++) {
		assert_true(i < 100000);
		usleep(100);
	}
}

/* ---- a ledger ---- */

static int64_t retain_us;

static int64_t spool_retain(void)
{
	return retain_us;
}

static void no_count(const char *plugin, const char *name, int64_t by)
{
	(void)plugin;
	(void)name;
	(void)by;
}

struct rig {
	char dir[64];
	struct conf conf;
	struct plug_set *set;
	struct ledger *l;
	struct arena arena;
};

static void open_ledger(struct rig *r)
{
	char why[512] = "";
	static const uint8_t node[16] = { 1 };
	struct ledger_options opt = { .conf = &r->conf, .node = node, .plugins = r->set };
	int rc = ledger_open(&opt, &r->l, why);
	assert_string_equal(why, "");
	assert_int_equal(rc, 0);
	ledger_run(r->l);
}

static void setup(struct rig *r)
{
	static const struct conf_plugin stage = { .name = "dedup", .place = "t.yaml:1:1" };
	static const struct plug_services services = { .spool_retain_us = spool_retain, .count = no_count };
	const char *built = getenv("TALLY_PLUGINS");
	char why[512];
	memset(r, 0, sizeof *r);
	log_setup(LOG_ERROR + 1, LOG_KV);
	snprintf(r->dir, sizeof r->dir, "/tmp/tally-ledger-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	retain_us = HOUR / 2;
	r->conf = (struct conf){ .data_dir = r->dir,
		.plugin_dir = built ? built : "plugins",
		.pipeline = &stage,
		.npipeline = 1,
		.pipeline_given = true,
		.ack_timeout_us = SECOND,
		.spool = { .max = 64 << 20, .retain_max = 32 << 20, .segment = 1 << 20, .retain_us = HOUR / 2 } };
	plug_services_set(&services);
	if (plug_set_open(&r->conf, NULL, &r->set, why) != 0)
		fail_msg("%s", why);
	arena_init(&r->arena, 0);
	file_watch(on_file, NULL);
	open_ledger(r);
}

static void restart(struct rig *r)
{
	ledger_close(r->l);
	open_ledger(r);
}

static void teardown(struct rig *r)
{
	char command[128];
	ledger_close(r->l);
	file_watch(NULL, NULL);
	assert_int_equal(seam_arm(NULL), 0);
	plug_set_unref(r->set);
	arena_free(&r->arena);
	clock_set_test(-1, 0);
	snprintf(command, sizeof command, "rm -rf %s", r->dir);
	assert_int_equal(system(command), 0);
}

/* ---- a request of one event ---- */

struct sent {
	struct ledger_request rq;
	struct ledger_item item;
	_Atomic bool done;
};

static void over(struct ledger_request *rq)
{
	atomic_store(&((struct sent *)rq->user)->done, true);
}

static void post(struct rig *r, struct sent *s, const char *site, const char *id, enum conf_ack ack)
{
	memset(s, 0, sizeof *s);
	s->item.ev = (struct tally_event){
		.name = STR("n"), .site = str_of(site), .id = str_of(id), .time_us = TODAY, .weight = 1
	};
	s->item.form_bytes = (uint32_t)event_spool_bytes(&s->item.ev);
	void *form = arena_alloc(&r->arena, s->item.form_bytes);
	event_encode(&s->item.ev, form);
	s->item.form = form;
	s->rq = (struct ledger_request){ .kind = LEDGER_EVENTS,
		.ack = ack,
		.door = "test",
		.items = &s->item,
		.nitems = 1,
		.done = over,
		.user = s };
	assert_true(ledger_post(r->l, &s->rq));
}

static uint64_t written(struct rig *r)
{
	struct spool_stats st;
	spool_stats(ledger_spool(r->l), &st);
	return st.end;
}

/* What came of an event sent alone: its verdict, or the -errno of its request. */
static int send(struct rig *r, const char *site, const char *id)
{
	struct sent s;
	post(r, &s, site, id, CONF_ACK_DURABLE);
	until(&s.done, true);
	return s.rq.rc ? s.rq.rc : s.item.verdict;
}

/* The first is written and its sync is held up; the second, its duplicate, is written behind it. */
static void post_two(struct rig *r, struct sent *first, struct sent *second)
{
	atomic_store(&hold, true);
	post(r, first, "shop", "a", CONF_ACK_DURABLE);
	until(&held, true);
	uint64_t before = written(r);
	post(r, second, "shop", "a", CONF_ACK_DURABLE);
	for (int i = 0; written(r) == before; i++) {
		assert_true(i < 100000);
		usleep(100);
	}
}

/* ---- the tests ---- */

/* Or a daemon that takes nothing because a sync was slow would never take anything again. */
static void a_slow_sync_is_forgotten_when_none_follows(void **state)
{
	(void)state;
	struct rig r;
	setup(&r);
	assert_int_equal(seam_arm("spool.sync:1:stall=600"), 0);
	assert_int_equal(send(&r, "shop", "a"), LEDGER_TAKEN);
	assert_int_equal(seam_fired("spool.sync"), 1);
	double seconds = ledger_sync_seconds(r.l);
	assert_true(seconds >= 0.6 || seconds == 0); /* 0: this thread slept for a second */
	for (int i = 0; ledger_sync_seconds(r.l) > 0; i++) {
		assert_true(i < 100000);
		usleep(1000);
	}
	teardown(&r);
}

static void a_duplicate_waits_for_what_it_repeats(void **state)
{
	(void)state;
	struct rig r;
	struct sent first, second;
	setup(&r);
	post_two(&r, &first, &second);
	assert_int_equal(second.item.verdict, LEDGER_DUPLICATE);
	assert_false(atomic_load(&first.done));
	assert_false(atomic_load(&second.done)); /* the first one's sync has not come back */
	atomic_store(&hold, false);
	until(&first.done, true);
	until(&second.done, true);
	assert_int_equal(first.rq.rc, 0);
	assert_int_equal(second.rq.rc, 0);
	assert_true(second.rq.end > first.rq.end);
	teardown(&r);
}

static void a_duplicate_fails_with_what_it_repeats(void **state)
{
	(void)state;
	struct rig r;
	struct sent first, second;
	setup(&r);
	assert_int_equal(seam_arm("spool.sync:1:EIO"), 0);
	post_two(&r, &first, &second);
	assert_false(atomic_load(&second.done));
	atomic_store(&hold, false);
	until(&first.done, true);
	until(&second.done, true);
	assert_int_equal(seam_fired("spool.sync"), 1);
	assert_int_equal(first.rq.rc, -EIO);
	assert_int_equal(second.rq.rc, -EIO);
	/* nothing of it is remembered: the retry is taken, and the one behind it a duplicate */
	assert_int_equal(send(&r, "shop", "a"), LEDGER_TAKEN);
	assert_int_equal(send(&r, "shop", "a"), LEDGER_DUPLICATE);
	restart(&r);
	assert_int_equal(send(&r, "shop", "a"), LEDGER_DUPLICATE);
	teardown(&r);
}

static void what_a_full_disk_refused_is_forgotten(void **state)
{
	(void)state;
	struct rig r;
	struct sent s;
	setup(&r);
	assert_int_equal(seam_arm("spool.write:1:ENOSPC"), 0);
	post(&r, &s, "shop", "a", CONF_ACK_DURABLE);
	until(&s.done, true);
	assert_int_equal(s.rq.rc, -ENOSPC);
	int verdict;
	for (int i = 0; (verdict = send(&r, "shop", "a")) < 0; i++) { /* until it asks the full disk again */
		assert_true(i < 100);
		usleep(10000);
	}
	assert_int_equal(verdict, LEDGER_TAKEN);
	teardown(&r);
}

/* Answered at `written`, a duplicate may not outlive a failed sync that its original does not. */
static void at_written_both_survive_a_failed_sync(void **state)
{
	(void)state;
	struct rig r;
	struct sent first, second;
	setup(&r);
	assert_int_equal(seam_arm("spool.sync:1:EIO"), 0);
	atomic_store(&hold, true);
	post(&r, &first, "shop", "a", CONF_ACK_DURABLE);
	until(&held, true);
	post(&r, &second, "shop", "a", CONF_ACK_WRITTEN);
	until(&second.done, true); /* `written` does not wait for the disk */
	assert_int_equal(second.item.verdict, LEDGER_DUPLICATE);
	assert_false(atomic_load(&first.done));
	atomic_store(&hold, false);
	until(&first.done, true);
	assert_int_equal(first.rq.rc, 0); /* kept, since the duplicate was acknowledged */
	restart(&r);
	assert_int_equal(send(&r, "shop", "a"), LEDGER_DUPLICATE);
	teardown(&r);
}

static void ids_outlive_a_restart_and_sites_are_apart(void **state)
{
	(void)state;
	struct rig r;
	setup(&r);
	assert_int_equal(send(&r, "shop", "a"), LEDGER_TAKEN);
	assert_int_equal(send(&r, "other", "a"), LEDGER_TAKEN);
	restart(&r);
	assert_int_equal(send(&r, "shop", "a"), LEDGER_DUPLICATE);
	assert_int_equal(send(&r, "other", "a"), LEDGER_DUPLICATE);
	assert_int_equal(send(&r, "third", "a"), LEDGER_TAKEN);
	teardown(&r);
}

/* ---- the clock ---- */

static int64_t last_time;

static int keep_time(void *arg, const struct spool_record *rec)
{
	int64_t *n = arg;
	assert_true(rec->time_us >= last_time);
	last_time = rec->time_us;
	++*n;
	return 0;
}

/* Reads the log from its oldest record: no time in it is before that of the record ahead of it. The last time. */
static int64_t check_times(struct rig *r)
{
	struct spool_reader *reader = spool_reader_open(ledger_spool(r->l));
	struct spool_record rec;
	int64_t n = 0;
	last_time = 0;
	int rc = spool_reader_seek(reader, (struct tally_position){ 0, 0 });
	assert_true(rc == 0 || rc == -ESTALE);
	while (spool_reader_next(reader, &rec) == 1)
		keep_time(&n, &rec);
	spool_reader_close(reader);
	assert_true(n > 0);
	return last_time;
}

static void the_logs_clock_never_goes_back(void **state)
{
	(void)state;
	static const int64_t walls[] = { TODAY, TODAY + HOUR, TODAY, 1, INT64_C(2147483647) * SECOND,
		INT64_C(4102444800) * SECOND, TODAY, TODAY + SECOND };
	struct rig r;
	char id[16];
	int64_t mono = 1000 * SECOND;
	clock_set_test(TODAY, mono);
	setup(&r);
	for (size_t i = 0; i < sizeof walls / sizeof *walls; i++) {
		clock_set_test(walls[i], mono += SECOND);
		snprintf(id, sizeof id, "%zu", i);
		assert_int_equal(send(&r, "shop", id), LEDGER_TAKEN);
	}
	int64_t top = check_times(&r);
	assert_true(top >= INT64_C(4102444800) * SECOND);
	/* every id is still known, whatever the clock did */
	for (size_t i = 0; i < sizeof walls / sizeof *walls; i++) {
		snprintf(id, sizeof id, "%zu", i);
		assert_int_equal(send(&r, "shop", id), LEDGER_DUPLICATE);
	}
	/* set back, the log's clock goes on at half the pace of what really passes */
	clock_set_test(TODAY, mono += 100 * SECOND);
	assert_int_equal(send(&r, "shop", "later"), LEDGER_TAKEN);
	int64_t later = check_times(&r);
	assert_in_range(later - top, 50 * SECOND, 51 * SECOND);
	restart(&r);
	assert_int_equal(send(&r, "shop", "0"), LEDGER_DUPLICATE);
	assert_true(check_times(&r) >= later);
	teardown(&r);
}

static uint64_t oldest(struct rig *r)
{
	struct spool_stats st;
	spool_stats(ledger_spool(r->l), &st);
	return st.begin;
}

/* Fills some segments, moves the clock, and lets the ledger trim: what is younger than `retain` by real time stays. */
static void a_leap_lets_nothing_go_early(void **state)
{
	(void)state;
	struct rig r;
	static char page[60000];
	int64_t mono = 1000 * SECOND;
	clock_set_test(TODAY, mono);
	setup(&r);
	memset(page, 'p', sizeof page);
	for (int i = 0; i < 60; i++) {
		struct sent s;
		char id[16];
		snprintf(id, sizeof id, "%d", i);
		memset(&s, 0, sizeof s);
		s.item.ev = (struct tally_event){ .name = STR("n"),
			.site = STR("shop"),
			.id = str_of(id),
			.page = str_make(page, sizeof page),
			.time_us = TODAY,
			.weight = 1 };
		s.item.form_bytes = (uint32_t)event_spool_bytes(&s.item.ev);
		void *form = arena_alloc(&r.arena, s.item.form_bytes);
		event_encode(&s.item.ev, form);
		s.item.form = form;
		s.rq = (struct ledger_request){ .kind = LEDGER_EVENTS,
			.ack = CONF_ACK_DURABLE,
			.items = &s.item,
			.nitems = 1,
			.done = over,
			.user = &s };
		assert_true(ledger_post(r.l, &s.rq));
		until(&s.done, true);
		assert_int_equal(s.rq.rc, 0);
	}
	uint64_t first = oldest(&r);
	clock_set_test(TODAY + 2 * HOUR, mono += 2 * SECOND); /* set right by two hours */
	assert_int_equal(send(&r, "shop", "behind the leap"), LEDGER_TAKEN);
	clock_set_test(TODAY + 2 * HOUR + 2 * SECOND, mono += 2 * SECOND);
	assert_int_equal(send(&r, "shop", "and a trim"), LEDGER_TAKEN);
	usleep(600000); /* two wakings of an idle ledger */
	assert_true(oldest(&r) == first);
	restart(&r);
	assert_int_equal(send(&r, "shop", "0"), LEDGER_DUPLICATE);
	/* the time of `retain` later they do go */
	for (int i = 0; i < 4; i++) {
		clock_set_test(TODAY + 3 * HOUR + i * 2 * SECOND, mono += HOUR / 2 + SECOND);
		char id[16];
		snprintf(id, sizeof id, "last %d", i);
		assert_int_equal(send(&r, "shop", id), LEDGER_TAKEN);
	}
	for (int i = 0; oldest(&r) == first; i++) {
		assert_true(i < 100);
		clock_set_test(TODAY + 4 * HOUR + i * 2 * SECOND, mono += 2 * SECOND);
		usleep(50000);
		(void)send(&r, "shop", "knock");
	}
	teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duplicate_waits_for_what_it_repeats),
		cmocka_unit_test(a_duplicate_fails_with_what_it_repeats),
		cmocka_unit_test(what_a_full_disk_refused_is_forgotten),
		cmocka_unit_test(at_written_both_survive_a_failed_sync),
		cmocka_unit_test(ids_outlive_a_restart_and_sites_are_apart),
		cmocka_unit_test(the_logs_clock_never_goes_back),
		cmocka_unit_test(a_leap_lets_nothing_go_early),
		cmocka_unit_test(a_slow_sync_is_forgotten_when_none_follows),
	};
	return RUN_TESTS("ledger with dedup", tests);
}
