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

/* Options of a command that become parameters of its path. False: argv[*i] is none of them. */
static bool take_params(struct client *c, int *i, const char *const *params, size_t n, const char **path)
{
	for (size_t p = 0; p < n; p++) {
		const char *v = option_value(c, i, arena_printf(&c->arena, "--%s", params[p]));
		if (!v)
			continue;
		*path = arena_printf(&c->arena, "%s%c%s=%s", *path, strchr(*path, '?') ? '&' : '?', params[p],
			url_escape(&c->arena, v));
		return true;
	}
	return false;
}

static const char dead_usage[] =
	"tally dead list [--line L] [--site S] [--since T] [--code N] [--limit N] [--offset N] | dead show LINE LSN IDX | "
	"dead replay|purge LINE LSN IDX, or --line L | --all [--site S] [--since T] [--code N]";

static int dead_one(struct client *c, const char *path, bool post)
{
	path = arena_printf(&c->arena, "%s?line=%s&lsn=%s&idx=%s", path, url_escape(&c->arena, c->argv[2]),
		url_escape(&c->arena, c->argv[3]), url_escape(&c->arena, c->argv[4]));
	return call_print(c, path, post ? &STR("") : NULL);
}

static int dead_many(struct client *c, const char *path, bool post)
{
	static const char *const params[] = { "line", "site", "since", "code", "limit", "offset" };
	for (int i = 2; i < c->argc; i++) {
		if (post && option_flag(c, i, "--all"))
			path = arena_printf(&c->arena, "%s%call=1", path, strchr(path, '?') ? '&' : '?');
		else if (!take_params(c, &i, params, post ? 4 : 6, &path))
			return usage_error(dead_usage, c->argv[i]);
	}
	return call_print(c, path, post ? &STR("") : NULL);
}

/* tally dead list | show | replay | purge */
int cmd_dead(struct client *c)
{
	static const struct {
		const char *name, *path;
		bool post, one, many;
	} verbs[] = {
		{ "list", "/admin/dead", false, false, true },
		{ "show", "/admin/dead", false, true, false },
		{ "replay", "/admin/dead/replay", true, true, true },
		{ "purge", "/admin/dead/purge", true, true, true },
	};
	const char *what = c->argc > 1 ? c->argv[1] : "list";
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(what, verbs[i].name) != 0)
			continue;
		bool one = verbs[i].one && c->argc == 5 && c->argv[2][0] != '-';
		if (one)
			return dead_one(c, verbs[i].path, verbs[i].post);
		if (verbs[i].many)
			return dead_many(c, verbs[i].path, verbs[i].post);
	}
	return usage_error(dead_usage, what);
}

/* tally adopt LINE --from OLDNAME */
int cmd_adopt(struct client *c)
{
	static const char *const params[] = { "from" };
	const char *path = "/admin/adopt", *line = NULL;
	for (int i = 1; i < c->argc; i++) {
		if (take_params(c, &i, params, 1, &path))
			continue;
		if (c->argv[i][0] == '-' || line)
			return usage_error("tally adopt LINE --from OLDNAME", c->argv[i]);
		line = c->argv[i];
	}
	if (!line || !strchr(path, '?'))
		return usage_error("which line, and what was it called? tally adopt LINE --from OLDNAME", "adopt");
	return call_print(c, arena_printf(&c->arena, "%s&line=%s", path, url_escape(&c->arena, line)), &STR(""));
}
