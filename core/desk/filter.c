/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: making one test, and asking it about the values of an event or of a rollup's row. */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "desk/query.h"
#include "text/fold.h"

static const struct {
	const char *name;
	enum query_op op;
	bool negated;
} tests[] = {
	{ "is", QF_IS, false },
	{ "is_not", QF_IS, true },
	{ "contains", QF_CONTAINS, false },
	{ "contains_not", QF_CONTAINS, true },
	{ "matches", QF_MATCHES, false },
	{ "matches_not", QF_MATCHES, true },
};

/* Strangers choose the patterns: what a row may cost is bounded by the size of all of them together. */
static int compile(struct query *q, struct query_filter *f, struct arena *a, const struct tally_str *values, size_t n,
	struct query_error *err)
{
	f->npatterns = n;
	f->patterns = arena_alloc(a, n * sizeof *f->patterns);
	for (size_t i = 0; i < n; i++) {
		struct tally_str v = values[i];
		const char *why;
		size_t at;
		if (v.len > QUERY_PATTERN_MAX) {
			query_fail(err, 400, "bad_pattern", "a pattern is at most %d bytes", QUERY_PATTERN_MAX);
			return query_fail_at(err, NULL, (int)i);
		}
		if (pattern_compile(a, v, f->folded, &f->patterns[i], &why, &at)) {
			query_fail(err, 400, "bad_pattern", "the pattern is refused at its byte %zu: %s", at, why);
			return query_fail_at(err, NULL, (int)i);
		}
		q->pattern_steps += pattern_steps(f->patterns[i]);
		if (q->pattern_steps > QUERY_PATTERN_STEPS_MAX)
			return query_fail(err, 400, "too_many", "the patterns of the filters are too large together");
	}
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(*(const struct tally_str *)a, *(const struct tally_str *)b);
}

static size_t sort_once(struct tally_str *values, size_t n)
{
	size_t kept = 0;
	qsort(values, n, sizeof *values, by_bytes);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !str_eq(values[kept - 1], values[i]))
			values[kept++] = values[i];
	return kept;
}

static void fold_values(struct arena *a, struct tally_str *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *to = arena_alloc(a, values[i].len * FOLD_GROWTH + 1);
		values[i] = str_make(to, fold_text(values[i], to));
	}
}

int query_make_test(struct query *q, struct arena *a, struct tally_str op, struct tally_str dimension,
	struct tally_str *values, size_t n, bool folded, struct query_filter **out, struct query_error *err)
{
	struct query_filter *f = arena_zalloc(a, sizeof *f);
	size_t i = 0;
	while (i < sizeof tests / sizeof tests[0] && !str_eq(op, str_of(tests[i].name)))
		i++;
	if (i == sizeof tests / sizeof tests[0]) {
		query_fail(err, 400, "unknown_name", "there is no filter operator \"%.*s\"",
			(int)(op.len < 64 ? op.len : 64), op.ptr);
		err->legal = query_operator_names();
		return -EINVAL;
	}
	if (n == 0 || n > QUERY_FILTER_VALUES_MAX)
		return query_fail(
			err, 400, "bad_filter", "a filter compares with 1 to %d values", QUERY_FILTER_VALUES_MAX);
	f->op = tests[i].op;
	f->negated = tests[i].negated;
	f->folded = folded;
	int rc = query_field(q, a, dimension, &f->field, err);
	if (rc)
		return rc;
	if (f->op == QF_MATCHES)
		rc = compile(q, f, a, values, n, err);
	else if (folded)
		fold_values(a, values, n);
	f->values = values;
	f->nvalues = sort_once(values, n);
	*out = f;
	return rc;
}

static bool is_one_of(const struct query_filter *f, struct tally_str v)
{
	size_t low = 0, high = f->nvalues;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = str_cmp(f->values[mid], v);
		if (c == 0)
			return true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static bool contains_one(const struct query_filter *f, struct tally_str v)
{
	for (size_t i = 0; i < f->nvalues; i++)
		if (f->values[i].len == 0 || (v.len && memmem(v.ptr, v.len, f->values[i].ptr, f->values[i].len)))
			return true;
	return false;
}

static bool matches_one(const struct query_filter *f, struct tally_str v)
{
	for (size_t i = 0; i < f->npatterns; i++)
		if (pattern_matches(f->patterns[i], v))
			return true;
	return false;
}

static bool holds(const struct query_filter *f, struct tally_str v)
{
	switch (f->op) {
	case QF_IS:
		return is_one_of(f, v);
	case QF_CONTAINS:
		return contains_one(f, v);
	default:
		return matches_one(f, v);
	}
}

#define SMALL_TEXT 512

/* The value as the test compares it. */
static bool test_holds(const struct query_filter *f, struct tally_str v)
{
	char small[SMALL_TEXT * FOLD_GROWTH], *to = small;
	if (!f->folded || v.len == 0)
		return holds(f, v);
	if (v.len > SMALL_TEXT)
		to = memory_alloc(v.len * FOLD_GROWTH);
	bool yes = holds(f, str_make(to, fold_text(v, to)));
	if (to != small)
		free(to);
	return yes;
}

bool query_passes(const struct query_filter *f, const struct tally_str *values)
{
	switch (f->op) {
	case QF_AND:
		for (size_t i = 0; i < f->nkids; i++)
			if (!query_passes(f->kids[i], values))
				return false;
		return true;
	case QF_OR:
		for (size_t i = 0; i < f->nkids; i++)
			if (query_passes(f->kids[i], values))
				return true;
		return false;
	case QF_NOT:
		return !query_passes(f->kids[0], values);
	case QF_IS:
	case QF_CONTAINS:
	case QF_MATCHES:
		return test_holds(f, values[f->field]) != f->negated;
	}
	return false;
}
