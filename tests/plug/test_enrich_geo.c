/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/enrich: countries from a database in MaxMind's format, and the file being replaced under it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "data.h"
#include "fake_host.h"
#include "unit.h"

#define COUNTRIES "suites/geo/GeoIP2-Country-Test.mmdb"

static char path[64], next[80];
static struct fake_option options[] = { { .name = "geo", .s = path }, { .name = "join", .s = "" }, { .name = NULL } };
static struct fake f;

static void put(const char *to, const char *bytes, size_t len)
{
	FILE *out = fopen(to, "wb");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void put_database(const char *to)
{
	size_t len = 0;
	char *bytes = data_read(data_path(COUNTRIES), &len);
	assert_non_null(bytes);
	put(to, bytes, len);
	free(bytes);
}

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/tally-geo-XXXXXX");
	int fd = mkstemp(path);
	close(fd);
	snprintf(next, sizeof next, "%s.next", path);
	put_database(path);
	fake_load(&f, "enrich");
	f.options = options;
	f.station = TALLY_DOOR;
	return fake_open(&f);
}

static int teardown(void **state)
{
	(void)state;
	fake_close(&f);
	unlink(path);
	unlink(next);
	return 0;
}

static const char *country(const char *address)
{
	static char out[8];
	struct tally_event ev = { .name = STR("view"), .site = STR("shop"), .id = STR("a") };
	struct tally_client client = { .address = str_of(address), .is_private = 1 };
	out[0] = 0;
	assert_int_equal(fake_arrive(&f, &client, &ev), 0);
	for (uint32_t i = 0; i < ev.nprops; i++)
		if (str_eq(ev.props[i].key, STR("$country")))
			snprintf(out, sizeof out, "%.*s", (int)ev.props[i].text.len, ev.props[i].text.ptr);
	return out;
}

static void countries_are_found(void **state)
{
	(void)state;
	assert_string_equal(country("2.125.160.216"), "GB");
	assert_string_equal(country("89.160.20.128"), "SE");
	assert_string_equal(country("216.160.83.56"), "US");
	assert_string_equal(country("2001:218::1"), "JP");
	assert_string_equal(country("::ffff:89.160.20.128"), "SE");
	assert_string_equal(country("127.0.0.1"), "");
	assert_string_equal(country("unix"), "");
	assert_string_equal(country(""), "");
	assert_string_equal(country("not an address"), "");
}

/* The plugin's own clock says when it looks: after a second of it the next event does. */
static void look_again(void)
{
	const struct timespec while_it_waits = { 1, 100000000 };
	nanosleep(&while_it_waits, NULL);
	country("127.0.0.1");
	assert_true(fake_work(&f));
	assert_false(fake_work(&f));
}

/* The same bytes with every country's code GB made SE: a database that answers otherwise. */
static void put_other_database(const char *to)
{
	size_t len = 0;
	char *bytes = data_read(data_path(COUNTRIES), &len);
	unsigned changed = 0;
	for (size_t i = 0; i + 3 < len; i++)
		if (memcmp(bytes + i, "\x42GB", 3) == 0) {
			memcpy(bytes + i + 1, "ZZ", 2);
			changed++;
		}
	assert_true(changed > 0);
	put(to, bytes, len);
	free(bytes);
}

static void a_replaced_file_is_taken(void **state)
{
	(void)state;
	assert_string_equal(country("2.125.160.216"), "GB");
	put_other_database(next);
	assert_int_equal(rename(next, path), 0);
	assert_string_equal(country("2.125.160.216"), "GB");
	look_again();
	assert_string_equal(country("2.125.160.216"), "ZZ");
	assert_int_equal(f.logs, 1);
	look_again(); /* nothing new */
	assert_int_equal(f.logs, 1);

	put(next, "this is no database", 19);
	assert_int_equal(rename(next, path), 0);
	look_again();
	assert_int_equal(f.logs, 2);
	assert_string_equal(country("2.125.160.216"), "ZZ");
	look_again(); /* said once */
	assert_int_equal(f.logs, 2);

	unlink(path);
	look_again();
	assert_string_equal(country("2.125.160.216"), "ZZ");
	put_database(next);
	assert_int_equal(rename(next, path), 0);
	look_again();
	assert_string_equal(country("2.125.160.216"), "GB");
}

static void open_fails_with(const char *file, const char *words)
{
	struct fake_option other[] = { { .name = "geo", .s = file }, { .name = "join", .s = "" }, { .name = NULL } };
	struct fake g;
	fake_load(&g, "enrich");
	g.options = other;
	g.station = TALLY_DOOR;
	assert_int_not_equal(fake_open(&g), 0);
	assert_non_null(strstr(g.said, file));
	if (!strstr(g.said, words))
		fail_msg("%s", g.said);
	g.self = NULL;
	fake_close(&g);
}

static void files_that_cannot_be_used_are_refused(void **state)
{
	(void)state;
	open_fails_with("/nowhere/at/all.mmdb", "No such file");
	open_fails_with("relative.mmdb", "absolute");
	put(path, "this is no database", 19);
	open_fails_with(path, "MaxMind");
}

/* The line has no use for it, so it does not ask for the file. */
static void the_line_opens_no_database(void **state)
{
	(void)state;
	struct fake g;
	unlink(path);
	fake_load(&g, "enrich");
	g.options = options;
	g.station = TALLY_LINE;
	assert_int_equal(fake_open(&g), 0);
	fake_close(&g);
}

int main(void)
{
	int missing = data_missing("test_enrich_geo", COUNTRIES);
	if (missing)
		return missing;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(countries_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_replaced_file_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_used_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_line_opens_no_database, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
