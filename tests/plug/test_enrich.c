/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/enrich: what it makes of a user agent, a referrer and tags, and what it leaves alone. */
#include "test_enrich.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "data.h"
#include "fake_host.h"
#include "unit.h"

#define CRAWLERS "suites/ua/crawler-user-agents/crawler-user-agents.json"

static const struct fake_option usual[] = { { .name = "geo", .s = "" }, { .name = "join", .s = "" }, { .name = NULL } };
static struct fake f;

static int setup(void **state)
{
	(void)state;
	fake_load(&f, "enrich");
	f.options = usual;
	f.station = TALLY_DOOR;
	return fake_open(&f);
}

static int teardown(void **state)
{
	(void)state;
	fake_close(&f);
	return 0;
}

static const char *prop(const struct tally_event *ev, const char *key)
{
	static char out[4][512];
	static unsigned turn;
	char *text = out[turn++ % 4];
	text[0] = 0;
	for (uint32_t i = 0; i < ev->nprops; i++)
		if (str_eq(ev->props[i].key, str_of(key)))
			snprintf(text, 512, "%.*s", (int)ev->props[i].text.len, ev->props[i].text.ptr);
	return text;
}

static struct tally_event view(void)
{
	return (struct tally_event){
		.name = STR("view"), .site = STR("shop"), .id = STR("a"), .host = STR("shop.example")
	};
}

static struct tally_event arrived(const char *agent, bool is_private)
{
	struct tally_event ev = view();
	struct tally_client client = { .address = STR("192.0.2.7"), .agent = str_of(agent), .is_private = is_private };
	assert_int_equal(fake_arrive(&f, &client, &ev), 0);
	return ev;
}

/* ---- user agents ---- */

static void known_agents_are_named(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) /* the second time from the cache */
		for (const struct agent_case *c = agent_cases; c->agent; c++) {
			struct tally_event ev = arrived(c->agent, false);
			if (strcmp(prop(&ev, "$device"), c->device) || strcmp(prop(&ev, "$browser"), c->browser) ||
				strcmp(prop(&ev, "$os"), c->os))
				fail_msg("%s: %s, %s, %s", c->agent, prop(&ev, "$device"), prop(&ev, "$browser"),
					prop(&ev, "$os"));
		}
}

/* More than the cache has places for, in two orders. */
static void the_cache_never_mixes_them_up(void **state)
{
	(void)state;
	static const char *const kinds[] = { "Chrome/126.0.0.0 Safari/537.36", "Gecko/20100101 Firefox/127.0" };
	char agent[160];
	for (unsigned i = 0; i < 30000; i++) {
		unsigned k = (i * 7919u) % 10000;
		snprintf(agent, sizeof agent, "Mozilla/5.0 (Windows NT 10.0; x%u) %s", k, kinds[k % 2]);
		struct tally_event ev = arrived(agent, false);
		assert_string_equal(prop(&ev, "$browser"), k % 2 ? "Firefox" : "Chrome");
	}
}

static void all_crawlers_are_bots(void **state)
{
	(void)state;
	json_error_t err;
	json_t *all = json_load_file(data_path(CRAWLERS), 0, &err), *entry, *agent;
	size_t i, k, n = 0;
	if (!all) {
		print_message(
			"skipped all_crawlers_are_bots: no %s; TALLY_DATA names the folder\n", data_path(CRAWLERS));
		skip();
	}
	json_array_foreach(all, i, entry)
	{
		json_array_foreach(json_object_get(entry, "instances"), k, agent)
		{
			struct tally_event ev = arrived(json_string_value(agent), false);
			if (strcmp(prop(&ev, "$device"), "bot") != 0)
				fail_msg("%s is no bot but %s", json_string_value(agent), prop(&ev, "$device"));
			n++;
		}
	}
	print_message("%zu user agents of crawlers\n", n);
	assert_true(n > 2000);
	json_decref(all);
}

static void strange_bytes_are_borne(void **state)
{
	(void)state;
	struct tally_event ev = view();
	char bytes[5000];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 37);
	struct tally_client client = { .address = STR(""), .agent = str_make(bytes, sizeof bytes) };
	assert_int_equal(fake_arrive(&f, &client, &ev), 0);
	assert_string_equal(prop(&ev, "$device"), "bot");
}

/* ---- what is left alone ---- */

#define CHROME agent_cases[0].agent

static void a_private_client_shows_its_device_only(void **state)
{
	(void)state;
	struct tally_event ev = arrived(CHROME, true);
	assert_int_equal(ev.nprops, 1);
	assert_string_equal(prop(&ev, "$device"), "desktop");
}

static void what_was_sent_counts_more(void **state)
{
	(void)state;
	struct tally_prop sent[] = { { .key = STR("$browser"), .text = STR("Lynx") },
		{ .key = STR("$device"), .text = STR("") } };
	struct tally_event ev = view();
	struct tally_client client = { .agent = str_of(CHROME) };
	ev.props = sent;
	ev.nprops = 2;
	assert_int_equal(fake_arrive(&f, &client, &ev), 0);
	assert_string_equal(prop(&ev, "$browser"), "Lynx");
	assert_string_equal(prop(&ev, "$device"), "");
	assert_string_equal(prop(&ev, "$os"), "Windows");
	assert_int_equal(ev.nprops, 3);
}

static void a_full_event_goes_without(void **state)
{
	(void)state;
	struct tally_prop full[64];
	char keys[64][8];
	struct tally_event ev = view();
	struct tally_client client = { .agent = str_of(CHROME) };
	for (int i = 0; i < 64; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		full[i] = (struct tally_prop){ .key = str_of(keys[i]) };
	}
	ev.props = full;
	ev.nprops = 63;
	assert_int_equal(fake_arrive(&f, &client, &ev), 0);
	assert_int_equal(ev.nprops, 64);
	assert_string_equal(prop(&ev, "$device"), "desktop");
	assert_int_equal(fake_counted(&f, "no_room"), 2);
	assert_int_equal(fake_event(&f, &ev), TALLY_PASS);
	assert_int_equal(ev.nprops, 64);
}

/* A server that passes on what its visitors do, and a Redis list: the request's own user agent says nothing. */
static void the_user_agent_of_an_event_is_a_prop(void **state)
{
	(void)state;
	struct tally_prop sent = { .key = STR("user_agent"), .text = str_of(CHROME) };
	struct tally_event ev = view();
	struct tally_client client = { .agent = STR("python-requests/2.31.0") };
	ev.props = &sent;
	ev.nprops = 1;
	assert_int_equal(fake_arrive(&f, &client, &ev), 0);
	assert_int_equal(ev.nprops, 1);
	assert_int_equal(fake_event(&f, &ev), TALLY_PASS);
	assert_string_equal(prop(&ev, "$device"), "desktop");
	assert_string_equal(prop(&ev, "$browser"), "Chrome");
	assert_string_equal(prop(&ev, "$os"), "Windows");
	sent.text = STR("");
	ev = view();
	ev.props = &sent;
	ev.nprops = 1;
	assert_int_equal(fake_arrive(&f, &client, &ev), 0);
	assert_int_equal(fake_event(&f, &ev), TALLY_PASS);
	assert_string_equal(prop(&ev, "$device"), "");
}

/* ---- joins ---- */

static const struct fake_lookup reference[] = {
	{ "products", "1", "category", "shoes", TALLY_PROP_STRING },
	{ "products", "1", "price", "49.5", TALLY_PROP_NUMBER },
	{ "products", "2", "category", NULL, 0 },
	{ "products", "3", "category", "", TALLY_PROP_STRING },
	{ "depts", "shoes", "dept", "feet", TALLY_PROP_STRING },
	{ "users", "u1", "tier", "gold", TALLY_PROP_STRING },
	{ "unread", "", NULL, NULL, 0 },
	{ .name = NULL },
};

/* With these lines of join; what open() says. */
static int reopen(const char *join)
{
	struct fake_option options[] = { { .name = "geo", .s = "" }, { .name = "join", .s = join }, { .name = NULL } };
	fake_close(&f);
	fake_load(&f, "enrich");
	f.options = options;
	f.station = TALLY_DOOR;
	f.lookups = reference;
	return fake_open(&f);
}

static struct tally_event entered(struct tally_prop *props, uint32_t n)
{
	struct tally_event ev = view();
	ev.user = STR("u1");
	ev.props = props;
	ev.nprops = n;
	assert_int_equal(fake_enter(&f, &ev), 0);
	return ev;
}

static struct tally_event entered_item(const char *item)
{
	static struct tally_prop prop;
	prop = (struct tally_prop){ .key = STR("item"), .text = str_of(item) };
	return entered(&prop, 1);
}

static void reference_data_becomes_props(void **state)
{
	(void)state;
	assert_int_equal(reopen("props.category = products.category by props.item\n"
				"props.price=products.price by props.item\n"
				"  props.dept =  depts.dept  by  props.category \n"
				"props.tier = users.tier by user\n"
				"props.what = unread.what by page"),
		0);
	struct tally_event ev = entered_item("1");
	assert_int_equal(ev.nprops, 5);
	assert_string_equal(prop(&ev, "category"), "shoes");
	assert_string_equal(prop(&ev, "price"), "49.5");
	assert_int_equal(ev.props[2].type, TALLY_PROP_NUMBER);
	assert_string_equal(prop(&ev, "dept"), "feet"); /* by what the first line made */
	assert_string_equal(prop(&ev, "tier"), "gold");
	static const char *const none[] = { "2", "3", "9", "" }; /* null, empty, no such key, no key */
	for (size_t i = 0; i < 4; i++) {
		ev = entered_item(none[i]);
		assert_int_equal(ev.nprops, 2);
		assert_string_equal(prop(&ev, "tier"), "gold");
	}
	ev = entered(NULL, 0);
	assert_int_equal(ev.nprops, 1);
}

static void what_was_sent_is_not_joined_over(void **state)
{
	(void)state;
	struct tally_prop sent[] = { { .key = STR("item"), .text = STR("1") },
		{ .key = STR("category"), .text = STR("") } };
	assert_int_equal(
		reopen("props.category = products.category by props.item\nprops.dept = depts.dept by props.category"),
		0);
	struct tally_event ev = entered(sent, 2);
	assert_int_equal(ev.nprops, 2);
	assert_string_equal(prop(&ev, "category"), "");
	/* a number of the sender is its text */
	sent[0].type = TALLY_PROP_NUMBER;
	sent[0].number = 1;
	ev = entered(sent, 1);
	assert_string_equal(prop(&ev, "dept"), "feet");
}

static void a_missing_column_is_said_once(void **state)
{
	(void)state;
	assert_int_equal(reopen("props.a = products.colour by props.item"), 0);
	for (int i = 0; i < 3; i++) {
		struct tally_event ev = entered_item("1");
		assert_int_equal(ev.nprops, 1);
	}
	assert_int_equal(f.logs, 1);
}

static void a_full_event_is_not_joined(void **state)
{
	(void)state;
	struct tally_prop full[64];
	char keys[64][8];
	assert_int_equal(reopen("props.category = products.category by props.item"), 0);
	for (int i = 0; i < 64; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		full[i] = (struct tally_prop){ .key = i ? str_of(keys[i]) : STR("item"), .text = STR("1") };
	}
	struct tally_event ev = entered(full, 64);
	assert_int_equal(ev.nprops, 64);
	assert_int_equal(fake_counted(&f, "no_room"), 1);
}

static void lines_that_are_no_joins_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *line, *says;
	} bad[] = {
		{ "category = products.category by props.item", "does not begin with the prop" },
		{ "props. = products.category by props.item", "does not begin with the prop" },
		{ "props.a products.category by props.item", "does not begin with the prop" },
		{ "props.a = products by props.item", "names no lookup and column" },
		{ "props.a = .category by props.item", "names no lookup and column" },
		{ "props.a = products. by props.item", "names no lookup and column" },
		{ "props.a = products.category", "names no lookup and column" },
		{ "props.a = products.category by item", "does not end in a field" },
		{ "props.a = products.category by props.", "does not end in a field" },
		{ "props.a = product.category by props.item", "no lookup 'product' is declared" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(reopen(bad[i].line), -EINVAL);
		if (!strstr(f.said, bad[i].says))
			fail_msg("%s: %s", bad[i].line, f.said);
	}
	char many[33 * 48] = "";
	for (int i = 0; i < 33; i++)
		strcat(many, "props.a = products.category by props.item\n");
	assert_int_equal(reopen(many), -EINVAL);
	assert_non_null(strstr(f.said, "more than 32"));
}

/* ---- sources and channels ---- */

static const struct {
	const char *name, *referrer, *utm_source, *utm_medium, *source, *channel;
} visits[] = {
	{ "view", "", "", "", "", "Direct" },
	{ "pageview", "", "", "", "", "Direct" },
	{ "click", "", "", "", "", "" }, /* goes on with what it was before */
	{ "view", "https://shop.example/list", "", "", "", "" },
	{ "view", "https://www.shop.example/list", "", "", "", "" },
	{ "view", "not a url", "", "", "", "" },
	{ "view", "https://www.google.com/", "", "", "Google", "Organic Search" },
	{ "click", "https://WWW.Google.co.uk/search?q=x", "", "", "Google", "Organic Search" },
	{ "view", "http://google.de", "", "", "Google", "Organic Search" },
	{ "view", "https://google.evil.example/", "", "", "google.evil.example", "Referral" },
	{ "view", "https://notgoogle.com/", "", "", "notgoogle.com", "Referral" },
	{ "view", "https://www.bing.com/search", "", "", "Bing", "Organic Search" },
	{ "view", "https://duckduckgo.com/", "", "", "DuckDuckGo", "Organic Search" },
	{ "view", "android-app://com.google.android.gm/", "", "", "Gmail", "Email" },
	{ "view", "https://mail.google.com/mail/u/0", "", "", "Gmail", "Email" },
	{ "view", "https://l.facebook.com/l.php?u=x", "", "", "Facebook", "Organic Social" },
	{ "view", "https://t.co/abc", "", "", "X", "Organic Social" },
	{ "view", "https://not.co/abc", "", "", "not.co", "Referral" },
	{ "view", "https://out.reddit.com/r/x", "", "", "Reddit", "Organic Social" },
	{ "view", "https://www.youtube.com/watch?v=1", "", "", "YouTube", "Organic Video" },
	{ "view", "https://www.amazon.de/dp/1", "", "", "Amazon", "Organic Shopping" },
	{ "view", "https://blog.example.org:8443/a?b#c", "", "", "blog.example.org", "Referral" },
	{ "view", "https://user:pw@blog.example.org/a", "", "", "blog.example.org", "Referral" },
	{ "view", "", "google", "cpc", "Google", "Paid Search" },
	{ "view", "https://www.google.com/", "Google", "CPC", "Google", "Paid Search" },
	{ "view", "https://www.google.com/", "", "cpc", "Google", "Paid Search" },
	{ "view", "", "fb", "paid_social", "Facebook", "Paid Social" },
	{ "view", "", "youtube", "cpv", "YouTube", "Paid Video" },
	{ "view", "", "amazon", "ppc", "Amazon", "Paid Shopping" },
	{ "view", "", "partner", "cpa", "partner", "Paid Other" },
	{ "view", "", "partner", "cpm", "partner", "Display" },
	{ "view", "", "partner", "banner", "partner", "Display" },
	{ "view", "https://www.google.com/", "newsletter", "", "newsletter", "Email" },
	{ "view", "", "crm", "email", "crm", "Email" },
	{ "view", "https://shop.example/", "crm", "email", "crm", "Email" },
	{ "view", "", "instagram", "social", "Instagram", "Organic Social" },
	{ "view", "", "acme", "Social-Media", "acme", "Organic Social" },
	{ "view", "", "acme", "affiliate", "acme", "Affiliates" },
	{ "view", "", "acme", "audio", "acme", "Audio" },
	{ "view", "", "sms", "", "sms", "SMS" },
	{ "view", "", "acme", "web-push", "acme", "Mobile Push Notifications" },
	{ "view", "", "acme", "qr", "acme", "Referral" },
	{ "view", "", "", "organic", "", "Organic Search" },
	{ "purchase", "", "acme", "", "acme", "Referral" },
};

static void sources_and_channels(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof visits / sizeof *visits; i++) {
		struct tally_prop utm[] = { { .key = STR("utm_source"), .text = str_of(visits[i].utm_source) },
			{ .key = STR("utm_medium"), .text = str_of(visits[i].utm_medium) } };
		struct tally_event ev = view();
		ev.name = str_of(visits[i].name);
		ev.referrer = str_of(visits[i].referrer);
		ev.props = utm;
		ev.nprops = 2;
		assert_int_equal(fake_event(&f, &ev), TALLY_PASS);
		if (strcmp(prop(&ev, "$source"), visits[i].source) || strcmp(prop(&ev, "$channel"), visits[i].channel))
			fail_msg("visit %zu, %s %s: %s, %s", i, visits[i].referrer, visits[i].utm_source,
				prop(&ev, "$source"), prop(&ev, "$channel"));
	}
}

static void a_channel_that_was_sent_stays(void **state)
{
	(void)state;
	struct tally_prop sent = { .key = STR("$channel"), .text = STR("Podcast") };
	struct tally_event ev = view();
	ev.referrer = STR("https://www.google.com/");
	ev.props = &sent;
	ev.nprops = 1;
	assert_int_equal(fake_event(&f, &ev), TALLY_PASS);
	assert_int_equal(ev.nprops, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_agents_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(the_cache_never_mixes_them_up, setup, teardown),
		cmocka_unit_test_setup_teardown(all_crawlers_are_bots, setup, teardown),
		cmocka_unit_test_setup_teardown(strange_bytes_are_borne, setup, teardown),
		cmocka_unit_test_setup_teardown(a_private_client_shows_its_device_only, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_sent_counts_more, setup, teardown),
		cmocka_unit_test_setup_teardown(reference_data_becomes_props, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_sent_is_not_joined_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_column_is_said_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_event_is_not_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_that_are_no_joins_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_event_goes_without, setup, teardown),
		cmocka_unit_test_setup_teardown(the_user_agent_of_an_event_is_a_prop, setup, teardown),
		cmocka_unit_test_setup_teardown(sources_and_channels, setup, teardown),
		cmocka_unit_test_setup_teardown(a_channel_that_was_sent_stays, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
