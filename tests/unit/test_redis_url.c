/* SPDX-License-Identifier: Apache-2.0 */
/* core/conf/redis_url.c: every form, and what is none. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "conf/redis_url.h"

static const struct {
	const char *url;
	const char *parts; /* user password path host:port,… master db */
} good[] = {
	{ "redis://h", "'' '' '' h:6379 '' 0" },
	{ "redis://h/", "'' '' '' h:6379 '' 0" },
	{ "redis://h:7/3", "'' '' '' h:7 '' 3" },
	{ "redis://pw@h", "'' 'pw' '' h:6379 '' 0" },
	{ "redis://u:p@w@h:1/0", "'u' 'p@w' '' h:1 '' 0" },
	{ "redis://u:a%2Fb%2c%25@h", "'u' 'a/b,%' '' h:6379 '' 0" },
	{ "redis://[::1]:7/1", "'' '' '' ::1:7 '' 1" },
	{ "redis://a:1,b:2,c/0", "'' '' '' a:1,b:2,c:6379 '' 0" },
	{ "redis+sentinel://a,b:2/mymaster", "'' '' '' a:26379,b:2 'mymaster' 0" },
	{ "redis+sentinel://u:p@a:1/m/5", "'u' 'p' '' a:1 'm' 5" },
	{ "unix:/run/redis.sock", "'' '' '/run/redis.sock'  '' 0" },
};

static const char *const bad[] = { "", "redis", "redis://", "redis:///0", "http://h", "redis://h:0", "redis://h:x",
	"redis://h:99999", "redis://h/x", "redis://h/1/2", "redis://h/-1", "redis://a,,b", "redis://h?x",
	"redis://[::1", "redis://%zz@h", "redis://a,", "unix:", "unix:run", "redis+sentinel://a:1",
	"redis+sentinel://a:1/", "redis+sentinel://a:1//0", "redis+sentinel://a:1/m/x", "rediss://h",
	"rediss+sentinel://h/m", "redis://h:1:2" };

static void test_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct redis_url u;
		char got[4096], places[512] = "";
		const char *why = redis_url_read(good[i].url, &u);
		if (why)
			fail_msg("%s: %s", good[i].url, why);
		for (size_t k = 0; k < u.n; k++)
			snprintf(places + strlen(places), sizeof places - strlen(places), "%s%s:%d", k ? "," : "",
				u.at[k].host, u.at[k].port);
		snprintf(got, sizeof got, "'%s' '%s' '%s' %s '%s' %d", u.user, u.password, u.path, places, u.master,
			u.db);
		assert_string_equal(got, good[i].parts);
	}
}

static void test_what_is_none(void **state)
{
	(void)state;
	struct redis_url u;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!redis_url_read(bad[i], &u))
			fail_msg("%s is taken for a Redis url", bad[i]);
	assert_non_null(strstr(redis_url_read("rediss://h", &u), "stunnel"));
}

static void test_what_is_too_long(void **state)
{
	(void)state;
	struct redis_url u;
	char url[2000] = "redis://";
	memset(url + 8, 'h', 300);
	assert_non_null(redis_url_read(url, &u));
	strcpy(url, "redis://a");
	for (int i = 0; i < REDIS_PLACES; i++)
		strcat(url, ",a");
	assert_non_null(redis_url_read(url, &u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_what_is_too_long),
	};
	return RUN_TESTS("redis_url", tests);
}
