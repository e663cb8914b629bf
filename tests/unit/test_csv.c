/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "text/csv.h"
#include "unit.h"

static struct arena arena;
static struct text_out seen; /* rows as "line:[a][b]\n" */

static int keep(void *arg, size_t row, size_t line, const struct tally_str *fields, size_t nfields)
{
	size_t *rows = arg;
	assert_int_equal(row, *rows);
	++*rows;
	text_printf(&seen, "%zu:", line);
	for (size_t i = 0; i < nfields; i++)
		text_printf(&seen, "[%.*s]", (int)fields[i].len, fields[i].ptr);
	text_put_char(&seen, '\n');
	return nfields == 5 ? 42 : 0;
}

/* The whole in pieces of `step` bytes. */
static int read_in_steps(struct tally_str text, size_t step, char separator)
{
	size_t rows = 0;
	struct csv_reader *r = csv_open(separator, (struct csv_limits){ .row_bytes = 32, .fields = 6 }, keep, &rows);
	int rc = 0;
	text_open(&seen, &arena, 0);
	for (size_t at = 0; at < text.len && rc == 0; at += step)
		rc = csv_feed(r, str_make(text.ptr + at, text.len - at < step ? text.len - at : step));
	if (rc == 0)
		rc = csv_end(r);
	if (rc == -EINVAL)
		text_printf(&seen, "%s", csv_problem(r));
	csv_close(r);
	return rc;
}

static void assert_reads(struct tally_str text, const char *want, int want_rc)
{
	for (size_t step = 1; step <= text.len; step++) {
		int rc = read_in_steps(text, step, ',');
		if (rc != want_rc || !str_eq(text_done(&seen), str_of(want)))
			fail_msg("'%.*s' by %zu: %d, %.*s, not %s", (int)text.len, text.ptr, step, rc, (int)seen.len,
				seen.ptr, want);
	}
}

static void rows_do_not_depend_on_chunks(void **state)
{
	(void)state;
	assert_reads(STR("a,b\nc,d\n"), "1:[a][b]\n2:[c][d]\n", 0);
	assert_reads(STR("a,b\r\nc,d"), "1:[a][b]\n2:[c][d]\n", 0);
	assert_reads(STR("\xef\xbb\xbf"
			 "a,\n,\n"),
		"1:[a][]\n2:[][]\n", 0);
	assert_reads(STR("\xef\xbb"), "1:[\xef\xbb]\n", 0);
	assert_reads(STR("\xef,x\n"), "1:[\xef][x]\n", 0);
	assert_reads(STR("\n\r\na\n\n\nb\n"), "3:[a]\n6:[b]\n", 0);
	assert_reads(STR("\"\"\n\"\",\"\"\n\"\""), "1:[]\n2:[][]\n3:[]\n", 0);
	assert_reads(STR("a,"), "1:[a][]\n", 0);
	assert_reads(STR(" \n"), "1:[ ]\n", 0);
}

static void quotes_hold_anything(void **state)
{
	(void)state;
	assert_reads(STR("\"a,b\",\"c\"\"d\"\"\"\n"), "1:[a,b][c\"d\"]\n", 0);
	assert_reads(STR("\"a\nb\r\nc\",d\ne\n"), "1:[a\nb\r\nc][d]\n4:[e]\n", 0);
	assert_reads(STR("\"x\"\r\n\"y\"\r\n"), "1:[x]\n2:[y]\n", 0);
}

static void broken_files_are_refused_with_their_line(void **state)
{
	(void)state;
	assert_reads(STR("a\n\"b"), "1:[a]\nline 2: the file ends inside quotes", -EINVAL);
	assert_reads(STR("a\n\"b\"c\n"), "1:[a]\nline 2: text stands behind a closing quote", -EINVAL);
	assert_reads(
		STR("a\nb\"c\n"), "1:[a]\nline 2: a quote stands inside a field that does not begin with one", -EINVAL);
	assert_reads(STR("a\rb\n"), "line 1: a carriage return stands alone", -EINVAL);
	assert_reads(STR("a\r"), "line 1: a carriage return stands alone", -EINVAL);
	assert_reads(STR("1,2,3,4,5,6,7\n"), "line 1: the row has too many fields", -EINVAL);
	assert_reads(STR("12345678,12345678,12345678,123456789\n"), "line 1: the row is too long", -EINVAL);
	assert_reads(STR("12345678,12345678,12345678,12345678\n"), "1:[12345678][12345678][12345678][12345678]\n", 0);
}

static void the_caller_can_stop(void **state)
{
	(void)state;
	assert_reads(STR("a\n1,2,3,4,5\nb\n"), "1:[a]\n2:[1][2][3][4][5]\n", 42);
}

static void separators_can_differ(void **state)
{
	(void)state;
	assert_int_equal(read_in_steps(STR("a;b,c\t;\"d;\"\n"), 3, ';'), 0);
	assert_true(str_eq(text_done(&seen), STR("1:[a][b,c\t][d;]\n")));
}

static void fields_written_are_read_the_same(void **state)
{
	(void)state;
	static const char *const fields[] = { "", "plain", "a,b", "say \"x\"", "two\nlines", "cr\r", "\"", " space " };
	struct text_out o;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		text_open(&o, &arena, 0);
		csv_put_field(&o, str_of(fields[i]));
		text_put(&o, STR(",end\r\n"));
		assert_int_equal(read_in_steps(text_done(&o), 7, ','), 0);
		assert_true(str_eq(text_done(&seen), str_of(arena_printf(&arena, "1:[%s][end]\n", fields[i]))));
	}
}

static int tear_down(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_do_not_depend_on_chunks),
		TEST(quotes_hold_anything),
		TEST(broken_files_are_refused_with_their_line),
		TEST(the_caller_can_stop),
		TEST(separators_can_differ),
		TEST(fields_written_are_read_the_same),
	};
	arena_init(&arena, 0);
	int failed = RUN_TESTS("csv", tests);
	arena_free(&arena);
	return failed;
}
