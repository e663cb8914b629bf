/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the desk: a table. */
#include "desk/inner.h"

static const struct {
	const char *path;
	const char *method;
	enum route route;
	enum query_form form;
} fixed[] = {
	{ "/v1/query", "POST", ROUTE_QUERY, QUERY_FULL },
	{ "/api/v2/query", "POST", ROUTE_QUERY, QUERY_FULL },
	{ "/v1/schema", "GET", ROUTE_SCHEMA, QUERY_FULL },
	{ "/healthz", "GET", ROUTE_HEALTH, QUERY_FULL },
	{ "/readyz", "GET", ROUTE_READY, QUERY_FULL },
	{ "/metrics", "GET", ROUTE_METRICS, QUERY_FULL },
	{ "/v1/ledger", "GET", ROUTE_LEDGER, QUERY_FULL },
	{ "/v1/query/funnel", "POST", ROUTE_QUERY, QUERY_FUNNEL },
	{ "/v1/query/retention", "POST", ROUTE_QUERY, QUERY_RETENTION },
};

static const struct {
	const char *name;
	enum route route;
	enum query_form form;
} of_site[] = {
	{ "totals", ROUTE_SHORT, QUERY_TOTALS },
	{ "series", ROUTE_SHORT, QUERY_SERIES },
	{ "top", ROUTE_SHORT, QUERY_TOP },
	{ "active", ROUTE_SHORT, QUERY_ACTIVE },
	{ "live", ROUTE_LIVE, QUERY_FULL },
};

static bool method_is(struct tally_str method, const char *wanted)
{
	return str_eq(method, str_of(wanted)) || (strcmp(wanted, "GET") == 0 && str_eq(method, STR("HEAD")));
}

/* Behind "/v1/sites/": everything up to the last '/' is the site. */
static struct route_match find_site(struct tally_str method, struct tally_str rest)
{
	struct route_match m = { .route = ROUTE_NONE };
	const char *slash = rest.len ? memrchr(rest.ptr, '/', rest.len) : NULL;
	if (!slash)
		return m;
	struct tally_str name = str_make(slash + 1, rest.len - (size_t)(slash - rest.ptr) - 1);
	for (size_t i = 0; i < sizeof of_site / sizeof of_site[0]; i++) {
		if (!str_eq(name, str_of(of_site[i].name)))
			continue;
		m = (struct route_match){ .route = of_site[i].route, .form = of_site[i].form };
		m.site = str_make(rest.ptr, (size_t)(slash - rest.ptr));
		m.wrong_method = !method_is(method, "GET");
	}
	return m;
}

/* Behind "/v1/lookup/": the name up to the first '/', then the key, which may hold others. */
static struct route_match find_lookup(struct tally_str method, struct tally_str rest)
{
	struct route_match m = { .route = ROUTE_NONE };
	const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
	if (!slash)
		return m;
	m.route = ROUTE_LOOKUP;
	m.lookup = str_make(rest.ptr, (size_t)(slash - rest.ptr));
	m.key = str_make(slash + 1, rest.len - m.lookup.len - 1);
	m.wrong_method = !method_is(method, "GET");
	return m;
}

struct route_match route_find(struct tally_str method, struct tally_str path)
{
	static const struct tally_str sites = { "/v1/sites/", 10 }, lookups = { "/v1/lookup/", 11 };
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (str_eq(path, str_of(fixed[i].path)))
			return (struct route_match){ .route = fixed[i].route,
				.form = fixed[i].form,
				.wrong_method = !method_is(method, fixed[i].method) };
	if (str_starts(path, lookups))
		return find_lookup(method, str_make(path.ptr + lookups.len, path.len - lookups.len));
	if (str_starts(path, sites))
		return find_site(method, str_make(path.ptr + sites.len, path.len - sites.len));
	return (struct route_match){ .route = ROUTE_NONE };
}

bool desk_knows(struct tally_str path)
{
	return route_find(STR("GET"), path).route != ROUTE_NONE;
}
