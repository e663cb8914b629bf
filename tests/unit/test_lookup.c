/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups: rows by key, within their memory; what is read of a store and what is not read again; on disk; and looked at by
 * many threads while they are replaced. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/seam.h"
#include "fake_table.h"
#include "lookup/file.h"
#include "lookup/inner.h"
#include "meter/meter.h"
#include "text/write.h"

static char dir[64];
static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	fake_table = (struct fake_table){ 0 };
	snprintf(dir, sizeof dir, "/tmp/test_lookup.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	(void)state;
	seam_arm(NULL);
	arena_free(&arena);
	snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command);
}

/* ---- rows ---- */

static const struct tally_str columns[] = { { "id", 2 }, { "name", 4 } };

static struct lookup_rows *make(uint64_t memory)
{
	struct lookup_origin origin = { .definition = 7, .version = "2/9", .read_us = 123456789 };
	return lookup_rows_make(&origin, columns, 2, 0, memory);
}

static enum lookup_added add(struct lookup_rows *r, const char *id, const char *name)
{
	struct lookup_value values[] = { { str_of(id), LOOKUP_NUMBER },
		{ str_of(name), name ? LOOKUP_TEXT : LOOKUP_NULL } };
	if (!id)
		values[0] = (struct lookup_value){ .type = LOOKUP_NULL };
	return lookup_rows_add(r, values);
}

static const char *name_of(const struct lookup_rows *r, const char *id)
{
	const struct lookup_value *row = lookup_rows_find(r, str_of(id));
	return row ? arena_copy(&arena, row[1].text.ptr, row[1].text.len) : "(none)";
}

static void rows_are_found_by_their_key(void **state)
{
	(void)state;
	struct lookup_rows *r = make(1 << 24);
	char id[32], name[32];
	for (int i = 0; i < 20000; i++) {
		snprintf(id, sizeof id, "%d", i);
		snprintf(name, sizeof name, "name of %d", i);
		assert_int_equal(add(r, id, name), LOOKUP_ADDED);
	}
	assert_int_equal(add(r, "17", "another"), LOOKUP_TWICE);
	assert_int_equal(add(r, NULL, "nobody"), LOOKUP_NO_KEY);
	for (int i = 0; i < 20000; i++) {
		snprintf(id, sizeof id, "%d", i);
		snprintf(name, sizeof name, "name of %d", i);
		assert_string_equal(name_of(r, id), name);
	}
	assert_null(lookup_rows_find(r, STR("20000")));
	assert_null(lookup_rows_find(r, STR("")));
	assert_null(lookup_rows_find(r, STR("017")));
	assert_int_equal(lookup_rows_count(r), 20000);
	assert_int_equal(lookup_rows_column(r, STR("name")), 1);
	assert_int_equal(lookup_rows_column(r, STR("nam")), -1);
	lookup_rows_unref(r);
}

static void memory_is_kept_to(void **state)
{
	(void)state;
	static const uint64_t limits[] = { 65536, 100000, 1 << 20, 3333333 };
	for (size_t k = 0; k < 4; k++) {
		struct lookup_rows *r = make(limits[k]);
		char id[32];
		int n = 0;
		enum lookup_added added = LOOKUP_ADDED;
		for (; added == LOOKUP_ADDED; n++) {
			snprintf(id, sizeof id, "%d", n);
			added = add(r, id, "a name of some length, as names are");
			assert_true(lookup_rows_bytes(r) <= limits[k] + 16384); /* a block that is begun */
		}
		assert_int_equal(added, LOOKUP_NO_ROOM);
		assert_true(n > (int)(limits[k] / 400));
		assert_int_equal(lookup_rows_count(r), n - 1);
		assert_string_equal(name_of(r, "0"), "a name of some length, as names are");
		lookup_rows_unref(r);
	}
}

/* ---- on disk ---- */

static void a_file_gives_back_what_was_put_there(void **state)
{
	(void)state;
	struct lookup_rows *r = make(1 << 20), *back;
	assert_int_equal(add(r, "1", "one"), LOOKUP_ADDED);
	assert_int_equal(add(r, "2", NULL), LOOKUP_ADDED);
	assert_int_equal(add(r, "3", ""), LOOKUP_ADDED);
	lookup_rows_finish(r);
	assert_int_equal(lookup_file_read(dir, "x", 7, 1 << 20, &back), -ENOENT);
	assert_int_equal(lookup_file_write(dir, "x", r), 0);
	assert_int_equal(lookup_file_read(dir, "x", 7, 1 << 20, &back), 0);
	const struct lookup_origin *a = lookup_rows_origin(r), *b = lookup_rows_origin(back);
	assert_true(a->read_us == b->read_us && a->content == b->content && strcmp(a->version, b->version) == 0);
	assert_string_equal(name_of(back, "1"), "one");
	assert_int_equal(lookup_rows_find(back, STR("2"))[1].type, LOOKUP_NULL);
	assert_int_equal(lookup_rows_find(back, STR("3"))[1].type, LOOKUP_TEXT);
	assert_int_equal(lookup_rows_find(back, STR("3"))[0].type, LOOKUP_NUMBER);
	lookup_rows_unref(back);
	assert_int_equal(lookup_file_read(dir, "x", 8, 1 << 20, &back), -ENOENT); /* of another definition */
	assert_int_equal(lookup_file_read(dir, "x", 7, 100, &back), -E2BIG);
	lookup_rows_unref(r);
}

static size_t read_all(const char *path, char *bytes, size_t cap)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t n = fread(bytes, 1, cap, f);
	fclose(f);
	return n;
}

static void write_all(const char *path, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

/* Every byte changed, every length cut: refused, or (in what no checksum covers) the same. */
static void a_damaged_file_is_refused(void **state)
{
	(void)state;
	struct lookup_rows *r = make(1 << 20), *back;
	char bytes[1024], path[96];
	assert_int_equal(add(r, "1", "one"), LOOKUP_ADDED);
	lookup_rows_finish(r);
	assert_int_equal(lookup_file_write(dir, "x", r), 0);
	snprintf(path, sizeof path, "%s/lookups/x", dir);
	size_t n = read_all(path, bytes, sizeof bytes);
	for (size_t i = 0; i < n; i++) {
		bytes[i] ^= 1;
		write_all(path, bytes, n);
		bytes[i] ^= 1;
		assert_int_equal(lookup_file_read(dir, "x", 7, 1 << 20, &back), -EBADMSG);
		write_all(path, bytes, i);
		assert_int_equal(lookup_file_read(dir, "x", 7, 1 << 20, &back), -EBADMSG);
	}
	write_all(path, bytes, n);
	assert_int_equal(lookup_file_read(dir, "x", 7, 1 << 20, &back), 0);
	lookup_rows_unref(back);
	lookup_rows_unref(r);
}

static void a_write_that_fails_leaves_what_was_there(void **state)
{
	(void)state;
	static const char *const faults[] = { "lookup.open:1:EROFS", "lookup.write:1:ENOSPC", "lookup.sync:1:EIO",
		"lookup.rename:1:EIO" };
	struct lookup_rows *one = make(1 << 20), *two = make(1 << 20), *back;
	assert_int_equal(add(one, "1", "one"), LOOKUP_ADDED);
	assert_int_equal(add(two, "1", "two"), LOOKUP_ADDED);
	assert_int_equal(lookup_file_write(dir, "x", one), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(seam_arm(faults[i]), 0);
		assert_true(lookup_file_write(dir, "x", two) < 0);
		seam_arm(NULL);
		assert_int_equal(lookup_file_read(dir, "x", 7, 1 << 20, &back), 0);
		assert_string_equal(name_of(back, "1"), "one");
		lookup_rows_unref(back);
	}
	lookup_rows_unref(one);
	lookup_rows_unref(two);
}

/* ---- one reading ---- */

#define INT(n)                                 \
	{                                      \
		TALLY_T_INT, (n), 0, fake_some \
	}
#define TEXT(s)                         \
	{                               \
		TALLY_T_TEXT, 0, 0, (s) \
	}

static const struct fake_cell usual[] = { INT(1), TEXT("one"), INT(5), INT(2), TEXT(NULL), INT(6), INT(3),
	{ TALLY_T_REAL, 0, 0.1, fake_some }, INT(7), INT(4), { TALLY_T_BLOB, 0, 0, "\xff" }, INT(7), TEXT(NULL),
	TEXT("no key"), INT(1), INT(1), TEXT("again"), INT(1) };

static struct lookup_ask ask_of(void)
{
	fake_table.names[0] = "id";
	fake_table.names[1] = "name";
	fake_table.names[2] = "v";
	fake_table.ncolumns = 3;
	fake_table.rows = usual;
	fake_table.n = 6;
	fake_table.version = 7;
	return (struct lookup_ask){ .sink = &fake_sink,
		.reader = &fake_table,
		.sql = "SELECT id, name, v FROM t -- all of it",
		.key = "id",
		.version = "v",
		.max_rows = 10,
		.memory = 1 << 20,
		.timeout_us = 1000,
		.definition = 7 };
}

static enum lookup_result load(const struct lookup_ask *ask, const struct lookup_rows *before, struct lookup_rows **out,
	char words[LOOKUP_WORDS])
{
	struct lookup_oddities odd;
	return lookup_load(ask, before, out, &odd, words);
}

static void rows_are_read_with_their_types(void **state)
{
	(void)state;
	struct lookup_ask ask = ask_of();
	struct lookup_oddities odd;
	struct lookup_rows *r;
	char words[LOOKUP_WORDS];
	assert_int_equal(lookup_load(&ask, NULL, &r, &odd, words), LOOKUP_LOADED);
	assert_non_null(strstr(fake_table.last, "all of it\n) AS ")); /* a comment at the end ends before the bracket */
	assert_int_equal(lookup_rows_count(r), 4);
	assert_string_equal(name_of(r, "1"), "one"); /* the first row of a key counts */
	assert_int_equal(lookup_rows_find(r, STR("1"))[0].type, LOOKUP_NUMBER);
	assert_int_equal(lookup_rows_find(r, STR("2"))[1].type, LOOKUP_NULL);
	assert_string_equal(name_of(r, "3"), "0.1");
	assert_int_equal(lookup_rows_find(r, STR("3"))[1].type, LOOKUP_NUMBER);
	assert_int_equal(lookup_rows_find(r, STR("4"))[1].type, LOOKUP_NULL); /* no UTF-8 */
	assert_true(odd.no_key == 1 && odd.twice == 1 && odd.no_text == 1);
	assert_string_equal(lookup_rows_origin(r)->version, "6/7");
	assert_true(fake_table.begun == 1 && fake_table.ended == 1);
	lookup_rows_unref(r);
}

static void an_unchanged_version_is_not_read_again(void **state)
{
	(void)state;
	struct lookup_ask ask = ask_of();
	struct lookup_rows *r, *other;
	char words[LOOKUP_WORDS];
	assert_int_equal(load(&ask, NULL, &r, words), LOOKUP_LOADED);
	assert_int_equal(load(&ask, r, &other, words), LOOKUP_UNCHANGED);
	assert_true(fake_table.versions == 2 && fake_table.readings == 1);
	fake_table.version = 8;
	assert_int_equal(load(&ask, r, &other, words), LOOKUP_LOADED);
	lookup_rows_unref(other);
	fake_table.version = 7;
	fake_table.n = 5; /* one fewer, the highest version stays */
	assert_int_equal(load(&ask, r, &other, words), LOOKUP_LOADED);
	lookup_rows_unref(other);
	fake_table.n = 6;
	ask.definition = 8; /* another SELECT */
	assert_int_equal(load(&ask, r, &other, words), LOOKUP_LOADED);
	lookup_rows_unref(other);
	ask.definition = 7;
	ask.version = NULL;
	assert_int_equal(load(&ask, r, &other, words), LOOKUP_LOADED);
	lookup_rows_unref(other);
	lookup_rows_unref(r);
}

static void too_much_is_refused_with_words(void **state)
{
	(void)state;
	struct lookup_ask ask = ask_of();
	struct lookup_rows *r;
	char words[LOOKUP_WORDS];
	ask.max_rows = 5;
	assert_int_equal(load(&ask, NULL, &r, words), LOOKUP_REFUSED);
	assert_string_equal(words, "more than 5 rows; raise max_rows, or select fewer");
	ask.max_rows = 6;
	assert_int_equal(load(&ask, NULL, &r, words), LOOKUP_LOADED);
	lookup_rows_unref(r);
	ask.memory = 100;
	assert_int_equal(load(&ask, NULL, &r, words), LOOKUP_REFUSED);
	assert_non_null(strstr(words, "more than memory (100 bytes) holds"));
	ask.memory = 1 << 20;
	ask.key = "Id";
	assert_int_equal(load(&ask, NULL, &r, words), LOOKUP_REFUSED);
	assert_string_equal(words, "sql gives no column `Id`, which key names; it gives id, name, v");
	assert_int_equal(fake_table.begun, fake_table.ended);
}

static void a_store_that_is_away_is_a_failure(void **state)
{
	(void)state;
	struct lookup_ask ask = ask_of();
	struct lookup_rows *r;
	char words[LOOKUP_WORDS];
	fake_table.begin_rc = -ENOTCONN;
	assert_int_equal(load(&ask, NULL, &r, words), LOOKUP_FAILED);
	assert_string_equal(words, "the fake is away");
	assert_int_equal(fake_table.ended, 0);
	fake_table.begin_rc = 0;
	fake_table.select_rc = -ETIMEDOUT;
	assert_int_equal(load(&ask, NULL, &r, words), LOOKUP_FAILED);
	fake_table.select_rc = -EINVAL; /* the store is well, the SELECT is not */
	assert_int_equal(load(&ask, NULL, &r, words), LOOKUP_REFUSED);
	assert_int_equal(fake_table.begun, fake_table.ended);
}

/* ---- the thread ---- */

static struct conf_lookup declared[2] = {
	{ .name = "people",
		.sql = "SELECT 1",
		.key = "id",
		.version = "v",
		.ttl_us = 2000,
		.max_rows = 1000,
		.memory = 1 << 20 },
	{ .name = "other", .sql = "SELECT 2", .key = "id", .ttl_us = 3600000000, .max_rows = 1000, .memory = 1 << 20 },
};

static struct conf conf_of(size_t n)
{
	return (struct conf){ .limits.query_timeout_us = 1000000, .lookups = declared, .nlookups = n };
}

static struct lookups *open_all(const struct conf *c)
{
	static const struct lookup_store store = { "main", &fake_sink, NULL };
	struct lookups *l = lookups_make();
	lookups_open(l, c, dir, &store, 1);
	return l;
}

static void close_all(struct lookups *l)
{
	lookups_stop(l);
	assert_int_equal(fake_table.opened, fake_table.closed);
	lookups_free(l);
}

static struct lookup_state state_of(struct lookups *l, const char *name)
{
	struct lookup_state s;
	assert_true(lookups_get(l, &arena, str_of(name), &s));
	lookup_rows_unref(s.rows); /* the list's own keeps them while nothing else runs */
	return s;
}

static int64_t refreshed(const char *result)
{
	return meter_value(meter_get(M_LOOKUP_REFRESHES, STR("people"), str_of(result), STR("")));
}

#define WAIT(condition)                                         \
	do {                                                    \
		int64_t until = clock_mono_us() + 60000000;     \
		while (!(condition) && clock_mono_us() < until) \
			usleep(1000);                           \
		assert_true(condition);                         \
	} while (0)

static void what_was_read_goes_on_while_the_store_is_away(void **state)
{
	(void)state;
	struct conf c = conf_of(1);
	(void)ask_of();
	fake_table.begin_rc = -ENOTCONN;
	struct lookups *l = open_all(&c);
	assert_null(state_of(l, "people").rows);
	lookups_run(l);
	lookups_wait(l, 60000000);
	struct lookup_state s = state_of(l, "people");
	assert_true(!s.rows && s.stale);
	assert_string_equal(s.why, "the fake is away");
	char why[128] = "ready";
	lookups_trouble(l, why, sizeof why);
	assert_string_equal(why, "ready; lookup people is not read: the fake is away");

	fake_table.begin_rc = 0;
	WAIT(!state_of(l, "people").stale);
	assert_string_equal(state_of(l, "people").why, "");
	int64_t unchanged = refreshed("unchanged"), loaded = refreshed("loaded");
	WAIT(refreshed("unchanged") > unchanged + 3);
	assert_int_equal(refreshed("loaded"), loaded);

	fake_table.begin_rc = -ENOTCONN;
	WAIT(state_of(l, "people").stale);
	struct lookup_state kept;
	assert_true(lookups_get(l, &arena, STR("people"), &kept));
	assert_string_equal(name_of(kept.rows, "1"), "one");
	lookup_rows_unref(kept.rows);
	close_all(l);

	l = open_all(&c); /* another run, the store still away */
	assert_true(lookups_get(l, &arena, STR("people"), &kept));
	assert_non_null(kept.rows);
	assert_true(kept.stale);
	assert_string_equal(name_of(kept.rows, "1"), "one");
	lookup_rows_unref(kept.rows);
	close_all(l);
}

static void too_much_keeps_what_was_read(void **state)
{
	(void)state;
	struct conf c = conf_of(1);
	(void)ask_of();
	declared[0].max_rows = 6;
	struct lookups *l = open_all(&c);
	lookups_run(l);
	WAIT(!state_of(l, "people").stale);
	static struct fake_cell many[3 * 7];
	for (size_t i = 0; i < 7; i++) {
		many[3 * i] = (struct fake_cell)INT((int64_t)i);
		many[3 * i + 1] = (struct fake_cell)TEXT("new");
		many[3 * i + 2] = (struct fake_cell)INT(9);
	}
	fake_table.rows = many;
	fake_table.n = 7;
	WAIT(state_of(l, "people").stale);
	struct lookup_state s;
	assert_true(lookups_get(l, &arena, STR("people"), &s));
	assert_string_equal(name_of(s.rows, "1"), "one");
	assert_non_null(strstr(s.why, "more than 6 rows"));
	lookup_rows_unref(s.rows);
	declared[0].max_rows = 7; /* a reload tries again at once */
	lookups_reload(l, &c);
	WAIT(!state_of(l, "people").stale);
	declared[0].max_rows = 1000;
	close_all(l);
}

static void a_reload_keeps_what_is_read_the_same_way(void **state)
{
	(void)state;
	struct conf one = conf_of(1), two = conf_of(2), none = conf_of(0);
	const char *const *names;
	char path[96];
	(void)ask_of();
	struct lookups *l = open_all(&one);
	lookups_run(l);
	lookups_wait(l, 60000000);
	lookups_reload(l, &two);
	assert_non_null(state_of(l, "people").rows);
	lookups_wait(l, 60000000);
	assert_non_null(state_of(l, "other").rows);
	assert_int_equal(lookups_list(l, &arena, &names), 2);
	assert_string_equal(names[1], "other");
	snprintf(path, sizeof path, "%s/lookups/other", dir);
	WAIT(access(path, F_OK) == 0);
	lookups_reload(l, &one);
	struct lookup_state s;
	assert_false(lookups_get(l, &arena, STR("other"), &s));
	assert_int_equal(access(path, F_OK), -1);
	declared[0].sql = "SELECT 3"; /* not what was read */
	fake_table.begin_rc = -ENOTCONN;
	lookups_reload(l, &one);
	assert_null(state_of(l, "people").rows);
	declared[0].sql = "SELECT 1";
	lookups_reload(l, &none);
	assert_int_equal(lookups_list(l, &arena, &names), 0);
	close_all(l);
}

/* ---- looked at while it is replaced ---- */

#define LOOKERS 4

static _Atomic bool over;
static _Atomic int64_t round_now;

/* All values of a row are of one round, and so are all rows. */
static void make_row(size_t row, struct fake_cell *out)
{
	static _Thread_local char text[32];
	static _Thread_local int64_t round;
	if (row == 0)
		round = atomic_fetch_add(&round_now, 1) + 1;
	snprintf(text, sizeof text, "round %lld", (long long)round);
	out[0] = (struct fake_cell)INT((int64_t)row);
	out[1] = (struct fake_cell)TEXT(text);
	out[2] = (struct fake_cell)INT(round);
}

struct looker {
	pthread_t thread;
	struct lookups *l;
	int64_t looked, rounds;
	bool torn;
};

static void *look(void *arg)
{
	struct looker *k = arg;
	struct lookup_held *h = lookup_held_open(k->l);
	char last[32] = "";
	while (!atomic_load(&over)) {
		struct lookup_value a, b;
		enum lookup_found x = lookup_held_find(h, STR("people"), STR("1"), STR("name"), &a);
		enum lookup_found y = lookup_held_find(h, STR("people"), STR("99"), STR("name"), &b);
		if (x == LOOKUP_FOUND) {
			k->torn |= y != LOOKUP_FOUND || !str_eq(a.text, b.text) || a.text.len >= sizeof last;
			k->rounds += !str_eq(a.text, str_of(last));
			snprintf(last, sizeof last, "%.*s", (int)a.text.len, a.text.ptr);
			k->looked++;
		}
		lookup_held_release(h);
	}
	lookup_held_close(h);
	return NULL;
}

static void lookers_see_one_moment(void **state)
{
	(void)state;
	struct conf c = conf_of(1);
	struct looker lookers[LOOKERS] = { 0 };
	int64_t looked = 0, rounds = 0;
	(void)ask_of();
	fake_table.make = make_row;
	fake_table.n = 100;
	declared[0].version = NULL;
	declared[0].ttl_us = 0;
	struct lookups *l = open_all(&c);
	for (int i = 0; i < LOOKERS; i++) {
		lookers[i].l = l;
		assert_int_equal(pthread_create(&lookers[i].thread, NULL, look, &lookers[i]), 0);
	}
	lookups_run(l);
	WAIT(atomic_load(&round_now) >= 200);
	atomic_store(&over, true);
	for (int i = 0; i < LOOKERS; i++) {
		pthread_join(lookers[i].thread, NULL);
		assert_false(lookers[i].torn);
		looked += lookers[i].looked;
		rounds += lookers[i].rounds;
	}
	declared[0].version = "v";
	declared[0].ttl_us = 2000;
	assert_true(looked > 0 && rounds > 1);
	print_message("%lld looks, %lld rounds seen\n", (long long)looked, (long long)rounds);
	close_all(l);
}

static void *find_always(void *arg)
{
	struct looker *k = arg;
	struct lookup_held *h = lookup_held_open(k->l);
	struct lookup_value v;
	while (!atomic_load(&over)) {
		k->torn |= lookup_held_find(h, STR("people"), STR("1"), STR("name"), &v) != LOOKUP_FOUND;
		lookup_held_release(h);
		k->looked++;
	}
	lookup_held_close(h);
	return NULL;
}

/* Tables come and go as fast as they can, so that one that goes too early is met. */
static void no_table_goes_while_it_is_looked_at(void **state)
{
	(void)state;
	struct conf c = conf_of(1);
	struct looker lookers[LOOKERS] = { 0 };
	(void)ask_of();
	struct lookups *l = open_all(&c);
	lookups_run(l);
	lookups_wait(l, 60000000);
	atomic_store(&over, false);
	for (int i = 0; i < LOOKERS; i++) {
		lookers[i].l = l;
		assert_int_equal(pthread_create(&lookers[i].thread, NULL, find_always, &lookers[i]), 0);
	}
	for (int i = 0; i < 300000; i++) {
		pthread_mutex_lock(&l->lock);
		lookups_publish(l);
		pthread_mutex_unlock(&l->lock);
	}
	atomic_store(&over, true);
	for (int i = 0; i < LOOKERS; i++) {
		pthread_join(lookers[i].thread, NULL);
		assert_false(lookers[i].torn);
	}
	close_all(l);
}

static void a_null_is_not_found(void **state)
{
	(void)state;
	struct conf c = conf_of(1);
	struct lookup_value v;
	(void)ask_of();
	struct lookups *l = open_all(&c);
	lookups_run(l);
	lookups_wait(l, 60000000);
	struct lookup_held *h = lookup_held_open(l);
	assert_int_equal(lookup_held_find(h, STR("people"), STR("1"), STR("name"), &v), LOOKUP_FOUND);
	assert_int_equal(lookup_held_find(h, STR("people"), STR("2"), STR("name"), &v), LOOKUP_MISSING);
	assert_int_equal(lookup_held_find(h, STR("people"), STR("2"), STR("v"), &v), LOOKUP_FOUND);
	lookup_held_close(h);
	close_all(l);
}

static void what_is_found_stays_until_it_is_let_go(void **state)
{
	(void)state;
	struct conf c = conf_of(1);
	struct lookup_value v, w;
	(void)ask_of();
	fake_table.make = make_row;
	fake_table.n = 100;
	declared[0].version = NULL;
	struct lookups *l = open_all(&c);
	struct lookup_held *h = lookup_held_open(l);
	assert_int_equal(lookup_held_find(h, STR("people"), STR("1"), STR("name"), &v), LOOKUP_UNREAD);
	assert_int_equal(lookup_held_find(h, STR("peopl"), STR("1"), STR("name"), &v), LOOKUP_UNKNOWN);
	lookup_held_release(h);
	lookups_run(l);
	lookups_wait(l, 60000000);
	assert_int_equal(lookup_held_find(h, STR("people"), STR("1"), STR("name"), &v), LOOKUP_FOUND);
	const char *was = arena_copy(&arena, v.text.ptr, v.text.len);
	int64_t round = atomic_load(&round_now);
	WAIT(atomic_load(&round_now) > round + 5);
	assert_true(str_eq(v.text, str_of(was)));
	assert_int_equal(lookup_held_find(h, STR("people"), STR("2"), STR("name"), &w), LOOKUP_FOUND);
	assert_true(str_eq(w.text, str_of(was))); /* of the same moment */
	assert_int_equal(lookup_held_find(h, STR("people"), STR("100"), STR("name"), &w), LOOKUP_MISSING);
	assert_int_equal(lookup_held_find(h, STR("people"), STR("2"), STR("nam"), &w), LOOKUP_NO_COLUMN);
	lookup_held_release(h);
	assert_int_equal(lookup_held_find(h, STR("people"), STR("1"), STR("name"), &v), LOOKUP_FOUND);
	assert_false(str_eq(v.text, str_of(was)));
	lookup_held_close(h);
	declared[0].version = "v";
	close_all(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_are_found_by_their_key, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_is_kept_to, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_gives_back_what_was_put_there, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_that_fails_leaves_what_was_there, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_are_read_with_their_types, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unchanged_version_is_not_read_again, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_is_refused_with_words, setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_that_is_away_is_a_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_read_goes_on_while_the_store_is_away, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_keeps_what_was_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_keeps_what_is_read_the_same_way, setup, teardown),
		cmocka_unit_test_setup_teardown(lookers_see_one_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(no_table_goes_while_it_is_looked_at, setup, teardown),
		cmocka_unit_test_setup_teardown(a_null_is_not_found, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_found_stays_until_it_is_let_go, setup, teardown),
	};
	return RUN_TESTS("lookup", tests);
}
