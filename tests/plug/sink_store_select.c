/* SPDX-License-Identifier: Apache-2.0 */
/* A reader's SELECT of tables that are not tally's: names, types, and what it refuses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sink_store_tests.h"

/* Every column in a short form: what a store's own test compares. */
struct seen {
	char text[512]; /* "name,…|TYPEvalue,…|…" */
	int stop;       /* after the first row */
};

static int see(void *arg, const struct tally_found *f)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);
	for (size_t i = 0; i < f->ncolumns; i++) {
		const struct tally_cell *c = f->cells ? &f->cells[i] : NULL;
		n += (size_t)snprintf(s->text + n, sizeof s->text - n, "%s", i ? "," : n ? "|" : "");
		if (!c)
			n += (size_t)snprintf(s->text + n, sizeof s->text - n, "%s", f->names[i]);
		else if (c->null)
			n += (size_t)snprintf(s->text + n, sizeof s->text - n, "null");
		else if (f->types[i] == TALLY_T_INT)
			n += (size_t)snprintf(s->text + n, sizeof s->text - n, "i%lld", (long long)c->v.i);
		else if (f->types[i] == TALLY_T_REAL)
			n += (size_t)snprintf(s->text + n, sizeof s->text - n, "r%g", c->v.d);
		else
			n += (size_t)snprintf(s->text + n, sizeof s->text - n, "%c%.*s",
				f->types[i] == TALLY_T_TEXT ? 't' : 'b', (int)c->len, c->v.ptr);
	}
	return f->cells ? s->stop : 0;
}

static int try_select(struct shop *s, const char *sql, struct seen *seen)
{
	int rc = s->sink->read_begin(s->reader);
	seen->text[0] = 0;
	assert_int_equal(rc, 0);
	rc = s->sink->select(s->reader, sql, 10000000, see, seen);
	s->sink->read_end(s->reader);
	return rc;
}

void test_other_tables_can_be_read(void **state)
{
	(void)state;
	struct seen seen = { .stop = 0 };
	place.wipe();
	struct shop *s = shop_open(NODE_A, "main", "");
	place.sql("CREATE TABLE `other` (`id` BIGINT PRIMARY KEY, `name` VARCHAR(64), `price` DOUBLE, `raw` BLOB)");
	place.sql(
		"INSERT INTO `other` VALUES (1, 'one', 1.5, x'4142'), (2, '', NULL, NULL), (9007199254740993, NULL, 2, x'')");
	assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	if (try_select(s, "SELECT * FROM (\nSELECT id, name AS `n m`, price, raw FROM other -- all\n) AS x ORDER BY id",
		    &seen) != 0)
		fail_msg("%s", s->sink->reader_error(s->reader));
	assert_string_equal(seen.text, "id,n m,price,raw|i1,tone,r1.5,bAB|i2,t,null,null|i9007199254740993,null,r2,b");
	assert_int_equal(try_select(s, "SELECT COUNT(*), MAX(`price`) FROM (SELECT * FROM other) AS x", &seen), 0);
	assert_non_null(strstr(seen.text, "|i3,r2"));
	assert_int_equal(try_select(s, "SELECT id FROM other WHERE id > 2 AND id < 3", &seen), 0);
	assert_string_equal(seen.text, "id");
	seen.stop = 77;
	assert_int_equal(try_select(s, "SELECT id FROM other ORDER BY id", &seen), 77);
	assert_string_equal(seen.text, "id|i1");
	seen.stop = 0;
	assert_int_equal(try_select(s, "SELECT id FROM nowhere", &seen), -ENOENT);
	assert_non_null(strstr(s->sink->reader_error(s->reader), "nowhere"));
	assert_int_equal(try_select(s, "SELECT `colour` FROM other", &seen), -EINVAL);
	assert_non_null(strstr(s->sink->reader_error(s->reader), "colour"));
	assert_int_equal(try_select(s, "SELEKT 1", &seen), -EINVAL);
	assert_true(try_select(s, "SELECT 1; SELECT 2", &seen) < 0);
	assert_true(try_select(s, "DELETE FROM other", &seen) < 0);
	assert_int_equal(try_select(s, "SELECT COUNT(*) AS n FROM other", &seen), 0); /* the reader goes on */
	assert_string_equal(seen.text, "n|i3");
	place.sql("DROP TABLE `other`");
	shop_close(s);
}

/* Types that only one store has: the statement's rows as above. */
void select_is(struct shop *s, const char *sql, const char *wanted)
{
	struct seen seen = { .stop = 0 };
	if (!s->reader)
		assert_int_equal(s->sink->reader_open(s->in->self, &s->reader), 0);
	if (try_select(s, sql, &seen) != 0)
		fail_msg("%s", s->sink->reader_error(s->reader));
	assert_string_equal(seen.text, wanted);
}
