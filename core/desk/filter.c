/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: making one test, and asking it about the values of an event or of a rollup's row.
 *
 * Strangers choose the patterns, so what could make regcomp or regexec expensive is refused: back references, and
 * repetitions of repetitions that multiply past a small number. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "desk/query.h"

#define REPEATS_MAX 1000 /* product of all {n,m} of a pattern */
#define GROUPS_MAX 16

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

/* The largest number of "{n,m}" at p, 0 if it is none. */
static long repeat_at(const char *p)
{
	char *end;
	if (*p != '{' || !isdigit((unsigned char)p[1]))
		return 0;
	long n = strtol(p + 1, &end, 10);
	if (*end == ',' && isdigit((unsigned char)end[1])) {
		long m = strtol(end + 1, &end, 10);
		n = m > n ? m : n;
	}
	return n;
}

static const char *pattern_refusal(const char *p)
{
	long repeats = 1;
	int groups = 0;
	for (; *p; p++) {
		if (*p == '\\' && p[1]) {
			if (isdigit((unsigned char)*++p))
				return "back references are not taken";
			continue;
		}
		groups += *p == '(';
		long n = repeat_at(p);
		repeats *= n > 1 ? n : 1;
		if (repeats > REPEATS_MAX)
			return "its repetitions multiply past 1000";
	}
	return groups > GROUPS_MAX ? "it has more than 16 groups" : NULL;
}

static int compile(struct query_filter *f, struct arena *a, struct query_error *err)
{
	f->patterns = arena_alloc(a, f->nvalues * sizeof *f->patterns);
	size_t all = f->nvalues;
	f->nvalues = 0; /* counts what is to be freed, should one fail */
	for (size_t i = 0; i < all; i++) {
		struct tally_str v = f->values[i];
		char *text = arena_copy(a, v.ptr, v.len);
		if (v.len > QUERY_PATTERN_MAX || strlen(text) != v.len)
			return query_fail(err, 400, "bad_pattern", "a pattern is at most %d bytes and holds no NUL",
				QUERY_PATTERN_MAX);
		const char *why = pattern_refusal(text);
		if (why)
			return query_fail(err, 400, "bad_pattern", "the pattern is refused: %s", why);
		int rc = regcomp(&f->patterns[i], text, REG_EXTENDED | REG_NOSUB);
		if (rc) {
			char said[128];
			regerror(rc, NULL, said, sizeof said);
			return query_fail(err, 400, "bad_pattern", "not a POSIX extended regular expression: %s", said);
		}
		f->nvalues++;
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

int query_make_test(struct query *q, struct arena *a, struct tally_str op, struct tally_str dimension,
	struct tally_str *values, size_t n, struct query_filter **out, struct query_error *err)
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
	int rc = query_field(q, a, dimension, &f->field, err);
	if (rc)
		return rc;
	f->values = values;
	f->nvalues = sort_once(values, n);
	*out = f; /* before compile(): query_release() finds through the tree what has to be freed */
	return f->op == QF_MATCHES ? compile(f, a, err) : 0;
}

static void release(struct query_filter *f)
{
	for (size_t i = 0; i < f->nkids; i++)
		if (f->kids[i])
			release(f->kids[i]);
	for (size_t i = 0; f->patterns && i < f->nvalues; i++)
		regfree(&f->patterns[i]);
	f->patterns = NULL;
}

void query_release(struct query *q)
{
	if (q->filter)
		release(q->filter);
	q->filter = NULL;
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

/* REG_STARTEND (GNU, BSD): the text is a slice, not a C string. */
static bool matches_one(const struct query_filter *f, struct tally_str v)
{
	for (size_t i = 0; i < f->nvalues; i++) {
		regmatch_t span = { .rm_so = 0, .rm_eo = (regoff_t)v.len };
		if (regexec(&f->patterns[i], v.ptr ? v.ptr : "", 1, &span, REG_STARTEND) == 0)
			return true;
	}
	return false;
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
		return is_one_of(f, values[f->field]) != f->negated;
	case QF_CONTAINS:
		return contains_one(f, values[f->field]) != f->negated;
	case QF_MATCHES:
		return matches_one(f, values[f->field]) != f->negated;
	}
	return false;
}
