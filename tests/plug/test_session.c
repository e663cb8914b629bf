/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/session against visits cut from the sorted events: whatever the order, with snapshots, replays and resets in
 * between, what was given last is the truth, and `before` is what was given before. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "fake_host.h"
#include "unit.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define GAP (30 * MINUTE)
#define HOUR (60 * MINUTE)
#define MOST 4000
#define TEXT 24

struct seen { /* one event, by arrival */
	int64_t t, received;
	int visitor;
	bool view;
	char page[TEXT], referrer[TEXT], name[TEXT];
	char source[TEXT], browser[TEXT], campaign[TEXT]; /* props */
};

struct one { /* one visit */
	bool known;
	int64_t begin, visits, bounces, duration, views;
	char entry[TEXT], exit[TEXT], referrer[TEXT];
	char came[4 * TEXT]; /* source, campaign, browser */
};

struct world {
	struct seen seen[MOST];
	size_t n;
	struct one given[MOST]; /* by the number of the event it is named by */
	unsigned changes;
};

static struct world w;
static struct fake_option options[] = { { "gap", GAP, 0, NULL }, { "late", 48 * HOUR, 0, NULL },
	{ "memory", INT64_MAX, 0, NULL }, { "inherit", 1, 0, NULL }, { NULL, 0, 0, NULL } };

static struct one one_of(const struct tally_visit *v)
{
	struct one o = { true, v->begin_us, v->visits, v->bounces, v->duration_us, v->views, "", "", "", "" };
	const struct tally_str *came = v->values;
	assert_int_equal(v->nvalues, TALLY_VISIT_VALUES);
	for (int i = 0; i < TALLY_VISIT_VALUES; i++)
		assert_true(came[i].len == 0 || i == TALLY_VISIT_SOURCE || i == TALLY_VISIT_UTM_CAMPAIGN ||
			    i == TALLY_VISIT_BROWSER);
	snprintf(o.came, sizeof o.came, "%.*s|%.*s|%.*s", (int)came[TALLY_VISIT_SOURCE].len,
		came[TALLY_VISIT_SOURCE].ptr, (int)came[TALLY_VISIT_UTM_CAMPAIGN].len,
		came[TALLY_VISIT_UTM_CAMPAIGN].ptr, (int)came[TALLY_VISIT_BROWSER].len, came[TALLY_VISIT_BROWSER].ptr);
	snprintf(o.entry, TEXT, "%.*s", (int)v->entry_page.len, v->entry_page.ptr ? v->entry_page.ptr : "");
	snprintf(o.exit, TEXT, "%.*s", (int)v->exit_page.len, v->exit_page.ptr ? v->exit_page.ptr : "");
	snprintf(o.referrer, TEXT, "%.*s", (int)v->referrer.len, v->referrer.ptr ? v->referrer.ptr : "");
	return o;
}

static int compare(const void *pa, const void *pb)
{
	const struct one *a = pa, *b = pb;
	int64_t x[] = { a->visits, a->begin, a->bounces, a->duration, a->views };
	int64_t y[] = { b->visits, b->begin, b->bounces, b->duration, b->views };
	for (int i = 0; i < 5; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	int c = strcmp(a->entry, b->entry);
	c = c ? c : strcmp(a->exit, b->exit);
	c = c ? c : strcmp(a->referrer, b->referrer);
	return c ? c : strcmp(a->came, b->came);
}

static void on_visit(void *arg, const struct tally_visit *before, const struct tally_visit *now)
{
	(void)arg;
	assert_true(now->lsn < MOST && now->idx == 7);
	struct one *was = &w.given[now->lsn], is = one_of(now);
	assert_true(str_eq(now->site, STR("shop")));
	assert_int_equal(before != NULL, was->known);
	if (before) {
		struct one b = one_of(before);
		assert_int_equal(before->lsn, now->lsn);
		assert_int_equal(compare(&b, was), 0);
		assert_int_equal(was->visits, 1); /* nothing more comes of one that was joined */
	}
	*was = is;
	w.changes++;
}

static void start(struct fake *f)
{
	memset(&w, 0, sizeof w);
	fake_load(f, "session");
	f->station = TALLY_LINE;
	f->options = options;
	f->on_visit = on_visit;
	assert_int_equal(fake_open(f), 0);
}

static void play(struct fake *f, size_t i)
{
	const struct seen *s = &w.seen[i];
	char visitor[TEXT];
	snprintf(visitor, sizeof visitor, "v%d", s->visitor);
	struct tally_prop props[4] = { { .key = STR("user_agent"), .text = STR("curl") } };
	uint32_t nprops = 1;
	if (*s->source)
		props[nprops++] = (struct tally_prop){ .key = STR("$source"), .text = str_of(s->source) };
	if (*s->campaign)
		props[nprops++] = (struct tally_prop){ .key = STR("utm_campaign"), .text = str_of(s->campaign) };
	if (*s->browser)
		props[nprops++] = (struct tally_prop){ .key = STR("$browser"), .text = str_of(s->browser) };
	struct tally_event ev = { .lsn = i,
		.idx = 7,
		.time_us = s->t,
		.received_us = s->received,
		.name = s->view ? STR("view") : STR("click"),
		.site = STR("shop"),
		.visitor = str_of(visitor),
		.page = str_of(s->page),
		.referrer = str_of(s->referrer),
		.props = props,
		.nprops = nprops,
		.weight = 1 };
	assert_int_equal(fake_event(f, &ev), TALLY_PASS);
}

static size_t add(int visitor, int64_t t, const char *page, const char *referrer, bool view)
{
	struct seen *s = &w.seen[w.n];
	*s = (struct seen){ .t = t, .received = (int64_t)w.n * SECOND, .visitor = visitor, .view = view };
	snprintf(s->page, TEXT, "%s", page);
	snprintf(s->referrer, TEXT, "%s", referrer);
	return w.n++;
}

/* ---- the oracle ---- */

static int by_time(const void *pa, const void *pb)
{
	const struct seen *a = &w.seen[*(const size_t *)pa], *b = &w.seen[*(const size_t *)pb];
	if (a->visitor != b->visitor)
		return a->visitor < b->visitor ? -1 : 1;
	if (a->t != b->t)
		return a->t < b->t ? -1 : 1;
	return *(const size_t *)pa < *(const size_t *)pb ? -1 : 1;
}

static size_t truth(struct one *out)
{
	static size_t order[MOST];
	size_t n = 0;
	const struct seen *last = NULL;
	for (size_t i = 0; i < w.n; i++)
		order[i] = i;
	qsort(order, w.n, sizeof *order, by_time);
	for (size_t i = 0; i < w.n; i++) {
		const struct seen *s = &w.seen[order[i]];
		bool fresh = !last || last->visitor != s->visitor || s->t - last->t > GAP;
		struct one *o = fresh ? &out[n++] : &out[n - 1];
		if (fresh) {
			*o = (struct one){ .known = true, .begin = s->t, .visits = 1, .bounces = 2 };
			snprintf(o->referrer, TEXT, "%s", s->referrer);
			snprintf(o->came, sizeof o->came, "%s|%s|%s", s->source, s->campaign, s->browser);
		}
		o->bounces = o->bounces == 2;
		o->duration = s->t - o->begin;
		o->views += s->view;
		if (*s->page && !*o->entry)
			snprintf(o->entry, TEXT, "%s", s->page);
		if (*s->page)
			snprintf(o->exit, TEXT, "%s", s->page);
		last = s;
	}
	return n;
}

static void check_truth(void)
{
	static struct one want[MOST], got[MOST];
	size_t nwant = truth(want), n = 0;
	for (size_t i = 0; i < MOST; i++)
		if (w.given[i].known && w.given[i].visits)
			got[n++] = w.given[i];
	qsort(want, nwant, sizeof *want, compare);
	qsort(got, n, sizeof *got, compare);
	assert_int_equal(n, nwant);
	for (size_t i = 0; i < n; i++)
		if (compare(&got[i], &want[i]) != 0)
			fail_msg("visit %zu: begin %lld bounce %lld %lld us %s..%s %s, not %lld %lld %lld %s..%s %s", i,
				(long long)got[i].begin, (long long)got[i].bounces, (long long)got[i].duration,
				got[i].entry, got[i].exit, got[i].came, (long long)want[i].begin,
				(long long)want[i].bounces, (long long)want[i].duration, want[i].entry, want[i].exit,
				want[i].came);
}

/* ---- tests ---- */

static void thirty_minutes_are_one_visit_and_more_are_two(void **state)
{
	(void)state;
	struct fake f;
	start(&f);
	play(&f, add(1, 0, "/a", "", true));
	play(&f, add(1, GAP, "/b", "", true));
	play(&f, add(1, 2 * GAP + 1, "/c", "", true));
	assert_int_equal(fake_flush(&f), 0);
	check_truth();
	assert_int_equal(w.given[0].duration, GAP);
	assert_int_equal(w.given[0].bounces, 0);
	assert_int_equal(w.given[2].bounces, 1);
	assert_int_equal(w.given[2].visits, 1);
	fake_close(&f);
}

static void one_between_two_joins_them(void **state)
{
	(void)state;
	struct fake f;
	start(&f);
	play(&f, add(1, 100 * MINUTE, "/late", "r2", true));
	play(&f, add(1, 50 * MINUTE, "/early", "r1", true));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(w.changes, 2);
	play(&f, add(1, 75 * MINUTE, "/between", "r3", false));
	assert_int_equal(fake_flush(&f), 0);
	check_truth();
	assert_int_equal(w.given[0].visits + w.given[1].visits, 1);
	assert_int_equal(w.given[1].duration, 50 * MINUTE);
	assert_string_equal(w.given[1].referrer, "r1");
	fake_close(&f);
}

static void what_is_joined_within_a_batch_is_never_heard_of(void **state)
{
	(void)state;
	struct fake f;
	start(&f);
	play(&f, add(1, 100 * MINUTE, "/c", "", true));
	play(&f, add(1, 50 * MINUTE, "/a", "", true));
	play(&f, add(1, 75 * MINUTE, "/b", "", true));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(w.changes, 1);
	check_truth();
	fake_close(&f);
}

static void an_event_that_changes_nothing_says_nothing(void **state)
{
	(void)state;
	struct fake f;
	start(&f);
	play(&f, add(1, 0, "/a", "", false));
	play(&f, add(1, MINUTE, "/b", "", false));
	assert_int_equal(fake_flush(&f), 0);
	unsigned before = w.changes;
	play(&f, add(1, SECOND, "/c", "", false));
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(w.changes, before);
	check_truth();
	fake_close(&f);
}

static void nobody_visits_nothing(void **state)
{
	(void)state;
	struct fake f;
	start(&f);
	struct tally_event ev = { .name = STR("view"), .site = STR("shop"), .weight = 1 };
	assert_int_equal(fake_event(&f, &ev), TALLY_PASS);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(w.changes, 0);
	fake_close(&f);
}

/* Two days of the log's clock after its last event a visit is not changed any more, however near an event may lie. */
static void a_visit_leaves_by_the_logs_clock(void **state)
{
	(void)state;
	struct fake f;
	start(&f);
	size_t a = add(1, 0, "/a", "", true), b = add(1, MINUTE, "/b", "", true),
	       c = add(1, 2 * MINUTE, "/c", "", true);
	w.seen[a].received = 0;
	w.seen[b].received = 48 * HOUR;
	w.seen[c].received = 96 * HOUR + 1;
	play(&f, a);
	assert_int_equal(fake_flush(&f), 0);
	play(&f, b);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(w.given[a].duration, MINUTE);
	play(&f, c);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(w.given[a].duration, MINUTE);
	assert_int_equal(w.given[c].bounces, 1);
	fake_close(&f);
}

/* ---- bytes ---- */

struct bytes {
	char *ptr;
	size_t len;
};

static int put(void *to, const void *bytes, size_t len)
{
	struct bytes *b = to;
	b->ptr = realloc(b->ptr, b->len + len + 1);
	MUST(b->ptr != NULL);
	if (len)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
	return 0;
}

static struct bytes save(struct fake *f)
{
	struct bytes b = { 0 };
	assert_int_equal(f->plugin->save(f->self, put, &b), 0);
	return b;
}

static int load(struct fake *f, struct bytes b)
{
	return f->plugin->load(f->self, b.ptr, b.len);
}

static void random_events(size_t n)
{
	static const int64_t steps[] = { 0, 1, GAP, GAP + 1, GAP - 1, 2 * GAP, 5 * GAP, MINUTE, 3 * MINUTE };
	for (size_t i = 0; i < n; i++) {
		int visitor = rand() % 40;
		int64_t t = (int64_t)(rand() % 2000) * MINUTE;
		if (i && rand() % 4) {
			const struct seen *s = &w.seen[(size_t)rand() % i];
			visitor = s->visitor;
			t = s->t + (rand() % 3 ? 1 : -1) * steps[(size_t)rand() % (sizeof steps / sizeof *steps)];
		}
		char page[TEXT], referrer[TEXT];
		snprintf(page, TEXT, rand() % 4 ? "/%d" : "", rand() % 6);
		snprintf(referrer, TEXT, rand() % 2 ? "r%d" : "", rand() % 3);
		struct seen *s = &w.seen[add(visitor, t, page, referrer, rand() % 2)];
		snprintf(s->source, TEXT, rand() % 2 ? "s%d" : "", rand() % 4);
		snprintf(s->campaign, TEXT, rand() % 3 ? "" : "c%d", rand() % 3);
		snprintf(s->browser, TEXT, rand() % 4 ? "b%d" : "", rand() % 3);
	}
}

/* One life: batches of any length; now and then a snapshot, and a rewind to it: the batch in hand is thrown away, what was
 * flushed since is replayed silently, what was not is played again. */
static void live(struct fake *f)
{
	struct bytes kept = save(f);
	size_t kept_at = 0, flushed = 0;
	for (size_t i = 0; i < w.n;) {
		if (rand() % 40 == 0) {
			fake_reset(f);
			assert_int_equal(load(f, kept), 0);
			f->replaying = true;
			for (size_t k = kept_at; k < flushed; k++)
				play(f, k);
			assert_int_equal(fake_flush(f), 0);
			f->replaying = false;
			i = flushed;
		}
		play(f, i++);
		if (rand() % 8 && i < w.n)
			continue;
		assert_int_equal(fake_flush(f), 0);
		flushed = i;
		if (rand() % 10 == 0) {
			free(kept.ptr);
			kept = save(f);
			kept_at = i;
		}
	}
	free(kept.ptr);
}

static void any_order_gives_the_visits_of_the_sorted_sequence(void **state)
{
	(void)state;
	const char *seed = getenv("TALLY_SEED");
	unsigned first = seed ? (unsigned)atoi(seed) : 1, rounds = getenv("TALLY_FULL") ? 300 : 30;
	for (unsigned i = first; i < first + rounds; i++) {
		struct fake f;
		srand(i);
		start(&f);
		random_events(200 + (size_t)rand() % (MOST - 200));
		live(&f);
		check_truth();
		fake_close(&f);
	}
}

/* With too little memory figures are not those of the truth, but every life of the same events forgets the same. */
static void little_memory_forgets_the_same_in_every_life(void **state)
{
	(void)state;
	static struct one first[MOST];
	options[2].i = 8192;
	for (int life = 0; life < 2; life++) {
		struct fake f;
		srand(7);
		start(&f);
		random_events(2000);
		srand(life ? 99 : 5);
		live(&f);
		assert_true(fake_counted(&f, "forgotten_early") > 0);
		if (life == 0)
			memcpy(first, w.given, sizeof first);
		else
			for (size_t i = 0; i < MOST; i++) /* one that was joined in its first batch was never given */
				if (w.given[i].visits || first[i].visits)
					assert_int_equal(compare(&first[i], &w.given[i]), 0);
		fake_close(&f);
	}
	options[2].i = INT64_MAX;
}

static void broken_bytes_are_refused(void **state)
{
	(void)state;
	struct fake f;
	start(&f);
	random_events(300);
	for (size_t i = 0; i < w.n; i++)
		play(&f, i);
	assert_int_equal(fake_flush(&f), 0);
	struct bytes b = save(&f);
	for (size_t len = 0; len < b.len; len += 1 + len / 16) {
		struct bytes cut = { malloc(len + 1), len }; /* of its own, so that a reader past the end is caught */
		MUST(cut.ptr != NULL);
		memcpy(cut.ptr, b.ptr, len);
		fake_reset(&f);
		assert_int_equal(load(&f, cut), -EBADMSG);
		free(cut.ptr);
	}
	for (int i = 0; i < 2000; i++) {
		size_t at = (size_t)rand() % b.len;
		char was = b.ptr[at];
		b.ptr[at] = (char)rand();
		fake_reset(&f);
		(void)load(&f, b); /* the file's checksum finds these; here nothing may go wrong */
		b.ptr[at] = was;
	}
	fake_reset(&f);
	assert_int_equal(load(&f, b), 0);
	struct bytes again = save(&f);
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.ptr, b.ptr, b.len);
	free(again.ptr);
	free(b.ptr);
	fake_close(&f);
}

/* What a version wrote that knew nothing of what visits came with: one visit, of 2026. */
static const unsigned char form_1[] = { 1, 0, 0, 0, 0, 0, 0, 0, /* form */
	0, 0xd2, 0x49, 0x6b, 0, 0, 0, 0,                        /* gap: 30 minutes */
	0, 0x12, 0x7a, 0, 0, 0, 0, 0,                           /* clock: 8 s */
	1, 0, 0, 0, 0, 0, 0, 0,                                 /* visits */
	3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0,                     /* lsn, idx */
	1, 0, 0, 0, 1, 0, 0, 0,                                 /* events, views */
	4, 2, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0,                     /* lengths */
	0, 0x80, 0x5f, 0xd7, 0, 0, 0, 0,                        /* begin */
	0, 0x80, 0x5f, 0xd7, 0, 0, 0, 0,                        /* end */
	0, 0x12, 0x7a, 0, 0, 0, 0, 0,                           /* touched */
	0, 0x80, 0x5f, 0xd7, 0, 0, 0, 0,                        /* entry time */
	0, 0x80, 0x5f, 0xd7, 0, 0, 0, 0,                        /* exit time */
	's', 'h', 'o', 'p', 'v', '1', '/', 'a', '/', 'a', 'r', '1' };

static void a_snapshot_of_before_goes_on_without(void **state)
{
	(void)state;
	struct fake f;
	start(&f);
	struct bytes b = { (char *)(uintptr_t)form_1, sizeof form_1 };
	assert_int_equal(load(&f, b), 0);
	int64_t begun = INT64_C(0xd75f8000); /* an hour and 13 seconds */
	for (int i = 0; i < 3; i++)
		add(2, 0, "", "", false); /* its name is that of the fourth */
	size_t was = add(1, begun, "/a", "r1", true);
	w.given[was] = (struct one){ true, begun, 1, 1, 0, 1, "/a", "/a", "r1", "||" };
	size_t next = add(1, begun + MINUTE, "/b", "r2", true);
	strcpy(w.seen[next].source, "Google");
	play(&f, next);
	assert_int_equal(fake_flush(&f), 0);
	assert_int_equal(w.given[was].bounces, 0);
	assert_string_equal(w.given[was].came, "||");
	size_t first = add(1, begun - MINUTE, "/0", "r0", true); /* known now is what it began with */
	strcpy(w.seen[first].source, "Bing");
	play(&f, first);
	assert_int_equal(fake_flush(&f), 0);
	assert_string_equal(w.given[was].came, "Bing||");
	assert_int_equal(w.given[was].begin, begun - MINUTE);
	fake_close(&f);
}

/* ---- what events get of their visit ---- */

static struct tally_str prop(const struct tally_event *ev, const char *key)
{
	for (uint32_t i = 0; i < ev->nprops; i++)
		if (str_eq(ev->props[i].key, str_of(key)))
			return ev->props[i].text;
	return STR("(none)");
}

struct given_prop {
	const char *key, *text;
};

static struct tally_event happen(struct fake *f, int64_t t, const struct given_prop *given)
{
	static struct tally_prop props[8];
	struct tally_event ev = { .lsn = 1 + w.n,
		.idx = 7,
		.time_us = t,
		.received_us = (int64_t)w.n++ * SECOND,
		.name = STR("view"),
		.site = STR("shop"),
		.visitor = STR("v1"),
		.props = props,
		.weight = 1 };
	for (; given && given->key; given++)
		props[ev.nprops++] = (struct tally_prop){ .key = str_of(given->key), .text = str_of(given->text) };
	assert_int_equal(fake_event(f, &ev), TALLY_PASS);
	return ev;
}

static void is(const struct tally_event *ev, const char *key, const char *want)
{
	struct tally_str got = prop(ev, key);
	if (!str_eq(got, str_of(want)))
		fail_msg("%s is %.*s, not %s", key, (int)got.len, got.ptr, want);
}

static void an_event_that_says_nothing_gets_what_its_visit_came_with(void **state)
{
	static const struct given_prop first[] = { { "$source", "Facebook" }, { "$channel", "Paid Social" },
		{ "utm_campaign", "sale" }, { "$device", "mobile" }, { "$country", "DE" }, { NULL, NULL } };
	static const struct given_prop direct[] = { { "$channel", "Direct" }, { "$browser", "Chrome" },
		{ NULL, NULL } };
	static const struct given_prop other[] = { { "$source", "Google" }, { "$country", "AT" }, { NULL, NULL } };
	(void)state;
	struct fake f;
	start(&f);
	f.on_visit = NULL;
	struct tally_event ev = happen(&f, 0, first);
	is(&ev, "utm_source", "(none)");
	assert_int_equal(ev.nprops, 5);
	ev = happen(&f, MINUTE, NULL);
	is(&ev, "$source", "Facebook");
	is(&ev, "$channel", "Paid Social");
	is(&ev, "utm_campaign", "sale");
	is(&ev, "$device", "mobile");
	is(&ev, "$country", "DE");
	ev = happen(&f, 2 * MINUTE, direct); /* a view without a referrer is no news within a visit */
	is(&ev, "$source", "Facebook");
	is(&ev, "$channel", "Paid Social");
	is(&ev, "$device", "(none)"); /* the browser that it names is of another device, or of none known */
	is(&ev, "$browser", "Chrome");
	ev = happen(&f, 3 * MINUTE, other); /* what it says itself counts more, and nothing is mixed in */
	is(&ev, "$source", "Google");
	is(&ev, "$channel", "(none)");
	is(&ev, "utm_campaign", "(none)");
	is(&ev, "$country", "AT");
	is(&ev, "$device", "mobile");
	ev = happen(&f, 2 * HOUR, NULL); /* another visit, which came with nothing */
	assert_int_equal(ev.nprops, 0);
	ev = happen(&f, 2 * HOUR - MINUTE, other); /* late: now it came with this */
	ev = happen(&f, 2 * HOUR + MINUTE, NULL);
	is(&ev, "$source", "Google");
	assert_int_equal(fake_flush(&f), 0);
	fake_close(&f);
	options[3].i = 0;
	start(&f);
	f.on_visit = NULL;
	happen(&f, 0, first);
	ev = happen(&f, MINUTE, NULL);
	assert_int_equal(ev.nprops, 0);
	assert_int_equal(fake_flush(&f), 0);
	fake_close(&f);
	options[3].i = 1;
}

static void options_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	struct fake f;
	options[0].i = 49 * HOUR;
	fake_load(&f, "session");
	f.options = options;
	assert_true(fake_open(&f) != 0);
	assert_non_null(strstr(f.said, "gap must be"));
	fake_close(&f);
	options[0].i = GAP;
}

/* Or who sends one large event makes every small one behind it as large. */
static void long_values_stay_with_the_visit(void **state)
{
	static char longest[256], too_long[257];
	memset(longest, 'l', sizeof longest - 1);
	memset(too_long, 't', sizeof too_long - 1);
	const struct given_prop first[] = { { "$source", longest }, { "utm_content", too_long }, { "utm_term", "term" },
		{ NULL, NULL } };
	(void)state;
	struct fake f;
	start(&f);
	f.on_visit = NULL;
	happen(&f, 0, first);
	struct tally_event ev = happen(&f, MINUTE, NULL);
	is(&ev, "$source", longest);
	is(&ev, "utm_term", "term");
	is(&ev, "utm_content", "(none)");
	assert_int_equal(fake_flush(&f), 0);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thirty_minutes_are_one_visit_and_more_are_two),
		cmocka_unit_test(one_between_two_joins_them),
		cmocka_unit_test(what_is_joined_within_a_batch_is_never_heard_of),
		cmocka_unit_test(an_event_that_changes_nothing_says_nothing),
		cmocka_unit_test(nobody_visits_nothing),
		cmocka_unit_test(a_visit_leaves_by_the_logs_clock),
		cmocka_unit_test(any_order_gives_the_visits_of_the_sorted_sequence),
		cmocka_unit_test(little_memory_forgets_the_same_in_every_life),
		cmocka_unit_test(broken_bytes_are_refused),
		cmocka_unit_test(a_snapshot_of_before_goes_on_without),
		cmocka_unit_test(an_event_that_says_nothing_gets_what_its_visit_came_with),
		cmocka_unit_test(long_values_stay_with_the_visit),
		cmocka_unit_test(options_that_do_not_fit_are_refused),
	};
	return RUN_TESTS("session", tests);
}
