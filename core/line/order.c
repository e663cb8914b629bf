/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which rows go to a store: by the table's key, so that neighbours on a page are written together and two
 * writers take their locks the same way round.
 *
 * A rollup's rows come place by place (site, grain, bucket) already and are many; in each place only the last part of the
 * key is left to be sorted by, and of that the first eight bytes nearly always decide. */
#include <stdlib.h>

#include "base/bytes.h"
#include "line/internal.h"

/* Eight bytes as a number that sorts as they do. */
static uint64_t front_of(const void *bytes)
{
	return __builtin_bswap64(get_u64(bytes));
}

static int compare_cells(const struct tally_cell *a, const struct tally_cell *b, uint32_t type)
{
	if (type == TALLY_T_INT)
		return (a->v.i > b->v.i) - (a->v.i < b->v.i);
	if (a->v.ptr == b->v.ptr && a->len == b->len)
		return 0;
	return str_cmp(str_make(a->v.ptr, a->len), str_make(b->v.ptr, b->len));
}

/* By the first `columns` of the key. */
static int compare_by(
	const struct tally_table *t, const struct tally_cell *a, const struct tally_cell *b, uint32_t columns)
{
	int order = 0;
	for (uint32_t c = 0; order == 0 && c < columns; c++)
		order = compare_cells(&a[c], &b[c], t->columns[c].type);
	return order;
}

static uint32_t key_columns(const struct tally_table *t)
{
	uint32_t n = 0;
	while (n < t->ncolumns && t->columns[n].merge <= TALLY_M_NODE)
		n++;
	return n;
}

/* The last column of the key but for the node's number, which is the store's to give. */
static uint32_t last_of_key(const struct tally_table *t)
{
	uint32_t n = key_columns(t);
	while (n > 1 && t->columns[n - 1].merge == TALLY_M_NODE)
		n--;
	return n - 1;
}

static int by_key(const void *a, const void *b, void *table)
{
	const struct tally_table *t = table;
	return compare_by(t, *(struct tally_cell *const *)a, *(struct tally_cell *const *)b, key_columns(t));
}

/* ---- place by place ---- */

struct fronted {
	uint64_t front;
	struct tally_cell *row;
	const struct tally_cell *key;
};

static int by_front(const void *a, const void *b)
{
	const struct fronted *x = a, *y = b;
	if (x->front != y->front)
		return x->front < y->front ? -1 : 1;
	return compare_cells(x->key, y->key, TALLY_T_BLOB);
}

/* Whether the rows come place by place, and the last part of their keys has a front. */
static bool is_by_place(const struct tally_table *t, struct tally_cell *const *rows, size_t n, uint32_t last)
{
	if (t->columns[last].type == TALLY_T_INT)
		return false;
	for (size_t i = 0; i < n; i++)
		if (rows[i][last].len < sizeof(uint64_t) || (i && compare_by(t, rows[i - 1], rows[i], last) > 0))
			return false;
	return true;
}

static void order_place(struct tally_cell **rows, size_t n, uint32_t last, struct fronted *room)
{
	for (size_t i = 0; i < n; i++)
		room[i] = (struct fronted){ front_of(rows[i][last].v.ptr), rows[i], &rows[i][last] };
	qsort(room, n, sizeof *room, by_front);
	for (size_t i = 0; i < n; i++)
		rows[i] = room[i].row;
}

void order_rows(const struct tally_table *t, struct tally_cell **rows, size_t n, struct arena *arena)
{
	if (n < 2)
		return;
	uint32_t last = last_of_key(t);
	if (!is_by_place(t, rows, n, last)) {
		qsort_r(rows, n, sizeof *rows, by_key, (void *)(uintptr_t)t);
		return;
	}
	struct fronted *room = arena_alloc(arena, n * sizeof *room);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && compare_by(t, rows[i], rows[end], last) == 0; end++)
			;
		order_place(rows + i, end - i, last, room);
	}
}
