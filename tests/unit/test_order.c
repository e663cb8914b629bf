/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a batch in the order of their table's key, however they came, against a plain sort by memcmp. */
#include <stdlib.h>

#include "line/internal.h"
#include "unit.h"

enum { SITE, BUCKET, KEY, NODE, COUNT_OF, COLUMNS };

static const struct tally_column columns[COLUMNS] = {
	[SITE] = { .name = "site", .type = TALLY_T_TEXT, .merge = TALLY_M_KEY },
	[BUCKET] = { .name = "bucket", .type = TALLY_T_INT, .merge = TALLY_M_KEY },
	[KEY] = { .name = "key", .type = TALLY_T_BLOB, .merge = TALLY_M_KEY },
	[NODE] = { .name = "node", .type = TALLY_T_INT, .merge = TALLY_M_NODE },
	[COUNT_OF] = { .name = "events", .type = TALLY_T_INT, .merge = TALLY_M_ADD },
};

static const struct tally_table table = { .name = "t", .columns = columns, .ncolumns = COLUMNS };

struct rows {
	struct arena arena;
	struct tally_cell *at[1000];
	size_t n;
};

static void add(struct rows *r, const char *site, int64_t bucket, const char *key, uint32_t len)
{
	struct tally_cell *row = r->at[r->n++] = arena_zalloc(&r->arena, COLUMNS * sizeof *row);
	row[SITE] = (struct tally_cell){ .v.ptr = site, .len = (uint32_t)strlen(site) };
	row[BUCKET].v.i = bucket;
	row[KEY] = (struct tally_cell){ .v.ptr = arena_copy(&r->arena, key, len), .len = len };
}

static int compare_bytes(const struct tally_cell *a, const struct tally_cell *b)
{
	return str_cmp(str_make(a->v.ptr, a->len), str_make(b->v.ptr, b->len));
}

static int plainly(const struct tally_cell *a, const struct tally_cell *b)
{
	int order = compare_bytes(&a[SITE], &b[SITE]);
	if (order == 0)
		order = (a[BUCKET].v.i > b[BUCKET].v.i) - (a[BUCKET].v.i < b[BUCKET].v.i);
	return order ? order : compare_bytes(&a[KEY], &b[KEY]);
}

static int compare_pointers(const void *a, const void *b)
{
	const struct tally_cell *x = *(struct tally_cell *const *)a, *y = *(struct tally_cell *const *)b;
	return (x > y) - (x < y);
}

/* All of them are still there, once, and in order. */
static void check(struct rows *r)
{
	struct tally_cell *before[1000];
	memcpy(before, r->at, r->n * sizeof *before);
	order_rows(&table, r->at, r->n, &r->arena);
	for (size_t i = 1; i < r->n; i++)
		assert_true(plainly(r->at[i - 1], r->at[i]) <= 0);
	qsort(before, r->n, sizeof *before, compare_pointers);
	qsort(r->at, r->n, sizeof *r->at, compare_pointers);
	assert_memory_equal(before, r->at, r->n * sizeof *before);
}

/* Few enough different bytes that fronts and whole keys are often equal. */
static void some_key(char key[16])
{
	for (int i = 0; i < 16; i++)
		key[i] = (char)(i < 6 ? 0 : rand() % 3 - 1);
}

static void fill(struct rows *r, size_t n, uint32_t key_bytes, bool by_place)
{
	static const char *const sites[] = { "a", "ab", "b" };
	arena_init(&r->arena, 0);
	r->n = 0;
	for (size_t i = 0; i < n; i++) {
		char key[16];
		some_key(key);
		size_t place = by_place ? i * 9 / n : (size_t)(rand() % 9);
		add(r, sites[place / 3], (int64_t)(place % 3) - 1, key, key_bytes);
	}
}

static void rows_come_out_by_key(void **state)
{
	(void)state;
	struct rows r;
	srand(1);
	for (size_t n = 0; n <= 1000; n = n * 2 + 1)
		for (int how = 0; how < 4; how++) {
			fill(&r, n, how & 1 ? 16 : 7, how & 2);
			check(&r);
			arena_free(&r.arena);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_out_by_key),
	};
	return RUN_TESTS("order of rows", tests);
}
