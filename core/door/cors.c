/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-origin requests: an origin that some site lists may send events, without credentials. */
#include "door/internal.h"

static bool site_lists(const struct conf_site *s, struct tally_str origin)
{
	for (const char *const *o = s->origins; o && *o; o++)
		if (strcmp(*o, "*") == 0 || str_eq(str_of(*o), origin))
			return true;
	return false;
}

static bool is_listed(const struct conf *c, struct tally_str origin)
{
	for (size_t i = 0; i < c->nsites; i++)
		if (site_lists(&c->sites[i], origin))
			return true;
	return false;
}

size_t cors_fields(struct lane *ln, const struct http_request *rq, struct http_field out[2])
{
	const struct http_field *origin = http_field_get(rq, "origin");
	if (!origin || !is_listed(lane_conf(ln), origin->value))
		return 0;
	out[0] = (struct http_field){ STR("Access-Control-Allow-Origin"), origin->value };
	out[1] = (struct http_field){ STR("Vary"), STR("Origin") };
	return 2;
}

void cors_preflight(struct lane *ln, struct http_request *rq)
{
	struct http_field fields[5];
	size_t n = cors_fields(ln, rq, fields);
	if (!n) {
		http_problem(rq, 403, "origin_not_allowed", 0,
			"no site lists this origin; add it to `origins:` of the site in the configuration");
		return;
	}
	fields[n++] = (struct http_field){ STR("Access-Control-Allow-Methods"), STR("POST, OPTIONS") };
	fields[n++] = (struct http_field){ STR("Access-Control-Allow-Headers"),
		STR("Content-Type, Content-Encoding, Authorization") };
	fields[n++] = (struct http_field){ STR("Access-Control-Max-Age"), STR("86400") };
	http_respond(rq, &(struct http_answer){ .status = 204, .fields = fields, .nfields = n });
}
