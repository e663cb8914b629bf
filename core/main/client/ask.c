/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that ask one question: query, top, dead. */
#include <stdio.h>
#include <stdlib.h>

#include "main/client/client.h"

#define QUERY_MAX (1u << 20)

static struct tally_str read_whole(struct client *c, FILE *f)
{
	char *bytes = arena_alloc(&c->arena, QUERY_MAX);
	return str_make(bytes, fread(bytes, 1, QUERY_MAX, f));
}

/* tally query '{…}' | @FILE | - (or nothing): stdin */
int cmd_query(struct client *c)
{
	const char *arg = c->argc > 1 ? c->argv[1] : "-";
	struct tally_str body;
	if (arg[0] == '@') {
		FILE *f = fopen(arg + 1, "re");
		if (!f) {
			perror(arg + 1);
			return EXIT_USAGE;
		}
		body = read_whole(c, f);
		fclose(f);
	} else {
		body = strcmp(arg, "-") == 0 ? read_whole(c, stdin) : str_of(arg);
	}
	return call_print(c, "/v1/query", &body);
}

/* tally top SITE [--by DIM] [--metric M] [--from D] [--to D] [--tz ZONE] [--limit N] [--filter F] */
int cmd_top(struct client *c)
{
	static const char *const params[] = { "by", "metric", "from", "to", "tz", "limit", "filter" };
	const char *site = NULL, *path = "";
	for (int i = 1; i < c->argc; i++) {
		bool taken = false;
		for (size_t p = 0; !taken && p < sizeof params / sizeof *params; p++) {
			const char *v = option_value(c, &i, arena_printf(&c->arena, "--%s", params[p]));
			taken = v != NULL;
			if (v)
				path = arena_printf(&c->arena, "%s%c%s=%s", path, *path ? '&' : '?', params[p],
					url_escape(&c->arena, v));
		}
		if (taken)
			continue;
		if (c->argv[i][0] == '-' || site)
			return usage_error("is not an option of top", c->argv[i]);
		site = c->argv[i];
	}
	if (!site)
		return usage_error("which site? tally top SITE --by event:page", "top");
	return call_print(c, arena_printf(&c->arena, "/v1/sites/%s/top%s", url_escape(&c->arena, site), path), NULL);
}

/* tally dead list [--limit N] | dead show LINE LSN IDX */
int cmd_dead(struct client *c)
{
	const char *what = c->argc > 1 ? c->argv[1] : "list";
	if (strcmp(what, "list") == 0) {
		const char *limit = "100";
		for (int i = 2; i < c->argc; i++) {
			const char *v = option_value(c, &i, "--limit");
			if (!v)
				return usage_error("is not an option of dead list", c->argv[i]);
			limit = v;
		}
		return call_print(
			c, arena_printf(&c->arena, "/admin/dead?limit=%s", url_escape(&c->arena, limit)), NULL);
	}
	if (strcmp(what, "show") == 0 && c->argc == 5)
		return call_print(c,
			arena_printf(&c->arena, "/admin/dead?line=%s&lsn=%s&idx=%s", url_escape(&c->arena, c->argv[2]),
				url_escape(&c->arena, c->argv[3]), url_escape(&c->arena, c->argv[4])),
			NULL);
	if (strcmp(what, "replay") == 0 || strcmp(what, "purge") == 0) {
		fprintf(stderr, "tally: dead %s is not implemented in this version (docs/status.md)\n", what);
		return EXIT_USAGE;
	}
	return usage_error("tally dead list [--limit N] | dead show LINE LSN IDX", what);
}
