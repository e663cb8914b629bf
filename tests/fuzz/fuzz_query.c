/* SPDX-License-Identifier: Apache-2.0 */
/* A question from a stranger: the first byte chooses the form (f funnel, r retention), the rest is a body or a query string. What is taken must
 * have a normal form that is UTF-8 JSON, is taken again, and comes out the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "desk/answer.h"
#include "text/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_site sites[] = {
	{ .name = "default", .timezone = "UTC" },
	{ .name = "shop.example", .timezone = "Europe/Berlin" },
};
static const struct conf conf = { .sites = sites, .nsites = 2 };
static const struct query_context cx = { .conf = &conf, .now_us = INT64_C(1792929600000000) };

static void ask_values(const struct query *q)
{
	static const struct tally_str texts[] = { { "", 0 }, { "view", 4 }, { "/a/b", 4 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaab", 25 } };
	struct tally_str values[QUERY_FIELDS_MAX];
	for (size_t t = 0; q->filter && t < 4; t++) {
		for (size_t i = 0; i < QUERY_FIELDS_MAX; i++)
			values[i] = texts[(i + t) % 4];
		(void)query_passes(q->filter, values);
	}
}

static void check_normal(const struct query *q, struct arena *a)
{
	struct tally_str normal = query_normal(q, a), again;
	const struct tree_node *root;
	struct query_error err;
	struct query second;
	if (tree_parse(a, normal, 64, &root, NULL))
		abort();
	int rc = q->form >= QUERY_FUNNEL ? query_parse_walk(&cx, a, q->form, normal, &second, &err)
					 : query_parse(&cx, a, normal, &second, &err);
	if (rc)
		abort();
	again = query_normal(&second, a);
	if (!str_eq(normal, again))
		abort();
}

static void check_problem(struct arena *a, const struct query_error *err)
{
	const struct tree_node *root;
	struct answer an;
	if (err->status < 400 || !err->code || !err->detail[0])
		abort();
	answer_problem(&an, a, err);
	if (tree_parse(a, an.body, 8, &root, NULL))
		abort();
}

/* 'f' and 'r' in front of a body: a funnel, retention; others as said above. */
static int parse(struct arena *a, const uint8_t *data, size_t size, struct query *q, struct query_error *err)
{
	struct tally_str all = str_make((const char *)data, size), rest = str_make(all.ptr + 1, size - 1);
	if (data[0] == 'f' || data[0] == 'r')
		return query_parse_walk(&cx, a, data[0] == 'f' ? QUERY_FUNNEL : QUERY_RETENTION, rest, q, err);
	if (data[0] % 4 == 0 || data[0] == '{')
		return query_parse(&cx, a, data[0] == '{' ? all : rest, q, err);
	return query_parse_short(&cx, a, (enum query_form)(data[0] % 5), STR("shop.example"), rest, q, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct query q = { 0 };
	struct query_error err;
	if (size == 0)
		return 0;
	arena_init(&a, 0);
	if (parse(&a, data, size, &q, &err) == 0) {
		ask_values(&q);
		check_normal(&q, &a);
	} else {
		check_problem(&a, &err);
	}
	arena_free(&a);
	return 0;
}
